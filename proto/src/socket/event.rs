//! What a monitor hears: the life of listeners, dials and connections, always with the reason.

use crate::address::{Endpoint, NetworkError};
use crate::connection::ConnectionError;
#[cfg(doc)]
use crate::connection::Fault;
use crate::connection::Peer;
use crate::message::Frame;
use crate::socket::id::PipeId;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::time::Duration;

/// Something happened to a socket's listeners, dials, connections or messages.
///
/// A connection's story has a fixed form. A dial is [`Connecting`](Self::Connecting), and then `Connected`, `ConnectFailed` or
/// `ConnectCancelled`. What is `Connected` or `Accepted` becomes `Ready`, or else its `HandshakeFailed`; and what was `Ready` ends
/// with `Disconnected`. Where `retry` says when, it is `Connecting` again then.
///
/// A monitor of libzmq would hear (`zmq_socket_monitor`):
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
/// | `HANDSHAKE_FAILED_NO_DETAIL` | [`HandshakeFailed`](Self::HandshakeFailed), where it is the [network's](Fault::Network) fault |
/// | `HANDSHAKE_FAILED_PROTOCOL` | the same, where it is the [peer's](Fault::Peer) |
/// | `HANDSHAKE_FAILED_AUTH` | the same for [`Denied`](ConnectionError::Denied) and [`Refused`](ConnectionError::Refused) |
/// | `DISCONNECTED` | [`Disconnected`](Self::Disconnected); of this side's own doing too, which libzmq does not tell |
/// | `CLOSED` | [`ListenerClosed`](Self::ListenerClosed), [`ConnectFailed`](Self::ConnectFailed), [`ConnectCancelled`](Self::ConnectCancelled) |
/// | `CLOSE_FAILED` | [`ListenerCloseFailed`](Self::ListenerCloseFailed) |
/// | `MONITOR_STOPPED` | [`Closed`](Self::Closed) |
/// | `PIPES_STATS` | none; ask [`Socket::stats`](crate::Socket::stats) |
/// | none | [`NoAuthenticator`](Self::NoAuthenticator), [`Dropped`](Self::Dropped), [`Lagged`](Self::Lagged) |
///
/// libzmq tells nothing of `inproc`; here its links are like any others.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A listener is open, at the address the system gave it (`LISTENING`).
    Listening {
        /// Where.
        endpoint: Endpoint,
    },
    /// Whoever comes to this listener is let in, with whatever key: the socket is a server of CURVE that has neither an
    /// [authenticator](crate::Options::authenticator) nor a [domain](crate::Options::zap_domain), and there is no
    /// [ZAP handler](crate::security::zap) that it could ask. What travels is encrypted all the same. Told once, when the listener is
    /// open; a handler may come later, and is asked then.
    NoAuthenticator {
        /// Where.
        endpoint: Endpoint,
    },
    /// A listener could not be opened (`BIND_FAILED`).
    ListenFailed {
        /// Where.
        endpoint: Endpoint,
        /// Why.
        error: NetworkError,
    },
    /// A listener failed to accept a connection and pauses (`ACCEPT_FAILED`).
    AcceptFailed {
        /// Where.
        endpoint: Endpoint,
        /// Why.
        error: NetworkError,
        /// For how long.
        pause: Duration,
    },
    /// A listener is closed (`CLOSED`).
    ListenerClosed {
        /// Where it was.
        endpoint: Endpoint,
    },
    /// A listener could not be closed as it should: the file of its name was removed, or is another's by now
    /// (`CLOSE_FAILED`).
    ListenerCloseFailed {
        /// Where it was.
        endpoint: Endpoint,
        /// What was wrong.
        error: NetworkError,
    },
    /// A connection came in; its handshake begins (`ACCEPTED`).
    Accepted {
        /// The new pipe.
        pipe: PipeId,
        /// The listener's address.
        endpoint: Endpoint,
        /// The peer's address.
        from: Endpoint,
    },
    /// A connection came in and was closed at once, for there are too many.
    Rejected {
        /// The listener's address.
        endpoint: Endpoint,
        /// The peer's address.
        from: Endpoint,
        /// Of what there are too many.
        reason: Refusal,
    },
    /// A connection to a port that several sockets share ended before it belonged to any of them. Each of them is told.
    UnknownResource {
        /// The listener's address.
        endpoint: Endpoint,
        /// The peer's address.
        from: Endpoint,
        /// Why.
        reason: ConnectionError,
    },
    /// A dial begins (`CONNECT_DELAYED`). Over `inproc` it goes on until somebody binds.
    Connecting {
        /// The pipe.
        pipe: PipeId,
        /// Where to.
        endpoint: Endpoint,
    },
    /// A dial succeeded; its handshake begins (`CONNECTED`).
    Connected {
        /// The pipe.
        pipe: PipeId,
        /// Where to.
        endpoint: Endpoint,
    },
    /// A dial failed (`CLOSED`, and `CONNECT_RETRIED` if there is to be another).
    ConnectFailed {
        /// The pipe.
        pipe: PipeId,
        /// Where to.
        endpoint: Endpoint,
        /// Why.
        error: NetworkError,
        /// When the next dial begins; `None`: never.
        retry: Option<Duration>,
    },
    /// A dial was given up, or the wait for the next one: `disconnect` or `close` no longer want it (`CLOSED`).
    ConnectCancelled {
        /// The pipe.
        pipe: PipeId,
        /// Where to.
        endpoint: Endpoint,
    },
    /// A handshake is done; messages flow (`HANDSHAKE_SUCCEEDED`).
    Ready {
        /// The pipe.
        pipe: PipeId,
        /// Where to, or where from.
        endpoint: Endpoint,
        /// The other side.
        peer: Arc<Peer>,
        /// The name a ROUTER or a STREAM knows the peer by, be it chosen by the peer, by `connect_as` or automatic; the number
        /// that a SERVER or PEER gave it; empty elsewhere.
        routing_id: Frame,
    },
    /// A connection ended before its handshake was done, so that no message went either way (`HANDSHAKE_FAILED_NO_DETAIL`,
    /// `HANDSHAKE_FAILED_PROTOCOL`, `HANDSHAKE_FAILED_AUTH`).
    HandshakeFailed {
        /// The pipe.
        pipe: PipeId,
        /// Where to, or where from.
        endpoint: Endpoint,
        /// Why.
        reason: ConnectionError,
        /// When it is dialled again; `None`: never, and what was queued for the peer is dropped.
        retry: Option<Duration>,
    },
    /// A connection ended on which messages could flow (`DISCONNECTED`).
    Disconnected {
        /// The pipe.
        pipe: PipeId,
        /// Where to, or where from.
        endpoint: Endpoint,
        /// The name a ROUTER, STREAM, SERVER or PEER knew the peer by; empty elsewhere.
        routing_id: Frame,
        /// Why.
        reason: ConnectionError,
        /// When it is dialled again; `None`: never, and what was queued for the peer is dropped.
        retry: Option<Duration>,
    },
    /// Messages were dropped; [`SocketStats::dropped`](crate::socket::SocketStats::dropped) has the sums.
    Dropped {
        /// Why.
        reason: DropReason,
        /// How many.
        messages: usize,
    },
    /// The socket is closed for good: nothing is connected, and nothing will be (`MONITOR_STOPPED`).
    Closed,
    /// The monitor was too slow and missed this many events.
    Lagged(u64),
}

/// Why a peer that came was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// There are as many peers as `Options::max_peers` allows.
    Peers,
    /// There are as many handshakes under way as `Options::max_handshakes` allows.
    Handshakes,
    /// There are as many with peers of this address.
    HandshakesOfAddress,
    /// As many have begun with this address lately as `Options::max_handshake_rate` allows.
    HandshakeRate,
}

/// Why a message was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// A ROUTER without `mandatory` knows no peer of that routing id.
    Unroutable,
    /// A ROUTER without `mandatory`, a REP, or a publisher whose [`SlowSubscriber`](crate::socket::SlowSubscriber) does not block
    /// has a peer that does not read: its high-water mark is reached.
    PeerFull,
    /// A REP's requester went before the reply.
    PeerGone,
    /// A REP received a message without an envelope's delimiter.
    NoEnvelope,
    /// A REQ received a reply it had not asked for, or no longer waited for.
    UnexpectedReply,
    /// A PUSH, SCATTER, PUB or RADIO received a message, which their peers do not send, or should not: an XSUB's own words
    /// are for XPUBs. Or a DISH received one that is no group and body.
    Unexpected,
    /// A message of several frames came to a CLIENT, SERVER, SCATTER, GATHER, CHANNEL or PEER, which know only such of one.
    Multipart,
    /// The connection ended, or linger ran out, with messages not sent.
    Undelivered,
}

/// Events that wait for one reader, at most 1000. A reader that falls behind loses the oldest events, and receives their
/// number as [`Event::Lagged`].
#[derive(Debug, Default)]
pub struct EventQueue(VecDeque<Event>);

impl EventQueue {
    const CAPACITY: usize = 1000;

    /// Creates an empty queue.
    pub const fn new() -> Self {
        Self(VecDeque::new())
    }

    /// Appends an event.
    pub fn push(&mut self, event: Event) {
        self.0.push_back(event);
        if self.0.len() > Self::CAPACITY {
            let mut missed = 1;
            if let Some(Event::Lagged(before)) = self.0.pop_front() {
                missed = before;
            }
            // The event that counts the missed ones takes the place of one more.
            self.0.pop_front();
            self.0.push_front(Event::Lagged(missed + 1));
        }
    }

    /// Removes and returns the oldest event.
    pub fn pop(&mut self) -> Option<Event> {
        self.0.pop_front()
    }

    /// Returns true if no event waits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
