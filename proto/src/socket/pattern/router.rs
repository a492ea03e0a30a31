//! ROUTER (RFC 28, "The ROUTER Socket Type"): every message begins with the routing id of its peer.

use super::{Pattern, probe};
use crate::connection::Peer;
use crate::entropy::Entropy;
use crate::error::{ConnectError, ConnectionError, RecvError, SendError};
use crate::event::DropReason;
use crate::message::{Frame, Message};
use crate::options::Settings;
use crate::pipe::{PipeId, Pipes};
use crate::socket::fair_queue::FairQueue;
use alloc::collections::BTreeMap;

#[derive(Debug)]
pub(super) struct Router {
    arrived: FairQueue,
    /// A tree and not a hash table: peers choose the keys.
    peers: BTreeMap<Frame, PipeId>,
    mandatory: bool,
    handover: bool,
    probe: bool,
}

/// Octets of an automatic routing id: a zero, as RFC 28 reserves it for, and 64 random bits that no peer can guess.
const AUTOMATIC: usize = 9;

impl Router {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            arrived: FairQueue::default(),
            peers: BTreeMap::new(),
            mandatory: settings.mandatory,
            handover: settings.handover,
            probe: settings.probe,
        }
    }

    fn automatic_id(&self, entropy: &mut dyn Entropy) -> Frame {
        loop {
            let mut octets = [0; AUTOMATIC];
            entropy.fill(&mut octets[1..]);
            let id = Frame::from(&octets);
            if !self.peers.contains_key(&id) {
                return id;
            }
        }
    }

    /// Gives the pipe this name. The table and the pipe always agree.
    fn name(&mut self, pipes: &mut Pipes, pipe: PipeId, id: Frame) {
        self.forget(pipes, pipe);
        if let Some(known) = pipes.get_mut(pipe) {
            known.routing_id = id.clone();
            self.peers.insert(id, pipe);
            pipes.writable = true;
        }
    }

    fn forget(&mut self, pipes: &mut Pipes, pipe: PipeId) {
        if let Some(known) = pipes.get_mut(pipe) {
            let id = core::mem::take(&mut known.routing_id);
            if self.peers.get(&id) == Some(&pipe) {
                self.peers.remove(&id);
            }
        }
    }
}

impl Pattern for Router {
    fn named(&mut self, pipes: &mut Pipes, pipe: PipeId, id: Frame) -> Result<(), ConnectError> {
        if self.peers.contains_key(&id) {
            return Err(ConnectError::RoutingIdTaken);
        }
        self.name(pipes, pipe, id);
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
            let id = if peer.routing_id.is_empty() { self.automatic_id(entropy) } else { peer.routing_id.clone() };
            match self.peers.get(&id).copied() {
                Some(owner) if self.handover => {
                    self.forget(pipes, owner);
                    pipes.doom(owner, ConnectionError::HandedOver);
                }
                Some(_) => return Err(ConnectionError::RoutingIdTaken),
                None => {}
            }
            self.name(pipes, pipe, id);
        }
        if self.probe {
            probe(pipes, pipe);
        }
        Ok(())
    }

    fn closed(&mut self, pipes: &mut Pipes, pipe: PipeId) {
        self.forget(pipes, pipe);
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

    fn send(&mut self, pipes: &mut Pipes, mut message: Message) -> Result<(), SendError> {
        if message.len() < 2 {
            return Err(SendError::Unaddressed(message));
        }
        let to = self.peers.get(message.head()).copied();
        match to {
            Some(pipe) if pipes.has_room(pipe) => {
                message.pop_front();
                pipes.push(pipe, message);
                Ok(())
            }
            Some(_) if self.mandatory => Err(SendError::Full(message)),
            None if self.mandatory => Err(SendError::Unroutable(message)),
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
        self.arrived.next(pipes).map(|(_, message)| message).ok_or(RecvError::Empty)
    }

    /// Whether a certain peer has room only `send` can tell, which knows which one.
    fn can_send(&mut self, _: &mut Pipes) -> bool {
        true
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.arrived.has_message(pipes)
    }
}
