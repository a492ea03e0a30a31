//! [`CurveError`]: errors of CURVE connections.

use super::message::OpenError;
use thiserror::Error;

/// Error that ends a connection of the CURVE mechanism. The peer does not receive the reason.
#[doc(alias("ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC", "ZMQ_PROTOCOL_ERROR_ZMTP_INVALID_SEQUENCE"))]
#[doc(alias = "ZMQ_PROTOCOL_ERROR_ZMTP_KEY_EXCHANGE")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CurveError {
    /// The peer sent a handshake command of invalid length. Carries the name of the command.
    #[error("a {0} command does not have the length that RFC 26 requires")]
    Length(&'static str),
    /// The client uses another version of the protocol `CurveZMQ` than 1.0.
    #[error("the client uses CurveZMQ {major}.{minor}, this side supports only 1.0")]
    Version {
        /// Major version of the client.
        major: u8,
        /// Minor version of the client.
        minor: u8,
    },
    /// A handshake command from the peer cannot be decrypted. Carries the name of the command.
    #[error(
        "the {0} command cannot be decrypted: the client is configured with a wrong public key of the server, or the command was \
         modified in transit"
    )]
    Box(&'static str),
    /// The public key of the peer is a point of low order. With such a key, the shared secret would not be secret.
    #[error("a public key of the peer is a point of low order, which allows no secret key agreement")]
    WeakKey,
    /// The client sent an INITIATE without the cookie that this server sent in WELCOME on this connection.
    #[error("the INITIATE command does not contain the cookie of the WELCOME command of this connection")]
    Cookie,
    /// The client sent its INITIATE more than one minute after WELCOME, when the cookie of the server had expired (RFC
    /// 26).
    #[error("the INITIATE command arrived more than one minute after WELCOME")]
    StaleCookie,
    /// The vouch in the client's INITIATE is invalid. With the vouch the client proves that it has its secret long-term
    /// key. The proof must be made for this connection and this server.
    #[error("the vouch of the client does not prove ownership of its key for this server and this connection")]
    Vouch,
    /// The peer sent an unencrypted frame after the handshake. From then on, every frame must be a MESSAGE.
    #[error("a frame after the CURVE handshake is not a MESSAGE; it may have been sent unencrypted")]
    Clear,
    /// The peer sent a MESSAGE with the flag MORE in its unencrypted frame head. This flag must be in the encrypted
    /// flags.
    #[error("a MESSAGE has the flag MORE in its unencrypted frame head")]
    OuterMore,
    /// The peer sent a MESSAGE with invalid encrypted flags. Carries the byte of flags.
    #[error("a MESSAGE has the encrypted flags {0:#04x}; only MORE or COMMAND are allowed")]
    Flags(u8),
    /// A received MESSAGE is repeated or out of order.
    #[error("a MESSAGE is repeated or out of order: its nonce is not higher than the nonce before")]
    Sequence,
    /// A received MESSAGE was modified in transit, or encrypted with another key.
    #[error("a MESSAGE was modified in transit, or encrypted with another key")]
    Message,
    /// This side can encrypt no more frames, because it has used all nonces of the key of the connection.
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
