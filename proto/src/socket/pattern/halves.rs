//! [`Halves`]: behaviour of the socket types in which sending and receiving are independent, such as DEALER.

use super::{Pattern, probe};
use crate::connection::{ConnectionError, Inbox, Peer};
use crate::entropy::Entropy;
use crate::message::{Frame, Message};
use crate::socket::effects::Effects;
use crate::socket::error::{ConnectError, RecvError, Unsent};
use crate::socket::event::DropReason;
use crate::socket::id::PipeId;
use crate::socket::options::Settings;
use crate::socket::pipe::Pipes;
use crate::socket::routing::fair_queue::FairQueue;
use crate::socket::routing::load_balancer::LoadBalancer;
use crate::socket::stats::TrafficCount;
use crate::socket_type::SocketType;

/// [`Pattern`] of the socket types that send and receive independently, without an alternation of requests and replies,
/// and that add no frames to messages: DEALER, PUSH and PULL. Inside a `SingleFrame` also CLIENT, SCATTER and GATHER.
#[derive(Debug)]
pub(super) struct Halves {
    pub(super) socket_type: SocketType,
    /// Selects the peer for each sent message, in turn. If no peer has room in its outgoing queue, `send` returns
    /// `Full`. `None` if the socket type does not send.
    pub(super) outgoing: Option<LoadBalancer>,
    /// Takes received messages from the peers in turn. `None` if the socket type does not receive.
    pub(super) incoming: Option<FairQueue>,
    /// True if the socket must send an empty message first on each new connection (`PROBE_ROUTER`).
    pub(super) probe: bool,
}

impl Pattern for Halves {
    fn configure(&mut self, _: &mut Pipes, settings: &Settings, _: &mut dyn Entropy) {
        self.probe = settings.probe;
    }

    fn on_connect(&mut self, pipes: &mut Pipes, pipe: PipeId, _: Option<Frame>) -> Result<Effects, ConnectError> {
        Ok(self.outgoing.as_mut().map_or(Effects::NONE, |peers| peers.add(pipes, pipe)))
    }

    fn on_ready(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        _: &Peer,
        _: &mut dyn Entropy,
    ) -> Result<Effects, ConnectionError> {
        let effects = self.on_room(pipes, pipe);
        if self.probe {
            probe(pipes, pipe);
        }
        Ok(effects)
    }

    fn on_end(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Effects {
        if let Some(peers) = &mut self.outgoing {
            peers.remove(pipes, pipe);
        }
        Effects::NONE
    }

    fn on_room(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Effects {
        self.outgoing.as_mut().map_or(Effects::NONE, |peers| peers.add(pipes, pipe))
    }

    fn on_message(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        message: Message,
        effects: &mut Effects,
    ) -> Result<(), ConnectionError> {
        match &mut self.incoming {
            Some(arrived) => *effects |= arrived.deliver(pipes, pipe, message),
            // Dropping the message, instead of queueing it as libzmq does, keeps heartbeats flowing.
            None => pipes.dropped(DropReason::Unexpected, 1),
        }
        Ok(())
    }

    fn on_run(&mut self, pipes: &mut Pipes, pipe: PipeId, items: &mut Inbox, effects: &mut Effects) -> TrafficCount {
        let Some(arrived) = &mut self.incoming else { return TrafficCount::default() };
        let (received, readable) = arrived.deliver_run(pipes, pipe, items);
        *effects |= readable;
        received
    }

    // RFC 28 and 30: "SHALL block on sending, or return a suitable error, when it has no connected peers"; "SHALL NOT discard".
    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<Effects, Unsent> {
        let Some(peers) = &mut self.outgoing else { return Err(Unsent::Unsupported(self.socket_type)) };
        // Without others, there is no turn to pass.
        if peers.only().is_some_and(|pipe| pipes.push_if_room(pipe, message)) {
            return Ok(Effects::NONE);
        }
        let Some(pipe) = peers.pick(pipes) else { return Err(Unsent::Full) };
        pipes.push(pipe, message.take());
        Ok(Effects::NONE)
    }

    fn send_run(&mut self, pipes: &mut Pipes, messages: &mut [Message]) -> usize {
        let only = self.outgoing.as_ref().and_then(LoadBalancer::only);
        only.map_or(0, |pipe| pipes.push_run(pipe, messages))
    }

    fn recv(&mut self, pipes: &mut Pipes, _: &mut Effects) -> Result<Message, RecvError> {
        match &mut self.incoming {
            Some(arrived) => arrived.next(pipes),
            None => Err(RecvError::Unsupported(self.socket_type)),
        }
    }

    fn arrived(&mut self) -> Option<&mut FairQueue> {
        self.incoming.as_mut()
    }

    fn can_send(&mut self, pipes: &mut Pipes) -> bool {
        self.outgoing.as_mut().is_some_and(|peers| peers.has_room(pipes))
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.incoming.as_mut().is_some_and(|arrived| arrived.has_message(pipes))
    }

    fn can_complete_sends(&mut self, pipes: &mut Pipes, count: usize) -> bool {
        self.outgoing.as_mut().is_some_and(|peers| peers.has_room_for(pipes, count))
    }

    fn can_complete_recvs(&mut self, pipes: &mut Pipes, count: usize) -> bool {
        self.incoming.as_mut().is_some_and(|arrived| arrived.has_messages(pipes, count))
    }
}
