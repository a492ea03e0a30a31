//! Tests of CURVE with the test vectors of NaCl, and with recorded sessions of libzmq.

mod boxes;
mod certificate;
mod keys;
mod message;
mod primitives;
mod recorded;

use super::{PublicKey, SecretKey};
use crate::entropy::SeededEntropy;
use alloc::vec::Vec;

fn from_hex(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks_exact(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
}

fn array<const N: usize>(hex: &str) -> [u8; N] {
    from_hex(hex).try_into().unwrap()
}

fn public(hex: &str) -> PublicKey {
    PublicKey::from_bytes(array(hex))
}

fn secret(hex: &str) -> SecretKey {
    SecretKey::from_bytes(array(hex))
}

fn entropy() -> SeededEntropy {
    SeededEntropy::new(26)
}
