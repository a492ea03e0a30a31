//! REQ (RFC 28, "The REQ Socket Type"): one request, its reply, and so on in turn.

use super::{Pattern, probe};
use crate::connection::{ConnectionError, Peer};
use crate::entropy::Entropy;
use crate::message::{Frame, Message};
use crate::socket::error::{ConnectError, RecvError, Unsent};
use crate::socket::event::DropReason;
use crate::socket::id::PipeId;
use crate::socket::options::Settings;
use crate::socket::pipe::Pipes;
use crate::socket::routing::load_balancer::LoadBalancer;
use alloc::sync::Arc;

/// ```text
///        send              reply                recv
/// Idle ───────► Waiting ─────────► Answered ───────────► Idle
///   ▲  relaxed: ┘  │ the peer goes                         ▲
///   └───── recv ── Lost ── send ──► Waiting                │
/// ```
#[derive(Debug)]
enum Turn {
    Idle,
    Waiting(PipeId),
    Answered(Message, Option<Arc<Peer>>),
    Lost,
}

#[derive(Debug)]
pub(super) struct Req {
    peers: LoadBalancer,
    turn: Turn,
    relaxed: bool,
    /// The id of the latest request (`REQ_CORRELATE`).
    request: Option<u32>,
    probe: bool,
}

impl Req {
    pub(super) fn new(settings: &Settings, entropy: &mut dyn Entropy) -> Self {
        let request = settings.correlate.then(|| {
            let mut octets = [0; 4];
            entropy.fill(&mut octets);
            u32::from_ne_bytes(octets)
        });
        Self {
            peers: LoadBalancer::default(),
            turn: Turn::Idle,
            relaxed: settings.relaxed,
            request,
            probe: settings.probe,
        }
    }

    /// What precedes the body: the request id if there is one, and the delimiter. libzmq writes the id in the byte order
    /// of its machine; nobody but the writer reads it.
    fn envelope(&self) -> ([Frame; 2], usize) {
        match self.request {
            Some(id) => ([Frame::from(&id.to_ne_bytes()), Frame::EMPTY], 0),
            None => ([Frame::EMPTY, Frame::EMPTY], 1),
        }
    }

    /// Takes the envelope off a reply. `Ok(None)`: well-formed, but the reply to something else.
    fn open(&self, mut reply: Message) -> Result<Option<Message>, ConnectionError> {
        // What libzmq's REQ sessions let pass: an optional id of four octets, the delimiter, at least one body frame.
        let with_id = reply.head().len() == 4;
        let delimiter = usize::from(with_id);
        let has_delimiter = reply.get(delimiter).is_some_and(|frame| frame.is_empty());
        if !has_delimiter || reply.len() < delimiter + 2 {
            return Err(ConnectionError::Envelope);
        }
        let ours = match self.request {
            Some(id) => with_id && reply.head() == &id.to_ne_bytes(),
            None => !with_id,
        };
        reply.split_front(delimiter + 1);
        Ok(ours.then_some(reply))
    }
}

impl Pattern for Req {
    fn opened(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Result<(), ConnectError> {
        self.peers.add(pipes, pipe);
        Ok(())
    }

    fn attach(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        _: &Peer,
        _: &mut dyn Entropy,
    ) -> Result<(), ConnectionError> {
        self.peers.add(pipes, pipe);
        if self.probe {
            probe(pipes, pipe);
        }
        Ok(())
    }

    /// If the request had left, no reply can come any more. libzmq waits for ever here.
    fn detach(&mut self, pipes: &mut Pipes, pipe: PipeId) {
        if matches!(self.turn, Turn::Waiting(asked) if asked == pipe) && pipes.outgoing_len(pipe) == 0 {
            self.turn = Turn::Lost;
            pipes.readable = true;
            pipes.writable = true;
        }
    }

    fn closed(&mut self, pipes: &mut Pipes, pipe: PipeId) {
        self.peers.remove(pipes, pipe);
        if matches!(self.turn, Turn::Waiting(asked) if asked == pipe) {
            self.turn = Turn::Lost;
            pipes.readable = true;
            pipes.writable = true;
        }
    }

    fn reopened(&mut self, pipes: &mut Pipes, pipe: PipeId) {
        self.peers.add(pipes, pipe);
    }

    fn inbound(&mut self, pipes: &mut Pipes, pipe: PipeId, message: Message) -> Result<(), ConnectionError> {
        let reply = self.open(message)?;
        match (&self.turn, reply) {
            (Turn::Waiting(asked), Some(reply)) if *asked == pipe => {
                self.turn = Turn::Answered(reply, pipes.sender(pipe));
                pipes.readable = true;
            }
            _ => pipes.dropped(DropReason::Unasked, 1),
        }
        Ok(())
    }

    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<(), Unsent> {
        let free = matches!(self.turn, Turn::Idle | Turn::Lost);
        if !free && !self.relaxed {
            return Err(Unsent::OutOfTurn);
        }
        let Some(pipe) = self.peers.pick(pipes) else {
            return Err(Unsent::Full);
        };
        self.request = self.request.map(|id| id.wrapping_add(1));
        let (envelope, from) = self.envelope();
        message.prepend(&envelope[from..]);
        pipes.push(pipe, message.take());
        self.turn = Turn::Waiting(pipe);
        Ok(())
    }

    fn recv(&mut self, pipes: &mut Pipes) -> Result<Message, RecvError> {
        match core::mem::replace(&mut self.turn, Turn::Idle) {
            Turn::Answered(reply, sender) => {
                pipes.writable = true;
                pipes.sender = sender.filter(|_| pipes.asks_sender);
                Ok(reply)
            }
            Turn::Lost => Err(RecvError::PeerLost),
            Turn::Idle => Err(RecvError::OutOfTurn),
            Turn::Waiting(pipe) => {
                self.turn = Turn::Waiting(pipe);
                Err(RecvError::Empty)
            }
        }
    }

    fn can_send(&mut self, pipes: &mut Pipes) -> bool {
        (self.relaxed || matches!(self.turn, Turn::Idle | Turn::Lost)) && self.peers.has_room(pipes)
    }

    fn can_recv(&mut self, _: &mut Pipes) -> bool {
        matches!(self.turn, Turn::Answered(..) | Turn::Lost)
    }
}
