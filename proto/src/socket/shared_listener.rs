//! Sockets that share a port: which connections are theirs, and which they ask for (RFC 37, "The Resource Property").

#[cfg(doc)]
use super::Action;
use super::{ListenerId, Socket};
use crate::address::Endpoint;
use crate::connection::{Connection, ConnectionConfig, ConnectionError};
use crate::socket::event::Event;
use crate::socket::id::PipeId;
use crate::time::Instant;
use alloc::sync::Arc;

impl Socket {
    /// A connection that came in to a listener of several sockets is for this one: for what its
    /// [caller](Connection::caller) asks, this socket's listener `id` is bound to. READY is said now, and what the peer has
    /// said already is looked at by the next [`Connection::handle_input`], be it of no octets; a
    /// [`Session`](crate::Session) does that after the exchange.
    ///
    /// `None`: the listener is closed, or nobody waits; the connection is as it was.
    pub fn received(
        &mut self,
        id: ListenerId,
        from: Endpoint,
        connection: &mut Connection,
        now: Instant,
    ) -> Option<PipeId> {
        connection.pending_peer()?;
        let pipe = self.accepted_link(id, from, now)?;
        connection.join(&self.config);
        Some(pipe)
    }

    /// Begins a connection at a port that several sockets share. It belongs to no socket until its peer has named a
    /// resource ([`Connection::caller`]); then [`received`](Self::received) assigns it. `limits` is the
    /// [`config`](Self::config) of the socket that opened the port. `None`: `max_handshake_rate` rejects
    /// the connection.
    pub fn receive(
        &mut self,
        id: ListenerId,
        from: &Endpoint,
        limits: &Arc<ConnectionConfig>,
        now: Instant,
    ) -> Option<Connection> {
        self.keep_pace(id, from, now)?;
        self.count_another(from);
        Some(Connection::receive(limits, &mut *self.entropy, now))
    }

    /// Reports the end of a connection at a shared port that was assigned to no socket.
    pub fn rejected(&mut self, id: ListenerId, from: &Endpoint, reason: &ConnectionError) {
        if let Some(listener) = self.listeners.get(&id) {
            let (endpoint, from, reason) = (listener.endpoint(), from.clone(), reason.clone());
            self.pipes.emit(|| Event::UnknownResource { endpoint, from, reason });
        }
    }

    /// Reports that a listener was closed without [`Action::Unlisten`], as when the runtime that had opened it ends.
    pub fn listener_lost(&mut self, id: ListenerId) {
        self.unlisten(id);
    }

    /// Returns the settings of this socket's connections.
    pub const fn config(&self) -> &Arc<ConnectionConfig> {
        &self.config
    }
}
