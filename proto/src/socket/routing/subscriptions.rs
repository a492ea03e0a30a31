//! [`Subscriptions`]: the prefixes to which each peer of a publisher has subscribed. [`Interests`]: the prefixes to
//! which the application of a subscriber has subscribed. This module does not depend on messages.

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
    /// The prefix has no subscriber any more. At a publisher, carries the number of its [repeats](Subscriptions::add_repeat);
    /// at a subscriber always 0.
    Gone(usize),
    /// A subscription to the prefix remains. At a publisher, another peer is subscribed to the prefix. At a subscriber,
    /// the application had subscribed to the prefix more than once.
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

/// Subscriptions of a subscriber: prefixes, each with the number of times that the application has subscribed to it.
#[derive(Debug)]
pub(crate) struct Interests {
    counts: Trie<usize>,
}

impl Interests {
    pub(crate) fn new(entropy: &mut dyn Entropy) -> Self {
        Self { counts: Trie::new(entropy) }
    }

    /// Returns the number of distinct prefixes to which the application has subscribed (libzmq: `TOPICS_COUNT`).
    pub(crate) const fn len(&self) -> usize {
        self.counts.len()
    }

    /// Adds one subscription to a prefix. Returns true if the prefix is new, so that the subscription must be sent to
    /// publishers.
    pub(crate) fn add(&mut self, prefix: &[u8]) -> bool {
        let (_, count) = self.counts.insert_with(prefix, || 0);
        *count += 1;
        *count == 1
    }

    /// Removes one subscription to a prefix. Returns `None` if there was none. If the result is [`Cancelled::Gone`],
    /// the cancellation must be sent to publishers.
    pub(crate) fn remove(&mut self, prefix: &[u8]) -> Option<Cancelled> {
        let (id, count) = self.counts.get_mut(prefix)?;
        *count -= 1;
        if *count > 0 {
            return Some(Cancelled::StillHeld);
        }
        self.counts.remove(id);
        Some(Cancelled::Gone(0))
    }

    /// Returns true if a message on this topic matches at least one subscription.
    pub(crate) fn matches(&self, topic: &[u8]) -> bool {
        self.counts.walk(topic).next().is_some()
    }

    /// Returns the prefixes to which the application has subscribed, each prefix once, in lexicographic order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Vec<u8>> {
        self.counts.iter().map(|(prefix, _)| prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;
    use crate::properties::config;
    use crate::socket::pipe::Pipes;
    use crate::socket::pipe::state::PipeState;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    fn pipes<const N: usize>() -> [PipeId; N] {
        let mut pipes = Pipes::with_marks(1, 1);
        [(); N].map(|()| pipes.insert(PipeState::Gone))
    }

    /// Generates a random topic of up to five bytes, each `a` or `b`.
    fn topic() -> impl Strategy<Value = Vec<u8>> {
        vec(select(b"ab".as_slice()), 0..6)
    }

    /// Operation that the property test of [`Subscriptions`] executes for a random peer.
    #[derive(Clone, Debug)]
    enum Operation {
        Subscribe(Vec<u8>),
        Cancel(Vec<u8>),
        Disconnect,
    }

    fn operation() -> impl Strategy<Value = (usize, Operation)> {
        let operation = prop_oneof![
            19 => topic().prop_map(Operation::Subscribe),
            20 => topic().prop_map(Operation::Cancel),
            1 => Just(Operation::Disconnect),
        ];
        (0..5_usize, operation)
    }

    /// Expected content of a [`Subscriptions`], with which the property test compares it: the subscribers of each
    /// prefix.
    type Model = BTreeMap<Vec<u8>, BTreeSet<PipeId>>;

    /// Removes the subscription of a peer to `prefix` from `model`, the expected content. Returns the result that
    /// [`Subscriptions::cancel`] must return for the same subscription.
    fn cancel(model: &mut Model, pipe: PipeId, prefix: &[u8]) -> Option<Cancelled> {
        let holders = model.get_mut(prefix)?;
        if !holders.remove(&pipe) {
            return None;
        }
        if !holders.is_empty() {
            return Some(Cancelled::StillHeld);
        }
        model.remove(prefix);
        Some(Cancelled::Gone(0))
    }

    /// Removes all subscriptions of a peer at once.
    fn remove(subscriptions: &mut Subscriptions, pipe: PipeId) -> Vec<(Vec<u8>, Cancelled)> {
        subscriptions.depart(pipe);
        core::iter::from_fn(|| subscriptions.remove_departed()).flat_map(|removed| removed.prefixes).collect()
    }

    fn compare(subscriptions: &Subscriptions, model: &Model, pipes: &[PipeId], topic: &[u8]) {
        assert_eq!(subscriptions.len(), model.len());
        for &pipe in pipes {
            let mut prefixes: Vec<_> = subscriptions.prefixes_of(pipe).collect();
            prefixes.sort();
            let held = model.iter().filter(|(_, holders)| holders.contains(&pipe)).map(|(prefix, _)| prefix.clone());
            assert_eq!(prefixes, held.collect::<Vec<_>>());
            assert_eq!(subscriptions.count_of(pipe), prefixes.len());
            assert_eq!(subscriptions.bytes_of(pipe), prefixes.concat().len());
        }
        let expected = model.iter().filter(|(prefix, _)| topic.starts_with(prefix));
        let expected: Vec<_> = expected.flat_map(|(_, holders)| holders).copied().collect();
        assert_eq!(subscriptions.matching(topic).collect::<Vec<_>>(), expected, "shortest prefix first");
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn subscriptions_equal_a_set_of_prefixes_per_peer(operations in vec((operation(), topic()), 0..200)) {
            let pipes = pipes::<5>();
            let mut subscriptions = Subscriptions::new(&mut SeededEntropy::new(9));
            let mut model = Model::new();
            for ((peer, operation), topic) in operations {
                let pipe = pipes[peer];
                match operation {
                    Operation::Subscribe(prefix) => {
                        let holders = model.entry(prefix.clone()).or_default();
                        let expected = match (holders.is_empty(), holders.insert(pipe)) {
                            (true, _) => Subscribed::First,
                            (false, true) => Subscribed::Joined,
                            (false, false) => Subscribed::Again,
                        };
                        assert_eq!(subscriptions.subscribe(pipe, &prefix), expected);
                    }
                    Operation::Cancel(prefix) => {
                        assert_eq!(subscriptions.cancel(pipe, &prefix), cancel(&mut model, pipe, &prefix));
                    }
                    Operation::Disconnect => {
                        let held: Vec<_> = subscriptions.prefixes_of(pipe).collect();
                        let cancelled = remove(&mut subscriptions, pipe);
                        let left = held.into_iter().map(|prefix| (cancel(&mut model, pipe, &prefix).unwrap(), prefix));
                        assert_eq!(cancelled, left.map(|(left, prefix)| (prefix, left)).collect::<Vec<_>>());
                    }
                }
                compare(&subscriptions, &model, &pipes, &topic);
            }
        }

        #[test]
        fn interests_equal_a_count_per_prefix(steps in vec((any::<bool>(), topic(), topic()), 0..200)) {
            let mut interests = Interests::new(&mut SeededEntropy::new(9));
            let mut model: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
            for (subscribes, prefix, topic) in steps {
                let count = model.entry(prefix.clone()).or_default();
                if subscribes {
                    assert_eq!(interests.add(&prefix), *count == 0);
                    *count += 1;
                } else {
                    let expected = match *count {
                        0 => None,
                        1 => Some(Cancelled::Gone(0)),
                        _ => Some(Cancelled::StillHeld),
                    };
                    assert_eq!(interests.remove(&prefix), expected);
                    *count = count.saturating_sub(1);
                }
                model.retain(|_, count| *count > 0);
                assert_eq!(interests.len(), model.len());
                assert_eq!(interests.iter().collect::<Vec<_>>(), model.keys().cloned().collect::<Vec<_>>());
                assert_eq!(interests.matches(&topic), model.keys().any(|prefix| topic.starts_with(prefix)));
            }
        }
    }

    #[test]
    fn cancellation_removes_repeated_subscriptions() {
        let [pipe] = pipes();
        let mut subscriptions = Subscriptions::new(&mut SeededEntropy::new(9));
        assert_eq!(subscriptions.subscribe(pipe, b"A"), Subscribed::First);
        assert_eq!(subscriptions.subscribe(pipe, b"A"), Subscribed::Again);
        assert_eq!(subscriptions.cancel(pipe, b"A"), Some(Cancelled::Gone(0)));
        assert_eq!(subscriptions.cancel(pipe, b"A"), None);
        assert_eq!(subscriptions.matching(b"A").next(), None);
    }

    #[test]
    fn repeats_are_limited_and_returned_with_the_last_end() {
        let [pipe, other] = pipes();
        let mut subscriptions = Subscriptions::new(&mut SeededEntropy::new(9));
        subscriptions.add_repeat(b"A");
        for peer in [pipe, other] {
            subscriptions.subscribe(peer, b"A");
        }
        subscriptions.remove_repeat(b"A");
        for _ in 0..3 {
            subscriptions.add_repeat(b"A");
        }
        subscriptions.remove_repeat(b"A");
        assert_eq!(subscriptions.cancel(pipe, b"A"), Some(Cancelled::StillHeld));
        assert_eq!(subscriptions.cancel(other, b"A"), Some(Cancelled::Gone(2)));
        subscriptions.subscribe(pipe, b"A");
        assert_eq!(subscriptions.cancel(pipe, b"A"), Some(Cancelled::Gone(0)));

        for number in [0, 1_u8] {
            subscriptions.subscribe(pipe, &[number]);
            for _ in 0..=MAX_REPEATS {
                subscriptions.add_repeat(&[number]);
            }
        }
        subscriptions.depart(pipe);
        let removed = [(); 2].map(|()| subscriptions.remove_departed().unwrap().prefixes);
        assert_eq!(removed, [0, 1].map(|number| vec![(vec![number], Cancelled::Gone(MAX_REPEATS))]));
        assert!(subscriptions.repeats.is_empty());
    }

    #[test]
    fn subscriptions_of_departed_peer_are_removed_in_slices() {
        let [pipe, other] = pipes();
        let mut subscriptions = Subscriptions::new(&mut SeededEntropy::new(9));
        for number in 0..1000_usize {
            subscriptions.subscribe(pipe, &[number.to_be_bytes().as_slice(), &[7; 1024]].concat());
        }
        subscriptions.subscribe(other, b"A");
        assert!(subscriptions.depart(pipe) && subscriptions.depart(other));
        assert!(!subscriptions.depart(pipe), "the peer has no other subscription");
        let removed: Vec<_> = core::iter::from_fn(|| subscriptions.remove_departed()).collect();
        let (last, slices) = removed.split_last().unwrap();
        assert!(slices.iter().all(|slice| slice.pipe == pipe && slice.prefixes.len() < 60), "{}", slices.len());
        assert_eq!(slices.iter().map(|slice| slice.prefixes.len()).sum::<usize>(), 1000);
        assert_eq!(slices.iter().filter(|slice| slice.is_complete).count(), 1);
        assert_eq!((last.pipe, last.prefixes.len(), last.is_complete), (other, 1, true));
        assert_eq!((subscriptions.len(), subscriptions.has_departed()), (0, false));
    }

    #[test]
    fn peer_that_is_back_keeps_its_new_subscriptions() {
        let [pipe] = pipes();
        let mut subscriptions = Subscriptions::new(&mut SeededEntropy::new(9));
        let prefixes: Vec<_> = (0..200_u8).map(|number| vec![number; 1024]).collect();
        // The peer is lost and back twice. Each time, it subscribes to fewer prefixes.
        for kept in [200, 100, 50] {
            assert_eq!(subscriptions.depart(pipe), kept < 200);
            for prefix in &prefixes[..kept] {
                subscriptions.subscribe(pipe, prefix);
                assert_eq!(subscriptions.subscribe(pipe, prefix), Subscribed::Again);
            }
            assert_eq!((subscriptions.count_of(pipe), subscriptions.bytes_of(pipe)), (kept, kept * 1024));
        }
        assert_eq!(subscriptions.cancel(pipe, &prefixes[0]), Some(Cancelled::Gone(0)));
        assert_eq!(subscriptions.cancel(pipe, &prefixes[199]), None, "only the former connection had this prefix");
        let removed: Vec<_> = core::iter::from_fn(|| subscriptions.remove_departed()).collect();
        assert!(removed.len() > 2 && removed.iter().filter(|removed| removed.is_complete).count() == 1);
        assert_eq!(removed.iter().map(|removed| removed.prefixes.len()).sum::<usize>(), 150);
        for (prefix, number) in prefixes.iter().zip(0..) {
            let expected = usize::from((1..50).contains(&number));
            assert_eq!(subscriptions.matching(prefix).count(), expected, "prefix {number}");
        }
    }

    #[test]
    fn matching_returns_peer_once_per_matching_prefix() {
        let [one, other] = pipes();
        let mut subscriptions = Subscriptions::new(&mut SeededEntropy::new(9));
        subscriptions.subscribe(other, b"weather");
        subscriptions.subscribe(one, b"weather");
        subscriptions.subscribe(one, b"");
        assert_eq!(subscriptions.matching(b"weather.oslo").collect::<Vec<_>>(), [one, one, other]);
        assert_eq!(subscriptions.matching(b"news").collect::<Vec<_>>(), [one]);
    }

    #[test]
    fn subscriptions_release_memory_of_removed_peers() {
        let pipes = pipes::<1000>();
        let mut subscriptions = Subscriptions::new(&mut SeededEntropy::new(9));
        for &pipe in &pipes {
            subscriptions.subscribe(pipe, b"A");
        }
        for &pipe in &pipes[2..] {
            assert_eq!(remove(&mut subscriptions, pipe), [(b"A".to_vec(), Cancelled::StillHeld)]);
        }
        let (_, holders) = subscriptions.holders.get(b"A").unwrap();
        assert!(matches!(holders, Holders::Many(pipes) if pipes.capacity() < 10), "{holders:?}");
        assert_eq!(remove(&mut subscriptions, pipes[1]), [(b"A".to_vec(), Cancelled::StillHeld)]);
        let (_, holders) = subscriptions.holders.get(b"A").unwrap();
        assert!(matches!(holders, Holders::One(pipe) if *pipe == pipes[0]), "{holders:?}");
        assert_eq!(subscriptions.held.len(), 1);
        assert_eq!(subscriptions.cancel(pipes[0], b"A"), Some(Cancelled::Gone(0)));
        assert_eq!(subscriptions.held.len(), 0);
    }

    #[test]
    fn held_bytes_count_prefixes_and_their_subscribers() {
        let mut subscriptions = Subscriptions::new(&mut SeededEntropy::new(9));
        let [one, two, three] = pipes();
        assert_eq!(subscriptions.held_bytes_of(one), 0);
        for (pipe, prefix) in [(one, "a"), (one, "b"), (two, "a"), (three, "a"), (three, "c")] {
            subscriptions.subscribe(pipe, prefix.as_bytes());
        }
        // Each of the five subscriptions is an entry of a set, and two are in the list of the further subscribers of `a`.
        let entry = 2 * size_of::<NodeId>();
        let expected = subscriptions.holders.held_bytes() + 5 * entry + 2 * (size_of::<PipeId>() * 3 / 2);
        assert_eq!(subscriptions.held_bytes(), expected);
        assert!(subscriptions.contains(one, b"b") && !subscriptions.contains(two, b"b"));
        assert!(!subscriptions.has_departed());
        assert!(subscriptions.depart(two) && subscriptions.depart(three));
        assert!(subscriptions.has_departed());
        assert_eq!(subscriptions.held_bytes(), expected, "the subscriptions are not removed yet");
        assert_eq!(subscriptions.held_bytes_of(one), Trie::<Holders>::estimate(2, 2) + 2 * entry);
    }

    #[test]
    fn slice_ends_when_its_work_is_used_up() {
        let [pipe] = pipes();
        let mut subscriptions = Subscriptions::new(&mut SeededEntropy::new(9));
        for number in 0..600 {
            subscriptions.subscribe(pipe, alloc::format!("{number:0128}").as_bytes());
        }
        assert!(subscriptions.depart(pipe));
        let slices = core::iter::from_fn(|| subscriptions.remove_departed().map(|slice| slice.prefixes.len()));
        let per_slice = (64 << 10) / (128 + 128);
        assert_eq!(slices.collect::<Vec<_>>(), [per_slice, per_slice, 600 - 2 * per_slice]);
    }

    #[cfg(feature = "meter")]
    #[test]
    fn bytes_of_moved_subscribers_are_counted() {
        let [one, two, three] = pipes();
        let mut subscriptions = Subscriptions::new(&mut SeededEntropy::new(9));
        subscriptions.subscribe(one, b"topic");
        subscriptions.subscribe(three, b"topic");
        let (_, work) = cost::measure(|| subscriptions.subscribe(two, b"topic"));
        assert_eq!(work.bytes, size_of::<PipeId>() as u64);
        let (_, work) = cost::measure(|| subscriptions.cancel(two, b"topic"));
        assert_eq!(work.bytes, 2 * size_of::<PipeId>() as u64);
    }
}
