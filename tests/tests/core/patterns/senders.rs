//! Who sent what is received, whatever has become of them.

use super::{PLACE, fan, net, star};
use core::time::Duration;
use sansmq_proto::kind::{Dealer, Pub, Pull, Push, Rep, Req, Router, Sub, Typed};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Options, RecvError};

/// Options by which others know this one.
fn known<T: Typed>(name: &'static str) -> Options<T> {
    Options::new().metadata("X-Name", name).unwrap()
}

/// What waits to be received, each after the name of its sender.
fn received(net: &mut Net, node: NodeId) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        match net[node].recv_from() {
            Ok((message, peer)) => {
                let name = peer.metadata.get("X-Name").unwrap();
                all.push(format!("{}: {}", String::from_utf8_lossy(name), message.body().to_text()));
            }
            Err(RecvError::Empty | RecvError::OutOfTurn) => return all,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn each_message_is_told_with_its_sender() {
    let mut net = net();
    let (router, dealers) = star(&mut net, Options::<Router>::new(), ["ann", "bob", "cat"].map(known::<Dealer>));
    for text in ["one", "two"] {
        for dealer in dealers {
            net[dealer].send(text).unwrap();
        }
        net.settle();
    }
    let expected = ["ann: one", "bob: one", "cat: one", "ann: two", "bob: two", "cat: two"];
    assert_eq!(received(&mut net, router), expected);
}

#[test]
fn what_a_former_peer_has_left_is_not_the_next_ones() {
    let mut net = net();
    let (pull, [push]) = fan(&mut net, Options::<Pull>::new(), [known::<Push>("first")]);
    for (number, name) in ["second", "third", "fourth", "fifth"].into_iter().enumerate() {
        // The third says nothing.
        if number != 2 {
            net[push].send("hello").unwrap();
            net[push].send(number.to_string()).unwrap();
            net.settle();
        }
        net.restart(push, known::<Push>(name));
        net.bind(push, PLACE);
        net.pass(Duration::from_mins(1));
    }
    net[push].send("last").unwrap();
    net.settle();
    let expected =
        ["first: hello", "first: 0", "second: hello", "second: 1", "fourth: hello", "fourth: 3", "fifth: last"];
    assert_eq!(received(&mut net, pull), expected);
}

#[test]
fn what_is_dropped_on_the_way_counts_for_nobody() {
    let mut net = net();
    let (sub, [publisher]) = fan(&mut net, Options::<Sub>::new(), [known::<Pub>("first")]);
    for topic in ["A", "B"] {
        net[sub].subscribe(topic).unwrap();
    }
    net.settle();
    for text in ["A1", "B1", "A2", "B2"] {
        net[publisher].send(text).unwrap();
    }
    net.settle();
    net.restart(publisher, known::<Pub>("second"));
    net.bind(publisher, PLACE);
    net.pass(Duration::from_mins(1));
    for text in ["A3", "B3"] {
        net[publisher].send(text).unwrap();
    }
    net.settle();
    net[sub].unsubscribe("B").unwrap();
    assert_eq!(received(&mut net, sub), ["first: A1", "first: A2", "second: A3"]);
}

#[test]
fn only_the_latest_message_is_told_of_where_there_is_no_other() {
    let mut net = net();
    let (pull, [push]) = fan(&mut net, Options::<Pull>::new().conflate(true), [known::<Push>("first")]);
    net[push].send("one").unwrap();
    net.settle();
    net.restart(push, known::<Push>("second"));
    net.bind(push, PLACE);
    net.pass(Duration::from_mins(1));
    net[push].send("two").unwrap();
    net.settle();
    assert_eq!(received(&mut net, pull), ["second: two"]);
}

#[test]
fn a_reply_is_told_with_its_sender_who_is_gone() {
    let mut net = net();
    let (req, [rep]) = fan(&mut net, Options::<Req>::new(), [known::<Rep>("server")]);
    net[req].send("question").unwrap();
    net.settle();
    net[rep].recv().unwrap();
    net[rep].send("answer").unwrap();
    net.settle();
    net.restart(rep, known::<Rep>("another"));
    net.bind(rep, PLACE);
    net.pass(Duration::from_mins(1));
    assert_eq!(received(&mut net, req), ["server: answer"]);
}

#[test]
fn a_notice_that_somebody_is_gone_is_told_with_who_it_was() {
    let mut net = net();
    let options = Options::<Router>::new().disconnect_message("gone");
    let (router, [worker]) = star(&mut net, options, [known::<Dealer>("worker")]);
    net[worker].send("work").unwrap();
    net.settle();
    net.cut(worker);
    net.settle();
    assert_eq!(received(&mut net, router), ["worker: work", "worker: gone"]);
}
