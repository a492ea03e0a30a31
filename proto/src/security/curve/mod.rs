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
//! No algorithm is written in here. Curve25519 is `curve25519-dalek`'s; XSalsa20 with Poly1305, NaCl's box, is `dryoc`'s. For
//! short messages Salsa20 is `salsa20`'s.
//!
//! Without an operating system `dryoc` still asks `getrandom` to be there, though nothing here draws from it: on such a
//! target, build with `--cfg getrandom_backend="unsupported"` or a backend of your own.

mod boxes;
mod certificate;
mod cipher;
mod error;
mod handshake;
mod keys;
mod lanes;
#[cfg(test)]
mod tests;
mod traffic;
pub mod z85;

use lanes as primitives;

#[cfg(test)]
pub(crate) use boxes::{BoxKey, long_nonce, short_nonce};
pub use certificate::{Certificate, CertificateError};
#[cfg(test)]
pub(crate) use cipher::Role;
pub(crate) use cipher::{OVERHEAD, Opener, Sealer};
pub use error::CurveError;
pub(in crate::security) use handshake::{CurveClient, CurveServer, Luck, Traffic};
pub use keys::{KeyError, KeyPair, PublicKey, SecretKey};

/// Who a client is, and whom it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientKeys {
    /// Its own key pair.
    pub(crate) own: KeyPair,
    /// The long-term key of the server.
    pub(crate) server: PublicKey,
}
