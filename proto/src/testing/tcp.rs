//! [`Tcp`]: a simulated TCP connection, for simulated networks and runtimes.

use crate::address::NetworkError;
use crate::session::StreamError;
use crate::time::Instant;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use bytes::Bytes;
use core::time::Duration;

/// Simulated TCP connection between two [`Side`]s. It simulates the buffers of both systems, the time that bytes are in
/// flight, acknowledgements, half-close, reset and partition.
///
/// ```text
/// write ──► send buffer ──rate, latency──► receive buffer ──► read
///               ▲                                │
///               └──latency──acknowledgement──────┘
/// ```
///
/// A byte stays in the send buffer until its acknowledgement arrives. Bytes are sent only while the receive buffer has
/// room for them.
///
/// The connection keeps the order of bytes. It contains no random source: the caller passes chunk sizes and latencies
/// as arguments, usually from [`Conditions`](super::Conditions). [`Net`](super::Net) uses one `Tcp` per pair of
/// sessions; a simulated runtime uses one per pair of streams.
///
/// ```
/// use core::time::Duration;
/// use sansmq::proto::testing::{LinkLimits, Side, Tcp, WriteLimits};
/// use sansmq::proto::{Instant, StreamError};
///
/// let (now, later) = (Instant::ORIGIN, Instant::from_nanos(7));
/// let mut tcp = Tcp::new(LinkLimits::default());
/// let shipment = WriteLimits { limit: 4, now, latency: Duration::from_nanos(7) };
/// assert_eq!(tcp.write(Side::Client, [&b"he"[..], b"llo"], shipment), Ok(4));
/// let mut buffer = [0; 3];
/// assert_eq!(tcp.read(Side::Server, &mut buffer, now), Err(StreamError::WouldBlock));
/// assert_eq!(tcp.next_arrival(Side::Client, now), Some(later));
/// assert_eq!((tcp.read(Side::Server, &mut buffer, later), &buffer), (Ok(3), b"hel"));
/// ```
#[derive(Debug)]
pub struct Tcp {
    limits: LinkLimits,
    ends: [End; 2],
    is_parted: bool,
    /// True if one side was closed before it had read all bytes sent to it, or if bytes were sent to a closed side. All
    /// later writes of both sides fail. Reads return the bytes that have arrived, and then fail.
    is_reset: bool,
}

/// Side of a [`Tcp`] connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The side that opened the connection.
    Client,
    /// The side that accepted the connection.
    Server,
}

/// Sizes of the buffers of a simulated connection, and its rate. The same in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkLimits {
    /// Maximum number of bytes that one side has written and that are not acknowledged yet.
    pub send_buffer: usize,
    /// Maximum number of bytes that one side has sent and the other side has not read. Includes bytes in flight.
    pub recv_buffer: usize,
    /// Number of bytes per second that the link transfers; `None` for no limit.
    pub rate: Option<u32>,
}

/// Parameters of one simulated write: maximum size, time, and latency.
#[derive(Clone, Copy, Debug)]
pub struct WriteLimits {
    /// Maximum number of bytes that this write sends.
    pub limit: usize,
    /// Time of the write.
    pub now: Instant,
    /// Time that the bytes are in flight, and later their acknowledgement. Bytes and acknowledgements arrive in order:
    /// none arrives before that of an earlier write.
    pub latency: Duration,
}

/// Maximum number of bytes that arrive together, if the link has a rate.
const SEGMENT: usize = 4 << 10;

/// State of one side of a simulated connection, with the bytes that this side has sent.
#[derive(Debug, Default)]
struct End {
    sent: Direction,
    /// True if the latest write of this side failed because its send buffer was full, and [`Tcp::take_unblocked`] has
    /// not reported since then that this side can write again.
    is_blocked: bool,
    /// True if [`Tcp::cut`] was called for this side. Reads and writes of this side then fail. Reads and writes of the
    /// other side fail too, except during a partition.
    is_cut: bool,
    is_closed: bool,
}

impl Side {
    /// Both sides of a connection, the connecting side first.
    pub const BOTH: [Self; 2] = [Self::Client, Self::Server];

    /// Returns the other side of the connection.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

impl Default for LinkLimits {
    /// Returns buffers of 32 KiB each, and no limit on the rate.
    fn default() -> Self {
        Self { send_buffer: 32 << 10, recv_buffer: 32 << 10, rate: None }
    }
}

impl Tcp {
    /// Creates a connection without bytes in transit.
    pub fn new(limits: LinkLimits) -> Self {
        Self { limits, ends: Default::default(), is_parted: false, is_reset: false }
    }

    /// Reads bytes that have arrived at `side`, and returns their number. Returns 0 at the end of the stream.
    ///
    /// # Errors
    /// [`StreamError::WouldBlock`] if no unread bytes have arrived; [`NetworkError::Reset`] if the connection is reset.
    pub fn read(&mut self, side: Side, buffer: &mut [u8], now: Instant) -> Result<usize, StreamError> {
        self.check_cut(side)?;
        self.deliver(side.other(), now);
        let (is_parted, is_reset, limits) = (self.is_parted, self.is_reset, self.limits);
        let incoming = &mut self.end_mut(side.other()).sent;
        let count = incoming.take(buffer);
        incoming.transmit(limits, now);
        if count > 0 {
            Ok(count)
        } else if is_reset {
            Err(NetworkError::Reset.into())
        } else if !is_parted && incoming.is_over(now) {
            Ok(0)
        } else {
            Err(StreamError::WouldBlock)
        }
    }

    /// Writes bytes from the front of `slices` to the send buffer of `side`, and returns the number of bytes that were
    /// written. `shipment` limits this number, and sets the latency of the bytes.
    ///
    /// # Errors
    /// [`StreamError::WouldBlock`] if the send buffer is full; [`NetworkError::Reset`] if the connection is reset.
    pub fn write<'a>(
        &mut self,
        side: Side,
        slices: impl IntoIterator<Item = &'a [u8]>,
        shipment: WriteLimits,
    ) -> Result<usize, StreamError> {
        self.check_cut(side)?;
        if self.is_reset {
            return Err(NetworkError::Reset.into());
        }
        if self.end(side.other()).is_closed {
            // As in TCP, the write succeeds, and the reply to its bytes is a reset.
            self.is_reset = true;
            return Ok(slices.into_iter().map(<[u8]>::len).sum());
        }
        let limits = self.limits;
        let end = self.end_mut(side);
        let room = limits.send_buffer.saturating_sub(end.sent.unacknowledged);
        end.is_blocked = room == 0;
        if end.is_blocked {
            return Err(StreamError::WouldBlock);
        }
        let count = end.sent.store(slices, shipment.limit.min(room), shipment.latency);
        end.sent.transmit(limits, shipment.now);
        Ok(count)
    }

    /// Ends the stream that `side` sends. The other side reads the end of the stream at `arrival`, after all bytes.
    /// Later calls have no effect.
    pub fn close_write(&mut self, side: Side, arrival: Instant) {
        self.end_mut(side).sent.end(arrival);
    }

    /// Closes `side` and ends the stream that it sends. If `side` has unread input, the connection is reset, and the
    /// bytes from `side` that are in flight are lost.
    pub fn close(&mut self, side: Side, arrival: Instant) {
        self.end_mut(side).is_closed = true;
        if !self.end(side.other()).sent.is_read() {
            self.is_reset = true;
            self.end_mut(side).sent.lose();
        }
        self.close_write(side, arrival);
    }

    /// Resets the connection at `side`, as a crash of this side does. From now on, reads and writes of both sides fail,
    /// even if bytes have arrived and are not read yet. A partition protects the other side from the reset until the
    /// partition ends.
    pub fn cut(&mut self, side: Side) {
        self.end_mut(side).is_cut = true;
    }

    /// Begins a partition between the two sides. Until [`heal`](Self::heal) is called, no bytes and no end of the
    /// stream arrive, and a reset by [`cut`](Self::cut) affects only the side at which it happened.
    pub const fn partition(&mut self) {
        self.is_parted = true;
    }

    /// Ends the partition that [`partition`](Self::partition) began. Bytes that would have arrived during the partition
    /// can be read from now on.
    pub const fn heal(&mut self) {
        self.is_parted = false;
    }

    /// Delivers the bytes that the side `from` has sent, and their acknowledgements, if they arrive at `now` or earlier.
    /// The other side can then read the bytes. Does nothing during a partition.
    pub fn deliver(&mut self, from: Side, now: Instant) {
        if !self.is_parted {
            self.end_mut(from).sent.deliver(now);
        }
    }

    /// Returns the time at which the next bytes that the side `from` has sent, or the end of its stream, arrive at the
    /// other side. Returns `None` during a partition, or if nothing is in flight.
    pub fn next_arrival(&self, from: Side, now: Instant) -> Option<Instant> {
        if self.is_parted { None } else { self.end(from).sent.next_arrival(now) }
    }

    /// Returns true if the connection has been reset. This happens if one side is closed before it has read all bytes
    /// sent to it, or if bytes are sent to a closed side. From then on, each write returns an error. Reads return the
    /// bytes that have arrived, and after these an error. A reset by [`cut`](Self::cut) is not reported here.
    pub const fn is_reset(&self) -> bool {
        self.is_reset
    }

    /// Returns the time at which the next acknowledgement of bytes that `side` has sent arrives at `side`. Returns
    /// `None` during a partition, if the latest write of `side` did not fail because of a full send buffer, or if no
    /// bytes are in flight.
    pub fn next_acknowledgement(&self, side: Side) -> Option<Instant> {
        let end = self.end(side);
        if end.is_blocked && !self.is_parted { end.sent.next_acknowledgement() } else { None }
    }

    /// Returns true if the latest write of `side` failed because its send buffer was full, and now the send buffer has
    /// room. Returns true only once per failed write.
    pub fn take_unblocked(&mut self, side: Side) -> bool {
        let send_buffer = self.limits.send_buffer;
        let end = self.end_mut(side);
        let is_unblocked = end.is_blocked && end.sent.unacknowledged < send_buffer;
        end.is_blocked &= !is_unblocked;
        is_unblocked
    }

    /// Returns the memory that the bytes in transit hold, in bytes. Not less than what is allocated.
    pub fn held_bytes(&self) -> usize {
        self.ends.iter().map(|end| end.sent.held_bytes()).sum()
    }

    /// Returns an error if the connection was reset by [`cut`](Self::cut) and `side` can detect the reset. During a
    /// partition, `side` detects only a reset at its own side.
    fn check_cut(&self, side: Side) -> Result<(), StreamError> {
        let is_cut = self.end(side).is_cut || (self.end(side.other()).is_cut && !self.is_parted);
        if is_cut { Err(NetworkError::Reset.into()) } else { Ok(()) }
    }

    const fn end(&self, side: Side) -> &End {
        &self.ends[side as usize]
    }

    const fn end_mut(&mut self, side: Side) -> &mut End {
        &mut self.ends[side as usize]
    }
}

/// Bytes in one direction of the connection, from the send buffer of one side to the receive buffer of the other.
#[derive(Debug, Default)]
struct Direction {
    /// Bytes that are not sent yet because the receive buffer had no room, each entry with its latency.
    stored: VecDeque<(Duration, Bytes)>,
    /// Bytes that have not arrived yet, with the time of arrival and the latency.
    in_flight: VecDeque<(Instant, Duration, Bytes)>,
    arrived: VecDeque<u8>,
    /// Acknowledgements that have not arrived yet: the time of arrival, and the number of bytes.
    acknowledgements: VecDeque<(Instant, usize)>,
    /// Number of bytes in `in_flight` and `arrived` together, which the receive buffer limits.
    unread: usize,
    /// Number of bytes that were written and are not acknowledged yet, which the send buffer limits.
    unacknowledged: usize,
    /// Number of bytes of the largest write so far.
    largest_write: usize,
    /// Time at which the link has transferred all bytes in `in_flight`, apart from their latency.
    free_at: Instant,
    /// Time at which the end of the stream arrives; `None` until the sender closes the direction.
    fin: Option<Instant>,
}

impl Direction {
    fn held_bytes(&self) -> usize {
        let entries = self.stored.capacity() * size_of::<(Duration, Bytes)>()
            + self.in_flight.capacity() * size_of::<(Instant, Duration, Bytes)>()
            + self.acknowledgements.capacity() * size_of::<(Instant, usize)>();
        // Parts of one write share its memory, which is freed with the last of them. A vector of bytes has up to twice their
        // number, and each entry a counter of its parts.
        let bytes = self.arrived.capacity() + 2 * (self.unacknowledged + self.largest_write);
        entries + bytes + (self.stored.len() + self.in_flight.len()) * 32
    }

    /// Adds up to `limit` bytes from the front of `slices` to the send buffer, and returns their number.
    fn store<'a>(&mut self, slices: impl IntoIterator<Item = &'a [u8]>, limit: usize, latency: Duration) -> usize {
        let mut bytes = Vec::new();
        for slice in slices {
            let count = slice.len().min(limit - bytes.len());
            bytes.extend_from_slice(&slice[..count]);
        }
        let count = bytes.len();
        if count > 0 {
            self.stored.push_back((latency, bytes.into()));
        }
        self.unacknowledged += count;
        self.largest_write = self.largest_write.max(count);
        count
    }

    /// Sends bytes from the send buffer for which the receive buffer has room.
    fn transmit(&mut self, limits: LinkLimits, now: Instant) {
        while let Some((latency, bytes)) = self.stored.front_mut() {
            let segment = limits.rate.map_or(usize::MAX, |_| SEGMENT);
            let count = bytes.len().min(segment).min(limits.recv_buffer.saturating_sub(self.unread));
            if count == 0 {
                return;
            }
            let (latency, bytes, is_last) = (*latency, bytes.split_to(count), bytes.is_empty());
            if is_last {
                self.stored.pop_front();
            }
            let duration = limits.rate.map_or(0, |rate| count as u64 * 1_000_000_000 / u64::from(rate).max(1));
            self.free_at = self.free_at.max(now) + Duration::from_nanos(duration);
            let arrival = self.not_before_others(self.free_at + latency);
            self.in_flight.push_back((arrival, latency, bytes));
            self.unread += count;
        }
    }

    fn end(&mut self, arrival: Instant) {
        let arrival = self.not_before_others(arrival);
        self.fin.get_or_insert(arrival);
    }

    fn lose(&mut self) {
        self.stored.clear();
        self.in_flight.clear();
        self.unread = self.arrived.len();
    }

    fn deliver(&mut self, now: Instant) {
        while self.in_flight.front().is_some_and(|(at, ..)| *at <= now)
            && let Some((at, latency, bytes)) = self.in_flight.pop_front()
        {
            let at = self.acknowledgements.back().map_or(at + latency, |(last, _)| (at + latency).max(*last));
            self.acknowledgements.push_back((at, bytes.len()));
            self.arrived.extend(&bytes[..]);
        }
        while self.acknowledgements.front().is_some_and(|(at, _)| *at <= now)
            && let Some((_, count)) = self.acknowledgements.pop_front()
        {
            self.unacknowledged -= count;
        }
    }

    fn take(&mut self, buffer: &mut [u8]) -> usize {
        let count = buffer.len().min(self.arrived.len());
        // A `VecDeque` stores its bytes in up to two slices.
        let (front, back) = self.arrived.as_slices();
        let in_front = front.len().min(count);
        buffer[..in_front].copy_from_slice(&front[..in_front]);
        buffer[in_front..count].copy_from_slice(&back[..count - in_front]);
        self.arrived.drain(..count);
        self.unread -= count;
        count
    }

    /// Returns true if all bytes of this direction were read and the end of the stream has arrived.
    fn is_over(&self, now: Instant) -> bool {
        self.is_read() && self.fin.is_some_and(|fin| fin <= now)
    }

    /// Returns true if all bytes of this direction were read.
    fn is_read(&self) -> bool {
        self.unread == 0 && self.stored.is_empty()
    }

    fn next_arrival(&self, now: Instant) -> Option<Instant> {
        let bytes = self.in_flight.front().map(|(at, ..)| *at);
        bytes.or_else(|| self.fin.filter(|&at| at > now))
    }

    fn next_acknowledgement(&self) -> Option<Instant> {
        let in_flight = || self.in_flight.front().map(|(at, latency, _)| *at + *latency);
        self.acknowledgements.front().map(|(at, _)| *at).or_else(in_flight)
    }

    fn not_before_others(&self, arrival: Instant) -> Instant {
        self.in_flight.back().map_or(arrival, |(last, ..)| arrival.max(*last))
    }
}
