//! [`ConnectionConfig`]: settings that all connections of a socket share.

use crate::address::Resource;
use crate::connection::close_reason::LikelyReason;
use crate::connection::ledger::Ledger;
use crate::message::Frame;
use crate::security::{AuthSource, Handler, Security};
use crate::socket_type::SocketType;
use crate::wire::{CLOSE_REASON, CLOSE_REASON_VERSION, IDENTITY, MechanismName, Metadata, RESOURCE, SOCKET_TYPE};
use alloc::string::String;
use alloc::sync::Arc;
use bytes::Bytes;
use core::time::Duration;

/// Settings of a [`Connection`](crate::Connection). A [`Socket`](crate::Socket) creates them from its
/// [`Options`](crate::Options). The documentation of each option describes its setting in detail.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectionConfig {
    /// Type of this side's socket.
    pub socket_type: SocketType,
    /// Routing id of this side, at most 255 bytes; empty for no routing id.
    pub routing_id: Frame,
    /// Further properties that this side sends in READY. The names of properties that the application has set begin with
    /// `X-`. A [`Socket`](crate::Socket) adds `Close-Reason`, which announces that it accepts a
    /// [`CloseReason`](crate::connection::CloseReason).
    pub properties: Metadata,
    /// Resource that this side requests in its READY, if several sockets share the listener of the peer; `None` to
    /// request no resource.
    pub resource: Option<Resource>,
    /// Maximum size of a received message in bytes, summed over all its frames.
    pub max_message_size: usize,
    /// Maximum number of frames of a received message.
    pub max_frames: usize,
    /// Maximum duration of greeting and handshake together; `None` for no limit.
    pub handshake_timeout: Option<Duration>,
    /// True to accept peers of ZMTP 2.0 and 1.0. Even then, such a peer is accepted only with the NULL mechanism,
    /// without authentication, and without a resource.
    pub allow_legacy_zmtp: bool,
    /// True if READY announces that this side accepts the command CLOSE; see
    /// [`Options::close_reasons`](crate::Options::close_reasons).
    pub close_reasons: bool,
    /// Heartbeat settings; `None` to send no PINGs.
    pub heartbeat: Option<HeartbeatConfig>,
    /// Security mechanism with the role and the keys or passwords of this side.
    pub security: Security,
    /// Component that decides whether a peer is accepted. Not used if this side is a client of PLAIN or CURVE.
    pub auth_source: AuthSource,
    /// ZAP domain; empty for no domain. With a domain, peers of the NULL mechanism are authenticated too.
    pub domain: String,
    /// False if NULL and CURVE peers are accepted while no ZAP handler is bound; see
    /// [`Options::enforce_zap_domain`](crate::Options::enforce_zap_domain).
    pub enforces_zap_domain: bool,
    /// Maximum time to wait for the decision of an authenticator about a peer.
    pub auth_timeout: Duration,
    /// True if a message of several frames is searched for subscription changes only if its first frame is one.
    pub(crate) only_first_subscribe: bool,
    /// ZAP handler that decides about peers if [`auth_source`](Self::auth_source) is [`AuthSource::Default`]; `None` if
    /// the socket has no ZAP handler.
    pub(crate) handler: Option<Handler>,
    /// Memory of the connections of the socket; `None` for a connection without a socket.
    pub(crate) ledger: Option<Arc<Ledger>>,
}

/// Heartbeat settings (options `HEARTBEAT_IVL`, `HEARTBEAT_TIMEOUT`, `HEARTBEAT_TTL` of libzmq).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeartbeatConfig {
    /// Time between two PINGs that this side sends.
    pub interval: Duration,
    /// Maximum time to wait for any byte from the peer, or for room in a full stream, after a PING was due. If neither
    /// happens in this time, this side ends the connection.
    pub timeout: Duration,
    /// Time to live that this side's PINGs contain, in tenths of a second. The peer ends the connection if it receives
    /// no byte for this time; 0 for no limit.
    pub ttl: u16,
}

impl ConnectionConfig {
    /// Returns the default settings for a socket type, which are the same as those of [`Options`](crate::Options).
    pub const fn new(socket_type: SocketType) -> Self {
        Self {
            socket_type,
            routing_id: Frame::EMPTY,
            properties: Metadata::new(),
            resource: None,
            max_message_size: 64 << 20,
            max_frames: 16_384,
            handshake_timeout: Some(Duration::from_secs(30)),
            allow_legacy_zmtp: true,
            close_reasons: true,
            heartbeat: None,
            security: Security::Null,
            auth_source: AuthSource::Default,
            domain: String::new(),
            enforces_zap_domain: true,
            auth_timeout: Duration::from_secs(10),
            only_first_subscribe: true,
            handler: None,
            ledger: None,
        }
    }

    /// Returns true if a socket with the settings `self` and a socket with the settings `other` are allowed to share a
    /// listener. Both must use ZMTP. Their security settings, their source of authentication decisions, and their ZAP
    /// domain must be equal.
    // These settings are used before the peer requests a resource, so before its socket is known.
    pub fn may_share_with(&self, other: &Self) -> bool {
        // RFC 37: all services of an endpoint must use the same security.
        let same = self.security == other.security
            && self.auth_source == other.auth_source
            && self.domain == other.domain
            && self.enforces_zap_domain == other.enforces_zap_domain;
        !self.socket_type.is_raw() && !other.socket_type.is_raw() && same
    }

    /// Returns true if peers of the NULL mechanism must be authenticated: a ZAP domain is set, or `auth_source` decides
    /// about such peers.
    pub(crate) fn authenticates_null(&self) -> bool {
        let decides = match self.auth_source {
            AuthSource::Default => false,
            #[cfg(feature = "curve")]
            AuthSource::AnyKey => false,
            AuthSource::Driver | AuthSource::Authenticator(_) => true,
        };
        decides || !self.domain.is_empty()
    }

    /// Returns true if this side accepts peers of ZMTP 2.0 and 1.0. All of these conditions must be true:
    /// `allow_legacy_zmtp` is set, this side uses NULL without authentication, this side requests no resource, and the
    /// socket type of this side exists in ZMTP 2.0.
    pub(crate) fn accepts_legacy_peers(&self) -> bool {
        // A legacy peer has no mechanism, sends no resource, and knows only some socket types. It must not bypass
        // security.
        let is_open = self.security.mechanism() == MechanismName::NULL && !self.authenticates_null();
        self.allow_legacy_zmtp && is_open && self.resource.is_none() && self.socket_type.code().is_some()
    }

    /// Returns true if this side authenticates its peers: as a server of PLAIN or CURVE, or with NULL if authentication
    /// is configured.
    pub(crate) fn authenticates_peers(&self) -> bool {
        self.authenticates_null() || self.security.is_server()
    }

    /// Returns true if peers are accepted while no ZAP handler is bound.
    pub(crate) fn accepts_without_handler(&self) -> bool {
        !self.enforces_zap_domain && self.security.mechanism() != MechanismName::PLAIN
    }

    /// Returns the ZAP handler; `None` if there is no handler, or if this side does not authenticate peers.
    pub(crate) fn handler(&self) -> Option<&Handler> {
        self.handler.as_ref().filter(|_| self.authenticates_peers())
    }

    /// Returns true if this side authenticates its peers, but has nothing that decides about them at present, so that it
    /// rejects every peer.
    pub(crate) fn lacks_authenticator(&self) -> bool {
        self.authenticates_peers()
            && match self.auth_source {
                AuthSource::Default => {
                    !self.accepts_without_handler() && !self.handler().is_some_and(|handler| handler.handler.is_bound())
                }
                #[cfg(feature = "curve")]
                AuthSource::AnyKey => self.security.mechanism() != MechanismName::CURVE,
                AuthSource::Driver | AuthSource::Authenticator(_) => false,
            }
    }

    /// Announces to the peers that this side accepts the command CLOSE, unless the application has turned this off.
    pub(crate) fn announce_close_reason(&mut self) {
        if !self.close_reasons {
            self.properties.remove(CLOSE_REASON);
            return;
        }
        self.properties.set(CLOSE_REASON, Bytes::from_static(CLOSE_REASON_VERSION.as_bytes()));
    }

    /// Returns the most likely reason of a peer that closes the connection without a reason after it has received the
    /// READY or INITIATE of this side.
    pub(crate) fn likely_rejection(&self) -> LikelyReason {
        let ours = self.socket_type;
        if self.resource.is_some() {
            LikelyReason::UnknownResource
        } else if matches!(ours, SocketType::Pair | SocketType::Channel) {
            LikelyReason::PairInUse
        } else if ours.announces_routing_id() && !self.routing_id.is_empty() {
            LikelyReason::RoutingIdTaken
        } else {
            LikelyReason::SocketType
        }
    }

    /// Returns the properties of this side's READY: Socket-Type and Identity in the order of libzmq, then Resource,
    /// then the properties that the application has set.
    pub(crate) fn metadata(&self) -> Metadata {
        let mut metadata = Metadata::new();
        metadata.push(SOCKET_TYPE, Bytes::from_static(self.socket_type.name().as_bytes()));
        if self.socket_type.announces_routing_id() {
            metadata.push(IDENTITY, self.routing_id.clone().into_bytes());
        }
        if let Some(resource) = &self.resource {
            metadata.push(RESOURCE, resource.to_bytes());
        }
        metadata.extend(&self.properties);
        metadata
    }
}
