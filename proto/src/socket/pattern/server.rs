//! SERVER (RFC 41, "The SERVER Socket Type") and PEER (RFC 51): every message is `[routing id, body]`, and the routing id is
//! a number that this side gave the peer; it never travels.

use super::Pattern;
use super::addressed::{deliver_addressed, send_addressed};
use crate::connection::{ConnectionError, Peer};
use crate::entropy::Entropy;
use crate::message::{Frame, Message};
use crate::socket::effects::Effects;
use crate::socket::error::{ConnectError, RecvError, Unsent};
use crate::socket::event::DropReason;
use crate::socket::id::PipeId;
use crate::socket::pipe::Pipes;
use crate::socket::routing::fair_queue::FairQueue;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;

#[derive(Debug)]
pub(super) struct Server {
    arrived: FairQueue,
    peers: BTreeMap<u32, PipeId>,
    /// The number given last. The first is random: one kept from a former socket names nobody here by accident.
    latest: u32,
}

impl Server {
    pub(super) fn new(entropy: &mut dyn Entropy) -> Self {
        let mut octets = [0; 4];
        entropy.fill(&mut octets);
        Self { arrived: FairQueue::default(), peers: BTreeMap::new(), latest: u32::from_ne_bytes(octets) }
    }

    /// Gives the pipe a number, unless it has one: that stays with it through all its connections.
    ///
    /// RFC 41: "a unique "routing id", which is a non-zero 32-bit unsigned integer value". They are given in turn, so that
    /// the number of a peer that left is another's only after four thousand million peers.
    fn number(&mut self, pipes: &mut Pipes, pipe: PipeId) {
        let Some(known) = pipes.get_mut(pipe).filter(|pipe| pipe.routing_id.is_empty()) else {
            return;
        };
        loop {
            self.latest = self.latest.wrapping_add(1);
            if self.latest != 0 && !self.peers.contains_key(&self.latest) {
                break;
            }
        }
        self.peers.insert(self.latest, pipe);
        known.routing_id = Frame::from(&self.latest.to_be_bytes());
    }
}

/// The number that a routing id stands for.
fn number_in(id: &[u8]) -> Option<u32> {
    id.try_into().ok().map(u32::from_be_bytes)
}

impl Pattern for Server {
    fn on_connect(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Result<Effects, ConnectError> {
        self.number(pipes, pipe);
        Ok(Effects::NONE)
    }

    fn on_ready(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        _: &Peer,
        _: &mut dyn Entropy,
    ) -> Result<Effects, ConnectionError> {
        self.number(pipes, pipe);
        Ok(Effects::NONE)
    }

    fn on_end(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Effects {
        if let Some(number) = pipes.get(pipe).and_then(|known| number_in(&known.routing_id))
            && self.peers.get(&number) == Some(&pipe)
        {
            self.peers.remove(&number);
        }
        Effects::NONE
    }

    fn on_room(&mut self, _: &mut Pipes, _: PipeId) -> Effects {
        Effects::WRITABLE
    }

    // RFC 51: "MUST discard any part of a multipart message". The connection is kept, as libzmq does.
    fn on_message(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        message: Message,
        effects: &mut Effects,
    ) -> Result<(), ConnectionError> {
        if message.len() > 1 {
            pipes.dropped(DropReason::Multipart, 1);
        } else {
            *effects |= deliver_addressed(&mut self.arrived, pipes, pipe, message);
        }
        Ok(())
    }

    // RFC 41: "SHALL return an error if the queue does not exist"; "SHALL block on sending, if the queue is full".
    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<Effects, Unsent> {
        match message.len() {
            1 => return Err(Unsent::Unaddressed),
            2 => {}
            _ => return Err(Unsent::SingleFrame),
        }
        match self.numbered(message.head()) {
            Some(pipe) if pipes.has_room(pipe) => {
                send_addressed(pipes, pipe, message);
                Ok(Effects::NONE)
            }
            Some(_) => Err(Unsent::Full),
            None => Err(Unsent::Unroutable),
        }
    }

    fn recv(&mut self, pipes: &mut Pipes, _: &mut Effects) -> Result<Message, RecvError> {
        self.arrived.next(pipes)
    }

    fn next_sender(&mut self, pipes: &mut Pipes) -> Option<Arc<Peer>> {
        self.arrived.sender_of_next(pipes)
    }

    /// Whether a certain peer has room only `send` can tell, which knows which one.
    fn can_send(&mut self, _: &mut Pipes) -> bool {
        true
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.arrived.has_message(pipes)
    }

    fn numbered(&self, id: &Frame) -> Option<PipeId> {
        self.peers.get(&number_in(id)?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;
    use crate::socket::pipe::state::PipeState;

    #[test]
    fn a_number_is_never_zero_nor_that_of_a_living_peer() {
        let mut pipes = Pipes::with_marks(10, 10);
        let mut server = Server::new(&mut SeededEntropy::new(1));
        let mut number_after = |latest| {
            let pipe = pipes.insert(PipeState::dialled("tcp://a:1".parse().unwrap()));
            server.latest = latest;
            server.number(&mut pipes, pipe);
            pipes.get(pipe).unwrap().routing_id.clone()
        };
        let max = u32::MAX;
        assert_eq!(
            [max - 2, max - 1, max, max - 2].map(&mut number_after).map(|id| number_in(&id).unwrap()),
            [max - 1, max, 1, 2]
        );
        assert_eq!(number_after(0x0102_0304), [1, 2, 3, 5]);
    }
}
