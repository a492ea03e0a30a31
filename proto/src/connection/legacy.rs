//! Peers of versions before ZMTP 3: 2.0 (RFC 15, libzmq 3) and 1.0 (RFC 13, libzmq 2).
//!
//! A peer of 2.0 sends a byte with its socket type, a peer of 1.0 sends no type. Both then send a frame with their
//! routing id, and after that messages. In its replies, this side sends the same bytes as libzmq 4 does.

use super::link::PeerInfo;
use super::{Connection, Phase, Subscription};
use crate::connection::error::ConnectionError;
use crate::security::{AuthIdentity, HandshakeOutcome};
use crate::socket_type::SocketType;
use crate::time::Instant;
use crate::wire::{FrameHead, Metadata, Version};
use bytes::Bytes;

/// Progress of the handshake with a peer of ZMTP 2.0 or 1.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LegacyPhase {
    /// The peer sent no signature, but began with the frame of its routing id, as peers of ZMTP 1.0 do.
    Unsigned,
    /// Signature and revision are received. The socket type comes next, then the frame of the routing id.
    Signed,
    /// Signature, revision and socket type are received. The frame of the routing id comes next.
    Typed(SocketType),
}

/// Returns the ZMTP version (2.0 or 1.0) that the revision byte in a greeting means; `None` for any other byte.
pub(super) const fn version(revision: u8) -> Option<Version> {
    match revision {
        // A peer of ZMTP 1.0 that sends the greeting of 2.0.
        0 => Some(Version::V1_0),
        1 => Some(Version::V2_0),
        _ => None,
    }
}

/// Handshake with peers of ZMTP 2.0 and 1.0.
impl Connection {
    /// Begins the handshake with a peer of ZMTP 2.0 or 1.0. Before this call, our side has sent only the signature of
    /// its greeting, or the signature and the major version. `legacy` is the part of the handshake that the peer has
    /// already sent.
    pub(super) fn begin_legacy(&mut self, legacy: LegacyPhase, version: Version, deadline: Option<Instant>) {
        self.version = version;
        self.decoder.is_1_0 = self.version < Version::V2_0;
        let routing_id = &self.config.routing_id;
        let head = FrameHead { command: false, more: false, size: routing_id.len() as u64 };
        let out = self.outbox.ahead();
        // A peer that sends no signature has read our signature as the head of this frame.
        if legacy != LegacyPhase::Unsigned {
            out.extend(self.config.socket_type.code());
            if self.decoder.is_1_0 { head.encode_1_0(out) } else { head.encode(out) }
        }
        out.extend_from_slice(routing_id);
        self.phase = Phase::Legacy { legacy, deadline };
    }

    /// Processes input of the handshake with a peer of ZMTP 2.0 or 1.0. Returns false if more input is needed.
    pub(super) fn handle_legacy(&mut self, input: &mut &[u8], now: Instant) -> Result<bool, ConnectionError> {
        let Phase::Legacy { legacy, .. } = &mut self.phase else { return Ok(true) };
        if *legacy == LegacyPhase::Signed {
            let Some((&code, rest)) = input.split_first() else { return Ok(false) };
            *input = rest;
            let theirs = SocketType::from_code(code).ok_or(ConnectionError::UnknownSocketType)?;
            *legacy = LegacyPhase::Typed(theirs);
            self.check_socket_type(theirs)?;
            return Ok(true);
        }
        let legacy = *legacy;
        let routing_id = self.decoder.routing_id(input).map_err(|error| match legacy {
            // An invalid first frame is most likely the beginning of another protocol.
            LegacyPhase::Unsigned => ConnectionError::NotZmtp,
            LegacyPhase::Signed | LegacyPhase::Typed(_) => error,
        })?;
        let Some(routing_id) = routing_id else { return Ok(false) };
        let ours = self.config.socket_type;
        // ZMTP 1.0 has no socket types: a compatible type is assumed.
        let assumed = ours.peers().first().copied().unwrap_or(ours);
        let socket_type = match legacy {
            LegacyPhase::Typed(socket_type) => socket_type,
            LegacyPhase::Signed | LegacyPhase::Unsigned => assumed,
        };
        let unauthenticated = HandshakeOutcome {
            identity: AuthIdentity::default(),
            #[cfg(feature = "curve")]
            cipher: None,
        };
        self.establish(PeerInfo { socket_type, routing_id, metadata: Metadata::new() }, unauthenticated, now);
        // In libzmq 2, subscribers filter messages themselves and send no subscriptions, so publishers send them all
        // messages.
        if legacy == LegacyPhase::Unsigned && ours.accepts_subscriptions() {
            self.push_subscription(Subscription::Subscribe(Bytes::new()));
        }
        Ok(true)
    }
}
