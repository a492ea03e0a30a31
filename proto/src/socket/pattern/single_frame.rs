//! [`SingleFrame`]: socket types that send and receive only messages of one frame: CLIENT (RFC 41), SCATTER and GATHER
//! (RFC 49), CHANNEL (RFC 52).

use super::Pattern;
use crate::connection::{ConnectionError, Peer};
use crate::entropy::Entropy;
use crate::message::{Frame, Message};
use crate::socket::effects::Effects;
use crate::socket::error::{ConnectError, RecvError, Unsent};
use crate::socket::event::DropReason;
use crate::socket::id::PipeId;
use crate::socket::options::Settings;
use crate::socket::pipe::Pipes;
use crate::socket::routing::fair_queue::FairQueue;

/// [`Pattern`] of CLIENT, SCATTER, GATHER or CHANNEL: allows only messages of one frame, and otherwise behaves as `P`,
/// the pattern of DEALER, PUSH, PULL or PAIR.
#[derive(Debug, Default)]
pub(super) struct SingleFrame<P>(pub(super) P);

impl<P: Pattern> Pattern for SingleFrame<P> {
    fn configure(&mut self, pipes: &mut Pipes, settings: &Settings, entropy: &mut dyn Entropy) {
        self.0.configure(pipes, settings, entropy);
    }

    fn on_connect(&mut self, pipes: &mut Pipes, pipe: PipeId, id: Option<Frame>) -> Result<Effects, ConnectError> {
        self.0.on_connect(pipes, pipe, id)
    }

    fn on_ready(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        peer: &Peer,
        entropy: &mut dyn Entropy,
    ) -> Result<Effects, ConnectionError> {
        self.0.on_ready(pipes, pipe, peer, entropy)
    }

    fn on_disconnect(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Effects {
        self.0.on_disconnect(pipes, pipe)
    }

    fn on_end(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Effects {
        self.0.on_end(pipes, pipe)
    }

    fn on_room(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Effects {
        self.0.on_room(pipes, pipe)
    }

    // RFC 49 and 52: "MUST discard any part of a multipart message". The connection is kept, as libzmq does.
    fn on_message(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        message: Message,
        effects: &mut Effects,
    ) -> Result<(), ConnectionError> {
        if message.len() > 1 {
            pipes.dropped(DropReason::Multipart, 1);
            return Ok(());
        }
        self.0.on_message(pipes, pipe, message, effects)
    }

    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<Effects, Unsent> {
        if message.len() > 1 {
            return Err(Unsent::SingleFrame);
        }
        self.0.send(pipes, message)
    }

    fn send_run(&mut self, pipes: &mut Pipes, messages: &mut [Message]) -> usize {
        let single = messages.iter().position(|message| message.len() > 1).unwrap_or(messages.len());
        self.0.send_run(pipes, &mut messages[..single])
    }

    fn recv(&mut self, pipes: &mut Pipes, effects: &mut Effects) -> Result<Message, RecvError> {
        self.0.recv(pipes, effects)
    }

    fn arrived(&mut self) -> Option<&mut FairQueue> {
        self.0.arrived()
    }

    fn can_send(&mut self, pipes: &mut Pipes) -> bool {
        self.0.can_send(pipes)
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.0.can_recv(pipes)
    }

    fn can_complete_sends(&mut self, pipes: &mut Pipes, count: usize) -> bool {
        self.0.can_complete_sends(pipes, count)
    }

    fn can_complete_recvs(&mut self, pipes: &mut Pipes, count: usize) -> bool {
        self.0.can_complete_recvs(pipes, count)
    }
}
