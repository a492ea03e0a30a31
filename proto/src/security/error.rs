//! [`MechanismError`]: why a security handshake failed.

use super::AuthStatus;
#[cfg(feature = "curve")]
use super::curve::CurveError;
use crate::wire::DecodeError;
use bytes::Bytes;
use thiserror::Error;

/// Reason for which the handshake of a security mechanism failed. A connection reports it as its `ConnectionError`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum MechanismError {
    /// A command does not have the form that its RFC requires.
    #[error("the peer broke the protocol: {0}")]
    Malformed(#[from] DecodeError),
    /// A command arrived in a state of the handshake that does not allow it.
    #[error("the peer broke the protocol: {0}")]
    Unexpected(&'static str),
    /// Both sides are servers of the mechanism, or both are clients.
    #[cfg(any(feature = "plain", feature = "curve"))]
    #[error("both sides are {} of the security mechanism; one has to be its {}", if *.server { "servers" } else { "clients" }, if *.server { "client" } else { "server" })]
    SameRole {
        /// True if this side is the server.
        server: bool,
    },
    /// The peer sent ERROR with this reason.
    #[error("the peer refused the connection: {}", .0.escape_ascii())]
    Refused(Bytes),
    /// The authentication of this side refused the peer.
    #[error("the peer was not admitted: {0}")]
    Denied(AuthStatus),
    /// The CURVE mechanism failed: a key is wrong, or a command was modified in transit.
    #[cfg(feature = "curve")]
    #[error("CURVE: {0}")]
    Curve(#[from] CurveError),
}
