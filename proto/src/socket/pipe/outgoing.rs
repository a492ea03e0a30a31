//! Outgoing half of a pipe: messages and subscriptions on their way to the peer, and the send high-water mark.

use super::{Pipe, Pipes};
use crate::connection::{Link, Outbound, Subscription};
use crate::message::Message;
use crate::socket::id::PipeId;
use crate::socket::pipe::queue::{Mark, Queue};
use crate::socket::pipe::reader::Need;

impl Pipes {
    /// Whether a message may be queued for this peer.
    #[inline]
    pub(crate) fn has_room(&self, id: PipeId) -> bool {
        self.get(id).is_some_and(|pipe| {
            pipe.state.accepts_messages()
                && !pipe.outgoing.is_full(self.send_hwm)
                && (!self.immediate || pipe.state.is_ready())
        })
    }

    /// Queues a message for this peer; the caller has seen that there is room.
    #[inline]
    pub(crate) fn push(&mut self, id: PipeId, message: Message) {
        let (hwm, conflate) = (self.send_hwm, self.conflate);
        let Some((pipe, room)) = self.get_with_room(id) else { return };
        if conflate {
            pipe.outgoing.clear();
            pipe.opening = 0;
        }
        pipe.outgoing.push_back(message, room);
        pipe.close_if_full(hwm);
        if pipe.full || !pipe.is_collected() {
            self.request_service(id);
        }
    }

    /// Queues a message for a peer without room, which loses its oldest ones instead; says how many.
    pub(crate) fn push_out(&mut self, id: PipeId, message: Message) -> usize {
        let hwm = self.send_hwm;
        let Some((pipe, room)) = self.get_with_room(id) else { return 0 };
        let mut lost = 0;
        // One that is closed to messages has room, and yet must not grow.
        while (lost == 0 || pipe.outgoing.is_full(hwm)) && pipe.outgoing.pop_front().is_some() {
            pipe.opening -= u64::from(pipe.is_opening());
            lost += 1;
        }
        pipe.outgoing.push_back(message, room);
        self.request_service(id);
        lost
    }

    /// Says something on this connection before all else, whatever the mark: a probe, a welcome.
    pub(crate) fn open_with(&mut self, id: PipeId, message: Message) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.opening = pipe.opening.max(pipe.counts.sent.messages) + 1;
            self.push_front(id, core::iter::once(message));
        }
    }

    /// What was to be said on a connection that is gone, and was not, is of no use to the next one.
    pub(crate) fn drop_opening(&mut self, id: PipeId) {
        let Some(pipe) = self.get_mut(id) else { return };
        while pipe.is_opening() && pipe.outgoing.pop_front().is_some() {
            pipe.opening -= 1;
        }
    }

    /// Puts messages before all others, whatever the mark: those that a lost connection had not begun to send.
    pub(crate) fn push_front(&mut self, id: PipeId, messages: impl DoubleEndedIterator<Item = Message>) {
        let hwm = self.send_hwm;
        let Some(pipe) = self.get_mut(id) else { return };
        for message in messages.rev() {
            pipe.outgoing.push_front(message);
        }
        pipe.close_if_full(hwm);
    }

    /// Tells the peer of a wish. Any number may be told: there is one word for each subject at most.
    pub(crate) fn wish(&mut self, id: PipeId, wish: Subscription) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.wishes.insert(wish.subject().clone(), wish);
            self.request_service(id);
        }
    }

    /// The connection that should have heard them is gone.
    pub(crate) fn clear_subscriptions(&mut self, id: PipeId) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.wishes.clear();
        }
    }

    /// Gives the link messages while it has room. True when the pipe, having been full, has room again.
    #[inline]
    pub(crate) fn pour(&mut self, id: PipeId, link: &mut impl Link) -> bool {
        let hwm = self.send_hwm;
        let Some((pipe, room)) = self.get_with_room(id) else { return false };
        if let Some(round_trip) = link.round_trip() {
            pipe.state.set_round_trip(round_trip);
        }
        let before = pipe.outgoing.tally();
        if pipe.wishes.is_empty() && !pipe.outgoing.is_empty() {
            let copied = link.copy(pipe.outgoing.iter());
            pipe.outgoing.drop_front(copied);
        }
        while link.has_room() {
            let item = match pipe.wishes.pop_first() {
                Some((_, wish)) => Outbound::Subscription(wish),
                None => match pipe.outgoing.pop_front() {
                    Some(message) => Outbound::Message(message),
                    None => break,
                },
            };
            link.give(item);
        }
        pipe.counts.sent += before - pipe.outgoing.tally();
        pipe.outgoing.leave(room);
        let reopened = pipe.full && pipe.outgoing.is_low(hwm);
        pipe.full &= !reopened;
        reopened
    }

    /// Drops what is queued for this peer; says how many messages.
    pub(crate) fn forget_outgoing(&mut self, id: PipeId) -> usize {
        let Some(pipe) = self.get_mut(id) else { return 0 };
        (pipe.full, pipe.opening) = (false, 0);
        core::mem::replace(&mut pipe.outgoing, Queue::new()).len()
    }

    pub(crate) fn outgoing_len(&self, id: PipeId) -> usize {
        self.get(id).map_or(0, |pipe| pipe.outgoing.len())
    }
}

impl Pipe {
    /// Whether the next message to be sent belongs to this connection alone.
    const fn is_opening(&self) -> bool {
        self.opening > self.counts.sent.messages
    }

    /// Notices that what is queued has reached the mark.
    #[inline]
    fn close_if_full(&mut self, hwm: Mark) {
        if !self.full && self.outgoing.is_full(hwm) {
            self.full = true;
            self.counts.send_hwm_hits += 1;
        }
    }

    /// Whether somebody will come for what is queued without being called.
    #[inline]
    fn is_collected(&self) -> bool {
        self.reader.as_ref().is_some_and(|reader| reader.need() != Need::Hungry)
    }
}
