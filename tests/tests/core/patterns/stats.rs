//! Tests of the statistics of sockets and of their peers.

use super::{PLACE, net, star};
use core::time::Duration;
use sansmq_proto::kind::{Dealer, Pair, Pub, Pull, Push, Rep, Req, Router, Sub};
use sansmq_proto::socket::{DropReason, PeerStats, TrafficCount};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Event, NetworkError, Options, SendError};
use sansmq_tests::{dropped, events, for_seeds, recv_all};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn traffic(messages: u64, bytes: u64) -> TrafficCount {
    TrafficCount { messages, bytes }
}

/// Returns the statistics of the only peer of a socket.
fn peer(net: &Net, node: NodeId) -> PeerStats {
    let mut peers = net[node].peer_stats();
    let peer = peers.next().expect("the socket has a peer");
    assert!(peers.next().is_none(), "the socket has more than one peer");
    peer
}

#[test]
fn payload_is_counted_when_queued_sent_and_received() {
    let mut net = net();
    let pull = net.socket(Options::<Pull>::new());
    let push = net.socket(Options::<Push>::new());
    net.connect(push, PLACE);
    net[push].send(["four", "more"]).unwrap();
    net[push].send("x").unwrap();
    let stats = net[push].stats();
    assert_eq!((stats.peers, stats.ready_peers, stats.outgoing, stats.sent), (1, 0, traffic(2, 9), traffic(0, 0)));

    net.bind(pull, PLACE);
    net.advance(ms(1000));
    let stats = net[push].stats();
    assert_eq!((stats.peers, stats.ready_peers, stats.outgoing, stats.sent), (1, 1, traffic(0, 0), traffic(2, 9)));
    let stats = net[pull].stats();
    assert_eq!((stats.incoming, stats.received, stats.sent), (traffic(2, 9), traffic(2, 9), traffic(0, 0)));
    net[pull].recv().unwrap();
    let stats = net[pull].stats();
    assert_eq!((stats.incoming, stats.received), (traffic(1, 1), traffic(2, 9)));

    let peer_stats = peer(&net, push);
    assert_eq!(
        (peer_stats.endpoint, peer_stats.connected, peer_stats.ready),
        (Some(PLACE.parse().unwrap()), true, true)
    );
    assert_eq!(
        (peer_stats.sent, peer_stats.outgoing, peer_stats.received),
        (traffic(2, 9), traffic(0, 0), traffic(0, 0))
    );
    assert_eq!((peer(&net, pull).incoming, peer(&net, pull).received), (traffic(1, 1), traffic(2, 9)));
}

#[test]
fn payload_counts_exclude_envelopes() {
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
        let [requester, replier] = [req, rep].map(|node| net[node].stats());
        assert_eq!((requester.sent, replier.received), (traffic(3, 24), traffic(3, 24)));
        assert_eq!((requester.received, replier.sent), (traffic(3, 3000), traffic(3, 3000)));
        assert_eq!((requester.incoming, replier.outgoing), (traffic(0, 0), traffic(0, 0)));
    });
}

#[test]
fn pub_counts_each_copy_and_includes_former_peers() {
    let mut net = net();
    let (publisher, subs) = star(&mut net, Options::<Pub>::new(), [(); 3].map(|()| Options::<Sub>::new()));
    for sub in subs {
        net[sub].subscribe("").unwrap();
    }
    net.settle();
    net[publisher].send("news").unwrap();
    net.settle();
    assert_eq!(net[publisher].stats().sent, traffic(3, 12));
    let now = net.now();
    net[subs[0]].close(now);
    net.settle();
    let stats = net[publisher].stats();
    assert_eq!((stats.peers, stats.sent, stats.accepted, stats.ended), (2, traffic(3, 12), 3, 1));
    assert_eq!(net[publisher].peer_stats().map(|peer| peer.sent.messages).sum::<u64>(), 2);
}

#[test]
fn drops_are_counted_by_reason_without_a_monitor() {
    let mut net = net();
    let (router, [dealer]) =
        star(&mut net, Options::<Router>::new().send_hwm(2), [Options::<Dealer>::new().routing_id("d").unwrap()]);
    net[router].monitor(false);
    for _ in 0..3 {
        net[router].send(("unknown", "x")).unwrap();
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
    net[dealer].send("round robin").unwrap();
    net[dealer].send("round robin").unwrap();
    net.settle();
    net[dealer].close(now);
    net.advance(Duration::from_mins(1));
    assert_eq!(net[dealer].stats().dropped.of(DropReason::Undelivered), 1);
}

#[test]
fn hwm_hits_and_full_sends_are_counted() {
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
        assert_eq!(net[pull].stats().recv_hwm_hits, 2 * round, "five of ten messages are read ahead, then the others");
    }
}

#[test]
fn connections_are_counted_from_dial_to_disconnect() {
    let mut net = Net::seeded(1);
    let push = net.socket(Options::<Push>::new());
    net.connect(push, PLACE);
    net.advance(ms(1000));
    let failed = net[push].stats().failed_dials;
    assert!(failed > 1);
    let pull = net.socket(Options::<Pull>::new());
    net.bind(pull, PLACE);
    net.advance(Duration::from_secs(10));
    for round in 0..3 {
        let peer_stats = peer(&net, push);
        assert_eq!((peer_stats.reconnects, peer_stats.ready), (round, true));
        net.reset_connections(push);
        net.settle();
        let peer_stats = peer(&net, push);
        assert_eq!((peer_stats.reconnects, peer_stats.connected, peer_stats.ready), (round, false, false));
        net.advance(Duration::from_secs(10));
    }
    let stats = net[push].stats();
    assert_eq!((stats.dialled, stats.reconnects, stats.ended, stats.accepted), (4, 3, 3, 0));
    assert_eq!((stats.failed_dials, stats.failed_handshakes), (failed, 0));
    let stats = net[pull].stats();
    assert_eq!((stats.dialled, stats.reconnects, stats.ended, stats.accepted), (0, 0, 3, 4));
}

#[test]
fn unsent_messages_of_a_lost_connection_are_not_counted() {
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
    assert_eq!(net[push].stats().sent, traffic(20, 20_000));
    net.reset_connections(push);
    net.settle();
    let started = net[push].stats().sent.messages;
    assert_eq!(net[push].stats().outgoing, traffic(20 - started, 1000 * (20 - started)));
    assert_eq!(started, dropped(&events(&mut net, push), DropReason::Undelivered) as u64);
    net.thaw(pull);
    net.advance(ms(1000));
    assert_eq!(net[pull].stats().received, traffic(20 - started, 1000 * (20 - started)));
    assert_eq!(net[push].stats().sent, traffic(20, 20_000));
}

#[test]
fn failed_handshake_is_not_counted_as_lost_connection() {
    let mut net = net();
    let (pair, [_first, second]) = star(&mut net, Options::<Pair>::new(), [(); 2].map(|()| Options::<Pair>::new()));
    let log: Vec<_> = events(&mut net, pair);
    let failed = log.iter().filter(|event| matches!(event, Event::HandshakeFailed { retry: None, .. })).count();
    let stats = net[pair].stats();
    assert_eq!((failed, stats.failed_handshakes, stats.ended, stats.accepted), (1, 1, 1, 2));
    assert_eq!(net[second].stats().dialled, 1);
}

#[test]
fn round_trip_equals_twice_the_latency() {
    let mut net = Net::seeded(1).latency(ms(20)..=ms(20));
    let with_heartbeat = Options::<Dealer>::new().heartbeat(ms(500));
    let (router, [dealer]) = star(&mut net, Options::<Router>::new(), [with_heartbeat]);
    assert_eq!(peer(&net, dealer).round_trip, None, "no PING has been answered yet");
    net.advance(ms(5000));
    let trip = peer(&net, dealer).round_trip.unwrap();
    assert_eq!((trip.last, trip.smoothed), (ms(40), ms(40)));
    assert_eq!(peer(&net, router).round_trip, None, "a socket without heartbeats measures no round trip");
    net.reset_connections(dealer);
    net.settle();
    assert_eq!(peer(&net, dealer).round_trip, None, "a round trip is not kept for the next connection");
}

#[test]
fn smoothed_round_trip_is_a_moving_average() {
    for_seeds(10, |seed| {
        let mut net = Net::seeded(seed).latency(ms(10)..=ms(30));
        let with_heartbeat = Options::<Dealer>::new().heartbeat(ms(500));
        let (_, [dealer]) = star(&mut net, Options::<Router>::new(), [with_heartbeat]);
        let mut expected: Option<Duration> = None;
        let mut last = Duration::ZERO;
        for _ in 0..100 {
            net.advance(ms(50));
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
fn round_trip_matches_each_pong_to_its_ping() {
    let mut net = Net::seeded(1).latency(ms(800)..=ms(800));
    let with_heartbeat = Options::<Dealer>::new().heartbeat_with(ms(500), ms(10_000), Duration::ZERO).unwrap();
    let (_, [dealer]) = star(&mut net, Options::<Router>::new(), [with_heartbeat]);
    for _ in 0..20 {
        net.advance(ms(500));
        if let Some(trip) = peer(&net, dealer).round_trip {
            assert_eq!(trip.last, ms(1600));
        }
    }
    assert!(peer(&net, dealer).round_trip.is_some());
}

#[test]
fn read_ahead_messages_are_counted_after_a_disconnect() {
    let mut net = Net::seeded(1);
    let (pull, [push]) = star(&mut net, Options::<Pull>::new().recv_hwm(1), [Options::<Push>::new()]);
    for _ in 0..5 {
        net[push].send("x").unwrap();
    }
    net.settle();
    assert_eq!(net[pull].stats().received, traffic(1, 1), "the other messages are read ahead and not counted yet");
    let now = net.now();
    net[push].close(now);
    net.advance(ms(2000));
    let stats = net[pull].stats();
    assert_eq!((stats.ended, stats.received, stats.incoming), (1, traffic(5, 5), traffic(5, 5)));
    let former = peer(&net, pull);
    assert_eq!((former.endpoint, former.connected, former.incoming), (None, false, traffic(5, 5)));
    assert_eq!(recv_all(&mut net, pull).len(), 5);
    assert_eq!((net[pull].stats().peers, net[pull].stats().received), (0, traffic(5, 5)));
}

#[test]
fn messages_under_way_are_counted_until_they_are_written() {
    for_seeds(20, |seed| {
        let mut net = Net::seeded(seed).chunks(1..=3000).capacity(5000);
        let (pull, [push]) = star(&mut net, Options::<Pull>::new(), [Options::<Push>::new()]);
        net.settle();
        net.freeze(pull);
        for _ in 0..20 {
            net[push].send(vec![1; 1000]).unwrap();
        }
        let mut flush = net[push].begin_flush();
        net.settle();
        let stats = net[push].stats();
        assert!(stats.under_way > 0, "{stats:?}");
        assert_eq!((stats.outgoing.messages + stats.sent.messages, peer(&net, push).under_way), (20, stats.under_way));
        assert!(!net[push].poll_flush(&mut flush));
        net[push].send("later").unwrap();
        net.thaw(pull);
        net.settle();
        assert!(net[push].poll_flush(&mut flush));
        let stats = net[push].stats();
        assert_eq!((stats.under_way, stats.outgoing, stats.sent.messages), (0, traffic(0, 0), 21));
        assert_eq!(recv_all(&mut net, pull).len(), 21);
    });
}

#[test]
fn flush_ends_when_connection_or_peer_is_lost() {
    let mut net = net();
    let (pull, [push]) = star(&mut net, Options::<Pull>::new(), [Options::<Push>::new().linger(ms(100))]);
    net.settle();
    net.freeze(pull);
    let mut flush = net[push].begin_flush();
    assert!(net[push].poll_flush(&mut flush), "no message is queued");
    net[push].send(vec![1; 10_000_000]).unwrap();
    net.settle();
    let mut flush = net[push].begin_flush();
    assert!(!net[push].poll_flush(&mut flush));
    let now = net.now();
    net[push].close(now);
    net[push].take_peers_changed();
    net.advance(ms(200));
    assert!(net[push].take_peers_changed(), "the waiting call must be woken");
    assert!(net[push].poll_flush(&mut flush));
    assert_eq!(net[push].unsent(), 1);
}

#[test]
fn age_of_oldest_message_counts_from_the_first_sample() {
    let mut net = net();
    let push = net.socket(Options::<Push>::new());
    net.connect(push, PLACE);
    net[push].send("first").unwrap();
    let sample = |net: &mut Net, node: NodeId| {
        let now = net.now();
        net[node].sample_queues(now);
        let stats = net[node].stats();
        (stats.outgoing_age, stats.incoming_age)
    };
    assert_eq!(sample(&mut net, push), (Duration::ZERO, Duration::ZERO));
    net.advance(ms(5000));
    net[push].send("second").unwrap();
    assert_eq!(sample(&mut net, push), (ms(5000), Duration::ZERO));
    assert_eq!(peer(&net, push).outgoing_age, ms(5000));

    // Both messages are moved to the PULL, where they wait again.
    let pull = net.socket(Options::<Pull>::new());
    net.bind(pull, PLACE);
    net.advance(Duration::from_mins(1));
    assert_eq!(sample(&mut net, push), (Duration::ZERO, Duration::ZERO));
    assert_eq!(sample(&mut net, pull), (Duration::ZERO, Duration::ZERO));
    net.advance(ms(2000));
    assert_eq!(sample(&mut net, pull), (Duration::ZERO, ms(2000)));
    net[pull].recv().unwrap();
    assert_eq!(sample(&mut net, pull).1, ms(2000), "the second message has waited too");
    net[pull].recv().unwrap();
    assert_eq!(sample(&mut net, pull).1, Duration::ZERO);
}

#[test]
fn last_error_of_a_peer_is_that_of_its_latest_failure() {
    let mut net = net();
    let push = net.socket(Options::<Push>::new());
    net.connect(push, PLACE);
    assert_eq!(peer(&net, push).last_error, None);
    net.advance(ms(1000));
    let refused = peer(&net, push).last_error.unwrap();
    assert!(refused.ends_with(&NetworkError::Refused.to_string()), "{refused}");
    let pull = net.socket(Options::<Pull>::new());
    net.bind(pull, PLACE);
    net.advance(Duration::from_mins(1));
    let stats = peer(&net, push);
    assert!(stats.ready && stats.last_error == Some(refused), "the text stays after a reconnect");
    assert_eq!(stats.address, Some(PLACE.parse().unwrap()));
}
