//! [`Senders`]: whose the messages are that wait in a pipe, which outlives its connections.

use crate::connection::Peer;
use crate::message::Message;
use crate::socket::pipe::queue::Queue;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Who sent what waits to be received: the peer that was connected last, and before it those that have left something.
#[derive(Debug, Default)]
pub(crate) struct Senders {
    latest: Option<Arc<Peer>>,
    /// The first so many messages are of the first of them, and so on; none has left nothing.
    former: VecDeque<(Arc<Peer>, usize)>,
}

impl Senders {
    /// A peer is there, and so many messages that others have sent wait.
    pub(super) fn follow(&mut self, peer: &Arc<Peer>, waiting: usize) {
        let before = self.latest.replace(Arc::clone(peer));
        let left = waiting - self.former.iter().map(|&(_, left)| left).sum::<usize>();
        self.former.extend(before.filter(|_| left > 0).map(|before| (before, left)));
    }

    pub(super) const fn latest(&self) -> Option<&Arc<Peer>> {
        self.latest.as_ref()
    }

    /// Whether all that waits is of the same peer.
    #[inline]
    pub(super) fn are_one(&self) -> bool {
        self.former.is_empty()
    }

    /// Who sent the first of the messages.
    pub(super) fn first(&self) -> Option<&Arc<Peer>> {
        self.former.front().map(|(peer, _)| peer).or(self.latest.as_ref())
    }

    /// The first of the messages was taken.
    #[inline]
    pub(super) fn took_first(&mut self) {
        if let Some((_, left)) = self.former.front_mut() {
            *left -= 1;
            if *left == 0 {
                self.former.pop_front();
            }
        }
    }

    /// All of the messages were taken.
    pub(super) fn took_all(&mut self) {
        self.former.clear();
    }

    /// Drops those messages that are not wanted.
    pub(super) fn retain(&mut self, messages: &mut Queue, mut wanted: impl FnMut(&Message) -> bool) {
        let mut verdicts = Vec::with_capacity(messages.len());
        messages.retain(|message| {
            let stays = wanted(message);
            verdicts.push(stays);
            stays
        });
        let mut verdicts = verdicts.into_iter();
        self.former.retain_mut(|(_, left)| {
            *left = verdicts.by_ref().take(*left).filter(|&stays| stays).count();
            *left > 0
        });
    }
}
