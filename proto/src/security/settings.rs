//! [`Security`]: the security mechanism of a socket, its role, and its credentials.

#[cfg(feature = "curve")]
use super::curve::{ClientKeys, KeyPair, PublicKey};
use crate::wire::MechanismName;
#[cfg(feature = "curve")]
use alloc::sync::Arc;
#[cfg(feature = "plain")]
use bytes::Bytes;
#[cfg(feature = "plain")]
use core::fmt;
use thiserror::Error;

/// The security mechanism of all connections of a socket, its role, and its credentials.
///
/// Both sides must use the same mechanism, in different roles. The client and server roles of a mechanism are independent
/// of which side binds and which side connects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Security {
    /// No security (RFC 37): no encryption, and by default every peer that reaches the port is accepted.
    #[doc(alias = "ZMQ_NULL")]
    #[default]
    Null,
    /// PLAIN client: sends a user name and a password in clear text (RFC 24; `PLAIN_USERNAME`, `PLAIN_PASSWORD`).
    #[doc(alias("ZMQ_PLAIN", "PLAIN", "ZMQ_PLAIN_USERNAME", "ZMQ_PLAIN_PASSWORD"))]
    #[cfg(feature = "plain")]
    PlainClient(PlainCredentials),
    /// PLAIN server: requires a user name and a password (RFC 24; `PLAIN_SERVER`).
    ///
    /// Rejects every peer unless an [authenticator](crate::Options::authenticator) or a ZAP handler accepts it. While
    /// there is neither, the connection is closed without an ERROR, and the peer can connect again.
    #[doc(alias("ZMQ_PLAIN", "PLAIN", "ZMQ_PLAIN_SERVER"))]
    #[cfg(feature = "plain")]
    PlainServer,
    /// CURVE client: encrypts, and proves that it owns a key (RFC 26; `CURVE_PUBLICKEY`, `CURVE_SECRETKEY`,
    /// `CURVE_SERVERKEY`).
    #[doc(alias("ZMQ_CURVE", "CURVE", "ZMQ_CURVE_SERVERKEY", "CURVE_SERVERKEY"))]
    #[cfg(feature = "curve")]
    CurveClient(Arc<ClientKeys>),
    /// CURVE server: encrypts, and requires that each client proves that it owns a key (RFC 26; `CURVE_SERVER`,
    /// `CURVE_SECRETKEY`).
    ///
    /// Rejects every peer unless an [authenticator](crate::Options::authenticator) or a ZAP handler accepts it, or the
    /// socket has the option [`any_key`](crate::Options::any_key). While there is none of these, the connection is closed
    /// without an ERROR, and the peer can connect again. libzmq accepts any key instead.
    #[doc(alias("ZMQ_CURVE", "CURVE", "ZMQ_CURVE_SERVER"))]
    #[cfg(feature = "curve")]
    CurveServer(Arc<KeyPair>),
}

/// User name and password that a PLAIN client sends to the server.
#[cfg(feature = "plain")]
#[derive(Clone, PartialEq, Eq)]
pub struct PlainCredentials {
    pub(crate) username: Bytes,
    pub(crate) password: Bytes,
}

#[cfg(feature = "plain")]
impl Security {
    /// Creates the settings of a PLAIN client (`PLAIN_USERNAME`, `PLAIN_PASSWORD`). The user name and the password are
    /// transmitted in clear text.
    ///
    /// # Errors
    /// [`SecurityError::PlainCredentials`] if the user name or the password has more than 255 bytes.
    #[doc(alias("ZMQ_PLAIN_USERNAME", "PLAIN_USERNAME", "ZMQ_PLAIN_PASSWORD", "PLAIN_PASSWORD"))]
    pub fn plain_client(username: impl Into<Bytes>, password: impl Into<Bytes>) -> Result<Self, SecurityError> {
        let credentials = PlainCredentials { username: username.into(), password: password.into() };
        if credentials.username.len().max(credentials.password.len()) > 255 {
            return Err(SecurityError::PlainCredentials);
        }
        Ok(Self::PlainClient(credentials))
    }
}

#[cfg(feature = "curve")]
impl Security {
    /// Creates the settings of a CURVE client (`CURVE_PUBLICKEY`, `CURVE_SECRETKEY`, `CURVE_SERVERKEY`).
    ///
    /// `own` identifies this client to the server. `server` is the public key of the server; a server without the matching
    /// secret key cannot complete the handshake.
    ///
    /// # Errors
    /// [`SecurityError::ServerKey`] if `server` is a point of low order, such as all zeros, with which no secret can be
    /// agreed.
    #[doc(alias("ZMQ_CURVE_PUBLICKEY", "CURVE_PUBLICKEY", "ZMQ_CURVE_SECRETKEY", "CURVE_SECRETKEY"))]
    #[doc(alias("ZMQ_CURVE_SERVERKEY", "CURVE_SERVERKEY"))]
    pub fn curve_client(own: KeyPair, server: PublicKey) -> Result<Self, SecurityError> {
        if !server.is_usable() {
            return Err(SecurityError::ServerKey);
        }
        Ok(Self::CurveClient(Arc::new(ClientKeys { own, server })))
    }

    /// Creates the settings of a CURVE server (`CURVE_SERVER`, `CURVE_SECRETKEY`). The server accepts no client without
    /// an authenticator; see [`CurveServer`](Self::CurveServer).
    #[doc(alias("ZMQ_CURVE_SECRETKEY", "CURVE_SECRETKEY"))]
    pub fn curve_server(own: KeyPair) -> Self {
        Self::CurveServer(Arc::new(own))
    }
}

/// Shows the user name, but omits the password.
#[cfg(feature = "plain")]
impl fmt::Debug for PlainCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlainCredentials").field("username", &self.username).finish_non_exhaustive()
    }
}

impl Security {
    /// Returns the name of the mechanism that this side sends in its greeting.
    pub(crate) const fn mechanism(&self) -> MechanismName {
        match self {
            Self::Null => MechanismName::NULL,
            #[cfg(feature = "plain")]
            Self::PlainClient(_) | Self::PlainServer => MechanismName::PLAIN,
            #[cfg(feature = "curve")]
            Self::CurveClient(_) | Self::CurveServer(_) => MechanismName::CURVE,
        }
    }

    /// Returns true if an unauthenticated peer can make this side do expensive computations. This is true only for a
    /// CURVE server, which does a key agreement for each HELLO.
    pub(crate) const fn is_costly(&self) -> bool {
        match self {
            Self::Null => false,
            #[cfg(feature = "plain")]
            Self::PlainClient(_) | Self::PlainServer => false,
            #[cfg(feature = "curve")]
            Self::CurveClient(_) => false,
            #[cfg(feature = "curve")]
            Self::CurveServer(_) => true,
        }
    }

    /// Returns true if this side has the server role of PLAIN or CURVE.
    pub(crate) const fn is_server(&self) -> bool {
        match self {
            Self::Null => false,
            #[cfg(feature = "plain")]
            Self::PlainClient(_) => false,
            #[cfg(feature = "plain")]
            Self::PlainServer => true,
            #[cfg(feature = "curve")]
            Self::CurveClient(_) => false,
            #[cfg(feature = "curve")]
            Self::CurveServer(_) => true,
        }
    }
}

/// Error of credentials that a mechanism cannot use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SecurityError {
    /// The user name or the password of a PLAIN client has more than 255 bytes, the limit of RFC 24.
    #[error("the user name and the password of PLAIN may have at most 255 bytes each")]
    PlainCredentials,
    /// The server key that was set for a CURVE client is a point of low order. With such a key the shared secret would
    /// not be secret.
    #[error(
        "the server key is not usable: it is a point of low order, such as all zeros; use the public key of the server"
    )]
    ServerKey,
}
