//! Random subscriptions, cancels, connects, disconnects and losses of connections: in the end each publisher knows who wants
//! what, and an XPUB's application has heard of it in order.

use super::faults::Weather;
use sansmq_proto::kind::{Pub, Sub, XPub, XSub};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Message, Options};
use sansmq_tests::{for_seeds, recv_all};
use std::collections::{BTreeMap, BTreeSet};

const TOPICS: [&str; 7] = ["", "a", "ab", "abc", "b", "ba", "c"];

/// Two publishers, each bound at a place of its own, and four subscribers.
struct Scene {
    publishers: [NodeId; 2],
    subscribers: [NodeId; 4],
    /// Who connected to whom, by number: subscriber and publisher.
    links: BTreeMap<(usize, usize), By>,
    /// What each subscriber wants, and how often.
    wanted: [BTreeMap<&'static str, u32>; 4],
    /// What the XPUB's application believes that its peers want.
    told: BTreeSet<Vec<u8>>,
}

#[derive(Clone, Copy, PartialEq)]
enum By {
    Publisher,
    Subscriber,
}

impl Scene {
    fn new(net: &mut Net, weather: &mut Weather) -> Self {
        let marks: Vec<_> = (0..6).map(|_| 1 + weather.pick(5)).collect();
        let publishers = [
            net.socket(Options::<Pub>::new().send_hwm(marks[0])),
            net.socket(Options::<XPub>::new().send_hwm(marks[1]).recv_hwm(1 + weather.pick(5))),
        ];
        let sub = |mark| Options::<Sub>::new().recv_hwm(mark).erase();
        let xsub = |mark| Options::<XSub>::new().send_hwm(mark).recv_hwm(mark).erase();
        let subscribers =
            [sub(marks[2]), sub(marks[3]), xsub(marks[4]), xsub(marks[5])].map(|options| net.socket(options));
        for (number, &publisher) in publishers.iter().enumerate() {
            net.bind(publisher, &format!("tcp://publisher-{number}:1"));
        }
        for (number, &subscriber) in subscribers.iter().enumerate() {
            net.bind(subscriber, &format!("tcp://subscriber-{number}:1"));
        }
        Self { publishers, subscribers, links: BTreeMap::new(), wanted: Default::default(), told: BTreeSet::new() }
    }

    fn nodes(&self) -> Vec<NodeId> {
        [&self.publishers[..], &self.subscribers].concat()
    }

    /// Connects two that are not, or disconnects them.
    fn link(&mut self, net: &mut Net, weather: &mut Weather) {
        let (sub, publisher) = (weather.pick(4), weather.pick(2));
        let places = [format!("tcp://publisher-{publisher}:1"), format!("tcp://subscriber-{sub}:1")];
        let there = self.links.remove(&(sub, publisher));
        let by = there.unwrap_or_else(|| [By::Subscriber, By::Publisher][weather.pick(2)]);
        let (dialler, place) = match by {
            By::Subscriber => (self.subscribers[sub], &places[0]),
            By::Publisher => (self.publishers[publisher], &places[1]),
        };
        if there.is_some() {
            let now = net.now();
            net[dialler].disconnect(&place.parse().unwrap(), now).unwrap();
        } else {
            net.connect(dialler, place);
            self.links.insert((sub, publisher), by);
        }
    }

    fn wish(&mut self, net: &mut Net, weather: &mut Weather) {
        let (sub, topic) = (weather.pick(4), TOPICS[weather.pick(TOPICS.len())]);
        let node = self.subscribers[sub];
        let count = self.wanted[sub].entry(topic).or_default();
        let subscribes = weather.pick(2) == 0;
        let known = *count > 0;
        *count = if subscribes { *count + 1 } else { count.saturating_sub(1) };
        // Half of them are XSUBs, which may say it either way.
        if sub >= 2 && weather.pick(2) == 0 {
            net[node].send([&[u8::from(subscribes)], topic.as_bytes()].concat()).unwrap();
        } else if subscribes {
            net[node].subscribe(topic).unwrap();
        } else {
            assert_eq!(net[node].unsubscribe(topic).is_ok(), known);
        }
    }

    /// Has the XPUB's application receive. What it hears takes turns for each topic: no news are lost or come twice.
    fn listen(&mut self, net: &mut Net) {
        while let Ok(message) = net[self.publishers[1]].recv() {
            let (flag, topic) = message.head().split_first().unwrap();
            let is_news = if *flag == 1 { self.told.insert(topic.to_vec()) } else { self.told.remove(topic) };
            assert!(is_news, "{message:?}");
        }
    }

    fn wants(&self, sub: usize, topic: &str) -> bool {
        self.wanted[sub].iter().any(|(prefix, &count)| count > 0 && topic.starts_with(prefix))
    }

    fn compare(&mut self, net: &mut Net) {
        for (number, &publisher) in self.publishers.iter().enumerate() {
            for topic in TOPICS.iter().chain(&["abcd", "bx", "x"]) {
                let linked = (0..4).filter(|&sub| self.links.contains_key(&(sub, number)));
                let audience = linked.filter(|&sub| self.wants(sub, topic)).count();
                assert_eq!(net[publisher].subscriber_count(topic), audience, "{topic:?} of publisher {number}");
            }
        }
        let linked = (0..4).filter(|&sub| self.links.contains_key(&(sub, 1)));
        let wanted: BTreeSet<_> = linked
            .flat_map(|sub| self.wanted[sub].iter().filter(|(_, count)| **count > 0))
            .map(|(prefix, _)| prefix.as_bytes().to_vec())
            .collect();
        assert_eq!(self.told, wanted, "what the XPUB was told");
        assert_eq!(net[self.publishers[1]].subscription_count(), wanted.len());
    }

    /// Each message comes to those who want it, once from each publisher.
    fn publish(&self, net: &mut Net) {
        for &subscriber in &self.subscribers {
            recv_all(net, subscriber);
        }
        for (number, &publisher) in self.publishers.iter().enumerate() {
            net[publisher].send(["abc".to_owned(), number.to_string()]).unwrap();
        }
        for (sub, &subscriber) in self.subscribers.iter().enumerate() {
            let mut got = recv_all(net, subscriber);
            got.sort_by_key(|message| message.body().clone());
            let linked = (0..2).filter(|&number| self.links.contains_key(&(sub, number)) && self.wants(sub, "abc"));
            let expected: Vec<_> = linked.map(|number| Message::from(["abc".to_owned(), number.to_string()])).collect();
            assert_eq!(got, expected);
        }
    }
}

#[test]
fn publishers_know_in_all_weathers_who_wants_what() {
    for_seeds(300, |seed| {
        let mut weather = Weather::of(seed);
        let mut net = weather.net(seed);
        let mut scene = Scene::new(&mut net, &mut weather);
        let nodes = scene.nodes();
        for _ in 0..200 {
            match weather.pick(6) {
                0 => scene.link(&mut net, &mut weather),
                1..=3 => scene.wish(&mut net, &mut weather),
                4 => scene.listen(&mut net),
                _ => {
                    let _ = net[scene.publishers[weather.pick(2)]].send(TOPICS[weather.pick(TOPICS.len())]);
                }
            }
            weather.strike(&mut net, &nodes);
        }
        Weather::clear(&mut net, &nodes);
        // An XPUB that is not received from does not listen, and a full SUB keeps what comes behind from arriving.
        for _ in 0..20 {
            scene.listen(&mut net);
            for subscriber in scene.subscribers {
                recv_all(&mut net, subscriber);
            }
            net.settle();
        }
        net.pass(super::s(50));
        scene.listen(&mut net);
        scene.compare(&mut net);
        scene.publish(&mut net);
    });
}
