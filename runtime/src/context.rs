//! [`Context`]: the registry of `inproc` names and of the ports that sockets share.

use crate::process::PerProcess;
use crate::shared_listener::{ClosedListener, JoinOutcome, SharedListener};
use crate::state::{Shared, State};
use crate::sync::{Mutex, MutexGuard};
use core::fmt;
use core::task::Waker;
use sansmq_proto::connection::MemoryBudget;
use sansmq_proto::socket::Port;
use sansmq_proto::{Endpoint, ListenerId, PipeId, Socket};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, Weak};

/// Namespace of `inproc` endpoints. Sockets of one context can connect to each other over `inproc`, even if they run on
/// different runtimes. Sockets of one context can also share a TCP port. Peers then select one of these sockets by its
/// [`Resource`](sansmq_proto::address::Resource), a name that the socket has at this port.
///
/// Sockets belong to the [global](Self::global) context of the process unless another context is given when they are created.
/// So only libraries and tests that need separate names create a context (libzmq: `zmq_ctx_new`).
///
/// A program should call [`close`](Self::close) before it ends, so that all its sockets send their queued messages.
#[doc(alias("zmq_ctx_new", "zmq_init", "zctx"))]
#[derive(Clone, Default)]
pub struct Context(Arc<Mutex<Registry>>);

/// Weak reference to a [`Context`], which does not keep the context in memory.
#[derive(Clone)]
pub(crate) struct WeakContext(Weak<Mutex<Registry>>);

#[derive(Default)]
pub(crate) struct Registry {
    bound: BTreeMap<String, SocketListener>,
    /// `inproc` names to which no socket is bound yet. The value of each name is the list of pipes that wait for a
    /// socket to bind to it.
    connecting: BTreeMap<String, Vec<InprocConnector>>,
    ports: Vec<Arc<SharedListener>>,
    /// Number of ZAP requests (authentication requests of RFC 27) made in this context so far. The number after each
    /// increment is the id of the new request.
    questions: u64,
    /// Sockets of this context that are in memory, by the address of their shared state.
    sockets: BTreeMap<usize, RegisteredSocket>,
    /// Memory that the sockets of this context hold together; `None` without a limit of this memory.
    budget: Option<Arc<MemoryBudget>>,
}

/// Socket of a context.
struct RegisteredSocket {
    shared: Weak<Shared>,
    /// True for blocking sockets; see [`Handle::exit_guard`](crate::Handle::exit_guard).
    is_blocking: bool,
}

/// Weak reference to a socket, with the id of one `bind` of this socket. With this `bind`, the socket has bound to an
/// `inproc` name, or to a port that several sockets can share ([`SharedListener`]).
#[derive(Clone)]
pub(crate) struct SocketListener {
    pub(crate) socket: Weak<Shared>,
    pub(crate) listener: ListenerId,
}

impl PartialEq for SocketListener {
    fn eq(&self, other: &Self) -> bool {
        self.socket.ptr_eq(&other.socket) && self.listener == other.listener
    }
}

impl SocketListener {
    /// Locks the socket to which this value refers, and calls `work` with the state of the socket. Returns `None`,
    /// without a call of `work`, if the socket no longer exists. The caller must hold no lock.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut State) -> R) -> Option<R> {
        self.socket.upgrade().map(|socket| socket.with(work))
    }
}

/// Weak reference to a socket, with the id of one of its pipes. The socket created this pipe to connect to an `inproc`
/// name.
#[derive(Clone)]
pub(crate) struct InprocConnector {
    pub(crate) socket: Weak<Shared>,
    pub(crate) pipe: PipeId,
}

impl InprocConnector {
    fn is(&self, other: &Self) -> bool {
        self.socket.ptr_eq(&other.socket) && self.pipe == other.pipe
    }
}

impl WeakContext {
    pub(crate) fn upgrade(&self) -> Option<Context> {
        self.0.upgrade().map(Context)
    }
}

impl Context {
    /// Creates a context in which no `inproc` name and no port is in use.
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a context with a limit, in bytes, of the memory that all its sockets together hold: in queues, in
    /// connections, and for the properties and subscriptions of peers. There is no limit in a context that [`new`](Self::new) creates, and in
    /// the global context; libzmq has no such limit.
    ///
    /// While the sockets hold more, a queue of a peer with 64 KiB or more is full: the socket stops reading from the peer, or
    /// handles a message to send as the socket type specifies for a full queue. A connection with an incomplete message of
    /// more than 64 KiB ends with [`ConnectionError::MemoryLimit`](sansmq_proto::ConnectionError::MemoryLimit), as does that of
    /// a peer which adds a subscription to others that hold 64 KiB. Other peers are served as usual, so the limit can be
    /// exceeded by about 192 KiB and two messages per peer; `max_peers` bounds this excess. Over `inproc`, the limit can also
    /// be exceeded by the outgoing queue of a peer that is busy, and by the messages under way, at most 32.
    pub fn with_memory_limit(bytes: usize) -> Self {
        let context = Self::new();
        context.registry().budget = Some(Arc::new(MemoryBudget::new(bytes)));
        context
    }

    /// Returns the memory that the sockets of this context hold, and its limit. Returns `None` without a limit, because the
    /// memory is then not counted; [`Handle::stats`](crate::Handle::stats) returns that of one socket.
    pub fn memory_budget(&self) -> Option<Arc<MemoryBudget>> {
        self.registry().budget.clone()
    }

    /// Returns the global context of the process, to which sockets belong by default. A forked child has a global
    /// context of its own.
    pub fn global() -> Self {
        static GLOBAL: PerProcess<Context> = PerProcess::new();
        GLOBAL.get_or_init(Self::new).clone()
    }

    /// Locks the registry of names and ports.
    fn registry(&self) -> MutexGuard<'_, Registry> {
        // Lock order: sockets look names up under their own lock, so no socket may be locked while this lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Binds a socket to the `inproc` name `name`. `listener` is the socket with the id of its `bind`. Returns the
    /// pipes that already wait to connect to this name, or `None` if the name is already in use.
    pub(crate) fn bind(&self, name: &str, listener: SocketListener) -> Option<Vec<InprocConnector>> {
        let mut registry = self.registry();
        if registry.bound.contains_key(name) {
            return None;
        }
        registry.bound.insert(name.to_owned(), listener);
        Some(registry.connecting.remove(name).unwrap_or_default())
    }

    /// Returns the socket that is bound to the `inproc` name, with the id of its `bind`. Returns `None` if no socket is
    /// bound to the name.
    pub(crate) fn bound(&self, name: &str) -> Option<SocketListener> {
        self.registry().bound.get(name).cloned()
    }

    /// Counts a new ZAP request (authentication request of RFC 27) and returns its number, which is unique within the
    /// context.
    pub(crate) fn number_question(&self) -> u64 {
        let mut registry = self.registry();
        registry.questions += 1;
        registry.questions
    }

    /// Adds a new socket to the list of the sockets of this context.
    pub(crate) fn register(&self, shared: &Arc<Shared>) {
        let socket = RegisteredSocket { shared: Arc::downgrade(shared), is_blocking: false };
        self.registry().sockets.insert(address(shared), socket);
    }

    /// Records that a socket of this context is used by blocking calls.
    pub(crate) fn set_blocking(&self, shared: &Arc<Shared>) {
        if let Some(socket) = self.registry().sockets.get_mut(&address(shared)) {
            socket.is_blocking = true;
        }
    }

    /// Removes a socket from the list of the sockets of this context. Called when the shared state of the socket is
    /// dropped.
    pub(crate) fn unregister(&self, shared: &Shared) {
        self.registry().sockets.remove(&address(shared));
    }

    /// Returns the sockets of this context that are in memory.
    pub(crate) fn sockets(&self) -> Vec<Arc<Shared>> {
        self.registry().sockets.values().filter_map(|socket| socket.shared.upgrade()).collect()
    }

    /// Returns the blocking sockets of this context that are in memory.
    pub(crate) fn blocking_sockets(&self) -> Vec<Arc<Shared>> {
        let registry = self.registry();
        let blocking = registry.sockets.values().filter(|socket| socket.is_blocking);
        blocking.filter_map(|socket| socket.shared.upgrade()).collect()
    }

    /// Returns a weak reference to the context.
    pub(crate) fn downgrade(&self) -> WeakContext {
        WeakContext(Arc::downgrade(&self.0))
    }

    pub(crate) fn unbind(&self, name: &str) {
        self.registry().bound.remove(name);
    }

    /// Returns the socket that is bound to the `inproc` name, with the id of its `bind`. If no socket is bound to the
    /// name, stores `connector` (a socket with its connecting pipe) and returns `None`; the next [`bind`](Self::bind)
    /// of the name then returns `connector`.
    pub(crate) fn find(&self, name: &str, connector: InprocConnector) -> Option<SocketListener> {
        let mut registry = self.registry();
        let found = registry.bound.get(name).cloned();
        if found.is_none() {
            registry.connecting.entry(name.to_owned()).or_default().push(connector);
        }
        found
    }

    /// Binds a socket to the port at `endpoint`. A port ([`SharedListener`]) is one listener of the operating system,
    /// with all the sockets that share it. `member` is `socket` with the id of its `bind`.
    ///
    /// If a port of this `Context` is [shared](Port::is_shared_with) at `endpoint`, the socket joins it, or is
    /// refused. Otherwise registers a new port.
    pub(crate) fn enter(&self, endpoint: Endpoint, member: SocketListener, socket: &Socket) -> JoinOutcome {
        let mut registry = self.registry();
        if let Some(port) = registry.ports.iter().find(|port| port.is_shared_with(&endpoint, socket)) {
            return port.join(&endpoint, member, socket);
        }
        let port = SharedListener::new(Port::new(endpoint, member, socket));
        registry.ports.push(Arc::clone(&port));
        JoinOutcome::New(port)
    }

    /// Unbinds a socket from `port`. `member` contains the socket, and the id of the listener that its `bind` created.
    /// Returns true if a socket is still bound to `port`, and the wakers that the caller must wake after all
    /// locks are released. After the last socket has unbound, no socket can join `port` any more.
    pub(crate) fn leave(&self, port: &Arc<SharedListener>, member: &SocketListener) -> (bool, Vec<Waker>) {
        let mut registry = self.registry();
        let (is_in_use, tasks) = port.leave(member);
        if !is_in_use {
            registry.ports.retain(|other| !Arc::ptr_eq(other, port));
        }
        (is_in_use, tasks)
    }

    /// Unbinds all sockets that share `port`, because the operating system's listener at this port was closed or could
    /// not be opened. Returns the sockets and tasks that the caller must notify. Afterwards no socket can join `port`.
    pub(crate) fn close_port(&self, port: &Arc<SharedListener>) -> ClosedListener {
        let mut registry = self.registry();
        registry.ports.retain(|other| !Arc::ptr_eq(other, port));
        port.closed()
    }

    pub(crate) fn forget(&self, name: &str, connector: &InprocConnector) {
        let mut registry = self.registry();
        if let Some(seekers) = registry.connecting.get_mut(name) {
            seekers.retain(|other| !other.is(connector));
            if seekers.is_empty() {
                registry.connecting.remove(name);
            }
        }
    }
}

/// Returns the address of a socket's shared state, which identifies the socket while the state is in memory.
fn address(shared: &Shared) -> usize {
    core::ptr::from_ref(shared).addr()
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let registry = self.registry();
        f.debug_struct("Context")
            .field("bound", &registry.bound.keys())
            .field("sought", &registry.connecting.keys())
            .finish()
    }
}
