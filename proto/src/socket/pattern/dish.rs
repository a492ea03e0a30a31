//! DISH (RFC 48, "The DISH Socket Type"): receives the messages of the groups it joined.

use super::{MAX_GROUP, Pattern};
use crate::connection::{ConnectionError, Peer, Subscription};
use crate::cost;
use crate::entropy::Entropy;
use crate::message::Message;
use crate::socket::effects::Effects;
use crate::socket::error::{JoinError, RecvError, Unsent};
use crate::socket::event::DropReason;
use crate::socket::id::PipeId;
use crate::socket::pipe::Pipes;
use crate::socket::routing::fair_queue::FairQueue;
use crate::socket_type::SocketType;
use alloc::collections::BTreeSet;
use bytes::Bytes;

#[derive(Debug, Default)]
pub(super) struct Dish {
    groups: BTreeSet<Bytes>,
    /// Peers that have finished their handshake and to which commands can still be sent. When this socket joins or
    /// leaves a group, the change is sent to all these peers.
    peers: BTreeSet<PipeId>,
    arrived: FairQueue,
}

impl Dish {
    fn broadcast(&self, pipes: &mut Pipes, change: &Subscription) {
        cost::requested(self.peers.len());
        for &peer in &self.peers {
            pipes.queue_subscription(peer, change.clone());
        }
    }
}

impl Pattern for Dish {
    fn on_ready(
        &mut self,
        pipes: &mut Pipes,
        pipe: PipeId,
        _: &Peer,
        _: &mut dyn Entropy,
    ) -> Result<Effects, ConnectionError> {
        self.peers.insert(pipe);
        cost::requested(self.groups.len());
        for group in &self.groups {
            pipes.queue_subscription(pipe, Subscription::Join(group.clone()));
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
        if message.len() != 2 {
            pipes.dropped(DropReason::Unexpected, 1);
        } else if self.groups.contains(&message.head()[..]) {
            *effects |= self.arrived.deliver(pipes, pipe, message);
        } else {
            pipes.discarded += 1;
        }
        Ok(())
    }

    fn send(&mut self, _: &mut Pipes, _: &mut Message) -> Result<Effects, Unsent> {
        Err(Unsent::Unsupported(SocketType::Dish))
    }

    fn recv(&mut self, pipes: &mut Pipes, _: &mut Effects) -> Result<Message, RecvError> {
        self.arrived.next(pipes)
    }

    fn arrived(&mut self) -> Option<&mut FairQueue> {
        Some(&mut self.arrived)
    }

    fn join(&mut self, pipes: &mut Pipes, group: Bytes) -> Option<Result<(), JoinError>> {
        let outcome = if group.len() > MAX_GROUP {
            Err(JoinError::TooLong(group.len()))
        } else if self.groups.insert(group.clone()) {
            self.broadcast(pipes, &Subscription::Join(group));
            Ok(())
        } else {
            Err(JoinError::Joined)
        };
        Some(outcome)
    }

    fn leave(&mut self, pipes: &mut Pipes, group: Bytes) -> Option<Result<(), JoinError>> {
        if !self.groups.remove(&group) {
            return Some(Err(JoinError::NotJoined));
        }
        for pipe in pipes.ids() {
            pipes.retain_incoming(pipe, |message| message.head() != &group[..]);
        }
        self.broadcast(pipes, &Subscription::Leave(group));
        Some(Ok(()))
    }

    fn can_send(&mut self, _: &mut Pipes) -> bool {
        false
    }

    fn can_recv(&mut self, pipes: &mut Pipes) -> bool {
        self.arrived.has_message(pipes)
    }

    fn can_complete_recvs(&mut self, pipes: &mut Pipes, count: usize) -> bool {
        self.arrived.has_messages(pipes, count)
    }

    fn subscription_count(&self) -> usize {
        self.groups.len()
    }
}
