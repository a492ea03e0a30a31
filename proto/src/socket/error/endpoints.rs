//! Errors of `bind`, `connect`, their opposites, and of waits for peers.

use super::{CLOSED, FORKED, INTERRUPTED};
use crate::address::{Endpoint, NetworkError, ParseEndpointError};
use crate::connection::ConnectionError;
use crate::kind::Trait;
use crate::message::Frame;
use crate::socket::event::RejectReason;
use crate::socket::failing::FailingDials;
use crate::socket_type::{SocketType, list};
use alloc::vec::Vec;
use core::time::Duration;
use thiserror::Error;

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
    #[error("{a} {1} socket does not have `{0}`; it exists for {types}", a = .1.article(), types = list(.2))]
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
    /// A signal interrupted a blocking call; see [`RecvError::Interrupted`](crate::RecvError::Interrupted).
    /// The socket continues to dial.
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
    #[error("{a} {0} socket has no subscribers; a PUB, XPUB or RADIO has", a = .0.article())]
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
    /// The current process is a forked child of the process that created the socket; see
    /// [`RecvError::Forked`](crate::RecvError::Forked). Returned only by blocking calls.
    #[error("{FORKED}")]
    Forked,
    /// A signal interrupted a blocking call; see [`RecvError::Interrupted`](crate::RecvError::Interrupted).
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
    /// The current process is a forked child of the process that created the socket; see
    /// [`RecvError::Forked`](crate::RecvError::Forked). Returned only by blocking calls.
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
    /// A signal interrupted a blocking call; see [`RecvError::Interrupted`](crate::RecvError::Interrupted).
    /// The socket may still become bound.
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
    #[error("{a} {0} socket does not have `disconnect_peer`; it exists for {types}", a = .0.article(), types = Trait::AssignsRoutingId.types())]
    Unsupported(SocketType),
    /// The current process is a forked child of the process that created the socket; see
    /// [`RecvError::Forked`](crate::RecvError::Forked).
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
    /// A signal interrupted a blocking call; see [`RecvError::Interrupted`](crate::RecvError::Interrupted).
    /// The listener continues to close.
    #[doc(alias = "EINTR")]
    #[error("{INTERRUPTED}")]
    Interrupted,
}
