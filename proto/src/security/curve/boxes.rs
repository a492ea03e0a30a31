//! NaCl's box and secretbox: XSalsa20 with Poly1305 under a key of 32 octets.
//!
//! Both are the same cipher and differ in where the key comes from: [`BoxKey::agreed`] for a box, [`BoxKey::random`] for
//! a secretbox such as the server's cookie.

use super::nonce::Nonce;
use super::primitives::{self, hsalsa20};
use super::{PublicKey, SecretKey};
use crate::entropy::Entropy;
use alloc::vec::Vec;
use core::fmt;
use curve25519_dalek::MontgomeryPoint;
use zeroize::Zeroizing;

/// The octets of a tag; a box is so much longer than what is in it.
pub(crate) const TAG: usize = 16;

/// A key that both ends of a box have. Wiped when dropped.
#[derive(Clone)]
pub(crate) struct BoxKey(Zeroizing<[u8; 32]>);

impl BoxKey {
    /// What the owners of `secret` and of `public` both arrive at: the key of a Box [..](C->S), in either direction.
    ///
    /// `None` if `public` is one of the few points with which every secret key arrives at zero: whoever sends it wants a
    /// key that everybody knows. That is found out in constant time.
    pub(crate) fn agreed(public: &PublicKey, secret: &SecretKey) -> Option<Self> {
        let shared = Zeroizing::new(MontgomeryPoint(*public.as_octets()).mul_clamped(*secret.as_octets()));
        if *shared == MontgomeryPoint([0; 32]) {
            return None;
        }
        Some(Self(hsalsa20(&shared.0, &[0; 16])))
    }

    /// A key that nobody else has.
    pub(crate) fn random(entropy: &mut dyn Entropy) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        entropy.fill(&mut *key);
        Self(key)
    }

    /// A box of `plain`: its tag, then what was encrypted. A nonce must never be used twice with the same key.
    pub(crate) fn seal(&self, nonce: &Nonce, plain: &[u8]) -> Vec<u8> {
        let mut boxed = Vec::with_capacity(TAG + plain.len());
        boxed.extend_from_slice(&[0; TAG]);
        boxed.extend_from_slice(plain);
        let tag = self.encrypt(nonce, &mut boxed[TAG..]);
        boxed[..TAG].copy_from_slice(&tag);
        boxed
    }

    /// What is in the box, or `None` if it was not sealed with this key and nonce, or was changed since.
    pub(crate) fn open(&self, nonce: &Nonce, boxed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (tag, encrypted) = boxed.split_first_chunk()?;
        let mut plain = Zeroizing::new(encrypted.to_vec());
        self.decrypt(nonce, &mut plain, tag).then_some(plain)
    }

    /// What XSalsa20 makes of this key for all nonces that begin with `purpose`: the key of its Salsa20.
    pub(super) fn subkey(&self, purpose: [u8; 16]) -> Zeroizing<[u8; 32]> {
        hsalsa20(&self.0, &purpose)
    }

    /// Encrypts in place; the result is the tag.
    pub(super) fn encrypt(&self, nonce: &Nonce, data: &mut [u8]) -> [u8; TAG] {
        primitives::encrypt(&self.0, nonce, data)
    }

    /// Decrypts in place if the tag is right, which is found out in constant time, and else leaves `data` alone.
    pub(super) fn decrypt(&self, nonce: &Nonce, data: &mut [u8], tag: &[u8; TAG]) -> bool {
        primitives::decrypt(&self.0, nonce, data, tag)
    }
}

impl fmt::Debug for BoxKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxKey { .. }")
    }
}
