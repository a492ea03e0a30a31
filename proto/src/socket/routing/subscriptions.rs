//! [`Subscriptions`]: the prefixes to which each peer of a publisher has subscribed. This module does not depend on messages.

use super::departed::Departed;
use super::shrink_if_sparse;
use super::trie::{NodeId, Trie};
use crate::cost;
use crate::entropy::Entropy;
use crate::socket::id::PipeId;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;

/// Result of a peer's subscription to a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subscribed {
    /// No peer was subscribed to the prefix before this call.
    First,
    /// Other peers were already subscribed to the prefix, but the peer of this call was not.
    Joined,
    /// The peer of this call was already subscribed to the prefix.
    Again,
}

/// Result of the cancellation of a subscription to a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cancelled {
    /// The prefix has no subscriber any more. Carries the number of its [repeats](Subscriptions::add_repeat).
    Gone(usize),
    /// Another peer is subscribed to the prefix.
    StillHeld,
}

/// Subscriptions of a publisher's peers: a set of prefixes per peer.
// RFC 37 specifies counted subscriptions. But libzmq's subscribers send every SUBSCRIBE and only the last CANCEL, and
// its publishers keep a set: after two subscriptions to a prefix, one cancellation removes it. So this is a set too.
#[derive(Clone, Debug)]
pub(crate) struct Subscriptions {
    /// Subscribers of each prefix, in the order of their pipe ids.
    // A sorted array, because publishing reads it for each message. An insertion or removal among ten thousand moves
    // some tens of kilobytes, once per subscription.
    holders: Trie<Holders>,
    /// Prefixes to which each peer has subscribed. Peers without prefixes have no entry.
    held: BTreeMap<PipeId, Held>,
    /// Number of repeats of each prefix, at most [`MAX_REPEATS`]. Prefixes without repeats have no entry.
    repeats: BTreeMap<NodeId, usize>,
    /// Prefixes of disconnected peers that are still in `holders`.
    departed: Departed<NodeId>,
}

/// Prefixes of a disconnected peer that one call of [`Subscriptions::remove_departed`] has removed.
#[derive(Debug)]
pub(crate) struct Removed {
    pub(crate) pipe: PipeId,
    /// Removed prefixes, each with the result of its cancellation.
    pub(crate) prefixes: Vec<(Vec<u8>, Cancelled)>,
    /// True if no prefix of the peer remains.
    pub(crate) is_complete: bool,
}

/// Work that one call of [`Subscriptions::remove_departed`] may do, in bytes of prefixes. Each prefix counts
/// [`PREFIX_COST`] bytes more than its length.
// The socket is locked during the call. A hundred thousand long prefixes would keep it locked for a second.
const SLICE: usize = 64 << 10;

const PREFIX_COST: usize = 128;

/// Maximum number of repeats that are counted per prefix.
// The end of the last subscription reports each of them while the socket is locked. A proxy with more subscribers of one
// topic may remain subscribed at its publishers.
const MAX_REPEATS: usize = 10_000;

/// Average memory in bytes of an entry in a set of [`NodeId`]s, of which the nodes are filled to two thirds.
const SET_ENTRY: usize = size_of::<NodeId>() * 2;

/// Average memory in bytes of a further subscriber of a prefix, in a vector that is filled to two thirds.
const SUBSCRIBER: usize = size_of::<PipeId>() * 3 / 2;

/// Prefixes to which one peer has subscribed.
#[derive(Clone, Debug, Default)]
struct Held {
    prefixes: BTreeSet<NodeId>,
    /// Total length of all prefixes of the peer, in bytes.
    bytes: usize,
}

impl Subscriptions {
    pub(crate) fn new(entropy: &mut dyn Entropy) -> Self {
        Self { holders: Trie::new(entropy), held: BTreeMap::new(), repeats: BTreeMap::new(), departed: Departed::new() }
    }

    /// Returns the number of distinct prefixes to which at least one peer has subscribed (libzmq: `TOPICS_COUNT`).
    pub(crate) const fn len(&self) -> usize {
        self.holders.len()
    }

    /// Returns the number of prefixes to which a peer has subscribed.
    pub(crate) fn count_of(&self, pipe: PipeId) -> usize {
        self.held.get(&pipe).map_or(0, |held| held.prefixes.len())
    }

    /// Returns the total length of a peer's prefixes in bytes.
    pub(crate) fn bytes_of(&self, pipe: PipeId) -> usize {
        self.held.get(&pipe).map_or(0, |held| held.bytes)
    }

    /// Returns the memory in bytes that the prefixes of all peers hold.
    pub(crate) fn held_bytes(&self) -> usize {
        let held = self.held.values().map(|held| held.prefixes.len()).sum::<usize>();
        let departed = self.departed.len();
        let subscribers = (held + departed).saturating_sub(self.holders.len()) * SUBSCRIBER;
        self.holders.held_bytes() + (held + departed) * SET_ENTRY + subscribers
    }

    /// Returns an estimate of the memory in bytes that the prefixes of a peer hold, as if no other peer had the same
    /// prefixes.
    pub(crate) fn held_bytes_of(&self, pipe: PipeId) -> usize {
        let Some(Held { prefixes, bytes }) = self.held.get(&pipe) else { return 0 };
        Trie::<Holders>::estimate(prefixes.len(), *bytes) + prefixes.len() * SET_ENTRY
    }

    /// Returns the prefixes of a peer, in an unspecified but reproducible order.
    #[cfg(test)]
    pub(crate) fn prefixes_of(&self, pipe: PipeId) -> impl Iterator<Item = Vec<u8>> {
        self.held.get(&pipe).into_iter().flat_map(|held| &held.prefixes).map(|&id| self.holders.prefix_of(id))
    }

    /// Returns the peers that have subscribed to a prefix of this topic. A peer is returned once for each of its
    /// prefixes that match, so the caller must remove duplicates.
    pub(crate) fn matching(&self, topic: &[u8]) -> impl Iterator<Item = PipeId> {
        self.holders.walk(topic).flat_map(Holders::as_slice).copied()
    }

    /// Returns true if the peer of `pipe` has subscribed to exactly this prefix.
    pub(crate) fn contains(&self, pipe: PipeId, prefix: &[u8]) -> bool {
        let Some((id, _)) = self.holders.get(prefix) else { return false };
        self.held.get(&pipe).is_some_and(|held| held.prefixes.contains(&id))
    }

    pub(crate) fn subscribe(&mut self, pipe: PipeId, prefix: &[u8]) -> Subscribed {
        let (id, holders) = self.holders.insert_with(prefix, || Holders::Many(Vec::new()));
        let outcome = holders.insert(pipe);
        // A peer that is back may subscribe to a prefix from which its former connection is not removed yet.
        if outcome == Subscribed::Again && !self.departed.take(pipe, &id) {
            return outcome;
        }
        let held = self.held.entry(pipe).or_default();
        held.prefixes.insert(id);
        held.bytes += prefix.len();
        outcome
    }

    /// Adds a repeat of a prefix that has a subscriber: a subscription that was reported to the application although it
    /// was not the first. The application may count the reports, so each needs the report of a cancellation.
    pub(crate) fn add_repeat(&mut self, prefix: &[u8]) {
        let Some((id, _)) = self.holders.get(prefix) else { return };
        let repeats = self.repeats.entry(id).or_default();
        *repeats = MAX_REPEATS.min(*repeats + 1);
    }

    /// Removes a repeat of a prefix, so that a cancellation can be reported although it is not the last. Returns false if the
    /// prefix has no repeat.
    pub(crate) fn remove_repeat(&mut self, prefix: &[u8]) -> bool {
        let Some((id, _)) = self.holders.get(prefix) else { return false };
        let Some(repeats) = self.repeats.get_mut(&id) else { return false };
        *repeats -= 1;
        if *repeats == 0 {
            self.repeats.remove(&id);
        }
        true
    }

    /// Removes the subscription of a peer to a prefix. Returns `None` if the peer has not subscribed to the prefix.
    pub(crate) fn cancel(&mut self, pipe: PipeId, prefix: &[u8]) -> Option<Cancelled> {
        let (id, _) = self.holders.get(prefix)?;
        let held = self.held.get_mut(&pipe)?;
        if !held.prefixes.remove(&id) {
            return None;
        }
        held.bytes -= prefix.len();
        if held.prefixes.is_empty() {
            self.held.remove(&pipe);
        }
        Some(self.remove_holder(pipe, id))
    }

    /// Begins to remove all subscriptions of a peer that has disconnected. Returns true if there are any. Until
    /// [`remove_departed`](Self::remove_departed) has removed them, [`matching`](Self::matching) still returns the peer.
    pub(crate) fn depart(&mut self, pipe: PipeId) -> bool {
        let Some(held) = self.held.remove(&pipe) else { return false };
        self.departed.add(pipe, held.prefixes);
        true
    }

    /// Returns true if subscriptions of disconnected peers must still be removed.
    #[inline]
    pub(crate) fn has_departed(&self) -> bool {
        !self.departed.is_empty()
    }

    /// Removes subscriptions of one disconnected peer. Returns `None` if no disconnected peer has any. The work of a call is
    /// bounded, so the caller must repeat the call while [`has_departed`](Self::has_departed) is true.
    pub(crate) fn remove_departed(&mut self) -> Option<Removed> {
        let (pipe, first) = self.departed.pop()?;
        let (mut cost, mut prefixes, mut next) = (0, Vec::new(), Some(first));
        while let Some(id) = next {
            let prefix = self.holders.prefix_of(id);
            let outcome = self.remove_holder(pipe, id);
            let repeats = if let Cancelled::Gone(repeats) = outcome { repeats } else { 0 };
            cost += prefix.len() + PREFIX_COST * (1 + repeats);
            prefixes.push((prefix, outcome));
            next = if cost < SLICE { self.departed.pop_of(pipe) } else { None };
        }
        Some(Removed { pipe, prefixes, is_complete: !self.departed.contains(pipe) })
    }

    /// Removes the peer of `pipe` from the subscribers of the prefix `id`. If no subscriber remains, also removes the
    /// prefix.
    fn remove_holder(&mut self, pipe: PipeId, id: NodeId) -> Cancelled {
        let holders = self.holders.value_mut(id);
        holders.remove(pipe);
        if !holders.as_slice().is_empty() {
            return Cancelled::StillHeld;
        }
        self.holders.remove(id);
        Cancelled::Gone(self.repeats.remove(&id).unwrap_or(0))
    }
}

/// Subscribers of one prefix, in the order of their pipe ids.
// Most prefixes have a single subscriber. It is stored inline, which saves publishing a cache miss.
#[derive(Clone, Debug)]
enum Holders {
    One(PipeId),
    /// Pipes of several subscribers. The vector is empty only while the prefix is being added or removed.
    Many(Vec<PipeId>),
}

impl Holders {
    fn as_slice(&self) -> &[PipeId] {
        match self {
            Self::One(pipe) => core::slice::from_ref(pipe),
            Self::Many(pipes) => pipes,
        }
    }

    fn insert(&mut self, pipe: PipeId) -> Subscribed {
        let Err(place) = self.as_slice().binary_search(&pipe) else { return Subscribed::Again };
        match self {
            Self::Many(pipes) if pipes.is_empty() => {
                *self = Self::One(pipe);
                return Subscribed::First;
            }
            Self::Many(pipes) => {
                cost::bytes((pipes.len() - place) * size_of::<PipeId>());
                pipes.insert(place, pipe);
            }
            Self::One(other) => {
                let mut pipes = vec![*other];
                pipes.insert(place, pipe);
                *self = Self::Many(pipes);
            }
        }
        Subscribed::Joined
    }

    fn remove(&mut self, pipe: PipeId) {
        let Ok(place) = self.as_slice().binary_search(&pipe) else { return };
        match self {
            Self::One(_) => *self = Self::Many(Vec::new()),
            Self::Many(pipes) => {
                cost::bytes((pipes.len() - place) * size_of::<PipeId>());
                pipes.remove(place);
                match pipes[..] {
                    [last] => *self = Self::One(last),
                    _ => shrink_if_sparse(pipes),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
