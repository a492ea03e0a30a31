//! Fuzz target for subscriptions and publications, compared with a plain list of prefixes.

use super::bounded;
use arbitrary::{Arbitrary, Unstructured};
use sansmq_proto::testing::Net;
use sansmq_proto::{Options, kind};

#[derive(Arbitrary, Debug)]
enum Op<'a> {
    Subscribe(&'a [u8]),
    Unsubscribe(&'a [u8]),
    Publish(&'a [u8]),
}

/// Checks that a subscriber receives exactly the publications that begin with one of its prefixes, each publication
/// once, in the order of sending.
pub fn topics(data: &[u8]) {
    let _bounded = bounded(data);
    let Ok(ops) = Vec::<Op<'_>>::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let mut net = Net::seeded(1);
    let publisher = net.socket(Options::<kind::Pub>::new());
    let subscriber = net.socket(Options::<kind::Sub>::new());
    net.bind(publisher, "tcp://pub:1");
    net.connect(subscriber, "tcp://pub:1");
    net.settle();
    let mut prefixes: Vec<Vec<u8>> = Vec::new();
    for op in ops.iter().take(200) {
        match *op {
            Op::Subscribe(prefix) => {
                net[subscriber].subscribe(prefix.to_vec()).expect("a SUB subscribes");
                prefixes.push(prefix.to_vec());
            }
            Op::Unsubscribe(prefix) => {
                let known = prefixes.iter().position(|known| known == prefix);
                let ended = net[subscriber].unsubscribe(prefix.to_vec());
                assert_eq!(ended.is_ok(), known.is_some(), "{prefix:?} of {prefixes:?}");
                known.map(|index| prefixes.swap_remove(index));
            }
            Op::Publish(topic) => {
                net[publisher].send(topic.to_vec()).expect("a PUB never blocks");
                net.settle();
                let matches = prefixes.iter().any(|prefix| topic.starts_with(prefix));
                let received = net[subscriber].recv();
                assert_eq!(received.is_ok(), matches, "{topic:?} of {prefixes:?}");
                assert!(received.is_err() || net[subscriber].recv().is_err(), "the message was received twice");
                assert_eq!(net[publisher].subscriber_count(topic), usize::from(matches));
            }
        }
        net.settle();
    }
    let mut distinct = prefixes;
    distinct.sort();
    distinct.dedup();
    assert_eq!(net[publisher].subscription_count(), distinct.len());
    assert_eq!(net[subscriber].subscription_count(), distinct.len());
}
