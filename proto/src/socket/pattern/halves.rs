//! [`Halves`]: a socket type with independent sending and receiving halves; and [`LoadBalanced`], the sending half of
//! socket types that send to their peers in turn.

use super::{Pattern, probe};
use crate::connection::{ConnectionError, Peer};
use crate::entropy::Entropy;
use crate::message::Message;
use crate::socket::effects::Effects;
use crate::socket::error::{ConnectError, RecvError, Unsent};
use crate::socket::event::DropReason;
use crate::socket::id::PipeId;
use crate::socket::options::Settings;
use crate::socket::pipe::Pipes;
use crate::socket::routing::fair_queue::FairQueue;
use crate::socket::routing::load_balancer::LoadBalancer;
use crate::socket_type::SocketType;
use alloc::sync::Arc;
use core::fmt::Debug;

/// Rules of a socket type that adds no frames to messages, and sends and receives independently.
#[derive(Debug, Default)]
pub(super) struct Halves<O, I> {
    pub(super) outgoing: O,
    pub(super) incoming: I,
}

/// Sending half of a socket type; see the methods of [`Pattern`].
pub(super) trait Outgoing: Debug + Send {
    fn on_connect(&mut self, _: &mut Pipes, _: PipeId) -> Result<Effects, ConnectError> {
        Ok(Effects::NONE)
    }

    fn on_ready(&mut self, _: &mut Pipes, _: PipeId) -> Result<Effects, ConnectionError> {
        Ok(Effects::NONE)
    }

    fn on_end(&mut self, _: &mut Pipes, _: PipeId) {}

    fn on_room(&mut self, _: &mut Pipes, _: PipeId) -> Effects {
        Effects::NONE
    }

    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<Effects, Unsent>;

    fn can_send(&mut self, pipes: &mut Pipes) -> bool;
}

/// Receiving half of a socket type; see the methods of [`Pattern`].
pub(super) trait Incoming: Debug + Send {
    fn on_message(&mut self, pipes: &mut Pipes, pipe: PipeId, message: Message) -> Effects;

    fn recv(&mut self, pipes: &mut Pipes) -> Result<Message, RecvError>;

    fn next_sender(&mut self, pipes: &mut Pipes) -> Option<Arc<Peer>>;

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool;
}

impl<O: Outgoing, I: Incoming> Pattern for Halves<O, I> {
    fn on_connect(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Result<Effects, ConnectError> {
        self.outgoing.on_connect(pipes, pipe)
    }

    fn on_ready(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        _: &Peer,
        _: &mut dyn Entropy,
    ) -> Result<Effects, ConnectionError> {
        self.outgoing.on_ready(pipes, pipe)
    }

    fn on_end(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Effects {
        self.outgoing.on_end(pipes, pipe);
        Effects::NONE
    }

    fn on_room(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Effects {
        self.outgoing.on_room(pipes, pipe)
    }

    fn on_message(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        message: Message,
        effects: &mut Effects,
    ) -> Result<(), ConnectionError> {
        *effects |= self.incoming.on_message(pipes, pipe, message);
        Ok(())
    }

    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<Effects, Unsent> {
        self.outgoing.send(pipes, message)
    }

    fn recv(&mut self, pipes: &mut Pipes, _: &mut Effects) -> Result<Message, RecvError> {
        self.incoming.recv(pipes)
    }

    fn next_sender(&mut self, pipes: &mut Pipes) -> Option<Arc<Peer>> {
        self.incoming.next_sender(pipes)
    }

    fn can_send(&mut self, pipes: &mut Pipes) -> bool {
        self.outgoing.can_send(pipes)
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.incoming.can_recv(pipes)
    }
}

/// Sends to the peers in turn, and waits while no peer has room. With `probe_router`, begins each connection with a
/// probe.
#[derive(Debug, Default)]
pub(super) struct LoadBalanced {
    pub(super) peers: LoadBalancer,
    probe: bool,
}

impl LoadBalanced {
    pub(super) fn new(settings: &Settings) -> Self {
        Self { peers: LoadBalancer::default(), probe: settings.probe }
    }
}

// RFC 28 and 30: "SHALL block on sending, or return a suitable error, when it has no connected peers"; "SHALL NOT discard".
impl Outgoing for LoadBalanced {
    fn on_connect(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Result<Effects, ConnectError> {
        Ok(self.peers.add(pipes, pipe))
    }

    fn on_ready(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Result<Effects, ConnectionError> {
        let effects = self.peers.add(pipes, pipe);
        if self.probe {
            probe(pipes, pipe);
        }
        Ok(effects)
    }

    fn on_end(&mut self, pipes: &mut Pipes, pipe: PipeId) {
        self.peers.remove(pipes, pipe);
    }

    fn on_room(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Effects {
        self.peers.add(pipes, pipe)
    }

    #[inline]
    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<Effects, Unsent> {
        self.peers.send(pipes, message).map(|_| Effects::NONE)
    }

    #[inline]
    fn can_send(&mut self, pipes: &mut Pipes) -> bool {
        self.peers.has_room(pipes)
    }
}

/// Receives from the peers in turn.
impl Incoming for FairQueue {
    #[inline]
    fn on_message(&mut self, pipes: &mut Pipes, pipe: PipeId, message: Message) -> Effects {
        self.deliver(pipes, pipe, message)
    }

    #[inline]
    fn recv(&mut self, pipes: &mut Pipes) -> Result<Message, RecvError> {
        self.next(pipes)
    }

    fn next_sender(&mut self, pipes: &mut Pipes) -> Option<Arc<Peer>> {
        self.sender_of_next(pipes)
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.has_message(pipes)
    }
}

/// Half that a socket type does not have.
#[derive(Debug)]
pub(super) struct Unsupported(pub(super) SocketType);

impl Outgoing for Unsupported {
    fn send(&mut self, _: &mut Pipes, _: &mut Message) -> Result<Effects, Unsent> {
        Err(Unsent::Unsupported(self.0))
    }

    fn can_send(&mut self, _: &mut Pipes) -> bool {
        false
    }
}

impl Incoming for Unsupported {
    // The message is dropped instead of being queued as in libzmq, so that reading continues and heartbeats are
    // received.
    fn on_message(&mut self, pipes: &mut Pipes, _: PipeId, _: Message) -> Effects {
        pipes.dropped(DropReason::Unexpected, 1);
        Effects::NONE
    }

    fn recv(&mut self, _: &mut Pipes) -> Result<Message, RecvError> {
        Err(RecvError::Unsupported(self.0))
    }

    fn next_sender(&mut self, _: &mut Pipes) -> Option<Arc<Peer>> {
        None
    }

    fn can_recv(&mut self, _: &mut Pipes) -> bool {
        false
    }
}
