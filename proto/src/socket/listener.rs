//! Listeners: how they are opened and closed, and who comes in.

use super::dialer::Timer;
use super::pipe::state::Life;
use super::{Action, ListenerId, Socket};
use crate::address::{Endpoint, NetworkError};
use crate::connection::Connection;
use crate::socket::event::{Event, Refusal};
use crate::socket::id::PipeId;
use crate::time::Instant;
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
    /// The world listens, at this address.
    pub fn listening(&mut self, id: ListenerId, endpoint: Endpoint) {
        if let Some(listener) = self.listeners.get_mut(&id) {
            listener.outcome = Some(Ok(endpoint.clone()));
            let admits_any_key = !matches!(endpoint, Endpoint::Inproc(_)) && self.config.admits_any_key();
            self.pipes.tell(|| Event::Listening { endpoint: endpoint.clone() });
            if admits_any_key {
                self.pipes.tell(|| Event::AdmitsAnyKey { endpoint });
            }
        }
    }

    /// The world could not listen.
    pub fn listen_failed(&mut self, id: ListenerId, error: NetworkError) {
        if let Some(listener) = self.listeners.get_mut(&id) {
            listener.outcome = Some(Err(error));
            let endpoint = listener.asked.clone();
            self.pipes.tell(|| Event::ListenFailed { endpoint, error });
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
        connection.came_from(from);
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
            self.turn_away(id, from, reason);
            return None;
        }
        let pipe = self.pipes.insert(Life::Accepted { listener: id, from: from.clone() });
        self.expect_handshake(pipe, &from);
        self.pipes.stats.accepted += 1;
        self.pipes.tell(|| Event::Accepted { pipe, endpoint, from });
        Some(pipe)
    }

    /// Somebody came to this listener and may not stay. That accepting works is known all the same.
    pub(super) fn turn_away(&mut self, id: ListenerId, from: Endpoint, reason: Refusal) {
        let Some(listener) = self.listeners.get_mut(&id) else { return };
        listener.failures = 0;
        let endpoint = listener.endpoint();
        self.pipes.tell(|| Event::TurnedAway { endpoint, from, reason });
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
        self.pipes.tell(|| Event::AcceptFailed { endpoint, error, pause });
    }

    /// Returns true during the pause that [`accept_failed`](Self::accept_failed) began.
    pub fn is_accept_paused(&self, id: ListenerId) -> bool {
        self.deadlines.contains(Timer::Accept(id))
    }

    /// A listener that was told to [stop](Action::Unlisten) could not be closed as it should: its name was no longer its
    /// own, say.
    pub fn unlisten_failed(&mut self, endpoint: Endpoint, error: NetworkError) {
        self.pipes.tell(|| Event::UnlistenFailed { endpoint, error });
    }

    pub(super) fn unlisten(&mut self, id: ListenerId) {
        if let Some(listener) = self.listeners.remove(&id) {
            self.actions.push_back(Action::Unlisten(id));
            self.deadlines.clear(Timer::Accept(id));
            self.pipes.tell(|| Event::Unlistened { endpoint: listener.endpoint() });
        }
    }
}
