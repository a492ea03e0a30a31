//! A simulated network: many sockets in one thread, a virtual clock, and links that chop, delay, fill up and break, all
//! decided by a seed. For tests of this crate and of yours (feature `testing`).
//!
//! ```
//! use sansmq_proto::{Options, kind, testing::Net};
//!
//! let mut net = Net::seeded(7).chunks(1..=9); // whatever is written arrives in pieces of 1 to 9 octets
//! let push = net.socket(Options::<kind::Push>::new());
//! let pull = net.socket(Options::<kind::Pull>::new());
//! net.bind(pull, "tcp://pull:1");
//! net.connect(push, "tcp://pull:1");
//! net[push].send("hello").unwrap();
//! net.settle();
//! assert_eq!(net[pull].recv().unwrap().body(), "hello");
//! ```

mod conditions;
mod run;
mod tcp;
mod trace;
mod wire;

pub use conditions::{Chunks, Conditions};
pub use tcp::{Shipment, Side, Tcp};

use crate::address::Endpoint;
use crate::entropy::SeededEntropy;
use crate::kind::Kind;
use crate::session::{Session, SessionBuffers};
use crate::socket::{ListenerId, Options, PipeId, Socket};
use crate::time::{Deadlines, Instant, earliest};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::fmt;
use core::ops::{Index, IndexMut, RangeInclusive};
use core::time::Duration;
use trace::Trace;
use wire::{Wire, WireId};

/// The simulated network.
///
/// Index it by a [`NodeId`] to speak to a socket; then let the network [`settle`](Self::settle), or let time
/// [`pass`](Self::pass). What that costs depends on who has something to do, not on how many sockets there are.
#[derive(Debug)]
pub struct Net {
    now: Instant,
    seed: u64,
    dice: SeededEntropy,
    nodes: Vec<Node>,
    listeners: BTreeMap<(NodeId, ListenerId), Endpoint>,
    wires: BTreeMap<WireId, Wire>,
    next_wire: WireId,
    /// Pairs that cannot reach each other, either way round.
    parted: BTreeSet<(NodeId, NodeId)>,
    /// Sockets that may want something done, or at another time.
    touched: BTreeSet<NodeId>,
    /// Ends that have something to do.
    due: BTreeSet<(NodeId, PipeId)>,
    /// When sockets, and the sessions of their pipes, want to be called.
    timers: Deadlines<(NodeId, Option<PipeId>)>,
    /// When something arrives that this side of a wire has sent.
    arrivals: Deadlines<(WireId, Side)>,
    conditions: Conditions,
    buffers: SessionBuffers,
    trace: Trace,
}

/// Names a socket in a [`Net`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(usize);

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {}", self.0)
    }
}

#[derive(Debug)]
struct Node {
    socket: Socket,
    ends: BTreeMap<PipeId, End>,
    frozen: bool,
}

/// One end of a wire.
#[derive(Debug)]
struct End {
    session: Session,
    wire: WireId,
    side: Side,
    /// Its handshake is done.
    ready: bool,
}

impl Net {
    /// A network without sockets: everything random in it follows from `seed`.
    pub fn seeded(seed: u64) -> Self {
        Self {
            now: Instant::ORIGIN,
            seed,
            dice: SeededEntropy::new(seed),
            nodes: Vec::new(),
            listeners: BTreeMap::new(),
            wires: BTreeMap::new(),
            next_wire: WireId::default(),
            parted: BTreeSet::new(),
            touched: BTreeSet::new(),
            due: BTreeSet::new(),
            timers: Deadlines::new(),
            arrivals: Deadlines::new(),
            conditions: Conditions::default(),
            buffers: SessionBuffers::with_read_size(4096),
            trace: Trace::default(),
        }
    }

    /// Every read and write takes a random number of octets from this range at most.
    #[must_use]
    pub const fn chunks(mut self, octets: RangeInclusive<u64>) -> Self {
        self.conditions.chunks = Chunks::Uniform(octets);
        self
    }

    /// Octets take a random time from this range to arrive; their order is kept.
    #[must_use]
    pub const fn latency(mut self, latency: RangeInclusive<Duration>) -> Self {
        self.conditions.latency = latency;
        self
    }

    /// Each direction of a connection holds so many octets before the sender has to wait. Default 64 KiB.
    #[must_use]
    pub const fn capacity(mut self, octets: usize) -> Self {
        self.conditions.capacity = octets;
        self
    }

    /// Adds a socket, monitored.
    pub fn socket<T: Kind>(&mut self, options: Options<T>) -> NodeId {
        let node = self.node(options);
        self.nodes.push(node);
        NodeId(self.nodes.len() - 1)
    }

    fn node<T: Kind>(&mut self, options: Options<T>) -> Node {
        let entropy = SeededEntropy::new(self.dice.next_u64());
        let mut socket = Socket::new(options, entropy);
        socket.monitor(true);
        Node { socket, ends: BTreeMap::new(), frozen: false }
    }

    /// Has a socket listen. Hosts are whatever names you like.
    ///
    /// # Panics
    /// If `endpoint` is none.
    pub fn bind(&mut self, node: NodeId, endpoint: &str) {
        let endpoint = endpoint.parse().expect("the test gives an endpoint");
        self[node].bind(endpoint);
        self.act();
    }

    /// Has a socket connect.
    ///
    /// # Panics
    /// If `endpoint` is none, or the socket refuses.
    pub fn connect(&mut self, node: NodeId, endpoint: &str) -> PipeId {
        let now = self.now;
        let endpoint = endpoint.parse().expect("the test gives an endpoint");
        self[node].connect(endpoint, now).expect("the test connects a socket that can")
    }

    /// The virtual time, which begins at [`Instant::ORIGIN`].
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// How many connections a socket has.
    pub fn connections(&self, node: NodeId) -> usize {
        self.nodes[node.0].ends.len()
    }

    /// The last things that happened, a line for each, with its time: where sockets listen and dial, how their connections
    /// begin and end, and what was done to the network. What a test should tell when it fails.
    pub fn trace(&self) -> impl Iterator<Item = &str> {
        self.trace.lines()
    }

    /// Runs until no octet is under way and nobody has anything to do, without waiting for timers that lie ahead.
    ///
    /// # Panics
    /// If that never happens, with the seed.
    pub fn settle(&mut self) {
        self.rest();
        while let Some(at) = self.arrivals.next() {
            self.now = self.now.max(at);
            self.rest();
        }
    }

    /// Lets time pass, with all that happens in it.
    ///
    /// # Panics
    /// If the sockets never come to rest, with the seed.
    pub fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            self.rest();
            let next = earliest([self.arrivals.next(), self.timers.next()]).filter(|&at| at <= end);
            match next {
                Some(at) => self.now = self.now.max(at),
                None => break,
            }
        }
        self.now = end;
    }

    /// Resets every connection of a socket, for both sides at once.
    pub fn cut(&mut self, node: NodeId) {
        self.note(node, format_args!("is cut"));
        for wire in self.wires.values_mut().filter(|wire| wire.leads_to(node)) {
            for side in Side::BOTH {
                wire.tcp.cut(side);
            }
        }
        self.wake_wires(|wire| wire.leads_to(node));
    }

    /// Takes a socket off the network without anybody being told: octets to and from it are held back, dials to it are
    /// not answered.
    pub fn freeze(&mut self, node: NodeId) {
        self.note(node, format_args!("is frozen"));
        self.nodes[node.0].frozen = true;
        self.wake_wires(|wire| wire.leads_to(node));
    }

    /// Puts a frozen socket back; what was held back goes on.
    pub fn thaw(&mut self, node: NodeId) {
        if core::mem::take(&mut self.nodes[node.0].frozen) {
            self.note(node, format_args!("is thawed"));
            self.wake_wires(|wire| wire.leads_to(node));
        }
    }

    /// Parts the network: between each of `some` and each of `others` octets are held back and dials not answered, without
    /// anybody being told.
    pub fn part(&mut self, some: &[NodeId], others: &[NodeId]) {
        self.trace.note(self.now, format_args!("{some:?} and {others:?} cannot reach each other"));
        for &one in some {
            self.parted.extend(others.iter().flat_map(|&other| [(one, other), (other, one)]));
        }
        self.wake_wires(|_| true);
    }

    /// Joins all parts of the network again; what was held back goes on.
    pub fn heal(&mut self) {
        if !self.parted.is_empty() {
            self.trace.note(self.now, format_args!("all can reach each other again"));
            self.parted.clear();
            self.wake_wires(|_| true);
        }
    }

    /// Ends a socket as a crash would, and puts a new one in its place. Its peers see their connections reset; those who
    /// cannot reach it do so when they can.
    pub fn restart<T: Kind>(&mut self, node: NodeId, options: Options<T>) {
        self.note(node, format_args!("is started anew"));
        let fresh = self.node(options);
        let gone = core::mem::replace(&mut self.nodes[node.0], fresh);
        self.listeners.retain(|(listening, _), _| *listening != node);
        for (pipe, end) in gone.ends {
            self.wires.get_mut(&end.wire).expect("a wire lasts as long as its ends").tcp.cut(end.side);
            self.leave(node, pipe, &end);
        }
        self.wake_wires(|wire| wire.leads_to(node));
        self.touched.insert(node);
    }

    fn note(&mut self, node: NodeId, what: fmt::Arguments<'_>) {
        let kind = self.nodes[node.0].socket.socket_type();
        self.trace.note(self.now, format_args!("{node:?}, a {kind}, {what}"));
    }
}

impl Index<NodeId> for Net {
    type Output = Socket;

    fn index(&self, node: NodeId) -> &Socket {
        &self.nodes[node.0].socket
    }
}

impl IndexMut<NodeId> for Net {
    fn index_mut(&mut self, node: NodeId) -> &mut Socket {
        self.touched.insert(node);
        &mut self.nodes[node.0].socket
    }
}
