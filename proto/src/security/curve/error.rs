//! [`CurveError`]: errors of CURVE connections.

use super::message::OpenError;
use thiserror::Error;

/// Error that ends a connection of the CURVE mechanism. The peer does not receive the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CurveError {
    /// Handshake command of invalid length. Carries the name of the command.
    #[error("a {0} command does not have the length that RFC 26 requires")]
    Length(&'static str),
    /// Client with another version of the protocol `CurveZMQ` than 1.0.
    #[error("the client uses CurveZMQ {major}.{minor}, this side supports only 1.0")]
    Version {
        /// Major version of the client.
        major: u8,
        /// Minor version of the client.
        minor: u8,
    },
    /// Handshake command that cannot be decrypted. Carries the name of the command.
    #[error(
        "the {0} command cannot be decrypted: the client is configured with a wrong public key of the server, or the command was \
         modified in transit"
    )]
    Box(&'static str),
    /// Public key of the peer that is a point of low order. With such a key, the shared secret would be known to
    /// everyone.
    #[error("a public key of the peer is a point of low order, which allows no secret key agreement")]
    WeakKey,
    /// INITIATE without the cookie that the server sent in WELCOME on this connection.
    #[error("the INITIATE command does not contain the cookie of the WELCOME command of this connection")]
    Cookie,
    /// INITIATE more than one minute after WELCOME, when the cookie has expired (RFC 26).
    #[error("the INITIATE command arrived more than one minute after WELCOME")]
    StaleCookie,
    /// Invalid vouch. With the vouch in INITIATE the client proves that it has its secret long-term key. The proof must
    /// be made for this connection and this server.
    #[error("the vouch of the client does not prove ownership of its key for this server and this connection")]
    Vouch,
    /// Unencrypted frame after the handshake, where every frame must be a MESSAGE.
    #[error("a frame after the CURVE handshake is not a MESSAGE; it may have been sent unencrypted")]
    Clear,
    /// MESSAGE with the flag MORE in its unencrypted frame head. This flag must be in the encrypted flags.
    #[error("a MESSAGE has the flag MORE in its unencrypted frame head")]
    OuterMore,
    /// MESSAGE with invalid encrypted flags. Carries the byte of flags.
    #[error("a MESSAGE has the encrypted flags {0:#04x}; only MORE or COMMAND are allowed")]
    Flags(u8),
    /// MESSAGE that is repeated or out of order.
    #[error("a MESSAGE is repeated or out of order: its nonce is not higher than the nonce before")]
    Sequence,
    /// MESSAGE that was modified, or encrypted with another key.
    #[error("a MESSAGE was modified in transit, or encrypted with another key")]
    Message,
    /// No unused nonce is left: this side has used the highest of the 2^64 nonces of the key of the connection.
    #[error("all nonces of the connection are used; a new connection is required")]
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
