//! What sockets say of themselves in numbers.

use super::{PLACE, net, star};
use core::time::Duration;
use sansmq_proto::kind::{Dealer, Pair, Pub, Pull, Push, Rep, Req, Router, Sub};
use sansmq_proto::socket::{DropReason, PeerStats, TrafficCount};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Event, Options, SendError};
use sansmq_tests::{dropped, events, for_seeds, recv_all};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn tally(messages: u64, octets: u64) -> TrafficCount {
    TrafficCount { messages, octets }
}

/// Of a socket with one peer.
fn peer(net: &Net, node: NodeId) -> PeerStats {
    let mut peers = net[node].peer_stats();
    let peer = peers.next().expect("it has a peer");
    assert!(peers.next().is_none(), "it has one");
    peer
}

#[test]
fn payload_is_counted_where_it_waits_and_where_it_went() {
    let mut net = net();
    let pull = net.socket(Options::<Pull>::new());
    let push = net.socket(Options::<Push>::new());
    net.connect(push, PLACE);
    net[push].send(["four", "more"]).unwrap();
    net[push].send("x").unwrap();
    let stats = net[push].stats();
    assert_eq!((stats.peers, stats.ready_peers, stats.outgoing, stats.sent), (1, 0, tally(2, 9), tally(0, 0)));

    net.bind(pull, PLACE);
    net.pass(ms(1000));
    let stats = net[push].stats();
    assert_eq!((stats.peers, stats.ready_peers, stats.outgoing, stats.sent), (1, 1, tally(0, 0), tally(2, 9)));
    let stats = net[pull].stats();
    assert_eq!((stats.incoming, stats.received, stats.sent), (tally(2, 9), tally(2, 9), tally(0, 0)));
    net[pull].recv().unwrap();
    let stats = net[pull].stats();
    assert_eq!((stats.incoming, stats.received), (tally(1, 1), tally(2, 9)));

    let there = peer(&net, push);
    assert_eq!((there.endpoint, there.connected, there.ready), (Some(PLACE.parse().unwrap()), true, true));
    assert_eq!((there.sent, there.outgoing, there.received), (tally(2, 9), tally(0, 0), tally(0, 0)));
    assert_eq!((peer(&net, pull).incoming, peer(&net, pull).received), (tally(1, 1), tally(2, 9)));
}

#[test]
fn what_is_sent_is_what_is_received_whatever_the_pattern_adds_and_takes() {
    for_seeds(10, |seed| {
        let mut net = Net::seeded(seed).chunks(1..=9);
        let (rep, [req]) = star(&mut net, Options::<Rep>::new(), [Options::<Req>::new()]);
        for _ in 0..3 {
            net[req].send("question").unwrap();
            net.settle();
            net[rep].recv().unwrap();
            net[rep].send(vec![7; 1000]).unwrap();
            net.settle();
            net[req].recv().unwrap();
        }
        let [asking, answering] = [req, rep].map(|node| net[node].stats());
        assert_eq!((asking.sent, answering.received), (tally(3, 24), tally(3, 24)));
        assert_eq!((asking.received, answering.sent), (tally(3, 3000), tally(3, 3000)));
        assert_eq!((asking.incoming, answering.outgoing), (tally(0, 0), tally(0, 0)));
    });
}

#[test]
fn each_subscribers_copy_counts_and_peers_that_are_gone_stay_in_the_sum() {
    let mut net = net();
    let (publisher, subs) = star(&mut net, Options::<Pub>::new(), [(); 3].map(|()| Options::<Sub>::new()));
    for sub in subs {
        net[sub].subscribe("").unwrap();
    }
    net.settle();
    net[publisher].send("news").unwrap();
    net.settle();
    assert_eq!(net[publisher].stats().sent, tally(3, 12));
    let now = net.now();
    net[subs[0]].close(now);
    net.settle();
    let stats = net[publisher].stats();
    assert_eq!((stats.peers, stats.sent, stats.accepted, stats.ended), (2, tally(3, 12), 3, 1));
    assert_eq!(net[publisher].peer_stats().map(|peer| peer.sent.messages).sum::<u64>(), 2);
}

#[test]
fn drops_are_counted_by_reason_whether_or_not_anybody_monitors() {
    let mut net = net();
    let (router, [dealer]) =
        star(&mut net, Options::<Router>::new().send_hwm(2), [Options::<Dealer>::new().routing_id("d").unwrap()]);
    net[router].monitor(false);
    for _ in 0..3 {
        net[router].send(("nobody", "x")).unwrap();
    }
    for _ in 0..5 {
        net[router].send(("d", "x")).unwrap();
    }
    let drops = net[router].stats().dropped;
    assert_eq!(drops.of(DropReason::Unroutable), 3);
    assert_eq!(drops.of(DropReason::PeerFull), 3);
    assert_eq!((drops.of(DropReason::Undelivered), drops.total()), (0, 6));
    let all: Vec<_> = drops.iter().collect();
    assert_eq!(all, [(DropReason::Unroutable, 3), (DropReason::PeerFull, 3)]);

    let now = net.now();
    net[dealer].connect("tcp://nowhere:1".parse().unwrap(), now).unwrap();
    net[dealer].send("one of them goes nowhere").unwrap();
    net[dealer].send("one of them goes nowhere").unwrap();
    net.settle();
    net[dealer].close(now);
    net.pass(Duration::from_mins(1));
    assert_eq!(net[dealer].stats().dropped.of(DropReason::Undelivered), 1);
}

#[test]
fn marks_that_are_reached_and_sends_without_room_are_counted() {
    let mut net = Net::seeded(1);
    let pull = Options::<Pull>::new().recv_hwm(5);
    let (pull, [push]) = star(&mut net, pull, [Options::<Push>::new().send_hwm(10)]);
    assert_eq!((peer(&net, push).send_hwm_hits, peer(&net, pull).recv_hwm_hits), (0, 0));
    for round in 1..=3 {
        for _ in 0..10 {
            net[push].send("x").unwrap();
        }
        for _ in 0..2 {
            assert!(matches!(net[push].send("x"), Err(SendError::Full(_))));
        }
        assert_eq!((peer(&net, push).send_hwm_hits, net[push].stats().send_hwm_hits), (round, round));
        assert_eq!(net[push].stats().full_sends, 2 * round);
        assert_eq!(recv_all(&mut net, pull).len(), 10);
        assert_eq!(net[pull].stats().recv_hwm_hits, 2 * round, "five of ten, and then the others");
    }
}

#[test]
fn connections_are_counted_from_dial_to_end() {
    let mut net = Net::seeded(1);
    let push = net.socket(Options::<Push>::new());
    net.connect(push, PLACE);
    net.pass(ms(1000));
    let failed = net[push].stats().failed_dials;
    assert!(failed > 1);
    let pull = net.socket(Options::<Pull>::new());
    net.bind(pull, PLACE);
    net.pass(Duration::from_secs(10));
    for round in 0..3 {
        let there = peer(&net, push);
        assert_eq!((there.reconnects, there.ready), (round, true));
        net.cut(push);
        net.settle();
        let there = peer(&net, push);
        assert_eq!((there.reconnects, there.connected, there.ready), (round, false, false));
        net.pass(Duration::from_secs(10));
    }
    let stats = net[push].stats();
    assert_eq!((stats.dialled, stats.reconnects, stats.ended, stats.accepted), (4, 3, 3, 0));
    assert_eq!((stats.failed_dials, stats.failed_handshakes), (failed, 0));
    let stats = net[pull].stats();
    assert_eq!((stats.dialled, stats.reconnects, stats.ended, stats.accepted), (0, 0, 3, 4));
}

#[test]
fn what_a_lost_connection_had_not_begun_is_not_counted_as_sent() {
    let mut net = Net::seeded(1).capacity(100);
    let pull = net.socket(Options::<Pull>::new());
    net.bind(pull, PLACE);
    let push = net.socket(Options::<Push>::new());
    net.connect(push, PLACE);
    net.settle();
    net.freeze(pull);
    for _ in 0..20 {
        net[push].send(vec![7; 1000]).unwrap();
    }
    net.settle();
    assert_eq!(net[push].stats().sent, tally(20, 20_000));
    net.cut(push);
    net.settle();
    let begun = net[push].stats().sent.messages;
    assert_eq!(net[push].stats().outgoing, tally(20 - begun, 1000 * (20 - begun)));
    assert_eq!(begun, dropped(&events(&mut net, push), DropReason::Undelivered) as u64);
    net.thaw(pull);
    net.pass(ms(1000));
    assert_eq!(net[pull].stats().received, tally(20 - begun, 1000 * (20 - begun)));
    assert_eq!(net[push].stats().sent, tally(20, 20_000));
}

#[test]
fn a_failed_handshake_is_told_apart_from_a_lost_connection() {
    let mut net = net();
    let (pair, [_first, second]) = star(&mut net, Options::<Pair>::new(), [(); 2].map(|()| Options::<Pair>::new()));
    let told: Vec<_> = events(&mut net, pair);
    let failed = told.iter().filter(|event| matches!(event, Event::HandshakeFailed { retry: None, .. })).count();
    let stats = net[pair].stats();
    assert_eq!((failed, stats.failed_handshakes, stats.ended, stats.accepted), (1, 1, 1, 2));
    assert_eq!(net[second].stats().dialled, 1);
}

#[test]
fn the_round_trip_is_what_the_network_takes_there_and_back() {
    let mut net = Net::seeded(1).latency(ms(20)..=ms(20));
    let beating = Options::<Dealer>::new().heartbeat(ms(500)).unwrap();
    let (router, [dealer]) = star(&mut net, Options::<Router>::new(), [beating]);
    assert_eq!(peer(&net, dealer).round_trip, None, "nobody has been asked yet");
    net.pass(ms(5000));
    let trip = peer(&net, dealer).round_trip.unwrap();
    assert_eq!((trip.last, trip.smoothed), (ms(40), ms(40)));
    assert_eq!(peer(&net, router).round_trip, None, "it has no heartbeats of its own");
    net.cut(dealer);
    net.settle();
    assert_eq!(peer(&net, dealer).round_trip, None, "the next connection may be of another kind");
}

#[test]
fn the_smoothed_round_trip_follows_slowly() {
    for_seeds(10, |seed| {
        let mut net = Net::seeded(seed).latency(ms(10)..=ms(30));
        let beating = Options::<Dealer>::new().heartbeat(ms(500)).unwrap();
        let (_, [dealer]) = star(&mut net, Options::<Router>::new(), [beating]);
        let mut expected: Option<Duration> = None;
        let mut last = Duration::ZERO;
        for _ in 0..100 {
            net.pass(ms(50));
            if let Some(trip) = peer(&net, dealer).round_trip.filter(|trip| trip.last != last) {
                last = trip.last;
                expected = Some(expected.map_or(last, |before| (before * 7 + last) / 8));
                assert_eq!(Some(trip.smoothed), expected);
                assert!((ms(20)..=ms(60)).contains(&trip.last));
            }
        }
        assert!(expected.is_some());
    });
}

#[test]
fn on_a_way_that_holds_several_pings_each_pong_is_taken_for_its_own() {
    let mut net = Net::seeded(1).latency(ms(800)..=ms(800));
    let beating = Options::<Dealer>::new().heartbeat_with(ms(500), ms(10_000), Duration::ZERO).unwrap();
    let (_, [dealer]) = star(&mut net, Options::<Router>::new(), [beating]);
    for _ in 0..20 {
        net.pass(ms(500));
        if let Some(trip) = peer(&net, dealer).round_trip {
            assert_eq!(trip.last, ms(1600));
        }
    }
    assert!(peer(&net, dealer).round_trip.is_some());
}

#[test]
fn what_is_taken_from_a_connection_that_is_over_counts_too() {
    let mut net = Net::seeded(1);
    let (pull, [push]) = star(&mut net, Options::<Pull>::new().recv_hwm(1), [Options::<Push>::new()]);
    for _ in 0..5 {
        net[push].send("x").unwrap();
    }
    net.settle();
    assert_eq!(net[pull].stats().received, tally(1, 1), "the others are read ahead");
    let now = net.now();
    net[push].close(now);
    net.pass(ms(2000));
    let stats = net[pull].stats();
    assert_eq!((stats.ended, stats.received, stats.incoming), (1, tally(5, 5), tally(5, 5)));
    let left = peer(&net, pull);
    assert_eq!((left.endpoint, left.connected, left.incoming), (None, false, tally(5, 5)));
    assert_eq!(recv_all(&mut net, pull).len(), 5);
    assert_eq!((net[pull].stats().peers, net[pull].stats().received), (0, tally(5, 5)));
}
