//! The end of pipes and of the socket: draining, linger, close and abort.
//!
//! A pipe is the pair of message queues of one peer. The driver is the code that does the IO.
//!
//! | verb | effect on a pipe |
//! |---|---|
//! | `drain` | accepts no further messages, sends the queued ones while `linger` allows, then ends |
//! | `fail` | stores the reason why the connection must be closed; the driver closes it and calls `disconnected` |
//! | `reconnect` | starts the back-off (delay) before the next dial, after a connection or a dial ended |
//! | `remove` | ends for good; the last incoming messages can still be received |
//! | `close` | drains all pipes of the socket |
//! | `shut_down` | drains all pipes of the socket; a REP first sends the reply that it owes |
//! | `abort` | ends at once; its queued messages are dropped |

use super::{Action, Socket, Timer};
use crate::address::{Endpoint, NetworkError};
use crate::connection::ConnectionError;
use crate::kind::Trait;
use crate::message::Frame;
use crate::socket::effects::Effects;
use crate::socket::error::UnbindError;
use crate::socket::event::{DropReason, Event};
use crate::socket::id::PipeId;
use crate::time::Instant;
use alloc::vec::Vec;
use core::time::Duration;

/// Time at which the linger period of a pipe begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LingerFrom {
    Now,
    /// The linger period begins at the next call of [`Socket::handle_timeout`]. [`Socket::poll_timeout`] requests this
    /// call at once.
    NextTimeout,
}

impl Socket {
    /// Closes the socket: `send` and `recv` fail from now on, listeners close, and queued messages are still sent for
    /// as long as `linger` allows. Continue to handle the actions and timeouts of the socket until
    /// [`is_closed`](Self::is_closed) returns true.
    pub fn close(&mut self, now: Instant) {
        self.observe(now);
        self.close_except(None);
    }

    /// Closes the socket, but does not drain the pipe `debtor`, so that the application can still send a reply to its
    /// peer. Does nothing if the socket is closing already.
    fn close_except(&mut self, debtor: Option<PipeId>) {
        if self.closing {
            return;
        }
        self.closing = true;
        self.is_blocked = true;
        for id in self.listeners.keys().copied().collect::<Vec<_>>() {
            self.remove_listener(id);
        }
        self.emit_closed();
        for id in self.pipes.ids() {
            if Some(id) != debtor {
                self.drain(id, LingerFrom::Now);
            }
        }
        self.effects |= Effects::READABLE | Effects::WRITABLE | Effects::PEERS_CHANGED;
    }

    /// Closes the socket as [`close`](Self::close) does, but queued messages are sent for at most `limit` from now,
    /// whatever the option `linger` is. If the socket is closing already, `limit` can only shorten the time that is
    /// left. If `limit` is zero, ends the connections and connection attempts of all peers at once, and drops the
    /// queued messages.
    pub fn close_within(&mut self, limit: Duration, now: Instant) {
        if !self.closing {
            self.settings.linger = Some(limit);
        }
        self.close(now);
        self.limit_linger(limit);
    }

    /// Closes the socket as [`close_within`](Self::close_within) with a limit of zero does.
    pub fn abort(&mut self, now: Instant) {
        self.close_within(Duration::ZERO, now);
    }

    /// Closes the socket as [`close`](Self::close) does, with two differences. First, the socket is closed after
    /// `limit` at the latest, even if `linger` is longer. Second, if the application of a REP has received a request and
    /// has not replied, it can still send this reply. If the socket is closing already, `limit` can only shorten the
    /// time that is left.
    pub fn shut_down(&mut self, limit: Duration, now: Instant) {
        self.observe(now);
        if !self.closing {
            let debtor =
                self.pattern.reply_due().filter(|&id| self.pipes.get(id).is_some_and(|pipe| pipe.state.is_ready()));
            self.close_except(debtor);
        }
        self.limit_linger(limit);
    }

    /// Reports that the driver, which does the IO, has ended before the socket was closed, for example because an async
    /// runtime was shut down. Removes all pipes except those over `inproc`. Counts their messages as dropped, also those
    /// that connections had not written completely, and emits [`Event::DriverLost`]. Disconnects the
    /// peers over `inproc`, which need no driver.
    pub fn driver_lost(&mut self, now: Instant) {
        self.observe(now);
        let before = self.unsent;
        self.holds_closed = !self.is_closed();
        self.close_except(None);
        for id in self.pipes.ids() {
            let Some(pipe) = self.pipes.get(id) else { continue };
            if matches!(pipe.state.endpoint(), Some(Endpoint::Inproc(_))) {
                self.abort_pipe(id);
                continue;
            }
            let under_way = usize::try_from(pipe.under_way()).unwrap_or(usize::MAX);
            self.pipes.ready -= usize::from(pipe.state.is_ready());
            self.count_unsent(under_way);
            self.handshakes.end(id);
            self.remove(id);
        }
        let unsent = self.unsent - before;
        if unsent > 0 {
            self.pipes.emit(|| Event::DriverLost { unsent });
        }
        if core::mem::take(&mut self.holds_closed) {
            self.emit_closed();
        }
    }

    /// Reports that the runtime cannot run the socket because of `error`, for example because the runtime has no timers.
    /// Closes the socket as [`driver_lost`](Self::driver_lost) does. From now on, methods of the socket return `error`
    /// where they would return that the socket is closed.
    pub fn runtime_failed(&mut self, error: NetworkError, now: Instant) {
        self.runtime_error = Some(error);
        self.driver_lost(now);
    }

    /// Returns the error that was reported with [`runtime_failed`](Self::runtime_failed).
    pub const fn runtime_error(&self) -> Option<NetworkError> {
        self.runtime_error
    }

    /// Returns true if [`close`](Self::close) was called.
    pub const fn is_closing(&self) -> bool {
        self.closing
    }

    /// Returns true if [`close`](Self::close) was called and all pipes (the message queues of the peers) are removed.
    /// The socket has no further work, and can be dropped.
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.closing && self.pipes.len() == 0
    }

    /// Returns the time at which the linger periods of all pipes have ended, if the socket is closing. `None` if a pipe
    /// may linger without a limit, or if the socket is not closing.
    pub fn close_deadline(&self) -> Option<Instant> {
        let mut last = self.closing.then_some(self.now)?;
        for id in self.pipes.ids() {
            if self.pipes.get(id).is_some_and(|pipe| pipe.state.failure().is_none()) {
                last = last.max(self.deadlines.get(Timer::Linger(id))?);
            }
        }
        Some(last)
    }

    /// Returns the number of queued messages that were dropped since [`close`](Self::close) was called, because they
    /// could not be sent. The number is final when [`is_closed`](Self::is_closed) returns true.
    pub const fn unsent(&self) -> usize {
        self.unsent
    }

    /// Ends every `connect` to this endpoint: closes the connections and cancels the connection attempts. Before that,
    /// the queued messages are still sent for as long as `linger` allows.
    ///
    /// # Errors
    /// [`UnbindError::Unknown`] if the socket has no `connect` to this endpoint.
    pub fn disconnect(&mut self, endpoint: &Endpoint, now: Instant) -> Result<(), UnbindError> {
        self.observe(now);
        let dialled = |pipe: &PipeId| self.pipes.get(*pipe).is_some_and(|pipe| pipe.state.is_dialled_to(endpoint));
        let pipes: Vec<_> = self.pipes.ids().into_iter().filter(dialled).collect();
        if pipes.is_empty() {
            return Err(UnbindError::Unknown(endpoint.clone()));
        }
        for pipe in pipes {
            self.drain(pipe, LingerFrom::Now);
        }
        Ok(())
    }

    /// Disconnects the peer that has this routing id, and does not reconnect to this peer (`zmq_disconnect_peer`). Only
    /// a SERVER or PEER supports this. Messages queued for the peer are still sent for as long as `linger` allows;
    /// messages from the peer that the application has not received are dropped. A peer that this socket accepted can
    /// connect again, and then has another routing id.
    ///
    /// # Errors
    /// [`UnbindError::UnknownPeer`]: no peer has that routing id. [`UnbindError::Unsupported`]: the socket type is neither
    /// SERVER nor PEER.
    pub fn disconnect_peer(&mut self, routing_id: impl Into<Frame>, now: Instant) -> Result<(), UnbindError> {
        self.observe(now);
        let socket_type = self.socket_type();
        let types = Trait::AssignsRoutingId.types();
        if !types.contains(socket_type) {
            return Err(UnbindError::Unsupported(socket_type));
        }
        let id = routing_id.into();
        let Some(pipe) = self.pattern.find_peer(&id) else {
            return Err(UnbindError::UnknownPeer(id));
        };
        self.drain(pipe, LingerFrom::Now);
        Ok(())
    }

    /// Drains a pipe: the pipe accepts no further messages, sends its queued messages while `linger` allows, then ends.
    /// `from` is the beginning of the linger period.
    pub(super) fn drain(&mut self, id: PipeId, from: LingerFrom) {
        let Some(pipe) = self.pipes.get_mut(id) else { return };
        let is_gone = pipe.state.is_gone();
        if pipe.state.drain() || is_gone {
            let is_connected = pipe.state.is_connected();
            self.effects |= self.pattern.on_end(&mut self.pipes, id) | Effects::WRITABLE;
            if self.closing || !self.pattern.keeps_incoming() {
                self.pipes.clear_incoming(id);
            }
            let is_idle = self.pipes.outgoing_len(id) == 0 || self.settings.reconnect_stop.disconnected;
            if is_gone || !is_connected && is_idle {
                self.abort_pipe(id);
                return;
            }
            self.pipes.request_service(id);
        }
        match from {
            LingerFrom::NextTimeout => self.deadlines.set(Timer::StartLinger(id), self.now),
            LingerFrom::Now if !self.deadlines.contains(Timer::Linger(id)) => self.start_linger(id),
            LingerFrom::Now => {}
        }
    }

    /// Starts the linger period of a pipe of a STREAM, after the application sent an empty message to disconnect the
    /// peer. If `linger` is zero and the peer is connected, starts no linger period: the messages that are already
    /// queued are still sent, because the socket itself stays open.
    pub(super) fn start_requested_linger(&mut self, id: PipeId) {
        let is_connected = self.pipes.get(id).is_some_and(|pipe| pipe.state.is_connected());
        if !is_connected || self.settings.linger != Some(Duration::ZERO) {
            self.start_linger(id);
        }
    }

    /// Ends the linger periods of all pipes after `limit` at the latest; at once if `limit` is zero.
    fn limit_linger(&mut self, limit: Duration) {
        let end = self.now + limit;
        for id in self.pipes.ids() {
            if limit.is_zero() {
                self.abort_pipe(id);
            } else if self.deadlines.get(Timer::Linger(id)).is_none_or(|deadline| deadline > end) {
                self.deadlines.set(Timer::Linger(id), end);
            }
        }
    }

    /// Returns the peer to which a closing REP may still send its reply, after [`shut_down`](Self::shut_down). `None`
    /// if no reply is due, or the socket was closed in another way.
    pub(super) fn debtor(&self) -> Option<PipeId> {
        self.pattern.reply_due().filter(|&id| self.pipes.get(id).is_some_and(|pipe| pipe.state.accepts_messages()))
    }

    fn start_linger(&mut self, id: PipeId) {
        match self.settings.linger.filter(|_| self.pipes.get(id).is_some()) {
            Some(Duration::ZERO) => self.abort_pipe(id),
            Some(linger) => self.deadlines.set(Timer::Linger(id), self.now + linger),
            None => {}
        }
    }

    /// Aborts a pipe and drops its queued messages. If the pipe has a connection, marks the connection as failed, so
    /// that the driver closes it; otherwise removes the pipe at once.
    pub(super) fn abort_pipe(&mut self, id: PipeId) {
        let Some(pipe) = self.pipes.get(id) else { return };
        if pipe.state.is_connected() {
            self.pipes.fail(id, ConnectionError::LocallyClosed);
            return;
        }
        if pipe.state.is_connecting() {
            self.actions.push_back(Action::CancelDial(id));
        }
        if let Some(endpoint) = pipe.state.endpoint().cloned() {
            self.pipes.emit(|| Event::ConnectCancelled { pipe: id, endpoint });
        }
        self.remove(id);
    }

    /// Removes a pipe for good. Its incoming messages can still be received; its outgoing messages are dropped, and
    /// counted as dropped.
    pub(super) fn remove(&mut self, id: PipeId) {
        self.deadlines.clear(Timer::Dial(id));
        self.deadlines.clear(Timer::Linger(id));
        self.count_unsent(self.pipes.outgoing_len(id));
        if self.closing {
            self.pipes.clear_incoming(id);
        }
        // A sender that waits for room in this pipe must be woken, because the pipe never has room again.
        self.effects |= self.pattern.on_end(&mut self.pipes, id) | Effects::WRITABLE;
        self.fail_waits(id);
        self.pipes.remove(id);
        self.update_blocked();
        self.emit_closed();
    }

    /// Counts queued messages that are dropped because they can no longer be sent, and emits [`Event::Dropped`].
    /// `messages` is the number of these messages. After `close`, also adds this number to the result of
    /// [`unsent`](Self::unsent).
    pub(super) fn count_unsent(&mut self, messages: usize) {
        if self.closing {
            self.unsent += messages;
        }
        self.pipes.dropped(DropReason::Undelivered, messages);
    }

    /// Emits [`Event::Closed`] if the socket is closed and all pipes are removed.
    fn emit_closed(&mut self) {
        if self.is_closed() && !self.holds_closed {
            self.pipes.emit(|| Event::Closed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Buf;
    use crate::entropy::SeededEntropy;
    use crate::kind::{Sub, XPub};
    use crate::socket::Options;

    /// Checks that an XPUB can still receive the cancellations of a disconnected peer's subscriptions after
    /// `disconnect`, and that `close` drops these messages.
    #[test]
    fn closed_xpub_drops_reports_of_a_disconnected_peer() {
        let now = Instant::ORIGIN;
        let endpoint: Endpoint = "tcp://example:1".parse().unwrap();
        let mut xpub = Socket::new(Options::<XPub>::new(), SeededEntropy::new(1));
        let mut sub = Socket::new(Options::<Sub>::new(), SeededEntropy::new(2));
        sub.subscribe("topic").unwrap();
        let listener = sub.bind("tcp://*:1".parse().unwrap());
        let pipe = xpub.connect(endpoint.clone(), now).unwrap();
        let mut xpub_link = xpub.connected(pipe, now).unwrap();
        let (accepted, mut sub_link) = sub.accepted(listener, "tcp://client:1".parse().unwrap(), now).unwrap();
        for _ in 0..4 {
            xpub.exchange(pipe, &mut xpub_link).unwrap();
            sub.exchange(accepted, &mut sub_link).unwrap();
            if let Some(out) = xpub_link.poll_transmit() {
                sub_link.handle_input(&out.copy_to_bytes(out.remaining()), now).unwrap();
            }
            if let Some(out) = sub_link.poll_transmit() {
                xpub_link.handle_input(&out.copy_to_bytes(out.remaining()), now).unwrap();
            }
        }
        xpub.exchange(pipe, &mut xpub_link).unwrap();
        assert_eq!(xpub.subscriber_count("topic"), 1);
        xpub.disconnect(&endpoint, now).unwrap();
        xpub.disconnected(pipe, xpub_link, &ConnectionError::LocallyClosed, now);
        assert_eq!(xpub.peers(), 1, "the subscription and its cancellation wait to be received");
        xpub.close(now);
        assert!(xpub.is_closed());
    }
}
