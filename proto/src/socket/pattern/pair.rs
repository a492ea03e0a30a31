//! PAIR (RFC 31) and CHANNEL (RFC 52): exchanges messages with one peer and adds no frames. The connection of a second
//! peer is rejected instead of being ignored.

use super::halves::{Halves, Outgoing};
use crate::connection::ConnectionError;
use crate::message::Message;
use crate::socket::effects::Effects;
use crate::socket::error::{ConnectError, Unsent};
use crate::socket::id::PipeId;
use crate::socket::pipe::Pipes;
use crate::socket::routing::fair_queue::FairQueue;

/// Rules of a PAIR. The fair queue holds one pipe, and sometimes the last messages of a former peer.
pub(super) type Pair = Halves<SinglePeer, FairQueue>;

/// Sends to one peer.
#[derive(Debug, Default)]
pub(super) struct SinglePeer {
    peer: Option<PipeId>,
}

impl Outgoing for SinglePeer {
    fn on_connect(&mut self, _: &mut Pipes, pipe: PipeId) -> Result<Effects, ConnectError> {
        if self.peer.is_some() {
            return Err(ConnectError::PairInUse);
        }
        self.peer = Some(pipe);
        Ok(Effects::WRITABLE)
    }

    fn on_ready(&mut self, _: &mut Pipes, pipe: PipeId) -> Result<Effects, ConnectionError> {
        if *self.peer.get_or_insert(pipe) != pipe {
            return Err(ConnectionError::PairInUse);
        }
        Ok(Effects::WRITABLE)
    }

    fn on_end(&mut self, _: &mut Pipes, pipe: PipeId) {
        self.peer.take_if(|peer| *peer == pipe);
    }

    fn on_room(&mut self, _: &mut Pipes, _: PipeId) -> Effects {
        Effects::WRITABLE
    }

    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<Effects, Unsent> {
        match self.peer {
            Some(peer) if pipes.has_room(peer) => {
                pipes.push(peer, message.take());
                Ok(Effects::NONE)
            }
            _ => Err(Unsent::Full),
        }
    }

    fn can_send(&mut self, pipes: &mut Pipes) -> bool {
        self.peer.is_some_and(|peer| pipes.has_room(peer))
    }
}
