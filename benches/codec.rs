//! What the core costs without any IO: encoding, decoding, and messages from socket to socket.
//!
//! ```text
//! cargo bench --bench codec
//! ```

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use sansmq::proto::{
    Action, Buf, Connection, ConnectionConfig, Frame, Instant, Link, Message, Options, PipeId, Socket, SocketType,
    SystemEntropy, kind,
};
use std::time::Duration;

fn main() {
    // Long enough for a median that stays; the command line may say otherwise.
    divan::Divan::default().min_time(Duration::from_millis(200)).config_with_args().main();
}

const SIZES: [usize; 6] = [16, 64, 256, 1024, 8192, 65_536];

/// Messages per iteration: what a busy connection finds in its pipe.
const BATCH: usize = 32;

/// What one read of a stream brings at most.
const READ: usize = 64 << 10;

const NOW: Instant = Instant::ORIGIN;

#[divan::bench(args = SIZES)]
fn encode(bencher: Bencher<'_, '_>, size: usize) {
    encode_batch(bencher, &body(size));
}

#[divan::bench]
fn encode_three_frames(bencher: Bencher<'_, '_>) {
    encode_batch(bencher, &routed());
}

fn encode_batch(bencher: Bencher<'_, '_>, message: &Message) {
    let [mut near, _far] = introduced(SocketType::Dealer, SocketType::Router);
    let (items, bytes) = load(message, BATCH);
    bencher.counter(items).counter(bytes).bench_local(|| {
        for _ in 0..BATCH {
            near.give(message.clone().into());
        }
        drain(&mut near, |octets| {
            black_box(octets);
        });
    });
}

#[divan::bench(args = SIZES)]
fn decode(bencher: Bencher<'_, '_>, size: usize) {
    decode_batch(bencher, &body(size));
}

#[divan::bench]
fn decode_three_frames(bencher: Bencher<'_, '_>) {
    decode_batch(bencher, &routed());
}

fn decode_batch(bencher: Bencher<'_, '_>, message: &Message) {
    let [mut near, mut far] = introduced(SocketType::Dealer, SocketType::Router);
    let mut octets = Vec::new();
    for _ in 0..BATCH {
        near.give(message.clone().into());
    }
    drain(&mut near, |chunk| octets.extend_from_slice(chunk));
    let (items, bytes) = load(message, BATCH);
    bencher.counter(items).counter(bytes).bench_local(|| {
        let mut taken = 0;
        for read in octets.chunks(READ) {
            far.handle_input(read, NOW).expect("the octets are well formed");
            while let Some(item) = far.take() {
                black_box(item);
                taken += 1;
            }
        }
        assert_eq!(taken, BATCH);
    });
}

/// PUSH to PULL, this many messages at a time.
#[divan::bench(args = [1, 100])]
fn push_to_pull(bencher: Bencher<'_, '_>, messages: usize) {
    let push = || Socket::new(Options::<kind::Push>::new(), SystemEntropy);
    let pull = Socket::new(Options::<kind::Pull>::new(), SystemEntropy);
    let mut net = Net::new(pull, [push()]);
    carry(bencher, &mut net, messages);
}

/// 100 messages from one DEALER, or one from each of 100, to a ROUTER.
#[divan::bench(args = [1, 100])]
fn dealers_to_router(bencher: Bencher<'_, '_>, peers: usize) {
    let dealers = (0..peers).map(|_| Socket::new(Options::<kind::Dealer>::new(), SystemEntropy));
    let router = Socket::new(Options::<kind::Router>::new(), SystemEntropy);
    let mut net = Net::new(router, dealers);
    carry(bencher, &mut net, 100 / peers);
}

fn carry(bencher: Bencher<'_, '_>, net: &mut Net, each: usize) {
    let message = body(64);
    let messages = each * net.clients.len();
    let (items, bytes) = load(&message, messages);
    bencher.counter(items).counter(bytes).bench_local(|| {
        for client in &mut net.clients {
            for _ in 0..each {
                client.socket.send(message.clone()).expect("the pipe has room");
            }
        }
        net.exchange();
        for _ in 0..messages {
            black_box(net.server.recv().expect("every message arrives"));
        }
        while net.server.poll_action().is_some() {}
    });
}

/// One server and its clients, with the octets carried by hand.
struct Net {
    server: Socket,
    clients: Vec<Client>,
}

struct Client {
    socket: Socket,
    /// Its pipe and connection, and the server's to it.
    near: (PipeId, Connection),
    far: (PipeId, Connection),
}

impl Net {
    fn new(mut server: Socket, clients: impl IntoIterator<Item = Socket>) -> Self {
        let listener = server.bind("tcp://*:5555".parse().expect("an endpoint"));
        let clients = clients.into_iter().map(|mut socket| {
            let pipe = socket.connect("tcp://server:5555".parse().expect("an endpoint"), NOW).expect("it is open");
            let near = (pipe, socket.connected(pipe, NOW).expect("it dials"));
            let from = "tcp://client:1".parse().expect("an endpoint");
            let far = server.accepted(listener, from, NOW).expect("it listens");
            Client { socket, near, far }
        });
        let clients = clients.collect();
        let mut net = Self { server, clients };
        for _ in 0..4 {
            net.exchange();
        }
        net
    }

    /// Lets every pipe exchange with its connection and carries octets there and back.
    fn exchange(&mut self) {
        for Client { socket, near, far } in &mut self.clients {
            while let Some(action) = socket.poll_action() {
                black_box::<Action>(action);
            }
            socket.exchange(near.0, &mut near.1).expect("the client's connection is sound");
            drain(&mut near.1, |octets| far.1.handle_input(octets, NOW).expect("the client speaks well"));
            self.server.exchange(far.0, &mut far.1).expect("the server's connection is sound");
            drain(&mut far.1, |octets| near.1.handle_input(octets, NOW).expect("the server speaks well"));
        }
    }
}

/// Two connections past their handshake.
fn introduced(near: SocketType, far: SocketType) -> [Connection; 2] {
    let [mut near, mut far] =
        [near, far].map(|kind| Connection::new(&ConnectionConfig::new(kind).into(), &mut SystemEntropy, NOW));
    for _ in 0..2 {
        drain(&mut near, |octets| far.handle_input(octets, NOW).expect("near speaks well"));
        drain(&mut far, |octets| near.handle_input(octets, NOW).expect("far speaks well"));
    }
    assert!(near.peer().is_some() && far.peer().is_some(), "the handshake is done");
    [near, far]
}

/// Takes everything out of a connection, as a stream without limits would.
fn drain(connection: &mut Connection, mut write: impl FnMut(&[u8])) {
    while let Some(outbox) = connection.poll_transmit() {
        let chunk = outbox.chunk();
        write(chunk);
        let len = chunk.len();
        outbox.advance(len);
    }
}

fn body(size: usize) -> Message {
    vec![b'x'; size].into()
}

/// What a ROUTER sends to a REQ.
fn routed() -> Message {
    ("peer1", Frame::EMPTY, vec![b'x'; 64]).into()
}

/// How much an iteration is that carries so many messages.
fn load(message: &Message, messages: usize) -> (ItemsCount, BytesCount) {
    (ItemsCount::new(messages), BytesCount::new(messages * message.size()))
}
