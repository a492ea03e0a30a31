//! Whatever order threads come in, the loop never sleeps over what others ask of it: each test is run once for every order
//! there is, but for those with more than a few interruptions.
//!
//! When somebody sleeps whom nobody can wake any more, `loom` says "deadlock".
#![cfg(sansmq_loom)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

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
use std::sync::Arc;

/// Tries every order in which a thread that could go on loses its turn at most three times.
fn in_every_order(test: impl Fn(EventLoop, SocketContext) + Sync + Send + 'static) {
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
fn a_socket_made_on_another_thread_is_served() {
    in_every_order(|mut events, names| {
        let remote = events.remote();
        let application = thread::spawn(move || remote.socket_in(&names, Options::<Pull>::new()));
        while events.tasks() == 0 {
            events.turn(None).unwrap();
        }
        drop(application.join().unwrap());
    });
}

#[test]
fn what_another_thread_wants_done_is_done_until_all_is_closed() {
    in_every_order(|mut events, names| {
        let socket = events.remote().socket_in(&names, Options::<Pull>::new());
        let application = thread::spawn(move || {
            block_on(socket.bind("tcp://127.0.0.1:*")).unwrap();
            block_on(socket.close());
        });
        events.run().unwrap();
        application.join().unwrap();
    });
}

#[test]
fn a_future_that_the_loop_waits_for_is_looked_at_when_another_thread_wakes_it() {
    in_every_order(|mut events, names| {
        let pull = events.remote().socket_in(&names, Options::<Pull>::new());
        let push = events.remote().socket_in(&names, Options::<Push>::new());
        assert!(pin!(pull.bind("inproc://place")).poll(&mut Context::from_waker(Waker::noop())).is_ready());
        push.connect("inproc://place").unwrap();
        let application = thread::spawn(move || push.try_send("x").unwrap());
        assert_eq!(events.block_on(pull.recv()).unwrap().body(), "x");
        application.join().unwrap();
    });
}

#[test]
fn nobody_waits_for_a_loop_that_has_ended() {
    in_every_order(|mut events, names| {
        let remote = events.remote();
        let application = thread::spawn(move || {
            let socket = remote.socket_in(&names, Options::<Pull>::new());
            block_on(socket.bind("tcp://127.0.0.1:*")).map(drop).unwrap_or_default();
            assert_eq!(block_on(socket.recv()), Err(RecvError::Closed));
            block_on(socket.close());
        });
        events.turn(Some(Duration::ZERO)).unwrap();
        drop(events);
        application.join().unwrap();
    });
}
