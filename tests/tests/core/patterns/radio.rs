//! Tests of the behaviour of RADIO and DISH sockets.

use super::{PLACE, fan, message, net, star};
use core::time::Duration;
use sansmq_proto::kind::{Dish, Radio};
use sansmq_proto::socket::{DropReason, JoinError, SlowSubscriber};
use sansmq_proto::testing::Net;
use sansmq_proto::{Options, RecvError, SendError, SocketType};
use sansmq_tests::{bodies, dropped, endings, events, recv_all};

fn radio() -> Options<Radio> {
    Options::new()
}

fn dish() -> Options<Dish> {
    Options::new()
}

#[test]
fn dish_receives_only_joined_groups() {
    let mut net = net();
    let (radio, [dish, other]) = star(&mut net, radio(), [dish(), dish()]);
    net[dish].join("tv").unwrap();
    net[other].join("tv").unwrap();
    net[other].join("").unwrap();
    net.settle();
    assert_eq!((net[radio].subscription_count(), net[dish].subscription_count()), (2, 1));
    assert_eq!(["tv", "", "t", "tv2"].map(|group| net[radio].subscriber_count(group)), [2, 1, 0, 0]);
    for group in ["tv", "tv2", "t", ""] {
        net[radio].send((group, "show")).unwrap();
    }
    assert_eq!(recv_all(&mut net, dish), [message(["tv", "show"])]);
    assert_eq!(recv_all(&mut net, other), [message(["tv", "show"]), message(["", "show"])]);
}

#[test]
fn duplicate_join_and_leave_are_errors() {
    let mut net = net();
    let (radio, [dish]) = star(&mut net, radio(), [dish()]);
    assert_eq!(net[dish].leave("tv"), Err(JoinError::NotJoined));
    net[dish].join("tv").unwrap();
    assert_eq!(net[dish].join("tv"), Err(JoinError::Joined));
    net.settle();
    net[radio].send(("tv", "arrived")).unwrap();
    net.settle();
    net[dish].leave("tv").unwrap();
    assert_eq!(net[dish].leave("tv"), Err(JoinError::NotJoined));
    assert_eq!(recv_all(&mut net, dish), [], "queued messages of a left group are dropped");
    assert_eq!(net[radio].subscriber_count("tv"), 0);
    assert_eq!(net[radio].join("tv"), Err(JoinError::Unsupported(SocketType::Radio)));
    let now = net.now();
    net[dish].close(now);
    assert_eq!(net[dish].join("tv"), Err(JoinError::Closed));
}

#[test]
fn group_name_is_limited_to_255_bytes() {
    let mut net = net();
    let (radio, [dish]) = star(&mut net, radio(), [dish()]);
    let (longest, longer) = ("g".repeat(255), "g".repeat(256));
    net[dish].join(longest.clone()).unwrap();
    assert_eq!(net[dish].join(longer.clone()), Err(JoinError::TooLong(256)));
    net.settle();
    net[radio].send((longest.as_str(), "x")).unwrap();
    let Err(SendError::NotGrouped(returned)) = net[radio].send((longer.as_str(), "x")) else {
        panic!("a group name of 256 bytes must be rejected");
    };
    assert_eq!(returned.body(), "x");
    assert_eq!(bodies(&recv_all(&mut net, dish)), ["x"]);
}

#[test]
fn radio_requires_a_group_and_one_body() {
    let mut net = net();
    let (radio, [dish]) = star(&mut net, radio(), [dish()]);
    assert!(matches!(net[radio].send("tv"), Err(SendError::NotGrouped(_))));
    assert!(matches!(net[radio].send(["tv", "a", "b"]), Err(SendError::NotGrouped(_))));
    assert!(matches!(net[dish].send(["tv", "a"]), Err(SendError::Unsupported(_, SocketType::Dish))));
    assert!(matches!(net[radio].recv(), Err(RecvError::Unsupported(SocketType::Radio))));
    assert!(net[dish].can_send() && net[radio].can_recv(), "the call returns its error at once");
}

#[test]
fn reconnect_sends_only_joined_groups() {
    let mut net = net();
    let (radio, [dish]) = star(&mut net, radio(), [dish()]);
    for group in ["a", "b"] {
        net[dish].join(group).unwrap();
    }
    net.settle();
    net.reset_connections(dish);
    net.settle();
    assert_eq!((net[radio].subscription_count(), net[radio].subscriber_count("a")), (0, 0));
    net[dish].leave("a").unwrap();
    net[dish].join("c").unwrap();
    net.advance(Duration::from_secs(1));
    assert_eq!(["a", "b", "c"].map(|group| net[radio].subscriber_count(group)), [0, 1, 1]);
}

#[test]
fn dish_with_too_many_groups_is_disconnected() {
    let mut net = net();
    let (radio, [greedy, modest]) = star(&mut net, radio().max_subscriptions(2), [dish().no_reconnect(), dish()]);
    net[modest].join("b").unwrap();
    for group in ["a", "b", "c"] {
        net.settle();
        net[greedy].join(group).unwrap();
    }
    net.settle();
    assert!(endings(&events(&mut net, radio))[0].contains("more than 2 subscriptions"));
    assert_eq!(["a", "b", "c"].map(|group| net[radio].subscriber_count(group)), [0, 1, 0]);
}

#[test]
fn radio_sends_no_pings_and_accepts_pings() {
    let mut net = Net::seeded(1);
    let interval = Duration::from_millis(100);
    let (radio, [dish]) = star(&mut net, radio().heartbeat(interval), [dish().heartbeat(Duration::from_secs(2))]);
    net.advance(Duration::from_secs(1));
    // If the RADIO sent PINGs, the connection to the frozen DISH would time out.
    net.freeze(dish);
    net.advance(Duration::from_secs(1));
    net.thaw(dish);
    net.advance(Duration::from_secs(10));
    assert_eq!(endings(&events(&mut net, radio)), [""; 0]);
    assert_eq!(net.connections(radio), 1);
}

#[test]
fn slow_dish_follows_the_slow_subscriber_policy() {
    for policy in [SlowSubscriber::DropNewest, SlowSubscriber::Block] {
        let mut net = Net::seeded(1).capacity(2000);
        let (radio, [slow, fast]) = star(&mut net, radio().slow_subscriber(policy).send_hwm(3), [dish(), dish()]);
        for dish in [slow, fast] {
            net[dish].join("g").unwrap();
            net.settle();
        }
        net.freeze(slow);
        let mut sent = 0;
        while sent < 100 && net[radio].send(("g", vec![0; 5000])).is_ok() {
            sent += 1;
            net.settle();
        }
        assert_eq!(sent == 100, policy == SlowSubscriber::DropNewest);
        assert_eq!(net[radio].can_send(), policy == SlowSubscriber::DropNewest);
        assert_eq!(recv_all(&mut net, fast).len(), sent);
        net.thaw(slow);
        let lost = dropped(&events(&mut net, radio), DropReason::PeerFull);
        assert_eq!(recv_all(&mut net, slow).len() + lost, sent);
        assert!(net[radio].can_send());
    }
}

#[test]
fn bound_dish_sends_joins_without_recv() {
    let mut net = net();
    let (radio, [dish]) = fan(&mut net, radio(), [dish()]);
    net[dish].join("g").unwrap();
    net.settle();
    assert_eq!(net[radio].subscriber_count("g"), 1);
    let late = net.socket(Options::<Dish>::new());
    net[late].join("g").unwrap();
    net.bind(radio, PLACE.replace(":1", ":9").as_str());
    net.connect(late, PLACE.replace(":1", ":9").as_str());
    net.settle();
    assert_eq!(net[radio].subscriber_count("g"), 2);
}
