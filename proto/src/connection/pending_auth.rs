//! The question whether a peer may come in, on its way: to whom it goes, and until when the answer has to be here.

use super::Connection;
use crate::address::{Endpoint, Host};
use crate::connection::error::ConnectionError;
use crate::security::{AuthCredentials, AuthOutcome, AuthReply, AuthRequest, AuthSource, AuthStatus};
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

/// A question that has no answer yet.
pub(super) struct PendingAuth {
    pub(super) until: Instant,
    task: AuthTask,
}

enum AuthTask {
    /// Who drives the connection; `None` once it has been told.
    Driver(Option<AuthRequest>),
    /// An authenticator that takes its time.
    Pending(Pin<Box<dyn Future<Output = AuthReply> + Send>>),
}

/// Admission: who may come in.
impl Connection {
    /// Where the peer comes from, for whoever decides whether it may come in. To be said before anything is heard from it;
    /// [`Socket::accepted`](crate::Socket::accepted) says it.
    pub fn set_peer_address(&mut self, place: Endpoint) {
        self.origin = Some(Box::new(place));
    }

    /// Who is woken when an [`Authenticator`](crate::security::Authenticator) that takes its time has decided: [`Session::turn`] is to
    /// be called then. Without it such a one is asked again in each turn, and no turn comes on its account.
    ///
    /// [`Session::turn`]: crate::Session::turn
    pub fn wake_with(&mut self, waker: &Waker) {
        if !self.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            self.waker = Some(waker.clone());
        }
    }

    /// Whether it is not known yet if the peer may come in, so that [`wake_with`](Self::wake_with) is of use.
    pub fn may_ask(&self) -> bool {
        let may_take_time = match self.config.auth_source {
            AuthSource::Default => self.config.handler().is_some(),
            AuthSource::Driver => false,
            AuthSource::Authenticator(_) => true,
        };
        may_take_time && self.phase.is_before_traffic()
    }

    /// A question to the outside, which the handshake waits for; at most one per connection. Only where the
    /// [`AuthSource`] is who drives the connection.
    #[must_use]
    pub fn poll_auth_request(&mut self) -> Option<AuthRequest> {
        match &mut self.pending_auth.as_mut()?.task {
            AuthTask::Driver(request) => request.take(),
            AuthTask::Pending(_) => None,
        }
    }

    /// Answers the question that [`poll_auth_request`](Self::poll_auth_request) gave. Without one, nothing happens.
    ///
    /// # Errors
    /// [`ConnectionError::Denied`] when the answer is a refusal; the peer's ERROR waits in
    /// [`poll_transmit`](Self::poll_transmit). Or what the peer's waiting READY brought to light.
    pub fn handle_auth_reply(&mut self, reply: AuthReply, now: Instant) -> Result<(), ConnectionError> {
        let now = self.observe(now);
        if self.pending_auth.take().is_none() {
            return Ok(());
        }
        let result = self.handshake(|mechanism, out| mechanism.answer(reply, out), now);
        self.close_on_error(result)
    }

    /// Asks whether a peer with these credentials may come in. `Some`: it is decided already.
    pub(super) fn ask(&mut self, credentials: AuthCredentials, now: Instant) -> Option<AuthReply> {
        let config = &self.config;
        let request = AuthRequest {
            domain: config.domain.clone(),
            address: self.address(),
            routing_id: config.routing_id.clone(),
            credentials,
        };
        let is_promised = config.promises(&request.credentials);
        let verdict = match &config.auth_source {
            AuthSource::Default => config.handler().and_then(|handler| handler.ask(request)),
            AuthSource::Authenticator(authenticator) => Some(authenticator.ask(request)),
            AuthSource::Driver => {
                self.wait_for(AuthTask::Driver(Some(request)), now);
                return None;
            }
        };
        match verdict {
            None if is_promised => Some(AuthReply::Refuse(AuthStatus::InternalError)),
            None => Some(AuthReply::accept()),
            Some(AuthOutcome::Now(reply)) => Some(reply),
            Some(AuthOutcome::Later(reply)) => {
                self.wait_for(AuthTask::Pending(reply), now);
                self.pending_reply()
            }
        }
    }

    fn wait_for(&mut self, task: AuthTask, now: Instant) {
        let until = now + self.config.auth_timeout;
        self.pending_auth = Some(Box::new(PendingAuth { until, task }));
    }

    /// Looks whether an authenticator that takes its time has decided.
    pub(super) fn pending_reply(&mut self) -> Option<AuthReply> {
        let AuthTask::Pending(reply) = &mut self.pending_auth.as_mut()?.task else { return None };
        let waker = self.waker.as_ref().unwrap_or(Waker::noop());
        match reply.as_mut().poll(&mut Context::from_waker(waker)) {
            Poll::Ready(reply) => Some(reply),
            Poll::Pending => None,
        }
    }

    /// Goes on if an authenticator that takes its time has decided. [`Session::turn`] calls it; who drives a connection
    /// without one calls it when [woken](Self::wake_with).
    ///
    /// # Errors
    /// As [`handle_auth_reply`](Self::handle_auth_reply).
    ///
    /// [`Session::turn`]: crate::Session::turn
    pub fn poll_auth_reply(&mut self, now: Instant) -> Result<(), ConnectionError> {
        match self.pending_reply() {
            Some(reply) => self.handle_auth_reply(reply, now),
            None => Ok(()),
        }
    }

    /// Asks nothing any more: the connection is over. Whoever took its time over an answer is let go, which may run anything.
    pub(crate) fn withdraw(&mut self) {
        self.pending_auth = None;
    }

    /// The peer's address as RFC 27 has it.
    fn address(&self) -> String {
        if let Some(credentials) = self.credentials {
            let pid = credentials.pid.map(|pid| pid.to_string()).unwrap_or_default();
            return format!(":{}:{}:{pid}", credentials.uid, credentials.gid);
        }
        match self.origin.as_deref() {
            Some(Endpoint::Tcp { host: Host::Ip(address), .. }) => address.to_canonical().to_string(),
            Some(Endpoint::Tcp { host: Host::Name(name), .. }) => name.clone(),
            Some(_) | None => String::new(),
        }
    }
}

impl fmt::Debug for PendingAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question").field("until", &self.until).finish_non_exhaustive()
    }
}
