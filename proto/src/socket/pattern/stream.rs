//! STREAM (`zmq_socket`, "Native pattern"): peers that speak no ZMTP, each known by a routing id. Messages are `[id, octets]`,
//! and `[id, ""]` is a notice that the peer is there, that it is gone, or that it shall go.

use super::Pattern;
use crate::connection::{ConnectionError, Peer};
use crate::entropy::Entropy;
use crate::message::{Frame, Message};
use crate::socket::error::{ConnectError, RecvError, Unsent};
use crate::socket::id::PipeId;
use crate::socket::options::Settings;
use crate::socket::pipe::Pipes;
use crate::socket::routing::fair_queue::FairQueue;
use crate::socket::routing::routing_table::RoutingTable;
use alloc::collections::BTreeSet;

#[derive(Debug)]
pub(super) struct Stream {
    arrived: FairQueue,
    peers: RoutingTable,
    notify: bool,
    /// Those whose coming was told, and whose going is to be.
    told: BTreeSet<PipeId>,
}

impl Stream {
    pub(super) fn new(settings: &Settings, entropy: &mut dyn Entropy) -> Self {
        Self {
            arrived: FairQueue::default(),
            peers: RoutingTable::new(entropy),
            notify: settings.notify,
            told: BTreeSet::new(),
        }
    }

    /// Tells the application that this peer has come or gone, beyond the high-water mark if need be.
    fn tell(&mut self, pipes: &mut Pipes, pipe: PipeId) {
        if let Some(known) = pipes.get(pipe) {
            let notice = Message::from([known.routing_id.clone(), Frame::EMPTY]);
            self.arrived.deliver(pipes, pipe, notice);
        }
    }
}

impl Pattern for Stream {
    fn named(&mut self, pipes: &mut Pipes, pipe: PipeId, id: Frame) -> Result<(), ConnectError> {
        if self.peers.find(pipes, &id).is_some() {
            return Err(ConnectError::RoutingIdTaken);
        }
        self.peers.name(pipes, pipe, id);
        Ok(())
    }

    fn attach(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        _: &Peer,
        entropy: &mut dyn Entropy,
    ) -> Result<(), ConnectionError> {
        // A name stays with its pipe: what `connect_as` gave, and what a peer had before it was reconnected.
        if pipes.get(pipe).is_some_and(|known| known.routing_id.is_empty()) {
            let id = self.peers.automatic(pipes, entropy);
            self.peers.name(pipes, pipe, id);
        }
        if self.notify && self.told.insert(pipe) {
            self.tell(pipes, pipe);
        }
        Ok(())
    }

    fn detach(&mut self, pipes: &mut Pipes, pipe: PipeId) {
        if self.told.remove(&pipe) {
            self.tell(pipes, pipe);
        }
    }

    fn closed(&mut self, pipes: &mut Pipes, pipe: PipeId) {
        self.told.remove(&pipe);
        self.peers.forget(pipes, pipe);
    }

    /// The octets of one stream are no use to the next one: they are the rest of something that its peer has not seen begin.
    fn carries_over(&self) -> bool {
        false
    }

    fn reopened(&mut self, pipes: &mut Pipes, _: PipeId) {
        pipes.writable = true;
    }

    fn inbound(&mut self, pipes: &mut Pipes, pipe: PipeId, mut message: Message) -> Result<(), ConnectionError> {
        if let Some(known) = pipes.get(pipe) {
            message.push_front(known.routing_id.clone());
            self.arrived.deliver(pipes, pipe, message);
        }
        Ok(())
    }

    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Unsent> {
        if message.len() != 2 {
            return Err(Unsent::FrameCount);
        }
        match self.peers.find(pipes, message.head()) {
            None => Err(Unsent::Unroutable),
            Some(pipe) if message.body().is_empty() => {
                pipes.part(pipe);
                Ok(())
            }
            Some(pipe) if pipes.has_room(pipe) => {
                message.pop_front();
                pipes.push(pipe, message.take());
                Ok(())
            }
            Some(_) => Err(Unsent::Full),
        }
    }

    fn recv(&mut self, pipes: &mut Pipes) -> Result<Message, RecvError> {
        self.arrived.next(pipes)
    }

    /// Whether a certain peer has room only `send` can tell, which knows which one.
    fn can_send(&mut self, _: &mut Pipes) -> bool {
        true
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.arrived.has_message(pipes)
    }
}
