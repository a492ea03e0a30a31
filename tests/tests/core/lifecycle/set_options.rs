//! Tests of options that change on a live socket.

use super::{bound, connected, ms, pull, push, s};
use sansmq_proto::kind::{Any, Dealer, Pub, Pull, Push, Router, Stream, Sub, XPub, XSub};
use sansmq_proto::security::Security;
use sansmq_proto::socket::SetOptionsError;
use sansmq_proto::testing::Net;
use sansmq_proto::{Buf, Event, Instant, Options, RecvError, SendError, Socket, SystemEntropy};
use sansmq_tests::{bodies, events, recv_all};

#[test]
fn raised_send_hwm_makes_room_in_a_full_queue_at_once() {
    let mut net = Net::seeded(1);
    let push = connected(&mut net, push().send_hwm(2));
    for _ in 0..2 {
        net[push].send("x").unwrap();
    }
    assert!(!net[push].can_send());
    let options = net[push].options::<Push>().unwrap().send_hwm(4);
    net[push].set_options(options).unwrap();
    for _ in 0..2 {
        net[push].send("x").expect("the queue has room");
    }
    assert!(matches!(net[push].send("too many"), Err(SendError::Full(_))));
}

#[test]
fn lowered_send_hwm_drops_nothing_and_blocks_until_half() {
    let mut net = Net::seeded(1);
    let push = connected(&mut net, push().send_hwm(100));
    for number in 0..50 {
        net[push].send(number.to_string()).unwrap();
    }
    net[push].set_options(Options::<Push>::new().send_hwm(10)).unwrap();
    assert!(matches!(net[push].send("too many"), Err(SendError::Full(_))));
    let pull = bound(&mut net, pull());
    net.advance(s(20));
    assert_eq!(recv_all(&mut net, pull).len(), 50);
    net[push].send("again").expect("the queue has room again");
}

#[test]
fn raised_recv_hwm_continues_to_read_from_a_stopped_peer() {
    let mut net = Net::seeded(1).capacity(1000);
    let pull = bound(&mut net, pull().recv_hwm(1));
    let push = connected(&mut net, push());
    net.settle();
    for _ in 0..200 {
        net[push].send(vec![7; 1000]).unwrap();
    }
    net.settle();
    let before = net[pull].stats().incoming.messages;
    assert!(before < 150, "{before} messages are queued");
    let options = net[pull].options::<Pull>().unwrap().recv_hwm(1000);
    net[pull].set_options(options).unwrap();
    net.settle();
    assert_eq!(net[pull].stats().incoming.messages, 200);
}

#[test]
fn router_switches_count_for_the_next_message() {
    let mut net = Net::seeded(1);
    let router = bound(&mut net, Options::<Router>::new());
    net[router].send(["unknown", "x"]).expect("the message is dropped");
    let options = net[router].options::<Router>().unwrap().mandatory(true);
    net[router].set_options(options).unwrap();
    assert!(matches!(net[router].send(["unknown", "x"]), Err(SendError::Unroutable(_))));
}

#[test]
fn xpub_switches_count_for_the_next_subscription() {
    let mut net = Net::seeded(1);
    let xpub = bound(&mut net, Options::<XPub>::new());
    let [one, other] = [1, 2].map(|_| connected(&mut net, Options::<Sub>::new()));
    net[one].subscribe("a").unwrap();
    net.settle();
    assert_eq!(bodies(&recv_all(&mut net, xpub)), ["\u{1}a"]);
    let options = net[xpub].options::<XPub>().unwrap().verbose(true);
    net[xpub].set_options(options).unwrap();
    net[other].subscribe("a").unwrap();
    net.settle();
    assert_eq!(bodies(&recv_all(&mut net, xpub)), ["\u{1}a"], "the subscription of a second peer is received");
}

#[test]
fn inverted_matching_counts_for_the_next_message() {
    let mut net = Net::seeded(1);
    let publisher = bound(&mut net, Options::<Pub>::new());
    let sub = connected(&mut net, Options::<Sub>::new());
    net[sub].subscribe("a").unwrap();
    net.settle();
    let options = net[publisher].options::<Pub>().unwrap().invert_matching(true);
    net[publisher].set_options(options).unwrap();
    let options = net[sub].options::<Sub>().unwrap().invert_matching(true);
    net[sub].set_options(options).unwrap();
    net[publisher].send("a").unwrap();
    net[publisher].send("b").unwrap();
    net.settle();
    assert_eq!(bodies(&recv_all(&mut net, sub)), ["b"]);
}

#[test]
fn routing_id_counts_for_the_next_connection() {
    let mut net = Net::seeded(1);
    let router = bound(&mut net, Options::<Router>::new());
    let dealer = connected(&mut net, Options::<Dealer>::new().routing_id("old").unwrap());
    net.settle();
    let options = net[dealer].options::<Dealer>().unwrap().routing_id("new").unwrap();
    net[dealer].set_options(options).unwrap();
    let sender = |net: &mut Net| {
        net[dealer].send("x").unwrap();
        net.advance(s(10));
        net[router].recv().unwrap().head().to_text().into_owned()
    };
    assert_eq!(sender(&mut net), "old");
    net.reset_connections(dealer);
    assert_eq!(sender(&mut net), "new");
}

#[test]
fn heartbeats_count_for_the_next_connection() {
    let mut net = Net::seeded(1);
    let pull = bound(&mut net, pull());
    let push = connected(&mut net, push());
    net.settle();
    let options = net[push].options::<Push>().unwrap().heartbeat(ms(500));
    net[push].set_options(options).unwrap();
    events(&mut net, push);
    let is_lost = |net: &mut Net| {
        net.freeze(pull);
        net.advance(s(5));
        net.thaw(pull);
        net.advance(s(10));
        events(net, push).iter().any(|event| matches!(event, Event::Disconnected { .. }))
    };
    assert!(!is_lost(&mut net), "the present connection has no heartbeats");
    net.reset_connections(push);
    net.advance(s(10));
    events(&mut net, push);
    assert!(is_lost(&mut net), "the next connection has heartbeats");
}

#[test]
fn linger_counts_for_the_next_close() {
    let mut net = Net::seeded(1);
    let push = connected(&mut net, push());
    net[push].send("x").unwrap();
    let options = net[push].options::<Push>().unwrap().linger(ms(0));
    net[push].set_options(options).unwrap();
    let now = net.now();
    net[push].close(now);
    net.settle();
    assert!(net[push].is_closed(), "no message lingers");
}

#[test]
fn security_changes_before_the_first_endpoint_only() {
    let plain = || Security::plain_client("ann", "secret").unwrap();
    let mut socket = Socket::new(Options::<Dealer>::new(), SystemEntropy);
    let options = socket.options::<Dealer>().unwrap();
    socket.set_options(options.security(plain()).conflate(true)).unwrap();
    let mut net = Net::seeded(1);
    let push = connected(&mut net, push());
    let options = net[push].options::<Push>().unwrap().send_hwm(1);
    let error = net[push].set_options(options.security(plain())).unwrap_err();
    assert_eq!(error, SetOptionsError::InUse("security"));
    for _ in 0..2 {
        net[push].send("x").expect("no option has changed");
    }
    let error = net[push].set_options(Options::<Push>::new().conflate(true)).unwrap_err();
    assert!(
        error.to_string().starts_with("`conflate` can change only before the first `bind` or `connect`"),
        "{error}"
    );
    net[push].set_options(Options::<Push>::new()).expect("new options differ in none that is fixed");
}

#[test]
fn options_of_another_type_are_refused() {
    let mut socket = Socket::new(Options::<Pull>::new(), SystemEntropy);
    assert!(socket.options::<Push>().is_none() && socket.options::<Any>().is_some());
    let error = socket.set_options(Options::<Push>::new()).unwrap_err();
    assert!(matches!(error, SetOptionsError::OtherType { .. }), "{error}");
    assert_eq!(socket.recv(), Err(RecvError::Empty));
}

#[test]
fn subscription_before_manual_can_be_cancelled_afterwards() {
    let mut net = Net::seeded(1);
    let xpub = bound(&mut net, Options::<XPub>::new());
    let sub = connected(&mut net, Options::<Sub>::new());
    net[sub].subscribe("a").unwrap();
    net.settle();
    let options = net[xpub].options::<XPub>().unwrap().manual(true);
    net[xpub].set_options(options).unwrap();
    assert_eq!(net[xpub].subscriber_count("a"), 1, "the subscription stays in effect");
    net[sub].unsubscribe("a").unwrap();
    net.settle();
    assert_eq!(bodies(&recv_all(&mut net, xpub)), ["\u{1}a", "\0a"]);
    net[xpub].unsubscribe("a").unwrap();
    assert_eq!(net[xpub].subscriber_count("a"), 0);
}

#[test]
fn requests_take_effect_when_manual_is_turned_off() {
    let mut net = Net::seeded(1);
    let xpub = bound(&mut net, Options::<XPub>::new().manual(true));
    let empty = net[xpub].stats().held.subscriptions;
    let sub = connected(&mut net, Options::<Sub>::new());
    for number in 0..1000 {
        net[sub].subscribe(number.to_string()).unwrap();
    }
    net.settle();
    let options = net[xpub].options::<XPub>().unwrap().manual(false);
    net[xpub].set_options(options).unwrap();
    assert_eq!(net[xpub].subscriber_count("7"), 1);
    let now = net.now();
    net[sub].close(now);
    net.advance(s(20));
    recv_all(&mut net, xpub);
    let held = net[xpub].stats().held.subscriptions;
    assert!(held < empty + 10_000, "{held} bytes are held for the subscriptions of a peer that has left");
}

#[test]
fn message_for_all_follows_when_manual_last_value_ends() {
    let mut net = Net::seeded(1);
    let xpub = bound(&mut net, Options::<XPub>::new());
    let [one, other] = [1, 2].map(|_| connected(&mut net, Options::<Sub>::new()));
    net[one].subscribe("a").unwrap();
    net.settle();
    let options = net[xpub].options::<XPub>().unwrap();
    net[xpub].set_options(options.clone().manual_last_value(true)).unwrap();
    net[other].subscribe("a").unwrap();
    net.settle();
    recv_all(&mut net, xpub);
    net[xpub].subscribe("a").unwrap();
    net[xpub].set_options(options).unwrap();
    net[xpub].send("a").unwrap();
    net.settle();
    assert_eq!([one, other].map(|sub| recv_all(&mut net, sub).len()), [1, 1]);
}

#[test]
fn verboser_cancels_no_more_than_was_reported_before() {
    let mut net = Net::seeded(1);
    let xpub = bound(&mut net, Options::<XPub>::new());
    let subs = [1, 2].map(|_| connected(&mut net, Options::<Sub>::new()));
    for sub in subs {
        net[sub].subscribe("a").unwrap();
        net.settle();
    }
    assert_eq!(bodies(&recv_all(&mut net, xpub)), ["\u{1}a"]);
    let options = net[xpub].options::<XPub>().unwrap().verboser(true);
    net[xpub].set_options(options).unwrap();
    net[subs[0]].unsubscribe("a").unwrap();
    net.settle();
    assert_eq!(net[xpub].recv(), Err(RecvError::Empty), "a proxy would end the subscription of the other peer");
    net[subs[1]].unsubscribe("a").unwrap();
    net.settle();
    assert_eq!(bodies(&recv_all(&mut net, xpub)), ["\0a"]);
}

#[test]
fn changed_socks_proxy_does_not_count_for_a_dial_under_way() {
    let first_byte = |before: Options<Push>, after: Options<Push>| {
        let mut socket = Socket::new(before, SystemEntropy);
        let pipe = socket.connect("tcp://place:1".parse().unwrap(), Instant::ORIGIN).unwrap();
        socket.set_options(after).unwrap();
        let mut connection = socket.connected(pipe, Instant::ORIGIN).unwrap();
        connection.poll_transmit().unwrap().chunk()[0]
    };
    let proxy = || push().socks_proxy_as("proxy:1080", "ann", "secret").unwrap();
    let (greeting, socks) = (0xff, 5);
    assert_eq!(first_byte(push(), proxy()), greeting, "the password is for the proxy, not for this endpoint");
    assert_eq!(first_byte(proxy(), push()), socks, "the proxy expects a request");
}

#[test]
fn inverted_matching_drops_queued_messages_and_is_announced() {
    let mut net = Net::seeded(1);
    let publisher = bound(&mut net, Options::<Pub>::new());
    let sub = connected(&mut net, Options::<Sub>::new());
    net[sub].subscribe("a").unwrap();
    net.settle();
    net[publisher].send("a").unwrap();
    net.settle();
    let options = net[sub].options::<Sub>().unwrap().invert_matching(true);
    net[sub].set_options(options).unwrap();
    assert_eq!(net[sub].recv(), Err(RecvError::Empty), "the message matches no longer");
    net[publisher].take_peers_changed();
    let options = net[publisher].options::<Pub>().unwrap().invert_matching(true);
    net[publisher].set_options(options).unwrap();
    assert_eq!(net[publisher].subscriber_count("b"), 1);
    assert!(net[publisher].take_peers_changed(), "a call that waits for subscribers looks again");
}

#[test]
fn immediate_turned_off_makes_room_at_unfinished_dials() {
    let mut net = Net::seeded(1);
    let push = connected(&mut net, push().immediate(true));
    assert!(matches!(net[push].send("x"), Err(SendError::Full(_))));
    let options = net[push].options::<Push>().unwrap().immediate(false);
    net[push].set_options(options).unwrap();
    net[push].send("x").expect("the dial has a queue");
    let options = net[push].options::<Push>().unwrap().immediate(true);
    net[push].set_options(options).unwrap();
    assert!(matches!(net[push].send("x"), Err(SendError::Full(_))));
}

#[test]
fn waiting_send_completes_when_mandatory_is_turned_off() {
    let mut socket = Socket::new(Options::<Router>::new().mandatory(true).send_hwm(1), SystemEntropy);
    let pipe = socket.connect_as("tcp://place:1".parse().unwrap(), "bob", Instant::ORIGIN).unwrap();
    socket.send(["bob", "first"]).unwrap();
    assert!(matches!(socket.send(["bob", "second"]), Err(SendError::Full(_))));
    assert!(!socket.can_complete_sends(1, Some(pipe)));
    let options = socket.options::<Router>().unwrap().mandatory(false);
    socket.set_options(options).unwrap();
    assert!(socket.can_complete_sends(1, Some(pipe)), "the message is dropped");
    socket.send(["bob", "second"]).unwrap();
}

#[test]
fn only_first_subscribe_turned_off_counts_at_once() {
    let mut net = Net::seeded(1);
    let xpub = bound(&mut net, Options::<XPub>::new());
    let xsub = connected(&mut net, Options::<XSub>::new());
    net.settle();
    for (is_only_first, subscribers) in [(true, 0), (false, 1)] {
        let options = net[xpub].options::<XPub>().unwrap().only_first_subscribe(is_only_first);
        net[xpub].set_options(options).unwrap();
        net[xsub].send(["x", "\u{1}a"]).unwrap();
        net.settle();
        assert_eq!(net[xpub].subscriber_count("a"), subscribers);
    }
}

#[test]
fn stream_notices_of_a_connection_are_both_sent_or_none() {
    for is_on in [false, true] {
        let mut net = Net::seeded(1);
        let stream = bound(&mut net, Options::<Stream>::new().notify(is_on));
        let peer = connected(&mut net, Options::<Stream>::new());
        net.settle();
        let options = net[stream].options::<Stream>().unwrap().notify(!is_on);
        net[stream].set_options(options).unwrap();
        let now = net.now();
        net[peer].close(now);
        net.settle();
        assert_eq!(recv_all(&mut net, stream).len(), if is_on { 2 } else { 0 });
    }
}
