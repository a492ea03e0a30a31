//! SUB and XSUB (RFC 29, "The SUB Socket Type", "The XSUB Socket Type"): what is subscribed to is received from all peers.
//!
//! Subscriptions are the socket's state: every new connection is told all of them, and every change is told to all that are
//! there, outside the high-water mark. None can be lost.

use super::Pattern;
use crate::connection::{ConnectionError, Peer, Subscription};
use crate::entropy::Entropy;
use crate::message::Message;
use crate::socket::effects::Effects;
use crate::socket::error::{RecvError, SubscribeError, Unsent};
use crate::socket::id::PipeId;
use crate::socket::options::{Settings, SlowSubscriber, Subscribing};
use crate::socket::pipe::Pipes;
use crate::socket::routing::distributor::Distributor;
use crate::socket::routing::fair_queue::FairQueue;
use crate::socket::routing::subscriptions::{Cancelled, Interests};
use crate::socket_type::SocketType;
use alloc::collections::BTreeSet;
use alloc::sync::Arc;

#[derive(Debug)]
pub(super) struct Subscribe {
    options: Subscribing,
    socket_type: SocketType,
    /// Those who are connected.
    peers: BTreeSet<PipeId>,
    interests: Interests,
    arrived: FairQueue,
    distributor: Distributor,
}

impl Subscribe {
    pub(super) fn new(settings: &Settings, entropy: &mut dyn Entropy) -> Self {
        Self {
            options: settings.subscribing.clone(),
            socket_type: settings.connection.socket_type,
            peers: BTreeSet::new(),
            interests: Interests::new(entropy),
            arrived: FairQueue::default(),
            distributor: Distributor::default(),
        }
    }

    /// A SUB filters what it receives: a publisher may not have heard of the end of a subscription yet, or send what nobody
    /// asked for. An XSUB does not, for it is most often half of a proxy.
    fn wants(&self, message: &Message) -> bool {
        self.socket_type == SocketType::XSub || self.interests.matches(message.head()) != self.options.invert
    }

    /// Every subscription is said, also one that is held already: an XPUB with `verbose` tells its application.
    fn say(&self, pipes: &mut Pipes, wish: &Subscription) {
        for &peer in &self.peers {
            pipes.wish(peer, wish.clone());
        }
    }

    /// What arrived before a subscription ended, or with inverted matching began, is not wanted any more.
    fn sift(&self, pipes: &mut Pipes) {
        for pipe in pipes.ids() {
            pipes.retain_incoming(pipe, |message| self.wants(message));
        }
    }

    fn change(&mut self, pipes: &mut Pipes, wish: &Subscription) -> Result<(), SubscribeError> {
        match wish {
            Subscription::Subscribe(prefix) => {
                let first = self.interests.add(prefix);
                self.say(pipes, wish);
                if first && self.options.invert {
                    self.sift(pipes);
                }
            }
            Subscription::Cancel(prefix) => {
                let outcome = self.interests.remove(prefix).ok_or(SubscribeError::NotSubscribed)?;
                if outcome == Cancelled::Gone || self.options.verbose_unsubscribe {
                    self.say(pipes, wish);
                }
                if outcome == Cancelled::Gone {
                    self.sift(pipes);
                }
            }
            Subscription::Join(_) | Subscription::Leave(_) => {}
        }
        Ok(())
    }
}

impl Pattern for Subscribe {
    fn on_ready(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        _: &Peer,
        _: &mut dyn Entropy,
    ) -> Result<Effects, ConnectionError> {
        self.peers.insert(pipe);
        for prefix in self.interests.iter() {
            pipes.wish(pipe, Subscription::Subscribe(prefix.into()));
        }
        Ok(Effects::NONE)
    }

    fn on_disconnect(&mut self, _: &mut Pipes, pipe: PipeId) -> Effects {
        self.peers.remove(&pipe);
        Effects::NONE
    }

    fn on_end(&mut self, _: &mut Pipes, pipe: PipeId) -> Effects {
        self.peers.remove(&pipe);
        Effects::NONE
    }

    fn on_message(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        message: Message,
        effects: &mut Effects,
    ) -> Result<(), ConnectionError> {
        if self.wants(&message) {
            *effects |= self.arrived.deliver(pipes, pipe, message);
        }
        Ok(())
    }

    /// An XSUB subscribes by what it sends; the rest is for all publishers, of whom a full one misses it.
    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<Effects, Unsent> {
        if self.socket_type == SocketType::Sub {
            return Err(Unsent::Unsupported(SocketType::Sub));
        }
        let (wishes, rest) = super::sort(message.take(), self.options.only_first);
        for wish in wishes {
            // The end of what was never subscribed to is no news for anybody.
            let _ = self.change(pipes, &wish);
        }
        let Some(mut rest) = rest else { return Ok(Effects::NONE) };
        self.distributor.invert(pipes, &self.peers);
        self.distributor.send(pipes, &mut rest, SlowSubscriber::DropNewest).map(|()| Effects::NONE)
    }

    fn recv(&mut self, pipes: &mut Pipes, _: &mut Effects) -> Result<Message, RecvError> {
        self.arrived.next(pipes)
    }

    fn ask(&mut self, pipes: &mut Pipes, wish: Subscription) -> Option<Result<Effects, SubscribeError>> {
        Some(self.change(pipes, &wish).map(|()| Effects::NONE))
    }

    fn next_sender(&mut self, pipes: &mut Pipes) -> Option<Arc<Peer>> {
        self.arrived.sender_of_next(pipes)
    }

    fn can_send(&mut self, _: &mut Pipes) -> bool {
        self.socket_type == SocketType::XSub
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.arrived.has_message(pipes)
    }

    fn subscription_count(&self) -> usize {
        self.interests.len()
    }
}
