//! Outgoing queue of a pipe: messages and subscription changes that wait to be sent to the peer, and the send
//! high-water mark.

use super::{Pipe, Pipes, Service};
use crate::connection::{Link, Outbound, Subscription};
use crate::cost;
use crate::message::Message;
use crate::socket::id::PipeId;
use crate::socket::pipe::queue::{HighWaterMark, Queue};
use crate::socket::pipe::reader::Demand;

/// Assumed size in bytes of a message that will be sent, where its size is not known.
// Most messages are smaller. A task that was woken for a larger one finds the queue full, and waits again.
const LARGE: u64 = 64 << 10;

impl Pipes {
    /// Returns true if a message can be queued for the peer of the pipe `id`: the pipe accepts messages, its outgoing
    /// queue is not full, and with `IMMEDIATE` the handshake is finished.
    #[inline]
    pub(crate) fn has_room(&self, id: PipeId) -> bool {
        self.get(id).is_some_and(|pipe| self.pipe_has_room(pipe))
    }

    #[inline]
    fn pipe_has_room(&self, pipe: &Pipe) -> bool {
        pipe.has_room(self.send_hwm, self.immediate)
    }

    /// Returns true if a message can be queued for the peer of the pipe `id`, and its connection is not
    /// [congested](Self::is_congested).
    #[inline]
    pub(crate) fn has_free_room(&self, id: PipeId) -> bool {
        self.get(id).is_some_and(|pipe| self.pipe_has_room(pipe) && !pipe.congested)
    }

    /// Returns true if the connection of the pipe `id` had no room for all messages at the latest exchange.
    pub(crate) fn is_congested(&self, id: PipeId) -> bool {
        self.get(id).is_some_and(|pipe| pipe.congested)
    }

    /// Returns the number of messages that can be queued for the peer of the pipe `id`. If the high-water mark in bytes
    /// limits the queue, messages of [`LARGE`] bytes are assumed, because the sizes of the messages are not known.
    pub(crate) fn room(&self, id: PipeId) -> usize {
        if !self.has_room(id) {
            return 0;
        }
        let Some(pipe) = self.get(id) else { return 0 };
        let room = pipe.outgoing.room(self.send_hwm);
        usize::try_from(room.messages.min(room.bytes / LARGE).max(1)).unwrap_or(usize::MAX)
    }

    /// Queues a message for the peer of the pipe `id`. The caller must check [`has_room`](Self::has_room) first.
    #[inline]
    pub(crate) fn push(&mut self, id: PipeId, mut message: Message) {
        let (hwm, conflate) = (self.send_hwm, self.conflate);
        let Some((pipe, buffers)) = self.get_with_buffers(id) else { return };
        if conflate {
            pipe.outgoing.clear();
            pipe.opening = 0;
        }
        pipe.outgoing.push_back(&mut message, buffers);
        pipe.close_if_full(hwm);
        if pipe.needs_service() {
            self.request_service(id);
        }
    }

    /// Queues a message for the peer of the pipe `id`, and leaves an empty message in its place, if the pipe
    /// [has room](Self::has_room). Returns false if it has none, and with `ZMQ_CONFLATE`.
    #[inline]
    pub(crate) fn push_if_room(&mut self, id: PipeId, message: &mut Message) -> bool {
        let (hwm, immediate, conflate) = (self.send_hwm, self.immediate, self.conflate);
        let Some((pipe, buffers)) = self.get_with_buffers(id) else { return false };
        if conflate || !pipe.has_room(hwm, immediate) {
            return false;
        }
        pipe.outgoing.push_back(message, buffers);
        pipe.close_if_full(hwm);
        if pipe.needs_service() {
            self.request_service(id);
        }
        true
    }

    /// Queues messages from the start of `messages` for the peer of the pipe `id` while it has room, and leaves empty messages
    /// in their places. Returns their number.
    pub(crate) fn push_run(&mut self, id: PipeId, messages: &mut [Message]) -> usize {
        if self.conflate || !self.has_room(id) {
            return 0;
        }
        let hwm = self.send_hwm;
        let Some((pipe, buffers)) = self.get_with_buffers(id) else { return 0 };
        let mut count = 0;
        while count < messages.len() && !pipe.outgoing.is_full(hwm) {
            pipe.outgoing.push_back(&mut messages[count], buffers);
            count += 1;
        }
        cost::requested(count);
        pipe.close_if_full(hwm);
        if pipe.needs_service() {
            self.request_service(id);
        }
        count
    }

    /// Queues `message` for the peer of the pipe `id`, which has no room. First drops the oldest messages in the
    /// outgoing queue of this pipe: at least one, and more until the queue is not full. Returns the number of dropped
    /// messages.
    pub(crate) fn push_dropping_oldest(&mut self, id: PipeId, mut message: Message) -> usize {
        let hwm = self.send_hwm;
        let Some((pipe, buffers)) = self.get_with_buffers(id) else { return 0 };
        let mut dropped = 0;
        // Drop at least one message, because a pipe that does not accept messages may be below its mark and must not
        // grow.
        while (dropped == 0 || pipe.outgoing.is_full(hwm)) && pipe.outgoing.drop_first().is_some() {
            cost::requested(1);
            pipe.opening -= u64::from(pipe.is_opening());
            dropped += 1;
        }
        pipe.outgoing.push_back(&mut message, buffers);
        self.request_service(id);
        dropped
    }

    /// Queues a message that belongs only to the present connection, such as a probe or a welcome message, before all
    /// other outgoing messages, even if the queue is full.
    pub(crate) fn push_opening(&mut self, id: PipeId, message: Message) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.opening = pipe.opening.max(pipe.counts.sent.messages) + 1;
            self.push_front(id, core::iter::once(message));
        }
    }

    /// Drops the outgoing messages that belonged only to a connection that has ended, such as a probe or a welcome
    /// message.
    pub(crate) fn drop_opening(&mut self, id: PipeId) {
        let Some(pipe) = self.get_mut(id) else { return };
        while pipe.is_opening() && pipe.outgoing.drop_first().is_some() {
            cost::nodes(1);
            pipe.opening -= 1;
        }
    }

    /// Queues messages before all other outgoing messages of a pipe, even if the queue is full. Used for messages that
    /// a lost connection had not begun to send, and for messages that must be the first on a new connection.
    pub(crate) fn push_front(&mut self, id: PipeId, messages: impl DoubleEndedIterator<Item = Message>) {
        let hwm = self.send_hwm;
        let Some(pipe) = self.get_mut(id) else { return };
        for message in messages.rev() {
            cost::nodes(1);
            pipe.outgoing.messages.push_front(message);
        }
        pipe.close_if_full(hwm);
    }

    /// Queues a subscription change for the peer of the pipe `id`, and replaces a queued change for the same topic. So
    /// at most one change per topic is queued.
    pub(crate) fn queue_subscription(&mut self, id: PipeId, change: Subscription) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.subscription_changes.insert(change);
            self.request_service(id);
        }
    }

    /// Drops the subscription changes that the pipe `id` queued for a connection that has ended, and no longer counts the
    /// subscriptions of its peer.
    pub(crate) fn clear_subscriptions(&mut self, id: PipeId) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.subscription_changes.clear();
            pipe.subscriptions = 0;
            self.count_held(id);
        }
    }

    /// Moves outgoing messages and subscription changes from the pipe to its connection while the connection has room.
    /// Returns true if the outgoing queue was full and has room again.
    #[inline]
    pub(crate) fn fill_link(&mut self, id: PipeId, link: &mut impl Link) -> bool {
        let hwm = self.send_hwm;
        let Some((pipe, buffers)) = self.get_with_buffers(id) else { return false };
        if let Some(round_trip) = link.round_trip() {
            pipe.state.set_round_trip(round_trip);
        }
        let before = pipe.outgoing.tally();
        if pipe.subscription_changes.is_empty() && !pipe.outgoing.is_empty() {
            let messages = &mut pipe.outgoing.messages;
            let moved = if let Some((lane, most, bytes)) = link.lane() {
                let fitting = messages.fitting(most, bytes);
                lane.messages.append_front(messages, fitting);
                fitting
            } else {
                let copied = link.copy(messages.iter());
                messages.drop_front(copied);
                copied
            };
            cost::nodes(moved);
        }
        while link.has_room() {
            let item = match pipe.subscription_changes.pop_first() {
                Some(change) => Outbound::Subscription(change),
                None => match pipe.outgoing.pop_front() {
                    Some(message) => Outbound::Message(message),
                    None => break,
                },
            };
            cost::nodes(1);
            link.give(item);
        }
        pipe.congested = !pipe.outgoing.is_empty();
        pipe.counts.sent += before - pipe.outgoing.tally();
        pipe.outgoing.release_buffer(buffers);
        let has_room_again = pipe.full && pipe.outgoing.is_low(hwm);
        pipe.full &= !has_room_again;
        if pipe.is_flush_awaited() {
            self.flushed |= pipe.take_flushed();
        }
        has_room_again
    }

    /// Drops the outgoing messages of the pipe `id`. Returns their number.
    pub(crate) fn clear_outgoing(&mut self, id: PipeId) -> usize {
        let Some(pipe) = self.get_mut(id) else { return 0 };
        (pipe.full, pipe.opening) = (false, 0);
        core::mem::replace(&mut pipe.outgoing, Queue::new()).len()
    }

    pub(crate) fn outgoing_len(&self, id: PipeId) -> usize {
        self.get(id).map_or(0, |pipe| pipe.outgoing.len())
    }
}

impl Pipe {
    /// Returns true if a message can be queued: the pipe accepts messages, its queue has not reached `hwm` (the send high-water
    /// mark), and with `immediate` the handshake is finished.
    #[inline]
    fn has_room(&self, hwm: HighWaterMark, immediate: bool) -> bool {
        self.state.accepts_messages() && !self.outgoing.is_full(hwm) && (!immediate || self.state.is_ready())
    }

    /// Returns true if the pipe must request [`Action::Service`](crate::Action::Service) after a message was queued.
    #[inline]
    fn needs_service(&self) -> bool {
        self.service == Service::Idle && (self.full || !self.reader_fetches())
    }

    /// Returns true if the first outgoing message belongs only to the present connection, such as a probe or a welcome
    /// message.
    const fn is_opening(&self) -> bool {
        self.opening > self.counts.sent.messages
    }

    /// Marks the outgoing queue as full and increments the counter `send_hwm_hits`, if the queue has reached `hwm` (the
    /// send high-water mark) and is not marked as full yet.
    #[inline]
    pub(super) fn close_if_full(&mut self, hwm: HighWaterMark) {
        if !self.full && self.outgoing.is_full(hwm) {
            self.full = true;
            self.counts.send_hwm_hits += 1;
        }
    }

    /// Returns true if the receiving socket of an `inproc` connection will fetch the queued messages without a
    /// notification, so that [`Action::Service`](crate::Action::Service) need not be requested.
    #[inline]
    fn reader_fetches(&self) -> bool {
        self.reader.as_ref().is_some_and(|reader| reader.demand() != Demand::EachMessage)
    }
}
