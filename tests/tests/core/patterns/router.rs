//! Tests of the behaviour of ROUTER sockets.

use super::pipeline::assert_fair_queued;
use super::{PLACE, fan, message, net, star};
use core::time::Duration;
use sansmq_proto::kind::{Dealer, Req, Router};
use sansmq_proto::socket::{ConnectError, DropReason};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Event, Frame, Message, Options, RecvError, SendError};
use sansmq_tests::{bodies, dropped, endings, events, for_seeds, recv_all};
use std::collections::BTreeSet;

fn router() -> Options<Router> {
    Options::new()
}

fn dealer() -> Options<Dealer> {
    Options::new()
}

fn named(id: &str) -> Options<Dealer> {
    dealer().routing_id(id).unwrap()
}

/// Receives a message at a ROUTER, and returns the routing id of its sender.
fn recv_routing_id(net: &mut Net, router: NodeId) -> Frame {
    net.settle();
    net[router].recv().expect("a message has arrived").head().clone()
}

#[test]
fn router_addresses_peers_by_their_routing_id() {
    let mut net = net();
    let (router, [ann, bob]) = star(&mut net, router(), [named("ann"), named("bob")]);
    net[ann].send("from ann").unwrap();
    net[bob].send(["", "from bob"]).unwrap();
    net.settle();
    assert_eq!(net[router].recv().unwrap(), message(["ann", "from ann"]));
    assert_eq!(net[router].recv().unwrap(), message(["bob", "", "from bob"]));
    net[router].send(["bob", "a", "b"]).unwrap();
    net[router].send(["ann", ""]).unwrap();
    net.settle();
    assert_eq!(net[bob].recv().unwrap(), message(["a", "b"]));
    assert_eq!(net[ann].recv().unwrap(), message([""]));
}

#[test]
fn router_receives_fair_queued() {
    let mut net = net();
    let (router, dealers) = star(&mut net, router(), [dealer(), dealer(), dealer()]);
    assert_fair_queued(&mut net, router, dealers);
}

#[test]
fn router_reaches_100_dealers_within_a_second() {
    let mut net = Net::seeded(1).latency(Duration::ZERO..=Duration::from_millis(50));
    let router = net.socket(router().mandatory(true));
    net.bind(router, PLACE);
    let names: Vec<_> = (0..100).map(|number| format!("dealer {number}")).collect();
    let dealers: Vec<_> = names.iter().map(|name| net.socket(named(name))).collect();
    for &dealer in &dealers {
        net.connect(dealer, PLACE);
    }
    net.advance(Duration::from_secs(1));
    for name in &names {
        net[router].send((name.as_str(), name.as_str())).unwrap();
    }
    for (dealer, name) in dealers.into_iter().zip(&names) {
        assert_eq!(bodies(&recv_all(&mut net, dealer)), [name.as_str()]);
    }
}

/// Creates a mandatory ROUTER that has dialled a DEALER with the routing id `first`, and then replaces this DEALER by one
/// with the options `second`. Two messages for the first DEALER are queued in between.
fn replaced_peer(first: Options<Dealer>, id: impl Into<Frame>, second: Options<Dealer>) -> (Net, NodeId, NodeId) {
    let mut net = net();
    let (router, dealer) = (net.socket(router().mandatory(true)), net.socket(first));
    net.bind(dealer, PLACE);
    net.connect(router, PLACE);
    net.settle();
    let id = id.into();
    net.restart(dealer, second);
    net.settle();
    for body in ["first", "second"] {
        net[router].send(Message::from([id.clone(), body.into()])).expect("the routing id outlives the connection");
    }
    events(&mut net, router);
    net.bind(dealer, PLACE);
    net.advance(Duration::from_secs(5));
    (net, router, dealer)
}

#[test]
fn router_keeps_queue_for_a_peer_with_the_same_or_no_id() {
    for second in [named("ann"), dealer()] {
        let (mut net, router, dealer) = replaced_peer(named("ann"), "ann", second);
        assert_eq!(bodies(&recv_all(&mut net, dealer)), ["first", "second"]);
        net[dealer].send("back").unwrap();
        assert_eq!(recv_routing_id(&mut net, router), "ann");
    }
}

#[test]
fn router_gives_another_peer_at_the_endpoint_its_own_id() {
    let (mut net, router, dealer) = replaced_peer(named("ann"), "ann", named("bob"));
    assert_eq!(bodies(&recv_all(&mut net, dealer)), Vec::<String>::new(), "the messages were for ann");
    assert_eq!(dropped(&events(&mut net, router), DropReason::Undelivered), 2);
    assert!(matches!(net[router].send(["ann", "lost"]), Err(SendError::Unroutable(_))));
    net[dealer].send("hello").unwrap();
    assert_eq!(recv_routing_id(&mut net, router), "bob");
    net[router].send(["bob", "welcome"]).unwrap();
    assert_eq!(bodies(&recv_all(&mut net, dealer)), ["welcome"]);
}

#[test]
fn router_replaces_a_generated_id_by_that_of_a_named_peer() {
    let mut net = net();
    let (router, dealer) = (net.socket(router().mandatory(true)), net.socket(dealer()));
    net.bind(dealer, PLACE);
    net.connect(router, PLACE);
    net.settle();
    net[dealer].send("hello").unwrap();
    let generated = recv_routing_id(&mut net, router);
    net.restart(dealer, named("ann"));
    net.bind(dealer, PLACE);
    net.advance(Duration::from_secs(5));
    net[dealer].send("hello").unwrap();
    assert_eq!(recv_routing_id(&mut net, router), "ann");
    assert!(net[router].send(Message::from([generated, "lost".into()])).is_err());
}

#[test]
fn given_id_stays_with_any_peer_at_the_endpoint() {
    let mut net = net();
    let (router, dealer) = (net.socket(router().mandatory(true)), net.socket(named("ann")));
    net.bind(dealer, PLACE);
    let now = net.now();
    net[router].connect_as(PLACE.parse().unwrap(), "place", now).unwrap();
    net.settle();
    net.restart(dealer, named("bob"));
    net.settle();
    net[router].send(["place", "hello"]).unwrap();
    net.bind(dealer, PLACE);
    net.advance(Duration::from_secs(5));
    assert_eq!(bodies(&recv_all(&mut net, dealer)), ["hello"]);
    net[dealer].send("back").unwrap();
    assert_eq!(recv_routing_id(&mut net, router), "place");
}

#[test]
fn router_keeps_learned_id_while_a_rejected_peer_dials() {
    let mut net = net();
    let (router, dealer) = (net.socket(router().mandatory(true)), net.socket(named("ann")));
    let bob = net.socket(named("bob"));
    net.bind(dealer, PLACE);
    net.bind(router, "tcp://router:1");
    net.connect(bob, "tcp://router:1");
    net.connect(router, PLACE);
    net.settle();
    net.restart(dealer, named("bob"));
    net.bind(dealer, PLACE);
    net[router].send(["ann", "kept"]).unwrap();
    net.advance(Duration::from_secs(5));
    assert_eq!(bodies(&recv_all(&mut net, dealer)), Vec::<String>::new(), "another peer has its routing id");
    net.restart(dealer, named("ann"));
    net.bind(dealer, PLACE);
    net.advance(Duration::from_mins(1));
    assert_eq!(bodies(&recv_all(&mut net, dealer)), ["kept"]);
}

#[test]
fn disconnected_endpoint_does_not_give_its_queue_to_another_peer() {
    for (second, expected) in [(named("bob"), &[][..]), (named("ann"), &["first"])] {
        let mut net = net();
        let (router, dealer) = (net.socket(router().linger(None)), net.socket(named("ann")));
        net.bind(dealer, PLACE);
        net.connect(router, PLACE);
        net.settle();
        net.restart(dealer, second);
        net.settle();
        net[router].send(["ann", "first"]).unwrap();
        let now = net.now();
        net[router].disconnect(&PLACE.parse().unwrap(), now).unwrap();
        events(&mut net, router);
        net.bind(dealer, PLACE);
        net.advance(Duration::from_secs(5));
        assert_eq!(bodies(&recv_all(&mut net, dealer)), expected);
        assert_eq!(dropped(&events(&mut net, router), DropReason::Undelivered), 1 - expected.len());
        assert_eq!(net.connections(router), 0);
    }
}

#[test]
fn router_discards_the_queue_of_a_lost_peer() {
    let mut net = net().capacity(2000).chunks(1..=900);
    let (router, [ann]) = star(&mut net, router(), [named("ann")]);
    net.freeze(ann);
    for _ in 0..10 {
        net[router].send((Frame::from("ann"), vec![1; 5000])).unwrap();
    }
    net.settle();
    net.thaw(ann);
    net.reset_connections(ann);
    net.advance(Duration::from_secs(20));
    net[router].send(["ann", "welcome back"]).unwrap();
    assert_eq!(bodies(&recv_all(&mut net, ann)), ["welcome back"]);
}

#[test]
fn router_assigns_ids_of_a_zero_and_40_random_bits() {
    let mut ids = BTreeSet::new();
    let mut bytes = [BTreeSet::new(), BTreeSet::new()];
    for seed in 0..5 {
        let mut net = Net::seeded(seed);
        let (router, dealers) = star(&mut net, router(), [(); 20].map(|()| dealer()));
        for dealer in dealers {
            net[dealer].send("hello").unwrap();
            let id = recv_routing_id(&mut net, router);
            assert_eq!((id.len(), id[0]), (9, 0));
            bytes[0].insert(id[1]);
            bytes[1].insert(id[5]);
            net[router].send((id.clone(), "reply")).unwrap();
            assert_eq!(bodies(&recv_all(&mut net, dealer)), ["reply"]);
            assert!(ids.insert(id), "a routing id was assigned twice");
        }
    }
    assert!(bytes.iter().all(|seen| seen.len() > 60), "first and last random byte must vary");
}

#[test]
fn router_requires_a_routing_id_and_a_body() {
    let mut net = net();
    for options in [router(), router().mandatory(true)] {
        let router = net.socket(options);
        let Err(SendError::Unaddressed(returned)) = net[router].send("alone") else {
            panic!("a message of one frame must be rejected");
        };
        assert_eq!(returned, message(["alone"]));
    }
}

#[test]
fn router_drops_and_counts_a_message_to_an_unknown_peer() {
    let mut net = net();
    let (router, [dealer]) = star(&mut net, router(), [named("ann")]);
    net[router].send(["bob", "x"]).unwrap();
    net[router].send(["", "x"]).unwrap();
    assert_eq!(dropped(&events(&mut net, router), DropReason::Unroutable), 2);
    assert!(recv_all(&mut net, dealer).is_empty());
}

#[test]
fn mandatory_router_returns_an_unroutable_message() {
    let mut net = net();
    let (router, [ann]) = star(&mut net, router().mandatory(true), [named("ann").no_reconnect()]);
    let Err(SendError::Unroutable(returned)) = net[router].send(["bob", "x"]) else {
        panic!("no peer has the routing id bob");
    };
    assert_eq!(returned, message(["bob", "x"]));
    net[router].send(["ann", "x"]).unwrap();
    net.settle();
    net.reset_connections(ann);
    net.settle();
    assert!(matches!(net[router].send(["ann", "x"]), Err(SendError::Unroutable(_))));
    assert_eq!(dropped(&events(&mut net, router), DropReason::Unroutable), 0);
}

#[test]
fn full_peer_blocks_a_mandatory_router_only() {
    for mandatory in [true, false] {
        let mut net = net().capacity(2000).chunks(1..=900);
        let slow = named("slow").recv_hwm(1);
        let (router, [slow, fast]) = star(&mut net, router().send_hwm(3).mandatory(mandatory), [slow, named("fast")]);
        let mut sent = 0;
        while dropped(&events(&mut net, router), DropReason::PeerFull) == 0 {
            match net[router].send((Frame::from("slow"), vec![1; 5000])) {
                Ok(()) => sent += 1,
                Err(SendError::Full(returned)) => {
                    assert_eq!(returned.head(), "slow");
                    break;
                }
                Err(other) => panic!("{other}"),
            }
            net.settle();
            assert!(sent < 100, "the high-water mark is never reached");
        }
        net[router].send(["fast", "x"]).unwrap();
        assert_eq!(recv_all(&mut net, fast).len(), 1);
        let arrived = recv_all(&mut net, slow).len();
        assert_eq!(arrived, if mandatory { sent } else { sent - 1 });
        net[router].send(["slow", "again"]).unwrap();
        assert_eq!(bodies(&recv_all(&mut net, slow)), ["again"]);
    }
}

#[test]
fn router_rejects_a_duplicate_id_until_the_first_peer_left() {
    let mut net = net();
    let (router, [first]) = star(&mut net, router(), [named("ann").no_reconnect()]);
    let second = net.socket(named("ann"));
    net[first].send("first").unwrap();
    net.connect(second, PLACE);
    net.settle();
    assert_eq!(net.connections(router), 1);
    assert!(endings(&events(&mut net, router))[0].contains("another peer already has this routing id"));
    net[router].send(["ann", "to first"]).unwrap();
    assert_eq!(bodies(&recv_all(&mut net, first)), ["to first"]);
    net.reset_connections(first);
    net.advance(Duration::from_secs(10));
    net[router].send(["ann", "to second"]).unwrap();
    assert_eq!(bodies(&recv_all(&mut net, second)), ["to second"]);
}

#[test]
fn router_drops_messages_of_a_rejected_peer() {
    // A delayed READY arrives in one read with the message that follows it.
    for_seeds(50, |seed| {
        let mut net = Net::seeded(seed).latency(Duration::ZERO..=Duration::from_millis(20));
        let (router, [_first]) = star(&mut net, router(), [named("ann")]);
        let second = net.socket(named("ann").no_reconnect());
        net.connect(second, PLACE);
        net[second].send("hello").unwrap();
        net.settle();
        assert_eq!(net[router].recv(), Err(RecvError::Empty));
    });
}

#[test]
fn handover_closes_the_old_peer_and_routes_to_the_new_one() {
    let mut net = net();
    let (router, [old]) = star(&mut net, router().handover(true), [named("ann").no_reconnect()]);
    net[old].send("old").unwrap();
    net.settle();
    let new = net.socket(named("ann").no_reconnect());
    net.connect(new, PLACE);
    net.settle();
    assert_eq!((net.connections(router), net.connections(old), net.connections(new)), (1, 0, 1));
    assert_eq!(endings(&events(&mut net, router)), ["a newer connection took over the peer's routing id"]);
    net[router].send(["ann", "to new"]).unwrap();
    net[new].send("new").unwrap();
    assert_eq!(bodies(&recv_all(&mut net, new)), ["to new"]);
    assert_eq!(recv_all(&mut net, router), [message(["ann", "old"]), message(["ann", "new"])]);
}

#[test]
fn handover_keeps_the_routing_id_on_queued_messages() {
    let mut net = net();
    let (router, [old]) = star(&mut net, router().handover(true).recv_hwm(2), [named("ann").no_reconnect()]);
    for number in 0..50 {
        net[old].send(format!("old {number}")).unwrap();
    }
    net.settle();
    let new = net.socket(named("ann"));
    net.connect(new, PLACE);
    let received = recv_all(&mut net, router);
    assert!(received.iter().all(|message| message.head() == "ann"), "{received:?}");
}

#[test]
fn connect_as_id_is_valid_before_and_after_connecting() {
    let mut net = net();
    let router = net.socket(router().mandatory(true));
    let now = net.now();
    net[router].connect_as(PLACE.parse().unwrap(), "chosen", now).unwrap();
    net[router].send(["chosen", "early"]).unwrap();
    let dealer = net.socket(named("own name"));
    net.bind(dealer, PLACE);
    net.advance(Duration::from_secs(1));
    assert_eq!(bodies(&recv_all(&mut net, dealer)), ["early"]);
    net[dealer].send("hi").unwrap();
    assert_eq!(recv_all(&mut net, router), [message(["chosen", "hi"])]);
    assert!(matches!(net[router].send(["own name", "x"]), Err(SendError::Unroutable(_))));

    net.reset_connections(router);
    net.advance(Duration::from_secs(1));
    net[router].send(["chosen", "again"]).unwrap();
    assert_eq!(bodies(&recv_all(&mut net, dealer)), ["again"], "the routing id is kept across connections");
}

#[test]
fn connect_as_rejects_used_and_invalid_ids() {
    let mut net = net();
    let (router, [_ann]) = star(&mut net, router(), [named("ann")]);
    let (now, endpoint) = (net.now(), || "tcp://other:1".parse().unwrap());
    assert_eq!(net[router].connect_as(endpoint(), "ann", now).unwrap_err(), ConnectError::RoutingIdTaken);
    assert_eq!(net[router].connect_as(endpoint(), "", now).unwrap_err(), ConnectError::RoutingId(0));
    assert_eq!(net[router].connect_as(endpoint(), vec![1; 256], now).unwrap_err(), ConnectError::RoutingId(256));
    assert_eq!(net[router].peers(), 1);
    net[router].connect_as(endpoint(), vec![1; 255], now).unwrap();
}

#[test]
fn disconnect_frees_the_id_of_connect_as() {
    let mut net = net();
    let router = net.socket(router());
    let (now, endpoint) = (net.now(), || "tcp://nowhere:1".parse().unwrap());
    net[router].connect_as(endpoint(), "name", now).unwrap();
    net[router].disconnect(&endpoint(), now).unwrap();
    net[router].connect_as(endpoint(), "name", now).unwrap();
}

#[test]
fn probe_announces_a_peer_before_its_messages() {
    let mut net = net();
    let (router, [dealer]) = star(&mut net, router(), [named("ann").probe_router(true)]);
    assert_eq!(recv_all(&mut net, router), [message(["ann", ""])]);
    net.reset_connections(dealer);
    net.settle();
    net[dealer].send("queued").unwrap();
    net.advance(Duration::from_secs(1));
    let received = recv_all(&mut net, router);
    assert_eq!(
        received,
        [message(["ann", ""]), message(["ann", "queued"])],
        "the probe is the first message on each connection"
    );

    let mut net = super::net();
    let (req, [probed]) =
        fan(&mut net, Options::<Req>::new().routing_id("req").unwrap().probe_router(true), [Options::<Router>::new()]);
    net[req].send("q").unwrap();
    assert_eq!(recv_all(&mut net, probed), [message(["req", ""]), message(["req", "", "q"])]);
}

#[test]
fn probing_router_is_addressable_by_other_routers() {
    let mut net = net();
    let (bound, [other]) = star(&mut net, router(), [router().routing_id("other").unwrap().probe_router(true)]);
    assert_eq!(recv_all(&mut net, bound), [message(["other", ""])]);
    net[bound].send(["other", "hello"]).unwrap();
    let received = recv_all(&mut net, other);
    assert_eq!((bodies(&received), received[0].head().len()), (vec!["hello".to_owned()], 9));
}

#[test]
fn message_of_a_lost_peer_keeps_its_routing_id() {
    let mut net = net();
    let (router, [dealer]) = star(&mut net, router(), [named("ann").no_reconnect()]);
    net[dealer].send("last message").unwrap();
    net.settle();
    net.reset_connections(dealer);
    net.settle();
    assert_eq!(net[router].recv().unwrap(), message(["ann", "last message"]));
    net[router].send(["ann", "too late"]).unwrap();
    let events = events(&mut net, router);
    assert_eq!(dropped(&events, DropReason::Unroutable), 1);
    assert!(events.iter().any(|event| matches!(event, Event::Ready { peer, .. } if peer.routing_id == "ann")));
    assert_eq!(net[router].peers(), 0);
}

#[test]
fn routing_ids_may_be_binary_and_255_bytes_long() {
    let mut net = net();
    let ids = [vec![0; 255], vec![0, 1], vec![255, 0, 255]];
    let (router, dealers) = star(&mut net, router(), ids.clone().map(|id| dealer().routing_id(id).unwrap()));
    for (id, dealer) in ids.into_iter().zip(dealers) {
        net[router].send(Message::from([Frame::from(id), "x".into()])).unwrap();
        assert_eq!(recv_all(&mut net, dealer).len(), 1);
    }
}
