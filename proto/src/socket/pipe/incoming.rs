//! Incoming queue of a pipe: messages received from the peer that wait for the application, and the receive high-water
//! mark.

use super::{Pipe, Pipes};
use crate::connection::{Inbox, Peer};
use crate::cost;
use crate::message::Message;
use crate::socket::effects::Effects;
use crate::socket::error::RecvError;
use crate::socket::id::PipeId;
use crate::socket::pipe::queue::Queue;
use crate::socket::pipe::reader::Demand;
use crate::socket::stats::TrafficCount;
use alloc::sync::Arc;
use alloc::vec::Vec;

impl Pipe {
    pub(crate) fn has_incoming(&self) -> bool {
        !self.incoming.is_empty()
    }
}

impl Pipes {
    pub(crate) fn incoming_len(&self, id: PipeId) -> usize {
        self.get(id).map_or(0, |pipe| pipe.incoming.len())
    }

    /// Returns the [`Demand`] of the pipe `id`, which receives over `inproc`: whether the sending socket must announce
    /// each message. If this method returned a value other than [`Demand::EachMessage`], messages may wait at the
    /// sending socket without an announcement. The pipe then requests [`Action::Service`](crate::Action::Service) when
    /// its incoming queue becomes empty, or has room again after it was full.
    #[inline]
    pub(crate) fn demand(&mut self, id: PipeId) -> Demand {
        // With fewer queued messages, fetching in batches does not pay.
        const BATCH: usize = 8;
        let Some(pipe) = self.get_mut(id) else { return Demand::EachMessage };
        // A full pipe with few (large) messages must not request more from its link.
        let demand = match pipe.incoming.len() {
            _ if pipe.stalled => Demand::Full,
            BATCH.. => Demand::Batch,
            _ => Demand::EachMessage,
        };
        pipe.service_when_empty = demand != Demand::EachMessage;
        demand
    }

    /// Returns the number of messages, and of bytes that messages hold, that the pipe `id` can receive before its incoming
    /// queue reaches the high-water mark.
    pub(crate) fn recv_room(&self, id: PipeId) -> TrafficCount {
        let no_limit = TrafficCount { messages: u64::MAX, bytes: u64::MAX };
        self.get(id).map_or(no_limit, |pipe| pipe.incoming.room(self.recv_hwm))
    }

    /// Copies the last `count` messages in the incoming queue of the pipe `id` out of the read buffers of which they may be
    /// a small part.
    pub(crate) fn copy_out_of_blocks(&mut self, id: PipeId, count: usize) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.incoming.copy_out_of_blocks(count);
        }
    }

    /// Sets `peer` as the sender of the messages that arrive at the pipe `id` from now on.
    pub(crate) fn set_sender(&mut self, id: PipeId, peer: &Arc<Peer>) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.senders.set_latest(peer, pipe.incoming.len());
        }
    }

    /// Returns the sender of the first queued incoming message of a pipe. If no message is queued, returns the peer
    /// that connected last.
    pub(crate) fn first_sender(&self, id: PipeId) -> Option<Arc<Peer>> {
        self.get(id)?.senders.first().cloned()
    }

    /// Returns the sender of the messages that arrive now: the peer that connected last.
    pub(crate) fn latest_sender(&self, id: PipeId) -> Option<Arc<Peer>> {
        self.get(id)?.senders.latest().cloned()
    }

    /// Returns true if the incoming queue of the pipe has room for more messages from its connection. If false, the
    /// pipe requests [`Action::Service`](crate::Action::Service) when the queue has room again.
    #[inline]
    pub(crate) fn may_deliver(&mut self, id: PipeId) -> bool {
        let hwm = self.recv_hwm;
        let Some(pipe) = self.get_mut(id) else {
            return false;
        };
        if !pipe.incoming.is_full(hwm) {
            pipe.stalled = false;
        } else if !core::mem::replace(&mut pipe.stalled, true) {
            pipe.counts.recv_hwm_hits += 1;
        }
        !pipe.stalled
    }

    /// Queues a message that was received from the peer of the pipe `id`, for the application to receive. The message
    /// is queued even if the incoming queue is full. With `ZMQ_CONFLATE`, the message replaces the queued messages.
    #[inline]
    pub(crate) fn deliver(&mut self, id: PipeId, mut message: Message) -> Effects {
        if self.conflate {
            self.replace_incoming(id);
        }
        let Some((pipe, buffers)) = self.get_with_buffers(id) else { return Effects::NONE };
        pipe.incoming.push_back(&mut message, buffers);
        Effects::READABLE
    }

    /// Queues messages from the start of `items`, which were received from the peer of the pipe `id`, up to the first item that is
    /// not a message, or until the incoming queue is full. Returns the queued messages. With `ZMQ_CONFLATE`, queues nothing.
    #[inline]
    pub(crate) fn deliver_run(&mut self, id: PipeId, items: &mut Inbox) -> TrafficCount {
        let (hwm, conflate) = (self.recv_hwm, self.conflate);
        match self.get_with_buffers(id) {
            Some((pipe, buffers)) if !conflate => {
                let received = pipe.incoming.push_run(items, hwm, buffers);
                cost::frames(usize::try_from(received.messages).unwrap_or(usize::MAX));
                received
            }
            _ => TrafficCount::default(),
        }
    }

    /// Does the same as [`deliver_run`](Self::deliver_run), after `prepare` has changed each message. If `prepare` returns false, the
    /// message is discarded. Returns the received messages before `prepare`.
    #[inline]
    pub(crate) fn deliver_prepared(
        &mut self,
        id: PipeId,
        items: &mut Inbox,
        mut prepare: impl FnMut(&mut Message) -> bool,
    ) -> TrafficCount {
        let mut received = TrafficCount::default();
        let (hwm, mut discarded) = (self.recv_hwm, 0);
        if self.conflate {
            return received;
        }
        let Some((pipe, buffers)) = self.get_with_buffers(id) else { return received };
        let run = items.run() as u64;
        while received.messages < run
            && !pipe.incoming.is_full(hwm)
            && let Some(mut message) = items.pop_message()
        {
            cost::frames(message.len());
            received += TrafficCount::of(&message);
            if prepare(&mut message) {
                pipe.incoming.push_back(&mut message, buffers);
            } else {
                discarded += 1;
            }
        }
        self.discarded += discarded;
        received
    }

    /// Drops the messages in the incoming queue of the pipe `id`, because a later one replaces them.
    #[inline(never)]
    fn replace_incoming(&mut self, id: PipeId) {
        let Some(pipe) = self.get_mut(id) else { return };
        let replaced = pipe.incoming.len() as u64;
        pipe.incoming.clear();
        pipe.senders.clear();
        self.discarded += replaced;
    }

    /// Drops the messages in the incoming queue of the pipe `id` for which `wanted` returns false.
    pub(crate) fn retain_incoming(&mut self, id: PipeId, wanted: impl FnMut(&Message) -> bool) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.senders.retain(&mut pipe.incoming, wanted);
            self.after_removal(id);
        }
    }

    /// Updates the pipe `id` after messages were removed from its incoming queue. Requests
    /// [`Action::Service`](crate::Action::Service) if the connection may now deliver more messages. If the queue is
    /// empty and the pipe is in the state `Gone` (without a connection, for good), removes the pipe.
    #[inline]
    fn after_removal(&mut self, id: PipeId) {
        let hwm = self.recv_hwm;
        let Some(pipe) = self.get_mut(id) else { return };
        let is_empty = pipe.incoming.is_empty();
        if pipe.stalled && pipe.incoming.is_low(hwm) || pipe.service_when_empty && is_empty {
            pipe.stalled = false;
            pipe.service_when_empty = false;
            self.request_service(id);
        } else if is_empty && pipe.state.is_gone() && !pipe.is_retained {
            self.free(id);
        }
    }

    /// Removes and returns the first incoming message of the pipe `id`; returns [`RecvError::Empty`] if no message is
    /// queued.
    #[inline]
    pub(crate) fn pop_incoming(&mut self, id: PipeId) -> Result<Message, RecvError> {
        match self.pop_fast(id) {
            Some(message) => Ok(message),
            None => self.pop_slow(id).ok_or(RecvError::Empty),
        }
    }

    /// Removes and returns the first incoming message of the pipe `id`, if that has no consequences: the pipe has several messages
    /// of one sender, and is above its low-water mark or was not full.
    #[inline]
    pub(crate) fn pop_fast(&mut self, id: PipeId) -> Option<Message> {
        let hwm = self.recv_hwm;
        let pipe = self.get_mut(id)?;
        let least = if pipe.stalled { 1 + hwm.low_messages() } else { 1 };
        if pipe.incoming.len() > least && pipe.senders.has_single_sender() { pipe.incoming.pop_front() } else { None }
    }

    /// Slow path of [`pop_incoming`](Self::pop_incoming), for a queue that was full and is about to have room, has a single
    /// message, or has messages of several senders. Removes the first incoming message and updates the senders. Requests
    /// [`Action::Service`](crate::Action::Service) if the connection may now deliver more messages.
    #[inline(never)]
    fn pop_slow(&mut self, id: PipeId) -> Option<Message> {
        let (pipe, buffers) = self.get_with_buffers(id)?;
        let message = pipe.incoming.pop_front()?;
        pipe.incoming.release_buffer(buffers);
        pipe.senders.remove_first(1);
        self.count_held(id);
        self.after_removal(id);
        Some(message)
    }

    /// Removes the first incoming messages of the pipe `id`, at most `limit`, and appends them to `into`. Returns their number.
    pub(crate) fn pop_run(&mut self, id: PipeId, limit: usize, into: &mut Vec<Message>) -> usize {
        if limit == 1 {
            // Often without consequences.
            let message = self.pop_incoming(id).ok();
            let count = message.iter().len();
            into.extend(message);
            return count;
        }
        self.pop_with(id, |pipe| {
            let run = pipe.incoming.messages.pop_run(limit);
            let count = run.len();
            into.extend(run);
            count
        })
    }

    /// Does the same as [`pop_run`](Self::pop_run) for messages of one sender, and appends each with its sender.
    pub(crate) fn pop_run_from(
        &mut self,
        id: PipeId,
        limit: usize,
        into: &mut impl Extend<(Message, Arc<Peer>)>,
    ) -> usize {
        self.pop_with(id, |pipe| {
            let (sender, limit) = pipe.senders.first_run(limit);
            let Some(sender) = sender else { return 0 };
            let run = pipe.incoming.messages.pop_run(limit);
            let count = run.len();
            into.extend(run.map(|message| (message, Arc::clone(sender))));
            count
        })
    }

    /// Calls `take`, which removes the first incoming messages of the pipe `id` and returns their number, and updates the pipe.
    fn pop_with(&mut self, id: PipeId, take: impl FnOnce(&mut Pipe) -> usize) -> usize {
        let Some((pipe, buffers)) = self.get_with_buffers(id) else { return 0 };
        let count = take(pipe);
        cost::requested(count);
        pipe.incoming.release_buffer(buffers);
        pipe.senders.remove_first(count);
        self.count_held(id);
        self.after_removal(id);
        count
    }

    pub(crate) fn clear_incoming(&mut self, id: PipeId) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.incoming = Queue::new();
            pipe.senders.clear();
        }
    }
}
