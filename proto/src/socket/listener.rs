//! Listeners: how they are opened and closed, and who comes in.

use super::close::LingerFrom;
use super::pipe::state::PipeState;
use super::{Action, ListenerId, Socket, Timer};
use crate::address::{Endpoint, NetworkError};
use crate::connection::Connection;
use crate::socket::error::UnbindError;
use crate::socket::event::{Event, Refusal};
use crate::socket::id::PipeId;
use crate::time::Instant;
use alloc::vec::Vec;
use core::time::Duration;

/// One `bind`.
#[derive(Debug)]
pub(super) struct Listener {
    asked: Endpoint,
    /// `None` until the world has answered.
    pub(super) outcome: Option<Result<Endpoint, NetworkError>>,
    /// Accepts that failed in a row.
    failures: u32,
}

impl Listener {
    pub(super) const fn new(asked: Endpoint) -> Self {
        Self { asked, outcome: None, failures: 0 }
    }

    pub(super) fn is_at(&self, endpoint: &Endpoint) -> bool {
        match &self.outcome {
            None => self.asked == *endpoint,
            Some(Ok(bound)) => self.asked == *endpoint || bound == endpoint,
            Some(Err(_)) => false,
        }
    }

    pub(super) fn endpoint(&self) -> Endpoint {
        match &self.outcome {
            Some(Ok(bound)) => bound.clone(),
            Some(Err(_)) | None => self.asked.clone(),
        }
    }
}

impl Socket {
    /// Begins to listen, unless the socket is closed. The outcome is in [`listener`](Self::listener) once the world has
    /// answered; an endpoint with a [`Source`](crate::address::Source) fails at once with [`NetworkError::HasSource`].
    pub fn bind(&mut self, endpoint: Endpoint) -> ListenerId {
        let id = ListenerId(self.next_listener);
        self.next_listener += 1;
        if self.closing {
            return id;
        }
        let place = self.settings.transport.place(&endpoint);
        let nonsense = endpoint.source().is_some();
        self.listeners.insert(id, Listener::new(endpoint));
        if nonsense {
            self.listen_failed(id, NetworkError::HasSource);
        } else {
            self.actions.push_back(Action::Listen(id, place));
        }
        id
    }

    /// What has become of a listener: `None` while it is being opened, then its bound address or why it failed.
    ///
    /// # Errors
    /// Why it failed; [`NetworkError::Other`] if it is closed.
    pub fn listener(&self, id: ListenerId) -> Option<Result<Endpoint, NetworkError>> {
        self.listeners.get(&id).map_or(Some(Err(NetworkError::Other)), |listener| listener.outcome.clone())
    }

    /// Stops listening, and ends the connections that came in there: each may still send what is queued, for as long as
    /// `linger` allows. `endpoint` is what was given to `bind`, or what `bind` returned.
    ///
    /// # Errors
    /// [`UnbindError::Unknown`].
    pub fn unbind(&mut self, endpoint: &Endpoint, now: Instant) -> Result<(), UnbindError> {
        self.observe(now);
        let there = self.listeners.iter().filter(|(_, listener)| listener.is_at(endpoint));
        let ids: Vec<_> = there.map(|(&id, _)| id).collect();
        if ids.is_empty() {
            return Err(UnbindError::Unknown(endpoint.clone()));
        }
        for id in ids {
            self.unlisten(id);
            for pipe in self.pipes.ids() {
                if self.pipes.get(pipe).is_some_and(|pipe| pipe.state.is_accepted_by(id)) {
                    self.drain(pipe, LingerFrom::Now);
                }
            }
        }
        Ok(())
    }

    /// The world listens, at this address.
    pub fn listening(&mut self, id: ListenerId, endpoint: Endpoint) {
        if let Some(listener) = self.listeners.get_mut(&id) {
            listener.outcome = Some(Ok(endpoint.clone()));
            let admits_any_key = !matches!(endpoint, Endpoint::Inproc(_)) && self.config.admits_any_key();
            self.pipes.emit(|| Event::Listening { endpoint: endpoint.clone() });
            if admits_any_key {
                self.pipes.emit(|| Event::NoAuthenticator { endpoint });
            }
        }
    }

    /// The world could not listen.
    pub fn listen_failed(&mut self, id: ListenerId, error: NetworkError) {
        if let Some(listener) = self.listeners.get_mut(&id) {
            listener.outcome = Some(Err(error));
            let endpoint = listener.asked.clone();
            self.pipes.emit(|| Event::ListenFailed { endpoint, error });
        }
    }

    /// Forgets a listener whose failure the application has been told.
    pub fn forget_listener(&mut self, id: ListenerId) {
        self.listeners.remove(&id);
    }

    /// A connection came in. `None`: the listener is closed, or there are too many peers, so close the connection.
    pub fn accepted(&mut self, id: ListenerId, from: Endpoint, now: Instant) -> Option<(PipeId, Connection)> {
        self.keep_pace(id, &from, now)?;
        let pipe = self.accepted_link(id, from.clone(), now)?;
        self.count_another(&from);
        let mut connection = Connection::new(&self.config, &mut *self.entropy, self.now);
        connection.set_peer_address(from);
        Some((pipe, connection))
    }

    /// Reports an incoming link that is no [`Connection`], such as one within the process. `None`: the listener is closed, or
    /// there are too many peers.
    pub fn accepted_link(&mut self, id: ListenerId, from: Endpoint, now: Instant) -> Option<PipeId> {
        self.observe(now);
        let listener = self.listeners.get_mut(&id)?;
        listener.failures = 0;
        let endpoint = listener.endpoint();
        if let Err(reason) = self.make_room(&from) {
            self.reject_connection(id, from, reason);
            return None;
        }
        let pipe = self.pipes.insert(PipeState::accepted(id, from.clone()));
        self.expect_handshake(pipe, &from);
        self.pipes.stats.accepted += 1;
        self.pipes.emit(|| Event::Accepted { pipe, endpoint, from });
        Some(pipe)
    }

    /// Somebody came to this listener and may not stay. That accepting works is known all the same.
    pub(super) fn reject_connection(&mut self, id: ListenerId, from: Endpoint, reason: Refusal) {
        let Some(listener) = self.listeners.get_mut(&id) else { return };
        listener.failures = 0;
        let endpoint = listener.endpoint();
        self.pipes.emit(|| Event::Rejected { endpoint, from, reason });
    }

    /// Accepting failed, for want of descriptors perhaps. Do not try again until [`Action::Accept`]: the pause grows from
    /// 10 ms to 1 s.
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

    /// Returns true during the pause that [`accept_failed`](Self::accept_failed) began.
    pub fn is_accept_paused(&self, id: ListenerId) -> bool {
        self.deadlines.contains(Timer::Accept(id))
    }

    /// A listener that was told to [stop](Action::Unlisten) could not be closed as it should: its name was no longer its
    /// own, say.
    pub fn unlisten_failed(&mut self, endpoint: Endpoint, error: NetworkError) {
        self.pipes.emit(|| Event::ListenerCloseFailed { endpoint, error });
    }

    pub(super) fn unlisten(&mut self, id: ListenerId) {
        if let Some(listener) = self.listeners.remove(&id) {
            self.actions.push_back(Action::Unlisten(id));
            self.deadlines.clear(Timer::Accept(id));
            self.pipes.emit(|| Event::ListenerClosed { endpoint: listener.endpoint() });
        }
    }
}
