//! [`wait`]: blocks a thread until a future is ready.

use core::pin::pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
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

/// Reason why a wait has ended before its future was ready.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unready {
    /// The timeout, which is the value, has expired.
    TimedOut(Duration),
    /// The current process is a forked child of the process that runs the tasks of the socket, so the future would never
    /// be ready.
    Inherited,
}

/// Blocks the current thread until `future` is ready, but at most for `timeout` (`None`: no limit). Does not block if
/// `is_inherited` returns true.
///
/// # Errors
/// [`Unready`].
pub(crate) fn wait<F: Future>(
    future: F,
    timeout: Option<Duration>,
    is_inherited: impl Fn() -> bool,
) -> Result<F::Output, Unready> {
    thread_local! {
        static WAKER: Waker = Waker::from(Arc::new(Unpark(thread::current())));
    }
    WAKER.with(|waker| wait_with(waker, future, timeout, is_inherited))
}

/// Blocks like [`wait`]. Also works while the local variables of the thread are being dropped.
pub(crate) fn wait_at_exit(future: impl Future<Output = ()>, timeout: Option<Duration>) {
    // The guard waits for no inherited sockets.
    let _ = wait_with(&Waker::from(Arc::new(Unpark(thread::current()))), future, timeout, || false);
}

fn wait_with<F: Future>(
    waker: &Waker,
    future: F,
    timeout: Option<Duration>,
    is_inherited: impl Fn() -> bool,
) -> Result<F::Output, Unready> {
    let deadline = timeout.and_then(|timeout| Some((timeout, Instant::now().checked_add(timeout)?)));
    let mut future = pin!(future);
    let mut cx = Context::from_waker(waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return Ok(output);
        }
        // Only before the thread blocks: the check is a system call.
        if is_inherited() {
            return Err(Unready::Inherited);
        }
        match deadline {
            None => thread::park(),
            Some((timeout, deadline)) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(Unready::TimedOut(timeout));
                }
                thread::park_timeout(left);
            }
        }
    }
}
