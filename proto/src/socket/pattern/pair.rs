//! PAIR (RFC 31) and CHANNEL (RFC 52): exchanges messages with one peer and adds no frames. Rejects a second peer with
//! an error; libzmq instead ignores a second peer.

use super::Pattern;
use crate::connection::{ConnectionError, Inbox, Peer};
use crate::entropy::Entropy;
use crate::message::{Frame, Message};
use crate::socket::effects::Effects;
use crate::socket::error::{ConnectError, RecvError, Unsent};
use crate::socket::id::PipeId;
use crate::socket::pipe::Pipes;
use crate::socket::routing::fair_queue::FairQueue;
use crate::socket::stats::TrafficCount;

#[derive(Debug, Default)]
pub(super) struct Pair {
    peer: Option<PipeId>,
    /// Received messages that wait for the application. Messages from an earlier peer that has disconnected can be
    /// among them.
    arrived: FairQueue,
}

impl Pattern for Pair {
    fn on_connect(&mut self, _: &mut Pipes, pipe: PipeId, _: Option<Frame>) -> Result<Effects, ConnectError> {
        if self.peer.is_some() {
            return Err(ConnectError::PairInUse);
        }
        self.peer = Some(pipe);
        Ok(Effects::WRITABLE)
    }

    fn on_ready(
        &mut self,
        _: &mut Pipes,
        pipe: PipeId,
        _: &Peer,
        _: &mut dyn Entropy,
    ) -> Result<Effects, ConnectionError> {
        if *self.peer.get_or_insert(pipe) != pipe {
            return Err(ConnectionError::PairInUse);
        }
        Ok(Effects::WRITABLE)
    }

    fn on_end(&mut self, _: &mut Pipes, pipe: PipeId) -> Effects {
        self.peer.take_if(|peer| *peer == pipe);
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
        *effects |= self.arrived.deliver(pipes, pipe, message);
        Ok(())
    }

    fn on_run(&mut self, pipes: &mut Pipes, pipe: PipeId, items: &mut Inbox, effects: &mut Effects) -> TrafficCount {
        let (received, readable) = self.arrived.deliver_run(pipes, pipe, items);
        *effects |= readable;
        received
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

    fn send_run(&mut self, pipes: &mut Pipes, messages: &mut [Message]) -> usize {
        self.peer.map_or(0, |peer| pipes.push_run(peer, messages))
    }

    fn recv(&mut self, pipes: &mut Pipes, _: &mut Effects) -> Result<Message, RecvError> {
        self.arrived.next(pipes)
    }

    fn arrived(&mut self) -> Option<&mut FairQueue> {
        Some(&mut self.arrived)
    }

    fn can_send(&mut self, pipes: &mut Pipes) -> bool {
        self.peer.is_some_and(|peer| pipes.has_room(peer))
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.arrived.has_message(pipes)
    }

    fn can_complete_sends(&mut self, pipes: &mut Pipes, count: usize) -> bool {
        self.peer.is_some_and(|peer| pipes.room(peer) >= count)
    }

    fn can_complete_recvs(&mut self, pipes: &mut Pipes, count: usize) -> bool {
        self.arrived.has_messages(pipes, count)
    }
}
