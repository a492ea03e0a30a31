//! Chooses the sockets of a random program: those of one pattern, each with the others of the other side.

use super::program::{Spec, Switch};
use sansmq::proto::SocketType::{self, Dealer, Pair, Pub, Pull, Push, Rep, Req, Router, Sub, XPub, XSub};
use sansmq::proto::entropy::SeededEntropy;
use std::collections::BTreeSet;

/// Who takes part.
pub(crate) struct Cast {
    pub(crate) sockets: Vec<Spec>,
    /// How many of them are on the left side, which speaks with the right one.
    pub(crate) left: usize,
    pub(crate) inproc: bool,
    /// The latest message alone is kept.
    pub(crate) conflates: bool,
    /// The marks are, and so are messages.
    pub(crate) small: bool,
}

/// What is left to chance.
pub(crate) struct Dice(SeededEntropy);

impl Dice {
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

impl Cast {
    /// One of random sockets.
    pub(crate) fn drawn(dice: &mut Dice) -> Self {
        const FAMILIES: [(&[SocketType], &[SocketType]); 6] = [
            (&[Push], &[Pull]),
            (&[Pub, XPub], &[Sub, Sub, XSub]),
            (&[Req, Dealer], &[Rep]),
            (&[Req, Dealer, Router], &[Router]),
            (&[Dealer], &[Dealer]),
            (&[Pair], &[Pair]),
        ];
        let inproc = dice.chance(25);
        let (left, right) = dice.pick(&FAMILIES);
        let single = left == [Pair] || dice.chance(25);
        // Whoever drops what does not fit, does so at some moment or other; and a process has no network between its sockets,
        // which the simulation has.
        let small = single && !inproc && [Push, Dealer, Pair].contains(&left[0]) && dice.chance(50);
        let conflates = [Push, Pub, XPub].contains(&left[0]) && dice.chance(15);
        let mut cast = Self { sockets: Vec::new(), left: 0, inproc, conflates, small };
        for (side, kinds) in [left, right].into_iter().enumerate() {
            let count = if single { 1 } else { 1 + dice.below(3) };
            for _ in 0..count {
                let kind = dice.pick(kinds);
                // Probes are for ROUTERs alone.
                let probes = side == 0 && right == [Router] && !inproc && dice.chance(10);
                let mut spec = cast.spec(dice, kind);
                // Who serves answers a probe too, and a REQ that does not correlate takes that for its reply if it comes in time.
                let probes = probes && (kind != Req || spec.switches.contains(&Switch::Correlate));
                spec.switches.extend(probes.then_some(Switch::Probe));
                spec.serves = side == 1 && (kind == Rep || kind == Router && dice.chance(70));
                cast.sockets.push(spec);
            }
            if side == 0 {
                cast.left = cast.sockets.len();
            }
        }
        cast
    }

    fn spec(&self, dice: &mut Dice, kind: SocketType) -> Spec {
        let number = self.sockets.len();
        let mut switches = BTreeSet::new();
        let choices: &[(Switch, usize)] = match kind {
            Router => &[(Switch::Mandatory, 50), (Switch::Handover, 20)],
            Req => &[(Switch::Correlate, 40)],
            XPub => &[(Switch::Verbose, 25), (Switch::Verboser, 25)],
            _ => &[],
        };
        for &(switch, percent) in choices {
            if dice.chance(percent) {
                switches.insert(switch);
            }
        }
        // Without ids it would depend on the moment whether a late reply is taken for the next one's.
        if switches.contains(&Switch::Correlate) && dice.chance(50) {
            switches.insert(Switch::Relaxed);
        }
        if self.conflates && kind != XPub && kind != XSub {
            switches.insert(Switch::Conflate);
        }
        // Over `inproc` it makes no difference to libzmq.
        if !self.inproc && dice.chance(10) {
            switches.insert(Switch::Immediate);
        }
        let named = [Req, Dealer, Router].contains(&kind) && dice.chance(60);
        let long = dice.chance(10);
        let id = if long { format!("long-{number}").repeat(36) } else { format!("id-{number}") };
        Spec {
            kind,
            routing_id: named.then_some(id),
            marks: self.small.then(|| 1 + dice.below(5)),
            switches,
            serves: false,
        }
    }
}
