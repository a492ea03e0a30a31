//! [`AgeSamples`]: the age of the first message of a queue, without a time stamp per message.

use crate::time::Instant;
use alloc::vec::Vec;
use core::time::Duration;

/// Instants at which the length of a queue was sampled. Messages are numbered in the order of the queue, so a message with a
/// smaller number than the end of the queue at a sample was queued before this sample.
#[derive(Debug)]
pub(crate) struct AgeSamples(Vec<Sample>);

#[derive(Debug)]
struct Sample {
    at: Instant,
    /// Number of the message after the last one that was queued at this sample.
    end: u64,
}

impl AgeSamples {
    /// Maximum number of samples. If more are added, every second one is removed, so the age is less exact.
    const MAX: usize = 16;

    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a sample of a queue from which `removed` messages were removed, and which has `len` messages.
    pub(crate) fn add(&mut self, now: Instant, removed: u64, len: usize) {
        self.0.retain(|sample| sample.end > removed);
        let end = removed + len as u64;
        // No message was added after a sample with the same end, so a later one adds nothing.
        if len == 0 || self.0.last().is_some_and(|sample| sample.end >= end) {
            return;
        }
        if self.0.len() == Self::MAX {
            let mut index = 0_usize;
            self.0.retain(|_| {
                index += 1;
                !index.is_multiple_of(2)
            });
        }
        self.0.push(Sample { at: now, end });
    }

    /// Returns the time from the first sample of message `removed`, the first in the queue, to `now`.
    pub(crate) fn age(&self, now: Instant, removed: u64) -> Duration {
        let sample = self.0.iter().find(|sample| sample.end > removed);
        sample.map_or(Duration::ZERO, |sample| now.since(sample.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn age_is_that_of_the_first_message_to_one_sample() {
        let second = |seconds| Instant::from_elapsed(Duration::from_secs(seconds));
        let age = |samples: &AgeSamples, now, removed| samples.age(second(now), removed).as_secs();
        let mut samples = AgeSamples::new();
        samples.add(second(0), 0, 0);
        assert_eq!(age(&samples, 5, 0), 0, "an empty queue has no age");
        samples.add(second(10), 0, 3);
        samples.add(second(20), 0, 5);
        samples.add(second(30), 0, 5);
        assert_eq!([0, 2, 3, 4, 5].map(|removed| age(&samples, 40, removed)), [30, 30, 20, 20, 0]);
        samples.add(second(50), 4, 1);
        assert_eq!(samples.0.len(), 1, "the messages of the first sample are gone");
        assert_eq!(age(&samples, 60, 4), 40);
    }

    #[test]
    fn many_samples_are_thinned_and_keep_the_earliest() {
        let mut samples = AgeSamples::new();
        for (second, len) in (1..1000).zip(1..) {
            samples.add(Instant::from_elapsed(Duration::from_secs(second)), 0, len);
            assert!(samples.0.len() <= AgeSamples::MAX);
        }
        assert_eq!(samples.age(Instant::from_elapsed(Duration::from_secs(1000)), 0), Duration::from_secs(999));
    }
}
