//! Moving messages between the queues of a pipe and the transport to its peer, and the end of this transport. The
//! transport is a [`Connection`](crate::Connection), or the other socket of an `inproc` connection.

use super::Socket;
use crate::connection::{ConnectionError, FLOOR, Inbound, Link, Peer};
use crate::cost;
use crate::message::{Frame, Message};
use crate::socket::effects::Effects;
use crate::socket::event::Event;
use crate::socket::id::PipeId;
use crate::socket::pipe::state::{FailureKind, LinkState};
use crate::socket::pipe::{Demand, Reader};
use crate::socket::stats::TrafficCount;
use crate::time::Instant;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Next step of a pipe after the end of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Reconnect,
    Remove,
}

/// Maximum size of the subscription changes that one exchange applies, in bytes of prefixes. Each change counts
/// [`CHANGE_COST`] bytes more than its prefix. The last change can exceed this size.
// The socket is locked during an exchange.
const CHANGES: usize = 64 << 10;

const CHANGE_COST: usize = 128;

/// Moving messages between the queues of pipes and the transports to their peers.
impl Socket {
    /// Moves messages in both directions between the queues of a pipe and the transport to its peer. In each direction,
    /// stops when no message is left or the destination has no room. `link` is the [`Connection`](crate::Connection) of
    /// the pipe, or the other socket of an `inproc` connection.
    ///
    /// The work of one call is bounded: it moves at most the received messages that `link` holds, and as many messages
    /// as `link` has room for.
    ///
    /// # Errors
    /// The reason why the connection must be closed. The caller must then give `link` back with
    /// [`disconnected`](Self::disconnected).
    pub fn exchange(&mut self, id: PipeId, link: &mut impl Link) -> Result<(), ConnectionError> {
        let _call = cost::call("Socket::exchange", 1);
        let Some(pipe) = self.pipes.get_mut(id) else { return Err(ConnectionError::LocallyClosed) };
        let is_draining = pipe.state.is_draining();
        let mut is_ready = match pipe.state.link() {
            Some(LinkState::Connected(active)) => active.is_ready(),
            Some(LinkState::Failed(_, reason)) => return Err(ConnectionError::clone(reason)),
            Some(LinkState::Connecting(_) | LinkState::Backoff(_)) | None => {
                return Err(ConnectionError::LocallyClosed);
            }
        };
        pipe.serviced();
        if !is_ready && let Some(peer) = link.peer() {
            let peer = Arc::clone(peer);
            self.handle_ready(id, &peer, link)?;
            is_ready = true;
        }
        // Before the handshake is finished, messages would only pile up in the link.
        if is_ready {
            if is_draining {
                self.discard(id, link);
            } else {
                self.receive_batch(id, link)?;
            }
            if self.pipes.fill_link(id, link) && !is_draining {
                self.effects |= self.pattern.on_room(&mut self.pipes, id);
            }
        }
        if self.pipes.budget().is_some() {
            self.count_held(id)?;
        }
        if is_draining && self.pipes.outgoing_len(id) == 0 {
            link.finish();
        }
        Ok(())
    }

    /// Counts the memory that a pipe and the subscriptions of its peer hold in the budget of the socket. Returns an error if
    /// the limit of the budget is exceeded, and the peer has added subscriptions beyond the memory that each peer may hold.
    #[inline(never)]
    fn count_held(&mut self, id: PipeId) -> Result<(), ConnectionError> {
        let subscriptions = self.pattern.held_subscriptions_of(id);
        let before = self.pipes.set_subscriptions(id, subscriptions);
        self.pipes.count_held(id);
        match self.pipes.budget() {
            Some(budget) if subscriptions > before.max(FLOOR) && budget.is_exceeded() => {
                Err(ConnectionError::MemoryLimit { limit: budget.limit() })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Marks the pipe `id` as ready, because the properties of `peer` are known and the socket admits the peer, and emits
    /// [`Event::Ready`]. If the socket rejects the peer, returns the reason. From now on, the pipe sends messages to this
    /// peer and receives messages from this peer.
    #[inline(never)]
    fn handle_ready(&mut self, id: PipeId, peer: &Arc<Peer>, link: &mut impl Link) -> Result<(), ConnectionError> {
        let is_draining = self.pipes.get(id).is_some_and(|pipe| pipe.state.is_draining());
        self.pipes.set_written(id, link.written().cloned());
        if !is_draining {
            self.pipes.set_sender(id, peer);
            self.effects |= self.pattern.on_ready(&mut self.pipes, id, peer, &mut *self.entropy)?;
        } else if self.pattern.is_other_peer(&self.pipes, id, peer) {
            let lost = self.pipes.clear_outgoing(id);
            self.count_unsent(lost);
        }
        let Some(pipe) = self.pipes.get_mut(id) else { return Ok(()) };
        pipe.state.make_ready();
        let (endpoint, routing_id) = (pipe.state.endpoint().cloned(), pipe.routing_id.clone());
        self.pipes.ready += 1;
        self.effects |= Effects::PEERS_CHANGED;
        self.update_blocked();
        self.handshakes.end(id);
        if let Some(endpoint) = endpoint {
            self.pipes.emit(|| Event::Ready { pipe: id, endpoint, peer: Arc::clone(peer), routing_id });
        }
        if !is_draining {
            self.notify_ready(id);
        }
        link.admit();
        if let Some(size) = link.max_message_size() {
            self.pipes.set_max_message_size(id, size, self.settings.max_send_size);
        }
        Ok(())
    }

    /// Moves received messages from the connection to the incoming queue of the pipe while the queue has room, and
    /// counts them. Applies received subscription changes, up to a limit; the pipe then requests the next exchange.
    #[inline]
    fn receive_batch(&mut self, id: PipeId, link: &mut impl Link) -> Result<(), ConnectionError> {
        let mut received = TrafficCount::default();
        let discarded = self.pipes.discarded;
        let mut changed = 0;
        let outcome = loop {
            if !self.pipes.may_deliver(id) {
                break Ok(());
            }
            match link.inbox() {
                Some(items) if items.is_empty() => break Ok(()),
                Some(items) => {
                    let run = self.pattern.on_run(&mut self.pipes, id, items, &mut self.effects);
                    received += run;
                    if run.messages > 0 {
                        continue;
                    }
                }
                None => {}
            }
            match link.take() {
                None => break Ok(()),
                Some(Inbound::Message(message)) => {
                    cost::frames(message.len());
                    received += TrafficCount::of(&message);
                    let taken = self.pattern.on_message(&mut self.pipes, id, message, &mut self.effects);
                    if taken.is_err() {
                        break taken;
                    }
                }
                Some(Inbound::Subscription(change)) => {
                    cost::frames(1);
                    changed += CHANGE_COST + change.subject().len();
                    match self.pattern.on_subscription(&mut self.pipes, id, change) {
                        Ok(effects) => self.effects |= effects | Effects::PEERS_CHANGED,
                        Err(error) => break Err(error),
                    }
                    if changed >= CHANGES {
                        self.pipes.request_service(id);
                        break Ok(());
                    }
                }
            }
        };
        if received.messages > 0 {
            self.pipes.received(id, received);
            let discarded = self.pipes.discarded - discarded;
            if discarded > 0 {
                // The messages of a batch may share a read buffer. It would stay allocated for those that were queued.
                self.pipes.copy_out_of_blocks(id, usize::try_from(received.messages).unwrap_or(usize::MAX));
                link.discarded(discarded, received.bytes);
            }
        }
        outcome
    }

    /// Drops the messages that the connection of a draining pipe has received, because such a pipe only sends. Stops if
    /// the incoming queue of the pipe is full; then the connection keeps the remaining messages.
    fn discard(&mut self, id: PipeId, link: &mut impl Link) {
        while self.pipes.may_deliver(id) && link.take().is_some() {
            cost::frames(1);
        }
    }

    /// Returns the [`Demand`] of the pipe `id`, which receives over `inproc`: whether the sending socket must announce
    /// each message. The caller stores the returned value in the [`Reader`] that the sending socket reads.
    ///
    /// If this method returned a value other than [`Demand::EachMessage`], messages may wait at the sending socket
    /// without an announcement. The pipe then requests [`Action::Service`](crate::Action::Service) when its incoming
    /// queue becomes empty, or has room again after it was full.
    #[inline]
    pub fn demand(&mut self, id: PipeId) -> Demand {
        self.pipes.demand(id)
    }

    /// Returns the number of messages, and of bytes that messages hold ([`Message::held_bytes`]), that the pipe `id` can
    /// receive before its incoming queue reaches `recv_hwm` or `recv_hwm_bytes`. An `inproc` link must hold no more than
    /// this on the way to the pipe.
    #[inline]
    pub fn recv_room(&self, id: PipeId) -> TrafficCount {
        self.pipes.recv_room(id)
    }

    /// Sets the [`Reader`] of a pipe that sends over `inproc`. In this `reader`, the receiving socket stores whether it
    /// must be notified of each message. While the stored value is not [`Demand::EachMessage`], [`send`](Self::send)
    /// queues messages in the pipe without requesting [`Action::Service`](crate::Action::Service), unless the queue is
    /// full. The receiving socket fetches these messages later.
    pub fn set_reader(&mut self, id: PipeId, reader: Arc<Reader>) {
        if let Some(pipe) = self.pipes.get_mut(id) {
            pipe.reader = Some(reader);
        }
    }
}

impl Socket {
    /// Includes the memory that a new connection of the pipe `id` holds in the statistics.
    pub(super) fn watch_connection(&mut self, id: PipeId, connection: &impl Link) {
        if let Some(counters) = connection.written() {
            self.pipes.set_connection(id, counters);
        }
    }
}

/// End of the connection of a pipe.
impl Socket {
    /// Reports that `link`, the [`Connection`](crate::Connection) or other transport of the pipe `id`, has ended for
    /// `reason`, and gives `link` back to the socket. If the pipe reconnects, messages that `link` had not begun to
    /// send are sent on the next connection. A STREAM drops these messages instead. A `link` that is passed by
    /// reference must not be used afterwards.
    pub fn disconnected(&mut self, id: PipeId, mut link: impl Link, reason: &ConnectionError, now: Instant) {
        let _call = cost::call("Socket::disconnected", 1);
        self.observe(now);
        let Some(pipe) = self.pipes.get_mut(id).filter(|pipe| pipe.state.is_connected()) else { return };
        let Some(endpoint) = pipe.state.endpoint().cloned() else { return };
        pipe.serviced();
        let routing_id = pipe.routing_id.clone();
        let was_ready = pipe.state.is_ready();
        let delivers_messages = pipe.state.delivers_messages();
        let reason = pipe.state.failure().unwrap_or(reason).clone();
        pipe.failure = Some(Arc::new(reason.clone()));
        if was_ready {
            self.pipes.ready -= 1;
            self.effects |= Effects::PEERS_CHANGED;
        } else {
            pipe.state.fail_attempt();
        }
        self.receive_rest(id, &mut link);
        let next = self.next_after(id, &reason);
        self.take_back(id, &mut link, next);
        self.handshakes.end(id);
        self.pipes.set_max_message_size(id, usize::MAX, self.settings.max_send_size);
        if delivers_messages {
            self.notify_disconnected(id, next);
        }
        self.effects |= self.pattern.on_disconnect(&mut self.pipes, id);
        self.pipes.clear_subscriptions(id);
        let is_draining = self.pipes.get(id).is_some_and(|pipe| pipe.state.is_draining());
        let is_drained = is_draining && self.pipes.outgoing_len(id) == 0;
        let kind = if reason.is_temporary() { FailureKind::Temporary } else { FailureKind::Refusal };
        let retry = if next == Next::Reconnect && !is_drained { self.reconnect(id, kind) } else { None };
        if was_ready {
            self.pipes.emit(|| Event::Disconnected { pipe: id, endpoint, routing_id, reason, retry });
        } else {
            self.pipes.stats.failed_handshakes += 1;
            self.pipes.emit(|| Event::HandshakeFailed { pipe: id, endpoint, reason, retry });
        }
        self.pipes.stats.ended += 1;
        if retry.is_none() {
            self.remove(id);
        }
        self.attempt_failed();
    }

    /// Delivers the complete messages that `link` received before the connection ended, even if the incoming queue of
    /// the pipe is full. There are only a few such messages, because a connection stops reading while the queue is
    /// full.
    ///
    /// If the pipe is in the state Draining or Failed, drops these messages instead, because the application receives
    /// no further messages from a pipe in these states.
    fn receive_rest(&mut self, id: PipeId, link: &mut impl Link) {
        let delivers_messages = self.pipes.get(id).is_some_and(|pipe| pipe.state.delivers_messages());
        while let Some(item) = link.take() {
            cost::frames(1);
            if let (Inbound::Message(message), true) = (item, delivers_messages) {
                self.pipes.received(id, TrafficCount::of(&message));
                if self.pattern.on_message(&mut self.pipes, id, message, &mut self.effects).is_err() {
                    break;
                }
            }
        }
    }

    /// Returns the next step of a pipe after its connection ended for `reason`: to reconnect or to be removed. A dialled
    /// pipe reconnects after every failure, unless an option forbids it or this side ended the pipe.
    fn next_after(&self, id: PipeId, reason: &ConnectionError) -> Next {
        let Some(pipe) = self.pipes.get(id) else { return Next::Remove };
        let stop = self.settings.reconnect_stop;
        let is_stopped = (stop.handshake_failed && !pipe.state.is_ready())
            || (stop.error_received && matches!(reason, ConnectionError::Refused(_)));
        let is_ended_here = matches!(reason, ConnectionError::LocallyClosed | ConnectionError::HandedOver);
        // A closing socket keeps only connections that are draining.
        let is_wanted = !self.closing || pipe.state.is_draining();
        let is_possible = is_wanted && pipe.state.is_dialled() && self.settings.reconnect.is_some();
        if is_possible && !is_stopped && !is_ended_here { Next::Reconnect } else { Next::Remove }
    }

    /// Moves the unsent messages of `link`, an ended connection, back to the outgoing queue of the pipe if the pipe
    /// reconnects. These are the messages that `link` had not begun to send. Reports all other messages that `link` had
    /// not sent completely as dropped. A STREAM cannot continue on another connection, so all its unsent and queued
    /// messages are dropped.
    fn take_back(&mut self, id: PipeId, link: &mut impl Link, next: Next) {
        let was_ready = self.pipes.get(id).is_some_and(|pipe| pipe.state.is_ready());
        let mut lost = link.unsent();
        // An `inproc` link reports no unsent messages while its peer exists, because the peer still receives them.
        let reclaimed = if lost > 0 { link.reclaim() } else { Vec::new() };
        self.pipes.unsent(id, reclaimed.iter().sum());
        self.pipes.set_written(id, None);
        if !self.pattern.carries_over() && was_ready {
            lost += self.pipes.clear_outgoing(id);
            self.effects |= Effects::WRITABLE;
        } else if next == Next::Reconnect {
            lost -= reclaimed.len();
            self.pipes.push_front(id, reclaimed.into_iter());
            self.pipes.drop_opening(id);
        }
        self.count_unsent(lost);
    }
}

/// Notices: messages that notify the application, or the peer, of the beginning or the end of a connection.
impl Socket {
    /// Queues `hello_message` for the peer of the pipe `id`, and delivers the message of `notify_connect` to the
    /// application. Each of the two requires that its option is set. Called when the handshake is finished.
    fn notify_ready(&mut self, id: PipeId) {
        if let Some(hello) = &self.settings.notices.hello {
            self.pipes.push_opening(id, hello.clone());
        }
        if self.settings.notices.connects {
            self.deliver_notice(id, Message::from(Frame::EMPTY));
        }
    }

    /// Delivers to the application the messages that the options request after the peer of the pipe `id` has
    /// disconnected: `hiccup_message` if the pipe reconnects, `disconnect_message` if the peer was accepted and the
    /// pipe is removed, and in both cases the message of `notify_disconnect`.
    fn notify_disconnected(&mut self, id: PipeId, next: Next) {
        let is_dialled = self.pipes.get(id).is_some_and(|pipe| pipe.state.is_dialled());
        let message = match next {
            Next::Reconnect => self.settings.notices.hiccup.clone(),
            Next::Remove if is_dialled => None,
            Next::Remove => self.settings.notices.disconnect.clone(),
        };
        if let Some(message) = message {
            self.deliver_notice(id, message);
        }
        if self.settings.notices.disconnects {
            self.deliver_notice(id, Message::from(Frame::EMPTY));
        }
    }

    /// Delivers a message to the application as if the peer had sent it, even if the incoming queue is full. A
    /// connection causes only a few such messages.
    fn deliver_notice(&mut self, id: PipeId, message: Message) {
        // The error is ignored: a notice that does not fit the socket type is dropped.
        let _ = self.pattern.on_message(&mut self.pipes, id, message, &mut self.effects);
    }
}
