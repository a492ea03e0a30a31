//! How dials and connections come, go and come again; and how a socket ends.
//!
//! ```text
//!                connect                       connected
//! dialled pipe: ────────► Dialling ◄─────────────────────► Connected
//!                            ▲  │ dial_failed, timeout           │ disconnected
//!                            │  ▼                                │
//!                            Waiting ◄───────── back-off ────────┘
//!
//! accepted pipe: accepted ──► Accepted ── disconnected ──► Gone (while its last messages wait to be received)
//! ```

use super::notices::Ended;
use super::pipe::state::{Dial, Life};
use super::{Action, ListenerId, Socket};
use crate::address::{Endpoint, NetworkError};
use crate::connection::{Connection, ConnectionError, Inbound, Link, Peer};
use crate::entropy::between;
use crate::socket::event::{DropReason, Event};
use crate::socket::id::PipeId;
use crate::socket::stats::Tally;
use crate::time::Instant;
use crate::wire::{Metadata, Version};
use alloc::vec::Vec;
use core::time::Duration;

/// A socket's timers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A back-off ends, or a dial has taken too long.
    Dial(PipeId),
    /// Linger runs out.
    Linger(PipeId),
    /// A pipe has been asked to end: now linger begins.
    Part(PipeId),
    /// A listener may accept again.
    Accept(ListenerId),
}

/// Dials and connections.
impl Socket {
    pub(super) fn dial(&mut self, id: PipeId) {
        let Some(pipe) = self.pipes.get_mut(id) else {
            return;
        };
        if let Life::Dialled { endpoint, dial, .. } = &mut pipe.life {
            *dial = Dial::Dialling;
            let to =
                self.settings.proxy.as_ref().map_or_else(|| endpoint.clone(), |proxy| proxy.on_the_way_to(endpoint));
            self.actions.push_back(Action::Dial(id, to));
            // Nothing is tried until somebody binds, so nothing can take too long.
            let waits = matches!(endpoint, Endpoint::Inproc(_));
            let endpoint = endpoint.clone();
            self.pipes.tell(|| Event::Connecting { pipe: id, endpoint });
            match self.settings.connect_timeout.filter(|_| !waits) {
                Some(timeout) => self.deadlines.set(Timer::Dial(id), self.now + timeout),
                None => self.deadlines.clear(Timer::Dial(id)),
            }
        }
    }

    /// A dial succeeded. `None`: it is not wanted any more, so close the connection.
    pub fn connected(&mut self, id: PipeId, now: Instant) -> Option<Connection> {
        if !self.connected_link(id, now) {
            return None;
        }
        let config = self.config_for(id);
        let endpoint = self.pipes.get(id)?.life.endpoint();
        Some(match &self.settings.proxy {
            Some(proxy) if matches!(endpoint, Endpoint::Tcp { .. }) => {
                Connection::through(&config, proxy.user.clone(), endpoint, &mut *self.entropy, self.now)
            }
            Some(_) | None => Connection::new(&config, &mut *self.entropy, self.now),
        })
    }

    /// Reports that a dial succeeded with a link that is no [`Connection`], such as one within the process. Returns false if
    /// the dial was given up.
    pub fn connected_link(&mut self, id: PipeId, now: Instant) -> bool {
        let now = self.observe(now);
        let Some(pipe) = self.pipes.get_mut(id) else {
            return false;
        };
        let Life::Dialled { endpoint, dial: dial @ Dial::Dialling, .. } = &mut pipe.life else {
            return false;
        };
        *dial = Dial::Connected { since: now };
        let endpoint = endpoint.clone();
        pipe.counts.dialled += 1;
        self.deadlines.clear(Timer::Dial(id));
        self.pipes.tell(|| Event::Connected { pipe: id, endpoint });
        true
    }

    /// Returns true while the pipe waits for the outcome of [`Action::Dial`].
    pub fn is_dialling(&self, id: PipeId) -> bool {
        self.pipes.get(id).is_some_and(|pipe| pipe.life.is_dialling())
    }

    /// Returns the [`Peer`] that this socket is for a peer in the same process: the contents of a handshake.
    pub fn as_peer(&self) -> Peer {
        Peer {
            socket_type: self.config.socket_type,
            routing_id: self.config.routing_id.clone(),
            version: Version::V3_1,
            metadata: self.config.metadata(),
            user_id: None,
            properties: Metadata::new(),
            credentials: None,
        }
    }

    /// A dial failed.
    pub fn dial_failed(&mut self, id: PipeId, error: NetworkError, now: Instant) {
        self.observe(now);
        let Some(pipe) = self.pipes.get(id).filter(|pipe| pipe.life.is_dialling()) else {
            return;
        };
        let endpoint = pipe.life.endpoint().clone();
        let stop = error == NetworkError::Refused && self.settings.reconnect_stop.refused;
        let retry = if stop { None } else { self.back_off(id, false) };
        self.pipes.stats.failed_dials += 1;
        self.pipes.tell(|| Event::DialFailed { pipe: id, endpoint, error, retry });
        if retry.is_none() {
            self.lose(id);
        }
    }

    /// Reports the end of a pipe's [`Connection`] or other link, and takes it back: messages that it had not begun to send
    /// go out on the next one. A link that is passed by reference must not be used afterwards.
    pub fn disconnected(&mut self, id: PipeId, mut link: impl Link, reason: &ConnectionError, now: Instant) {
        let now = self.observe(now);
        let Some(pipe) = self.pipes.get_mut(id).filter(|pipe| pipe.life.is_connected()) else {
            return;
        };
        pipe.came();
        let was_ready = pipe.peer.take().is_some();
        pipe.round_trip = None;
        let draining = pipe.draining;
        let doomed = pipe.doomed.take();
        let heard = was_ready && !draining && doomed.is_none();
        let reason = doomed.as_deref().unwrap_or(reason);
        if was_ready {
            self.pipes.ready -= 1;
            self.pipes.news = true;
        }
        // What arrived whole before the end is delivered, beyond the high-water mark if need be: one batch at most.
        while let Some(item) = link.take() {
            if let (Inbound::Message(message), true) = (item, heard) {
                self.pipes.received(id, Tally::of(&message));
                if self.pattern.inbound(&mut self.pipes, id, message).is_err() {
                    break;
                }
            }
        }
        let Some(pipe) = self.pipes.get(id) else {
            return;
        };
        let (endpoint, routing_id) = (pipe.life.endpoint().clone(), pipe.routing_id.clone());
        let (dialled, lasted) = match &pipe.life {
            Life::Dialled { dial: Dial::Connected { since }, last_delay, .. } => {
                (true, was_ready && now.since(*since) > *last_delay)
            }
            Life::Dialled { .. } | Life::Accepted { .. } | Life::Gone => (false, false),
        };
        let stop = !was_ready && self.settings.reconnect_stop.handshake_failed;
        let again = dialled && reason.may_reconnect() && !stop && self.settings.reconnect.is_some();
        let mut cut = link.unsent();
        // What is on its way to a socket that is there still cannot be called back.
        let unbegun = if cut > 0 { link.reclaim() } else { Vec::new() };
        self.pipes.unsent(id, unbegun.iter().sum());
        if !self.pattern.carries_over() && was_ready {
            cut += self.pipes.forget_outgoing(id);
        } else if again {
            cut -= unbegun.len();
            self.pipes.push_front(id, unbegun.into_iter());
            self.pipes.drop_opening(id);
        }
        self.count_unsent(cut);
        self.handshakes.end(id);
        if heard {
            let how = if again { Ended::Hiccup } else { Ended::GivenUp };
            self.miss(id, &if dialled { how } else { Ended::Gone });
        }
        self.pattern.detach(&mut self.pipes, id);
        self.pipes.forget_wishes(id);
        let empty = self.pipes.outgoing_len(id) == 0;
        let retry = if again && !(draining && empty) { self.back_off(id, lasted) } else { None };
        let reason = reason.clone();
        if was_ready {
            self.pipes.tell(|| Event::Disconnected { pipe: id, endpoint, routing_id, reason, retry });
        } else {
            self.pipes.stats.failed_handshakes += 1;
            self.pipes.tell(|| Event::HandshakeFailed { pipe: id, endpoint, reason, retry });
        }
        self.pipes.stats.ended += 1;
        if retry.is_none() {
            self.lose(id);
        }
    }

    /// Arms the next dial. `None`: there is to be none.
    fn back_off(&mut self, id: PipeId, lasted: bool) -> Option<Duration> {
        let backoff = self.settings.reconnect?;
        let pipe = self.pipes.get_mut(id)?;
        let Life::Dialled { dial, failures, last_delay, .. } = &mut pipe.life else {
            return None;
        };
        if lasted {
            *failures = 0;
        }
        let ceiling = backoff.first.saturating_mul(1 << (*failures).min(30)).min(backoff.max);
        let delay = between(&mut *self.entropy, ceiling / 2, ceiling);
        *failures = failures.saturating_add(1);
        *last_delay = delay;
        *dial = Dial::Waiting;
        self.deadlines.set(Timer::Dial(id), self.now + delay);
        Some(delay)
    }

    /// Ends a pipe for good. Messages that arrived stay to be received; those not sent are dropped, and it is told.
    pub(super) fn lose(&mut self, id: PipeId) {
        self.deadlines.clear(Timer::Dial(id));
        self.deadlines.clear(Timer::Linger(id));
        self.count_unsent(self.pipes.outgoing_len(id));
        self.close_to_sends(id);
        self.pipes.retire(id);
        self.tell_if_closed();
    }

    /// Whoever waits for room in this pipe must hear that there will be none.
    fn close_to_sends(&mut self, id: PipeId) {
        self.pattern.closed(&mut self.pipes, id);
        self.pipes.writable = true;
    }

    fn count_unsent(&mut self, messages: usize) {
        if self.closing {
            self.unsent += messages;
        }
        self.pipes.dropped(DropReason::NotSent, messages);
    }
}

/// The end.
impl Socket {
    /// Lets a pipe send what is queued, for as long as `linger` allows, and ends it then.
    pub(super) fn drain(&mut self, id: PipeId) {
        self.stop(id);
        if !self.deadlines.contains(Timer::Linger(id)) {
            self.linger(id);
        }
    }

    /// Takes no more messages for a pipe, nor from it. One that has nothing to send and nobody to tell ends.
    pub(super) fn stop(&mut self, id: PipeId) {
        let Some(pipe) = self.pipes.get_mut(id).filter(|pipe| !pipe.draining) else {
            return;
        };
        pipe.draining = true;
        let (connected, gone) = (pipe.life.is_connected(), pipe.life.is_gone());
        self.close_to_sends(id);
        if self.closing || !self.pattern.reports() {
            self.pipes.forget_incoming(id);
        }
        if gone || (!connected && (self.pipes.outgoing_len(id) == 0 || self.settings.reconnect_stop.disconnected)) {
            self.give_up(id);
            return;
        }
        self.pipes.call(id);
    }

    /// From now on a pipe may take so long as `linger` says.
    pub(super) fn linger(&mut self, id: PipeId) {
        match self.settings.linger.filter(|_| self.pipes.get(id).is_some()) {
            Some(Duration::ZERO) => self.cut(id),
            Some(linger) => self.deadlines.set(Timer::Linger(id), self.now + linger),
            None => {}
        }
    }

    /// Ends a pipe now, whatever is queued.
    fn cut(&mut self, id: PipeId) {
        let Some(pipe) = self.pipes.get(id) else {
            return;
        };
        if pipe.life.is_connected() {
            self.pipes.doom(id, ConnectionError::HungUp);
            return;
        }
        self.give_up(id);
    }

    /// Ends the socket: no more sending and receiving; listeners close; each peer still gets what is queued for it, for
    /// as long as `linger` allows. Go on driving it until [`is_closed`](Self::is_closed).
    pub fn close(&mut self, now: Instant) {
        self.observe(now);
        if self.closing {
            return;
        }
        self.closing = true;
        for id in self.listeners.keys().copied().collect::<Vec<_>>() {
            self.unlisten(id);
        }
        self.tell_if_closed();
        for id in self.pipes.ids() {
            self.drain(id);
        }
        self.pipes.readable = true;
        self.pipes.writable = true;
        self.pipes.news = true;
    }

    /// Ends the socket without linger: [`close`](Self::close), and the end of each pipe at once. Queued messages are lost.
    pub fn abort(&mut self, now: Instant) {
        self.close(now);
        for id in self.pipes.ids() {
            self.cut(id);
        }
    }

    /// True from [`close`](Self::close) on.
    pub const fn is_closing(&self) -> bool {
        self.closing
    }

    /// True once [`close`](Self::close) has been called and nothing is left to do.
    #[inline]
    pub fn is_closed(&self) -> bool {
        self.closing && self.pipes.len() == 0
    }

    /// How many messages could not be sent since `close`; final once [`is_closed`](Self::is_closed).
    pub const fn unsent(&self) -> usize {
        self.unsent
    }

    /// Fires the timers that are due: back-offs, slow dials, pauses of listeners, linger. Harmless when none is.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.observe(now);
        // Each once: what is armed anew has to wait for the next call, be it due at once.
        let due: Vec<_> = core::iter::from_fn(|| self.deadlines.pop_due(now)).collect();
        for timer in due {
            match timer {
                Timer::Linger(id) => self.cut(id),
                Timer::Part(id) => self.parted(id),
                Timer::Accept(id) => self.actions.push_back(Action::Accept(id)),
                Timer::Dial(id) => {
                    if self.pipes.get(id).is_some_and(|pipe| pipe.life.is_dialling()) {
                        self.actions.push_back(Action::StopDialling(id));
                        self.dial_failed(id, NetworkError::TimedOut, now);
                    } else {
                        self.dial(id);
                    }
                }
            }
        }
    }

    pub(super) fn observe(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.now
    }
}
