//! Messages of one frame only (RFC 41, 49, 52), in front of the rules that a draft type shares with an older one.

use super::Pattern;
use crate::connection::{ConnectionError, Peer};
use crate::entropy::Entropy;
use crate::message::Message;
use crate::socket::error::{ConnectError, RecvError, Unsent};
use crate::socket::event::DropReason;
use crate::socket::id::PipeId;
use crate::socket::pipe::Pipes;

/// The rules of a type whose peers have no names.
#[derive(Debug, Default)]
pub(super) struct SingleFrame<P>(pub(super) P);

impl<P: Pattern> Pattern for SingleFrame<P> {
    fn opened(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Result<(), ConnectError> {
        self.0.opened(pipes, pipe)
    }

    fn attach(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        peer: &Peer,
        entropy: &mut dyn Entropy,
    ) -> Result<(), ConnectionError> {
        self.0.attach(pipes, pipe, peer, entropy)
    }

    fn detach(&mut self, pipes: &mut Pipes, pipe: PipeId) {
        self.0.detach(pipes, pipe);
    }

    fn closed(&mut self, pipes: &mut Pipes, pipe: PipeId) {
        self.0.closed(pipes, pipe);
    }

    fn reopened(&mut self, pipes: &mut Pipes, pipe: PipeId) {
        self.0.reopened(pipes, pipe);
    }

    // RFC 49 and 52: "MUST discard any part of a multipart message". The connection is kept, as libzmq does.
    fn inbound(&mut self, pipes: &mut Pipes, pipe: PipeId, message: Message) -> Result<(), ConnectionError> {
        if message.len() > 1 {
            pipes.dropped(DropReason::Multipart, 1);
            return Ok(());
        }
        self.0.inbound(pipes, pipe, message)
    }

    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Unsent> {
        if message.len() > 1 {
            return Err(Unsent::SingleFrame);
        }
        self.0.send(pipes, message)
    }

    fn recv(&mut self, pipes: &mut Pipes) -> Result<Message, RecvError> {
        self.0.recv(pipes)
    }

    fn can_send(&mut self, pipes: &mut Pipes) -> bool {
        self.0.can_send(pipes)
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.0.can_recv(pipes)
    }
}
