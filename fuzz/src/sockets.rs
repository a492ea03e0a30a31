//! Fuzz target for sockets: random operations on a simulated network with delays and disconnects.

use super::bounded;
use super::memory::Allocated;
use arbitrary::{Arbitrary, Unstructured};
use sansmq_proto::kind::Any;
use sansmq_proto::socket::{ReconnectStop, SetOptionsError, SlowSubscriber, SocketOption};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Endpoint, Frame, Message, Options, SocketType};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

#[derive(Arbitrary, Debug)]
struct Scenario {
    pattern: Pattern,
    seed: u64,
    chunks: u8,
    capacity: u8,
    hwms: u8,
    ops: Vec<Op>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Pattern {
    PushPull,
    DealerDealer,
    DealerRouter,
    PubSub,
    PairPair,
    ReqRep,
    ClientServer,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Op {
    /// Sends a message from the node. The number is the length of the message's body in bytes, without the [`PREFIX`]
    /// bytes at its beginning.
    Send(Node, u16),
    Receive(Node),
    Connect(Node),
    Disconnect(Node),
    Cut(Node),
    Freeze(Node),
    Thaw(Node),
    /// Advances the clock. The time in milliseconds is the square of the number.
    Pass(u8),
    Subscribe(Node),
    Close(Node),
    /// Changes an option of the node, if its type has the option.
    Set(Node, Change),
    /// Sends this number of messages in one call.
    SendMany(Node, u8),
    /// Receives at most this number of messages in one call.
    ReceiveMany(Node, u8),
}

/// Changed option. Times are in milliseconds.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Change {
    SendHwm(u8),
    RecvHwm(u8),
    SendHwmBytes(u16),
    RecvHwmBytes(u16),
    Linger(Option<u16>),
    Immediate(bool),
    FailUnreachable(bool),
    Reconnect(u16, u16),
    NoReconnect,
    StopIfRefused(bool),
    ConnectTimeout(Option<u16>),
    HandshakeTimeout(Option<u16>),
    Heartbeat(u16),
    RoutingId(u8),
    MaxMessageSize(u16),
    MaxSendSize(u16),
    MaxPeers(u8),
    MaxHandshakes(u8),
    Mandatory(bool),
    Handover(bool),
    Relaxed(bool),
    SlowSubscriber(u8),
    MaxSubscriptions(u8),
    InvertMatching(bool),
    /// An option that cannot change after the first `bind` or `connect`.
    Conflate(bool),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Node {
    Server,
    One,
    Other,
}

/// Length of the prefix of each body: one byte for the sender, four for the number of the message.
const PREFIX: usize = 5;

const MAX_OPS: usize = 150;

/// Maximum memory in bytes of an entry in the lists of received messages.
const ENTRY: usize = 64;

/// Maximum memory in bytes of the network without its sockets and connections: its list of events, and its events that are
/// not polled.
const NETWORK: usize = 1 << 20;

struct World {
    net: Net,
    nodes: [NodeId; 3],
    types: [SocketType; 3],
    sent: [u32; 3],
    /// Number of the last message that each receiver has received from each sender, by index of the receiver and index
    /// of the sender.
    latest: BTreeMap<(usize, u8), u32>,
    /// Receiver, sender and number of each received message.
    received: BTreeSet<(usize, u8, u32)>,
    /// True for each node that has connected at least once, by index of the node.
    connected: [bool; 3],
    /// True if a connection has ended or a node has connected twice. Messages of one sender may then be received out of
    /// order: order is kept only within each connection, and a socket receives fair-queued from several connections.
    unordered: bool,
    /// Largest high-water mark in messages that any node has had.
    hwm: usize,
}

/// Checks that each message arrives complete or not at all, at most once, and in the order of its connection, and that
/// queues stay within their high-water marks and count the memory that they hold. The simulation fails if the network does not come to rest.
pub fn sockets(data: &[u8]) {
    let _bounded = bounded(data);
    let Ok(scenario) = Scenario::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let allocated = Allocated::default();
    let mut world = allocated.during(|| World::new(&scenario));
    for op in scenario.ops.iter().take(MAX_OPS) {
        allocated.during(|| world.apply(*op));
        world.check(&allocated);
    }
    allocated.during(|| {
        for node in world.nodes {
            world.net.thaw(node);
        }
        world.net.advance(Duration::from_mins(2));
        for node in 0..3 {
            while world.receive(node) {}
        }
    });
    world.check(&allocated);
}

impl Pattern {
    /// Returns the type of the bound socket, and the type of the connecting sockets.
    const fn types(self) -> [SocketType; 2] {
        match self {
            Self::PushPull => [SocketType::Pull, SocketType::Push],
            Self::DealerDealer => [SocketType::Dealer, SocketType::Dealer],
            Self::DealerRouter => [SocketType::Router, SocketType::Dealer],
            Self::PubSub => [SocketType::Pub, SocketType::Sub],
            Self::PairPair => [SocketType::Pair, SocketType::Pair],
            Self::ReqRep => [SocketType::Rep, SocketType::Req],
            Self::ClientServer => [SocketType::Server, SocketType::Client],
        }
    }
}

impl Change {
    fn option(self) -> SocketOption {
        let millis = |millis: u16| Duration::from_millis(millis.into());
        match self {
            Self::SendHwm(messages) => SocketOption::SendHwm(usize::from(messages).max(1)),
            Self::RecvHwm(messages) => SocketOption::RecvHwm(usize::from(messages).max(1)),
            Self::SendHwmBytes(bytes) => SocketOption::SendHwmBytes(bytes.into()),
            Self::RecvHwmBytes(bytes) => SocketOption::RecvHwmBytes(bytes.into()),
            Self::Linger(linger) => SocketOption::Linger(linger.map(millis)),
            Self::Immediate(on) => SocketOption::Immediate(on),
            Self::FailUnreachable(on) => SocketOption::FailUnreachable(on),
            // Shorter delays and intervals only take time.
            Self::Reconnect(first, max) => SocketOption::Reconnect(millis(first.max(10)), millis(max)),
            Self::NoReconnect => SocketOption::NoReconnect,
            Self::StopIfRefused(refused) => {
                SocketOption::ReconnectStop(ReconnectStop { refused, ..ReconnectStop::default() })
            }
            Self::ConnectTimeout(timeout) => SocketOption::ConnectTimeout(timeout.map(millis)),
            Self::HandshakeTimeout(timeout) => SocketOption::HandshakeTimeout(timeout.map(millis)),
            Self::Heartbeat(interval) => SocketOption::Heartbeat(Some(millis(interval.max(100)))),
            Self::RoutingId(id) => SocketOption::RoutingId(Frame::from(vec![id % 4 + 1])),
            Self::MaxMessageSize(bytes) => SocketOption::MaxMessageSize(bytes.into()),
            Self::MaxSendSize(bytes) => SocketOption::MaxSendSize(bytes.into()),
            Self::MaxPeers(peers) => SocketOption::MaxPeers(peers.into()),
            Self::MaxHandshakes(handshakes) => SocketOption::MaxHandshakes(handshakes.into(), 0),
            Self::Mandatory(on) => SocketOption::Mandatory(on),
            Self::Handover(on) => SocketOption::Handover(on),
            Self::Relaxed(on) => SocketOption::Relaxed(on),
            Self::SlowSubscriber(policy) => SocketOption::SlowSubscriber(match policy % 4 {
                0 => SlowSubscriber::DropNewest,
                1 => SlowSubscriber::DropOldest,
                2 => SlowSubscriber::Disconnect,
                _ => SlowSubscriber::Block,
            }),
            Self::MaxSubscriptions(subscriptions) => SocketOption::MaxSubscriptions(subscriptions.into()),
            Self::InvertMatching(on) => SocketOption::InvertMatching(on),
            Self::Conflate(on) => SocketOption::Conflate(on),
        }
    }

    /// Returns true if this change may end connections, so that messages arrive over several ones.
    const fn may_end_connections(self) -> bool {
        !matches!(
            self,
            Self::SendHwm(_) | Self::RecvHwm(_) | Self::SendHwmBytes(_) | Self::RecvHwmBytes(_) | Self::MaxSendSize(_)
        )
    }
}

impl World {
    fn new(scenario: &Scenario) -> Self {
        let [server, client] = scenario.pattern.types();
        let types = [server, client, client];
        let chunk = u64::from(scenario.chunks).max(1);
        let mut net = Net::seeded(scenario.seed).chunks(1..=chunk).capacity(usize::from(scenario.capacity) * 64 + 1);
        let hwm = usize::from(scenario.hwms).max(1);
        let nodes = types.map(|kind| net.socket(Options::of(kind).send_hwm(hwm).recv_hwm(hwm)));
        net.bind(nodes[0], "tcp://server:1");
        Self {
            net,
            nodes,
            types,
            sent: [0; 3],
            latest: BTreeMap::new(),
            received: BTreeSet::new(),
            connected: [false; 3],
            unordered: false,
            hwm,
        }
    }

    fn apply(&mut self, op: Op) {
        self.unordered |= matches!(op, Op::Cut(_) | Op::Disconnect(_) | Op::Close(_));
        let endpoint: Endpoint = "tcp://server:1".parse().expect("a valid endpoint");
        let now = self.net.now();
        match op {
            Op::Send(node, bytes) => self.send(node as usize, bytes),
            Op::Receive(node) => drop(self.receive(node as usize)),
            Op::Connect(Node::Server) | Op::Disconnect(Node::Server) => {}
            Op::Connect(node) => {
                let was_connected = std::mem::replace(&mut self.connected[node as usize], true);
                self.unordered |= was_connected;
                drop(self.net[self.nodes[node as usize]].connect(endpoint, now));
            }
            Op::Disconnect(node) => drop(self.net[self.nodes[node as usize]].disconnect(&endpoint, now)),
            Op::Cut(node) => self.net.reset_connections(self.nodes[node as usize]),
            Op::Freeze(node) => self.net.freeze(self.nodes[node as usize]),
            Op::Thaw(node) => self.net.thaw(self.nodes[node as usize]),
            Op::Pass(millis) => self.net.advance(Duration::from_millis(u64::from(millis) * u64::from(millis))),
            Op::Subscribe(node) => drop(self.net[self.nodes[node as usize]].subscribe("")),
            Op::Close(node) => self.net[self.nodes[node as usize]].close(now),
            Op::Set(node, change) => self.set(node as usize, change),
            Op::SendMany(node, count) => self.send_many(node as usize, count.into()),
            Op::ReceiveMany(node, limit) => self.receive_many(node as usize, limit.into()),
        }
    }

    fn set(&mut self, node: usize, change: Change) {
        if let Change::SendHwm(messages) | Change::RecvHwm(messages) = change {
            self.hwm = self.hwm.max(messages.into());
        }
        self.unordered |= change.may_end_connections();
        let socket = &mut self.net[self.nodes[node]];
        let options = socket.options::<Any>().expect("any socket has these options");
        let Ok(options) = options.set(change.option()) else { return };
        // A node that has not connected yet may conflate, and so replace messages.
        if matches!(change, Change::Conflate(_)) && !self.connected[node] && node > 0 {
            return;
        }
        match socket.set_options(options) {
            Ok(()) | Err(SetOptionsError::Closed) => {}
            Err(error) => assert!(matches!(change, Change::Conflate(true)), "{change:?}: {error}"),
        }
    }

    /// Returns the message with this number from the node; `None` for ROUTER and SERVER, which send only as replies, in
    /// `receive`.
    fn message(&self, node: usize, number: u32, bytes: u16) -> Option<Message> {
        if matches!(self.types[node], SocketType::Router | SocketType::Server) {
            return None;
        }
        let mut body = vec![u8::try_from(node).expect("there are three nodes")];
        body.extend(number.to_be_bytes());
        body.resize(PREFIX + usize::from(bytes), body[PREFIX - 1]);
        Some(Message::from(body))
    }

    fn send(&mut self, node: usize, bytes: u16) {
        let Some(message) = self.message(node, self.sent[node], bytes) else { return };
        if self.net[self.nodes[node]].send(message).is_ok() {
            self.sent[node] += 1;
        }
    }

    fn send_many(&mut self, node: usize, count: u16) {
        let first = self.sent[node];
        let numbers = first..first + u32::from(count);
        let mut batch: Vec<_> = numbers.filter_map(|number| self.message(node, number, count)).collect();
        let before = batch.len();
        let sent = self.net[self.nodes[node]].send_many(&mut batch).unwrap_or(0);
        // An error returns the first message, and leaves the others.
        assert!(batch.len() == before - sent || sent == 0 && batch.len() + 1 == before, "{sent} of {before} were sent");
        self.sent[node] += u32::try_from(sent).expect("at most 255 messages");
    }

    /// Receives a batch at `node` and checks its content.
    fn receive_many(&mut self, node: usize, limit: usize) {
        let mut batch = Vec::new();
        let received = self.net[self.nodes[node]].recv_many(&mut batch, limit).unwrap_or(0);
        assert!(received == batch.len() && received <= limit, "{received} messages");
        for message in batch {
            self.check_message(node, message);
        }
    }

    /// Receives a message at `node` and checks its content; returns false if no message is queued.
    fn receive(&mut self, node: usize) -> bool {
        let Ok(message) = self.net[self.nodes[node]].recv() else { return false };
        self.check_message(node, message);
        true
    }

    /// Checks a message that `node` has received, and replies to it if the node is a ROUTER or SERVER.
    fn check_message(&mut self, node: usize, mut message: Message) {
        if matches!(self.types[node], SocketType::Router | SocketType::Server) {
            let reply = message.clone();
            message.pop_front();
            // The reply keeps the prefix of the original sender.
            let _ = self.net[self.nodes[node]].send(reply);
        }
        let body = message.body();
        assert_eq!(message.len(), 1, "{message:?}");
        assert!(
            body.len() >= PREFIX && body[PREFIX..].iter().all(|&byte| byte == body[PREFIX - 1]),
            "{body:?} is incomplete"
        );
        let number = u32::from_be_bytes(body[1..PREFIX].try_into().expect("a slice of four bytes"));
        assert!(self.received.insert((node, body[0], number)), "message {number} of {} was received twice", body[0]);
        let before = self.latest.insert((node, body[0]), number);
        let ordered = self.unordered || before.is_none_or(|before| before < number);
        assert!(ordered, "message {number} of {} was received after {before:?}", body[0]);
    }

    fn check(&mut self, allocated: &Allocated) {
        let held = allocated.during(|| self.net.held_bytes());
        let peers = self.nodes.iter().map(|&node| self.net[node].stats().peers).sum();
        let own = self.net.transit_bytes() + (self.latest.len() + self.received.len()) * ENTRY + NETWORK;
        allocated.assert_counted(held, (3, peers), own);
        for &node in &self.nodes {
            let stats = self.net[node].stats();
            let peers = stats.peers as u64;
            assert!(stats.incoming.messages <= peers * self.hwm as u64 + 1, "{stats:?}");
            // Messages that a lost connection had not begun to send return to the queue, beyond the high-water mark.
            assert!(stats.outgoing.messages <= peers * (self.hwm as u64 + 1024), "{stats:?}");
        }
    }
}
