//! [`Addressed`]: peers of a socket type whose messages begin with the routing id of their peer.

use crate::connection::Peer;
use crate::entropy::Entropy;
use crate::message::{Frame, Message};
use crate::socket::effects::Effects;
use crate::socket::error::{ConnectError, RecvError};
use crate::socket::id::PipeId;
use crate::socket::pipe::Pipes;
use crate::socket::routing::fair_queue::FairQueue;
use crate::socket::routing::routing_table::RoutingTable;
use alloc::sync::Arc;

/// Peers by routing id, and their messages. A routing id stays with its pipe through all connections.
#[derive(Debug)]
pub(super) struct Addressed {
    pub(super) arrived: FairQueue,
    pub(super) peers: RoutingTable,
}

impl Addressed {
    pub(super) fn new(entropy: &mut dyn Entropy) -> Self {
        Self { arrived: FairQueue::default(), peers: RoutingTable::new(entropy) }
    }

    /// Gives a peer the routing id that the application chose for it.
    pub(super) fn connect_as(&mut self, pipes: &mut Pipes, pipe: PipeId, id: Frame) -> Result<Effects, ConnectError> {
        if self.peers.find(pipes, &id).is_some() {
            return Err(ConnectError::RoutingIdTaken);
        }
        Ok(self.peers.name(pipes, pipe, id))
    }

    /// Queues a message of this peer, behind its routing id.
    #[inline]
    pub(super) fn deliver(&mut self, pipes: &mut Pipes, pipe: PipeId, message: Message) -> Effects {
        deliver_addressed(&mut self.arrived, pipes, pipe, message)
    }

    #[inline]
    pub(super) fn recv(&mut self, pipes: &mut Pipes) -> Result<Message, RecvError> {
        self.arrived.next(pipes)
    }

    pub(super) fn next_sender(&mut self, pipes: &mut Pipes) -> Option<Arc<Peer>> {
        self.arrived.sender_of_next(pipes)
    }

    pub(super) fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.arrived.has_message(pipes)
    }
}

/// Returns true if the peer of this pipe has a routing id.
pub(super) fn has_routing_id(pipes: &Pipes, pipe: PipeId) -> bool {
    pipes.get(pipe).is_some_and(|known| !known.routing_id.is_empty())
}

/// Queues a message of this peer, behind its routing id.
#[inline]
pub(super) fn deliver_addressed(
    arrived: &mut FairQueue,
    pipes: &mut Pipes,
    pipe: PipeId,
    mut message: Message,
) -> Effects {
    let Some(known) = pipes.get(pipe) else { return Effects::NONE };
    message.push_front(known.routing_id.clone());
    arrived.deliver(pipes, pipe, message)
}

/// Sends this peer a message without the routing id. The peer must have room.
#[inline]
pub(super) fn send_addressed(pipes: &mut Pipes, pipe: PipeId, message: &mut Message) {
    message.pop_front();
    pipes.push(pipe, message.take());
}
