//! Sockets that share a port: which connections are theirs, and which they ask for (RFC 37, "The Resource Property").

use super::{ListenerId, Socket};
use crate::config::ConnectionConfig;
use crate::connection::Connection;
use crate::endpoint::Endpoint;
#[cfg(feature = "std")]
use crate::error::ConnectionError;
#[cfg(feature = "std")]
use crate::event::Event;
use crate::pipe::PipeId;
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
        connection.caller()?;
        let pipe = self.admit(id, from, now)?;
        connection.join(&self.config);
        Some(pipe)
    }

    /// A conversation with somebody who may want another socket at that port. `None`: another one may not begin so soon.
    #[cfg(feature = "std")]
    pub(crate) fn receive(
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

    /// A connection to one of this socket's listeners, which others share, ended before it was known whom it was for.
    #[cfg(feature = "std")]
    pub(crate) fn turned_away(&mut self, id: ListenerId, from: &Endpoint, reason: &ConnectionError) {
        if let Some(listener) = self.listeners.get(&id) {
            let (endpoint, from, reason) = (listener.endpoint(), from.clone(), reason.clone());
            self.pipes.tell(|| Event::Unclaimed { endpoint, from, reason });
        }
    }

    /// A listener is closed that nobody told to: who had opened it is gone with its runtime.
    #[cfg(feature = "std")]
    pub(crate) fn listener_lost(&mut self, id: ListenerId) {
        self.unlisten(id);
    }

    /// The settings of its connections.
    #[cfg(feature = "std")]
    pub(crate) const fn config(&self) -> &Arc<ConnectionConfig> {
        &self.config
    }

    /// The settings of a connection that this pipe has dialled: the socket's, with the resource that is asked for.
    pub(super) fn config_for(&self, id: PipeId) -> Arc<ConnectionConfig> {
        match self.pipes.get(id).and_then(|pipe| pipe.life.endpoint().resource()) {
            None => Arc::clone(&self.config),
            resource => {
                Arc::new(ConnectionConfig { resource: resource.cloned(), ..ConnectionConfig::clone(&self.config) })
            }
        }
    }
}
