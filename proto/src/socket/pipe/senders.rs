//! [`Senders`]: the senders of the queued incoming messages of a pipe. A pipe outlives its connections, so its messages
//! can have different senders.

use crate::connection::Peer;
use crate::cost;
use crate::message::Message;
use crate::socket::pipe::queue::Queue;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Senders of the queued incoming messages of a pipe: the peer that connected last, and earlier peers from which
/// messages are still queued.
#[derive(Debug, Default)]
pub(crate) struct Senders {
    latest: Option<Arc<Peer>>,
    /// Earlier senders in the order of the queue. Each is stored with the number of its messages that are still queued.
    /// This number is never zero.
    former: VecDeque<(Arc<Peer>, usize)>,
}

impl Senders {
    /// Sets `peer` as the sender of the messages that arrive from now on. `waiting` is the number of messages that are
    /// already in the incoming queue.
    pub(super) fn set_latest(&mut self, peer: &Arc<Peer>, waiting: usize) {
        cost::nodes(self.former.len());
        let previous = self.latest.replace(Arc::clone(peer));
        let left = waiting - self.former.iter().map(|&(_, left)| left).sum::<usize>();
        self.former.extend(previous.filter(|_| left > 0).map(|previous| (previous, left)));
    }

    pub(super) const fn latest(&self) -> Option<&Arc<Peer>> {
        self.latest.as_ref()
    }

    /// Returns true if all queued incoming messages are from the peer that connected last.
    #[inline]
    pub(super) fn has_single_sender(&self) -> bool {
        self.former.is_empty()
    }

    /// Returns the sender of the first message in the incoming queue. If the queue is empty, returns the peer that
    /// connected last.
    pub(super) fn first(&self) -> Option<&Arc<Peer>> {
        self.former.front().map(|(peer, _)| peer).or(self.latest.as_ref())
    }

    /// Returns the sender of the first message in the incoming queue, as [`first`](Self::first) does, and the number of messages,
    /// at most `limit`, that follow each other from this sender, if as many are queued.
    pub(super) fn first_run(&self, limit: usize) -> (Option<&Arc<Peer>>, usize) {
        match self.former.front() {
            Some((peer, left)) => (Some(peer), limit.min(*left)),
            None => (self.latest.as_ref(), limit),
        }
    }

    /// Records that the first `count` messages were removed from the incoming queue.
    #[inline]
    pub(super) fn remove_first(&mut self, mut count: usize) {
        while let Some((_, left)) = self.former.front_mut().filter(|_| count > 0) {
            let removed = count.min(*left);
            *left -= removed;
            count -= removed;
            if *left == 0 {
                self.former.pop_front();
            }
        }
    }

    /// Records that all messages were removed from the incoming queue.
    pub(super) fn clear(&mut self) {
        self.former.clear();
    }

    /// Drops the messages in the incoming queue `messages` for which `wanted` returns false, and updates the number of
    /// queued messages of each sender.
    pub(super) fn retain(&mut self, messages: &mut Queue, mut wanted: impl FnMut(&Message) -> bool) {
        let mut kept = Vec::with_capacity(messages.len());
        messages.messages.retain(|message| {
            let is_kept = wanted(message);
            kept.push(is_kept);
            is_kept
        });
        let mut kept = kept.into_iter();
        self.former.retain_mut(|(_, left)| {
            *left = kept.by_ref().take(*left).filter(|&is_kept| is_kept).count();
            *left > 0
        });
    }
}
