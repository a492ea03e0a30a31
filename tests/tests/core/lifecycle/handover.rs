//! A ROUTER whose peers take one routing id over from each other, coming and going in all weathers: what is sent to the id
//! goes to its newest owner, what is sent to others does not, and who has lost it is told.

use super::faults::Weather;
use super::{bound, close, connected, ms, s};
use sansmq_proto::kind::{Dealer, Router};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Event, Options, PipeId, SendError};
use sansmq_tests::{events, for_seeds};
use std::collections::{BTreeMap, BTreeSet};

const STRANGERS: usize = 2;

struct Scene {
    router: NodeId,
    strangers: [NodeId; STRANGERS],
    twins: Vec<Twin>,
    /// Which connection the router gave the id to last, and which twin that is.
    owner: Option<(PipeId, usize)>,
    /// Those that lost the id to another, and have not been told yet.
    losers: BTreeSet<PipeId>,
    /// To which twin each message went.
    sent: BTreeMap<u32, usize>,
    next: u32,
    /// What came from each twin last.
    latest: BTreeMap<usize, u32>,
    heard: BTreeSet<(usize, u32)>,
}

struct Twin {
    node: NodeId,
    returns: bool,
    said: u32,
}

impl Scene {
    fn new(net: &mut Net, weather: &Weather) -> Self {
        let router = bound(net, weather.dress(Options::<Router>::new().handover(true).mandatory(true)));
        let strangers = [0, 1].map(|number| {
            let options = Options::<Dealer>::new().routing_id(format!("stranger {number}")).unwrap();
            connected(net, weather.dress(options))
        });
        Self {
            router,
            strangers,
            twins: Vec::new(),
            owner: None,
            losers: BTreeSet::new(),
            sent: BTreeMap::new(),
            next: 0,
            latest: BTreeMap::new(),
            heard: BTreeSet::new(),
        }
    }

    fn nodes(&self) -> Vec<NodeId> {
        let twins = self.twins.iter().map(|twin| twin.node);
        twins.chain(self.strangers).chain([self.router]).collect()
    }

    fn come(&mut self, net: &mut Net, weather: &mut Weather) {
        let number = self.twins.len().to_string();
        let options = Options::<Dealer>::new().routing_id("twin").unwrap().metadata("X-Twin", number).unwrap();
        let returns = weather.once_in(3);
        let node = connected(net, weather.dress(if returns { options } else { options.no_reconnect() }));
        self.twins.push(Twin { node, returns, said: 0 });
    }

    /// Hears what has become of the id.
    fn look(&mut self, net: &mut Net) {
        for event in events(net, self.router) {
            match event {
                Event::Ready { pipe, peer, routing_id, .. } if routing_id == "twin" => {
                    let number = peer.metadata.get("X-Twin").expect("twins tell their number");
                    let number = str::from_utf8(number).unwrap().parse().unwrap();
                    if let Some((loser, _)) = self.owner.replace((pipe, number)) {
                        self.losers.insert(loser);
                    }
                }
                Event::Disconnected { pipe, reason, .. } => {
                    self.owner.take_if(|(owner, _)| *owner == pipe);
                    if self.losers.remove(&pipe) {
                        assert_eq!(reason.to_string(), "a newer connection took the peer's routing id over");
                    }
                }
                _ => {}
            }
        }
    }

    fn send(&mut self, net: &mut Net) {
        self.look(net);
        let number = self.next;
        self.next += 1;
        match (net[self.router].send(("twin", number.to_string())), self.owner) {
            (Ok(()), Some((_, twin))) => {
                self.sent.insert(number, twin);
            }
            (Err(SendError::Full(_)), Some(_)) | (Err(SendError::Unroutable(_)), None) => {}
            (outcome, owner) => panic!("{outcome:?}, though the id belongs to {owner:?}"),
        }
        let stranger = number as usize % STRANGERS;
        let _ = net[self.router].send((format!("stranger {stranger}"), format!("for stranger {stranger}")));
    }

    /// Twin or stranger, each receives what was sent to it alone.
    fn recv(&mut self, net: &mut Net) {
        for (number, twin) in self.twins.iter().enumerate() {
            while let Ok(message) = net[twin.node].recv() {
                let text = message.body().to_text().into_owned();
                let to = text.parse().ok().and_then(|text| self.sent.remove(&text));
                assert_eq!(to, Some(number), "twin {number} received {text}");
            }
        }
        for (number, stranger) in self.strangers.into_iter().enumerate() {
            while let Ok(message) = net[stranger].recv() {
                assert_eq!(message.body().to_text(), format!("for stranger {number}"));
            }
        }
    }

    fn hear(&mut self, net: &mut Net) {
        while let Ok(message) = net[self.router].recv() {
            assert_eq!(message.head(), "twin", "strangers say nothing");
            let text = message.body().to_text().into_owned();
            let (twin, number) = text.split_once(' ').expect("a twin says its number");
            let (twin, number) = (twin.parse().unwrap(), number.parse().unwrap());
            assert!(self.heard.insert((twin, number)), "{text} came twice");
            let latest = self.latest.insert(twin, number);
            // Only on one connection is there an order.
            assert!(self.twins[twin].returns || latest.is_none_or(|latest| latest < number), "{text} after {latest:?}");
        }
    }
}

#[test]
fn what_is_sent_to_an_id_that_is_handed_over_goes_to_its_newest_owner_and_the_loser_is_told() {
    for_seeds(100, |seed| {
        let mut weather = Weather::of(seed);
        let mut net = weather.net(seed);
        let mut scene = Scene::new(&mut net, &weather);
        for _ in 0..150 {
            match weather.pick(8) {
                0 if scene.twins.len() < 8 => scene.come(&mut net, &mut weather),
                1..=2 if !scene.twins.is_empty() => {
                    let number = weather.pick(scene.twins.len());
                    let twin = &mut scene.twins[number];
                    if net[twin.node].send(format!("{number} {}", twin.said)).is_ok() {
                        twin.said += 1;
                    }
                }
                3..=5 => scene.send(&mut net),
                6 => scene.hear(&mut net),
                _ => scene.recv(&mut net),
            }
            scene.look(&mut net);
            weather.strike(&mut net, &scene.nodes());
        }
        // Those who would take the id back from each other for ever go, and one more comes.
        for twin in scene.twins.iter().filter(|twin| twin.returns) {
            close(&mut net, twin.node);
        }
        Weather::clear(&mut net, &scene.nodes());
        scene.come(&mut net, &mut weather);
        for _ in 0..10 {
            scene.hear(&mut net);
            scene.look(&mut net);
            scene.recv(&mut net);
            net.pass(s(5));
        }
        scene.look(&mut net);
        let newest = scene.twins.len() - 1;
        assert_eq!(scene.owner.map(|(_, twin)| twin), Some(newest));
        assert_eq!(scene.losers, BTreeSet::new(), "some were never told");
        for (number, twin) in scene.twins.iter().enumerate() {
            assert_eq!(net.connections(twin.node), usize::from(number == newest), "twin {number}");
        }
        scene.send(&mut net);
        let last = scene.next - 1;
        net.pass(ms(5000));
        scene.recv(&mut net);
        assert_eq!(scene.sent.get(&last), None, "the newest has not received what was sent to it");
        assert_eq!(net.connections(scene.router), 1 + STRANGERS);
    });
}
