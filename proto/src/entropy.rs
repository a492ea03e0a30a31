//! Where random octets come from: asked for in one place, so a seed replays everything.

use core::time::Duration;

/// A source of random octets.
///
/// A socket draws from it for automatic routing ids, request ids and the jitter of reconnect delays. Use
/// `SystemEntropy` (feature `std`) unless you have a reason not to: automatic routing ids must not be guessable by peers.
pub trait Entropy: Send {
    /// Fills `out` with random octets.
    fn fill(&mut self, out: &mut [u8]);
}

/// A reproducible generator for tests: the same seed gives the same octets. Not for production, where routing ids
/// must not be guessable.
#[derive(Clone, Debug)]
#[cfg(any(test, feature = "testing"))]
pub struct SeededEntropy(u64);

#[cfg(any(test, feature = "testing"))]
impl SeededEntropy {
    /// A generator whose whole output is decided by `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 random bits (splitmix64).
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound` (which must not be zero), close enough to uniform for a test.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.next_u64() % bound
    }
}

#[cfg(any(test, feature = "testing"))]
impl Entropy for SeededEntropy {
    fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&self.next_u64().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// A duration drawn evenly from `low..=high`.
pub(crate) fn between(entropy: &mut dyn Entropy, low: Duration, high: Duration) -> Duration {
    let mut octets = [0; 4];
    entropy.fill(&mut octets);
    let fraction = f64::from(u32::from_le_bytes(octets)) / f64::from(u32::MAX);
    low + high.saturating_sub(low).mul_f64(fraction)
}
