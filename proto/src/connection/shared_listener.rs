//! Conversations with peers of whom it is not known yet which of several sockets they want: greeting and READY are read, and
//! ours is held back, for it says what the socket is (RFC 37, "The Resource Property").

use super::{Connection, Heartbeat, Phase, READ_AHEAD, Side};
use crate::address::Resource;
use crate::connection::config::ConnectionConfig;
use crate::connection::error::{ConnectionError, Timeout};
use crate::entropy::Entropy;
use crate::security::{HandshakeEntropy, ReadyPending};
use crate::time::Instant;
use crate::wire::{DecodeError, Metadata, RESOURCE};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A peer that has said what it is and which resource it wants, and waits for a socket to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingPeer {
    metadata: Metadata,
    resource: Option<Resource>,
    /// What it said after that, not looked at: what is allowed depends on the socket.
    rest: Vec<u8>,
    /// A socket has taken it over.
    joined: bool,
}

impl PendingPeer {
    /// The resource it asks for; `None` if it asks for none, as libzmq's sockets do.
    pub const fn resource(&self) -> Option<&Resource> {
        self.resource.as_ref()
    }

    /// Everything that it says of itself.
    pub const fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Whether more may be read before the socket is there, so that a peer that goes is noticed.
    pub(super) const fn has_room(&self) -> bool {
        self.rest.len() < READ_AHEAD
    }
}

/// Reception: for one listener and several sockets.
impl Connection {
    /// A conversation with somebody who may want any of several sockets. `limits` holds until it is known whom:
    /// `handshake_timeout` above all, which goes on until a socket has taken the conversation over.
    ///
    /// It greets at once, and says READY when [`Socket::received`](crate::Socket::received) has made it the conversation of
    /// the socket that is bound to what [`pending_peer`](Self::pending_peer) asks for. Two sides that both wait for the other's READY
    /// would wait for ever; but who dials never waits.
    ///
    /// A loop of one's own drives it with a [`Session`](crate::Session), and looks at the caller in each exchange:
    ///
    /// ```
    /// # use sansmq_proto::{ConnectionError, Endpoint, Instant, ListenerId, PipeId, SessionBuffers, Session, Socket, Stream, Turn};
    /// # use std::collections::BTreeMap;
    /// /// Sockets by the resource they are bound to, all at one port.
    /// type Services = BTreeMap<Option<String>, (Socket, ListenerId)>;
    ///
    /// /// One turn of a connection; `seat` is where it belongs, once that is known.
    /// fn turn(
    ///     services: &mut Services,
    ///     seat: &mut Option<(Option<String>, PipeId)>,
    ///     session: &mut Session,
    ///     stream: &mut impl Stream,
    ///     buffers: &mut SessionBuffers,
    ///     from: &Endpoint,
    ///     now: Instant,
    /// ) -> Result<Turn, ConnectionError> {
    ///     session.turn(stream, buffers, now, |connection| {
    ///         if let Some(pending_peer) = connection.pending_peer() {
    ///             let wanted = pending_peer.resource().map(ToString::to_string);
    ///             if let Some((socket, listener)) = services.get_mut(&wanted) {
    ///                 *seat = socket.received(*listener, from.clone(), connection, now).map(|pipe| (wanted, pipe));
    ///             } // else it waits, and is turned away when its time for the handshake is over
    ///         }
    ///         let Some((name, pipe)) = seat else { return Ok(()) };
    ///         let Some((socket, _)) = services.get_mut(name) else { return Err(ConnectionError::PeerClosed) };
    ///         socket.exchange(*pipe, connection)
    ///     })
    /// }
    /// ```
    pub fn receive(limits: &Arc<ConnectionConfig>, entropy: &mut dyn Entropy, now: Instant) -> Self {
        Self::greeting(Side::AwaitingSocket, limits, HandshakeEntropy::draw(&limits.security, entropy), now)
    }

    /// Who waits for a socket, and for which; `None` before that is known, and when a socket has taken it over.
    pub fn pending_peer(&self) -> Option<&PendingPeer> {
        self.pending_peer.as_deref().filter(|pending_peer| !pending_peer.joined)
    }

    /// The peer has said who it is, and with that, whom it wants.
    pub(super) fn wait_for_socket(
        &mut self,
        metadata: Metadata,
        ready_pending: ReadyPending,
        deadline: Option<Instant>,
    ) -> Result<(), ConnectionError> {
        let named = metadata.get(RESOURCE).map(|value| Resource::read(value).ok_or(DecodeError::Resource));
        let resource = named.transpose()?;
        self.pending_peer = Some(Box::new(PendingPeer { metadata, resource, rest: Vec::new(), joined: false }));
        self.phase = Phase::AwaitingSocket { ready_pending, deadline };
        Ok(())
    }

    /// Octets in reception, after all that the handshake needs of the peer.
    pub(super) fn handle_before_join(&mut self, input: &[u8]) {
        if let Some(pending_peer) = &mut self.pending_peer {
            pending_peer.rest.extend_from_slice(input);
        }
    }

    /// Makes it the conversation of a socket with these settings. What the peer has said already is looked at by the next
    /// [`handle_input`](Self::handle_input), which also says who we are.
    /// False: nobody waits here.
    pub(crate) fn join(&mut self, config: &Arc<ConnectionConfig>) -> bool {
        let Some(pending_peer) = self.pending_peer.as_mut().filter(|pending_peer| !pending_peer.joined) else {
            return false;
        };
        pending_peer.joined = true;
        self.config = Arc::clone(config);
        self.heartbeat = Heartbeat::new(config.heartbeat.as_ref());
        true
    }

    /// Whether a socket has taken it over and what the peer said before was not looked at yet.
    pub(crate) fn is_behind(&self) -> bool {
        self.pending_peer.as_ref().is_some_and(|pending_peer| pending_peer.joined)
            && !matches!(self.phase, Phase::Closed)
    }

    /// Looks at what the peer has said before a socket took it over.
    pub(super) fn resume(&mut self, now: Instant) -> Result<(), ConnectionError> {
        if !self.is_behind() {
            return Ok(());
        }
        let Some(pending_peer) = self.pending_peer.take() else { return Ok(()) };
        if let Phase::AwaitingSocket { ready_pending, .. } = core::mem::replace(&mut self.phase, Phase::Closed) {
            self.send_ready(pending_peer.metadata, ready_pending, now)?;
        }
        self.consume(&mut &pending_peer.rest[..], None, now)
    }

    /// Why it ends when the time for its handshake is over.
    pub(super) fn handshake_timeout_error(&self) -> ConnectionError {
        match self.pending_peer() {
            Some(pending_peer) => ConnectionError::NoSuchResource(pending_peer.resource.clone()),
            None => ConnectionError::TimedOut(Timeout::Handshake),
        }
    }
}
