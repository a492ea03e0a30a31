//! PAIR (RFC 31) and CHANNEL (RFC 52): one peer, both directions, nothing added. A second peer is refused instead of being
//! left deaf.

use super::Pattern;
use crate::connection::{ConnectionError, Peer};
use crate::entropy::Entropy;
use crate::message::Message;
use crate::socket::error::{ConnectError, RecvError, Unsent};
use crate::socket::id::PipeId;
use crate::socket::pipe::Pipes;
use crate::socket::routing::fair_queue::FairQueue;

#[derive(Debug, Default)]
pub(super) struct Pair {
    peer: Option<PipeId>,
    /// A queue of one pipe, and sometimes of what a former peer left behind.
    arrived: FairQueue,
}

impl Pattern for Pair {
    fn opened(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Result<(), ConnectError> {
        if self.peer.is_some() {
            return Err(ConnectError::Exclusive);
        }
        self.peer = Some(pipe);
        pipes.writable = true;
        Ok(())
    }

    fn attach(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        _: &Peer,
        _: &mut dyn Entropy,
    ) -> Result<(), ConnectionError> {
        if *self.peer.get_or_insert(pipe) != pipe {
            return Err(ConnectionError::Exclusive);
        }
        pipes.writable = true;
        Ok(())
    }

    fn closed(&mut self, _: &mut Pipes, pipe: PipeId) {
        self.peer.take_if(|peer| *peer == pipe);
    }

    fn reopened(&mut self, pipes: &mut Pipes, _: PipeId) {
        pipes.writable = true;
    }

    fn inbound(&mut self, pipes: &mut Pipes, pipe: PipeId, message: Message) -> Result<(), ConnectionError> {
        self.arrived.deliver(pipes, pipe, message);
        Ok(())
    }

    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Unsent> {
        match self.peer {
            Some(peer) if pipes.has_room(peer) => {
                pipes.push(peer, message.take());
                Ok(())
            }
            _ => Err(Unsent::Full),
        }
    }

    fn recv(&mut self, pipes: &mut Pipes) -> Result<Message, RecvError> {
        self.arrived.next(pipes)
    }

    fn can_send(&mut self, pipes: &mut Pipes) -> bool {
        self.peer.is_some_and(|peer| pipes.has_room(peer))
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.arrived.has_message(pipes)
    }
}
