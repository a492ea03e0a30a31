//! What a monitor hears: the life of listeners, dials and connections, always with the reason.

use crate::connection::Peer;
use crate::endpoint::Endpoint;
use crate::error::{ConnectionError, NetworkError};
use crate::message::Frame;
use crate::pipe::PipeId;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::time::Duration;

/// Something happened to a socket's listeners, dials, connections or messages.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A listener is open, at the address the system gave it.
    Listening {
        /// Where.
        endpoint: Endpoint,
    },
    /// A listener could not be opened.
    ListenFailed {
        /// Where.
        endpoint: Endpoint,
        /// Why.
        error: NetworkError,
    },
    /// A listener failed to accept a connection and pauses.
    AcceptFailed {
        /// Where.
        endpoint: Endpoint,
        /// Why.
        error: NetworkError,
        /// For how long.
        pause: Duration,
    },
    /// A listener is closed.
    Unlistened {
        /// Where it was.
        endpoint: Endpoint,
    },
    /// A listener could not be closed as it should: the file of its name was removed, or is another's by now.
    UnlistenFailed {
        /// Where it was.
        endpoint: Endpoint,
        /// What was wrong.
        error: NetworkError,
    },
    /// A connection came in; its handshake begins.
    Accepted {
        /// The new pipe.
        pipe: PipeId,
        /// The listener's address.
        endpoint: Endpoint,
        /// The peer's address.
        from: Endpoint,
    },
    /// A connection came in and was closed at once, for there are too many.
    TurnedAway {
        /// The listener's address.
        endpoint: Endpoint,
        /// The peer's address.
        from: Endpoint,
        /// Of what there are too many.
        reason: Refusal,
    },
    /// A dial succeeded; its handshake begins.
    Connected {
        /// The pipe.
        pipe: PipeId,
        /// Where to.
        endpoint: Endpoint,
    },
    /// A dial failed.
    DialFailed {
        /// The pipe.
        pipe: PipeId,
        /// Where to.
        endpoint: Endpoint,
        /// Why.
        error: NetworkError,
        /// When the next dial begins; `None`: never.
        retry: Option<Duration>,
    },
    /// A handshake is done; messages flow.
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
    /// A connection ended.
    Disconnected {
        /// The pipe.
        pipe: PipeId,
        /// Where to, or where from.
        endpoint: Endpoint,
        /// The name a ROUTER, STREAM, SERVER or PEER knew the peer by; empty elsewhere, and if it never got one.
        routing_id: Frame,
        /// Why.
        reason: ConnectionError,
        /// When it is dialled again; `None`: never, and what was queued for the peer is dropped.
        retry: Option<Duration>,
    },
    /// Messages were dropped.
    Dropped {
        /// Why.
        reason: DropReason,
        /// How many.
        messages: usize,
    },
    /// The monitor was too slow and missed this many events.
    Missed(u64),
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
}

/// Why a message was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DropReason {
    /// A ROUTER without `mandatory` knows no peer of that routing id.
    Unroutable,
    /// A ROUTER without `mandatory`, or a REP, has a peer that does not read: its high-water mark is reached.
    PeerFull,
    /// A REP's requester went before the reply.
    PeerGone,
    /// A REP received a message without an envelope's delimiter.
    NoEnvelope,
    /// A REQ received a reply it had not asked for, or no longer waited for.
    Unasked,
    /// A PUSH or SCATTER received a message, which PULL and GATHER peers do not send.
    Unexpected,
    /// A message of several frames came to a CLIENT, SERVER, SCATTER, GATHER, CHANNEL or PEER, which know only such of one.
    Multipart,
    /// The connection ended, or linger ran out, with messages not sent.
    NotSent,
}

/// Queues an event for a reader. One that does not read misses the oldest ones, and is told how many.
pub(crate) fn remember(events: &mut VecDeque<Event>, event: Event) {
    const KEPT: usize = 1000;
    events.push_back(event);
    if events.len() > KEPT {
        let mut missed = 1;
        if let Some(Event::Missed(before)) = events.pop_front() {
            missed = before;
        }
        // The note of what was missed needs the place of one more.
        events.pop_front();
        events.push_front(Event::Missed(missed + 1));
    }
}
