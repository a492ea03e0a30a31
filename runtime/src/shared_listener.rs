//! [`SharedListener`]: a port, which is one listener and the sockets that are bound to it. Each of these sockets has
//! its own resource, a name by which peers select the socket (RFC 37, "The Resource Property").
//!
//! The runtime of the first socket that binds opens the listener; sockets that bind later share it. The listener stays
//! open until the last socket has unbound. Usually one socket is bound to a port, without a resource; then each
//! connection belongs to this socket from the first byte. At a shared port, a connection waits until its peer has
//! requested a resource, and is then assigned to the socket that is bound to this resource. Until then the connection
//! is called unassigned.
//!
//! Lock order: the lock of a port may be taken while a socket is locked. No lock may be taken while a port is locked.

use crate::context::SocketListener;
use crate::listener_task::ListenGuard;
use crate::process::PerProcess;
use crate::state::{Shared, State, remember};
use crate::sync::{Mutex, MutexGuard};
use crate::wakes::Wakes;
use core::task::{Poll, Waker};
use sansmq_proto::address::Resource;
use sansmq_proto::connection::{ConnectionConfig, PendingPeer};
use sansmq_proto::{Action, ConnectionError, Endpoint, ListenerId, NetworkError};
use std::collections::BTreeMap;
// The lock of a static variable is not one of `loom`: `loom` creates its objects anew for each interleaving.
use std::sync::{Arc, Mutex as StaticMutex, MutexGuard as StaticGuard, OnceLock, PoisonError, Weak};

pub(crate) struct SharedListener {
    /// Endpoint that was passed to `bind` of the first socket at this port, without the resource. Its port number may
    /// be a wildcard.
    pub(crate) requested: Endpoint,
    /// Settings of the socket that opened the port. They apply to each connection until it is assigned to a socket.
    pub(crate) limits: Arc<ConnectionConfig>,
    /// Error that closing the listener caused, for example because the file of its Unix domain socket had already been
    /// removed. Empty before the listener is closed, and if closing caused no error.
    pub(crate) failure: OnceLock<NetworkError>,
    /// Counter of the connections that wait to be assigned to a socket: each of them holds a clone of this `Arc`, so
    /// the reference count is one more than their number.
    pub(crate) unassigned: Arc<()>,
    /// Network of the runtime that opens the listener, see [`Runtime::network`](crate::Runtime::network). Empty until
    /// the task of the listener exists.
    pub(crate) network: OnceLock<u64>,
    state: Mutex<ListenerState>,
}

/// Ports of the process that no socket uses any more, and that are not closed yet. A bind to the address of such a port
/// waits until the port is closed.
// The lock of this list is taken while a socket and the registry of its context are locked. No lock may be taken while this
// list is locked.
static CLOSING: PerProcess<StaticMutex<Vec<ClosingPort>>> = PerProcess::new();

/// Port that is being closed, with the number of its network.
type ClosingPort = (u64, Weak<SharedListener>);

/// Maximum number of connections at one port that wait to be assigned to a socket. Further connections are closed at
/// once.
const MAX_UNASSIGNED: usize = 1024;

/// Mutable state of a port: its listener and the sockets that share it.
#[derive(Default)]
struct ListenerState {
    /// Bound endpoint of the listener; `None` until the listener is open.
    bound: Option<Endpoint>,
    members: BTreeMap<Option<Resource>, SocketListener>,
    /// Socket that was the last to unbind. Its `unbind` or `close` waits until the address is free. `None` while a
    /// socket is bound.
    last: Option<SocketListener>,
    /// Socket with the timer that ends the latest pause in accepting connections. Such a pause begins after a failed
    /// accept. Not cleared when the pause ends. `None` if there was no pause, or if this socket has unbound.
    pausing: Option<SocketListener>,
    /// Waker of the task that accepts connections from the listener. Woken when a socket unbinds, and when a pause in
    /// accepting ends.
    task: Option<Waker>,
    /// Wakers of the tasks of connections that wait to be assigned to a socket. The key is the number that
    /// [`SharedListener::ticket`] gave to the connection.
    waiting: BTreeMap<u64, Waker>,
    tickets: u64,
    /// Progress of the end of the port.
    end: PortEnd,
}

/// Progress of the end of a port.
enum PortEnd {
    /// The port is open, is being opened, or is being closed. Carries the wakers of the tasks that wait to bind to the
    /// address of this port.
    Pending(Vec<Waker>),
    /// The listener is closed and its address is free.
    Closed,
}

impl Default for PortEnd {
    fn default() -> Self {
        Self::Pending(Vec::new())
    }
}

/// Sockets and tasks to notify after a port was closed or could not be opened.
pub(crate) struct ClosedListener {
    /// Sockets that were still bound to the port, each with the id of its listener.
    pub(crate) members: Vec<SocketListener>,
    pub(crate) last: Option<SocketListener>,
    /// Wakers of the listener's task, and of connections that wait to be assigned to a socket. They must be woken after
    /// all locks are released.
    pub(crate) tasks: Vec<Waker>,
}

/// Outcome of binding a socket to a port, a listener that several sockets can share.
pub(crate) enum JoinOutcome {
    /// The port is new and the socket is the first that is bound to it. This socket must open the listener. Carries the
    /// port.
    New(Arc<SharedListener>),
    /// The socket is now bound to an existing port. Carries the port, the bound endpoint if the listener is already
    /// open, and the wakers of the connections that wait to be assigned to a socket. These connections may now be
    /// assigned to this socket.
    Joined(Arc<SharedListener>, Option<Endpoint>, Vec<Waker>),
    /// The socket cannot bind to the port: another socket at the port has the same resource, or the settings of the
    /// socket do not allow sharing this port.
    Refused,
}

impl SharedListener {
    pub(crate) fn new(
        requested: Endpoint,
        resource: Option<Resource>,
        first: SocketListener,
        limits: &Arc<ConnectionConfig>,
    ) -> Arc<Self> {
        let state = ListenerState { members: BTreeMap::from([(resource, first)]), ..ListenerState::default() };
        Arc::new(Self {
            requested,
            limits: Arc::clone(limits),
            failure: OnceLock::new(),
            unassigned: Arc::default(),
            network: OnceLock::new(),
            state: Mutex::new(state),
        })
    }

    fn state(&self) -> MutexGuard<'_, ListenerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns true if a socket that binds to `endpoint` can share this port. This requires that `endpoint` is the
    /// argument of the `bind` that opened the port, or the address to which the port is bound. Returns false if
    /// `endpoint` is not a TCP endpoint or has a wildcard port, because such endpoints are never shared.
    pub(crate) fn is_at(&self, endpoint: &Endpoint) -> bool {
        let Endpoint::Tcp { port: 1.., .. } = endpoint else { return false };
        let address = endpoint.socket_addr();
        let matches = |known: &Endpoint| known == endpoint || (address.is_some() && known.socket_addr() == address);
        matches(&self.requested) || self.state().bound.as_ref().is_some_and(matches)
    }

    /// Returns true if the port can accept one more connection that waits to be assigned to a socket: a socket is bound
    /// to the port, and fewer than [`MAX_UNASSIGNED`] connections wait.
    pub(crate) fn has_room(&self) -> bool {
        Arc::strong_count(&self.unassigned) <= MAX_UNASSIGNED && !self.state().members.is_empty()
    }

    /// Returns true if none of the sockets at this port has a resource, the name by which peers select a socket.
    pub(crate) fn is_plain(&self) -> bool {
        self.state().members.keys().all(Option::is_none)
    }

    /// Binds a further socket to this port. `member` is the socket with its listener, `resource` is the name by which
    /// peers select this socket, and `config` are the settings of the socket. The socket is refused if another socket
    /// at the port has the same resource, or if `config` does not allow sharing the port.
    pub(crate) fn join(
        self: &Arc<Self>,
        resource: Option<Resource>,
        member: SocketListener,
        config: &ConnectionConfig,
    ) -> JoinOutcome {
        let mut state = self.state();
        if state.members.contains_key(&resource) || !self.limits.may_share_with(config) {
            return JoinOutcome::Refused;
        }
        state.members.insert(resource, member);
        let waiting = core::mem::take(&mut state.waiting).into_values().collect();
        JoinOutcome::Joined(Arc::clone(self), state.bound.clone(), waiting)
    }

    /// Unbinds a socket from the port. `member` is the socket with its listener. Returns the number of sockets that are
    /// still bound, and the wakers of the tasks to wake: the listener's task, and connections that wait to be assigned
    /// to a socket.
    pub(crate) fn leave(self: &Arc<Self>, member: &SocketListener) -> (usize, Vec<Waker>) {
        let mut state = self.state();
        let before = state.members.len();
        state.members.retain(|_, other| !other.is(member));
        let is_last = state.members.is_empty() && before > 0;
        if is_last {
            state.last = Some(member.clone());
        }
        state.pausing.take_if(|pausing| pausing.is(member));
        let result = (state.members.len(), state.tasks());
        drop(state);
        // Without a network, the listener has not been opened.
        if is_last && let Some(&network) = self.network.get() {
            closing_ports().push((network, Arc::downgrade(self)));
        }
        result
    }

    /// Returns the ports of this process that are being closed and that could prevent a listener at `endpoint`.
    /// `network` is the network of this listener.
    pub(crate) fn closing_at(endpoint: &Endpoint, network: u64) -> Vec<Arc<Self>> {
        let closing = closing_ports();
        let mut ports: Vec<_> =
            closing.iter().filter(|(other, _)| *other == network).filter_map(|(_, port)| port.upgrade()).collect();
        drop(closing);
        ports.retain(|port| port.may_block(endpoint));
        ports
    }

    /// Returns true if this port could prevent a listener at `endpoint`. True for every TCP endpoint with the same port
    /// number, because a wildcard address or a host name can include any address.
    fn may_block(&self, endpoint: &Endpoint) -> bool {
        let state = self.state();
        match (state.bound.as_ref().unwrap_or(&self.requested), endpoint) {
            (Endpoint::Tcp { port: ours, .. }, Endpoint::Tcp { port, .. }) => ours == port,
            (bound, endpoint) => bound == endpoint,
        }
    }

    /// Returns `Ready` if the listener of this port is closed. Otherwise registers `waker`, to be woken when the
    /// listener is closed.
    pub(crate) fn poll_closed(&self, waker: &Waker) -> Poll<()> {
        match &mut self.state().end {
            PortEnd::Closed => Poll::Ready(()),
            PortEnd::Pending(wakers) => {
                if !wakers.iter().any(|known| known.will_wake(waker)) {
                    wakers.push(waker.clone());
                }
                Poll::Pending
            }
        }
    }

    /// Records that the listener of this port is closed, and returns the wakers of the tasks that wait to bind to its
    /// address.
    fn set_closed(self: &Arc<Self>) -> Vec<Waker> {
        closing_ports().retain(|(_, port)| port.strong_count() > 0 && !port.ptr_eq(&Arc::downgrade(self)));
        match core::mem::replace(&mut self.state().end, PortEnd::Closed) {
            PortEnd::Pending(wakers) => wakers,
            PortEnd::Closed => Vec::new(),
        }
    }

    /// Stores `bound`, the endpoint to which the listener is bound, after the listener was opened. Returns the sockets
    /// at this port, which the caller must notify, each with its own endpoint. The endpoint of a socket is `bound`,
    /// with the socket's resource added if the socket has one. A resource is a name by which peers select the socket.
    pub(crate) fn opened(&self, bound: Endpoint) -> Vec<(Endpoint, SocketListener)> {
        let mut state = self.state();
        let with_endpoint = |(resource, member): (&Option<Resource>, &SocketListener)| {
            (bound.clone().with_resource(resource.clone()), member.clone())
        };
        let notified = state.members.iter().map(with_endpoint).collect();
        state.bound = Some(bound);
        notified
    }

    /// Unbinds all sockets, because the listener is closed or could not be opened. Returns the sockets and tasks to
    /// notify.
    pub(crate) fn closed(&self) -> ClosedListener {
        let mut state = self.state();
        let members = core::mem::take(&mut state.members).into_values().collect();
        ClosedListener { members, last: state.last.take(), tasks: state.tasks() }
    }

    /// Returns the socket that was the last to unbind, or `None` while a socket is bound.
    pub(crate) fn last(&self) -> Option<SocketListener> {
        self.state().last.clone()
    }

    pub(crate) fn members(&self) -> Vec<SocketListener> {
        self.state().members.values().cloned().collect()
    }

    /// Returns true if a socket is bound to the port. Registers the waker of the listener's task, to be woken when a
    /// socket unbinds.
    pub(crate) fn poll_members(&self, waker: &Waker) -> bool {
        let mut state = self.state();
        let spent = remember(&mut state.task, waker);
        let has_members = !state.members.is_empty();
        drop(state);
        drop(spent);
        has_members
    }

    /// Returns the socket with the timer that ends the latest pause in accepting connections. Such a pause begins after
    /// a failed accept, and may have ended since. Returns `None` if there was no pause, or if the socket has unbound.
    pub(crate) fn pausing(&self) -> Option<SocketListener> {
        self.state().pausing.clone()
    }

    /// Selects, stores and returns one of the sockets that share the port. Called after a failed accept, when a pause
    /// in accepting connections begins. A timer of the returned socket ends the pause. Returns `None` if no socket is
    /// bound to the port.
    pub(crate) fn pause(&self) -> Option<SocketListener> {
        let mut state = self.state();
        // One timer is enough, so any member will do.
        state.pausing = state.members.values().next().cloned();
        state.pausing.clone()
    }

    pub(crate) fn take_task(&self) -> Option<Waker> {
        self.state().task.take()
    }

    /// Returns true if all connections at the port belong to the socket of `member`. This requires that no other socket
    /// is bound to the port, and that the socket of `member` is bound without a resource, the name by which peers
    /// select a socket.
    pub(crate) fn is_for(&self, member: &SocketListener) -> bool {
        let state = self.state();
        state.members.len() == 1 && state.members.get(&None).is_some_and(|only| only.is(member))
    }

    /// Returns a new number, which identifies a connection while it waits to be assigned to a socket.
    pub(crate) fn ticket(&self) -> u64 {
        let mut state = self.state();
        state.tickets += 1;
        state.tickets
    }

    /// Returns the socket to which a connection at a shared port must be assigned: the socket that is bound to the
    /// resource which the peer requests. `caller` is the peer of the connection, or `None` if the peer has not
    /// requested a resource yet. `ticket` is the number of the connection. If there is no such socket, returns `None`
    /// and stores `waker`, to be woken when a socket binds or unbinds.
    ///
    /// # Errors
    /// [`ConnectionError::LocallyClosed`] if no socket is bound to the port any more. No socket can then
    /// bind to it again.
    pub(crate) fn find(
        &self,
        caller: Option<&PendingPeer>,
        ticket: u64,
        waker: &Waker,
    ) -> Result<Option<SocketListener>, ConnectionError> {
        let mut state = self.state();
        if state.members.is_empty() {
            return Err(ConnectionError::LocallyClosed);
        }
        let found = caller.and_then(|caller| state.members.get(&caller.resource().cloned()).cloned());
        let spent = match found {
            Some(_) => state.waiting.remove(&ticket),
            None => state.waiting.insert(ticket, waker.clone()),
        };
        drop(state);
        drop(spent);
        Ok(found)
    }

    /// Removes the waker of the connection with the number `ticket`, which has ended before it was assigned to a
    /// socket.
    pub(crate) fn forget(&self, ticket: u64) {
        let spent = self.state().waiting.remove(&ticket);
        drop(spent);
    }
}

impl ListenerState {
    /// Takes the wakers of all tasks that wait for a socket to bind or unbind: the tasks of the connections that wait
    /// to be assigned to a socket, and the listener's task.
    fn tasks(&mut self) -> Vec<Waker> {
        core::mem::take(&mut self.waiting).into_values().chain(self.task.take()).collect()
    }
}

impl State {
    fn member(&self, listener: ListenerId) -> SocketListener {
        SocketListener { socket: Weak::clone(&self.me), listener }
    }

    /// Binds listener `id` of this socket to `endpoint`: opens a new port, or shares the port that is already open
    /// there.
    pub(crate) fn open(&mut self, id: ListenerId, mut endpoint: Endpoint, shared: &Shared, wakes: &mut Wakes) {
        let resource = endpoint.resource().cloned();
        endpoint = endpoint.with_resource(None);
        match shared.context.enter(&endpoint, resource.clone(), self.member(id), self.socket.config()) {
            JoinOutcome::New(port) => {
                self.listeners.insert(id, Arc::clone(&port));
                self.hosted.insert(id, port);
                self.add_action((Action::Listen(id, endpoint), 0), wakes);
            }
            JoinOutcome::Joined(port, bound, waiting) => {
                drop(self.bound_listeners.remove(&id));
                self.listeners.insert(id, port);
                if let Some(bound) = bound {
                    self.socket.listening(id, bound.with_resource(resource));
                }
                for waker in waiting {
                    wakes.add(Some(waker));
                }
            }
            JoinOutcome::Refused => {
                drop(self.bound_listeners.remove(&id));
                self.socket.listen_failed(id, NetworkError::AddressInUse);
            }
        }
    }

    /// Unbinds listener `id` of this socket from its port. If other sockets share the port, the listener is removed
    /// from this socket at once. Otherwise it is removed when the port is closed.
    pub(crate) fn quit(&mut self, id: ListenerId, shared: &Shared, wakes: &mut Wakes) {
        if let Some(port) = self.listeners.get(&id) {
            let (left, tasks) = shared.context.leave(port, &self.member(id));
            for task in tasks {
                wakes.add(Some(task));
            }
            if left > 0 {
                self.listeners.remove(&id);
                self.notify_watchers();
            }
        }
    }

    /// Removes listener `id` from [`State::listeners`], after its port was closed or could not be opened. Wakes the
    /// calls of this socket that wait for this, such as `unbind`.
    pub(crate) fn port_closed(&mut self, id: ListenerId) {
        self.listeners.remove(&id);
        self.notify_watchers();
    }
}

impl ListenGuard {
    /// Closes the port of this guard, so that no socket can bind to it any more. Reports this to the sockets that are
    /// still bound to the port and to the last socket that unbound. Wakes the connections that wait to be assigned to a
    /// socket.
    pub(crate) fn end(&self) {
        let closed = self.shared.context.close_port(&self.port);
        for member in closed.members {
            member.with(|state| {
                let opened = state.socket.listener(member.listener).is_some();
                if opened {
                    state.socket.listener_lost(member.listener);
                } else {
                    // The task was dropped before it reported an outcome.
                    state.socket.listen_failed(member.listener, NetworkError::Other);
                }
                state.port_closed(member.listener);
            });
        }
        if let Some(last) = closed.last {
            last.with(|state| state.port_closed(last.listener));
        }
        for task in closed.tasks.into_iter().chain(self.port.set_closed()) {
            task.wake();
        }
    }
}

fn closing_ports() -> StaticGuard<'static, Vec<ClosingPort>> {
    CLOSING.get_or_init(StaticMutex::default).lock().unwrap_or_else(PoisonError::into_inner)
}
