//! Waits for peers: the outcome of `connect_and_wait`, `wait_connected` and `wait_subscribed`.

use super::{Socket, Timer};
use crate::connection::Peer;
use crate::cost;
use crate::socket::effects::Effects;
use crate::socket::error::{ConnectError, WaitError, WaitSubscribedError};
use crate::socket::failing::{FailingDial, FailingDials};
use crate::socket::id::PipeId;
use crate::time::Instant;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

/// Id of a wait for the connection of one dial, from [`Socket::begin_wait`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WaitId(u64);

/// Waits for the connections of single dials, by their ids.
#[derive(Debug, Default)]
pub(super) struct Waits {
    waits: alloc::collections::BTreeMap<WaitId, Wait>,
    next: u64,
}

/// Wait for the connection of one dial.
#[derive(Debug)]
struct Wait {
    pipe: PipeId,
    /// Time limit of the wait; `None` for no limit.
    limit: Option<Duration>,
    /// True after `limit` has expired.
    is_expired: bool,
    /// Last failure of the dial, if the pipe was removed because of it.
    last: Option<FailingDial>,
}

impl Socket {
    /// Begins to wait until the peer of the pipe `id` is ready, for at most `timeout` (`None`: no limit).
    /// [`poll_wait`](Self::poll_wait) returns the outcome. [`take_peers_changed`](Self::take_peers_changed) returns true
    /// when the outcome may have changed. The caller must end the wait with [`end_wait`](Self::end_wait).
    pub fn begin_wait(&mut self, id: PipeId, timeout: Option<Duration>, now: Instant) -> WaitId {
        let now = self.observe(now);
        let wait = WaitId(self.waits.next);
        self.waits.next += 1;
        self.waits.waits.insert(wait, Wait { pipe: id, limit: timeout, is_expired: false, last: None });
        if let Some(timeout) = timeout {
            self.deadlines.set(Timer::Wait(wait), now + timeout);
        }
        wait
    }

    /// Returns the outcome of a wait: the peer, when its handshake is finished, or an error. Returns `None` while the
    /// dial is in progress, or failed for a reason that time can cure, and the time limit has not expired.
    pub fn poll_wait(&self, id: WaitId) -> Option<Result<Arc<Peer>, WaitError>> {
        let wait = self.waits.waits.get(&id).filter(|_| !self.closing);
        let Some(wait) = wait else { return Some(Err(self.closed_wait())) };
        let Some(pipe) = self.pipes.get(wait.pipe).filter(|pipe| pipe.state.link().is_some()) else {
            let last: Vec<_> = wait.last.clone().into_iter().collect();
            return Some(Err(WaitError::Failed(last.into())));
        };
        if pipe.state.is_ready() {
            return self.pipes.latest_sender(wait.pipe).map(Ok);
        }
        let failing = FailingDials::from(pipe.failing_dial(wait.pipe).into_iter().collect::<Vec<_>>());
        match wait.limit.filter(|_| wait.is_expired) {
            _ if !failing.is_temporary() => Some(Err(WaitError::Failed(failing))),
            Some(after) => Some(Err(WaitError::TimedOut { after, failing })),
            None => None,
        }
    }

    /// Ends a wait, before or after its outcome was returned.
    pub fn end_wait(&mut self, id: WaitId) {
        self.waits.waits.remove(&id);
        self.deadlines.clear(Timer::Wait(id));
    }

    /// Returns the outcome of a wait for `count` peers. When at least `count` peers have finished their handshakes,
    /// returns these peers. Returns an error if the socket is closed, or if `count` peers are impossible: the socket has
    /// no listener, and too many of its dials failed for reasons that time cannot cure. Returns `None` otherwise.
    pub fn ready_peers_or_error(&self, count: usize) -> Option<Result<Vec<Arc<Peer>>, WaitError>> {
        if self.closing {
            return Some(Err(self.closed_wait()));
        }
        let ids = || self.pipes.ids().into_iter();
        if self.pipes.ready >= count {
            let is_ready = |id: &PipeId| self.pipes.get(*id).is_some_and(|pipe| pipe.state.is_ready());
            return Some(Ok(ids().filter(is_ready).filter_map(|id| self.pipes.latest_sender(id)).collect()));
        }
        let failing = ids().filter_map(|id| self.pipes.get(id)?.failing_dial(id));
        let refused: Vec<_> = failing.filter(|dial| !dial.reason.is_temporary()).collect();
        let is_possible = !self.listeners.is_empty() || self.pipes.len() - refused.len() >= count;
        if is_possible || refused.is_empty() { None } else { Some(Err(WaitError::Failed(refused.into()))) }
    }

    /// Returns the outcome of a wait for subscribers: `Ok` when a message with this topic or group would be sent to at least
    /// `peers` peers. Returns an error if the socket is closed, or if its type does not publish. Returns `None` otherwise.
    pub fn subscribed_or_error(&self, topic: &[u8], peers: usize) -> Option<Result<(), WaitSubscribedError>> {
        if !self.socket_type().publishes() {
            return Some(Err(WaitSubscribedError::Unsupported(self.socket_type())));
        }
        if self.closing {
            return Some(Err(self.runtime_error.map_or(WaitSubscribedError::Closed, WaitSubscribedError::Runtime)));
        }
        (self.subscriber_count(topic) >= peers).then_some(Ok(()))
    }

    /// Returns the error of a wait of a socket that is closing.
    fn closed_wait(&self) -> WaitError {
        self.runtime_error.map_or(WaitError::Closed, |error| ConnectError::Runtime(error).into())
    }

    /// Handles the end of the time limit of a wait.
    pub(super) fn expire_wait(&mut self, id: WaitId) {
        if let Some(wait) = self.waits.waits.get_mut(&id) {
            wait.is_expired = true;
            self.effects |= Effects::PEERS_CHANGED;
        }
    }

    /// Stores the last failure of the pipe `id`, which is about to be removed, for the waits for its connection.
    pub(super) fn fail_waits(&mut self, id: PipeId) {
        cost::requested(self.waits.waits.len());
        for wait in self.waits.waits.values_mut().filter(|wait| wait.pipe == id) {
            wait.last = self.pipes.get(id).and_then(|pipe| pipe.failing_dial(id));
        }
        self.effects |= Effects::PEERS_CHANGED;
    }
}
