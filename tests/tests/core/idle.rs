//! Tests of how often tasks of idle sockets are woken, on the simulated runtime. tokio and smol run the same tasks, so
//! the counts are the same there. The mio event loop has a separate test in `runtimes/mio_loop.rs`.

use sansmq::kind::{Dealer, Pub, Pull, Push, Rep, Req, Router, Sub};
use sansmq::runtime::CurrentRuntime;
use sansmq::{Endpoint, Options};
use sansmq_tests::for_seeds;
use sansmq_tests::sim::{Sim, Socket, run, spawn, turns};
use std::time::Duration;

const HOUR: Duration = Duration::from_hours(1);

/// Waits until all activity has ended. Returns how often tasks are polled in the following hour of virtual time.
async fn turns_in_an_hour() -> u64 {
    let sim = Sim::current();
    sim.sleep(Duration::from_mins(1)).await;
    let before = turns();
    sim.sleep(HOUR).await;
    // One turn is that of the scenario, when its sleep ends.
    turns() - before - 1
}

#[test]
fn idle_sockets_are_never_woken() {
    for_seeds(8, |seed| {
        run(seed, async || {
            let router = Socket::with_options(Options::<Router>::new());
            let endpoint = router.bind("tcp://127.0.0.1:*").await.unwrap();
            let dealers: Vec<_> = (0..20).map(|_| Socket::with_options(Options::<Dealer>::new())).collect();
            for dealer in &dealers {
                dealer.connect(&endpoint).unwrap();
                dealer.send("hello").await.unwrap();
                router.recv().await.unwrap();
            }
            let (rep, req) = (Socket::with_options(Options::<Rep>::new()), Socket::with_options(Options::<Req>::new()));
            req.connect(rep.bind("tcp://127.0.0.1:*").await.unwrap()).unwrap();
            req.send("a request that is not answered").await.unwrap();
            rep.recv().await.unwrap();
            let (publisher, subscriber) =
                (Socket::with_options(Options::<Pub>::new()), Socket::with_options(Options::<Sub>::new()));
            subscriber.connect(publisher.bind("tcp://127.0.0.1:*").await.unwrap()).unwrap();
            subscriber.subscribe("news").unwrap();
            let mut monitor = subscriber.monitor();

            let _router_task = spawn(async move { drop(router.recv().await) });
            let _subscriber_task = spawn(async move { drop(subscriber.recv().await) });
            let _monitor_task = spawn(async move { while monitor.next().await.is_some() {} });
            assert_eq!(turns_in_an_hour().await, 0);
        });
    });
}

#[test]
fn heartbeat_takes_three_turns() {
    for_seeds(8, |seed| {
        run(seed, async || {
            Sim::current().disable_faults();
            let (pull, interval) = (Socket::with_options(Options::<Pull>::new()), Duration::from_secs(10));
            let push = Socket::with_options(Options::<Push>::new().heartbeat(interval));
            push.connect(pull.bind("tcp://127.0.0.1:*").await.unwrap()).unwrap();
            let heartbeats = HOUR.as_secs() / interval.as_secs();
            // Three turns per heartbeat: send the PING, answer it, read the PONG. One may be at an edge of the hour.
            let turns = turns_in_an_hour().await;
            assert!(
                (3 * (heartbeats - 1)..=3 * (heartbeats + 1)).contains(&turns),
                "{turns} turns for {heartbeats} heartbeats"
            );
        });
    });
}

#[test]
fn refused_dial_takes_at_most_five_turns() {
    for_seeds(8, |seed| {
        run(seed, async || {
            Sim::current().disable_faults();
            let wait = Duration::from_secs(10);
            let push = Socket::with_options(Options::<Push>::new().reconnect(wait, wait));
            push.connect("tcp://127.0.0.1:1".parse::<Endpoint>().unwrap()).unwrap();
            let before = push.stats().failed_dials;
            let turns = turns_in_an_hour().await;
            let dials = push.stats().failed_dials - before;
            assert!(dials >= HOUR.as_secs() / (2 * wait.as_secs()), "{dials} dials");
            assert!(turns <= 5 * dials, "{turns} turns for {dials} dials");
        });
    });
}
