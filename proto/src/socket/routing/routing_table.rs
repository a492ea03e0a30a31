//! [`RoutingTable`]: peers by routing id, for the socket types whose messages begin with it.

use super::key::Key;
use crate::entropy::Entropy;
use crate::message::Frame;
use crate::socket::effects::Effects;
use crate::socket::id::PipeId;
use crate::socket::pipe::Pipes;
use core::hash::Hasher;
use hashbrown::HashTable;

/// Which peer has which routing id. The pipes have the ids, and the table agrees with them always.
#[derive(Debug)]
pub(crate) struct RoutingTable {
    key: Key,
    peers: HashTable<PipeId>,
}

/// Octets of an automatic routing id: a zero, as RFC 28 reserves it for, and 64 random bits that no peer can guess.
const AUTOMATIC: usize = 9;

impl RoutingTable {
    pub(crate) fn new(entropy: &mut dyn Entropy) -> Self {
        Self { key: Key::new(entropy), peers: HashTable::new() }
    }

    /// Whose routing id this is.
    #[inline]
    pub(crate) fn find(&self, pipes: &Pipes, id: &Frame) -> Option<PipeId> {
        let is = |&pipe: &PipeId| pipes.get(pipe).is_some_and(|known| known.routing_id == *id);
        self.peers.find(hash(self.key, id), is).copied()
    }

    /// A routing id that nobody has.
    pub(crate) fn automatic(&self, pipes: &Pipes, entropy: &mut dyn Entropy) -> Frame {
        loop {
            let mut octets = [0; AUTOMATIC];
            entropy.fill(&mut octets[1..]);
            let id = Frame::from(&octets);
            if self.find(pipes, &id).is_none() {
                return id;
            }
        }
    }

    /// Gives the pipe this name.
    pub(crate) fn name(&mut self, pipes: &mut Pipes, pipe: PipeId, id: Frame) -> Effects {
        self.forget(pipes, pipe);
        let Some(known) = pipes.get_mut(pipe) else { return Effects::NONE };
        let hashed = hash(self.key, &id);
        known.routing_id = id;
        self.peers.insert_unique(hashed, pipe, rehash(self.key, pipes));
        Effects::WRITABLE
    }

    /// Takes the pipe's name away.
    pub(crate) fn forget(&mut self, pipes: &mut Pipes, pipe: PipeId) {
        let Some(known) = pipes.get_mut(pipe) else { return };
        let id = core::mem::take(&mut known.routing_id);
        if let Ok(entry) = self.peers.find_entry(hash(self.key, &id), |&other| other == pipe) {
            entry.remove();
        }
        if self.peers.len() < self.peers.capacity() / 8 {
            self.peers.shrink_to(self.peers.len() * 2, rehash(self.key, pipes));
        }
    }
}

fn hash(key: Key, id: &[u8]) -> u64 {
    let mut hasher = key.hasher();
    hasher.write(id);
    hasher.finish()
}

/// The hash of a pipe's name.
fn rehash(key: Key, pipes: &Pipes) -> impl Fn(&PipeId) -> u64 {
    move |&pipe| pipes.get(pipe).map_or(0, |known| hash(key, &known.routing_id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;
    use crate::socket::pipe::state::PipeState;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    #[test]
    fn names_are_found_by_whoever_has_them_and_leave_nothing_behind() {
        let mut pipes = Pipes::with_marks(10, 10);
        let mut names = RoutingTable::new(&mut SeededEntropy::new(1));
        let peers: Vec<_> = (0..1000_u32)
            .map(|number| {
                (Frame::from(number.to_string()), pipes.insert(PipeState::dialled("tcp://a:1".parse().unwrap())))
            })
            .collect();
        for (id, pipe) in &peers {
            assert_eq!(names.find(&pipes, id), None);
            assert_eq!(names.name(&mut pipes, *pipe, id.clone()), Effects::WRITABLE);
        }
        for (id, pipe) in &peers {
            assert_eq!(names.find(&pipes, id), Some(*pipe));
        }
        let _ = names.name(&mut pipes, peers[0].1, "other".into());
        assert_eq!(names.find(&pipes, &peers[0].0), None);
        assert_eq!(names.find(&pipes, &"other".into()), Some(peers[0].1));
        for (id, pipe) in &peers[1..] {
            names.forget(&mut pipes, *pipe);
            assert_eq!(names.find(&pipes, id), None);
        }
        assert!(names.peers.capacity() < 10, "{} places", names.peers.capacity());
    }
}
