//! The options of security: which mechanism, and who decides whom it lets in.

use super::Options;
use crate::error::OptionsError;
use crate::kind::Speaks;
#[cfg(feature = "curve")]
use crate::security::curve::{ClientKeys, KeyPair, PublicKey};
use crate::security::{AuthReply, AuthRequest, Authenticator, Authority};
use alloc::string::String;
#[cfg(feature = "curve")]
use alloc::sync::Arc;
#[cfg(feature = "plain")]
use bytes::Bytes;
#[cfg(feature = "plain")]
use core::fmt;
use core::time::Duration;

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
    PlainClient(Login),
    /// Asks for a user and a password (RFC 24; `PLAIN_SERVER`). Nobody comes in unless an
    /// [authenticator](Options::authenticator) or a ZAP handler says so.
    #[cfg(feature = "plain")]
    PlainServer,
    /// Encrypts, and comes in as the owner of a key (RFC 26; `CURVE_PUBLICKEY`, `CURVE_SECRETKEY`, `CURVE_SERVERKEY`).
    #[cfg(feature = "curve")]
    CurveClient(Arc<ClientKeys>),
    /// Encrypts, and lets in who has a key (RFC 26; `CURVE_SERVER`, `CURVE_SECRETKEY`).
    ///
    /// **Any key**, unless an [authenticator](Options::authenticator), a [domain](Options::zap_domain) or a ZAP handler is
    /// there to look at it: then nobody reads along, but everybody comes in.
    #[cfg(feature = "curve")]
    CurveServer(Arc<KeyPair>),
}

/// A user and a password for the PLAIN mechanism.
#[cfg(feature = "plain")]
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    pub(crate) username: Bytes,
    pub(crate) password: Bytes,
}

#[cfg(feature = "plain")]
impl Security {
    /// The client side of PLAIN (`PLAIN_USERNAME`, `PLAIN_PASSWORD`). Whoever listens on the way reads both.
    ///
    /// # Errors
    /// [`OptionsError::Login`] if either has more than 255 octets.
    pub fn plain_client(username: impl Into<Bytes>, password: impl Into<Bytes>) -> Result<Self, OptionsError> {
        let login = Login { username: username.into(), password: password.into() };
        if login.username.len().max(login.password.len()) > 255 {
            return Err(OptionsError::Login);
        }
        Ok(Self::PlainClient(login))
    }
}

#[cfg(feature = "curve")]
impl Security {
    /// The client side of CURVE (`CURVE_PUBLICKEY`, `CURVE_SECRETKEY`, `CURVE_SERVERKEY`): `own` is what the server knows this
    /// side by, and `server` the public key that only the right server has the secret of.
    ///
    /// # Errors
    /// [`OptionsError::ServerKey`] if `server` is one of the few keys that cannot keep a secret, all zeros for one.
    pub fn curve_client(own: KeyPair, server: PublicKey) -> Result<Self, OptionsError> {
        if !server.can_keep_a_secret() {
            return Err(OptionsError::ServerKey);
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
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}

impl<T: Speaks> Options<T> {
    /// The security mechanism of all connections: `MECHANISM`, and what each mechanism needs. Default:
    /// [`Security::Null`].
    ///
    /// Links over `inproc` have no handshake and no need for one: they do not leave the process.
    #[must_use]
    pub fn security(mut self, security: Security) -> Self {
        self.settings.connection.security = security;
        self
    }

    /// What the peers of this socket are called together: `ZAP_DOMAIN`. A socket with a domain asks for every peer whether
    /// it may come in, by NULL too, and refuses everybody if there is nobody to ask: neither an
    /// [authenticator](Self::authenticator) nor a handler that is bound to `inproc://zeromq.zap.01`. So does libzmq with
    /// `ZAP_ENFORCE_DOMAIN`; without, it lets everybody in.
    ///
    /// # Errors
    /// [`OptionsError::Domain`] unless it has 1 to 255 octets.
    pub fn zap_domain(mut self, domain: impl Into<String>) -> Result<Self, OptionsError> {
        let domain = domain.into();
        if domain.is_empty() || domain.len() > 255 {
            return Err(OptionsError::Domain(domain.len()));
        }
        self.settings.connection.domain = domain;
        Ok(self)
    }

    /// Has this function decide at once about every peer, whatever the mechanism. It is called outside every lock, and must
    /// not block. For one that takes its time see [`authenticator`](Self::authenticator).
    ///
    /// ```
    /// # #[cfg(feature = "plain")] {
    /// use sansmq_proto::{AuthCredentials, AuthReply, Options, Security, kind::Rep};
    ///
    /// let options = Options::<Rep>::new().security(Security::PlainServer).authenticate(|request| {
    ///     match &request.credentials {
    ///         AuthCredentials::Plain { username, password } if &password[..] == b"secret" => {
    ///             AuthReply::accept_as(username.clone())
    ///         }
    ///         _ => AuthReply::refuse(),
    ///     }
    /// });
    /// # let _ = options;
    /// # }
    /// ```
    #[must_use]
    pub fn authenticate(self, decide: impl Fn(&AuthRequest) -> AuthReply + Send + Sync + 'static) -> Self {
        self.authenticator(Authenticator::new(decide))
    }

    /// Has this one decide about every peer, whatever the mechanism. No ZAP handler is asked then.
    #[must_use]
    pub fn authenticator(mut self, authenticator: impl Into<Authenticator>) -> Self {
        self.settings.connection.authority = Authority::Authenticator(authenticator.into());
        self
    }

    /// How long whoever decides about a peer may take; after it, the peer is told to try again later. Default 10 s. The time
    /// for the whole handshake goes on meanwhile.
    ///
    /// # Errors
    /// [`OptionsError::ZeroDuration`].
    pub fn auth_timeout(mut self, timeout: Duration) -> Result<Self, OptionsError> {
        if timeout.is_zero() {
            return Err(OptionsError::ZeroDuration("auth_timeout"));
        }
        self.settings.connection.auth_timeout = timeout;
        Ok(self)
    }
}
