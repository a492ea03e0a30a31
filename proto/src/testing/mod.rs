//! A simulated network for tests (feature `testing`): many sockets in one thread, a virtual clock, and connections that
//! split, delay and block bytes, and that break. A seed determines all random values.
//!
//! ```
//! use sansmq::proto::{Options, kind, testing::Net};
//!
//! let mut net = Net::seeded(7).chunks(1..=9); // each read and write moves 1 to 9 bytes at most
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
pub use tcp::{LinkLimits, Side, Tcp, WriteLimits};

use crate::address::Endpoint;
use crate::cost::Tally;
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

/// Simulated network of sockets.
///
/// `net[id]` is the socket with the [`NodeId`] `id`. After calls to sockets, a test calls [`settle`](Self::settle) to
/// transfer all messages, or [`advance`](Self::advance) to let time pass. The computing time depends on the number of
/// active sockets, not on the number of all sockets.
#[derive(Debug)]
pub struct Net {
    now: Instant,
    seed: u64,
    dice: SeededEntropy,
    nodes: Vec<Node>,
    listeners: BTreeMap<(NodeId, ListenerId), Endpoint>,
    wires: BTreeMap<WireId, Wire>,
    next_wire: WireId,
    /// Pairs of sockets that [`partition`](Self::partition) has separated, so that they cannot reach each other.
    /// Contains each pair in both orders.
    parted: BTreeSet<(NodeId, NodeId)>,
    /// Sockets that may have new actions or a new timeout, because they were used since [`act`](Self::act) last
    /// processed their actions and timeouts.
    touched: BTreeSet<NodeId>,
    /// Sessions for which [`Session::turn`] must be called at the current time. An entry is the socket, and the pipe of
    /// the connection that the session runs.
    due: BTreeSet<(NodeId, PipeId)>,
    /// Time of the next timeout of each socket and session. The key of a socket has no pipe; the key of a session has
    /// the pipe of its connection.
    timers: Deadlines<(NodeId, Option<PipeId>)>,
    /// Time of the next arrival of bytes in each direction of a connection. The key is the connection and the sending
    /// side.
    arrivals: Deadlines<(WireId, Side)>,
    conditions: Conditions,
    buffers: SessionBuffers,
    /// Number of calls of [`Session::turn`] so far.
    turns: u64,
    /// Number of calls of [`Session::turn`] after which the counted memory of the sockets is checked again.
    #[cfg(feature = "meter")]
    next_check: u64,
    trace: Trace,
    /// Work of all sockets since the network was created. Checked only with the feature `meter`.
    tally: Tally,
}

/// Size in bytes of the read buffer that all sessions share.
const READ_SIZE: usize = 4096;

/// Identifier of a socket in a [`Net`].
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
    suspended: bool,
}

/// One end of a simulated connection (a [`Wire`]), with the session of the socket at this end.
#[derive(Debug)]
struct End {
    session: Session,
    wire: WireId,
    side: Side,
    /// True if the ZMTP handshake of this connection is complete.
    ready: bool,
}

impl Net {
    /// Creates a network without sockets. `seed` determines all random values.
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
            buffers: SessionBuffers::with_read_size(READ_SIZE),
            turns: 0,
            #[cfg(feature = "meter")]
            next_check: 0,
            trace: Trace::default(),
            tally: Tally::default(),
        }
    }

    /// Limits each read and each write to a random number of bytes in this range. Default: no limit.
    #[must_use]
    pub const fn chunks(mut self, bytes: RangeInclusive<u64>) -> Self {
        self.conditions.chunks = Chunks::Uniform(bytes);
        self
    }

    /// Delays the bytes of every write by a random time in this range. Bytes arrive in order. Default: no delay.
    #[must_use]
    pub const fn latency(mut self, latency: RangeInclusive<Duration>) -> Self {
        self.conditions.latency = latency;
        self
    }

    /// Sets the maximum number of bytes in each direction of a connection that are written and not read yet, at least
    /// 2. One half is the send buffer of the sender, the other half the receive buffer of the receiver. At the maximum,
    /// the sender must wait until the receiver reads. Default: 64 KiB.
    #[must_use]
    pub const fn capacity(mut self, bytes: usize) -> Self {
        let send_buffer = if bytes < 2 { 1 } else { bytes / 2 };
        self.conditions.link.send_buffer = send_buffer;
        self.conditions.link.recv_buffer = bytes - bytes / 2;
        self
    }

    /// Sets the number of bytes that a connection can transfer in a second, in each direction. Default: no limit.
    #[must_use]
    pub const fn rate(mut self, bytes_per_second: u32) -> Self {
        self.conditions.link.rate = Some(bytes_per_second);
        self
    }

    /// Adds a socket to the network, and enables the socket events that `poll_event` returns.
    pub fn socket<T: Kind>(&mut self, options: Options<T>) -> NodeId {
        let node = self.node(options);
        self.nodes.push(node);
        NodeId(self.nodes.len() - 1)
    }

    fn node<T: Kind>(&mut self, options: Options<T>) -> Node {
        let entropy = SeededEntropy::new(self.dice.next_u64());
        let mut socket = Socket::new(options, entropy);
        socket.monitor(true);
        Node { socket, ends: BTreeMap::new(), frozen: false, suspended: false }
    }

    /// Binds a socket to an endpoint. Any host name is possible, because the network resolves no names.
    ///
    /// # Panics
    /// If `endpoint` is invalid.
    pub fn bind(&mut self, node: NodeId, endpoint: &str) {
        let endpoint = endpoint.parse().expect("the endpoint must be valid");
        self[node].bind(endpoint);
        self.act();
    }

    /// Connects a socket to an endpoint, and returns the pipe of the connection.
    ///
    /// # Panics
    /// If `endpoint` is invalid, or the socket returns an error.
    pub fn connect(&mut self, node: NodeId, endpoint: &str) -> PipeId {
        let now = self.now;
        let endpoint = endpoint.parse().expect("the endpoint must be valid");
        self[node].connect(endpoint, now).expect("the socket must be able to connect")
    }

    /// Returns the current virtual time, which begins at [`Instant::ORIGIN`].
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// Returns the number of open connections of a socket, those in the handshake included.
    pub fn connections(&self, node: NodeId) -> usize {
        self.nodes[node.0].ends.len()
    }

    /// Returns the number of calls of [`Session::turn`] so far, for all connections together. A test that limits this
    /// number finds a connection that is handled again and again without progress.
    pub const fn turns(&self) -> u64 {
        self.turns
    }

    /// Returns the memory that all sockets hold, in bytes: the sum of [`SocketStats::held`](crate::socket::SocketStats::held).
    /// First frees the buffers that the network keeps for later messages, so that a test can compare the result with a
    /// counting allocator.
    pub fn held_bytes(&mut self) -> u64 {
        self.buffers = SessionBuffers::with_read_size(READ_SIZE);
        self.nodes.iter().map(|node| node.socket.stats().held.total()).sum()
    }

    /// Returns the memory that the bytes in transit hold, in bytes.
    pub fn transit_bytes(&self) -> usize {
        self.wires.values().map(|wire| wire.tcp.held_bytes()).sum()
    }

    /// Returns the most recent events of the network, one line each, with their time. Events are opened and closed
    /// listeners, dials, the beginning and the end of connections, and faults. A test should print them when it fails.
    pub fn trace(&self) -> impl Iterator<Item = &str> {
        self.trace.lines()
    }

    /// Runs the network until no bytes are in flight and no socket has work left. Advances the virtual time to each
    /// arrival of bytes, but does not wait for timers.
    ///
    /// # Panics
    /// If the network never becomes idle. The message contains the seed.
    pub fn settle(&mut self) {
        self.run_until_idle();
        while let Some(at) = self.arrivals.next() {
            self.now = self.now.max(at);
            self.run_until_idle();
        }
    }

    /// Advances the virtual time by `duration`, and runs all work that is due during this time, such as expired timers
    /// and arrivals of bytes.
    ///
    /// # Panics
    /// If the network never becomes idle. The message contains the seed.
    pub fn advance(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            self.run_until_idle();
            let next = earliest([self.arrivals.next(), self.timers.next()]).filter(|&at| at <= end);
            match next {
                Some(at) => self.now = self.now.max(at),
                None => break,
            }
        }
        self.now = end;
    }

    /// Resets every connection of the socket `node`. Both sides get the error at once.
    pub fn reset_connections(&mut self, node: NodeId) {
        self.note(node, format_args!("is cut"));
        for wire in self.wires.values_mut().filter(|wire| wire.leads_to(node)) {
            for side in Side::BOTH {
                wire.tcp.cut(side);
            }
        }
        self.wake_wires(|wire| wire.leads_to(node));
    }

    /// Isolates a socket from the network without an error: bytes to and from the socket are held back, and connection
    /// attempts to it time out.
    pub fn freeze(&mut self, node: NodeId) {
        self.note(node, format_args!("is frozen"));
        self.nodes[node.0].frozen = true;
        self.wake_wires(|wire| wire.leads_to(node));
    }

    /// Reconnects a frozen socket to the network, and delivers the bytes that were held back.
    pub fn thaw(&mut self, node: NodeId) {
        if core::mem::take(&mut self.nodes[node.0].frozen) {
            self.note(node, format_args!("is thawed"));
            self.wake_wires(|wire| wire.leads_to(node));
        }
    }

    /// Stops the process of a socket, as the signal `SIGSTOP` does: the socket handles no bytes and no timers. Its
    /// system still stores and acknowledges bytes until the receive buffer is full. Connection attempts to the socket
    /// time out.
    pub fn suspend(&mut self, node: NodeId) {
        self.note(node, format_args!("is suspended"));
        self.nodes[node.0].suspended = true;
    }

    /// Continues the process of a suspended socket. All its expired timers are handled, and its bytes are received.
    pub fn resume(&mut self, node: NodeId) {
        if core::mem::take(&mut self.nodes[node.0].suspended) {
            self.note(node, format_args!("is resumed"));
            self.touched.insert(node);
            self.wake_wires(|wire| wire.leads_to(node));
        }
    }

    /// Partitions the network without an error: between each socket of `some` and each socket of `others`, bytes are
    /// held back and connection attempts time out.
    pub fn partition(&mut self, some: &[NodeId], others: &[NodeId]) {
        self.trace.note(self.now, format_args!("{some:?} and {others:?} cannot reach each other"));
        for &one in some {
            self.parted.extend(others.iter().flat_map(|&other| [(one, other), (other, one)]));
        }
        self.wake_wires(|_| true);
    }

    /// Ends all partitions of the network, and delivers the bytes that were held back.
    pub fn heal_partitions(&mut self) {
        if !self.parted.is_empty() {
            self.trace.note(self.now, format_args!("all can reach each other again"));
            self.parted.clear();
            self.wake_wires(|_| true);
        }
    }

    /// Ends the socket `node` as a crash would, and gives its identifier to a new socket with these options. The
    /// connections between the old socket and its peers are reset. A peer that a partition separates from the socket
    /// detects the reset only when the partition ends.
    pub fn restart<T: Kind>(&mut self, node: NodeId, options: Options<T>) {
        self.note(node, format_args!("is restarted"));
        let new = self.node(options);
        let old = core::mem::replace(&mut self.nodes[node.0], new);
        self.listeners.retain(|(listening, _), _| *listening != node);
        for (pipe, end) in old.ends {
            self.wires.get_mut(&end.wire).expect("a wire exists as long as its ends").tcp.cut(end.side);
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
