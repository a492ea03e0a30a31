//! [`Tcp`]: a simulated TCP connection, for simulated networks and runtimes.

use crate::address::NetworkError;
use crate::session::StreamError;
use crate::time::Instant;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// Simulated TCP connection between two [`Side`]s. It simulates the time that bytes are in flight, half-close, reset
/// and partition.
///
/// The connection keeps the order of bytes. It contains no random source: the caller passes chunk sizes, times of
/// arrival and capacity as arguments, usually from [`Conditions`](super::Conditions). [`Net`](super::Net) uses one
/// `Tcp` per pair of sessions; a simulated runtime uses one per pair of streams.
///
/// ```
/// use sansmq_proto::{Instant, StreamError};
/// use sansmq_proto::testing::{WriteLimits, Side, Tcp};
///
/// let (now, later) = (Instant::ORIGIN, Instant::from_nanos(7));
/// let mut tcp = Tcp::default();
/// let shipment = WriteLimits { limit: 4, capacity: 100, arrival: later };
/// assert_eq!(tcp.write(Side::Client, [&b"he"[..], b"llo"], shipment), Ok(4));
/// let mut buffer = [0; 3];
/// assert_eq!(tcp.read(Side::Server, &mut buffer, now), Err(StreamError::WouldBlock));
/// assert_eq!(tcp.next_arrival(Side::Client, now), Some(later));
/// assert_eq!((tcp.read(Side::Server, &mut buffer, later), &buffer), (Ok(3), b"hel"));
/// ```
#[derive(Debug, Default)]
pub struct Tcp {
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

/// Parameters of one simulated write: maximum size, maximum number of unread bytes, and time at which the bytes arrive.
#[derive(Clone, Copy, Debug)]
pub struct WriteLimits {
    /// Maximum number of bytes that this write sends.
    pub limit: usize,
    /// Maximum number of bytes that the writing side has sent and the other side has not read yet. Includes bytes in
    /// flight.
    pub capacity: usize,
    /// Time at which the bytes arrive. If bytes of an earlier write arrive later, the new bytes arrive with them.
    pub arrival: Instant,
}

/// State of one side of a simulated connection, with the bytes that this side has sent.
#[derive(Debug, Default)]
struct End {
    sent: Direction,
    /// True if the latest write of this side failed because the capacity was reached, and [`Tcp::take_unblocked`] has
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

impl Tcp {
    /// Reads bytes that have arrived at `side`, and returns their number. Returns 0 at the end of the stream.
    ///
    /// # Errors
    /// [`StreamError::WouldBlock`] if no unread bytes have arrived; [`NetworkError::Reset`] if the connection is reset.
    pub fn read(&mut self, side: Side, buffer: &mut [u8], now: Instant) -> Result<usize, StreamError> {
        self.check_cut(side)?;
        self.deliver(side.other(), now);
        let (is_parted, is_reset) = (self.is_parted, self.is_reset);
        let incoming = &mut self.end_mut(side.other()).sent;
        let count = incoming.take(buffer);
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

    /// Sends bytes from the front of `slices` in the direction from `side` to the other side, and returns the number of
    /// bytes that were sent. `shipment` limits this number, and sets the time at which the bytes arrive.
    ///
    /// # Errors
    /// [`StreamError::WouldBlock`] if the bytes that are not read yet have reached the capacity in `shipment`;
    /// [`NetworkError::Reset`] if the connection is reset.
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
        let end = self.end_mut(side);
        let room = shipment.capacity.saturating_sub(end.sent.size);
        end.is_blocked = room == 0;
        if end.is_blocked {
            return Err(StreamError::WouldBlock);
        }
        Ok(end.sent.send(slices, shipment.limit.min(room), shipment.arrival))
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
        if self.end(side.other()).sent.size > 0 {
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

    /// Delivers the bytes that the side `from` has sent and that arrive at `now` or earlier. The other side can then
    /// read them. Does nothing during a partition.
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

    /// Returns true if the latest write of `side` failed because the capacity was reached, and now fewer than
    /// `capacity` of the bytes that `side` has sent are unread. Returns true only once per failed write.
    pub fn take_unblocked(&mut self, side: Side, capacity: usize) -> bool {
        let end = self.end_mut(side);
        let is_unblocked = end.is_blocked && end.sent.size < capacity;
        end.is_blocked &= !is_unblocked;
        is_unblocked
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

/// Bytes in one direction of the connection. One side has sent them, and the other side has not read them yet.
#[derive(Debug, Default)]
struct Direction {
    /// Bytes that have not arrived yet, one entry per write, with the time of arrival.
    in_flight: VecDeque<(Instant, Vec<u8>)>,
    arrived: VecDeque<u8>,
    /// Number of bytes in `in_flight` and `arrived` together.
    size: usize,
    /// Time at which the end of the stream arrives; `None` until the sender closes the direction.
    fin: Option<Instant>,
}

impl Direction {
    fn send<'a>(&mut self, slices: impl IntoIterator<Item = &'a [u8]>, limit: usize, arrival: Instant) -> usize {
        let mut bytes = Vec::new();
        for slice in slices {
            let count = slice.len().min(limit - bytes.len());
            bytes.extend_from_slice(&slice[..count]);
        }
        let (count, arrival) = (bytes.len(), self.not_before_others(arrival));
        if count > 0 {
            self.in_flight.push_back((arrival, bytes));
        }
        self.size += count;
        count
    }

    fn end(&mut self, arrival: Instant) {
        let arrival = self.not_before_others(arrival);
        self.fin.get_or_insert(arrival);
    }

    fn lose(&mut self) {
        self.in_flight.clear();
        self.size = self.arrived.len();
    }

    fn deliver(&mut self, now: Instant) {
        while let Some((_, bytes)) = self.in_flight.pop_front_if(|(at, _)| *at <= now) {
            self.arrived.extend(bytes);
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
        self.size -= count;
        count
    }

    /// Returns true if all bytes of this direction were read and the end of the stream has arrived.
    fn is_over(&self, now: Instant) -> bool {
        self.size == 0 && self.fin.is_some_and(|fin| fin <= now)
    }

    fn next_arrival(&self, now: Instant) -> Option<Instant> {
        let bytes = self.in_flight.front().map(|(at, _)| *at);
        bytes.or_else(|| self.fin.filter(|&at| at > now))
    }

    fn not_before_others(&self, arrival: Instant) -> Instant {
        self.in_flight.back().map_or(arrival, |(last, _)| arrival.max(*last))
    }
}
