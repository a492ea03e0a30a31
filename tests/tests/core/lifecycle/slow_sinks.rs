//! A pipeline with sinks of different speeds: no loss, no duplicates, no sink waits for another sink, and memory is
//! bounded.

use super::faults::{FaultPlan, Received};
use super::{close, s};
use sansmq_proto::kind::{Pull, Push};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Options, SendError};
use sansmq_tests::{TracedNet, for_seeds};

/// A PUSH, and three PULLs as its sinks.
struct Pipeline {
    push: NodeId,
    pulls: [NodeId; 3],
    /// Send high-water mark of the PUSH, and receive high-water mark of the PULLs.
    marks: [usize; 2],
    sent: u32,
    received: Received,
    /// Number of messages that each sink has received so far.
    shares: [usize; 3],
}

impl Pipeline {
    fn new(net: &mut Net, faults: &mut FaultPlan) -> Self {
        let marks = [2 + faults.pick(20), 1 + faults.pick(20)];
        let push = net.socket(faults.configure(Options::<Push>::new().send_hwm(marks[0]).linger(None)));
        let pulls = [1, 2, 3].map(|number| {
            let pull = net.socket(faults.configure(Options::<Pull>::new().recv_hwm(marks[1])));
            net.bind(pull, &format!("tcp://sink:{number}"));
            net.connect(push, &format!("tcp://sink:{number}"));
            pull
        });
        Self { push, pulls, marks, sent: 0, received: Received::new(faults), shares: [0; 3] }
    }

    /// Sends a message of `size` bytes from the PUSH. Returns `false` if the queues of all its peers are full.
    fn send(&mut self, net: &mut Net, size: usize) -> bool {
        let mut body = format!("0 {} 0", self.sent);
        body.extend(core::iter::repeat_n('0', size));
        match net[self.push].send(body) {
            Ok(()) => {
                self.sent += 1;
                true
            }
            Err(SendError::Full(_)) => false,
            Err(other) => panic!("{other}"),
        }
    }

    /// Receives a message at the sink with this index. Returns `false` if the queue of the sink is empty.
    fn recv(&mut self, net: &mut Net, sink: usize) -> bool {
        let Ok(message) = net[self.pulls[sink]].recv() else { return false };
        self.received.record(&message, sink);
        self.shares[sink] += 1;
        true
    }

    /// Receives all messages at all sinks.
    fn drain(&mut self, net: &mut Net) {
        for _ in 0..10 {
            for sink in 0..3 {
                while self.recv(net, sink) {
                    net.settle();
                }
            }
            net.advance(s(1));
        }
    }

    /// Asserts that the queues of all sockets are within their high-water marks. The test must call this only if no
    /// connection can be lost: unread messages of a lost connection stay queued and are not counted against the marks.
    fn check_marks(&self, net: &Net) {
        let outgoing = net[self.push].stats().outgoing.messages;
        assert!(outgoing <= 3 * self.marks[0] as u64, "{outgoing} messages are queued to be sent");
        for pull in self.pulls {
            let incoming = net[pull].stats().incoming.messages;
            assert!(incoming <= self.marks[1] as u64, "{incoming} messages are queued to be received");
        }
    }
}

#[test]
fn sinks_of_different_speeds_receive_each_message_once() {
    for_seeds(100, |seed| {
        let mut faults = FaultPlan::from_seed(seed);
        let mut net = faults.net(seed);
        let mut pipeline = Pipeline::new(&mut net, &mut faults);
        let nodes = [&[pipeline.push][..], &pipeline.pulls].concat();
        for _ in 0..200 {
            for _ in 0..faults.pick(6) {
                pipeline.send(&mut net, 0);
            }
            // The second sink is slow, and the third receives almost never.
            for (sink, times) in [(0, 1), (1, 5), (2, 50)] {
                if faults.one_in(times) {
                    while pipeline.recv(&mut net, sink) && !faults.one_in(6) {}
                }
            }
            if !faults.loses_connections() {
                pipeline.check_marks(&net);
            }
            faults.inject(&mut net, &nodes);
        }
        FaultPlan::end_faults(&mut net, &nodes);
        pipeline.drain(&mut net);
        if !faults.loses_connections() {
            assert_eq!(pipeline.received.all.len(), pipeline.sent as usize, "messages were lost");
        }
        // Only messages that a lost connection has begun to send may be lost; the next connection sends the others.
        let sent = net[pipeline.push].stats().sent.messages;
        assert_eq!(sent, u64::from(pipeline.sent), "each message is sent once");
        assert_eq!(net.connections(pipeline.push), 3, "all peers have reconnected");
        // The pipeline works as before.
        let (before, sent) = (pipeline.shares, pipeline.sent);
        for _ in 0..6 {
            assert!(pipeline.send(&mut net, 0), "there must be room for {} more messages", 6 + sent - pipeline.sent);
            net.settle();
        }
        pipeline.drain(&mut net);
        let gained: Vec<_> = (0..3).map(|sink| pipeline.shares[sink] - before[sink]).collect();
        assert_eq!(gained, [2; 3], "sinks with room receive equal shares");
    });
}

#[test]
fn messages_prefer_sinks_that_read() {
    let mut net = Net::seeded(1);
    let push = net.socket(Options::<Push>::new());
    let pulls = [1, 2, 3].map(|number| {
        let pull = net.socket(Options::<Pull>::new());
        net.bind(pull, &format!("tcp://sink:{number}"));
        net.connect(push, &format!("tcp://sink:{number}"));
        pull
    });
    net.advance(s(1));
    let [.., stopped] = pulls;
    let send = |net: &mut Net, messages| {
        let mut received = [0; 3];
        for _ in 0..messages {
            net[push].send(vec![7; 16 << 10]).unwrap();
            net.advance(s(1));
            for (pull, received) in pulls.into_iter().zip(&mut received) {
                while net[pull].recv().is_ok() {
                    *received += 1;
                }
            }
        }
        received
    };
    net.freeze(stopped);
    send(&mut net, 1000);
    let queued = net[push].peer_stats().map(|peer| peer.outgoing.messages).max();
    assert_eq!(queued, Some(1), "one message for the sink that has stopped reading is left in its queue");
    assert_eq!(send(&mut net, 1000), [500, 500, 0]);
    net.thaw(stopped);
    net.advance(s(1));
    send(&mut net, 10);
    assert_eq!(send(&mut net, 999), [333; 3], "a sink that reads again receives its share");
}

#[test]
fn sinks_with_room_receive_equal_shares() {
    for_seeds(100, |seed| {
        let mut faults = FaultPlan::from_seed(3 * seed);
        let mut net = faults.net(seed);
        let mut pipeline = Pipeline::new(&mut net, &mut faults);
        net.advance(s(1));
        for _ in 0..100 {
            // So few messages that a sink that has received everything always has room.
            for _ in 0..=faults.pick(pipeline.marks[0]) {
                assert!(pipeline.send(&mut net, 0));
            }
            net.settle();
            for fast in 0..2 {
                while pipeline.recv(&mut net, fast) {
                    net.settle();
                }
            }
            if faults.one_in(10) {
                pipeline.recv(&mut net, 2);
            }
            let [one, other, _] = pipeline.shares;
            assert!(one.abs_diff(other) <= 1, "{:?}", pipeline.shares);
        }
        pipeline.drain(&mut net);
        assert_eq!(pipeline.received.all.len(), pipeline.sent as usize, "messages were lost");
    });
}

#[test]
fn stalled_sinks_bound_the_sender_and_close_loses_nothing() {
    for_seeds(60, |seed| {
        let mut faults = FaultPlan::from_seed(3 * seed);
        let mut net = TracedNet(Net::seeded(seed).chunks(1..=5000).capacity(100 + faults.pick(5000)));
        let mut pipeline = Pipeline::new(&mut net, &mut faults);
        let size = 500 + faults.pick(1000);
        for _ in 0..50 {
            while pipeline.send(&mut net, size) {}
            net.advance(s(1));
            pipeline.check_marks(&net);
        }
        // In addition to both queues, each end holds a batch of 64 KiB in its connection, and the network holds its
        // capacity.
        let maximum = 3 * (pipeline.marks[0] + pipeline.marks[1] + (2 * (64 << 10) + 5100) / size + 6);
        assert!(
            (pipeline.sent as usize) < maximum,
            "{} messages of {size} bytes were sent; expected fewer than {maximum}",
            pipeline.sent
        );
        close(&mut net, pipeline.push);
        pipeline.drain(&mut net);
        assert_eq!(pipeline.received.all.len(), pipeline.sent as usize, "messages were lost");
    });
}
