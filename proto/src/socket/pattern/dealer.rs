//! DEALER (RFC 28, "The DEALER Socket Type") and CLIENT (RFC 41): send in turn, receive from all in turn, add and remove no
//! frame.

use super::{Pattern, probe};
use crate::connection::{ConnectionError, Peer};
use crate::entropy::Entropy;
use crate::message::Message;
use crate::socket::error::{ConnectError, RecvError, Unsent};
use crate::socket::id::PipeId;
use crate::socket::options::Settings;
use crate::socket::pipe::Pipes;
use crate::socket::routing::fair_queue::FairQueue;
use crate::socket::routing::load_balancer::LoadBalancer;

#[derive(Debug)]
pub(super) struct Dealer {
    peers: LoadBalancer,
    arrived: FairQueue,
    probe: bool,
}

impl Dealer {
    pub(super) fn new(settings: &Settings) -> Self {
        Self { peers: LoadBalancer::default(), arrived: FairQueue::default(), probe: settings.probe }
    }
}

impl Pattern for Dealer {
    fn opened(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Result<(), ConnectError> {
        self.peers.add(pipes, pipe);
        Ok(())
    }

    fn attach(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        _: &Peer,
        _: &mut dyn Entropy,
    ) -> Result<(), ConnectionError> {
        self.peers.add(pipes, pipe);
        if self.probe {
            probe(pipes, pipe);
        }
        Ok(())
    }

    fn closed(&mut self, pipes: &mut Pipes, pipe: PipeId) {
        self.peers.remove(pipes, pipe);
    }

    fn reopened(&mut self, pipes: &mut Pipes, pipe: PipeId) {
        self.peers.add(pipes, pipe);
    }

    fn inbound(&mut self, pipes: &mut Pipes, pipe: PipeId, message: Message) -> Result<(), ConnectionError> {
        self.arrived.deliver(pipes, pipe, message);
        Ok(())
    }

    // RFC 28: "SHALL block on sending, or return a suitable error, when it has no connected peers"; "SHALL NOT discard".
    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Unsent> {
        self.peers.send(pipes, message).map(drop)
    }

    fn recv(&mut self, pipes: &mut Pipes) -> Result<Message, RecvError> {
        self.arrived.next(pipes)
    }

    fn can_send(&mut self, pipes: &mut Pipes) -> bool {
        self.peers.has_room(pipes)
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.arrived.has_message(pipes)
    }
}
