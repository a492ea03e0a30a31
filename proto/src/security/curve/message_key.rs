//! The key of one direction of the traffic, made for many messages of which most are small.
//!
//! The nonces of a direction differ in their last 8 octets only, so HSalsa20, XSalsa20's first step, gives the same subkey
//! for all of them. A short message takes two or three blocks of Salsa20, and that step is as long as another one: it is
//! done once, and short messages are put together from Salsa20 and Poly1305 as NaCl puts them. For longer ones it does
//! not count, but that Salsa20 is done in many lanes; no library does both.

use super::boxes::{BoxKey, TAG};
use super::nonce::short_nonce;
use super::primitives;
use core::fmt;
use salsa20::Salsa20;
use salsa20::cipher::{KeyIvInit, StreamCipher};
use zeroize::{Zeroize, Zeroizing};

/// The one-time key of Poly1305 is the start of the key stream.
const MAC_KEY: usize = 32;

/// So much is sealed, and opened, the short way: what fits in two and in three blocks, as measured. Opening has more to
/// gain, since in lanes the tag's key is not had before the rest.
const SHORT_SEALED: usize = 2 * 64 - MAC_KEY;
const SHORT_OPENED: usize = 3 * 64 - MAC_KEY;

/// A key and what its nonces begin with. Wiped when dropped.
pub(super) struct MessageKey {
    key: BoxKey,
    purpose: [u8; 16],
    subkey: Zeroizing<[u8; 32]>,
}

impl MessageKey {
    pub(super) fn new(key: &BoxKey, purpose: [u8; 16]) -> Self {
        Self { key: key.clone(), purpose, subkey: key.subkey(purpose) }
    }

    /// Encrypts in place; the result is the tag.
    pub(super) fn encrypt(&self, count: u64, data: &mut [u8]) -> [u8; TAG] {
        if data.len() > SHORT_SEALED {
            return self.key.encrypt(&short_nonce(self.purpose, count), data);
        }
        let mut stream = [0; MAC_KEY + SHORT_SEALED];
        let (mac_key, encrypted) = self.apply(count, data, &mut stream);
        data.copy_from_slice(encrypted);
        let tag = primitives::authenticate(mac_key, data);
        mac_key.zeroize();
        tag
    }

    /// Decrypts in place if the tag is right, which is found out in constant time, and else leaves `data` alone.
    pub(super) fn decrypt(&self, count: u64, data: &mut [u8], tag: &[u8; TAG]) -> bool {
        if data.len() > SHORT_OPENED {
            return self.key.decrypt(&short_nonce(self.purpose, count), data, tag);
        }
        let mut stream = [0; MAC_KEY + SHORT_OPENED];
        let (mac_key, plain) = self.apply(count, data, &mut stream);
        let right = primitives::verify(mac_key, data, tag);
        mac_key.zeroize();
        if right {
            data.copy_from_slice(plain);
        }
        right
    }

    /// In `stream`, which is zero before: the key of the tag, and `data` encrypted or decrypted.
    fn apply<'a>(&self, count: u64, data: &[u8], stream: &'a mut [u8]) -> (&'a mut [u8; MAC_KEY], &'a [u8]) {
        let stream = &mut stream[..MAC_KEY + data.len()];
        stream[MAC_KEY..].copy_from_slice(data);
        Salsa20::new((&*self.subkey).into(), &count.to_be_bytes().into()).apply_keystream(stream);
        let (mac_key, applied) = stream.split_first_chunk_mut().expect("it is longer than the key");
        (mac_key, applied)
    }
}

impl fmt::Debug for MessageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageKey { .. }")
    }
}
