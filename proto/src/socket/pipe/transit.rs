//! Messages of a pipe that its connection holds and has not written completely, and waiting for them.

use super::{Pipe, Pipes};
use crate::connection::Written;
use crate::socket::id::PipeId;
use alloc::sync::Arc;

/// Reference to the counter of the present connection of a pipe.
#[derive(Debug)]
pub(crate) struct Transit {
    written: Arc<Written>,
    /// Number of messages that the pipe had given to earlier connections when this connection became ready.
    base: u64,
}

impl Pipes {
    /// Sets the counter of written messages of the new connection of a pipe; `None` if the connection has no such
    /// counter or has ended.
    pub(crate) fn set_written(&mut self, id: PipeId, written: Option<Arc<Written>>) {
        if let Some(pipe) = self.get_mut(id) {
            let base = pipe.counts.sent.messages;
            pipe.connection.clone_from(&written);
            pipe.transit = written.map(|written| Transit { written, base });
            pipe.watch(pipe.flush_at);
        }
    }

    /// Sets the counters of the new connection of a pipe, before its handshake.
    pub(crate) fn set_connection(&mut self, id: PipeId, counters: &Arc<Written>) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.connection = Some(Arc::clone(counters));
        }
    }

    /// Returns true if a flush must wait until the message at position `target` of the pipe is written. The pipe then
    /// notifies of the write, and its connection is serviced.
    pub(crate) fn watch_flush(&mut self, id: PipeId, target: u64) -> bool {
        let Some(pipe) = self.get_mut(id).filter(|pipe| !pipe.is_flushed(target)) else { return false };
        pipe.watch(Some(pipe.flush_at.map_or(target, |earlier| earlier.min(target))));
        self.request_service(id);
        true
    }
}

impl Pipe {
    /// Returns true if a flush waits for the pipe.
    #[inline]
    pub(super) const fn is_flush_awaited(&self) -> bool {
        self.flush_at.is_some()
    }

    /// Returns true if a flush waits for the pipe, and the first message for which it waits is written or was dropped.
    #[cold]
    pub(super) fn take_flushed(&mut self) -> bool {
        let Some(target) = self.flush_at else { return false };
        let is_flushed = self.is_flushed(target);
        if is_flushed {
            self.watch(None);
        }
        is_flushed
    }

    /// Returns the number of messages that the present connection holds and has not written completely.
    pub(crate) fn under_way(&self) -> u64 {
        let Some(Transit { written, base }) = &self.transit else { return 0 };
        let given = self.counts.sent.messages.saturating_sub(*base);
        // The counter exceeds `given` if the caller has put messages into the connection directly.
        #[expect(clippy::cast_possible_truncation, reason = "the counter wraps around in the same way")]
        let rest = (given as usize).wrapping_sub(written.messages());
        if rest > usize::MAX / 2 { 0 } else { rest as u64 }
    }

    /// Returns the position of the last message in this pipe, counted over all connections. Returns `None` if all
    /// messages are written.
    pub(crate) fn flush_target(&self) -> Option<u64> {
        let target = self.counts.sent.messages + self.outgoing.len() as u64;
        (!self.is_flushed(target)).then_some(target)
    }

    /// Returns true if the message at position `target` is written, or if no message is left to write. The latter also
    /// covers dropped messages, which reach no position.
    fn is_flushed(&self, target: u64) -> bool {
        let under_way = self.under_way();
        self.counts.sent.messages.saturating_sub(under_way) >= target || self.outgoing.is_empty() && under_way == 0
    }

    fn watch(&mut self, target: Option<u64>) {
        self.flush_at = target;
        if let Some(transit) = &self.transit {
            transit.written.set_watched(target.is_some());
        }
    }
}
