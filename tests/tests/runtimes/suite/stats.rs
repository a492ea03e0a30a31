//! Statistics of sockets and of their peers, on each runtime.

use super::{ANY, Socket, run};
use sansmq::kind::{Dealer, Router};
use sansmq::{DropReason, Event, Options};
use std::time::Duration;

#[test]
fn stats_count_messages_bytes_connections_and_drops() {
    run(|| async {
        let router = Socket::with_options(Options::<Router>::new());
        let endpoint = router.bind(ANY).await.unwrap();
        let interval = Duration::from_millis(100);
        let dealer = Socket::with_options(
            Options::<Dealer>::new()
                .routing_id("me")
                .unwrap()
                .heartbeat_with(interval, 600 * interval, Duration::ZERO)
                .unwrap(),
        );
        let mut monitor = dealer.monitor();
        dealer.connect(&endpoint).unwrap();
        for _ in 0..3 {
            dealer.send(["four", "more"]).await.unwrap();
            router.recv().await.unwrap();
        }
        router.send(("me", "answer")).await.unwrap();
        router.send(("unknown", "lost")).await.unwrap();
        dealer.recv().await.unwrap();

        let stats = dealer.stats();
        assert_eq!((stats.peers, stats.ready_peers, stats.dialled), (1, 1, 1));
        assert_eq!((stats.sent.messages, stats.sent.bytes), (3, 24));
        assert_eq!((stats.received.messages, stats.received.bytes), (1, 6));
        let stats = router.stats();
        assert_eq!((stats.sent.bytes, stats.received.bytes, stats.accepted), (6, 24, 1));
        assert_eq!(stats.dropped.of(DropReason::Unroutable), 1);
        let peers = router.peer_stats();
        assert_eq!(peers.len(), 1);
        assert_eq!((&peers[0].routing_id, peers[0].sent.messages, peers[0].ready), (&"me".into(), 1, true));

        while dealer.peer_stats()[0].round_trip.is_none() {
            super::yield_now().await;
        }
        router.close().await;
        let stats = router.stats();
        assert_eq!((stats.peers, stats.ended, stats.received.messages), (0, 1, 3), "ended connections stay counted");
        monitor.find(|event| matches!(event, Event::Disconnected { .. }).then_some(())).await.unwrap();
        assert_eq!((dealer.stats().ended, dealer.peer_stats()[0].round_trip), (1, None));
    });
}
