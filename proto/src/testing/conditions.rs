//! [`Conditions`]: chunk sizes, latency and capacity of a simulated network.

use crate::entropy::SeededEntropy;
use core::ops::RangeInclusive;
use core::time::Duration;

/// Chunk sizes, latency and capacity of the connections of a simulated network. Random values are drawn from the entropy that is
/// passed to each call.
///
/// Default: no limit on chunks, no latency, and a capacity of 64 KiB.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// Sizes of reads and writes.
    pub chunks: Chunks,
    /// Time from a write to its arrival. Bytes arrive in order.
    pub latency: RangeInclusive<Duration>,
    /// Number of unread bytes per direction at which the sender has to wait.
    pub capacity: usize,
}

/// Maximum sizes of reads and writes.
#[derive(Clone, Debug)]
pub enum Chunks {
    /// No maximum.
    Unlimited,
    /// A maximum that is drawn from this range for each call.
    Uniform(RangeInclusive<u64>),
    /// Mostly few bytes, sometimes many, and sometimes none, like a stream with spurious readiness.
    Bursts {
        /// Number of calls for which the maximum stays below four bytes. At random set to 100, more than the calls of one turn of
        /// a session.
        tiny: u64,
    },
}

impl Default for Conditions {
    fn default() -> Self {
        Self { chunks: Chunks::Unlimited, latency: Duration::ZERO..=Duration::ZERO, capacity: 64 << 10 }
    }
}

impl Conditions {
    /// Draws the maximum number of bytes of one read or write.
    pub fn chunk(&mut self, entropy: &mut SeededEntropy) -> usize {
        let size = match &mut self.chunks {
            Chunks::Unlimited => u64::MAX,
            Chunks::Uniform(sizes) => sizes.start() + entropy.below((sizes.end() - sizes.start()).saturating_add(1)),
            Chunks::Bursts { tiny } => {
                if *tiny == 0 && entropy.below(100) == 0 {
                    *tiny = 100;
                }
                let limit = if *tiny > 0 { 4 } else { 1 << entropy.below(18) };
                *tiny = tiny.saturating_sub(1);
                entropy.below(limit)
            }
        };
        usize::try_from(size).unwrap_or(usize::MAX)
    }

    /// Draws the latency of one write.
    pub fn delay(&self, entropy: &mut SeededEntropy) -> Duration {
        let (low, high) = (*self.latency.start(), *self.latency.end());
        let span = u64::try_from(high.saturating_sub(low).as_nanos()).unwrap_or(u64::MAX);
        low + Duration::from_nanos(if span == 0 { 0 } else { entropy.below(span) })
    }
}
