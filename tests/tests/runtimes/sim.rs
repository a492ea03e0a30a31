//! The suite in a simulation: no operating system, a clock that jumps, and a network that a seed decides.

#[path = "suite/mod.rs"]
mod suite;

use fixture::{DealerSocket, PullSocket, PushSocket, RouterSocket, Socket, spawn};
use sansmq::kind::Push;
use sansmq::runtime::{CurrentRuntime, Runtime};
use sansmq::{ConnectionError, Endpoint, Event, Message, Options};
use sansmq_tests::fixture::sim as fixture;
use sansmq_tests::sim::{Sim, run};
use smol::io::AsyncReadExt;
use std::cell::RefCell;
use std::time::Duration;

/// What a ROUTER hears of several DEALERs, with the time.
fn story(seed: u64) -> Vec<(u64, Message)> {
    let story = RefCell::new(Vec::new());
    run(seed, async || {
        let router = RouterSocket::new();
        let endpoint = router.bind(suite::ANY).await.unwrap();
        for _ in 0..5 {
            let dealer = DealerSocket::new();
            dealer.connect(&endpoint).unwrap();
            let _beside = spawn(async move {
                for number in 0..10 {
                    dealer.send(format!("{number}")).await.unwrap();
                }
            });
        }
        for _ in 0..50 {
            let message = router.recv().await.unwrap();
            story.borrow_mut().push((Sim::current().now().as_nanos(), message));
        }
    });
    story.into_inner()
}

#[test]
fn a_seed_decides_the_order_of_everything_its_time_and_whatever_is_random() {
    assert_eq!(story(1), story(1));
    let order = |story: Vec<(u64, Message)>| story.into_iter().map(|(_, message)| message).collect::<Vec<_>>();
    assert_ne!(order(story(1)), order(story(2)));
}

#[test]
#[should_panic(expected = "everybody sleeps for ever")]
fn a_scenario_that_waits_in_vain_fails_at_once() {
    run(1, async || {
        PullSocket::new().recv().await.unwrap();
    });
}

#[test]
#[should_panic(expected = "a day is over")]
fn a_socket_that_has_no_handle_and_does_not_come_to_its_end_fails() {
    run(1, async || {
        let push = Socket::with(Options::<Push>::new().linger(None));
        push.connect("tcp://127.0.0.1:1").unwrap();
        push.send("to nobody").await.unwrap();
    });
}

#[test]
fn hours_pass_when_nobody_has_anything_to_do() {
    run(1, async || {
        let hours = Duration::from_hours(5);
        let push = Socket::with(Options::<Push>::new().reconnect(hours, hours).unwrap());
        let endpoint = "tcp://127.0.0.1:1".parse::<Endpoint>().unwrap();
        push.connect(&endpoint).unwrap();
        push.send("patience").await.unwrap();
        let mut story = push.monitor();
        while !matches!(story.next().await, Some(Event::ConnectFailed { .. })) {}
        let pull = PullSocket::new();
        pull.bind(&endpoint).await.unwrap();
        assert_eq!(pull.recv().await.unwrap().body(), "patience");
        assert!(Sim::current().now().as_nanos() > 2 * 3_600_000_000_000);
    });
}

#[test]
fn who_hangs_up_on_what_he_has_not_read_resets_the_connection() {
    run(1, async || {
        let push = PushSocket::new();
        let mut story = push.monitor();
        let endpoint = push.bind(suite::ANY).await.unwrap();
        let mut peer = fixture::dial(&endpoint).await.unwrap();
        peer.read_exact(&mut [0]).await.unwrap();
        drop(peer);
        assert!(matches!(suite::ending(&mut story).await, Some(ConnectionError::Network(_))));
    });
}
