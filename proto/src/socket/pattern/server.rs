//! SERVER (RFC 41, "The SERVER Socket Type") and PEER (RFC 51): every message is `[routing id, body]`. The socket
//! assigns each peer a number as its routing id. The number is not sent to the peer.

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

#[derive(Debug)]
pub(super) struct Server {
    arrived: FairQueue,
    peers: BTreeMap<u32, PipeId>,
    /// Number that this socket assigned last as a routing id; before the first assignment, a random number.
    // The first number is random, so that an id kept from an earlier socket does not address a peer by accident.
    latest: u32,
}

impl Server {
    pub(super) fn new(entropy: &mut dyn Entropy) -> Self {
        let mut bytes = [0; 4];
        entropy.fill(&mut bytes);
        Self { arrived: FairQueue::default(), peers: BTreeMap::new(), latest: u32::from_ne_bytes(bytes) }
    }

    /// Assigns a routing id to the peer of `pipe`, unless the peer has one already. The peer keeps its routing id when
    /// it reconnects on the same pipe.
    ///
    /// RFC 41: "a unique "routing id", which is a non-zero 32-bit unsigned integer value".
    // Numbers are assigned in ascending order, so that the number of a removed peer is reused only after about 2^32
    // peers.
    fn assign_id(&mut self, pipes: &mut Pipes, pipe: PipeId) {
        let Some(entry) = pipes.get_mut(pipe).filter(|pipe| pipe.routing_id.is_empty()) else {
            return;
        };
        loop {
            self.latest = self.latest.wrapping_add(1);
            if self.latest != 0 && !self.peers.contains_key(&self.latest) {
                break;
            }
        }
        self.peers.insert(self.latest, pipe);
        entry.routing_id = Frame::from(&self.latest.to_be_bytes());
    }
}

/// Returns the number that a routing id contains; `None` if the routing id does not have four bytes.
fn parse_id(id: &[u8]) -> Option<u32> {
    id.try_into().ok().map(u32::from_be_bytes)
}

impl Pattern for Server {
    fn on_connect(&mut self, pipes: &mut Pipes, pipe: PipeId, _: Option<Frame>) -> Result<Effects, ConnectError> {
        self.assign_id(pipes, pipe);
        Ok(Effects::NONE)
    }

    fn on_ready(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        _: &Peer,
        _: &mut dyn Entropy,
    ) -> Result<Effects, ConnectionError> {
        self.assign_id(pipes, pipe);
        Ok(Effects::NONE)
    }

    fn on_end(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Effects {
        if let Some(number) = pipes.get(pipe).and_then(|entry| parse_id(&entry.routing_id))
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
        match self.find_peer(message.head()) {
            Some(pipe) if pipes.has_room(pipe) => {
                send_addressed(pipes, pipe, message);
                Ok(Effects::NONE)
            }
            Some(_) => Err(Unsent::Full),
            None => Err(Unsent::Unroutable),
        }
    }

    fn addressee(&mut self, _: &Pipes, message: &Message) -> Option<PipeId> {
        self.find_peer(message.head())
    }

    fn recv(&mut self, pipes: &mut Pipes, _: &mut Effects) -> Result<Message, RecvError> {
        self.arrived.next(pipes)
    }

    fn arrived(&mut self) -> Option<&mut FairQueue> {
        Some(&mut self.arrived)
    }

    // The recipient, and so the room for a message, is known only to `send`.
    fn can_send(&mut self, _: &mut Pipes) -> bool {
        true
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.arrived.has_message(pipes)
    }

    fn can_complete_recvs(&mut self, pipes: &mut Pipes, count: usize) -> bool {
        self.arrived.has_messages(pipes, count)
    }

    fn find_peer(&self, id: &Frame) -> Option<PipeId> {
        self.peers.get(&parse_id(id)?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;
    use crate::socket::pipe::state::PipeState;

    #[test]
    fn server_routing_id_is_nonzero_and_unique() {
        let mut pipes = Pipes::with_marks(10, 10);
        let mut server = Server::new(&mut SeededEntropy::new(1));
        let mut id_after = |latest| {
            let pipe = pipes.insert(PipeState::dialled("tcp://a:1".parse().unwrap()));
            server.latest = latest;
            server.assign_id(&mut pipes, pipe);
            pipes.get(pipe).unwrap().routing_id.clone()
        };
        let max = u32::MAX;
        assert_eq!(
            [max - 2, max - 1, max, max - 2].map(&mut id_after).map(|id| parse_id(&id).unwrap()),
            [max - 1, max, 1, 2]
        );
        assert_eq!(id_after(0x0102_0304), [1, 2, 3, 5]);
    }
}
