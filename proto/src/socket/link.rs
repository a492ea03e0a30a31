//! Links of pipes: exchanges with a connection, from the end of its handshake to its own end.

use super::Socket;
use crate::connection::{ConnectionError, Inbound, Link, Peer};
use crate::message::{Frame, Message};
use crate::socket::effects::Effects;
use crate::socket::event::Event;
use crate::socket::id::PipeId;
use crate::socket::pipe::state::LinkState;
use crate::socket::pipe::{Need, Reader};
use crate::socket::stats::TrafficCount;
use crate::time::Instant;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Future of a pipe whose connection has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Reconnect,
    Remove,
}

/// Exchanges.
impl Socket {
    /// Moves messages both ways as far as both sides have room: the only place where a socket and a link meet.
    ///
    /// The work is bounded by what the link holds and has room for.
    ///
    /// # Errors
    /// The connection is to be closed for this reason, and given back with [`disconnected`](Self::disconnected).
    pub fn exchange(&mut self, id: PipeId, link: &mut impl Link) -> Result<(), ConnectionError> {
        let Some(pipe) = self.pipes.get_mut(id) else { return Err(ConnectionError::PeerClosed) };
        let is_draining = pipe.state.is_draining();
        let mut is_ready = match pipe.state.link() {
            Some(LinkState::Connected(established)) => established.is_ready(),
            Some(LinkState::Failed(_, reason)) => return Err(ConnectionError::clone(reason)),
            Some(LinkState::Connecting(_) | LinkState::Backoff(_)) | None => return Err(ConnectionError::PeerClosed),
        };
        pipe.serviced();
        if !is_ready && let Some(peer) = link.peer() {
            let peer = Arc::clone(peer);
            self.handle_ready(id, &peer)?;
            is_ready = true;
        }
        // Before its handshake is finished, a link could only hoard messages.
        if is_ready {
            if is_draining {
                self.discard(id, link);
            } else {
                self.receive_batch(id, link)?;
            }
            if self.pipes.pour(id, link) && !is_draining {
                self.effects |= self.pattern.on_room(&mut self.pipes, id);
            }
        }
        if is_draining && self.pipes.outgoing_len(id) == 0 {
            link.finish();
        }
        Ok(())
    }

    /// Begins the traffic of a connection that has finished its handshake.
    fn handle_ready(&mut self, id: PipeId, peer: &Arc<Peer>) -> Result<(), ConnectionError> {
        let is_draining = self.pipes.get(id).is_some_and(|pipe| pipe.state.is_draining());
        if !is_draining {
            self.pipes.follow(id, peer);
            self.effects |= self.pattern.on_ready(&mut self.pipes, id, peer, &mut *self.entropy)?;
        }
        let Some(pipe) = self.pipes.get_mut(id) else { return Ok(()) };
        pipe.state.make_ready();
        let (endpoint, routing_id) = (pipe.state.endpoint().cloned(), pipe.routing_id.clone());
        self.pipes.ready += 1;
        self.effects |= Effects::PEERS_CHANGED;
        self.handshakes.end(id);
        if let Some(endpoint) = endpoint {
            self.pipes.emit(|| Event::Ready { pipe: id, endpoint, peer: Arc::clone(peer), routing_id });
        }
        if !is_draining {
            self.notify_ready(id);
        }
        Ok(())
    }

    /// Takes what the link holds while there is room, delivers it to the application, and counts it.
    #[inline]
    fn receive_batch(&mut self, id: PipeId, link: &mut impl Link) -> Result<(), ConnectionError> {
        let mut received = TrafficCount::default();
        let outcome = loop {
            if !self.pipes.may_deliver(id) {
                break Ok(());
            }
            match link.take() {
                None => break Ok(()),
                Some(Inbound::Message(message)) => {
                    received += TrafficCount::of(&message);
                    let taken = self.pattern.on_message(&mut self.pipes, id, message, &mut self.effects);
                    if taken.is_err() {
                        break taken;
                    }
                }
                Some(Inbound::Subscription(wish)) => match self.pattern.on_subscription(&mut self.pipes, id, wish) {
                    Ok(effects) => self.effects |= effects | Effects::PEERS_CHANGED,
                    Err(error) => break Err(error),
                },
            }
        };
        if received.messages > 0 {
            self.pipes.received(id, received);
        }
        outcome
    }

    /// Takes what the link holds while there is room, and drops it: the application receives nothing more from a pipe that
    /// drains.
    fn discard(&mut self, id: PipeId, link: &mut impl Link) {
        while self.pipes.may_deliver(id) && link.take().is_some() {}
    }

    /// Returns the demand of this pipe for a link in the same process. When the demand becomes [`Need::Hungry`] again,
    /// the pipe requests [`Action::Service`](crate::Action::Service).
    #[inline]
    pub fn need(&mut self, id: PipeId) -> Need {
        self.pipes.need(id)
    }

    /// Sets the demand of the peer at the other end of a link in the same process. While it is not [`Need::Hungry`],
    /// messages for the peer wait without a request for [`Action::Service`](crate::Action::Service).
    pub fn set_reader(&mut self, id: PipeId, reader: Arc<Reader>) {
        if let Some(pipe) = self.pipes.get_mut(id) {
            pipe.reader = Some(reader);
        }
    }
}

/// Ends of connections.
impl Socket {
    /// Reports the end of a pipe's [`Connection`](crate::Connection) or other link, and takes it back: messages that it had
    /// not begun to send go out on the next one. A link that is passed by reference must not be used afterwards.
    pub fn disconnected(&mut self, id: PipeId, mut link: impl Link, reason: &ConnectionError, now: Instant) {
        self.observe(now);
        let Some(pipe) = self.pipes.get_mut(id).filter(|pipe| pipe.state.is_connected()) else { return };
        let Some(endpoint) = pipe.state.endpoint().cloned() else { return };
        pipe.serviced();
        let routing_id = pipe.routing_id.clone();
        let was_ready = pipe.state.is_ready();
        let is_heard = pipe.state.is_heard();
        let reason = pipe.state.failure().unwrap_or(reason).clone();
        if was_ready {
            self.pipes.ready -= 1;
            self.effects |= Effects::PEERS_CHANGED;
        }
        self.receive_rest(id, &mut link);
        let next = self.next_after(id, &reason);
        self.take_back(id, &mut link, next);
        self.handshakes.end(id);
        if is_heard {
            self.notify_disconnected(id, next);
        }
        self.effects |= self.pattern.on_disconnect(&mut self.pipes, id);
        self.pipes.clear_subscriptions(id);
        let is_draining = self.pipes.get(id).is_some_and(|pipe| pipe.state.is_draining());
        let is_drained = is_draining && self.pipes.outgoing_len(id) == 0;
        let retry = if next == Next::Reconnect && !is_drained { self.reconnect(id) } else { None };
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
    }

    /// Delivers what arrived whole before the end of a connection, beyond the high-water mark if need be: one batch at most.
    /// The application receives nothing more from a pipe that drains or has failed.
    fn receive_rest(&mut self, id: PipeId, link: &mut impl Link) {
        let is_heard = self.pipes.get(id).is_some_and(|pipe| pipe.state.is_heard());
        while let Some(item) = link.take() {
            if let (Inbound::Message(message), true) = (item, is_heard) {
                self.pipes.received(id, TrafficCount::of(&message));
                if self.pattern.on_message(&mut self.pipes, id, message, &mut self.effects).is_err() {
                    break;
                }
            }
        }
    }

    /// Returns the future of a pipe whose connection ended for this reason.
    fn next_after(&self, id: PipeId, reason: &ConnectionError) -> Next {
        let Some(pipe) = self.pipes.get(id) else { return Next::Remove };
        let is_stopped = !pipe.state.is_ready() && self.settings.reconnect_stop.handshake_failed;
        let is_possible = pipe.state.is_dialled() && self.settings.reconnect.is_some();
        if is_possible && !is_stopped && reason.may_reconnect() { Next::Reconnect } else { Next::Remove }
    }

    /// Takes messages back that a link had not begun to send, and counts those that are lost with it.
    fn take_back(&mut self, id: PipeId, link: &mut impl Link, next: Next) {
        let was_ready = self.pipes.get(id).is_some_and(|pipe| pipe.state.is_ready());
        let mut lost = link.unsent();
        // Messages on their way to a socket of the same process that still exists cannot be taken back.
        let unbegun = if lost > 0 { link.reclaim() } else { Vec::new() };
        self.pipes.unsent(id, unbegun.iter().sum());
        if !self.pattern.carries_over() && was_ready {
            lost += self.pipes.forget_outgoing(id);
            self.effects |= Effects::WRITABLE;
        } else if next == Next::Reconnect {
            lost -= unbegun.len();
            self.pipes.push_front(id, unbegun.into_iter());
            self.pipes.drop_opening(id);
        }
        self.count_unsent(lost);
    }
}

/// Notices: messages that stand for the beginning or the end of a connection.
impl Socket {
    /// Sends and delivers the notices of a connection that has finished its handshake.
    fn notify_ready(&mut self, id: PipeId) {
        if let Some(hello) = &self.settings.notices.hello {
            self.pipes.open_with(id, hello.clone());
        }
        if self.settings.notices.connects {
            self.deliver_notice(id, Message::from(Frame::EMPTY));
        }
    }

    /// Delivers the notices of a connection that has ended after its handshake.
    fn notify_disconnected(&mut self, id: PipeId, next: Next) {
        let is_dialled = self.pipes.get(id).is_some_and(|pipe| pipe.state.is_dialled());
        let message = match next {
            Next::Reconnect => self.settings.notices.hiccup.clone(),
            Next::Remove if is_dialled => None,
            Next::Remove => self.settings.notices.missed.clone(),
        };
        if let Some(message) = message {
            self.deliver_notice(id, message);
        }
        if self.settings.notices.disconnects {
            self.deliver_notice(id, Message::from(Frame::EMPTY));
        }
    }

    /// Delivers a message as if the peer had sent it, beyond the high-water mark if need be: there is one for each connection.
    fn deliver_notice(&mut self, id: PipeId, message: Message) {
        // A message that the rules of the socket type reject was meant for no application of that type.
        let _ = self.pattern.on_message(&mut self.pipes, id, message, &mut self.effects);
    }
}
