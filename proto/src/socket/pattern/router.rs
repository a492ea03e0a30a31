//! ROUTER (RFC 28, "The ROUTER Socket Type"): every message begins with the routing id of its peer.

use super::{Pattern, probe};
use crate::connection::{ConnectionError, Peer};
use crate::entropy::Entropy;
use crate::message::{Frame, Message};
use crate::socket::error::{ConnectError, RecvError, Unsent};
use crate::socket::event::DropReason;
use crate::socket::id::PipeId;
use crate::socket::options::Settings;
use crate::socket::pipe::Pipes;
use crate::socket::routing::fair_queue::FairQueue;
use crate::socket::routing::routing_table::RoutingTable;

#[derive(Debug)]
pub(super) struct Router {
    arrived: FairQueue,
    peers: RoutingTable,
    mandatory: bool,
    handover: bool,
    probe: bool,
}

impl Router {
    pub(super) fn new(settings: &Settings, entropy: &mut dyn Entropy) -> Self {
        Self {
            arrived: FairQueue::default(),
            peers: RoutingTable::new(entropy),
            mandatory: settings.mandatory,
            handover: settings.handover,
            probe: settings.probe,
        }
    }
}

impl Pattern for Router {
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
        peer: &Peer,
        entropy: &mut dyn Entropy,
    ) -> Result<(), ConnectionError> {
        let known = pipes.get(pipe).map(|pipe| pipe.routing_id.clone()).unwrap_or_default();
        // A name stays with its pipe: what `connect_as` gave, and what a peer had before it was reconnected.
        if known.is_empty() {
            let id =
                if peer.routing_id.is_empty() { self.peers.automatic(pipes, entropy) } else { peer.routing_id.clone() };
            match self.peers.find(pipes, &id) {
                Some(owner) if self.handover => {
                    self.peers.forget(pipes, owner);
                    pipes.fail(owner, ConnectionError::HandedOver);
                }
                Some(_) => return Err(ConnectionError::RoutingIdTaken),
                None => {}
            }
            self.peers.name(pipes, pipe, id);
        }
        if self.probe {
            probe(pipes, pipe);
        }
        Ok(())
    }

    fn closed(&mut self, pipes: &mut Pipes, pipe: PipeId) {
        self.peers.forget(pipes, pipe);
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
        if message.len() < 2 {
            return Err(Unsent::Unaddressed);
        }
        let to = self.peers.find(pipes, message.head());
        match to {
            Some(pipe) if pipes.has_room(pipe) => {
                message.pop_front();
                pipes.push(pipe, message.take());
                Ok(())
            }
            Some(_) if self.mandatory => Err(Unsent::Full),
            None if self.mandatory => Err(Unsent::Unroutable),
            // RFC 28: "SHALL either drop the message or return an error"; libzmq drops unless told otherwise.
            Some(_) => {
                pipes.dropped(DropReason::PeerFull, 1);
                Ok(())
            }
            None => {
                pipes.dropped(DropReason::Unroutable, 1);
                Ok(())
            }
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
