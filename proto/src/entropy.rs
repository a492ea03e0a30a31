//! [`Entropy`], the only source of randomness in this crate. A seeded source makes every run reproducible.

use core::time::Duration;

/// A source of random bytes.
///
/// A socket uses the source for automatic routing ids, request ids and the jitter of reconnect delays. CURVE uses it
/// for keys and nonces. Use `SystemEntropy` (feature `std`) in production: peers must not be able to predict these
/// values.
pub trait Entropy: Send {
    /// Fills `out` with random bytes.
    fn fill(&mut self, out: &mut [u8]);
}

/// A reproducible random generator for tests: the same seed gives the same bytes. Its output is predictable, so
/// production code must not use it.
#[derive(Clone, Debug)]
#[cfg(any(test, feature = "testing"))]
pub struct SeededEntropy(u64);

#[cfg(any(test, feature = "testing"))]
impl SeededEntropy {
    /// Creates a generator with this seed. The same seed always gives the same bytes.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns the next 64 random bits (splitmix64).
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number below `bound`, approximately uniform.
    ///
    /// # Panics
    /// If `bound` is zero.
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

/// Returns a random duration, uniformly distributed in `low..=high`.
pub(crate) fn between(entropy: &mut dyn Entropy, low: Duration, high: Duration) -> Duration {
    let mut bytes = [0; 4];
    entropy.fill(&mut bytes);
    let fraction = f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX);
    low + high.saturating_sub(low).mul_f64(fraction)
}
