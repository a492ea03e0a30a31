//! [`LoadBalancer`]: selects the peer for each sent message in turn (RFC 28: "round-robin"). The cost of a call depends
//! only on the number of pipes that have room.

use crate::cost;
use crate::socket::effects::Effects;
use crate::socket::id::PipeId;
use crate::socket::pipe::Pipes;
use crate::socket::routing::fair_queue::SCANNED;
use alloc::collections::VecDeque;

/// Rotation (round-robin order) of the pipes that had room for an outgoing message when last checked.
#[derive(Debug, Default)]
pub(crate) struct LoadBalancer {
    /// Pipes in the rotation; the first is the next to receive a message. Can contain pipes that have become full or
    /// were removed.
    open: VecDeque<PipeId>,
    /// Number of pipes that `remove` took out of the rotation since `open` was last cleaned of removed pipes. Upper
    /// bound for the removed pipes that are still in `open`: there can be fewer, because `has_room` also drops removed
    /// pipes from `open`, and this number does not decrease then. When the number exceeds half of the length of `open`,
    /// `open` is cleaned and the number is set to zero.
    gone: usize,
}

impl LoadBalancer {
    /// Adds a pipe that has room to the end of the rotation, unless the pipe is already in the rotation.
    pub(crate) fn add(&mut self, pipes: &mut Pipes, id: PipeId) -> Effects {
        let Some(pipe) = pipes.get_mut(id) else { return Effects::NONE };
        if core::mem::replace(&mut pipe.balanced, true) {
            return Effects::NONE;
        }
        self.open.push_back(id);
        Effects::WRITABLE
    }

    /// Takes a pipe out of the rotation, because the pipe accepts no more messages.
    // The removed pipes are cleared when they are more than half of the rotation, which bounds memory at constant
    // average cost.
    pub(crate) fn remove(&mut self, pipes: &mut Pipes, id: PipeId) {
        if pipes.get_mut(id).is_some_and(|pipe| core::mem::take(&mut pipe.balanced)) {
            self.gone += 1;
            if self.gone * 2 > self.open.len() {
                cost::nodes(self.open.len());
                self.open.retain(|&id| pipes.get(id).is_some_and(|pipe| pipe.balanced));
                self.gone = 0;
            }
        }
    }

    /// Returns the next pipe with room, and moves it to the end of the rotation. Returns `None` if no pipe has room.
    #[inline]
    pub(crate) fn pick(&mut self, pipes: &mut Pipes) -> Option<PipeId> {
        if !self.has_room(pipes) {
            return None;
        }
        let id = self.open.pop_front()?;
        self.open.push_back(id);
        Some(id)
    }

    /// Returns true if the pipes in the rotation have room for at least `count` messages together. Adds up the room of
    /// [`SCANNED`] pipes at most, so it may return false although there is more room, but never for `count` = 1.
    pub(crate) fn has_room_for(&mut self, pipes: &mut Pipes, count: usize) -> bool {
        if !self.has_room(pipes) {
            return false;
        }
        let mut room: usize = 0;
        self.open.iter().take(SCANNED).any(|&id| {
            cost::nodes(1);
            room = room.saturating_add(pipes.room(id));
            room >= count
        })
    }

    /// Returns true if any pipe in the rotation has room for a message. The next such pipe is then the first in the
    /// rotation: the pipes without room before it leave the rotation.
    #[inline]
    pub(crate) fn has_room(&mut self, pipes: &mut Pipes) -> bool {
        while let Some(&id) = self.open.front() {
            cost::nodes(1);
            if pipes.has_room(id) {
                return true;
            }
            // The pipe is full or closed. A full pipe is added again when it has room.
            self.open.pop_front();
            if let Some(pipe) = pipes.get_mut(id) {
                pipe.balanced = false;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::pipe::state::PipeState;

    #[test]
    fn load_balancer_releases_memory_of_removed_peers() {
        let mut pipes = Pipes::with_marks(10, 10);
        let mut peers = LoadBalancer::default();
        let pipe = pipes.insert(PipeState::dialled("tcp://a:1".parse().unwrap()));
        assert_eq!(peers.add(&mut pipes, pipe), Effects::WRITABLE);
        assert_eq!(peers.add(&mut pipes, pipe), Effects::NONE, "the pipe is already in the rotation");
        for _ in 0..10_000 {
            let other = pipes.insert(PipeState::dialled("tcp://b:1".parse().unwrap()));
            let _ = peers.add(&mut pipes, other);
            peers.remove(&mut pipes, other);
            pipes.remove(other);
        }
        assert!(peers.open.len() < 5, "{} entries", peers.open.len());
        assert_eq!(peers.pick(&mut pipes), Some(pipe));
        assert_eq!(peers.pick(&mut pipes), Some(pipe));
    }
}
