//! [`SharedListener`]: one listener and the sockets that share it, each with its own resource (RFC 37, "The Resource Property").
//!
//! The runtime of the first socket that binds opens the listener; sockets that bind later join. The listener stays open until
//! the last socket has left. Most ports belong to one socket without a resource; each connection belongs to that socket from
//! the first byte. At a shared port, a connection belongs to no socket until its peer has requested a resource.
//!
//! Lock order: the lock of a port may be taken while a socket is locked. No lock may be taken while a port is locked.

use crate::context::SocketListener;
use crate::listener_task::ListenGuard;
use crate::state::{Shared, State, remember};
use crate::sync::{Mutex, MutexGuard};
use crate::wakes::Wakes;
use core::task::Waker;
use sansmq_proto::address::Resource;
use sansmq_proto::connection::{ConnectionConfig, PendingPeer};
use sansmq_proto::{Action, ConnectionError, Endpoint, ListenerId, NetworkError};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, PoisonError, Weak};

pub(crate) struct SharedListener {
    /// Endpoint that the first socket has requested.
    requested: Endpoint,
    /// Settings of the first socket, which apply to a connection before it is assigned to a socket.
    pub(crate) limits: Arc<ConnectionConfig>,
    /// Error of closing the listener.
    pub(crate) failure: OnceLock<NetworkError>,
    /// Counts unassigned connections: each holds a clone.
    pub(crate) unassigned: Arc<()>,
    state: Mutex<ListenerState>,
}

/// Maximum number of unassigned connections to a port. Further connections are closed at once.
const MAX_UNASSIGNED: usize = 1024;

/// Mutable state of a port.
#[derive(Default)]
struct ListenerState {
    /// Bound endpoint, once the listener is open.
    bound: Option<Endpoint>,
    members: BTreeMap<Option<Resource>, SocketListener>,
    /// Last member that has left. Its `unbind` or `close` waits until the address is free.
    last: Option<SocketListener>,
    /// Member that keeps the timer of the latest pause in accepting. May still be set after the pause.
    pausing: Option<SocketListener>,
    /// Task of the listener.
    task: Option<Waker>,
    /// Tasks of unassigned connections, by ticket.
    waiting: BTreeMap<u64, Waker>,
    tickets: u64,
}

/// Members and tasks to notify when a port is closed or could not be opened.
pub(crate) struct ClosedListener {
    /// Members that had not left.
    pub(crate) members: Vec<SocketListener>,
    pub(crate) last: Option<SocketListener>,
    /// Tasks to wake after all locks are released.
    pub(crate) tasks: Vec<Waker>,
}

/// Outcome of a request to listen at a port.
pub(crate) enum JoinOutcome {
    /// New port. Its listener must be opened.
    New(Arc<SharedListener>),
    /// Existing port that was joined, its bound endpoint if its listener is already open, and the tasks to wake.
    Joined(Arc<SharedListener>, Option<Endpoint>, Vec<Waker>),
    /// Rejected: another socket is bound to the resource, or the socket's settings differ from the settings of the port.
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
            state: Mutex::new(state),
        })
    }

    fn state(&self) -> MutexGuard<'_, ListenerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns true if the port was requested at, or is bound to, `endpoint`. False for wildcard ports, which are never shared.
    pub(crate) fn is_at(&self, endpoint: &Endpoint) -> bool {
        let Endpoint::Tcp { port: 1.., .. } = endpoint else { return false };
        let address = endpoint.socket_addr();
        let matches = |known: &Endpoint| known == endpoint || (address.is_some() && known.socket_addr() == address);
        matches(&self.requested) || self.state().bound.as_ref().is_some_and(matches)
    }

    /// Returns true if one more unassigned connection may be accepted.
    pub(crate) fn has_room(&self) -> bool {
        Arc::strong_count(&self.unassigned) <= MAX_UNASSIGNED && !self.state().members.is_empty()
    }

    /// Returns true if no member is bound with a resource.
    pub(crate) fn is_plain(&self) -> bool {
        self.state().members.keys().all(Option::is_none)
    }

    /// Adds a member.
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

    /// Removes a member. Returns the number of members left, and the tasks to wake.
    pub(crate) fn leave(&self, member: &SocketListener) -> (usize, Vec<Waker>) {
        let mut state = self.state();
        let before = state.members.len();
        state.members.retain(|_, other| !other.is(member));
        if state.members.is_empty() && before > 0 {
            state.last = Some(member.clone());
        }
        state.pausing.take_if(|pausing| pausing.is(member));
        (state.members.len(), state.tasks())
    }

    /// Sets the bound endpoint. Returns each member to notify, with its endpoint.
    pub(crate) fn opened(&self, bound: Endpoint) -> Vec<(Endpoint, SocketListener)> {
        let mut state = self.state();
        let with_endpoint = |(resource, member): (&Option<Resource>, &SocketListener)| {
            (bound.clone().with_resource(resource.clone()), member.clone())
        };
        let notified = state.members.iter().map(with_endpoint).collect();
        state.bound = Some(bound);
        notified
    }

    /// Removes all members, because the listener is closed or could not be opened.
    pub(crate) fn closed(&self) -> ClosedListener {
        let mut state = self.state();
        let members = core::mem::take(&mut state.members).into_values().collect();
        ClosedListener { members, last: state.last.take(), tasks: state.tasks() }
    }

    /// Returns the last member that has left.
    pub(crate) fn last(&self) -> Option<SocketListener> {
        self.state().last.clone()
    }

    pub(crate) fn members(&self) -> Vec<SocketListener> {
        self.state().members.values().cloned().collect()
    }

    /// Returns true if the port has members. Registers the waker of the listener's task, to be woken when the members change.
    pub(crate) fn poll_members(&self, waker: &Waker) -> bool {
        let mut state = self.state();
        let spent = remember(&mut state.task, waker);
        let has_members = !state.members.is_empty();
        drop(state);
        drop(spent);
        has_members
    }

    /// Returns the member that keeps the timer of a pause in accepting.
    pub(crate) fn pausing(&self) -> Option<SocketListener> {
        self.state().pausing.clone()
    }

    /// Selects and returns the member that keeps the timer of a new pause in accepting.
    pub(crate) fn pause(&self) -> Option<SocketListener> {
        let mut state = self.state();
        // One timer is enough, so any member will do.
        state.pausing = state.members.values().next().cloned();
        state.pausing.clone()
    }

    pub(crate) fn take_task(&self) -> Option<Waker> {
        self.state().task.take()
    }

    /// Returns true if all connections belong to this member: it is the only member, and it is bound without a resource.
    pub(crate) fn is_for(&self, member: &SocketListener) -> bool {
        let state = self.state();
        state.members.len() == 1 && state.members.get(&None).is_some_and(|only| only.is(member))
    }

    /// Returns a new ticket, the number of an unassigned connection.
    pub(crate) fn ticket(&self) -> u64 {
        let mut state = self.state();
        state.tickets += 1;
        state.tickets
    }

    /// Returns the member that is bound to the resource which the pending peer requests. If there is no such member, or the peer
    /// has not requested a resource yet, returns `None` and registers the waker, to be woken when the members change.
    ///
    /// # Errors
    /// The port is closed: no socket is bound to it, and no socket can join.
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

    /// Removes the waker of an unassigned connection.
    pub(crate) fn forget(&self, ticket: u64) {
        let spent = self.state().waiting.remove(&ticket);
        drop(spent);
    }
}

impl ListenerState {
    /// Takes the wakers of all tasks that wait for a change of the members.
    fn tasks(&mut self) -> Vec<Waker> {
        core::mem::take(&mut self.waiting).into_values().chain(self.task.take()).collect()
    }
}

impl State {
    fn member(&self, listener: ListenerId) -> SocketListener {
        SocketListener { socket: Weak::clone(&self.me), listener }
    }

    /// Starts a listener at a new port, or joins an existing port.
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

    /// Leaves the port of a listener. If other members are left, the listener ends at once; otherwise it ends when the port is
    /// closed.
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

    /// Removes a listener after its port was closed or could not be opened.
    pub(crate) fn port_closed(&mut self, id: ListenerId) {
        self.listeners.remove(&id);
        self.notify_watchers();
    }
}

impl ListenGuard {
    /// Closes the port, and reports the end of the listener to all members and waiting tasks.
    pub(crate) fn end(&self) {
        let closed = self.shared.context.close(&self.port);
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
        for task in closed.tasks {
            task.wake();
        }
    }
}
