//! [`Inbox`]: received items that the socket has not taken yet.

use super::{Inbound, Subscription};
use crate::message::{Message, MessageQueue};
use alloc::boxed::Box;
use alloc::collections::VecDeque;

/// Received messages and subscription changes that the socket has not taken from a [`Link`](super::Link) yet, in the order in
/// which they were received.
// The changes have a queue of their own, so that a run of messages moves to a pipe without a look at each.
#[derive(Debug, Default)]
pub struct Inbox {
    pub(crate) messages: MessageQueue,
    changes: Option<Box<Changes>>,
}

/// Subscription changes in an [`Inbox`].
#[derive(Debug, Default)]
struct Changes {
    /// Each change with its position: the number of messages that were received before it, since `items` was last empty.
    items: VecDeque<(u64, Subscription)>,
    /// Number of messages that were taken since `items` was last empty.
    taken: u64,
    /// Total number of bytes in the prefixes and group names.
    subjects: usize,
}

impl Changes {
    /// Returns the memory in bytes of the buffer.
    fn buffer_bytes(&self) -> usize {
        self.items.capacity() * size_of::<(u64, Subscription)>()
    }
}

impl Inbox {
    /// Creates an empty inbox.
    pub const fn new() -> Self {
        Self { messages: MessageQueue::new(), changes: None }
    }

    /// Returns the number of messages and subscription changes.
    #[inline]
    pub fn len(&self) -> usize {
        self.messages.len() + self.changes.as_ref().map_or(0, |changes| changes.items.len())
    }

    /// Returns true if the inbox has neither messages nor subscription changes.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds an item that was received after all others.
    #[inline]
    pub fn push(&mut self, item: Inbound) {
        match item {
            Inbound::Message(message) => self.messages.push_back(message),
            Inbound::Subscription(change) => self.push_change(change),
        }
    }

    pub(super) fn push_change(&mut self, change: Subscription) {
        let changes = self.changes.get_or_insert_default();
        if changes.items.is_empty() {
            changes.taken = 0;
        }
        changes.subjects += change.subject().len();
        changes.items.push_back((changes.taken + self.messages.len() as u64, change));
    }

    /// Removes and returns the item that was received first.
    #[inline]
    pub fn pop(&mut self) -> Option<Inbound> {
        if let Some(changes) = &mut self.changes
            && let Some((position, _)) = changes.items.front()
        {
            if *position == changes.taken {
                let (_, change) = changes.items.pop_front()?;
                changes.subjects -= change.subject().len();
                return Some(Inbound::Subscription(change));
            }
            changes.taken += 1;
        }
        self.messages.pop_front().map(Inbound::Message)
    }

    /// Returns the number of messages that were received before the first subscription change.
    #[inline]
    pub(crate) fn run(&self) -> usize {
        match self.changes.as_ref().and_then(|changes| Some((changes.items.front()?.0, changes.taken))) {
            Some((position, taken)) => usize::try_from(position - taken).unwrap_or(usize::MAX),
            None => self.messages.len(),
        }
    }

    /// Removes and returns the first message. The caller must have checked [`run`](Self::run).
    #[inline]
    pub(crate) fn pop_message(&mut self) -> Option<Message> {
        self.took(1);
        self.messages.pop_front()
    }

    /// Moves the first `count` messages to the end of `into`. The caller must have checked [`run`](Self::run).
    #[inline]
    pub(crate) fn pop_run(&mut self, count: usize, into: &mut MessageQueue) {
        self.took(count);
        into.append_front(&mut self.messages, count);
    }

    #[inline]
    fn took(&mut self, messages: usize) {
        if let Some(changes) = &mut self.changes {
            changes.taken += messages as u64;
        }
    }

    /// Returns the memory in bytes that the inbox holds, including unused memory of its buffers.
    pub fn held_bytes(&self) -> u64 {
        let changes =
            self.changes.as_ref().map_or(0, |changes| size_of::<Changes>() + changes.buffer_bytes() + changes.subjects);
        self.messages.held_with_buffer() + changes as u64
    }

    /// Returns the memory in bytes that the messages hold ([`Message::held_bytes`]).
    #[inline]
    pub const fn message_bytes(&self) -> u64 {
        self.messages.held()
    }

    /// Returns the memory in bytes of the buffers.
    pub(super) fn buffer_bytes(&self) -> usize {
        let changes = self.changes.as_ref().map_or(0, |changes| changes.buffer_bytes());
        self.messages.capacity() * size_of::<Message>() + changes
    }

    /// Frees unused memory, if there is room for more than `items` messages, and for four times as many as there are.
    pub(super) fn shrink(&mut self, items: usize) {
        if self.messages.capacity() > items.max(4 * self.messages.len()) {
            self.messages.shrink_to(items);
        }
        if let Some(changes) = &mut self.changes
            && changes.items.capacity() > items.max(4 * changes.items.len())
        {
            changes.items.shrink_to(items);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;
    use alloc::vec;
    use alloc::vec::Vec;

    #[test]
    fn inbox_returns_messages_and_changes_in_order_and_counts_their_memory() {
        let mut random = SeededEntropy::new(7);
        let mut inbox = Inbox::new();
        let mut model: VecDeque<Inbound> = VecDeque::new();
        let (mut taken, mut changes) = (MessageQueue::new(), 0);
        let mut below = |bound: usize| usize::try_from(random.below(bound as u64)).unwrap();
        for number in 0..20_000_u32 {
            match below(8) {
                0..4 => {
                    let item = if below(8) == 0 {
                        changes += 1;
                        Inbound::Subscription(Subscription::Subscribe(number.to_be_bytes().to_vec().into()))
                    } else {
                        Message::from(vec![7; below(200)]).into()
                    };
                    model.push_back(item.clone());
                    inbox.push(item);
                }
                4..7 => assert_eq!(inbox.pop(), model.pop_front()),
                _ => {
                    let messages = model.iter().take_while(|item| matches!(item, Inbound::Message(_))).count();
                    assert_eq!(inbox.run(), messages);
                    let count = below(messages + 1);
                    inbox.pop_run(count, &mut taken);
                    let expected: Vec<Inbound> = model.drain(..count).collect();
                    let moved = core::iter::from_fn(|| taken.pop_front()).map(Inbound::Message);
                    assert_eq!(moved.collect::<Vec<_>>(), expected);
                }
            }
            let held = |item: &Inbound| match item {
                Inbound::Message(message) => message.held_bytes() as u64,
                Inbound::Subscription(_) => 0,
            };
            assert_eq!(inbox.message_bytes(), model.iter().map(held).sum::<u64>());
            assert_eq!(inbox.len(), model.len());
        }
        assert!(changes > 100);
    }

    #[test]
    fn run_that_moves_to_a_queue_takes_its_totals_along() {
        let mut inbox = Inbox::new();
        for size in [1, 100, 10, 1000] {
            inbox.push(Message::from(vec![7; size]).into());
        }
        let mut queue = MessageQueue::new();
        queue.push_back("first".into());
        inbox.pop_run(2, &mut queue);
        assert_eq!((queue.len(), queue.bytes(), queue.held()), (3, 106, 3 * 72 + 100));
        assert_eq!((inbox.len(), inbox.message_bytes()), (2, 2 * 72 + 1000));
        inbox.pop_run(2, &mut queue);
        assert_eq!((queue.bytes(), queue.held()), (1116, 5 * 72 + 1100));
        assert_eq!((inbox.len(), inbox.message_bytes()), (0, 0));
    }
}
