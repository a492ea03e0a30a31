//! Tests with many peers that lose the connection to their server at the same time, and reconnect.

use super::faults::FaultPlan;
use super::{PLACE, bound, connected, ms, s};
use sansmq_proto::kind::{Dealer, Router};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Message, Options};
use sansmq_tests::{TracedNet, for_seeds, recv_all};
use std::collections::BTreeSet;

/// A ROUTER, and DEALERs that each have their index as routing id.
struct Cluster {
    server: NodeId,
    peers: Vec<NodeId>,
}

impl Cluster {
    fn server(faults: &FaultPlan) -> Options<Router> {
        faults.configure(Options::new())
    }

    fn new(net: &mut Net, faults: &FaultPlan, count: usize) -> Self {
        let server = bound(net, Self::server(faults));
        let peers = (0..count).map(|number| {
            let options = Options::<Dealer>::new().routing_id(number.to_string()).unwrap().connect_timeout(s(2));
            connected(net, faults.configure(options))
        });
        let peers = peers.collect();
        Self { server, peers }
    }

    fn restart(&self, net: &mut Net, faults: &FaultPlan) {
        net.restart(self.server, Self::server(faults));
    }

    /// Returns `true` if the server has no connected peer.
    fn is_disconnected(&self, net: &Net) -> bool {
        self.peers.iter().all(|&peer| net.connections(peer) == 0)
    }

    fn send_from_all(&self, net: &mut Net, text: &str) {
        for &peer in &self.peers {
            net[peer].send(text).unwrap();
        }
    }

    /// Asserts that the server receives `text` exactly once from each peer.
    fn assert_server_receives(&self, net: &mut Net, text: &str) {
        let received = recv_all(net, self.server);
        let senders: BTreeSet<_> = received.iter().map(|message| message.head().to_text().into_owned()).collect();
        assert!(received.iter().all(|message| message.body() == text), "{received:?}");
        assert_eq!((senders.len(), received.len()), (self.peers.len(), self.peers.len()), "one message of each peer");
    }

    /// Sends a reply to each peer, and asserts that each peer receives only its reply.
    fn assert_replies_arrive(&self, net: &mut Net) {
        for number in 0..self.peers.len() {
            net[self.server].send([number.to_string(), format!("reply to {number}")]).unwrap();
        }
        net.settle();
        for (number, &peer) in self.peers.iter().enumerate() {
            assert_eq!(recv_all(net, peer), [Message::from(format!("reply to {number}"))]);
        }
    }

    /// Advances the clock in steps of `step` until all peers are connected. Returns the number of new connections in
    /// each step.
    fn arrivals(&self, net: &mut Net, step: core::time::Duration) -> Vec<usize> {
        let mut counts = vec![net.connections(self.server)];
        while *counts.last().unwrap() < self.peers.len() {
            assert!(counts.len() < 1000, "not all peers have reconnected: {counts:?}");
            net.advance(step);
            counts.push(net.connections(self.server));
        }
        counts.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }
}

#[test]
fn thousand_peers_reconnect_gradually_without_loss() {
    for_seeds(4, |seed| {
        // Only heartbeats detect a partition, so that case needs the fault plan with heartbeats.
        let partitioned = seed % 4 == 3;
        let faults = FaultPlan::from_seed(if partitioned { 2 } else { 0 });
        let mut net = TracedNet(Net::seeded(seed).latency(ms(0)..=ms(3)));
        let cluster = Cluster::new(&mut net, &faults, 1000);
        net.advance(s(1));
        assert_eq!(net.connections(cluster.server), 1000);
        match seed % 4 {
            0 => net.reset_connections(cluster.server),
            1 => {
                cluster.restart(&mut net, &faults);
                net.bind(cluster.server, PLACE);
            }
            2 => cluster.restart(&mut net, &faults),
            _ => net.partition(&[cluster.server], &cluster.peers),
        }
        if partitioned {
            net.advance(s(4));
        } else {
            net.settle();
        }
        assert!(cluster.is_disconnected(&net));
        cluster.send_from_all(&mut net, "reconnected");
        if seed % 4 < 2 {
            // The first back-off is between 50 and 100 ms.
            let maximum = cluster.arrivals(&mut net, ms(5)).into_iter().max();
            assert!(maximum < Some(200), "{maximum:?} peers connected within 5 ms");
        } else {
            net.advance(s(40));
            if partitioned {
                net.heal_partitions();
            } else {
                net.bind(cluster.server, PLACE);
            }
            let maximum = cluster.arrivals(&mut net, ms(100)).into_iter().max();
            assert!(maximum < Some(200), "{maximum:?} peers connected within 100 ms");
        }
        net.advance(s(1));
        cluster.assert_server_receives(&mut net, "reconnected");
        cluster.assert_replies_arrive(&mut net);
    });
}

#[test]
fn peers_reconnect_and_exchange_after_random_faults() {
    for_seeds(100, |seed| {
        let mut faults = FaultPlan::from_seed(seed);
        let mut net = faults.net(seed);
        let count = 5 + faults.pick(20);
        let cluster = Cluster::new(&mut net, &faults, count);
        let nodes = [&[cluster.server][..], &cluster.peers].concat();
        let mut received = BTreeSet::new();
        let mut receive = |net: &mut Net| {
            while let Ok(message) = net[cluster.server].recv() {
                let frames = message.iter().map(|frame| frame.to_text().into_owned()).collect::<Vec<_>>();
                assert!(received.insert(frames.join(" ")), "{message:?} was received twice");
            }
            received.len()
        };
        let mut sent = 0;
        for round in 0..60 {
            for _ in 0..faults.pick(10) {
                let peer = cluster.peers[faults.pick(count)];
                sent += usize::from(net[peer].send(format!("{round} {sent}")).is_ok());
            }
            receive(&mut net);
            match faults.pick(20) {
                0 if faults.cuts => {
                    cluster.restart(&mut net, &faults);
                    net.advance(ms(10));
                    net.bind(cluster.server, PLACE);
                }
                1..=3 => net.partition(&[cluster.server], &cluster.peers[..faults.pick(count)]),
                4..=6 => net.heal_partitions(),
                _ => {}
            }
            faults.inject(&mut net, &nodes);
        }
        FaultPlan::end_faults(&mut net, &nodes);
        for _ in 0..10 {
            receive(&mut net);
            net.advance(s(5));
        }
        let arrived = receive(&mut net);
        assert!(arrived <= sent);
        if !faults.loses_connections() {
            assert_eq!(arrived, sent, "messages were lost");
        }
        assert_eq!(net.connections(cluster.server), count, "all peers have reconnected");
        cluster.send_from_all(&mut net, "hello");
        net.advance(s(5));
        cluster.assert_server_receives(&mut net, "hello");
        cluster.assert_replies_arrive(&mut net);
    });
}
