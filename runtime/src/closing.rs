//! Closing a socket, all sockets of a context, and waiting for blocking sockets that close in the background.

use crate::context::Context;
use crate::handle::Handle;
use crate::state::{Shared, State};
use crate::waiters::WaiterKey;
use core::fmt;
use core::future::{Future, poll_fn};
use core::task::Poll;
use core::time::Duration;
use sansmq_proto::kind::Kind;
use sansmq_proto::{Endpoint, SocketType};
use std::sync::Arc;

/// Outcome of [`Handle::close`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Closed {
    /// Number of queued messages that the closing socket could not send and has dropped, for example because `linger`
    /// expired first.
    pub unsent: usize,
}

/// Outcome of [`Context::close`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContextClosed {
    /// Outcome of each socket that was open, or was closing in the background, when [`Context::close`] was called.
    pub sockets: Vec<SocketClosed>,
}

/// Outcome of one socket in [`ContextClosed`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketClosed {
    /// Type of the socket.
    pub socket_type: SocketType,
    /// Endpoints to which the socket was bound or connected when [`Context::close`] was called.
    pub endpoints: Vec<Endpoint>,
    /// Number of queued messages that the socket could not send and has dropped since it began to close.
    pub unsent: usize,
}

impl ContextClosed {
    /// Returns the number of unsent messages of all sockets together.
    pub fn unsent(&self) -> usize {
        self.sockets.iter().map(|socket| socket.unsent).sum()
    }
}

impl fmt::Display for SocketClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.socket_type)?;
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            write!(f, "{}{endpoint}", if index == 0 { " at " } else { ", " })?;
        }
        let words = if self.unsent == 1 { "message was" } else { "messages were" };
        write!(f, ": {} {words} not sent", self.unsent)
    }
}

impl Context {
    /// Ends all sockets of this context in an orderly way, and returns the number of unsent messages of each socket. An
    /// async program calls this method before the end of its runtime:
    ///
    /// ```
    /// use sansmq::Context;
    /// use std::time::Duration;
    ///
    /// # async fn end() {
    /// Context::global().close(Duration::from_secs(10)).await;
    /// # }
    /// ```
    ///
    /// Each socket ends in this order:
    ///
    /// 1. It closes its listeners, and stops connecting to peers for which no message is queued.
    /// 2. Calls that send or receive return an error, except one: if the application of a REP has received a request and
    ///    has not replied, it can still send this reply.
    /// 3. The queued messages are sent, for as long as the option [`linger`](sansmq_proto::Options::linger) of the
    ///    socket allows, and for at most `limit` in all. Peers that are not connected yet are still dialled for this.
    /// 4. The connections are closed. Messages that are left are dropped, and counted in the result.
    /// 5. Monitors emit the events of this end, [`Event::Closed`](sansmq_proto::Event::Closed) as the last. A task that waits on a
    ///    [`Monitor`](crate::Monitor) receives them, and then `None`; `close` does not wait for such tasks.
    ///
    /// Includes sockets that were dropped before and are closing in the background. When the future is ready, all
    /// addresses of the sockets are free. The runtimes of the sockets must run until then. The context, also the
    /// [global](Self::global) one, can then be used for new sockets; sockets that are created during this call stay
    /// open.
    ///
    /// Takes effect when it is called, even if the returned future is not polled.
    #[doc(alias("zmq_ctx_term", "zmq_term", "zmq_ctx_destroy", "zmq_ctx_shutdown", "term", "destroy"))]
    #[doc(alias("ZMQ_BLOCKY", "BLOCKY"))]
    pub fn close(&self, limit: Duration) -> impl Future<Output = ContextClosed> + Send + use<> {
        let mut closing = Vec::new();
        for shared in self.sockets() {
            let now = shared.now();
            let begun = shared.with(|state| {
                let socket = &mut state.socket;
                let (is_closed, endpoints) = (socket.is_closed(), socket.endpoints());
                socket.shut_down(limit, now);
                (!is_closed).then(|| SocketClosed { socket_type: socket.socket_type(), endpoints, unsent: 0 })
            });
            closing.extend(begun.map(|report| (shared, report)));
        }
        async move {
            let mut sockets = Vec::new();
            for (shared, report) in closing {
                let Closed { unsent } = shared.closed().await;
                sockets.push(SocketClosed { unsent, ..report });
            }
            ContextClosed { sockets }
        }
    }
}

impl Shared {
    /// Waits until the socket is closed and its addresses are free.
    pub(crate) async fn closed(self: &Arc<Self>) -> Closed {
        let mut key = WaiterKey::new(self, |state| &mut state.watchers);
        poll_fn(|cx| {
            key.wait(cx, |state| {
                // An address is free only after the task of its listener has ended.
                if state.is_over() && (state.orphaned || state.listeners.is_empty()) {
                    Poll::Ready(Closed { unsent: state.socket.unsent() })
                } else {
                    Poll::Pending
                }
            })
        })
        .await
    }
}

impl<T: Kind> Handle<T> {
    /// Closes the socket without waiting for its tasks, and drops its queued messages. For a forked child, in which the
    /// tasks of the socket do not run; see [`is_inherited`](Self::is_inherited).
    pub fn abandon(&self) -> Closed {
        self.shared().with_time(|socket, now| socket.close_within(Duration::ZERO, now));
        self.shared().with(|state| Closed { unsent: state.socket.unsent() })
    }
}

/// Registration of a blocking socket in its context, which keeps a program from ending before its messages are sent.
/// See [`Handle::exit_guard`].
pub struct ExitGuard(Arc<Shared>);

impl<T: Kind> Handle<T> {
    /// Registers this socket as a blocking socket, for an adapter with blocking calls. The guard does not keep the socket
    /// open.
    pub fn exit_guard(&self) -> ExitGuard {
        let shared = self.shared();
        shared.context.set_blocking(shared);
        ExitGuard(Arc::clone(shared))
    }
}

impl ExitGuard {
    /// Returns a future that waits until all blocking sockets of the context are closed, and the time that the longest
    /// of them may still linger (`None`: no limit). Returns `None` if no such wait is due: because a blocking socket of
    /// the context is still open, or because all are closed. In a forked child, the sockets of its parent are not
    /// counted.
    ///
    /// Must be called after the last handle of the socket was dropped.
    pub fn unfinished(&self) -> Option<(impl Future<Output = ()> + use<>, Option<Duration>)> {
        let mut closing = Vec::new();
        let mut longest = Some(Duration::ZERO);
        for shared in self.0.context.blocking_sockets() {
            if shared.is_inherited() {
                continue;
            }
            let now = shared.now();
            let state = shared.with(|state: &mut State| {
                if state.is_over() {
                    return Progress::Closed;
                }
                let until = state.socket.close_deadline();
                if state.socket.is_closing() { Progress::Closing(until) } else { Progress::Open }
            });
            match state {
                Progress::Closed => {}
                Progress::Open => return None,
                Progress::Closing(until) => {
                    longest = longest.zip(until).map(|(longest, until)| longest.max(until.since(now)));
                    closing.push(shared);
                }
            }
        }
        if closing.is_empty() {
            return None;
        }
        let all_closed = async move {
            for shared in closing {
                shared.closed().await;
            }
        };
        Some((all_closed, longest))
    }
}

/// Progress of the end of a socket.
enum Progress {
    Open,
    /// The socket is closing. Carries the time at which its linger periods have ended; `None` if they have no end.
    Closing(Option<sansmq_proto::Instant>),
    Closed,
}

impl fmt::Debug for ExitGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ExitGuard").field(&self.0).finish()
    }
}
