//! Random choice of the sockets of a generated test program. The sockets belong to one messaging pattern and are on two
//! sides. Each connection is between sockets of different sides.

use super::program::{Spec, Switch};
use sansmq::proto::SocketType::{self, Dealer, Pair, Pub, Pull, Push, Rep, Req, Router, Sub, XPub, XSub};
use sansmq::proto::entropy::SeededEntropy;
use std::collections::BTreeSet;

/// Sockets of a generated test program, and properties that all of them share.
pub(crate) struct Topology {
    pub(crate) sockets: Vec<Spec>,
    /// Number of sockets on the left side, which come first in `sockets`. Sockets are connected only to sockets of the
    /// other side.
    pub(crate) left: usize,
    pub(crate) inproc: bool,
    /// True if sockets keep only the latest message (`conflate`).
    pub(crate) conflates: bool,
    /// True if all sockets of the program have small high-water marks (1 to 5 messages). The program then has small
    /// messages only.
    pub(crate) small: bool,
}

/// Source of random choices.
pub(crate) struct Random(SeededEntropy);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(SeededEntropy::new(seed))
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.0.below(bound as u64)).unwrap()
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

impl Topology {
    /// Chooses the sockets of a generated test program at random.
    pub(crate) fn random(random: &mut Random) -> Self {
        const FAMILIES: [(&[SocketType], &[SocketType]); 6] = [
            (&[Push], &[Pull]),
            (&[Pub, XPub], &[Sub, Sub, XSub]),
            (&[Req, Dealer], &[Rep]),
            (&[Req, Dealer, Router], &[Router]),
            (&[Dealer], &[Dealer]),
            (&[Pair], &[Pair]),
        ];
        let inproc = random.chance(25);
        let (left, right) = random.pick(&FAMILIES);
        let single = left == [Pair] || random.chance(25);
        // Other types drop messages above the high-water mark, which depends on timing; and `inproc` has no network
        // buffers, unlike the simulation.
        let small = single && !inproc && [Push, Dealer, Pair].contains(&left[0]) && random.chance(50);
        let conflates = [Push, Pub, XPub].contains(&left[0]) && random.chance(15);
        let mut topology = Self { sockets: Vec::new(), left: 0, inproc, conflates, small };
        for (side, kinds) in [left, right].into_iter().enumerate() {
            let count = if single { 1 } else { 1 + random.below(3) };
            for _ in 0..count {
                let kind = random.pick(kinds);
                // Only a ROUTER receives probes.
                let probes = side == 0 && right == [Router] && !inproc && random.chance(10);
                let mut spec = topology.spec(random, kind);
                // A serving socket replies to a probe too, which a REQ without `correlate` may accept as the reply to
                // its request.
                let probes = probes && (kind != Req || spec.switches.contains(&Switch::Correlate));
                spec.switches.extend(probes.then_some(Switch::Probe));
                spec.serves = side == 1 && (kind == Rep || kind == Router && random.chance(70));
                topology.sockets.push(spec);
            }
            if side == 0 {
                topology.left = topology.sockets.len();
            }
        }
        topology
    }

    fn spec(&self, random: &mut Random, kind: SocketType) -> Spec {
        let number = self.sockets.len();
        let mut switches = BTreeSet::new();
        let choices: &[(Switch, usize)] = match kind {
            Router => &[(Switch::Mandatory, 50), (Switch::Handover, 20)],
            Req => &[(Switch::Correlate, 40)],
            XPub => &[(Switch::Verbose, 25), (Switch::Verboser, 25)],
            _ => &[],
        };
        for &(switch, percent) in choices {
            if random.chance(percent) {
                switches.insert(switch);
            }
        }
        // Without request ids it depends on timing whether a late reply is accepted for the next request.
        if switches.contains(&Switch::Correlate) && random.chance(50) {
            switches.insert(Switch::Relaxed);
        }
        if self.conflates && kind != XPub && kind != XSub {
            switches.insert(Switch::Conflate);
        }
        // libzmq ignores `immediate` over `inproc`.
        if !self.inproc && random.chance(10) {
            switches.insert(Switch::Immediate);
        }
        let named = [Req, Dealer, Router].contains(&kind) && random.chance(60);
        let long = random.chance(10);
        let id = if long { format!("long-{number}").repeat(36) } else { format!("id-{number}") };
        Spec {
            kind,
            routing_id: named.then_some(id),
            hwm: self.small.then(|| 1 + random.below(5)),
            switches,
            serves: false,
        }
    }
}
