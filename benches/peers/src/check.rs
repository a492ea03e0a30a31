//! Numbered messages, and the check that each connection delivers them complete and in order.
//!
//! The first 8 bytes of each body are the number of the message, and the number of its sender. The numbers repeat in a cycle, so
//! that each implementation can send prepared messages in the way that its documentation calls the cheapest: a new body for each
//! message would measure the allocator. The length of the cycle is a prime, so that no exchange of batches, queues or buffers
//! passes unnoticed.

use crate::args::{Args, Fault};
use std::sync::Arc;

/// Bytes of the number and the sender at the start of a body.
pub const TAG: usize = 8;

/// Returns the number of different messages of a sender.
fn cycle(a: &Args) -> u64 {
    match (a.size, a.senders()) {
        (0..TAG, _) => 1,
        // Many senders have as many cycles; they should fit into the caches.
        (_, 100..) => 7,
        (0..=16_384, _) => 61,
        (0..=131_072, _) => 13,
        _ => 5,
    }
}

/// Returns the bodies of one cycle of a sender.
pub fn bodies(a: &Args, sender: usize) -> Vec<Vec<u8>> {
    let mut bodies: Vec<Vec<u8>> = (0..cycle(a)).map(|number| body(a, sender, number)).collect();
    match a.fault {
        None => {}
        Some(Fault::Lose) => drop(bodies.remove(3)),
        Some(Fault::Swap) => bodies.swap(3, 4),
        Some(Fault::Repeat) => bodies.insert(3, bodies[3].clone()),
        Some(Fault::Wrong) => bodies[3] = body(a, sender, 1_000_000),
        Some(Fault::Short) => bodies[3].truncate(a.size - 1),
    }
    bodies
}

fn body(a: &Args, sender: usize, number: u64) -> Vec<u8> {
    let mut body = vec![b'x'; a.size];
    if let Some(tag) = body.first_chunk_mut::<TAG>() {
        *tag = (((sender as u64) << 32) | number).to_le_bytes();
    }
    body
}

/// Prepared messages of a sender, in a cycle.
pub struct Ring<T> {
    templates: Arc<Vec<T>>,
    next: usize,
}

impl<T> Ring<T> {
    pub fn new(a: &Args, sender: usize, mut prepare: impl FnMut(&[u8]) -> T) -> Self {
        Self { templates: Arc::new(bodies(a, sender).iter().map(|body| prepare(body)).collect()), next: 0 }
    }

    /// Returns the next message to send.
    #[inline]
    pub fn next(&mut self) -> &T {
        let template = &self.templates[self.next];
        self.next += 1;
        if self.next == self.templates.len() {
            self.next = 0;
        }
        template
    }
}

/// Begins at the first message: for another connection that sends the same messages.
impl<T> Clone for Ring<T> {
    fn clone(&self) -> Self {
        Self { templates: Arc::clone(&self.templates), next: 0 }
    }
}

/// Properties of a received message that are checked.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// Bytes of the last frame.
    pub len: usize,
    /// First 8 bytes of the last frame, with zeros where the frame is shorter.
    pub tag: u64,
    pub frames: usize,
}

impl Seen {
    /// Returns the properties of a message of one frame.
    #[inline]
    pub fn one(body: &[u8]) -> Self {
        Self::last_of(1, body)
    }

    /// Returns the properties of a message of several frames.
    #[inline]
    pub fn last_of(frames: usize, last: &[u8]) -> Self {
        Self { len: last.len(), tag: tag(last), frames }
    }
}

#[inline]
pub fn tag(body: &[u8]) -> u64 {
    if let Some(first) = body.first_chunk::<TAG>() {
        return u64::from_le_bytes(*first);
    }
    let mut padded = [0; TAG];
    padded[..body.len()].copy_from_slice(body);
    u64::from_le_bytes(padded)
}

/// Check of the messages that one socket receives: lengths, order within each connection, count and sum.
///
/// Every method panics at an error, which ends the process with a failure and an error in its result.
#[derive(Debug)]
pub struct Check {
    size: usize,
    frames: usize,
    cycle: u64,
    /// Number of the next message of each sender.
    next: Vec<u64>,
    count: u64,
    sum: u64,
}

impl Check {
    /// Creates the check of a socket that receives the messages of all senders.
    pub fn new(a: &Args) -> Self {
        Self { size: a.size, frames: a.frames, cycle: cycle(a), next: vec![0; a.senders()], count: 0, sum: 0 }
    }

    /// Returns the number of received messages.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Checks the next message.
    #[inline]
    pub fn take(&mut self, seen: Seen) {
        let (sender, number) = if self.size < TAG { (0, 0) } else { (seen.tag >> 32, seen.tag & 0xffff_ffff) };
        let next = self.next.get_mut(sender as usize);
        match next {
            Some(next) if *next == number && seen.len == self.size && seen.frames == self.frames => {
                *next = if number + 1 == self.cycle { 0 } else { number + 1 };
            }
            _ => self.refuse(seen),
        }
        self.count += 1;
        self.sum = self.sum.wrapping_add(seen.tag);
    }

    #[cold]
    fn refuse(&self, seen: Seen) -> ! {
        let sender = seen.tag >> 32;
        let expected = self.next.get(sender as usize);
        panic!(
            "message {} is wrong: received {} frames, {} bytes, number {} of sender {sender}; \
             expected {} frames, {} bytes, number {expected:?} (lost, reordered, repeated or damaged)",
            self.count,
            seen.frames,
            seen.len,
            seen.tag & 0xffff_ffff,
            self.frames,
            self.size,
        );
    }

    /// Checks count and sum after all messages: `total` messages in all, in equal shares from all senders.
    pub fn finish(&self, total: u64) -> Checked {
        assert_eq!(self.count, total, "messages are lost: {} received, {total} sent", self.count);
        let senders = self.next.len();
        let sum = (0..senders).fold(0u64, |sum, sender| {
            let count = share(total, senders, sender);
            let cycles = (count / self.cycle).wrapping_mul(self.cycle * (self.cycle - 1) / 2);
            let rest = count % self.cycle;
            let numbers = cycles.wrapping_add(rest * rest.saturating_sub(1) / 2);
            sum.wrapping_add(numbers).wrapping_add(((sender as u64) << 32).wrapping_mul(count))
        });
        assert!(self.size < TAG || self.sum == sum, "the sum of the numbers is {}, expected {sum}", self.sum);
        Checked { received: self.count, sum: self.sum }
    }
}

/// Count and sum of messages that have been checked.
#[derive(Clone, Copy, Default, Debug)]
pub struct Checked {
    pub received: u64,
    pub sum: u64,
}

impl Checked {
    /// Returns the count and sum of two sockets together.
    pub fn plus(self, other: Self) -> Self {
        Self { received: self.received + other.received, sum: self.sum.wrapping_add(other.sum) }
    }
}

/// Splits `total` into `parts` shares that differ by at most one, and returns share number `index`.
pub fn share(total: u64, parts: usize, index: usize) -> u64 {
    total / parts as u64 + u64::from((index as u64) < total % parts as u64)
}
