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
use sansmq_proto::connection::{ConnectionConfig, PendingPeer};
use sansmq_proto::socket::Port;
use sansmq_proto::{Action, ConnectionError, Endpoint, ListenerId, NetworkError, Socket};
use std::collections::BTreeMap;
// The lock of a static variable is not one of `loom`: `loom` creates its objects anew for each interleaving.
use std::sync::{Arc, Mutex as StaticMutex, MutexGuard as StaticGuard, OnceLock, PoisonError, Weak};

pub(crate) struct SharedListener {
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

/// Mutable state of a port: its rules, and the tasks that wait for it.
struct ListenerState {
    port: Port<SocketListener>,
    /// Socket that was the last to unbind. Its `unbind` or `close` waits until the address is free. `None` while a
    /// socket is bound.
    last: Option<SocketListener>,
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
    /// The socket cannot bind to the port, for this reason.
    Refused(NetworkError),
}

impl SharedListener {
    pub(crate) fn new(port: Port<SocketListener>) -> Arc<Self> {
        let end = PortEnd::Pending(Vec::new());
        let state = ListenerState { port, last: None, task: None, waiting: BTreeMap::new(), tickets: 0, end };
        Arc::new(Self {
            failure: OnceLock::new(),
            unassigned: Arc::default(),
            network: OnceLock::new(),
            state: Mutex::new(state),
        })
    }

    fn state(&self) -> MutexGuard<'_, ListenerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the endpoint at which the listener must be opened.
    pub(crate) fn requested(&self) -> Endpoint {
        self.state().port.requested().clone()
    }

    /// Returns the settings of a connection that is not assigned to a socket yet.
    pub(crate) fn limits(&self) -> Arc<ConnectionConfig> {
        Arc::clone(self.state().port.limits())
    }

    /// Returns true if `socket`, which binds to `endpoint`, must join this port; see [`Port::is_shared_with`].
    pub(crate) fn is_shared_with(&self, endpoint: &Endpoint, socket: &Socket) -> bool {
        self.state().port.is_shared_with(endpoint, socket)
    }

    /// Returns true if the port can accept one more connection that waits to be assigned to a socket: a socket is bound
    /// to the port, and fewer than [`Port::MAX_UNASSIGNED`] connections wait.
    pub(crate) fn has_room(&self) -> bool {
        Arc::strong_count(&self.unassigned) <= Port::<SocketListener>::MAX_UNASSIGNED && self.state().port.is_in_use()
    }

    /// Binds a further socket to this port; see [`Port::join`].
    pub(crate) fn join(self: &Arc<Self>, endpoint: &Endpoint, member: SocketListener, socket: &Socket) -> JoinOutcome {
        let mut state = self.state();
        match state.port.join(endpoint, member, socket) {
            Ok(bound) => {
                let waiting = core::mem::take(&mut state.waiting).into_values().collect();
                JoinOutcome::Joined(Arc::clone(self), bound, waiting)
            }
            Err(error) => JoinOutcome::Refused(error),
        }
    }

    /// Unbinds a socket from the port. `member` is the socket with its listener. Returns true if a socket is still bound, and
    /// the wakers of the tasks to wake: the listener's task, and connections that wait to be assigned to a socket.
    pub(crate) fn leave(self: &Arc<Self>, member: &SocketListener) -> (bool, Vec<Waker>) {
        let mut state = self.state();
        let has_left = state.port.leave(member);
        let is_in_use = state.port.is_in_use();
        let is_last = has_left && !is_in_use;
        if is_last {
            state.last = Some(member.clone());
        }
        let tasks = state.tasks();
        drop(state);
        // Without a network, the listener has not been opened.
        if is_last && let Some(&network) = self.network.get() {
            closing_ports().push((network, Arc::downgrade(self)));
        }
        (is_in_use, tasks)
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
        match (state.port.bound().unwrap_or_else(|| state.port.requested()), endpoint) {
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

    /// Stores the endpoint of the listener, which is open now; see [`Port::opened`].
    pub(crate) fn opened(&self, bound: Endpoint) -> Vec<(SocketListener, Endpoint)> {
        self.state().port.opened(bound)
    }

    /// Unbinds all sockets, because the listener is closed or could not be opened. Returns the sockets and tasks to
    /// notify.
    pub(crate) fn closed(&self) -> ClosedListener {
        let mut state = self.state();
        ClosedListener { members: state.port.close(), last: state.last.take(), tasks: state.tasks() }
    }

    /// Returns the socket that was the last to unbind, or `None` while a socket is bound.
    pub(crate) fn last(&self) -> Option<SocketListener> {
        self.state().last.clone()
    }

    pub(crate) fn members(&self) -> Vec<SocketListener> {
        self.state().port.members().cloned().collect()
    }

    /// Returns true if a socket is bound to the port. Registers the waker of the listener's task, to be woken when a
    /// socket unbinds.
    pub(crate) fn poll_members(&self, waker: &Waker) -> bool {
        let mut state = self.state();
        let spent = remember(&mut state.task, waker);
        let is_in_use = state.port.is_in_use();
        drop(state);
        drop(spent);
        is_in_use
    }

    /// Returns the socket with the timer of the latest pause in accepting connections; see [`Port::pausing`].
    pub(crate) fn pausing(&self) -> Option<SocketListener> {
        self.state().port.pausing().cloned()
    }

    /// Begins a pause in accepting connections; see [`Port::pause`].
    pub(crate) fn pause(&self) -> Option<SocketListener> {
        self.state().port.pause()
    }

    pub(crate) fn take_task(&self) -> Option<Waker> {
        self.state().task.take()
    }

    /// Returns true if all connections at the port belong to the socket of `member`; see [`Port::owner`].
    pub(crate) fn is_for(&self, member: &SocketListener) -> bool {
        self.state().port.owner() == Some(member)
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
        if !state.port.is_in_use() {
            return Err(ConnectionError::LocallyClosed);
        }
        let found = caller.and_then(|caller| state.port.find(caller).cloned());
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
    pub(crate) fn open(&mut self, id: ListenerId, endpoint: Endpoint, shared: &Shared, wakes: &mut Wakes) {
        match shared.context.enter(endpoint, self.member(id), &self.socket) {
            JoinOutcome::New(port) => {
                let endpoint = port.requested();
                self.listeners.insert(id, Arc::clone(&port));
                self.hosted.insert(id, port);
                self.add_action((Action::Listen(id, endpoint), 0), wakes);
            }
            JoinOutcome::Joined(port, bound, waiting) => {
                drop(self.bound_listeners.remove(&id));
                self.listeners.insert(id, port);
                if let Some(bound) = bound {
                    self.socket.listening(id, bound);
                }
                for waker in waiting {
                    wakes.add(Some(waker));
                }
            }
            JoinOutcome::Refused(error) => {
                drop(self.bound_listeners.remove(&id));
                self.socket.listen_failed(id, error);
            }
        }
    }

    /// Unbinds listener `id` of this socket from its port. If other sockets share the port, the listener is removed
    /// from this socket at once. Otherwise it is removed when the port is closed.
    pub(crate) fn quit(&mut self, id: ListenerId, shared: &Shared, wakes: &mut Wakes) {
        if let Some(port) = self.listeners.get(&id) {
            let (is_in_use, tasks) = shared.context.leave(port, &self.member(id));
            for task in tasks {
                wakes.add(Some(task));
            }
            if is_in_use {
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
