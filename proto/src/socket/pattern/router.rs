//! ROUTER (RFC 28, "The ROUTER Socket Type"): every message begins with the routing id of its peer.

use super::addressed::{Addressed, has_routing_id, send_addressed};
use super::{Pattern, probe};
use crate::connection::{ConnectionError, Peer};
use crate::entropy::Entropy;
use crate::message::{Frame, Message};
use crate::socket::effects::Effects;
use crate::socket::error::{ConnectError, RecvError, Unsent};
use crate::socket::event::DropReason;
use crate::socket::id::PipeId;
use crate::socket::options::Settings;
use crate::socket::pipe::Pipes;
use alloc::sync::Arc;

#[derive(Debug)]
pub(super) struct Router {
    addressed: Addressed,
    mandatory: bool,
    handover: bool,
    probe: bool,
}

impl Router {
    pub(super) fn new(settings: &Settings, entropy: &mut dyn Entropy) -> Self {
        Self {
            addressed: Addressed::new(entropy),
            mandatory: settings.mandatory,
            handover: settings.handover,
            probe: settings.probe,
        }
    }
}

impl Pattern for Router {
    fn on_connect_as(&mut self, pipes: &mut Pipes, pipe: PipeId, id: Frame) -> Result<Effects, ConnectError> {
        self.addressed.connect_as(pipes, pipe, id)
    }

    fn on_ready(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        peer: &Peer,
        entropy: &mut dyn Entropy,
    ) -> Result<Effects, ConnectionError> {
        let mut effects = Effects::NONE;
        if !has_routing_id(pipes, pipe) {
            let peers = &mut self.addressed.peers;
            let id = if peer.routing_id.is_empty() { peers.automatic(pipes, entropy) } else { peer.routing_id.clone() };
            match peers.find(pipes, &id) {
                Some(owner) if self.handover => {
                    peers.forget(pipes, owner);
                    pipes.fail(owner, ConnectionError::HandedOver);
                }
                Some(_) => return Err(ConnectionError::RoutingIdTaken),
                None => {}
            }
            effects = peers.name(pipes, pipe, id);
        }
        if self.probe {
            probe(pipes, pipe);
        }
        Ok(effects)
    }

    fn on_end(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Effects {
        self.addressed.peers.forget(pipes, pipe);
        Effects::NONE
    }

    fn on_room(&mut self, _: &mut Pipes, _: PipeId) -> Effects {
        Effects::WRITABLE
    }

    fn on_message(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        message: Message,
        effects: &mut Effects,
    ) -> Result<(), ConnectionError> {
        *effects |= self.addressed.deliver(pipes, pipe, message);
        Ok(())
    }

    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<Effects, Unsent> {
        if message.len() < 2 {
            return Err(Unsent::Unaddressed);
        }
        let to = self.addressed.peers.find(pipes, message.head());
        match to {
            Some(pipe) if pipes.has_room(pipe) => {
                send_addressed(pipes, pipe, message);
                Ok(Effects::NONE)
            }
            Some(_) if self.mandatory => Err(Unsent::Full),
            None if self.mandatory => Err(Unsent::Unroutable),
            // RFC 28: "SHALL either drop the message or return an error"; libzmq drops unless told otherwise.
            Some(_) => {
                pipes.dropped(DropReason::PeerFull, 1);
                Ok(Effects::NONE)
            }
            None => {
                pipes.dropped(DropReason::Unroutable, 1);
                Ok(Effects::NONE)
            }
        }
    }

    fn recv(&mut self, pipes: &mut Pipes, _: &mut Effects) -> Result<Message, RecvError> {
        self.addressed.recv(pipes)
    }

    fn next_sender(&mut self, pipes: &mut Pipes) -> Option<Arc<Peer>> {
        self.addressed.next_sender(pipes)
    }

    /// Whether a certain peer has room only `send` can tell, which knows which one.
    fn can_send(&mut self, _: &mut Pipes) -> bool {
        true
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.addressed.can_recv(pipes)
    }
}
