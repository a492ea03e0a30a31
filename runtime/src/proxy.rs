//! [`Proxy`]: forwards messages between two sockets. Independent of the wire format, the runtime and the socket types.

use crate::control::Control;
use crate::handle::Handle;
use crate::proxy_control::{ProxyControl, ProxyState, ProxyStatistics};
use crate::proxy_direction::{End, Moving, ProxyDirection};
use crate::state::{Shared, State};
use crate::waiters::WaiterKey;
use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll};
use core::time::Duration;
use sansmq_proto::kind::{Kind, Receives, Sends};
use sansmq_proto::{ConnectionError, Message, SocketType};
use std::sync::Arc;
use thiserror::Error;

/// Forwards messages between two sockets, in both directions (`zmq_proxy`, `zmq_proxy_steerable`).
///
/// - ROUTER and DEALER form a queue: requests of many clients are distributed to many workers, and each reply returns
///   to its client.
/// - XSUB and XPUB form a forwarder: publications are forwarded in one direction, and subscriptions, which an XPUB
///   receives as messages, in the other.
/// - PULL and PUSH form a streamer.
/// - Any other two sockets work if one of them receives and the other sends, even on different runtimes. If the same
///   socket is given twice, the proxy sends every message back. Messages are forwarded unchanged, with all frames.
///
/// Each direction has a source, the socket that receives, and a sink, the socket that sends. The two directions take
/// turns, and the proxy yields to other tasks after each burst of messages. While the sink of a direction is full, the
/// proxy receives nothing from its source, so the high-water marks of both sockets slow the senders down.
///
/// For some sinks (SERVER, PEER, and ROUTER with `mandatory`), room depends on the peer to which a message is
/// addressed. So the proxy can only detect after receiving a message that the sink has no room for it. Then the proxy
/// holds the message, and its direction waits until there is room.
///
/// A message that the sink can never send, because its peer does not exist or its form is wrong, is dropped and
/// [counted](ProxyStatistics::dropped). A message that the sink accepts and then drops, for example because a ROUTER
/// without `mandatory` has no such peer, is reported to the monitor of the sink.
///
/// ```
/// use sansmq::{Handle, Proxy, ProxyError, ProxyStatistics, kind};
///
/// async fn queue(clients: &Handle<kind::Router>, workers: &Handle<kind::Dealer>) -> Result<ProxyStatistics, ProxyError> {
///     Proxy::new(clients, workers).run().await
/// }
/// ```
#[doc(alias("zmq_proxy", "zmq_device", "zproxy", "ZMQ_QUEUE", "QUEUE", "ZMQ_FORWARDER", "FORWARDER"))]
#[doc(alias("ZMQ_STREAMER", "STREAMER"))]
pub struct Proxy {
    frontend: Handle,
    backend: Handle,
    capture: Option<Handle>,
    control: Option<Handle>,
    control_handle: ProxyControl,
    lanes: Vec<ProxyDirection>,
}

/// Error that [`Proxy::run`] returns.
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// The proxy can forward messages in neither direction, because a direction needs one socket that receives and
    /// another that sends. The fields are the types of the two sockets.
    #[error("a proxy cannot forward between a {0} and a {1} socket: one socket must receive and the other must send")]
    NoDirection(SocketType, SocketType),
    /// The peer that received the request of a REQ socket has disconnected, so there will be no reply
    /// ([`RecvError::PeerLost`](sansmq_proto::RecvError::PeerLost)). The proxy can be run again. If the other socket of the proxy is a REP, the
    /// application must first send a reply with the REP. To avoid this error, use a DEALER instead of the REQ. Carries
    /// the reason why the connection ended.
    #[error(
        "the peer that received the request of the proxy's REQ socket has disconnected ({0}); use a DEALER, or reply to the \
         request and run the proxy again"
    )]
    PeerLost(Arc<ConnectionError>),
    /// The current process is a forked child of the process that created a socket of the proxy. Returned only by blocking
    /// calls.
    #[error("{}", sansmq_proto::RecvError::Forked)]
    Forked,
    /// The time-out of a blocking run expired. No message is lost. Run the proxy again to continue.
    #[error("the proxy has run for the time-out of {after:?}; run it again to continue")]
    TimedOut {
        /// Time-out of the call.
        after: Duration,
    },
    /// A signal interrupted a blocking call; see [`RecvError::Interrupted`](sansmq_proto::RecvError::Interrupted). Run the proxy again to continue.
    #[error("{}", sansmq_proto::RecvError::Interrupted)]
    Interrupted,
}

// A `main` that returns the error prints the `Debug` text, so it includes the advice.
impl fmt::Debug for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProxyError: {self}")
    }
}

impl Proxy {
    /// Creates a proxy between two sockets. The proxy keeps the sockets open, and forwards nothing until
    /// [`run`](Self::run).
    ///
    /// The two sockets are treated alike; "frontend" and "backend" are only names for them in the statistics.
    pub fn new<F: Kind, B: Kind>(frontend: &impl AsRef<Handle<F>>, backend: &impl AsRef<Handle<B>>) -> Self {
        let (frontend, backend) = (frontend.as_ref().erase(), backend.as_ref().erase());
        let mut lanes = Vec::from_iter(ProxyDirection::between(&frontend, &backend, End::Frontend));
        if !Arc::ptr_eq(frontend.shared(), backend.shared()) {
            lanes.extend(ProxyDirection::between(&backend, &frontend, End::Backend));
        }
        Self { frontend, backend, capture: None, control: None, control_handle: ProxyControl::new(), lanes }
    }

    /// Adds a capture socket, to which the proxy sends a copy of every message of both directions. The capture socket
    /// is usually a PUB, PUSH, PAIR or DEALER.
    ///
    /// The capture socket never blocks the proxy: a copy for which there is no room is dropped and
    /// [counted](ProxyStatistics::missed). (The manual of libzmq does not specify this. There a PUB drops the copy, and
    /// other sockets block the proxy while they have no peer.)
    #[must_use]
    pub fn capture<T: Sends>(mut self, socket: &impl AsRef<Handle<T>>) -> Self {
        self.capture = Some(socket.as_ref().erase());
        self
    }

    /// Adds a control socket. The proxy executes the commands that this socket receives. Usually the control socket is
    /// a REP or a PAIR. It can also be a PULL or SUB, which cannot reply.
    ///
    /// There are four commands (`zmq_proxy_steerable`), each a message of one frame. `PAUSE`, `RESUME` and `TERMINATE`
    /// do the same as the methods of [`ProxyControl`]. `STATISTICS` requests the statistics. A message that is not one
    /// of these commands has no effect on the proxy.
    ///
    /// The reply to `STATISTICS` has eight frames, each with a 64-bit number in native byte order, in this order:
    ///
    /// 1. Number of messages that the proxy received from the frontend.
    /// 2. Number of bytes in the frames of these messages.
    /// 3. Number of messages that the proxy sent with the frontend.
    /// 4. Number of bytes in the frames of these messages.
    ///
    /// Frames 5 to 8 are the same four numbers for the backend. The frontend and the backend are the first and the
    /// second argument of [`new`](Self::new). The numbers are totals of all runs.
    ///
    /// A REP must reply to each message that it receives. To a message other than `STATISTICS`, whether it is a command
    /// or not, the REP replies with an empty message. Control sockets of other types reply to `STATISTICS` only. A
    /// reply is dropped if the control socket has no room for it.
    ///
    /// Commands are executed while the proxy runs, paused or not. If the control socket is closed, the proxy continues.
    #[doc(alias("zmq_proxy_steerable", "proxy_steerable"))]
    #[must_use]
    pub fn control<T: Receives>(mut self, socket: &impl AsRef<Handle<T>>) -> Self {
        self.control = Some(socket.as_ref().erase());
        self
    }

    /// Returns true if the current process is a forked child, and the tasks of a socket of this proxy run in its parent;
    /// see [`Handle::is_inherited`].
    pub fn is_inherited(&self) -> bool {
        self.frontend.is_inherited() || self.backend.is_inherited()
    }

    /// Returns the remote control of this proxy, which pauses, resumes and terminates the proxy from any task or
    /// thread.
    pub fn control_handle(&self) -> ProxyControl {
        self.control_handle.clone()
    }

    /// Forwards messages until the proxy is [terminated](ProxyControl::terminate) or one of the two sockets is closed.
    /// Returns the statistics of all runs.
    ///
    /// Cancel-safe: when the future is dropped, no message is lost. Messages that the proxy has received from one
    /// socket, but could not send with the other one for lack of room, stay in this `Proxy`. This is possible for
    /// example if the other socket is a SERVER, a PEER, or a ROUTER with `mandatory`, or if another task sends with it too. The
    /// next run sends the messages, or [`take_held`](Self::take_held) returns them. So keep the `Proxy`: dropping it also drops
    /// these messages.
    ///
    /// # Errors
    /// [`ProxyError::NoDirection`] if the proxy can forward messages in neither direction. [`ProxyError::PeerLost`] if
    /// the peer that received the request of a REQ has disconnected. Any other error of a receive or a send is not
    /// returned, and does not end the run. A message that the other socket can never send is dropped.
    pub async fn run(&mut self) -> Result<ProxyStatistics, ProxyError> {
        if self.lanes.is_empty() {
            let [front, back] =
                [&self.frontend, &self.backend].map(|end| end.shared().with(|s| s.socket.socket_type()));
            return Err(ProxyError::NoDirection(front, back));
        }
        let mut run = Run {
            ends: [&self.frontend, &self.backend]
                .map(|end| WaiterKey::new(end.shared(), |state| &mut state.watchers).without_budget()),
            control: self.control.as_ref().map(Control::new),
            capture: self.capture.as_ref(),
            control_handle: &self.control_handle,
            lanes: self.lanes.iter_mut().map(Moving::new).collect(),
        };
        poll_fn(|cx| run.turn(cx)).await
    }

    /// Removes and returns the messages that the proxy held when the last run ended: they were received but not sent.
    /// At most 100 messages for each direction; usually none, and at most one if only the proxy sends with its sockets.
    pub fn take_held(&mut self) -> Vec<Message> {
        self.lanes.iter_mut().flat_map(|lane| core::mem::take(&mut lane.held)).collect()
    }
}

/// State of the future that [`Proxy::run`] returns. The waker of this future is registered with the proxy's sockets,
/// which wake the future when they receive a message, have room to send, or are closed.
struct Run<'a> {
    /// Registrations of the waker with the frontend and the backend, which wake the future when one of these sockets is
    /// closed.
    ends: [WaiterKey<&'a Arc<Shared>>; 2],
    control: Option<Control<'a>>,
    capture: Option<&'a Handle>,
    control_handle: &'a ProxyControl,
    lanes: Vec<Moving<'a>>,
}

impl Run<'_> {
    /// Executes commands of the control socket and, unless the proxy is paused, forwards messages. The number of
    /// commands and of messages per call is limited, so that other tasks can run in between. Returns `Ready` when the
    /// run ends.
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<Result<ProxyStatistics, ProxyError>> {
        let control_handle = self.control_handle;
        let mut again = self.control.as_mut().is_some_and(|control| control.execute(cx, control_handle).is_ready());
        let (mode, mut statistics) = control_handle.poll_state(cx.waker());
        let is_closing = |state: &mut State| if state.socket.is_closing() { Poll::Ready(()) } else { Poll::Pending };
        let closed = self.ends.iter_mut().any(|end| end.wait(cx, is_closing).is_ready());
        let mut outcome = Ok(());
        match mode {
            ProxyState::Terminated => return Poll::Ready(Ok(statistics)),
            ProxyState::Running | ProxyState::Paused if closed => return Poll::Ready(Ok(statistics)),
            ProxyState::Paused => {}
            ProxyState::Running => {
                for lane in &mut self.lanes {
                    match lane.burst(cx, self.capture, &mut statistics) {
                        Poll::Ready(Ok(())) => again = true,
                        Poll::Ready(Err(error)) => outcome = Err(error),
                        Poll::Pending => {}
                    }
                }
                control_handle.record(statistics);
            }
        }
        if let Err(error) = outcome {
            return Poll::Ready(Err(error));
        }
        if again {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Proxy").field(&self.frontend).field(&self.backend).finish()
    }
}

#[cfg(test)]
mod tests;
