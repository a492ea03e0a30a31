//! Questions of a runtime that lets tasks wait for a socket in turn: the number of calls that would complete now.

use super::Socket;
use crate::message::Message;
use crate::socket::id::PipeId;

impl Socket {
    /// Returns the peer for which `message` would wait if [`send`](Self::send) returned
    /// [`SendError::Full`](crate::SendError::Full). Returns `None` if the message would wait for any peer: always,
    /// except for the types that send by routing id, such as ROUTER.
    #[must_use]
    pub fn addressee(&mut self, message: &Message) -> Option<PipeId> {
        self.pattern.addressee(&self.pipes, message)
    }

    /// Returns true if at least `count` calls of [`send`](Self::send) would complete now: with any result except
    /// [`SendError::Full`](crate::SendError::Full). `to` is the [`addressee`](Self::addressee) of the messages. May
    /// return false although `count` calls would complete, for example if the high-water mark limits bytes, but never
    /// for one call.
    ///
    /// For a PUB or RADIO that waits for slow subscribers, this depends on the topic. Then this method returns true for
    /// one call, which may nevertheless return `Full`.
    #[must_use]
    pub fn can_complete_sends(&mut self, count: usize, to: Option<PipeId>) -> bool {
        if self.is_blocked {
            return true;
        }
        match to {
            None => self.pattern.can_complete_sends(&mut self.pipes, count) || !self.socket_type().can_send(),
            // A message for a peer that accepts no more messages is sent to another peer, or `send` returns an error.
            Some(pipe) => {
                self.pattern.drops_if_full()
                    || self.pipes.get(pipe).is_none_or(|entry| !entry.state.accepts_messages())
                    || self.pipes.room(pipe) >= count
            }
        }
    }

    /// Returns true if at least `count` calls of [`recv`](Self::recv) would complete now: with any result except
    /// [`RecvError::Empty`](crate::RecvError::Empty). May return false although `count` calls would complete, but never
    /// for one call.
    #[must_use]
    pub fn can_complete_recvs(&mut self, count: usize) -> bool {
        let completes = self.is_blocked || self.pattern.can_complete_recvs(&mut self.pipes, count);
        completes || !self.socket_type().can_receive()
    }
}
