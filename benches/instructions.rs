//! What the core costs in instructions, which no other program on the machine can change.
//!
//! ```text
//! cargo install gungraun-runner --version 0.20.0     # and valgrind, once
//! cargo bench --bench instructions
//! ```
//!
//! Each figure is for a hundred messages of 64 octets, if it does not say otherwise. A second run tells what has changed.

#![expect(missing_docs, reason = "the macros make public items")]

mod bare;

use bare::{Net, body, encoded, introduced, routed};
use gungraun::{library_benchmark, library_benchmark_group, main};
use sansmq::proto::{Connection, Frame, Message, SocketType};

const MESSAGES: usize = 100;

/// A connection that has been at work, and messages for it.
fn sender(message: Message) -> (Connection, Vec<Message>) {
    let [mut near, _far] = introduced(SocketType::Dealer, SocketType::Router);
    let messages = vec![message; MESSAGES];
    bare::encode(&mut near, &messages);
    (near, messages)
}

/// A connection that has been at work, and what comes next.
fn receiver(message: Message) -> (Connection, Vec<u8>) {
    let [_near, mut far] = introduced(SocketType::Dealer, SocketType::Router);
    let octets = encoded(&vec![message; MESSAGES]);
    bare::decode(&mut far, &octets);
    (far, octets)
}

#[library_benchmark]
#[bench::octets_64(sender(body(64)))]
#[bench::octets_1024(sender(body(1024)))]
#[bench::three_frames(sender(routed()))]
fn encode((mut connection, messages): (Connection, Vec<Message>)) -> (Connection, Vec<Message>) {
    bare::encode(&mut connection, &messages);
    (connection, messages)
}

#[library_benchmark]
#[bench::octets_64(receiver(body(64)))]
#[bench::octets_1024(receiver(body(1024)))]
#[bench::three_frames(receiver(routed()))]
fn decode((mut connection, octets): (Connection, Vec<u8>)) -> (Connection, Vec<u8>) {
    assert_eq!(bare::decode(&mut connection, &octets), MESSAGES);
    (connection, octets)
}

/// Sockets that have been at work, a message, and how many of it each client sends.
fn warm(mut net: Net, each: usize) -> (Net, Message, usize) {
    let message = body(64);
    net.carry(&message, each);
    (net, message, each)
}

#[library_benchmark]
#[bench::push_to_pull(warm(Net::pipeline(), MESSAGES))]
#[bench::one_dealer_to_router(warm(Net::star(1), MESSAGES))]
#[bench::hundred_dealers_to_router(warm(Net::star(100), 1))]
fn carry((mut net, message, each): (Net, Message, usize)) -> Net {
    net.carry(&message, each);
    net
}

/// A ROUTER that has answered everybody once, and whom it can answer.
fn answering(peers: usize) -> (Net, Vec<Frame>, Message) {
    let (mut net, message) = (Net::star(peers), body(64));
    let names = net.names();
    net.answer(&names, &message);
    (net, names, message)
}

// One answer to each, however many there are.
#[library_benchmark]
#[bench::peers_100(answering(100))]
#[bench::peers_1000(answering(1000))]
fn router_to_dealers((mut net, names, message): (Net, Vec<Frame>, Message)) -> Net {
    net.answer(&names, &message);
    net
}

/// A publisher that has been at work, and messages on topics from all over what its peer has subscribed to.
fn publishing(topics: usize) -> (Net, Vec<Message>) {
    let mut net = Net::news(topics);
    let messages: Vec<_> = (0..MESSAGES).map(|number| bare::topic(number * 7919 % topics).into()).collect();
    net.publish(&messages);
    (net, messages)
}

// Whom a message is for is looked for in the trie.
#[library_benchmark]
#[bench::topics_10(publishing(10))]
#[bench::topics_1000(publishing(1000))]
#[bench::topics_10_000(publishing(10_000))]
fn pub_to_sub((mut net, messages): (Net, Vec<Message>)) -> Net {
    net.publish(&messages);
    net
}

library_benchmark_group!(name = core, benchmarks = [encode, decode, carry, router_to_dealers, pub_to_sub]);
main!(library_benchmark_groups = core);
