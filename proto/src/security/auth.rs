//! Authentication of peers: request and reply of RFC 27 (ZAP) as values, and the types that decide on a request.

#[cfg(feature = "curve")]
use super::curve::PublicKey;
use crate::message::Frame;
use crate::wire::{MechanismName, Metadata};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use bytes::Bytes;
use core::fmt;
use core::future::Future;
use core::net::IpAddr;
use core::pin::Pin;

/// A request to authenticate a peer, with the fields of RFC 27 (ZAP).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthRequest {
    /// ZAP domain of the authenticating socket ([`Options::zap_domain`](crate::Options::zap_domain)); empty if none is
    /// set.
    pub domain: String,
    /// Address of the peer: the IP address without a port, such as `192.0.2.1`, or `:uid:gid:pid` over ipc where the
    /// operating system reports these; empty if unknown. If this side dialled the peer, the address to which it is
    /// connected, or the host name of the endpoint if a SOCKS proxy has looked the name up.
    #[doc(alias("ZMQ_IPC_FILTER_PID", "IPC_FILTER_PID", "ZMQ_IPC_FILTER_UID", "IPC_FILTER_UID"))]
    #[doc(alias("ZMQ_IPC_FILTER_GID", "IPC_FILTER_GID"))]
    pub address: String,
    /// Routing id of the socket that authenticates the peer; libzmq sends the same. The routing id of the peer is not
    /// known yet.
    pub routing_id: Frame,
    /// Credentials that the peer has sent, by security mechanism.
    pub credentials: AuthCredentials,
}

/// An [`AuthRequest`] with an address that is not converted to text yet.
// Only authenticators, ZAP handlers and drivers convert it, so a program without them does not link `core::fmt`.
#[derive(Debug)]
pub(crate) struct AuthFacts {
    pub(crate) domain: String,
    pub(crate) address: AuthAddress,
    pub(crate) routing_id: Frame,
    pub(crate) credentials: AuthCredentials,
}

/// Address of a peer, as [`AuthRequest::address`] describes it.
#[derive(Debug)]
pub(crate) enum AuthAddress {
    Ip(IpAddr),
    Name(String),
    Process { pid: Option<u32>, uid: u32, gid: u32 },
    Unknown,
}

/// A [`ZapHandler`], and the function that passes requests to it.
#[derive(Clone, Debug)]
pub(crate) struct Handler {
    pub(crate) handler: Arc<dyn ZapHandler>,
    // A pointer, so that a program without a handler does not link the function.
    authenticate: fn(&dyn ZapHandler, AuthFacts) -> Option<AuthOutcome>,
}

/// Credentials that a peer has sent, by security mechanism.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthCredentials {
    /// No credentials: the peer uses the NULL mechanism.
    Null,
    /// User name and password of a peer that uses the PLAIN mechanism. The peer transmits both in clear text.
    #[cfg(feature = "plain")]
    Plain {
        /// User name of at most 255 bytes.
        username: Bytes,
        /// Password of at most 255 bytes.
        password: Bytes,
    },
    /// Long-term public key of a peer that uses the CURVE mechanism. The peer has proved that it has the matching
    /// secret key.
    #[cfg(feature = "curve")]
    Curve(PublicKey),
}

/// The reply to an [`AuthRequest`]: the decision to accept or to reject the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthReply {
    /// Accepts the peer, so its handshake continues.
    Accept {
        /// Name of the authenticated user, or `None` if there is none. The application reads it with
        /// [`Peer::user_id`](crate::connection::Peer::user_id). A peer cannot set it.
        user_id: Option<Bytes>,
        /// Properties that the authenticator assigns to the peer in addition to the user id. The application reads them
        /// with [`Peer::properties`](crate::connection::Peer::properties).
        properties: Metadata,
    },
    /// Rejects the peer, so its connection ends. Carries the reason.
    Reject(AuthStatus),
}

/// Reason for rejecting a peer: the status codes 300, 400 and 500 of RFC 27.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthStatus {
    /// Status 300: a temporary error prevents the decision. The peer is allowed to connect again with the same
    /// credentials.
    TemporaryError,
    /// Status 400: the authenticator rejects the credentials. The peer must not reconnect automatically with the same
    /// credentials.
    Denied,
    /// Status 500: the authenticator failed.
    InternalError,
}

/// A function that accepts or rejects peers: it returns the decision immediately, or as a future. Clones are cheap,
/// because they share the function.
#[derive(Clone)]
pub struct Authenticator(Arc<dyn Fn(AuthFacts) -> AuthOutcome + Send + Sync>);

/// Outcome of an [`AuthRequest`]: an [`AuthReply`], available immediately or later.
pub enum AuthOutcome {
    /// The decision is made. Carries the reply.
    Now(AuthReply),
    /// The decision follows later. Carries the future that returns the reply. If the peer disconnects earlier, this
    /// future is dropped, which cancels the request.
    Later(Pin<Box<dyn Future<Output = AuthReply> + Send>>),
}

/// Access to a ZAP handler (RFC 27): a socket of the same process that decides which peers are accepted. Sockets of
/// this process that have no authenticator of their own send their requests to the handler.
///
/// The application can bind and unbind the handler at any time. See
/// [`Options::zap_handler`](crate::Options::zap_handler).
pub trait ZapHandler: fmt::Debug + Send + Sync {
    /// Returns true if the application has bound a ZAP handler, and not unbound it since.
    fn is_bound(&self) -> bool;

    /// Sends the request to the ZAP handler, and returns the outcome. Returns `None` if no handler is bound.
    fn authenticate(&self, request: AuthRequest) -> Option<AuthOutcome>;
}

impl AuthFacts {
    pub(crate) fn into_request(self) -> AuthRequest {
        let address = match self.address {
            AuthAddress::Ip(address) => address.to_canonical().to_string(),
            AuthAddress::Name(name) => name,
            AuthAddress::Process { pid, uid, gid } => {
                let pid = pid.map(|pid| pid.to_string()).unwrap_or_default();
                format!(":{uid}:{gid}:{pid}")
            }
            AuthAddress::Unknown => String::new(),
        };
        AuthRequest { domain: self.domain, address, routing_id: self.routing_id, credentials: self.credentials }
    }
}

impl Handler {
    pub(crate) fn new(handler: Arc<dyn ZapHandler>) -> Self {
        Self { handler, authenticate: |handler, facts| handler.authenticate(facts.into_request()) }
    }

    pub(crate) fn authenticate(&self, facts: AuthFacts) -> Option<AuthOutcome> {
        (self.authenticate)(&*self.handler, facts)
    }
}

impl fmt::Debug for AuthOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now(reply) => f.debug_tuple("Now").field(reply).finish(),
            Self::Later(_) => f.write_str("Later"),
        }
    }
}

/// The component that decides whether a peer is accepted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthSource {
    /// The ZAP handler decides, if one is bound when the peer connects.
    ///
    /// Runtimes set the handler of the context of the socket (see [`Options::zap_handler`](crate::Options::zap_handler) and
    /// [`zap`](crate::security::zap)). A NULL socket without a [domain](crate::Options::zap_domain) uses no handler, as in
    /// libzmq.
    ///
    /// Without a handler, NULL without a domain accepts every peer. A server of PLAIN or CURVE, and every socket with a
    /// domain, rejects every peer with [`ConnectionError::NoAuthenticator`](crate::ConnectionError::NoAuthenticator), except
    /// where [`enforce_zap_domain`](crate::Options::enforce_zap_domain) is off.
    #[default]
    Default,
    /// Every CURVE client is accepted, with any key. ZAP handlers are not used. With PLAIN or a domain, every peer is
    /// rejected, as without a handler.
    #[cfg(feature = "curve")]
    AnyKey,
    /// The code that calls the methods of a [`Connection`](crate::Connection), such as a runtime, decides. This code
    /// takes each request from [`poll_auth_request`](crate::Connection::poll_auth_request), and passes its reply to
    /// [`handle_auth_reply`](crate::Connection::handle_auth_reply).
    Driver,
    /// The authenticator that the application has set for the socket decides. Carries this authenticator.
    Authenticator(Authenticator),
}

impl AuthRequest {
    /// Creates a request with these credentials and otherwise empty fields, for tests of an [`Authenticator`].
    pub const fn new(credentials: AuthCredentials) -> Self {
        Self { domain: String::new(), address: String::new(), routing_id: Frame::EMPTY, credentials }
    }
}

impl AuthCredentials {
    /// Returns the mechanism of the credentials.
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
    /// Creates a reply that accepts the peer, without user id and properties.
    pub const fn accept() -> Self {
        Self::Accept { user_id: None, properties: Metadata::new() }
    }

    /// Creates a reply that accepts the peer with this user id, without properties.
    pub fn accept_as(user_id: impl Into<Bytes>) -> Self {
        Self::Accept { user_id: Some(user_id.into()), properties: Metadata::new() }
    }

    /// Creates a reply that rejects the credentials of the peer (status 400).
    pub const fn reject() -> Self {
        Self::Reject(AuthStatus::Denied)
    }
}

impl AuthStatus {
    /// Returns the status code of RFC 27: 300, 400 or 500.
    pub const fn status(self) -> u16 {
        match self {
            Self::TemporaryError => 300,
            Self::Denied => 400,
            Self::InternalError => 500,
        }
    }

    /// Returns the status code as text.
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::TemporaryError => "300",
            Self::Denied => "400",
            Self::InternalError => "500",
        }
    }

    /// Returns a short text that explains the status, for a ZAP reply or an error message.
    pub(super) const fn meaning(self) -> &'static str {
        match self {
            Self::TemporaryError => "temporary error, try again later",
            Self::Denied => "the credentials are rejected",
            Self::InternalError => "the authenticator failed",
        }
    }

    /// Returns the status for its code of RFC 27: `300`, `400` or `500`. `reason` is the reason in an ERROR command, or
    /// the status frame of a ZAP reply. Returns `None` for any other text, also for `200` (accepted).
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
    /// Creates an authenticator from a function that decides immediately. The function is called while no lock is held, and
    /// must not block.
    ///
    /// ```
    /// use sansmq::{AuthReply, Authenticator};
    ///
    /// let local = Authenticator::new(|request| {
    ///     if request.address == "127.0.0.1" { AuthReply::accept() } else { AuthReply::reject() }
    /// });
    /// # let _ = local;
    /// ```
    pub fn new(decide: impl Fn(&AuthRequest) -> AuthReply + Send + Sync + 'static) -> Self {
        Self(Arc::new(move |facts| AuthOutcome::Now(decide(&facts.into_request()))))
    }

    /// Creates an authenticator from an asynchronous function. The decision must be available within
    /// [`auth_timeout`](crate::Options::auth_timeout). The task of the connection polls the future that the function
    /// returns. If the peer disconnects, the task drops the future.
    pub fn from_async<F: Future<Output = AuthReply> + Send + 'static>(
        decide: impl Fn(AuthRequest) -> F + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(move |facts| AuthOutcome::Later(Box::pin(decide(facts.into_request())))))
    }

    pub(crate) fn authenticate(&self, facts: AuthFacts) -> AuthOutcome {
        (self.0)(facts)
    }
}

/// Compares by identity: two values are equal only if they are clones of the same authenticator.
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

/// Shows the user name or the public key, but omits the password.
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

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    const STATUSES: [AuthStatus; 3] = [AuthStatus::TemporaryError, AuthStatus::Denied, AuthStatus::InternalError];

    #[test]
    fn status_codes_of_rfc_27_round_trip_as_text() {
        assert_eq!(STATUSES.map(AuthStatus::status), [300, 400, 500]);
        for status in STATUSES {
            let code = format!("{}", status.status());
            assert_eq!(status.code(), code);
            assert_eq!(AuthStatus::said_by(code.as_bytes()), Some(status));
            assert_eq!(format!("{status}"), format!("{code}, {}", status.meaning()));
            assert!(status.meaning().len() > 10);
        }
        for other in ["200", "", "40", "4000", "Denied"] {
            assert_eq!(AuthStatus::said_by(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn debug_output_omits_passwords_and_functions() {
        let accept = AuthReply::accept_as("user");
        let now = AuthOutcome::Now(accept.clone());
        assert_eq!(format!("{now:?}"), format!("Now({accept:?})"));
        assert_eq!(format!("{:?}", AuthOutcome::Later(Box::pin(async { AuthReply::reject() }))), "Later");
        assert_eq!(format!("{:?}", Authenticator::new(|_| AuthReply::accept())), "Authenticator");
        assert_eq!(format!("{:?}", AuthCredentials::Null), "Null");
        #[cfg(feature = "plain")]
        {
            let plain = AuthCredentials::Plain { username: "user".into(), password: "secret".into() };
            assert_eq!(format!("{plain:?}"), r#"Plain { username: b"user", .. }"#);
            assert_eq!(plain.mechanism(), MechanismName::PLAIN);
        }
        #[cfg(feature = "curve")]
        {
            let key = PublicKey::from_bytes([7; 32]);
            assert_eq!(format!("{:?}", AuthCredentials::Curve(key)), format!("Curve({key:?})"));
            assert_eq!(AuthCredentials::Curve(key).mechanism(), MechanismName::CURVE);
        }
        assert_eq!(AuthCredentials::Null.mechanism(), MechanismName::NULL);
    }

    #[test]
    fn replies_contain_what_their_constructors_name() {
        assert_eq!(AuthReply::accept(), AuthReply::Accept { user_id: None, properties: Metadata::new() });
        let user_id = Some(Bytes::from_static(b"user"));
        assert_eq!(AuthReply::accept_as("user"), AuthReply::Accept { user_id, properties: Metadata::new() });
        assert_eq!(AuthReply::reject(), AuthReply::Reject(AuthStatus::Denied));
    }

    #[test]
    fn authenticators_are_equal_only_to_their_clones() {
        let one = Authenticator::new(|_| AuthReply::accept());
        assert_eq!(one, one.clone());
        assert_ne!(one, Authenticator::new(|_| AuthReply::accept()));
    }
}
