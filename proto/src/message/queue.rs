//! [`MessageQueue`]: messages in order, the total of their bytes, and the memory that they hold.

use super::{Message, Weight};
use crate::cost;
use alloc::collections::VecDeque;
use alloc::collections::vec_deque::Drain;

/// Messages in order, with the totals of their sizes. Connections and pipes both use it, so a run of messages moves from one
/// to the other without a look at each message.
#[derive(Debug, Default)]
pub(crate) struct MessageQueue {
    messages: VecDeque<Message>,
    /// Total number of bytes in the frames of the messages.
    bytes: u64,
    /// Memory that the messages hold ([`Message::held_bytes`]), in bytes. Does not include unused memory of `messages`.
    held: u64,
}

impl MessageQueue {
    pub(crate) const fn new() -> Self {
        Self { messages: VecDeque::new(), bytes: 0, held: 0 }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Returns the capacity of the buffer, in messages.
    #[inline]
    pub(crate) fn capacity(&self) -> usize {
        self.messages.capacity()
    }

    /// Returns the total number of bytes in the frames of the messages.
    #[inline]
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the memory that the messages hold, in bytes, without unused memory of the buffer.
    #[inline]
    pub(crate) const fn held(&self) -> u64 {
        self.held
    }

    /// Returns the memory that the messages and the buffer hold, in bytes.
    pub(crate) fn held_with_buffer(&self) -> u64 {
        self.held + ((self.capacity() - self.len()) * size_of::<Message>()) as u64
    }

    #[inline]
    pub(crate) fn push_back(&mut self, mut message: Message) {
        if self.messages.len() == self.messages.capacity() {
            return self.grow_and_push_back(&mut message);
        }
        self.count(&mut message);
        self.messages.push_back(message);
    }

    /// Moves `message` to the end of the queue, and leaves an empty message in its place.
    // By reference, and with the growth apart: otherwise the message would be moved to the stack first.
    #[inline]
    pub(crate) fn push_back_from(&mut self, message: &mut Message) {
        if self.messages.len() == self.messages.capacity() {
            return self.grow_and_push_back(message);
        }
        self.count(message);
        self.messages.push_back(message.take());
    }

    #[cold]
    fn grow_and_push_back(&mut self, message: &mut Message) {
        self.messages.reserve(1);
        self.push_back_from(message);
    }

    pub(crate) fn push_front(&mut self, mut message: Message) {
        self.count(&mut message);
        self.messages.push_front(message);
    }

    #[inline]
    fn count(&mut self, message: &mut Message) {
        let Weight { size, allocated } = message.weigh();
        self.bytes += size as u64;
        self.held += (size_of::<Message>() + allocated) as u64;
    }

    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<Message> {
        if self.messages.len() == 1 {
            (self.bytes, self.held) = (0, 0);
        } else {
            discount(self.messages.front()?, &mut self.bytes, &mut self.held);
        }
        self.messages.pop_front()
    }

    /// Removes and returns the first messages, at most `limit`.
    pub(crate) fn pop_run(&mut self, limit: usize) -> Drain<'_, Message> {
        let count = limit.min(self.messages.len());
        self.discount_front(count);
        self.messages.drain(..count)
    }

    /// Moves the first `count` messages of `from`, which has as many, to the end of this queue.
    pub(crate) fn append_front(&mut self, from: &mut Self, count: usize) {
        let before = (from.bytes, from.held);
        from.discount_front(count);
        self.bytes += before.0 - from.bytes;
        self.held += before.1 - from.held;
        if count == from.messages.len() {
            self.messages.append(&mut from.messages);
        } else {
            self.messages.extend(from.messages.drain(..count));
        }
    }

    /// Returns how many of the first messages, at most `most`, are needed until they hold `held` bytes together; or `most`, or the
    /// number of all messages, if these hold less.
    pub(crate) fn fitting(&self, most: usize, held: u64) -> usize {
        if self.held <= held {
            return most.min(self.messages.len());
        }
        let mut sum = 0;
        let below = self.messages.iter().take(most).take_while(|message| {
            let is_below = sum < held;
            sum += (size_of::<Message>() + message.queued_weight().allocated) as u64;
            is_below
        });
        below.count()
    }

    pub(crate) fn drop_front(&mut self, count: usize) {
        self.discount_front(count);
        if count == self.messages.len() {
            self.messages.clear();
        } else {
            self.messages.drain(..count);
        }
    }

    /// Subtracts the first `count` messages from the totals.
    fn discount_front(&mut self, count: usize) {
        if count == self.messages.len() {
            (self.bytes, self.held) = (0, 0);
        } else {
            let (bytes, held) = (&mut self.bytes, &mut self.held);
            self.messages.iter().take(count).for_each(|message| discount(message, bytes, held));
        }
    }

    pub(crate) fn clear(&mut self) {
        self.drop_front(self.len());
    }

    pub(crate) fn retain(&mut self, mut wanted: impl FnMut(&Message) -> bool) {
        cost::requested(self.messages.len());
        let (bytes, held) = (&mut self.bytes, &mut self.held);
        self.messages.retain(|message| {
            let stays = wanted(message);
            if !stays {
                discount(message, bytes, held);
            }
            stays
        });
    }

    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter()
    }

    /// Calls `change` for the last `count` messages. `change` must not change the weight of a message.
    pub(crate) fn change_last(&mut self, count: usize, change: impl FnMut(&mut Message)) {
        self.messages.iter_mut().rev().take(count).for_each(change);
    }

    /// Moves the messages into `buffer`, which is empty, and frees the buffer that they had.
    pub(crate) fn move_into(&mut self, mut buffer: VecDeque<Message>) {
        buffer.append(&mut self.messages);
        self.messages = buffer;
    }

    /// Takes the buffer of the queue, which must be empty.
    pub(crate) fn take_buffer(&mut self) -> VecDeque<Message> {
        debug_assert!(self.is_empty(), "the messages would be lost");
        core::mem::take(&mut self.messages)
    }

    /// Frees unused memory of the buffer, if it has room for more than `capacity` messages.
    pub(crate) fn shrink_to(&mut self, capacity: usize) {
        self.messages.shrink_to(capacity);
    }
}

/// Subtracts a message that is removed from its queue from the totals: bytes in frames, and held memory.
#[inline]
fn discount(message: &Message, bytes: &mut u64, held: &mut u64) {
    let Weight { size, allocated } = message.queued_weight();
    *bytes -= size as u64;
    *held -= (size_of::<Message>() + allocated) as u64;
}
