//! Fuzz target for sets of options: two sockets with random options on a simulated network.

use super::bounded;
use super::typed_options::{Typed, typed};
use arbitrary::{Arbitrary, Unstructured};
use sansmq_proto::kind::Kind;
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Message, Options, SocketType};
use std::time::Duration;

#[derive(Arbitrary, Debug)]
struct Scenario<'a> {
    seed: u64,
    server: u8,
    client: u8,
    server_options: Vec<Setting<'a>>,
    client_options: Vec<Setting<'a>>,
    server_typed: Vec<Typed<'a>>,
    client_typed: Vec<Typed<'a>>,
    ops: Vec<Op>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Setting<'a> {
    MaxPeers(u16),
    MaxHandshakes(u16, u16),
    MaxHandshakeRate(u32),
    MaxHandshakeBytes(u32),
    Immediate(bool),
    FailUnreachable(bool),
    Metadata(&'a str, &'a [u8]),
    Linger(Option<u32>),
    MaxMessageSize(u32),
    MaxSendSize(u32),
    MaxFrames(u16),
    HandshakeTimeout(Option<u32>),
    AllowLegacy(bool),
    Heartbeat(u32),
    Reconnect(u32, u32),
    ReconnectRefused(u32, u32),
    NoReconnect,
    ConnectTimeout(Option<u32>),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Op {
    /// Sends a message with this number of frames, each of this size.
    Send(Node, u8, u16),
    Receive(Node),
    Subscribe(Node, u8),
    Cut,
    /// Advances the clock. The time in milliseconds is the square of the number.
    Pass(u16),
    Close(Node),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Node {
    Server,
    Client,
}

const TYPES: [SocketType; 18] = [
    SocketType::Pair,
    SocketType::Pub,
    SocketType::Sub,
    SocketType::Req,
    SocketType::Rep,
    SocketType::Dealer,
    SocketType::Router,
    SocketType::Pull,
    SocketType::Push,
    SocketType::XPub,
    SocketType::XSub,
    SocketType::Server,
    SocketType::Client,
    SocketType::Radio,
    SocketType::Dish,
    SocketType::Gather,
    SocketType::Scatter,
    SocketType::Channel,
];

const MAX_OPS: usize = 60;

/// Checks that no set of options, however large or small its values are, causes a panic, unbounded work, or a network that
/// never comes to rest.
pub fn options(data: &[u8]) {
    let _bounded = bounded(data);
    let Ok(scenario) = Scenario::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let mut net = Net::seeded(scenario.seed);
    let both = [
        (scenario.server, &scenario.server_options, &scenario.server_typed),
        (scenario.client, &scenario.client_options, &scenario.client_typed),
    ];
    let nodes: [NodeId; 2] = both.map(|(kind, settings, of_type)| {
        let options = typed(TYPES[usize::from(kind) % TYPES.len()], &of_type[..of_type.len().min(20)]);
        net.socket(settings.iter().take(20).fold(options, |options, setting| apply(options, *setting)))
    });
    net.bind(nodes[0], "tcp://server:1");
    net.connect(nodes[1], "tcp://server:1");
    for op in scenario.ops.iter().take(MAX_OPS) {
        match *op {
            Op::Send(node, frames, size) => {
                let frames = (0..frames % 8).map(|number| vec![number; size.into()]);
                if let Some(message) = Message::from_frames(frames) {
                    let _ = net[nodes[node as usize]].send(message);
                }
            }
            Op::Receive(node) => while net[nodes[node as usize]].recv().is_ok() {},
            Op::Subscribe(node, prefix) => {
                let _ = net[nodes[node as usize]].subscribe(vec![prefix]);
            }
            Op::Cut => net.reset_connections(nodes[0]),
            Op::Pass(millis) => net.advance(Duration::from_millis(u64::from(millis % 1000) * u64::from(millis % 1000))),
            Op::Close(node) => {
                let now = net.now();
                net[nodes[node as usize]].close(now);
            }
        }
        net.settle();
    }
}

/// Sets an option. An invalid value leaves the options unchanged.
fn apply<T: Kind>(options: Options<T>, setting: Setting<'_>) -> Options<T> {
    let millis = |millis: u32| Duration::from_millis(millis.into());
    match setting {
        Setting::MaxPeers(peers) => options.max_peers(peers.into()),
        Setting::MaxHandshakes(all, each) => options.max_handshakes(all.into(), each.into()),
        Setting::MaxHandshakeRate(rate) => options.max_handshake_rate(rate as usize),
        Setting::MaxHandshakeBytes(bytes) => options.max_handshake_bytes(bytes as usize),
        Setting::Immediate(immediate) => options.immediate(immediate),
        Setting::FailUnreachable(fail) => options.fail_unreachable(fail),
        Setting::Metadata(name, value) => options.clone().metadata(name, value.to_vec()).unwrap_or(options),
        Setting::Linger(linger) => options.linger(linger.map(millis)),
        Setting::MaxMessageSize(bytes) => options.max_message_size(bytes as usize),
        Setting::MaxSendSize(bytes) => options.max_send_size(bytes as usize),
        Setting::MaxFrames(frames) => options.max_frames(frames.into()),
        Setting::HandshakeTimeout(timeout) => options.handshake_timeout(timeout.map(millis)),
        Setting::AllowLegacy(allow) => options.allow_legacy_zmtp(allow),
        // Shorter intervals only take time.
        Setting::Heartbeat(interval) => options.heartbeat(millis(interval.max(100))),
        Setting::Reconnect(first, max) => options.reconnect(millis(first.max(10)), millis(max)),
        Setting::ReconnectRefused(first, max) => options.reconnect_refused(millis(first.max(10)), millis(max)),
        Setting::NoReconnect => options.no_reconnect(),
        Setting::ConnectTimeout(timeout) => options.connect_timeout(timeout.map(millis)),
    }
}
