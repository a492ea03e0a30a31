//! [`Queue`]: messages in line with their octets counted, and the [`Mark`] at which there are enough of either.

use crate::message::Message;
use crate::socket::stats::TrafficCount;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// A high-water mark: a queue of so many messages is full, and so is one of so many octets.
///
/// Whoever looks for room looks before a message is there, so the last message may go beyond the octets; and an empty queue
/// takes any message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    messages: usize,
    octets: u64,
}

/// An empty queue keeps no more places than this.
const IDLE: usize = 64;

/// Memory for bursts, which the queues of a socket have in turn.
#[derive(Debug, Default)]
pub(crate) struct QueueCapacity(Vec<VecDeque<Message>>);

impl QueueCapacity {
    /// For so many queues at a time: what comes in, and what goes out.
    const QUEUES: usize = 2;
    /// For bursts of so many.
    const MESSAGES: usize = 4096;
}

/// Messages in line.
#[derive(Debug)]
pub(crate) struct Queue {
    messages: VecDeque<Message>,
    octets: u64,
}

impl Mark {
    /// As options have it: 0 octets are no mark.
    pub(crate) const fn new(messages: usize, octets: usize) -> Self {
        Self { messages, octets: if octets == 0 { u64::MAX } else { octets as u64 } }
    }

    /// Where a full queue reopens: half its mark, so that sender and receiver do not wake each other for every message.
    const fn low_water(self) -> Self {
        Self { messages: self.messages / 2, octets: self.octets / 2 }
    }
}

impl Queue {
    pub(crate) const fn new() -> Self {
        Self { messages: VecDeque::new(), octets: 0 }
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
        TrafficCount { messages: self.messages.len() as u64, octets: self.octets }
    }

    /// Whether it has reached this mark.
    #[inline]
    pub(crate) fn is_full(&self, mark: Mark) -> bool {
        self.messages.len() >= mark.messages || self.octets >= mark.octets
    }

    /// Whether it has fallen to half of this mark.
    #[inline]
    pub(crate) fn is_low(&self, mark: Mark) -> bool {
        let low = mark.low_water();
        self.messages.len() <= low.messages && self.octets <= low.octets
    }

    #[inline]
    pub(crate) fn push_back(&mut self, message: Message, room: &mut QueueCapacity) {
        if self.messages.len() == self.messages.capacity() {
            self.move_to(room);
        }
        self.octets += message.size() as u64;
        self.messages.push_back(message);
    }

    pub(crate) fn push_front(&mut self, message: Message) {
        self.octets += message.size() as u64;
        self.messages.push_front(message);
    }

    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<Message> {
        self.octets -= self.messages.front()?.size() as u64;
        self.messages.pop_front()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter()
    }

    pub(crate) fn drop_front(&mut self, count: usize) {
        if count == self.messages.len() {
            return self.clear();
        }
        self.octets -= self.messages.drain(..count).map(|message| message.size() as u64).sum::<u64>();
    }

    pub(crate) fn clear(&mut self) {
        self.messages.clear();
        self.octets = 0;
    }

    pub(crate) fn retain(&mut self, mut wanted: impl FnMut(&Message) -> bool) {
        let octets = &mut self.octets;
        self.messages.retain(|message| {
            let stays = wanted(message);
            *octets -= if stays { 0 } else { message.size() as u64 };
            stays
        });
    }

    /// Moves to where there is more room, if there is.
    fn move_to(&mut self, room: &mut QueueCapacity) {
        if let Some(mut room) = room.0.pop_if(|room| room.capacity() > self.messages.capacity()) {
            room.append(&mut self.messages);
            self.messages = room;
        }
    }

    /// Leaves the memory that a burst has needed, once it is over, to whichever queue has the next one: at the marks of
    /// 1000 messages that is 72 KiB, too much for each peer and direction.
    #[inline]
    pub(crate) fn leave(&mut self, room: &mut QueueCapacity) {
        if self.messages.is_empty() && self.messages.capacity() > IDLE {
            self.leave_now(room);
        }
    }

    fn leave_now(&mut self, room: &mut QueueCapacity) {
        let mine = core::mem::take(&mut self.messages);
        if room.0.len() < QueueCapacity::QUEUES && mine.capacity() <= QueueCapacity::MESSAGES {
            room.0.push(mine);
        }
    }

    /// How many messages fit without asking for more memory.
    #[cfg(test)]
    pub(crate) fn places(&self) -> usize {
        self.messages.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn octets_are_counted_whichever_way_messages_come_and_go() {
        let mut queue = Queue::new();
        let octets = |queue: &Queue| queue.tally().octets;
        queue.push_back(Message::from(["four", "more"]), &mut QueueCapacity::default());
        queue.push_back(vec![7; 1000].into(), &mut QueueCapacity::default());
        queue.push_front("first".into());
        assert_eq!((queue.len(), octets(&queue)), (3, 1013));
        queue.retain(|message| message.len() == 1);
        assert_eq!((queue.len(), octets(&queue)), (2, 1005));
        assert_eq!(queue.pop_front(), Some("first".into()));
        assert_eq!(octets(&queue), 1000);
        queue.pop_front();
        assert_eq!((queue.pop_front(), octets(&queue)), (None, 0));
    }

    #[test]
    fn either_mark_fills_a_queue_and_both_must_be_half_empty_to_reopen_it() {
        let mut queue = Queue::new();
        let mark = Mark::new(4, 100);
        for _ in 0..3 {
            queue.push_back(vec![7; 33].into(), &mut QueueCapacity::default());
        }
        assert!(!queue.is_full(mark), "three messages and 99 octets");
        queue.push_back(Message::from(""), &mut QueueCapacity::default());
        assert!(queue.is_full(mark), "four messages");
        queue.pop_front();
        queue.push_back(vec![7; 34].into(), &mut QueueCapacity::default());
        queue.retain(|message| message.size() > 0);
        assert!(queue.is_full(mark), "100 octets");
        queue.pop_front();
        assert!(!queue.is_low(mark), "two messages and 67 octets");
        queue.pop_front();
        assert!(queue.is_low(mark));
    }
}
