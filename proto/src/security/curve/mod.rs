//! The cryptographic ground of CURVE (RFC 25 and 26): keys, the certificates they are kept in, and the boxes that carry
//! what two peers say.
//!
//! ```
//! use sansmq_proto::security::curve::{KeyPair, PublicKey};
//!
//! let server = KeyPair::random();
//! // The public key is what clients are told; it travels as 40 characters.
//! let told: PublicKey = server.public().to_string().parse()?;
//! assert_eq!(told, *server.public());
//! # Ok::<(), sansmq_proto::security::curve::KeyError>(())
//! ```
//!
//! No algorithm is written in here. Curve25519 is `curve25519-dalek`'s. XSalsa20 with Poly1305, NaCl's box, is `dryoc`'s on
//! `x86_64` and `aarch64` with Unix or Windows, and `salsa20`'s and `poly1305`'s on every other target. For short messages
//! Salsa20 is `salsa20`'s.
//!
//! Random numbers come from an [`Entropy`](crate::Entropy) alone. `dryoc` links `getrandom` and does not call it; on the other
//! targets only the feature `std` links it.

mod boxes;
mod certificate;
mod error;
mod handshake;
mod keys;
mod message;
// Both offer the same functions. Without vector instructions `dryoc` has no advantage, and without an operating system its
// dependency `getrandom` does not compile. Tests compile both. The same condition is in `Cargo.toml`.
#[cfg(all(any(unix, windows), any(target_arch = "x86_64", target_arch = "aarch64")))]
mod lanes;
mod message_key;
mod nonce;
#[cfg(any(test, not(all(any(unix, windows), any(target_arch = "x86_64", target_arch = "aarch64")))))]
mod portable;
#[cfg(test)]
mod tests;
pub mod z85;

#[cfg(all(any(unix, windows), any(target_arch = "x86_64", target_arch = "aarch64")))]
use lanes as primitives;
#[cfg(not(all(any(unix, windows), any(target_arch = "x86_64", target_arch = "aarch64"))))]
use portable as primitives;

#[cfg(test)]
pub(crate) use boxes::BoxKey;
pub use certificate::{Certificate, CertificateError};
pub use error::CurveError;
pub(in crate::security) use handshake::{CurveClient, CurveServer, EphemeralKeys, Traffic};
pub use keys::{KeyError, KeyPair, PublicKey, SecretKey};
#[cfg(test)]
pub(crate) use message::Role;
pub(crate) use message::{OVERHEAD, Opener, Sealer};
#[cfg(test)]
pub(crate) use nonce::{long_nonce, short_nonce};

/// Who a client is, and whom it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientKeys {
    /// Its own key pair.
    pub(crate) own: KeyPair,
    /// The long-term key of the server.
    pub(crate) server: PublicKey,
}
