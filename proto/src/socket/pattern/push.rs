//! PUSH (RFC 30, "The PUSH Socket Type") and SCATTER (RFC 49): send in turn, receive nothing.

use super::Pattern;
use crate::connection::{ConnectionError, Peer};
use crate::entropy::Entropy;
use crate::message::Message;
use crate::socket::error::{ConnectError, RecvError, Unsent};
use crate::socket::event::DropReason;
use crate::socket::id::PipeId;
use crate::socket::options::Settings;
use crate::socket::pipe::Pipes;
use crate::socket::routing::load_balancer::LoadBalancer;
use crate::socket_type::SocketType;

#[derive(Debug)]
pub(super) struct Push {
    peers: LoadBalancer,
    socket_type: SocketType,
}

impl Push {
    pub(super) fn new(settings: &Settings) -> Self {
        Self { peers: LoadBalancer::default(), socket_type: settings.connection.socket_type }
    }
}

impl Pattern for Push {
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
        Ok(())
    }

    fn closed(&mut self, pipes: &mut Pipes, pipe: PipeId) {
        self.peers.remove(pipes, pipe);
    }

    fn reopened(&mut self, pipes: &mut Pipes, pipe: PipeId) {
        self.peers.add(pipes, pipe);
    }

    /// A PULL has nothing to say. Dropping it, rather than hoarding it as libzmq does, keeps heartbeats flowing.
    fn inbound(&mut self, pipes: &mut Pipes, _: PipeId, _: Message) -> Result<(), ConnectionError> {
        pipes.dropped(DropReason::Unexpected, 1);
        Ok(())
    }

    // RFC 30: "SHALL block on sending, or return a suitable error, when it has no available peers"; "SHALL NOT discard".
    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Unsent> {
        self.peers.send(pipes, message).map(drop)
    }

    fn recv(&mut self, _: &mut Pipes) -> Result<Message, RecvError> {
        Err(RecvError::Unsupported(self.socket_type))
    }

    fn can_send(&mut self, pipes: &mut Pipes) -> bool {
        self.peers.has_room(pipes)
    }

    fn can_recv(&mut self, _: &mut Pipes) -> bool {
        false
    }
}
