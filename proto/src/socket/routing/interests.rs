//! [`Interests`]: the prefixes to which the application of a subscriber has subscribed.

use super::trie::Trie;
use crate::entropy::Entropy;
use alloc::vec::Vec;

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

    /// Removes one subscription to a prefix. Returns `None` if there was none, and true if it was the last one, so that the
    /// cancellation must be sent to publishers.
    pub(crate) fn remove(&mut self, prefix: &[u8]) -> Option<bool> {
        let (id, count) = self.counts.get_mut(prefix)?;
        *count -= 1;
        let is_last = *count == 0;
        if is_last {
            self.counts.remove(id);
        }
        Some(is_last)
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
    use alloc::collections::BTreeMap;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    /// Generates a random topic of up to five bytes, each `a` or `b`.
    fn topic() -> impl Strategy<Value = Vec<u8>> {
        vec(select(b"ab".as_slice()), 0..6)
    }

    proptest! {
        #![proptest_config(config())]

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
                    let expected = (*count > 0).then_some(*count == 1);
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
}
