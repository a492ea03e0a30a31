//! Fuzz target for the broker in `examples/simulation`: that of the guide `testing::guide` of `sansmq-proto`. Each byte of the
//! input is a fault or the end of a fault, and a time.

#[path = "../../examples/simulation/broker.rs"]
mod broker;
#[allow(dead_code, reason = "a field is for the tests")]
#[path = "../../examples/simulation/nodes.rs"]
mod nodes;

use nodes::{BrokerNode, Client, Worker};
use sansmq_proto::testing::Net;
use std::time::Duration;

/// Checks that a client gets replies after all faults have ended.
pub fn simulation(data: &[u8]) {
    let mut net = Net::seeded(7).latency(Duration::from_millis(1)..=Duration::from_millis(50));
    let broker = net.node(BrokerNode::start);
    let worker = net.node(|node| Worker::start(node, "worker"));
    let client = net.node(Client::start);
    let end_of_faults = [2, 3, 6]; // the broker starts, the worker starts, no partition
    for choice in data.iter().take(100).chain(&end_of_faults) {
        let node = if choice % 2 == 0 { broker } else { worker };
        match choice / 2 % 4 {
            0 => net.crash(node),
            1 => net.start(node),
            2 => net.partition(&[node], &[client, broker]),
            _ => net.heal_partitions(),
        }
        net.advance(Duration::from_millis(100) * u32::from(choice / 8));
    }
    let before = net.application::<Client>(client).map(|client| client.request);
    net.advance(Duration::from_secs(20));
    assert!(net.application::<Client>(client).map(|client| client.request) > before, "no replies");
}
