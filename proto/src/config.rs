//! What a connection needs to know of its socket, shared by all connections of that socket.

use crate::message::Frame;
use crate::resource::Resource;
use crate::socket_type::SocketType;
use crate::wire::{IDENTITY, Metadata, RESOURCE, SOCKET_TYPE};
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
    /// When to send PINGs; `None`: never.
    pub heartbeat: Option<HeartbeatConfig>,
    /// Whether each peer has to be admitted by an [`AuthReply`](crate::AuthReply).
    pub authenticate: bool,
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
            heartbeat: None,
            authenticate: false,
        }
    }

    /// Whether a listener may serve sockets of both settings: all speak ZMTP, and nothing that is settled before it is
    /// known whom a peer wants is settled differently.
    #[cfg(feature = "std")]
    pub(crate) fn may_share_with(&self, other: &Self) -> bool {
        // RFC 37: all services that use the same endpoint use the same security.
        !self.socket_type.is_raw() && !other.socket_type.is_raw() && self.authenticate == other.authenticate
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
