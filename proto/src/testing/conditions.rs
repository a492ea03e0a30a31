//! [`Conditions`]: settings of a simulated network, which are the sizes of reads and writes, the latency, the sizes of
//! buffers, and the rate.

use super::LinkLimits;
use crate::entropy::SeededEntropy;
use core::ops::RangeInclusive;
use core::time::Duration;

/// Chunk sizes, latency, buffer sizes and rate of the connections of a simulated network. Each method takes the source
/// of its random values as an argument.
///
/// Default: no limit on chunks, no latency, buffers of 32 KiB, and no limit on the rate.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// Maximum number of bytes that one read or one write of a connection transfers.
    pub chunks: Chunks,
    /// Time that bytes are in flight, and later their acknowledgement, drawn from this range for each write. Bytes
    /// arrive in order.
    pub latency: RangeInclusive<Duration>,
    /// Sizes of the buffers of each new connection, and its rate.
    pub link: LinkLimits,
}

/// Maximum number of bytes that one read or one write transfers. A new maximum is chosen for each call.
#[derive(Clone, Debug)]
pub enum Chunks {
    /// Reads and writes have no maximum size.
    Unlimited,
    /// Each read and each write gets a random maximum from this range, in bytes.
    Uniform(RangeInclusive<u64>),
    /// Each read and each write gets a random maximum of less than 128 KiB. Small values are much more frequent than
    /// large values, and in bursts of 100 calls, each maximum is less than four bytes. The maximum can be zero: the
    /// call then transfers no bytes, as if a poller had reported the stream as ready by mistake.
    Bursts {
        /// Number of reads and writes that are left in the current burst; 0 if no burst is in progress. A burst begins
        /// at a random time and contains 100 reads and writes, each with a maximum of less than four bytes. One call of
        /// `Session::turn` makes fewer than 100 reads and writes, so a burst can last for the whole call.
        tiny: u64,
    },
}

impl Default for Conditions {
    fn default() -> Self {
        Self { chunks: Chunks::Unlimited, latency: Duration::ZERO..=Duration::ZERO, link: LinkLimits::default() }
    }
}

impl Conditions {
    /// Returns a random maximum for the number of bytes of one read or write, according to [`chunks`](Self::chunks).
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

    /// Returns a random delay for one write, from the range [`latency`](Self::latency).
    pub fn delay(&self, entropy: &mut SeededEntropy) -> Duration {
        let (low, high) = (*self.latency.start(), *self.latency.end());
        let span = u64::try_from(high.saturating_sub(low).as_nanos()).unwrap_or(u64::MAX);
        low + Duration::from_nanos(if span == 0 { 0 } else { entropy.below(span) })
    }
}
