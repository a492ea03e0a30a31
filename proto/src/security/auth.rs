//! Who may come in: the question of RFC 27 (ZAP) as a value, its answer, and who is to give it.

#[cfg(feature = "curve")]
use super::curve::PublicKey;
use crate::message::Frame;
use crate::wire::{MechanismName, Metadata};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use bytes::Bytes;
use core::fmt;
use core::future::Future;
use core::pin::Pin;

/// A peer asks to come in: the request of RFC 27 (ZAP).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthRequest {
    /// What the asking socket calls the group of peers it serves ([`Options::zap_domain`](crate::Options::zap_domain));
    /// empty if it calls it nothing.
    pub domain: String,
    /// Where the peer comes from: its address without a port, as in `192.0.2.1`, or `:uid:gid:pid` over ipc, where the
    /// system tells; empty if it is not known.
    pub address: String,
    /// The routing id of the asking socket, as libzmq has it; not the peer's, who has not said anything of itself yet.
    pub routing_id: Frame,
    /// What the peer shows.
    pub credentials: AuthCredentials,
}

/// What a peer shows to be let in.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthCredentials {
    /// Nothing: the NULL mechanism.
    Null,
    /// A user and a password: the PLAIN mechanism. Whoever listens on the way reads them.
    #[cfg(feature = "plain")]
    Plain {
        /// At most 255 octets.
        username: Bytes,
        /// At most 255 octets.
        password: Bytes,
    },
    /// A long-term key, of which the peer has proved to have the secret half: the CURVE mechanism.
    #[cfg(feature = "curve")]
    Curve(PublicKey),
}

/// The answer to an [`AuthRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthReply {
    /// The peer may come in.
    Accept {
        /// Who it is, if that is known. Ends up in [`Peer::user_id`](crate::connection::Peer::user_id), which no peer can choose itself.
        user_id: Option<Bytes>,
        /// What else is known of it. Ends up in [`Peer::properties`](crate::connection::Peer::properties).
        properties: Metadata,
    },
    /// The peer may not come in.
    Refuse(AuthStatus),
}

/// Why a peer may not come in: the statuses of RFC 27.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthStatus {
    /// 300: not now. The peer may come again with the same credentials.
    TemporaryError,
    /// 400: not with these credentials. The peer does not come again by itself.
    Denied,
    /// 500: who should decide cannot.
    InternalError,
}

/// Decides who may come in, now or later. Cheap to clone; connections of all tasks ask the same one.
#[derive(Clone)]
pub struct Authenticator(Arc<dyn Fn(AuthRequest) -> AuthOutcome + Send + Sync>);

/// Outcome of a request for authentication: [`AuthReply`], now or later.
pub enum AuthOutcome {
    /// The decision.
    Now(AuthReply),
    /// The decision is pending. Dropping the future cancels the request.
    Later(Pin<Box<dyn Future<Output = AuthReply> + Send>>),
}

/// ZAP handler (RFC 27) outside the socket, asked about its peers when the socket has no authenticator. The handler may
/// be bound and unbound at any time. See [`Options::zap_handler`](crate::Options::zap_handler).
pub trait ZapHandler: fmt::Debug + Send + Sync {
    /// Returns true if a handler is bound now.
    fn is_bound(&self) -> bool;

    /// Sends the request to the handler; `None` if no handler is bound.
    fn ask(&self, request: AuthRequest) -> Option<AuthOutcome>;
}

impl fmt::Debug for AuthOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now(reply) => f.debug_tuple("Now").field(reply).finish(),
            Self::Later(_) => f.write_str("Later"),
        }
    }
}

/// Who decides whether a peer may come in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthSource {
    /// No authority of the socket itself. A [ZAP handler](crate::Options::zap_handler) is asked if one is bound when the
    /// peer connects; runtimes set the handler of the socket's context (see [`zap`](crate::security::zap)). Without one, every
    /// peer is admitted by NULL, and every peer that has any key by CURVE; no peer is admitted by PLAIN, nor where there is a
    /// domain, because these promise that credentials are checked.
    ///
    /// A socket of NULL without a domain uses no handler, as in libzmq.
    #[default]
    Default,
    /// Who drives the connection: asked by [`poll_auth_request`](crate::Connection::poll_auth_request).
    Driver,
    /// This one.
    Authenticator(Authenticator),
}

impl AuthRequest {
    /// A request with these credentials, from nowhere; for trying an [`Authenticator`].
    pub const fn new(credentials: AuthCredentials) -> Self {
        Self { domain: String::new(), address: String::new(), routing_id: Frame::EMPTY, credentials }
    }
}

impl AuthCredentials {
    /// The mechanism by which they are shown.
    pub const fn mechanism(&self) -> MechanismName {
        match self {
            Self::Null => MechanismName::NULL,
            #[cfg(feature = "plain")]
            Self::Plain { .. } => MechanismName::PLAIN,
            #[cfg(feature = "curve")]
            Self::Curve(_) => MechanismName::CURVE,
        }
    }
}

impl AuthReply {
    /// The peer may come in; nothing is known of it.
    pub const fn accept() -> Self {
        Self::Accept { user_id: None, properties: Metadata::new() }
    }

    /// The peer may come in as this user.
    pub fn accept_as(user_id: impl Into<Bytes>) -> Self {
        Self::Accept { user_id: Some(user_id.into()), properties: Metadata::new() }
    }

    /// The peer may not come in, with these credentials.
    pub const fn refuse() -> Self {
        Self::Refuse(AuthStatus::Denied)
    }
}

impl AuthStatus {
    /// The status code of RFC 27.
    pub const fn status(self) -> u16 {
        match self {
            Self::TemporaryError => 300,
            Self::Denied => 400,
            Self::InternalError => 500,
        }
    }

    /// The status in words.
    pub(super) const fn meaning(self) -> &'static str {
        match self {
            Self::TemporaryError => "try again later",
            Self::Denied => "not with these credentials",
            Self::InternalError => "whoever should decide could not",
        }
    }

    /// What an ERROR's reason says, if it is one of RFC 27's codes.
    pub(crate) fn said_by(reason: &[u8]) -> Option<Self> {
        match reason {
            b"300" => Some(Self::TemporaryError),
            b"400" => Some(Self::Denied),
            b"500" => Some(Self::InternalError),
            _ => None,
        }
    }
}

impl fmt::Display for AuthStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.status(), self.meaning())
    }
}

impl Authenticator {
    /// One that decides at once. It is called between two reads of a connection, outside every lock, and must not block.
    ///
    /// ```
    /// use sansmq_proto::security::{AuthReply, Authenticator};
    ///
    /// let local = Authenticator::new(|request| {
    ///     if request.address == "127.0.0.1" { AuthReply::accept() } else { AuthReply::refuse() }
    /// });
    /// # let _ = local;
    /// ```
    pub fn new(decide: impl Fn(&AuthRequest) -> AuthReply + Send + Sync + 'static) -> Self {
        Self(Arc::new(move |request| AuthOutcome::Now(decide(&request))))
    }

    /// One that may take its time, within [`auth_timeout`](crate::Options::auth_timeout). The future is polled by the
    /// connection's task, and dropped if the peer goes.
    pub fn later<F: Future<Output = AuthReply> + Send + 'static>(
        decide: impl Fn(AuthRequest) -> F + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(move |request| AuthOutcome::Later(Box::pin(decide(request)))))
    }

    pub(crate) fn ask(&self, request: AuthRequest) -> AuthOutcome {
        (self.0)(request)
    }
}

/// The same one, not one that decides the same.
impl PartialEq for Authenticator {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Authenticator {}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authenticator")
    }
}

/// Shows no password.
impl fmt::Debug for AuthCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            #[cfg(feature = "plain")]
            Self::Plain { username, .. } => f.debug_struct("Plain").field("username", username).finish_non_exhaustive(),
            #[cfg(feature = "curve")]
            Self::Curve(key) => f.debug_tuple("Curve").field(key).finish(),
        }
    }
}
