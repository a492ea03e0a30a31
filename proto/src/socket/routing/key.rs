//! [`Key`]: what makes the hashes of what peers choose unforeseeable for them.

use crate::entropy::Entropy;
use core::fmt;
use siphasher::sip::SipHasher13;

/// What the hashes of a table have in common, and nobody else may know. SipHash-1-3 tells nothing of it, so peers cannot choose
/// what collides.
#[derive(Clone, Copy)]
pub(super) struct Key(SipHasher13);

impl Key {
    pub(super) fn new(entropy: &mut dyn Entropy) -> Self {
        let mut key = [0; 16];
        entropy.fill(&mut key);
        Self(SipHasher13::new_with_key(&key))
    }

    pub(super) const fn hasher(self) -> SipHasher13 {
        self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}
