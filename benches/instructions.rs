//! Instruction counts of the hot paths. Other programs on the machine do not change them.
//!
//! ```text
//! .ci/instructions                 # compares with the commit that `.ci/base` names; installs what it needs
//! cargo bench -p sansmq-benches --bench instructions # the counts alone; needs valgrind and gungraun-runner
//! ```
//!
//! Each count is for a hundred messages of 64 bytes, unless its name states something else. Setup is not counted. In
//! the setup, every benchmark already uses its sockets and connections, so that first uses are not counted either.

#![expect(missing_docs, reason = "the macros make public items")]

mod bare;

use bare::{Net, body, encoded, handshake, routed};
use gungraun::{library_benchmark, library_benchmark_group, main};
use sansmq::proto::connection::ConnectionConfig;
use sansmq::proto::security::curve::KeyPair;
use sansmq::proto::security::{AuthSource, Security};
use sansmq::proto::{Connection, Frame, Message, SocketType};
use sansmq::tokio::{PullSocket, PushSocket};
use sansmq::{Context, Options};
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};

const MESSAGES: usize = 100;

/// Settings of the two ends of a connection; those of the client come first.
type Ends = [Arc<ConnectionConfig>; 2];

fn null() -> Ends {
    ends([Security::Null, Security::Null])
}

fn curve() -> Ends {
    let [client, server] = [3, 4].map(|seed| KeyPair::generate(&mut bare::FixedEntropy(seed)));
    let client = Security::curve_client(client, *server.public()).expect("the key is valid");
    ends([client, Security::curve_server(server)])
}

fn ends([client, server]: [Security; 2]) -> Ends {
    [(SocketType::Dealer, client), (SocketType::Router, server)].map(|(socket_type, security)| {
        let mut config = ConnectionConfig::new(socket_type);
        config.security = security;
        config.auth_source = AuthSource::AnyKey;
        Arc::new(config)
    })
}

/// Returns a connection that has already sent messages, and the messages that the benchmark sends on it.
fn sender(ends: &Ends, message: Message) -> (Connection, Vec<Message>) {
    let [mut near, _far] = handshake(ends);
    let messages = vec![message; MESSAGES];
    bare::encode(&mut near, &messages);
    (near, messages)
}

/// Returns a connection that has already received messages, and encoded messages that the benchmark passes to it.
fn receiver(ends: &Ends, message: Message) -> (Connection, Vec<u8>) {
    let [mut near, mut far] = handshake(ends);
    let messages = vec![message; MESSAGES];
    let input = encoded(&mut near, &messages);
    bare::decode(&mut far, &input);
    // Encoded again, because the nonces of CURVE must increase.
    let input = encoded(&mut near, &messages);
    (far, input)
}

#[library_benchmark]
#[bench::bytes_64(sender(&null(), body(64)))]
#[bench::bytes_1024(sender(&null(), body(1024)))]
#[bench::three_frames(sender(&null(), routed()))]
#[bench::curve_bytes_64(sender(&curve(), body(64)))]
#[bench::curve_bytes_1024(sender(&curve(), body(1024)))]
fn encode((mut connection, messages): (Connection, Vec<Message>)) -> (Connection, Vec<Message>) {
    bare::encode(&mut connection, &messages);
    (connection, messages)
}

#[library_benchmark]
#[bench::bytes_64(receiver(&null(), body(64)))]
#[bench::bytes_1024(receiver(&null(), body(1024)))]
#[bench::three_frames(receiver(&null(), routed()))]
#[bench::curve_bytes_64(receiver(&curve(), body(64)))]
#[bench::curve_bytes_1024(receiver(&curve(), body(1024)))]
fn decode((mut connection, input): (Connection, Vec<u8>)) -> (Connection, Vec<u8>) {
    assert_eq!(bare::decode(&mut connection, &input), MESSAGES);
    (connection, input)
}

/// Runs one handshake, which fills the caches in the settings, and returns the settings.
fn handshaken(ends: Ends) -> Ends {
    handshake(&ends);
    ends
}

// One handshake, both sides.
#[library_benchmark]
#[bench::null(handshaken(null()))]
#[bench::curve(handshaken(curve()))]
fn introduce(ends: Ends) -> (Ends, [Connection; 2]) {
    let connections = handshake(&ends);
    (ends, connections)
}

/// Sends messages once, so that all sockets of `net` have been used, and returns the input of the benchmark `carry`:
/// the sockets, a message, and the number of times that each client sends this message.
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

/// Returns a ROUTER that has already sent a message to each of its peers, the routing ids of these peers, and the
/// message that the benchmark sends to each peer.
fn answering(peers: usize) -> (Net, Vec<Frame>, Message) {
    let (mut net, message) = (Net::star(peers), body(64));
    let ids = net.routing_ids();
    net.answer(&ids, &message);
    (net, ids, message)
}

// One message to each peer.
#[library_benchmark]
#[bench::peers_100(answering(100))]
#[bench::peers_1000(answering(1000))]
fn router_to_dealers((mut net, ids, message): (Net, Vec<Frame>, Message)) -> Net {
    net.answer(&ids, &message);
    net
}

/// Returns a PUB that has already sent messages to its SUB, and the messages to send. Their topics are spread over the
/// subscriptions of the SUB.
fn publishing(topics: usize) -> (Net, Vec<Message>) {
    let mut net = Net::pubsub(topics);
    let messages: Vec<_> = (0..MESSAGES).map(|number| bare::topic(number * 7919 % topics).into()).collect();
    net.publish(&messages);
    (net, messages)
}

// The subscribers of each message are looked up in the trie.
#[library_benchmark]
#[bench::topics_10(publishing(10))]
#[bench::topics_1000(publishing(1000))]
#[bench::topics_10_000(publishing(10_000))]
fn pub_to_sub((mut net, messages): (Net, Vec<Message>)) -> Net {
    net.publish(&messages);
    net
}

/// A PUSH and a PULL that are connected by `inproc`, and the runtime on which they were created. The work of the
/// runtime is not part of the count.
struct Handles {
    push: PushSocket,
    pull: PullSocket,
    message: Message,
    _runtime: Runtime,
}

impl Handles {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime can be created");
        let (context, message) = (Context::new(), body(64));
        let (push, pull) = runtime.block_on(async {
            let push = PushSocket::in_context(&context, Options::new());
            let pull = PullSocket::in_context(&context, Options::new());
            pull.bind("inproc://instructions").await.expect("the name is free");
            push.connect("inproc://instructions").expect("the endpoint is valid");
            push.send(message.clone()).await.expect("the socket is open");
            pull.recv().await.expect("the socket is open");
            (push, pull)
        });
        let handles = Self { push, pull, message, _runtime: runtime };
        handles.carry();
        handles
    }

    fn carry(&self) {
        for _ in 0..MESSAGES {
            self.push.try_send(self.message.clone()).expect("the queue has room");
            // A short path is not imported: the macros write the long one, which would then be reported as unnecessary.
            std::hint::black_box(self.pull.try_recv().expect("the message has arrived"));
        }
    }
}

#[library_benchmark]
#[bench::push_to_pull(Handles::new())]
fn inproc_handles(handles: Handles) -> Handles {
    handles.carry();
    handles
}

/// A PUSH that queues messages for a peer that is not connected yet, and messages for it.
struct Queueing {
    push: PushSocket,
    messages: Vec<Message>,
    _runtime: Runtime,
}

impl Queueing {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime can be created");
        let push = runtime.block_on(async { PushSocket::in_context(&Context::new(), Options::new()) });
        // The runtime does not run, so the address is not dialled.
        push.connect("tcp://127.0.0.1:1").expect("the endpoint is valid");
        let mut queueing = Self { push, messages: vec![body(64); BATCH], _runtime: runtime };
        queueing.send_one_by_one();
        queueing.messages = vec![body(64); BATCH];
        queueing
    }

    fn send_one_by_one(&mut self) {
        for message in self.messages.drain(..) {
            self.push.try_send(message).expect("the queue has room");
        }
    }
}

/// Number of messages in a batch.
const BATCH: usize = 64;

// `.ci/instructions.py` compares these two.
#[library_benchmark]
#[bench::one_by_one(Queueing::new())]
fn send_64(mut queueing: Queueing) -> Queueing {
    queueing.send_one_by_one();
    queueing
}

#[library_benchmark]
#[bench::in_a_batch(Queueing::new())]
fn send_many_64(mut queueing: Queueing) -> Queueing {
    assert_eq!(queueing.push.try_send_many(&mut queueing.messages), Ok(BATCH));
    queueing
}

/// A PULL with queued messages. Receiving over `inproc` includes moving messages from the PUSH.
fn received() -> Handles {
    let handles = Handles::new();
    for _ in 0..2 * BATCH {
        handles.push.try_send(handles.message.clone()).expect("the queue has room");
    }
    handles
}

#[library_benchmark]
#[bench::one_by_one(received())]
fn recv_64(handles: Handles) -> Handles {
    for _ in 0..BATCH {
        std::hint::black_box(handles.pull.try_recv().expect("the message has arrived"));
    }
    handles
}

#[library_benchmark]
#[bench::in_a_batch((received(), Vec::with_capacity(BATCH)))]
fn recv_many_64((handles, mut batch): (Handles, Vec<Message>)) -> (Handles, Vec<Message>) {
    while batch.len() < BATCH {
        let left = BATCH - batch.len();
        assert!(handles.pull.try_recv_many(&mut batch, left).expect("the socket is open") > 0);
    }
    (handles, batch)
}

library_benchmark_group!(
    name = core,
    benchmarks = [
        encode,
        decode,
        introduce,
        carry,
        router_to_dealers,
        pub_to_sub,
        inproc_handles,
        send_64,
        send_many_64,
        recv_64,
        recv_many_64
    ]
);
main!(library_benchmark_groups = core);
