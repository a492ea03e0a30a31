//! XSalsa20 and Poly1305 of the crates `salsa20` and `poly1305`, which need no operating system and no vector instructions.
//!
//! Used on all targets for which the module `lanes` is not compiled. Has the same functions as `lanes`.

use super::boxes::TAG;
use super::nonce::Nonce;
use poly1305::Poly1305;
use poly1305::universal_hash::KeyInit;
use salsa20::cipher::consts::U10;
use salsa20::cipher::{KeyIvInit, StreamCipher};
use salsa20::{Salsa20, hsalsa};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// Encrypts `data` in place with XSalsa20 and returns the Poly1305 tag of the result.
pub(super) fn encrypt(key: &[u8; 32], nonce: &Nonce, data: &mut [u8]) -> [u8; TAG] {
    let (mut cipher, mac_key) = start(key, nonce);
    cipher.apply_keystream(data);
    authenticate(&mac_key, data)
}

/// Decrypts `data` in place if `tag` matches. Otherwise returns `false` and leaves `data` unchanged.
pub(super) fn decrypt(key: &[u8; 32], nonce: &Nonce, data: &mut [u8], tag: &[u8; TAG]) -> bool {
    let (mut cipher, mac_key) = start(key, nonce);
    let matches = verify(&mac_key, data, tag);
    if matches {
        cipher.apply_keystream(data);
    }
    matches
}

/// Derives the Salsa20 key that XSalsa20 uses for all nonces that begin with `input`.
pub(super) fn hsalsa20(key: &[u8; 32], input: &[u8; 16]) -> Zeroizing<[u8; 32]> {
    // `U10` double rounds are the 20 rounds of Salsa20.
    let mut returned = hsalsa::<U10>(key.into(), input.into());
    let derived = Zeroizing::new(returned.into());
    returned.zeroize();
    derived
}

/// Returns the Poly1305 tag of `data`. A key must authenticate only one message.
pub(super) fn authenticate(key: &[u8; 32], data: &[u8]) -> [u8; TAG] {
    Poly1305::new(key.into()).compute_unpadded(data).into()
}

/// Compares `tag` with the Poly1305 tag of `data` in constant time.
pub(super) fn verify(key: &[u8; 32], data: &[u8], tag: &[u8; TAG]) -> bool {
    authenticate(key, data).ct_eq(tag).into()
}

/// Creates the cipher, and splits off the first 32 bytes of its key stream, which are the one-time key of the tag.
/// Returns the cipher, which continues after these bytes, and the one-time key.
fn start(key: &[u8; 32], nonce: &Nonce) -> (Salsa20, Zeroizing<[u8; 32]>) {
    let (prefix, rest) = nonce.split_first_chunk().expect("a nonce has 24 bytes");
    let rest: &[u8; 8] = rest.try_into().expect("a nonce has 24 bytes");
    let subkey = hsalsa20(key, prefix);
    let mut cipher = Salsa20::new((&*subkey).into(), rest.into());
    let mut mac_key = Zeroizing::new([0; 32]);
    cipher.apply_keystream(&mut *mac_key);
    (cipher, mac_key)
}
