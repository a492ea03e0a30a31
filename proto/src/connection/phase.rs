//! How far a conversation has come.

use super::Peer;
use super::socks::Socks;
use crate::security::Mechanism;
use crate::time::Instant;
use crate::wire::Greeting;
use alloc::sync::Arc;

/// ```text
/// Greeting ──64 octets──► Handshake ──READY both ways──► Traffic
///     │                       ▲
///     └──► Reception ──joins──┘            any of them ──error──► Closed
///
/// Raw, for ever: a STREAM socket's connection
///
/// Proxy ──the proxy has put us through──► Greeting or Raw
/// ```
#[derive(Debug)]
pub(super) enum Phase {
    Proxy(Socks),
    Greeting {
        octets: [u8; Greeting::LEN],
        len: usize,
        deadline: Option<Instant>,
        side: Side,
    },
    /// The peer is to say which socket it wants, and then that socket to take the conversation over.
    Reception {
        deadline: Option<Instant>,
    },
    Handshake {
        mechanism: Mechanism,
        deadline: Option<Instant>,
    },
    Traffic(Arc<Peer>),
    Raw(Arc<Peer>),
    Closed,
}

/// Whose conversation it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Socket,
    /// Nobody's yet.
    Reception,
}

impl Phase {
    /// When the handshake has to be done, while it is not.
    pub(super) const fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Proxy(socks) => socks.deadline,
            Self::Greeting { deadline, .. } | Self::Reception { deadline } | Self::Handshake { deadline, .. } => {
                *deadline
            }
            Self::Traffic(_) | Self::Raw(_) | Self::Closed => None,
        }
    }
}
