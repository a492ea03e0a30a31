//! [`Security`]: the choice of a mechanism, the role in it, and the credentials that it needs.

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

/// Which security mechanism a socket uses on all its connections, and in which role. Who is the server of a mechanism and
/// who the client has nothing to do with who binds and who connects.
///
/// Both sides must use the same mechanism, in different roles. What is missing cannot be left out: every variant holds
/// what it needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Security {
    /// None: everybody reads and changes what travels, and everybody comes in who reaches the port (RFC 37).
    #[default]
    Null,
    /// Shows a user and a password, in clear (RFC 24; `PLAIN_USERNAME`, `PLAIN_PASSWORD`).
    #[cfg(feature = "plain")]
    PlainClient(PlainCredentials),
    /// Asks for a user and a password (RFC 24; `PLAIN_SERVER`). Nobody comes in unless an
    /// [authenticator](crate::Options::authenticator) or a ZAP handler says so.
    #[cfg(feature = "plain")]
    PlainServer,
    /// Encrypts, and comes in as the owner of a key (RFC 26; `CURVE_PUBLICKEY`, `CURVE_SECRETKEY`, `CURVE_SERVERKEY`).
    #[cfg(feature = "curve")]
    CurveClient(Arc<ClientKeys>),
    /// Encrypts, and lets in who has a key (RFC 26; `CURVE_SERVER`, `CURVE_SECRETKEY`).
    ///
    /// **Any key**, unless an [authenticator](crate::Options::authenticator), a [domain](crate::Options::zap_domain) or a ZAP handler is
    /// there to look at it: then nobody reads along, but everybody comes in.
    #[cfg(feature = "curve")]
    CurveServer(Arc<KeyPair>),
}

/// A user and a password for the PLAIN mechanism.
#[cfg(feature = "plain")]
#[derive(Clone, PartialEq, Eq)]
pub struct PlainCredentials {
    pub(crate) username: Bytes,
    pub(crate) password: Bytes,
}

#[cfg(feature = "plain")]
impl Security {
    /// The client side of PLAIN (`PLAIN_USERNAME`, `PLAIN_PASSWORD`). Whoever listens on the way reads both.
    ///
    /// # Errors
    /// [`SecurityError::PlainCredentials`] if either has more than 255 octets.
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
    /// The client side of CURVE (`CURVE_PUBLICKEY`, `CURVE_SECRETKEY`, `CURVE_SERVERKEY`): `own` is what the server knows this
    /// side by, and `server` the public key that only the right server has the secret of.
    ///
    /// # Errors
    /// [`SecurityError::ServerKey`] if `server` is one of the few keys that cannot keep a secret, all zeros for one.
    pub fn curve_client(own: KeyPair, server: PublicKey) -> Result<Self, SecurityError> {
        if !server.can_keep_a_secret() {
            return Err(SecurityError::ServerKey);
        }
        Ok(Self::CurveClient(Arc::new(ClientKeys { own, server })))
    }

    /// The server side of CURVE (`CURVE_SERVER`, `CURVE_SECRETKEY`). See [`CurveServer`](Self::CurveServer) for whom it lets in.
    pub fn curve_server(own: KeyPair) -> Self {
        Self::CurveServer(Arc::new(own))
    }
}

/// Shows no password.
#[cfg(feature = "plain")]
impl fmt::Debug for PlainCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}

impl Security {
    /// What a greeting calls the mechanism.
    pub(crate) const fn mechanism(&self) -> MechanismName {
        match self {
            Self::Null => MechanismName::NULL,
            #[cfg(feature = "plain")]
            Self::PlainClient(_) | Self::PlainServer => MechanismName::PLAIN,
            #[cfg(feature = "curve")]
            Self::CurveClient(_) | Self::CurveServer(_) => MechanismName::CURVE,
        }
    }

    /// Whether whoever speaks first can have this side compute for him.
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

    /// Whether this side is the server of the mechanism.
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

/// Credentials that a mechanism cannot use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SecurityError {
    /// The user or the password of PLAIN has more than 255 octets (RFC 24).
    #[error("the user and the password of PLAIN have at most 255 octets each")]
    PlainCredentials,
    /// The server key of a CURVE client is one of the few that lead to a known secret.
    #[error("that is no public key of a server, for it could keep no secret; all zeros is such a one")]
    ServerKey,
}
