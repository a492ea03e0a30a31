//! The options of security: which mechanism, and who decides whom it lets in.

use super::Options;
use crate::kind::{Kind, Zmtp};
use crate::security::{AuthReply, AuthRequest, AuthSource, Authenticator, Security, ZapHandler};
use crate::socket::error::OptionsError;
use alloc::string::String;
use alloc::sync::Arc;
use core::time::Duration;

impl<T: Zmtp> Options<T> {
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
    /// use sansmq_proto::security::{AuthCredentials, AuthReply, Security};
    /// use sansmq_proto::Options;
    /// use sansmq_proto::kind::Rep;
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
        self.settings.connection.auth_source = AuthSource::Authenticator(authenticator.into());
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

impl<T: Kind> Options<T> {
    /// Sets the ZAP handler (RFC 27) that authenticates peers when the socket has no
    /// [authenticator](Options::authenticator). A socket uses it if it is a server of PLAIN or CURVE, or has a
    /// [domain](Options::zap_domain).
    ///
    /// Runtimes replace it by the handler of the socket's context.
    #[must_use]
    pub fn zap_handler(mut self, handler: Arc<dyn ZapHandler>) -> Self {
        self.settings.connection.handler = Some(handler);
        self
    }
}

#[cfg(all(test, feature = "plain"))]
mod tests {
    use super::*;
    use crate::kind::Rep;
    use crate::security::{AuthOutcome, Security};

    #[derive(Debug)]
    struct Unbound;

    impl ZapHandler for Unbound {
        fn is_bound(&self) -> bool {
            false
        }

        fn ask(&self, _: AuthRequest) -> Option<AuthOutcome> {
            None
        }
    }

    #[test]
    fn zap_handler_is_used_whether_set_before_or_after_security() {
        let is_used = |options: Options<Rep>| options.settings.connection.handler().is_some();
        let options = Options::<Rep>::new;
        assert!(is_used(options().zap_handler(Arc::new(Unbound)).security(Security::PlainServer)));
        assert!(is_used(options().security(Security::PlainServer).zap_handler(Arc::new(Unbound))));
        assert!(is_used(options().zap_handler(Arc::new(Unbound)).zap_domain("global").unwrap()));
        assert!(!is_used(options().zap_handler(Arc::new(Unbound))), "NULL without a domain has no questions");
    }
}
