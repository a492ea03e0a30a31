//! [`Queue`]: messages, the total of their bytes, and the memory that they hold; and [`HighWaterMark`]: the maximum number
//! of messages and of bytes that they hold.

use crate::connection::Inbox;
use crate::message::{Message, MessageQueue};
use crate::socket::pipe::age::AgeSamples;
use crate::socket::stats::TrafficCount;
use crate::time::Instant;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

/// High-water mark of a queue: a number of messages, and a number of bytes that the messages hold
/// ([`Message::held_bytes`]). The queue is full when it reaches one of the two numbers.
///
/// The size of the next message is not considered: the message that reaches the number of bytes can exceed it, and an
/// empty queue accepts any message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HighWaterMark {
    messages: usize,
    bytes: u64,
}

/// Capacity in messages up to which an empty queue keeps its buffer. A larger buffer is given to the [`SpareBuffers`]
/// of the socket.
const IDLE_CAPACITY: usize = 64;

/// Large unused message buffers, shared by all queues of a socket. A queue takes one of these buffers when the queue
/// grows during a burst of messages.
#[derive(Debug, Default)]
pub(crate) struct SpareBuffers(Vec<VecDeque<Message>>);

impl SpareBuffers {
    /// Maximum number of unused buffers that the socket holds: enough for an incoming queue and an outgoing queue.
    const BUFFERS: usize = 2;
    /// Maximum capacity, in messages, of an unused buffer that the socket holds. A larger unused buffer is freed.
    const MESSAGES: usize = 4096;

    /// Returns the memory that the buffers hold, in bytes.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.0.iter().map(|buffer| (buffer.capacity() * size_of::<Message>()) as u64).sum()
    }
}

/// Messages that wait in a pipe.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(super) messages: MessageQueue,
    /// Number of messages that were dropped from the front, neither sent nor received.
    dropped: u64,
    ages: AgeSamples,
}

impl HighWaterMark {
    /// Creates a high-water mark from option values: the maximum number of messages, and of bytes. `messages` =
    /// `usize::MAX` and `bytes` = 0 mean no limit.
    pub(crate) const fn new(messages: usize, bytes: usize) -> Self {
        Self { messages, bytes: if bytes == 0 { u64::MAX } else { bytes as u64 } }
    }

    /// Returns this mark with at most `bytes` as its number of bytes.
    pub(crate) fn lowered(self, bytes: usize) -> Self {
        Self { bytes: self.bytes.min(bytes as u64), ..self }
    }

    /// Returns a mark with the larger number of messages, and the larger number of bytes, of two marks.
    #[cfg(feature = "meter")]
    pub(crate) fn max(self, other: Self) -> Self {
        Self { messages: self.messages.max(other.messages), bytes: self.bytes.max(other.bytes) }
    }

    /// Returns the number of messages of the low-water mark.
    #[inline]
    pub(crate) const fn low_messages(self) -> usize {
        self.low_water().messages
    }

    /// Returns the low-water mark: half of this mark. A full queue has room again when it has fallen to the low-water
    /// mark.
    // A distance between the marks keeps sender and receiver from waking each other for every message.
    const fn low_water(self) -> Self {
        Self { messages: self.messages / 2, bytes: self.bytes / 2 }
    }
}

impl Queue {
    /// Returns the number of messages, and of bytes that messages hold, that fit in the queue before it reaches this mark.
    pub(crate) fn room(&self, mark: HighWaterMark) -> TrafficCount {
        TrafficCount {
            messages: mark.messages.saturating_sub(self.messages.len()) as u64,
            bytes: mark.bytes.saturating_sub(self.messages.held()),
        }
    }

    pub(crate) const fn new() -> Self {
        Self { messages: MessageQueue::new(), dropped: 0, ages: AgeSamples::new() }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(crate) fn tally(&self) -> TrafficCount {
        TrafficCount { messages: self.messages.len() as u64, bytes: self.messages.bytes() }
    }

    /// Returns the memory that the queue holds, in bytes, including unused memory of its buffer.
    pub(crate) fn held_bytes(&self) -> u64 {
        self.messages.held_with_buffer()
    }

    /// Returns true if the queue has reached this high-water mark, in messages or in bytes.
    #[inline]
    pub(crate) fn is_full(&self, mark: HighWaterMark) -> bool {
        self.messages.len() >= mark.messages || self.messages.held() >= mark.bytes
    }

    /// Returns true if the queue has fallen to half of this high-water mark (the low-water mark), in messages and in
    /// bytes.
    #[inline]
    pub(crate) fn is_low(&self, mark: HighWaterMark) -> bool {
        let low = mark.low_water();
        self.messages.len() <= low.messages && self.messages.held() <= low.bytes
    }

    #[inline]
    pub(crate) fn push_back(&mut self, message: &mut Message, buffers: &mut SpareBuffers) {
        if self.messages.len() == self.messages.capacity() {
            self.grow_into(buffers, 1);
        }
        self.messages.push_back_from(message);
    }

    /// Moves messages from the start of `inbox` to the end of the queue, up to the first subscription change, or until the queue
    /// has reached `mark`. Returns the moved messages and their bytes.
    pub(crate) fn push_run(
        &mut self,
        inbox: &mut Inbox,
        mark: HighWaterMark,
        buffers: &mut SpareBuffers,
    ) -> TrafficCount {
        let room = self.room(mark);
        let most = inbox.run().min(usize::try_from(room.messages).unwrap_or(usize::MAX));
        let count = inbox.messages.fitting(most, room.bytes);
        if self.messages.capacity() - self.messages.len() < count {
            self.grow_into(buffers, count);
        }
        let before = self.messages.bytes();
        inbox.pop_run(count, &mut self.messages);
        TrafficCount { messages: count as u64, bytes: self.messages.bytes() - before }
    }

    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<Message> {
        self.messages.pop_front()
    }

    /// Removes the first message, which is dropped.
    pub(crate) fn drop_first(&mut self) -> Option<Message> {
        let message = self.pop_front();
        self.dropped += u64::from(message.is_some());
        message
    }

    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Copies the last `count` messages out of read buffers, of which they may be a small part.
    pub(crate) fn copy_out_of_blocks(&mut self, count: usize) {
        // The weight stays the same: such a frame counts with its own size.
        self.messages.change_last(count, Message::copy_out_of_blocks);
    }

    pub(crate) fn clear(&mut self) {
        self.dropped += self.messages.len() as u64;
        self.messages.clear();
    }

    /// Stores that the queued messages are in the queue at `now`, for [`age`](Self::age). `first` is the number of messages
    /// that have left the queue at its front.
    pub(crate) fn sample(&mut self, now: Instant, first: u64) {
        self.ages.add(now, first, self.messages.len());
    }

    /// Returns the time from the earliest sample at which the first message was queued already to `now`; zero if there is no
    /// such sample. `first` is the number of messages that have left the queue at its front.
    pub(crate) fn age(&self, now: Instant, first: u64) -> Duration {
        if self.messages.is_empty() { Duration::ZERO } else { self.ages.age(now, first) }
    }

    /// Moves the messages of this queue into a spare buffer that has room for `more` messages besides, if there is one.
    fn grow_into(&mut self, buffers: &mut SpareBuffers, more: usize) {
        if let Some(larger) = buffers.0.pop_if(|buffer| buffer.capacity() >= self.messages.len() + more) {
            self.messages.move_into(larger);
        }
    }

    /// Gives the buffer of this queue to the spare buffers, if the queue is empty and its buffer is larger than
    /// [`IDLE_CAPACITY`], as after a burst of messages.
    // At the default marks of 1000 messages, a buffer has 72 KiB, too much for each peer and direction.
    #[inline]
    pub(crate) fn release_buffer(&mut self, buffers: &mut SpareBuffers) {
        if self.messages.is_empty() && self.messages.capacity() > IDLE_CAPACITY {
            self.release_buffer_now(buffers);
        }
    }

    fn release_buffer_now(&mut self, buffers: &mut SpareBuffers) {
        let buffer = self.messages.take_buffer();
        if buffers.0.len() < SpareBuffers::BUFFERS && buffer.capacity() <= SpareBuffers::MESSAGES {
            buffers.0.push(buffer);
        }
    }

    /// Checks that the counts of the queue are those of its messages, and that the messages hold at most `more` bytes in
    /// addition to the mark and the largest two messages. Returns the number of messages.
    #[cfg(feature = "meter")]
    pub(crate) fn assert_held(&self, mark: HighWaterMark, more: u64) -> usize {
        let held = |message: &Message| message.held_bytes() as u64;
        let sum = self.messages.iter().map(held).sum::<u64>();
        assert_eq!(self.messages.held(), sum, "bytes that the queue counts, and bytes that its messages hold");
        let largest = self.messages.iter().map(held).max().unwrap_or(0);
        let limit = mark.bytes.saturating_add(2 * largest).saturating_add(more);
        assert!(sum <= limit, "the messages of a queue hold {sum} bytes, at most {limit} are allowed");
        self.messages.len()
    }

    /// Returns the capacity of the buffer of this queue, in messages.
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.messages.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn queue_counts_bytes_of_messages_at_both_ends() {
        let mut queue = Queue::new();
        let counts = |queue: &Queue| (queue.len(), queue.tally().bytes, queue.messages.held());
        queue.push_back(&mut Message::from(["four", "more"]), &mut SpareBuffers::default());
        queue.push_back(&mut vec![7; 1000].into(), &mut SpareBuffers::default());
        queue.messages.push_front("first".into());
        assert_eq!(counts(&queue), (3, 1013, 5 * 72 + 1000));
        queue.messages.retain(|message| message.len() == 1);
        assert_eq!(counts(&queue), (2, 1005, 2 * 72 + 1000));
        assert_eq!(queue.pop_front(), Some("first".into()));
        assert_eq!(counts(&queue), (1, 1000, 72 + 1000));
        queue.push_back(&mut Message::from(["four", "more"]), &mut SpareBuffers::default());
        queue.messages.drop_front(1);
        assert_eq!(counts(&queue), (1, 8, 3 * 72));
        queue.pop_front();
        assert_eq!((queue.pop_front(), counts(&queue)), (None, (0, 0, 0)));
    }

    #[test]
    fn queue_is_full_at_either_mark_and_low_at_half_of_both() {
        let mut queue = Queue::new();
        let mark = HighWaterMark::new(4, 400);
        for _ in 0..3 {
            queue.push_back(&mut vec![7; 64].into(), &mut SpareBuffers::default());
        }
        assert!(!queue.is_full(mark), "three messages that hold 216 bytes");
        queue.push_back(&mut Message::from(""), &mut SpareBuffers::default());
        assert!(queue.is_full(mark), "four messages");
        queue.pop_front();
        queue.push_back(&mut vec![7; 184].into(), &mut SpareBuffers::default());
        queue.messages.retain(|message| message.size() > 0);
        assert!(queue.is_full(mark), "three messages that hold 400 bytes");
        queue.pop_front();
        assert!(!queue.is_low(mark), "two messages that hold 328 bytes");
        queue.pop_front();
        assert!(!queue.is_low(mark), "a message that holds 256 bytes");
        queue.pop_front();
        assert!(queue.is_low(mark));
    }
}
