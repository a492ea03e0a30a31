//! What a connection needs to know of its socket, shared by all connections of that socket.

use crate::address::Resource;
use crate::message::Frame;
use crate::security::{AuthCredentials, AuthSource, Security, ZapHandler};
use crate::socket_type::SocketType;
use crate::wire::{IDENTITY, MechanismName, Metadata, RESOURCE, SOCKET_TYPE};
use alloc::string::String;
use alloc::sync::Arc;
use bytes::Bytes;
use core::time::Duration;

/// The settings of a [`Connection`](crate::Connection). A [`Socket`](crate::Socket) makes one from its
/// [`Options`](crate::Options), which describe the fields at length.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectionConfig {
    /// What this side is.
    pub socket_type: SocketType,
    /// The routing id this side announces; at most 255 octets, empty for none.
    pub routing_id: Frame,
    /// What this side says of itself besides: names that begin with `X-`, with their values.
    pub properties: Metadata,
    /// The service this side asks for, where several share the peer's port.
    pub resource: Option<Resource>,
    /// Octets in all frames of one message, at most.
    pub max_message_size: usize,
    /// Frames of one message, at most.
    pub max_frames: usize,
    /// How long greeting and handshake may take together; `None`: for ever.
    pub handshake_timeout: Option<Duration>,
    /// Whether to speak with peers of ZMTP 2.0 and 1.0, where that can be done.
    pub allow_legacy_zmtp: bool,
    /// When to send PINGs; `None`: never.
    pub heartbeat: Option<HeartbeatConfig>,
    /// The mechanism, this side's role in it, and what it needs.
    pub security: Security,
    /// Who decides whether a peer may come in. A client of PLAIN or CURVE asks nobody.
    pub auth_source: AuthSource,
    /// The name under which that one is asked; with a name it is asked for every peer. Empty for none.
    pub domain: String,
    /// How long the answer may take.
    pub auth_timeout: Duration,
    /// Who is asked where [`auth_source`](Self::auth_source) is nobody.
    pub(crate) handler: Option<Arc<dyn ZapHandler>>,
}

/// When to send PINGs and what to make of silence (options `HEARTBEAT_IVL`, `HEARTBEAT_TIMEOUT`, `HEARTBEAT_TTL`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeartbeatConfig {
    /// A PING is sent so often.
    pub interval: Duration,
    /// A connection ends when a PING is followed by silence for so long.
    pub timeout: Duration,
    /// What the PING asks of the peer: to end the connection after so much silence of ours. In tenths of a second; 0: no
    /// such wish.
    pub ttl: u16,
}

impl ConnectionConfig {
    /// The defaults for a socket type, which are those of [`Options`](crate::Options).
    pub const fn new(socket_type: SocketType) -> Self {
        Self {
            socket_type,
            routing_id: Frame::EMPTY,
            properties: Metadata::new(),
            resource: None,
            max_message_size: 64 << 20,
            max_frames: 4096,
            handshake_timeout: Some(Duration::from_secs(30)),
            allow_legacy_zmtp: true,
            heartbeat: None,
            security: Security::Null,
            auth_source: AuthSource::Default,
            domain: String::new(),
            auth_timeout: Duration::from_secs(10),
            handler: None,
        }
    }

    /// Returns true if sockets of both settings may share a listener: both use ZMTP, and agree in everything that is settled
    /// before the peer names a resource.
    pub fn may_share_with(&self, other: &Self) -> bool {
        // RFC 37: all services that use the same endpoint use the same security.
        let same =
            self.security == other.security && self.auth_source == other.auth_source && self.domain == other.domain;
        !self.socket_type.is_raw() && !other.socket_type.is_raw() && same
    }

    /// Whether a peer that shows nothing needs to be asked about.
    pub(crate) fn asks(&self) -> bool {
        self.auth_source != AuthSource::Default || !self.domain.is_empty()
    }

    /// Whether a peer of before ZMTP 3 may come: only where there is no mechanism that it could evade, nobody to be asked
    /// about it and nothing to be asked of it, and where this side is something that it has heard of.
    pub(crate) fn allows_legacy_peers(&self) -> bool {
        let in_clear = self.security.mechanism() == MechanismName::NULL && !self.asks();
        self.allow_legacy_zmtp && in_clear && self.resource.is_none() && self.socket_type.code().is_some()
    }

    /// Whether there are questions to be asked about peers, by this mechanism and in this role.
    pub(crate) fn has_questions(&self) -> bool {
        self.asks() || self.security.is_server()
    }

    /// Returns the ZAP handler, if this side has questions for it.
    pub(crate) fn handler(&self) -> Option<&Arc<dyn ZapHandler>> {
        self.handler.as_ref().filter(|_| self.has_questions())
    }

    /// Whether a peer comes in by CURVE whatever its key, because nobody would be asked about it now.
    pub(crate) fn admits_any_key(&self) -> bool {
        let is_curve_server = self.security.is_server() && self.security.mechanism() == MechanismName::CURVE;
        is_curve_server && !self.asks() && !self.handler().is_some_and(|handler| handler.is_bound())
    }

    /// Whether a peer with such credentials has reason to believe that somebody looks at them.
    pub(crate) fn promises(&self, credentials: &AuthCredentials) -> bool {
        match credentials {
            #[cfg(feature = "plain")]
            AuthCredentials::Plain { .. } => true,
            _ => !self.domain.is_empty(),
        }
    }

    /// What we say of ourselves in READY: what libzmq says, in its order, and what is asked for, which it cannot.
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
