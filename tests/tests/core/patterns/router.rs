//! ROUTER.

use super::pipeline::receives_in_turn;
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

/// The routing id under which a ROUTER knows the peer that has just said something.
fn id_of_speaker(net: &mut Net, router: NodeId) -> Frame {
    net.settle();
    net[router].recv().expect("somebody has spoken").head().clone()
}

#[test]
fn a_router_knows_peers_by_the_ids_they_chose() {
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
fn a_router_receives_from_its_peers_in_turn() {
    let mut net = net();
    let (router, dealers) = star(&mut net, router(), [dealer(), dealer(), dealer()]);
    receives_in_turn(&mut net, router, dealers);
}

#[test]
fn a_hundred_dealers_can_be_spoken_to_within_a_second() {
    let mut net = Net::seeded(1).latency(Duration::ZERO..=Duration::from_millis(50));
    let router = net.socket(router().mandatory(true));
    net.bind(router, PLACE);
    let names: Vec<_> = (0..100).map(|number| format!("dealer {number}")).collect();
    let dealers: Vec<_> = names.iter().map(|name| net.socket(named(name))).collect();
    for &dealer in &dealers {
        net.connect(dealer, PLACE);
    }
    net.pass(Duration::from_secs(1));
    for name in &names {
        net[router].send((name.as_str(), name.as_str())).unwrap();
    }
    for (dealer, name) in dealers.into_iter().zip(&names) {
        assert_eq!(bodies(&recv_all(&mut net, dealer)), [name.as_str()]);
    }
}

#[test]
fn what_is_queued_for_a_peer_is_gone_with_it() {
    let mut net = net().capacity(2000).chunks(1..=900);
    let (router, [ann]) = star(&mut net, router(), [named("ann")]);
    net.freeze(ann);
    for _ in 0..10 {
        net[router].send((Frame::from("ann"), vec![1; 5000])).unwrap();
    }
    net.settle();
    net.thaw(ann);
    net.cut(ann);
    net.pass(Duration::from_secs(20));
    net[router].send(["ann", "welcome back"]).unwrap();
    assert_eq!(bodies(&recv_all(&mut net, ann)), ["welcome back"]);
}

#[test]
fn other_peers_get_an_id_of_a_zero_and_64_bits_nobody_can_guess() {
    let mut ids = BTreeSet::new();
    let mut octets = [BTreeSet::new(), BTreeSet::new()];
    for seed in 0..5 {
        let mut net = Net::seeded(seed);
        let (router, dealers) = star(&mut net, router(), [(); 20].map(|()| dealer()));
        for dealer in dealers {
            net[dealer].send("I am").unwrap();
            let id = id_of_speaker(&mut net, router);
            assert_eq!((id.len(), id[0]), (9, 0));
            octets[0].insert(id[1]);
            octets[1].insert(id[8]);
            net[router].send((id.clone(), "you are")).unwrap();
            assert_eq!(bodies(&recv_all(&mut net, dealer)), ["you are"]);
            assert!(ids.insert(id), "ids are not repeated");
        }
    }
    assert!(octets.iter().all(|seen| seen.len() > 60), "first and last octet vary");
}

#[test]
fn a_message_needs_an_address_and_a_body() {
    let mut net = net();
    for options in [router(), router().mandatory(true)] {
        let router = net.socket(options);
        let Err(SendError::Unaddressed(given_back)) = net[router].send("alone") else {
            panic!("one frame is not enough");
        };
        assert_eq!(given_back, message(["alone"]));
    }
}

#[test]
fn a_message_to_nobody_is_dropped_and_it_is_told() {
    let mut net = net();
    let (router, [dealer]) = star(&mut net, router(), [named("ann")]);
    net[router].send(["bob", "x"]).unwrap();
    net[router].send(["", "x"]).unwrap();
    assert_eq!(dropped(&events(&mut net, router), DropReason::Unroutable), 2);
    assert!(recv_all(&mut net, dealer).is_empty());
}

#[test]
fn mandatory_gives_a_message_to_nobody_back() {
    let mut net = net();
    let (router, [ann]) = star(&mut net, router().mandatory(true), [named("ann").no_reconnect()]);
    let Err(SendError::Unroutable(given_back)) = net[router].send(["bob", "x"]) else {
        panic!("bob is not there");
    };
    assert_eq!(given_back, message(["bob", "x"]));
    net[router].send(["ann", "x"]).unwrap();
    net.settle();
    net.cut(ann);
    net.settle();
    assert!(matches!(net[router].send(["ann", "x"]), Err(SendError::Unroutable(_))));
    assert_eq!(dropped(&events(&mut net, router), DropReason::Unroutable), 0);
}

#[test]
fn mandatory_waits_for_a_peer_without_room_which_otherwise_is_passed_over() {
    for mandatory in [true, false] {
        let mut net = net().capacity(2000).chunks(1..=900);
        let lazy = named("lazy").recv_hwm(1);
        let (router, [lazy, brisk]) = star(&mut net, router().send_hwm(3).mandatory(mandatory), [lazy, named("brisk")]);
        let mut sent = 0;
        while dropped(&events(&mut net, router), DropReason::PeerFull) == 0 {
            match net[router].send((Frame::from("lazy"), vec![1; 5000])) {
                Ok(()) => sent += 1,
                Err(SendError::Full(given_back)) => {
                    assert_eq!(given_back.head(), "lazy");
                    break;
                }
                Err(other) => panic!("{other}"),
            }
            net.settle();
            assert!(sent < 100, "the mark is never reached");
        }
        net[router].send(["brisk", "x"]).unwrap();
        assert_eq!(recv_all(&mut net, brisk).len(), 1);
        let arrived = recv_all(&mut net, lazy).len();
        assert_eq!(arrived, if mandatory { sent } else { sent - 1 });
        net[router].send(["lazy", "again"]).unwrap();
        assert_eq!(bodies(&recv_all(&mut net, lazy)), ["again"]);
    }
}

#[test]
fn a_second_peer_of_the_same_id_is_refused_and_heard_when_the_first_is_gone() {
    let mut net = net();
    let (router, [first]) = star(&mut net, router(), [named("ann").no_reconnect()]);
    let second = net.socket(named("ann"));
    net[first].send("first").unwrap();
    net.connect(second, PLACE);
    net.settle();
    assert_eq!(net.connections(router), 1);
    assert!(endings(&events(&mut net, router))[0].contains("another peer already has this routing id"));
    net[router].send(["ann", "who?"]).unwrap();
    assert_eq!(bodies(&recv_all(&mut net, first)), ["who?"]);
    net.cut(first);
    net.pass(Duration::from_secs(10));
    net[router].send(["ann", "and now?"]).unwrap();
    assert_eq!(bodies(&recv_all(&mut net, second)), ["and now?"]);
}

#[test]
fn nothing_a_refused_peer_said_is_delivered() {
    // A slow READY arrives in one piece with the message behind it.
    for_seeds(50, |seed| {
        let mut net = Net::seeded(seed).latency(Duration::ZERO..=Duration::from_millis(20));
        let (router, [_first]) = star(&mut net, router(), [named("ann")]);
        let second = net.socket(named("ann").no_reconnect());
        net.connect(second, PLACE);
        net[second].send("who am I?").unwrap();
        net.settle();
        assert_eq!(net[router].recv(), Err(RecvError::Empty));
    });
}

#[test]
fn handover_closes_the_loser_with_a_reason_and_the_winner_gets_what_follows() {
    let mut net = net();
    let (router, [old]) = star(&mut net, router().handover(true), [named("ann").no_reconnect()]);
    net[old].send("old").unwrap();
    net.settle();
    let new = net.socket(named("ann").no_reconnect());
    net.connect(new, PLACE);
    net.settle();
    assert_eq!((net.connections(router), net.connections(old), net.connections(new)), (1, 0, 1));
    assert_eq!(endings(&events(&mut net, router)), ["a newer connection took the peer's routing id over"]);
    net[router].send(["ann", "you"]).unwrap();
    net[new].send("new").unwrap();
    assert_eq!(bodies(&recv_all(&mut net, new)), ["you"]);
    assert_eq!(recv_all(&mut net, router), [message(["ann", "old"]), message(["ann", "new"])]);
}

#[test]
fn a_loser_of_handover_is_not_heard_without_a_name() {
    let mut net = net();
    let (router, [old]) = star(&mut net, router().handover(true).recv_hwm(2), [named("ann").no_reconnect()]);
    for number in 0..50 {
        net[old].send(format!("old {number}")).unwrap();
    }
    net.settle();
    let new = net.socket(named("ann"));
    net.connect(new, PLACE);
    let got = recv_all(&mut net, router);
    assert!(got.iter().all(|message| message.head() == "ann"), "{got:?}");
}

#[test]
fn connect_as_names_a_peer_before_it_is_there() {
    let mut net = net();
    let router = net.socket(router().mandatory(true));
    let now = net.now();
    net[router].connect_as(PLACE.parse().unwrap(), "chosen", now).unwrap();
    net[router].send(["chosen", "early"]).unwrap();
    let dealer = net.socket(named("own name"));
    net.bind(dealer, PLACE);
    net.pass(Duration::from_secs(1));
    assert_eq!(bodies(&recv_all(&mut net, dealer)), ["early"]);
    net[dealer].send("hi").unwrap();
    assert_eq!(recv_all(&mut net, router), [message(["chosen", "hi"])]);
    assert!(matches!(net[router].send(["own name", "x"]), Err(SendError::Unroutable(_))));

    net.cut(router);
    net.pass(Duration::from_secs(1));
    net[router].send(["chosen", "again"]).unwrap();
    assert_eq!(bodies(&recv_all(&mut net, dealer)), ["again"], "the name outlives the connection");
}

#[test]
fn connect_as_refuses_names_that_are_taken_or_impossible() {
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
fn a_name_is_free_again_when_its_pipe_is_disconnected() {
    let mut net = net();
    let router = net.socket(router());
    let (now, endpoint) = (net.now(), || "tcp://nowhere:1".parse().unwrap());
    net[router].connect_as(endpoint(), "name", now).unwrap();
    net[router].disconnect(&endpoint(), now).unwrap();
    net[router].connect_as(endpoint(), "name", now).unwrap();
}

#[test]
fn a_probe_makes_a_peer_known_before_it_speaks() {
    let mut net = net();
    let (router, [dealer]) = star(&mut net, router(), [named("ann").probe_router(true)]);
    assert_eq!(recv_all(&mut net, router), [message(["ann", ""])]);
    net.cut(dealer);
    net.settle();
    net[dealer].send("queued").unwrap();
    net.pass(Duration::from_secs(1));
    let got = recv_all(&mut net, router);
    assert_eq!(got, [message(["ann", ""]), message(["ann", "queued"])], "a probe on each connection, first of all");

    let mut net = super::net();
    let (req, [probed]) =
        fan(&mut net, Options::<Req>::new().routing_id("req").unwrap().probe_router(true), [Options::<Router>::new()]);
    net[req].send("q").unwrap();
    assert_eq!(recv_all(&mut net, probed), [message(["req", ""]), message(["req", "", "q"])]);
}

#[test]
fn a_probing_router_is_known_to_routers() {
    let mut net = net();
    let (bound, [other]) = star(&mut net, router(), [router().routing_id("other").unwrap().probe_router(true)]);
    assert_eq!(recv_all(&mut net, bound), [message(["other", ""])]);
    net[bound].send(["other", "hello"]).unwrap();
    let got = recv_all(&mut net, other);
    assert_eq!((bodies(&got), got[0].head().len()), (vec!["hello".to_owned()], 9));
}

#[test]
fn a_message_from_a_peer_that_left_keeps_its_address() {
    let mut net = net();
    let (router, [dealer]) = star(&mut net, router(), [named("ann").no_reconnect()]);
    net[dealer].send("last words").unwrap();
    net.settle();
    net.cut(dealer);
    net.settle();
    assert_eq!(net[router].recv().unwrap(), message(["ann", "last words"]));
    net[router].send(["ann", "too late"]).unwrap();
    let events = events(&mut net, router);
    assert_eq!(dropped(&events, DropReason::Unroutable), 1);
    assert!(events.iter().any(|event| matches!(event, Event::Ready { peer, .. } if peer.routing_id == "ann")));
    assert_eq!(net[router].peers(), 0);
}

#[test]
fn routing_ids_of_255_octets_and_of_any_octets_work() {
    let mut net = net();
    let ids = [vec![0; 255], vec![0, 1], vec![255, 0, 255]];
    let (router, dealers) = star(&mut net, router(), ids.clone().map(|id| dealer().routing_id(id).unwrap()));
    for (id, dealer) in ids.into_iter().zip(dealers) {
        net[router].send(Message::from([Frame::from(id), "x".into()])).unwrap();
        assert_eq!(recv_all(&mut net, dealer).len(), 1);
    }
}
