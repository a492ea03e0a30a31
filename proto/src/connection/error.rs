//! [`ConnectionError`]: why a connection ended, and which side caused it.

use super::SocksError;
use crate::address::{NetworkError, Resource};
#[cfg(feature = "curve")]
use crate::security::curve::CurveError;
use crate::security::{AuthStatus, MechanismError};
use crate::socket_type::SocketType;
use crate::wire::{DecodeError, MechanismName};
use bytes::Bytes;
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
    TimedOut(Timeout),
    /// The proxy that was to lead to the peer did not.
    #[error("the SOCKS proxy does not put us through: {0}")]
    Proxy(#[from] SocksError),
    /// What arrived is not ZMTP.
    #[error("the peer does not speak ZMTP; is this the port of another service?")]
    NotZmtp,
    /// The peer speaks 2.0 (`1`) or another ZMTP older than 3.0, and this side does not
    /// ([`Options::allow_legacy_zmtp`](crate::Options::allow_legacy_zmtp)). The octet after its signature is kept.
    #[error(
        "the peer speaks a ZMTP older than 3.0 (revision octet {0}); it needs libzmq 4 or newer, or this side the option \
         `allow_legacy_zmtp`, no security, and a port of its own"
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
    MissingDelimiter,
    /// The peer sent ERROR with this reason; ZAP uses `300`, `400` and `500`.
    #[error("the peer refused the connection: {}", .0.escape_ascii())]
    Refused(Bytes),
    /// This side's authentication refused the peer.
    #[error("the peer was not admitted: {0}")]
    Denied(AuthStatus),
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
    HandshakeEvicted,
    /// A subscriber did not read, and `Options::slow_subscriber` asks to disconnect it then.
    #[error("the subscriber does not read, and `slow_subscriber` asks to disconnect it")]
    TooSlow,
    /// A PAIR or CHANNEL socket already has its one peer.
    #[error("a PAIR or CHANNEL socket speaks with one peer, and has it already")]
    PairInUse,
    /// A peer asked for a resource, or for none, and for as long as a handshake may take no socket at that port was bound
    /// to it.
    #[error(
        "the peer waited for {}, to which no socket at this port is bound",
        .0.as_ref().map_or("a socket without resource", Resource::as_str)
    )]
    NoSuchResource(Option<Resource>),
    /// This side hung up: the socket, its listener or its connection was closed.
    #[error("this side closed the connection")]
    PeerClosed,
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
            Self::PeerClosed
            | Self::Denied(_)
            | Self::RoutingIdTaken
            | Self::HandedOver
            | Self::PairInUse
            | Self::HandshakeEvicted
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
            | Self::MissingDelimiter
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
        let temporary = matches!(self, Self::Refused(reason) if AuthStatus::said_by(reason).is_some_and(|why| why != AuthStatus::Denied));
        temporary || matches!(self, Self::RoutingIdTaken | Self::TooSlow) || self.fault() == Fault::Network
    }
}

/// A clock that can end a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Timeout {
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

impl From<MechanismError> for ConnectionError {
    fn from(error: MechanismError) -> Self {
        match error {
            MechanismError::Malformed(error) => Self::Malformed(error),
            MechanismError::Unexpected(what) => Self::Unexpected(what),
            #[cfg(any(feature = "plain", feature = "curve"))]
            MechanismError::SameRole { server } => Self::SameRole { server },
            MechanismError::Refused(reason) => Self::Refused(reason),
            MechanismError::Denied(denial) => Self::Denied(denial),
            #[cfg(feature = "curve")]
            MechanismError::Curve(error) => Self::Curve(error),
        }
    }
}
