//! The test suite on the simulated runtime, which has no operating system, a virtual clock, and a network with random
//! behaviour that the seed determines.

#[path = "suite/mod.rs"]
mod suite;

use fixture::{DealerSocket, PullSocket, PushSocket, RouterSocket, Socket, spawn};
use sansmq::kind::Push;
use sansmq::runtime::{CurrentRuntime, Runtime};
use sansmq::{ConnectionError, Context, Endpoint, Event, Message, Options};
use sansmq_proto::entropy::SeededEntropy;
use sansmq_tests::fixture::sim as fixture;
use sansmq_tests::for_seeds;
use sansmq_tests::sim::{Sim, run};
use smol::io::AsyncReadExt;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Runs a simulation with this seed, in which a ROUTER receives messages from several DEALERs. Returns the messages,
/// each with the virtual time of its receipt in nanoseconds.
fn received_messages(seed: u64) -> Vec<(u64, Message)> {
    let received = RefCell::new(Vec::new());
    run(seed, async || {
        let router = RouterSocket::new();
        let endpoint = router.bind(suite::ANY).await.unwrap();
        for _ in 0..5 {
            let dealer = DealerSocket::new();
            dealer.connect(&endpoint).unwrap();
            let _task = spawn(async move {
                for number in 0..10 {
                    dealer.send(format!("{number}")).await.unwrap();
                }
            });
        }
        for _ in 0..50 {
            let message = router.recv().await.unwrap();
            received.borrow_mut().push((Sim::current().now().as_nanos(), message));
        }
    });
    received.into_inner()
}

#[test]
fn seed_determines_order_times_and_random_values() {
    assert_eq!(received_messages(1), received_messages(1));
    let order = |received: Vec<(u64, Message)>| received.into_iter().map(|(_, message)| message).collect::<Vec<_>>();
    assert_ne!(order(received_messages(1)), order(received_messages(2)));
}

#[test]
#[should_panic(expected = "deadlock: no task is ready")]
fn deadlocked_scenario_fails_at_once() {
    run(1, async || {
        PullSocket::new().recv().await.unwrap();
    });
}

#[test]
#[should_panic(expected = "the scenario did not end within")]
fn socket_that_never_ends_fails_the_scenario() {
    run(1, async || {
        let push = Socket::with_options(Options::<Push>::new().linger(None));
        push.connect("tcp://127.0.0.1:1").unwrap();
        push.send("unsent").await.unwrap();
    });
}

#[test]
fn idle_simulation_advances_the_clock_by_hours() {
    run(1, async || {
        let hours = Duration::from_hours(5);
        let push = Socket::with_options(Options::<Push>::new().reconnect(hours, hours));
        let endpoint = "tcp://127.0.0.1:1".parse::<Endpoint>().unwrap();
        push.connect(&endpoint).unwrap();
        push.send("delayed").await.unwrap();
        let mut monitor = push.monitor();
        while !matches!(monitor.next().await, Some(Event::ConnectFailed { .. })) {}
        let pull = PullSocket::new();
        pull.bind(&endpoint).await.unwrap();
        assert_eq!(pull.recv().await.unwrap().body(), "delayed");
        assert!(Sim::current().now().as_nanos() > 2 * 3_600_000_000_000);
    });
}

#[test]
fn peer_dropped_with_unread_bytes_resets_connection() {
    run(1, async || {
        let push = PushSocket::new();
        let mut monitor = push.monitor();
        let endpoint = push.bind(suite::ANY).await.unwrap();
        let mut peer = fixture::dial(&endpoint).await.unwrap();
        peer.read_exact(&mut [0]).await.unwrap();
        drop(peer);
        assert!(matches!(suite::end_reason(&mut monitor).await, Some(ConnectionError::Network(_))));
    });
}

/// Closes a context at a random time and with a random limit, while its sockets send to a slow receiver.
async fn close_context_at_random(seed: u64) {
    let mut rng = SeededEntropy::new(!seed);
    let mut time = |most: u64| Duration::from_millis(rng.below(most));
    let (context, pull) = (Context::new(), PullSocket::new());
    let endpoint = pull.bind(suite::ANY).await.unwrap();
    let accepted: [Arc<AtomicU64>; 3] = Default::default();
    for (number, accepted) in accepted.iter().enumerate() {
        let linger = [None, Some(time(1000))][usize::from(time(2).is_zero())];
        let push = Socket::in_context(&context, Options::<Push>::new().send_hwm(20).linger(linger));
        push.connect(&endpoint).unwrap();
        let (accepted, padding) = (Arc::clone(accepted), vec![0; 1 << time(14).as_millis()]);
        let _task = spawn(async move {
            let mut next = 0;
            while push.send((format!("{number} {next}"), padding.clone())).await.is_ok() {
                next += 1;
                accepted.store(next, Ordering::Relaxed);
            }
        });
    }
    let received: Arc<[AtomicU64; 3]> = Arc::default();
    let pause = time(5);
    let _receiver = spawn({
        let (pull, received) = (pull.clone(), Arc::clone(&received));
        async move {
            while let Ok(message) = pull.recv().await {
                let text = message.head().to_text().into_owned();
                let (sender, number) = text.split_once(' ').unwrap();
                let (sender, number) = (sender.parse::<usize>().unwrap(), number.parse::<u64>().unwrap());
                let expected = received[sender].fetch_add(1, Ordering::Relaxed);
                assert_eq!(number, expected, "messages of sender {sender} arrive in order, each once");
                Sim::current().sleep(pause).await;
            }
        }
    });
    Sim::current().sleep(time(500)).await;
    let (begin, limit) = (Sim::current().now(), time(1000));
    let closed = context.close(limit).await;
    assert!(Sim::current().now().since(begin) <= limit + Duration::from_millis(100), "the close took too long");
    let sent = accepted.iter().map(|accepted| accepted.load(Ordering::Relaxed)).sum::<u64>() - closed.unsent() as u64;
    let total = || received.iter().map(|received| received.load(Ordering::Relaxed)).sum::<u64>();
    // If a message is lost without being counted, this wait exceeds the time of the simulation.
    while total() < sent {
        Sim::current().sleep(Duration::from_millis(100)).await;
    }
    Sim::current().sleep(Duration::from_secs(10)).await;
    assert_eq!(total(), sent, "a received message was reported as unsent");
    pull.close().await;
}

#[test]
fn context_closed_at_any_time_reports_each_lost_message() {
    for_seeds(8, |seed| run(seed, async || close_context_at_random(seed).await));
}
