//! [`PublicKey`], [`SecretKey`] and [`KeyPair`]: the Curve25519 keys of peers.

use super::boxes::BoxKey;
use super::z85::{self, Z85Error};
use crate::entropy::Entropy;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;
use curve25519_dalek::MontgomeryPoint;
use subtle::ConstantTimeEq;
use thiserror::Error;
use zeroize::Zeroizing;

/// Number of characters of a key in Z85.
const TEXT: usize = 40;

/// Error of parsing a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The input has neither 32 bytes nor 40 characters of Z85. Carries the length of the input, in bytes.
    #[error("a key must have 32 bytes, or 40 characters of Z85, not {0}")]
    Length(usize),
    /// The input has 40 characters, but is not valid Z85.
    #[error("a key of 40 characters must be Z85, but {0}")]
    Text(#[from] Z85Error),
}

/// A public key. Its text form is 40 characters of Z85.
///
/// Any 32 bytes are accepted. A handshake with an unusable key, a point of low order, fails.
#[doc(alias("ZMQ_CURVE_PUBLICKEY", "CURVE_PUBLICKEY", "ZMQ_CURVE_SERVERKEY", "CURVE_SERVERKEY"))]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Creates a key from its bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes of the key.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PublicKey {
    /// Returns false for points of low order, with which the key agreement results in zero for every secret key.
    pub(crate) fn is_usable(&self) -> bool {
        BoxKey::agreed(self, &SecretKey::from_bytes([1; 32])).is_some()
    }
}

/// Converts from 32 bytes or 40 characters of Z85, as libzmq does.
impl TryFrom<&[u8]> for PublicKey {
    type Error = KeyError;

    fn try_from(key: &[u8]) -> Result<Self, KeyError> {
        let mut bytes = [0; 32];
        read(key, &mut bytes)?;
        Ok(Self(bytes))
    }
}

/// Parses 40 characters of Z85.
impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let mut bytes = [0; 32];
        read_text(text, &mut bytes)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&z85::encode(&self.0).expect("32 is a multiple of 4"))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// A secret key. Wiped from memory when dropped, compared in constant time, and omitted by `Debug`.
#[doc(alias("ZMQ_CURVE_SECRETKEY", "CURVE_SECRETKEY"))]
#[derive(Clone)]
pub struct SecretKey(Zeroizing<[u8; 32]>);

impl SecretKey {
    /// Creates a key from its bytes. The caller must wipe its own copy of the bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Returns the bytes of the key.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Computes the public key that belongs to this secret key.
    #[doc(alias("zmq_curve_public", "curve_public"))]
    pub fn public_key(&self) -> PublicKey {
        PublicKey(MontgomeryPoint::mul_base_clamped(*self.0).to_bytes())
    }

    /// Returns the secret key as 40 characters of Z85, for a file that no other user can read. Wiped when dropped.
    pub fn to_z85(&self) -> Zeroizing<String> {
        Zeroizing::new(z85::encode(&*self.0).expect("32 is a multiple of 4"))
    }
}

/// Converts from 32 bytes or 40 characters of Z85, as libzmq does.
impl TryFrom<&[u8]> for SecretKey {
    type Error = KeyError;

    fn try_from(key: &[u8]) -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; 32]);
        read(key, &mut bytes)?;
        Ok(Self(bytes))
    }
}

/// Parses 40 characters of Z85.
impl FromStr for SecretKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; 32]);
        read_text(text, &mut bytes)?;
        Ok(Self(bytes))
    }
}

impl PartialEq for SecretKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&*other.0).into()
    }
}

impl Eq for SecretKey {}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey { .. }")
    }
}

/// A secret key and its public key.
#[doc(alias("zmq_curve_keypair", "curve_keypair", "zcert"))]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPair {
    public: PublicKey,
    secret: SecretKey,
}

impl KeyPair {
    /// Generates a key pair from 32 bytes of `entropy`. The secret key is as unpredictable as these bytes.
    #[doc(alias("zmq_curve_keypair", "curve_keypair"))]
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        entropy.fill(&mut *bytes);
        Self::from(SecretKey(bytes))
    }

    /// Returns the public key.
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Returns the secret key.
    pub const fn secret(&self) -> &SecretKey {
        &self.secret
    }
}

/// Creates the key pair of a secret key; computes the public key.
impl From<SecretKey> for KeyPair {
    fn from(secret: SecretKey) -> Self {
        Self { public: secret.public_key(), secret }
    }
}

fn read(key: &[u8], bytes: &mut [u8; 32]) -> Result<(), KeyError> {
    match key.len() {
        32 => bytes.copy_from_slice(key),
        TEXT => z85::decode_into(key, bytes)?,
        other => return Err(KeyError::Length(other)),
    }
    Ok(())
}

fn read_text(text: &str, bytes: &mut [u8; 32]) -> Result<(), KeyError> {
    if text.len() != TEXT {
        return Err(KeyError::Length(text.len()));
    }
    Ok(z85::decode_into(text.as_bytes(), bytes)?)
}
