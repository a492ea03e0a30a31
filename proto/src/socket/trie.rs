//! [`Trie`]: values by prefix, and all that begin a topic at the price of reading the topic once. Knows no peers.

use alloc::vec;
use alloc::vec::Vec;
use core::iter::{from_fn, successors};

/// Names a prefix of a trie for as long as its value is there; other prefixes may come and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodeId(u32);

/// Values by prefix: a radix tree in an arena.
///
/// Nothing recurses, and what one call costs is bounded by the length of its prefix. Memory is proportional to the
/// octets of the prefixes that are there, a node for at most [`Label::MAX`] of them. The arena stays as large as it was
/// at most until the last prefix goes; its free places are used again.
#[derive(Debug)]
pub(crate) struct Trie<V> {
    nodes: Vec<Node<V>>,
    free: Vec<NodeId>,
    len: usize,
}

/// The octets that lead here from the parent, and what is here.
///
/// Except at the root, a node without a value either branches or leads to one child whose label would not fit into its
/// own.
#[derive(Debug)]
struct Node<V> {
    parent: NodeId,
    label: Label,
    /// By the first octet of their labels, in order.
    children: Vec<(u8, NodeId)>,
    value: Option<V>,
}

/// A piece of a prefix. Its length is bounded so that a split or a join copies little: a peer could otherwise have a
/// long label taken apart and put together again with a few octets each time.
#[derive(Clone, Copy, Debug)]
struct Label {
    len: u8,
    octets: [u8; Self::MAX],
}

const ROOT: NodeId = NodeId(0);

impl<V> Trie<V> {
    pub(crate) fn new() -> Self {
        Self { nodes: vec![Node::new(ROOT, Label::new(&[]))], free: Vec::new(), len: 0 }
    }

    /// How many prefixes have a value.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, prefix: &[u8]) -> Option<(NodeId, &V)> {
        let (id, rest) = self.descent(prefix).last()?;
        let value = self.node(id).value.as_ref()?;
        rest.is_empty().then_some((id, value))
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
        let (mut id, mut rest) = self.descent(prefix).last().unwrap_or((ROOT, prefix));
        if let Some(child) = self.child(id, rest) {
            let shared = self.node(child).label.shared(rest);
            id = self.split(child, shared);
            rest = &rest[shared..];
        }
        for piece in rest.chunks(Label::MAX) {
            let child = self.allocate(Node::new(id, Label::new(piece)));
            self.adopt(id, child);
            id = child;
        }
        self.len += usize::from(self.node(id).value.is_none());
        (id, self.node_mut(id).value.get_or_insert_with(make))
    }

    /// Takes the value of a prefix that has one, and gives back the memory that was needed only for it.
    pub(crate) fn remove(&mut self, id: NodeId) -> V {
        let value = self.node_mut(id).value.take().expect("an id is kept only while its prefix has a value");
        self.len -= 1;
        if self.len == 0 {
            *self = Self::new();
            return value;
        }
        // Something is left: this ends at the root at the latest, which has a value or a child.
        let mut id = id;
        while self.node(id).value.is_none() && self.node(id).children.is_empty() {
            let Node { parent, label, .. } = *self.node(id);
            self.node_mut(parent).orphan(label);
            self.release(id);
            id = parent;
        }
        self.join(id);
        value
    }

    /// The values of all prefixes of a topic, from the shortest, which may be the empty one, to the longest.
    pub(crate) fn walk(&self, topic: &[u8]) -> impl Iterator<Item = &V> {
        self.descent(topic).filter_map(|(id, _)| self.node(id).value.as_ref())
    }

    /// What a node's id stands for.
    pub(crate) fn prefix_of(&self, id: NodeId) -> Vec<u8> {
        let ascent = successors(Some(id), |&id| (id != ROOT).then(|| self.node(id).parent));
        let mut prefix = Vec::new();
        for id in ascent {
            prefix.extend(self.node(id).label.as_slice().iter().rev());
        }
        prefix.reverse();
        prefix
    }

    /// All prefixes with their values, in lexicographic order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Vec<u8>, &V)> {
        let mut ahead = vec![ROOT];
        let nodes = from_fn(move || {
            let id = ahead.pop()?;
            ahead.extend(self.node(id).children.iter().rev().map(|&(_, child)| child));
            Some(id)
        });
        nodes.filter_map(|id| {
            let value = self.node(id).value.as_ref()?;
            Some((self.prefix_of(id), value))
        })
    }

    /// The nodes on the way along a topic, each with the octets that are left of it there.
    fn descent<'t>(&self, topic: &'t [u8]) -> impl Iterator<Item = (NodeId, &'t [u8])> {
        successors(Some((ROOT, topic)), |&(id, rest)| {
            let child = self.child(id, rest)?;
            let rest = rest.strip_prefix(self.node(child).label.as_slice())?;
            Some((child, rest))
        })
    }

    /// The only child in whose direction these octets can lead.
    fn child(&self, id: NodeId, rest: &[u8]) -> Option<NodeId> {
        let children = &self.node(id).children;
        let place = children.binary_search_by_key(rest.first()?, |&(first, _)| first).ok()?;
        Some(children[place].1)
    }

    /// Puts a node in the middle of another's label. The other keeps its id, because it may have a value.
    fn split(&mut self, id: NodeId, at: usize) -> NodeId {
        let Node { parent, label, .. } = *self.node(id);
        let (head, tail) = label.as_slice().split_at(at);
        let middle = self.allocate(Node::new(parent, Label::new(head)));
        self.adopt(parent, middle);
        self.node_mut(id).label = Label::new(tail);
        self.adopt(middle, id);
        // Both labels are shorter than the one their neighbours had no room for.
        self.join(parent);
        self.join(id);
        middle
    }

    /// Does without a node that only leads on, if its child can do so in its place. The child keeps its id.
    fn join(&mut self, id: NodeId) {
        let Node { parent, label, ref children, value: None } = *self.node(id) else { return };
        let [(_, child)] = children[..] else { return };
        let Some(label) = label.then(self.node(child).label) else { return };
        if id != ROOT {
            self.node_mut(child).label = label;
            self.adopt(parent, child);
            self.release(id);
        }
    }

    /// Makes a node the child of another, in place of the one that stood in its direction.
    fn adopt(&mut self, parent: NodeId, child: NodeId) {
        self.node_mut(child).parent = parent;
        let Some(&first) = self.node(child).label.as_slice().first() else { return };
        let children = &mut self.node_mut(parent).children;
        match children.binary_search_by_key(&first, |&(first, _)| first) {
            Ok(place) => children[place].1 = child,
            Err(place) => children.insert(place, (first, child)),
        }
    }

    fn allocate(&mut self, node: Node<V>) -> NodeId {
        if let Some(id) = self.free.pop() {
            *self.node_mut(id) = node;
            return id;
        }
        self.nodes.push(node);
        NodeId(u32::try_from(self.nodes.len() - 1).expect("fewer than 2^32 nodes fit in memory"))
    }

    fn release(&mut self, id: NodeId) {
        *self.node_mut(id) = Node::new(ROOT, Label::new(&[]));
        self.free.push(id);
    }

    fn node(&self, id: NodeId) -> &Node<V> {
        &self.nodes[id.0 as usize]
    }

    fn node_mut(&mut self, id: NodeId) -> &mut Node<V> {
        &mut self.nodes[id.0 as usize]
    }
}

impl<V> Node<V> {
    const fn new(parent: NodeId, label: Label) -> Self {
        Self { parent, label, children: Vec::new(), value: None }
    }

    /// Strikes out the child with this label.
    fn orphan(&mut self, label: Label) {
        self.children.retain(|&(first, _)| Some(&first) != label.as_slice().first());
        tighten(&mut self.children);
    }
}

impl Label {
    /// Most prefixes are shorter; with this, a node that holds a `Vec` has 80 octets.
    const MAX: usize = 27;

    /// A label of these octets, of which there are at most [`MAX`](Self::MAX).
    fn new(piece: &[u8]) -> Self {
        let mut octets = [0; Self::MAX];
        octets[..piece.len()].copy_from_slice(piece);
        Self { len: u8::try_from(piece.len()).expect("a label is short"), octets }
    }

    fn as_slice(&self) -> &[u8] {
        &self.octets[..usize::from(self.len)]
    }

    /// How many octets both begin with.
    fn shared(&self, other: &[u8]) -> usize {
        self.as_slice().iter().zip(other).take_while(|(one, other)| one == other).count()
    }

    /// Both in one, if there is room.
    fn then(&self, next: Self) -> Option<Self> {
        let end = self.len + next.len;
        let mut both = *self;
        both.octets.get_mut(usize::from(self.len)..usize::from(end))?.copy_from_slice(next.as_slice());
        both.len = end;
        Some(both)
    }
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
    use crate::SeededEntropy;
    use alloc::collections::BTreeMap;

    /// Each prefix with the id it was given and a number of its own.
    type Model = BTreeMap<Vec<u8>, (NodeId, u64)>;

    impl<V> Trie<V> {
        fn live(&self) -> usize {
            self.nodes.len() - self.free.len()
        }

        /// Checks what is promised of every node, and that each is either free or can be reached.
        fn audit(&self) {
            let mut ahead = vec![ROOT];
            let mut reached = 0;
            while let Some(id) = ahead.pop() {
                reached += 1;
                let node = self.node(id);
                assert!(node.children.is_sorted());
                for &(first, child) in &node.children {
                    assert_eq!(self.node(child).parent, id);
                    assert_eq!(self.node(child).label.as_slice()[0], first);
                    ahead.push(child);
                }
                let needed = id == ROOT
                    || node.value.is_some()
                    || match node.children[..] {
                        [] => false,
                        [(_, child)] => node.label.then(self.node(child).label).is_none(),
                        [_, _, ..] => true,
                    };
                assert!(needed, "{id:?} does nothing");
            }
            assert_eq!(reached, self.live(), "nodes are lost");
            assert!(self.free.iter().all(|&id| self.node(id).children.capacity() == 0), "a free node keeps memory");
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

    /// Inserts and removes prefixes of up to four of these pieces at random, and compares all answers after each step.
    fn stress(seed: u64, pieces: &[&[u8]], mut also: impl FnMut(&Trie<u64>, &Model)) {
        let mut entropy = SeededEntropy::new(seed);
        let mut trie = Trie::new();
        let mut model = Model::new();
        for step in 0..4000 {
            // Growing and shrinking take turns, so that the trie is often large and often empty.
            let inserts = if step / 100 % 2 == 0 { 3 } else { 1 };
            if entropy.below(4) < inserts {
                let prefix = random(&mut entropy, pieces);
                let before = model.get(&prefix).copied();
                let (id, &mut value) = trie.insert_with(&prefix, || step);
                assert_eq!((id, value), before.unwrap_or((id, step)), "what is there stays there");
                model.insert(prefix, (id, value));
            } else if let Some(prefix) = any(&mut entropy, &model) {
                let (id, mut value) = model.remove(&prefix).unwrap();
                assert_eq!(trie.get_mut(&prefix), Some((id, &mut value)));
                assert_eq!(trie.remove(id), value);
            }
            compare(&trie, &model, &random(&mut entropy, pieces));
            also(&trie, &model);
        }
    }

    fn any(entropy: &mut SeededEntropy, model: &Model) -> Option<Vec<u8>> {
        let place = entropy.below(model.len().max(1) as u64);
        model.keys().nth(usize::try_from(place).unwrap()).cloned()
    }

    fn random(entropy: &mut SeededEntropy, pieces: &[&[u8]]) -> Vec<u8> {
        let count = pieces.len() as u64;
        (0..entropy.below(5)).flat_map(|_| pieces[usize::try_from(entropy.below(count)).unwrap()]).copied().collect()
    }

    #[test]
    fn a_trie_agrees_with_an_ordered_map() {
        stress(1, &[b"a", b"b", b"c"], |trie, model| {
            assert!(trie.live() <= 2 * model.len() + 1, "{} nodes for {} prefixes", trie.live(), model.len());
        });
    }

    #[test]
    fn labels_longer_than_a_node_holds_are_split_and_joined_like_others() {
        stress(2, &[b"a", b"b", &[b'a'; Label::MAX - 1], &[b'a'; 2 * Label::MAX + 3]], |trie, model| {
            let octets: usize = model.keys().map(Vec::len).sum();
            assert!(trie.live() <= 2 * model.len() + 1 + 2 * octets / Label::MAX);
        });
    }

    #[test]
    fn a_prefix_of_a_mebibyte_costs_a_few_times_its_length_and_no_stack() {
        let long = vec![b'a'; 1 << 20];
        let mut trie = Trie::new();
        let (id, _) = trie.insert_with(&long, || 1);
        let (short, _) = trie.insert_with(&long[..1000], || 0);
        assert!(trie.walk(&long).eq(&[0, 1]));
        assert_eq!(trie.walk(&long[1..]).count(), 1);
        assert_eq!(trie.prefix_of(id), long);
        assert!(trie.iter().eq([(long[..1000].to_vec(), &0), (long.clone(), &1)]));
        assert!(size_of::<Node<Vec<u8>>>() <= 80, "{} octets", size_of::<Node<Vec<u8>>>());
        assert!(trie.live() <= long.len() / Label::MAX + 3, "{} nodes", trie.live());
        assert_eq!(trie.remove(id), 1);
        assert!(trie.live() <= 1000 / Label::MAX + 2, "{} nodes", trie.live());
        assert_eq!(trie.remove(short), 0);
    }

    #[test]
    fn every_prefix_of_a_long_topic_can_have_a_value() {
        let topic = vec![0; 2000];
        let mut trie = Trie::new();
        let ids: Vec<_> = (0..=topic.len()).map(|len| trie.insert_with(&topic[..len], || len).0).collect();
        assert!(trie.walk(&topic).copied().eq(0..=topic.len()));
        assert_eq!(trie.iter().count(), ids.len());
        for (id, len) in ids.into_iter().zip(0..) {
            assert_eq!(trie.remove(id), len);
        }
    }

    #[test]
    fn places_of_prefixes_that_went_are_used_again() {
        let mut trie = Trie::new();
        trie.insert_with(b"stays", || ());
        for number in 0..1000_u32 {
            let (id, ()) = trie.insert_with(&number.to_be_bytes(), || ());
            trie.remove(id);
        }
        assert!(trie.nodes.len() < 5, "{} places", trie.nodes.len());
    }

    #[test]
    fn an_empty_trie_keeps_nothing_of_what_it_was() {
        let mut trie = Trie::new();
        let ids: Vec<_> = (0..10_000_u32).map(|number| trie.insert_with(&number.to_be_bytes(), || ()).0).collect();
        for id in ids {
            trie.remove(id);
        }
        assert!(trie.nodes.capacity() < 10 && trie.free.capacity() < 10);
    }

    #[test]
    fn a_node_that_had_many_children_gives_their_places_back() {
        let mut trie = Trie::new();
        let ids: Vec<_> = (0..=u8::MAX).map(|octet| trie.insert_with(&[octet], || ()).0).collect();
        for &id in &ids[1..] {
            trie.remove(id);
        }
        let places = trie.node(ROOT).children.capacity();
        assert!(places < 10, "{places} places");
    }
}
