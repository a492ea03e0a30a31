//! Connections and sockets without any IO: what the benchmarks of the core have in common.

mod topic;

pub(crate) use topic::topic;

use sansmq::proto::connection::{ConnectionConfig, Link};
use sansmq::proto::{Action, Buf, Connection, Entropy, Frame, Instant, Message, Options, PipeId, Socket, kind};
use std::hint::black_box;
use std::sync::Arc;

/// What one read of a stream brings at most.
pub(crate) const READ: usize = 32 << 10;

pub(crate) const NOW: Instant = Instant::ORIGIN;

/// The same numbers in every run: random hash keys and routing ids would change instruction counts from run to run.
pub(crate) struct FixedEntropy(pub(crate) u64);

impl Entropy for FixedEntropy {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            // A linear congruential generator; its high bits are the best ones.
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = self.0.to_be_bytes()[0];
        }
    }
}

/// One server and its clients, with the octets carried by hand.
pub(crate) struct Net {
    pub(crate) server: Socket,
    pub(crate) clients: Vec<Client>,
}

pub(crate) struct Client {
    pub(crate) socket: Socket,
    /// Its pipe and connection, and the server's to it.
    near: (PipeId, Connection),
    far: (PipeId, Connection),
}

impl Net {
    pub(crate) fn new(mut server: Socket, clients: impl IntoIterator<Item = Socket>) -> Self {
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

    /// One PUSH that is connected to a PULL.
    pub(crate) fn pipeline() -> Self {
        let push = Socket::new(Options::<kind::Push>::new(), FixedEntropy(2));
        Self::new(Socket::new(Options::<kind::Pull>::new(), FixedEntropy(1)), [push])
    }

    /// So many DEALERs that are connected to a ROUTER.
    pub(crate) fn star(peers: usize) -> Self {
        let dealers = (2..).take(peers).map(|seed| Socket::new(Options::<kind::Dealer>::new(), FixedEntropy(seed)));
        Self::new(Socket::new(Options::<kind::Router>::new(), FixedEntropy(1)), dealers)
    }

    /// A PUB, and a SUB that has subscribed to so many topics.
    pub(crate) fn news(topics: usize) -> Self {
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

    /// Has the server send these, and each client receive them.
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

    /// Has each client send this so many times, and the server receive it all.
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

    /// Has the ROUTER answer everybody, by the routing ids of their requests.
    pub(crate) fn answer(&mut self, to: &[Frame], body: &Message) {
        for id in to {
            self.server.send((id.clone(), body.body().clone())).expect("the peer is there");
        }
        // Once for what the ROUTER says, and once for what has reached the others.
        self.exchange();
        self.exchange();
        for client in &mut self.clients {
            black_box(client.socket.recv().expect("every answer arrives"));
        }
        while self.server.poll_action().is_some() {}
    }

    /// The routing ids that the ROUTER knows its peers by.
    pub(crate) fn names(&mut self) -> Vec<Frame> {
        for client in &mut self.clients {
            client.socket.send("hello").expect("the pipe has room");
        }
        self.exchange();
        let names = (0..self.clients.len()).map(|_| self.server.recv().expect("everybody greets").head().clone());
        names.collect()
    }

    /// Lets every pipe exchange with its connection and carries octets there and back.
    pub(crate) fn exchange(&mut self) {
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

/// Creates two connections and completes their handshake.
pub(crate) fn handshake([near, far]: &[Arc<ConnectionConfig>; 2]) -> [Connection; 2] {
    let mut near = Connection::new(near, &mut FixedEntropy(1), NOW);
    let mut far = Connection::new(far, &mut FixedEntropy(2), NOW);
    for _ in 0..4 {
        drain(&mut near, |octets| far.handle_input(octets, NOW).expect("near follows the protocol"));
        drain(&mut far, |octets| near.handle_input(octets, NOW).expect("far follows the protocol"));
    }
    assert!(near.peer().is_some() && far.peer().is_some(), "the handshake is done");
    [near, far]
}

/// Takes everything out of a connection, as a stream without limits would.
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

/// What a ROUTER sends to a REQ.
pub(crate) fn routed() -> Message {
    ("peer1", Frame::EMPTY, vec![b'x'; 64]).into()
}

/// Gives the connection these, as a pipe does, and takes what there is to write.
pub(crate) fn encode(connection: &mut Connection, messages: &[Message]) {
    let copied = connection.copy(messages.iter());
    for message in &messages[copied..] {
        connection.give(message.clone().into());
    }
    drain(connection, |octets| {
        black_box(octets);
    });
}

/// Has the connection read these, and takes what has come.
pub(crate) fn decode(connection: &mut Connection, octets: &[u8]) -> usize {
    let mut taken = 0;
    for read in octets.chunks(READ) {
        connection.handle_input(read, NOW).expect("the octets are well formed");
        while let Some(item) = connection.take() {
            black_box(item);
            taken += 1;
        }
    }
    taken
}

/// Returns these messages as the connection puts them on the wire.
pub(crate) fn encoded(connection: &mut Connection, messages: &[Message]) -> Vec<u8> {
    let mut octets = Vec::new();
    for message in messages {
        connection.give(message.clone().into());
    }
    drain(connection, |chunk| octets.extend_from_slice(chunk));
    octets
}
