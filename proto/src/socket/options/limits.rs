//! Limits on messages, peers and handshakes.

use super::{Options, or_no_limit};
use crate::kind::Kind;

/// Limits on the number of peers of a socket, and on the handshakes of the connections that the socket accepts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AdmissionLimits {
    pub(crate) peers: usize,
    pub(crate) handshakes: usize,
    pub(crate) handshakes_per_address: usize,
    /// Maximum number of handshakes that one IP address may begin per second. `None` selects the default of the
    /// security mechanism: 1000 for a CURVE server, otherwise no limit.
    pub(crate) handshake_rate: Option<usize>,
    /// Maximum memory of all handshakes together, in bytes; 0 for no limit.
    pub(crate) handshake_bytes: usize,
}

impl AdmissionLimits {
    pub(super) const DEFAULT: Self = Self {
        peers: 65_536,
        handshakes: 4096,
        handshakes_per_address: 1024,
        handshake_rate: None,
        handshake_bytes: 16 << 20,
    };
}

/// # Limits on messages and peers
impl<T: Kind> Options<T> {
    /// Sets the maximum size of an incoming message, in bytes, as the sum of all its frames. In libzmq the option limits
    /// each frame. A peer that announces a larger message in its frame headers is disconnected at once. 0 accepts only
    /// empty messages.
    ///
    /// A peer that uses this crate receives the reason first
    /// ([`CloseReason::MessageTooLarge`](crate::connection::CloseReason::MessageTooLarge)). Over `inproc`, `send` of the
    /// peer returns [`SendError::TooLarge`](crate::SendError::TooLarge) instead.
    ///
    /// Default: 64 MiB. libzmq: `ZMQ_MAXMSGSIZE` in bytes, default -1 (no limit).
    #[doc(alias("ZMQ_MAXMSGSIZE", "MAXMSGSIZE"))]
    #[must_use]
    pub const fn max_message_size(mut self, bytes: usize) -> Self {
        self.settings.connection.max_message_size = bytes;
        self
    }

    /// Sets the maximum size of an outgoing message, in bytes, as the sum of its frames without the routing id with which
    /// the messages of some socket types begin. `send` returns [`SendError::TooLarge`](crate::SendError::TooLarge) for a
    /// larger message. Choose the smallest limit of the peers: a peer that receives a message above its own limit closes
    /// the connection, and the message is lost. 0 accepts only empty messages.
    ///
    /// Default: no limit. libzmq: no such option, and no limit.
    #[must_use]
    pub const fn max_send_size(mut self, bytes: usize) -> Self {
        self.settings.max_send_size = bytes;
        self
    }

    /// Sets the maximum number of frames of an incoming message. A peer that sends more is disconnected. 0: no limit.
    ///
    /// Default: 16,384. libzmq: no such option, and no limit.
    #[must_use]
    pub const fn max_frames(mut self, frames: usize) -> Self {
        self.settings.connection.max_frames = or_no_limit(frames);
        self
    }

    /// Sets the maximum number of peers, including disconnected peers with messages that wait to be received. Further
    /// incoming connections are rejected with [`Event::Rejected`](crate::Event::Rejected); outgoing connections are
    /// not limited. 0: no limit.
    ///
    /// Default: 65,536. libzmq: no such option, and no limit.
    #[must_use]
    pub const fn max_peers(mut self, peers: usize) -> Self {
        self.settings.admission.peers = or_no_limit(peers);
        self
    }

    /// Sets the maximum number of handshakes in progress on accepted connections: `in_all` for all peers together, and
    /// `per_address` for the peers of one IP address. IPv6 addresses with the same first 64 bits count as one address. 0:
    /// no limit.
    ///
    /// If a new connection would exceed a limit, the oldest handshake that counts for this limit is evicted, provided
    /// that it began more than a second ago. Otherwise the new connection is rejected. At a port that several sockets
    /// share, 1024 more connections can wait until they are assigned to a socket.
    ///
    /// Default: 4096 and 1024. libzmq: no such option, and no limit.
    #[must_use]
    pub const fn max_handshakes(mut self, in_all: usize, per_address: usize) -> Self {
        self.settings.admission.handshakes = or_no_limit(in_all);
        self.settings.admission.handshakes_per_address = or_no_limit(per_address);
        self
    }

    /// Sets the maximum number of handshakes that one IP address may begin per second. IPv6 addresses with the same
    /// first 64 bits count as one address. After a second without a handshake, the address may begin this number at
    /// once. Further connections from this address are rejected with [`Event::Rejected`](crate::Event::Rejected). 0: no
    /// limit.
    ///
    /// A CURVE server has a limit by default, because each HELLO, even an invalid one, costs computing time. At a port
    /// that several sockets share, the rate of the socket that opened the port applies.
    ///
    /// Default: 1000 for a CURVE server, otherwise no limit. libzmq: no such option, and no limit.
    #[must_use]
    pub const fn max_handshake_rate(mut self, per_second: usize) -> Self {
        self.settings.admission.handshake_rate = Some(or_no_limit(per_second));
        self
    }

    /// Sets the maximum memory in bytes that the handshakes of all peers together hold: what peers have sent before their
    /// handshake is finished, and the properties of their READY or INITIATE, which are stored as long as the peer is
    /// connected. 0: no limit.
    ///
    /// While the limit is exceeded, a peer is rejected when its own handshake holds more than 4 KiB, with
    /// [`ConnectionError::HandshakeMemory`](crate::ConnectionError::HandshakeMemory). Other peers connect as usual; most
    /// handshakes need less than 1 KiB. At a port that several sockets share, the limit of the socket that opened the port
    /// applies until a connection is assigned to its socket.
    ///
    /// Default: 16 MiB. libzmq: no such option, and no limit.
    #[must_use]
    pub const fn max_handshake_bytes(mut self, bytes: usize) -> Self {
        self.settings.admission.handshake_bytes = bytes;
        self
    }
}
