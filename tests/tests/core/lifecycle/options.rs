//! Options of connections: `immediate`, `conflate`, `reconnect_stop` and metadata; and repeated connects to one
//! endpoint.

use super::{PLACE, bound, connected, ms, pull, push, s, waits};
use sansmq_proto::kind::{Dealer, Pub, Req, Router, Sub};
use sansmq_proto::socket::{OptionsError, ReconnectStop};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Event, NetworkError, Options, SendError};
use sansmq_tests::{bodies, events, recv_all};

#[test]
fn immediate_queues_messages_only_for_connected_peers() {
    for (immediate, expected) in [(true, 10), (false, 5)] {
        let mut net = Net::seeded(1);
        let pull = bound(&mut net, pull());
        let push = net.socket(push().immediate(immediate));
        net.connect(push, "tcp://nowhere:1");
        net.connect(push, PLACE);
        net.settle();
        for number in 0..10 {
            net[push].send(number.to_string()).unwrap();
        }
        assert_eq!(recv_all(&mut net, pull).len(), expected);
    }
}

#[test]
fn immediate_send_is_full_until_a_peer_connects() {
    let mut net = Net::seeded(1);
    let push = connected(&mut net, push().immediate(true));
    net.settle();
    assert!(matches!(net[push].send("x"), Err(SendError::Full(_))));
    assert!(!net[push].can_send());
    let pull = bound(&mut net, pull());
    net.advance(s(20));
    assert!(net[push].can_send());
    net[push].send("x").unwrap();
    assert_eq!(bodies(&recv_all(&mut net, pull)), ["x"]);
    net.freeze(pull);
    net.reset_connections(push);
    net.settle();
    assert!(matches!(net[push].send("y"), Err(SendError::Full(_))), "no peer is connected any more");
}

#[test]
fn conflate_keeps_the_latest_message_on_both_sides() {
    let mut net = Net::seeded(1);
    let pull = net.socket(pull().conflate(true).recv_hwm(1));
    let push = connected(&mut net, push().conflate(true).send_hwm(1));
    for number in 0..10 {
        net[push].send((number.to_string(), "second frame")).unwrap();
    }
    net.bind(pull, PLACE);
    net.advance(s(20));
    for number in 10..20 {
        net[push].send((number.to_string(), "second frame")).unwrap();
        net.settle();
    }
    let received = recv_all(&mut net, pull);
    assert_eq!(received.iter().map(|message| message.head().to_text()).collect::<Vec<_>>(), ["19"]);
    assert_eq!(received[0].len(), 2);
}

#[test]
fn conflate_keeps_the_latest_message_while_disconnected() {
    let mut net = Net::seeded(1);
    let push = connected(&mut net, push().conflate(true));
    for number in 0..10 {
        net[push].send(number.to_string()).unwrap();
    }
    let pull = bound(&mut net, pull());
    net.advance(s(20));
    assert_eq!(bodies(&recv_all(&mut net, pull)), ["9"]);
}

#[test]
fn conflated_sub_keeps_the_latest_matching_message() {
    let mut net = Net::seeded(1);
    let publisher = bound(&mut net, Options::<Pub>::new());
    let sub = net.socket(Options::<Sub>::new().conflate(true));
    net[sub].subscribe("a").unwrap();
    net.connect(sub, PLACE);
    net.settle();
    for topic in ["a1", "a2", "b"] {
        net[publisher].send(topic).unwrap();
    }
    assert_eq!(bodies(&recv_all(&mut net, sub)), ["a2"]);
}

/// Takes all events of a socket. For each failure and disconnect, the result contains `true` if the socket dials again.
fn dials_again(net: &mut Net, node: NodeId) -> Vec<bool> {
    waits(net, node).iter().map(Option::is_some).collect()
}

#[test]
fn reconnect_stop_refused_ends_dialling() {
    let mut net = Net::seeded(1);
    let push = connected(&mut net, push().reconnect_stop(ReconnectStop { refused: true, ..ReconnectStop::default() }));
    net.advance(s(60));
    assert_eq!(dials_again(&mut net, push), [false]);
    assert_eq!(net[push].peers(), 0);
}

#[test]
fn reconnect_stop_refused_ignores_other_failures() {
    let mut net = Net::seeded(1);
    let push = net.socket(push().reconnect_stop(ReconnectStop { refused: true, ..ReconnectStop::default() }));
    let pipe = net[push].connect(PLACE.parse().unwrap(), sansmq_proto::Instant::ORIGIN).unwrap();
    assert!(net[push].poll_action().is_some());
    net[push].dial_failed(pipe, NetworkError::TimedOut, sansmq_proto::Instant::ORIGIN);
    assert_eq!(dials_again(&mut net, push), [true]);
}

#[test]
fn reconnect_stop_handshake_ignores_later_disconnects() {
    let stop = ReconnectStop { handshake_failed: true, ..ReconnectStop::default() };
    for (age, again) in [(s(1), true), (ms(15), false)] {
        let mut net = Net::seeded(1).latency(ms(10)..=ms(10));
        bound(&mut net, pull());
        let push = connected(&mut net, push().reconnect_stop(stop));
        net.advance(age);
        net.reset_connections(push);
        net.settle();
        assert_eq!(dials_again(&mut net, push), [again], "after {age:?}");
    }
}

#[test]
fn reconnect_stop_disconnected_ends_a_dial_with_queue() {
    for (disconnected, peers) in [(true, 0), (false, 1)] {
        let mut net = Net::seeded(1);
        let stop = ReconnectStop { disconnected, ..ReconnectStop::default() };
        let push = connected(&mut net, push().reconnect_stop(stop));
        net[push].send("waits").unwrap();
        net.settle();
        let now = net.now();
        net[push].disconnect(&PLACE.parse().unwrap(), now).unwrap();
        net.settle();
        assert_eq!(net[push].peers(), peers);
    }
}

#[test]
fn duplicate_connect_is_ignored_by_some_socket_types() {
    fn peers(net: &mut Net, node: NodeId) -> usize {
        for _ in 0..2 {
            net.connect(node, PLACE);
        }
        net.connect(node, "tcp://another:1");
        net[node].peers()
    }
    let mut net = Net::seeded(1);
    let without_duplicates = [
        net.socket(Options::<Req>::new()),
        net.socket(Options::<Dealer>::new()),
        net.socket(Options::<Sub>::new()),
        net.socket(Options::<Pub>::new()),
    ];
    assert_eq!(without_duplicates.map(|node| peers(&mut net, node)), [2; 4]);
    let with_duplicates = [net.socket(push()), net.socket(pull()), net.socket(Options::<Router>::new())];
    assert_eq!(with_duplicates.map(|node| peers(&mut net, node)), [3; 3]);
}

#[test]
fn disconnected_endpoint_can_be_connected_again() {
    let mut net = Net::seeded(1);
    let dealer = connected(&mut net, Options::<Dealer>::new());
    net[dealer].send("waits").unwrap();
    let now = net.now();
    net[dealer].disconnect(&PLACE.parse().unwrap(), now).unwrap();
    net.connect(dealer, PLACE);
    assert_eq!(net[dealer].peers(), 2, "one pipe still has a queued message, the other is new");
}

#[test]
fn custom_metadata_reaches_the_peer() {
    let mut net = Net::seeded(1);
    let pull = bound(&mut net, pull());
    connected(&mut net, push().metadata("X-Name", "old").unwrap().metadata("X-NAME", "new").unwrap());
    net.settle();
    let value = events(&mut net, pull).into_iter().find_map(|event| {
        if let Event::Ready { peer, .. } = event { peer.metadata.get("X-Name").cloned() } else { None }
    });
    assert_eq!(value.as_deref(), Some(&b"new"[..]));
}

#[test]
fn invalid_metadata_is_rejected() {
    for name in ["Name", "x-name", "X-\u{e9}", "X-a b", &format!("X-{}", "a".repeat(254))] {
        assert_eq!(push().metadata(name, "v").unwrap_err(), OptionsError::PropertyName(name.into()));
    }
    assert_eq!(push().metadata("X-a", vec![0; 1025]).unwrap_err(), OptionsError::Properties);
    let full = (0..32).fold(push(), |options, number| options.metadata(&format!("X-{number}"), "v").unwrap());
    assert!(full.clone().metadata("X-31", "again").is_ok());
    assert_eq!(full.metadata("X-32", "v").unwrap_err(), OptionsError::Properties);
}
