//! What can be wrong with a CURVE connection.

use super::message::OpenError;
use thiserror::Error;

/// Why a connection of the CURVE mechanism ended. Nothing of it is told to the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CurveError {
    /// A command of the handshake has not the length it must have.
    #[error("a {0} command has not the length that RFC 26 gives it")]
    Length(&'static str),
    /// The client speaks another version of `CurveZMQ`.
    #[error("the client speaks CurveZMQ {major}.{minor}, this side 1.0")]
    Version {
        /// Its major number.
        major: u8,
        /// Its minor number.
        minor: u8,
    },
    /// The box in a command of the handshake cannot be opened.
    #[error(
        "the {0} command cannot be opened: the client has another public key of the server than the server's, or it was changed on its way"
    )]
    Box(&'static str),
    /// A key of the peer is one of the few that lead to a secret which everybody knows.
    #[error("a public key of the peer is none that could keep a secret")]
    WeakKey,
    /// The cookie that came back is not the one that was given.
    #[error("the INITIATE command brings another cookie than the one this connection was given")]
    Cookie,
    /// A minute has passed since the cookie was given (RFC 26).
    #[error("the INITIATE command came later than a minute after WELCOME")]
    StaleCookie,
    /// The client does not prove that it has the secret half of its long-term key, or proves it for another connection or
    /// server.
    #[error("the client's vouch does not prove that it owns its key, and means this server and this connection")]
    Vouch,
    /// A frame in the traffic is shorter than an empty MESSAGE, or none.
    #[error("a frame is no MESSAGE, as every frame is after a CURVE handshake: it may have been sent in clear")]
    Clear,
    /// A MESSAGE has another flag outside of its encryption than COMMAND.
    #[error("a MESSAGE has MORE set where it is not encrypted")]
    OuterMore,
    /// A MESSAGE has flags inside that do not exist.
    #[error("a MESSAGE has the flags {0:#04x} inside; only MORE or COMMAND are allowed")]
    Flags(u8),
    /// A MESSAGE came again, or after a later one.
    #[error("a MESSAGE came again, or after a later one: its nonce does not rise")]
    Sequence,
    /// A MESSAGE was changed, or encrypted with another key.
    #[error("a MESSAGE was changed on its way, or encrypted with another key")]
    Message,
    /// This side has encrypted 2^64 frames with the key of the connection.
    #[error("every nonce of the connection was used; it has to be made anew")]
    NoncesSpent,
}

impl From<OpenError> for CurveError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Short | OpenError::Name => Self::Clear,
            OpenError::Sequence => Self::Sequence,
            OpenError::Tag => Self::Message,
        }
    }
}
