//! [`Tcp`]: a simulated TCP connection, for every network that is simulated.

use crate::address::NetworkError;
use crate::session::StreamError;
use crate::time::Instant;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// A simulated TCP connection: bytes in flight, bytes that have arrived, half-close, reset and partition.
///
/// The connection keeps the order of bytes and decides nothing: [`Conditions`](super::Conditions) draw how many bytes are moved at
/// once, how long they take and how many fit. [`Net`](super::Net) uses one for each pair of sessions; a simulated runtime uses
/// one for each pair of streams.
///
/// ```
/// use sansmq_proto::{Instant, StreamError};
/// use sansmq_proto::testing::{Shipment, Side, Tcp};
///
/// let (now, later) = (Instant::ORIGIN, Instant::from_nanos(7));
/// let mut tcp = Tcp::default();
/// let shipment = Shipment { limit: 4, capacity: 100, arrival: later };
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
    /// One side closed while bytes for it were unread, or was sent bytes afterwards. Both sides see it, after what has arrived.
    is_reset: bool,
}

/// One of the two sides of a [`Tcp`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The side that dialled.
    Client,
    /// The side that accepted.
    Server,
}

/// How the bytes of one write travel.
#[derive(Clone, Copy, Debug)]
pub struct Shipment {
    /// Maximum number of bytes to move.
    pub limit: usize,
    /// Maximum number of bytes that the direction holds, in flight and arrived.
    pub capacity: usize,
    /// Time of arrival. Later if earlier bytes arrive later.
    pub arrival: Instant,
}

/// One side, and the direction that it sends into.
#[derive(Debug, Default)]
struct End {
    sent: Direction,
    /// The side had no room for its last write.
    is_blocked: bool,
    /// The connection was cut at this side. The other side sees it unless the network is parted.
    is_cut: bool,
    is_closed: bool,
}

impl Side {
    /// Both sides.
    pub const BOTH: [Self; 2] = [Self::Client, Self::Server];

    /// Returns the other side.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

impl Tcp {
    /// Reads bytes that have arrived at `side`. Returns 0 at the end of the stream.
    ///
    /// # Errors
    /// Nothing has arrived, or the connection is reset.
    pub fn read(&mut self, side: Side, buffer: &mut [u8], now: Instant) -> Result<usize, StreamError> {
        self.look(side)?;
        self.land(side.other(), now);
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

    /// Sends bytes from `side`. Returns how many.
    ///
    /// # Errors
    /// The direction is full, or the connection is reset.
    pub fn write<'a>(
        &mut self,
        side: Side,
        slices: impl IntoIterator<Item = &'a [u8]>,
        shipment: Shipment,
    ) -> Result<usize, StreamError> {
        self.look(side)?;
        if self.is_reset {
            return Err(NetworkError::Reset.into());
        }
        if self.end(side.other()).is_closed {
            // As TCP does: the bytes leave, and the answer is a reset.
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

    /// Ends the stream that `side` sends; the other side sees that at `arrival`, after all bytes. Later calls change nothing.
    pub fn close_write(&mut self, side: Side, arrival: Instant) {
        self.end_mut(side).sent.end(arrival);
    }

    /// Closes `side`: ends what it sends, and resets the connection if bytes for it are unread, in which case bytes in flight are
    /// lost.
    pub fn close(&mut self, side: Side, arrival: Instant) {
        self.end_mut(side).is_closed = true;
        if self.end(side.other()).sent.size > 0 {
            self.is_reset = true;
            self.end_mut(side).sent.lose();
        }
        self.close_write(side, arrival);
    }

    /// Resets the connection at `side`, as a crash does. The other side sees it at once, before bytes that have arrived, unless
    /// the network is parted.
    pub fn cut(&mut self, side: Side) {
        self.end_mut(side).is_cut = true;
    }

    /// Parts the sides. Until they [`heal`](Self::heal) no bytes arrive, and neither side sees what happened at the other.
    pub const fn part(&mut self) {
        self.is_parted = true;
    }

    /// Ends a partition. Bytes that are due arrive at once.
    pub const fn heal(&mut self) {
        self.is_parted = false;
    }

    /// Delivers the bytes from `from` that are due, unless the sides are parted.
    pub fn land(&mut self, from: Side, now: Instant) {
        if !self.is_parted {
            self.end_mut(from).sent.land(now);
        }
    }

    /// Returns when something that `from` has sent arrives after `now`: bytes, or the end of the stream.
    pub fn next_arrival(&self, from: Side, now: Instant) -> Option<Instant> {
        if self.is_parted { None } else { self.end(from).sent.next_arrival(now) }
    }

    /// True if the connection was reset because one side closed early. Both sides see it, after what has arrived.
    pub const fn is_reset(&self) -> bool {
        self.is_reset
    }

    /// Returns true once if `side` has room again after a write that had none.
    pub fn take_unblocked(&mut self, side: Side, capacity: usize) -> bool {
        let end = self.end_mut(side);
        let is_unblocked = end.is_blocked && end.sent.size < capacity;
        end.is_blocked &= !is_unblocked;
        is_unblocked
    }

    /// # Errors
    /// The connection was cut, and `side` can see it.
    fn look(&self, side: Side) -> Result<(), StreamError> {
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

/// Bytes that one side has sent and the other has not read yet.
#[derive(Debug, Default)]
struct Direction {
    /// Bytes in flight, with their time of arrival.
    in_flight: VecDeque<(Instant, Vec<u8>)>,
    arrived: VecDeque<u8>,
    /// Number of bytes in both.
    size: usize,
    /// Arrival of the end of the stream.
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

    fn land(&mut self, now: Instant) {
        while let Some((_, bytes)) = self.in_flight.pop_front_if(|(at, _)| *at <= now) {
            self.arrived.extend(bytes);
        }
    }

    fn take(&mut self, buffer: &mut [u8]) -> usize {
        let count = buffer.len().min(self.arrived.len());
        // The bytes may be stored in two pieces.
        let (front, back) = self.arrived.as_slices();
        let in_front = front.len().min(count);
        buffer[..in_front].copy_from_slice(&front[..in_front]);
        buffer[in_front..count].copy_from_slice(&back[..count - in_front]);
        self.arrived.drain(..count);
        self.size -= count;
        count
    }

    /// True if every byte was taken and the end of the stream has arrived.
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
