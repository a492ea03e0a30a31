//! STREAM (`zmq_socket`, "Native pattern"): peers that speak no ZMTP, each known by a routing id. Messages are `[id, octets]`,
//! and `[id, ""]` is a notice that the peer is there, that it is gone, or that it shall go.

use super::Pattern;
use super::addressed::{Addressed, has_routing_id, send_addressed};
use crate::connection::{ConnectionError, Peer};
use crate::entropy::Entropy;
use crate::message::{Frame, Message};
use crate::socket::effects::Effects;
use crate::socket::error::{ConnectError, RecvError, Unsent};
use crate::socket::id::PipeId;
use crate::socket::options::Settings;
use crate::socket::pipe::Pipes;
use alloc::collections::BTreeSet;
use alloc::sync::Arc;

#[derive(Debug)]
pub(super) struct Stream {
    addressed: Addressed,
    notify: bool,
    /// Peers whose connection the application was notified of. It is notified of their end too.
    notified: BTreeSet<PipeId>,
}

impl Stream {
    pub(super) fn new(settings: &Settings, entropy: &mut dyn Entropy) -> Self {
        Self { addressed: Addressed::new(entropy), notify: settings.notify, notified: BTreeSet::new() }
    }

    /// Notifies the application that this peer is connected or disconnected, beyond the high-water mark if need be.
    fn deliver_notice(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Effects {
        self.addressed.deliver(pipes, pipe, Message::from(Frame::EMPTY))
    }
}

impl Pattern for Stream {
    fn on_connect_as(&mut self, pipes: &mut Pipes, pipe: PipeId, id: Frame) -> Result<Effects, ConnectError> {
        self.addressed.connect_as(pipes, pipe, id)
    }

    fn on_ready(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        _: &Peer,
        entropy: &mut dyn Entropy,
    ) -> Result<Effects, ConnectionError> {
        let mut effects = Effects::NONE;
        if !has_routing_id(pipes, pipe) {
            let id = self.addressed.peers.automatic(pipes, entropy);
            effects |= self.addressed.peers.name(pipes, pipe, id);
        }
        if self.notify && self.notified.insert(pipe) {
            effects |= self.deliver_notice(pipes, pipe);
        }
        Ok(effects)
    }

    fn on_disconnect(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Effects {
        if self.notified.remove(&pipe) { self.deliver_notice(pipes, pipe) } else { Effects::NONE }
    }

    fn on_end(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Effects {
        self.notified.remove(&pipe);
        self.addressed.peers.forget(pipes, pipe);
        Effects::NONE
    }

    /// The octets of one stream are no use to the next one: they are the rest of something that its peer has not seen begin.
    fn carries_over(&self) -> bool {
        false
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
        *effects |= self.addressed.deliver(pipes, pipe, message);
        Ok(())
    }

    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<Effects, Unsent> {
        if message.len() != 2 {
            return Err(Unsent::FrameCount);
        }
        match self.addressed.peers.find(pipes, message.head()) {
            None => Err(Unsent::Unroutable),
            Some(_) if message.body().is_empty() => Ok(Effects::DRAIN_PEER),
            Some(pipe) if pipes.has_room(pipe) => {
                send_addressed(pipes, pipe, message);
                Ok(Effects::NONE)
            }
            Some(_) => Err(Unsent::Full),
        }
    }

    fn recv(&mut self, pipes: &mut Pipes, _: &mut Effects) -> Result<Message, RecvError> {
        self.addressed.recv(pipes)
    }

    fn next_sender(&mut self, pipes: &mut Pipes) -> Option<Arc<Peer>> {
        self.addressed.next_sender(pipes)
    }

    /// Whether a certain peer has room only `send` can tell, which knows which one.
    fn can_send(&mut self, _: &mut Pipes) -> bool {
        true
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.addressed.can_recv(pipes)
    }

    fn addressee(&self, pipes: &Pipes, message: &Message) -> Option<PipeId> {
        self.addressed.peers.find(pipes, message.head())
    }
}
