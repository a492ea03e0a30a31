//! Fuzz target for ports that several sockets share, and for the limits on peers: raw peers at sockets of a simulated runtime.

use super::bounded;
use super::encode::Encoder;
use super::memory::Allocated;
use super::sim::{self, Sim, SimStream, Socket};
use arbitrary::{Arbitrary, Unstructured};
use sansmq_proto::wire::{Command, FrameHead, Greeting, MechanismName, Metadata, Version};
use sansmq_proto::{Endpoint, Options, SocketType, kind};
use sansmq_runtime::{Context, CurrentRuntime, PollStream};
use std::future::poll_fn;
use std::io::IoSlice;
use std::time::Duration;

#[derive(Arbitrary, Debug)]
struct Scenario {
    seed: u64,
    /// Maximum number of peers of each socket.
    max_peers: u8,
    max_handshakes: u8,
    handshake_rate: u8,
    ops: Vec<Op>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Op {
    Bind(Service),
    Unbind(Service),
    /// Connects a peer that sends a greeting.
    Greet,
    /// Connects a peer that sends a greeting and a READY for a socket.
    Request(Service, PeerType),
    /// Sends these bytes from a peer.
    Send(u8, [u8; 8]),
    /// Sends a message of one frame from a peer: a body of this number of bytes, or a subscription.
    Message(u8, u16),
    /// Sends a message of this number of empty frames from a peer.
    Frames(u8, u16),
    /// Sends a READY from a peer, with a further property of this number of bytes.
    Ready(u8, Service, PeerType, u16),
    /// Closes the connection of a peer.
    Leave(u8),
    Receive(Service),
    /// Waits for the square of this number of milliseconds.
    Wait(u8),
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    Plain,
    Red,
    Blue,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum PeerType {
    Dealer,
    Sub,
    Push,
}

const MAX_OPS: usize = 60;

/// Returns seeds: one scenario for each feature of a shared port.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    use Op::{Bind, Frames, Greet, Leave, Message, Ready, Receive, Request, Unbind, Wait};
    use PeerType::{Dealer, Push, Sub};
    use Service::{Blue, Plain, Red};
    let two_services: &[Op] = &[
        Bind(Red),
        Bind(Blue),
        Request(Red, Sub),
        Message(0, 6),
        Request(Blue, Push),
        Message(1, 1000),
        Wait(10),
        Receive(Blue),
    ];
    let without_resource: &[Op] =
        &[Bind(Plain), Request(Plain, Dealer), Frames(0, 3), Wait(10), Receive(Plain), Unbind(Plain), Leave(0)];
    let peer_before_its_service: &[Op] =
        &[Bind(Red), Request(Blue, Push), Wait(10), Bind(Blue), Wait(10), Frames(0, 3), Wait(10), Receive(Blue)];
    let service_unbound_in_use: &[Op] =
        &[Bind(Red), Bind(Blue), Request(Blue, Push), Wait(10), Unbind(Blue), Wait(10), Bind(Blue), Unbind(Red)];
    let slow_handshake: &[Op] = &[
        Bind(Red),
        Greet,
        Wait(30),
        Ready(0, Red, Sub, 100),
        Wait(10),
        Greet,
        Wait(200),
        Wait(200),
        Leave(0),
        Leave(0),
    ];
    let many_peers: &[Op] = &[
        Bind(Blue),
        Request(Blue, Push),
        Wait(10),
        Request(Blue, Push),
        Wait(10),
        Request(Blue, Push),
        Wait(10),
        Leave(1),
        Wait(10),
        Request(Blue, Push),
        Wait(10),
    ];
    // The limits are one more than these numbers. A rate of 0 is no limit.
    let scenarios = [
        ((7, 7, 0), two_services),
        ((7, 7, 0), without_resource),
        ((7, 7, 0), peer_before_its_service),
        ((7, 7, 0), service_unbound_in_use),
        ((7, 1, 10), slow_handshake),
        ((2, 7, 0), many_peers),
    ];
    let encode = |((max_peers, max_handshakes, handshake_rate), ops): (_, &[Op])| {
        let scenario = Scenario { seed: 1, max_peers, max_handshakes, handshake_rate, ops: ops.to_vec() };
        scenario.encode()
    };
    scenarios.into_iter().map(encode).collect()
}

impl Scenario {
    fn encode(&self) -> Vec<u8> {
        let Self { seed, max_peers, max_handshakes, handshake_rate, ops } = self;
        let mut encoder = Encoder::default();
        encoder.bytes(&seed.to_le_bytes()).bytes(&[*max_peers, *max_handshakes, *handshake_rate]);
        for op in ops {
            op.encode(encoder.item());
        }
        encoder.finish(self)
    }
}

impl Op {
    fn encode(self, encoder: &mut Encoder) {
        const COUNT: u32 = 11;
        match self {
            Self::Bind(service) => service.encode(encoder.variant(0, COUNT)),
            Self::Unbind(service) => service.encode(encoder.variant(1, COUNT)),
            Self::Greet => encoder.variant(2, COUNT),
            Self::Request(service, kind) => kind.encode(service.encode(encoder.variant(3, COUNT))),
            Self::Send(peer, bytes) => encoder.variant(4, COUNT).bytes(&[peer]).bytes(&bytes),
            Self::Message(peer, size) => encoder.variant(5, COUNT).bytes(&[peer]).bytes(&size.to_le_bytes()),
            Self::Frames(peer, count) => encoder.variant(6, COUNT).bytes(&[peer]).bytes(&count.to_le_bytes()),
            Self::Ready(peer, service, kind, padding) => {
                let encoder = service.encode(encoder.variant(7, COUNT).bytes(&[peer]));
                kind.encode(encoder).bytes(&padding.to_le_bytes())
            }
            Self::Leave(peer) => encoder.variant(8, COUNT).bytes(&[peer]),
            Self::Receive(service) => service.encode(encoder.variant(9, COUNT)),
            Self::Wait(millis) => encoder.variant(10, COUNT).bytes(&[millis]),
        };
    }
}

impl Service {
    fn encode(self, encoder: &mut Encoder) -> &mut Encoder {
        encoder.variant(self as u32, 3)
    }
}

impl PeerType {
    fn encode(self, encoder: &mut Encoder) -> &mut Encoder {
        encoder.variant(self as u32, 3)
    }
}

/// Maximum memory in bytes of the simulation without its sockets and connections.
const SIMULATION: usize = 64 << 10;

/// Time for which a peer waits until the socket reads.
const PATIENCE: Duration = Duration::from_millis(100);

/// First byte of a message that is a subscription, if its receiver is a publisher.
const SUBSCRIBE: u8 = 1;

struct World {
    sockets: [Socket; 3],
    peers: Vec<SimStream>,
    /// Number of peers that have connected so far. The memory of a connection is freed some time after its peer has left.
    connected: usize,
    /// Memory in bytes that was in transit when peers left.
    left_in_transit: usize,
}

/// Checks that sockets at a shared port do no more work than their peers' bytes justify, that they count the memory that they
/// hold, and that all of them can be closed. A connection that waits or was refused causes no work.
pub fn shared_ports(data: &[u8]) {
    let _bounded = bounded(data);
    let Ok(scenario) = Scenario::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let (allocated, seed) = (Allocated::default(), scenario.seed);
    let scenario = || async {
        let mut world = World::new(&scenario);
        for &op in scenario.ops.iter().take(MAX_OPS) {
            world.apply(op).await;
            sim::end_step().await;
            world.check_held(&allocated);
        }
    };
    sim::run_around(seed, |step| allocated.during(step), scenario);
}

impl World {
    fn new(scenario: &Scenario) -> Self {
        let context = Context::new();
        let options = [
            Options::<kind::Router>::new().erase(),
            Options::<kind::Pub>::new().erase(),
            Options::<kind::Pull>::new().erase(),
        ];
        let at_least_one = |value: u8| usize::from(value % 8) + 1;
        let sockets = options.map(|options| {
            let peers = at_least_one(scenario.max_peers);
            let handshakes = at_least_one(scenario.max_handshakes);
            let mut options = options.max_peers(peers).max_handshakes(handshakes, handshakes);
            if scenario.handshake_rate > 0 {
                options = options.max_handshake_rate(scenario.handshake_rate.into());
            }
            Socket::in_context(&context, options.linger(Duration::ZERO))
        });
        Self { sockets, peers: Vec::new(), connected: 0, left_in_transit: 0 }
    }

    async fn apply(&mut self, op: Op) {
        match op {
            Op::Bind(service) => drop(self.sockets[service as usize].bind(endpoint(service)).await),
            Op::Unbind(service) => drop(self.sockets[service as usize].unbind(endpoint(service)).await),
            Op::Greet => self.greet(&[]).await,
            Op::Request(service, peer) => self.greet(&ready(service, peer, 0)).await,
            Op::Send(peer, bytes) => self.write(peer, &bytes[..]).await,
            Op::Message(peer, size) => {
                let size = usize::from(size).max(1);
                let mut bytes = frame_head(size, false);
                bytes.resize(bytes.len() + size, SUBSCRIBE);
                self.write(peer, &bytes).await;
            }
            Op::Frames(peer, count) => {
                let more = frame_head(0, true).repeat(usize::from(count.max(1)) - 1);
                self.write(peer, &[more, frame_head(0, false)].concat()).await;
            }
            Op::Ready(peer, service, kind, padding) => self.write(peer, &ready(service, kind, padding)).await,
            Op::Leave(peer) => {
                if !self.peers.is_empty() {
                    let stream = self.peers.swap_remove(usize::from(peer) % self.peers.len());
                    self.left_in_transit += stream.transit_bytes();
                }
            }
            Op::Receive(service) => while self.sockets[service as usize].try_recv().is_ok() {},
            Op::Wait(millis) => {
                Sim::current().sleep(Duration::from_millis(u64::from(millis) * u64::from(millis))).await;
            }
        }
    }

    /// Connects a peer that sends a greeting and then `more`.
    async fn greet(&mut self, more: &[u8]) {
        let Ok(stream) = sim::dial(&endpoint(Service::Plain)).await else { return };
        self.peers.push(stream);
        self.connected += 1;
        let greeting = Greeting { version: Version::V3_1, mechanism: MechanismName::NULL, as_server: false };
        let last = u8::try_from(self.peers.len() - 1).expect("there are few operations");
        self.write(last, &[&greeting.encode(0)[..], more].concat()).await;
    }

    /// Writes bytes to the socket. Stops when the socket does not read them.
    async fn write(&mut self, peer: u8, mut bytes: &[u8]) {
        if self.peers.is_empty() {
            return;
        }
        let at = usize::from(peer) % self.peers.len();
        let stream = &mut self.peers[at];
        let write = async {
            while let Ok(count @ 1..) = poll_fn(|cx| stream.poll_write_vectored(cx, &[IoSlice::new(bytes)])).await {
                bytes = &bytes[count..];
            }
        };
        smol::future::or(write, Sim::current().sleep(PATIENCE)).await;
    }

    fn check_held(&self, allocated: &Allocated) {
        let held = self.sockets.iter().map(|socket| {
            let stats = socket.stats();
            // Handshakes at a shared port belong to no socket yet.
            stats.held.total() + stats.handshake_bytes
        });
        let in_transit: usize = self.peers.iter().map(SimStream::transit_bytes).sum();
        let own = SIMULATION + in_transit + self.left_in_transit;
        allocated.assert_counted(held.sum(), (3, self.connected), own);
    }
}

fn frame_head(size: usize, more: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    FrameHead { more, command: false, size: size as u64 }.encode(&mut bytes);
    bytes
}

fn endpoint(service: Service) -> Endpoint {
    let text = match service {
        Service::Plain => "tcp://127.0.0.1:5555",
        Service::Red => "tcp://127.0.0.1:5555/red",
        Service::Blue => "tcp://127.0.0.1:5555/blue",
    };
    text.parse().expect("a valid endpoint")
}

/// Returns a READY command with a property of `padding` bytes.
fn ready(service: Service, peer: PeerType, padding: u16) -> Vec<u8> {
    let kind = match peer {
        PeerType::Dealer => SocketType::Dealer,
        PeerType::Sub => SocketType::Sub,
        PeerType::Push => SocketType::Push,
    };
    let mut metadata = Metadata::new().with("Socket-Type", kind.name()).expect("a valid property");
    if service != Service::Plain {
        let resource = if service == Service::Red { "red" } else { "blue" };
        metadata = metadata.with("Resource", resource).expect("a valid property");
    }
    if padding > 0 {
        metadata = metadata.with("X-Padding", vec![7; padding.into()]).expect("a valid property");
    }
    let mut bytes = Vec::new();
    Command::Ready(metadata).encode(&mut bytes);
    bytes
}
