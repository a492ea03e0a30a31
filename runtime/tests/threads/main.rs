//! Tests under `loom`, which runs each test once for every interleaving of its threads with at most a few preemptions.
//! In every interleaving, each waiting task must be woken, no message may be lost, and messages must keep their order.
//!
//! `loom` reports "deadlock" when a thread sleeps that no other thread can wake.
#![cfg(sansmq_loom)]
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod inproc;
mod tasks;
mod waiting;

use core::pin::pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use sansmq_proto::kind::{Kind, Pull, Push};
use sansmq_proto::{Instant, Options};
use sansmq_runtime::{Context as SocketContext, Driver, Handle, new_socket};
use std::sync::Arc;

const ENDPOINT: &str = "inproc://place";

/// Runs a test once for every interleaving of its threads that has at most `preemptions` preemptions.
fn in_every_order(preemptions: usize, test: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(preemptions);
    model.max_branches = 100_000;
    let orders = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&orders);
    model.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        test();
    });
    println!("{orders:?} orders");
}

/// Creates a socket with a constant clock. The socket closes when the returned driver is dropped.
fn socket<T: Kind>(options: Options<T>, context: &SocketContext) -> (Handle<T>, Driver) {
    new_socket(options, context, || Instant::ORIGIN)
}

/// PUSH and PULL that are connected over `inproc`, with high-water marks of 1. Under `loom`, the connection itself
/// holds up to two messages in each direction.
struct Pipeline {
    push: Handle<Push>,
    pull: Handle<Pull>,
    drivers: [Driver; 2],
}

/// Number of messages that the PUSH can send while the PULL does not receive: one in the queue of the PUSH, and one in
/// the queue of the PULL.
const FILL: u8 = 2;

fn pipeline() -> Pipeline {
    let context = SocketContext::new();
    let (push, driver) = socket(Options::<Push>::new().send_hwm(1), &context);
    let (pull, other) = socket(Options::<Pull>::new().recv_hwm(1), &context);
    assert!(now(pull.bind(ENDPOINT)).is_ready());
    push.connect(ENDPOINT).unwrap();
    Pipeline { push, pull, drivers: [driver, other] }
}

fn full_pipeline() -> Pipeline {
    let pipeline = pipeline();
    for number in 0..FILL {
        pipeline.push.try_send(&[number]).unwrap();
    }
    pipeline.push.try_send(&[FILL]).unwrap_err();
    pipeline
}

/// Polls a future once, drops it, and returns the result of the poll.
fn now<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}
