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
    /// The peer sent a command that violates the grammar in the RFC of the mechanism.
    #[error("the peer violated the protocol: {0}")]
    Malformed(#[from] DecodeError),
    /// The peer sent a command that is not allowed at this point of the handshake. Carries a description of the error.
    #[error("the peer violated the protocol: {0}")]
    Unexpected(&'static str),
    /// Both sides have the server role of the mechanism, or both the client role.
    #[cfg(any(feature = "plain", feature = "curve"))]
    #[error("both sides are {} of the security mechanism; one must be the {}", if *.server { "servers" } else { "clients" }, if *.server { "client" } else { "server" })]
    SameRole {
        /// True if both sides have the server role, false if both have the client role.
        server: bool,
    },
    /// The peer rejected this side with an ERROR command. Carries the reason in the command.
    #[error("the peer refused the connection: {}", .0.escape_ascii())]
    Refused(Bytes),
    /// The peer closed the connection with a CLOSE command. Carries the reason in the command.
    #[error("the peer closed the connection: {}", .0.escape_ascii())]
    Closed(Bytes),
    /// This side rejected the peer, because authentication failed. Carries the reason.
    #[error("the authentication rejected the peer: {0}")]
    Denied(AuthStatus),
    /// The CURVE mechanism failed, for example because of a wrong key, or a command that was modified in transit.
    /// Carries the error.
    #[cfg(feature = "curve")]
    #[error("CURVE: {0}")]
    Curve(#[from] CurveError),
}
