//! [`HashKey`]: secret key for the hashes of values that peers choose, such as routing ids.

use crate::entropy::Entropy;
use core::fmt;
use siphasher::sip::SipHasher13;

/// Secret random key for a hash table of values that peers choose. SipHash-1-3 does not reveal the key, so peers cannot
/// choose values with equal hashes to slow the table down.
#[derive(Clone, Copy)]
pub(super) struct HashKey(SipHasher13);

impl HashKey {
    pub(super) fn new(entropy: &mut dyn Entropy) -> Self {
        let mut key = [0; 16];
        entropy.fill(&mut key);
        Self(SipHasher13::new_with_key(&key))
    }

    pub(super) const fn hasher(self) -> SipHasher13 {
        self.0
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HashKey(..)")
    }
}
