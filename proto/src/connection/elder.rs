//! Peers of before ZMTP 3: those of 2.0 (RFC 15, libzmq 3) and of 1.0 (RFC 13, libzmq 2). They say who they are by an octet
//! or not at all, and by a frame with their routing id; then messages flow. What they are told is what libzmq tells them.

use super::{Connection, Phase, Stranger, Wish};
use crate::error::ConnectionError;
use crate::security::{Established, Guest};
use crate::socket_type::SocketType;
use crate::time::Instant;
use crate::wire::{FrameHead, Metadata, Version};
use bytes::Bytes;

/// A peer of before ZMTP 3, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Elder {
    /// It has not shown a signature, but begun with the frame of its routing id: ZMTP 1.0.
    Unsigned,
    /// It has shown one, and this revision: 2.0 is 1, and 0 is 1.0 with the greeting of 2.0.
    Signed {
        revision: u8,
        /// The octet after that.
        socket_type: Option<SocketType>,
    },
}

impl Elder {
    /// Whether this revision, which is older than ZMTP 3, is one that was.
    pub(super) const fn speaks(revision: u8) -> bool {
        revision <= 1
    }

    const fn version(self) -> Version {
        match self {
            Self::Signed { revision: 1, .. } => Version::V2_0,
            Self::Signed { .. } | Self::Unsigned => Version::V1_0,
        }
    }
}

/// Peers of before ZMTP 3.
impl Connection {
    /// Goes on as such a peer expects, having said no more than the signature, or that and the major version.
    pub(super) fn meet_elder(&mut self, elder: Elder, deadline: Option<Instant>) {
        self.version = elder.version();
        self.decoder.is_1_0 = self.version < Version::V2_0;
        let routing_id = &self.config.routing_id;
        let head = FrameHead { command: false, more: false, size: routing_id.len() as u64 };
        let out = self.outbox.ahead();
        match elder {
            // To this peer the signature was the head of this frame.
            Elder::Unsigned => {}
            Elder::Signed { .. } => {
                out.extend(self.config.socket_type.code());
                if self.decoder.is_1_0 { head.encode_1_0(out) } else { head.encode(out) }
            }
        }
        out.extend_from_slice(routing_id);
        self.phase = Phase::Elder { elder, deadline };
    }

    /// What such a peer says of itself. False: there is more to come.
    pub(super) fn hear_elder(&mut self, input: &mut &[u8], now: Instant) -> Result<bool, ConnectionError> {
        let Phase::Elder { elder, .. } = &mut self.phase else { return Ok(true) };
        if let Elder::Signed { socket_type: socket_type @ None, .. } = elder {
            let Some((&code, rest)) = input.split_first() else { return Ok(false) };
            *input = rest;
            let theirs = SocketType::from_code(code).ok_or(ConnectionError::UnknownSocketType)?;
            *socket_type = Some(theirs);
            self.compare(theirs)?;
            return Ok(true);
        }
        let elder = *elder;
        let routing_id = self.decoder.routing_id(input).map_err(|error| match elder {
            // A first frame that is none is what other protocols begin with.
            Elder::Unsigned => ConnectionError::NotZmtp,
            Elder::Signed { .. } => error,
        })?;
        let Some(routing_id) = routing_id else { return Ok(false) };
        let ours = self.config.socket_type;
        let supposed = ours.peers().first().copied().unwrap_or(ours);
        let socket_type = match elder {
            Elder::Signed { socket_type, .. } => socket_type.unwrap_or(supposed),
            Elder::Unsigned => supposed,
        };
        let nothing = Established {
            guest: Guest::default(),
            #[cfg(feature = "curve")]
            cipher: None,
        };
        self.establish(Stranger { socket_type, routing_id, metadata: Metadata::new() }, nothing, now);
        // In libzmq 2 subscribers kept what they subscribe to for themselves, and publishers sent them everything.
        if elder == Elder::Unsigned && ours.takes_subscriptions() {
            self.hear(Wish::Subscribe(Bytes::new()));
        }
        Ok(true)
    }
}
