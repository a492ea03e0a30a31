//! [`MechanismError`]: errors of security handshakes.

use super::AuthStatus;
#[cfg(feature = "curve")]
use super::curve::CurveError;
use crate::wire::DecodeError;
use bytes::Bytes;
use thiserror::Error;

/// Error of a security handshake. A connection converts it into a `ConnectionError`.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum MechanismError {
    /// Command that violates the grammar in the RFC of the mechanism.
    #[error("the peer violated the protocol: {0}")]
    Malformed(#[from] DecodeError),
    /// Command that is not allowed at this point of the handshake. Carries a description of the error.
    #[error("the peer violated the protocol: {0}")]
    Unexpected(&'static str),
    /// Both sides have the server role of the mechanism, or both the client role.
    #[cfg(any(feature = "plain", feature = "curve"))]
    #[error("both sides are {} of the security mechanism; one must be the {}", if *.server { "servers" } else { "clients" }, if *.server { "client" } else { "server" })]
    SameRole {
        /// True if this side is the server.
        server: bool,
    },
    /// ERROR command that was received from the peer. Carries the reason in the command.
    #[error("the peer refused the connection: {}", .0.escape_ascii())]
    Refused(Bytes),
    /// Rejection of the peer by this side, because authentication failed. Carries the reason.
    #[error("the authentication rejected the peer: {0}")]
    Denied(AuthStatus),
    /// Failure of the CURVE mechanism: a wrong key, or a command that was modified in transit.
    #[cfg(feature = "curve")]
    #[error("CURVE: {0}")]
    Curve(#[from] CurveError),
}
