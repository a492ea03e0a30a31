//! Tests of high-water marks in bytes, which apply in addition to the high-water marks in messages. They count the memory that
//! messages hold: 72 bytes per frame, and bodies of more than 64 bytes in addition.

use super::hwm::ManualSocket;
use super::{PLACE, net, star};
use core::time::Duration;
use sansmq_proto::kind::{Pub, Pull, Push, Sub};
use sansmq_proto::socket::{DropReason, SlowSubscriber};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Frame, Options, SendError, SocketType};
use sansmq_tests::{dropped, events, recv_all};

/// Sends messages of `size` bytes until the socket accepts no more. Returns the number of accepted messages.
fn fill(net: &mut Net, node: NodeId, size: usize) -> usize {
    (0..1000).take_while(|_| net[node].send(vec![7; size]).is_ok()).count()
}

#[test]
fn queue_is_full_at_the_first_hwm_that_is_reached() {
    for (size, expected) in [(0, 14), (64, 14), (99, 6), (128, 5), (129, 5), (928, 1), (5000, 1)] {
        let mut net = net();
        let push = net.socket(Options::<Push>::new().send_hwm(50).send_hwm_bytes(1000));
        net.connect(push, PLACE);
        assert_eq!(fill(&mut net, push, size), expected, "messages of {size} bytes");
    }
    let mut net = net();
    let push = net.socket(Options::<Push>::new().send_hwm(50).send_hwm_bytes(1_000_000));
    net.connect(push, PLACE);
    assert_eq!(fill(&mut net, push, 99), 50, "the mark in messages is reached first");
}

#[test]
fn byte_hwm_counts_all_frames_and_admits_one_excess() {
    let mut net = net();
    let push = net.socket(Options::<Push>::new().send_hwm_bytes(1017));
    net.connect(push, PLACE);
    net[push].send([vec![7; 400], vec![7; 400]]).unwrap();
    net[push].send(vec![7; 5000]).expect("1016 bytes are held, less than the high-water mark");
    assert!(matches!(net[push].send("x"), Err(SendError::Full(_))));
    let pull = net.socket(Options::<Pull>::new());
    net.bind(pull, PLACE);
    net.advance(Duration::from_secs(1));
    assert_eq!(recv_all(&mut net, pull).len(), 2);
    net[push].send(vec![7; 5000]).expect("the queue is empty");
}

#[test]
fn byte_hwm_applies_per_peer() {
    let mut net = net();
    let push = net.socket(Options::<Push>::new().send_hwm_bytes(1000));
    net.connect(push, PLACE);
    net.connect(push, "tcp://other:1");
    assert_eq!(fill(&mut net, push, 128), 10);
}

#[test]
fn slow_reader_blocks_its_sender_without_loss() {
    let mut net = Net::seeded(1).chunks(1..=700).capacity(3000);
    let pull = Options::<Pull>::new().recv_hwm_bytes(10 * 1072);
    let (pull, [push]) = star(&mut net, pull, [Options::<Push>::new().send_hwm_bytes(20 * 1072)]);
    let mut sent = 0;
    while net[push].send(vec![7; 1000]).is_ok() {
        sent += 1;
        net.settle();
        assert!(sent < 1000, "the sender is never blocked");
    }
    assert_eq!(net[pull].stats().incoming.bytes, 10_000);
    assert_eq!(net[push].stats().outgoing.bytes, 20_000);
    assert_eq!(recv_all(&mut net, pull).len(), sent);
    net[push].send("again").expect("the queue has room again");
}

#[test]
fn reading_resumes_at_half_the_byte_hwm() {
    let mut net = Net::seeded(1);
    let (pull, [push]) = star(&mut net, Options::<Pull>::new().recv_hwm_bytes(1720), [Options::<Push>::new()]);
    for _ in 0..100 {
        net[push].send(vec![7; 100]).unwrap();
    }
    net.settle();
    for (taken, queued) in [(4, 6), (1, 10)] {
        for _ in 0..taken {
            net[pull].recv().unwrap();
        }
        net.settle();
        assert_eq!(net[pull].stats().incoming.messages, queued);
    }
}

#[test]
fn writable_is_emitted_at_half_the_byte_hwm() {
    let options = Options::<Push>::new().send_hwm(0).send_hwm_bytes(900_000);
    let mut socket = ManualSocket::new(options.erase(), SocketType::Pull);
    assert_eq!(socket.fill(), 10);
    socket.takes_writable();
    socket.transmit();
    assert!(!socket.takes_writable(), "630 000 bytes are left, more than half");
    assert!(socket.send().is_err(), "the queue stays full until then");
    socket.transmit();
    assert!(socket.takes_writable(), "360 000 bytes are left, less than half");
    assert_eq!(socket.fill(), 6);
}

#[test]
fn drop_oldest_discards_only_what_a_new_message_needs() {
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
    assert_eq!(lost, 1, "the queue held one message of 2000 bytes");
    for _ in 0..20 {
        net[publisher].send(vec![1; 99]).unwrap();
    }
    let lost = dropped(&events(&mut net, publisher), DropReason::PeerFull);
    assert_eq!(lost, 15, "six messages fit");
    net[publisher].send(vec![2; 3000]).unwrap();
    net[publisher].send("newest").unwrap();
    let lost = dropped(&events(&mut net, publisher), DropReason::PeerFull);
    assert_eq!((lost, net[publisher].stats().outgoing.bytes), (7, 6), "messages that do not fit are dropped");
    net.thaw(sub);
    let received = recv_all(&mut net, sub);
    assert_eq!(received.last().unwrap().body(), "newest");
    assert_eq!(received.len() as u64 + net[publisher].stats().dropped.total(), 70 + 1 + 20 + 2);
}

#[test]
fn default_byte_hwm_bounds_a_peer_that_does_not_read() {
    const MIB: usize = 1 << 20;
    let body = Frame::from(vec![7; MIB]);
    let mut net = net();
    let push = net.socket(Options::<Push>::new());
    net.connect(push, PLACE);
    let sent = (0..1000).take_while(|_| net[push].send(body.clone()).is_ok()).count();
    assert_eq!(sent, 256, "the sender waits at 256 MiB");

    let mut net = Net::seeded(1).capacity(MIB);
    let (pull, [push]) = star(&mut net, Options::<Pull>::new(), [Options::<Push>::new().send_hwm_bytes(0)]);
    for _ in 0..70 {
        net[push].send(body.clone()).unwrap();
    }
    net.settle();
    assert_eq!(net[pull].stats().incoming.messages, 64, "the receiver stops reading at 64 MiB");
    assert_eq!(recv_all(&mut net, pull).len(), 70);
}
