//! [`Distributor`]: sends one message to many peers (RFC 29: "fan-out"). The [`SlowSubscriber`] policy of the socket
//! applies to peers that cannot accept the message, usually because their outgoing queue is full.

use crate::connection::{ConnectionError, encode_once};
use crate::cost;
use crate::message::Message;
use crate::socket::error::Unsent;
use crate::socket::event::DropReason;
use crate::socket::id::PipeId;
use crate::socket::options::SlowSubscriber;
use crate::socket::pipe::Pipes;
use alloc::vec::Vec;

/// Peers that are chosen as recipients of the message that is being sent. Empty while no message is being sent.
#[derive(Debug, Default)]
pub(crate) struct Distributor {
    chosen: Vec<PipeId>,
}

impl Distributor {
    /// Chooses a peer as a recipient of the message that is being sent. Choosing a peer again has no effect.
    #[inline]
    pub(crate) fn choose(&mut self, pipes: &mut Pipes, id: PipeId) {
        if let Some(pipe) = pipes.get_mut(id)
            && !core::mem::replace(&mut pipe.chosen, true)
        {
            cost::requested(1);
            self.chosen.push(id);
        }
    }

    /// Replaces the selected recipients by the peers in `all` that were not selected before this call. Used for the
    /// option `invert_matching`, with which a message is sent to the peers without a matching subscription.
    pub(crate) fn invert<'a>(&mut self, pipes: &mut Pipes, all: impl IntoIterator<Item = &'a PipeId>) {
        let previous = self.chosen.len();
        cost::requested(previous);
        for &id in all {
            self.choose(pipes, id);
        }
        for id in self.chosen.drain(..previous) {
            unchoose(pipes, id);
        }
    }

    /// Queues `message` for the peers that [`choose`](Self::choose) selected before this call, and forgets the
    /// selection. `policy` applies to each selected peer that cannot accept the message, usually because its outgoing
    /// queue is full. With `SlowSubscriber::Block`, one such peer is enough to return [`Unsent::Full`], and no peer
    /// receives the message.
    pub(crate) fn send(
        &mut self,
        pipes: &mut Pipes,
        message: &mut Message,
        policy: SlowSubscriber,
    ) -> Result<(), Unsent> {
        for &id in &self.chosen {
            unchoose(pipes, id);
        }
        if policy == SlowSubscriber::Block && self.chosen.iter().any(|&id| !pipes.has_room(id)) {
            self.chosen.clear();
            return Err(Unsent::Full);
        }
        let message = message.take();
        let Some(last) = self.chosen.pop() else { return Ok(()) };
        let message = if self.chosen.is_empty() { message } else { encode_once(message) };
        for id in self.chosen.drain(..) {
            deliver(pipes, id, message.clone(), policy);
        }
        deliver(pipes, last, message, policy);
        Ok(())
    }
}

fn unchoose(pipes: &mut Pipes, id: PipeId) {
    if let Some(pipe) = pipes.get_mut(id) {
        pipe.chosen = false;
    }
}

#[inline]
fn deliver(pipes: &mut Pipes, id: PipeId, message: Message, policy: SlowSubscriber) {
    if pipes.has_room(id) {
        pipes.push(id, message);
        return;
    }
    let mut dropped = 1;
    match policy {
        SlowSubscriber::DropNewest | SlowSubscriber::Block => {}
        SlowSubscriber::DropOldest => dropped = pipes.push_dropping_oldest(id, message),
        SlowSubscriber::Disconnect => pipes.fail(id, ConnectionError::TooSlow),
    }
    pipes.dropped(DropReason::PeerFull, dropped);
}
