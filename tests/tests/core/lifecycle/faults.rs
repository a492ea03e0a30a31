//! What happens to a network by chance, and what may come of it.

use super::{ms, s};
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::kind::Kind;
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Entropy, Message, Options};
use sansmq_tests::Told;
use std::collections::{BTreeMap, BTreeSet};

/// What the weather of a seed allows.
pub(super) struct Weather {
    dice: SeededEntropy,
    /// Connections are cut, and sockets may be started anew.
    pub(super) cuts: bool,
    /// Who cannot be reached is noticed by heartbeats, which ends connections.
    pub(super) beats: bool,
}

impl Weather {
    pub(super) fn of(seed: u64) -> Self {
        let mut dice = SeededEntropy::new(seed ^ 0x5eed);
        dice.fill(&mut [0; 8]);
        Self { dice, cuts: seed % 3 == 1, beats: seed % 3 == 2 }
    }

    /// Connections are lost that were whole. Otherwise octets may wait for long, but none are lost.
    pub(super) const fn tears(&self) -> bool {
        self.cuts || self.beats
    }

    pub(super) fn net(&mut self, seed: u64) -> Told {
        let longest = [9, 100, 5000][self.pick(3)];
        let net = Net::seeded(seed).chunks(1..=longest);
        Told(net.latency(ms(0)..=ms(self.dice.below(40))).capacity(20 + self.pick(500)))
    }

    pub(super) fn pick(&mut self, count: usize) -> usize {
        usize::try_from(self.dice.below(count as u64)).unwrap()
    }

    /// Once in so many times.
    pub(super) fn once_in(&mut self, times: usize) -> bool {
        self.pick(times) == 0
    }

    /// With a heartbeat, if the weather asks for one. Where it tears nothing, time does not either: one side of a handshake
    /// could run out of it when the other has begun to speak, and what that said would be lost.
    pub(super) fn dress<T: Kind>(&self, options: Options<T>) -> Options<T> {
        let options = if self.tears() { options } else { options.handshake_timeout(None) };
        if self.beats { options.heartbeat(ms(1500)).unwrap() } else { options }
    }

    /// Something happens to one of the nodes, or only time passes.
    pub(super) fn strike(&mut self, net: &mut Net, nodes: &[NodeId]) {
        let node = nodes[self.pick(nodes.len())];
        match self.dice.below(15) {
            0 if self.cuts => net.cut(node),
            1 => net.freeze(node),
            2..=4 => net.thaw(node),
            5..=7 => net.pass(ms(self.dice.below(300))),
            8 => net.pass(ms(self.dice.below(3000))),
            9 => {
                let (some, others): (Vec<_>, Vec<_>) = nodes.iter().partition(|_| self.dice.below(2) == 0);
                net.part(&some, &others);
            }
            10..=11 => net.heal(),
            _ => net.pass(ms(1)),
        }
    }

    /// The sun comes out: what is still under way arrives.
    pub(super) fn clear(net: &mut Net, nodes: &[NodeId]) {
        net.heal();
        for &node in nodes {
            net.thaw(node);
        }
        net.pass(s(50));
    }
}

/// What came, by sender and receiver, each message being its sender's next number.
pub(super) struct Got {
    /// Connections are lost, and the order is kept within each but not beyond: what one has left is received in turn with
    /// what comes by the next one.
    torn: bool,
    latest: BTreeMap<(usize, usize), u32>,
    pub(super) all: BTreeSet<(usize, u32)>,
}

impl Got {
    pub(super) const fn of(weather: &Weather) -> Self {
        Self { torn: weather.tears(), latest: BTreeMap::new(), all: BTreeSet::new() }
    }

    pub(super) fn note(&mut self, message: &Message, by: usize) {
        let text = message.body().to_text().into_owned();
        let mut words =
            text.split(' ').map(|word| word.parse::<u32>().expect("a message says whose it is, and its number"));
        let (from, number) = (words.next().unwrap() as usize, words.next().unwrap());
        assert!(self.all.insert((from, number)), "{text} came twice");
        let latest = self.latest.insert((from, by), number);
        assert!(self.torn || latest.is_none_or(|latest| latest < number), "{text} came after {latest:?}");
    }
}
