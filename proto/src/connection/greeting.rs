//! The greeting of 64 bytes in each direction (RFC 37, "Greeting"), sent in parts while the peer may use a version
//! before ZMTP 3.

use super::Connection;
use super::legacy::{self, LegacyPhase};
use super::phase::{HandshakeOwner, Phase};
use crate::connection::config::ConnectionConfig;
use crate::connection::error::ConnectionError;
use crate::cost;
use crate::time::Instant;
use crate::wire::{Greeting, Opening, Version};

impl Connection {
    /// Processes the next part of the peer's greeting, and sends the next part of our greeting.
    pub(super) fn handle_greeting(&mut self, input: &mut &[u8], now: Instant) -> Result<(), ConnectionError> {
        let Phase::Greeting { bytes, len, deadline, side } = &mut self.phase else { return Ok(()) };
        let (deadline, side) = (*deadline, *side);
        let steps = [Greeting::SIGNATURE, Greeting::SIGNATURE_AND_MAJOR, Greeting::LEN];
        let step = steps.into_iter().find(|end| end > len).unwrap_or(Greeting::LEN);
        let (front, rest) = input.split_at((step - *len).min(input.len()));
        cost::bytes(front.len());
        bytes[*len..*len + front.len()].copy_from_slice(front);
        *len += front.len();
        *input = rest;
        let in_steps = side.sends_greeting_in_steps(&self.config);
        match Greeting::look(&bytes[..*len]) {
            Opening::Zmtp3 if *len == Greeting::LEN => {
                let greeting = Greeting::decode(bytes);
                self.check_greeting(greeting)?;
                self.begin_handshake(deadline, side)
            }
            Opening::Zmtp3 => {
                if in_steps && *len == step {
                    let next = if step == Greeting::SIGNATURE { Greeting::SIGNATURE_AND_MAJOR } else { Greeting::LEN };
                    self.outbox.push_bytes(&our_greeting(&self.config)[step..next]);
                }
                Ok(())
            }
            Opening::Old(revision) => {
                let version = legacy::version(revision).filter(|_| in_steps);
                let version = version.ok_or(ConnectionError::Version(revision))?;
                self.begin_legacy(LegacyPhase::Signed, version, deadline);
                Ok(())
            }
            Opening::Unsigned if in_steps => {
                // The bytes are not a greeting, but the beginning of the first frame.
                let received = bytes[..*len].to_vec();
                self.begin_legacy(LegacyPhase::Unsigned, Version::V1_0, deadline);
                self.consume(&mut &received[..], None, now)
            }
            Opening::Unsigned => Err(ConnectionError::NotZmtp),
        }
    }

    /// Returns true if this side has sent its mechanism and has not received the mechanism of the peer, which is in the
    /// greeting of `side` and of which `len` bytes were received.
    pub(super) fn awaits_mechanism(&self, len: usize, side: HandshakeOwner) -> bool {
        let least = if side.sends_greeting_in_steps(&self.config) {
            Greeting::SIGNATURE_AND_MAJOR
        } else if self.config.security.is_server() {
            // Port scanners and health checks connect to servers and send nothing.
            Greeting::SIGNATURE
        } else {
            0
        };
        len >= least
    }

    /// Checks the complete greeting of the peer, and sets the ZMTP version of the connection.
    fn check_greeting(&mut self, greeting: Greeting) -> Result<(), ConnectionError> {
        let security = &self.config.security;
        let ours = security.mechanism();
        if greeting.mechanism != ours {
            return Err(ConnectionError::MechanismMismatch { ours, theirs: greeting.mechanism });
        }
        // Only `as_server` set on both sides is an error: libzmq never sets it, not even in a server.
        if greeting.as_server && security.is_server() {
            return Err(ConnectionError::SameRole { server: true });
        }
        // RFC 37: the side with the higher version uses the lower one, and every later version is compatible with 3.1.
        self.version = greeting.version.min(Version::V3_1);
        Ok(())
    }
}

/// Returns the complete greeting of this side.
pub(super) fn our_greeting(config: &ConnectionConfig) -> [u8; Greeting::LEN] {
    let (mechanism, as_server) = (config.security.mechanism(), config.security.is_server());
    let greeting = Greeting { version: Version::V3_1, mechanism, as_server };
    greeting.encode(u8::try_from(config.routing_id.len()).unwrap_or(u8::MAX))
}
