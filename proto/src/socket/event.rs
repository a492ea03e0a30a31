//! Events for monitors: changes of listeners, connection attempts and connections, and the reasons for these changes.

mod text;

use crate::address::{Endpoint, NetworkError};
use crate::connection::ConnectionError;
use crate::connection::Peer;
use crate::message::Frame;
use crate::socket::id::PipeId;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::time::Duration;

/// Report of a socket to its monitor: a listener, a connection attempt or a connection has changed, or messages were
/// dropped. `Display` writes it as a sentence for logs, with the text of the error that it reports.
///
/// The events of a connection have a fixed order. Each connection attempt begins with [`Connecting`](Self::Connecting),
/// and ends with `Connected`, `ConnectFailed` or `ConnectCancelled`. After `Connected` or `Accepted` follows `Ready` or
/// `HandshakeFailed`. After `Ready` follows `Disconnected`. If `ConnectFailed`, `HandshakeFailed` or `Disconnected` has
/// a `retry`, the next `Connecting` follows after that time.
///
/// Corresponding events of libzmq (`zmq_socket_monitor`):
///
/// | libzmq | here |
/// |---|---|
/// | `LISTENING` | [`Listening`](Self::Listening) |
/// | `BIND_FAILED` | [`ListenFailed`](Self::ListenFailed) |
/// | `ACCEPTED` | [`Accepted`](Self::Accepted) |
/// | `ACCEPT_FAILED` | [`AcceptFailed`](Self::AcceptFailed) |
/// | `CONNECT_DELAYED` | [`Connecting`](Self::Connecting) |
/// | `CONNECTED` | [`Connected`](Self::Connected) |
/// | `CONNECT_RETRIED` | the `retry` of [`ConnectFailed`](Self::ConnectFailed), `HandshakeFailed` and `Disconnected` |
/// | `HANDSHAKE_SUCCEEDED` | [`Ready`](Self::Ready) |
/// | `HANDSHAKE_FAILED_NO_DETAIL` | [`HandshakeFailed`](Self::HandshakeFailed) with a [network fault](crate::connection::Fault::Network) |
/// | `HANDSHAKE_FAILED_PROTOCOL` | `HandshakeFailed` with a [peer fault](crate::connection::Fault::Peer) |
/// | `HANDSHAKE_FAILED_AUTH` | `HandshakeFailed` with [`Denied`](ConnectionError::Denied), [`NoAuthenticator`](ConnectionError::NoAuthenticator) or [`Refused`](ConnectionError::Refused) |
/// | `DISCONNECTED` | [`Disconnected`](Self::Disconnected); also after a local disconnect, which libzmq does not report |
/// | `CLOSED` | [`ListenerClosed`](Self::ListenerClosed), [`ConnectFailed`](Self::ConnectFailed), [`ConnectCancelled`](Self::ConnectCancelled) |
/// | `CLOSE_FAILED` | [`ListenerCloseFailed`](Self::ListenerCloseFailed) |
/// | `MONITOR_STOPPED` | [`Closed`](Self::Closed) |
/// | `PIPES_STATS` | none; call [`Socket::stats`](crate::Socket::stats) |
/// | none | [`NoAuthenticator`](Self::NoAuthenticator), [`Dropped`](Self::Dropped), [`DriverLost`](Self::DriverLost), [`Lagged`](Self::Lagged) |
///
/// libzmq emits no events for `inproc`; this crate emits the same events for all transports.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A listener is open (`LISTENING`).
    #[doc(alias("ZMQ_EVENT_LISTENING", "EVENT_LISTENING"))]
    Listening {
        /// Bound endpoint of the listener.
        endpoint: Endpoint,
    },
    /// The socket rejects every peer at an endpoint, because it must authenticate them and nothing decides about them: it
    /// is a server of PLAIN or CURVE, or has a [domain](crate::Options::zap_domain), but it has no
    /// [authenticator](crate::Options::authenticator), and no [ZAP handler](crate::security::zap) is bound. Emitted once
    /// for each endpoint, when the listener is open or when `connect` is called; a ZAP handler that is bound later is
    /// used.
    NoAuthenticator {
        /// Bound endpoint of the listener, or endpoint that was given to `connect`.
        endpoint: Endpoint,
    },
    /// A listener could not be opened (`BIND_FAILED`).
    #[doc(alias("ZMQ_EVENT_BIND_FAILED", "EVENT_BIND_FAILED"))]
    ListenFailed {
        /// Endpoint that was given to `bind`.
        endpoint: Endpoint,
        /// Reason why the listener could not be opened.
        error: NetworkError,
    },
    /// A listener failed to accept a connection and pauses (`ACCEPT_FAILED`).
    #[doc(alias("ZMQ_EVENT_ACCEPT_FAILED", "EVENT_ACCEPT_FAILED"))]
    AcceptFailed {
        /// Address of the listener.
        endpoint: Endpoint,
        /// Reason why accepting the connection failed.
        error: NetworkError,
        /// Time until the listener accepts again.
        pause: Duration,
    },
    /// A listener is closed (`CLOSED`).
    #[doc(alias("ZMQ_EVENT_CLOSED", "EVENT_CLOSED"))]
    ListenerClosed {
        /// Address of the listener.
        endpoint: Endpoint,
    },
    /// A listener could not be closed cleanly: its socket file was removed, or replaced by that of another listener
    /// (`CLOSE_FAILED`).
    #[doc(alias("ZMQ_EVENT_CLOSE_FAILED", "EVENT_CLOSE_FAILED"))]
    ListenerCloseFailed {
        /// Address of the listener.
        endpoint: Endpoint,
        /// Error that occurred while the listener was closed.
        error: NetworkError,
    },
    /// A listener accepted a connection; the handshake begins (`ACCEPTED`).
    #[doc(alias("ZMQ_EVENT_ACCEPTED", "EVENT_ACCEPTED"))]
    Accepted {
        /// Id of the pipe (the message queues of this peer) that the connection belongs to.
        pipe: PipeId,
        /// Address of the listener.
        endpoint: Endpoint,
        /// Address of the peer.
        from: Endpoint,
    },
    /// A listener accepted a connection, but a limit of the socket was reached, so the connection was closed at once.
    Rejected {
        /// Address of the listener.
        endpoint: Endpoint,
        /// Address of the peer.
        from: Endpoint,
        /// Limit because of which the connection was rejected.
        reason: RejectReason,
    },
    /// A connection to a port that several sockets share ended before it was assigned to a socket. Each of the sockets
    /// that share the port emits this event.
    UnknownResource {
        /// Address of the listener.
        endpoint: Endpoint,
        /// Address of the peer.
        from: Endpoint,
        /// Reason why the connection ended.
        reason: ConnectionError,
    },
    /// The socket begins to connect to a peer (`CONNECT_DELAYED`). Over `inproc`, the connection attempt lasts until
    /// the endpoint is bound.
    #[doc(alias("ZMQ_EVENT_CONNECT_DELAYED", "EVENT_CONNECT_DELAYED"))]
    Connecting {
        /// Id of the pipe, which holds the message queues of this peer.
        pipe: PipeId,
        /// Endpoint of the peer, as it was given to `connect`.
        endpoint: Endpoint,
    },
    /// A connection attempt succeeded; the handshake of the new connection begins (`CONNECTED`).
    #[doc(alias("ZMQ_EVENT_CONNECTED", "EVENT_CONNECTED"))]
    Connected {
        /// Id of the pipe, which holds the message queues of this peer.
        pipe: PipeId,
        /// Endpoint of the peer, as it was given to `connect`.
        endpoint: Endpoint,
    },
    /// A connection attempt failed (`CLOSED`, and `CONNECT_RETRIED` if `retry` is set).
    #[doc(alias("ZMQ_EVENT_CLOSED", "EVENT_CLOSED", "ZMQ_EVENT_CONNECT_RETRIED", "EVENT_CONNECT_RETRIED"))]
    ConnectFailed {
        /// Id of the pipe, which holds the message queues of this peer.
        pipe: PipeId,
        /// Endpoint of the peer, as it was given to `connect`.
        endpoint: Endpoint,
        /// Reason why the connection attempt failed.
        error: NetworkError,
        /// Number of attempts that failed since the last finished handshake, including this one.
        attempts: u32,
        /// Time until the next connection attempt. `None` if the socket makes no further attempt; in this case, the
        /// messages that wait to be sent to the peer are dropped.
        retry: Option<Duration>,
    },
    /// A connection attempt, or the wait for the next attempt, was cancelled, for example by `disconnect` or `close`
    /// (`CLOSED`).
    #[doc(alias("ZMQ_EVENT_CLOSED", "EVENT_CLOSED"))]
    ConnectCancelled {
        /// Id of the pipe, which holds the message queues of this peer.
        pipe: PipeId,
        /// Endpoint of the peer, as it was given to `connect`.
        endpoint: Endpoint,
    },
    /// A handshake is finished and messages can be exchanged (`HANDSHAKE_SUCCEEDED`).
    #[doc(alias("ZMQ_EVENT_HANDSHAKE_SUCCEEDED", "EVENT_HANDSHAKE_SUCCEEDED"))]
    Ready {
        /// Id of the pipe (the message queues of this peer) that the connection belongs to.
        pipe: PipeId,
        /// Endpoint that was given to `connect`, or address of a peer that was accepted.
        endpoint: Endpoint,
        /// Properties that the peer sent in its handshake, and properties that authentication set.
        peer: Arc<Peer>,
        /// Routing id of the peer, if this socket is a ROUTER, STREAM, SERVER or PEER. The peer sent the id,
        /// `connect_as` received it as an argument, or this socket generated it. Empty if this socket is of another
        /// type.
        routing_id: Frame,
    },
    /// A connection ended before its handshake was finished; no messages were exchanged (`HANDSHAKE_FAILED_NO_DETAIL`,
    /// `HANDSHAKE_FAILED_PROTOCOL`, `HANDSHAKE_FAILED_AUTH`).
    #[doc(alias("ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL", "EVENT_HANDSHAKE_FAILED_NO_DETAIL"))]
    #[doc(alias("ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL", "EVENT_HANDSHAKE_FAILED_PROTOCOL"))]
    #[doc(alias("ZMQ_EVENT_HANDSHAKE_FAILED_AUTH", "EVENT_HANDSHAKE_FAILED_AUTH", "ZMQ_EVENT_CONNECT_RETRIED"))]
    #[doc(alias = "EVENT_CONNECT_RETRIED")]
    HandshakeFailed {
        /// Id of the pipe (the message queues of this peer) that the connection belonged to.
        pipe: PipeId,
        /// Endpoint that was given to `connect`, or address of a peer that was accepted.
        endpoint: Endpoint,
        /// Reason why the connection ended.
        reason: ConnectionError,
        /// Time until the next connection attempt. `None` if the socket makes no further attempt; in this case, the
        /// messages that wait to be sent to the peer are dropped.
        retry: Option<Duration>,
    },
    /// A connection ended after its handshake was finished (`DISCONNECTED`).
    #[doc(alias("ZMQ_EVENT_DISCONNECTED", "EVENT_DISCONNECTED", "ZMQ_EVENT_CONNECT_RETRIED"))]
    #[doc(alias = "EVENT_CONNECT_RETRIED")]
    Disconnected {
        /// Id of the pipe (the message queues of this peer) that the connection belonged to.
        pipe: PipeId,
        /// Endpoint that was given to `connect`, or address of a peer that was accepted.
        endpoint: Endpoint,
        /// Routing id of the peer, if this socket is a ROUTER, STREAM, SERVER or PEER. Empty if this socket is of
        /// another type.
        routing_id: Frame,
        /// Reason why the connection ended.
        reason: ConnectionError,
        /// Time until the next connection attempt. `None` if the socket makes no further attempt; in this case, the
        /// messages that wait to be sent to the peer are dropped.
        retry: Option<Duration>,
    },
    /// Messages were dropped. [`SocketStats::dropped`](crate::socket::SocketStats::dropped) has the totals.
    Dropped {
        /// Reason why these messages were dropped.
        reason: DropReason,
        /// Number of messages that this event reports as dropped, not the total.
        messages: usize,
    },
    /// The runtime or event loop of the socket ended before the socket was closed, and messages were dropped that were
    /// not completely handed to the operating system. To avoid this, call `close` of the socket, or of its context, and
    /// wait for the result before the runtime ends.
    DriverLost {
        /// Number of the dropped messages.
        unsent: usize,
    },
    /// The socket is closed and all its pipes are removed (`MONITOR_STOPPED`).
    #[doc(alias("ZMQ_EVENT_MONITOR_STOPPED", "EVENT_MONITOR_STOPPED"))]
    Closed,
    /// The monitor polled its events too slowly, so that the oldest events were dropped. The value is the number of
    /// dropped events.
    Lagged(u64),
}

/// Limit because of which the socket rejected a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RejectReason {
    /// The socket has the maximum number of peers, see `Options::max_peers`.
    MaxPeers,
    /// The maximum number of handshakes of all peers together is in progress, see `Options::max_handshakes`.
    MaxHandshakes,
    /// The maximum number of handshakes from the address of the peer is in progress, see `Options::max_handshakes`.
    MaxHandshakesPerAddress,
    /// Connections from the address of the peer arrive faster than `Options::max_handshake_rate` allows.
    MaxHandshakeRate,
}

/// Reason for dropping a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum DropReason {
    /// The application of a ROUTER without `mandatory` sent a message with a routing id that no peer has.
    Unroutable,
    /// The outgoing queue of the receiving peer had no room, usually because the send high-water mark is reached. The
    /// message was not sent to this peer. This socket is a ROUTER without `mandatory`, a REP, an XSUB, or a publisher
    /// with a [`SlowSubscriber`](crate::socket::SlowSubscriber) policy other than `Block`. With `DropOldest`, older
    /// messages in the queue were dropped instead.
    PeerFull,
    /// A REP replied to a peer that had disconnected. The reply was dropped.
    PeerGone,
    /// A REP received a message without an envelope: the empty delimiter frame, or the body after it, is missing.
    MissingDelimiter,
    /// A REQ received a message that is not the reply to its outstanding request: the REQ has no outstanding request,
    /// sent the request to another peer, or used another request id (`correlate`).
    UnexpectedReply,
    /// This socket received a message that its type does not accept: any message at a PUSH, SCATTER or RADIO; a message
    /// from an XSUB at a PUB (an XPUB accepts such messages); or a message at a DISH that is not a group and a body.
    Unexpected,
    /// A CLIENT, SERVER, SCATTER, GATHER, CHANNEL or PEER received a message of several frames. These socket types
    /// support only messages of one frame.
    Multipart,
    /// Messages for a peer could not be sent: the connection ended and the messages cannot be sent on a later
    /// connection, a ROUTER found a peer with another routing id at the endpoint that it dials, or the linger period
    /// expired.
    Undelivered,
}

impl DropReason {
    /// All reasons, in the order of the enum.
    pub(crate) const ALL: [Self; 8] = [
        Self::Unroutable,
        Self::PeerFull,
        Self::PeerGone,
        Self::MissingDelimiter,
        Self::UnexpectedReply,
        Self::Unexpected,
        Self::Multipart,
        Self::Undelivered,
    ];
}

/// Queue of at most 1000 events for one monitor. If the monitor is slow, the oldest events are dropped, and the monitor
/// receives their number as [`Event::Lagged`].
#[derive(Debug, Default)]
pub struct EventQueue(VecDeque<Event>);

impl EventQueue {
    const CAPACITY: usize = 1000;

    /// Creates an empty queue.
    pub const fn new() -> Self {
        Self(VecDeque::new())
    }

    /// Appends an event. If the queue is full, drops the oldest event.
    pub fn push(&mut self, event: Event) {
        self.0.push_back(event);
        if self.0.len() > Self::CAPACITY {
            let mut missed = 1;
            if let Some(Event::Lagged(before)) = self.0.pop_front() {
                missed = before;
            }
            // The event that counts the missed events takes the place of one more event.
            self.0.pop_front();
            self.0.push_front(Event::Lagged(missed + 1));
        }
    }

    /// Removes and returns the oldest event.
    pub fn pop(&mut self) -> Option<Event> {
        self.0.pop_front()
    }

    /// Returns true if no event is queued.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
