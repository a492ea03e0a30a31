//! [`ArrivalOrder`]: returns the messages that were received from many peers in the order of their arrival. Used where
//! the order of messages from different peers matters.

use crate::connection::Peer;
use crate::cost;
use crate::message::Message;
use crate::socket::effects::Effects;
use crate::socket::id::PipeId;
use crate::socket::pipe::Pipes;
use alloc::collections::VecDeque;
use alloc::sync::Arc;

/// Order in which the queued incoming messages of all peers arrived.
#[derive(Debug, Default)]
pub(crate) struct ArrivalOrder {
    /// Pipe of each queued message, in the order of arrival. The messages themselves stay in their pipes, so that each
    /// peer has its own high-water mark.
    arrived: VecDeque<PipeId>,
}

/// Capacity in messages up to which an empty list keeps its buffer.
const IDLE_CAPACITY: usize = 64;

impl ArrivalOrder {
    /// Queues a message that was received from the peer of the pipe `id`, for the application to receive.
    pub(crate) fn deliver(&mut self, pipes: &mut Pipes, id: PipeId, message: Message) -> Effects {
        if pipes.get(id).is_none() {
            return Effects::NONE;
        }
        self.arrived.push_back(id);
        pipes.deliver(id, message)
    }

    /// Returns the sender of the message that `next` returns next. Does not remove the message.
    pub(crate) fn sender_of_next(&mut self, pipes: &Pipes) -> Option<Arc<Peer>> {
        if !self.has_message(pipes) {
            return None;
        }
        pipes.first_sender(*self.arrived.front()?)
    }

    /// Removes the message that arrived first, and returns it with the pipe of its sender. Returns `None` if no message
    /// waits.
    pub(crate) fn next(&mut self, pipes: &mut Pipes) -> Option<(PipeId, Message)> {
        loop {
            let id = self.arrived.pop_front()?;
            cost::nodes(1);
            if self.arrived.is_empty() && self.arrived.capacity() > IDLE_CAPACITY {
                self.arrived = VecDeque::new();
            }
            if let Ok(message) = pipes.pop_incoming(id) {
                return Some((id, message));
            }
        }
    }

    /// Returns true if a message of any peer waits to be received.
    pub(crate) fn has_message(&mut self, pipes: &Pipes) -> bool {
        while self.arrived.front().is_some_and(|&id| pipes.incoming_len(id) == 0) {
            self.arrived.pop_front();
            cost::nodes(1);
        }
        !self.arrived.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::pipe::state::PipeState;

    #[test]
    fn order_of_a_burst_keeps_no_memory_after_it_is_received() {
        let mut pipes = Pipes::with_marks(10, 10);
        let pipe = pipes.insert(PipeState::dialled("tcp://a:1".parse().unwrap()));
        let mut order = ArrivalOrder::default();
        for _ in 0..1000 {
            let _ = order.deliver(&mut pipes, pipe, "x".into());
        }
        while order.next(&mut pipes).is_some() {}
        assert!(order.arrived.capacity() <= IDLE_CAPACITY, "capacity {}", order.arrived.capacity());
    }
}
