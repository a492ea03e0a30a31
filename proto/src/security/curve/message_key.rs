//! [`MessageKey`]: the key for the messages of one direction of a connection, optimised for many short messages.
//!
//! The nonces of one direction differ only in their last 8 bytes, so HSalsa20, the first step of XSalsa20, returns the same
//! subkey for all of them. For a short message, which has two or three blocks, this step takes as long as one more block.
//! Therefore the subkey is computed once, and short messages are encrypted with Salsa20 and Poly1305 directly, combined as
//! in NaCl.
//!
//! For longer messages HSalsa20 takes only a small part of the time, and an implementation of XSalsa20 that computes
//! several blocks in parallel is faster. No library combines a precomputed subkey with parallel blocks, so this module
//! selects one of the two implementations by the length of the message.

use super::boxes::{BoxKey, TAG};
use super::nonce::short_nonce;
use super::primitives;
use core::fmt;
use salsa20::Salsa20;
use salsa20::cipher::{KeyIvInit, StreamCipher};
use zeroize::{Zeroize, Zeroizing};

/// Number of bytes of the one-time key of Poly1305. These bytes are the start of the key stream.
const MAC_KEY: usize = 32;

// Maximum bytes of a message that is sealed and opened with the precomputed subkey: two and three blocks, the measured
// optimum. The limit for opening is higher, because the parallel implementation computes the key of the tag only together
// with the other blocks.
const SHORT_SEALED: usize = 2 * 64 - MAC_KEY;
const SHORT_OPENED: usize = 3 * 64 - MAC_KEY;

/// The key and the nonce prefix for the messages of one direction of a connection. Wiped when dropped.
pub(super) struct MessageKey {
    key: BoxKey,
    purpose: [u8; 16],
    subkey: Zeroizing<[u8; 32]>,
}

impl MessageKey {
    pub(super) fn new(key: &BoxKey, purpose: [u8; 16]) -> Self {
        Self { key: key.clone(), purpose, subkey: key.subkey(purpose) }
    }

    /// Encrypts `data` in place and returns the tag. `count` is the counter of the nonce.
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

    /// Decrypts `data` in place and returns true if the tag matches; otherwise leaves `data` unchanged. Checks the tag
    /// in constant time. `count` is the counter of the nonce.
    pub(super) fn decrypt(&self, count: u64, data: &mut [u8], tag: &[u8; TAG]) -> bool {
        if data.len() > SHORT_OPENED {
            return self.key.decrypt(&short_nonce(self.purpose, count), data, tag);
        }
        let mut stream = [0; MAC_KEY + SHORT_OPENED];
        let (mac_key, plain) = self.apply(count, data, &mut stream);
        let matches = primitives::verify(mac_key, data, tag);
        mac_key.zeroize();
        if matches {
            data.copy_from_slice(plain);
        }
        matches
    }

    /// Applies the key stream to `data`, which encrypts or decrypts it, and writes the result to the buffer `stream`.
    /// The buffer must contain zeros. Returns the one-time key of the tag, and the encrypted or decrypted data.
    fn apply<'a>(&self, count: u64, data: &[u8], stream: &'a mut [u8]) -> (&'a mut [u8; MAC_KEY], &'a [u8]) {
        let stream = &mut stream[..MAC_KEY + data.len()];
        stream[MAC_KEY..].copy_from_slice(data);
        Salsa20::new((&*self.subkey).into(), &count.to_be_bytes().into()).apply_keystream(stream);
        let (mac_key, applied) = stream.split_first_chunk_mut().expect("`stream` begins with the key of the tag");
        (mac_key, applied)
    }
}

impl fmt::Debug for MessageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageKey { .. }")
    }
}
