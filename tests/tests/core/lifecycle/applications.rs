//! Applications on the simulated network: their turns and timers, and faults of nodes with several sockets.

use super::{ms, s};
use core::time::Duration;
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::kind::{Dealer, Pull, Push, Router};
use sansmq_proto::testing::{Application, Net, NodeContext, NodeId, SocketId};
use sansmq_proto::{Instant, Options};
use sansmq_tests::{endings, events};

const ENDPOINTS: [&str; 2] = ["tcp://server:1", "tcp://server:2"];

/// Reason of a peer to end a connection that does not answer.
const SILENT: &str = "the peer did not answer a heartbeat in time; see `Options::heartbeat`";

/// Node with two bound PULLs. Records each turn, each received message, and each expired timer, with the time.
#[derive(Debug, Default)]
struct Server {
    sockets: Vec<SocketId>,
    turns: Vec<Instant>,
    received: Vec<(Duration, String)>,
    expired: Vec<(Duration, u64)>,
}

impl Server {
    fn start(node: &mut NodeContext<'_>) -> Self {
        let sockets = ENDPOINTS.map(|endpoint| {
            let socket = node.socket(Options::<Pull>::new());
            node.bind(socket, endpoint);
            socket
        });
        Self { sockets: sockets.into(), ..Self::default() }
    }
}

impl Application for Server {
    fn turn(&mut self, node: &mut NodeContext<'_>) {
        let time = node.now().since(Instant::ORIGIN);
        self.turns.push(node.now());
        for &socket in &self.sockets {
            while let Ok(message) = node[socket].recv() {
                self.received.push((time, message.body().to_text().into_owned()));
            }
        }
        while let Some(key) = node.poll_timer() {
            self.expired.push((time, key));
        }
    }
}

/// Creates a [`Server`] and a connected PUSH for each of its sockets, on a network with a latency of 5 ms.
fn server_and_peers(options: fn() -> Options<Push>) -> (Net, NodeId, [NodeId; 2]) {
    let mut net = Net::seeded(7).latency(ms(5)..=ms(5));
    let server = net.node(Server::start);
    let peers = ENDPOINTS.map(|endpoint| {
        let peer = net.socket(options());
        net.connect(peer, endpoint);
        peer
    });
    net.advance(s(1));
    (net, server, peers)
}

fn heartbeats() -> Options<Push> {
    Options::new().heartbeat(s(1))
}

fn at_server(net: &Net, server: NodeId) -> &Server {
    net.application(server).expect("the server runs")
}

#[test]
fn application_has_a_turn_whenever_a_socket_has() {
    let (mut net, server, [one, other]) = server_and_peers(Options::new);
    let before = at_server(&net, server).turns.len();
    net.advance(s(3600));
    assert_eq!(at_server(&net, server).turns.len(), before, "an idle application has no turns");
    for (peer, text) in [(one, "a"), (other, "b"), (one, "c"), (other, "d")] {
        net[peer].send(text).unwrap();
        net.advance(s(1));
    }
    let Server { turns, received, .. } = at_server(&net, server);
    // Each message arrives 5 ms after it was sent, and causes one turn of the session, and so one of the application.
    let arrivals = [(3601, "a"), (3602, "b"), (3603, "c"), (3604, "d")].map(|(at, text)| (s(at) + ms(5), text.into()));
    assert_eq!(*received, arrivals);
    assert_eq!(turns[before..], arrivals.map(|(at, _)| Instant::from_elapsed(at)));
}

#[test]
fn application_has_a_turn_for_connects_and_disconnects() {
    let (mut net, server, [one, _]) = server_and_peers(Options::new);
    let mut turns = Vec::new();
    for _ in 0..2 {
        net.advance(s(1));
        turns.push(at_server(&net, server).turns.len());
        net.reset_connections(one);
    }
    assert!(turns[1] > turns[0], "a disconnect and a reconnect cause turns");
}

#[test]
fn timers_expire_on_time_unless_cleared() {
    let mut net = Net::seeded(7);
    let node = net.node(|node| {
        for (key, at) in [(1, 10), (2, 30), (3, 20), (4, 40), (5, 50)] {
            node.set_timer(key, Instant::ORIGIN + ms(at));
        }
        node.clear_timer(4);
        node.set_timer(1, node.now() + ms(60)); // replaces the timer at 10 ms
        Server::default()
    });
    net.settle();
    assert_eq!(at_server(&net, node).expired, []);
    net.advance(s(1));
    assert_eq!(at_server(&net, node).expired, [(ms(20), 3), (ms(30), 2), (ms(50), 5), (ms(60), 1)]);
}

#[test]
fn timer_cleared_when_expired_is_not_returned() {
    let mut net = Net::seeded(7);
    net.node(|node| {
        node.set_timer(1, node.now() + ms(10));
        node.set_timer(2, node.now() + ms(10));
        node.set_timer(3, node.now() + ms(10));
        |node: &mut NodeContext<'_>| {
            if let Some(key) = node.poll_timer() {
                node.clear_timer(2);
                node.set_timer(3, node.now()); // at once, in a turn of its own
                assert!(key != 2);
                assert_eq!(node.poll_timer(), None);
                node.note(format_args!("has timer {key}"));
                if key == 3 {
                    node.clear_timer(3);
                }
            }
        }
    });
    net.advance(s(1));
    let lines: Vec<_> = net.trace().skip(1).collect();
    assert_eq!(lines, ["    0.010000 s: node 0 has timer 1", "    0.010000 s: node 0 has timer 3"]);
}

#[test]
fn crash_loses_all_sockets_and_peers_notice_by_heartbeat() {
    let (mut net, server, peers) = server_and_peers(heartbeats);
    for peer in peers {
        drop(events(&mut net, peer));
    }
    net.crash(server);
    assert_eq!((net.connections(server), net.application::<Server>(server).is_none()), (0, true));
    net.advance(ms(500));
    for peer in peers {
        assert_eq!(endings(&events(&mut net, peer)), [""; 0], "a crash gives no notice");
    }
    net.advance(ms(1600));
    for peer in peers {
        assert_eq!(endings(&events(&mut net, peer)), [SILENT]);
        net[peer].send("after the crash").unwrap();
    }
    net.start(server);
    net.advance(s(60));
    let received = at_server(&net, server).received.iter().map(|(_, text)| &**text);
    assert_eq!(received.collect::<Vec<_>>(), ["after the crash"; 2], "the state before the crash is lost");
}

#[test]
fn start_after_crash_resets_former_connections() {
    let (mut net, server, peers) = server_and_peers(Options::new);
    net.crash(server);
    net.crash(server); // no effect
    net.advance(s(3600));
    for peer in peers {
        assert_eq!(endings(&events(&mut net, peer)), [""; 0]);
    }
    net.start(server);
    net.start(server); // no effect
    net.advance(s(1));
    for peer in peers {
        assert_eq!(endings(&events(&mut net, peer)), ["the network failed: the peer reset the connection"]);
        assert_eq!(net.connections(peer), 1, "the peer has connected again");
    }
}

#[test]
fn dial_to_a_restarted_node_without_listener_is_refused() {
    let mut net = Net::seeded(7);
    let mut starts = 0;
    let server = net.node(move |node| {
        starts += 1;
        if starts == 1 { Server::start(node) } else { Server::default() }
    });
    net.settle();
    net.crash(server);
    net.start(server);
    let peer = net.socket(Options::<Push>::new());
    net.connect(peer, ENDPOINTS[1]);
    net.advance(ms(10));
    assert!(net.trace().last().unwrap().ends_with("dials tcp://server:2 and is refused"));
}

#[test]
fn dial_to_a_crashed_node_gets_no_reply() {
    let (mut net, server, _) = server_and_peers(Options::new);
    let late = net.socket(Options::<Push>::new());
    net.crash(server);
    net.connect(late, ENDPOINTS[1]);
    net.advance(ms(10));
    assert!(net.trace().last().unwrap().ends_with("dials tcp://server:2 and gets no reply"));
}

#[test]
fn suspend_stops_all_sockets_and_timers_of_a_node() {
    let mut net = Net::seeded(7);
    let server = net.node(|node| {
        node.set_timer(9, node.now() + s(2));
        Server::start(node)
    });
    let peers = ENDPOINTS.map(|endpoint| {
        let peer = net.socket(heartbeats());
        net.connect(peer, endpoint);
        peer
    });
    net.advance(s(1));
    let before = at_server(&net, server).turns.len();
    net.suspend(server);
    for peer in peers {
        net[peer].send("while stopped").unwrap();
    }
    net.advance(s(10));
    assert_eq!(at_server(&net, server).turns.len(), before);
    for peer in peers {
        assert_eq!(endings(&events(&mut net, peer))[0], SILENT);
    }
    net.resume(server);
    net.settle();
    let resumed = at_server(&net, server);
    assert_eq!(resumed.expired, [(s(11), 9)]);
    assert_eq!(resumed.received, [(s(11), "while stopped".to_owned()), (s(11), "while stopped".to_owned())]);
}

#[test]
fn timers_expire_after_resume_of_a_node_without_sockets() {
    let mut net = Net::seeded(7);
    let node = net.node(|node| {
        node.set_timer(1, node.now() + s(1));
        Server::default()
    });
    net.suspend(node);
    net.advance(s(5));
    net.resume(node);
    net.settle();
    assert_eq!(at_server(&net, node).expired, [(s(5), 1)]);
}

#[test]
fn freeze_holds_back_bytes_of_all_sockets_of_a_node() {
    let (mut net, server, peers) = server_and_peers(Options::new);
    net.freeze(server);
    for peer in peers {
        net[peer].send("held back").unwrap();
    }
    net.advance(s(10));
    assert_eq!(at_server(&net, server).received, []);
    net.thaw(server);
    net.advance(s(1));
    assert_eq!(at_server(&net, server).received, [(s(11), "held back".to_owned()), (s(11), "held back".to_owned())]);
}

#[test]
fn partition_separates_all_sockets_of_a_node() {
    let (mut net, server, [one, other]) = server_and_peers(Options::new);
    let third = net.socket(Options::<Push>::new());
    net.connect(third, ENDPOINTS[1]);
    net.partition(&[server], &[one, other]);
    for (peer, text) in [(one, "held back"), (other, "held back"), (third, "not partitioned")] {
        net[peer].send(text).unwrap();
    }
    net.advance(s(10));
    let texts = |net: &Net| at_server(net, server).received.iter().map(|(_, text)| text.clone()).collect::<Vec<_>>();
    assert_eq!(texts(&net), ["not partitioned"]);
    net.heal_partitions();
    net.advance(s(1));
    assert_eq!(texts(&net), ["not partitioned", "held back", "held back"]);
}

/// Runs a server that answers after a random time, three clients, and random faults. Returns the whole trace.
fn random_run(seed: u64) -> Vec<String> {
    let mut net = Net::seeded(seed).chunks(1..=20).latency(ms(1)..=ms(20)).trace_limit(usize::MAX);
    let mut nodes = vec![net.node(|node| {
        let router = node.socket(Options::<Router>::new());
        node.bind(router, ENDPOINTS[0]);
        let mut replies = Vec::new();
        move |node: &mut NodeContext<'_>| {
            while let Ok(request) = node[router].recv() {
                let (key, delay) = (replies.len() as u64, ms(node.entropy().below(50)));
                node.set_timer(key, node.now() + delay);
                replies.push(Some(request));
            }
            while let Some(key) = node.poll_timer() {
                let reply = replies[usize::try_from(key).unwrap()].take().expect("each timer expires once");
                node.note(format_args!("replies to {}", reply.body().to_text()));
                node[router].send(reply).unwrap();
            }
        }
    })];
    for client in 0..3 {
        nodes.push(net.node(move |node| {
            let dealer = node.socket(Options::<Dealer>::new());
            node.connect(dealer, ENDPOINTS[0]);
            node.set_timer(0, node.now());
            move |node: &mut NodeContext<'_>| {
                if node.poll_timer().is_some() {
                    let number = node.entropy().below(100);
                    let _ = node[dealer].send(format!("request {number} of client {client}"));
                    node.set_timer(0, node.now() + ms(40));
                }
                while let Ok(reply) = node[dealer].recv() {
                    node.note(format_args!("receives {}", reply.body().to_text()));
                }
            }
        }));
    }
    let mut faults = SeededEntropy::new(seed);
    for _ in 0..50 {
        let node = nodes[usize::try_from(faults.below(4)).unwrap()];
        match faults.below(6) {
            0 => net.crash(node),
            1 => net.start(node),
            2 => net.partition(&[node], &nodes),
            _ => net.heal_partitions(),
        }
        net.advance(ms(faults.below(200)));
    }
    net.trace().map(str::to_owned).collect()
}

#[test]
fn same_seed_gives_the_same_trace() {
    let traces: Vec<_> = (0..10).map(random_run).collect();
    for (seed, trace) in (0..).zip(&traces) {
        assert!(trace.len() > 100, "{trace:#?}");
        assert_eq!(*trace, random_run(seed), "seed {seed}");
        assert_eq!(traces.iter().filter(|other| *other == trace).count(), 1, "other seeds have other traces");
    }
}

#[test]
#[should_panic(expected = "node 0 does not belong to node 1")]
fn application_cannot_use_sockets_of_another_node() {
    let mut net = Net::seeded(7);
    let other = net.socket(Options::<Pull>::new());
    net.node(move |node| {
        let _ = node[other.socket(0)].recv();
        Server::default()
    });
}
