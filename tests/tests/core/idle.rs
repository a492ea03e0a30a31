//! What waiting costs: how often anybody is woken while nobody has anything to do, on the runtime that is simulated. What
//! wakes a socket there is what wakes it on tokio and smol, whose tasks are the same; for the mio loop see
//! `an_idle_reactor_lets_its_thread_sleep`.

use sansmq::kind::{Dealer, Pub, Pull, Push, Rep, Req, Router, Sub};
use sansmq::runtime::CurrentRuntime;
use sansmq::{Endpoint, Options};
use sansmq_tests::for_seeds;
use sansmq_tests::sim::{Sim, Socket, run, spawn, turns};
use std::time::Duration;

const HOUR: Duration = Duration::from_hours(1);

/// Lets whatever is under way come to rest, and then counts the turns of an hour.
async fn turns_in_an_hour() -> u64 {
    let sim = Sim::current();
    sim.sleep(Duration::from_mins(1)).await;
    let before = turns();
    sim.sleep(HOUR).await;
    // The scenario itself had one, to go on.
    turns() - before - 1
}

#[test]
fn who_has_nothing_to_do_is_never_woken() {
    for_seeds(8, |seed| {
        run(seed, async || {
            let router = Socket::with(Options::<Router>::new());
            let place = router.bind("tcp://127.0.0.1:*").await.unwrap();
            let dealers: Vec<_> = (0..20).map(|_| Socket::with(Options::<Dealer>::new())).collect();
            for dealer in &dealers {
                dealer.connect(&place).unwrap();
                dealer.send("here").await.unwrap();
                router.recv().await.unwrap();
            }
            let (rep, req) = (Socket::with(Options::<Rep>::new()), Socket::with(Options::<Req>::new()));
            req.connect(rep.bind("tcp://127.0.0.1:*").await.unwrap()).unwrap();
            req.send("a question that is long in the answering").await.unwrap();
            rep.recv().await.unwrap();
            let (publisher, subscriber) = (Socket::with(Options::<Pub>::new()), Socket::with(Options::<Sub>::new()));
            subscriber.connect(publisher.bind("tcp://127.0.0.1:*").await.unwrap()).unwrap();
            subscriber.subscribe("news").unwrap();
            let mut story = subscriber.monitor();

            let _receives = spawn(async move { drop(router.recv().await) });
            let _listens = spawn(async move { drop(subscriber.recv().await) });
            let _watches = spawn(async move { while story.next().await.is_some() {} });
            assert_eq!(turns_in_an_hour().await, 0);
        });
    });
}

#[test]
fn a_heartbeat_has_three_turns() {
    for_seeds(8, |seed| {
        run(seed, async || {
            Sim::current().calm_down();
            let (pull, interval) = (Socket::with(Options::<Pull>::new()), Duration::from_secs(10));
            let push = Socket::with(Options::<Push>::new().heartbeat(interval).unwrap());
            push.connect(pull.bind("tcp://127.0.0.1:*").await.unwrap()).unwrap();
            let beats = HOUR.as_secs() / interval.as_secs();
            // A PING is sent, answered, and the answer is read. One may fall on an edge of the hour.
            let turns = turns_in_an_hour().await;
            assert!((3 * (beats - 1)..=3 * (beats + 1)).contains(&turns), "{turns} turns for {beats} beats");
        });
    });
}

#[test]
fn a_dial_in_vain_has_a_few_turns_and_nobody_is_woken_between() {
    for_seeds(8, |seed| {
        run(seed, async || {
            Sim::current().calm_down();
            let wait = Duration::from_secs(10);
            let push = Socket::with(Options::<Push>::new().reconnect(wait, wait).unwrap());
            push.connect("tcp://127.0.0.1:1".parse::<Endpoint>().unwrap()).unwrap();
            let before = push.stats().failed_dials;
            let turns = turns_in_an_hour().await;
            let dials = push.stats().failed_dials - before;
            assert!(dials >= HOUR.as_secs() / (2 * wait.as_secs()), "{dials} dials");
            assert!(turns <= 5 * dials, "{turns} turns for {dials} dials");
        });
    });
}
