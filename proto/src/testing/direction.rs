//! [`Direction`]: half a simulated byte stream, for networks that are simulated.

use crate::time::Instant;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// One direction of a simulated byte stream: what one side has written and the other not yet read.
///
/// It keeps octets in order, and decides nothing: how many go at once, how many fit and when they arrive is told to it.
///
/// ```
/// use sansmq_proto::{Instant, testing::Direction};
///
/// let (now, later) = (Instant::ORIGIN, Instant::from_nanos(7));
/// let mut direction = Direction::default();
/// assert_eq!(direction.send([&b"he"[..], b"llo"], 4, later), 4);
/// let mut room = [0; 3];
/// direction.land(now);
/// assert_eq!(direction.take(&mut room), 0);
/// direction.land(later);
/// assert_eq!((direction.take(&mut room), &room), (3, b"hel"));
/// ```
#[derive(Debug, Default)]
pub struct Direction {
    /// Octets under way, with their time of arrival.
    flying: VecDeque<(Instant, Vec<u8>)>,
    arrived: VecDeque<u8>,
    /// Octets in both.
    size: usize,
    /// Nothing more will be sent: when that arrives.
    fin: Option<Instant>,
}

impl Direction {
    /// How many octets are in it, under way and arrived.
    pub const fn size(&self) -> usize {
        self.size
    }

    /// Sends octets of these slices, `most` at most, to arrive then, but not before those sent earlier. Returns how many.
    pub fn send<'a>(&mut self, slices: impl IntoIterator<Item = &'a [u8]>, most: usize, arrival: Instant) -> usize {
        let mut octets = Vec::new();
        for slice in slices {
            let count = slice.len().min(most - octets.len());
            octets.extend_from_slice(&slice[..count]);
        }
        let (count, arrival) = (octets.len(), self.not_before_others(arrival));
        if count > 0 {
            self.flying.push_back((arrival, octets));
        }
        self.size += count;
        count
    }

    /// Tells the other side, then, that nothing more comes. The first time counts.
    pub fn end(&mut self, arrival: Instant) {
        let arrival = self.not_before_others(arrival);
        self.fin.get_or_insert(arrival);
    }

    /// Loses what is under way.
    pub fn lose(&mut self) {
        self.flying.clear();
        self.size = self.arrived.len();
    }

    /// Lets octets arrive whose time has come. True: there were some.
    pub fn land(&mut self, now: Instant) -> bool {
        let mut news = false;
        while let Some((_, octets)) = self.flying.pop_front_if(|(at, _)| *at <= now) {
            self.arrived.extend(octets);
            news = true;
        }
        news
    }

    /// Takes octets that have arrived, as many as there are and there is room for.
    pub fn take(&mut self, room: &mut [u8]) -> usize {
        let count = room.len().min(self.arrived.len());
        // The bytes may be stored in two pieces.
        let (front, back) = self.arrived.as_slices();
        let in_front = front.len().min(count);
        room[..in_front].copy_from_slice(&front[..in_front]);
        room[in_front..count].copy_from_slice(&back[..count - in_front]);
        self.arrived.drain(..count);
        self.size -= count;
        count
    }

    /// Everything that was sent has been taken, and that nothing more comes has arrived.
    pub fn is_over(&self, now: Instant) -> bool {
        self.size == 0 && self.has_ended(now)
    }

    /// That nothing more comes has arrived.
    pub fn has_ended(&self, now: Instant) -> bool {
        self.fin.is_some_and(|fin| fin <= now)
    }

    /// When the next octets, or the end, arrive after `now`.
    pub fn next_arrival(&self, now: Instant) -> Option<Instant> {
        let octets = self.flying.front().map(|(at, _)| *at);
        octets.or_else(|| self.fin.filter(|&at| at > now))
    }

    fn not_before_others(&self, arrival: Instant) -> Instant {
        self.flying.back().map_or(arrival, |(last, _)| arrival.max(*last))
    }
}
