//! Options for security: the mechanism and the authentication of peers.

use super::Options;
use crate::kind::{Kind, Zmtp};
use crate::security::{AuthReply, AuthRequest, AuthSource, Authenticator, Security};
use crate::socket::error::OptionsError;
use alloc::string::String;
use core::time::Duration;

/// # Security
impl<T: Kind> Options<T> {
    /// Sets the security mechanism of all connections, with its keys or credentials. The functions of [`Security`] check
    /// keys and credentials, so this option cannot fail.
    ///
    /// `inproc` connections have no handshake and ignore the mechanism, because they do not leave the process.
    ///
    /// Default: [`Security::Null`]. libzmq: the last set of `ZMQ_PLAIN_SERVER`, `ZMQ_PLAIN_USERNAME`,
    /// `ZMQ_PLAIN_PASSWORD`, `ZMQ_CURVE_SERVER`, `ZMQ_CURVE_PUBLICKEY`, `ZMQ_CURVE_SECRETKEY` and `ZMQ_CURVE_SERVERKEY`,
    /// read as `ZMQ_MECHANISM`, default NULL.
    #[doc(alias("ZMQ_MECHANISM", "MECHANISM", "ZMQ_PLAIN_SERVER", "PLAIN_SERVER", "ZMQ_PLAIN_USERNAME"))]
    #[doc(alias("PLAIN_USERNAME", "ZMQ_PLAIN_PASSWORD", "PLAIN_PASSWORD", "ZMQ_CURVE_SERVER", "CURVE_SERVER"))]
    #[doc(alias("ZMQ_CURVE_PUBLICKEY", "CURVE_PUBLICKEY", "ZMQ_CURVE_SECRETKEY", "CURVE_SECRETKEY"))]
    #[doc(alias("ZMQ_CURVE_SERVERKEY", "CURVE_SERVERKEY"))]
    #[must_use]
    pub fn security(mut self, security: Security) -> Self
    where
        T: Zmtp,
    {
        self.settings.connection.security = security;
        self
    }

    /// Sets the ZAP domain of the socket: 1 to 255 bytes. A socket with a domain authenticates every peer, also with the
    /// NULL mechanism. It rejects all peers if there is neither an [authenticator](Self::authenticator) nor a handler
    /// bound to `inproc://zeromq.zap.01`; see [`enforce_zap_domain`](Self::enforce_zap_domain).
    ///
    /// Default: none. libzmq: `ZMQ_ZAP_DOMAIN`, default none.
    ///
    /// # Errors
    /// [`OptionsError::Domain`] unless the domain has 1 to 255 bytes.
    #[doc(alias("ZMQ_ZAP_DOMAIN", "ZAP_DOMAIN"))]
    pub fn zap_domain(mut self, domain: impl Into<String>) -> Result<Self, OptionsError>
    where
        T: Zmtp,
    {
        let domain = domain.into();
        if domain.is_empty() || domain.len() > 255 {
            return Err(OptionsError::Domain(domain.len()));
        }
        self.settings.connection.domain = domain;
        Ok(self)
    }

    /// Sets whether a CURVE server, and a NULL socket with a [domain](Self::zap_domain), rejects all peers while no ZAP handler
    /// is bound. If off, such a socket accepts all peers until a handler is bound, as libzmq does by default: a handler that
    /// starts late, or has ended, leaves the socket open to everyone. A PLAIN server always needs a handler. Has no effect
    /// together with an [authenticator](Self::authenticator) or [`any_key`](Self::any_key).
    ///
    /// Default: on. libzmq: `ZMQ_ZAP_ENFORCE_DOMAIN`, default off.
    #[doc(alias("ZMQ_ZAP_ENFORCE_DOMAIN", "ZAP_ENFORCE_DOMAIN"))]
    #[must_use]
    pub fn enforce_zap_domain(mut self, on: bool) -> Self
    where
        T: Zmtp,
    {
        self.settings.connection.enforces_zap_domain = on;
        self
    }

    /// Sets a function that decides about every peer, with any mechanism, and returns its decision at once. The
    /// function is called outside all locks and must not block. For an asynchronous decision see
    /// [`authenticator`](Self::authenticator).
    ///
    /// ```
    /// # #[cfg(feature = "plain")] {
    /// use sansmq::{AuthCredentials, AuthReply, Options, Security, kind::Rep};
    ///
    /// let options = Options::<Rep>::new().security(Security::PlainServer).authenticate(|request| {
    ///     match &request.credentials {
    ///         AuthCredentials::Plain { username, password } if &password[..] == b"secret" => {
    ///             AuthReply::accept_as(username.clone())
    ///         }
    ///         _ => AuthReply::reject(),
    ///     }
    /// });
    /// # let _ = options;
    /// # }
    /// ```
    ///
    /// Default: none. libzmq: no such option; a ZAP handler decides.
    #[must_use]
    pub fn authenticate(self, decide: impl Fn(&AuthRequest) -> AuthReply + Send + Sync + 'static) -> Self
    where
        T: Zmtp,
    {
        self.authenticator(Authenticator::new(decide))
    }

    /// Sets the authenticator that decides about every peer, with any mechanism. It is used instead of the ZAP handler.
    ///
    /// Default: none. libzmq: no such option; a ZAP handler decides.
    #[must_use]
    pub fn authenticator(mut self, authenticator: impl Into<Authenticator>) -> Self
    where
        T: Zmtp,
    {
        self.settings.connection.auth_source = AuthSource::Authenticator(authenticator.into());
        self
    }

    /// Makes a CURVE server accept clients with any key. Traffic is encrypted, and clients authenticate the server, but the
    /// server does not authenticate its clients. Replaces the [authenticator](Self::authenticator), and the socket uses no
    /// ZAP handler. Sockets with another mechanism are not affected.
    ///
    /// Without this option, a CURVE server without an authenticator and a ZAP handler rejects every client.
    ///
    /// Default: off. libzmq: no such option; its servers accept any key unless a ZAP handler is bound.
    #[cfg(feature = "curve")]
    #[must_use]
    pub fn any_key(mut self) -> Self
    where
        T: Zmtp,
    {
        self.settings.connection.auth_source = AuthSource::AnyKey;
        self
    }

    /// Sets the time that the authentication of a peer may take. When it expires, the peer is rejected with a temporary
    /// error, after which the peer can connect again. `handshake_timeout`, which limits the whole handshake, applies
    /// too. `None`: no other limit than that.
    ///
    /// Default: 10 s. libzmq: no such option.
    #[must_use]
    pub fn auth_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self
    where
        T: Zmtp,
    {
        self.settings.connection.auth_timeout = timeout.into().unwrap_or(Duration::MAX);
        self
    }
}

#[cfg(all(test, feature = "plain"))]
mod tests {
    use super::*;
    use crate::kind::Rep;
    use crate::security::{AuthOutcome, Security, ZapHandler};
    use alloc::sync::Arc;

    #[derive(Debug)]
    struct Unbound;

    impl ZapHandler for Unbound {
        fn is_bound(&self) -> bool {
            false
        }

        fn authenticate(&self, _: AuthRequest) -> Option<AuthOutcome> {
            None
        }
    }

    #[test]
    fn zap_handler_set_before_or_after_security_is_used() {
        let is_used = |options: Options<Rep>| options.settings.connection.handler().is_some();
        let options = Options::<Rep>::new;
        assert!(is_used(options().zap_handler(Arc::new(Unbound)).security(Security::PlainServer)));
        assert!(is_used(options().security(Security::PlainServer).zap_handler(Arc::new(Unbound))));
        assert!(is_used(options().zap_handler(Arc::new(Unbound)).zap_domain("global").unwrap()));
        assert!(!is_used(options().zap_handler(Arc::new(Unbound))), "NULL without a domain needs no authentication");
    }
}
