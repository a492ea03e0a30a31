//! What CURVE costs without any IO: its handshake, a HELLO that nobody meant, and its traffic beside that of NULL.
//!
//! ```text
//! cargo bench -p sansmq-benches --bench curve
//! ```

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use sansmq::curve::KeyPair;
use sansmq::proto::connection::Link;
use sansmq::proto::security::Security;
use sansmq::proto::{
    Buf, Connection, ConnectionError, Instant, ListenerId, Message, Options, PipeId, Socket, SystemEntropy, kind,
};

fn main() {
    divan::main();
}

const NOW: Instant = Instant::ORIGIN;
const BATCH: usize = 32;
const SIZES: [usize; 3] = [64, 1024, 65_536];

/// Both sides of a whole handshake.
#[divan::bench]
fn handshake_null(bencher: Bencher<'_, '_>) {
    handshakes(bencher, [Security::Null, Security::Null]);
}

#[divan::bench]
fn handshake_curve(bencher: Bencher<'_, '_>) {
    handshakes(bencher, curve());
}

/// What a server does for a stranger whose HELLO has the right length and nothing else right.
#[divan::bench]
fn bogus_hello(bencher: Bencher<'_, '_>) {
    let [_, server] = curve();
    let mut door = Door::new(server);
    let mut said = Vec::new();
    let mut client = Door::new(curve()[0].clone()).dial();
    drain(&mut client.1, |octets| said.extend_from_slice(octets));
    let [greeting, mut hello] = [said[..64].to_vec(), vec![0; 202]];
    hello[..10].copy_from_slice(b"\x04\xc8\x05HELLO\x01\0");
    hello[82..].fill(7);
    bencher.bench_local(|| {
        let (pipe, mut connection) = door.accept();
        connection.handle_input(&greeting, NOW).expect("the greeting is good");
        let refused = connection.handle_input(&hello, NOW).expect_err("the HELLO is not");
        assert!(matches!(refused, ConnectionError::Curve(_)), "{refused}");
        door.socket.disconnected(pipe, connection, &refused, NOW);
        while door.socket.poll_action().is_some() {}
    });
}

#[divan::bench(args = SIZES)]
fn traffic_null(bencher: Bencher<'_, '_>, size: usize) {
    traffic(bencher, size, [Security::Null, Security::Null]);
}

#[divan::bench(args = SIZES)]
fn traffic_curve(bencher: Bencher<'_, '_>, size: usize) {
    traffic(bencher, size, curve());
}

fn curve() -> [Security; 2] {
    let (server, client) = (KeyPair::random(), KeyPair::random());
    let client = Security::curve_client(client, *server.public()).expect("the key is good");
    [client, Security::curve_server(server)]
}

fn handshakes(bencher: Bencher<'_, '_>, [client, server]: [Security; 2]) {
    let mut door = Door::new(server);
    bencher.bench_local(|| {
        let mut near = Door::new(client.clone()).dial();
        let (pipe, mut far) = door.accept();
        introduce(&mut near.1, &mut far);
        door.socket.disconnected(pipe, far, &ConnectionError::Eof, NOW);
        while door.socket.poll_action().is_some() {}
    });
}

/// Encodes a batch at one end and decodes it at the other.
fn traffic(bencher: Bencher<'_, '_>, size: usize, [client, server]: [Security; 2]) {
    let (mut far, mut near) = (Door::new(server).accept().1, Door::new(client).dial().1);
    introduce(&mut near, &mut far);
    let message = Message::from(vec![b'x'; size]);
    bencher.counter(ItemsCount::new(BATCH)).counter(BytesCount::new(BATCH * size)).bench_local(|| {
        for _ in 0..BATCH {
            near.give(message.clone().into());
        }
        let mut count = 0;
        drain(&mut near, |octets| {
            far.handle_input(octets, NOW).expect("near speaks well");
            while let Some(message) = far.take() {
                black_box(message);
                count += 1;
            }
        });
        assert_eq!(count, BATCH);
    });
}

fn introduce(near: &mut Connection, far: &mut Connection) {
    for _ in 0..3 {
        drain(near, |octets| far.handle_input(octets, NOW).expect("near speaks well"));
        drain(far, |octets| near.handle_input(octets, NOW).expect("far speaks well"));
    }
    assert!(near.peer().is_some() && far.peer().is_some(), "the handshake is done");
}

/// A socket that makes connections.
struct Door {
    socket: Socket,
    listener: ListenerId,
}

impl Door {
    fn new(security: Security) -> Self {
        let options = Options::<kind::Dealer>::new().security(security).max_handshake_rate(usize::MAX);
        let mut socket = Socket::new(options.expect("it is more than none"), SystemEntropy);
        let listener = socket.bind("tcp://*:1".parse().expect("an endpoint"));
        Self { socket, listener }
    }

    fn dial(&mut self) -> (PipeId, Connection) {
        let pipe = self.socket.connect("tcp://server:1".parse().expect("an endpoint"), NOW).expect("it is open");
        (pipe, self.socket.connected(pipe, NOW).expect("it dials"))
    }

    fn accept(&mut self) -> (PipeId, Connection) {
        let from = "tcp://127.0.0.1:2".parse().expect("an endpoint");
        self.socket.accepted(self.listener, from, NOW).expect("it listens")
    }
}

fn drain(connection: &mut Connection, mut write: impl FnMut(&[u8])) {
    while let Some(outbox) = connection.poll_transmit() {
        let chunk = outbox.chunk();
        write(chunk);
        let len = chunk.len();
        outbox.advance(len);
    }
}
