//! Statistics of sockets and of their peers, on each runtime.

use super::super::fixture::{PullSocket, PushSocket, Socket, run};
use super::ANY;
use sansmq::kind::{Dealer, Router, Stream};
use sansmq::{DropReason, Event, Metrics, Options};
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

#[test]
fn received_message_has_the_address_of_its_peer() {
    run(|| async {
        let router = Socket::with_options(Options::<Router>::new());
        let mut monitor = router.monitor();
        let endpoint = router.bind(ANY).await.unwrap();
        let dealer = Socket::with_options(Options::<Dealer>::new());
        dealer.connect(&endpoint).unwrap();
        dealer.send("request").await.unwrap();
        let (request, client) = router.recv_from().await.unwrap();
        let accepted = |event| if let Event::Accepted { from, .. } = event { Some(from) } else { None };
        assert_eq!(client.address, Some(monitor.find(accepted).await.unwrap()));
        router.send(request).await.unwrap();
        let (_, server) = dealer.recv_from().await.unwrap();
        assert_eq!(server.address, Some(endpoint));

        let stream = Socket::with_options(Options::<Stream>::new());
        let listening = stream.bind(ANY).await.unwrap();
        let client = Socket::with_options(Options::<Stream>::new());
        client.connect(&listening).unwrap();
        assert_eq!(client.recv_from().await.unwrap().1.address, Some(listening));
    });
}

#[test]
fn metrics_have_the_values_of_the_statistics() {
    run(|| async {
        let (pull, push) = (PullSocket::new(), PushSocket::new());
        push.connect(pull.bind(ANY).await.unwrap()).unwrap();
        for _ in 0..3 {
            push.send("four").await.unwrap();
            pull.recv().await.unwrap();
        }
        let mut metrics = Metrics::new();
        push.add_metrics("tasks", &mut metrics);
        pull.add_metrics("tasks", &mut metrics);
        let text = metrics.to_string();
        let value = |name: &str, labels: &str| {
            let sample = format!("{name}{{socket=\"tasks\",{labels}");
            let line = text.lines().find(|line| line.starts_with(&sample)).expect("the text has this metric");
            line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()
        };
        let (sender, receiver) = (push.stats(), pull.stats());
        assert_eq!(value("sansmq_sent_bytes_total", "type=\"PUSH\""), sender.sent.bytes);
        assert_eq!(value("sansmq_received_messages_total", "type=\"PULL\""), receiver.received.messages);
        assert_eq!(value("sansmq_accepted_connections_total", "type=\"PULL\""), receiver.accepted);
        assert_eq!(value("sansmq_ready_peers", "type=\"PUSH\""), 1);
        let peer = &pull.peer_stats()[0];
        assert_eq!(value("sansmq_peer_received_bytes_total", "type=\"PULL\",pipe="), peer.received.bytes);
        let address = peer.address.as_ref().map(|address| format!("address=\"{address}\"")).unwrap();
        let info = text.lines().find(|line| line.starts_with("sansmq_peer_info{socket=\"tasks\",type=\"PULL\""));
        assert!(info.unwrap().contains(&address), "{text}");
        assert!(text.ends_with("\n# EOF\n"));
    });
}
