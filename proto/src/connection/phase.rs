//! [`Phase`]: the state of a connection, from the greeting to the exchange of messages.

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
/// Greeting ──64 bytes──► Handshake ──properties exchanged──────────────► Traffic or Sealed
///                         │     │                                            ▲
///                         │     └──the socket may reject the peer──────┐     │ admitted by the socket
///                         │                                            ▼     │
///                         └──shared listener──► AwaitingSocket ──► AwaitingAdmission
///
/// AwaitingSocket ──attached to a socket that rejects no peer──► Traffic or Sealed
///
/// Greeting ──version before ZMTP 3──► Legacy ──handshake done──► Traffic
///
/// Proxy ──proxy has connected to the peer──► Greeting, or Raw for a STREAM socket
///
/// any state ──error──► Closed
/// ```
#[derive(Debug)]
pub(super) enum Phase {
    /// Handshake with a SOCKS proxy, which has not connected to the peer yet.
    Proxy(Box<Socks>),
    /// Both sides send and receive their greetings.
    Greeting {
        /// Received bytes of the peer's greeting.
        // Boxed, because it is large and needed for a short time only.
        bytes: Box<[u8; Greeting::LEN]>,
        /// Number of bytes of the peer's greeting that are received.
        len: usize,
        deadline: Option<Instant>,
        side: HandshakeOwner,
    },
    /// Handshake with a peer of ZMTP 2.0 or 1.0. The handshake must be done at the time `deadline`; `None` for no
    /// limit.
    Legacy { legacy: LegacyPhase, deadline: Option<Instant> },
    /// Handshake of the security mechanism, after the greetings. The handshake must be done at the time `deadline`;
    /// `None` for no limit. `side` determines when the connection gets its socket.
    Handshake { mechanism: Mechanism, deadline: Option<Instant>, side: HandshakeOwner },
    /// The peer has requested a resource on a listener that several sockets share. The connection waits for a socket
    /// that is bound to this resource, until the time `deadline` (`None` for no limit). `ready_pending` is the state of
    /// the security handshake, in which only our READY is missing.
    AwaitingSocket { ready_pending: ReadyPending, deadline: Option<Instant> },
    /// The properties of the peer are known and checked. Our READY is not sent until the socket has admitted the peer.
    // Boxed, because it is large and needed for a short time only.
    AwaitingAdmission(Box<Candidate>),
    /// The handshake is done; messages and commands are sent and received unencrypted.
    Traffic(Arc<Peer>),
    /// The handshake is done; messages and commands are sent and received inside encrypted frames (CURVE).
    #[cfg(feature = "curve")]
    Sealed(Arc<Peer>, Box<Opener>),
    /// Bytes are sent and received without ZMTP (STREAM sockets).
    Raw(Arc<Peer>),
    /// The connection has failed. Further input is ignored.
    Closed,
}

/// Peer that waits until the socket has admitted it.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) peer: Arc<Peer>,
    /// State of the security handshake, in which only our READY is missing.
    pub(super) ready_pending: ReadyPending,
    /// Time at which the handshake must be done; `None` for no limit.
    pub(super) deadline: Option<Instant>,
}

/// Owner of a connection during the handshake: a socket, or a listener that several sockets share. The connection of a
/// shared listener gets its socket during the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HandshakeOwner {
    /// A socket that has opened the connection.
    Socket,
    /// A socket with a listener that has accepted the connection. If the socket may reject the peer, READY is sent only after
    /// the READY of the peer has arrived and the socket has admitted the peer. `ready_at` is the time at which READY is
    /// sent nevertheless; `None` if READY is not delayed, or not delayed any more.
    AcceptingSocket { ready_at: Option<Instant> },
    /// A listener that several sockets share. The connection gets its socket after the peer's READY.
    SharedListener,
}

impl HandshakeOwner {
    /// Returns true if this side sends its greeting in parts, because it also accepts peers of ZMTP 2.0 and 1.0.
    pub(super) fn sends_greeting_in_steps(self, config: &ConnectionConfig) -> bool {
        // On a shared listener a legacy handshake is impossible: it requires our socket type before the peer names a
        // resource.
        self != Self::SharedListener && config.accepts_legacy_peers()
    }
}

impl Phase {
    /// Returns true until the handshake is done. Returns false after the handshake, for a connection of a STREAM
    /// socket, and for a closed connection.
    pub(super) const fn is_before_traffic(&self) -> bool {
        !self.is_traffic() && !matches!(self, Self::Raw(_) | Self::Closed)
    }

    /// Returns true if the handshake is done, so that ZMTP messages can be sent and received.
    pub(super) const fn is_traffic(&self) -> bool {
        match self {
            Self::Traffic(_) => true,
            #[cfg(feature = "curve")]
            Self::Sealed(..) => true,
            _ => false,
        }
    }

    /// Returns the time at which our READY is sent, even if the READY of the peer has not arrived; `None` if our READY is
    /// not delayed.
    pub(super) const fn ready_at(&self) -> Option<Instant> {
        if let Self::Handshake { side: HandshakeOwner::AcceptingSocket { ready_at }, .. } = self {
            return *ready_at;
        }
        None
    }

    /// Returns the time at which the handshake must be done; `None` without a timeout, and after the handshake.
    pub(super) const fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Proxy(socks) => socks.deadline,
            Self::Greeting { deadline, .. }
            | Self::Legacy { deadline, .. }
            | Self::AwaitingSocket { deadline, .. }
            | Self::Handshake { deadline, .. } => *deadline,
            Self::AwaitingAdmission(candidate) => candidate.deadline,
            Self::Traffic(_) | Self::Raw(_) | Self::Closed => None,
            #[cfg(feature = "curve")]
            Self::Sealed(..) => None,
        }
    }
}
