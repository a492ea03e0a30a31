//! Tests of `recv_from`, which returns the sender of each received message, also after the sender has disconnected.

use super::{PLACE, fan, net, star};
use core::time::Duration;
use sansmq_proto::kind::{
    Channel, Client, Dealer, Dish, Gather, Pair, Pub, Pull, Push, Radio, Rep, Req, Router, Scatter, Server, Sub, Typed,
    XPub, XSub,
};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Message, Options, RecvError, SocketType};

/// Returns options of a socket that sends `name` to its peers, as a property of the handshake metadata.
fn named<T: Typed>(name: &'static str) -> Options<T> {
    Options::new().metadata("X-Name", name).unwrap()
}

/// Receives all queued messages, each as `sender: body`.
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
fn recv_from_returns_the_sender_of_each_message() {
    let mut net = net();
    let (router, dealers) = star(&mut net, Options::<Router>::new(), ["ann", "bob", "cat"].map(named::<Dealer>));
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
fn recv_from_separates_former_peers_of_a_pipe() {
    let mut net = net();
    let (pull, [push]) = fan(&mut net, Options::<Pull>::new(), [named::<Push>("first")]);
    for (number, name) in ["second", "third", "fourth", "fifth"].into_iter().enumerate() {
        // The peer named third sends nothing.
        if number != 2 {
            net[push].send("hello").unwrap();
            net[push].send(number.to_string()).unwrap();
            net.settle();
        }
        net.restart(push, named::<Push>(name));
        net.bind(push, PLACE);
        net.advance(Duration::from_mins(1));
    }
    net[push].send("last").unwrap();
    net.settle();
    let expected =
        ["first: hello", "first: 0", "second: hello", "second: 1", "fourth: hello", "fourth: 3", "fifth: last"];
    assert_eq!(received(&mut net, pull), expected);
}

#[test]
fn dropped_messages_do_not_shift_the_senders() {
    let mut net = net();
    let (sub, [publisher]) = fan(&mut net, Options::<Sub>::new(), [named::<Pub>("first")]);
    for topic in ["A", "B"] {
        net[sub].subscribe(topic).unwrap();
    }
    net.settle();
    for text in ["A1", "B1", "A2", "B2"] {
        net[publisher].send(text).unwrap();
    }
    net.settle();
    net.restart(publisher, named::<Pub>("second"));
    net.bind(publisher, PLACE);
    net.advance(Duration::from_mins(1));
    for text in ["A3", "B3"] {
        net[publisher].send(text).unwrap();
    }
    net.settle();
    net[sub].unsubscribe("B").unwrap();
    assert_eq!(received(&mut net, sub), ["first: A1", "first: A2", "second: A3"]);
}

#[test]
fn conflated_queue_returns_the_sender_of_the_latest() {
    let mut net = net();
    let (pull, [push]) = fan(&mut net, Options::<Pull>::new().conflate(true), [named::<Push>("first")]);
    net[push].send("one").unwrap();
    net.settle();
    net.restart(push, named::<Push>("second"));
    net.bind(push, PLACE);
    net.advance(Duration::from_mins(1));
    net[push].send("two").unwrap();
    net.settle();
    assert_eq!(received(&mut net, pull), ["second: two"]);
}

#[test]
fn reply_of_a_lost_peer_keeps_its_sender() {
    let mut net = net();
    let (req, [rep]) = fan(&mut net, Options::<Req>::new(), [named::<Rep>("server")]);
    net[req].send("question").unwrap();
    net.settle();
    net[rep].recv().unwrap();
    net[rep].send("answer").unwrap();
    net.settle();
    net.restart(rep, named::<Rep>("another"));
    net.bind(rep, PLACE);
    net.advance(Duration::from_mins(1));
    assert_eq!(received(&mut net, req), ["server: answer"]);
}

#[test]
fn disconnect_message_has_the_lost_peer_as_sender() {
    let mut net = net();
    let options = Options::<Router>::new().disconnect_message("gone");
    let (router, [worker]) = star(&mut net, options, [named::<Dealer>("worker")]);
    net[worker].send("work").unwrap();
    net.settle();
    net.reset_connections(worker);
    net.settle();
    assert_eq!(received(&mut net, router), ["worker: work", "worker: gone"]);
}

/// Sends a message with each body to a receiver, from a socket named `sender`. Checks how many calls of `recv` would complete
/// before and after, and that `recv_from` returns the sender.
fn receives_from<T: Typed, U: Typed>(bodies: &[&str], message: impl Fn(&str) -> Message) {
    let mut net = net();
    let (receiver, [sender]) = star(&mut net, Options::<T>::new(), [named::<U>("sender")]);
    let socket_type = net[receiver].socket_type();
    match socket_type {
        SocketType::Sub | SocketType::XSub => net[receiver].subscribe("").unwrap(),
        SocketType::Dish => net[receiver].join("group").unwrap(),
        _ => {}
    }
    net.settle();
    assert!(!net[receiver].can_complete_recvs(1), "{socket_type}");
    assert_eq!(net[receiver].recv_from().unwrap_err(), RecvError::Empty, "{socket_type}");
    for body in bodies {
        net[sender].send(message(body)).unwrap();
    }
    net.settle();
    assert!((1..=bodies.len()).all(|count| net[receiver].can_complete_recvs(count)), "{socket_type}");
    // A further `recv` of a REP completes too, with an error, because the reply to the first request is due.
    let is_rep = socket_type == SocketType::Rep;
    assert_eq!(net[receiver].can_complete_recvs(bodies.len() + 1), is_rep, "{socket_type}");
    let expected: Vec<_> = bodies.iter().map(|body| format!("sender: {body}")).collect();
    assert_eq!(received(&mut net, receiver), expected, "{socket_type}");
}

#[test]
fn every_receiving_type_returns_senders_and_counts_messages() {
    let body_only = |body: &str| Message::from(body);
    let two = ["one", "two"];
    receives_from::<Pull, Push>(&two, body_only);
    receives_from::<Pair, Pair>(&two, body_only);
    receives_from::<Dealer, Dealer>(&two, body_only);
    receives_from::<Router, Dealer>(&two, body_only);
    receives_from::<Rep, Req>(&["one"], body_only);
    receives_from::<Sub, Pub>(&two, body_only);
    receives_from::<XSub, XPub>(&two, body_only);
    receives_from::<XPub, XSub>(&["one"], body_only);
    receives_from::<Gather, Scatter>(&two, body_only);
    receives_from::<Channel, Channel>(&two, body_only);
    receives_from::<Server, Client>(&two, body_only);
    receives_from::<Dish, Radio>(&two, |body| Message::from(("group", body)));
}
