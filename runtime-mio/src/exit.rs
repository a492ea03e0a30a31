//! [`ExitWait`] and [`close_context`]: keep a program from ending before its blocking sockets have sent their messages.

use crate::park::{block_on, wait_at_exit};
use crate::reactor::Remote;
use core::time::Duration;
use sansmq_proto::kind::Kind;
use sansmq_runtime::{Context, ContextClosed, ExitGuard, Handle};
use std::thread;

/// Guard that all clones of a blocking socket share. The drop of the guard waits for the blocking sockets of the
/// context that are still closing, unless another blocking socket of the context is open.
#[derive(Debug)]
pub(crate) struct ExitWait {
    guard: ExitGuard,
    remote: Remote,
}

/// Time after the end of all linger periods at which the wait is given up, because the event loop does not run.
const GRACE: Duration = Duration::from_secs(2);

impl ExitWait {
    pub(crate) fn new<T: Kind>(handle: &Handle<T>, remote: &Remote) -> Self {
        Self { guard: handle.exit_guard(), remote: remote.clone() }
    }
}

impl Drop for ExitWait {
    fn drop(&mut self) {
        // The thread of the event loop would wait for its own work.
        if thread::panicking() || self.remote.is_current_thread() {
            return;
        }
        if let Some((closed, longest)) = self.guard.unfinished() {
            wait_at_exit(closed, longest.map(|longest| longest.saturating_add(GRACE)));
        }
    }
}

/// Closes all sockets of a context, and blocks until they are closed and their addresses are free (`zmq_ctx_term`). Queued
/// messages are sent for as long as the option `linger` of their socket allows, and for at most `limit` in all. Returns the
/// number of unsent messages of each socket. Signals do not interrupt the call, so its limit counts. Threads that wait on
/// the [events](crate::Events) of a socket receive [`Closed`](sansmq_proto::Event::Closed) as the last event. See
/// [`Context::close`].
///
/// Needed only to end the sockets while others use them, or to learn what was not sent: the drop of the last blocking socket
/// of a context waits too. The event loops of the sockets must run in other threads, and not in a parent process
/// ([fork](crate::Socket#fork)).
///
/// ```
/// use sansmq::mio::{PushSocket, close_context};
/// use sansmq::{Context, Options};
/// use std::time::Duration;
///
/// let context = Context::new(); // or `Context::global()`
/// let push = PushSocket::in_context(&context, Options::new());
/// push.connect("tcp://127.0.0.1:1")?; // no peer is there
/// push.send("lost")?;
/// let closed = close_context(&context, Duration::from_millis(10));
/// assert_eq!(closed.sockets[0].unsent, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias("zmq_ctx_term", "zmq_term", "zmq_ctx_destroy", "term"))]
pub fn close_context(context: &Context, limit: Duration) -> ContextClosed {
    block_on(context.close(limit))
}
