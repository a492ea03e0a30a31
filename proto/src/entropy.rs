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

/// Returns a random duration, uniformly distributed in `low..high`. A difference of more than 584 years counts as 584 years.
pub(crate) fn between(entropy: &mut dyn Entropy, low: Duration, high: Duration) -> Duration {
    let mut bytes = [0; 4];
    entropy.fill(&mut bytes);
    let random = u64::from(u32::from_le_bytes(bytes));
    let range = u64::try_from(high.saturating_sub(low).as_nanos()).unwrap_or(u64::MAX);
    // `range * random / 2^32` in two parts that do not overflow. Without floating-point numbers, which most
    // microcontrollers calculate in software.
    let (upper, lower) = (range >> 32, range & u64::from(u32::MAX));
    low + Duration::from_nanos(upper * random + ((lower * random) >> 32))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the same byte always.
    struct Constant(u8);

    impl Entropy for Constant {
        fn fill(&mut self, out: &mut [u8]) {
            out.fill(self.0);
        }
    }

    #[test]
    fn random_duration_is_between_its_bounds() {
        let (low, high) = (Duration::from_secs(2), Duration::from_secs(4));
        assert_eq!(between(&mut Constant(0), low, high), low);
        assert_eq!(between(&mut Constant(0x80), low, high).as_millis(), 3003); // 0x80808080 / 2^32 is 0.50196
        let last = between(&mut Constant(0xff), low, high);
        assert!(last < high && last + Duration::from_nanos(1) >= high, "{last:?}");
        assert_eq!(between(&mut Constant(0xff), high, low), high);
        let longest = between(&mut Constant(0xff), low, Duration::MAX);
        assert!(longest > Duration::from_secs(5_000_000 * 60 * 60), "{longest:?}");
    }
}
