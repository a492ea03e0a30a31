//! [`LoadBalancer`]: selects the peer for each sent message in turn (RFC 28: "round-robin"), and prefers the peers that
//! read. The cost of a call depends only on the number of pipes that have room.

use crate::cost;
use crate::socket::effects::Effects;
use crate::socket::id::PipeId;
use crate::socket::pipe::Pipes;
use crate::socket::routing::fair_queue::SCANNED;
use alloc::collections::VecDeque;

/// Two rotations (round-robin orders) of the pipes that had room for an outgoing message when last checked. A pipe is in
/// at most one of them. Both can contain pipes that have become full or were removed.
#[derive(Debug, Default)]
pub(crate) struct LoadBalancer {
    /// Pipes to peers that read; the first is the next to receive a message.
    open: VecDeque<PipeId>,
    /// Pipes that were [congested](Pipes::is_congested) when last checked. They receive messages only if no pipe in `open`
    /// has room.
    congested: VecDeque<PipeId>,
    /// Number of pipes that `remove` took out of the rotations since these were last cleaned of removed pipes. Upper bound
    /// for the removed pipes that are still there: there can be fewer, because `has_room` also drops removed pipes, and
    /// this number does not decrease then. When the number exceeds half of the length of both, they are cleaned and the
    /// number is set to zero.
    gone: usize,
}

impl LoadBalancer {
    /// Adds a pipe that has room to the end of the rotation, unless the pipe is already in a rotation.
    pub(crate) fn add(&mut self, pipes: &mut Pipes, id: PipeId) -> Effects {
        let Some(pipe) = pipes.get_mut(id) else { return Effects::NONE };
        if core::mem::replace(&mut pipe.balanced, true) {
            return Effects::NONE;
        }
        self.open.push_back(id);
        Effects::WRITABLE
    }

    /// Takes a pipe out of its rotation, because the pipe accepts no more messages.
    // The removed pipes are cleared when they are more than half of the rotations, which bounds memory at constant
    // average cost.
    pub(crate) fn remove(&mut self, pipes: &mut Pipes, id: PipeId) {
        if pipes.get_mut(id).is_some_and(|pipe| core::mem::take(&mut pipe.balanced)) {
            self.gone += 1;
            let entries = self.open.len() + self.congested.len();
            if self.gone * 2 > entries {
                cost::nodes(entries);
                for rotation in [&mut self.open, &mut self.congested] {
                    rotation.retain(|&id| pipes.get(id).is_some_and(|pipe| pipe.balanced));
                }
                self.gone = 0;
            }
        }
    }

    /// Returns the next pipe with room, and moves it to the end of its rotation. Returns `None` if no pipe has room.
    #[inline]
    pub(crate) fn pick(&mut self, pipes: &mut Pipes) -> Option<PipeId> {
        if !self.has_room(pipes) {
            return None;
        }
        let Some(id) = self.open.pop_front() else { return self.pick_congested(pipes) };
        self.open.push_back(id);
        Some(id)
    }

    /// Returns the only pipe in the rotations, which receives all messages; `None` if there are several. The pipe may have no
    /// room.
    pub(crate) fn only(&self) -> Option<PipeId> {
        match (self.open.len(), self.congested.len()) {
            (1, 0) => self.open.front().copied(),
            (0, 1) => self.congested.front().copied(),
            _ => None,
        }
    }

    /// Returns true if the pipes in the rotations have room for at least `count` messages together. Adds up the room of
    /// [`SCANNED`] pipes at most, so it may return false although there is more room, but never for `count` = 1.
    pub(crate) fn has_room_for(&mut self, pipes: &mut Pipes, count: usize) -> bool {
        if !self.has_room(pipes) {
            return false;
        }
        let mut room: usize = 0;
        self.open.iter().chain(&self.congested).take(SCANNED).any(|&id| {
            cost::nodes(1);
            room = room.saturating_add(pipes.room(id));
            room >= count
        })
    }

    /// Returns true if any pipe in the rotations has room for a message. The next such pipe is then the first in `open`,
    /// or, if `open` is empty, the first in `congested`: the pipes without room before it leave the rotation.
    #[inline]
    pub(crate) fn has_room(&mut self, pipes: &mut Pipes) -> bool {
        if self.congested.is_empty()
            && let Some(&id) = self.open.front()
            && pipes.has_free_room(id)
        {
            cost::nodes(1);
            return true;
        }
        self.search(pipes)
    }

    /// Does the same as [`has_room`](Self::has_room), if the next pipe is not obvious.
    #[inline(never)]
    fn search(&mut self, pipes: &mut Pipes) -> bool {
        // One pipe in each call: a peer that reads again receives messages again after at most one round.
        if !self.open.is_empty() && !self.congested.is_empty() {
            self.pick_congested(pipes);
        }
        while let Some(&id) = self.open.front() {
            cost::nodes(1);
            if pipes.has_free_room(id) {
                return true;
            } else if pipes.has_room(id) {
                self.congested.extend(self.open.pop_front());
            } else {
                Self::drop_front(&mut self.open, pipes);
            }
        }
        while let Some(&id) = self.congested.front() {
            cost::nodes(1);
            if pipes.has_room(id) {
                return true;
            }
            Self::drop_front(&mut self.congested, pipes);
        }
        false
    }

    /// Moves the first pipe in `congested` to the end of the rotation to which it belongs now, and returns it.
    #[inline(never)]
    fn pick_congested(&mut self, pipes: &Pipes) -> Option<PipeId> {
        cost::nodes(1);
        let id = self.congested.pop_front()?;
        let rotation = if pipes.is_congested(id) { &mut self.congested } else { &mut self.open };
        rotation.push_back(id);
        Some(id)
    }

    /// Removes the first pipe from `rotation`, because it is full or closed. A full pipe is added again when it has room.
    fn drop_front(rotation: &mut VecDeque<PipeId>, pipes: &mut Pipes) {
        if let Some(pipe) = rotation.pop_front().and_then(|id| pipes.get_mut(id)) {
            pipe.balanced = false;
        }
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

    #[test]
    fn has_room_for_adds_up_the_room_of_all_pipes() {
        let mut pipes = Pipes::with_marks(10, 10);
        let mut peers = LoadBalancer::default();
        assert!(!peers.has_room_for(&mut pipes, 1));
        for _ in 0..3 {
            let pipe = pipes.insert(PipeState::dialled("tcp://a:1".parse().unwrap()));
            let _ = peers.add(&mut pipes, pipe);
        }
        for count in [1, 10, 11, 30, 31] {
            assert_eq!(peers.has_room_for(&mut pipes, count), count <= 30, "{count}");
        }
    }

    #[test]
    fn removed_pipes_are_cleared_when_they_are_more_than_half() {
        let mut pipes = Pipes::with_marks(10, 10);
        let mut peers = LoadBalancer::default();
        let ids = [(); 10].map(|()| pipes.insert(PipeState::dialled("tcp://a:1".parse().unwrap())));
        for id in ids {
            let _ = peers.add(&mut pipes, id);
        }
        peers.congested.extend(peers.open.drain(..4));
        let entries = ids.map(|id| {
            peers.remove(&mut pipes, id);
            peers.open.len() + peers.congested.len()
        });
        assert_eq!(entries, [10, 10, 10, 10, 10, 4, 4, 4, 1, 0]);
    }

    #[test]
    fn congested_pipes_take_turns_until_one_reads() {
        let mut pipes = Pipes::with_marks(10, 10);
        let mut peers = LoadBalancer::default();
        let ids = [(); 3].map(|()| pipes.insert(PipeState::dialled("tcp://a:1".parse().unwrap())));
        for id in ids {
            let _ = peers.add(&mut pipes, id);
            pipes.set_congested(id, true);
        }
        let [one, two, three] = ids.map(Some);
        assert_eq!([(); 5].map(|()| peers.pick(&mut pipes)), [one, two, three, one, two]);
        pipes.set_congested(ids[0], false);
        assert_eq!([(); 5].map(|()| peers.pick(&mut pipes)), [three, one, one, one, one]);
        pipes.set_congested(ids[1], false);
        assert!([(); 3].map(|()| peers.pick(&mut pipes)).contains(&two), "at most one round later");
    }
}
