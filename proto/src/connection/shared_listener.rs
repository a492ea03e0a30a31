//! Connections of a listener that several sockets share (RFC 37, "The Resource Property"). The peer's READY requests a
//! resource, and the socket that is bound to this resource gets the connection. Our READY is sent after that, because
//! it contains the type of this socket.

use super::{Connection, HandshakeOwner, Heartbeat, Phase};
use crate::address::Resource;
use crate::connection::config::ConnectionConfig;
use crate::connection::error::{ConnectionError, Timeout};
use crate::cost;
use crate::entropy::Entropy;
use crate::security::{HandshakeEntropy, ReadyPending};
use crate::time::Instant;
use crate::wire::{DecodeError, Metadata, RESOURCE};
use alloc::boxed::Box;
use alloc::sync::Arc;

/// Peer of a shared listener that has sent its READY or INITIATE, and that waits for the socket that is bound to the
/// requested resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingPeer {
    metadata: Metadata,
    resource: Option<Resource>,
    /// True once the connection is attached to a socket.
    joined: bool,
}

impl PendingPeer {
    /// Returns the resource that the peer requests. Returns `None` if the peer's READY or INITIATE has no property
    /// Resource. A libzmq peer sends no such property.
    pub const fn resource(&self) -> Option<&Resource> {
        self.resource.as_ref()
    }

    /// Returns all properties of the peer's READY or INITIATE.
    pub const fn metadata(&self) -> &Metadata {
        &self.metadata
    }
}

/// Connections of a listener that several sockets share.
impl Connection {
    /// Creates a connection of a listener that several sockets share. Each of these sockets is bound to its own
    /// resource, a name by which peers select the socket. The settings `limits` apply until the connection is attached
    /// to one of the sockets; `handshake_timeout` includes the wait for a socket.
    ///
    /// The connection sends its greeting at once. Its READY is sent after [`Socket::attach`](crate::Socket::attach) has
    /// attached the connection to the socket that is bound to the resource of [`pending_peer`](Self::pending_peer).
    /// This cannot cause a deadlock, because the connecting side sends its own READY or INITIATE without waiting for
    /// this READY.
    ///
    /// A driver, the code that does the IO, passes the connection to a [`Session`](crate::Session), and calls
    /// [`Session::turn`](crate::Session::turn) with a closure. Each time `turn` calls this closure, the closure checks
    /// if the peer waits for a socket, and if so, attaches the connection:
    ///
    /// ```
    /// # use sansmq::proto::{ConnectionError, Endpoint, Instant, ListenerId, PipeId, Session, SessionBuffers, Socket, Stream, Turn};
    /// # use std::collections::BTreeMap;
    /// /// Sockets by the resource that they are bound to, all on one port.
    /// type Services = BTreeMap<Option<String>, (Socket, ListenerId)>;
    ///
    /// /// Calls `turn` for one session. `assigned` is set when its connection is attached to a socket, and contains
    /// /// the resource and the pipe.
    /// fn turn(
    ///     services: &mut Services,
    ///     assigned: &mut Option<(Option<String>, PipeId)>,
    ///     session: &mut Session,
    ///     stream: &mut impl Stream,
    ///     buffers: &mut SessionBuffers,
    ///     from: &Endpoint,
    ///     now: Instant,
    /// ) -> Result<Turn, ConnectionError> {
    ///     session.turn(stream, buffers, now, |connection| {
    ///         if let Some(pending_peer) = connection.pending_peer() {
    ///             let resource = pending_peer.resource().map(ToString::to_string);
    ///             if let Some((socket, listener)) = services.get_mut(&resource) {
    ///                 let pipe = socket.attach(*listener, from.clone(), connection, now);
    ///                 // A socket that has reached a limit rejects the peer.
    ///                 *assigned = Some((resource, pipe.map_err(|_| ConnectionError::LocallyClosed)?));
    ///             } // otherwise the peer waits, and is rejected when the handshake timeout expires
    ///         }
    ///         let Some((name, pipe)) = assigned else { return Ok(()) };
    ///         let Some((socket, _)) = services.get_mut(name) else { return Err(ConnectionError::LocallyClosed) };
    ///         socket.exchange(*pipe, connection)
    ///     })
    /// }
    /// ```
    pub fn for_shared_listener(limits: &Arc<ConnectionConfig>, entropy: &mut dyn Entropy, now: Instant) -> Self {
        Self::begin(HandshakeOwner::SharedListener, limits, HandshakeEntropy::draw(&limits.security, entropy), now)
    }

    /// Returns the peer of this connection while the peer waits for a socket. Returns `None` before the peer's READY is
    /// received, and after the connection is attached to a socket.
    pub fn pending_peer(&self) -> Option<&PendingPeer> {
        self.pending_peer.as_deref().filter(|pending_peer| !pending_peer.joined)
    }

    /// Stores the properties that the peer sent in READY or INITIATE, and makes the connection wait for a socket until
    /// `deadline`. `ready_pending` is the state of the handshake that is needed to send our READY later.
    pub(super) fn wait_for_socket(
        &mut self,
        metadata: Metadata,
        ready_pending: ReadyPending,
        deadline: Option<Instant>,
    ) -> Result<(), ConnectionError> {
        let named = metadata.get(RESOURCE).map(|value| Resource::read(value).ok_or(DecodeError::Resource));
        let resource = named.transpose()?;
        self.pending_peer = Some(Box::new(PendingPeer { metadata, resource, joined: false }));
        self.phase = Phase::AwaitingSocket { ready_pending, deadline };
        Ok(())
    }

    /// Attaches the connection to a socket with the settings `config`. The next [`handle_input`](Self::handle_input)
    /// sends our READY and processes the stored input. Returns false if the connection does not wait for a socket.
    pub(crate) fn join(&mut self, config: &Arc<ConnectionConfig>) -> bool {
        let Some(pending_peer) = self.pending_peer.as_mut().filter(|pending_peer| !pending_peer.joined) else {
            return false;
        };
        pending_peer.joined = true;
        self.config = Arc::clone(config);
        self.account.move_to(config.ledger.as_ref());
        self.heartbeat = Heartbeat::new(config.heartbeat.as_ref());
        true
    }

    /// Returns true if the connection is attached to a socket, or its socket has admitted the peer, and there is work
    /// left for [`resume`](Self::resume), which continues the handshake and processes the stored input. Returns false if
    /// the connection is closed.
    pub(crate) fn has_stored_input(&self) -> bool {
        if let Phase::AwaitingSocket { .. } = self.phase {
            return self.pending_peer.as_ref().is_some_and(|pending_peer| pending_peer.joined);
        }
        !self.stored_input.is_empty() && self.phase.is_traffic()
    }

    /// Continues the handshake after the connection was attached to a socket, and processes the stored input after the
    /// socket has admitted the peer.
    pub(super) fn resume(&mut self, now: Instant) -> Result<(), ConnectionError> {
        if !self.has_stored_input() {
            return Ok(());
        }
        if let Some(pending_peer) = self.pending_peer.take()
            && let Phase::AwaitingSocket { ready_pending, deadline } =
                core::mem::replace(&mut self.phase, Phase::Closed)
        {
            if self.config.socket_type.rejects_peers() {
                return self.await_admission(pending_peer.metadata, ready_pending, deadline);
            }
            self.finish_handshake(pending_peer.metadata, ready_pending, now)?;
        }
        let stored = core::mem::take(&mut self.stored_input);
        cost::resumed(stored.len());
        self.consume(&mut &stored[..], None, now)
    }

    /// Returns the error with which the connection ends when the handshake timeout expires:
    /// [`ConnectionError::NoSuchResource`] while the connection waits for a socket, otherwise
    /// [`ConnectionError::TimedOut`].
    pub(super) fn timeout_error(&self) -> ConnectionError {
        match self.pending_peer() {
            Some(pending_peer) => ConnectionError::NoSuchResource(pending_peer.resource.clone()),
            None => ConnectionError::TimedOut(Timeout::Handshake),
        }
    }
}
