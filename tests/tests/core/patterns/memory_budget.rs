//! Tests of the limit on the memory that several sockets hold together.

use super::{PLACE, net};
use core::time::Duration;
use sansmq_proto::connection::MemoryBudget;
use sansmq_proto::kind::{Pull, Push};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Options, SendError};
use sansmq_tests::recv_all;
use std::sync::Arc;

const KIB: usize = 1 << 10;

/// Change in bytes of what a queue or a connection holds, below which it is not counted.
const STEP: usize = 16 * KIB;

/// Body of the messages. With its frame it holds 10 KiB.
const BODY: usize = 10 * KIB - 72;

fn push_with(net: &mut Net, budget: &Arc<MemoryBudget>) -> NodeId {
    let push = net.socket(Options::<Push>::new());
    net[push].set_memory_budget(Arc::clone(budget));
    net.connect(push, PLACE);
    push
}

/// Sends messages until the socket accepts no more. Returns the number of accepted messages.
fn fill(net: &mut Net, push: NodeId) -> usize {
    let mut sent = 0;
    while sent < 1000 {
        match net[push].send(vec![7; BODY]) {
            Ok(()) => sent += 1,
            Err(error) => {
                assert!(matches!(error, SendError::Full(_)));
                break;
            }
        }
        net.settle();
    }
    sent
}

#[test]
fn exceeded_budget_lowers_the_byte_hwm_of_each_peer() {
    let mut net = net();
    let budget = Arc::new(MemoryBudget::new(1000 * KIB));
    let [greedy, modest] = [(); 2].map(|()| push_with(&mut net, &budget));
    let sent = fill(&mut net, greedy);
    assert!((100..=103).contains(&sent), "{sent} messages of 10 KiB");
    assert_eq!(fill(&mut net, modest), 7, "another peer may hold 64 KiB");
    assert!(budget.held_bytes() < 1100 * KIB);
    assert_eq!(net[modest].stats().limits.memory_budget, 1000 * KIB as u64);

    let pull = net.socket(Options::<Pull>::new());
    net.bind(pull, PLACE);
    net.advance(Duration::from_secs(1));
    assert_eq!(recv_all(&mut net, pull).len(), sent + 7);
    assert!(budget.held_bytes() < 2 * STEP);
    net.freeze(pull);
    assert!(fill(&mut net, modest) > 90, "the marks are those of the options again");
    drop(net);
    assert_eq!(budget.held_bytes(), 0);
}

#[test]
fn budget_counts_received_messages_until_they_are_taken() {
    let mut net = Net::seeded(1);
    let budget = Arc::new(MemoryBudget::new(1000 * KIB));
    let pull = net.socket(Options::<Pull>::new());
    net[pull].set_memory_budget(Arc::clone(&budget));
    net.bind(pull, PLACE);
    let pushes = [(); 3].map(|()| {
        let push = net.socket(Options::<Push>::new());
        net.connect(push, PLACE);
        push
    });
    for _ in 0..150 {
        for push in pushes {
            net[push].send(vec![7; BODY]).unwrap();
        }
        net.settle();
    }
    let (held, stats) = (budget.held_bytes(), net[pull].stats());
    // In addition to the limit, each peer has a message more than it may, and 64 KiB that are read ahead.
    assert!((1000 * KIB..1300 * KIB).contains(&held), "{held} bytes");
    assert!(stats.held.total().abs_diff(held as u64) <= 6 * STEP as u64, "{held} of {:?}", stats.held);
    assert_eq!(recv_all(&mut net, pull).len(), 450, "all peers go on");
    assert!(budget.held_bytes() < 6 * STEP);
}
