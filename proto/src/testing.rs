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

mod direction;

pub use direction::Direction;

use crate::endpoint::{Endpoint, Host};
use crate::entropy::SeededEntropy;
use crate::error::{ConnectionError, NetworkError};
use crate::kind::Kind;
use crate::options::Options;
use crate::pipe::PipeId;
use crate::scratch::Scratch;
use crate::session::{Session, Stream, Turn};
use crate::socket::{Action, ListenerId, Socket};
use crate::time::{Instant, earliest};
use core::ops::{Index, IndexMut, RangeInclusive};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind, IoSlice};

/// The simulated network.
///
/// Index it by a [`NodeId`] to speak to a socket; then let the network [`settle`](Self::settle), or let time
/// [`pass`](Self::pass).
#[derive(Debug)]
pub struct Net {
    now: Instant,
    seed: u64,
    dice: SeededEntropy,
    nodes: Vec<Node>,
    wires: Vec<Wire>,
    /// Ends that have something to do.
    due: BTreeSet<(NodeId, PipeId)>,
    chunks: RangeInclusive<u64>,
    latency: RangeInclusive<Duration>,
    capacity: usize,
}

/// Names a socket in a [`Net`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(usize);

#[derive(Debug)]
struct Node {
    socket: Socket,
    listeners: BTreeMap<ListenerId, Endpoint>,
    ends: BTreeMap<PipeId, End>,
    frozen: bool,
}

#[derive(Debug)]
struct End {
    session: Session,
    wire: usize,
    side: usize,
}

/// One simulated TCP connection.
#[derive(Debug)]
struct Wire {
    /// Who is at each side.
    ends: [(NodeId, PipeId); 2],
    /// What each side has sent.
    sent: [Direction; 2],
    /// Which side found what it sends into full.
    blocked: [bool; 2],
    /// The connection has been cut: both sides see a reset.
    cut: bool,
}

impl Net {
    /// A network without sockets: everything random in it follows from `seed`.
    pub const fn seeded(seed: u64) -> Self {
        Self {
            now: Instant::ORIGIN,
            seed,
            dice: SeededEntropy::new(seed),
            nodes: Vec::new(),
            wires: Vec::new(),
            due: BTreeSet::new(),
            chunks: 1..=u64::MAX,
            latency: Duration::ZERO..=Duration::ZERO,
            capacity: 64 << 10,
        }
    }

    /// Every read and write takes a random number of octets from this range at most.
    #[must_use]
    pub const fn chunks(mut self, octets: RangeInclusive<u64>) -> Self {
        self.chunks = octets;
        self
    }

    /// Octets take a random time from this range to arrive; their order is kept.
    #[must_use]
    pub const fn latency(mut self, latency: RangeInclusive<Duration>) -> Self {
        self.latency = latency;
        self
    }

    /// Each direction of a connection holds so many octets before the sender has to wait. Default 64 KiB.
    #[must_use]
    pub const fn capacity(mut self, octets: usize) -> Self {
        self.capacity = octets;
        self
    }

    /// Adds a socket, monitored.
    pub fn socket<T: Kind>(&mut self, options: Options<T>) -> NodeId {
        let entropy = SeededEntropy::new(self.dice.next_u64());
        let mut socket = Socket::new(options, entropy);
        socket.monitor(true);
        self.nodes.push(Node { socket, listeners: BTreeMap::new(), ends: BTreeMap::new(), frozen: false });
        NodeId(self.nodes.len() - 1)
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

    /// Runs until no octet is under way and nobody has anything to do, without waiting for timers that lie ahead.
    ///
    /// # Panics
    /// If that never happens, with the seed.
    pub fn settle(&mut self) {
        self.rest();
        while let Some(at) = self.next_arrival() {
            self.travel(at);
            self.rest();
        }
    }

    /// Runs until nobody has anything to do at this instant.
    fn rest(&mut self) {
        let mut steps = 0;
        while self.step() {
            steps += 1;
            assert!(steps < 1_000_000, "the network of seed {} never rests", self.seed);
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
            let next = earliest([self.next_arrival(), self.next_timeout()]).filter(|&at| at <= end);
            match next {
                Some(at) => self.travel(at),
                None => break,
            }
        }
        self.now = end;
    }

    /// Resets every connection of a socket.
    pub fn cut(&mut self, node: NodeId) {
        for wire in self.wires.iter_mut().filter(|wire| wire.ends.iter().any(|end| end.0 == node)) {
            wire.cut = true;
            self.due.extend(wire.ends);
        }
    }

    /// Takes a socket off the network without anybody being told: octets to and from it are held back, dials to it are
    /// not answered.
    pub fn freeze(&mut self, node: NodeId) {
        self.nodes[node.0].frozen = true;
    }

    /// Puts a frozen socket back; what was held back goes on.
    pub fn thaw(&mut self, node: NodeId) {
        self.nodes[node.0].frozen = false;
        let wires = self.wires.iter().filter(|wire| wire.ends.iter().any(|end| end.0 == node));
        self.due.extend(wires.flat_map(|wire| wire.ends));
    }

    /// Ends a socket as a crash would, and puts a new one in its place. Its peers see their connections reset.
    pub fn restart<T: Kind>(&mut self, node: NodeId, options: Options<T>) {
        self.cut(node);
        let fresh = self.socket(options);
        let last = self.nodes.len() - 1;
        self.nodes.swap(node.0, last);
        self.nodes.truncate(last);
        debug_assert_eq!(fresh.0, last, "the new socket was the last");
    }

    /// One round of everything there is to do at this instant. False: nothing.
    fn step(&mut self) -> bool {
        let mut busy = self.act();
        for index in 0..self.nodes.len() {
            if self.nodes[index].socket.poll_timeout().is_some_and(|at| at <= self.now) {
                self.nodes[index].socket.handle_timeout(self.now);
                busy = true;
            }
            let late: Vec<_> = self.nodes[index]
                .ends
                .iter()
                .filter(|(_, end)| end.session.poll_timeout().is_some_and(|at| at <= self.now))
                .map(|(&pipe, _)| (NodeId(index), pipe))
                .collect();
            self.due.extend(late);
        }
        self.land();
        for (node, pipe) in core::mem::take(&mut self.due) {
            self.turn(node, pipe);
            busy = true;
        }
        busy
    }

    /// Does what the sockets want done.
    fn act(&mut self) -> bool {
        let mut busy = false;
        for index in 0..self.nodes.len() {
            let node = NodeId(index);
            while let Some(action) = self.nodes[index].socket.poll_action() {
                busy = true;
                match action {
                    Action::Listen(id, endpoint) => {
                        self.nodes[index].listeners.insert(id, endpoint.clone());
                        self.nodes[index].socket.listening(id, endpoint);
                    }
                    Action::Unlisten(id) => {
                        self.nodes[index].listeners.remove(&id);
                    }
                    Action::Dial(pipe, endpoint) => self.dial(node, pipe, &endpoint),
                    Action::Service(pipe) => {
                        self.due.insert((node, pipe));
                    }
                    Action::Accept(_) | Action::StopDialling(_) | Action::Readable | Action::Writable => {}
                }
            }
        }
        busy
    }

    fn dial(&mut self, from: NodeId, pipe: PipeId, to: &Endpoint) {
        let listener = self.nodes.iter().enumerate().find_map(|(index, node)| {
            let found = node.listeners.iter().find(|(_, at)| serves(at, to));
            found.map(|(&id, _)| (NodeId(index), id))
        });
        let Some((server, id)) = listener else {
            self.nodes[from.0].socket.dial_failed(pipe, NetworkError::Refused, self.now);
            return;
        };
        if self.nodes[server.0].frozen || self.nodes[from.0].frozen {
            return;
        }
        let name =
            Endpoint::Tcp { host: Host::Name(format!("node-{}", from.0)), port: 1, source: None, resource: None };
        // The listener may be closed already, though the network has not been told.
        let Some((accepted, connection)) = self.nodes[server.0].socket.accepted(id, name, self.now) else {
            self.nodes[from.0].socket.dial_failed(pipe, NetworkError::Refused, self.now);
            return;
        };
        let Some(dialled) = self.nodes[from.0].socket.connected(pipe, self.now) else {
            self.nodes[server.0].socket.disconnected(accepted, connection, &ConnectionError::Eof, self.now);
            return;
        };
        let wire = self.wires.len();
        let ends = [(from, pipe), (server, accepted)];
        self.wires.push(Wire { ends, sent: Default::default(), blocked: [false; 2], cut: false });
        for ((node, pipe), (side, connection)) in ends.into_iter().zip([(0, dialled), (1, connection)]) {
            self.nodes[node.0].ends.insert(pipe, End { session: Session::new(connection), wire, side });
            self.due.insert((node, pipe));
        }
    }

    /// Gives one end its turn.
    fn turn(&mut self, node: NodeId, pipe: PipeId) {
        let Some(end) = self.nodes[node.0].ends.get(&pipe) else {
            return;
        };
        let other = self.wires[end.wire].ends[1 - end.side];
        let held = self.nodes[node.0].frozen || self.nodes[other.0.0].frozen;
        let Node { socket, ends, frozen, .. } = &mut self.nodes[node.0];
        let end = ends.get_mut(&pipe).expect("it has just been seen");
        let wire = &mut self.wires[end.wire];
        let mut stream = Seat {
            wire,
            side: end.side,
            now: self.now,
            dice: &mut self.dice,
            chunks: &self.chunks,
            latency: &self.latency,
            capacity: self.capacity,
            frozen: *frozen,
            held,
            wake: false,
        };
        let mut scratch = Scratch::with_room(4096);
        let outcome = end.session.turn(&mut stream, &mut scratch, self.now, |link| socket.exchange(pipe, link));
        if stream.wake {
            self.due.insert(other);
        }
        match outcome {
            Ok(Turn::Wait(_)) => {}
            Ok(Turn::Again) => {
                self.due.insert((node, pipe));
            }
            Err(reason) => {
                let end = ends.remove(&pipe).expect("it has just had its turn");
                // Whoever closes with input unread or output unsent, resets; a FIN is all the same to ZMTP.
                let at = self.now + draw(&mut self.dice, &self.latency);
                self.wires[end.wire].sent[end.side].end(at);
                self.due.insert(other);
                socket.disconnected(pipe, end.session.into_connection(), &reason, self.now);
            }
        }
    }

    /// Lets octets arrive whose time has come.
    fn land(&mut self) {
        for wire in &mut self.wires {
            if wire.ends.iter().any(|end| self.nodes[end.0.0].frozen) {
                continue;
            }
            for (side, direction) in wire.sent.iter_mut().enumerate() {
                if direction.land(self.now) {
                    self.due.insert(wire.ends[1 - side]);
                }
            }
        }
    }

    fn next_arrival(&self) -> Option<Instant> {
        let moving = self.wires.iter().filter(|wire| !wire.ends.iter().any(|end| self.nodes[end.0.0].frozen));
        let arrivals = moving.flat_map(|wire| {
            wire.sent.iter().zip([1, 0]).map(|(direction, reader)| {
                let (node, pipe) = wire.ends[reader];
                let read = self.nodes[node.0].ends.contains_key(&pipe);
                direction.next_arrival(self.now).filter(|_| read)
            })
        });
        earliest(arrivals)
    }

    fn next_timeout(&self) -> Option<Instant> {
        earliest(self.nodes.iter().flat_map(|node| {
            let sessions = node.ends.values().map(|end| end.session.poll_timeout());
            sessions.chain([node.socket.poll_timeout()])
        }))
    }

    fn travel(&mut self, at: Instant) {
        self.now = self.now.max(at);
        for wire in &self.wires {
            for (side, direction) in wire.sent.iter().enumerate() {
                if direction.has_ended(self.now) {
                    self.due.insert(wire.ends[1 - side]);
                }
            }
        }
        self.land();
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
        &mut self.nodes[node.0].socket
    }
}

/// One side of a wire during one turn.
struct Seat<'a> {
    wire: &'a mut Wire,
    side: usize,
    now: Instant,
    dice: &'a mut SeededEntropy,
    chunks: &'a RangeInclusive<u64>,
    latency: &'a RangeInclusive<Duration>,
    capacity: usize,
    frozen: bool,
    /// One of both sides is frozen: nothing arrives.
    held: bool,
    /// The other side has something to do.
    wake: bool,
}

impl Seat<'_> {
    /// How many of `wanted` octets the network moves at once.
    fn chunk(&mut self, wanted: usize) -> usize {
        let (low, high) = (*self.chunks.start(), *self.chunks.end());
        let size = if high == u64::MAX { high } else { low + self.dice.below(high - low + 1) };
        usize::try_from(size).unwrap_or(usize::MAX).min(wanted)
    }
}

impl Stream for Seat<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if self.wire.cut {
            return Err(ErrorKind::ConnectionReset.into());
        }
        let count = self.chunk(room.len());
        let direction = &mut self.wire.sent[1 - self.side];
        let count = direction.take(&mut room[..count]);
        if count > 0 {
            self.wake |= core::mem::take(&mut self.wire.blocked[1 - self.side]);
            return Ok(count);
        }
        let ended = !self.held && direction.is_over(self.now);
        if ended { Ok(0) } else { Err(ErrorKind::WouldBlock.into()) }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.wire.cut {
            return Err(ErrorKind::ConnectionReset.into());
        }
        let room = self.capacity - self.wire.sent[self.side].size();
        if room == 0 || self.frozen {
            self.wire.blocked[self.side] = true;
            return Err(ErrorKind::WouldBlock.into());
        }
        let wanted: usize = slices.iter().map(|slice| slice.len()).sum();
        let count = self.chunk(wanted.min(room));
        let at = self.now + draw(self.dice, self.latency);
        self.wake = true;
        Ok(self.wire.sent[self.side].send(slices, count, at))
    }

    fn close_write(&mut self) -> io::Result<()> {
        let at = self.now + draw(self.dice, self.latency);
        self.wire.sent[self.side].end(at);
        self.wake = true;
        Ok(())
    }
}

fn draw(dice: &mut SeededEntropy, range: &RangeInclusive<Duration>) -> Duration {
    let span = u64::try_from(range.end().saturating_sub(*range.start()).as_nanos()).unwrap_or(u64::MAX);
    *range.start() + Duration::from_nanos(if span == 0 { 0 } else { dice.below(span) })
}

/// Whether a listener at `at` answers a dial to `to`.
fn serves(at: &Endpoint, to: &Endpoint) -> bool {
    let (Endpoint::Tcp { host: own, port, .. }, Endpoint::Tcp { host, port: asked, .. }) = (at, to) else {
        return at == to;
    };
    let any = *own == Host::Any || matches!(own, Host::Ip(ip) if ip.is_unspecified());
    port == asked && at.resource() == to.resource() && (own == host || any)
}
