//! Errors of the operations of a socket: one enum per operation.

use crate::address::{Endpoint, NetworkError, OutOfRange, ParseEndpointError};
use crate::connection::ConnectionError;
use crate::kind::Trait;
use crate::message::{Frame, Message};
use crate::security::SecurityError;
use crate::socket::event::RejectReason;
use crate::socket::failing::FailingDials;
use crate::socket_type::{SocketType, list};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use thiserror::Error;

/// Text of the errors of a socket in a forked child.
const FORKED: &str = "the socket was created before a fork, and the thread that does its IO does not exist in this process; \
     create sockets after the fork";

/// Text of the errors of a blocking call that a signal interrupted.
const INTERRUPTED: &str = "a signal interrupted the call; handle the signal, and call again";

/// Text of the errors of a closed socket.
const CLOSED: &str = "the socket is closed; create a new socket to continue";

/// Error of `send`. Each variant carries the message that was not sent.
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// No peer that could receive the message has room now: no such peer is connected, or the outgoing queues of these
    /// peers have reached the high-water mark. An asynchronous `send` waits instead. Carries the message that was not
    /// sent.
    #[doc(alias("EAGAIN", "Again"))]
    #[error("no peer has room: no peer is connected, or `send_hwm` is reached; wait, or raise `send_hwm`")]
    Full(Message),
    /// The routing id in the first frame belongs to no peer. Returned by a STREAM, SERVER, PEER, or a ROUTER with
    /// `mandatory`. Carries the message that was not sent.
    #[doc(alias = "EHOSTUNREACH")]
    #[error(
        "no connected peer has the routing id in the first frame; use the first frame of a message from the peer, and send \
         after the peer has connected"
    )]
    Unroutable(Message),
    /// A message of a ROUTER, SERVER or PEER has only one frame: a routing id without a body. Carries the message that
    /// was not sent.
    #[error(
        "a ROUTER sends [routing id, frames…], a SERVER or PEER [routing id, body]; this message has only one frame"
    )]
    Unaddressed(Message),
    /// A message of a RADIO does not consist of a group name of at most 255 bytes and a body. Carries the message that
    /// was not sent.
    #[error("a RADIO sends [group, body], the group with at most 255 bytes")]
    NotGrouped(Message),
    /// A message of a CLIENT, SERVER, SCATTER, CHANNEL or PEER has more than one body frame. Carries the message that
    /// was not sent.
    #[error(
        "a CLIENT, SCATTER or CHANNEL sends one frame, a SERVER or PEER [routing id, body]; this message has {} frames (join \
         them, or use another socket type at both ends)", .0.len()
    )]
    SingleFrame(Message),
    /// A message of a STREAM does not have exactly two frames. Carries the message that was not sent.
    #[error("a STREAM sends [routing id, bytes]; this message has {n} frames", n = .0.len())]
    FrameCount(Message),
    /// The message is larger than `max_send_size` of this socket, or than `max_message_size` of a peer over `inproc`. Over
    /// other transports the limit of a peer is not known. Carries the message that was not sent.
    #[doc(alias = "EMSGSIZE")]
    #[error(
        "the message has {n} bytes in all its frames, which is more than `max_send_size` of this socket allows, or \
         `max_message_size` of a peer over inproc", n = .0.size()
    )]
    TooLarge(Message),
    /// A REQ has not yet received the reply to its last request, or a REP has no request to reply to. Carries the
    /// message that was not sent.
    #[doc(alias = "EFSM")]
    #[error(
        "out of turn: a REQ sends once and then receives the reply (set `relaxed`, or use a DEALER, to send several \
         requests); a REP receives a request before it replies (use a ROUTER to answer in any order)"
    )]
    OutOfTurn(Message),
    /// Sockets of this type cannot send, only receive. Carries the message that was not sent, and the type of the
    /// socket.
    #[doc(alias = "ENOTSUP")]
    #[error("a {1} socket only receives; to send too, use another socket type at both ends")]
    Unsupported(Message, SocketType),
    /// The socket was closed before the call of `send`. Carries the message that was not sent.
    #[doc(alias("ETERM", "ContextTerminated"))]
    #[error("{CLOSED}")]
    Closed(Message),
    /// The runtime cannot run the socket, see [`Socket::runtime_failed`](crate::Socket::runtime_failed). Carries the message
    /// that was not sent, and the error.
    #[error("the socket does not work: {1}")]
    Runtime(Message, #[source] NetworkError),
    /// The time-out of a blocking `send` expired before any peer had room.
    #[doc(alias("EAGAIN", "Again"))]
    #[error("no peer had room within the time-out of {after:?}; {failing}")]
    TimedOut {
        /// The message that was not sent.
        message: Message,
        /// Time-out of the call.
        after: Duration,
        /// Dials that are failing, each with the reason.
        failing: FailingDials,
    },
    /// No peer is connected, and every dial is failing; returned only with the option `fail_unreachable`, and after
    /// [`NetworkError::NoIoDriver`]. Carries the message that was not sent, and the reason of each failure.
    #[error("no peer can be reached; the socket continues to dial: {1}")]
    Unreachable(Message, FailingDials),
    /// The current process is a forked child of the process that created the socket; see [`RecvError::Forked`]. Returned
    /// only by blocking calls. Carries the message that was not sent.
    #[error("{FORKED}")]
    Forked(Message),
    /// A signal interrupted a blocking `send`; see [`RecvError::Interrupted`]. Carries the message that was not sent.
    #[doc(alias = "EINTR")]
    #[error("{INTERRUPTED}")]
    Interrupted(Message),
}

impl SendError {
    /// Returns the message that was not sent, which every variant carries.
    pub fn into_message(self) -> Message {
        match self {
            Self::Full(message)
            | Self::Unroutable(message)
            | Self::Unaddressed(message)
            | Self::NotGrouped(message)
            | Self::SingleFrame(message)
            | Self::FrameCount(message)
            | Self::TooLarge(message)
            | Self::OutOfTurn(message)
            | Self::Unsupported(message, _)
            | Self::Closed(message)
            | Self::Runtime(message, _)
            | Self::TimedOut { message, .. }
            | Self::Unreachable(message, _)
            | Self::Forked(message)
            | Self::Interrupted(message) => message,
        }
    }
}

/// Reason why a message was not sent, without the message. [`Socket::offer`](crate::Socket::offer) returns this form of
/// [`SendError`], because moving the message into and out of an error costs as much time as queueing the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsent {
    /// No peer has room now; see [`SendError::Full`].
    Full,
    /// No peer has the routing id in the first frame; see [`SendError::Unroutable`].
    Unroutable,
    /// The message consists of a routing id without a body; see [`SendError::Unaddressed`].
    Unaddressed,
    /// The message of a RADIO does not consist of a group and a body; see [`SendError::NotGrouped`].
    NotGrouped,
    /// The message has several body frames, but the socket type sends only one; see [`SendError::SingleFrame`].
    SingleFrame,
    /// The message of a STREAM does not have two frames; see [`SendError::FrameCount`].
    FrameCount,
    /// The message is larger than a limit in bytes; see [`SendError::TooLarge`].
    // Without the limit, so that a result with this type fits into registers.
    TooLarge,
    /// A REQ or REP must receive before it sends; see [`SendError::OutOfTurn`].
    OutOfTurn,
    /// Sockets of this type cannot send, only receive. The value is the type of the socket; see
    /// [`SendError::Unsupported`].
    Unsupported(SocketType),
    /// The socket is closed, or does not work; see [`SendError::Closed`] and [`SendError::Runtime`].
    Closed,
    /// Every dial is failing; see [`SendError::Unreachable`].
    Unreachable,
}

impl Unsent {
    /// Returns the [`SendError`] of this reason, with `message` in it. The error of
    /// [`Unreachable`](Self::Unreachable) has no list of failing dials; [`Socket::send_error`](crate::Socket::send_error)
    /// adds the list.
    #[cold]
    pub fn into_error(self, message: Message) -> SendError {
        match self {
            Self::Full => SendError::Full(message),
            Self::Unroutable => SendError::Unroutable(message),
            Self::Unaddressed => SendError::Unaddressed(message),
            Self::NotGrouped => SendError::NotGrouped(message),
            Self::SingleFrame => SendError::SingleFrame(message),
            Self::FrameCount => SendError::FrameCount(message),
            Self::TooLarge => SendError::TooLarge(message),
            Self::OutOfTurn => SendError::OutOfTurn(message),
            Self::Unsupported(socket_type) => SendError::Unsupported(message, socket_type),
            Self::Closed => SendError::Closed(message),
            Self::Unreachable => SendError::Unreachable(message, FailingDials::default()),
        }
    }
}

// A `main` that returns the error prints the `Debug` text, so it includes the advice. It omits the message, because the
// content may be secret and long.
impl fmt::Debug for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Full(_) => "Full",
            Self::Unroutable(_) => "Unroutable",
            Self::Unaddressed(_) => "Unaddressed",
            Self::NotGrouped(_) => "NotGrouped",
            Self::SingleFrame(_) => "SingleFrame",
            Self::FrameCount(_) => "FrameCount",
            Self::TooLarge(_) => "TooLarge",
            Self::OutOfTurn(_) => "OutOfTurn",
            Self::Unsupported(..) => "Unsupported",
            Self::Closed(_) => "Closed",
            Self::Runtime(..) => "Runtime",
            Self::TimedOut { .. } => "TimedOut",
            Self::Unreachable(..) => "Unreachable",
            Self::Forked(_) => "Forked",
            Self::Interrupted(_) => "Interrupted",
        };
        write!(f, "{name}: {self}")
    }
}

/// Error of `recv`.
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecvError {
    /// No message has arrived. An asynchronous `recv` waits instead.
    #[doc(alias("EAGAIN", "Again"))]
    #[error("no message has arrived; `recv` waits for one")]
    Empty,
    /// A REQ has not sent a request, or a REP has not replied to the last request.
    #[doc(alias = "EFSM")]
    #[error(
        "out of turn: a REQ sends a request before it receives (use a DEALER to receive at any time); a REP replies \
         before it receives the next request (use a ROUTER to handle several requests)"
    )]
    OutOfTurn,
    /// No reply to the request of a REQ can arrive: the connection to its peer ended after the request was sent, or the
    /// socket has stopped dialling the peer before it could send the request. The next `send` is allowed at once.
    #[error("{}{}", if *.sent {
        "the peer that received the request disconnected; send the request again if it may be processed twice; reason: "
    } else {
        "the request was not sent, and the socket does not dial its peer again: "
    }, .cause)]
    PeerLost {
        /// True if the request was sent, or may have been sent.
        sent: bool,
        /// Reason why the connection to the peer, or the last dial, ended.
        #[source]
        cause: Arc<ConnectionError>,
    },
    /// Sockets of this type cannot receive, only send. The value is the type of the socket.
    #[doc(alias = "ENOTSUP")]
    #[error("a {0} socket only sends; to receive too, use another socket type at both ends")]
    Unsupported(SocketType),
    /// The socket is closed.
    #[doc(alias("ETERM", "ContextTerminated"))]
    #[error("{CLOSED}")]
    Closed,
    /// The runtime cannot run the socket, see [`Socket::runtime_failed`](crate::Socket::runtime_failed).
    #[error("the socket does not work: {0}")]
    Runtime(#[source] NetworkError),
    /// The time-out of a blocking `recv` expired before a message arrived.
    #[doc(alias("EAGAIN", "Again"))]
    #[error("no message arrived within the time-out of {after:?}; {failing}")]
    TimedOut {
        /// Time-out of the call.
        after: Duration,
        /// Dials that are failing, each with the reason.
        failing: FailingDials,
    },
    /// No message has arrived, no peer is connected, and every dial is failing; returned only with the option
    /// `fail_unreachable`, and after [`NetworkError::NoIoDriver`]. Carries the reason of each failure.
    #[error("no message has arrived and no peer can be reached; the socket continues to dial: {0}")]
    Unreachable(FailingDials),
    /// The current process is a forked child of the process that created the socket, and has no thread that does the IO of
    /// the socket. Returned only by blocking calls. (libzmq does not support this use either.)
    #[error("{FORKED}")]
    Forked,
    /// A signal interrupted a blocking call: a signal handler without `SA_RESTART` ran in its thread. No message is lost; the
    /// next call continues. Returned only by blocking calls on Linux and Android. (libzmq returns `EINTR` after every handler.)
    #[doc(alias = "EINTR")]
    #[error("{INTERRUPTED}")]
    Interrupted,
}

// A `main` that returns the error prints the `Debug` text, so it includes the advice.
impl fmt::Debug for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Empty => "Empty",
            Self::OutOfTurn => "OutOfTurn",
            Self::PeerLost { .. } => "PeerLost",
            Self::Unsupported(_) => "Unsupported",
            Self::Closed => "Closed",
            Self::Runtime(_) => "Runtime",
            Self::TimedOut { .. } => "TimedOut",
            Self::Unreachable(_) => "Unreachable",
            Self::Forked => "Forked",
            Self::Interrupted => "Interrupted",
        };
        write!(f, "{name}: {self}")
    }
}

/// Error of `subscribe` and `unsubscribe`.
#[derive(Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// This socket cannot subscribe: only a SUB, an XSUB, and an XPUB with `manual` can. The value is the type of the
    /// socket.
    #[error("a {0} socket does not subscribe; {types} do, XPUB for its peers with `manual`", types = Trait::Subscribes.types())]
    Unsupported(SocketType),
    /// `unsubscribe` was called for a prefix to which the socket has not subscribed. At an XPUB with `manual`: the peer
    /// that sent the last received subscription change has no subscription to the prefix.
    #[error("the socket has no such subscription; pass exactly a prefix that was given to `subscribe`")]
    NotSubscribed,
    /// `subscribe` or `unsubscribe` of an XPUB with `manual` applies to the peer that sent the last received
    /// subscription change. The application has not received a subscription change yet, or this peer has disconnected.
    #[error("no peer to subscribe: receive the request of a peer first; the peer may also have disconnected")]
    NoRequest,
    /// The socket is closed.
    #[error("{CLOSED}")]
    Closed,
    /// The runtime cannot run the socket, see [`Socket::runtime_failed`](crate::Socket::runtime_failed).
    #[error("the socket does not work: {0}")]
    Runtime(#[source] NetworkError),
}

/// Error of `join` and `leave`.
#[derive(Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The socket is not a DISH; no other type joins groups. The value is the type of the socket.
    #[error("a {0} socket does not join groups; {types} does", types = Trait::JoinsGroups.types())]
    Unsupported(SocketType),
    /// The socket has already joined this group.
    #[error("the group is already joined; one `join` is enough")]
    Joined,
    /// The socket has not joined this group.
    #[error("the group is not joined; pass exactly a name that was given to `join`")]
    NotJoined,
    /// The name of the group has more than 255 bytes (RFC 48). The value is its length in bytes.
    #[doc(alias("ZMQ_GROUP_MAX_LENGTH", "GROUP_MAX_LENGTH"))]
    #[error("the name of a group has at most 255 bytes, not {0}")]
    TooLong(usize),
    /// The socket is closed.
    #[error("{CLOSED}")]
    Closed,
    /// The runtime cannot run the socket, see [`Socket::runtime_failed`](crate::Socket::runtime_failed).
    #[error("the socket does not work: {0}")]
    Runtime(#[source] NetworkError),
}

/// Error of [`accepted_link`](crate::Socket::accepted_link) and [`attach`](crate::Socket::attach): the connection was not
/// added to the socket.
#[derive(Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// The listener of this socket is closed. At a port that several sockets share, another socket can be bound to the
    /// requested resource later.
    #[error("the listener is closed")]
    ListenerClosed,
    /// The connection that was given to `attach` cannot be assigned to a socket: its peer has not requested a resource
    /// yet, or the connection belongs to a socket already.
    #[error("the peer of the connection does not wait for a socket")]
    NotPending,
    /// A limit of the socket is reached. The socket has emitted [`Event::Rejected`](crate::Event::Rejected). The caller
    /// must close the connection, and must not call `accepted_link` or `attach` for this connection again, because each
    /// call would emit the event again.
    #[error("the connection was rejected: {0}")]
    Rejected(RejectReason),
}

/// Error of `connect`.
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The text that was given to `connect` cannot be parsed as an endpoint.
    #[error(transparent)]
    Endpoint(#[from] ParseEndpointError),
    /// The endpoint has the host `*` or the port 0. Such an endpoint can be bound, but not connected to.
    #[error("{0} is a wildcard, which can be bound but not connected to; name the host and the port")]
    Wildcard(Endpoint),
    /// The socket is a PAIR or CHANNEL and already has a peer. These types have only one peer.
    #[error("a PAIR or CHANNEL socket can have only one peer; disconnect the present peer first")]
    PairInUse,
    /// A peer already has the routing id that was given to `connect_as`.
    #[error("another peer of this socket already has that routing id; use another id, or disconnect that peer first")]
    RoutingIdTaken,
    /// Sockets of this type do not have the method, `connect_as` or `connect_peer`. Carries the method, the type of the
    /// socket, and the types that have the method.
    #[error("a {1} socket does not have `{0}`; it exists for {types}", types = list(.2))]
    Unsupported(&'static str, SocketType, Vec<SocketType>),
    /// The routing id that was given to `connect_as` does not have 1 to 255 bytes. The value is its length in bytes.
    #[error("a routing id has 1 to 255 bytes, not {0}")]
    RoutingId(usize),
    /// The socket type does not support the transport of the endpoint, or does not support an endpoint with a resource.
    /// Carries the type of the socket and the endpoint.
    #[doc(alias = "ENOCOMPATPROTO")]
    #[error("a {0} socket cannot connect to {1}: it supports only tcp and ipc, and no resource")]
    Transport(SocketType, Endpoint),
    /// The socket is closed.
    #[error("{CLOSED}")]
    Closed,
    /// The runtime cannot run the socket, see [`Socket::runtime_failed`](crate::Socket::runtime_failed).
    #[error("the socket does not work: {0}")]
    Runtime(#[source] NetworkError),
    /// The current process is a forked child of the process that created the socket, and has no thread that does the IO of
    /// the socket. Returned only by blocking sockets. (libzmq does not support this use either.)
    #[error("{FORKED}")]
    Forked,
}

/// Error of `connect_and_wait` and `wait_connected`: no peer became ready. Unless the error is
/// [`Connect`](Self::Connect), [`Closed`](Self::Closed) or [`Forked`](Self::Forked), the socket continues to dial.
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The endpoint is invalid, or the socket cannot connect to it.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A dial failed for a reason that time cannot cure, or an option makes the socket stop dialling after a failure.
    /// Carries these dials with their reasons. Empty if the application disconnected the endpoint.
    #[error("the connection was not made: {0}")]
    Failed(FailingDials),
    /// The time limit expired.
    #[error("the connection was not made within the time limit of {after:?}: {failing}")]
    TimedOut {
        /// Time limit of the call.
        after: Duration,
        /// Dials that are failing, each with the reason of its latest failure. Empty if the first attempt has not failed
        /// yet, for example because the peer does not answer.
        failing: FailingDials,
    },
    /// The socket is closed.
    #[error("{CLOSED}")]
    Closed,
    /// The current process is a forked child of the process that created the socket, and has no thread that does the IO of
    /// the socket. Returned only by blocking calls. (libzmq does not support this use either.)
    #[error("{FORKED}")]
    Forked,
    /// A signal interrupted a blocking call; see [`RecvError::Interrupted`]. The socket continues to dial.
    #[doc(alias = "EINTR")]
    #[error("{INTERRUPTED}")]
    Interrupted,
}

impl WaitError {
    /// Returns true if time can cure the error: a later wait may succeed although the settings of both sides stay the
    /// same. See [`ConnectionError::is_temporary`].
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Closed | Self::Forked => false,
            Self::Interrupted => true,
            Self::Failed(dials) | Self::TimedOut { failing: dials, .. } => dials.is_temporary(),
        }
    }

    /// Returns the reason of the first failing dial; `None` if no attempt failed.
    pub fn reason(&self) -> Option<&ConnectionError> {
        match self {
            Self::Connect(_) | Self::Closed | Self::Forked | Self::Interrupted => None,
            Self::Failed(dials) | Self::TimedOut { failing: dials, .. } => dials.first().map(|dial| &*dial.reason),
        }
    }
}

/// Error of `wait_subscribed`: too few peers have subscribed.
#[derive(Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WaitSubscribedError {
    /// Sockets of this type do not publish, so no peer can subscribe. The value is the type of the socket.
    #[error("a {0} socket has no subscribers; a PUB, XPUB or RADIO has")]
    Unsupported(SocketType),
    /// The time-out of a blocking call expired.
    #[error("{subscribers} of {peers} peers have subscribed within the time-out of {after:?}")]
    TimedOut {
        /// Time-out of the call.
        after: Duration,
        /// Number of peers to which the message would be sent now.
        subscribers: usize,
        /// Number of peers for which the call waited.
        peers: usize,
    },
    /// The socket is closed.
    #[error("{CLOSED}")]
    Closed,
    /// The runtime cannot run the socket, see [`Socket::runtime_failed`](crate::Socket::runtime_failed).
    #[error("the socket does not work: {0}")]
    Runtime(#[source] NetworkError),
    /// The current process is a forked child of the process that created the socket; see [`RecvError::Forked`]. Returned
    /// only by blocking calls.
    #[error("{FORKED}")]
    Forked,
    /// A signal interrupted a blocking call; see [`RecvError::Interrupted`].
    #[doc(alias = "EINTR")]
    #[error("{INTERRUPTED}")]
    Interrupted,
}

/// Error of `bind`.
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BindError {
    /// The text that was given to `bind` cannot be parsed as an endpoint.
    #[error(transparent)]
    Endpoint(#[from] ParseEndpointError),
    /// The listener could not be opened, usually because the operating system returned an error.
    #[error("cannot listen at {endpoint}: {error}")]
    Network {
        /// Endpoint that was given to `bind`.
        endpoint: Endpoint,
        /// Reason why the listener could not be opened.
        #[source]
        error: NetworkError,
    },
    /// The socket type does not support the transport of the endpoint, or does not support an endpoint with a resource.
    /// Carries the type of the socket and the endpoint.
    #[doc(alias = "ENOCOMPATPROTO")]
    #[error("a {0} socket cannot listen at {1}: it supports only tcp and ipc, and no shared port")]
    Transport(SocketType, Endpoint),
    /// The bound address of the listener given to `bind_listener` is unknown or cannot be written as an endpoint.
    #[error("cannot determine the address of the listener: {0}")]
    Listener(#[source] NetworkError),
    /// The socket is closed.
    #[error("{CLOSED}")]
    Closed,
    /// The current process is a forked child of the process that created the socket; see [`RecvError::Forked`]. Returned
    /// only by blocking calls.
    #[error("{FORKED}")]
    Forked,
    /// The time-out of a blocking `bind` expired: a listener of this process at the address is still being closed. The socket
    /// becomes bound when this listener is closed.
    #[error(
        "{endpoint} was not bound within the time-out of {after:?}: a socket of this process there is still closing"
    )]
    TimedOut {
        /// Endpoint that was given to `bind`.
        endpoint: Endpoint,
        /// Time-out of the call.
        after: Duration,
    },
    /// A signal interrupted a blocking call; see [`RecvError::Interrupted`]. The socket may still become bound.
    #[doc(alias = "EINTR")]
    #[error("{INTERRUPTED}")]
    Interrupted,
}

/// Error of `unbind` and `disconnect`.
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UnbindError {
    /// The text that was given to `unbind` or `disconnect` cannot be parsed as an endpoint.
    #[error(transparent)]
    Endpoint(#[from] ParseEndpointError),
    /// The listener is closed, but an error occurred while it was closed, for example because its socket file had been
    /// replaced.
    #[error("{endpoint} is unbound, but: {error}")]
    Network {
        /// Endpoint that was unbound.
        endpoint: Endpoint,
        /// Error that occurred while the endpoint was closed.
        #[source]
        error: NetworkError,
    },
    /// The socket is neither bound nor connected to the endpoint.
    #[error("the socket has no {0}; use the endpoint that was given to bind or connect, or that bind returned")]
    Unknown(Endpoint),
    /// No peer has the routing id that was given to `disconnect_peer`.
    #[error("no peer has the routing id {0:?}; the peer may have disconnected already")]
    UnknownPeer(Frame),
    /// Sockets of this type do not have `disconnect_peer`. Carries the type of the socket.
    #[error("a {0} socket does not have `disconnect_peer`; it exists for {types}", types = Trait::AssignsRoutingId.types())]
    Unsupported(SocketType),
    /// The current process is a forked child of the process that created the socket; see [`RecvError::Forked`].
    #[error("{FORKED}")]
    Forked,
    /// The time-out of a blocking `unbind` expired before the address was free. The listener continues to close.
    #[error("{endpoint} was not free within the time-out of {after:?}; the listener continues to close")]
    TimedOut {
        /// Endpoint that was given to `unbind`.
        endpoint: Endpoint,
        /// Time-out of the call.
        after: Duration,
    },
    /// A signal interrupted a blocking call; see [`RecvError::Interrupted`]. The listener continues to close.
    #[doc(alias = "EINTR")]
    #[error("{INTERRUPTED}")]
    Interrupted,
}

/// Reason why the value of an option is invalid.
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OptionsError {
    /// The routing id does not have 1 to 255 bytes (RFC 37). The value is its length in bytes.
    #[error("a routing id has 1 to 255 bytes, not {0}")]
    RoutingId(usize),
    /// Sockets of this type do not have the option. Returned by [`Options::set`](crate::Options::set).
    #[error("a {socket_type} socket does not have the option `{option}`; it exists for {}", list(types))]
    NotForType {
        /// Name of the option.
        option: &'static str,
        /// Type of the socket.
        socket_type: SocketType,
        /// Socket types that have the option.
        types: Vec<SocketType>,
    },
    /// A duration is zero, but the option requires a longer duration. The value is the name of the option.
    #[error("`{0}` must be longer than zero")]
    ZeroDuration(&'static str),
    /// The name of a property that was given to `metadata` does not begin with `X-`, contains a character other than
    /// letters, digits and `-_.+`, or is longer than 255 bytes. The value is the name.
    #[error("`{0}` cannot be the name of a property; write `X-` and then letters, digits and -_.+, 255 at most in all")]
    PropertyName(String),
    /// More than 32 properties were added with `metadata`, or the value of a property has more than 1024 bytes.
    #[error("a socket may have 32 properties of its own, each with at most 1024 bytes")]
    Properties,
    /// The address of the SOCKS5 proxy is not a host and a port, or is a wildcard. The value is the text that was
    /// given.
    #[error("`{0}` is not a proxy; write host:port, as in localhost:1080")]
    Proxy(String),
    /// The user name or the password for the SOCKS5 proxy does not have 1 to 255 bytes.
    #[error("the user and the password of a proxy have 1 to 255 bytes each")]
    ProxyUser,
    /// The ZAP domain does not have 1 to 255 bytes. The value is its length in bytes.
    #[error("a ZAP domain has 1 to 255 bytes, not {0}")]
    Domain(usize),
    /// The keys or credentials of a security mechanism are invalid.
    #[error(transparent)]
    Security(#[from] SecurityError),
    /// The time to live of a heartbeat exceeds 6553.5 s: a PING has a 16-bit count of tenths of a second.
    #[error("the time to live of a heartbeat is at most 6553.5 s")]
    TimeToLive,
    /// The value of an option for the operating system's sockets is outside the range that operating systems accept.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
}

/// Implements `Debug` with the name of the type and the text.
macro_rules! debug_with_text {
    ($($error:ident)*) => {$(
        // A `main` that returns the error prints the `Debug` text, so it includes the advice.
        impl fmt::Debug for $error {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($error), ": {}"), self)
            }
        }
    )*};
}

debug_with_text! {
    SubscribeError JoinError AcceptError ConnectError WaitError WaitSubscribedError BindError UnbindError OptionsError
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn send_errors_return_the_message_and_do_not_show_it() {
        let reasons = [
            Unsent::Full,
            Unsent::Unroutable,
            Unsent::Unaddressed,
            Unsent::NotGrouped,
            Unsent::SingleFrame,
            Unsent::FrameCount,
            Unsent::TooLarge,
            Unsent::OutOfTurn,
            Unsent::Unsupported(SocketType::Pull),
            Unsent::Closed,
            Unsent::Unreachable,
        ];
        let secret = || Message::from("secret");
        let names = reasons.map(|reason| format!("{reason:?}"));
        let errors = reasons.map(|reason| reason.into_error(secret()));
        let others = [
            SendError::Runtime(secret(), NetworkError::Unsupported),
            SendError::TimedOut {
                message: secret(),
                after: Duration::from_millis(250),
                failing: FailingDials::default(),
            },
            SendError::Forked(secret()),
            SendError::Interrupted(secret()),
        ];
        let names = names.iter().map(String::as_str).chain(["Runtime", "TimedOut", "Forked", "Interrupted"]);
        for (name, error) in names.zip(errors.into_iter().chain(others)) {
            let debug = format!("{error:?}");
            let name = name.split('(').next().unwrap();
            assert_eq!(debug, format!("{name}: {error}"), "the text follows the name of the variant");
            assert!(!debug.contains("secret"), "{debug}");
            assert_eq!(error.into_message(), secret());
        }
    }

    #[test]
    fn debug_text_of_receive_errors_includes_the_advice() {
        for (name, error) in [
            ("Empty", RecvError::Empty),
            ("OutOfTurn", RecvError::OutOfTurn),
            ("Unsupported", RecvError::Unsupported(SocketType::Push)),
            ("Closed", RecvError::Closed),
            ("Runtime", RecvError::Runtime(NetworkError::Unsupported)),
            ("TimedOut", RecvError::TimedOut { after: Duration::from_millis(250), failing: FailingDials::default() }),
            ("Unreachable", RecvError::Unreachable(FailingDials::default())),
            ("Forked", RecvError::Forked),
            ("Interrupted", RecvError::Interrupted),
        ] {
            assert_eq!(format!("{error:?}"), format!("{name}: {error}"));
        }
    }

    #[test]
    fn debug_text_of_each_operation_includes_the_advice() {
        let endpoint: Endpoint = "ipc:///nowhere/socket".parse().unwrap();
        let error = NetworkError::NoDirectory;
        let bind = BindError::Network { endpoint: endpoint.clone(), error };
        let text = "BindError: cannot listen at ipc:///nowhere/socket: the directory of the socket file does not exist";
        assert!(format!("{bind:?}").starts_with(text), "{bind:?}");
        for (debug, text) in [
            (format!("{:?}", ConnectError::RoutingIdTaken), format!("ConnectError: {}", ConnectError::RoutingIdTaken)),
            (format!("{:?}", WaitError::Closed), format!("WaitError: {}", WaitError::Closed)),
            (format!("{:?}", UnbindError::Forked), format!("UnbindError: {}", UnbindError::Forked)),
            (format!("{:?}", SubscribeError::NoRequest), format!("SubscribeError: {}", SubscribeError::NoRequest)),
            (format!("{:?}", JoinError::TooLong(300)), format!("JoinError: {}", JoinError::TooLong(300))),
            (format!("{:?}", OptionsError::Domain(0)), format!("OptionsError: {}", OptionsError::Domain(0))),
        ] {
            assert_eq!(debug, text);
        }
        let parsed = "localhost:5555".parse::<Endpoint>().unwrap_err();
        assert_eq!(format!("{parsed:?}"), format!("ParseEndpointError: {parsed}"));
    }
}
