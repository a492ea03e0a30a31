//! The keys of Curve25519 that peers know each other by.

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

/// The characters of a key in Z85.
const TEXT: usize = 40;

/// Why something is not a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// It has another length.
    #[error("a key has 32 octets, or 40 characters in Z85, not {0}")]
    Length(usize),
    /// It has 40 characters, but they are not Z85.
    #[error("a key of 40 characters is written in Z85, but {0}")]
    Text(#[from] Z85Error),
}

/// A key that others may know. It is written in Z85, as 40 characters.
///
/// Any 32 octets are one: what cannot be used is refused when two keys meet, in a handshake.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// The key that consists of these octets.
    pub const fn from_octets(octets: [u8; 32]) -> Self {
        Self(octets)
    }

    /// As octets.
    pub const fn as_octets(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PublicKey {
    /// False for the few points with which every secret leads to the same result, zero.
    pub(crate) fn can_keep_a_secret(&self) -> bool {
        BoxKey::agreed(self, &SecretKey::from_octets([1; 32])).is_some()
    }
}

/// From 32 octets or 40 characters of Z85, which is what libzmq takes.
impl TryFrom<&[u8]> for PublicKey {
    type Error = KeyError;

    fn try_from(key: &[u8]) -> Result<Self, KeyError> {
        let mut octets = [0; 32];
        read(key, &mut octets)?;
        Ok(Self(octets))
    }
}

/// From 40 characters of Z85.
impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let mut octets = [0; 32];
        read_text(text, &mut octets)?;
        Ok(Self(octets))
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

/// A key that its owner alone knows. Wiped from memory when dropped, compared in constant time, and not shown by `Debug`.
#[derive(Clone)]
pub struct SecretKey(Zeroizing<[u8; 32]>);

impl SecretKey {
    /// The key that consists of these octets. Wiping the caller's copy of them is the caller's business.
    pub fn from_octets(octets: [u8; 32]) -> Self {
        Self(Zeroizing::new(octets))
    }

    /// As octets.
    pub fn as_octets(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key that belongs to it.
    pub fn public_key(&self) -> PublicKey {
        PublicKey(MontgomeryPoint::mul_base_clamped(*self.0).to_bytes())
    }

    /// The secret itself, as 40 characters of Z85: for a file that nobody else can read. Wiped when dropped.
    pub fn to_z85(&self) -> Zeroizing<String> {
        Zeroizing::new(z85::encode(&*self.0).expect("32 is a multiple of 4"))
    }
}

/// From 32 octets or 40 characters of Z85, which is what libzmq takes.
impl TryFrom<&[u8]> for SecretKey {
    type Error = KeyError;

    fn try_from(key: &[u8]) -> Result<Self, KeyError> {
        let mut octets = Zeroizing::new([0; 32]);
        read(key, &mut octets)?;
        Ok(Self(octets))
    }
}

/// From 40 characters of Z85.
impl FromStr for SecretKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let mut octets = Zeroizing::new([0; 32]);
        read_text(text, &mut octets)?;
        Ok(Self(octets))
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

/// A secret key and the public one that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPair {
    public: PublicKey,
    secret: SecretKey,
}

impl KeyPair {
    /// A new pair. It is as hard to guess as what `entropy` gives.
    pub fn generate(entropy: &mut dyn Entropy) -> Self {
        let mut octets = Zeroizing::new([0; 32]);
        entropy.fill(&mut *octets);
        Self::from(SecretKey(octets))
    }

    /// What others may know.
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// What nobody else may know.
    pub const fn secret(&self) -> &SecretKey {
        &self.secret
    }
}

/// The public key is computed.
impl From<SecretKey> for KeyPair {
    fn from(secret: SecretKey) -> Self {
        Self { public: secret.public_key(), secret }
    }
}

fn read(key: &[u8], octets: &mut [u8; 32]) -> Result<(), KeyError> {
    match key.len() {
        32 => octets.copy_from_slice(key),
        TEXT => z85::decode_into(key, octets)?,
        other => return Err(KeyError::Length(other)),
    }
    Ok(())
}

fn read_text(text: &str, octets: &mut [u8; 32]) -> Result<(), KeyError> {
    if text.len() != TEXT {
        return Err(KeyError::Length(text.len()));
    }
    Ok(z85::decode_into(text.as_bytes(), octets)?)
}
