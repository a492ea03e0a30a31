//! Statistics of sockets: [`SocketStats`] and [`PeerStats`]. Counters begin at zero when the socket is created, and
//! only grow. The exception is `sent`: messages that a lost connection had not begun to send are subtracted from this
//! counter.

use crate::address::Endpoint;
use crate::connection::RoundTrip;
use crate::message::{Frame, Message};
use crate::socket::event::DropReason;
use crate::socket::id::PipeId;
use alloc::string::String;
use core::fmt;
use core::iter::Sum;
use core::ops::{AddAssign, Sub};
use core::time::Duration;

/// Number of messages, and number of bytes in their frames without the overhead of the protocol. Used both for the
/// total since the creation of a socket (`sent`, `received`) and for the present size of queues (`outgoing`,
/// `incoming`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
pub struct TrafficCount {
    /// Number of messages. In the fields `sent` and `received` of [`SocketStats`] and [`PeerStats`], this is a total.
    /// In their fields `outgoing` and `incoming`, this is the number of messages that are in the queues now.
    pub messages: u64,
    /// Number of bytes in all frames of the messages that `messages` counts: a total in the fields `sent` and
    /// `received` of [`SocketStats`] and [`PeerStats`], and the present size of the queues in their fields `outgoing`
    /// and `incoming`.
    pub bytes: u64,
}

/// Statistics of a socket at one instant, returned by [`Socket::stats`](crate::Socket::stats).
///
/// [`Display`](fmt::Display) writes the main numbers as one line for a log. The text may change in any release:
///
/// ```
/// # use sansmq::SocketStats;
/// let text = SocketStats::default().to_string();
/// assert_eq!(
///     text,
///     "0 peers, 0 ready; sent 0 messages (0 bytes), received 0 messages (0 bytes); queued 0 messages (0 bytes) out, \
///      0 messages (0 bytes) in; 0 bytes held; 0 messages dropped"
/// );
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct SocketStats {
    /// Present number of peers. Includes peers to which the socket is connecting or will reconnect, and disconnected
    /// peers from which messages wait to be received.
    pub peers: usize,
    /// Present number of peers with a finished handshake.
    pub ready_peers: usize,
    /// Messages that wait now in the outgoing queues of all peers together. Messages that the socket has given to
    /// connections are not included, see `under_way`.
    pub outgoing: TrafficCount,
    /// Messages that are under way now: the socket has given them to connections, which have not written them
    /// completely to the operating system. Included in `sent`. Each connection can hold one batch of about 64 KiB, or
    /// 256 KiB if the bodies have 2 KiB or more. Always 0 over `inproc`. If `outgoing` and `under_way` are both 0, the
    /// operating system has all messages.
    pub under_way: u64,
    /// Messages that wait now in the incoming queues of all peers together for the application to receive. The reply
    /// that a REQ has received is not in such a queue, and not included.
    pub incoming: TrafficCount,
    /// Age of the oldest message in the outgoing queues, at least; see
    /// [`Socket::sample_queues`](crate::Socket::sample_queues). Zero if no message waits.
    pub outgoing_age: Duration,
    /// Age of the oldest message in the incoming queues, at least.
    pub incoming_age: Duration,
    /// Memory that the socket holds now.
    pub held: HeldMemory,
    /// Memory in bytes that unfinished handshakes of all peers together hold now, and the properties that connected peers
    /// have sent. Included in [`HeldMemory::connections`], except at a port that several sockets share.
    pub handshake_bytes: u64,
    /// Limits on memory that apply to the socket.
    pub limits: MemoryLimits,
    /// Total of the messages that the socket gave to connections to be sent. A message to several peers counts once per
    /// peer. Messages that a lost connection had not begun to send are subtracted.
    pub sent: TrafficCount,
    /// Total of the messages that were subtracted from `sent`. The sum of both fields never decreases.
    pub returned: TrafficCount,
    /// Total of the messages that connections received, including messages that still wait for the application or were
    /// dropped. Messages that arrive while their pipe is draining, for example after `disconnect`, are not counted.
    pub received: TrafficCount,
    /// Total number of messages that were dropped, by reason.
    pub dropped: Drops,
    /// Total number of attempts to send that returned [`SendError::Full`](crate::SendError::Full).
    pub full_sends: u64,
    /// Total number of times that the outgoing queue of a peer reached `send_hwm` or `send_hwm_bytes`.
    pub send_hwm_hits: u64,
    /// Total number of times that the incoming queue of a peer reached `recv_hwm` or `recv_hwm_bytes`.
    pub recv_hwm_hits: u64,
    /// Total number of connections that the listeners of this socket accepted.
    pub accepted: u64,
    /// Total number of connection attempts of this socket that succeeded, including reconnects.
    pub dialled: u64,
    /// Total number of connection attempts that succeeded after an earlier attempt of the same `connect` had succeeded.
    pub reconnects: u64,
    /// Total number of connection attempts of this socket that failed.
    pub failed_dials: u64,
    /// Total number of connections that ended before their handshake was finished, for any reason.
    pub failed_handshakes: u64,
    /// Total number of connections that ended, with or without a finished handshake. The present number of connections
    /// is `accepted` plus `dialled` minus `ended`.
    pub ended: u64,
}

/// Statistics of one peer at one instant, returned by [`Socket::peer_stats`](crate::Socket::peer_stats). The counters
/// are totals over all connections of the peer's pipe.
///
/// [`Display`](fmt::Display) writes the main numbers as one line for a log, as for [`SocketStats`]. The text may change in any
/// release.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PeerStats {
    /// Id of the pipe: the message queues of this peer.
    pub pipe: PipeId,
    /// Endpoint that was given to `connect`, or address of a peer that was accepted. `None` if the peer disconnected
    /// for good, and messages from this peer wait to be received.
    pub endpoint: Option<Endpoint>,
    /// Address of the peer; see [`Peer::address`](crate::connection::Peer::address). `None` before the first handshake is
    /// finished, and over `inproc`.
    #[cfg_attr(feature = "serde", serde(default))]
    pub address: Option<Endpoint>,
    /// Routing id of the peer, if this socket is a ROUTER, STREAM, SERVER or PEER; empty for other socket types.
    pub routing_id: Frame,
    /// User id that the authenticator assigned to the peer; see [`Peer::user_id`](crate::connection::Peer::user_id).
    #[cfg_attr(feature = "serde", serde(default))]
    pub user_id: Option<Frame>,
    /// Text of the [`ConnectionError`](crate::ConnectionError) with which the latest connection or dial ended; `None`
    /// before the first end. The text stays after a reconnect.
    #[cfg_attr(feature = "serde", serde(default))]
    pub last_error: Option<String>,
    /// True if the pipe has a connection, with or without a finished handshake.
    pub connected: bool,
    /// True if the handshake of the connection is finished.
    pub ready: bool,
    /// Messages that wait to be sent to the peer now.
    pub outgoing: TrafficCount,
    /// Messages that are under way to the peer now; see [`SocketStats::under_way`].
    pub under_way: u64,
    /// Messages received from the peer that wait for the application now.
    pub incoming: TrafficCount,
    /// Age of the oldest message that waits to be sent to the peer, at least; see
    /// [`Socket::sample_queues`](crate::Socket::sample_queues). Zero if no message waits.
    #[cfg_attr(feature = "serde", serde(default))]
    pub outgoing_age: Duration,
    /// Age of the oldest message of the peer that waits for the application, at least.
    #[cfg_attr(feature = "serde", serde(default))]
    pub incoming_age: Duration,
    /// Memory that the peer holds now: its queues, its connection, and its subscriptions.
    pub held: HeldMemory,
    /// Total of the messages that were sent to the peer; see [`SocketStats::sent`].
    pub sent: TrafficCount,
    /// Total of the messages that were subtracted from `sent`; see [`SocketStats::returned`].
    #[cfg_attr(feature = "serde", serde(default))]
    pub returned: TrafficCount,
    /// Total of the messages that were received from the peer.
    pub received: TrafficCount,
    /// Total number of times that the outgoing queue of the peer reached `send_hwm` or `send_hwm_bytes`.
    pub send_hwm_hits: u64,
    /// Total number of times that the incoming queue of the peer reached `recv_hwm` or `recv_hwm_bytes`.
    pub recv_hwm_hits: u64,
    /// Total number of connection attempts to the peer that succeeded after an earlier attempt to this peer had
    /// succeeded.
    pub reconnects: u64,
    /// Latest round trip time that the heartbeats of the present connection measured. `None` if no heartbeat was
    /// answered on this connection.
    pub round_trip: Option<RoundTrip>,
}

/// Memory in bytes that a socket or a peer holds: what was allocated for it and is not free yet. Not included is the memory
/// that each idle connection needs, a few kilobytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct HeldMemory {
    /// Memory of the outgoing queues: messages that wait to be sent ([`Message::held_bytes`]), and unused memory of the
    /// queues. A message that waits for several peers counts for each of them. For a socket, unused memory that all its
    /// queues share is included: at most 576 KiB.
    pub outgoing: u64,
    /// Memory of the incoming queues: messages that wait for the application.
    pub incoming: u64,
    /// Memory of connections: partly received messages and handshakes, messages that were read ahead of a full queue,
    /// messages that are under way, and the properties that peers have sent. Over `inproc` the messages under way to the
    /// peer, at most 32.
    pub connections: u64,
    /// Memory of the subscriptions that the peers of a publisher have sent, or of the groups that the peers of a RADIO have
    /// joined. For a single peer estimated, because peers
    /// share the memory of equal prefixes.
    pub subscriptions: u64,
}

/// Limits on the memory that the peers of a socket hold, in bytes; 0 for no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default))]
#[non_exhaustive]
pub struct MemoryLimits {
    /// Option [`send_hwm_bytes`](crate::Options::send_hwm_bytes). A peer at this limit counts as a peer at
    /// [`send_hwm`](crate::Options::send_hwm).
    pub send_hwm_bytes: u64,
    /// Option [`recv_hwm_bytes`](crate::Options::recv_hwm_bytes). The socket stops reading from a peer at this limit.
    pub recv_hwm_bytes: u64,
    /// Option [`max_handshake_bytes`](crate::Options::max_handshake_bytes). At this limit, the socket rejects peers that
    /// send more than a usual handshake.
    pub max_handshake_bytes: u64,
    /// Limit of the memory that this socket and others hold together; see
    /// [`Socket::set_memory_budget`](crate::Socket::set_memory_budget). Above this limit, the high-water marks in bytes fall
    /// to 64 KiB.
    pub memory_budget: u64,
}

/// Total number of dropped messages since the socket was created, by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Drops(
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_support::by_reason"))] [u64; DropReason::ALL.len()],
);

/// Counters of a pipe: totals over all connections of the pipe.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) sent: TrafficCount,
    pub(crate) returned: TrafficCount,
    pub(crate) received: TrafficCount,
    pub(crate) send_hwm_hits: u64,
    pub(crate) recv_hwm_hits: u64,
    /// Number of dials of the pipe that succeeded. All of these dials except the first are reconnects.
    pub(crate) dialled: u64,
}

impl TrafficCount {
    #[inline]
    pub(crate) fn of(message: &Message) -> Self {
        Self { messages: 1, bytes: message.size() as u64 }
    }
}

impl fmt::Display for TrafficCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} messages ({} bytes)", self.messages, self.bytes)
    }
}

impl fmt::Display for SocketStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { peers, ready_peers, sent, received, outgoing, incoming, .. } = self;
        write!(f, "{peers} peers, {ready_peers} ready; sent {sent}, received {received}; queued {outgoing} out, ")?;
        write!(f, "{incoming} in; {} bytes held; {} messages dropped", self.held.total(), self.dropped.total())
    }
}

impl fmt::Display for PeerStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pipe: PipeId { index, generation }, sent, received, outgoing, incoming, reconnects, .. } = self;
        match &self.endpoint {
            Some(endpoint) => write!(f, "{endpoint} ")?,
            None => f.write_str("former peer ")?,
        }
        let state = match (self.connected, self.ready) {
            (_, true) => "ready",
            (true, false) => "in handshake",
            (false, false) => "not connected",
        };
        write!(f, "(pipe {index}.{generation}) {state}; sent {sent}, received {received}; queued {outgoing} out, ")?;
        write!(f, "{incoming} in; {} bytes held; {reconnects} reconnects", self.held.total())?;
        match &self.last_error {
            // The text may contain a reason that the peer has sent.
            Some(error) => write!(f, "; last error: {}", error.escape_debug()),
            None => Ok(()),
        }
    }
}

impl HeldMemory {
    /// Returns the sum of all fields.
    pub const fn total(&self) -> u64 {
        self.outgoing + self.incoming + self.connections + self.subscriptions
    }
}

impl AddAssign for HeldMemory {
    fn add_assign(&mut self, other: Self) {
        self.outgoing += other.outgoing;
        self.incoming += other.incoming;
        self.connections += other.connections;
        self.subscriptions += other.subscriptions;
    }
}

impl AddAssign for TrafficCount {
    #[inline]
    fn add_assign(&mut self, other: Self) {
        self.messages += other.messages;
        self.bytes += other.bytes;
    }
}

impl Sub for TrafficCount {
    type Output = Self;

    /// Subtracts the messages and bytes of `part`. A result that would be negative is zero.
    // A connection may return messages that were not counted, because the caller put them there directly.
    #[inline]
    fn sub(self, part: Self) -> Self {
        let messages = self.messages.saturating_sub(part.messages);
        Self { messages, bytes: self.bytes.saturating_sub(part.bytes) }
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
    /// Adds `counts`, the counters of one pipe, to these counters of the socket.
    pub(crate) fn include(&mut self, counts: &Counts) {
        let Counts { sent, returned, received, send_hwm_hits, recv_hwm_hits, dialled } = counts;
        self.sent += *sent;
        self.returned += *returned;
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
    /// Returns the number of messages dropped for this reason.
    pub fn of(&self, reason: DropReason) -> u64 {
        self.0[reason as usize]
    }

    /// Returns the number of messages dropped for any reason.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Returns each reason for which messages were dropped, with the number of these messages.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> {
        DropReason::ALL.into_iter().zip(self.0).filter(|&(_, messages)| messages > 0)
    }

    pub(crate) fn add(&mut self, reason: DropReason, messages: usize) {
        self.0[reason as usize] += messages as u64;
    }
}
