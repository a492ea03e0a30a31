//! [`RoutingTable`]: peers by routing id, for socket types with messages that begin with a routing id.

use super::key::HashKey;
use super::split_table::SplitTable;
use crate::cost;
use crate::entropy::Entropy;
use crate::message::Frame;
use crate::socket::effects::Effects;
use crate::socket::id::PipeId;
use crate::socket::pipe::Pipes;
use core::hash::Hasher;

/// Peers by routing id. The routing ids are stored in the pipes. A routing id must be changed only through this table,
/// so that the table agrees with the pipes.
#[derive(Debug)]
pub(crate) struct RoutingTable {
    key: HashKey,
    peers: SplitTable<PipeId>,
}

/// Length of a generated routing id in bytes: a zero byte, which RFC 28 reserves as the first byte of generated ids,
/// 40 random bits that peers cannot guess, and 24 bits of the index of the pipe.
// With the index, the peer of a message is found without a hash. Most peers of a ROUTER choose no routing id.
const GENERATED_LEN: usize = 9;

/// Number of bytes in a generated routing id before the index of the pipe.
const RANDOM_LEN: usize = 6;

impl RoutingTable {
    pub(crate) fn new(entropy: &mut dyn Entropy) -> Self {
        Self { key: HashKey::new(entropy), peers: SplitTable::new() }
    }

    /// Returns the pipe that has the routing id `id`, or `None` if no pipe has it.
    #[inline]
    pub(crate) fn find(&self, pipes: &Pipes, id: &Frame) -> Option<PipeId> {
        let indexed = indexed(id).and_then(|index| pipes.at(index));
        if let Some((pipe, _)) = indexed.filter(|(_, peer)| peer.is_routable && peer.routing_id == *id) {
            return Some(pipe);
        }
        let has_id = |&pipe: &PipeId| pipes.get(pipe).is_some_and(|peer| peer.routing_id == *id);
        self.peers.find(hash(self.key, id), has_id).copied()
    }

    /// Generates a routing id for `pipe` that no peer has.
    pub(crate) fn generate_id(&self, pipes: &Pipes, pipe: PipeId, entropy: &mut dyn Entropy) -> Frame {
        loop {
            let mut bytes = [0; GENERATED_LEN];
            let (random, index) = bytes.split_at_mut(RANDOM_LEN);
            entropy.fill(&mut random[1..]);
            // The bits of a larger index are missing, and this pipe is then found by its hash.
            index.copy_from_slice(&pipe.index().to_le_bytes()[..GENERATED_LEN - RANDOM_LEN]);
            let id = Frame::from(&bytes);
            if self.find(pipes, &id).is_none() {
                return id;
            }
        }
    }

    /// Assigns the routing id `id` to `pipe`, as an id that the application has not given. A previous routing id of the
    /// pipe is removed.
    pub(crate) fn assign(&mut self, pipes: &mut Pipes, pipe: PipeId, id: Frame) -> Effects {
        self.remove(pipes, pipe);
        let Some(peer) = pipes.get_mut(pipe) else { return Effects::NONE };
        let hash_value = hash(self.key, &id);
        (peer.routing_id, peer.is_routable) = (id, true);
        self.peers.insert(hash_value, pipe, rehash(self.key, pipes));
        Effects::WRITABLE
    }

    /// Removes the routing id of the pipe.
    pub(crate) fn remove(&mut self, pipes: &mut Pipes, pipe: PipeId) {
        self.release(pipes, pipe);
        if let Some(peer) = pipes.get_mut(pipe) {
            (peer.routing_id, peer.is_id_given) = (Frame::EMPTY, false);
        }
    }

    /// Removes the pipe from the table, so that other pipes can have its routing id. The pipe keeps the id, which shows
    /// the peer for which its queued messages are.
    pub(crate) fn release(&mut self, pipes: &mut Pipes, pipe: PipeId) {
        let Some(peer) = pipes.get_mut(pipe) else { return };
        peer.is_routable = false;
        let hash = hash(self.key, &peer.routing_id);
        self.peers.remove(hash, |&other| other == pipe, rehash(self.key, pipes));
    }
}

/// Returns the index of the pipe in a generated routing id; `None` for an id with another format. A peer may have chosen an id of
/// the same format, so the caller must compare the id of the pipe.
#[inline]
fn indexed(id: &[u8]) -> Option<usize> {
    match *id {
        [0, _, _, _, _, _, low, middle, high] => {
            Some(usize::from(low) | usize::from(middle) << 8 | usize::from(high) << 16)
        }
        _ => None,
    }
}

fn hash(key: HashKey, id: &[u8]) -> u64 {
    cost::nodes(1);
    cost::bytes(id.len());
    let mut hasher = key.hasher();
    hasher.write(id);
    hasher.finish()
}

/// Returns a function that computes the hash of a pipe's routing id. The hash table calls the function when it grows or
/// shrinks.
fn rehash(key: HashKey, pipes: &Pipes) -> impl Fn(&PipeId) -> u64 {
    move |&pipe| pipes.get(pipe).map_or(0, |peer| hash(key, &peer.routing_id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;
    use crate::socket::pipe::state::PipeState;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    #[test]
    fn routing_table_finds_peers_and_releases_memory() {
        let mut pipes = Pipes::with_marks(10, 10);
        let mut table = RoutingTable::new(&mut SeededEntropy::new(1));
        let peers: Vec<_> = (0..1000_u32)
            .map(|number| {
                (Frame::from(number.to_string()), pipes.insert(PipeState::dialled("tcp://a:1".parse().unwrap())))
            })
            .collect();
        for (id, pipe) in &peers {
            assert_eq!(table.find(&pipes, id), None);
            assert_eq!(table.assign(&mut pipes, *pipe, id.clone()), Effects::WRITABLE);
        }
        for (id, pipe) in &peers {
            assert_eq!(table.find(&pipes, id), Some(*pipe));
        }
        let _ = table.assign(&mut pipes, peers[0].1, "other".into());
        assert_eq!(table.find(&pipes, &peers[0].0), None);
        assert_eq!(table.find(&pipes, &"other".into()), Some(peers[0].1));
        for (id, pipe) in &peers[1..] {
            table.remove(&mut pipes, *pipe);
            assert_eq!(table.find(&pipes, id), None);
        }
        assert!(table.peers.capacity() < 16, "capacity {}", table.peers.capacity());
    }

    #[test]
    fn generated_id_finds_only_its_peer() {
        let entropy = &mut SeededEntropy::new(1);
        let mut pipes = Pipes::with_marks(10, 10);
        let mut table = RoutingTable::new(entropy);
        let [one, two] = [(); 2].map(|()| pipes.insert(PipeState::dialled("tcp://a:1".parse().unwrap())));
        let ids = [one, two].map(|pipe| {
            let id = table.generate_id(&pipes, pipe, entropy);
            let _ = table.assign(&mut pipes, pipe, id.clone());
            id
        });
        assert_eq!([&ids[0], &ids[1]].map(|id| table.find(&pipes, id)), [Some(one), Some(two)]);
        // The pipe keeps the id after its release, and another pipe may take it over.
        table.release(&mut pipes, one);
        assert_eq!(table.find(&pipes, &ids[0]), None);
        let _ = table.assign(&mut pipes, two, ids[0].clone());
        assert_eq!([&ids[0], &ids[1]].map(|id| table.find(&pipes, id)), [Some(two), None], "found by its hash");
        // A later pipe has the same index.
        pipes.remove(one);
        let three = pipes.insert(PipeState::dialled("tcp://a:1".parse().unwrap()));
        assert_eq!(three.index(), one.index());
        let later = table.generate_id(&pipes, three, entropy);
        let _ = table.assign(&mut pipes, three, later.clone());
        assert_eq!([&ids[0], &later].map(|id| table.find(&pipes, id)), [Some(two), Some(three)]);
    }

    #[test]
    fn hashes_depend_on_the_id_and_the_key() {
        let [one, other] = [1, 2].map(|seed| HashKey::new(&mut SeededEntropy::new(seed)));
        assert_eq!(hash(one, b"id"), hash(one, b"id"));
        assert_ne!(hash(one, b"id"), hash(one, b"di"));
        assert_ne!(hash(one, b"id"), hash(other, b"id"));
        assert_eq!(alloc::format!("{one:?}"), "HashKey(..)", "the key is secret");
    }
}
