//! Sending to many peers in turn, one message each (RFC 28: "round-robin"). Touches only pipes that have room.

use crate::message::Message;
use crate::socket::effects::Effects;
use crate::socket::error::Unsent;
use crate::socket::id::PipeId;
use crate::socket::pipe::Pipes;
use alloc::collections::VecDeque;

/// The rotation of pipes that had room when last looked at.
#[derive(Debug, Default)]
pub(crate) struct LoadBalancer {
    open: VecDeque<PipeId>,
    /// How many of those are gone, at most.
    gone: usize,
}

impl LoadBalancer {
    /// A pipe may be sent to, from now on or again.
    pub(crate) fn add(&mut self, pipes: &mut Pipes, id: PipeId) -> Effects {
        let Some(pipe) = pipes.get_mut(id) else { return Effects::NONE };
        if core::mem::replace(&mut pipe.balanced, true) {
            return Effects::NONE;
        }
        self.open.push_back(id);
        Effects::WRITABLE
    }

    /// A pipe is gone for good. Places are cleared away when half of them are vacant, so that peers who come and go cost
    /// nothing in the end, and little at a time.
    pub(crate) fn remove(&mut self, pipes: &mut Pipes, id: PipeId) {
        if pipes.get_mut(id).is_some_and(|pipe| core::mem::take(&mut pipe.balanced)) {
            self.gone += 1;
            if self.gone * 2 > self.open.len() {
                self.open.retain(|&id| pipes.get(id).is_some_and(|pipe| pipe.balanced));
                self.gone = 0;
            }
        }
    }

    /// The pipe whose turn it is; it goes to the end of the rotation.
    #[inline]
    pub(crate) fn pick(&mut self, pipes: &mut Pipes) -> Option<PipeId> {
        if !self.has_room(pipes) {
            return None;
        }
        let id = self.open.pop_front()?;
        self.open.push_back(id);
        Some(id)
    }

    /// Whether there is a pipe with room, which then stands first.
    #[inline]
    pub(crate) fn has_room(&mut self, pipes: &mut Pipes) -> bool {
        while let Some(&id) = self.open.front() {
            if pipes.has_room(id) {
                return true;
            }
            // Full or closed. When a full one has room again, it is added again.
            self.open.pop_front();
            if let Some(pipe) = pipes.get_mut(id) {
                pipe.balanced = false;
            }
        }
        false
    }

    /// Sends to the peer whose turn it is.
    #[inline]
    pub(crate) fn send(&mut self, pipes: &mut Pipes, message: &mut Message) -> Result<PipeId, Unsent> {
        let Some(id) = self.pick(pipes) else {
            return Err(Unsent::Full);
        };
        pipes.push(id, message.take());
        Ok(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::pipe::state::PipeState;

    #[test]
    fn peers_that_came_and_went_leave_no_place_behind() {
        let mut pipes = Pipes::with_marks(10, 10);
        let mut peers = LoadBalancer::default();
        let stays = pipes.insert(PipeState::dialled("tcp://a:1".parse().unwrap()));
        assert_eq!(peers.add(&mut pipes, stays), Effects::WRITABLE);
        assert_eq!(peers.add(&mut pipes, stays), Effects::NONE, "it is there already");
        for _ in 0..10_000 {
            let visitor = pipes.insert(PipeState::dialled("tcp://b:1".parse().unwrap()));
            let _ = peers.add(&mut pipes, visitor);
            peers.remove(&mut pipes, visitor);
            pipes.remove(visitor);
        }
        assert!(peers.open.len() < 5, "{} places", peers.open.len());
        assert_eq!(peers.pick(&mut pipes), Some(stays));
        assert_eq!(peers.pick(&mut pipes), Some(stays));
    }
}
