//! Box and secretbox of NaCl: XSalsa20 with Poly1305 and a key of 32 bytes.
//!
//! Both use the same cipher but differ in the source of the key: [`BoxKey::agreed`] for a box, [`BoxKey::random`] for a
//! secretbox such as the cookie of the server.

use super::nonce::Nonce;
use super::primitives::{self, hsalsa20};
use super::{PublicKey, SecretKey};
use crate::cost;
use crate::entropy::Entropy;
use alloc::vec::Vec;
use core::fmt;
use curve25519_dalek::MontgomeryPoint;
use zeroize::Zeroizing;

/// Number of bytes of the authentication tag, with which a box begins. A box is longer than its content by this number.
pub(crate) const TAG: usize = 16;

/// Symmetric key of a box or secretbox. Wiped when dropped.
#[derive(Clone)]
pub(crate) struct BoxKey(Zeroizing<[u8; 32]>);

impl BoxKey {
    /// Computes the shared key of `secret` and the public key of the other side. Both sides compute the same key, so it
    /// is valid for both directions. RFC 26 writes a box with this key as `Box [..](C->S)`.
    ///
    /// Returns `None` if `public` is a point of low order. With such a point the result is zero for every secret key,
    /// so the shared key would not be secret. The check takes constant time.
    pub(crate) fn agreed(public: &PublicKey, secret: &SecretKey) -> Option<Self> {
        cost::key_agreement();
        let shared = Zeroizing::new(MontgomeryPoint(*public.as_bytes()).mul_clamped(*secret.as_bytes()));
        if *shared == MontgomeryPoint([0; 32]) {
            return None;
        }
        Some(Self(hsalsa20(&shared.0, &[0; 16])))
    }

    /// Creates a random key.
    pub(crate) fn random(entropy: &mut dyn Entropy) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        entropy.fill(&mut *key);
        Self(key)
    }

    /// Encrypts `plain` and returns the box: the tag, then the encrypted bytes. A nonce must never be used twice with the
    /// same key.
    pub(crate) fn seal(&self, nonce: &Nonce, plain: &[u8]) -> Vec<u8> {
        cost::bytes(plain.len());
        let mut boxed = Vec::with_capacity(TAG + plain.len());
        boxed.extend_from_slice(&[0; TAG]);
        boxed.extend_from_slice(plain);
        let tag = self.encrypt(nonce, &mut boxed[TAG..]);
        boxed[..TAG].copy_from_slice(&tag);
        boxed
    }

    /// Decrypts a box. Returns `None` if the box was sealed with another key or nonce, or was modified.
    pub(crate) fn open(&self, nonce: &Nonce, boxed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (tag, encrypted) = boxed.split_first_chunk()?;
        cost::bytes(encrypted.len());
        let mut plain = Zeroizing::new(encrypted.to_vec());
        self.decrypt(nonce, &mut plain, tag).then_some(plain)
    }

    /// Returns the Salsa20 key that XSalsa20 derives from this key for all nonces that begin with `purpose`.
    pub(super) fn subkey(&self, purpose: [u8; 16]) -> Zeroizing<[u8; 32]> {
        hsalsa20(&self.0, &purpose)
    }

    /// Encrypts `data` in place with this key and `nonce`. Returns the authentication tag.
    pub(super) fn encrypt(&self, nonce: &Nonce, data: &mut [u8]) -> [u8; TAG] {
        primitives::encrypt(&self.0, nonce, data)
    }

    /// Decrypts `data` in place and returns true if the tag matches; otherwise leaves `data` unchanged. Checks the tag
    /// in constant time.
    pub(super) fn decrypt(&self, nonce: &Nonce, data: &mut [u8], tag: &[u8; TAG]) -> bool {
        primitives::decrypt(&self.0, nonce, data, tag)
    }
}

impl fmt::Debug for BoxKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxKey { .. }")
    }
}
