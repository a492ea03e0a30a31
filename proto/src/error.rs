//! Why things fail, as values to match on: connections, sends, receives, endpoints, options.

use crate::connection::SocksError;
use crate::message::{Frame, Message};
use crate::resource::Resource;
use crate::security::Denial;
#[cfg(feature = "curve")]
use crate::security::curve::CurveError;
use crate::socket_type::SocketType;
use crate::wire::{DecodeError, MechanismName};
use alloc::string::String;
use bytes::Bytes;
use core::fmt;
use thiserror::Error;

/// Why one connection ended. Never fatal to the socket: other peers notice nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The other side closed the stream.
    #[error("the peer closed the connection")]
    Eof,
    /// The network failed.
    #[error("the network failed: {0}")]
    Network(#[from] NetworkError),
    /// A timer ran out.
    #[error("{0}")]
    TimedOut(Timer),
    /// The proxy that was to lead to the peer did not.
    #[error("the SOCKS proxy does not put us through: {0}")]
    Proxy(#[from] SocksError),
    /// What arrived is not ZMTP.
    #[error("the peer does not speak ZMTP; is this the port of another service?")]
    NotZmtp,
    /// The peer speaks 2.0 (`1`) or another ZMTP older than 3.0, and this side does not
    /// ([`Options::old_peers`](crate::Options::old_peers)). The octet after its signature is kept.
    #[error(
        "the peer speaks a ZMTP older than 3.0 (revision octet {0}); it needs libzmq 4 or newer, or this side the option \
         `old_peers`, no security, and a port of its own"
    )]
    Version(u8),
    /// The two sides want different security.
    #[error("this side uses the {ours} mechanism, the peer {theirs}; both must use the same")]
    MechanismMismatch {
        /// What this side is configured for.
        ours: MechanismName,
        /// What the peer's greeting names.
        theirs: MechanismName,
    },
    /// Both sides are servers of the mechanism, or both are clients.
    #[error("both sides are {} of the security mechanism; one has to be its {}", if *.server { "servers" } else { "clients" }, if *.server { "client" } else { "server" })]
    SameRole {
        /// Whether this side is the server.
        server: bool,
    },
    /// The CURVE mechanism failed: somebody has other keys, or changed what was on its way.
    #[cfg(feature = "curve")]
    #[error("CURVE: {0}")]
    Curve(#[from] CurveError),
    /// The octets are not what the protocol allows.
    #[error("the peer broke the protocol: {0}")]
    Malformed(#[from] DecodeError),
    /// A frame came at a time when it has no place, such as a message before READY.
    #[error("the peer broke the protocol: {0}")]
    Unexpected(&'static str),
    /// READY lacks the Socket-Type property.
    #[error("the peer did not say which socket type it is")]
    MissingSocketType,
    /// READY names a socket type that does not exist.
    #[error("the peer calls itself a socket type that does not exist")]
    UnknownSocketType,
    /// The two socket types do not speak with each other (RFC 28).
    #[error("a {ours} socket does not speak with a {theirs} socket")]
    Incompatible {
        /// This side's type.
        ours: SocketType,
        /// The peer's type.
        theirs: SocketType,
    },
    /// A frame or a message exceeds its limit; seen as soon as a frame's size is announced.
    #[error("the peer announced {size} octets where {limit} are allowed; see `Options::max_message_size`")]
    TooLarge {
        /// What was announced.
        size: u64,
        /// What is allowed.
        limit: u64,
    },
    /// A message has more frames than `Options::max_frames` allows.
    #[error("the peer sent a message of more than {limit} frames; see `Options::max_frames`")]
    TooManyFrames {
        /// What is allowed.
        limit: usize,
    },
    /// A REQ socket received a reply that is not an empty delimiter followed by a body.
    #[error("the peer's reply has no empty delimiter before its body")]
    Envelope,
    /// The peer sent ERROR with this reason; ZAP uses `300`, `400` and `500`.
    #[error("the peer refused the connection: {}", .0.escape_ascii())]
    Refused(Bytes),
    /// This side's authentication refused the peer.
    #[error("the peer was not admitted: {0}")]
    Denied(Denial),
    /// A ROUTER already has a peer of this routing id, and `handover` is off.
    #[error("another peer already has this routing id; see `Options::handover`")]
    RoutingIdTaken,
    /// The peer's routing id went over to a newer connection, as `handover` asks.
    #[error("a newer connection took the peer's routing id over")]
    HandedOver,
    /// A peer asked for more subscriptions, or groups, than `Options::max_subscriptions` allows.
    #[error("the peer asked for more than {limit} subscriptions, or for longer ones; see `Options::max_subscriptions`")]
    TooManySubscriptions {
        /// What is allowed.
        limit: usize,
    },
    /// A peer joined a group whose name is longer than 255 octets (RFC 48).
    #[error("the peer joined a group whose name has {0} octets, where 255 are allowed")]
    GroupTooLong(usize),
    /// A newcomer took the place of this handshake, which had lasted long; see `Options::max_handshakes`.
    #[error("the peer's handshake took so long that it had to make room for another's; see `Options::max_handshakes`")]
    Displaced,
    /// A subscriber did not read, and `Options::slow_subscriber` asks to disconnect it then.
    #[error("the subscriber does not read, and `slow_subscriber` asks to disconnect it")]
    TooSlow,
    /// A PAIR or CHANNEL socket already has its one peer.
    #[error("a PAIR or CHANNEL socket speaks with one peer, and has it already")]
    Exclusive,
    /// A peer asked for a resource, or for none, and for as long as a handshake may take no socket at that port was bound
    /// to it.
    #[error(
        "the peer waited for {}, to which no socket at this port is bound",
        .0.as_ref().map_or("a socket without resource", Resource::as_str)
    )]
    NoSuchResource(Option<Resource>),
    /// This side hung up: the socket, its listener or its connection was closed.
    #[error("this side closed the connection")]
    HungUp,
}

/// Who caused a connection to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This side wanted it.
    Local,
    /// The peer, by what it sent.
    Peer,
    /// The network or the peer's absence.
    Network,
}

impl ConnectionError {
    /// Who caused the end.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Eof | Self::Network(_) | Self::TimedOut(_) | Self::Proxy(_) => Fault::Network,
            Self::HungUp
            | Self::Denied(_)
            | Self::RoutingIdTaken
            | Self::HandedOver
            | Self::Exclusive
            | Self::Displaced
            | Self::TooSlow => Fault::Local,
            #[cfg(feature = "curve")]
            Self::Curve(CurveError::NoncesSpent) => Fault::Local,
            #[cfg(feature = "curve")]
            Self::Curve(_) => Fault::Peer,
            Self::NotZmtp
            | Self::Version(_)
            | Self::MechanismMismatch { .. }
            | Self::SameRole { .. }
            | Self::Malformed(_)
            | Self::Unexpected(_)
            | Self::MissingSocketType
            | Self::UnknownSocketType
            | Self::Incompatible { .. }
            | Self::TooLarge { .. }
            | Self::TooManyFrames { .. }
            | Self::TooManySubscriptions { .. }
            | Self::GroupTooLong(_)
            | Self::NoSuchResource(_)
            | Self::Envelope
            | Self::Refused(_) => Fault::Peer,
        }
    }

    /// Whether dialling again can help. After a protocol fault it cannot (libzmq never does), nor after an ERROR with
    /// the same credentials (RFC 37), except ZAP's 300, which means "temporary".
    ///
    /// Nor does a peer of CURVE answer for what was changed on its way: after that, dialling again is the best there is.
    pub fn may_reconnect(&self) -> bool {
        #[cfg(feature = "curve")]
        if matches!(self, Self::Curve(_)) {
            return true;
        }
        let temporary = matches!(self, Self::Refused(reason) if Denial::said_by(reason).is_some_and(|why| why != Denial::NotAllowed));
        temporary || matches!(self, Self::RoutingIdTaken | Self::TooSlow) || self.fault() == Fault::Network
    }
}

/// A clock that can end a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Timer {
    /// The handshake took longer than `Options::handshake_timeout`.
    #[error("the peer did not finish its handshake in time")]
    Handshake,
    /// A PING was followed by silence for `Options::heartbeat_timeout`.
    #[error("the peer did not answer a heartbeat in time")]
    Heartbeat,
    /// The peer's own PING asked to be cut off after so much silence.
    #[error("the peer has been silent for longer than the time to live it asked for")]
    TimeToLive,
}

/// What the network can answer, without the types of an operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages say it")]
pub enum NetworkError {
    #[error("nobody listens at that address")]
    Refused,
    #[error("the address cannot be reached")]
    Unreachable,
    #[error("no answer in time")]
    TimedOut,
    #[error("the peer reset the connection")]
    Reset,
    #[error("the host name is not known")]
    UnknownHost,
    #[error("the address is in use already")]
    AddressInUse,
    #[error("this machine does not have that address")]
    AddressUnavailable,
    #[error("permission denied")]
    PermissionDenied,
    #[error("no socket has that name")]
    NoSuchName,
    #[error("the name is too long, or is not one for a socket")]
    BadName,
    #[error("the name was removed, or taken by another, while it was bound")]
    NameLost,
    #[error("too many files are open")]
    TooManyFiles,
    #[error("this side does not carry that transport")]
    Unsupported,
    #[error("this machine does not have that network interface")]
    NoSuchDevice,
    #[error("the operating system refuses an option that was asked for, or does not know it")]
    OptionRefused,
    #[error("that socket does not listen")]
    NotListening,
    #[error("what stands before the `;` says where to connect from, and means nothing to a listener")]
    HasSource,
    #[error("an error of the operating system")]
    Other,
}

#[cfg(feature = "std")]
impl From<std::io::ErrorKind> for NetworkError {
    fn from(kind: std::io::ErrorKind) -> Self {
        use std::io::ErrorKind;
        #[expect(clippy::wildcard_enum_match_arm, reason = "there are dozens of kinds, and more to come")]
        match kind {
            ErrorKind::ConnectionRefused => Self::Refused,
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => Self::Unreachable,
            ErrorKind::TimedOut => Self::TimedOut,
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => Self::Reset,
            ErrorKind::NotFound => Self::NoSuchName,
            ErrorKind::InvalidInput | ErrorKind::InvalidFilename => Self::BadName,
            ErrorKind::Unsupported => Self::Unsupported,
            ErrorKind::AddrInUse => Self::AddressInUse,
            ErrorKind::AddrNotAvailable => Self::AddressUnavailable,
            ErrorKind::PermissionDenied => Self::PermissionDenied,
            _ => Self::Other,
        }
    }
}

#[cfg(feature = "std")]
impl From<std::io::Error> for NetworkError {
    fn from(error: std::io::Error) -> Self {
        error.kind().into()
    }
}

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

/// Why a message was not sent, without the message: it stays in its place, for to move it costs as much as to send it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsent {
    Full,
    Unroutable,
    Unaddressed,
    NotGrouped,
    SingleFrame,
    FrameCount,
    OutOfTurn,
    Unsupported(SocketType),
    Closed,
}

impl Unsent {
    /// The same with the message.
    #[cold]
    pub(crate) fn of(self, message: Message) -> SendError {
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

/// What is wrong with an endpoint's text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ParseEndpointError {
    /// There is no `://`.
    #[error("`{0}` has no transport; write it like tcp://127.0.0.1:5555")]
    NoTransport(String),
    /// The transport is not one this crate knows.
    #[error("`{0}` is not a transport this crate knows; it knows tcp, ipc and inproc, as in tcp://127.0.0.1:5555")]
    UnknownTransport(String),
    /// There is no port, or it is not a number from 0 to 65535 or `*`.
    #[error("`{0}` has no port; it is a number from 0 to 65535, or * to have one chosen, as in tcp://127.0.0.1:5555")]
    Port(String),
    /// There is no host, or its brackets do not match.
    #[error("`{0}` has no host; it is a name, an address, [an IPv6 address], or * for all interfaces")]
    Host(String),
    /// What stands before a `;` is not an address and a port to connect from, or leads not to that host.
    #[error(
        "`{0}` has a source that is none; it is an address or *, and a port, as in tcp://192.0.2.1:*;192.0.2.2:5555"
    )]
    Source(String),
    /// What stands behind the port is no [`Resource`].
    #[error(
        "`{0}` names no resource: names of letters, digits and $-_@.&+, joined by /, as in \
         tcp://127.0.0.1:5555/system/names"
    )]
    Resource(String),
    /// An `ipc` or `inproc` endpoint names nothing.
    #[error("`{0}` has no name; write it like ipc:///run/service, ipc://@service or inproc://service")]
    NoName(String),
    /// The name of a Unix domain socket is a path of at most 107 octets.
    #[error("`{0}` is too long for a socket: its path may have 107 octets, and has {len}", len = .0.len())]
    TooLong(String),
}

impl From<core::convert::Infallible> for ParseEndpointError {
    fn from(never: core::convert::Infallible) -> Self {
        match never {}
    }
}

/// Why something is no property of a peer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PropertyError {
    /// Its name is not one that RFC 37 allows.
    #[error("`{0}` cannot be a property's name; write 1 to 255 letters, digits and -_.+")]
    Name(String),
    /// Its value is too long.
    #[error("a property's value has less than 2 GiB, not {0} octets")]
    TooLong(usize),
    /// There are too many.
    #[error("a peer has 128 properties at most")]
    TooMany,
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
    Wildcard(crate::Endpoint),
    /// A PAIR or CHANNEL has its one peer already.
    #[error("a PAIR or CHANNEL socket speaks with one peer, and has it already; disconnect that one first")]
    Exclusive,
    /// `connect_as` was given a routing id that a peer has.
    #[error("another peer of this socket already has that routing id")]
    RoutingIdTaken,
    /// A routing id is 1 to 255 octets.
    #[error("a routing id has 1 to 255 octets, not {0}")]
    RoutingId(usize),
    /// Sockets of this type do not speak over that transport.
    #[error("a {0} socket cannot connect to {1}: it speaks over tcp and ipc only, and asks for no resource")]
    Transport(SocketType, crate::Endpoint),
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
        endpoint: crate::Endpoint,
        /// Why not.
        error: NetworkError,
    },
    /// Sockets of this type do not speak over that transport.
    #[error("a {0} socket cannot listen at {1}: it speaks over tcp and ipc only, and shares no port")]
    Transport(SocketType, crate::Endpoint),
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
        endpoint: crate::Endpoint,
        /// What was wrong.
        error: NetworkError,
    },
    /// The socket is not bound or connected to that endpoint.
    #[error("the socket has no {0}; give the endpoint as it was given to bind or connect, or as bind returned it")]
    Unknown(crate::Endpoint),
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
    /// A CURVE client was given a key of its server that nobody could keep a secret with.
    #[error("that is no public key of a server, for it could keep no secret; all zeros is such a one")]
    ServerKey,
    /// The user and the password of PLAIN have at most 255 octets (RFC 24).
    #[error("the user and the password of PLAIN have at most 255 octets each")]
    Login,
    /// A count that must not be zero is.
    #[error("`{0}` must be at least 1")]
    Zero(&'static str),
    /// The time to live in a PING is a 16-bit count of tenths of a second.
    #[error("a heartbeat's time to live is at most 6553.5 s")]
    TimeToLive,
    /// A value that no operating system takes.
    #[error("`{option}` must be {range}")]
    OutOfRange {
        /// Which option.
        option: &'static str,
        /// What it can be.
        range: &'static str,
    },
}
