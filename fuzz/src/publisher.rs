//! Fuzz target for the subscriptions at a publisher: floods of changes, long prefixes, reconnects.

use super::bounded;
use super::memory::Allocated;
use arbitrary::{Arbitrary, Unstructured};
use sansmq_proto::connection::{ConnectionConfig, Link, Outbound, Subscription};
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::{
    Action, Buf, Connection, ConnectionError, Instant, Message, Options, PipeId, Socket, SocketType, kind,
};
use std::sync::Arc;
use std::time::Duration;

#[derive(Arbitrary, Debug)]
struct Scenario {
    reports: Reports,
    has_large_limits: bool,
    ops: Vec<Op>,
}

/// Subscription changes that the publisher reports to its application.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Reports {
    /// None: the publisher is a PUB.
    None,
    Changes,
    Verbose,
    Verboser,
    Manual,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Op {
    Subscribe(Peer, Prefix),
    Cancel(Peer, Prefix),
    /// Subscribes to many prefixes that differ in their first bytes. The number is the square of the second value.
    SubscribeMany(Peer, u8, Prefix),
    CancelMany(Peer, u8, Prefix),
    /// Subscribes many times to one prefix.
    Repeat(Peer, u8, Prefix),
    /// Sends one message with many frames, each a subscription.
    Frames(Peer, u8, Prefix),
    Publish(Prefix),
    Receive,
    /// Applies the subscription that was received last, if the publisher decides about subscriptions.
    Grant(Prefix),
    /// Ends the connection of the peer, and connects again.
    Reconnect(Peer),
    /// Changes which subscription changes an XPUB reports.
    Report(Reports),
    /// Changes the maximum number of subscriptions of each peer.
    Limit(u16),
    /// Handles the timers that have expired after this number of milliseconds.
    Pass(u8),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Peer {
    One,
    Other,
}

/// Prefix of `1 << size % 24` bytes, which begins with `seed`.
#[derive(Arbitrary, Clone, Copy, Debug)]
struct Prefix {
    seed: u8,
    size: u8,
}

/// Maximum total length in bytes of the prefixes that the peers send in one run.
const MAX_BYTES: usize = 4 << 20;

const MAX_OPS: usize = 60;

/// Maximum memory in bytes of the connections, which are not counted without sessions.
const BUFFERS: usize = 64 << 10;

struct World {
    socket: Socket,
    links: [LinkedPeer; 2],
    now: Instant,
    budget: usize,
}

/// Peer that the publisher dials: the pipe and connection of the publisher, and the connection of the peer.
struct LinkedPeer {
    pipe: PipeId,
    link: Option<Connection>,
    peer: Connection,
}

/// Checks that no peer can cause unbounded work with its subscriptions, and that the publisher has no subscriptions after all
/// peers have disconnected, and that it counts the memory of its subscriptions.
pub fn publisher(data: &[u8]) {
    let _bounded = bounded(data);
    let Ok(scenario) = Scenario::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let allocated = Allocated::default();
    let mut world = allocated.during(|| World::new(&scenario));
    for &op in scenario.ops.iter().take(MAX_OPS) {
        allocated.during(|| {
            world.apply(op);
            world.run();
            world.shrink();
        });
        world.check_held(&allocated);
    }
    for at in 0..2 {
        world.cut(at);
    }
    while world.socket.poll_timeout().is_some_and(|at| at <= world.now) {
        world.socket.handle_timeout(world.now);
    }
    // With `Manual`, a subscription may have been granted for a peer that was gone.
    assert_eq!(world.socket.subscription_count(), 0, "{scenario:?}");
}

impl Reports {
    /// Returns the options of an XPUB with these reports.
    const fn of_xpub(self, xpub: Options<kind::XPub>) -> Options<kind::XPub> {
        match self {
            Self::None | Self::Changes => xpub,
            Self::Verbose => xpub.verbose(true),
            Self::Verboser => xpub.verboser(true),
            Self::Manual => xpub.manual(true),
        }
    }
}

impl World {
    fn new(scenario: &Scenario) -> Self {
        let limit = if scenario.has_large_limits { 100_000 } else { 1000 };
        let xpub = Options::<kind::XPub>::new().recv_hwm(0).max_subscriptions(limit);
        let options: Options<kind::Any> = match scenario.reports {
            Reports::None => Options::<kind::Pub>::new().max_subscriptions(limit).erase(),
            reports => reports.of_xpub(xpub).erase(),
        };
        let mut socket = Socket::new(options, SeededEntropy::new(1));
        let links = ["tcp://one:1", "tcp://other:1"].map(|endpoint| {
            let endpoint = endpoint.parse().expect("a valid endpoint");
            let pipe = socket.connect(endpoint, Instant::ORIGIN).expect("the socket is open");
            let link = socket.connected(pipe, Instant::ORIGIN);
            LinkedPeer { pipe, link, peer: subscriber() }
        });
        let mut world = Self { socket, links, now: Instant::ORIGIN, budget: MAX_BYTES };
        world.run();
        world
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Subscribe(peer, prefix) => {
                if let Some(bytes) = self.bytes(prefix, 1) {
                    self.give(peer, Subscription::Subscribe(bytes.into()));
                }
            }
            Op::Cancel(peer, prefix) => {
                if let Some(bytes) = self.bytes(prefix, 1) {
                    self.give(peer, Subscription::Cancel(bytes.into()));
                }
            }
            Op::SubscribeMany(peer, root, prefix) => {
                for bytes in self.many(prefix, root) {
                    self.give(peer, Subscription::Subscribe(bytes.into()));
                }
            }
            Op::CancelMany(peer, root, prefix) => {
                for bytes in self.many(prefix, root) {
                    self.give(peer, Subscription::Cancel(bytes.into()));
                }
            }
            Op::Repeat(peer, root, prefix) => {
                let count = usize::from(root) * usize::from(root);
                let Some(bytes) = self.bytes(prefix, count) else { return };
                for _ in 0..count {
                    self.give(peer, Subscription::Subscribe(bytes.clone().into()));
                }
            }
            Op::Frames(peer, root, prefix) => {
                let frames = self.many(prefix, root).into_iter().map(|bytes| [&[1], &bytes[..]].concat());
                if let Some(message) = Message::from_frames(frames) {
                    self.links[peer as usize].peer.give(Outbound::Message(message));
                }
            }
            Op::Publish(prefix) => {
                if let Some(bytes) = self.bytes(prefix, 1) {
                    let _ = self.socket.send(bytes);
                }
            }
            Op::Receive => while self.socket.recv().is_ok() {},
            Op::Grant(prefix) => {
                if let Some(bytes) = self.bytes(prefix, 1) {
                    let _ = self.socket.subscribe(bytes);
                }
            }
            Op::Report(reports) => {
                if let Some(options) = self.socket.options::<kind::XPub>() {
                    let options = reports.of_xpub(options.manual(false).verbose(false));
                    self.socket.set_options(options).expect("the option can change");
                }
            }
            Op::Limit(limit) => {
                let options = self.socket.options::<kind::Any>().expect("any socket has these options");
                let options = options.max_subscriptions(limit.into());
                self.socket.set_options(options).expect("the option can change");
            }
            Op::Reconnect(peer) => self.cut(peer as usize),
            Op::Pass(millis) => {
                self.now = self.now + Duration::from_millis(millis.into());
                self.socket.handle_timeout(self.now);
            }
        }
    }

    /// Sends a subscription change, as a command or, if its prefix is long, as a message.
    fn give(&mut self, peer: Peer, change: Subscription) {
        const MAX_COMMAND: usize = 64 << 10;
        let flag = match &change {
            Subscription::Subscribe(prefix) if prefix.len() > MAX_COMMAND => 1,
            Subscription::Cancel(prefix) if prefix.len() > MAX_COMMAND => 0,
            _ => return self.links[peer as usize].peer.give(Outbound::Subscription(change)),
        };
        let message = Message::from([&[flag], &change.subject()[..]].concat());
        self.links[peer as usize].peer.give(Outbound::Message(message));
    }

    /// Returns the bytes of a prefix that is used `count` times; `None` if this would exceed the budget of the run.
    fn bytes(&mut self, prefix: Prefix, count: usize) -> Option<Vec<u8>> {
        let len = 1_usize << (prefix.size % 24);
        self.budget = self.budget.checked_sub(len * count)?;
        Some(vec![prefix.seed; len])
    }

    /// Returns `root * root` prefixes of the same length, which differ in their first bytes.
    fn many(&mut self, prefix: Prefix, root: u8) -> Vec<Vec<u8>> {
        let count = u16::from(root) * u16::from(root);
        let Some(bytes) = self.bytes(prefix, count.into()) else { return Vec::new() };
        (0..count).map(|number| [&number.to_be_bytes()[..], &bytes].concat()).collect()
    }

    /// Ends a connection. The next call of `run` connects again.
    fn cut(&mut self, at: usize) {
        if let Some(link) = self.links[at].link.take() {
            self.socket.disconnected(self.links[at].pipe, link, &ConnectionError::PeerClosed, self.now);
        }
    }

    /// Moves all bytes between the publisher and its peers, and dials peers without a connection. Does not wait until the
    /// subscriptions of lost connections are removed.
    fn run(&mut self) {
        if self.links.iter().any(|link| link.link.is_none()) {
            self.now = self.now + Duration::from_mins(1);
            self.socket.handle_timeout(self.now);
        }
        for at in 0..2 {
            let pipe = self.links[at].pipe;
            if self.links[at].link.is_none() && self.socket.is_dialling(pipe) {
                self.links[at].link = self.socket.connected(pipe, self.now);
                self.links[at].peer = subscriber();
            }
            self.pump(at);
        }
    }

    /// Frees the memory that the connections keep for later input and output.
    fn shrink(&mut self) {
        for LinkedPeer { link, peer, .. } in &mut self.links {
            link.iter_mut().for_each(Connection::shrink);
            peer.shrink();
        }
    }

    fn check_held(&self, allocated: &Allocated) {
        allocated.assert_counted(self.socket.stats().held.total(), (1, 2), BUFFERS);
        self.socket.assert_held();
    }

    fn pump(&mut self, at: usize) {
        let Self { socket, links, now, .. } = self;
        let LinkedPeer { pipe, link: slot, peer } = &mut links[at];
        let Some(link) = slot else { return };
        let mut outcome = Ok(());
        let mut is_idle = false;
        while outcome.is_ok() && !is_idle {
            outcome = socket.exchange(*pipe, link);
            is_idle = true;
            while let Some(action) = socket.poll_action() {
                is_idle &= !matches!(action, Action::Service(id) if id == *pipe);
            }
            if let (Ok(()), Some(out)) = (&outcome, peer.poll_transmit()) {
                is_idle = false;
                let bytes = out.copy_to_bytes(out.remaining().min(32 << 10));
                outcome = link.handle_input(&bytes, *now);
            }
            while let Some(out) = link.poll_transmit() {
                is_idle = false;
                let bytes = out.copy_to_bytes(out.remaining());
                peer.handle_input(&bytes, *now).expect("a publisher sends valid bytes");
                while peer.take().is_some() {}
            }
        }
        if let Err(error) = outcome
            && let Some(link) = slot.take()
        {
            socket.disconnected(*pipe, link, &error, *now);
            // The peer may have more to send.
            *peer = subscriber();
        }
    }
}

fn subscriber() -> Connection {
    Connection::new(&Arc::new(ConnectionConfig::new(SocketType::Sub)), &mut SeededEntropy::new(2), Instant::ORIGIN)
}
