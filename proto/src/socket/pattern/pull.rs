//! PULL (RFC 30, "The PULL Socket Type") and GATHER (RFC 49): receive from all peers in turn, send nothing.

use super::Pattern;
use crate::connection::{ConnectionError, Peer};
use crate::entropy::Entropy;
use crate::message::Message;
use crate::socket::error::{RecvError, Unsent};
use crate::socket::id::PipeId;
use crate::socket::options::Settings;
use crate::socket::pipe::Pipes;
use crate::socket::routing::fair_queue::FairQueue;
use crate::socket_type::SocketType;

#[derive(Debug)]
pub(super) struct Pull {
    arrived: FairQueue,
    socket_type: SocketType,
}

impl Pull {
    pub(super) fn new(settings: &Settings) -> Self {
        Self { arrived: FairQueue::default(), socket_type: settings.connection.socket_type }
    }
}

impl Pattern for Pull {
    fn attach(&mut self, _: &mut Pipes, _: PipeId, _: &Peer, _: &mut dyn Entropy) -> Result<(), ConnectionError> {
        Ok(())
    }

    fn reopened(&mut self, _: &mut Pipes, _: PipeId) {}

    fn inbound(&mut self, pipes: &mut Pipes, pipe: PipeId, message: Message) -> Result<(), ConnectionError> {
        self.arrived.deliver(pipes, pipe, message);
        Ok(())
    }

    fn send(&mut self, _: &mut Pipes, _: &mut Message) -> Result<(), Unsent> {
        Err(Unsent::Unsupported(self.socket_type))
    }

    fn recv(&mut self, pipes: &mut Pipes) -> Result<Message, RecvError> {
        self.arrived.next(pipes)
    }

    fn can_send(&mut self, _: &mut Pipes) -> bool {
        false
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.arrived.has_message(pipes)
    }
}
