//! [`SubscriptionChanges`]: subscription changes of this socket that a peer has not received yet.

use crate::connection::Subscription;
use alloc::collections::BTreeMap;
use bytes::Bytes;

/// Latest subscription change per topic that is not sent yet, in the order of the topics.
#[derive(Debug, Default)]
pub(super) struct SubscriptionChanges {
    by_topic: ByTopic,
    /// Function that removes the first change, as soon as a change was inserted.
    // A pointer, so that a program without subscribers does not link the code of the tree.
    pop: Option<fn(&mut ByTopic) -> Option<Subscription>>,
}

type ByTopic = BTreeMap<Bytes, Subscription>;

impl SubscriptionChanges {
    /// Adds a change, and replaces an earlier one of the same topic.
    pub(super) fn insert(&mut self, change: Subscription) {
        self.pop = Some(|by_topic| by_topic.pop_first().map(|(_, change)| change));
        self.by_topic.insert(change.subject().clone(), change);
    }

    /// Removes and returns the change with the first topic.
    pub(super) fn pop_first(&mut self) -> Option<Subscription> {
        self.pop.and_then(|pop| pop(&mut self.by_topic))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_topic.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.by_topic.clear();
    }
}
