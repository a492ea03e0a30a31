//! Incoming half of a pipe: messages of the peer that wait for the application, and the receive high-water mark.

use super::Pipes;
use crate::connection::Peer;
use crate::message::Message;
use crate::socket::effects::Effects;
use crate::socket::error::RecvError;
use crate::socket::id::PipeId;
use crate::socket::pipe::queue::Queue;
use crate::socket::pipe::reader::Need;
use alloc::sync::Arc;

impl Pipes {
    pub(crate) fn incoming_len(&self, id: PipeId) -> usize {
        self.get(id).map_or(0, |pipe| pipe.incoming.len())
    }

    /// What this pipe needs of its link, which is called when it is hungry again.
    #[inline]
    pub(crate) fn need(&mut self, id: PipeId) -> Need {
        /// Fewer are received before it would pay.
        const SOME: usize = 8;
        let Some(pipe) = self.get_mut(id) else { return Need::Hungry };
        // A link that holds what there is no room for must not be called for more, however few they are.
        let need = match pipe.incoming.len() {
            _ if pipe.stalled => Need::Full,
            SOME.. => Need::Sated,
            _ => Need::Hungry,
        };
        pipe.lazy = need != Need::Hungry;
        need
    }

    /// From now on what arrives is of this peer.
    pub(crate) fn follow(&mut self, id: PipeId, peer: &Arc<Peer>) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.senders.follow(peer, pipe.incoming.len());
        }
    }

    /// Sender of the first message that waits.
    pub(crate) fn first_sender(&self, id: PipeId) -> Option<Arc<Peer>> {
        self.get(id)?.senders.first().cloned()
    }

    /// Sender of messages that arrive now.
    pub(crate) fn latest_sender(&self, id: PipeId) -> Option<Arc<Peer>> {
        self.get(id)?.senders.latest().cloned()
    }

    /// Whether the link may deliver more; if not, the pipe remembers that the link waits.
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

    /// A message from this peer for the application.
    #[inline]
    pub(crate) fn deliver(&mut self, id: PipeId, message: Message) -> Effects {
        let conflate = self.conflate;
        let Some((pipe, room)) = self.get_with_room(id) else { return Effects::NONE };
        if conflate {
            pipe.incoming.clear();
            pipe.senders.took_all();
        }
        pipe.incoming.push_back(message, room);
        Effects::READABLE
    }

    /// Drops the messages for the application that it does not want any more.
    pub(crate) fn retain_incoming(&mut self, id: PipeId, wanted: impl FnMut(&Message) -> bool) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.senders.retain(&mut pipe.incoming, wanted);
            self.taken(id);
        }
    }

    /// Fewer messages wait for the application: the link may deliver more, or a pipe that is gone is done with.
    #[inline]
    fn taken(&mut self, id: PipeId) {
        let hwm = self.recv_hwm;
        let Some(pipe) = self.get_mut(id) else { return };
        let none = pipe.incoming.is_empty();
        if pipe.stalled && pipe.incoming.is_low(hwm) || pipe.lazy && none {
            pipe.stalled = false;
            pipe.lazy = false;
            self.request_service(id);
        } else if none && pipe.state.is_gone() {
            self.free(id);
        }
    }

    /// Takes a message for the application; the error is that there is none.
    #[inline]
    pub(crate) fn pop_incoming(&mut self, id: PipeId) -> Result<Message, RecvError> {
        let Some(pipe) = self.get_mut(id) else { return Err(RecvError::Empty) };
        if pipe.incoming.len() > 1 && !pipe.stalled && pipe.senders.are_one() {
            return pipe.incoming.pop_front().ok_or(RecvError::Empty);
        }
        self.pop_with_care(id).ok_or(RecvError::Empty)
    }

    /// When more follows from it than that there is one less.
    #[inline(never)]
    fn pop_with_care(&mut self, id: PipeId) -> Option<Message> {
        let (pipe, room) = self.get_with_room(id)?;
        let message = pipe.incoming.pop_front()?;
        pipe.incoming.leave(room);
        pipe.senders.took_first();
        self.taken(id);
        Some(message)
    }

    pub(crate) fn forget_incoming(&mut self, id: PipeId) {
        if let Some(pipe) = self.get_mut(id) {
            pipe.incoming = Queue::new();
            pipe.senders.took_all();
        }
    }
}
