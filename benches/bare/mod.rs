//! Connections and sockets without IO, used by the benchmarks of the core.

mod topic;

pub(crate) use topic::topic;

use sansmq::proto::connection::{ConnectionConfig, Link};
use sansmq::proto::{Action, Buf, Connection, Entropy, Frame, Instant, Message, Options, PipeId, Socket, kind};
use std::hint::black_box;
use std::sync::Arc;

/// Maximum number of bytes per read of a stream.
pub(crate) const READ: usize = 32 << 10;

pub(crate) const NOW: Instant = Instant::ORIGIN;

/// Deterministic random source: random hash keys and routing ids would change instruction counts from run to run.
pub(crate) struct FixedEntropy(pub(crate) u64);

impl Entropy for FixedEntropy {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            // A linear congruential generator, of which the high bits are the most random.
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = self.0.to_be_bytes()[0];
        }
    }
}

/// A server socket, client sockets that are connected to it, and their connections. There is no network: bytes are
/// copied directly from connection to connection.
pub(crate) struct Net {
    pub(crate) server: Socket,
    pub(crate) clients: Vec<Client>,
}

pub(crate) struct Client {
    pub(crate) socket: Socket,
    /// Pipe in the client's socket, and the client's end of the connection to the server.
    near: (PipeId, Connection),
    /// Pipe in the server's socket, and the server's end of the connection to this client.
    far: (PipeId, Connection),
}

impl Net {
    pub(crate) fn new(mut server: Socket, clients: impl IntoIterator<Item = Socket>) -> Self {
        let listener = server.bind("tcp://*:5555".parse().expect("a valid endpoint"));
        let clients = clients.into_iter().map(|mut socket| {
            let pipe = socket
                .connect("tcp://server:5555".parse().expect("a valid endpoint"), NOW)
                .expect("the socket is open");
            let near = (pipe, socket.connected(pipe, NOW).expect("the pipe is dialling"));
            let from = "tcp://client:1".parse().expect("a valid endpoint");
            let far = server.accepted(listener, from, NOW).expect("the socket is listening");
            Client { socket, near, far }
        });
        let clients = clients.collect();
        let mut net = Self { server, clients };
        for _ in 0..4 {
            net.exchange();
        }
        net
    }

    /// Creates a PUSH that is connected to a PULL.
    pub(crate) fn pipeline() -> Self {
        let push = Socket::new(Options::<kind::Push>::new(), FixedEntropy(2));
        Self::new(Socket::new(Options::<kind::Pull>::new(), FixedEntropy(1)), [push])
    }

    /// Creates `peers` DEALERs that are connected to a ROUTER.
    pub(crate) fn star(peers: usize) -> Self {
        let dealers = (2..).take(peers).map(|seed| Socket::new(Options::<kind::Dealer>::new(), FixedEntropy(seed)));
        Self::new(Socket::new(Options::<kind::Router>::new(), FixedEntropy(1)), dealers)
    }

    /// Creates a PUB and a connected SUB with subscriptions to `topics` topics.
    pub(crate) fn pubsub(topics: usize) -> Self {
        let mut sub = Socket::new(Options::<kind::Sub>::new(), FixedEntropy(2));
        for number in 0..topics {
            sub.subscribe(topic(number)).expect("a SUB subscribes");
        }
        let mut net = Self::new(Socket::new(Options::<kind::Pub>::new(), FixedEntropy(1)), [sub]);
        while net.server.subscription_count() < topics {
            net.exchange();
        }
        net
    }

    /// Sends messages from the server, and receives all of these messages at each client.
    pub(crate) fn publish(&mut self, messages: &[Message]) {
        for message in messages {
            self.server.send(message.clone()).expect("the pipe has room");
        }
        self.exchange();
        self.exchange();
        for client in &mut self.clients {
            for _ in messages {
                black_box(client.socket.recv().expect("every message arrives"));
            }
        }
        while self.server.poll_action().is_some() {}
    }

    /// Sends a message `each` times from each client, and receives all these messages at the server.
    pub(crate) fn carry(&mut self, message: &Message, each: usize) {
        for client in &mut self.clients {
            for _ in 0..each {
                client.socket.send(message.clone()).expect("the pipe has room");
            }
        }
        self.exchange();
        for _ in 0..each * self.clients.len() {
            black_box(self.server.recv().expect("every message arrives"));
        }
        while self.server.poll_action().is_some() {}
    }

    /// Sends the message `body` from the ROUTER to each routing id in `to`, and then receives one message at each
    /// client. So `to` must contain the routing id of each client exactly once.
    pub(crate) fn answer(&mut self, to: &[Frame], body: &Message) {
        for id in to {
            self.server.send((id.clone(), body.body().clone())).expect("the peer is connected");
        }
        // The first exchange moves the bytes, the second delivers the messages to the clients.
        self.exchange();
        self.exchange();
        for client in &mut self.clients {
            black_box(client.socket.recv().expect("every reply arrives"));
        }
        while self.server.poll_action().is_some() {}
    }

    /// Sends a message from each client to the ROUTER. Returns the routing ids of the clients, which the received
    /// messages contain.
    pub(crate) fn routing_ids(&mut self) -> Vec<Frame> {
        for client in &mut self.clients {
            client.socket.send("hello").expect("the pipe has room");
        }
        self.exchange();
        let ids =
            (0..self.clients.len()).map(|_| self.server.recv().expect("each client has sent a message").head().clone());
        ids.collect()
    }

    /// Passes queued messages between each pipe and its connection once, and copies the encoded bytes to the peer, in
    /// both directions.
    pub(crate) fn exchange(&mut self) {
        for Client { socket, near, far } in &mut self.clients {
            while let Some(action) = socket.poll_action() {
                black_box::<Action>(action);
            }
            socket.exchange(near.0, &mut near.1).expect("the connection of the client is valid");
            drain(&mut near.1, |bytes| far.1.handle_input(bytes, NOW).expect("the client follows the protocol"));
            self.server.exchange(far.0, &mut far.1).expect("the connection of the server is valid");
            drain(&mut far.1, |bytes| near.1.handle_input(bytes, NOW).expect("the server follows the protocol"));
        }
    }
}

/// Creates two connections with the settings `near` and `far`, and completes the handshake between them.
pub(crate) fn handshake([near, far]: &[Arc<ConnectionConfig>; 2]) -> [Connection; 2] {
    let mut near = Connection::new(near, &mut FixedEntropy(1), NOW);
    let mut far = Connection::new(far, &mut FixedEntropy(2), NOW);
    for _ in 0..4 {
        drain(&mut near, |bytes| far.handle_input(bytes, NOW).expect("near follows the protocol"));
        drain(&mut far, |bytes| near.handle_input(bytes, NOW).expect("far follows the protocol"));
    }
    assert!(near.peer().is_some() && far.peer().is_some(), "the handshake is done");
    [near, far]
}

/// Passes all output of a connection to `write`, which acts as a stream that accepts all bytes.
pub(crate) fn drain(connection: &mut Connection, mut write: impl FnMut(&[u8])) {
    while let Some(outbox) = connection.poll_transmit() {
        let chunk = outbox.chunk();
        write(chunk);
        let len = chunk.len();
        outbox.advance(len);
    }
}

pub(crate) fn body(size: usize) -> Message {
    vec![b'x'; size].into()
}

/// Returns a message with the frames that a ROUTER sends to a REQ: routing id, empty delimiter, and a body of 64 bytes.
pub(crate) fn routed() -> Message {
    ("peer1", Frame::EMPTY, vec![b'x'; 64]).into()
}

/// Passes messages to the connection, which encodes them. Discards the encoded bytes.
pub(crate) fn encode(connection: &mut Connection, messages: &[Message]) {
    let copied = connection.copy(messages.iter());
    for message in &messages[copied..] {
        connection.give(message.clone().into());
    }
    drain(connection, |bytes| {
        black_box(bytes);
    });
}

/// Passes encoded bytes to the connection in pieces of [`READ`] bytes. Returns the number of decoded messages.
pub(crate) fn decode(connection: &mut Connection, bytes: &[u8]) -> usize {
    let mut taken = 0;
    for read in bytes.chunks(READ) {
        connection.handle_input(read, NOW).expect("the bytes are well formed");
        while let Some(item) = connection.take() {
            black_box(item);
            taken += 1;
        }
    }
    taken
}

/// Passes messages to the connection, which encodes them. Returns the encoded bytes.
pub(crate) fn encoded(connection: &mut Connection, messages: &[Message]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for message in messages {
        connection.give(message.clone().into());
    }
    drain(connection, |chunk| bytes.extend_from_slice(chunk));
    bytes
}
