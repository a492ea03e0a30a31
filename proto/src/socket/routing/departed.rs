//! [`Departed`]: subscriptions of disconnected peers that must still be removed.

use crate::cost;
use crate::socket::id::PipeId;
use alloc::collections::{BTreeMap, BTreeSet};

/// Subscriptions (prefixes or groups, identified by `K`) of disconnected peers that must still be removed from the tables of
/// a publisher. They are removed one by one, so that the socket is locked for a short time only. Meanwhile, a dialled peer
/// can be back, subscribe again, and disconnect again.
#[derive(Clone, Debug)]
pub(crate) struct Departed<K> {
    /// Subscriptions that each peer had when it disconnected. The number distinguishes several disconnects of a peer. No
    /// set is empty.
    sets: BTreeMap<(PipeId, usize), BTreeSet<K>>,
}

impl<K: Ord> Departed<K> {
    pub(crate) const fn new() -> Self {
        Self { sets: BTreeMap::new() }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    /// Returns the number of subscriptions.
    pub(crate) fn len(&self) -> usize {
        self.sets.values().map(BTreeSet::len).sum()
    }

    /// Returns true if the table contains subscriptions of the peer of `pipe`.
    pub(crate) fn contains(&self, pipe: PipeId) -> bool {
        self.sets.range((pipe, 0)..=(pipe, usize::MAX)).next().is_some()
    }

    /// Adds all subscriptions of a peer that has disconnected.
    pub(crate) fn add(&mut self, pipe: PipeId, subscriptions: BTreeSet<K>) {
        let last = self.sets.range((pipe, 0)..=(pipe, usize::MAX)).next_back();
        let number = last.map_or(0, |((_, number), _)| number + 1);
        if !subscriptions.is_empty() {
            self.sets.insert((pipe, number), subscriptions);
        }
    }

    /// Removes and returns any subscription, with the pipe of its peer.
    pub(crate) fn pop(&mut self) -> Option<(PipeId, K)> {
        let (&(pipe, _), _) = self.sets.first_key_value()?;
        Some((pipe, self.pop_of(pipe)?))
    }

    /// Removes and returns any subscription of the peer of `pipe`.
    pub(crate) fn pop_of(&mut self, pipe: PipeId) -> Option<K> {
        let (&place, set) = self.sets.range_mut((pipe, 0)..=(pipe, usize::MAX)).next()?;
        let subscription = set.pop_first();
        if set.is_empty() {
            self.sets.remove(&place);
        }
        subscription
    }

    /// Removes one subscription of a peer, because the peer is back and has subscribed to the same again. Returns true if
    /// the table contained the subscription.
    pub(crate) fn take(&mut self, pipe: PipeId, subscription: &K) -> bool {
        cost::nodes(1);
        let mut sets = self.sets.range_mut((pipe, 0)..=(pipe, usize::MAX));
        let Some((&place, set)) = sets.find(|(_, set)| set.contains(subscription)) else { return false };
        set.remove(subscription);
        if set.is_empty() {
            self.sets.remove(&place);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::pipe::Pipes;
    use crate::socket::pipe::state::PipeState;

    #[test]
    fn departed_subscriptions_of_each_disconnect_are_counted() {
        let mut pipes = Pipes::with_marks(1, 1);
        let [one, other] = [(); 2].map(|()| pipes.insert(PipeState::Gone));
        let mut departed = Departed::new();
        assert!(departed.is_empty());
        departed.add(one, BTreeSet::from([1, 2]));
        departed.add(one, BTreeSet::from([2, 3, 4]));
        departed.add(one, BTreeSet::new());
        assert!(!departed.is_empty() && departed.contains(one) && !departed.contains(other));
        assert_eq!(departed.len(), 5);
        assert!(departed.take(one, &2) && departed.take(one, &2) && !departed.take(one, &2));
        assert_eq!((departed.len(), departed.pop(), departed.pop_of(one)), (3, Some((one, 1)), Some(3)));
        assert_eq!((departed.pop_of(other), departed.pop_of(one)), (None, Some(4)));
        assert!(departed.is_empty() && !departed.contains(one));
        assert_eq!((departed.len(), departed.pop()), (0, None));
    }
}
