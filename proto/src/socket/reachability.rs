//! Reachability of the peers that a socket dials: the dials that are failing, and the blocking of `send` and `recv`
//! while no peer can be reached.

use super::Socket;
use crate::message::Message;
use crate::socket::effects::Effects;
use crate::socket::error::RecvError;
use crate::socket::failing::{FailingDial, FailingDials};
use crate::socket::id::PipeId;
use crate::socket::pipe::Pipe;
use alloc::sync::Arc;
use alloc::vec::Vec;

impl Socket {
    /// Returns the dials that are failing, each with the reason of its latest failure. After a time-out of `send` or
    /// `recv`, the list shows why no peer is connected. Dials that are being disconnected are not listed.
    pub fn failing_dials(&self) -> FailingDials {
        let dials = self.pipes.ids().into_iter().filter_map(|id| self.pipes.get(id)?.failing_dial(id));
        dials.collect::<Vec<_>>().into()
    }
}

/// Blocking of `send` and `recv` while no peer can be reached.
impl Socket {
    /// Updates the state of the socket after an attempt to connect failed or a connection ended.
    pub(super) fn attempt_failed(&mut self) {
        self.effects |= Effects::PEERS_CHANGED;
        self.update_blocked();
    }

    /// Sets `is_blocked` again, after a dial began, failed or succeeded, or a pipe was removed. If the socket becomes
    /// blocked, wakes the tasks that wait to send or receive.
    pub(super) fn update_blocked(&mut self) {
        let was_blocked = self.is_blocked;
        self.is_blocked = self.closing || (self.settings.fail_unreachable && self.is_unreachable());
        if self.is_blocked && !was_blocked {
            self.effects |= Effects::READABLE | Effects::WRITABLE;
        }
    }

    /// Returns true if no peer is ready, the socket dials at least one endpoint, and each of its dials is failing.
    fn is_unreachable(&self) -> bool {
        // Cheap for a server, at which peers come and go.
        if self.pipes.ready > 0 {
            return false;
        }
        let ids = self.pipes.ids().into_iter();
        let mut dialled = ids.filter_map(|id| self.pipes.get(id)).filter(|pipe| pipe.state.is_open_dial()).peekable();
        dialled.peek().is_some() && dialled.all(|pipe| pipe.state.failed_attempts() > 0)
    }

    /// Receives while `is_blocked` is true: messages that have already arrived are received before the error.
    #[cold]
    pub(super) fn recv_blocked(&mut self) -> Result<Message, RecvError> {
        if self.closing {
            return Err(self.runtime_error.map_or(RecvError::Closed, RecvError::Runtime));
        }
        match self.pattern.recv(&mut self.pipes, &mut self.effects) {
            Err(RecvError::Empty) => Err(RecvError::Unreachable(self.failing_dials())),
            received => received,
        }
    }
}

impl Pipe {
    /// Returns the failure of this pipe, which has the id `id`; `None` unless it is dialled and its latest attempt
    /// failed.
    pub(crate) fn failing_dial(&self, id: PipeId) -> Option<FailingDial> {
        let attempts = self.state.failed_attempts();
        if attempts == 0 || self.state.is_draining() {
            return None;
        }
        let (endpoint, reason) = (self.state.endpoint()?.clone(), Arc::clone(self.failure.as_ref()?));
        Some(FailingDial { pipe: id, endpoint, reason, attempts })
    }
}
