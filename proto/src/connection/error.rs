//! [`ConnectionError`]: the reason why a connection ended, and which side caused it.

use super::{CloseReason, LikelyReason, SocksError};
use crate::address::{NetworkError, Resource};
#[cfg(feature = "curve")]
use crate::security::curve::CurveError;
use crate::security::{AuthStatus, MechanismError};
use crate::socket_type::SocketType;
use crate::wire::{DecodeError, MechanismName};
use bytes::Bytes;
use core::fmt;
use thiserror::Error;

/// Reason why a connection ended. The socket and its other connections continue to work.
#[doc(alias("ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL", "EVENT_HANDSHAKE_FAILED_PROTOCOL"))]
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The peer closed the stream.
    #[error("the peer closed the connection")]
    PeerClosed,
    /// The peer closed the connection after this side had sent its greeting, and before the peer sent its own security
    /// mechanism. Most likely the two sides use different mechanisms: libzmq closes the connection in that case, often
    /// before its greeting is sent completely.
    #[error(
        "the peer closed the connection before it sent its security mechanism; most likely it expects another mechanism \
         than {ours}, which this side uses"
    )]
    ClosedInGreeting {
        /// Mechanism of this side.
        ours: MechanismName,
    },
    /// The network, or the operating system's network stack, reported an error.
    #[error("the network failed: {0}")]
    Network(#[from] NetworkError),
    /// A timer of this side expired. The value identifies the timer.
    #[error("{0}")]
    TimedOut(Timeout),
    /// The SOCKS proxy did not connect to the peer. The value is the reason.
    #[error("the SOCKS proxy did not connect to the peer: {0}")]
    Proxy(#[from] SocksError),
    /// The first bytes that the peer sent are not ZMTP.
    #[error("the peer does not use ZMTP; is this the port of another service?")]
    NotZmtp,
    /// The peer uses a version before ZMTP 3.0, and this side does not accept such peers; see
    /// [`Options::allow_legacy_zmtp`](crate::Options::allow_legacy_zmtp). The value is the revision byte after the
    /// signature of the peer's greeting; 1 means ZMTP 2.0.
    #[error(
        "the peer uses a version before ZMTP 3.0 (revision byte {0}); either the peer must use libzmq 4 or newer, or this side \
         the option `allow_legacy_zmtp`, the NULL mechanism without authentication, and a port that is not shared"
    )]
    Version(u8),
    /// The two sides use different security mechanisms.
    #[doc(alias = "ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH")]
    #[error("this side uses the {ours} mechanism, the peer {theirs}; both must use the same mechanism")]
    MechanismMismatch {
        /// Mechanism of this side.
        ours: MechanismName,
        /// Mechanism in the peer's greeting.
        theirs: MechanismName,
    },
    /// Both sides are servers of the security mechanism, or both are clients.
    #[error("both sides are {} of the security mechanism; one has to be its {}", if *.server { "servers" } else { "clients" }, if *.server { "client" } else { "server" })]
    SameRole {
        /// True if both sides are servers, false if both are clients.
        server: bool,
    },
    /// The CURVE mechanism failed, for example because the keys of the two sides do not match, or because data was
    /// changed in transit.
    #[cfg(feature = "curve")]
    #[error("CURVE: {0}")]
    Curve(#[from] CurveError),
    /// The bytes that the peer sent violate the protocol. The value describes the violation.
    #[error("the peer violated the protocol: {0}")]
    Malformed(#[from] DecodeError),
    /// The peer sent a frame that is not allowed in the current phase, such as a message before READY. The value
    /// describes the violation.
    #[doc(alias = "ZMQ_PROTOCOL_ERROR_ZMTP_UNEXPECTED_COMMAND")]
    #[error("the peer violated the protocol: {0}")]
    Unexpected(&'static str),
    /// The peer's READY or INITIATE has no property Socket-Type.
    #[error("the peer did not send its socket type: its READY has no property Socket-Type")]
    MissingSocketType,
    /// The peer sent a socket type that does not exist, in its READY or INITIATE, or in its greeting of ZMTP 2.0.
    #[error("the peer sent a socket type that does not exist")]
    UnknownSocketType,
    /// The socket types of the two sides are not compatible (RFC 28).
    #[error("a {ours} socket is not compatible with a {theirs} socket; {}", Compatible(*.ours))]
    Incompatible {
        /// Socket type of this side.
        ours: SocketType,
        /// Socket type of the peer.
        theirs: SocketType,
    },
    /// The peer started to send a message, a command or an encrypted frame that is too large. This side checks the size
    /// in each frame head before it receives the body of the frame.
    #[error("the peer announced {size} bytes, but the limit is {limit}; see `Options::max_message_size`")]
    TooLarge {
        /// Size in bytes, as the peer gave it in its frame heads. If a message is too large, this is the sum of its
        /// frames so far; if a command is too large, the size of the command; and if an encrypted frame is too large,
        /// the size of its decrypted content.
        size: u64,
        /// Limit that `size` exceeds, in bytes: `Options::max_message_size` for a message, 128 KiB for a command, and
        /// the larger of both for an encrypted frame.
        limit: u64,
    },
    /// The peer sent a message that has more frames than `Options::max_frames` allows.
    #[error("the peer sent a message of more than {limit} frames; see `Options::max_frames`")]
    TooManyFrames {
        /// Maximum number of frames of a message (`Options::max_frames`).
        limit: usize,
    },
    /// A REQ socket received a reply that is not an empty delimiter followed by a body.
    #[error("the peer's reply has no empty delimiter before its body; the peer must reply with [\"\", body] to a REQ")]
    MissingDelimiter,
    /// The peer rejected this side with an ERROR command. The value is the reason in this command. If the authenticator
    /// of the peer did not accept this side, the reason is the ZAP status code `300`, `400` or `500` as text.
    #[error("the peer refused the connection: {}", RefusedReason(.0))]
    Refused(Bytes),
    /// The peer closed the connection, and sent the reason before. The reason does not forbid another connection. Only
    /// peers that use this crate send a reason.
    #[error("the peer closed the connection: {0}")]
    ClosedWithReason(CloseReason),
    /// The peer closed the connection without a reason while this side was sending a message of at least 64 KiB, which is
    /// lost. Most likely the peer limits the size of messages. A message that the operating system had taken completely
    /// is not noticed.
    #[error(
        "the peer closed the connection while a message of {size} bytes was being sent, which is lost; most likely it limits \
         the size of messages (`ZMQ_MAXMSGSIZE` of libzmq, `Options::max_message_size` of this crate); \
         `Options::max_send_size` refuses such messages in `send`"
    )]
    ClosedDuringMessage {
        /// Size of the message in bytes, with its frame heads.
        size: u64,
    },
    /// The peer closed the connection without a reason after this side had sent its credentials, or its READY or
    /// INITIATE, and before it sent its own READY. RFC 37 asks peers to refuse a connection in this way if the cause is
    /// temporary. The value is the most likely cause.
    #[error("the peer closed the connection instead of completing the handshake; most likely {0}")]
    ClosedBeforeReady(LikelyReason),
    /// This side rejected the peer, because the authenticator denied access, failed or took too long. The value is the
    /// status, which this side sends to the peer in an ERROR command. After [`AuthStatus::TemporaryError`] this side
    /// only closes the connection, so that the peer connects again.
    #[doc(alias("ZMQ_EVENT_HANDSHAKE_FAILED_AUTH", "EVENT_HANDSHAKE_FAILED_AUTH"))]
    #[error("the peer was not admitted: {0}")]
    Denied(AuthStatus),
    /// This side must authenticate the peer, but has no authenticator, and no ZAP handler is bound. The peer receives no
    /// ERROR, so that it connects again: a handler may be bound later.
    #[error(
        "the peer was not admitted, because this socket has no authenticator: set `authenticator` in its options, for \
         example to an `AllowList`, or bind a ZAP handler; a CURVE server accepts any key only with `any_key`"
    )]
    NoAuthenticator,
    /// The socket of this side is a ROUTER, another connected peer already has the same routing id as this peer, and
    /// `Options::handover` is off.
    #[error("another peer already has this routing id; see `Options::handover`")]
    RoutingIdTaken,
    /// The socket of this side is a ROUTER, and a new connection has a peer with the same routing id as the peer of this
    /// connection. The new connection replaced this connection, because `Options::handover` is on.
    #[error("a newer connection took over the peer's routing id")]
    HandedOver,
    /// The peer has too many subscriptions or, for a RADIO, is a member of too many groups; or the total length of the
    /// peer's subscriptions is too large. `Options::max_subscriptions` sets both limits.
    #[error(
        "the peer has more than {limit} subscriptions, or their total size exceeds the limit; see `Options::max_subscriptions`"
    )]
    TooManySubscriptions {
        /// Maximum number of subscriptions or groups of one peer (`Options::max_subscriptions`).
        limit: usize,
    },
    /// The peer subscribed to a prefix that is longer than `Options::max_subscription_size` allows.
    #[error(
        "the peer subscribed to a prefix of {size} bytes, but the limit is {limit}; see `Options::max_subscription_size`"
    )]
    SubscriptionTooLong {
        /// Length of the prefix that the peer subscribed to, in bytes.
        size: usize,
        /// Maximum length of a subscribed prefix, in bytes (`Options::max_subscription_size`).
        limit: usize,
    },
    /// The peer joined a group with a name longer than 255 bytes (RFC 48). The value is the length of the name in
    /// bytes.
    #[error("the peer joined a group with a name of {0} bytes, but the limit is 255")]
    GroupTooLong(usize),
    /// This side ended the handshake with this peer to admit a new connection, because `Options::max_handshakes` was
    /// reached.
    #[error("the peer's slow handshake was evicted to admit a new connection; see `Options::max_handshakes`")]
    HandshakeEvicted,
    /// The handshakes of all peers, and the properties that peers have sent, hold more memory than
    /// `Options::max_handshake_bytes` allows, and the handshake of this peer is not a small one.
    #[error(
        "the handshakes of all peers together hold more than {limit} bytes, and that of this peer more than a usual \
         handshake; see `Options::max_handshake_bytes`"
    )]
    HandshakeMemory {
        /// Maximum memory of all handshakes together, in bytes (`Options::max_handshake_bytes`).
        limit: usize,
    },
    /// The sockets with the same memory budget hold more memory than its limit allows, and the incomplete message of this
    /// peer more than 64 KiB; or its subscriptions, and the peer has added one.
    #[error(
        "all sockets together hold more than the limit of {limit} bytes, and the peer has sent a part of a large message, or \
         many subscriptions; see `Context::with_memory_limit`"
    )]
    MemoryLimit {
        /// Limit of the memory that the sockets hold together, in bytes.
        limit: usize,
    },
    /// The peer, a subscriber, does not read fast enough, and `Options::slow_subscriber` is set to disconnect such
    /// peers.
    #[error("the subscriber does not read, and `slow_subscriber` is set to disconnect slow subscribers")]
    TooSlow,
    /// The PAIR or CHANNEL socket of this side already has another peer, and accepts only one.
    #[error("a PAIR or CHANNEL socket accepts one peer only, and already has a peer")]
    PairInUse,
    /// Before the handshake timeout expired, no socket of this side was bound to the resource that the peer requested.
    /// The value is this resource, or `None` if the peer requested no resource.
    #[error(
        "the peer requested {}, to which no socket at this port is bound",
        .0.as_ref().map_or("no resource", Resource::as_str)
    )]
    NoSuchResource(Option<Resource>),
    /// This side closed the connection, or closed the socket or listener of the connection. If the peer closes the
    /// connection, the error is [`PeerClosed`](Self::PeerClosed).
    #[error("this side closed the connection")]
    LocallyClosed,
}

/// Cause of the end of a connection: this side, the peer or the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This side caused the error, for example by a call or a setting of the application.
    Local,
    /// The peer caused the error by the data that it sent.
    Peer,
    /// The network or the SOCKS proxy failed, or the peer closed the stream or does not respond.
    Network,
}

impl ConnectionError {
    /// Returns the cause of the end of the connection: this side, the peer or the network.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::PeerClosed
            | Self::ClosedInGreeting { .. }
            | Self::ClosedBeforeReady(_)
            | Self::ClosedDuringMessage { .. }
            | Self::Network(_)
            | Self::TimedOut(_)
            | Self::Proxy(_) => Fault::Network,
            Self::LocallyClosed
            | Self::Denied(_)
            | Self::NoAuthenticator
            | Self::RoutingIdTaken
            | Self::HandedOver
            | Self::PairInUse
            | Self::HandshakeEvicted
            | Self::HandshakeMemory { .. }
            | Self::MemoryLimit { .. }
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
            | Self::SubscriptionTooLong { .. }
            | Self::GroupTooLong(_)
            | Self::NoSuchResource(_)
            | Self::MissingDelimiter
            | Self::ClosedWithReason(_)
            | Self::Refused(_) => Fault::Peer,
        }
    }

    /// Returns the error that the peer of this connection gets if this side ends the connection because of `self`. Over
    /// `inproc`, where no bytes are sent, a runtime passes this error to the other socket.
    #[must_use]
    pub fn at_peer(&self) -> Self {
        CloseReason::of(self).map_or(Self::PeerClosed, Self::ClosedWithReason)
    }

    /// Returns true if time can cure the error: a later attempt to connect to the same peer may succeed although the
    /// settings of both sides stay the same.
    ///
    /// Returns false if a setting of one side must be changed first: after [`Incompatible`](Self::Incompatible),
    /// [`MissingSocketType`](Self::MissingSocketType), [`UnknownSocketType`](Self::UnknownSocketType),
    /// [`MechanismMismatch`](Self::MechanismMismatch), [`SameRole`](Self::SameRole) and [`Version`](Self::Version);
    /// after [`Refused`](Self::Refused), unless the reason is the ZAP status 300 (temporary) or 500 (internal error);
    /// and after [`Denied`](Self::Denied) with the status 400. Also returns false after
    /// [`NetworkError::NoIoDriver`], [`NetworkError::NoTimeDriver`], [`LocallyClosed`](Self::LocallyClosed) and
    /// [`HandedOver`](Self::HandedOver).
    ///
    /// A socket dials again in both cases, but after longer delays if the result is false; see
    /// [`Options::reconnect_refused`](crate::Options::reconnect_refused).
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Refused(reason) => AuthStatus::said_by(reason).is_some_and(|status| status != AuthStatus::Denied),
            Self::Denied(status) => *status != AuthStatus::Denied,
            Self::Version(_)
            | Self::MechanismMismatch { .. }
            | Self::SameRole { .. }
            | Self::MissingSocketType
            | Self::UnknownSocketType
            | Self::Incompatible { .. }
            | Self::Network(NetworkError::NoIoDriver | NetworkError::NoTimeDriver)
            | Self::HandedOver
            | Self::LocallyClosed => false,
            #[cfg(feature = "curve")]
            Self::Curve(_) => true,
            Self::PeerClosed
            | Self::ClosedInGreeting { .. }
            | Self::Network(_)
            | Self::TimedOut(_)
            | Self::Proxy(_)
            | Self::NotZmtp
            | Self::Malformed(_)
            | Self::Unexpected(_)
            | Self::TooLarge { .. }
            | Self::TooManyFrames { .. }
            | Self::MissingDelimiter
            | Self::NoAuthenticator
            | Self::RoutingIdTaken
            | Self::TooManySubscriptions { .. }
            | Self::SubscriptionTooLong { .. }
            | Self::GroupTooLong(_)
            | Self::HandshakeEvicted
            | Self::HandshakeMemory { .. }
            | Self::MemoryLimit { .. }
            | Self::TooSlow
            | Self::PairInUse
            | Self::ClosedBeforeReady(_)
            | Self::ClosedWithReason(_)
            | Self::ClosedDuringMessage { .. }
            | Self::NoSuchResource(_) => true,
        }
    }
}

/// Types that a socket of this type can connect to, as a sentence.
struct Compatible(SocketType);

impl fmt::Display for Compatible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the peers of a {} are ", self.0)?;
        for (number, peer) in self.0.peers().iter().enumerate() {
            write!(f, "{}{peer}", if number == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// Reason in an ERROR command, with the meaning of a status code of ZAP.
struct RefusedReason<'a>(&'a [u8]);

impl fmt::Display for RefusedReason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match AuthStatus::said_by(self.0) {
            Some(status) => write!(f, "{status}"),
            None => write!(f, "{}", self.0.escape_ascii()),
        }
    }
}

/// Timer that can end a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Timeout {
    /// The handshake took longer than `Options::handshake_timeout`.
    #[error("the peer did not finish its handshake in time; see `Options::handshake_timeout`")]
    Handshake,
    /// After a PING was due, this side received no byte from the peer for the timeout of `Options::heartbeat`, and a
    /// full stream got no room.
    #[error("the peer did not answer a heartbeat in time; see `Options::heartbeat`")]
    Heartbeat,
    /// This side received no byte from the peer for as long as the time to live in the peer's latest PING.
    #[error("the peer sent nothing for longer than the time to live in its PING")]
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
            MechanismError::Closed(reason) => Self::ClosedWithReason(CloseReason::decode(reason)),
            MechanismError::Denied(denial) => Self::Denied(denial),
            #[cfg(feature = "curve")]
            MechanismError::Curve(error) => Self::Curve(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn refusal_explains_the_status_code_of_zap() {
        for (reason, text) in [
            ("400", "400, the credentials are rejected"),
            ("300", "300, temporary error, try again later"),
            ("500", "500, the authenticator failed"),
            ("invalid key\n", "invalid key\\n"),
        ] {
            let error = ConnectionError::Refused(reason.into());
            assert_eq!(error.to_string(), ["the peer refused the connection: ", text].concat());
        }
    }

    #[test]
    fn incompatible_type_error_names_the_compatible_types() {
        let error = ConnectionError::Incompatible { ours: SocketType::Sub, theirs: SocketType::Push };
        assert_eq!(
            error.to_string(),
            "a SUB socket is not compatible with a PUSH socket; the peers of a SUB are PUB, XPUB"
        );
    }
}
