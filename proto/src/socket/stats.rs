//! What sockets count: [`SocketStats`] and [`PeerStats`]. Counters begin at zero with the socket and only grow.

use crate::address::Endpoint;
use crate::connection::RoundTrip;
use crate::message::{Frame, Message};
use crate::socket::event::DropReason;
use crate::socket::id::PipeId;
use alloc::collections::BTreeMap;
use core::iter::Sum;
use core::ops::{AddAssign, Sub};

/// Messages, and the octets in all their frames: without what the protocol adds to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrafficCount {
    /// How many messages.
    pub messages: u64,
    /// How many octets in them.
    pub octets: u64,
}

/// A socket in numbers, taken at one instant: [`Socket::stats`](crate::Socket::stats).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketStats {
    /// Peers there are, including those being dialled and those whose last messages wait to be received.
    pub peers: usize,
    /// Those of them that are connected and past their handshake.
    pub ready_peers: usize,
    /// Messages that wait to be sent, of all peers. Beside them each connection may hold a batch on its way: about 64 KiB,
    /// or 256 KiB of bodies of 2 KiB and more.
    pub outgoing: TrafficCount,
    /// Messages that wait to be received, of all peers. A REQ holds the reply it waits for apart from these.
    pub incoming: TrafficCount,
    /// Messages that were handed to connections; a copy for each peer counts. What a lost connection had not begun to send
    /// is taken off again.
    pub sent: TrafficCount,
    /// Messages that came from connections, be they received by the application, waiting, or dropped.
    pub received: TrafficCount,
    /// Messages that were dropped.
    pub dropped: Drops,
    /// Attempts to send that found no room: [`SendError::Full`](crate::SendError::Full), however long somebody waited then.
    pub full_sends: u64,
    /// How often a peer's queue of messages to be sent has reached `send_hwm` or `send_hwm_bytes`.
    pub send_hwm_hits: u64,
    /// How often a peer's queue of messages to be received has reached `recv_hwm` or `recv_hwm_bytes`.
    pub recv_hwm_hits: u64,
    /// Connections that came in.
    pub accepted: u64,
    /// Dials that succeeded.
    pub dialled: u64,
    /// Those of them by which a peer came back.
    pub reconnects: u64,
    /// Dials that failed.
    pub failed_dials: u64,
    /// Connections that ended before their handshake was done, for whatever reason.
    pub failed_handshakes: u64,
    /// Connections that ended, with or without a handshake. Those `accepted` and `dialled` that have not are there still.
    pub ended: u64,
}

/// One peer of a socket in numbers, taken at one instant: [`Socket::peer_stats`](crate::Socket::peer_stats). All counters are of
/// this pipe, through all its connections.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerStats {
    /// The pipe.
    pub pipe: PipeId,
    /// Where to, or where from; `None` if it is gone and only its last messages wait to be received.
    pub endpoint: Option<Endpoint>,
    /// The name a ROUTER, STREAM, SERVER or PEER knows the peer by; empty elsewhere.
    pub routing_id: Frame,
    /// There is a connection.
    pub connected: bool,
    /// Its handshake is done.
    pub ready: bool,
    /// Messages that wait to be sent to it.
    pub outgoing: TrafficCount,
    /// Messages of it that wait to be received.
    pub incoming: TrafficCount,
    /// Messages that were sent to it; see [`SocketStats::sent`].
    pub sent: TrafficCount,
    /// Messages that came from it.
    pub received: TrafficCount,
    /// How often its queue of messages to be sent has reached `send_hwm` or `send_hwm_bytes`.
    pub send_hwm_hits: u64,
    /// How often its queue of messages to be received has reached `recv_hwm` or `recv_hwm_bytes`.
    pub recv_hwm_hits: u64,
    /// How often it was connected again.
    pub reconnects: u64,
    /// How far away it is, by the heartbeats of the present connection. `None`: none was answered yet.
    pub round_trip: Option<RoundTrip>,
}

/// How many messages were dropped, by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drops(BTreeMap<DropReason, u64>);

/// What a pipe counts.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) sent: TrafficCount,
    pub(crate) received: TrafficCount,
    pub(crate) send_hwm_hits: u64,
    pub(crate) recv_hwm_hits: u64,
    /// Dials that succeeded. All but the first have brought the peer back.
    pub(crate) dialled: u64,
}

impl TrafficCount {
    #[inline]
    pub(crate) fn of(message: &Message) -> Self {
        Self { messages: 1, octets: message.size() as u64 }
    }
}

impl AddAssign for TrafficCount {
    #[inline]
    fn add_assign(&mut self, other: Self) {
        self.messages += other.messages;
        self.octets += other.octets;
    }
}

impl Sub for TrafficCount {
    type Output = Self;

    /// What is left; a connection may give back what was not counted, for it was put there by hand.
    #[inline]
    fn sub(self, part: Self) -> Self {
        let messages = self.messages.saturating_sub(part.messages);
        Self { messages, octets: self.octets.saturating_sub(part.octets) }
    }
}

impl<'a> Sum<&'a Message> for TrafficCount {
    fn sum<I: Iterator<Item = &'a Message>>(messages: I) -> Self {
        let mut sum = Self::default();
        messages.for_each(|message| sum += Self::of(message));
        sum
    }
}

impl SocketStats {
    /// Adds what a pipe has counted.
    pub(crate) fn include(&mut self, counts: &Counts) {
        let Counts { sent, received, send_hwm_hits, recv_hwm_hits, dialled } = counts;
        self.sent += *sent;
        self.received += *received;
        self.send_hwm_hits += send_hwm_hits;
        self.recv_hwm_hits += recv_hwm_hits;
        self.dialled += dialled;
        self.reconnects += counts.reconnects();
    }
}

impl Counts {
    pub(crate) const fn reconnects(&self) -> u64 {
        self.dialled.saturating_sub(1)
    }
}

impl Drops {
    /// How many were dropped for this reason.
    pub fn of(&self, reason: DropReason) -> u64 {
        self.0.get(&reason).copied().unwrap_or(0)
    }

    /// How many were dropped.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// The reasons that there were, each with how many messages it cost.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> {
        self.0.iter().map(|(&reason, &messages)| (reason, messages))
    }

    pub(crate) fn add(&mut self, reason: DropReason, messages: usize) {
        *self.0.entry(reason).or_default() += messages as u64;
    }
}
