//! Benchmarks of CURVE without IO: the handshake, a bogus HELLO, and traffic compared with NULL.
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

/// Measures a complete NULL handshake, with the work of client and server.
#[divan::bench]
fn handshake_null(bencher: Bencher<'_, '_>) {
    handshakes(bencher, [Security::Null, Security::Null]);
}

#[divan::bench]
fn handshake_curve(bencher: Bencher<'_, '_>) {
    handshakes(bencher, curve());
}

/// Measures the work of a server that receives a HELLO of the right length with invalid content.
#[divan::bench]
fn bogus_hello(bencher: Bencher<'_, '_>) {
    let [_, server] = curve();
    let mut server = Host::new(server);
    let mut sent = Vec::new();
    let mut client = Host::new(curve()[0].clone()).dial();
    drain(&mut client.1, |bytes| sent.extend_from_slice(bytes));
    let [greeting, mut hello] = [sent[..64].to_vec(), vec![0; 202]];
    hello[..10].copy_from_slice(b"\x04\xc8\x05HELLO\x01\0");
    hello[82..].fill(7);
    bencher.bench_local(|| {
        let (pipe, mut connection) = server.accept();
        connection.handle_input(&greeting, NOW).expect("the greeting is valid");
        let error = connection.handle_input(&hello, NOW).expect_err("the HELLO is invalid");
        assert!(matches!(error, ConnectionError::Curve(_)), "{error}");
        server.socket.disconnected(pipe, connection, &error, NOW);
        while server.socket.poll_action().is_some() {}
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
    let client = Security::curve_client(client, *server.public()).expect("the key is valid");
    [client, Security::curve_server(server)]
}

fn handshakes(bencher: Bencher<'_, '_>, [client, server]: [Security; 2]) {
    let mut server = Host::new(server);
    bencher.bench_local(|| {
        let mut near = Host::new(client.clone()).dial();
        let (pipe, mut far) = server.accept();
        handshake(&mut near.1, &mut far);
        server.socket.disconnected(pipe, far, &ConnectionError::PeerClosed, NOW);
        while server.socket.poll_action().is_some() {}
    });
}

/// Measures the transfer of messages of `size` bytes: the client encodes several messages, and the server decodes them.
fn traffic(bencher: Bencher<'_, '_>, size: usize, [client, server]: [Security; 2]) {
    let (mut far, mut near) = (Host::new(server).accept().1, Host::new(client).dial().1);
    handshake(&mut near, &mut far);
    let message = Message::from(vec![b'x'; size]);
    bencher.counter(ItemsCount::new(BATCH)).counter(BytesCount::new(BATCH * size)).bench_local(|| {
        for _ in 0..BATCH {
            near.give(message.clone().into());
        }
        let mut count = 0;
        drain(&mut near, |bytes| {
            far.handle_input(bytes, NOW).expect("near follows the protocol");
            while let Some(message) = far.take() {
                black_box(message);
                count += 1;
            }
        });
        assert_eq!(count, BATCH);
    });
}

fn handshake(near: &mut Connection, far: &mut Connection) {
    for _ in 0..3 {
        drain(near, |bytes| far.handle_input(bytes, NOW).expect("near follows the protocol"));
        drain(far, |bytes| near.handle_input(bytes, NOW).expect("far follows the protocol"));
    }
    assert!(near.peer().is_some() && far.peer().is_some(), "the handshake is done");
}

/// Socket with a listener, which can also dial. Each end of a measured connection is created by one such socket.
struct Host {
    socket: Socket,
    listener: ListenerId,
}

impl Host {
    fn new(security: Security) -> Self {
        let options = Options::<kind::Dealer>::new().security(security).any_key().max_handshake_rate(usize::MAX);
        let mut socket = Socket::new(options, SystemEntropy);
        let listener = socket.bind("tcp://*:1".parse().expect("a valid endpoint"));
        Self { socket, listener }
    }

    fn dial(&mut self) -> (PipeId, Connection) {
        let pipe =
            self.socket.connect("tcp://server:1".parse().expect("a valid endpoint"), NOW).expect("the socket is open");
        (pipe, self.socket.connected(pipe, NOW).expect("the pipe is dialling"))
    }

    fn accept(&mut self) -> (PipeId, Connection) {
        let from = "tcp://127.0.0.1:2".parse().expect("a valid endpoint");
        self.socket.accepted(self.listener, from, NOW).expect("the socket is listening")
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
