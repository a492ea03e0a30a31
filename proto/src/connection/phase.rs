//! [`Phase`]: the state of a connection, from greeting to traffic.

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

/// State of a connection.
///
/// ```text
/// Greeting ──64 bytes──► Handshake ──properties exchanged──► Traffic or Sealed
///                            │                                 ▲
///                            └──► AwaitingSocket ───attached───┘      any state ──error──► Closed
///
/// Greeting ──version before ZMTP 3──► Legacy ──► Traffic
///
/// Raw: connection of a STREAM socket, no transition
///
/// Proxy ──proxy has connected──► Greeting or Raw
/// ```
#[derive(Debug)]
pub(super) enum Phase {
    /// Handshake with a SOCKS proxy.
    Proxy(Socks),
    /// Exchange of greetings.
    Greeting {
        /// Received bytes of the greeting.
        // Boxed, because it is large and needed for a short time only.
        bytes: Box<[u8; Greeting::LEN]>,
        /// Number of bytes received.
        len: usize,
        deadline: Option<Instant>,
        side: HandshakeOwner,
    },
    /// Handshake with a peer of a version before ZMTP 3.
    Legacy { legacy: LegacyPhase, deadline: Option<Instant> },
    /// Handshake of the security mechanism.
    Handshake { mechanism: Mechanism, deadline: Option<Instant>, side: HandshakeOwner },
    /// The peer has requested a resource on a shared listener; the connection waits for a socket.
    AwaitingSocket { ready_pending: ReadyPending, deadline: Option<Instant> },
    /// Messages and commands may be exchanged, unencrypted.
    Traffic(Arc<Peer>),
    /// Messages and commands may be exchanged inside encrypted frames.
    #[cfg(feature = "curve")]
    Sealed(Arc<Peer>, Box<Opener>),
    /// Bytes without ZMTP framing (STREAM).
    Raw(Arc<Peer>),
    /// The connection has failed; input is ignored.
    Closed,
}

/// Owner of a connection during the handshake. A connection of a shared listener gets a socket later than other
/// connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HandshakeOwner {
    /// A socket.
    Socket,
    /// A listener that several sockets share. The connection belongs to no socket yet.
    SharedListener,
}

impl HandshakeOwner {
    /// Returns true if this side sends its greeting in parts, because the peer may use a version before ZMTP 3.
    pub(super) fn sends_greeting_in_steps(self, config: &ConnectionConfig) -> bool {
        // On a shared listener a legacy handshake is impossible: it requires our socket type before the peer names a
        // resource.
        self == Self::Socket && config.accepts_legacy_peers()
    }
}

impl Phase {
    /// Returns true until the handshake is done. Returns false for a closed connection.
    pub(super) const fn is_before_traffic(&self) -> bool {
        !self.is_traffic() && !matches!(self, Self::Raw(_) | Self::Closed)
    }

    /// Returns true if the handshake is done and ZMTP messages can be exchanged.
    pub(super) const fn is_traffic(&self) -> bool {
        match self {
            Self::Traffic(_) => true,
            #[cfg(feature = "curve")]
            Self::Sealed(..) => true,
            _ => false,
        }
    }

    /// Returns the time at which the handshake must be done; `None` without a timeout, and after the handshake.
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
