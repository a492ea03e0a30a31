//! Whatever order threads come in, nobody is left asleep, nothing is lost and nothing overtaken: each test is run once for
//! every order there is, but for those with more than a few interruptions.
//!
//! When somebody sleeps whom nobody can wake any more, `loom` says "deadlock".
#![cfg(sansmq_loom)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

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

const PLACE: &str = "inproc://place";

/// Tries every order in which a thread that could go on loses its turn at most so many times.
fn in_every_order(interruptions: usize, test: impl Fn() + Sync + Send + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(interruptions);
    model.max_branches = 100_000;
    let orders = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&orders);
    model.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        test();
    });
    println!("{orders:?} orders");
}

/// A socket whose clock stands still, and what keeps it from being orphaned.
fn socket<T: Kind>(options: Options<T>, names: &SocketContext) -> (Handle<T>, Driver) {
    new_socket(options, names, || Instant::ORIGIN)
}

/// A pair of sockets with room for one message in each queue, so that three of them are on the way at most.
struct Pipeline {
    push: Handle<Push>,
    pull: Handle<Pull>,
    drivers: [Driver; 2],
}

/// What a push takes before anybody receives: a message in its queue, two on the way, one in the pull's queue.
const FILL: u8 = 4;

fn pipeline() -> Pipeline {
    let names = SocketContext::new();
    let (push, driver) = socket(Options::<Push>::new().send_hwm(1), &names);
    let (pull, other) = socket(Options::<Pull>::new().recv_hwm(1), &names);
    assert!(now(pull.bind(PLACE)).is_ready());
    push.connect(PLACE).unwrap();
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

/// One look at a future, which is then given up.
fn now<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}
