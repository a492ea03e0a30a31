//! ROUTER (RFC 28, "The ROUTER Socket Type"): every message that the application sends or receives begins with the
//! routing id of the peer.

use super::addressed::{AddressedPeers, Addressing, has_routing_id, send_addressed};
use super::probe;
use crate::connection::{ConnectionError, Peer};
use crate::entropy::Entropy;
use crate::message::{Frame, Message};
use crate::socket::effects::Effects;
use crate::socket::error::Unsent;
use crate::socket::event::DropReason;
use crate::socket::id::PipeId;
use crate::socket::options::Settings;
use crate::socket::pipe::Pipes;

#[derive(Debug)]
pub(super) struct Router {
    peers: AddressedPeers,
    mandatory: bool,
    handover: bool,
    probe: bool,
}

impl Router {
    pub(super) fn new(settings: &Settings, entropy: &mut dyn Entropy) -> Self {
        Self {
            peers: AddressedPeers::new(entropy),
            mandatory: settings.mandatory,
            handover: settings.handover,
            probe: settings.probe,
        }
    }
}

impl Addressing for Router {
    fn configure(&mut self, settings: &Settings) {
        self.mandatory = settings.mandatory;
        self.handover = settings.handover;
        self.probe = settings.probe;
    }

    fn peers(&mut self) -> &mut AddressedPeers {
        &mut self.peers
    }

    fn on_ready(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        peer: &Peer,
        entropy: &mut dyn Entropy,
    ) -> Result<Effects, ConnectionError> {
        let mut effects = Effects::NONE;
        let is_other_peer = self.is_other_peer(pipes, pipe, peer);
        if is_other_peer || !has_routing_id(pipes, pipe) {
            let table = &mut self.peers.table;
            let id = if peer.routing_id.is_empty() {
                table.generate_id(pipes, pipe, entropy)
            } else {
                peer.routing_id.clone()
            };
            match table.find(pipes, &id) {
                Some(owner) if self.handover => {
                    table.remove(pipes, owner);
                    pipes.fail(owner, ConnectionError::HandedOver);
                }
                Some(_) => return Err(ConnectionError::RoutingIdTaken),
                None => {}
            }
            if is_other_peer {
                let lost = pipes.clear_outgoing(pipe);
                pipes.dropped(DropReason::Undelivered, lost);
            }
            effects = table.assign(pipes, pipe, id);
        }
        if self.probe {
            probe(pipes, pipe);
        }
        Ok(effects)
    }

    fn drops_if_full(&self) -> bool {
        !self.mandatory
    }

    // A peer without a routing id may be any peer, so the earlier routing id remains.
    fn is_other_peer(&self, pipes: &Pipes, pipe: PipeId, peer: &Peer) -> bool {
        let is_other = |id: &Frame| !id.is_empty() && !peer.routing_id.is_empty() && *id != peer.routing_id;
        pipes.get(pipe).is_some_and(|entry| !entry.is_id_given && is_other(&entry.routing_id))
    }

    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<Effects, Unsent> {
        if message.len() < 2 {
            return Err(Unsent::Unaddressed);
        }
        match self.peers.addressee(pipes, message) {
            Some(pipe) if pipes.has_room(pipe) => {
                send_addressed(pipes, pipe, message);
                Ok(Effects::NONE)
            }
            Some(_) if self.mandatory => Err(Unsent::Full),
            None if self.mandatory => Err(Unsent::Unroutable),
            // RFC 28: "SHALL either drop the message or return an error". Like libzmq, a ROUTER drops it by default.
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
}
