//! Tests that subscriptions stay consistent under random changes. Subscribers subscribe and cancel, and connections are
//! made and lost at random. At the end, each publisher has exactly the subscriptions of its connected subscribers, and
//! the application of the XPUB has received each change of these subscriptions in order.

use super::faults::FaultPlan;
use sansmq_proto::kind::{Pub, Sub, XPub, XSub};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Message, Options};
use sansmq_tests::{for_seeds, recv_all};
use std::collections::{BTreeMap, BTreeSet};

const TOPICS: [&str; 7] = ["", "a", "ab", "abc", "b", "ba", "c"];

/// Two publishers and four subscribers, each bound at a separate endpoint.
struct Topology {
    publishers: [NodeId; 2],
    subscribers: [NodeId; 4],
    /// Connected pairs, as index of the subscriber and index of the publisher, and for each pair the side that dialled.
    dialled_by: BTreeMap<(usize, usize), Dialler>,
    /// Number of subscriptions of each subscriber, by topic.
    subscribed: [BTreeMap<&'static str, u32>; 4],
    /// Topics that have a subscription according to the messages that the application of the XPUB has received.
    reported: BTreeSet<Vec<u8>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Dialler {
    Publisher,
    Subscriber,
}

impl Topology {
    fn new(net: &mut Net, faults: &mut FaultPlan) -> Self {
        let marks: Vec<_> = (0..6).map(|_| 1 + faults.pick(5)).collect();
        let publishers = [
            net.socket(Options::<Pub>::new().send_hwm(marks[0])),
            net.socket(Options::<XPub>::new().send_hwm(marks[1]).recv_hwm(1 + faults.pick(5))),
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
        Self {
            publishers,
            subscribers,
            dialled_by: BTreeMap::new(),
            subscribed: Default::default(),
            reported: BTreeSet::new(),
        }
    }

    fn nodes(&self) -> Vec<NodeId> {
        [&self.publishers[..], &self.subscribers].concat()
    }

    /// Chooses a random pair of subscriber and publisher. Connects the two, or disconnects them if they are connected.
    fn toggle_connection(&mut self, net: &mut Net, faults: &mut FaultPlan) {
        let (sub, publisher) = (faults.pick(4), faults.pick(2));
        let endpoints = [format!("tcp://publisher-{publisher}:1"), format!("tcp://subscriber-{sub}:1")];
        let current = self.dialled_by.remove(&(sub, publisher));
        let dialler = current.unwrap_or_else(|| [Dialler::Subscriber, Dialler::Publisher][faults.pick(2)]);
        let (node, endpoint) = match dialler {
            Dialler::Subscriber => (self.subscribers[sub], &endpoints[0]),
            Dialler::Publisher => (self.publishers[publisher], &endpoints[1]),
        };
        if current.is_some() {
            let now = net.now();
            net[node].disconnect(&endpoint.parse().unwrap(), now).unwrap();
        } else {
            net.connect(node, endpoint);
            self.dialled_by.insert((sub, publisher), dialler);
        }
    }

    /// Subscribes to a random topic, or cancels a subscription.
    fn change_subscription(&mut self, net: &mut Net, faults: &mut FaultPlan) {
        let (sub, topic) = (faults.pick(4), TOPICS[faults.pick(TOPICS.len())]);
        let node = self.subscribers[sub];
        let count = self.subscribed[sub].entry(topic).or_default();
        let subscribes = faults.pick(2) == 0;
        let was_subscribed = *count > 0;
        *count = if subscribes { *count + 1 } else { count.saturating_sub(1) };
        // The last two are XSUBs, which may also change subscriptions with messages.
        if sub >= 2 && faults.pick(2) == 0 {
            net[node].send([&[u8::from(subscribes)], topic.as_bytes()].concat()).unwrap();
        } else if subscribes {
            net[node].subscribe(topic).unwrap();
        } else {
            assert_eq!(net[node].unsubscribe(topic).is_ok(), was_subscribed);
        }
    }

    /// Receives the subscription changes at the XPUB. Asserts that subscribes and cancels of each topic alternate, so
    /// that no change is lost or duplicated.
    fn receive_changes(&mut self, net: &mut Net) {
        while let Ok(message) = net[self.publishers[1]].recv() {
            let (flag, topic) = message.head().split_first().unwrap();
            let is_change = if *flag == 1 { self.reported.insert(topic.to_vec()) } else { self.reported.remove(topic) };
            assert!(is_change, "{message:?}");
        }
    }

    fn is_subscribed(&self, sub: usize, topic: &str) -> bool {
        self.subscribed[sub].iter().any(|(prefix, &count)| count > 0 && topic.starts_with(prefix))
    }

    /// Asserts that each publisher has exactly the subscriptions of the subscribers that are connected to it.
    fn assert_consistent(&mut self, net: &mut Net) {
        for (number, &publisher) in self.publishers.iter().enumerate() {
            for topic in TOPICS.iter().chain(&["abcd", "bx", "x"]) {
                let connected = (0..4).filter(|&sub| self.dialled_by.contains_key(&(sub, number)));
                let expected = connected.filter(|&sub| self.is_subscribed(sub, topic)).count();
                assert_eq!(net[publisher].subscriber_count(topic), expected, "{topic:?} of publisher {number}");
            }
        }
        let connected = (0..4).filter(|&sub| self.dialled_by.contains_key(&(sub, 1)));
        let active: BTreeSet<_> = connected
            .flat_map(|sub| self.subscribed[sub].iter().filter(|(_, count)| **count > 0))
            .map(|(prefix, _)| prefix.as_bytes().to_vec())
            .collect();
        assert_eq!(self.reported, active, "changes that the XPUB has received");
        assert_eq!(net[self.publishers[1]].subscription_count(), active.len());
    }

    /// Sends a message from each publisher. Asserts that each subscriber with a matching subscription receives the
    /// message of each publisher to which it is connected exactly once.
    fn publish(&self, net: &mut Net) {
        for &subscriber in &self.subscribers {
            recv_all(net, subscriber);
        }
        for (number, &publisher) in self.publishers.iter().enumerate() {
            net[publisher].send(["abc".to_owned(), number.to_string()]).unwrap();
        }
        for (sub, &subscriber) in self.subscribers.iter().enumerate() {
            let mut received = recv_all(net, subscriber);
            received.sort_by_key(|message| message.body().clone());
            let connected =
                (0..2).filter(|&number| self.dialled_by.contains_key(&(sub, number)) && self.is_subscribed(sub, "abc"));
            let expected: Vec<_> =
                connected.map(|number| Message::from(["abc".to_owned(), number.to_string()])).collect();
            assert_eq!(received, expected);
        }
    }
}

#[test]
fn publishers_match_their_subscribers_after_faults() {
    for_seeds(300, |seed| {
        let mut faults = FaultPlan::from_seed(seed);
        let mut net = faults.net(seed);
        let mut topology = Topology::new(&mut net, &mut faults);
        let nodes = topology.nodes();
        for _ in 0..200 {
            match faults.pick(6) {
                0 => topology.toggle_connection(&mut net, &mut faults),
                1..=3 => topology.change_subscription(&mut net, &mut faults),
                4 => topology.receive_changes(&mut net),
                _ => {
                    let _ = net[topology.publishers[faults.pick(2)]].send(TOPICS[faults.pick(TOPICS.len())]);
                }
            }
            faults.inject(&mut net, &nodes);
        }
        FaultPlan::end_faults(&mut net, &nodes);
        // An XPUB and a SUB with full queues stop reading: receive at both until everything has arrived.
        for _ in 0..20 {
            topology.receive_changes(&mut net);
            for subscriber in topology.subscribers {
                recv_all(&mut net, subscriber);
            }
            net.settle();
        }
        net.advance(super::s(50));
        topology.receive_changes(&mut net);
        topology.assert_consistent(&mut net);
        topology.publish(&mut net);
    });
}
