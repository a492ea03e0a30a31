//! XSalsa20 and Poly1305 of `dryoc`, which computes several blocks at once with the vector instructions of the processor.
//!
//! This module is compiled for `x86_64` and `aarch64` with Unix or Windows. It has the same functions as the module
//! `portable`.

use super::boxes::TAG;
use super::nonce::Nonce;
use dryoc::classic::crypto_box::{crypto_box_detached_afternm_inplace, crypto_box_open_detached_afternm_inplace};
use dryoc::classic::crypto_core::crypto_core_hsalsa20;
use dryoc::classic::crypto_onetimeauth::{crypto_onetimeauth, crypto_onetimeauth_verify};
use zeroize::Zeroizing;

/// Encrypts `data` in place with XSalsa20 and returns the Poly1305 tag of the result.
pub(super) fn encrypt(key: &[u8; 32], nonce: &Nonce, data: &mut [u8]) -> [u8; TAG] {
    let mut tag = [0; TAG];
    crypto_box_detached_afternm_inplace(data, &mut tag, nonce, key);
    tag
}

/// Decrypts `data` in place if `tag` matches. Otherwise returns `false` and leaves `data` unchanged.
pub(super) fn decrypt(key: &[u8; 32], nonce: &Nonce, data: &mut [u8], tag: &[u8; TAG]) -> bool {
    crypto_box_open_detached_afternm_inplace(data, tag, nonce, key).is_ok()
}

/// Derives the Salsa20 key that XSalsa20 uses for all nonces that begin with `input`.
pub(super) fn hsalsa20(key: &[u8; 32], input: &[u8; 16]) -> Zeroizing<[u8; 32]> {
    let mut derived = Zeroizing::new([0; 32]);
    crypto_core_hsalsa20(&mut derived, input, key, None);
    derived
}

/// Returns the Poly1305 tag of `data`. A key must authenticate only one message.
pub(super) fn authenticate(key: &[u8; 32], data: &[u8]) -> [u8; TAG] {
    let mut tag = [0; TAG];
    crypto_onetimeauth(&mut tag, data, key);
    tag
}

/// Compares `tag` with the Poly1305 tag of `data` in constant time.
pub(super) fn verify(key: &[u8; 32], data: &[u8], tag: &[u8; TAG]) -> bool {
    crypto_onetimeauth_verify(tag, data, key).is_ok()
}
