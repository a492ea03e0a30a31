//! REQ (RFC 28, "The REQ Socket Type"): sends a request, then receives its reply, and so on in turn.

use super::{Pattern, probe};
use crate::connection::{ConnectionError, Peer};
use crate::entropy::Entropy;
use crate::message::{Frame, Message};
use crate::socket::effects::Effects;
use crate::socket::error::{ConnectError, RecvError, Unsent};
use crate::socket::event::DropReason;
use crate::socket::id::PipeId;
use crate::socket::options::Settings;
use crate::socket::pipe::Pipes;
use crate::socket::routing::load_balancer::LoadBalancer;
use alloc::sync::Arc;

/// State of the request of a REQ. `Idle`: there is no request. `Waiting` holds the pipe of the peer to which the
/// request was sent. `Answered` holds the reply and its sender. `Lost`: no reply can arrive, because the peer was
/// removed, or because its connection ended after the request had been sent. `sent` is false if the request was not
/// sent, and `cause` is the reason why the connection or the dial ended.
///
/// ```text
/// Idle      ── send ───────────────────────────► Waiting
/// Waiting   ── the reply is received ──────────► Answered
/// Waiting   ── no reply can arrive ────────────► Lost
/// Answered  ── recv returns the reply ─────────► Idle
/// Lost      ── recv returns an error ──────────► Idle
/// Lost      ── send of a new request ──────────► Waiting
/// any state ── send with the option `relaxed` ─► Waiting
/// ```
#[derive(Debug)]
enum RequestState {
    Idle,
    Waiting(PipeId),
    Answered(Message, Option<Arc<Peer>>),
    Lost { sent: bool, cause: Arc<ConnectionError> },
}

#[derive(Debug)]
pub(super) struct Req {
    peers: LoadBalancer,
    turn: RequestState,
    relaxed: bool,
    report_lost_peer: bool,
    /// Id of the latest request, which the reply must repeat; `None` if it had no id.
    request: Option<u32>,
    /// Id before that of the next request. `None` if requests have no id (`REQ_CORRELATE` is off).
    latest_id: Option<u32>,
    probe: bool,
}

/// Returns a random number, the id of the first request.
fn first_id(entropy: &mut dyn Entropy) -> u32 {
    let mut bytes = [0; 4];
    entropy.fill(&mut bytes);
    u32::from_ne_bytes(bytes)
}

impl Req {
    pub(super) fn new(settings: &Settings, entropy: &mut dyn Entropy) -> Self {
        let latest_id = settings.correlate.then(|| first_id(entropy));
        let peers = LoadBalancer::default();
        Self {
            peers,
            turn: RequestState::Idle,
            relaxed: settings.relaxed,
            report_lost_peer: settings.report_lost_peer,
            request: None,
            latest_id,
            probe: settings.probe,
        }
    }

    /// Returns true if it is the turn of a request.
    const fn can_begin(&self) -> bool {
        self.relaxed || matches!(self.turn, RequestState::Idle | RequestState::Lost { .. })
    }

    /// Returns two frames and an index. The frames from this index on are the envelope of a request: the request id, if
    /// there is one, and the delimiter.
    // The id is in native byte order, as in libzmq: only its writer reads it.
    fn envelope(&self) -> ([Frame; 2], usize) {
        match self.request {
            Some(id) => ([Frame::from(&id.to_ne_bytes()), Frame::EMPTY], 0),
            None => ([Frame::EMPTY, Frame::EMPTY], 1),
        }
    }

    /// Ends the wait for a reply if the current request was sent to the peer of `pipe`, because this peer can no longer
    /// reply.
    fn fail_request(&mut self, pipes: &Pipes, id: PipeId) -> Effects {
        if !self.report_lost_peer || !matches!(self.turn, RequestState::Waiting(recipient) if recipient == id) {
            return Effects::NONE;
        }
        let pipe = pipes.get(id);
        // A draining pipe was ended by this side, and may still send the request.
        let is_draining = pipe.is_some_and(|pipe| pipe.state.is_draining());
        let failure = pipe.filter(|_| !is_draining).and_then(|pipe| pipe.failure.clone());
        let cause = failure.unwrap_or_else(|| Arc::new(ConnectionError::LocallyClosed));
        self.turn = RequestState::Lost { sent: is_draining || pipes.outgoing_len(id) == 0, cause };
        Effects::READABLE | Effects::WRITABLE
    }

    /// Removes the envelope of a received message. Returns `Ok(None)` for a well-formed reply to a request other than
    /// the current one, and an error for a message without an envelope.
    fn strip_envelope(&self, mut reply: Message) -> Result<Option<Message>, ConnectionError> {
        // The format that libzmq's REQ sessions accept: an optional id of four bytes, the delimiter, at least one body
        // frame.
        let with_id = reply.head().len() == 4;
        let delimiter = usize::from(with_id);
        let has_delimiter = reply.get(delimiter).is_some_and(|frame| frame.is_empty());
        if !has_delimiter || reply.len() < delimiter + 2 {
            return Err(ConnectionError::MissingDelimiter);
        }
        let is_expected = match self.request {
            Some(id) => with_id && reply.head() == &id.to_ne_bytes(),
            None => !with_id,
        };
        reply.remove_front(delimiter + 1);
        Ok(is_expected.then_some(reply))
    }
}

impl Pattern for Req {
    fn configure(&mut self, _: &mut Pipes, settings: &Settings, entropy: &mut dyn Entropy) {
        self.relaxed = settings.relaxed;
        self.report_lost_peer = settings.report_lost_peer;
        self.probe = settings.probe;
        if self.latest_id.is_some() != settings.correlate {
            self.latest_id = settings.correlate.then(|| first_id(entropy));
        }
    }

    fn on_connect(&mut self, pipes: &mut Pipes, pipe: PipeId, _: Option<Frame>) -> Result<Effects, ConnectError> {
        Ok(self.peers.add(pipes, pipe))
    }

    fn on_ready(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        _: &Peer,
        _: &mut dyn Entropy,
    ) -> Result<Effects, ConnectionError> {
        let effects = self.peers.add(pipes, pipe);
        if self.probe {
            probe(pipes, pipe);
        }
        Ok(effects)
    }

    // No reply can arrive if the request had been sent. libzmq waits without limit in that case.
    fn on_disconnect(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Effects {
        if pipes.outgoing_len(pipe) > 0 {
            return Effects::NONE;
        }
        self.fail_request(pipes, pipe)
    }

    fn on_end(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Effects {
        self.peers.remove(pipes, pipe);
        self.fail_request(pipes, pipe)
    }

    fn on_room(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Effects {
        self.peers.add(pipes, pipe)
    }

    fn on_message(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        message: Message,
        effects: &mut Effects,
    ) -> Result<(), ConnectionError> {
        let reply = self.strip_envelope(message)?;
        match (&self.turn, reply) {
            (RequestState::Waiting(recipient), Some(reply)) if *recipient == pipe => {
                self.turn = RequestState::Answered(reply, pipes.latest_sender(pipe));
                *effects |= Effects::READABLE;
            }
            _ => pipes.dropped(DropReason::UnexpectedReply, 1),
        }
        Ok(())
    }

    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<Effects, Unsent> {
        if !self.can_begin() {
            return Err(Unsent::OutOfTurn);
        }
        let Some(pipe) = self.peers.pick(pipes) else {
            return Err(Unsent::Full);
        };
        self.latest_id = self.latest_id.map(|id| id.wrapping_add(1));
        self.request = self.latest_id;
        let (envelope, from) = self.envelope();
        message.prepend(&envelope[from..]);
        pipes.push(pipe, message.take());
        self.turn = RequestState::Waiting(pipe);
        Ok(Effects::NONE)
    }

    fn recv(&mut self, _: &mut Pipes, effects: &mut Effects) -> Result<Message, RecvError> {
        match core::mem::replace(&mut self.turn, RequestState::Idle) {
            RequestState::Answered(reply, _) => {
                *effects |= Effects::WRITABLE;
                Ok(reply)
            }
            RequestState::Lost { sent, cause } => Err(RecvError::PeerLost { sent, cause }),
            RequestState::Idle => Err(RecvError::OutOfTurn),
            RequestState::Waiting(pipe) => {
                self.turn = RequestState::Waiting(pipe);
                Err(RecvError::Empty)
            }
        }
    }

    fn next_sender(&mut self, _: &mut Pipes) -> Option<Arc<Peer>> {
        match &self.turn {
            RequestState::Answered(_, sender) => sender.clone(),
            RequestState::Idle | RequestState::Waiting(_) | RequestState::Lost { .. } => None,
        }
    }

    fn can_send(&mut self, pipes: &mut Pipes) -> bool {
        self.can_begin() && self.peers.has_room(pipes)
    }

    fn check_first_frame(&mut self, pipes: &mut Pipes, _: &Frame) -> Result<(), Unsent> {
        match (self.can_begin(), self.peers.has_room(pipes)) {
            (false, _) => Err(Unsent::OutOfTurn),
            (true, false) => Err(Unsent::Full),
            (true, true) => Ok(()),
        }
    }

    fn can_recv(&mut self, _: &mut Pipes) -> bool {
        matches!(self.turn, RequestState::Answered(..) | RequestState::Lost { .. })
    }

    // In every other state, `send` returns `OutOfTurn`.
    fn can_complete_sends(&mut self, pipes: &mut Pipes, _: usize) -> bool {
        !self.can_begin() || self.peers.has_room(pipes)
    }

    fn can_complete_recvs(&mut self, _: &mut Pipes, _: usize) -> bool {
        !matches!(self.turn, RequestState::Waiting(_))
    }
}
