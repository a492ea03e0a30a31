//! Random sends, receives, cuts, freezes and passes of time against the simplest of models.

use super::{ms, s};
use sansmq_proto::kind::{Dealer, Pull, Push, Router};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{DropReason, Entropy, Message, Options, SeededEntropy};
use sansmq_tests::{dropped, events, for_seeds};
use std::collections::{BTreeMap, BTreeSet};

/// What the weather of a seed allows.
pub(super) struct Weather {
    dice: SeededEntropy,
    cuts: bool,
    /// Frozen nodes are noticed by heartbeats, which ends connections.
    beats: bool,
}

impl Weather {
    pub(super) fn of(seed: u64) -> Self {
        let mut dice = SeededEntropy::new(seed ^ 0x5eed);
        dice.fill(&mut [0; 8]);
        Self { dice, cuts: seed % 3 == 1, beats: seed % 3 == 2 }
    }

    pub(super) fn net(&mut self, seed: u64) -> Net {
        let longest = [9, 100, 5000][self.pick(3)];
        Net::seeded(seed).chunks(1..=longest).latency(ms(0)..=ms(self.dice.below(40))).capacity(20 + self.pick(500))
    }

    pub(super) fn pick(&mut self, count: usize) -> usize {
        usize::try_from(self.dice.below(count as u64)).unwrap()
    }

    /// Something happens to one of the nodes, or only time passes.
    pub(super) fn strike(&mut self, net: &mut Net, nodes: &[NodeId]) {
        let node = nodes[self.pick(nodes.len())];
        match self.dice.below(12) {
            0 if self.cuts => net.cut(node),
            1 => net.freeze(node),
            2..=4 => net.thaw(node),
            5..=7 => net.pass(ms(self.dice.below(300))),
            8 => net.pass(ms(self.dice.below(3000))),
            _ => net.pass(ms(1)),
        }
    }

    /// The sun comes out: what is still under way arrives.
    pub(super) fn clear(net: &mut Net, nodes: &[NodeId]) {
        for &node in nodes {
            net.thaw(node);
        }
        net.pass(s(50));
    }
}

/// What came, by sender and receiver, each message being its sender's next number.
struct Got {
    /// Connections are lost, and the order is kept within each but not beyond.
    torn: bool,
    latest: BTreeMap<(usize, usize), u32>,
    all: BTreeSet<(usize, u32)>,
}

impl Got {
    fn in_weather(weather: &Weather) -> Self {
        Self { torn: weather.cuts || weather.beats, latest: BTreeMap::new(), all: BTreeSet::new() }
    }

    fn note(&mut self, message: &Message, by: usize) {
        let text = message.body().to_text().into_owned();
        let (from, number) = text.split_once(' ').expect("a message says whose it is");
        let (from, number) = (from.parse().unwrap(), number.parse().unwrap());
        assert!(self.all.insert((from, number)), "{text} came twice");
        let latest = self.latest.insert((from, by), number);
        assert!(self.torn || latest.is_none_or(|latest| latest < number), "{text} came after {latest:?}");
    }
}

#[test]
fn a_pipeline_in_all_weathers_keeps_order_and_duplicates_nothing_and_loses_nothing_while_connected() {
    for_seeds(300, |seed| {
        let mut weather = Weather::of(seed);
        let mut net = weather.net(seed);
        let marks: Vec<_> = (0..4).map(|_| 1 + weather.pick(12)).collect();
        let beat = |options: Options| if seed % 3 == 2 { options.heartbeat(ms(1500)).unwrap() } else { options };
        let pulls = [0, 1].map(|number| {
            let pull = net.socket(beat(Options::<Pull>::new().recv_hwm(marks[number]).erase()));
            net.bind(pull, &format!("tcp://pull:{}", number + 1));
            pull
        });
        let pushes = [2, 3].map(|number| {
            let push = net.socket(beat(Options::<Push>::new().send_hwm(marks[number]).erase()));
            net.connect(push, "tcp://pull:1");
            net.connect(push, "tcp://pull:2");
            push
        });
        let nodes = [pulls, pushes].concat();
        let (mut next, mut got) = ([0_u32; 2], Got::in_weather(&weather));
        for _ in 0..300 {
            let who = weather.pick(2);
            if weather.pick(3) > 0 {
                let mut burst = 0;
                while net[pushes[who]].send(format!("{who} {}", next[who])).is_ok() && burst < 30 {
                    (next[who], burst) = (next[who] + 1, burst + 1);
                    assert!(burst <= 2 * marks[2 + who], "more is accepted at once than two queues hold");
                }
            }
            if let Ok(message) = net[pulls[who]].recv() {
                got.note(&message, who);
            }
            weather.strike(&mut net, &nodes);
        }
        Weather::clear(&mut net, &nodes);
        // A reader that does not read hears no PING either, and may be left. So all is read first, and time passes.
        for _ in 0..10 {
            for (by, pull) in pulls.into_iter().enumerate() {
                while let Ok(message) = net[pull].recv() {
                    got.note(&message, by);
                    net.settle();
                }
            }
            net.pass(s(1));
        }
        let sent = next.map(|next| next as usize).iter().sum::<usize>();
        if !weather.cuts && !weather.beats {
            assert_eq!(got.all.len(), sent, "nothing is lost");
        }
        assert!(got.all.len() <= sent);
        for node in nodes {
            assert_eq!(net.connections(node), 2, "all have found each other again");
        }
    });
}

#[test]
fn a_router_and_its_dealers_in_all_weathers_echo_in_order_and_account_for_every_message() {
    for_seeds(300, |seed| {
        let mut weather = Weather::of(seed);
        let mut net = weather.net(seed);
        let beat = |options: Options| if seed % 3 == 2 { options.heartbeat(ms(1500)).unwrap() } else { options };
        let router = Options::<Router>::new().send_hwm(1 + weather.pick(9)).recv_hwm(1 + weather.pick(9));
        let router = net.socket(beat(router.erase()));
        net.bind(router, "tcp://router:1");
        let dealers = [0, 1, 2].map(|number| {
            let options = Options::<Dealer>::new().send_hwm(1 + weather.pick(9)).recv_hwm(1 + weather.pick(9));
            let dealer = net.socket(beat(options.routing_id(format!("dealer {number}")).unwrap().erase()));
            net.connect(dealer, "tcp://router:1");
            dealer
        });
        let nodes = [&[router][..], &dealers].concat();
        let (mut next, mut asked, mut echoed, mut drops) =
            ([0_u32; 3], Got::in_weather(&weather), Got::in_weather(&weather), 0);
        let mut serve = |net: &mut Net, asked: &mut Got| {
            while let Ok(request) = net[router].recv() {
                assert!(request.head().starts_with(b"dealer "), "{request:?} has an address");
                asked.note(&request, 0);
                net[router].send(request).unwrap();
            }
            let events = events(net, router);
            drops += dropped(&events, DropReason::PeerFull) + dropped(&events, DropReason::Unroutable);
        };
        for _ in 0..300 {
            let who = weather.pick(3);
            if net[dealers[who]].send(format!("{who} {}", next[who])).is_ok() {
                next[who] += 1;
            }
            if let Ok(echo) = net[dealers[who]].recv() {
                echoed.note(&echo, who);
            }
            if weather.pick(2) == 0 {
                serve(&mut net, &mut asked);
            }
            weather.strike(&mut net, &nodes);
        }
        Weather::clear(&mut net, &nodes);
        // A peer whose old connection is not read to its end is not let in again: so all is read first, and time passes.
        for round in 0..120 {
            serve(&mut net, &mut asked);
            net.settle();
            if round % 20 == 0 {
                net.pass(s(6));
            }
            for (by, dealer) in dealers.into_iter().enumerate() {
                while let Ok(echo) = net[dealer].recv() {
                    echoed.note(&echo, by);
                }
            }
        }
        if !weather.cuts && !weather.beats {
            assert_eq!(asked.all.len(), next.map(|next| next as usize).iter().sum::<usize>(), "no request is lost");
            assert_eq!(echoed.all.len() + drops, asked.all.len(), "every echo came or was dropped by the mark");
        }
        assert!(echoed.all.is_subset(&asked.all));
        assert_eq!(net.connections(router), 3, "all have found each other again");
    });
}
