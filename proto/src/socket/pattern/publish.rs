//! PUB and XPUB (RFC 29, "The PUB Socket Type", "The XPUB Socket Type"): sends each message to all peers that
//! subscribed to its topic.

use super::Pattern;
use crate::connection::{ConnectionError, Peer, Subscription};
use crate::cost;
use crate::entropy::Entropy;
use crate::message::{Frame, Message};
use crate::socket::effects::Effects;
use crate::socket::error::{RecvError, SubscribeError, Unsent};
use crate::socket::event::DropReason;
use crate::socket::id::PipeId;
use crate::socket::options::{Manual, Publishing, Settings, SlowSubscriber, Verbosity};
use crate::socket::pipe::Pipes;
use crate::socket::routing::arrival_order::ArrivalOrder;
use crate::socket::routing::distributor::Distributor;
use crate::socket::routing::subscriptions::{Cancelled, Subscribed, Subscriptions};
use crate::socket_type::SocketType;
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;

#[derive(Debug)]
pub(super) struct Publish {
    options: Publishing,
    /// Peers that have finished their handshake and to which messages can still be sent.
    peers: BTreeSet<PipeId>,
    /// Subscriptions that are in effect. A message is sent to the peers that have a matching subscription in this
    /// table.
    granted: Subscriptions,
    /// Subscriptions that the peers sent to the XPUB, if the application decides which of them take effect
    /// (`XPUB_MANUAL`). Empty otherwise.
    requested: Subscriptions,
    distributor: Distributor,
    /// Queue of the subscription changes and messages that peers sent to an XPUB and that the application has not
    /// received yet. `None` for a PUB.
    // RFC 29 requires fair queuing. But the order matters between a subscription and a cancellation by different peers.
    upstream: Option<ArrivalOrder>,
    /// Peer that sent the subscription change which the application received last. With `XPUB_MANUAL`, the
    /// application's calls of `subscribe` and `unsubscribe` apply to this peer. `None` before the application has
    /// received a change, after the peer has disconnected, and always without `XPUB_MANUAL`.
    requester: Option<PipeId>,
    /// Peer to which alone the next message is sent, because the application has called `subscribe` for this peer
    /// (`XPUB_MANUAL_LAST_VALUE`). `None` if the next message is sent to all matching subscribers.
    only_recipient: Option<PipeId>,
}

impl Publish {
    pub(super) fn new(settings: &Settings, entropy: &mut dyn Entropy) -> Self {
        Self {
            options: settings.publishing.clone(),
            peers: BTreeSet::new(),
            granted: Subscriptions::new(entropy),
            requested: Subscriptions::new(entropy),
            distributor: Distributor::default(),
            upstream: (settings.connection.socket_type == SocketType::XPub).then(ArrivalOrder::default),
            requester: None,
            only_recipient: None,
        }
    }

    fn is_manual(&self) -> bool {
        self.options.manual != Manual::Off
    }

    /// Returns the table of the subscriptions that the peers have requested: `requested` if the application decides
    /// about them (`XPUB_MANUAL`), otherwise `granted`.
    fn requests(&mut self) -> &mut Subscriptions {
        if self.is_manual() { &mut self.requested } else { &mut self.granted }
    }

    /// Delivers a subscription or cancellation by the peer of `pipe` to the application of an XPUB `count` times, as
    /// messages in the format of ZMTP 3.0. `flag` is 1 for a subscription, 0 for a cancellation.
    fn report(&mut self, pipes: &mut Pipes, pipe: PipeId, (flag, prefix): (u8, &[u8]), count: usize) -> Effects {
        let Some(upstream) = self.upstream.as_mut().filter(|_| count > 0) else { return Effects::NONE };
        cost::bytes(prefix.len());
        cost::nodes(count);
        let mut bytes = Vec::with_capacity(1 + prefix.len());
        bytes.push(flag);
        bytes.extend_from_slice(prefix);
        // All reports share a long prefix.
        let frame = Frame::from(bytes);
        (0..count).fold(Effects::NONE, |effects, _| effects | upstream.deliver(pipes, pipe, frame.clone().into()))
    }

    /// Adds a subscription that a peer sent. Returns an error, and does not add the subscription, if the prefix is too
    /// long (`max_subscription_size`). Does the same if the peer would then exceed one of the limits on the number and
    /// on the total length of its subscriptions (`max_subscriptions`).
    fn handle_subscribe(&mut self, pipes: &mut Pipes, pipe: PipeId, prefix: &[u8]) -> Result<Effects, ConnectionError> {
        let (limit, manual, verbosity) = (self.options.max_subscriptions, self.is_manual(), self.options.verbosity);
        let (size, max_size) = (prefix.len(), self.options.max_subscription_size);
        if size > max_size {
            return Err(ConnectionError::SubscriptionTooLong { size, limit: max_size });
        }
        let requests = self.requests();
        let is_full = requests.count_of(pipe) >= limit
            || requests.bytes_of(pipe).saturating_add(size) > limit.saturating_mul(AVERAGE_PREFIX);
        // A repeated subscription adds nothing.
        if is_full && !requests.contains(pipe, prefix) {
            return Err(ConnectionError::TooManySubscriptions { limit });
        }
        let outcome = requests.subscribe(pipe, prefix);
        if !manual && outcome != Subscribed::First {
            if verbosity == Verbosity::Changes {
                return Ok(Effects::NONE);
            }
            requests.add_repeat(prefix);
        }
        Ok(self.report(pipes, pipe, (1, prefix), 1))
    }

    /// Removes a subscription that a peer cancelled. Ignores the cancellation of a prefix that the peer has not
    /// subscribed to.
    // A proxy counts the reports. One without a subscription would end the subscription of another peer.
    fn handle_cancel(&mut self, pipes: &mut Pipes, pipe: PipeId, prefix: &[u8]) -> Effects {
        let outcome = self.requests().cancel(pipe, prefix);
        // A sender may have waited for room in a pipe that the message no longer concerns.
        outcome.map_or(Effects::WRITABLE, |outcome| Effects::WRITABLE | self.report_end(pipes, pipe, prefix, outcome))
    }

    /// Delivers the end of a peer's subscription to the application of an XPUB, if its options require this. `outcome`
    /// states whether the prefix still has a subscriber. After the end of the last subscription, the application has
    /// received as many cancellations of the prefix as subscriptions, except with `manual`.
    fn report_end(&mut self, pipes: &mut Pipes, pipe: PipeId, prefix: &[u8], outcome: Cancelled) -> Effects {
        let reports = match outcome {
            Cancelled::Gone(repeats) => 1 + repeats,
            Cancelled::StillHeld if self.is_manual() => 1,
            Cancelled::StillHeld if self.options.verbosity == Verbosity::All => {
                usize::from(self.requests().remove_repeat(prefix))
            }
            Cancelled::StillHeld => 0,
        };
        self.report(pipes, pipe, (0, prefix), reports)
    }

    /// Removes a peer that has disconnected. Its subscriptions are out of effect at once, but only a part of them is
    /// removed now; see [`remove_departed`](Pattern::remove_departed). If the peer is dialled again and is back before the
    /// rest is removed, it receives messages for the rest too, which a subscriber drops.
    fn remove_peer(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Effects {
        if !self.peers.remove(&pipe) {
            return Effects::NONE;
        }
        // The end of many peers at once would keep the socket locked.
        let is_later = self.has_departed();
        if self.requests().depart(pipe) && self.upstream.is_some() {
            pipes.retain(pipe);
        }
        self.granted.depart(pipe);
        if self.requester == Some(pipe) {
            self.requester = None;
        }
        // A sender may have waited for room in this pipe.
        Effects::WRITABLE | if is_later { Effects::UNFINISHED } else { self.remove_departed(pipes) }
    }

    /// Returns true if subscriptions of disconnected peers must still be removed.
    fn has_departed(&self) -> bool {
        self.granted.has_departed() || self.requested.has_departed()
    }
}

/// Assumed average length of a prefix in bytes. The total length of a peer's prefixes is limited to this length times
/// `max_subscriptions`.
const AVERAGE_PREFIX: usize = 256;

impl Pattern for Publish {
    fn configure(&mut self, pipes: &mut Pipes, settings: &Settings, entropy: &mut dyn Entropy) {
        let was_manual = self.is_manual();
        self.options = settings.publishing.clone();
        if self.options.manual != Manual::LastValue {
            self.only_recipient = None;
        }
        if self.is_manual() == was_manual {
            return;
        }
        cost::requested(self.requests().len() + self.granted.len());
        if was_manual {
            self.granted = core::mem::replace(&mut self.requested, Subscriptions::new(entropy));
            self.requester = None;
        } else {
            self.requested = self.granted.clone();
        }
        for &peer in &self.peers {
            pipes.set_subscriptions(peer, self.held_subscriptions_of(peer));
        }
    }

    fn on_ready(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        _: &Peer,
        _: &mut dyn Entropy,
    ) -> Result<Effects, ConnectionError> {
        self.peers.insert(pipe);
        if let Some(welcome) = &self.options.welcome {
            pipes.push_opening(pipe, welcome.clone().into());
        }
        Ok(Effects::NONE)
    }

    fn on_disconnect(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Effects {
        self.remove_peer(pipes, pipe)
    }

    fn held_subscriptions(&self) -> usize {
        self.granted.held_bytes() + self.requested.held_bytes()
    }

    fn held_subscriptions_of(&self, pipe: PipeId) -> usize {
        self.granted.held_bytes_of(pipe) + self.requested.held_bytes_of(pipe)
    }

    // A lost report would be a subscription that a proxy never passes on, although other peers may have it too.
    fn keeps_incoming(&self) -> bool {
        self.upstream.is_some()
    }

    fn on_end(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Effects {
        self.remove_peer(pipes, pipe)
    }

    /// Removes a bounded number of subscriptions of disconnected peers. Delivers the cancellations to the application of
    /// an XPUB as its options require.
    fn remove_departed(&mut self, pipes: &mut Pipes) -> Effects {
        let mut effects = Effects::NONE;
        if let Some(removed) = self.requests().remove_departed() {
            for (prefix, outcome) in removed.prefixes {
                effects |= self.report_end(pipes, removed.pipe, &prefix, outcome);
            }
            if removed.is_complete {
                pipes.release(removed.pipe);
            }
        }
        if self.is_manual() {
            self.granted.remove_departed();
        }
        if self.has_departed() { effects | Effects::UNFINISHED } else { effects }
    }

    fn on_room(&mut self, _: &mut Pipes, _: PipeId) -> Effects {
        Effects::WRITABLE
    }

    fn on_subscription(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        change: Subscription,
    ) -> Result<Effects, ConnectionError> {
        match change {
            Subscription::Subscribe(prefix) => self.handle_subscribe(pipes, pipe, &prefix),
            Subscription::Cancel(prefix) => Ok(self.handle_cancel(pipes, pipe, &prefix)),
            Subscription::Join(_) | Subscription::Leave(_) => Ok(Effects::NONE),
        }
    }

    /// Handles a message that a peer, an XSUB, has sent to this socket. Applies the subscription changes in the
    /// message. An XPUB queues the rest of the message for the application; a PUB drops the rest.
    fn on_message(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        message: Message,
        effects: &mut Effects,
    ) -> Result<(), ConnectionError> {
        let (changes, rest) = Subscription::split(message, self.options.only_first);
        for change in changes {
            *effects |= self.on_subscription(pipes, pipe, change)? | Effects::PEERS_CHANGED;
        }
        match (rest, &mut self.upstream) {
            (Some(message), Some(upstream)) => *effects |= upstream.deliver(pipes, pipe, message),
            (Some(_), None) => pipes.dropped(DropReason::Unexpected, 1),
            (None, _) => {}
        }
        Ok(())
    }

    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<Effects, Unsent> {
        let has_departed = self.granted.has_departed();
        for pipe in self.granted.matching(message.head()) {
            // Each of these peers receives the message.
            cost::requested(1);
            if has_departed && !self.peers.contains(&pipe) {
                continue;
            }
            if self.only_recipient.is_none_or(|recipient| recipient == pipe) {
                self.distributor.choose(pipes, pipe);
            }
        }
        if self.options.invert {
            self.distributor.invert(pipes, &self.peers);
        }
        self.distributor.send(pipes, message, self.options.slow)?;
        self.only_recipient = None;
        Ok(Effects::NONE)
    }

    fn recv(&mut self, pipes: &mut Pipes, _: &mut Effects) -> Result<Message, RecvError> {
        let Some(upstream) = &mut self.upstream else {
            return Err(RecvError::Unsupported(SocketType::Pub));
        };
        let (pipe, message) = upstream.next(pipes).ok_or(RecvError::Empty)?;
        if self.is_manual() && message.len() == 1 && matches!(message.head().first(), Some(0 | 1)) {
            self.requester = self.peers.contains(&pipe).then_some(pipe);
        }
        Ok(message)
    }

    // With `XPUB_MANUAL`, `subscribe` is for the peer of the last received message.
    fn recv_run(
        &mut self,
        pipes: &mut Pipes,
        limit: usize,
        into: &mut Vec<Message>,
        effects: &mut Effects,
    ) -> Result<usize, RecvError> {
        into.push(self.recv(pipes, effects)?);
        let more = if self.is_manual() { 0 } else { limit - 1 };
        let before = into.len();
        into.extend(core::iter::from_fn(|| self.recv(pipes, effects).ok()).take(more));
        Ok(1 + into.len() - before)
    }

    /// Adds or removes a subscription of the peer that sent the subscription change which the application received last
    /// (`XPUB_MANUAL`). Returns `None` if this option is off.
    fn change_subscription(&mut self, _: &mut Pipes, change: Subscription) -> Option<Result<Effects, SubscribeError>> {
        self.is_manual().then(|| {
            let pipe = self.requester.ok_or(SubscribeError::NoRequest)?;
            let mut effects = Effects::PEERS_CHANGED;
            match change {
                Subscription::Subscribe(prefix) => {
                    self.granted.subscribe(pipe, &prefix);
                    self.only_recipient = (self.options.manual == Manual::LastValue).then_some(pipe);
                }
                Subscription::Cancel(prefix) => {
                    self.granted.cancel(pipe, &prefix).ok_or(SubscribeError::NotSubscribed)?;
                    effects |= Effects::WRITABLE;
                }
                Subscription::Join(_) | Subscription::Leave(_) => {}
            }
            Ok(effects)
        })
    }

    fn next_sender(&mut self, pipes: &mut Pipes) -> Option<Arc<Peer>> {
        self.upstream.as_mut()?.sender_of_next(pipes)
    }

    fn can_send(&mut self, pipes: &mut Pipes) -> bool {
        cost::requested(self.peers.len());
        self.options.slow != SlowSubscriber::Block || self.peers.iter().all(|&peer| pipes.has_room(peer))
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.upstream.as_mut().is_some_and(|upstream| upstream.has_message(pipes))
    }

    // With `SlowSubscriber::Block`, the room for a message depends on its subscribers, so each waiting message must be tried.
    fn can_complete_sends(&mut self, _: &mut Pipes, count: usize) -> bool {
        self.options.slow != SlowSubscriber::Block || count <= 1
    }

    fn subscription_count(&self) -> usize {
        self.granted.len()
    }

    fn subscriber_count(&self, topic: &[u8]) -> usize {
        let matching: BTreeSet<_> = self.granted.matching(topic).filter(|pipe| self.peers.contains(pipe)).collect();
        if self.options.invert { self.peers.len() - matching.len() } else { matching.len() }
    }
}
