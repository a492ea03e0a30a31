//! High-water marks in octets, beside those in messages.

use super::hwm::ByHand;
use super::{PLACE, net, star};
use core::time::Duration;
use sansmq_proto::kind::{Pub, Pull, Push, Sub};
use sansmq_proto::socket::{DropReason, SlowSubscriber};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Options, SendError, SocketType};
use sansmq_tests::{dropped, events, recv_all};

/// How many messages of so many octets a socket takes.
fn fill(net: &mut Net, node: NodeId, octets: usize) -> usize {
    (0..1000).take_while(|_| net[node].send(vec![7; octets]).is_ok()).count()
}

#[test]
fn whichever_mark_is_reached_first_closes_a_queue() {
    for (octets, fits) in [(0, 50), (99, 11), (100, 10), (101, 10), (1000, 1), (5000, 1)] {
        let mut net = net();
        let push = net.socket(Options::<Push>::new().send_hwm(50).send_hwm_bytes(1000));
        net.connect(push, PLACE);
        assert_eq!(fill(&mut net, push, octets), fits, "messages of {octets} octets");
    }
}

#[test]
fn a_message_larger_than_the_mark_passes_alone_and_all_frames_count() {
    let mut net = net();
    let push = net.socket(Options::<Push>::new().send_hwm_bytes(1000));
    net.connect(push, PLACE);
    net[push].send([vec![7; 400], vec![7; 400]]).unwrap();
    net[push].send(vec![7; 5000]).expect("800 octets wait, which is less than the mark");
    assert!(matches!(net[push].send("x"), Err(SendError::Full(_))));
    let pull = net.socket(Options::<Pull>::new());
    net.bind(pull, PLACE);
    net.pass(Duration::from_secs(1));
    assert_eq!(recv_all(&mut net, pull).len(), 2);
    net[push].send(vec![7; 5000]).expect("nothing waits");
}

#[test]
fn each_peer_has_an_allowance_of_octets_of_its_own() {
    let mut net = net();
    let push = net.socket(Options::<Push>::new().send_hwm_bytes(1000));
    net.connect(push, PLACE);
    net.connect(push, "tcp://other:1");
    assert_eq!(fill(&mut net, push, 100), 20);
}

#[test]
fn a_peer_that_does_not_read_makes_its_sender_wait_and_loses_nothing() {
    let mut net = Net::seeded(1).chunks(1..=700).capacity(3000);
    let pull = Options::<Pull>::new().recv_hwm_bytes(10_000);
    let (pull, [push]) = star(&mut net, pull, [Options::<Push>::new().send_hwm_bytes(20_000)]);
    let mut sent = 0;
    while net[push].send(vec![7; 1000]).is_ok() {
        sent += 1;
        net.settle();
        assert!(sent < 1000, "nobody makes the sender wait");
    }
    assert_eq!(net[pull].stats().incoming.octets, 10_000);
    assert_eq!(net[push].stats().outgoing.octets, 20_000);
    assert_eq!(recv_all(&mut net, pull).len(), sent);
    net[push].send("again").expect("there is room again");
}

#[test]
fn reading_goes_on_when_half_of_the_octets_are_taken() {
    let mut net = Net::seeded(1);
    let (pull, [push]) = star(&mut net, Options::<Pull>::new().recv_hwm_bytes(1000), [Options::<Push>::new()]);
    for _ in 0..100 {
        net[push].send(vec![7; 100]).unwrap();
    }
    net.settle();
    for (taken, waiting) in [(4, 6), (1, 10)] {
        for _ in 0..taken {
            net[pull].recv().unwrap();
        }
        net.settle();
        assert_eq!(net[pull].stats().incoming.messages, waiting);
    }
}

#[test]
fn whoever_waits_is_told_when_half_of_the_octets_are_gone() {
    let options = Options::<Push>::new().send_hwm(0).send_hwm_bytes(900_000);
    let mut socket = ByHand::new(options.erase(), SocketType::Pull);
    assert_eq!(socket.fill(), 10);
    socket.says_writable();
    socket.flow();
    assert!(!socket.says_writable(), "630 000 octets are left");
    assert!(socket.send().is_err(), "and it stays closed so long");
    socket.flow();
    assert!(socket.says_writable(), "360 000 octets are left");
    assert_eq!(socket.fill(), 6);
}

#[test]
fn a_subscriber_that_does_not_read_loses_as_many_old_messages_as_a_new_one_needs() {
    let mut net = Net::seeded(1).capacity(100);
    let options = Options::<Pub>::new().send_hwm_bytes(1000).slow_subscriber(SlowSubscriber::DropOldest);
    let (publisher, [sub]) = star(&mut net, options, [Options::<Sub>::new()]);
    net[sub].subscribe("").unwrap();
    net.settle();
    net.freeze(sub);
    // The connection takes 64 KiB; after that the queue fills.
    for _ in 0..70 {
        net[publisher].send(vec![0; 2000]).unwrap();
        net.settle();
    }
    events(&mut net, publisher);
    net[publisher].send("new").unwrap();
    let lost = dropped(&events(&mut net, publisher), DropReason::PeerFull);
    assert_eq!(lost, 1, "the queue held one of 2000 octets");
    for _ in 0..20 {
        net[publisher].send(vec![1; 99]).unwrap();
    }
    let lost = dropped(&events(&mut net, publisher), DropReason::PeerFull);
    assert_eq!(lost, 10, "11 fit");
    net[publisher].send(vec![2; 3000]).unwrap();
    net[publisher].send("newest").unwrap();
    let lost = dropped(&events(&mut net, publisher), DropReason::PeerFull);
    assert_eq!((lost, net[publisher].stats().outgoing.octets), (12, 6), "what does not fit is gone");
    net.thaw(sub);
    let received = recv_all(&mut net, sub);
    assert_eq!(received.last().unwrap().body(), "newest");
    assert_eq!(received.len() as u64 + net[publisher].stats().dropped.total(), 70 + 1 + 20 + 2);
}
