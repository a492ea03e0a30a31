//! Peers of before ZMTP 3: those of 2.0 (RFC 15, libzmq 3) and of 1.0 (RFC 13, libzmq 2). They say who they are by an octet
//! or not at all, and by a frame with their routing id; then messages flow. What they are told is what libzmq tells them.

use super::link::PeerInfo;
use super::{Connection, Phase, Subscription};
use crate::connection::error::ConnectionError;
use crate::security::{AuthIdentity, HandshakeOutcome};
use crate::socket_type::SocketType;
use crate::time::Instant;
use crate::wire::{FrameHead, Metadata, Version};
use bytes::Bytes;

/// A peer of before ZMTP 3, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LegacyPhase {
    /// It has not shown a signature, but begun with the frame of its routing id.
    Unsigned,
    /// It has shown one, and its revision. Its socket type comes next, and then that frame.
    Signed,
    /// It has said its type as well.
    Typed(SocketType),
}

/// The version that is meant by a revision older than ZMTP 3, if there was such a one.
pub(super) const fn version(revision: u8) -> Option<Version> {
    match revision {
        // ZMTP 1.0 with the greeting of 2.0.
        0 => Some(Version::V1_0),
        1 => Some(Version::V2_0),
        _ => None,
    }
}

/// Peers of before ZMTP 3.
impl Connection {
    /// Goes on as such a peer expects, having said no more than the signature, or that and the major version.
    pub(super) fn begin_legacy(&mut self, legacy: LegacyPhase, version: Version, deadline: Option<Instant>) {
        self.version = version;
        self.decoder.is_1_0 = self.version < Version::V2_0;
        let routing_id = &self.config.routing_id;
        let head = FrameHead { command: false, more: false, size: routing_id.len() as u64 };
        let out = self.outbox.ahead();
        // To one that shows none our signature was the head of this frame.
        if legacy != LegacyPhase::Unsigned {
            out.extend(self.config.socket_type.code());
            if self.decoder.is_1_0 { head.encode_1_0(out) } else { head.encode(out) }
        }
        out.extend_from_slice(routing_id);
        self.phase = Phase::Legacy { legacy, deadline };
    }

    /// What such a peer says of itself. False: there is more to come.
    pub(super) fn handle_legacy(&mut self, input: &mut &[u8], now: Instant) -> Result<bool, ConnectionError> {
        let Phase::Legacy { legacy, .. } = &mut self.phase else { return Ok(true) };
        if *legacy == LegacyPhase::Signed {
            let Some((&code, rest)) = input.split_first() else { return Ok(false) };
            *input = rest;
            let theirs = SocketType::from_code(code).ok_or(ConnectionError::UnknownSocketType)?;
            *legacy = LegacyPhase::Typed(theirs);
            self.compare(theirs)?;
            return Ok(true);
        }
        let legacy = *legacy;
        let routing_id = self.decoder.routing_id(input).map_err(|error| match legacy {
            // A first frame that is none is what other protocols begin with.
            LegacyPhase::Unsigned => ConnectionError::NotZmtp,
            LegacyPhase::Signed | LegacyPhase::Typed(_) => error,
        })?;
        let Some(routing_id) = routing_id else { return Ok(false) };
        let ours = self.config.socket_type;
        let supposed = ours.peers().first().copied().unwrap_or(ours);
        let socket_type = match legacy {
            LegacyPhase::Typed(socket_type) => socket_type,
            LegacyPhase::Signed | LegacyPhase::Unsigned => supposed,
        };
        let nothing = HandshakeOutcome {
            identity: AuthIdentity::default(),
            #[cfg(feature = "curve")]
            cipher: None,
        };
        self.establish(PeerInfo { socket_type, routing_id, metadata: Metadata::new() }, nothing, now);
        // In libzmq 2 subscribers kept what they subscribe to for themselves, and publishers sent them everything.
        if legacy == LegacyPhase::Unsigned && ours.takes_subscriptions() {
            self.handle_subscription(Subscription::Subscribe(Bytes::new()));
        }
        Ok(true)
    }
}
