//! [`CloseReason`]: the reason that one side sends to the other before it closes a connection that may be opened again.
//!
//! RFC 37 has two ways to end a connection: an ERROR command, after which the peer must not connect again, and closing
//! the stream, which has no reason. Between two sides that use this crate there is a third way: a command CLOSE with a
//! reason, and then the end of the stream. It is sent only to a peer that announced the property `Close-Reason` in its
//! READY or INITIATE. The name of the property has no prefix `X-`, which RFC 37 reserves for applications. Its value is
//! the version of the command, `1`.
//!
//! ```text
//! close  = command-size %d5 "CLOSE" reason-size reason
//! reason = word *(SP number)         ; for example: message-too-large 104857600 67108864
//! ```
//!
//! CLOSE has the layout of ERROR. After a CURVE handshake it is encrypted like every command. Before, it is sent in clear
//! text, as ERROR is, and then an attacker on the path may have written it.

use super::error::ConnectionError;
use super::phase::{HandshakeOwner, Phase};
use super::{Connection, Link};
use crate::address::NetworkError;
use crate::security::{AUTH_TEMPORARY_ERROR, AuthStatus, Verdict};
use crate::wire::Command;
use alloc::vec::Vec;
use bytes::Bytes;
use thiserror::Error;

/// Reason that a peer sent before it closed the connection. The reason does not forbid another connection: the cause
/// may be gone by then.
///
/// Only peers that use this crate send a reason; the peers of other libraries only close the connection. Before the end
/// of a CURVE handshake, the reason is not authenticated.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer is a ROUTER, and another of its peers has the routing id of this side
    /// ([`ConnectionError::RoutingIdTaken`] at the peer).
    #[error("another of its peers has the same routing id as this side; it accepts this side when that peer is gone")]
    RoutingIdTaken,
    /// The peer is a PAIR or CHANNEL that has another peer ([`ConnectionError::PairInUse`] at the peer).
    #[error("it is a PAIR or CHANNEL with another peer; it accepts this side when that peer is gone")]
    PairInUse,
    /// The authenticator of the peer could not decide, or does not exist yet ([`AuthStatus::TemporaryError`] or
    /// [`ConnectionError::NoAuthenticator`] at the peer).
    #[error("its authenticator could not decide (status 300) or does not exist; it may accept this side later")]
    AuthTemporaryError,
    /// This side sent a message that is larger than the peer accepts ([`ConnectionError::TooLarge`] at the peer). The
    /// message is lost.
    #[error(
        "it accepts messages of at most {limit} bytes, and one of at least {size} bytes was sent, which is lost; see \
         `Options::max_message_size` at the peer, and `Options::max_send_size`"
    )]
    MessageTooLarge {
        /// Size of the message in bytes: the sum of its frames up to the frame that the peer refused.
        size: u64,
        /// Maximum size of a message that the peer accepts, in bytes.
        limit: u64,
    },
    /// This side sent a message that has more frames than the peer accepts ([`ConnectionError::TooManyFrames`] at the
    /// peer). The message is lost.
    #[error(
        "it accepts messages of at most {limit} frames, and one with more was sent, which is lost; see `Options::max_frames` \
         at the peer"
    )]
    TooManyFrames {
        /// Maximum number of frames of a message that the peer accepts.
        limit: u64,
    },
    /// A reason that this version of the crate does not know. Carries the text that the peer sent, at most 255 bytes.
    #[error("{}", .0.escape_ascii())]
    Other(Bytes),
}

const ROUTING_ID_TAKEN: &str = "routing-id-taken";
const PAIR_IN_USE: &str = "pair-in-use";
const MESSAGE_TOO_LARGE: &str = "message-too-large";
const TOO_MANY_FRAMES: &str = "too-many-frames";

/// Size in bytes from which a message that was partly sent at the end of the connection is a likely cause of this end.
// When the buffers of the operating system are full, a short message is partly sent at the end of any connection.
const SUSPECT: usize = 64 << 10;

impl CloseReason {
    /// Returns the reason to send to the peer before the connection is closed because of `error`; `None` if the peer is
    /// not notified of this error, or is notified by an ERROR command.
    pub(crate) fn of(error: &ConnectionError) -> Option<Self> {
        #[expect(clippy::wildcard_enum_match_arm, reason = "the peer needs no reason for most errors")]
        Some(match error {
            ConnectionError::RoutingIdTaken => Self::RoutingIdTaken,
            ConnectionError::PairInUse => Self::PairInUse,
            ConnectionError::Denied(AuthStatus::TemporaryError) | ConnectionError::NoAuthenticator => {
                Self::AuthTemporaryError
            }
            ConnectionError::TooLarge { size, limit } => Self::MessageTooLarge { size: *size, limit: *limit },
            ConnectionError::TooManyFrames { limit } => Self::TooManyFrames { limit: *limit as u64 },
            _ => return None,
        })
    }

    /// Returns the text of the reason in a CLOSE command.
    pub(crate) fn encode(&self) -> Bytes {
        let (name, numbers): (&str, &[u64]) = match self {
            Self::RoutingIdTaken => (ROUTING_ID_TAKEN, &[]),
            Self::PairInUse => (PAIR_IN_USE, &[]),
            Self::AuthTemporaryError => (AUTH_TEMPORARY_ERROR, &[]),
            Self::MessageTooLarge { size, limit } => (MESSAGE_TOO_LARGE, &[*size, *limit]),
            Self::TooManyFrames { limit } => (TOO_MANY_FRAMES, &[*limit]),
            Self::Other(text) => return text.clone(),
        };
        let mut text = Vec::from(name);
        for &number in numbers {
            text.push(b' ');
            push_decimal(&mut text, number);
        }
        text.into()
    }

    /// Decodes the text of a CLOSE command. A text that is unknown or has wrong numbers becomes [`Other`](Self::Other).
    pub(crate) fn decode(text: Bytes) -> Self {
        Self::decode_known(&text).unwrap_or(Self::Other(text))
    }

    fn decode_known(text: &[u8]) -> Option<Self> {
        let mut words = core::str::from_utf8(text).ok()?.split(' ');
        let name = words.next()?;
        let mut number = || words.next()?.parse().ok();
        let known = match name {
            ROUTING_ID_TAKEN => Self::RoutingIdTaken,
            PAIR_IN_USE => Self::PairInUse,
            AUTH_TEMPORARY_ERROR => Self::AuthTemporaryError,
            MESSAGE_TOO_LARGE => Self::MessageTooLarge { size: number()?, limit: number()? },
            TOO_MANY_FRAMES => Self::TooManyFrames { limit: number()? },
            _ => return None,
        };
        words.next().is_none().then_some(known)
    }
}

/// Appends a number in decimal digits.
// Without `core::fmt`, of which a program for a microcontroller may need nothing else.
fn push_decimal(text: &mut Vec<u8>, mut number: u64) {
    let at = text.len();
    loop {
        text.push(b"0123456789"[(number % 10) as usize]);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    text[at..].reverse();
}

/// Most likely reason of a peer that closed the connection during the handshake without a reason, as the peers of other
/// libraries do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LikelyReason {
    /// This side has sent a user name and a password, or a public key, and the authenticator of the peer did not accept
    /// them or could not decide.
    #[error("its authenticator does not accept the credentials of this side, could not decide, or does not exist")]
    Credentials,
    /// This side is a CURVE client, and the peer has not answered the first command of the handshake, which only the owner of the
    /// server key can read.
    #[error("the server key in the options of this side is not its public key")]
    ServerKey,
    /// This side has a routing id, which another peer of the same ROUTER may have too.
    #[error("another of its peers has the same routing id as this side")]
    RoutingIdTaken,
    /// This side is a PAIR or CHANNEL, and the peer may have another peer.
    #[error("it is a PAIR or CHANNEL that has another peer")]
    PairInUse,
    /// This side has requested a resource, to which no socket at the port of the peer may be bound.
    #[error("no socket at its port is bound to the resource in the endpoint, as in tcp://host:port/resource")]
    UnknownResource,
    /// The socket types of the two sides may be incompatible, the peer may have reached a limit, or several sockets share
    /// its port.
    #[error(
        "its socket type is not compatible with that of this side, it has reached a limit, or its port is shared and the \
         endpoint needs a resource"
    )]
    SocketType,
}

/// End of a connection, with a reason for the peer or for this side.
impl Connection {
    /// Ends the connection because of `error`. If the peer accepts the command CLOSE, and `error` has a reason for the
    /// peer, queues the command.
    pub(crate) fn fail(&mut self, error: &ConnectionError) {
        if let Some(reason) = CloseReason::of(error)
            && self.peer().is_some_and(|peer| peer.metadata.accepts_close_reason())
        {
            self.outbox.push_command(&Command::Close(reason.encode()));
            self.outbox.stop();
            self.sends_close_reason = true;
        }
        self.phase = Phase::Closed;
        self.pending_auth = None;
    }

    /// Returns true if the connection has failed, and a CLOSE command with the reason is queued for the peer.
    pub(crate) const fn sends_close_reason(&self) -> bool {
        self.sends_close_reason
    }

    /// Returns the most precise reason for the end of the connection. `error` is the error that the stream reported. If
    /// the peer closed the connection in a phase from which its reason can be guessed, returns
    /// [`ConnectionError::ClosedInGreeting`] or [`ConnectionError::ClosedBeforeReady`]; otherwise `error`.
    #[must_use]
    pub fn end_reason(&self, error: ConnectionError) -> ConnectionError {
        if !matches!(error, ConnectionError::PeerClosed | ConnectionError::Network(NetworkError::Reset)) {
            return error;
        }
        if self.phase.is_traffic() {
            let size = self.outbox.message_under_way().filter(|&size| size >= SUSPECT);
            return size.map_or(error, |size| ConnectionError::ClosedDuringMessage { size: size as u64 });
        }
        match &self.phase {
            Phase::Greeting { len, side, .. } if self.awaits_mechanism(*len, *side) => {
                ConnectionError::ClosedInGreeting { ours: self.config.security.mechanism() }
            }
            Phase::Handshake { mechanism, side: HandshakeOwner::Socket, .. } => match mechanism.awaited_verdict() {
                #[cfg(any(feature = "plain", feature = "curve"))]
                Some(Verdict::Credentials) => ConnectionError::ClosedBeforeReady(LikelyReason::Credentials),
                #[cfg(feature = "curve")]
                Some(Verdict::ServerKey) => ConnectionError::ClosedBeforeReady(LikelyReason::ServerKey),
                Some(Verdict::Metadata) => ConnectionError::ClosedBeforeReady(self.config.likely_rejection()),
                None => error,
            },
            Phase::Proxy(_)
            | Phase::Greeting { .. }
            | Phase::Legacy { .. }
            | Phase::Handshake { .. }
            | Phase::AwaitingSocket { .. }
            | Phase::AwaitingAdmission(_)
            | Phase::Traffic(_)
            | Phase::Raw(_)
            | Phase::Closed => error,
            #[cfg(feature = "curve")]
            Phase::Sealed(..) => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_reasons_decode_to_the_same() {
        for reason in [
            CloseReason::RoutingIdTaken,
            CloseReason::PairInUse,
            CloseReason::AuthTemporaryError,
            CloseReason::MessageTooLarge { size: u64::MAX, limit: 0 },
            CloseReason::TooManyFrames { limit: 4096 },
            CloseReason::Other("restart in 5 s".into()),
        ] {
            assert_eq!(CloseReason::decode(reason.encode()), reason);
        }
    }

    #[test]
    fn unknown_or_malformed_reason_is_kept_as_text() {
        for text in [
            &b""[..],
            b"routing-id-taken now",
            b"message-too-large",
            b"message-too-large 1",
            b"message-too-large 1 -2",
            b"message-too-large 1 2 3",
            b"too-many-frames 99999999999999999999999",
            b"\xff",
        ] {
            assert_eq!(CloseReason::decode(Bytes::from_static(text)), CloseReason::Other(Bytes::from_static(text)));
        }
    }
}
