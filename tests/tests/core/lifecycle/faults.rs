//! Random faults of the simulated network, and a record of received messages that checks order and duplicates.

use super::{ms, s};
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::kind::Kind;
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Entropy, Message, Options};
use sansmq_tests::TracedNet;
use std::collections::{BTreeMap, BTreeSet};

/// Kinds of faults that a test injects, and their random source. The seed determines both.
pub(super) struct FaultPlan {
    rng: SeededEntropy,
    /// True if the test cuts connections, and may restart sockets.
    pub(super) cuts: bool,
    /// True if sockets send heartbeats. Heartbeat timeouts then end connections to unreachable peers.
    pub(super) heartbeats: bool,
}

impl FaultPlan {
    pub(super) fn from_seed(seed: u64) -> Self {
        let mut rng = SeededEntropy::new(seed ^ 0x5eed);
        rng.fill(&mut [0; 8]);
        Self { rng, cuts: seed % 3 == 1, heartbeats: seed % 3 == 2 }
    }

    /// Returns `true` if established connections may be lost. Otherwise bytes may be delayed, but are not lost.
    pub(super) const fn loses_connections(&self) -> bool {
        self.cuts || self.heartbeats
    }

    /// Creates a network with random chunk sizes, latency and capacity. One in four networks also has slow links.
    pub(super) fn net(&mut self, seed: u64) -> TracedNet {
        let longest = [9, 100, 5000][self.pick(3)];
        let net = Net::seeded(seed).chunks(1..=longest);
        let net = net.latency(ms(0)..=ms(self.rng.below(40))).capacity(20 + self.pick(500));
        let rate = u32::try_from(2000 + self.pick(20_000)).expect("the rate is small");
        TracedNet(if self.one_in(4) { net.rate(rate) } else { net })
    }

    /// Returns a random number below `count`.
    pub(super) fn pick(&mut self, count: usize) -> usize {
        usize::try_from(self.rng.below(count as u64)).unwrap()
    }

    /// Returns `true` with a probability of one in `times`.
    pub(super) fn one_in(&mut self, times: usize) -> bool {
        self.pick(times) == 0
    }

    /// Adds a heartbeat to the options if the plan has heartbeats.
    pub(super) fn configure<T: Kind>(&self, options: Options<T>) -> Options<T> {
        // Without lost connections, the handshake timeout is disabled as well: it could expire on one side after the
        // other side has completed the handshake and begun to send, and those messages would be lost.
        let options = if self.loses_connections() { options } else { options.handshake_timeout(None) };
        if self.heartbeats { options.heartbeat(ms(1500)) } else { options }
    }

    /// Causes a random fault at one of the sockets `nodes`, or advances the clock.
    pub(super) fn inject(&mut self, net: &mut Net, nodes: &[NodeId]) {
        let node = nodes[self.pick(nodes.len())];
        match self.rng.below(15) {
            0 if self.cuts => net.reset_connections(node),
            1 => net.freeze(node),
            2..=4 => net.thaw(node),
            5..=7 => net.advance(ms(self.rng.below(300))),
            8 => net.advance(ms(self.rng.below(3000))),
            9 => {
                let (some, others): (Vec<_>, Vec<_>) = nodes.iter().partition(|_| self.rng.below(2) == 0);
                net.partition(&some, &others);
            }
            10..=11 => net.heal_partitions(),
            _ => net.advance(ms(1)),
        }
    }

    /// Ends all faults, and runs the network until everything in transit has arrived.
    pub(super) fn end_faults(net: &mut Net, nodes: &[NodeId]) {
        net.heal_partitions();
        for &node in nodes {
            net.thaw(node);
        }
        net.advance(s(50));
    }
}

/// Received messages by sender and receiver. Each message contains the number of its sender and a sequence number.
pub(super) struct Received {
    /// True if connections may be lost. Messages of one sender are then in order only within each connection: a socket
    /// receives fair-queued from a lost connection with unread messages and from the next connection.
    loses_connections: bool,
    latest: BTreeMap<(usize, usize), u32>,
    pub(super) all: BTreeSet<(usize, u32)>,
}

impl Received {
    pub(super) const fn new(faults: &FaultPlan) -> Self {
        Self { loses_connections: faults.loses_connections(), latest: BTreeMap::new(), all: BTreeSet::new() }
    }

    /// Records a message that the socket with the index `receiver` has received. Asserts that the message is not a
    /// duplicate and, if connections cannot be lost, that it is in order.
    pub(super) fn record(&mut self, message: &Message, receiver: usize) {
        let text = message.body().to_text().into_owned();
        let mut words = text
            .split(' ')
            .map(|word| word.parse::<u32>().expect("a message contains its sender and its sequence number"));
        let (sender, number) = (words.next().unwrap() as usize, words.next().unwrap());
        assert!(self.all.insert((sender, number)), "{text} was received twice");
        let latest = self.latest.insert((sender, receiver), number);
        assert!(
            self.loses_connections || latest.is_none_or(|latest| latest < number),
            "{text} was received after {latest:?}"
        );
    }
}
