//! Receiving from many peers in turn, one message each (RFC 28: "fair-queuing"). Touches only pipes that hold messages.

use crate::message::Message;
use crate::pipe::{PipeId, Pipes};
use alloc::collections::VecDeque;

/// The rotation of pipes that hold messages.
#[derive(Debug, Default)]
pub(crate) struct FairQueue {
    active: VecDeque<PipeId>,
}

impl FairQueue {
    /// Queues a message that arrived.
    #[inline]
    pub(crate) fn deliver(&mut self, pipes: &mut Pipes, id: PipeId, message: Message) {
        let Some(pipe) = pipes.get_mut(id) else {
            return;
        };
        if !core::mem::replace(&mut pipe.queued, true) {
            self.active.push_back(id);
        }
        pipes.deliver(id, message);
    }

    /// Takes the next message, and says whose it is.
    #[inline]
    pub(crate) fn next(&mut self, pipes: &mut Pipes) -> Option<(PipeId, Message)> {
        loop {
            let id = self.active.pop_front()?;
            // A pipe that was closed by us leaves the rotation here.
            let Some((message, more)) = pipes.pop_incoming(id) else {
                Self::leave(pipes, id);
                continue;
            };
            if more {
                self.active.push_back(id);
            } else {
                Self::leave(pipes, id);
            }
            return Some((id, message));
        }
    }

    /// Whether there is a message to take.
    pub(crate) fn has_message(&mut self, pipes: &mut Pipes) -> bool {
        while let Some(&id) = self.active.front() {
            if pipes.incoming_len(id) > 0 {
                return true;
            }
            self.active.pop_front();
            Self::leave(pipes, id);
        }
        false
    }

    fn leave(pipes: &mut Pipes, id: PipeId) {
        if let Some(pipe) = pipes.get_mut(id) {
            pipe.queued = false;
        }
    }
}
