//! Tests of the simulated network itself: partitions, crashes and traces.

use super::{PLACE, connected, ms, push, s};
use sansmq_proto::kind::Dealer;
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Event, NetworkError, Options};
use sansmq_tests::{bodies, endings, events, recv_all};

/// Creates a bound DEALER, a DEALER that is connected to it, and a DEALER that is not connected.
fn three_nodes(seed: u64) -> (Net, [NodeId; 3]) {
    let mut net = Net::seeded(seed).chunks(1..=9).latency(ms(1)..=ms(20));
    let nodes = [0; 3].map(|_| net.socket(Options::<Dealer>::new()));
    net.bind(nodes[0], PLACE);
    net.connect(nodes[1], PLACE);
    net.advance(s(1));
    (net, nodes)
}

#[test]
fn partition_delays_messages_until_it_is_healed() {
    let (mut net, [server, client, other]) = three_nodes(1);
    net.partition(&[client], &[server]);
    net[client].send("to server").unwrap();
    net[server].send("to client").unwrap();
    net.advance(s(60));
    assert_eq!((bodies(&recv_all(&mut net, server)), bodies(&recv_all(&mut net, client))), (vec![], vec![]));
    net.connect(other, PLACE);
    net[other].send("not partitioned").unwrap();
    assert_eq!(bodies(&recv_all(&mut net, server)), ["not partitioned"]);
    net.heal_partitions();
    assert_eq!(bodies(&recv_all(&mut net, server)), ["to server"]);
    assert_eq!(bodies(&recv_all(&mut net, client)), ["to client"]);
    assert_eq!([&client, &server].map(|&node| endings(&events(&mut net, node)).len()), [0, 0]);
}

#[test]
fn connect_across_a_partition_times_out() {
    let (mut net, [server, _, other]) = three_nodes(1);
    net.partition(&[server], &[other]);
    net.connect(other, PLACE);
    net.advance(s(31));
    let failed = |event| matches!(event, Event::ConnectFailed { error: NetworkError::TimedOut, .. });
    assert!(events(&mut net, other).into_iter().any(failed));
}

#[test]
fn crash_behind_a_partition_is_detected_when_healed() {
    let (mut net, [server, far, near]) = three_nodes(1);
    net.connect(near, PLACE);
    net.advance(s(1));
    net.partition(&[server], &[far]);
    net.restart(server, Options::<Dealer>::new());
    net.advance(s(60));
    assert_eq!(endings(&events(&mut net, near)), ["the network failed: the peer reset the connection"]);
    assert_eq!(endings(&events(&mut net, far)), Vec::<String>::new());
    net.heal_partitions();
    net.settle();
    assert_eq!(endings(&events(&mut net, far)), ["the network failed: the peer reset the connection"]);
}

#[test]
fn crash_is_detected_when_the_node_is_restarted() {
    let (mut net, [server, client, _]) = three_nodes(1);
    net.crash(server);
    net.advance(s(60));
    assert_eq!(endings(&events(&mut net, client)), Vec::<String>::new());
    net.restart(server, Options::<Dealer>::new());
    net.bind(server, PLACE);
    net.advance(s(10));
    assert_eq!(endings(&events(&mut net, client)), ["the network failed: the peer reset the connection"]);
    net[client].send("to the new socket").unwrap();
    assert_eq!(bodies(&recv_all(&mut net, server)), ["to the new socket"]);
}

#[test]
#[should_panic(expected = "node 0 does not exist, or its node has crashed")]
fn socket_of_a_crashed_node_does_not_exist() {
    let (mut net, [server, ..]) = three_nodes(1);
    net.crash(server);
    let _ = net[server].recv();
}

#[test]
fn trace_has_timestamps_and_is_deterministic() {
    let run = || {
        let (mut net, [server, client, _]) = three_nodes(7);
        net.freeze(client);
        net.thaw(client);
        net.partition(&[server], &[client]);
        net.heal_partitions();
        net.reset_connections(client);
        net.advance(s(1));
        net.restart(server, Options::<Dealer>::new());
        net.advance(ms(200));
        net.trace().map(str::to_owned).collect::<Vec<_>>()
    };
    let trace = run();
    let expected = [
        "    0.000000 s: node 0, a DEALER, listens at tcp://place:1",
        "node 1, a DEALER, dials tcp://place:1 for pipe 0.0 and is accepted as pipe 0.0 of node 0",
        "is ready on pipe 0.0",
        "is ready on pipe 0.0",
        "    1.000000 s: node 1, a DEALER, is frozen",
        "node 1, a DEALER, is thawed",
        "[node 0] and [node 1] cannot reach each other",
        "all can reach each other again",
        "node 1, a DEALER, is cut",
        "ends pipe 0.0: the network failed: the peer reset the connection",
        "ends pipe 0.0: the network failed: the peer reset the connection",
        "dials tcp://place:1 for pipe 0.0 and is accepted",
        "is ready",
        "is ready",
        "    2.000000 s: node 0, a DEALER, is restarted",
        "node 1, a DEALER, ends pipe 0.0: the network failed: the peer reset the connection",
        "node 1, a DEALER, dials tcp://place:1 and is refused",
    ];
    for (line, part) in trace.iter().zip(expected) {
        assert!(line.contains(part), "{line} does not contain {part}");
    }
    assert!(trace.len() >= expected.len());
    assert_eq!(trace, run());
}

#[test]
fn trace_keeps_the_last_300_lines() {
    let mut net = Net::seeded(1);
    connected(&mut net, push().reconnect(ms(100), ms(100)));
    net.advance(s(3600));
    let times: Vec<f64> = net.trace().map(|line| line.split_whitespace().next().unwrap().parse().unwrap()).collect();
    assert_eq!(times.len(), 300);
    assert!(times.is_sorted() && times[299] > 3599.0);
}
