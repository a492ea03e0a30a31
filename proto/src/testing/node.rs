//! Nodes of a simulated network ([`Net`]): [`Application`], the program of a node, and [`NodeContext`], the sockets and
//! timers of a program.

use super::Net;
use crate::entropy::SeededEntropy;
use crate::kind::Kind;
use crate::session::Session;
use crate::socket::{Options, PipeId, Socket};
use crate::testing::Side;
use crate::testing::wire::WireId;
use crate::time::{Deadlines, Instant};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::any::Any;
use core::fmt;
use core::ops::{Index, IndexMut};

/// Program of a node of a simulated network, such as a server, worker or client of the protocol that a test checks.
///
/// An application is not `async`, and is neither polled nor woken. It has a turn after its start, and then whenever one of its
/// sockets had work (bytes, a new or lost connection, a timer of the socket) or a timer of the application has expired.
/// In each turn it receives until its sockets are empty, sends, and sets timers. A turn may be without a reason. A turn
/// takes no virtual time; the seed determines the order of the turns at one time.
///
/// A closure with a [`NodeContext`] as its argument is an application too. A type of its own is better if the test reads
/// the state of the application, with [`Net::application`].
///
/// ```
/// use core::time::Duration;
/// use sansmq::proto::testing::{Application, Net, NodeContext, SocketId};
/// use sansmq::proto::{Options, kind};
///
/// struct Ticker {
///     push: SocketId,
///     ticks: u64,
/// }
///
/// impl Application for Ticker {
///     fn turn(&mut self, node: &mut NodeContext<'_>) {
///         while node.poll_timer().is_some() {
///             self.ticks += 1;
///             node[self.push].send(self.ticks.to_string()).unwrap();
///             node.set_timer(0, node.now() + Duration::from_secs(1));
///         }
///     }
/// }
///
/// let mut net = Net::seeded(7).latency(Duration::ZERO..=Duration::from_millis(20));
/// let ticker = net.node(|node| {
///     let push = node.socket(Options::<kind::Push>::new());
///     node.connect(push, "tcp://sink:1");
///     node.set_timer(0, node.now());
///     Ticker { push, ticks: 0 }
/// });
/// net.node(|node| {
///     let pull = node.socket(Options::<kind::Pull>::new());
///     node.bind(pull, "tcp://sink:1");
///     move |node: &mut NodeContext<'_>| {
///         while let Ok(message) = node[pull].recv() {
///             node.note(format_args!("receives {}", message.body().to_text()));
///         }
///     }
/// });
/// net.advance(Duration::from_millis(2500));
/// assert_eq!(net.application::<Ticker>(ticker).unwrap().ticks, 3);
/// assert!(net.trace().last().unwrap().ends_with("node 1 receives 3"));
/// ```
pub trait Application: Any + Send {
    /// Does all work that is possible now.
    fn turn(&mut self, node: &mut NodeContext<'_>);
}

impl<F: FnMut(&mut NodeContext<'_>) + Send + 'static> Application for F {
    fn turn(&mut self, node: &mut NodeContext<'_>) {
        self(node);
    }
}

/// Identifier of a node in a [`Net`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(usize);

impl NodeId {
    /// Returns the identifier of a socket of this node. `index` counts the sockets of the node in the order of their
    /// creation, from 0.
    #[must_use]
    pub const fn socket(self, index: usize) -> SocketId {
        SocketId { node: self, index }
    }

    pub(super) const fn index(self) -> usize {
        self.0
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {}", self.0)
    }
}

/// Identifier of a socket in a [`Net`]. A [`NodeId`] converts into the identifier of the first socket of the node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId {
    node: NodeId,
    index: usize,
}

impl SocketId {
    /// Returns the identifier of the node to which the socket belongs.
    pub const fn node(self) -> NodeId {
        self.node
    }

    pub(super) const fn index(self) -> usize {
        self.index
    }
}

impl From<NodeId> for SocketId {
    fn from(node: NodeId) -> Self {
        node.socket(0)
    }
}

impl fmt::Debug for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            0 => self.node.fmt(f),
            index => write!(f, "socket {index} of {:?}", self.node),
        }
    }
}

/// Sockets, timers, clock and random numbers of the node on which an [`Application`] runs. `node[id]` is the socket with the
/// [`SocketId`] `id`.
#[derive(Debug)]
pub struct NodeContext<'a> {
    net: &'a mut Net,
    node: NodeId,
}

impl NodeContext<'_> {
    /// Returns the identifier of this node.
    pub const fn id(&self) -> NodeId {
        self.node
    }

    /// Returns the current virtual time.
    pub const fn now(&self) -> Instant {
        self.net.now
    }

    /// Creates a socket of this node, and enables the socket events that `poll_event` returns.
    pub fn socket<T: Kind>(&mut self, options: Options<T>) -> SocketId {
        let socket = self.net.new_socket(options);
        let sockets = &mut self.net.nodes[self.node.0].sockets;
        sockets.push(socket);
        self.node.socket(sockets.len() - 1)
    }

    /// Binds a socket of this node to an endpoint. Any host name is possible, because the network resolves no names.
    ///
    /// # Panics
    /// If `endpoint` is invalid.
    pub fn bind(&mut self, socket: SocketId, endpoint: &str) {
        let endpoint = endpoint.parse().expect("the endpoint must be valid");
        self[socket].bind(endpoint);
    }

    /// Connects a socket of this node to an endpoint, and returns the pipe of the connection.
    ///
    /// # Panics
    /// If `endpoint` is invalid, or the socket returns an error.
    pub fn connect(&mut self, socket: SocketId, endpoint: &str) -> PipeId {
        let now = self.now();
        let endpoint = endpoint.parse().expect("the endpoint must be valid");
        self[socket].connect(endpoint, now).expect("the socket must be able to connect")
    }

    /// Sets the timer `key` of the application, which has a turn at the time `at`, or at once if this time has passed. A
    /// timer that was set before with this key is replaced.
    pub fn set_timer(&mut self, key: u64, at: Instant) {
        self.clear_timer(key);
        self.program().timers.set(key, at);
    }

    /// Clears the timer `key` of the application, also if the timer has expired and [`poll_timer`](Self::poll_timer) has
    /// not returned it yet.
    pub fn clear_timer(&mut self, key: u64) {
        let program = self.program();
        program.timers.clear(key);
        program.expired.retain(|&expired| expired != key);
    }

    /// Returns the key of a timer that has expired since the last turn, the earliest first. Returns each timer once. Timers
    /// that the application does not take in this turn are forgotten.
    pub fn poll_timer(&mut self) -> Option<u64> {
        self.program().expired.pop_front()
    }

    /// Returns a random source, which the seed of the network determines.
    pub const fn entropy(&mut self) -> &mut SeededEntropy {
        &mut self.net.dice
    }

    /// Adds a line to the [trace](Net::trace) of the network, after the name of this node.
    pub fn note(&mut self, what: fmt::Arguments<'_>) {
        self.net.note_node(self.node, what);
    }

    fn program(&mut self) -> &mut Program {
        self.net.nodes[self.node.0].program.as_mut().expect("only the program of a node has a context")
    }

    fn assert_own(&self, socket: SocketId) {
        assert!(socket.node == self.node, "{socket:?} does not belong to {:?}", self.node);
    }
}

impl Index<SocketId> for NodeContext<'_> {
    type Output = Socket;

    fn index(&self, id: SocketId) -> &Socket {
        self.assert_own(id);
        &self.net.nodes[self.node.0].sockets[id.index].socket
    }
}

impl IndexMut<SocketId> for NodeContext<'_> {
    fn index_mut(&mut self, id: SocketId) -> &mut Socket {
        self.assert_own(id);
        self.net.touched.insert(id);
        &mut self.net.nodes[self.node.0].sockets[id.index].socket
    }
}

/// State of a node.
#[derive(Debug)]
pub(super) struct Node {
    /// Sockets in the order of their creation. Empty after a crash.
    pub(super) sockets: Vec<SocketState>,
    /// Program that [`Net::node`] has installed; `None` if the test drives the socket of the node.
    program: Option<Program>,
    pub(super) frozen: bool,
    pub(super) suspended: bool,
    /// True after a crash, until the node is started again.
    pub(super) down: bool,
}

#[derive(Debug)]
pub(super) struct SocketState {
    pub(super) socket: Socket,
    pub(super) ends: BTreeMap<PipeId, End>,
}

/// One end of a simulated connection (a [`Wire`](super::wire::Wire)), with the session of the socket at this end.
#[derive(Debug)]
pub(super) struct End {
    // In a box, because a tree allocates room for eleven values, and a node usually has one connection.
    pub(super) session: Box<Session>,
    pub(super) wire: WireId,
    pub(super) side: Side,
    /// True if the ZMTP handshake of this connection is complete.
    pub(super) ready: bool,
}

struct Program {
    /// Function that creates the sockets and the application at each start; `None` while it is called.
    start: Option<Start>,
    /// The application; `None` during its turn, and after a crash.
    running: Option<Box<dyn Application>>,
    timers: Deadlines<u64>,
    /// Keys of the timers that have expired since the last turn and that the application has not taken yet.
    expired: VecDeque<u64>,
}

type Start = Box<dyn FnMut(&mut NodeContext<'_>) -> Box<dyn Application> + Send>;

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { timers, expired, .. } = self;
        f.debug_struct("Program").field("timers", timers).field("expired", expired).finish_non_exhaustive()
    }
}

impl Node {
    /// Creates a node with a socket that the test drives.
    pub(super) fn with_socket(socket: SocketState) -> Self {
        Self { sockets: Vec::from([socket]), program: None, frozen: false, suspended: false, down: false }
    }

    pub(super) const fn has_program(&self) -> bool {
        self.program.is_some()
    }

    /// Drops the application with its timers.
    pub(super) fn end_application(&mut self) {
        if let Some(program) = &mut self.program {
            program.running = None;
            program.timers = Deadlines::new();
            program.expired.clear();
        }
    }
}

impl Net {
    /// Adds a node and starts its program. `start` creates the sockets of the node, and returns the application; a
    /// closure can be one. `start` is called now, and again whenever the node [starts](Self::start) after a crash, so what
    /// `start` itself has captured survives a crash, as a disk does.
    pub fn node<A: Application>(
        &mut self,
        mut start: impl FnMut(&mut NodeContext<'_>) -> A + Send + 'static,
    ) -> NodeId {
        let start: Start = Box::new(move |node| Box::new(start(node)));
        let program = Program { start: Some(start), running: None, timers: Deadlines::new(), expired: VecDeque::new() };
        let node = self.add_node(Node {
            sockets: Vec::new(),
            program: Some(program),
            frozen: false,
            suspended: false,
            down: true,
        });
        self.start(node);
        node
    }

    pub(super) fn add_node(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        NodeId(self.nodes.len() - 1)
    }

    /// Returns the application of a node. Returns `None` if the node has crashed or its application has another type.
    pub fn application<A: Application>(&self, node: NodeId) -> Option<&A> {
        let running: &dyn Any = &**self.nodes[node.0].program.as_ref()?.running.as_ref()?;
        running.downcast_ref()
    }

    /// Returns the application of a node, which then has a turn. Returns `None` if the node has crashed or its
    /// application has another type.
    pub fn application_mut<A: Application>(&mut self, node: NodeId) -> Option<&mut A> {
        self.awake.insert(node);
        let running: &mut dyn Any = &mut **self.nodes[node.0].program.as_mut()?.running.as_mut()?;
        running.downcast_mut()
    }

    /// Starts the program of a node that has crashed. The connections that the node had before the crash are reset, now
    /// that the node can reach its peers again. Does nothing if the node is running.
    ///
    /// # Panics
    /// If the node has no program; [`restart`](Self::restart) starts a node with a socket that the test drives.
    pub fn start(&mut self, node: NodeId) {
        if !self.nodes[node.0].down {
            return;
        }
        self.note_node(node, format_args!("starts"));
        self.set_up(node);
        let mut start = self.nodes[node.0].program.as_mut().and_then(|program| program.start.take());
        let start_now = start.as_mut().expect("a node without a program is started with `restart`");
        let running = start_now(&mut NodeContext { net: self, node });
        let program = self.nodes[node.0].program.as_mut().expect("the program was found above");
        (program.start, program.running) = (start, Some(running));
        self.awake.insert(node);
        self.arm_alarm(node);
    }

    /// Gives a turn to each application that is awake, in a random order. Returns false if there was none.
    pub(super) fn run_applications(&mut self) -> bool {
        let mut awake = Vec::from_iter(core::mem::take(&mut self.awake));
        let mut busy = false;
        while !awake.is_empty() {
            let chosen = self.dice.below(awake.len() as u64);
            let node = awake.swap_remove(usize::try_from(chosen).expect("an index below a length"));
            busy |= self.run_application(node);
        }
        busy
    }

    fn run_application(&mut self, node: NodeId) -> bool {
        let Node { program: Some(program), suspended: false, .. } = &mut self.nodes[node.0] else { return false };
        let Some(mut running) = program.running.take() else { return false };
        program.expired.clear();
        while let Some(key) = program.timers.pop_due(self.now) {
            program.expired.push_back(key);
        }
        running.turn(&mut NodeContext { net: self, node });
        let program = self.nodes[node.0].program.as_mut().expect("the program was found above");
        program.running = Some(running);
        self.arm_alarm(node);
        true
    }

    fn arm_alarm(&mut self, node: NodeId) {
        let next = self.nodes[node.0].program.as_ref().and_then(|program| program.timers.next());
        self.alarms.set_or_clear(node, next);
    }

    /// Records that a socket was used, except by the application of its node, which then has a turn.
    pub(super) fn touch(&mut self, id: SocketId) {
        self.touched.insert(id);
        if self.nodes[id.node.0].has_program() {
            self.awake.insert(id.node);
        }
    }
}
