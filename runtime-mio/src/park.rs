//! [`wait`]: blocks a thread until a future is ready.

use crate::parker::{Parker, Unparked};
use core::pin::pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::rc::Rc;
use std::time::Instant;
use thiserror::Error;

/// Reason why a wait has ended before its future was ready.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unready {
    /// The timeout, which is the value, has expired.
    TimedOut(Duration),
    /// The current process is a forked child of the process that runs the tasks of the socket, so the future would never
    /// be ready.
    Inherited,
    /// A signal handler without `SA_RESTART` ran in this thread.
    Interrupted,
}

/// Blocks the current thread until `future` is ready, but at most for `timeout` (`None`: no limit), or until a signal
/// interrupts the thread. Does not block if `is_inherited` returns true.
///
/// # Errors
/// [`Unready`].
pub(crate) fn wait<F: Future>(
    future: F,
    timeout: Option<Duration>,
    is_inherited: impl Fn() -> bool,
) -> Result<F::Output, Unready> {
    with_parker(|parker| wait_with(parker, future, timeout, is_inherited, Signals::Return))
}

/// Error of [`block_on_timeout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BlockOnError {
    /// The timeout expired, and the future was dropped.
    #[error("the future was not ready within the time-out of {0:?}")]
    TimedOut(Duration),
    /// A signal handler without `SA_RESTART` ran in this thread (`EINTR`), and the future was dropped.
    #[error("a signal interrupted the wait for the future; call again to continue")]
    Interrupted,
}

/// Blocks the current thread until `future` is ready, but at most for `timeout` (`None`: no limit), or until a
/// [signal](crate::Socket#signals) interrupts the thread. For calls of a [`Handle`](sansmq_runtime::Handle) that blocking sockets do
/// not have, and to wait for several conditions at once. The event loop of the sockets must run in another thread.
///
/// ```
/// use sansmq::mio::{PullSocket, block_on_timeout};
/// use std::time::Duration;
///
/// let pull = PullSocket::new();
/// let handle = pull.handle();
/// assert!(block_on_timeout(handle.readable(), Duration::from_millis(10)).is_err());
/// ```
///
/// # Errors
/// [`BlockOnError`].
pub fn block_on_timeout<F: Future>(future: F, timeout: impl Into<Option<Duration>>) -> Result<F::Output, BlockOnError> {
    wait(future, timeout.into(), || false).map_err(|unready| match unready {
        Unready::TimedOut(after) => BlockOnError::TimedOut(after),
        Unready::Interrupted | Unready::Inherited => BlockOnError::Interrupted,
    })
}

/// Blocks the current thread until `future` is ready, and returns the output of the future. Signals do not end the wait. The
/// caller must have checked that the socket is not inherited.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let waited = with_parker(|parker| wait_with(parker, future, None, || false, Signals::Ignore));
    waited.expect("without a timeout, the wait returns the output")
}

/// Blocks until `future` is ready, but at most for `timeout`. Also works while the local variables of the thread are being
/// dropped.
pub(crate) fn wait_at_exit(future: impl Future<Output = ()>, timeout: Option<Duration>) {
    // The guard waits for no inherited sockets.
    let _ = with_parker(|parker| wait_with(parker, future, timeout, || false, Signals::Ignore));
}

/// Calls `work` with the parker of the current thread. While the local variables of the thread are being dropped, and in functions
/// that run at the exit of the process, with a new one.
fn with_parker<R>(work: impl FnOnce(&Parker) -> R) -> R {
    thread_local! {
        static PARKER: Rc<Parker> = Rc::new(Parker::new());
    }
    let parker = PARKER.try_with(Rc::clone).unwrap_or_else(|_| Rc::new(Parker::new()));
    work(&parker)
}

/// Effect of a signal on a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signals {
    Return,
    Ignore,
}

fn wait_with<F: Future>(
    parker: &Parker,
    future: F,
    timeout: Option<Duration>,
    is_inherited: impl Fn() -> bool,
    signals: Signals,
) -> Result<F::Output, Unready> {
    let deadline = timeout.and_then(|timeout| Some((timeout, Instant::now().checked_add(timeout)?)));
    let mut future = pin!(future);
    let mut cx = Context::from_waker(parker.waker());
    let mut unparked = Unparked::Woken;
    loop {
        // Also after a signal: a result that is ready is returned rather than the error.
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return Ok(output);
        }
        if unparked == Unparked::Interrupted && signals == Signals::Return {
            return Err(Unready::Interrupted);
        }
        // Only before the thread blocks: the check is a system call.
        if is_inherited() {
            return Err(Unready::Inherited);
        }
        unparked = match deadline {
            None => parker.park(None),
            Some((timeout, deadline)) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(Unready::TimedOut(timeout));
                }
                parker.park(Some(left))
            }
        };
    }
}

#[cfg(all(test, not(sansmq_loom)))]
mod tests {
    use super::*;
    use core::future::{pending, ready};

    #[test]
    fn block_on_timeout_returns_the_output_or_the_timeout() {
        let short = Duration::from_millis(1);
        assert_eq!(block_on_timeout(ready(7), None), Ok(7));
        assert_eq!(block_on_timeout(ready(7), Duration::ZERO), Ok(7), "a future that is ready is never timed out");
        assert_eq!(block_on_timeout(pending::<()>(), short), Err(BlockOnError::TimedOut(short)));
    }

    // C code may call the library in a function of `atexit`.
    #[test]
    fn wait_works_after_the_local_variables_of_the_thread_are_dropped() {
        struct AtExit(std::sync::mpsc::Sender<Result<u8, BlockOnError>>);
        impl Drop for AtExit {
            fn drop(&mut self) {
                let _ = self.0.send(block_on_timeout(ready(7), None));
            }
        }
        thread_local! {
            static AT_EXIT: core::cell::RefCell<Option<AtExit>> = const { core::cell::RefCell::new(None) };
        }
        let (sender, receiver) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            // Registered first, and so dropped after the parker.
            AT_EXIT.set(Some(AtExit(sender)));
            block_on_timeout(ready(0), None).unwrap();
        });
        thread.join().unwrap();
        assert_eq!(receiver.recv(), Ok(Ok(7)));
    }
}
