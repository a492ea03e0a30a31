//! Tests that the event loop misses no request of another thread. Under `loom`, each test runs once for every
//! interleaving of its threads that has at most three preemptions.
//!
//! If a request is missed, the thread of the event loop sleeps forever, and `loom` reports a deadlock.
#![cfg(sansmq_loom)]
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use core::pin::pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Waker};
use core::time::Duration;
use loom::future::block_on;
use loom::thread;
use sansmq_mio::EventLoop;
use sansmq_mio::proto::kind::{Pull, Push};
use sansmq_mio::proto::{Options, RecvError};
use sansmq_runtime::Context as SocketContext;
use std::sync::{Arc, Mutex, PoisonError};

/// Runs `test` once for every interleaving of its threads that has at most three preemptions. Each run gets a new event
/// loop and context.
fn in_every_order(test: impl Fn(EventLoop, SocketContext) + Sync + Send + 'static) {
    // The list of ports that are being closed is one of the process. With a port of another test in it, two runs of the same
    // interleaving could differ, which `loom` reports as an error.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.max_branches = 100_000;
    let orders = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&orders);
    model.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        test(EventLoop::new().unwrap(), SocketContext::new());
    });
    println!("{orders:?} orders");
}

#[test]
fn socket_of_another_thread_is_run() {
    in_every_order(|mut events, context| {
        let remote = events.remote();
        let application = thread::spawn(move || remote.socket_in(&context, Options::<Pull>::new()));
        while events.tasks() == 0 {
            events.turn(None).unwrap();
        }
        drop(application.join().unwrap());
    });
}

#[test]
fn run_serves_another_thread_until_close() {
    in_every_order(|mut events, context| {
        let socket = events.remote().socket_in(&context, Options::<Pull>::new());
        let application = thread::spawn(move || {
            block_on(socket.bind("tcp://127.0.0.1:*")).unwrap();
            block_on(socket.close());
        });
        events.run().unwrap();
        application.join().unwrap();
    });
}

#[test]
fn block_on_polls_when_another_thread_wakes() {
    in_every_order(|mut events, context| {
        let pull = events.remote().socket_in(&context, Options::<Pull>::new());
        let push = events.remote().socket_in(&context, Options::<Push>::new());
        assert!(pin!(pull.bind("inproc://name")).poll(&mut Context::from_waker(Waker::noop())).is_ready());
        push.connect("inproc://name").unwrap();
        let application = thread::spawn(move || push.try_send("x").unwrap());
        assert_eq!(events.block_on(pull.recv()).unwrap().body(), "x");
        application.join().unwrap();
    });
}

#[test]
fn socket_closes_when_event_loop_is_dropped() {
    in_every_order(|mut events, context| {
        let remote = events.remote();
        let application = thread::spawn(move || {
            let socket = remote.socket_in(&context, Options::<Pull>::new());
            block_on(socket.bind("tcp://127.0.0.1:*")).map(drop).unwrap_or_default();
            assert_eq!(block_on(socket.recv()), Err(RecvError::Closed));
            block_on(socket.close());
        });
        events.turn(Some(Duration::ZERO)).unwrap();
        drop(events);
        application.join().unwrap();
    });
}
