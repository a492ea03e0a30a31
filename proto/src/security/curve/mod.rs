//! The CURVE mechanism (RFC 25 and 26): keys, certificates, the handshake, and the encryption of the traffic.
//!
//! ```
//! use sansmq::curve::{KeyPair, PublicKey};
//!
//! let server = KeyPair::random();
//! // Clients need the public key of the server, which is written as 40 characters of Z85.
//! let parsed: PublicKey = server.public().to_string().parse()?;
//! assert_eq!(parsed, *server.public());
//! # Ok::<(), sansmq::curve::KeyError>(())
//! ```
//!
//! The cryptographic primitives are those of other crates:
//!
//! | primitive | crate |
//! |---|---|
//! | Curve25519 | `curve25519-dalek` |
//! | XSalsa20 with Poly1305 (box of NaCl) | `dryoc` on `x86_64` and `aarch64` with Unix or Windows, else `salsa20`, `poly1305` |
//! | Salsa20 of short messages | `salsa20` |
//!
//! [`Entropy`](crate::Entropy) is the only source of random numbers. `dryoc` links `getrandom` but does not call it; on
//! other targets only the feature `std` links `getrandom`.

mod boxes;
mod certificate;
mod error;
mod handshake;
mod keys;
mod message;
// `lanes` and `portable` have the same functions. Without vector instructions `dryoc` has no advantage, and without an
// operating system its dependency `getrandom` does not compile. Tests compile both modules. `Cargo.toml` has the same
// condition.
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

/// The keys that a CURVE client needs: its own key pair, and the public key of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientKeys {
    /// Key pair of the client.
    pub(crate) own: KeyPair,
    /// Long-term public key of the server.
    pub(crate) server: PublicKey,
}
