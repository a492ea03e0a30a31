//! Authentication of a peer: the pending request, the source of the decision, and the deadline of the reply.

use super::phase::Phase;
use super::{Connection, Credentials};
use crate::address::{Endpoint, Host};
use crate::connection::error::ConnectionError;
use crate::security::{AuthAddress, AuthCredentials, AuthFacts, AuthOutcome, AuthReply, AuthRequest, AuthSource};
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;
use core::future::Future;
use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

/// Authentication request about the peer of this connection. The decision about the peer is not made yet.
pub(super) struct PendingAuth {
    pub(super) until: Instant,
    task: AuthTask,
}

enum AuthTask {
    /// Request that the code which calls the connection must answer; `None` once `poll_auth_request` has returned the
    /// request to this code.
    Driver(Option<AuthFacts>),
    /// Future of an asynchronous authenticator or ZAP handler, which returns the decision about the peer.
    Pending(Pin<Box<dyn Future<Output = AuthReply> + Send>>),
}

/// Authentication of the peer.
impl Connection {
    /// Sets the address of the peer, which is part of the authentication request and of [`Peer`](crate::connection::Peer).
    /// Must be called before the first input; [`Socket::accepted`](crate::Socket::accepted) and
    /// [`Socket::connected`](crate::Socket::connected) do so.
    pub fn set_peer_address(&mut self, endpoint: Endpoint) {
        // A STREAM has no handshake that would take the address.
        if let Phase::Raw(peer) = &mut self.phase {
            Arc::make_mut(peer).address = Some(endpoint);
        } else {
            self.origin = Some(Box::new(endpoint));
        }
    }

    /// Sets the address of the peer to the remote address of the stream that a dial opened. Has no effect if a SOCKS
    /// proxy is in between, because the stream then leads to the proxy. If the endpoint of the dial has a host name, the
    /// authentication request has this name in place of an IP address unless this method is called. Must be called before
    /// the first input.
    pub fn set_remote_address(&mut self, address: SocketAddr) {
        if !matches!(self.phase, Phase::Proxy(_)) {
            self.set_peer_address(address.into());
        }
    }

    /// Sets the waker that is woken when an asynchronous [`Authenticator`](crate::security::Authenticator) or ZAP
    /// handler has decided about the peer. The caller must then call [`Session::turn`]. Without a waker, a decision has
    /// an effect only at the next call of [`Session::turn`], which other events cause.
    ///
    /// [`Session::turn`]: crate::Session::turn
    pub fn set_auth_waker(&mut self, waker: &Waker) {
        if !self.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            self.waker = Some(waker.clone());
        }
    }

    /// Returns true if an asynchronous authenticator or ZAP handler may have to decide later about the peer of this
    /// connection. The caller should then set a waker with [`set_auth_waker`](Self::set_auth_waker), to be woken when
    /// the decision is made.
    pub fn may_wait_for_auth(&self) -> bool {
        let may_take_time = match self.config.auth_source {
            AuthSource::Default => self.config.handler().is_some(),
            #[cfg(feature = "curve")]
            AuthSource::AnyKey => false,
            AuthSource::Driver => false,
            AuthSource::Authenticator(_) => true,
        };
        may_take_time && self.phase.is_before_traffic()
    }

    /// Returns the authentication request that the caller must answer with
    /// [`handle_auth_reply`](Self::handle_auth_reply). The handshake waits for this reply. A connection has at most one
    /// such request, and only if its `auth_source` is [`AuthSource::Driver`]. Returns `None` without such a request,
    /// and after the request was returned once.
    #[must_use]
    pub fn poll_auth_request(&mut self) -> Option<AuthRequest> {
        match &mut self.pending_auth.as_mut()?.task {
            AuthTask::Driver(facts) => facts.take().map(AuthFacts::into_request),
            AuthTask::Pending(_) => None,
        }
    }

    /// Handles `reply`, the answer to the authentication request that [`poll_auth_request`](Self::poll_auth_request)
    /// returned. Does nothing if no request is pending.
    ///
    /// # Errors
    /// [`ConnectionError::Denied`] if the reply denies access, and any error in the peer's READY, if READY was received
    /// before the reply.
    ///
    /// After `Denied`, [`poll_transmit`](Self::poll_transmit) returns an ERROR command for the peer, except after
    /// [`AuthStatus::TemporaryError`](crate::security::AuthStatus::TemporaryError): the peer may connect again, and
    /// ERROR would forbid this (RFC 37).
    pub fn handle_auth_reply(&mut self, reply: AuthReply, now: Instant) -> Result<(), ConnectionError> {
        let now = self.observe(now);
        if self.pending_auth.take().is_none() {
            return Ok(());
        }
        let result = self.handshake(|mechanism, out| mechanism.answer(reply, out), now);
        self.close_on_error(result)
    }

    /// Requests a decision about the peer, which has sent `credentials`. Returns the reply, or `None` while the
    /// decision is pending.
    ///
    /// # Errors
    /// [`ConnectionError::NoAuthenticator`] if nothing can decide about the peer.
    pub(super) fn authenticate(
        &mut self,
        credentials: AuthCredentials,
        now: Instant,
    ) -> Result<Option<AuthReply>, ConnectionError> {
        let config = &self.config;
        let facts = AuthFacts {
            domain: config.domain.clone(),
            address: self.address(),
            routing_id: config.routing_id.clone(),
            credentials,
        };
        let outcome = match &config.auth_source {
            AuthSource::Default => {
                let decided = config.handler().and_then(|handler| handler.authenticate(facts));
                decided.or_else(|| config.accepts_without_handler().then(|| AuthOutcome::Now(AuthReply::accept())))
            }
            #[cfg(feature = "curve")]
            AuthSource::AnyKey => {
                matches!(facts.credentials, AuthCredentials::Curve(_)).then(|| AuthOutcome::Now(AuthReply::accept()))
            }
            AuthSource::Authenticator(authenticator) => Some(authenticator.authenticate(facts)),
            AuthSource::Driver => {
                self.begin_wait(AuthTask::Driver(Some(facts)), now);
                return Ok(None);
            }
        };
        match outcome {
            None => Err(ConnectionError::NoAuthenticator),
            Some(AuthOutcome::Now(reply)) => Ok(Some(reply)),
            Some(AuthOutcome::Later(reply)) => {
                self.begin_wait(AuthTask::Pending(reply), now);
                Ok(self.pending_reply())
            }
        }
    }

    fn begin_wait(&mut self, task: AuthTask, now: Instant) {
        let until = now + self.config.auth_timeout;
        self.pending_auth = Some(Box::new(PendingAuth { until, task }));
    }

    /// Polls the pending asynchronous authenticator, and returns its reply. Returns `None` if it has not decided yet,
    /// or if no asynchronous authenticator is pending.
    pub(super) fn pending_reply(&mut self) -> Option<AuthReply> {
        let AuthTask::Pending(reply) = &mut self.pending_auth.as_mut()?.task else { return None };
        let waker = self.waker.as_ref().unwrap_or(Waker::noop());
        match reply.as_mut().poll(&mut Context::from_waker(waker)) {
            Poll::Ready(reply) => Some(reply),
            Poll::Pending => None,
        }
    }

    /// Polls a pending asynchronous authenticator, and continues the handshake if it has decided. [`Session::turn`]
    /// calls this method. A caller without a session must call it when the waker of
    /// [`set_auth_waker`](Self::set_auth_waker) is woken.
    ///
    /// # Errors
    /// Same as [`handle_auth_reply`](Self::handle_auth_reply).
    ///
    /// [`Session::turn`]: crate::Session::turn
    pub fn poll_auth_reply(&mut self, now: Instant) -> Result<(), ConnectionError> {
        match self.pending_reply() {
            Some(reply) => self.handle_auth_reply(reply, now),
            None => Ok(()),
        }
    }

    /// Cancels the pending authentication request of a connection that has ended.
    pub(crate) fn cancel_auth_request(&mut self) {
        // Drops the future of the authenticator, which may run any code of the application.
        self.pending_auth = None;
    }

    /// Returns the address of the peer for an authentication request.
    fn address(&self) -> AuthAddress {
        if let Some(Credentials { pid, uid, gid }) = self.credentials {
            return AuthAddress::Process { pid, uid, gid };
        }
        match self.origin.as_deref() {
            Some(Endpoint::Tcp { host: Host::Ip(address), .. }) => AuthAddress::Ip(*address),
            Some(Endpoint::Tcp { host: Host::Name(name), .. }) => AuthAddress::Name(name.clone()),
            Some(_) | None => AuthAddress::Unknown,
        }
    }
}

impl fmt::Debug for PendingAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingAuth").field("until", &self.until).finish_non_exhaustive()
    }
}
