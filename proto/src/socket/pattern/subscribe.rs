//! SUB and XSUB (RFC 29, "The SUB Socket Type", "The XSUB Socket Type"): receives messages from all peers. A SUB
//! receives only messages that match one of its subscriptions.
//!
//! Subscriptions belong to the socket, not to a connection. All of them are sent on each new connection, and each
//! change is sent to all connected peers, even if the send high-water mark is reached. So no change can be lost.

use super::Pattern;
use crate::connection::{ConnectionError, Inbox, Peer, Subscription};
use crate::cost;
use crate::entropy::Entropy;
use crate::message::Message;
use crate::socket::effects::Effects;
use crate::socket::error::{RecvError, SubscribeError, Unsent};
use crate::socket::id::PipeId;
use crate::socket::options::{Settings, SlowSubscriber, Subscribing};
use crate::socket::pipe::Pipes;
use crate::socket::routing::distributor::Distributor;
use crate::socket::routing::fair_queue::FairQueue;
use crate::socket::routing::interests::Interests;
use crate::socket::stats::TrafficCount;
use crate::socket_type::SocketType;
use alloc::collections::BTreeSet;

#[derive(Debug)]
pub(super) struct Subscribe {
    options: Subscribing,
    socket_type: SocketType,
    /// Peers that have finished their handshake and to which messages can still be sent.
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

    fn accepts(&self, message: &Message) -> bool {
        accepts(self.socket_type, &self.interests, &self.options, message)
    }

    /// Sends a subscription change to all connected peers.
    // A repeated subscription is sent too: an XPUB with `verbose` reports it to its application.
    fn broadcast(&self, pipes: &mut Pipes, change: &Subscription) {
        cost::requested(self.peers.len());
        for &peer in &self.peers {
            pipes.queue_subscription(peer, change.clone());
        }
    }

    /// Drops all queued incoming messages that [`accepts`](Self::accepts) rejects. Called after a change of the
    /// subscriptions.
    fn drop_unmatched(&self, pipes: &mut Pipes) {
        for pipe in pipes.ids() {
            pipes.retain_incoming(pipe, |message| self.accepts(message));
        }
    }

    fn apply_change(&mut self, pipes: &mut Pipes, change: &Subscription) -> Result<(), SubscribeError> {
        match change {
            Subscription::Subscribe(prefix) => {
                let is_first = self.interests.add(prefix);
                self.broadcast(pipes, change);
                if is_first && self.options.invert {
                    self.drop_unmatched(pipes);
                }
            }
            Subscription::Cancel(prefix) => {
                let is_last = self.interests.remove(prefix).ok_or(SubscribeError::NotSubscribed)?;
                // A publisher removes the prefix at the first cancellation, however often this socket has subscribed.
                if is_last {
                    self.broadcast(pipes, change);
                    self.drop_unmatched(pipes);
                }
            }
            Subscription::Join(_) | Subscription::Leave(_) => {}
        }
        Ok(())
    }
}

/// Returns true if the application receives this message. A SUB receives the messages that match a subscription,
/// or, with `invert_matching`, those that match none. An XSUB receives all messages.
// A SUB must filter: a publisher may not have received a cancellation yet, or may send unsubscribed topics. An XSUB
// is usually half of a proxy, which filters elsewhere.
fn accepts(socket_type: SocketType, interests: &Interests, options: &Subscribing, message: &Message) -> bool {
    socket_type == SocketType::XSub || interests.matches(message.head()) != options.invert
}

impl Pattern for Subscribe {
    fn configure(&mut self, pipes: &mut Pipes, settings: &Settings, _: &mut dyn Entropy) {
        let was_inverted = self.options.invert;
        self.options = settings.subscribing.clone();
        if self.options.invert != was_inverted {
            self.drop_unmatched(pipes);
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
        for prefix in self.interests.iter() {
            cost::requested(1);
            pipes.queue_subscription(pipe, Subscription::Subscribe(prefix.into()));
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
        if self.accepts(&message) {
            *effects |= self.arrived.deliver(pipes, pipe, message);
        } else {
            pipes.discarded += 1;
        }
        Ok(())
    }

    fn on_run(&mut self, pipes: &mut Pipes, pipe: PipeId, items: &mut Inbox, effects: &mut Effects) -> TrafficCount {
        let Self { arrived, interests, options, socket_type, .. } = self;
        let (received, readable) =
            arrived.deliver_prepared(pipes, pipe, items, |message| accepts(*socket_type, interests, options, message));
        *effects |= readable;
        received
    }

    /// Applies the subscription changes in a message that the application of an XSUB sends. Sends the remaining frames
    /// of the message to all peers that have room.
    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<Effects, Unsent> {
        if self.socket_type == SocketType::Sub {
            return Err(Unsent::Unsupported(SocketType::Sub));
        }
        let (changes, rest) = Subscription::split(message.take(), self.options.only_first);
        for change in changes {
            // A cancellation without a subscription is ignored.
            let _ = self.apply_change(pipes, &change);
        }
        let Some(mut rest) = rest else { return Ok(Effects::NONE) };
        self.distributor.invert(pipes, &self.peers);
        self.distributor.send(pipes, &mut rest, SlowSubscriber::DropNewest).map(|()| Effects::NONE)
    }

    fn recv(&mut self, pipes: &mut Pipes, _: &mut Effects) -> Result<Message, RecvError> {
        self.arrived.next(pipes)
    }

    fn arrived(&mut self) -> Option<&mut FairQueue> {
        Some(&mut self.arrived)
    }

    fn change_subscription(
        &mut self,
        pipes: &mut Pipes,
        change: Subscription,
    ) -> Option<Result<Effects, SubscribeError>> {
        Some(self.apply_change(pipes, &change).map(|()| Effects::NONE))
    }

    fn can_send(&mut self, _: &mut Pipes) -> bool {
        self.socket_type == SocketType::XSub
    }

    // Messages for peers without room are dropped.
    fn can_complete_sends(&mut self, pipes: &mut Pipes, _: usize) -> bool {
        self.can_send(pipes)
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.arrived.has_message(pipes)
    }

    fn can_complete_recvs(&mut self, pipes: &mut Pipes, count: usize) -> bool {
        self.arrived.has_messages(pipes, count)
    }

    fn subscription_count(&self) -> usize {
        self.interests.len()
    }
}
