//! REP (RFC 28, "The REP Socket Type"): takes one request at a time and sends the reply back along its envelope.

use super::Pattern;
use crate::connection::{ConnectionError, Peer};
use crate::entropy::Entropy;
use crate::message::{Envelope, Message};
use crate::socket::error::{RecvError, Unsent};
use crate::socket::event::DropReason;
use crate::socket::id::PipeId;
use crate::socket::pipe::Pipes;
use crate::socket::routing::fair_queue::FairQueue;

#[derive(Debug, Default)]
pub(super) struct Rep {
    requests: FairQueue,
    /// Whom a reply is owed to; `None`: the next request may be taken.
    owed: Option<(PipeId, Envelope)>,
}

impl Pattern for Rep {
    fn attach(&mut self, _: &mut Pipes, _: PipeId, _: &Peer, _: &mut dyn Entropy) -> Result<(), ConnectionError> {
        Ok(())
    }

    fn reopened(&mut self, _: &mut Pipes, _: PipeId) {}

    /// A request without delimiter is dropped and the connection kept, as libzmq does: a DEALER may be learning.
    fn inbound(&mut self, pipes: &mut Pipes, pipe: PipeId, message: Message) -> Result<(), ConnectionError> {
        let frames = message.frames();
        if frames.iter().position(|frame| frame.is_empty()).is_some_and(|delimiter| delimiter + 1 < frames.len()) {
            self.requests.deliver(pipes, pipe, message);
        } else {
            pipes.dropped(DropReason::NoEnvelope, 1);
        }
        Ok(())
    }

    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Unsent> {
        let Some((pipe, envelope)) = self.owed.take() else {
            return Err(Unsent::OutOfTurn);
        };
        if self.requests.has_message(pipes) {
            pipes.readable = true; // it is the turn of those who wait in `readable`
        }
        // RFC 28: "SHALL silently discard the reply if the original requester is gone". One that does not read must not
        // stop the service for everybody else, so its reply is dropped too, as libzmq does.
        if pipes.has_room(pipe) {
            pipes.push(pipe, envelope.seal(message.take()));
        } else if pipes.get(pipe).is_some_and(|pipe| !pipe.state.is_gone()) {
            pipes.dropped(DropReason::PeerFull, 1);
        } else {
            pipes.dropped(DropReason::PeerGone, 1);
        }
        Ok(())
    }

    fn recv(&mut self, pipes: &mut Pipes) -> Result<Message, RecvError> {
        if self.owed.is_some() {
            return Err(RecvError::OutOfTurn);
        }
        let pipe = self.requests.next_pipe(pipes).ok_or(RecvError::Empty)?;
        let message = self.requests.take(pipes)?;
        let (envelope, body) = Envelope::parse(message).expect("what has no delimiter is never delivered");
        self.owed = Some((pipe, envelope));
        pipes.writable = true;
        Ok(body)
    }

    fn can_send(&mut self, _: &mut Pipes) -> bool {
        self.owed.is_some()
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.owed.is_none() && self.requests.has_message(pipes)
    }
}
