//! Tests of the behaviour of PUB and SUB sockets: matching of topics, and policies for slow subscribers. The tests of
//! XPUB and XSUB are in `xpub.rs`, those of the wire format in `subscriptions_wire.rs`.

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

/// Subscribes a socket to topic prefixes, and runs the network until its publishers have received the subscriptions.
fn subscribe(net: &mut Net, node: NodeId, prefixes: &[&str]) {
    for &prefix in prefixes {
        net[node].subscribe(prefix.to_owned()).unwrap();
        net.settle();
    }
}

#[test]
fn sub_receives_only_matching_messages() {
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
fn message_without_subscriber_is_not_counted_as_dropped() {
    let mut net = net();
    let (publisher, [sub]) = star(&mut net, publisher(), [sub()]);
    net[publisher].send("early").unwrap();
    subscribe(&mut net, sub, &[""]);
    net[publisher].send("late").unwrap();
    assert_eq!(bodies(&recv_all(&mut net, sub)), ["late"]);
    assert_eq!(dropped(&events(&mut net, publisher), DropReason::PeerFull), 0);
}

#[test]
fn overlapping_subscriptions_deliver_once() {
    let mut net = net();
    let (publisher, [sub]) = star(&mut net, publisher(), [sub()]);
    subscribe(&mut net, sub, &["", "a", "abc", "abcd"]);
    net[publisher].send("abc").unwrap();
    assert_eq!(bodies(&recv_all(&mut net, sub)), ["abc"]);
    assert_eq!((net[publisher].subscription_count(), net[publisher].subscriber_count("abc")), (4, 1));
}

#[test]
fn topic_is_a_binary_prefix_of_the_first_frame() {
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
fn subscriptions_are_counted_by_the_subscriber() {
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
fn unsubscribe_drops_queued_messages_and_resumes_reading() {
    let mut net = net();
    let (publisher, [sub]) = star(&mut net, publisher().send_hwm(500), [sub().recv_hwm(2)]);
    subscribe(&mut net, sub, &["a", "b"]);
    for number in 0..200 {
        // Messages are so large that the SUB stops reading.
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
fn unsubscribe_removes_the_pipe_of_a_lost_publisher() {
    let mut net = net();
    let (publisher, [sub]) = star(&mut net, publisher(), [sub().no_reconnect()]);
    subscribe(&mut net, sub, &["a"]);
    net[publisher].send("a1").unwrap();
    net.settle();
    net.reset_connections(sub);
    net.settle();
    assert_eq!((net[sub].peers(), net[sub].can_recv()), (1, true));
    net[sub].unsubscribe("a").unwrap();
    assert_eq!((net[sub].peers(), net[sub].can_recv()), (0, false));
}

#[test]
fn reconnect_sends_only_current_subscriptions() {
    let mut net = net();
    let (publisher, [sub]) = star(&mut net, publisher(), [sub()]);
    subscribe(&mut net, sub, &["a", "b", "b"]);
    net.reset_connections(sub);
    net.settle();
    assert_eq!(net[publisher].subscription_count(), 0);
    net[sub].unsubscribe("a").unwrap();
    net[sub].subscribe("c").unwrap();
    net.advance(Duration::from_secs(1));
    assert_eq!(["a", "b", "c"].map(|topic| net[publisher].subscriber_count(topic)), [0, 1, 1]);
    net[sub].unsubscribe("b").unwrap();
    net[sub].unsubscribe("b").unwrap();
    net.settle();
    assert_eq!(net[publisher].subscriber_count("b"), 0);
}

#[test]
fn subscriptions_are_not_limited_by_the_hwm() {
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
fn bound_sub_sends_subscriptions_without_recv() {
    let mut net = net();
    let (publisher, [sub]) = fan(&mut net, publisher(), [sub()]);
    net[sub].subscribe("a").unwrap();
    net.settle();
    assert_eq!((net[publisher].subscriber_count("abc"), net[publisher].subscriber_count("b")), (1, 0));
}

#[test]
fn sub_filters_messages_without_a_matching_subscription() {
    let mut net = net();
    // Only the SUB has inverted matching, so its PUB sends messages that do not match.
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
fn inverted_matching_delivers_non_matching_messages() {
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
    assert_eq!(bodies(&recv_all(&mut net, b)), ["abcd"], "queued messages that match no more are dropped");
}

/// Number of messages that are sent to a subscriber that does not read.
const FLOOD: usize = 100;

/// Creates a PUB with a send HWM of three messages and the given policy for slow subscribers, a frozen SUB that does
/// not read, and a SUB that reads. Returns the sockets in this order.
fn slow(net: &mut Net, policy: SlowSubscriber) -> (NodeId, NodeId, NodeId) {
    let options = publisher().slow_subscriber(policy).send_hwm(3);
    let (publisher, [slow, fast]) = star(net, options, [sub().recv_hwm(1), sub()]);
    subscribe(net, slow, &[""]);
    subscribe(net, fast, &[""]);
    events(net, publisher);
    net.freeze(slow);
    (publisher, slow, fast)
}

fn slow_net() -> Net {
    Net::seeded(1).capacity(2000)
}

/// Returns the number of a message of [`flood`], which is in the first frame.
fn number(message: &Message) -> usize {
    message.head().to_text().parse().unwrap()
}

/// Sends [`FLOOD`] numbered messages from a publisher.
fn flood(net: &mut Net, publisher: NodeId) {
    for number in 0..FLOOD {
        net[publisher].send([number.to_string().into_bytes(), vec![0; 5000]]).unwrap();
        net.settle();
    }
}

#[test]
fn drop_policies_count_every_dropped_message() {
    for policy in [SlowSubscriber::DropNewest, SlowSubscriber::DropOldest] {
        let mut net = slow_net();
        let (publisher, slow, fast) = slow(&mut net, policy);
        flood(&mut net, publisher);
        assert_eq!(recv_all(&mut net, fast).len(), FLOOD);
        net.thaw(slow);
        let received: Vec<_> = recv_all(&mut net, slow).iter().map(number).collect();
        let lost = dropped(&events(&mut net, publisher), DropReason::PeerFull);
        assert!(lost > 10 && received.len() + lost == FLOOD, "{lost} messages were dropped, {received:?} received");
        assert!(received.is_sorted());
        let tail: Vec<_> = received[received.len() - 3..].to_vec();
        if policy == SlowSubscriber::DropOldest {
            assert_eq!(tail, [FLOOD - 3, FLOOD - 2, FLOOD - 1]);
        } else {
            assert_eq!(received, (0..received.len()).collect::<Vec<_>>());
        }
        net[publisher].send("200").unwrap();
        assert_eq!(recv_all(&mut net, slow).iter().map(number).collect::<Vec<_>>(), [200], "the queue has room again");
    }
}

#[test]
fn disconnect_policy_ends_a_slow_sub_which_reconnects() {
    let mut net = slow_net();
    let (publisher, slow, fast) = slow(&mut net, SlowSubscriber::Disconnect);
    flood(&mut net, publisher);
    assert_eq!(recv_all(&mut net, fast).len(), FLOOD);
    let events = events(&mut net, publisher);
    assert_eq!(endings(&events).len(), 1);
    assert!(endings(&events)[0].contains("does not read"), "{events:?}");
    assert!(dropped(&events, DropReason::PeerFull) > 0);
    net.thaw(slow);
    recv_all(&mut net, slow);
    net.advance(Duration::from_secs(5));
    assert_eq!(net[publisher].subscriber_count(""), 2);
}

#[test]
fn publisher_redials_a_disconnected_slow_subscriber() {
    let mut net = slow_net();
    let options = publisher().slow_subscriber(SlowSubscriber::Disconnect).send_hwm(3);
    let (publisher, [slow]) = fan(&mut net, options, [sub().recv_hwm(1)]);
    subscribe(&mut net, slow, &[""]);
    net.freeze(slow);
    flood(&mut net, publisher);
    net.thaw(slow);
    for _ in 0..20 {
        net.advance(Duration::from_secs(10));
        recv_all(&mut net, slow);
    }
    assert_eq!(net[publisher].subscriber_count(""), 1);
    assert_eq!(endings(&events(&mut net, publisher)).len(), 1);
    net[publisher].send("200").unwrap();
    assert_eq!(recv_all(&mut net, slow).iter().map(number).collect::<Vec<_>>(), [200]);
}

#[test]
fn block_policy_makes_the_publisher_wait() {
    let mut net = slow_net();
    let (publisher, slow, fast) = slow(&mut net, SlowSubscriber::Block);
    let mut sent = 0;
    let returned = loop {
        match net[publisher].send([sent.to_string().into_bytes(), vec![0; 5000]]) {
            Ok(()) => sent += 1,
            Err(SendError::Full(message)) => break message,
            Err(other) => panic!("{other}"),
        }
        net.settle();
        assert!(sent < FLOOD, "the publisher is never blocked");
    };
    assert_eq!((number(&returned), net[publisher].can_send()), (sent, false));
    assert_eq!(recv_all(&mut net, fast).len(), sent, "no subscriber has received the returned message");
    net.thaw(slow);
    assert_eq!(recv_all(&mut net, slow).len(), sent);
    assert!(net[publisher].can_send());
    net[publisher].send(returned).unwrap();
    assert_eq!(recv_all(&mut net, slow).iter().map(number).collect::<Vec<_>>(), [sent]);
    assert_eq!(recv_all(&mut net, fast).iter().map(number).collect::<Vec<_>>(), [sent]);
    assert_eq!(dropped(&events(&mut net, publisher), DropReason::PeerFull), 0);
}

#[test]
fn multipart_message_of_any_size_reaches_all_subscribers() {
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
fn unsent_messages_are_sent_whole_on_the_next_connection() {
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
            net.reset_connections(lost);
            net.thaw(lost);
            net.advance(Duration::from_secs(10));
            assert_eq!(recv_all(&mut net, other), sent);
            let received = recv_all(&mut net, lost);
            assert!(received.iter().all(|message| sent.contains(message)), "a message was received in part");
            let numbers: Vec<_> = received.iter().map(number).collect();
            assert!(numbers.is_sorted_by(|a, b| a < b) && numbers.last() == Some(&39), "{numbers:?}");
        }
    }
}

#[test]
fn publisher_close_sends_its_queue_and_sub_does_not_linger() {
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
