//! What the core costs without any IO: encoding, decoding, and messages from socket to socket.
//!
//! ```text
//! cargo bench -p sansmq-benches --bench codec
//! ```

mod bare;

use bare::{Net, body, encoded, handshake, routed};
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use sansmq::proto::connection::ConnectionConfig;
use sansmq::proto::{Connection, Message, SocketType};
use std::time::Duration;

fn main() {
    // Long enough for a median that stays; the command line may say otherwise.
    divan::Divan::default().min_time(Duration::from_millis(200)).config_with_args().main();
}

/// Messages per iteration: what a busy connection finds in its pipe.
const BATCH: usize = 32;

const SIZES: [usize; 6] = [16, 64, 256, 1024, 8192, 65_536];

/// What can hardly be cheaper: the octets of each message, copied to where those of the last one end.
#[divan::bench(args = SIZES)]
fn copy(bencher: Bencher<'_, '_>, size: usize) {
    let (octets, mut room) = (vec![7; size + 2], Vec::with_capacity((size + 2) * BATCH));
    let (items, bytes) = load(&body(size), BATCH);
    bencher.counter(items).counter(bytes).bench_local(|| {
        room.clear();
        for _ in 0..BATCH {
            room.extend_from_slice(black_box(&octets));
        }
        black_box(&room);
    });
}

#[divan::bench(args = SIZES)]
fn encode(bencher: Bencher<'_, '_>, size: usize) {
    encode_batch(bencher, body(size));
}

#[divan::bench]
fn encode_three_frames(bencher: Bencher<'_, '_>) {
    encode_batch(bencher, routed());
}

fn encode_batch(bencher: Bencher<'_, '_>, message: Message) {
    let [mut near, _far] = introduced();
    let (items, bytes) = load(&message, BATCH);
    let messages = vec![message; BATCH];
    bencher.counter(items).counter(bytes).bench_local(|| bare::encode(&mut near, &messages));
}

/// A DEALER's connection and a ROUTER's after their NULL handshake.
fn introduced() -> [Connection; 2] {
    handshake(&[SocketType::Dealer, SocketType::Router].map(|socket_type| ConnectionConfig::new(socket_type).into()))
}

#[divan::bench(args = SIZES)]
fn decode(bencher: Bencher<'_, '_>, size: usize) {
    decode_batch(bencher, body(size));
}

#[divan::bench]
fn decode_three_frames(bencher: Bencher<'_, '_>) {
    decode_batch(bencher, routed());
}

fn decode_batch(bencher: Bencher<'_, '_>, message: Message) {
    let [mut near, mut far] = introduced();
    let (items, bytes) = load(&message, BATCH);
    let octets = encoded(&mut near, &vec![message; BATCH]);
    bencher.counter(items).counter(bytes).bench_local(|| assert_eq!(bare::decode(&mut far, &octets), BATCH));
}

/// PUSH to PULL, this many messages at a time.
#[divan::bench(args = [1, 100])]
fn push_to_pull(bencher: Bencher<'_, '_>, messages: usize) {
    carry(bencher, &mut Net::pipeline(), messages);
}

/// 100 messages from one DEALER, or one from each of 100, to a ROUTER, which receives from all in turn.
#[divan::bench(args = [1, 100])]
fn dealers_to_router(bencher: Bencher<'_, '_>, peers: usize) {
    carry(bencher, &mut Net::star(peers), 100 / peers);
}

fn carry(bencher: Bencher<'_, '_>, net: &mut Net, each: usize) {
    let message = body(64);
    let (items, bytes) = load(&message, each * net.clients.len());
    bencher.counter(items).counter(bytes).bench_local(|| net.carry(&message, each));
}

/// One answer to each of so many DEALERs, which the ROUTER finds by their routing ids.
#[divan::bench(args = [1, 100, 1000])]
fn router_to_dealers(bencher: Bencher<'_, '_>, peers: usize) {
    let (mut net, message) = (Net::star(peers), body(64));
    let names = net.names();
    let (items, bytes) = load(&message, peers);
    bencher.counter(items).counter(bytes).bench_local(|| net.answer(&names, &message));
}

/// A hundred messages for a SUB that has subscribed to so many topics, of which each is on one. How they are found among more
/// of them is in `topics`.
#[divan::bench(args = [10, 1000, 10_000])]
fn pub_to_sub(bencher: Bencher<'_, '_>, topics: usize) {
    let mut net = Net::news(topics);
    let messages: Vec<Message> = (0..100).map(|number| bare::topic(number * 7919 % topics).into()).collect();
    let (items, bytes) = load(&messages[0], messages.len());
    bencher.counter(items).counter(bytes).bench_local(|| net.publish(&messages));
}

/// How much an iteration is that carries so many messages.
fn load(message: &Message, messages: usize) -> (ItemsCount, BytesCount) {
    (ItemsCount::new(messages), BytesCount::new(messages * message.size()))
}
