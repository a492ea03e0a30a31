//! How far a conversation has come.

use super::Peer;
use super::legacy::LegacyPhase;
use super::socks::Socks;
use crate::connection::config::ConnectionConfig;
#[cfg(feature = "curve")]
use crate::security::curve::Opener;
use crate::security::{Mechanism, ReadyPending};
use crate::time::Instant;
use crate::wire::Greeting;
use alloc::boxed::Box;
use alloc::sync::Arc;

/// ```text
/// Greeting ──64 octets──► Handshake ──both have said who they are──► Traffic
///                             │                                         ▲
///                             └──► Reception ──a socket takes it over───┘      any of them ──error──► Closed
///
/// Greeting ──it is of before ZMTP 3──► LegacyPhase ──► Traffic
///
/// Raw, for ever: a STREAM socket's connection
///
/// Proxy ──the proxy has put us through──► Greeting or Raw
/// ```
#[derive(Debug)]
pub(super) enum Phase {
    Proxy(Socks),
    Greeting {
        /// Apart, for it is large, and soon done with.
        octets: Box<[u8; Greeting::LEN]>,
        len: usize,
        deadline: Option<Instant>,
        side: Side,
    },
    /// A peer of before ZMTP 3 is to say who it is.
    Legacy {
        legacy: LegacyPhase,
        deadline: Option<Instant>,
    },
    Handshake {
        mechanism: Mechanism,
        deadline: Option<Instant>,
        side: Side,
    },
    /// The peer has said which socket it wants; that one is to take the conversation over.
    AwaitingSocket {
        ready_pending: ReadyPending,
        deadline: Option<Instant>,
    },
    Traffic(Arc<Peer>),
    /// Traffic inside of encrypted frames.
    #[cfg(feature = "curve")]
    Sealed(Arc<Peer>, Box<Opener>),
    Raw(Arc<Peer>),
    Closed,
}

/// Whose conversation it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Socket,
    /// Nobody's yet.
    AwaitingSocket,
}

impl Side {
    /// Whether this side says no more of its greeting than a peer of before ZMTP 3 would understand, until it knows better:
    /// nobody's conversation does not, for it cannot say what this side is.
    pub(super) fn sends_greeting_in_steps(self, config: &ConnectionConfig) -> bool {
        self == Self::Socket && config.allows_legacy_peers()
    }
}

impl Phase {
    /// Whether the handshake is still to be done.
    pub(super) const fn is_before_traffic(&self) -> bool {
        !self.is_traffic() && !matches!(self, Self::Raw(_) | Self::Closed)
    }

    /// Whether messages of ZMTP may flow.
    pub(super) const fn is_traffic(&self) -> bool {
        match self {
            Self::Traffic(_) => true,
            #[cfg(feature = "curve")]
            Self::Sealed(..) => true,
            _ => false,
        }
    }

    /// When the handshake has to be done, while it is not.
    pub(super) const fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Proxy(socks) => socks.deadline,
            Self::Greeting { deadline, .. }
            | Self::Legacy { deadline, .. }
            | Self::AwaitingSocket { deadline, .. }
            | Self::Handshake { deadline, .. } => *deadline,
            Self::Traffic(_) | Self::Raw(_) | Self::Closed => None,
            #[cfg(feature = "curve")]
            Self::Sealed(..) => None,
        }
    }
}
