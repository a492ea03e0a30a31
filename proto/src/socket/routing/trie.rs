//! [`Trie`]: table from subscription prefixes to values, such as the subscribers of a prefix. Given the topic of a
//! message, finds the values of all prefixes with which the topic begins, and reads the topic only once.

use super::key::HashKey;
use super::prefix_part::{Lengths, PrefixPart};
use super::slab::Slab;
use super::split_table::SplitTable;
use crate::cost;
use crate::entropy::Entropy;
use alloc::vec::Vec;
use core::hash::Hasher;
use core::iter::{once, successors};
use core::num::NonZeroU32;

/// Id of a prefix in a trie. Valid while the prefix has a value; changes of other prefixes do not affect the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeId(NonZeroU32);

/// Table from subscription prefixes to values: a hashed trie. A prefix is cut into pieces of [`PrefixPart::MAX`] bytes;
/// the last piece can be shorter. Each piece is a node in an arena. One hash table finds a node by its parent and its
/// piece, so the cost of a step from a node to the next does not depend on the number of other prefixes.
///
/// Every node stores the lengths of the pieces below it. [`walk`](Self::walk) begins at the root and follows the pieces
/// of the topic as long as they exist. At each node, `walk` makes one look-up in the hash table for each stored length.
/// If all prefixes are short and have the same length, this is one look-up in total. If peers subscribe to prefixes of
/// many lengths, it is at most one look-up per byte of the topic.
///
/// No function recurses. Except for [`iter`](Self::iter), the cost of a call is bounded by the length of its prefix or
/// topic. The hash has a secret key and does not reveal it (SipHash-1-3), so peers cannot choose prefixes that collide.
///
/// Memory is proportional to the bytes of the prefixes.
#[derive(Clone, Debug)]
pub(crate) struct Trie<V> {
    nodes: Slab<Node<V>>,
    /// Ids of all nodes except the root. A node is found by the hash of the id of its parent and of its piece.
    index: SplitTable<NodeId>,
    key: HashKey,
    len: usize,
}

/// Node of the trie: one piece of a prefix, and the value of the prefix that ends here, if any. A node without a value
/// exists only because there are nodes below it. The root always exists.
#[derive(Clone, Debug)]
struct Node<V> {
    parent: NodeId,
    piece: PrefixPart,
    below: Lengths,
    value: Option<V>,
}

const ROOT: NodeId = NodeId(NonZeroU32::MIN);

impl<V> Trie<V> {
    pub(crate) fn new(entropy: &mut dyn Entropy) -> Self {
        Self::keyed(HashKey::new(entropy))
    }

    fn keyed(key: HashKey) -> Self {
        let mut nodes = Slab::new();
        nodes.insert(Node::new(ROOT, PrefixPart::EMPTY));
        Self { nodes, index: SplitTable::new(), key, len: 0 }
    }

    /// Returns the memory that the trie holds, in bytes, without the memory that values hold outside of themselves.
    pub(crate) fn held_bytes(&self) -> usize {
        self.nodes.held_bytes() + self.index.held_bytes()
    }

    /// Returns an estimate of the memory in bytes that `count` prefixes with `bytes` bytes in total need.
    pub(crate) fn estimate(count: usize, bytes: usize) -> usize {
        // An entry of the index has an id and a byte of its hash, and the index is filled to two thirds.
        let node = size_of::<Node<V>>() + (size_of::<NodeId>() + 1) * 3 / 2;
        let nodes = count.max(bytes / PrefixPart::MAX + count / 2);
        nodes * node
    }

    /// Returns the number of prefixes with a value.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, prefix: &[u8]) -> Option<(NodeId, &V)> {
        let mut pieces = prefix.chunks(PrefixPart::MAX);
        let root = (ROOT, self.node(ROOT));
        let (id, node) = pieces.try_fold(root, |(id, _), piece| self.child(id, PrefixPart::new(piece)))?;
        Some((id, node.value.as_ref()?))
    }

    pub(crate) fn get_mut(&mut self, prefix: &[u8]) -> Option<(NodeId, &mut V)> {
        let (id, _) = self.get(prefix)?;
        Some((id, self.value_mut(id)))
    }

    /// Returns the value of the prefix with this id.
    pub(crate) fn value_mut(&mut self, id: NodeId) -> &mut V {
        self.node_mut(id).value.as_mut().expect("an id is valid only while its prefix has a value")
    }

    /// Returns the id and the value of a prefix. If the prefix has no value, first inserts the value that `make`
    /// returns.
    pub(crate) fn insert_with(&mut self, prefix: &[u8], make: impl FnOnce() -> V) -> (NodeId, &mut V) {
        let mut id = ROOT;
        for piece in prefix.chunks(PrefixPart::MAX) {
            let piece = PrefixPart::new(piece);
            id = match self.child(id, piece) {
                Some((child, _)) => child,
                None => self.insert_child(id, piece),
            };
        }
        self.len += usize::from(self.node(id).value.is_none());
        (id, self.node_mut(id).value.get_or_insert_with(make))
    }

    /// Removes a prefix that has a value, and the nodes that only this prefix needed. Returns the value.
    pub(crate) fn remove(&mut self, id: NodeId) -> V {
        let value = self.node_mut(id).value.take().expect("an id is valid only while its prefix has a value");
        self.len -= 1;
        let mut id = id;
        while id != ROOT && self.node(id).value.is_none() && self.node(id).below.is_empty() {
            id = self.remove_node(id);
        }
        if self.len == 0 {
            // Releases the lists of chunks. Each chunk was released with its last node.
            *self = Self::keyed(self.key);
        }
        value
    }

    /// Returns the values of all stored prefixes with which the topic begins, from the shortest prefix, which can be
    /// empty, to the longest.
    pub(crate) fn walk(&self, topic: &[u8]) -> impl Iterator<Item = &V> {
        let full = self.full_nodes(topic);
        let nodes = full.flat_map(|(id, node, rest)| once(node).chain(self.partial_nodes(id, node, rest)));
        nodes.filter_map(|node| node.value.as_ref())
    }

    /// Returns the prefix of the node `id`: the joined pieces on the path from the root to this node.
    pub(crate) fn prefix_of(&self, id: NodeId) -> Vec<u8> {
        let ascent = successors(Some(id), |&id| (id != ROOT).then(|| self.node(id).parent));
        let mut prefix = Vec::new();
        for id in ascent {
            cost::nodes(1);
            prefix.extend(self.node(id).piece.as_slice().iter().rev());
        }
        prefix.reverse();
        prefix
    }

    /// Returns all stored prefixes with their values, in lexicographic order. Sorts the prefixes first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Vec<u8>, &V)> {
        let values = self.nodes.iter().filter_map(|(index, node)| Some((NodeId::new(index), node.value.as_ref()?)));
        let mut all: Vec<_> = values.map(|(id, value)| (self.prefix_of(id), value)).collect();
        all.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        all.into_iter()
    }

    /// Cuts the topic into pieces of the maximum length, and returns the nodes on the path that these pieces form: the
    /// root, its node for the first piece, and so on, while such a node exists. Each node is returned with the part of
    /// the topic that follows the node's prefix.
    fn full_nodes<'t>(&self, topic: &'t [u8]) -> impl Iterator<Item = (NodeId, &Node<V>, &'t [u8])> {
        successors(Some((ROOT, self.node(ROOT), topic)), |&(id, node, rest)| {
            let (piece, rest) = rest.split_first_chunk::<{ PrefixPart::MAX }>()?;
            if !node.below.has_full() {
                return None;
            }
            let (id, node) = self.child(id, PrefixPart::new(piece))?;
            Some((id, node, rest))
        })
    }

    /// Returns the nodes directly below `node`, the node `id`, that match `rest`, the part of the topic after the prefix of
    /// the node. A node matches if `rest` begins with the bytes that the node stores (its piece). Nodes with a piece of the
    /// maximum length are left to [`full_nodes`](Self::full_nodes).
    fn partial_nodes<'a>(&'a self, id: NodeId, node: &'a Node<V>, rest: &[u8]) -> impl Iterator<Item = &'a Node<V>> {
        let longest = PrefixPart::new(&rest[..rest.len().min(PrefixPart::MAX - 1)]);
        node.below.up_to(longest).filter_map(move |piece| Some(self.child(id, piece)?.1))
    }

    fn child(&self, parent: NodeId, piece: PrefixPart) -> Option<(NodeId, &Node<V>)> {
        cost::nodes(1);
        let is_child = |&id: &NodeId| {
            let node = self.node(id);
            node.parent == parent && node.piece == piece
        };
        let &id = self.index.find(hash(self.key, parent, piece), is_child)?;
        Some((id, self.node(id)))
    }

    /// Creates a node with this piece directly below the node `parent`. Such a node must not exist yet.
    fn insert_child(&mut self, parent: NodeId, piece: PrefixPart) -> NodeId {
        cost::nodes(1);
        self.node_mut(parent).below.add(piece);
        let id = NodeId::new(self.nodes.insert(Node::new(parent, piece)));
        let Self { nodes, index, key, .. } = self;
        index.insert(hash(*key, parent, piece), id, |&id| rehash(nodes, *key, id));
        id
    }

    /// Removes a node that has neither a value nor nodes below it. Returns the id of the parent of the removed node.
    fn remove_node(&mut self, id: NodeId) -> NodeId {
        cost::nodes(1);
        let &Node { parent, piece, .. } = self.node(id);
        let Self { nodes, index, key, .. } = self;
        index.remove(hash(*key, parent, piece), |&other| other == id, |&id| rehash(nodes, *key, id));
        nodes.remove(id.index());
        self.node_mut(parent).below.remove(piece);
        parent
    }

    fn node(&self, id: NodeId) -> &Node<V> {
        self.nodes.get(id.index()).expect("an id is valid only while its node exists")
    }

    fn node_mut(&mut self, id: NodeId) -> &mut Node<V> {
        self.nodes.get_mut(id.index()).expect("an id is valid only while its node exists")
    }
}

impl NodeId {
    fn new(index: usize) -> Self {
        let id = u32::try_from(index + 1).ok().and_then(NonZeroU32::new);
        Self(id.expect("fewer than 2^32 nodes fit in memory"))
    }

    const fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

impl<V> Node<V> {
    const fn new(parent: NodeId, piece: PrefixPart) -> Self {
        Self { parent, piece, below: Lengths::NONE, value: None }
    }
}

/// Returns the hash of a node that exists.
fn rehash<V>(nodes: &Slab<Node<V>>, key: HashKey, id: NodeId) -> u64 {
    nodes.get(id.index()).map_or(0, |node| hash(key, node.parent, node.piece))
}

fn hash(key: HashKey, parent: NodeId, piece: PrefixPart) -> u64 {
    let mut hasher = key.hasher();
    hasher.write(piece.padded());
    hasher.write_u32(parent.0.get());
    hasher.write_u8(piece.len());
    hasher.finish()
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

    /// Expected content of a trie, with which the tests compare the trie: each stored prefix with its id and its value,
    /// a unique number.
    type Model = BTreeMap<Vec<u8>, (NodeId, u64)>;

    fn empty<V>() -> Trie<V> {
        Trie::new(&mut SeededEntropy::new(1))
    }

    impl<V> Trie<V> {
        fn used_nodes(&self) -> usize {
            self.nodes.len()
        }

        /// Checks that each node is needed by a stored prefix, and that the hash table finds all nodes except the root.
        fn check_invariants(&self) {
            let mut below: BTreeMap<NodeId, Vec<PrefixPart>> = BTreeMap::new();
            for (index, node) in self.nodes.iter() {
                let id = NodeId::new(index);
                if id != ROOT {
                    assert_eq!(self.child(node.parent, node.piece).map(|(id, _)| id), Some(id));
                    assert!(node.value.is_some() || !node.below.is_empty(), "{id:?} is unnecessary");
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
            assert_eq!(self.index.len(), self.used_nodes() - 1);
        }
    }

    fn compare(trie: &Trie<u64>, model: &Model, topic: &[u8]) {
        trie.check_invariants();
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
        /// Removes one of the stored prefixes. The random index selects the prefix.
        Remove(Index),
    }

    /// Generates a prefix by joining up to four random elements of `pieces`.
    fn prefix(pieces: &'static [&'static [u8]]) -> impl Strategy<Value = Vec<u8>> {
        vec(select(pieces), 0..5).prop_map(|pieces| pieces.concat())
    }

    /// Generates changes, each with a topic to look up after the change. Phases of growing and shrinking alternate, so
    /// that the trie is often large and often empty.
    fn changes(pieces: &'static [&'static [u8]]) -> impl Strategy<Value = Vec<(Change, Vec<u8>)>> {
        let changes = move |inserts: u32| {
            let insert = prefix(pieces).prop_map(Change::Insert);
            let change = prop_oneof![inserts => insert, 4 - inserts => any::<Index>().prop_map(Change::Remove)];
            vec((change, prefix(pieces)), 0..100)
        };
        vec((changes(3), changes(1)), 0..3)
            .prop_map(|phases| phases.into_iter().flat_map(|(up, down)| [up, down]).flatten().collect())
    }

    /// Applies `changes` to an empty trie and to an ordered map. After each change, checks that the trie contains the
    /// same prefixes and values as the map, and that both find the same prefixes of the topic of this change.
    fn check_changes(changes: Vec<(Change, Vec<u8>)>) {
        let (mut trie, mut model) = (empty(), Model::new());
        for ((change, topic), number) in changes.into_iter().zip(0..) {
            match change {
                Change::Insert(prefix) => {
                    let before = model.get(&prefix).copied();
                    let (id, &mut value) = trie.insert_with(&prefix, || number);
                    assert_eq!((id, value), before.unwrap_or((id, number)), "an existing value is kept");
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
            let bytes: usize = model.keys().map(Vec::len).sum();
            assert!(trie.used_nodes() <= 1 + model.len() + bytes / PrefixPart::MAX, "{} nodes", trie.used_nodes());
        }
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn trie_equals_an_ordered_map(steps in changes(&[b"a", b"b", b"c"])) {
            check_changes(steps);
        }

        #[test]
        fn trie_with_long_prefixes_and_zeros_equals_a_map(
            steps in changes(&[b"a", b"\0", &[b'a'; PrefixPart::MAX - 1], &[b'a'; 2 * PrefixPart::MAX + 3], &[0; PrefixPart::MAX]])
        ) {
            check_changes(steps);
        }
    }

    #[test]
    fn trie_with_prefix_of_one_mebibyte_bounds_memory() {
        let long = vec![b'a'; 1 << 20];
        let mut trie = empty();
        let (id, _) = trie.insert_with(&long, || 1);
        let (short, _) = trie.insert_with(&long[..1000], || 0);
        assert!(trie.walk(&long).eq(&[0, 1]));
        assert_eq!(trie.walk(&long[1..]).count(), 1);
        assert_eq!(trie.prefix_of(id), long);
        assert!(trie.iter().eq([(long[..1000].to_vec(), &0), (long.clone(), &1)]));
        assert!(size_of::<Node<Vec<u8>>>() <= 64, "{} bytes", size_of::<Node<Vec<u8>>>());
        assert!(trie.used_nodes() <= long.len() / PrefixPart::MAX + 3, "{} nodes", trie.used_nodes());
        assert_eq!(trie.remove(id), 1);
        assert!(trie.used_nodes() <= 1000 / PrefixPart::MAX + 2, "{} nodes", trie.used_nodes());
        assert_eq!(trie.remove(short), 0);
    }

    #[test]
    fn trie_stores_every_prefix_of_a_long_topic() {
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
    fn trie_reuses_nodes_of_removed_prefixes() {
        let mut trie = empty();
        trie.insert_with(b"stays", || ());
        for number in 0..1000_u32 {
            let (id, ()) = trie.insert_with(&number.to_be_bytes(), || ());
            trie.remove(id);
        }
        assert!(trie.nodes.capacity() < 5, "{} nodes", trie.nodes.capacity());
    }

    #[test]
    fn trie_releases_memory_when_emptied() {
        let mut trie = empty();
        let ids: Vec<_> = (0..10_000_u32).map(|number| trie.insert_with(&number.to_be_bytes(), || ()).0).collect();
        let (last, others) = ids.split_last().unwrap();
        for &id in others {
            trie.remove(id);
        }
        assert!(trie.index.capacity() < 100, "capacity {}", trie.index.capacity());
        assert!(trie.nodes.capacity() < 2000, "capacity {}", trie.nodes.capacity());
        trie.remove(*last);
        assert!(trie.nodes.capacity() < 10);
        assert_eq!(trie.index.capacity(), 0);
    }

    /// Checks that two tries with the same prefixes but different secret keys return equal results.
    #[test]
    fn trie_key_affects_only_hashes() {
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
        let [one, other] = [one, other].map(|trie| hash(trie.key, ROOT, PrefixPart::new(b"9")));
        assert_ne!(one, other);
    }

    #[test]
    fn node_hash_depends_on_parent_bytes_and_length() {
        let key = HashKey::new(&mut SeededEntropy::new(1));
        let other = NodeId(NonZeroU32::new(2).unwrap());
        let hashes = [(ROOT, &b"a"[..]), (other, b"a"), (ROOT, b"b"), (ROOT, b"a\0")];
        let hashes = hashes.map(|(parent, piece)| hash(key, parent, PrefixPart::new(piece)));
        for (place, hash) in hashes.iter().enumerate() {
            assert!(!hashes[..place].contains(hash));
        }
    }

    #[cfg(feature = "meter")]
    #[test]
    fn walk_makes_one_look_up_for_each_stored_length() {
        let mut trie = empty();
        for (prefix, look_ups) in [("ab", 1), ("cd", 1), ("abc", 2), ("a longer prefix..", 3), ("", 3)] {
            trie.insert_with(prefix.as_bytes(), || 0);
            let (_, work) = cost::measure(|| trie.walk(&[b'a'; 100]).count());
            assert_eq!(work.nodes, look_ups, "{prefix}");
        }
    }

    #[test]
    fn estimate_counts_nodes_of_short_and_long_prefixes() {
        // Five bytes of the index, of which two thirds are used.
        let node = size_of::<Node<u64>>() + 7;
        for (count, bytes, nodes) in [(0, 0, 0), (1, 5, 1), (10, 50, 10), (10, 320, 20 + 5), (1, 1600, 100)] {
            assert_eq!(Trie::<u64>::estimate(count, bytes), nodes * node, "{count} prefixes, {bytes} bytes");
        }
        let mut trie = empty();
        trie.insert_with(&[0; 32], || 0_u64);
        assert_eq!(trie.held_bytes(), trie.nodes.held_bytes() + trie.index.held_bytes());
    }
}
