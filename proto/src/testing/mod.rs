//! A simulated network for tests (feature `testing`): many sockets in one thread, a virtual clock, and connections that
//! split, delay and block bytes, and that break. A seed determines all random values.
//!
//! A test drives sockets itself, as below, or adds programs ([`Application`]) that run on nodes of the network, each with
//! sockets and timers of its own. The [`guide`] tests a protocol with random faults, and fuzzes it.
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
mod faults;
pub mod guide {
    #![doc = include_str!("guide.md")]
}
mod node;
mod run;
mod tcp;
mod trace;
mod wire;

pub use conditions::{Chunks, Conditions};
pub use node::{Application, NodeContext, NodeId, SocketId};
pub use tcp::{LinkLimits, Side, Tcp, WriteLimits};

use crate::address::Endpoint;
use crate::cost::Tally;
use crate::entropy::SeededEntropy;
use crate::kind::Kind;
use crate::session::SessionBuffers;
use crate::socket::{ListenerId, Options, PipeId, Socket};
use crate::time::{Deadlines, Instant, earliest};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::fmt;
use core::ops::{Index, IndexMut, RangeInclusive};
use core::time::Duration;
use node::{Node, SocketState};
use trace::Trace;
use wire::{Wire, WireId};

/// Simulated network of nodes. A node is a machine with one socket that the test drives ([`socket`](Self::socket)), or
/// with an application that has any number of sockets ([`node`](Self::node)). Faults affect a node as a whole.
///
/// `net[id]` is the socket with the [`SocketId`] `id`, or the first socket of the node with the [`NodeId`] `id`. After calls to
/// sockets, a test calls [`settle`](Self::settle) to transfer all messages, or [`advance`](Self::advance) to let time
/// pass. The computing time depends on the number of active sockets, not on the number of all sockets.
#[derive(Debug)]
pub struct Net {
    now: Instant,
    seed: u64,
    dice: SeededEntropy,
    nodes: Vec<Node>,
    /// Open listeners. Those of a crashed node are kept until it starts, because dials to them get no reply.
    listeners: BTreeMap<(SocketId, ListenerId), Endpoint>,
    wires: BTreeMap<WireId, Wire>,
    next_wire: WireId,
    /// Pairs of nodes that [`partition`](Self::partition) has separated, so that they cannot reach each other.
    /// Contains each pair in both orders.
    parted: BTreeSet<(NodeId, NodeId)>,
    /// Sockets that may have new actions or a new timeout, because they were used since [`act`](Self::act) last
    /// processed their actions and timeouts.
    touched: BTreeSet<SocketId>,
    /// Sessions for which [`Session::turn`](crate::Session::turn) must be called at the current time. An entry is the
    /// socket, and the pipe of the connection that the session runs.
    due: BTreeSet<(SocketId, PipeId)>,
    /// Nodes with an application that must have a turn at the current time.
    awake: BTreeSet<NodeId>,
    /// Time of the next timeout of each socket and session. The key of a socket has no pipe; the key of a session has
    /// the pipe of its connection.
    timers: Deadlines<(SocketId, Option<PipeId>)>,
    /// Time at which the earliest timer of each application expires.
    alarms: Deadlines<NodeId>,
    /// Time of the next arrival of bytes in each direction of a connection. The key is the connection and the sending
    /// side.
    arrivals: Deadlines<(WireId, Side)>,
    conditions: Conditions,
    buffers: SessionBuffers,
    /// Number of calls of [`Session::turn`](crate::Session::turn) so far.
    turns: u64,
    /// Number of calls of [`Session::turn`](crate::Session::turn) after which the counted memory of the sockets is checked again.
    #[cfg(feature = "meter")]
    next_check: u64,
    trace: Trace,
    /// Work of all sockets since the network was created. Checked only with the feature `meter`.
    tally: Tally,
}

/// Size in bytes of the read buffer that all sessions share.
const READ_SIZE: usize = 4096;

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
            awake: BTreeSet::new(),
            timers: Deadlines::new(),
            alarms: Deadlines::new(),
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

    /// Sets the number of lines that [`trace`](Self::trace) returns at most. Default: the most recent 300.
    #[must_use]
    pub fn trace_limit(mut self, lines: usize) -> Self {
        self.trace = Trace::with_limit(lines);
        self
    }

    /// Adds a node with one socket, which the test drives, and enables the socket events that `poll_event` returns.
    pub fn socket<T: Kind>(&mut self, options: Options<T>) -> NodeId {
        let socket = self.new_socket(options);
        self.add_node(Node::with_socket(socket))
    }

    fn new_socket<T: Kind>(&mut self, options: Options<T>) -> SocketState {
        let entropy = SeededEntropy::new(self.dice.next_u64());
        let mut socket = Socket::new(options, entropy);
        socket.monitor(true);
        SocketState { socket, ends: BTreeMap::new() }
    }

    /// Binds a socket to an endpoint. Any host name is possible, because the network resolves no names.
    ///
    /// # Panics
    /// If `endpoint` is invalid.
    pub fn bind(&mut self, socket: impl Into<SocketId>, endpoint: &str) {
        let endpoint = endpoint.parse().expect("the endpoint must be valid");
        self[socket.into()].bind(endpoint);
        self.act();
    }

    /// Connects a socket to an endpoint, and returns the pipe of the connection.
    ///
    /// # Panics
    /// If `endpoint` is invalid, or the socket returns an error.
    pub fn connect(&mut self, socket: impl Into<SocketId>, endpoint: &str) -> PipeId {
        let now = self.now;
        let endpoint = endpoint.parse().expect("the endpoint must be valid");
        self[socket.into()].connect(endpoint, now).expect("the socket must be able to connect")
    }

    /// Returns the current virtual time, which begins at [`Instant::ORIGIN`].
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// Returns the number of open connections of all sockets of a node, those in the handshake included.
    pub fn connections(&self, node: NodeId) -> usize {
        self.nodes[node.index()].sockets.iter().map(|socket| socket.ends.len()).sum()
    }

    /// Returns the number of calls of [`Session::turn`](crate::Session::turn) so far, for all connections together. A test that limits this
    /// number finds a connection that is handled again and again without progress.
    pub const fn turns(&self) -> u64 {
        self.turns
    }

    /// Returns the memory that all sockets hold, in bytes: the sum of [`SocketStats::held`](crate::socket::SocketStats::held).
    /// First frees the buffers that the network keeps for later messages, so that a test can compare the result with a
    /// counting allocator.
    pub fn held_bytes(&mut self) -> u64 {
        self.buffers = SessionBuffers::with_read_size(READ_SIZE);
        self.sockets().map(|socket| socket.stats().held.total()).sum()
    }

    fn sockets(&self) -> impl Iterator<Item = &Socket> {
        self.nodes.iter().flat_map(|node| &node.sockets).map(|state| &state.socket)
    }

    /// Returns the memory that the bytes in transit hold, in bytes.
    pub fn transit_bytes(&self) -> usize {
        self.wires.values().map(|wire| wire.tcp.held_bytes()).sum()
    }

    /// Returns the most recent events of the network, one line each, with their time. Events are opened and closed
    /// listeners, dials, the beginning and the end of connections, faults, and the notes of applications. A test should
    /// print them when it fails. The same seed and the same calls give the same lines.
    pub fn trace(&self) -> impl Iterator<Item = &str> {
        self.trace.lines()
    }

    /// Runs the network until no bytes are in flight and no socket has work left. Advances the virtual time to each
    /// arrival of bytes, but does not wait for timers of sockets and applications.
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
            let next = earliest([self.arrivals.next(), self.timers.next(), self.alarms.next()]).filter(|&at| at <= end);
            match next {
                Some(at) => self.now = self.now.max(at),
                None => break,
            }
        }
        self.now = end;
    }

    fn note(&mut self, id: SocketId, what: fmt::Arguments<'_>) {
        let kind = self.nodes[id.node().index()].sockets[id.index()].socket.socket_type();
        self.trace.note(self.now, format_args!("{id:?}, a {kind}, {what}"));
    }
}

impl<I: Into<SocketId>> Index<I> for Net {
    type Output = Socket;

    fn index(&self, id: I) -> &Socket {
        let id = id.into();
        let state = self.nodes[id.node().index()].sockets.get(id.index());
        &state.unwrap_or_else(|| panic!("{id:?} does not exist, or its node has crashed")).socket
    }
}

impl<I: Into<SocketId>> IndexMut<I> for Net {
    fn index_mut(&mut self, id: I) -> &mut Socket {
        let id = id.into();
        self.touch(id);
        let state = self.nodes[id.node().index()].sockets.get_mut(id.index());
        &mut state.unwrap_or_else(|| panic!("{id:?} does not exist, or its node has crashed")).socket
    }
}
