use super::*;
use crate::entropy::SeededEntropy;
use crate::properties::config;
use crate::socket::pipe::Pipes;
use crate::socket::pipe::state::PipeState;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

fn pipes<const N: usize>() -> [PipeId; N] {
    let mut pipes = Pipes::with_marks(1, 1);
    [(); N].map(|()| pipes.insert(PipeState::Gone))
}

/// Generates a random topic of up to five bytes, each `a` or `b`.
fn topic() -> impl Strategy<Value = Vec<u8>> {
    vec(select(b"ab".as_slice()), 0..6)
}

/// Operation that the property test of [`Subscriptions`] executes for a random peer.
#[derive(Clone, Debug)]
enum Operation {
    Subscribe(Vec<u8>),
    Cancel(Vec<u8>),
    Disconnect,
}

fn operation() -> impl Strategy<Value = (usize, Operation)> {
    let operation = prop_oneof![
        19 => topic().prop_map(Operation::Subscribe),
        20 => topic().prop_map(Operation::Cancel),
        1 => Just(Operation::Disconnect),
    ];
    (0..5_usize, operation)
}

/// Expected content of a [`Subscriptions`], with which the property test compares it: the subscribers of each
/// prefix.
type Model = BTreeMap<Vec<u8>, BTreeSet<PipeId>>;

/// Removes the subscription of a peer to `prefix` from `model`, the expected content. Returns the result that
/// [`Subscriptions::cancel`] must return for the same subscription.
fn cancel(model: &mut Model, pipe: PipeId, prefix: &[u8]) -> Option<Cancelled> {
    let holders = model.get_mut(prefix)?;
    if !holders.remove(&pipe) {
        return None;
    }
    if !holders.is_empty() {
        return Some(Cancelled::StillHeld);
    }
    model.remove(prefix);
    Some(Cancelled::Gone(0))
}

/// Removes all subscriptions of a peer at once.
fn remove(subscriptions: &mut Subscriptions, pipe: PipeId) -> Vec<(Vec<u8>, Cancelled)> {
    subscriptions.depart(pipe);
    core::iter::from_fn(|| subscriptions.remove_departed()).flat_map(|removed| removed.prefixes).collect()
}

fn compare(subscriptions: &Subscriptions, model: &Model, pipes: &[PipeId], topic: &[u8]) {
    assert_eq!(subscriptions.len(), model.len());
    for &pipe in pipes {
        let mut prefixes: Vec<_> = subscriptions.prefixes_of(pipe).collect();
        prefixes.sort();
        let held = model.iter().filter(|(_, holders)| holders.contains(&pipe)).map(|(prefix, _)| prefix.clone());
        assert_eq!(prefixes, held.collect::<Vec<_>>());
        assert_eq!(subscriptions.count_of(pipe), prefixes.len());
        assert_eq!(subscriptions.bytes_of(pipe), prefixes.concat().len());
    }
    let expected = model.iter().filter(|(prefix, _)| topic.starts_with(prefix));
    let expected: Vec<_> = expected.flat_map(|(_, holders)| holders).copied().collect();
    assert_eq!(subscriptions.matching(topic).collect::<Vec<_>>(), expected, "shortest prefix first");
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn subscriptions_equal_a_set_of_prefixes_per_peer(operations in vec((operation(), topic()), 0..200)) {
        let pipes = pipes::<5>();
        let mut subscriptions = Subscriptions::new(&mut SeededEntropy::new(9));
        let mut model = Model::new();
        for ((peer, operation), topic) in operations {
            let pipe = pipes[peer];
            match operation {
                Operation::Subscribe(prefix) => {
                    let holders = model.entry(prefix.clone()).or_default();
                    let expected = match (holders.is_empty(), holders.insert(pipe)) {
                        (true, _) => Subscribed::First,
                        (false, true) => Subscribed::Joined,
                        (false, false) => Subscribed::Again,
                    };
                    assert_eq!(subscriptions.subscribe(pipe, &prefix), expected);
                }
                Operation::Cancel(prefix) => {
                    assert_eq!(subscriptions.cancel(pipe, &prefix), cancel(&mut model, pipe, &prefix));
                }
                Operation::Disconnect => {
                    let held: Vec<_> = subscriptions.prefixes_of(pipe).collect();
                    let cancelled = remove(&mut subscriptions, pipe);
                    let left = held.into_iter().map(|prefix| (cancel(&mut model, pipe, &prefix).unwrap(), prefix));
                    assert_eq!(cancelled, left.map(|(left, prefix)| (prefix, left)).collect::<Vec<_>>());
                }
            }
            compare(&subscriptions, &model, &pipes, &topic);
        }
    }
}

#[test]
fn cancellation_removes_repeated_subscriptions() {
    let [pipe] = pipes();
    let mut subscriptions = Subscriptions::new(&mut SeededEntropy::new(9));
    assert_eq!(subscriptions.subscribe(pipe, b"A"), Subscribed::First);
    assert_eq!(subscriptions.subscribe(pipe, b"A"), Subscribed::Again);
    assert_eq!(subscriptions.cancel(pipe, b"A"), Some(Cancelled::Gone(0)));
    assert_eq!(subscriptions.cancel(pipe, b"A"), None);
    assert_eq!(subscriptions.matching(b"A").next(), None);
}

#[test]
fn repeats_are_limited_and_returned_with_the_last_end() {
    let [pipe, other] = pipes();
    let mut subscriptions = Subscriptions::new(&mut SeededEntropy::new(9));
    subscriptions.add_repeat(b"A");
    for peer in [pipe, other] {
        subscriptions.subscribe(peer, b"A");
    }
    subscriptions.remove_repeat(b"A");
    for _ in 0..3 {
        subscriptions.add_repeat(b"A");
    }
    subscriptions.remove_repeat(b"A");
    assert_eq!(subscriptions.cancel(pipe, b"A"), Some(Cancelled::StillHeld));
    assert_eq!(subscriptions.cancel(other, b"A"), Some(Cancelled::Gone(2)));
    subscriptions.subscribe(pipe, b"A");
    assert_eq!(subscriptions.cancel(pipe, b"A"), Some(Cancelled::Gone(0)));

    for number in [0, 1_u8] {
        subscriptions.subscribe(pipe, &[number]);
        for _ in 0..=MAX_REPEATS {
            subscriptions.add_repeat(&[number]);
        }
    }
    subscriptions.depart(pipe);
    let removed = [(); 2].map(|()| subscriptions.remove_departed().unwrap().prefixes);
    assert_eq!(removed, [0, 1].map(|number| vec![(vec![number], Cancelled::Gone(MAX_REPEATS))]));
    assert!(subscriptions.repeats.is_empty());
}

#[test]
fn subscriptions_of_departed_peer_are_removed_in_slices() {
    let [pipe, other] = pipes();
    let mut subscriptions = Subscriptions::new(&mut SeededEntropy::new(9));
    for number in 0..1000_usize {
        subscriptions.subscribe(pipe, &[number.to_be_bytes().as_slice(), &[7; 1024]].concat());
    }
    subscriptions.subscribe(other, b"A");
    assert!(subscriptions.depart(pipe) && subscriptions.depart(other));
    assert!(!subscriptions.depart(pipe), "the peer has no other subscription");
    let removed: Vec<_> = core::iter::from_fn(|| subscriptions.remove_departed()).collect();
    let (last, slices) = removed.split_last().unwrap();
    assert!(slices.iter().all(|slice| slice.pipe == pipe && slice.prefixes.len() < 60), "{}", slices.len());
    assert_eq!(slices.iter().map(|slice| slice.prefixes.len()).sum::<usize>(), 1000);
    assert_eq!(slices.iter().filter(|slice| slice.is_complete).count(), 1);
    assert_eq!((last.pipe, last.prefixes.len(), last.is_complete), (other, 1, true));
    assert_eq!((subscriptions.len(), subscriptions.has_departed()), (0, false));
}

#[test]
fn peer_that_is_back_keeps_its_new_subscriptions() {
    let [pipe] = pipes();
    let mut subscriptions = Subscriptions::new(&mut SeededEntropy::new(9));
    let prefixes: Vec<_> = (0..200_u8).map(|number| vec![number; 1024]).collect();
    // The peer is lost and back twice. Each time, it subscribes to fewer prefixes.
    for kept in [200, 100, 50] {
        assert_eq!(subscriptions.depart(pipe), kept < 200);
        for prefix in &prefixes[..kept] {
            subscriptions.subscribe(pipe, prefix);
            assert_eq!(subscriptions.subscribe(pipe, prefix), Subscribed::Again);
        }
        assert_eq!((subscriptions.count_of(pipe), subscriptions.bytes_of(pipe)), (kept, kept * 1024));
    }
    assert_eq!(subscriptions.cancel(pipe, &prefixes[0]), Some(Cancelled::Gone(0)));
    assert_eq!(subscriptions.cancel(pipe, &prefixes[199]), None, "only the former connection had this prefix");
    let removed: Vec<_> = core::iter::from_fn(|| subscriptions.remove_departed()).collect();
    assert!(removed.len() > 2 && removed.iter().filter(|removed| removed.is_complete).count() == 1);
    assert_eq!(removed.iter().map(|removed| removed.prefixes.len()).sum::<usize>(), 150);
    for (prefix, number) in prefixes.iter().zip(0..) {
        let expected = usize::from((1..50).contains(&number));
        assert_eq!(subscriptions.matching(prefix).count(), expected, "prefix {number}");
    }
}

#[test]
fn matching_returns_peer_once_per_matching_prefix() {
    let [one, other] = pipes();
    let mut subscriptions = Subscriptions::new(&mut SeededEntropy::new(9));
    subscriptions.subscribe(other, b"weather");
    subscriptions.subscribe(one, b"weather");
    subscriptions.subscribe(one, b"");
    assert_eq!(subscriptions.matching(b"weather.oslo").collect::<Vec<_>>(), [one, one, other]);
    assert_eq!(subscriptions.matching(b"news").collect::<Vec<_>>(), [one]);
}

#[test]
fn subscriptions_release_memory_of_removed_peers() {
    let pipes = pipes::<1000>();
    let mut subscriptions = Subscriptions::new(&mut SeededEntropy::new(9));
    for &pipe in &pipes {
        subscriptions.subscribe(pipe, b"A");
    }
    for &pipe in &pipes[2..] {
        assert_eq!(remove(&mut subscriptions, pipe), [(b"A".to_vec(), Cancelled::StillHeld)]);
    }
    let (_, holders) = subscriptions.holders.get(b"A").unwrap();
    assert!(matches!(holders, Holders::Many(pipes) if pipes.capacity() < 10), "{holders:?}");
    assert_eq!(remove(&mut subscriptions, pipes[1]), [(b"A".to_vec(), Cancelled::StillHeld)]);
    let (_, holders) = subscriptions.holders.get(b"A").unwrap();
    assert!(matches!(holders, Holders::One(pipe) if *pipe == pipes[0]), "{holders:?}");
    assert_eq!(subscriptions.held.len(), 1);
    assert_eq!(subscriptions.cancel(pipes[0], b"A"), Some(Cancelled::Gone(0)));
    assert_eq!(subscriptions.held.len(), 0);
}

#[test]
fn held_bytes_count_prefixes_and_their_subscribers() {
    let mut subscriptions = Subscriptions::new(&mut SeededEntropy::new(9));
    let [one, two, three] = pipes();
    assert_eq!(subscriptions.held_bytes_of(one), 0);
    for (pipe, prefix) in [(one, "a"), (one, "b"), (two, "a"), (three, "a"), (three, "c")] {
        subscriptions.subscribe(pipe, prefix.as_bytes());
    }
    // Each of the five subscriptions is an entry of a set, and two are in the list of the further subscribers of `a`.
    let entry = 2 * size_of::<NodeId>();
    let expected = subscriptions.holders.held_bytes() + 5 * entry + 2 * (size_of::<PipeId>() * 3 / 2);
    assert_eq!(subscriptions.held_bytes(), expected);
    assert!(subscriptions.contains(one, b"b") && !subscriptions.contains(two, b"b"));
    assert!(!subscriptions.has_departed());
    assert!(subscriptions.depart(two) && subscriptions.depart(three));
    assert!(subscriptions.has_departed());
    assert_eq!(subscriptions.held_bytes(), expected, "the subscriptions are not removed yet");
    assert_eq!(subscriptions.held_bytes_of(one), Trie::<Holders>::estimate(2, 2) + 2 * entry);
}

#[test]
fn slice_ends_when_its_work_is_used_up() {
    let [pipe] = pipes();
    let mut subscriptions = Subscriptions::new(&mut SeededEntropy::new(9));
    for number in 0..600 {
        subscriptions.subscribe(pipe, alloc::format!("{number:0128}").as_bytes());
    }
    assert!(subscriptions.depart(pipe));
    let slices = core::iter::from_fn(|| subscriptions.remove_departed().map(|slice| slice.prefixes.len()));
    let per_slice = (64 << 10) / (128 + 128);
    assert_eq!(slices.collect::<Vec<_>>(), [per_slice, per_slice, 600 - 2 * per_slice]);
}

#[cfg(feature = "meter")]
#[test]
fn bytes_of_moved_subscribers_are_counted() {
    let [one, two, three] = pipes();
    let mut subscriptions = Subscriptions::new(&mut SeededEntropy::new(9));
    subscriptions.subscribe(one, b"topic");
    subscriptions.subscribe(three, b"topic");
    let (_, work) = cost::measure(|| subscriptions.subscribe(two, b"topic"));
    assert_eq!(work.bytes, size_of::<PipeId>() as u64);
    let (_, work) = cost::measure(|| subscriptions.cancel(two, b"topic"));
    assert_eq!(work.bytes, 2 * size_of::<PipeId>() as u64);
}
