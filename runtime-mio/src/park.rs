//! [`wait`]: blocks a thread until a future is ready.

use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::sync::Arc;
use std::task::Wake;
use std::thread::{self, Thread};
use std::time::Instant;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

/// Blocks the current thread until `future` is ready, but not longer than until `deadline` (`None`: no limit). Returns
/// `None` if the deadline passes first.
pub(crate) fn wait<F: Future>(future: F, deadline: Option<Instant>) -> Option<F::Output> {
    thread_local! {
        static WAKER: Waker = Waker::from(Arc::new(Unpark(thread::current())));
    }
    WAKER.with(|waker| wait_with(waker, future, deadline))
}

/// Blocks like [`wait`]. Also works while the local variables of the thread are being dropped.
pub(crate) fn wait_at_exit(future: impl Future<Output = ()>, deadline: Option<Instant>) {
    wait_with(&Waker::from(Arc::new(Unpark(thread::current()))), future, deadline);
}

fn wait_with<F: Future>(waker: &Waker, future: F, deadline: Option<Instant>) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return Some(output);
        }
        match deadline {
            None => thread::park(),
            Some(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return None;
                }
                thread::park_timeout(left);
            }
        }
    }
}
