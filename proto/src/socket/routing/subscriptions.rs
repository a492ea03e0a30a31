//! Who wants which topics: [`Subscriptions`] of a publisher's peers, [`Interests`] of a subscriber. Knows no messages.

use super::trie::{NodeId, Trie, tighten};
use crate::entropy::Entropy;
use crate::socket::id::PipeId;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;

/// What a peer's subscription added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subscribed {
    /// Nobody held the prefix.
    First,
    /// Others hold it, this peer did not.
    Joined,
    /// This peer holds it already.
    Again,
}

/// What is left of a prefix that somebody gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cancelled {
    /// Nobody holds it any more.
    Gone,
    /// It is held by others, or by us for another reason.
    StillHeld,
}

/// What a publisher's peers have subscribed to: a set of prefixes for each.
///
/// RFC 37 would have them counted. But libzmq's subscribers send every SUBSCRIBE and only the last CANCEL, and its
/// publishers keep a set: after two subscriptions to a prefix, one cancellation leaves nothing. So it has to be here.
#[derive(Debug)]
pub(crate) struct Subscriptions {
    /// The holders of each prefix, in order. An array, because publishing reads it for each message; to add or remove
    /// one of ten thousand moves some tens of kilobytes, once in a subscription's life.
    holders: Trie<Holders>,
    /// What each peer holds; peers that hold nothing are not there.
    held: BTreeMap<PipeId, Held>,
}

/// What one peer holds.
#[derive(Debug, Default)]
struct Held {
    prefixes: BTreeSet<NodeId>,
    /// In all of them together.
    octets: usize,
}

impl Subscriptions {
    pub(crate) fn new(entropy: &mut dyn Entropy) -> Self {
        Self { holders: Trie::new(entropy), held: BTreeMap::new() }
    }

    /// How many different prefixes are held (libzmq: `TOPICS_COUNT`).
    pub(crate) const fn len(&self) -> usize {
        self.holders.len()
    }

    /// How many prefixes a peer holds.
    pub(crate) fn count_of(&self, pipe: PipeId) -> usize {
        self.held.get(&pipe).map_or(0, |held| held.prefixes.len())
    }

    /// How many octets these have together.
    pub(crate) fn octets_of(&self, pipe: PipeId) -> usize {
        self.held.get(&pipe).map_or(0, |held| held.octets)
    }

    /// What a peer holds, in no particular order, which is the same in every run.
    #[cfg(test)]
    pub(crate) fn prefixes_of(&self, pipe: PipeId) -> impl Iterator<Item = Vec<u8>> {
        self.held.get(&pipe).into_iter().flat_map(|held| &held.prefixes).map(|&id| self.holders.prefix_of(id))
    }

    /// Who is to have a message on this topic. A peer is named once for each of its prefixes that match, so the caller
    /// has to mark whom it has seen.
    pub(crate) fn matching(&self, topic: &[u8]) -> impl Iterator<Item = PipeId> {
        self.holders.walk(topic).flat_map(Holders::as_slice).copied()
    }

    pub(crate) fn subscribe(&mut self, pipe: PipeId, prefix: &[u8]) -> Subscribed {
        let (id, holders) = self.holders.insert_with(prefix, || Holders::Many(Vec::new()));
        let outcome = holders.insert(pipe);
        if outcome == Subscribed::Again {
            return outcome;
        }
        let held = self.held.entry(pipe).or_default();
        held.prefixes.insert(id);
        held.octets += prefix.len();
        outcome
    }

    /// Takes a prefix from a peer; `None` if it does not hold it.
    pub(crate) fn cancel(&mut self, pipe: PipeId, prefix: &[u8]) -> Option<Cancelled> {
        let (id, _) = self.holders.get(prefix)?;
        let held = self.held.get_mut(&pipe)?;
        if !held.prefixes.remove(&id) {
            return None;
        }
        held.octets -= prefix.len();
        if held.prefixes.is_empty() {
            self.held.remove(&pipe);
        }
        Some(self.withdraw(pipe, id))
    }

    /// Takes all prefixes from a peer, and tells each with what is left of it. Other peers' subscriptions are not looked at.
    pub(crate) fn forget(&mut self, pipe: PipeId, mut gone: impl FnMut(Vec<u8>, Cancelled)) {
        for id in self.held.remove(&pipe).into_iter().flat_map(|held| held.prefixes) {
            let prefix = self.holders.prefix_of(id);
            gone(prefix, self.withdraw(pipe, id));
        }
    }

    /// Strikes a peer out of the holders of a prefix.
    fn withdraw(&mut self, pipe: PipeId, id: NodeId) -> Cancelled {
        let holders = self.holders.value_mut(id);
        holders.remove(pipe);
        if !holders.as_slice().is_empty() {
            return Cancelled::StillHeld;
        }
        self.holders.remove(id);
        Cancelled::Gone
    }
}

/// The holders of a prefix, in order. A single one, which most prefixes have, is not behind a pointer: publishing need not
/// wait for one more line of memory.
#[derive(Debug)]
enum Holders {
    One(PipeId),
    /// Several; or none, for a moment.
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
            Self::Many(pipes) => pipes.insert(place, pipe),
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
                pipes.remove(place);
                match pipes[..] {
                    [last] => *self = Self::One(last),
                    _ => tighten(pipes),
                }
            }
        }
    }
}

/// What a subscriber wants: prefixes, each as often as the application asked for it.
#[derive(Debug)]
pub(crate) struct Interests {
    counts: Trie<usize>,
}

impl Interests {
    pub(crate) fn new(entropy: &mut dyn Entropy) -> Self {
        Self { counts: Trie::new(entropy) }
    }

    /// How many different prefixes are wanted (libzmq: `TOPICS_COUNT`).
    pub(crate) const fn len(&self) -> usize {
        self.counts.len()
    }

    /// Wants a prefix once more. True if it was not wanted before, so that publishers have to hear of it.
    pub(crate) fn add(&mut self, prefix: &[u8]) -> bool {
        let (_, count) = self.counts.insert_with(prefix, || 0);
        *count += 1;
        *count == 1
    }

    /// Wants a prefix once less; `None` if it was not wanted. Publishers have to hear of one that is gone.
    pub(crate) fn remove(&mut self, prefix: &[u8]) -> Option<Cancelled> {
        let (id, count) = self.counts.get_mut(prefix)?;
        *count -= 1;
        if *count > 0 {
            return Some(Cancelled::StillHeld);
        }
        self.counts.remove(id);
        Some(Cancelled::Gone)
    }

    /// Whether messages on this topic are wanted.
    pub(crate) fn matches(&self, topic: &[u8]) -> bool {
        self.counts.walk(topic).next().is_some()
    }

    /// The different prefixes, in lexicographic order.
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

    /// Up to five octets, each one of two.
    fn topic() -> impl Strategy<Value = Vec<u8>> {
        vec(select(b"ab".as_slice()), 0..6)
    }

    /// What one of five peers does.
    #[derive(Clone, Debug)]
    enum Deed {
        Subscribe(Vec<u8>),
        Cancel(Vec<u8>),
        Leave,
    }

    fn deed() -> impl Strategy<Value = (usize, Deed)> {
        let deed = prop_oneof![
            19 => topic().prop_map(Deed::Subscribe),
            20 => topic().prop_map(Deed::Cancel),
            1 => Just(Deed::Leave),
        ];
        (0..5_usize, deed)
    }

    /// Each prefix with its holders, kept in the plainest way.
    type Model = BTreeMap<Vec<u8>, BTreeSet<PipeId>>;

    /// What taking a prefix from a peer should leave of it.
    fn cancel(model: &mut Model, pipe: PipeId, prefix: &[u8]) -> Option<Cancelled> {
        let holders = model.get_mut(prefix)?;
        if !holders.remove(&pipe) {
            return None;
        }
        if !holders.is_empty() {
            return Some(Cancelled::StillHeld);
        }
        model.remove(prefix);
        Some(Cancelled::Gone)
    }

    fn compare(subscriptions: &Subscriptions, model: &Model, pipes: &[PipeId], topic: &[u8]) {
        assert_eq!(subscriptions.len(), model.len());
        for &pipe in pipes {
            let mut prefixes: Vec<_> = subscriptions.prefixes_of(pipe).collect();
            prefixes.sort();
            let held = model.iter().filter(|(_, holders)| holders.contains(&pipe)).map(|(prefix, _)| prefix.clone());
            assert_eq!(prefixes, held.collect::<Vec<_>>());
            assert_eq!(subscriptions.count_of(pipe), prefixes.len());
            assert_eq!(subscriptions.octets_of(pipe), prefixes.concat().len());
        }
        let wanted = model.iter().filter(|(prefix, _)| topic.starts_with(prefix));
        let wanted: Vec<_> = wanted.flat_map(|(_, holders)| holders).copied().collect();
        assert_eq!(subscriptions.matching(topic).collect::<Vec<_>>(), wanted, "shortest prefix first");
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn subscriptions_agree_with_a_set_of_prefixes_for_each_peer(deeds in vec((deed(), topic()), 0..200)) {
            let pipes = pipes::<5>();
            let mut subscriptions = Subscriptions::new(&mut SeededEntropy::new(9));
            let mut model = Model::new();
            for ((peer, deed), topic) in deeds {
                let pipe = pipes[peer];
                match deed {
                    Deed::Subscribe(prefix) => {
                        let holders = model.entry(prefix.clone()).or_default();
                        let expected = match (holders.is_empty(), holders.insert(pipe)) {
                            (true, _) => Subscribed::First,
                            (false, true) => Subscribed::Joined,
                            (false, false) => Subscribed::Again,
                        };
                        assert_eq!(subscriptions.subscribe(pipe, &prefix), expected);
                    }
                    Deed::Cancel(prefix) => {
                        assert_eq!(subscriptions.cancel(pipe, &prefix), cancel(&mut model, pipe, &prefix));
                    }
                    Deed::Leave => {
                        let mut gone = Vec::new();
                        let held: Vec<_> = subscriptions.prefixes_of(pipe).collect();
                        subscriptions.forget(pipe, |prefix, left| gone.push((prefix, left)));
                        let left = held.into_iter().map(|prefix| (cancel(&mut model, pipe, &prefix).unwrap(), prefix));
                        assert_eq!(gone, left.map(|(left, prefix)| (prefix, left)).collect::<Vec<_>>());
                    }
                }
                compare(&subscriptions, &model, &pipes, &topic);
            }
        }

        #[test]
        fn interests_agree_with_a_count_for_each_prefix(steps in vec((any::<bool>(), topic(), topic()), 0..200)) {
            let mut interests = Interests::new(&mut SeededEntropy::new(9));
            let mut model: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
            for (wants, prefix, topic) in steps {
                let count = model.entry(prefix.clone()).or_default();
                if wants {
                    assert_eq!(interests.add(&prefix), *count == 0);
                    *count += 1;
                } else {
                    let expected = match *count {
                        0 => None,
                        1 => Some(Cancelled::Gone),
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
    fn one_cancellation_undoes_any_number_of_subscriptions() {
        let [pipe] = pipes();
        let mut subscriptions = Subscriptions::new(&mut SeededEntropy::new(9));
        assert_eq!(subscriptions.subscribe(pipe, b"A"), Subscribed::First);
        assert_eq!(subscriptions.subscribe(pipe, b"A"), Subscribed::Again);
        assert_eq!(subscriptions.cancel(pipe, b"A"), Some(Cancelled::Gone));
        assert_eq!(subscriptions.cancel(pipe, b"A"), None);
        assert_eq!(subscriptions.matching(b"A").next(), None);
    }

    #[test]
    fn a_peer_is_named_once_for_each_of_its_prefixes_that_match() {
        let [one, other] = pipes();
        let mut subscriptions = Subscriptions::new(&mut SeededEntropy::new(9));
        subscriptions.subscribe(other, b"weather");
        subscriptions.subscribe(one, b"weather");
        subscriptions.subscribe(one, b"");
        assert_eq!(subscriptions.matching(b"weather.oslo").collect::<Vec<_>>(), [one, one, other]);
        assert_eq!(subscriptions.matching(b"news").collect::<Vec<_>>(), [one]);
    }

    #[test]
    fn peers_that_came_and_went_leave_no_place_behind() {
        let pipes = pipes::<1000>();
        let mut subscriptions = Subscriptions::new(&mut SeededEntropy::new(9));
        for &pipe in &pipes {
            subscriptions.subscribe(pipe, b"A");
        }
        for &pipe in &pipes[2..] {
            subscriptions.forget(pipe, |_, left| assert_eq!(left, Cancelled::StillHeld));
        }
        let (_, holders) = subscriptions.holders.get(b"A").unwrap();
        assert!(matches!(holders, Holders::Many(pipes) if pipes.capacity() < 10), "{holders:?}");
        subscriptions.forget(pipes[1], |_, left| assert_eq!(left, Cancelled::StillHeld));
        let (_, holders) = subscriptions.holders.get(b"A").unwrap();
        assert!(matches!(holders, Holders::One(pipe) if *pipe == pipes[0]), "{holders:?}");
        assert_eq!(subscriptions.held.len(), 1);
        assert_eq!(subscriptions.cancel(pipes[0], b"A"), Some(Cancelled::Gone));
        assert_eq!(subscriptions.held.len(), 0);
    }
}
