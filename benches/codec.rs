//! Benchmarks of the core without IO: encoding, decoding, and messages between two sockets.
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
    // Long enough for a stable median. The command line takes precedence.
    divan::Divan::default().min_time(Duration::from_millis(200)).config_with_args().main();
}

/// Number of messages per iteration.
const BATCH: usize = 32;

const SIZES: [usize; 6] = [16, 64, 256, 1024, 8192, 65_536];

/// Copies the bytes of each message to one buffer. This time is a lower bound for the time that encoding takes.
#[divan::bench(args = SIZES)]
fn copy(bencher: Bencher<'_, '_>, size: usize) {
    let (frame, mut out) = (vec![7; size + 2], Vec::with_capacity((size + 2) * BATCH));
    let (items, bytes) = load(&body(size), BATCH);
    bencher.counter(items).counter(bytes).bench_local(|| {
        out.clear();
        for _ in 0..BATCH {
            out.extend_from_slice(black_box(&frame));
        }
        black_box(&out);
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
    let [mut near, _far] = handshaken();
    let (items, bytes) = load(&message, BATCH);
    let messages = vec![message; BATCH];
    bencher.counter(items).counter(bytes).bench_local(|| bare::encode(&mut near, &messages));
}

/// Returns the two ends of a connection between a DEALER and a ROUTER, after a completed NULL handshake.
fn handshaken() -> [Connection; 2] {
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
    let [mut near, mut far] = handshaken();
    let (items, bytes) = load(&message, BATCH);
    let input = encoded(&mut near, &vec![message; BATCH]);
    bencher.counter(items).counter(bytes).bench_local(|| assert_eq!(bare::decode(&mut far, &input), BATCH));
}

/// Sends `messages` messages at a time from a PUSH to a PULL.
#[divan::bench(args = [1, 100])]
fn push_to_pull(bencher: Bencher<'_, '_>, messages: usize) {
    carry(bencher, &mut Net::pipeline(), messages);
}

/// Sends 100 messages to a ROUTER: all from one DEALER, or one from each of 100 DEALERs.
#[divan::bench(args = [1, 100])]
fn dealers_to_router(bencher: Bencher<'_, '_>, peers: usize) {
    carry(bencher, &mut Net::star(peers), 100 / peers);
}

fn carry(bencher: Bencher<'_, '_>, net: &mut Net, each: usize) {
    let message = body(64);
    let (items, bytes) = load(&message, each * net.clients.len());
    bencher.counter(items).counter(bytes).bench_local(|| net.carry(&message, each));
}

/// Sends one message from a ROUTER to each of its DEALERs. The ROUTER looks up each DEALER by its routing id.
#[divan::bench(args = [1, 100, 1000])]
fn router_to_dealers(bencher: Bencher<'_, '_>, peers: usize) {
    let (mut net, message) = (Net::star(peers), body(64));
    let ids = net.routing_ids();
    let (items, bytes) = load(&message, peers);
    bencher.counter(items).counter(bytes).bench_local(|| net.answer(&ids, &message));
}

/// Sends 100 messages from a PUB to a SUB with `topics` subscriptions. Each message matches one subscription. The
/// benchmark `topics` measures the lookup alone, among more subscriptions.
#[divan::bench(args = [10, 1000, 10_000])]
fn pub_to_sub(bencher: Bencher<'_, '_>, topics: usize) {
    let mut net = Net::pubsub(topics);
    let messages: Vec<Message> = (0..100).map(|number| bare::topic(number * 7919 % topics).into()).collect();
    let (items, bytes) = load(&messages[0], messages.len());
    bencher.counter(items).counter(bytes).bench_local(|| net.publish(&messages));
}

/// Returns the number of messages and bytes per iteration, from which the benchmark reports a throughput.
fn load(message: &Message, messages: usize) -> (ItemsCount, BytesCount) {
    (ItemsCount::new(messages), BytesCount::new(messages * message.size()))
}
