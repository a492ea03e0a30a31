//! PUB and SUB: who receives what, and what becomes of those who do not read. XPUB and XSUB are in `xpub.rs`, octets in
//! `wishes.rs`.

use super::{PLACE, fan, message, net, star};
use core::time::Duration;
use sansmq_proto::kind::{Pub, Sub, XSub};
use sansmq_proto::socket::{DropReason, SlowSubscriber, SubscribeError};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Event, Message, Options, SendError};
use sansmq_tests::{bodies, dropped, endings, events, recv_all};

fn publisher() -> Options<Pub> {
    Options::new()
}

fn sub() -> Options<Sub> {
    Options::new()
}

/// Has a socket subscribe, and its publishers hear of it.
fn subscribe(net: &mut Net, node: NodeId, prefixes: &[&str]) {
    for &prefix in prefixes {
        net[node].subscribe(prefix.to_owned()).unwrap();
        net.settle();
    }
}

#[test]
fn a_sub_receives_what_it_subscribed_to_and_nothing_else() {
    let mut net = net();
    let (publisher, [a, b]) = star(&mut net, publisher(), [sub(), sub()]);
    subscribe(&mut net, a, &["news"]);
    subscribe(&mut net, b, &[""]);
    for topic in ["news.sport", "weather", "new"] {
        net[publisher].send(topic).unwrap();
    }
    assert_eq!(bodies(&recv_all(&mut net, a)), ["news.sport"]);
    assert_eq!(bodies(&recv_all(&mut net, b)), ["news.sport", "weather", "new"]);
}

#[test]
fn nothing_is_sent_to_who_has_not_subscribed_and_nobody_misses_it() {
    let mut net = net();
    let (publisher, [sub]) = star(&mut net, publisher(), [sub()]);
    net[publisher].send("early").unwrap();
    subscribe(&mut net, sub, &[""]);
    net[publisher].send("late").unwrap();
    assert_eq!(bodies(&recv_all(&mut net, sub)), ["late"]);
    assert_eq!(dropped(&events(&mut net, publisher), DropReason::PeerFull), 0);
}

#[test]
fn overlapping_prefixes_deliver_once() {
    let mut net = net();
    let (publisher, [sub]) = star(&mut net, publisher(), [sub()]);
    subscribe(&mut net, sub, &["", "a", "abc", "abcd"]);
    net[publisher].send("abc").unwrap();
    assert_eq!(bodies(&recv_all(&mut net, sub)), ["abc"]);
    assert_eq!((net[publisher].subscription_count(), net[publisher].subscriber_count("abc")), (4, 1));
}

#[test]
fn a_topic_is_any_octets_at_the_front_of_the_first_frame() {
    let mut net = net();
    let (publisher, [sub]) = star(&mut net, publisher(), [sub()]);
    net[sub].subscribe(vec![0, 1, 255]).unwrap();
    net.settle();
    net[publisher].send([&[0, 1, 255, 2][..], &[0, 0]]).unwrap();
    net[publisher].send([&[0, 1, 254][..], &[0, 1, 255]]).unwrap();
    net[publisher].send([&[0, 1][..], &[255]]).unwrap();
    assert_eq!(recv_all(&mut net, sub), [Message::from([&[0, 1, 255, 2][..], &[0, 0]])]);
}

#[test]
fn subscriptions_are_counted_by_who_makes_them() {
    let mut net = net();
    let (publisher, [sub]) = star(&mut net, publisher(), [sub()]);
    subscribe(&mut net, sub, &["a", "a"]);
    assert_eq!(net[sub].subscription_count(), 1);
    net[sub].unsubscribe("a").unwrap();
    net.settle();
    net[publisher].send("a1").unwrap();
    assert_eq!(bodies(&recv_all(&mut net, sub)), ["a1"]);
    net[sub].unsubscribe("a").unwrap();
    net.settle();
    assert_eq!(
        (net[publisher].subscriber_count("a"), net[publisher].subscription_count(), net[sub].subscription_count()),
        (0, 0, 0)
    );
    assert_eq!(net[sub].unsubscribe("a"), Err(SubscribeError::NotSubscribed));
    assert_eq!(net[publisher].subscribe("a"), Err(SubscribeError::Unsupported(sansmq_proto::SocketType::Pub)));
}

#[test]
fn what_arrived_before_a_subscription_ended_is_dropped_and_its_publishers_are_heard_again() {
    let mut net = net();
    let (publisher, [sub]) = star(&mut net, publisher().send_hwm(500), [sub().recv_hwm(2)]);
    subscribe(&mut net, sub, &["a", "b"]);
    for number in 0..200 {
        // So many octets that the SUB leaves some unread.
        net[publisher].send([format!("a{number}").into_bytes(), vec![0; 2000]]).unwrap();
        net.settle();
    }
    net[publisher].send("b1").unwrap();
    net.settle();
    net[sub].unsubscribe("a").unwrap();
    net.settle();
    net[publisher].send("b2").unwrap();
    assert_eq!(bodies(&recv_all(&mut net, sub)), ["b1", "b2"]);
}

#[test]
fn nothing_is_left_of_a_publisher_that_is_gone_when_its_messages_are_not_wanted_any_more() {
    let mut net = net();
    let (publisher, [sub]) = star(&mut net, publisher(), [sub().no_reconnect()]);
    subscribe(&mut net, sub, &["a"]);
    net[publisher].send("a1").unwrap();
    net.settle();
    net.cut(sub);
    net.settle();
    assert_eq!((net[sub].peers(), net[sub].can_recv()), (1, true));
    net[sub].unsubscribe("a").unwrap();
    assert_eq!((net[sub].peers(), net[sub].can_recv()), (0, false));
}

#[test]
fn subscriptions_are_told_again_after_a_reconnect_and_those_that_ended_are_not() {
    let mut net = net();
    let (publisher, [sub]) = star(&mut net, publisher(), [sub()]);
    subscribe(&mut net, sub, &["a", "b", "b"]);
    net.cut(sub);
    net.settle();
    assert_eq!(net[publisher].subscription_count(), 0);
    net[sub].unsubscribe("a").unwrap();
    net[sub].subscribe("c").unwrap();
    net.pass(Duration::from_secs(1));
    assert_eq!(["a", "b", "c"].map(|topic| net[publisher].subscriber_count(topic)), [0, 1, 1]);
    net[sub].unsubscribe("b").unwrap();
    net[sub].unsubscribe("b").unwrap();
    net.settle();
    assert_eq!(net[publisher].subscriber_count("b"), 0);
}

#[test]
fn no_high_water_mark_bounds_subscriptions() {
    let mut net = Net::seeded(1).capacity(3000);
    let options = Options::<XSub>::new().send_hwm(1).recv_hwm(1);
    let (publisher, [early]) = star(&mut net, publisher().send_hwm(1), [options.clone()]);
    let late = net.socket(options);
    for number in 0..10_000 {
        net[early].subscribe(format!("{number};")).unwrap();
        net[late].subscribe(format!("{number};")).unwrap();
    }
    net.connect(late, PLACE);
    net.settle();
    assert_eq!(net[publisher].subscription_count(), 10_000);
    assert!((0..10_000).all(|number| net[publisher].subscriber_count(format!("{number};")) == 2));
}

#[test]
fn a_bound_sub_subscribes_without_receiving() {
    let mut net = net();
    let (publisher, [sub]) = fan(&mut net, publisher(), [sub()]);
    net[sub].subscribe("a").unwrap();
    net.settle();
    assert_eq!((net[publisher].subscriber_count("abc"), net[publisher].subscriber_count("b")), (1, 0));
}

#[test]
fn a_sub_filters_what_a_publisher_sends_unasked() {
    let mut net = net();
    // The SUB is told of inverted matching, and its publisher is not.
    let (publisher, [sub, xsub]) =
        star(&mut net, publisher().erase(), [sub().invert_matching(true).erase(), Options::<XSub>::new().erase()]);
    for node in [sub, xsub] {
        subscribe(&mut net, node, &["a"]);
    }
    net[publisher].send("a1").unwrap();
    assert_eq!(recv_all(&mut net, sub), []);
    assert_eq!(bodies(&recv_all(&mut net, xsub)), ["a1"]);
}

#[test]
fn inverted_matching_delivers_what_does_not_match() {
    let mut net = net();
    let subs = [(); 2].map(|()| sub().invert_matching(true));
    let (publisher, [a, b]) = star(&mut net, publisher().invert_matching(true), subs);
    subscribe(&mut net, a, &["a", "abc"]);
    net[publisher].send("abcd").unwrap();
    net[publisher].send("b").unwrap();
    assert_eq!((net[publisher].subscriber_count("a"), net[publisher].subscriber_count("b")), (1, 2));
    net.settle();
    subscribe(&mut net, b, &["b"]);
    assert_eq!(bodies(&recv_all(&mut net, a)), ["b"]);
    assert_eq!(bodies(&recv_all(&mut net, b)), ["abcd"], "what is not wanted any more is dropped");
}

/// How many messages are sent to a subscriber that does not read.
const FLOOD: usize = 100;

/// A publisher, with this policy and room for three messages, of a subscriber that reads and of one that does not.
fn slow(net: &mut Net, policy: SlowSubscriber) -> (NodeId, NodeId, NodeId) {
    let options = publisher().slow_subscriber(policy).send_hwm(3);
    let (publisher, [slow, brisk]) = star(net, options, [sub().recv_hwm(1), sub()]);
    subscribe(net, slow, &[""]);
    subscribe(net, brisk, &[""]);
    events(net, publisher);
    net.freeze(slow);
    (publisher, slow, brisk)
}

fn slow_net() -> Net {
    Net::seeded(1).capacity(2000)
}

fn number(message: &Message) -> usize {
    message.head().to_text().parse().unwrap()
}

fn flood(net: &mut Net, publisher: NodeId) {
    for number in 0..FLOOD {
        net[publisher].send([number.to_string().into_bytes(), vec![0; 5000]]).unwrap();
        net.settle();
    }
}

#[test]
fn a_slow_subscriber_misses_the_newest_or_the_oldest_and_every_loss_is_told() {
    for policy in [SlowSubscriber::DropNewest, SlowSubscriber::DropOldest] {
        let mut net = slow_net();
        let (publisher, slow, brisk) = slow(&mut net, policy);
        flood(&mut net, publisher);
        assert_eq!(recv_all(&mut net, brisk).len(), FLOOD);
        net.thaw(slow);
        let got: Vec<_> = recv_all(&mut net, slow).iter().map(number).collect();
        let lost = dropped(&events(&mut net, publisher), DropReason::PeerFull);
        assert!(lost > 10 && got.len() + lost == FLOOD, "{lost} of {got:?}");
        assert!(got.is_sorted());
        let tail: Vec<_> = got[got.len() - 3..].to_vec();
        if policy == SlowSubscriber::DropOldest {
            assert_eq!(tail, [FLOOD - 3, FLOOD - 2, FLOOD - 1]);
        } else {
            assert_eq!(got, (0..got.len()).collect::<Vec<_>>());
        }
        net[publisher].send("200").unwrap();
        assert_eq!(recv_all(&mut net, slow).iter().map(number).collect::<Vec<_>>(), [200], "it has room again");
    }
}

#[test]
fn a_slow_subscriber_is_disconnected_if_that_is_the_policy_and_comes_again() {
    let mut net = slow_net();
    let (publisher, slow, brisk) = slow(&mut net, SlowSubscriber::Disconnect);
    flood(&mut net, publisher);
    assert_eq!(recv_all(&mut net, brisk).len(), FLOOD);
    let events = events(&mut net, publisher);
    assert_eq!(endings(&events).len(), 1);
    assert!(endings(&events)[0].contains("does not read"), "{events:?}");
    assert!(dropped(&events, DropReason::PeerFull) > 0);
    net.thaw(slow);
    recv_all(&mut net, slow);
    net.pass(Duration::from_secs(5));
    assert_eq!(net[publisher].subscriber_count(""), 2);
}

#[test]
fn a_publisher_that_dialled_a_slow_subscriber_dials_it_again() {
    let mut net = slow_net();
    let options = publisher().slow_subscriber(SlowSubscriber::Disconnect).send_hwm(3);
    let (publisher, [slow]) = fan(&mut net, options, [sub().recv_hwm(1)]);
    subscribe(&mut net, slow, &[""]);
    net.freeze(slow);
    flood(&mut net, publisher);
    net.thaw(slow);
    for _ in 0..20 {
        net.pass(Duration::from_secs(10));
        recv_all(&mut net, slow);
    }
    assert_eq!(net[publisher].subscriber_count(""), 1);
    assert_eq!(endings(&events(&mut net, publisher)).len(), 1);
    net[publisher].send("200").unwrap();
    assert_eq!(recv_all(&mut net, slow).iter().map(number).collect::<Vec<_>>(), [200]);
}

#[test]
fn a_publisher_waits_for_a_slow_subscriber_if_that_is_the_policy() {
    let mut net = slow_net();
    let (publisher, slow, brisk) = slow(&mut net, SlowSubscriber::Block);
    let mut sent = 0;
    let given_back = loop {
        match net[publisher].send([sent.to_string().into_bytes(), vec![0; 5000]]) {
            Ok(()) => sent += 1,
            Err(SendError::Full(message)) => break message,
            Err(other) => panic!("{other}"),
        }
        net.settle();
        assert!(sent < FLOOD, "it never waits");
    };
    assert_eq!((number(&given_back), net[publisher].can_send()), (sent, false));
    assert_eq!(recv_all(&mut net, brisk).len(), sent, "nobody has a part of what was given back");
    net.thaw(slow);
    assert_eq!(recv_all(&mut net, slow).len(), sent);
    assert!(net[publisher].can_send());
    net[publisher].send(given_back).unwrap();
    assert_eq!(recv_all(&mut net, slow).iter().map(number).collect::<Vec<_>>(), [sent]);
    assert_eq!(recv_all(&mut net, brisk).iter().map(number).collect::<Vec<_>>(), [sent]);
    assert_eq!(dropped(&events(&mut net, publisher), DropReason::PeerFull), 0);
}

#[test]
fn a_message_of_several_frames_comes_to_all_as_it_was_sent_whatever_its_size() {
    for size in [0, 10, 100, 1000, 2040, 2047, 2048, 2049, 5000, 70_000] {
        let mut net = Net::seeded(1).chunks(1..=900).capacity(3000);
        let (publisher, subs) = star(&mut net, publisher(), [sub(), sub(), sub()]);
        for sub in subs {
            subscribe(&mut net, sub, &["t"]);
        }
        let sent = [Message::from(["t".into(), vec![7; size], vec![], vec![8; size]]), message(["t", "after"])];
        for message in &sent {
            net[publisher].send(message.clone()).unwrap();
        }
        for sub in subs {
            assert_eq!(recv_all(&mut net, sub), sent);
        }
    }
}

#[test]
fn what_a_lost_connection_had_not_begun_comes_whole_on_the_next_one() {
    for size in [10, 1000, 3000] {
        for seed in 0..30 {
            let mut net = Net::seeded(seed).chunks(1..=500).capacity(3 * size);
            let (publisher, [lost, other]) = fan(&mut net, publisher(), [sub(), sub()]);
            subscribe(&mut net, lost, &[""]);
            subscribe(&mut net, other, &[""]);
            net.freeze(lost);
            let sent: Vec<_> =
                (0..40).map(|number: u32| Message::from([number.to_string().into_bytes(), vec![7; size]])).collect();
            for message in &sent {
                net[publisher].send(message.clone()).unwrap();
            }
            net.settle();
            net.cut(lost);
            net.thaw(lost);
            net.pass(Duration::from_secs(10));
            assert_eq!(recv_all(&mut net, other), sent);
            let got = recv_all(&mut net, lost);
            assert!(got.iter().all(|message| sent.contains(message)), "each came whole");
            let numbers: Vec<_> = got.iter().map(number).collect();
            assert!(numbers.is_sorted_by(|a, b| a < b) && numbers.last() == Some(&39), "{numbers:?}");
        }
    }
}

#[test]
fn a_publisher_that_closes_sends_what_is_queued_and_a_sub_does_not_linger() {
    let mut net = net();
    let (publisher, [sub]) = star(&mut net, publisher(), [sub()]);
    subscribe(&mut net, sub, &[""]);
    for number in 0..10 {
        net[publisher].send(number.to_string()).unwrap();
    }
    let now = net.now();
    net[publisher].close(now);
    assert_eq!(recv_all(&mut net, sub).len(), 10);
    assert!(net[publisher].is_closed());
    net[sub].close(now);
    net.settle();
    assert!(net[sub].is_closed());
    assert_eq!(net[sub].subscribe("late"), Err(SubscribeError::Closed));
    let ready = events(&mut net, sub).iter().filter(|event| matches!(event, Event::Ready { .. })).count();
    assert_eq!((ready, net[sub].ready_peers()), (1, 0));
}
