//! Limits of the queues: high-water marks, the memory budget that lowers them, and the size of messages.

use super::queue::HighWaterMark;
use super::{Pipes, Service};
use crate::connection::{FLOOR, MemoryBudget};
use crate::cost;
use crate::socket::id::PipeId;
use crate::socket::options::Settings;
use alloc::sync::Arc;
use alloc::vec::Vec;

impl Pipes {
    /// Returns the high-water marks of the options: of outgoing and of incoming queues.
    pub(super) fn marks(settings: &Settings) -> [HighWaterMark; 2] {
        // A queue that keeps only its latest message is never full.
        let mark = |messages, bytes| {
            if settings.conflate { HighWaterMark::new(usize::MAX, 0) } else { HighWaterMark::new(messages, bytes) }
        };
        [mark(settings.send_hwm, settings.send_hwm_bytes), mark(settings.recv_hwm, settings.recv_hwm_bytes)]
    }

    /// Applies changed options to all queues. Returns the pipes that have room for messages now and may have had none before.
    pub(crate) fn configure(&mut self, settings: &Settings) -> Vec<PipeId> {
        self.marks = Self::marks(settings);
        #[cfg(feature = "meter")]
        {
            let ([send, recv], [of_send, of_recv]) = (self.largest_marks, self.marks);
            self.largest_marks = [send.max(of_send), recv.max(of_recv)];
        }
        self.lower_marks();
        self.conflate = settings.conflate;
        let admits_dials = self.immediate && !settings.immediate;
        self.immediate = settings.immediate;
        self.update_max_send_size(settings.max_send_size);
        let (send_hwm, recv_hwm) = (self.send_hwm, self.recv_hwm);
        let mut with_room = Vec::new();
        for id in self.ids() {
            cost::requested(1);
            let Some(pipe) = self.get_mut(id) else { continue };
            pipe.close_if_full(send_hwm);
            let is_full = pipe.outgoing.is_full(send_hwm);
            // A connection that was accepted has no queue before the end of its handshake.
            if !is_full && (pipe.full || admits_dials && pipe.state.is_open_dial()) {
                pipe.full = false;
                with_room.push(id);
            }
            if pipe.stalled && !pipe.incoming.is_full(recv_hwm) {
                pipe.stalled = false;
                self.request_service(id);
            }
        }
        with_room
    }

    /// Sets the memory that this socket shares with others. Must be called before the first pipe is inserted.
    pub(crate) fn set_budget(&mut self, budget: Arc<MemoryBudget>) {
        self.budget = Some(budget);
    }

    pub(crate) const fn budget(&self) -> Option<&Arc<MemoryBudget>> {
        self.budget.as_ref()
    }

    /// Counts the memory that a pipe holds in the budget of the socket, and lowers the high-water marks in
    /// bytes while the limit of the budget is exceeded.
    #[inline]
    pub(crate) fn count_held(&mut self, id: PipeId) {
        if self.budget.is_some() {
            self.count_held_now(id);
        }
    }

    #[inline(never)]
    fn count_held_now(&mut self, id: PipeId) {
        if let Some(pipe) = self.get_mut(id) {
            let held = pipe.outgoing.held_bytes() + pipe.incoming.held_bytes();
            pipe.share.set(usize::try_from(held).unwrap_or(usize::MAX).saturating_add(pipe.subscriptions));
        }
        self.lower_marks();
    }

    /// Sets the high-water marks to those of the options, or to lower ones while the limit of the budget is exceeded.
    fn lower_marks(&mut self) {
        let is_exceeded = self.budget.as_ref().is_some_and(|budget| budget.is_exceeded());
        let limit = if is_exceeded { FLOOR } else { usize::MAX };
        [self.send_hwm, self.recv_hwm] = self.marks.map(|mark| mark.lowered(limit));
    }

    /// Sets the memory in bytes of the subscriptions of a peer, which [`count_held`](Self::count_held) counts. Returns the
    /// memory that was set before.
    pub(crate) fn set_subscriptions(&mut self, id: PipeId, bytes: usize) -> usize {
        self.get_mut(id).map_or(0, |pipe| core::mem::replace(&mut pipe.subscriptions, bytes))
    }

    /// Counts the memory of a pipe without a connection. The next message that is queued then requests this again.
    pub(super) fn count_unsent(&mut self, id: PipeId) {
        if self.budget.is_some()
            && let Some(pipe) = self.get_mut(id)
        {
            pipe.service = Service::Idle;
            self.count_held_now(id);
        }
    }

    /// Sets the maximum size of a message that the peer of a pipe accepts. `option` is `max_send_size` of the socket.
    pub(crate) fn set_max_message_size(&mut self, id: PipeId, size: usize, option: usize) {
        let Some(pipe) = self.get_mut(id).filter(|pipe| pipe.max_message_size != size) else { return };
        pipe.max_message_size = size;
        // Only `inproc` sets a size.
        self.update_max_send_size(option);
    }

    fn update_max_send_size(&mut self, option: usize) {
        cost::requested(self.slots.len());
        let of_pipes = self.slots.iter().flatten().map(|pipe| pipe.max_message_size);
        self.max_send_size = of_pipes.fold(option, usize::min);
    }
}
