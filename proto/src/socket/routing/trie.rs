//! [`Trie`]: values by prefix, and all that begin a topic at the price of reading the topic once. Knows no peers.

use super::key::Key;
use super::prefix_node::{Lengths, PrefixNode};
use crate::entropy::Entropy;
use alloc::vec;
use alloc::vec::Vec;
use core::hash::Hasher;
use core::iter::{once, successors};
use core::num::NonZeroU32;
use hashbrown::HashTable;

/// Names a prefix of a trie for as long as its value is there; other prefixes may come and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeId(NonZeroU32);

/// Values by prefix: a hashed trie. A prefix is cut into pieces of [`PrefixNode::MAX`] octets and a rest; for each there is a node
/// in an arena, which one hash table finds by its parent and its piece. So there are no edges to search, and how much else there
/// is makes no difference.
///
/// Every node knows how long the pieces below it are. To [`walk`](Self::walk) a topic costs one look at the table for each
/// of these lengths, from the root on and for as long as the topic's own pieces are there: one for a topic like all others,
/// and one for each of the topic's octets at worst, when peers ask for that.
///
/// Nothing recurses, and what one call costs is bounded by the length of its prefix, except that the table and the arena
/// double when they are full: spread over the insertions that filled them, this is a small part of each. The hash is keyed
/// and one that tells nothing of its key (SipHash-1-3), so peers cannot choose prefixes that collide.
///
/// Memory is proportional to the octets of the prefixes that are there. The arena stays as large as it was at most until
/// the last prefix goes; its free places are used again.
#[derive(Debug)]
pub(crate) struct Trie<V> {
    nodes: Vec<Node<V>>,
    free: Vec<NodeId>,
    /// All nodes but the root, by their hashes.
    index: HashTable<NodeId>,
    key: Key,
    len: usize,
}

/// A piece of a prefix, and what is here. Except at the root, a node without a value has others below it.
#[derive(Debug)]
struct Node<V> {
    parent: NodeId,
    piece: PrefixNode,
    below: Lengths,
    value: Option<V>,
}

const ROOT: NodeId = NodeId(NonZeroU32::MIN);

impl<V> Trie<V> {
    pub(crate) fn new(entropy: &mut dyn Entropy) -> Self {
        Self::keyed(Key::new(entropy))
    }

    fn keyed(key: Key) -> Self {
        let root = Node::new(ROOT, PrefixNode::EMPTY);
        Self { nodes: vec![root], free: Vec::new(), index: HashTable::new(), key, len: 0 }
    }

    /// How many prefixes have a value.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, prefix: &[u8]) -> Option<(NodeId, &V)> {
        let mut pieces = prefix.chunks(PrefixNode::MAX);
        let id = pieces.try_fold(ROOT, |id, piece| self.child(id, PrefixNode::new(piece)))?;
        Some((id, self.node(id).value.as_ref()?))
    }

    pub(crate) fn get_mut(&mut self, prefix: &[u8]) -> Option<(NodeId, &mut V)> {
        let (id, _) = self.get(prefix)?;
        Some((id, self.value_mut(id)))
    }

    /// The value of a prefix that has one.
    pub(crate) fn value_mut(&mut self, id: NodeId) -> &mut V {
        self.node_mut(id).value.as_mut().expect("an id is kept only while its prefix has a value")
    }

    /// The prefix's value, made now if it had none.
    pub(crate) fn insert_with(&mut self, prefix: &[u8], make: impl FnOnce() -> V) -> (NodeId, &mut V) {
        let mut id = ROOT;
        for piece in prefix.chunks(PrefixNode::MAX) {
            let piece = PrefixNode::new(piece);
            id = self.child(id, piece).unwrap_or_else(|| self.adopt(id, piece));
        }
        self.len += usize::from(self.node(id).value.is_none());
        (id, self.node_mut(id).value.get_or_insert_with(make))
    }

    /// Takes the value of a prefix that has one, and gives back the memory that was needed only for it.
    pub(crate) fn remove(&mut self, id: NodeId) -> V {
        let value = self.node_mut(id).value.take().expect("an id is kept only while its prefix has a value");
        self.len -= 1;
        if self.len == 0 {
            *self = Self::keyed(self.key);
            return value;
        }
        // Something is left: this ends at the root at the latest, which has a value or others below it.
        let mut id = id;
        while self.node(id).value.is_none() && self.node(id).below.is_empty() {
            id = self.release(id);
        }
        value
    }

    /// The values of all prefixes of a topic, from the shortest, which may be the empty one, to the longest.
    pub(crate) fn walk(&self, topic: &[u8]) -> impl Iterator<Item = &V> {
        let ids = self.descent(topic).flat_map(|(id, rest)| once(id).chain(self.ends(id, rest)));
        ids.filter_map(|id| self.node(id).value.as_ref())
    }

    /// What a node's id stands for.
    pub(crate) fn prefix_of(&self, id: NodeId) -> Vec<u8> {
        let ascent = successors(Some(id), |&id| (id != ROOT).then(|| self.node(id).parent));
        let mut prefix = Vec::new();
        for id in ascent {
            prefix.extend(self.node(id).piece.as_slice().iter().rev());
        }
        prefix.reverse();
        prefix
    }

    /// All prefixes with their values, in lexicographic order, into which they are put now.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Vec<u8>, &V)> {
        let ids = (1..).map_while(NonZeroU32::new).map(NodeId);
        let values = self.nodes.iter().zip(ids).filter_map(|(node, id)| Some((id, node.value.as_ref()?)));
        let mut all: Vec<_> = values.map(|(id, value)| (self.prefix_of(id), value)).collect();
        all.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        all.into_iter()
    }

    /// The nodes along a topic that are whole pieces of it, each with the octets that are left of it there.
    fn descent<'t>(&self, topic: &'t [u8]) -> impl Iterator<Item = (NodeId, &'t [u8])> {
        successors(Some((ROOT, topic)), |&(id, rest)| {
            let (piece, rest) = rest.split_first_chunk::<{ PrefixNode::MAX }>()?;
            if !self.node(id).below.has_whole() {
                return None;
            }
            Some((self.child(id, PrefixNode::new(piece))?, rest))
        })
    }

    /// The nodes below this one that are shorter pieces of what is left of a topic.
    fn ends(&self, id: NodeId, rest: &[u8]) -> impl Iterator<Item = NodeId> {
        let longest = PrefixNode::new(&rest[..rest.len().min(PrefixNode::MAX - 1)]);
        self.node(id).below.up_to(longest).filter_map(move |piece| self.child(id, piece))
    }

    fn child(&self, parent: NodeId, piece: PrefixNode) -> Option<NodeId> {
        let is = |&id: &NodeId| {
            let node = self.node(id);
            node.parent == parent && node.piece == piece
        };
        self.index.find(hash(self.key, parent, piece), is).copied()
    }

    /// Makes a node's child, which is not there yet.
    fn adopt(&mut self, parent: NodeId, piece: PrefixNode) -> NodeId {
        self.node_mut(parent).below.add(piece);
        let id = self.allocate(Node::new(parent, piece));
        let Self { nodes, index, key, .. } = self;
        index.insert_unique(hash(*key, parent, piece), id, |id| nodes[id.place()].hash(*key));
        id
    }

    /// Does without a node; gives its parent.
    fn release(&mut self, id: NodeId) -> NodeId {
        let Node { parent, piece, .. } = core::mem::replace(self.node_mut(id), Node::new(ROOT, PrefixNode::EMPTY));
        if let Ok(entry) = self.index.find_entry(hash(self.key, parent, piece), |&other| other == id) {
            entry.remove();
        }
        let Self { nodes, index, key, .. } = self;
        if index.len() < index.capacity() / 8 {
            index.shrink_to(index.len() * 2, |id| nodes[id.place()].hash(*key));
        }
        self.node_mut(parent).below.remove(piece);
        self.free.push(id);
        parent
    }

    fn allocate(&mut self, node: Node<V>) -> NodeId {
        if let Some(id) = self.free.pop() {
            *self.node_mut(id) = node;
            return id;
        }
        self.nodes.push(node);
        let id = u32::try_from(self.nodes.len()).ok().and_then(NonZeroU32::new);
        NodeId(id.expect("fewer than 2^32 nodes fit in memory"))
    }

    fn node(&self, id: NodeId) -> &Node<V> {
        &self.nodes[id.place()]
    }

    fn node_mut(&mut self, id: NodeId) -> &mut Node<V> {
        &mut self.nodes[id.place()]
    }
}

impl NodeId {
    const fn place(self) -> usize {
        self.0.get() as usize - 1
    }
}

impl<V> Node<V> {
    const fn new(parent: NodeId, piece: PrefixNode) -> Self {
        Self { parent, piece, below: Lengths::NONE, value: None }
    }

    fn hash(&self, key: Key) -> u64 {
        hash(key, self.parent, self.piece)
    }
}

fn hash(key: Key, parent: NodeId, piece: PrefixNode) -> u64 {
    let mut hasher = key.hasher();
    hasher.write(piece.padded());
    hasher.write_u32(parent.0.get());
    hasher.write_u8(piece.len());
    hasher.finish()
}

/// Gives places back when three of four are vacant.
pub(crate) fn tighten<T>(places: &mut Vec<T>) {
    if places.len() <= places.capacity() / 4 {
        places.shrink_to(places.len() * 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;
    use crate::properties::config;
    use alloc::collections::BTreeMap;
    use alloc::string::ToString;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::{Index, select};

    /// Each prefix with the id it was given and a number of its own.
    type Model = BTreeMap<Vec<u8>, (NodeId, u64)>;

    fn empty<V>() -> Trie<V> {
        Trie::new(&mut SeededEntropy::new(1))
    }

    impl<V> Trie<V> {
        fn live(&self) -> usize {
            self.nodes.len() - self.free.len()
        }

        /// Checks that each node is free, or is needed and can be found; and that a free one keeps no memory.
        fn audit(&self) {
            let mut below: BTreeMap<NodeId, Vec<PrefixNode>> = BTreeMap::new();
            for place in 0..self.nodes.len() {
                let id = NodeId(NonZeroU32::new(u32::try_from(place).unwrap() + 1).unwrap());
                let node = self.node(id);
                if self.free.contains(&id) {
                    assert!(node.value.is_none() && node.below.is_empty());
                } else if id != ROOT {
                    assert_eq!(self.child(node.parent, node.piece), Some(id));
                    assert!(node.value.is_some() || !node.below.is_empty(), "{id:?} does nothing");
                    below.entry(node.parent).or_default().push(node.piece);
                }
            }
            for (parent, pieces) in below {
                let mut expected = Lengths::NONE;
                for piece in pieces {
                    expected.add(piece);
                }
                assert_eq!(self.node(parent).below, expected);
            }
            assert_eq!(self.index.len(), self.live() - 1);
        }
    }

    fn compare(trie: &Trie<u64>, model: &Model, topic: &[u8]) {
        trie.audit();
        assert_eq!(trie.len(), model.len());
        for (prefix, (id, value)) in model {
            assert_eq!(trie.get(prefix), Some((*id, value)));
            assert_eq!(&trie.prefix_of(*id), prefix);
        }
        assert_eq!(trie.get(topic).is_some(), model.contains_key(topic));
        let all: Vec<_> = model.iter().map(|(prefix, (_, value))| (prefix.clone(), value)).collect();
        assert_eq!(trie.iter().collect::<Vec<_>>(), all);
        let matching: Vec<_> =
            model.iter().filter(|(prefix, _)| topic.starts_with(prefix)).map(|(_, (_, value))| value).collect();
        assert_eq!(trie.walk(topic).collect::<Vec<_>>(), matching);
    }

    #[derive(Clone, Debug)]
    enum Change {
        Insert(Vec<u8>),
        /// One of those that are there.
        Remove(Index),
    }

    /// A prefix of up to four of these pieces.
    fn prefix(pieces: &'static [&'static [u8]]) -> impl Strategy<Value = Vec<u8>> {
        vec(select(pieces), 0..5).prop_map(|pieces| pieces.concat())
    }

    /// Changes, each with a topic to look for after it. Growing and shrinking take turns, so that the trie is often large and
    /// often empty.
    fn walk(pieces: &'static [&'static [u8]]) -> impl Strategy<Value = Vec<(Change, Vec<u8>)>> {
        let changes = move |inserts: u32| {
            let insert = prefix(pieces).prop_map(Change::Insert);
            let change = prop_oneof![inserts => insert, 4 - inserts => any::<Index>().prop_map(Change::Remove)];
            vec((change, prefix(pieces)), 0..100)
        };
        vec((changes(3), changes(1)), 0..3)
            .prop_map(|phases| phases.into_iter().flat_map(|(up, down)| [up, down]).flatten().collect())
    }

    /// Takes these changes, and compares all answers after each.
    fn stress(changes: Vec<(Change, Vec<u8>)>) {
        let (mut trie, mut model) = (empty(), Model::new());
        for ((change, topic), number) in changes.into_iter().zip(0..) {
            match change {
                Change::Insert(prefix) => {
                    let before = model.get(&prefix).copied();
                    let (id, &mut value) = trie.insert_with(&prefix, || number);
                    assert_eq!((id, value), before.unwrap_or((id, number)), "what is there stays there");
                    model.insert(prefix, (id, value));
                }
                Change::Remove(place) if !model.is_empty() => {
                    let prefix = model.keys().nth(place.index(model.len())).unwrap().clone();
                    let (id, mut value) = model.remove(&prefix).unwrap();
                    assert_eq!(trie.get_mut(&prefix), Some((id, &mut value)));
                    assert_eq!(trie.remove(id), value);
                }
                Change::Remove(_) => {}
            }
            compare(&trie, &model, &topic);
            let octets: usize = model.keys().map(Vec::len).sum();
            assert!(trie.live() <= 1 + model.len() + octets / PrefixNode::MAX, "{} nodes", trie.live());
        }
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn a_trie_agrees_with_an_ordered_map(steps in walk(&[b"a", b"b", b"c"])) {
            stress(steps);
        }

        #[test]
        fn prefixes_of_several_pieces_are_like_others_and_zeros_are_octets_too(
            steps in walk(&[b"a", b"\0", &[b'a'; PrefixNode::MAX - 1], &[b'a'; 2 * PrefixNode::MAX + 3], &[0; PrefixNode::MAX]])
        ) {
            stress(steps);
        }
    }

    #[test]
    fn a_prefix_of_a_mebibyte_costs_a_few_times_its_length_and_no_stack() {
        let long = vec![b'a'; 1 << 20];
        let mut trie = empty();
        let (id, _) = trie.insert_with(&long, || 1);
        let (short, _) = trie.insert_with(&long[..1000], || 0);
        assert!(trie.walk(&long).eq(&[0, 1]));
        assert_eq!(trie.walk(&long[1..]).count(), 1);
        assert_eq!(trie.prefix_of(id), long);
        assert!(trie.iter().eq([(long[..1000].to_vec(), &0), (long.clone(), &1)]));
        assert!(size_of::<Node<Vec<u8>>>() <= 64, "{} octets", size_of::<Node<Vec<u8>>>());
        assert!(trie.live() <= long.len() / PrefixNode::MAX + 3, "{} nodes", trie.live());
        assert_eq!(trie.remove(id), 1);
        assert!(trie.live() <= 1000 / PrefixNode::MAX + 2, "{} nodes", trie.live());
        assert_eq!(trie.remove(short), 0);
    }

    #[test]
    fn every_prefix_of_a_long_topic_can_have_a_value() {
        let topic = vec![0; 2000];
        let mut trie = empty();
        let ids: Vec<_> = (0..=topic.len()).map(|len| trie.insert_with(&topic[..len], || len).0).collect();
        assert!(trie.walk(&topic).copied().eq(0..=topic.len()));
        assert_eq!(trie.iter().count(), ids.len());
        for (id, len) in ids.into_iter().zip(0..) {
            assert_eq!(trie.remove(id), len);
        }
    }

    #[test]
    fn places_of_prefixes_that_went_are_used_again() {
        let mut trie = empty();
        trie.insert_with(b"stays", || ());
        for number in 0..1000_u32 {
            let (id, ()) = trie.insert_with(&number.to_be_bytes(), || ());
            trie.remove(id);
        }
        assert!(trie.nodes.len() < 5, "{} places", trie.nodes.len());
    }

    #[test]
    fn an_empty_trie_keeps_nothing_of_what_it_was() {
        let mut trie = empty();
        let ids: Vec<_> = (0..10_000_u32).map(|number| trie.insert_with(&number.to_be_bytes(), || ()).0).collect();
        let (last, others) = ids.split_last().unwrap();
        for &id in others {
            trie.remove(id);
        }
        assert!(trie.index.capacity() < 100, "{} places", trie.index.capacity());
        trie.remove(*last);
        assert!(trie.nodes.capacity() < 10 && trie.free.capacity() < 10);
        assert_eq!(trie.index.capacity(), 0);
    }

    /// Two tries of the same prefixes: nobody can tell their keys from what they answer.
    #[test]
    fn the_key_decides_hashes_and_nothing_else() {
        let tries = [1, 2].map(|seed| {
            let mut trie = Trie::new(&mut SeededEntropy::new(seed));
            let ids = (0..1000_u32).map(|number| trie.insert_with(number.to_string().as_bytes(), || number).0);
            (ids.collect::<Vec<_>>(), trie)
        });
        let [(one_ids, one), (other_ids, other)] = &tries;
        assert_eq!(one_ids, other_ids);
        assert!(one.iter().eq(other.iter()));
        assert!(one.walk(b"999").eq(&[9, 99, 999]));
        assert!(other.walk(b"999").eq(&[9, 99, 999]));
        let [one, other] = [one, other].map(|trie| hash(trie.key, ROOT, PrefixNode::new(b"9")));
        assert_ne!(one, other);
    }

    #[test]
    fn a_hash_depends_on_parent_octets_and_length() {
        let key = Key::new(&mut SeededEntropy::new(1));
        let other = NodeId(NonZeroU32::new(2).unwrap());
        let hashes = [(ROOT, &b"a"[..]), (other, b"a"), (ROOT, b"b"), (ROOT, b"a\0")];
        let hashes = hashes.map(|(parent, piece)| hash(key, parent, PrefixNode::new(piece)));
        for (place, hash) in hashes.iter().enumerate() {
            assert!(!hashes[..place].contains(hash));
        }
    }
}
