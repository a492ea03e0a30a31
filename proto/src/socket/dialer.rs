//! Outgoing connections of a socket: connection attempts (dials), the delay before the next attempt (back-off), and
//! reconnects. The states of a pipe and the transitions between them are in [`PipeState`].

use super::pipe::state::{FailureKind, PipeState};
use super::{Action, Socket, Timer};
use crate::address::{Endpoint, NetworkError};
use crate::connection::{Connection, ConnectionConfig, Peer};
use crate::cost;
use crate::entropy::between;
use crate::kind::Trait;
use crate::message::Frame;
use crate::socket::error::ConnectError;
use crate::socket::event::Event;
use crate::socket::id::PipeId;
use crate::time::Instant;
use crate::wire::{Metadata, Version};
use alloc::sync::Arc;
use core::time::Duration;

impl Socket {
    /// Begins to connect to `endpoint`. If the connection is lost, the socket connects again, unless an option prevents
    /// this. Returns the id of the new pipe, which is the pair of message queues of this peer. Messages can be queued
    /// at once. If a REQ, DEALER, SUB or PUB already has a pipe for this endpoint, returns the id of that pipe and
    /// begins no further connection attempt.
    ///
    /// A ROUTER learns the routing id of the peer from the handshake. The id, and the messages that are queued for it,
    /// remain when the connection is lost. If the peer of the next connection has another routing id, that id replaces
    /// the earlier one, and the queued messages are dropped with [`DropReason::Undelivered`](super::DropReason). If the
    /// peer has no routing id, the earlier one remains.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub fn connect(&mut self, endpoint: Endpoint, now: Instant) -> Result<PipeId, ConnectError> {
        self.open(endpoint, None, now)
    }

    /// Begins to connect to `endpoint` as [`connect`](Self::connect) does, and gives the peer this routing id
    /// (`ZMQ_CONNECT_ROUTING_ID`). Messages that begin with this routing id are sent to that peer, and can be queued at
    /// once. Any peer at the endpoint has this routing id, even if it names another in its handshake. Applies to ROUTER
    /// and STREAM only.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub fn connect_as(
        &mut self,
        endpoint: Endpoint,
        routing_id: impl Into<Frame>,
        now: Instant,
    ) -> Result<PipeId, ConnectError> {
        let socket_type = self.socket_type();
        let types = Trait::RoutesById.types();
        if !types.contains(socket_type) {
            return Err(ConnectError::Unsupported("connect_as", socket_type, types.to_vec()));
        }
        let id = routing_id.into();
        if id.is_empty() || id.len() > 255 {
            return Err(ConnectError::RoutingId(id.len()));
        }
        self.open(endpoint, Some(id), now)
    }

    /// Begins to connect to `endpoint` as [`connect`](Self::connect) does, and returns the routing id of the new peer,
    /// so that messages can be sent to the peer at once (`zmq_connect_peer`). Applies to PEER only.
    ///
    /// The routing id stays the same through all reconnects.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub fn connect_peer(&mut self, endpoint: Endpoint, now: Instant) -> Result<(PipeId, Frame), ConnectError> {
        let socket_type = self.socket_type();
        let types = Trait::ConnectsPeers.types();
        if !types.contains(socket_type) {
            return Err(ConnectError::Unsupported("connect_peer", socket_type, types.to_vec()));
        }
        let pipe = self.connect(endpoint, now)?;
        let id = self.pipes.get(pipe).map(|pipe| pipe.routing_id.clone());
        Ok((pipe, id.unwrap_or_default()))
    }

    fn open(&mut self, endpoint: Endpoint, routing_id: Option<Frame>, now: Instant) -> Result<PipeId, ConnectError> {
        self.observe(now);
        if self.closing {
            return Err(self.runtime_error.map_or(ConnectError::Closed, ConnectError::Runtime));
        }
        if endpoint.is_wildcard() {
            return Err(ConnectError::Wildcard(endpoint));
        }
        if !self.supports(&endpoint) {
            return Err(ConnectError::Transport(self.socket_type(), endpoint));
        }
        if self.socket_type().connects_once()
            && let Some(existing) = self.pipes.ids().into_iter().find(|&id| self.pipes.is_connect_to(id, &endpoint))
        {
            return Ok(existing);
        }
        let pipe = self.pipes.insert(PipeState::dialled(endpoint.clone()));
        match self.pattern.on_connect(&mut self.pipes, pipe, routing_id) {
            Ok(effects) => self.effects |= effects,
            Err(error) => {
                self.pipes.remove(pipe);
                return Err(error);
            }
        }
        self.update_blocked();
        self.check_authenticator(endpoint);
        self.dial(pipe);
        Ok(pipe)
    }

    /// Emits [`Action::Dial`] for the pipe `id` if it is in the state Connecting, and starts the timer of
    /// `connect_timeout`. Over `inproc` there is no such timer.
    pub(super) fn dial(&mut self, id: PipeId) {
        let Some(pipe) = self.pipes.get_mut(id) else { return };
        let Some(endpoint) = pipe.state.endpoint().filter(|_| pipe.state.is_connecting()).cloned() else { return };
        let proxy = self.settings.proxy.as_ref();
        let to = proxy.map_or_else(|| endpoint.clone(), |proxy| proxy.dial_endpoint(&endpoint));
        pipe.state.set_proxy(proxy.cloned());
        self.actions.push_back(Action::Dial(id, to));
        // A dial over `inproc` has no timeout: it waits until the endpoint is bound.
        let waits = matches!(endpoint, Endpoint::Inproc(_));
        self.pipes.emit(|| Event::Connecting { pipe: id, endpoint });
        match self.settings.connect_timeout.filter(|_| !waits) {
            Some(timeout) => self.deadlines.set(Timer::Dial(id), self.now + timeout),
            None => self.deadlines.clear(Timer::Dial(id)),
        }
    }

    /// Reports that the connection attempt of the pipe `id` succeeded, and returns the new connection. Returns `None`
    /// if the socket has cancelled the attempt; the caller must then close the stream that the attempt opened.
    pub fn connected(&mut self, id: PipeId, now: Instant) -> Option<Connection> {
        let _call = cost::call("Socket::connected", 1);
        if !self.connected_link(id, now) {
            return None;
        }
        let state = &self.pipes.get(id)?.state;
        let endpoint = state.endpoint()?;
        let config = match endpoint.resource() {
            None => Arc::clone(&self.config),
            resource => {
                Arc::new(ConnectionConfig { resource: resource.cloned(), ..ConnectionConfig::clone(&self.config) })
            }
        };
        // The option may have changed since the dial began.
        let mut connection = match state.proxy() {
            Some(proxy) if matches!(endpoint, Endpoint::Tcp { .. }) => {
                (proxy.connect)(&config, proxy.user.clone(), endpoint, &mut *self.entropy, self.now)
            }
            Some(_) | None => Connection::new(&config, &mut *self.entropy, self.now),
        };
        connection.set_peer_address(endpoint.clone());
        self.watch_connection(id, &connection);
        Some(connection)
    }

    /// Reports that the connection attempt of the pipe `id` succeeded. Use this method instead of
    /// [`connected`](Self::connected) if the caller implements the connection as a [`Link`](crate::connection::Link),
    /// for example over `inproc`. Returns false if the socket has cancelled the attempt.
    pub fn connected_link(&mut self, id: PipeId, now: Instant) -> bool {
        let now = self.observe(now);
        let Some(pipe) = self.pipes.get_mut(id) else { return false };
        if !pipe.state.connect(now) {
            return false;
        }
        pipe.counts.dialled += 1;
        let endpoint = pipe.state.endpoint().cloned();
        self.deadlines.clear(Timer::Dial(id));
        if let Some(endpoint) = endpoint {
            self.pipes.emit(|| Event::Connected { pipe: id, endpoint });
        }
        true
    }

    /// Returns true while the pipe `id` waits for the outcome of [`Action::Dial`].
    pub fn is_dialling(&self, id: PipeId) -> bool {
        self.pipes.get(id).is_some_and(|pipe| pipe.state.is_connecting())
    }

    /// Returns the properties of this socket for the other socket of an `inproc` connection. Other transports send
    /// these properties in the handshake, which `inproc` does not have.
    pub fn as_peer(&self) -> Peer {
        Peer {
            socket_type: self.config.socket_type,
            routing_id: self.config.routing_id.clone(),
            version: Version::V3_1,
            metadata: self.config.metadata(),
            user_id: None,
            properties: Metadata::new(),
            credentials: None,
            address: None,
        }
    }

    /// Reports that the connection attempt of the pipe `id` failed because of `error`. The socket begins the next
    /// attempt after a delay. If the options do not permit another attempt, the socket removes the pipe.
    pub fn dial_failed(&mut self, id: PipeId, error: NetworkError, now: Instant) {
        let _call = cost::call("Socket::dial_failed", 1);
        self.observe(now);
        let Some(pipe) = self.pipes.get_mut(id).filter(|pipe| pipe.state.is_connecting()) else { return };
        let Some(endpoint) = pipe.state.endpoint().cloned() else { return };
        pipe.failure = Some(Arc::new(error.into()));
        pipe.state.fail_attempt();
        let attempts = pipe.state.failed_attempts();
        let is_stopped = error == NetworkError::Refused && self.settings.reconnect_stop.refused;
        let retry = if is_stopped { None } else { self.reconnect(id, FailureKind::Temporary) };
        // The runtime never gets a driver later, so a call that waits for a peer would never return.
        self.settings.fail_unreachable |= error == NetworkError::NoIoDriver;
        self.pipes.stats.failed_dials += 1;
        self.pipes.emit(|| Event::ConnectFailed { pipe: id, endpoint, error, attempts, retry });
        if retry.is_none() {
            self.remove(id);
        }
        self.attempt_failed();
    }

    /// Starts the delay (back-off) before the next dial of a pipe, after a failure of this kind, and returns the delay.
    /// Returns `None` if the pipe will not be dialled again.
    ///
    /// The delay doubles with each failure in a row, up to the maximum of the option `reconnect` or, after a refusal,
    /// `reconnect_refused`, and is then shortened by a random amount of at most half of the delay.
    pub(super) fn reconnect(&mut self, id: PipeId, kind: FailureKind) -> Option<Duration> {
        let reconnect = self.settings.reconnect?;
        let backoff = match kind {
            FailureKind::Temporary => reconnect,
            FailureKind::Refusal => self.settings.reconnect_refused,
        };
        let (now, entropy) = (self.now, &mut *self.entropy);
        let delay = self.pipes.get_mut(id)?.state.back_off(kind, now, |failures| {
            let ceiling = backoff.first.saturating_mul(1 << failures.min(30)).min(backoff.max);
            // The random part keeps peers that lost the same server from dialling all at once.
            between(entropy, ceiling / 2, ceiling)
        })?;
        self.deadlines.set(Timer::Dial(id), now + delay);
        Some(delay)
    }
}
