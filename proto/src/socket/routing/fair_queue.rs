//! Receiving from many peers in turn, one message each (RFC 28: "fair-queuing"). Touches only pipes that hold messages.

use crate::connection::Peer;
use crate::message::Message;
use crate::socket::effects::Effects;
use crate::socket::error::RecvError;
use crate::socket::id::PipeId;
use crate::socket::pipe::Pipes;
use alloc::collections::VecDeque;
use alloc::sync::Arc;

/// The rotation of pipes that hold messages.
#[derive(Debug, Default)]
pub(crate) struct FairQueue {
    active: VecDeque<PipeId>,
}

impl FairQueue {
    /// Queues a message that arrived.
    #[inline]
    pub(crate) fn deliver(&mut self, pipes: &mut Pipes, id: PipeId, message: Message) -> Effects {
        let Some(pipe) = pipes.get_mut(id) else { return Effects::NONE };
        if !core::mem::replace(&mut pipe.queued, true) {
            self.active.push_back(id);
        }
        pipes.deliver(id, message)
    }

    /// Takes the next message; the error is that there is none.
    #[inline]
    pub(crate) fn next(&mut self, pipes: &mut Pipes) -> Result<Message, RecvError> {
        if self.next_pipe(pipes).is_none() {
            return Err(RecvError::Empty);
        }
        self.take(pipes)
    }

    /// Sender of the next message.
    pub(crate) fn sender_of_next(&mut self, pipes: &mut Pipes) -> Option<Arc<Peer>> {
        let pipe = self.next_pipe(pipes)?;
        pipes.first_sender(pipe)
    }

    /// Pipe of the next message.
    #[inline]
    pub(crate) fn next_pipe(&mut self, pipes: &mut Pipes) -> Option<PipeId> {
        // A pipe whose messages are all taken leaves the rotation here, and so does one that was closed by us.
        loop {
            let &id = self.active.front()?;
            if pipes.incoming_len(id) > 0 {
                return Some(id);
            }
            self.active.pop_front();
            Self::leave(pipes, id);
        }
    }

    /// Takes the message of the [next pipe](Self::next_pipe), whose turn then is over.
    #[inline]
    pub(crate) fn take(&mut self, pipes: &mut Pipes) -> Result<Message, RecvError> {
        let Some(id) = self.active.pop_front() else { return Err(RecvError::Empty) };
        self.active.push_back(id);
        pipes.pop_incoming(id)
    }

    /// Whether there is a message to take.
    pub(crate) fn has_message(&mut self, pipes: &mut Pipes) -> bool {
        self.next_pipe(pipes).is_some()
    }

    fn leave(pipes: &mut Pipes, id: PipeId) {
        if let Some(pipe) = pipes.get_mut(id) {
            pipe.queued = false;
        }
    }
}
