//! REP (RFC 28, "The REP Socket Type"): receives one request at a time, and sends the reply to the same peer with the
//! envelope of the request.

use super::Pattern;
use crate::connection::{ConnectionError, Peer};
use crate::cost;
use crate::entropy::Entropy;
use crate::message::{Envelope, Frame, Message};
use crate::socket::effects::Effects;
use crate::socket::error::{RecvError, Unsent};
use crate::socket::event::DropReason;
use crate::socket::id::PipeId;
use crate::socket::pipe::Pipes;
use crate::socket::routing::fair_queue::FairQueue;
use alloc::sync::Arc;

#[derive(Debug, Default)]
pub(super) struct Rep {
    requests: FairQueue,
    /// Peer and envelope of the request that the application has received and must reply to. `None` if there is no such
    /// request, so that the next request can be received.
    reply_to: Option<(PipeId, Envelope)>,
}

impl Pattern for Rep {
    fn on_ready(
        &mut self,
        _: &mut Pipes,
        _: PipeId,
        _: &Peer,
        _: &mut dyn Entropy,
    ) -> Result<Effects, ConnectionError> {
        Ok(Effects::NONE)
    }

    // A request without a delimiter is dropped and the connection kept, as libzmq does: the peer may be a DEALER with
    // an application that does not add the delimiter.
    fn on_message(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        message: Message,
        effects: &mut Effects,
    ) -> Result<(), ConnectionError> {
        let frames = message.frames();
        cost::nodes(frames.len());
        if frames.iter().position(|frame| frame.is_empty()).is_some_and(|delimiter| delimiter + 1 < frames.len()) {
            *effects |= self.requests.deliver(pipes, pipe, message);
        } else {
            pipes.dropped(DropReason::MissingDelimiter, 1);
        }
        Ok(())
    }

    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<Effects, Unsent> {
        let Some((pipe, envelope)) = self.reply_to.take() else {
            return Err(Unsent::OutOfTurn);
        };
        // A receiver that waited for this reply may take the next request.
        let effects = if self.requests.has_message(pipes) { Effects::READABLE } else { Effects::NONE };
        // RFC 28: "SHALL silently discard the reply if the original requester is gone". The reply to a slow requester
        // is dropped too, as in libzmq, so that it does not block the other requesters.
        if pipes.has_room(pipe) {
            pipes.push(pipe, envelope.seal(message.take()));
        } else if pipes.get(pipe).is_some_and(|pipe| !pipe.state.is_gone()) {
            pipes.dropped(DropReason::PeerFull, 1);
        } else {
            pipes.dropped(DropReason::PeerGone, 1);
        }
        Ok(effects)
    }

    fn recv(&mut self, pipes: &mut Pipes, effects: &mut Effects) -> Result<Message, RecvError> {
        if self.reply_to.is_some() {
            return Err(RecvError::OutOfTurn);
        }
        let pipe = self.requests.next_pipe(pipes).ok_or(RecvError::Empty)?;
        let message = self.requests.next(pipes)?;
        let (envelope, body) = Envelope::parse(message).expect("on_message drops messages without a delimiter");
        self.reply_to = Some((pipe, envelope));
        *effects |= Effects::WRITABLE;
        Ok(body)
    }

    fn next_sender(&mut self, pipes: &mut Pipes) -> Option<Arc<Peer>> {
        self.requests.sender_of_next(pipes)
    }

    fn can_send(&mut self, _: &mut Pipes) -> bool {
        self.reply_to.is_some()
    }

    fn check_first_frame(&mut self, _: &mut Pipes, _: &Frame) -> Result<(), Unsent> {
        if self.reply_to.is_some() { Ok(()) } else { Err(Unsent::OutOfTurn) }
    }

    fn reply_due(&self) -> Option<PipeId> {
        self.reply_to.as_ref().map(|(pipe, _)| *pipe)
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.reply_to.is_none() && self.requests.has_message(pipes)
    }

    // While a reply is due, `recv` returns `OutOfTurn`.
    fn can_complete_recvs(&mut self, pipes: &mut Pipes, _: usize) -> bool {
        self.reply_to.is_some() || self.requests.has_message(pipes)
    }
}
