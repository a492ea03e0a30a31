//! Errors of a socket's operations: one enum for each.

use crate::address::{Endpoint, NetworkError, OutOfRange, ParseEndpointError};
use crate::message::{Frame, Message};
use crate::security::SecurityError;
use crate::socket_type::SocketType;
use alloc::string::String;
use core::fmt;
use thiserror::Error;

/// Why a message was not sent. Every variant hands the message back.
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// No peer has room now: there is none yet, or the high-water mark is reached. An asynchronous `send` waits instead.
    #[error("no peer has room: none is connected, or `send_hwm` is reached; wait, or raise the mark")]
    Full(Message),
    /// A STREAM, a SERVER, a PEER, or a ROUTER with `mandatory` set knows no peer of the routing id in the first frame.
    #[error("no connected peer has the routing id in the first frame")]
    Unroutable(Message),
    /// A ROUTER, SERVER or PEER was given a message of one frame: there is a routing id, but nothing to send.
    #[error(
        "a ROUTER sends [routing id, frames…], a SERVER or PEER [routing id, body]; this message has only one frame"
    )]
    Unaddressed(Message),
    /// A RADIO was given something else than a group, of at most 255 octets, and a body.
    #[error("a RADIO sends [group, body], the group in at most 255 octets")]
    NotGrouped(Message),
    /// A CLIENT, SERVER, SCATTER, CHANNEL or PEER was given a message of several frames.
    #[error(
        "a CLIENT, SCATTER or CHANNEL sends one frame, a SERVER or PEER [routing id, body]; this message has {} frames (join \
         them, or use another socket type at both ends)", .0.len()
    )]
    SingleFrame(Message),
    /// A STREAM was given a message that has not exactly two frames.
    #[error("a STREAM sends [routing id, octets]; this message has {n} frames", n = .0.len())]
    FrameCount(Message),
    /// A REQ owes a `recv` first, or a REP has no request to answer.
    #[error(
        "out of turn: a REQ sends once and then receives the reply (set `relaxed`, or use a DEALER, to send several \
         requests); a REP receives a request before it replies (use a ROUTER to answer in any order)"
    )]
    OutOfTurn(Message),
    /// This socket type only receives.
    #[error("a {1} socket only receives")]
    Unsupported(Message, SocketType),
    /// The socket was closed.
    #[error("the socket is closed")]
    Closed(Message),
}

impl SendError {
    /// The message that was not sent.
    pub fn into_message(self) -> Message {
        match self {
            Self::Full(message)
            | Self::Unroutable(message)
            | Self::Unaddressed(message)
            | Self::NotGrouped(message)
            | Self::SingleFrame(message)
            | Self::FrameCount(message)
            | Self::OutOfTurn(message)
            | Self::Unsupported(message, _)
            | Self::Closed(message) => message,
        }
    }
}

/// Reason why a message was not sent, without the message: the form of [`SendError`] that
/// [`Socket::offer`](crate::Socket::offer) returns, because moving a message costs as much as sending it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsent {
    /// As [`SendError::Full`].
    Full,
    /// As [`SendError::Unroutable`].
    Unroutable,
    /// As [`SendError::Unaddressed`].
    Unaddressed,
    /// As [`SendError::NotGrouped`].
    NotGrouped,
    /// As [`SendError::SingleFrame`].
    SingleFrame,
    /// As [`SendError::FrameCount`].
    FrameCount,
    /// As [`SendError::OutOfTurn`].
    OutOfTurn,
    /// As [`SendError::Unsupported`].
    Unsupported(SocketType),
    /// As [`SendError::Closed`].
    Closed,
}

impl Unsent {
    /// Returns the error that hands `message` back.
    #[cold]
    pub fn into_error(self, message: Message) -> SendError {
        match self {
            Self::Full => SendError::Full(message),
            Self::Unroutable => SendError::Unroutable(message),
            Self::Unaddressed => SendError::Unaddressed(message),
            Self::NotGrouped => SendError::NotGrouped(message),
            Self::SingleFrame => SendError::SingleFrame(message),
            Self::FrameCount => SendError::FrameCount(message),
            Self::OutOfTurn => SendError::OutOfTurn(message),
            Self::Unsupported(socket_type) => SendError::Unsupported(message, socket_type),
            Self::Closed => SendError::Closed(message),
        }
    }
}

/// Shows the advice too, for that is what a `main` that returns the error prints; and not the message, whose content may be
/// secret and long.
impl fmt::Debug for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Full(_) => "Full",
            Self::Unroutable(_) => "Unroutable",
            Self::Unaddressed(_) => "Unaddressed",
            Self::NotGrouped(_) => "NotGrouped",
            Self::SingleFrame(_) => "SingleFrame",
            Self::FrameCount(_) => "FrameCount",
            Self::OutOfTurn(_) => "OutOfTurn",
            Self::Unsupported(..) => "Unsupported",
            Self::Closed(_) => "Closed",
        };
        write!(f, "{name}: {self}")
    }
}

/// Why no message was received.
#[derive(Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecvError {
    /// Nothing is here now. An asynchronous `recv` waits instead.
    #[error("no message is waiting")]
    Empty,
    /// A REQ has not asked yet, or a REP owes a reply.
    #[error(
        "out of turn: a REQ sends a request before it receives (use a DEALER to receive at any time); a REP replies \
         before it takes the next request (use a ROUTER to hold several)"
    )]
    OutOfTurn,
    /// A REQ's request was on its way when the peer went; no reply can come. The next `send` may be made at once.
    #[error("the peer that had the request is gone; send it again if it may be carried out twice")]
    PeerLost,
    /// This socket type only sends.
    #[error("a {0} socket only sends")]
    Unsupported(SocketType),
    /// The socket was closed.
    #[error("the socket is closed")]
    Closed,
}

/// Shows the advice too, for that is what a `main` that returns the error prints.
impl fmt::Debug for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Empty => "Empty",
            Self::OutOfTurn => "OutOfTurn",
            Self::PeerLost => "PeerLost",
            Self::Unsupported(_) => "Unsupported",
            Self::Closed => "Closed",
        };
        write!(f, "{name}: {self}")
    }
}

/// Why a subscription, or the end of one, was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// This socket type has no subscriptions of its own: it is neither SUB nor XSUB, nor an XPUB with `manual`.
    #[error("a {0} socket does not subscribe; a SUB or an XSUB does, and an XPUB for its peers with `manual`")]
    Unsupported(SocketType),
    /// The socket does not hold this subscription.
    #[error("there is no such subscription to end")]
    NotSubscribed,
    /// An XPUB with `manual` has not received a request yet, or the peer that made it is gone.
    #[error("there is no peer to subscribe: its request has to be received first, and it is gone perhaps")]
    NoRequest,
    /// The socket was closed.
    #[error("the socket is closed")]
    Closed,
}

/// Why a group was not joined or left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JoinError {
    /// This socket type has no groups.
    #[error("a {0} socket does not join groups; a DISH does")]
    Unsupported(SocketType),
    /// The socket is in this group already.
    #[error("the group is joined already")]
    Joined,
    /// The socket is not in this group.
    #[error("the group is not joined")]
    NotJoined,
    /// The name of a group has at most 255 octets (RFC 48).
    #[error("the name of a group has at most 255 octets, not {0}")]
    TooLong(usize),
    /// The socket was closed.
    #[error("the socket is closed")]
    Closed,
}

/// Why `connect` was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The text is no endpoint.
    #[error(transparent)]
    Endpoint(#[from] ParseEndpointError),
    /// `*` or port 0 stand for "any" and can only be bound.
    #[error("{0} is a wildcard, which can be bound but not connected to; name the host and the port")]
    Wildcard(Endpoint),
    /// A PAIR or CHANNEL has its one peer already.
    #[error("a PAIR or CHANNEL socket speaks with one peer, and has it already; disconnect that one first")]
    PairInUse,
    /// `connect_as` was given a routing id that a peer has.
    #[error("another peer of this socket already has that routing id")]
    RoutingIdTaken,
    /// A routing id is 1 to 255 octets.
    #[error("a routing id has 1 to 255 octets, not {0}")]
    RoutingId(usize),
    /// Sockets of this type do not speak over that transport.
    #[error("a {0} socket cannot connect to {1}: it speaks over tcp and ipc only, and asks for no resource")]
    Transport(SocketType, Endpoint),
    /// The socket was closed.
    #[error("the socket is closed")]
    Closed,
}

/// Why `bind` failed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BindError {
    /// The text is no endpoint.
    #[error(transparent)]
    Endpoint(#[from] ParseEndpointError),
    /// The operating system refused.
    #[error("cannot listen at {endpoint}: {error}")]
    Network {
        /// Where.
        endpoint: Endpoint,
        /// Why not.
        error: NetworkError,
    },
    /// Sockets of this type do not speak over that transport.
    #[error("a {0} socket cannot listen at {1}: it speaks over tcp and ipc only, and shares no port")]
    Transport(SocketType, Endpoint),
    /// `bind_listener` was given something that does not say where it listens, or says so in no text.
    #[error("cannot tell where that listener listens: {0}")]
    Listener(NetworkError),
    /// The socket was closed.
    #[error("the socket is closed")]
    Closed,
}

/// Neither `unbind` nor `disconnect` ends what was never begun.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UnbindError {
    /// The text is no endpoint.
    #[error(transparent)]
    Endpoint(#[from] ParseEndpointError),
    /// It is unbound, but not all was well with it.
    #[error("{endpoint} is not bound any more, but: {error}")]
    Network {
        /// Where.
        endpoint: Endpoint,
        /// What was wrong.
        error: NetworkError,
    },
    /// The socket is not bound or connected to that endpoint.
    #[error("the socket has no {0}; give the endpoint as it was given to bind or connect, or as bind returned it")]
    Unknown(Endpoint),
    /// `disconnect_peer` was given a routing id that no peer has.
    #[error("no peer has the routing id {0:?}; it may have left already")]
    UnknownPeer(Frame),
}

/// An option was given a value it cannot take.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OptionsError {
    /// Routing ids have 1 to 255 octets (RFC 37).
    #[error("a routing id has 1 to 255 octets, not {0}")]
    RoutingId(usize),
    /// A duration that must not be zero is.
    #[error("`{0}` must be longer than zero")]
    ZeroDuration(&'static str),
    /// The name of a property of one's own begins with `X-`.
    #[error("`{0}` cannot be a property's name; write `X-` and then letters, digits and -_.+, 255 at most in all")]
    PropertyName(String),
    /// Properties of one's own are 32 at most, of 1024 octets at most.
    #[error("a socket may have 32 properties of its own, each of at most 1024 octets")]
    Properties,
    /// A proxy is given by a host and a port.
    #[error("`{0}` is no proxy; write host:port, as in localhost:1080")]
    Proxy(String),
    /// A proxy's user and password have 1 to 255 octets.
    #[error("a proxy's user and password have 1 to 255 octets each")]
    ProxyUser,
    /// A ZAP domain has 1 to 255 octets.
    #[error("a ZAP domain has 1 to 255 octets, not {0}")]
    Domain(usize),
    /// Credentials of a mechanism are not usable.
    #[error(transparent)]
    Security(#[from] SecurityError),
    /// A count that must not be zero is.
    #[error("`{0}` must be at least 1")]
    Zero(&'static str),
    /// The time to live in a PING is a 16-bit count of tenths of a second.
    #[error("a heartbeat's time to live is at most 6553.5 s")]
    TimeToLive,
    /// A value that no operating system takes.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
}
