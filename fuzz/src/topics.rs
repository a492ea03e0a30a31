//! Subscriptions and publications, against a list of prefixes.

use arbitrary::{Arbitrary, Unstructured};
use sansmq_proto::testing::Net;
use sansmq_proto::{Options, kind};

#[derive(Arbitrary, Debug)]
enum Deed<'a> {
    Subscribe(&'a [u8]),
    Unsubscribe(&'a [u8]),
    Publish(&'a [u8]),
}

/// A subscriber receives what begins with one of its prefixes, once, in order, and nothing else.
pub fn topics(data: &[u8]) {
    let Ok(deeds) = Vec::<Deed<'_>>::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let mut net = Net::seeded(1);
    let publisher = net.socket(Options::<kind::Pub>::new());
    let subscriber = net.socket(Options::<kind::Sub>::new());
    net.bind(publisher, "tcp://pub:1");
    net.connect(subscriber, "tcp://pub:1");
    net.settle();
    let mut prefixes: Vec<Vec<u8>> = Vec::new();
    for deed in deeds.iter().take(200) {
        match *deed {
            Deed::Subscribe(prefix) => {
                net[subscriber].subscribe(prefix.to_vec()).expect("a SUB subscribes");
                prefixes.push(prefix.to_vec());
            }
            Deed::Unsubscribe(prefix) => {
                let known = prefixes.iter().position(|known| known == prefix);
                let ended = net[subscriber].unsubscribe(prefix.to_vec());
                assert_eq!(ended.is_ok(), known.is_some(), "{prefix:?} of {prefixes:?}");
                known.map(|place| prefixes.swap_remove(place));
            }
            Deed::Publish(topic) => {
                net[publisher].send(topic.to_vec()).expect("a PUB never waits");
                net.settle();
                let wanted = prefixes.iter().any(|prefix| topic.starts_with(prefix));
                let received = net[subscriber].recv();
                assert_eq!(received.is_ok(), wanted, "{topic:?} of {prefixes:?}");
                assert!(received.is_err() || net[subscriber].recv().is_err(), "it came twice");
                assert_eq!(net[publisher].subscriber_count(topic), usize::from(wanted));
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
