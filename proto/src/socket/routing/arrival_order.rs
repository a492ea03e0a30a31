//! Receiving from many peers in the order in which they spoke, where what they say makes sense only together.

use crate::connection::Peer;
use crate::message::Message;
use crate::socket::effects::Effects;
use crate::socket::id::PipeId;
use crate::socket::pipe::Pipes;
use alloc::collections::VecDeque;
use alloc::sync::Arc;

/// Whose message comes next.
#[derive(Debug, Default)]
pub(crate) struct ArrivalOrder {
    /// One for each message; their pipes hold them, so that each peer has its mark.
    arrived: VecDeque<PipeId>,
}

impl ArrivalOrder {
    /// Queues a message that arrived.
    pub(crate) fn deliver(&mut self, pipes: &mut Pipes, id: PipeId, message: Message) -> Effects {
        if pipes.get(id).is_none() {
            return Effects::NONE;
        }
        self.arrived.push_back(id);
        pipes.deliver(id, message)
    }

    /// Sender of the next message.
    pub(crate) fn sender_of_next(&mut self, pipes: &Pipes) -> Option<Arc<Peer>> {
        if !self.has_message(pipes) {
            return None;
        }
        pipes.first_sender(*self.arrived.front()?)
    }

    /// Takes the next message, and says whose it is.
    pub(crate) fn next(&mut self, pipes: &mut Pipes) -> Option<(PipeId, Message)> {
        loop {
            let id = self.arrived.pop_front()?;
            if let Ok(message) = pipes.pop_incoming(id) {
                return Some((id, message));
            }
        }
    }

    /// Whether there is a message to take.
    pub(crate) fn has_message(&mut self, pipes: &Pipes) -> bool {
        while self.arrived.pop_front_if(|&mut id| pipes.incoming_len(id) == 0).is_some() {}
        !self.arrived.is_empty()
    }
}
