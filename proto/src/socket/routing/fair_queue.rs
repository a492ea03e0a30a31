//! [`FairQueue`]: returns the messages that were received from many peers in turn, one message from each peer (RFC 28:
//! "fair-queuing"). The cost of a call depends only on the number of pipes that have messages.

use crate::connection::Peer;
use crate::cost;
use crate::message::Message;
use crate::socket::effects::Effects;
use crate::socket::error::RecvError;
use crate::socket::id::PipeId;
use crate::socket::pipe::Pipes;
use alloc::collections::VecDeque;
use alloc::sync::Arc;

/// Rotation (round-robin order) of the pipes that have incoming messages.
#[derive(Debug, Default)]
pub(crate) struct FairQueue {
    active: VecDeque<PipeId>,
}

/// Maximum number of pipes of a rotation of which the messages or the room are added up in one call.
pub(super) const SCANNED: usize = 64;

impl FairQueue {
    /// Queues a message that was received from the peer of the pipe `id`, for the application to receive.
    #[inline]
    pub(crate) fn deliver(&mut self, pipes: &mut Pipes, id: PipeId, message: Message) -> Effects {
        let Some(pipe) = pipes.get_mut(id) else { return Effects::NONE };
        if !core::mem::replace(&mut pipe.queued, true) {
            self.active.push_back(id);
        }
        pipes.deliver(id, message)
    }

    /// Removes and returns the first message of the next pipe in turn, or returns [`RecvError::Empty`].
    #[inline]
    pub(crate) fn next(&mut self, pipes: &mut Pipes) -> Result<Message, RecvError> {
        if self.next_pipe(pipes).is_none() {
            return Err(RecvError::Empty);
        }
        let Some(id) = self.active.pop_front() else { return Err(RecvError::Empty) };
        self.active.push_back(id);
        pipes.pop_incoming(id)
    }

    /// Returns the sender of the message that `next` returns next. Does not remove the message.
    pub(crate) fn sender_of_next(&mut self, pipes: &mut Pipes) -> Option<Arc<Peer>> {
        let pipe = self.next_pipe(pipes)?;
        pipes.first_sender(pipe)
    }

    /// Returns the pipe of the message that `next` returns next, or `None` if no message waits. Does not remove the
    /// message.
    #[inline]
    pub(crate) fn next_pipe(&mut self, pipes: &mut Pipes) -> Option<PipeId> {
        // A pipe leaves the rotation here when its messages were received, or dropped by a local disconnect.
        loop {
            let &id = self.active.front()?;
            cost::nodes(1);
            if pipes.incoming_len(id) > 0 {
                return Some(id);
            }
            self.active.pop_front();
            Self::leave(pipes, id);
        }
    }

    /// Returns true if at least `count` messages wait to be received. Counts the messages of [`SCANNED`] pipes at most,
    /// so it may return false although more messages wait, but never for `count` = 1.
    pub(crate) fn has_messages(&mut self, pipes: &mut Pipes, count: usize) -> bool {
        let Some(first) = self.next_pipe(pipes) else { return false };
        let mut waiting = pipes.incoming_len(first);
        waiting >= count
            || self.active.iter().take(SCANNED).skip(1).any(|&id| {
                cost::nodes(1);
                waiting += pipes.incoming_len(id);
                waiting >= count
            })
    }

    /// Returns true if a message of any peer waits to be received.
    pub(crate) fn has_message(&mut self, pipes: &mut Pipes) -> bool {
        self.next_pipe(pipes).is_some()
    }

    fn leave(pipes: &mut Pipes, id: PipeId) {
        if let Some(pipe) = pipes.get_mut(id) {
            pipe.queued = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::pipe::state::PipeState;

    #[test]
    fn has_messages_adds_up_the_messages_of_all_pipes() {
        let mut pipes = Pipes::with_marks(10, 10);
        let mut queue = FairQueue::default();
        assert!(!queue.has_messages(&mut pipes, 1));
        for messages in [2, 2, 3] {
            let pipe = pipes.insert(PipeState::dialled("tcp://a:1".parse().unwrap()));
            for _ in 0..messages {
                let _ = queue.deliver(&mut pipes, pipe, "message".into());
            }
        }
        for count in 1..10 {
            assert_eq!(queue.has_messages(&mut pipes, count), count <= 2 + 2 + 3, "{count}");
        }
    }
}
