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
/// and 64 random bits that peers cannot guess.
const GENERATED_LEN: usize = 9;

impl RoutingTable {
    pub(crate) fn new(entropy: &mut dyn Entropy) -> Self {
        Self { key: HashKey::new(entropy), peers: SplitTable::new() }
    }

    /// Returns the pipe that has the routing id `id`, or `None` if no pipe has it.
    #[inline]
    pub(crate) fn find(&self, pipes: &Pipes, id: &Frame) -> Option<PipeId> {
        let has_id = |&pipe: &PipeId| pipes.get(pipe).is_some_and(|peer| peer.routing_id == *id);
        self.peers.find(hash(self.key, id), has_id).copied()
    }

    /// Generates a routing id that no peer has.
    pub(crate) fn generate_id(&self, pipes: &Pipes, entropy: &mut dyn Entropy) -> Frame {
        loop {
            let mut bytes = [0; GENERATED_LEN];
            entropy.fill(&mut bytes[1..]);
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
        peer.routing_id = id;
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
    pub(crate) fn release(&mut self, pipes: &Pipes, pipe: PipeId) {
        let Some(peer) = pipes.get(pipe) else { return };
        let hash = hash(self.key, &peer.routing_id);
        self.peers.remove(hash, |&other| other == pipe, rehash(self.key, pipes));
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
    fn hashes_depend_on_the_id_and_the_key() {
        let [one, other] = [1, 2].map(|seed| HashKey::new(&mut SeededEntropy::new(seed)));
        assert_eq!(hash(one, b"id"), hash(one, b"id"));
        assert_ne!(hash(one, b"id"), hash(one, b"di"));
        assert_ne!(hash(one, b"id"), hash(other, b"id"));
        assert_eq!(alloc::format!("{one:?}"), "HashKey(..)", "the key is secret");
    }
}
