//! The ends that nobody outside brings about: of a pipe without a connection, and of the socket as a whole.

use super::{Action, Socket};
use crate::socket::event::Event;
use crate::socket::id::PipeId;

impl Socket {
    /// Ends a pipe that has no connection.
    pub(super) fn give_up(&mut self, id: PipeId) {
        let Some(pipe) = self.pipes.get(id) else { return };
        if pipe.life.is_dialling() {
            self.actions.push_back(Action::StopDialling(id));
        }
        if !pipe.life.is_gone() {
            let endpoint = pipe.life.endpoint().clone();
            self.pipes.tell(|| Event::DialStopped { pipe: id, endpoint });
        }
        self.lose(id);
    }

    /// To be asked when a pipe has ended: it may have been the last one of a socket that closes.
    pub(super) fn tell_if_closed(&mut self) {
        if self.is_closed() {
            self.pipes.tell(|| Event::Closed);
        }
    }
}
