//! RADIO (RFC 48, "The RADIO Socket Type"): sends each message to all peers that joined its group.

use super::{MAX_GROUP, Pattern};
use crate::connection::{ConnectionError, Peer, Subscription};
use crate::cost;
use crate::entropy::Entropy;
use crate::message::Message;
use crate::socket::effects::Effects;
use crate::socket::error::{RecvError, Unsent};
use crate::socket::event::DropReason;
use crate::socket::id::PipeId;
use crate::socket::options::{Publishing, Settings, SlowSubscriber};
use crate::socket::pipe::Pipes;
use crate::socket::routing::departed::Departed;
use crate::socket::routing::distributor::Distributor;
use crate::socket_type::SocketType;
use alloc::collections::{BTreeMap, BTreeSet};
use bytes::Bytes;

#[derive(Debug)]
pub(super) struct Radio {
    options: Publishing,
    /// Groups that each peer joined, for all peers with a finished handshake.
    peers: BTreeMap<PipeId, Joined>,
    /// Peers that joined each group.
    groups: BTreeMap<Bytes, BTreeSet<PipeId>>,
    /// Groups that still contain disconnected peers.
    departed: Departed<Bytes>,
    distributor: Distributor,
}

/// Groups that one peer joined.
#[derive(Debug, Default)]
struct Joined {
    groups: BTreeSet<Bytes>,
    /// Total length of the names of the groups, in bytes.
    bytes: usize,
}

/// Average memory in bytes of a joined group: its entry in the set of the peer, of which the nodes are filled to two thirds,
/// and the reference counter of its name.
const JOINED: usize = size_of::<Bytes>() * 3 / 2 + size_of::<[usize; 3]>();

/// Average memory in bytes of a group: its entry in the table of all groups, and the set of its peers.
const GROUP: usize =
    size_of::<(Bytes, BTreeSet<PipeId>)>() * 3 / 2 + 11 * size_of::<PipeId>() + size_of::<[usize; 2]>();

/// Number of groups from which one call removes disconnected peers.
// The socket is locked during the call.
const SLICE: usize = 256;

impl Radio {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            options: settings.publishing.clone(),
            peers: BTreeMap::new(),
            groups: BTreeMap::new(),
            departed: Departed::new(),
            distributor: Distributor::default(),
        }
    }

    fn leave(&mut self, pipe: PipeId, group: &Bytes) {
        if let Some(members) = self.groups.get_mut(group) {
            members.remove(&pipe);
            if members.is_empty() {
                self.groups.remove(group);
            }
        }
    }
}

impl Pattern for Radio {
    fn configure(&mut self, _: &mut Pipes, settings: &Settings, _: &mut dyn Entropy) {
        self.options = settings.publishing.clone();
    }

    fn on_ready(
        &mut self,
        _: &mut Pipes,
        pipe: PipeId,
        _: &Peer,
        _: &mut dyn Entropy,
    ) -> Result<Effects, ConnectionError> {
        self.peers.insert(pipe, Joined::default());
        Ok(Effects::NONE)
    }

    fn held_subscriptions(&self) -> usize {
        let of_peers = self.peers.values().map(|joined| joined.groups.len() * JOINED + joined.bytes);
        // The names that peers have left are counted no longer: they are removed soon.
        of_peers.sum::<usize>() + self.departed.len() * JOINED + self.groups.len() * GROUP
    }

    fn held_subscriptions_of(&self, pipe: PipeId) -> usize {
        self.peers.get(&pipe).map_or(0, |joined| joined.groups.len() * (JOINED + GROUP) + joined.bytes)
    }

    fn on_disconnect(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Effects {
        // The end of many peers at once would keep the socket locked.
        let is_later = !self.departed.is_empty();
        if let Some(joined) = self.peers.remove(&pipe) {
            self.departed.add(pipe, joined.groups);
        }
        // A sender may have waited for room in this pipe.
        Effects::WRITABLE | if is_later { Effects::UNFINISHED } else { self.remove_departed(pipes) }
    }

    fn remove_departed(&mut self, _: &mut Pipes) -> Effects {
        for _ in 0..SLICE {
            let Some((pipe, group)) = self.departed.pop() else { return Effects::NONE };
            cost::nodes(1);
            self.leave(pipe, &group);
        }
        if self.departed.is_empty() { Effects::NONE } else { Effects::UNFINISHED }
    }

    fn on_end(&mut self, pipes: &mut Pipes, pipe: PipeId) -> Effects {
        self.on_disconnect(pipes, pipe)
    }

    fn on_room(&mut self, _: &mut Pipes, _: PipeId) -> Effects {
        Effects::WRITABLE
    }

    fn on_subscription(
        &mut self,
        _: &mut Pipes,
        pipe: PipeId,
        change: Subscription,
    ) -> Result<Effects, ConnectionError> {
        let Some(joined) = self.peers.get_mut(&pipe) else { return Ok(Effects::NONE) };
        match change {
            Subscription::Join(group) if group.len() > MAX_GROUP => {
                return Err(ConnectionError::GroupTooLong(group.len()));
            }
            Subscription::Join(group) => {
                let limit = self.options.max_subscriptions;
                if joined.groups.len() >= limit && !joined.groups.contains(&group) {
                    return Err(ConnectionError::TooManySubscriptions { limit });
                }
                if joined.groups.insert(group.clone()) {
                    joined.bytes += group.len();
                }
                // A peer that is back may join a group from which its former connection is not removed yet.
                self.departed.take(pipe, &group);
                self.groups.entry(group).or_default().insert(pipe);
            }
            Subscription::Leave(group) if joined.groups.remove(&group) => {
                joined.bytes -= group.len();
                self.leave(pipe, &group);
                // A sender may have waited for room in a pipe that the message no longer concerns.
                return Ok(Effects::WRITABLE);
            }
            Subscription::Leave(_) | Subscription::Subscribe(_) | Subscription::Cancel(_) => {}
        }
        Ok(Effects::NONE)
    }

    // A DISH sends no messages.
    fn on_message(&mut self, pipes: &mut Pipes, _: PipeId, _: Message, _: &mut Effects) -> Result<(), ConnectionError> {
        pipes.dropped(DropReason::Unexpected, 1);
        Ok(())
    }

    fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<Effects, Unsent> {
        if message.len() != 2 || message.head().len() > MAX_GROUP {
            return Err(Unsent::NotGrouped);
        }
        if let Some(members) = self.groups.get(&message.head()[..]) {
            for &member in members {
                cost::requested(1);
                if self.departed.is_empty() || self.peers.contains_key(&member) {
                    self.distributor.choose(pipes, member);
                }
            }
        }
        self.distributor.send(pipes, message, self.options.slow).map(|()| Effects::NONE)
    }

    fn recv(&mut self, _: &mut Pipes, _: &mut Effects) -> Result<Message, RecvError> {
        Err(RecvError::Unsupported(SocketType::Radio))
    }

    fn can_send(&mut self, pipes: &mut Pipes) -> bool {
        self.options.slow != SlowSubscriber::Block || self.peers.keys().all(|&peer| pipes.has_room(peer))
    }

    fn can_recv(&mut self, _: &mut Pipes) -> bool {
        false
    }

    // With `SlowSubscriber::Block`, the room for a message depends on its subscribers, so each waiting message must be tried.
    fn can_complete_sends(&mut self, _: &mut Pipes, count: usize) -> bool {
        self.options.slow != SlowSubscriber::Block || count <= 1
    }

    fn subscription_count(&self) -> usize {
        self.groups.len()
    }

    fn subscriber_count(&self, group: &[u8]) -> usize {
        let members = self.groups.get(group).into_iter().flatten();
        members.filter(|member| self.peers.contains_key(member)).count()
    }
}
