//! Options for connections: limits on peers and handshakes, reconnects, and messages that notify of connects and
//! disconnects.

use super::{Options, or_no_limit};
use crate::kind::{Conflate, DisconnectMessage, HelloMessage, HiccupMessage, Kind, Router};
use crate::message::{Frame, Message};
use crate::socket::error::OptionsError;
use crate::wire::is_name_char;
use alloc::borrow::ToOwned;
use bytes::Bytes;

/// Conditions under which the socket does not dial again after a connection was lost or a dial failed:
/// `RECONNECT_STOP`. By default, the socket dials again after every failure.
///
/// When the socket stops dialling, it drops the messages that are queued for this endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReconnectStop {
    /// If true, the socket does not dial again after a dial was refused, which means that no listener is at the
    /// endpoint: `ZMQ_RECONNECT_STOP_CONN_REFUSED`.
    pub refused: bool,
    /// If true, the socket does not dial again after a connection ended before its handshake was finished:
    /// `ZMQ_RECONNECT_STOP_HANDSHAKE_FAILED`.
    pub handshake_failed: bool,
    /// If true, the socket does not dial again after the peer has sent an ERROR command. RFC 37 ("Error Handling")
    /// requires this: a peer that receives ERROR does not connect again with the same credentials. If false, the
    /// socket dials again after the delay of [`Options::reconnect_refused`], because an ERROR is not authenticated: any
    /// process that answers at the endpoint once, or changes bytes on the path, could otherwise disconnect a client
    /// permanently, even if the client uses CURVE.
    pub error_received: bool,
    /// If true, the socket stops dialling an endpoint and drops the messages queued for this endpoint, when the
    /// application calls `disconnect` or `close` while there is no connection to this endpoint:
    /// `ZMQ_RECONNECT_STOP_AFTER_DISCONNECT`. If false, the socket still dials during `linger`, to send its queued
    /// messages.
    pub disconnected: bool,
}

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

/// Options for messages that notify of connects and disconnects. The socket sends the message `hello` to its peers, and
/// delivers the other messages to its own application.
#[derive(Clone, Debug)]
pub(crate) struct Notices {
    pub(crate) hello: Option<Message>,
    pub(crate) disconnect: Option<Message>,
    pub(crate) hiccup: Option<Message>,
    pub(crate) connects: bool,
    pub(crate) disconnects: bool,
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

impl Notices {
    pub(super) const NONE: Self =
        Self { hello: None, disconnect: None, hiccup: None, connects: false, disconnects: false };
}

impl ReconnectStop {
    pub(super) const NEVER: Self =
        Self { refused: false, handshake_failed: false, error_received: false, disconnected: false };
}

impl<T: Kind> Options<T> {
    /// Sets the maximum number of peers, including disconnected peers with messages that wait to be received. Further
    /// incoming connections are rejected with [`Event::Rejected`](crate::Event::Rejected); outgoing connections are
    /// not limited. 0: no limit. Default 65 536; libzmq has no limit.
    #[must_use]
    pub const fn max_peers(mut self, peers: usize) -> Self {
        self.settings.admission.peers = or_no_limit(peers);
        self
    }

    /// Sets the maximum number of handshakes in progress on accepted connections: `in_all` for all peers together, and
    /// `per_address` for the peers of one IP address. IPv6 addresses with the same first 64 bits count as one address.
    /// 0: no limit. Default 4096 and 1024; libzmq has no limit.
    ///
    /// If a new connection would exceed a limit, the oldest handshake that counts for this limit is evicted, provided
    /// that it began more than a second ago. Otherwise the new connection is rejected. At a port that several sockets
    /// share, 1024 more connections can wait until they are assigned to a socket.
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
    /// Default: 1000 for a CURVE server, because each HELLO, even an invalid one, costs computing time; otherwise no
    /// limit. libzmq has no limit. At a port that several sockets share, the rate of the socket that opened the port
    /// applies.
    #[must_use]
    pub const fn max_handshake_rate(mut self, per_second: usize) -> Self {
        self.settings.admission.handshake_rate = Some(or_no_limit(per_second));
        self
    }

    /// Sets the maximum memory in bytes that the handshakes of all peers together hold: what peers have sent before their
    /// handshake is finished, and the properties of their READY or INITIATE, which are stored as long as the peer is
    /// connected. 0: no limit. Default 16 MiB; libzmq has no limit.
    ///
    /// While the limit is exceeded, a peer is rejected when its own handshake holds more than 4 KiB, with
    /// [`ConnectionError::HandshakeMemory`](crate::ConnectionError::HandshakeMemory). Other peers connect as usual; most
    /// handshakes need less than 1 KiB. At a port that several sockets share, the limit of the socket that opened the port
    /// applies until a connection is assigned to its socket.
    #[must_use]
    pub const fn max_handshake_bytes(mut self, bytes: usize) -> Self {
        self.settings.admission.handshake_bytes = bytes;
        self
    }

    /// Queues messages only for peers that have finished their handshake: `IMMEDIATE`. Off by default, as in libzmq:
    /// messages can be queued as soon as `connect` is called.
    ///
    /// With or without this option, messages that are queued when a connection is lost are sent on the next connection.
    /// libzmq drops them if its option is on.
    #[must_use]
    pub const fn immediate(mut self, immediate: bool) -> Self {
        self.settings.immediate = immediate;
        self
    }

    /// Makes `send` and `recv` return an error at once while no peer can be reached: no peer is connected, and the latest
    /// attempt of each `connect` failed. The errors are [`SendError::Unreachable`](crate::SendError::Unreachable) and
    /// [`RecvError::Unreachable`](crate::RecvError::Unreachable), which name the reason of each failure. The socket
    /// continues to dial, and messages that are already queued are still sent. Messages that have arrived are received
    /// before the error.
    ///
    /// Off by default, as in libzmq: messages are queued, and `send` and `recv` wait until a peer is connected. A socket
    /// without `connect` is not affected, and neither is a dial during its first attempt. The option is on as soon as a
    /// dial fails with [`NetworkError::NoIoDriver`](crate::NetworkError::NoIoDriver), which time does not cure.
    #[must_use]
    pub const fn fail_unreachable(mut self, fail: bool) -> Self {
        self.settings.fail_unreachable = fail;
        self
    }

    /// Sets the conditions under which the socket does not dial again: `RECONNECT_STOP`. By default, none of the
    /// conditions of [`ReconnectStop`] is set.
    #[must_use]
    pub const fn reconnect_stop(mut self, stop: ReconnectStop) -> Self {
        self.settings.reconnect_stop = stop;
        self
    }

    /// Adds a property that is sent to peers in the handshake: `METADATA`. Peers find the property in
    /// [`Peer::metadata`](crate::connection::Peer). A second call with the same name replaces the value.
    ///
    /// # Errors
    /// [`OptionsError::PropertyName`] unless the name begins with `X-` and has at most 255 bytes, all of them letters,
    /// digits or one of `-_.+` (RFC 37). [`OptionsError::Properties`] for more than 32 properties, or a value of more
    /// than 1024 bytes. Every peer accepts properties within these limits.
    pub fn metadata(mut self, name: &str, value: impl Into<Bytes>) -> Result<Self, OptionsError> {
        if !name.starts_with("X-") || name.len() > 255 || !name.bytes().all(is_name_char) {
            return Err(OptionsError::PropertyName(name.to_owned()));
        }
        let value = value.into();
        let properties = &mut self.settings.connection.properties;
        if value.len() > 1024 || (properties.get(name).is_none() && properties.iter().count() == 32) {
            return Err(OptionsError::Properties);
        }
        properties.set(name, value);
        Ok(self)
    }
}

impl<T: Kind> Options<T> {
    /// Stores only the latest message in each of the two queues of a peer, outgoing and incoming, and ignores the
    /// high-water marks: `CONFLATE`. A new message replaces the message in the queue, but not a message that the
    /// connection has already taken from the queue. All frames of the latest message are stored; libzmq stores only the
    /// last frame. Off by default.
    #[must_use]
    pub const fn conflate(mut self, conflate: bool) -> Self
    where
        T: Conflate,
    {
        self.settings.conflate = conflate;
        self
    }
}

impl<T: Kind> Options<T> {
    /// Sends this message to the peer of each new connection before any other message: `HELLO_MSG`. None by default.
    #[must_use]
    pub fn hello_message(mut self, message: impl Into<Frame>) -> Self
    where
        T: HelloMessage,
    {
        self.settings.notices.hello = Some(message.into().into());
        self
    }
}

impl<T: Kind> Options<T> {
    /// Delivers this message to the application of this socket, as if the peer had sent it, when a peer that this
    /// socket accepted disconnects: `DISCONNECT_MSG`. The message is not delivered after a local `disconnect`, `unbind`
    /// or `close`. None by default.
    #[must_use]
    pub fn disconnect_message(mut self, message: impl Into<Frame>) -> Self
    where
        T: DisconnectMessage,
    {
        self.settings.notices.disconnect = Some(message.into().into());
        self
    }
}

impl<T: Kind> Options<T> {
    /// Delivers this message to the application of this socket, as if the peer had sent it, when the connection to a
    /// dialled endpoint is lost and the socket will dial this endpoint again: `HICCUP_MSG`. None by default.
    #[must_use]
    pub fn hiccup_message(mut self, message: impl Into<Frame>) -> Self
    where
        T: HiccupMessage,
    {
        self.settings.notices.hiccup = Some(message.into().into());
        self
    }
}

impl Options<Router> {
    /// Delivers the message `[routing id, ""]` to the application of this socket when a peer has connected:
    /// `ROUTER_NOTIFY` with `ZMQ_NOTIFY_CONNECT`. Off by default.
    #[must_use]
    pub const fn notify_connect(mut self, notify: bool) -> Self {
        self.settings.notices.connects = notify;
        self
    }

    /// Delivers the message `[routing id, ""]` to the application of this socket when a peer has disconnected:
    /// `ROUTER_NOTIFY` with `ZMQ_NOTIFY_DISCONNECT`. The message is not delivered after a local `disconnect`, `unbind`
    /// or `close`. Off by default.
    #[must_use]
    pub const fn notify_disconnect(mut self, notify: bool) -> Self {
        self.settings.notices.disconnects = notify;
        self
    }
}
