//! Messages of the application: `send` and `recv`.

use super::Socket;
use crate::connection::Peer;
use crate::cost;
use crate::message::{Frame, Message};
use crate::socket::close::LingerFrom;
use crate::socket::effects::Effects;
use crate::socket::error::{RecvError, SendError, Unsent};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Maximum number of messages that one call moves.
// The socket is locked meanwhile.
const BATCH: usize = 1024;

impl Socket {
    /// Queues a message for the peers that the socket type selects, for example the next peer in turn, or all
    /// subscribers.
    ///
    /// # Errors
    /// [`SendError`], which carries the message that was not sent.
    #[inline]
    pub fn send(&mut self, message: impl Into<Message>) -> Result<(), SendError> {
        let mut message = message.into();
        self.offer(&mut message).map_err(|why| self.send_error(why, message))
    }

    /// Queues messages from the start of `messages`, as [`send`](Self::send) does for each, until the socket has no room for the
    /// next, or 1024 are queued. Removes the queued messages from `messages`, and returns their number.
    ///
    /// # Errors
    /// [`SendError`] of the first message, which is removed from `messages`; never [`SendError::Full`]. An error of a later
    /// message is returned by the next call, which begins with it.
    pub fn send_many(&mut self, messages: &mut Vec<Message>) -> Result<usize, SendError> {
        match self.offer_many(messages, usize::MAX) {
            Ok(sent) => Ok(sent),
            Err(Unsent::Full) => Ok(0),
            Err(why) => {
                let first = messages.remove(0);
                Err(self.send_error(why, first))
            }
        }
    }

    /// Queues messages from the start of `messages` as [`send_many`](Self::send_many) does, but at most `limit`, and an error leaves
    /// all messages there. Without messages, returns zero.
    ///
    /// # Errors
    /// [`Unsent`]: the reason for which the first message was not queued.
    pub fn offer_many(&mut self, messages: &mut Vec<Message>, limit: usize) -> Result<usize, Unsent> {
        let _call = cost::call("Socket::offer_many", BATCH as u64);
        let most = messages.len().min(limit).min(BATCH);
        let mut sent = 0;
        let mut outcome = Ok(());
        while sent < most && outcome.is_ok() {
            let rest = &mut messages[sent..most];
            let is_limited = self.is_blocked || self.pipes.max_send_size != usize::MAX;
            let run = if is_limited { 0 } else { self.pattern.send_run(&mut self.pipes, rest) };
            sent += run;
            if run == 0 {
                outcome = self.offer(&mut rest[0]);
                sent += usize::from(outcome.is_ok());
            }
        }
        messages.drain(..sent);
        if sent > 0 { Ok(sent) } else { outcome.map(|()| 0) }
    }

    /// Queues a message as [`send`](Self::send) does. If the message is queued, `message` is empty afterwards.
    /// Otherwise, `message` stays unchanged.
    ///
    /// # Errors
    /// [`Unsent`]: the reasons of [`SendError`], without the message.
    #[inline]
    pub fn offer(&mut self, message: &mut Message) -> Result<(), Unsent> {
        let _call = cost::call("Socket::offer", 1);
        cost::input_of(|| message.size() + message.len());
        if self.is_blocked {
            return self.offer_blocked(message);
        }
        if self.pipes.max_send_size != usize::MAX && message.size() > self.pipes.max_send_size {
            self.check_size(message)?;
        }
        match self.pattern.send(&mut self.pipes, message) {
            Ok(effects) if effects.is_empty() => Ok(()),
            Ok(effects) => {
                self.handle_sent(message, effects);
                Ok(())
            }
            Err(why) => {
                self.pipes.stats.full_sends += u64::from(why == Unsent::Full);
                Err(why)
            }
        }
    }

    /// Refuses a message while `is_blocked` is true. But a REP may send its last reply while it is closing; then drains
    /// the pipe of this reply.
    #[cold]
    fn offer_blocked(&mut self, message: &mut Message) -> Result<(), Unsent> {
        if !self.closing {
            return Err(Unsent::Unreachable);
        }
        let debtor = self.debtor().ok_or(Unsent::Closed)?;
        let effects = self.pattern.send(&mut self.pipes, message)?;
        self.effects |= effects;
        self.drain(debtor, LingerFrom::Now);
        Ok(())
    }

    /// Checks the size of a message that is larger than the smallest limit, which may be the limit of a peer that does not
    /// receive the message.
    #[cold]
    fn check_size(&mut self, message: &Message) -> Result<(), Unsent> {
        let (mut size, mut limit) = (message.size(), self.pipes.max_send_size);
        if self.socket_type().begins_with_routing_id() {
            size -= message.head().len();
            let peer = self.pattern.addressee(&self.pipes, message).or_else(|| self.pattern.find_peer(message.head()));
            let of_peer = peer.and_then(|pipe| self.pipes.get(pipe)).map_or(usize::MAX, |pipe| pipe.max_message_size);
            limit = of_peer.min(self.settings.max_send_size);
        }
        if size > limit { Err(Unsent::TooLarge) } else { Ok(()) }
    }

    /// Handles the effects (consequences) that the socket type returned when it sent `message`. [`Effects::DRAIN_PEER`]
    /// is returned only by a STREAM, for a message that requests to disconnect its peer: this peer is drained, which
    /// means that the messages already queued for it are still sent. All other effects are stored until the driver
    /// polls them.
    fn handle_sent(&mut self, message: &mut Message, mut effects: Effects) {
        if effects.take(Effects::DRAIN_PEER)
            && let Some(pipe) = self.pattern.addressee(&self.pipes, message)
        {
            message.take();
            self.drain(pipe, LingerFrom::NextTimeout);
        }
        self.effects |= effects;
    }

    /// Removes and returns the next received message. Takes messages from the peers in turn; an XPUB takes them in the
    /// order of arrival.
    ///
    /// # Errors
    /// [`RecvError`].
    #[inline]
    pub fn recv(&mut self) -> Result<Message, RecvError> {
        let _call = cost::call("Socket::recv", 1);
        if self.is_blocked {
            return self.recv_blocked();
        }
        self.pattern.recv(&mut self.pipes, &mut self.effects)
    }

    /// Removes the next messages, at most `limit` and at most 1024, and appends them to `into`, in the order in which
    /// [`recv`](Self::recv) would return them. Returns their number: zero only for a limit of zero, and one at most for a REQ, a REP
    /// and an XPUB with `manual`, where the application must act on each message before it receives the next.
    ///
    /// # Errors
    /// [`RecvError`], if no message can be received.
    pub fn recv_many(&mut self, into: &mut Vec<Message>, limit: usize) -> Result<usize, RecvError> {
        let _call = cost::call("Socket::recv_many", BATCH as u64);
        let limit = limit.min(BATCH);
        if limit == 0 {
            return Ok(0);
        }
        if self.is_blocked {
            into.push(self.recv_blocked()?);
            return Ok(1);
        }
        self.pattern.recv_run(&mut self.pipes, limit, into, &mut self.effects)
    }

    /// Removes and returns the next message, as [`recv`](Self::recv) does, together with its sender. The returned
    /// [`Peer`] has the properties that the sender sent in the handshake, and the user id that authentication set
    /// (libzmq: `zmq_msg_gets`). The sender of a [`disconnect_message`](crate::Options::disconnect_message) is the peer
    /// that disconnected.
    ///
    /// # Errors
    /// [`RecvError`].
    pub fn recv_from(&mut self) -> Result<(Message, Arc<Peer>), RecvError> {
        let sender = self.pattern.next_sender(&mut self.pipes);
        let message = self.recv()?;
        Ok((message, sender.expect("each message was sent by a peer that was ready")))
    }

    /// Removes the next messages with their senders, at most `limit` and at most 1024, as [`recv_from`](Self::recv_from) would
    /// return them, and appends them to `into`. Returns their number: zero only for a limit of zero, and one at most for a REQ, a REP
    /// and an XPUB.
    ///
    /// # Errors
    /// [`RecvError`], if no message can be received.
    pub fn recv_many_from(
        &mut self,
        into: &mut impl Extend<(Message, Arc<Peer>)>,
        limit: usize,
    ) -> Result<usize, RecvError> {
        let _call = cost::call("Socket::recv_many_from", BATCH as u64);
        let limit = limit.min(BATCH);
        if limit == 0 {
            return Ok(0);
        }
        if !self.is_blocked
            && let Some(arrived) = self.pattern.arrived()
        {
            return arrived.next_run_from(&mut self.pipes, limit, into);
        }
        into.extend([self.recv_from()?]);
        Ok(1)
    }

    /// Converts the reason for which a message was not sent into the error that contains the message.
    #[cold]
    pub fn send_error(&self, why: Unsent, message: Message) -> SendError {
        match why {
            Unsent::Unreachable => SendError::Unreachable(message, self.failing_dials()),
            Unsent::Closed => match self.runtime_error {
                Some(error) => SendError::Runtime(message, error),
                None => SendError::Closed(message),
            },
            Unsent::Full
            | Unsent::Unroutable
            | Unsent::Unaddressed
            | Unsent::NotGrouped
            | Unsent::SingleFrame
            | Unsent::FrameCount
            | Unsent::OutOfTurn
            | Unsent::TooLarge
            | Unsent::Unsupported(_) => why.into_error(message),
        }
    }

    /// Returns true if [`send`](Self::send) would return neither [`SendError::Full`] nor [`SendError::OutOfTurn`] now
    /// (`ZMQ_EVENTS` with `ZMQ_POLLOUT`). Always true for a closed socket, for a socket type that only receives, and while
    /// `send` returns [`SendError::Unreachable`]: `send` returns an error at once.
    ///
    /// Always true for a ROUTER, STREAM, SERVER or PEER: the routing id in the message selects the peer, so only `send`
    /// can check whether this peer has room.
    pub fn can_send(&mut self) -> bool {
        let _call = cost::call("Socket::can_send", 1);
        self.is_blocked || self.pattern.can_send(&mut self.pipes) || !self.socket_type().can_send()
    }

    /// Checks whether a message that begins with the frame `first` can be sent, as far as this frame and the state of the
    /// socket decide. For bindings that take the frames of a message one at a time (`ZMQ_SNDMORE`), and must report an error
    /// with the first one. [`send`](Self::send) of the whole message may still return an error, for example because the peer
    /// that `first` selects has no room.
    ///
    /// # Errors
    /// [`Unsent`].
    pub fn check_first_frame(&mut self, first: &Frame) -> Result<(), Unsent> {
        if self.is_blocked {
            return Err(if self.closing { Unsent::Closed } else { Unsent::Unreachable });
        }
        if !self.socket_type().can_send() {
            return Err(Unsent::Unsupported(self.socket_type()));
        }
        self.pattern.check_first_frame(&mut self.pipes, first)
    }

    /// Returns whether the peer with this routing id has room for a message, as far as queues of this side decide, or `None`
    /// if a ROUTER, STREAM, SERVER or PEER has no such peer, and for all other types (`zmq_socket_get_peer_state`).
    pub fn can_send_to(&mut self, routing_id: &Frame) -> Option<bool> {
        let message = Message::from([routing_id.clone(), Frame::EMPTY]);
        let peer = self.pattern.addressee(&self.pipes, &message).or_else(|| self.pattern.find_peer(routing_id))?;
        Some(self.pipes.has_room(peer))
    }

    /// Returns true if [`recv`](Self::recv) would return neither [`RecvError::Empty`] nor [`RecvError::OutOfTurn`] now
    /// (`ZMQ_EVENTS` with `ZMQ_POLLIN`). Always true for a closed socket, for a socket type that only sends, and while
    /// `recv` returns [`RecvError::Unreachable`]: `recv` returns an error at once.
    pub fn can_recv(&mut self) -> bool {
        let _call = cost::call("Socket::can_recv", 1);
        self.is_blocked || self.pattern.can_recv(&mut self.pipes) || !self.socket_type().can_receive()
    }
}
