//! What is said, to the peer or to the application, when a connection comes or goes.

use super::Socket;
use crate::message::{Frame, Message};
use crate::socket::id::PipeId;

/// How a connection ended, for those who are to hear of it.
pub(super) enum Ended {
    /// The peer had come to us.
    Gone,
    /// We dial the peer again.
    Hiccup,
    /// We had dialled the peer, and do so no more.
    GivenUp,
}

impl Socket {
    /// A connection is past its handshake.
    pub(super) fn greet(&mut self, id: PipeId) {
        if let Some(hello) = &self.settings.notices.hello {
            self.pipes.open_with(id, hello.clone());
        }
        if self.settings.notices.connects {
            self.pretend(id, Message::from(Frame::EMPTY));
        }
    }

    /// A connection that was past its handshake has ended.
    pub(super) fn miss(&mut self, id: PipeId, how: &Ended) {
        let message = match how {
            Ended::Gone => self.settings.notices.missed.clone(),
            Ended::Hiccup => self.settings.notices.hiccup.clone(),
            Ended::GivenUp => None,
        };
        if let Some(message) = message {
            self.pretend(id, message);
        }
        if self.settings.notices.disconnects {
            self.pretend(id, Message::from(Frame::EMPTY));
        }
    }

    /// Has the application receive a message as if the peer had sent it, beyond the high-water mark if need be: there is one
    /// for each coming and going.
    fn pretend(&mut self, id: PipeId, message: Message) {
        // What the type's rules do not let in nobody was meant to hear.
        let _ = self.pattern.inbound(&mut self.pipes, id, message);
    }
}
