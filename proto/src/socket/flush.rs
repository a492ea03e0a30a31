//! Flush: waiting until the queued messages are handed to the operating system.

use super::Socket;
use crate::cost;
use crate::socket::id::PipeId;
use alloc::vec::Vec;

/// Messages that were queued at one instant, from [`Socket::begin_flush`]: for each pipe, the position of its last
/// queued message in the sequence of all messages of the pipe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flush(Vec<(PipeId, u64)>);

impl Socket {
    /// Begins to wait until all messages that are queued now are handed to the operating system. Pass the returned
    /// value to [`poll_flush`](Self::poll_flush).
    pub fn begin_flush(&self) -> Flush {
        let pipes = self.pipes.ids().into_iter();
        Flush(pipes.filter_map(|id| Some((id, self.pipes.get(id)?.flush_target()?))).collect())
    }

    /// Returns true if each message of `flush` is handed to the operating system, or was dropped. Otherwise requests
    /// the notification after which the caller must call this method again: [`take_peers_changed`
    /// ](Self::take_peers_changed) then returns true.
    ///
    /// A message to a peer without a connection stays queued, and so does a message beyond the high-water mark of a
    /// peer that does not read. Over `inproc`, a message is handed over when the receiving socket has taken it.
    pub fn poll_flush(&mut self, flush: &mut Flush) -> bool {
        cost::requested(flush.0.len());
        flush.0.retain(|&(id, target)| self.pipes.watch_flush(id, target));
        flush.0.is_empty()
    }
}
