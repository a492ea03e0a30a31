//! Ports that several sockets share: each connection is assigned to the socket that is bound to the resource that the
//! peer requests (RFC 37, "The Resource Property").

use super::{ListenerId, Socket};
use crate::address::Endpoint;
use crate::connection::{Connection, ConnectionConfig, ConnectionError};
use crate::cost;
use crate::socket::error::AcceptError;
use crate::socket::event::Event;
use crate::socket::id::PipeId;
use crate::time::Instant;
use alloc::sync::Arc;

impl Socket {
    /// Assigns a connection to this socket. The connection was accepted at a port that several sockets share, and its
    /// peer has requested a resource (see [`pending_peer`](Connection::pending_peer)). `id` is the listener of this
    /// socket that is bound to this resource; `from` is the address of the peer.
    ///
    /// The next [`Connection::handle_input`] queues READY and processes the bytes that the peer has already sent. Call
    /// `handle_input` even without new input. If `attach` is called in the `exchange` callback of a
    /// [`Session`](crate::Session), the session calls `handle_input` afterwards.
    ///
    /// # Errors
    /// [`AcceptError`]; the connection is unchanged. After [`AcceptError::Rejected`] the caller must close the
    /// connection: a repeated call would emit the event of the rejection again.
    pub fn attach(
        &mut self,
        id: ListenerId,
        from: Endpoint,
        connection: &mut Connection,
        now: Instant,
    ) -> Result<PipeId, AcceptError> {
        let _call = cost::call("Socket::attach", 1);
        connection.pending_peer().ok_or(AcceptError::NotPending)?;
        let pipe = self.accepted_link(id, from, now)?;
        connection.join(&self.config);
        self.watch_connection(pipe, connection);
        Ok(pipe)
    }

    /// Creates the [`Connection`] for a stream that was accepted at a port that several sockets share. `id` is the
    /// listener of this socket at that port, `from` is the address of the peer, and `limits` is the
    /// [`config`](Self::config) of the socket that opened the port. The connection belongs to no socket until its peer
    /// has requested a resource ([`Connection::pending_peer`]); then [`attach`](Self::attach) assigns it. Returns
    /// `None` if the address of the peer has begun more handshakes than `max_handshake_rate` allows; the caller must
    /// then close the stream.
    pub fn accept_shared(
        &mut self,
        id: ListenerId,
        from: &Endpoint,
        limits: &Arc<ConnectionConfig>,
        now: Instant,
    ) -> Option<Connection> {
        let _call = cost::call("Socket::accept_shared", 1);
        self.check_handshake_rate(id, from, now)?;
        self.count_handshake(from);
        Some(Connection::for_shared_listener(limits, &mut *self.entropy, now))
    }

    /// Reports that a connection to a port that several sockets share ended before it was assigned to a socket. The
    /// caller must call this method of each socket that shares the port. `id` is the listener of this socket at the
    /// port.
    pub fn reject_shared(&mut self, id: ListenerId, from: &Endpoint, reason: &ConnectionError) {
        if let Some(listener) = self.listeners.get(&id) {
            let (endpoint, from, reason) = (listener.endpoint(), from.clone(), reason.clone());
            self.pipes.emit(|| Event::UnknownResource { endpoint, from, reason });
        }
    }

    /// Reports that a listener was closed without [`Action::CloseListener`](super::Action::CloseListener), for example because its runtime has ended.
    pub fn listener_lost(&mut self, id: ListenerId) {
        self.remove_listener(id);
    }

    /// Returns the settings that this socket applies to its connections.
    pub const fn config(&self) -> &Arc<ConnectionConfig> {
        &self.config
    }
}
