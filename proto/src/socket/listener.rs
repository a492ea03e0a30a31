//! Listeners of a socket: bind, unbind, and accepted connections.

use super::close::LingerFrom;
use super::pipe::state::PipeState;
use super::{Action, ListenerId, Socket, Timer};
use crate::address::{Endpoint, NetworkError};
use crate::connection::Connection;
use crate::cost;
use crate::socket::error::{AcceptError, UnbindError};
use crate::socket::event::{Event, RejectReason};
use crate::socket::id::PipeId;
use crate::time::Instant;
use alloc::vec::Vec;
use core::time::Duration;

/// State of one listener of a socket, from `bind` to `unbind`.
#[derive(Debug)]
pub(super) struct Listener {
    requested: Endpoint,
    /// Bound endpoint, or the error because of which the listener could not be opened; `None` while the listener is
    /// being opened.
    pub(super) outcome: Option<Result<Endpoint, NetworkError>>,
    /// Number of failed attempts to accept a connection since the last success. The pause after a failure grows with
    /// this number.
    failures: u32,
}

impl Listener {
    pub(super) const fn new(requested: Endpoint) -> Self {
        Self { requested, outcome: None, failures: 0 }
    }

    pub(super) fn is_at(&self, endpoint: &Endpoint) -> bool {
        match &self.outcome {
            None => self.requested == *endpoint,
            Some(Ok(bound)) => self.requested == *endpoint || bound == endpoint,
            Some(Err(_)) => false,
        }
    }

    pub(super) fn endpoint(&self) -> Endpoint {
        match &self.outcome {
            Some(Ok(bound)) => bound.clone(),
            Some(Err(_)) | None => self.requested.clone(),
        }
    }
}

impl Socket {
    /// Begins to listen at the endpoint, and returns the id of the listener. [`listener`](Self::listener) returns the
    /// outcome after the driver, which does the IO, has reported it. An endpoint with a
    /// [`Source`](crate::address::Source) fails at once with [`NetworkError::HasSource`]. At a closed socket, no
    /// listener is opened, and the outcome is [`NetworkError::Other`].
    pub fn bind(&mut self, endpoint: Endpoint) -> ListenerId {
        let id = ListenerId(self.next_listener);
        self.next_listener += 1;
        if self.closing {
            return id;
        }
        let place = self.settings.transport.place(&endpoint);
        let has_source = endpoint.source().is_some();
        self.listeners.insert(id, Listener::new(endpoint));
        if has_source {
            self.listen_failed(id, NetworkError::HasSource);
        } else {
            self.actions.push_back(Action::Listen(id, place));
        }
        id
    }

    /// Returns the outcome of a `bind`: `None` while the listener is being opened, afterwards the bound endpoint of the
    /// listener or the error.
    ///
    /// # Errors
    /// The error because of which the listener could not be opened; [`NetworkError::Other`] if the listener is closed.
    pub fn listener(&self, id: ListenerId) -> Option<Result<Endpoint, NetworkError>> {
        self.listeners.get(&id).map_or(Some(Err(NetworkError::Other)), |listener| listener.outcome.clone())
    }

    /// Stops listening at the endpoint, and ends the connections that were accepted there. Each connection can still
    /// send its queued messages for as long as `linger` allows. `endpoint` is the argument of `bind`, or the bound
    /// endpoint.
    ///
    /// # Errors
    /// [`UnbindError::Unknown`] if the socket has no listener at this endpoint.
    pub fn unbind(&mut self, endpoint: &Endpoint, now: Instant) -> Result<(), UnbindError> {
        self.observe(now);
        cost::requested(self.listeners.len());
        let matching = self.listeners.iter().filter(|(_, listener)| listener.is_at(endpoint));
        let ids: Vec<_> = matching.map(|(&id, _)| id).collect();
        if ids.is_empty() {
            return Err(UnbindError::Unknown(endpoint.clone()));
        }
        for id in ids {
            self.remove_listener(id);
            for pipe in self.pipes.ids() {
                if self.pipes.get(pipe).is_some_and(|pipe| pipe.state.is_accepted_by(id)) {
                    self.drain(pipe, LingerFrom::Now);
                }
            }
        }
        Ok(())
    }

    /// Reports that the listener that [`Action::Listen`] requested is open. `endpoint` is the bound endpoint of the
    /// listener.
    pub fn listening(&mut self, id: ListenerId, endpoint: Endpoint) {
        if let Some(listener) = self.listeners.get_mut(&id) {
            listener.outcome = Some(Ok(endpoint.clone()));
            self.pipes.emit(|| Event::Listening { endpoint: endpoint.clone() });
            self.check_authenticator(endpoint);
        }
    }

    /// Emits [`Event::NoAuthenticator`] if this side rejects every peer at `endpoint`, because it has no authenticator.
    pub(super) fn check_authenticator(&mut self, endpoint: Endpoint) {
        if !matches!(endpoint, Endpoint::Inproc(_)) && self.config.lacks_authenticator() {
            self.pipes.emit(|| Event::NoAuthenticator { endpoint });
        }
    }

    /// Reports that the listener that [`Action::Listen`] requested could not be opened. `error` is the reason.
    pub fn listen_failed(&mut self, id: ListenerId, error: NetworkError) {
        if let Some(listener) = self.listeners.get_mut(&id) {
            listener.outcome = Some(Err(error));
            let endpoint = listener.requested.clone();
            self.pipes.emit(|| Event::ListenFailed { endpoint, error });
        }
    }

    /// Removes a listener that could not be opened. Call it after its error was returned to the application.
    pub fn forget_listener(&mut self, id: ListenerId) {
        self.listeners.remove(&id);
    }

    /// Reports that a listener accepted a stream, and returns the new connection for this stream. `from` is the address
    /// of the peer. Returns `None` if the listener is closed or a limit on peers or handshakes is reached; the caller
    /// must then close the stream.
    pub fn accepted(&mut self, id: ListenerId, from: Endpoint, now: Instant) -> Option<(PipeId, Connection)> {
        let _call = cost::call("Socket::accepted", 1);
        self.check_handshake_rate(id, &from, now)?;
        let pipe = self.accepted_link(id, from.clone(), now).ok()?;
        self.count_handshake(&from);
        let mut connection = Connection::accepted(&self.config, &mut *self.entropy, self.now);
        connection.set_peer_address(from);
        self.watch_connection(pipe, &connection);
        Some((pipe, connection))
    }

    /// Reports that a listener accepted a connection from the address `from`. Use this method instead of
    /// [`accepted`](Self::accepted) if the caller implements the connection as a [`Link`](crate::connection::Link), for
    /// example over `inproc`.
    ///
    /// # Errors
    /// [`AcceptError::ListenerClosed`], or [`AcceptError::Rejected`] if a limit on peers or handshakes is reached.
    pub fn accepted_link(&mut self, id: ListenerId, from: Endpoint, now: Instant) -> Result<PipeId, AcceptError> {
        let _call = cost::call("Socket::accepted_link", 1);
        self.observe(now);
        let listener = self.listeners.get_mut(&id).ok_or(AcceptError::ListenerClosed)?;
        listener.failures = 0;
        let endpoint = listener.endpoint();
        if let Err(reason) = self.admit_peer(&from) {
            self.reject_connection(id, from, reason);
            return Err(AcceptError::Rejected(reason));
        }
        let pipe = self.pipes.insert(PipeState::accepted(id, from.clone()));
        self.begin_handshake(pipe, &from);
        self.pipes.stats.accepted += 1;
        self.pipes.emit(|| Event::Accepted { pipe, endpoint, from });
        Ok(pipe)
    }

    /// Emits the event that the listener `id` rejected a connection from the address `from` for `reason`.
    pub(super) fn reject_connection(&mut self, id: ListenerId, from: Endpoint, reason: RejectReason) {
        let Some(listener) = self.listeners.get_mut(&id) else { return };
        // The accept itself succeeded, so failed accepts are no longer in a row.
        listener.failures = 0;
        let endpoint = listener.endpoint();
        self.pipes.emit(|| Event::Rejected { endpoint, from, reason });
    }

    /// Reports that accepting a connection failed, for example because no file descriptors are left. The listener
    /// pauses: the caller must not accept at this listener again until the socket emits [`Action::Accept`]. The pause
    /// grows from 10 ms to 1 s with each failure in a row.
    pub fn accept_failed(&mut self, id: ListenerId, error: NetworkError, now: Instant) {
        let now = self.observe(now);
        let Some(listener) = self.listeners.get_mut(&id) else {
            return;
        };
        let pause = Duration::from_millis(10 << listener.failures.min(7)).min(Duration::from_secs(1));
        listener.failures += 1;
        let endpoint = listener.endpoint();
        self.deadlines.set(Timer::Accept(id), now + pause);
        self.pipes.emit(|| Event::AcceptFailed { endpoint, error, pause });
    }

    /// Returns true during the pause that [`accept_failed`](Self::accept_failed) began at this listener. During the
    /// pause, the caller must not accept connections there.
    pub fn is_accept_paused(&self, id: ListenerId) -> bool {
        self.deadlines.contains(Timer::Accept(id))
    }

    /// Reports that a listener could not be closed cleanly after [`Action::CloseListener`], for example because another
    /// process had replaced its socket file. `endpoint` is the address of the listener.
    pub fn listener_close_failed(&mut self, endpoint: Endpoint, error: NetworkError) {
        self.pipes.emit(|| Event::ListenerCloseFailed { endpoint, error });
    }

    pub(super) fn remove_listener(&mut self, id: ListenerId) {
        if let Some(listener) = self.listeners.remove(&id) {
            self.actions.push_back(Action::CloseListener(id));
            self.deadlines.clear(Timer::Accept(id));
            self.pipes.emit(|| Event::ListenerClosed { endpoint: listener.endpoint() });
        }
    }
}
