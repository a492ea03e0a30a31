//! PUB and XPUB (RFC 29, "The PUB Socket Type", "The XPUB Socket Type"): what is sent goes to all who subscribed to it.

use super::Pattern;
use crate::connection::{ConnectionError, Peer, Subscription};
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
    /// Those who are connected.
    peers: BTreeSet<PipeId>,
    /// What is sent to whom.
    granted: Subscriptions,
    /// What was asked for, where the application decides what is granted.
    asked: Subscriptions,
    distributor: Distributor,
    /// An XPUB's application hears of subscriptions, and of what its peers have to say besides. RFC 29 would have it
    /// fair-queued; but one peer's subscription and another's cancel mean something in their order only.
    upstream: Option<ArrivalOrder>,
    /// The peer whose request was received last, where the application decides about it.
    asker: Option<PipeId>,
    /// Who alone is to have what is sent next.
    answering: Option<PipeId>,
}

impl Publish {
    pub(super) fn new(settings: &Settings, entropy: &mut dyn Entropy) -> Self {
        Self {
            options: settings.publishing.clone(),
            peers: BTreeSet::new(),
            granted: Subscriptions::new(entropy),
            asked: Subscriptions::new(entropy),
            distributor: Distributor::default(),
            upstream: (settings.connection.socket_type == SocketType::XPub).then(ArrivalOrder::default),
            asker: None,
            answering: None,
        }
    }

    fn is_manual(&self) -> bool {
        self.options.manual != Manual::Off
    }

    /// What the peers have asked for.
    fn requests(&mut self) -> &mut Subscriptions {
        if self.is_manual() { &mut self.asked } else { &mut self.granted }
    }

    /// Delivers a subscription or the end of one to the application of an XPUB, in the form of ZMTP 3.0.
    fn report(&mut self, pipes: &mut Pipes, pipe: PipeId, flag: u8, prefix: &[u8]) -> Effects {
        let Some(upstream) = &mut self.upstream else { return Effects::NONE };
        let mut octets = Vec::with_capacity(1 + prefix.len());
        octets.push(flag);
        octets.extend_from_slice(prefix);
        upstream.deliver(pipes, pipe, Frame::from(octets).into())
    }

    fn subscribed(&mut self, pipes: &mut Pipes, pipe: PipeId, prefix: &[u8]) -> Result<Effects, ConnectionError> {
        let (limit, manual, verbosity) = (self.options.max_subscriptions, self.is_manual(), self.options.verbosity);
        let requests = self.requests();
        let outcome = requests.subscribe(pipe, prefix);
        if requests.count_of(pipe) > limit || requests.octets_of(pipe) > limit.saturating_mul(OCTETS_EACH) {
            // Nobody has heard of it, and nobody is to hear of its end.
            requests.cancel(pipe, prefix);
            return Err(ConnectionError::TooManySubscriptions { limit });
        }
        if manual || outcome == Subscribed::First || verbosity != Verbosity::Changes {
            return Ok(self.report(pipes, pipe, 1, prefix));
        }
        Ok(Effects::NONE)
    }

    /// A prefix that the peer does not hold changes nothing. Whoever wants to hear of everything hears of that too, for an
    /// XSUB with `verbose_unsubscribe` says as many cancels as subscriptions, and the first of them ends it.
    fn cancelled(&mut self, pipes: &mut Pipes, pipe: PipeId, prefix: &[u8]) -> Effects {
        let outcome = self.requests().cancel(pipe, prefix);
        // A sender may have waited for room in a pipe that the message no longer concerns.
        let mut effects = Effects::WRITABLE;
        if outcome.map_or(self.options.verbosity == Verbosity::All, |outcome| self.is_news(outcome)) {
            effects |= self.report(pipes, pipe, 0, prefix);
        }
        effects
    }

    fn is_news(&self, outcome: Cancelled) -> bool {
        self.is_manual() || outcome == Cancelled::Gone || self.options.verbosity == Verbosity::All
    }

    /// The peer is gone, and its subscriptions with it.
    fn forget(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Effects {
        if !self.peers.remove(&pipe) {
            return Effects::NONE;
        }
        // A sender may have waited for room in this pipe.
        let mut effects = Effects::WRITABLE;
        let mut ended = Vec::new();
        self.requests().forget(pipe, |prefix, outcome| ended.push((prefix, outcome)));
        for (prefix, outcome) in ended {
            if self.is_news(outcome) {
                effects |= self.report(pipes, pipe, 0, &prefix);
            }
        }
        self.granted.forget(pipe, |_, _| {});
        if self.asker == Some(pipe) {
            self.asker = None;
        }
        effects
    }
}

/// Octets that each of a peer's subscriptions may have, one with another.
const OCTETS_EACH: usize = 256;

impl Pattern for Publish {
    fn on_ready(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        _: &Peer,
        _: &mut dyn Entropy,
    ) -> Result<Effects, ConnectionError> {
        self.peers.insert(pipe);
        if let Some(welcome) = &self.options.welcome {
            pipes.open_with(pipe, welcome.clone().into());
        }
        Ok(Effects::NONE)
    }

    fn on_disconnect(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Effects {
        self.forget(pipes, pipe)
    }

    /// A subscription that nobody heard of would be one that nobody passes on, though others may hold it too.
    fn reports(&self) -> bool {
        self.upstream.is_some()
    }

    fn on_end(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Effects {
        self.forget(pipes, pipe)
    }

    fn on_room(&mut self, _: &mut Pipes, _: PipeId) -> Effects {
        Effects::WRITABLE
    }

    fn on_subscription(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        wish: Subscription,
    ) -> Result<Effects, ConnectionError> {
        match wish {
            Subscription::Subscribe(prefix) => self.subscribed(pipes, pipe, &prefix),
            Subscription::Cancel(prefix) => Ok(self.cancelled(pipes, pipe, &prefix)),
            Subscription::Join(_) | Subscription::Leave(_) => Ok(Effects::NONE),
        }
    }

    /// What an XSUB's application says upstream. A PUB has nobody to hear it.
    fn on_message(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        message: Message,
        effects: &mut Effects,
    ) -> Result<(), ConnectionError> {
        let (wishes, rest) = super::sort(message, self.options.only_first);
        for wish in wishes {
            *effects |= self.on_subscription(pipes, pipe, wish)? | Effects::PEERS_CHANGED;
        }
        match (rest, &mut self.upstream) {
            (Some(message), Some(upstream)) => *effects |= upstream.deliver(pipes, pipe, message),
            (Some(_), None) => pipes.dropped(DropReason::Unexpected, 1),
            (None, _) => {}
        }
        Ok(())
    }

    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<Effects, Unsent> {
        for pipe in self.granted.matching(message.head()) {
            if self.answering.is_none_or(|asker| asker == pipe) {
                self.distributor.choose(pipes, pipe);
            }
        }
        if self.options.invert {
            self.distributor.invert(pipes, &self.peers);
        }
        self.distributor.send(pipes, message, self.options.slow)?;
        self.answering = None;
        Ok(Effects::NONE)
    }

    fn recv(&mut self, pipes: &mut Pipes, _: &mut Effects) -> Result<Message, RecvError> {
        let Some(upstream) = &mut self.upstream else {
            return Err(RecvError::Unsupported(SocketType::Pub));
        };
        let (pipe, message) = upstream.next(pipes).ok_or(RecvError::Empty)?;
        if self.is_manual() && message.len() == 1 && matches!(message.head().first(), Some(0 | 1)) {
            self.asker = self.peers.contains(&pipe).then_some(pipe);
        }
        Ok(message)
    }

    /// The application's answer to the request that it received last.
    fn ask(&mut self, _: &mut Pipes, wish: Subscription) -> Option<Result<Effects, SubscribeError>> {
        self.is_manual().then(|| {
            let pipe = self.asker.ok_or(SubscribeError::NoRequest)?;
            let mut effects = Effects::PEERS_CHANGED;
            match wish {
                Subscription::Subscribe(prefix) => {
                    self.granted.subscribe(pipe, &prefix);
                    self.answering = (self.options.manual == Manual::LastValue).then_some(pipe);
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
        self.options.slow != SlowSubscriber::Block || self.peers.iter().all(|&peer| pipes.has_room(peer))
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.upstream.as_mut().is_some_and(|upstream| upstream.has_message(pipes))
    }

    fn subscription_count(&self) -> usize {
        self.granted.len()
    }

    fn subscriber_count(&self, topic: &[u8]) -> usize {
        let matching: BTreeSet<_> = self.granted.matching(topic).collect();
        if self.options.invert { self.peers.len() - matching.len() } else { matching.len() }
    }
}
