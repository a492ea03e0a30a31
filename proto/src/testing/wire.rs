//! [`Wire`]: one simulated TCP connection, and how it looks from either side.

use super::{Direction, NodeId};
use crate::address::NetworkError;
use crate::connection::Outbox;
use crate::entropy::SeededEntropy;
use crate::session::{Stream, StreamError};
use crate::socket::PipeId;
use crate::time::Instant;
use core::ops::RangeInclusive;
use core::time::Duration;

/// Names a wire for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WireId(u64);

impl WireId {
    /// A new one each time.
    pub(super) const fn next(&mut self) -> Self {
        self.0 += 1;
        *self
    }
}

/// One simulated TCP connection. Its arrays have a place for each side.
#[derive(Debug)]
pub(super) struct Wire {
    /// Who is there, or was.
    pub(super) ends: [(NodeId, PipeId); 2],
    /// Whether somebody is there still.
    pub(super) taken: [bool; 2],
    /// What it has sent.
    pub(super) sent: [Direction; 2],
    /// Whether it found what it sends into full.
    pub(super) blocked: [bool; 2],
    /// Whether the connection has been reset there. The other side sees that when it can be reached.
    pub(super) cut: [bool; 2],
}

/// How octets travel.
#[derive(Debug)]
pub(super) struct Manner {
    /// How many go at once.
    pub(super) chunks: RangeInclusive<u64>,
    /// How long they take.
    pub(super) latency: RangeInclusive<Duration>,
    /// How many a direction holds.
    pub(super) capacity: usize,
}

/// One side of a wire during one turn.
pub(super) struct Seat<'a> {
    pub(super) wire: &'a mut Wire,
    pub(super) side: usize,
    pub(super) now: Instant,
    pub(super) dice: &'a mut SeededEntropy,
    pub(super) manner: &'a Manner,
    /// Whoever sits here cannot send.
    pub(super) frozen: bool,
    /// The sides cannot reach each other.
    pub(super) held: bool,
    /// The other side has something to do.
    pub(super) wake: bool,
}

impl Wire {
    pub(super) fn between(ends: [(NodeId, PipeId); 2]) -> Self {
        Self { ends, taken: [true; 2], sent: Default::default(), blocked: [false; 2], cut: [false; 2] }
    }

    pub(super) fn leads_to(&self, node: NodeId) -> bool {
        self.ends.iter().any(|end| end.0 == node)
    }
}

impl Default for Manner {
    fn default() -> Self {
        Self { chunks: 1..=u64::MAX, latency: Duration::ZERO..=Duration::ZERO, capacity: 64 << 10 }
    }
}

impl Manner {
    /// How many of `wanted` octets the network moves at once.
    fn chunk(&self, dice: &mut SeededEntropy, wanted: usize) -> usize {
        let (low, high) = (*self.chunks.start(), *self.chunks.end());
        let size = if high == u64::MAX { high } else { low + dice.below(high - low + 1) };
        usize::try_from(size).unwrap_or(usize::MAX).min(wanted)
    }

    /// How long octets take.
    pub(super) fn delay(&self, dice: &mut SeededEntropy) -> Duration {
        let (low, high) = (*self.latency.start(), *self.latency.end());
        let span = u64::try_from(high.saturating_sub(low).as_nanos()).unwrap_or(u64::MAX);
        low + Duration::from_nanos(if span == 0 { 0 } else { dice.below(span) })
    }
}

impl Seat<'_> {
    /// # Errors
    /// It is reset, and this side can see it.
    fn look(&self) -> Result<(), StreamError> {
        let [here, there] = [self.side, 1 - self.side].map(|side| self.wire.cut[side]);
        if here || (there && !self.held) { Err(NetworkError::Reset.into()) } else { Ok(()) }
    }
}

impl Stream for Seat<'_> {
    fn read(&mut self, room: &mut [u8]) -> Result<usize, StreamError> {
        self.look()?;
        let count = self.manner.chunk(self.dice, room.len());
        let direction = &mut self.wire.sent[1 - self.side];
        let count = direction.take(&mut room[..count]);
        if count > 0 {
            self.wake |= core::mem::take(&mut self.wire.blocked[1 - self.side]);
            return Ok(count);
        }
        let ended = !self.held && direction.is_over(self.now);
        if ended { Ok(0) } else { Err(StreamError::WouldBlock) }
    }

    fn write(&mut self, data: &Outbox) -> Result<usize, StreamError> {
        self.look()?;
        let room = self.manner.capacity - self.wire.sent[self.side].size();
        if room == 0 || self.frozen {
            self.wire.blocked[self.side] = true;
            return Err(StreamError::WouldBlock);
        }
        let mut chunks = [&[][..]; 64];
        let filled = data.chunks(&mut chunks);
        let chunks = &chunks[..filled];
        let wanted: usize = chunks.iter().map(|chunk| chunk.len()).sum();
        let count = self.manner.chunk(self.dice, wanted.min(room));
        let at = self.now + self.manner.delay(self.dice);
        Ok(self.wire.sent[self.side].send(chunks.iter().copied(), count, at))
    }

    fn close_write(&mut self) -> Result<(), StreamError> {
        let at = self.now + self.manner.delay(self.dice);
        self.wire.sent[self.side].end(at);
        self.wake = true;
        Ok(())
    }
}
