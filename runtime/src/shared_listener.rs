//! [`SharedListener`]: one listener and the sockets that share it, each by a resource of its own (RFC 37, "The Resource Property").
//!
//! The first socket that binds has its runtime open the listener; those that bind after it join. The listener is open until
//! the last of them has left, whichever that is. While a port belongs to one socket that names no resource, as most do, its
//! connections are that socket's from the first octet; when it is shared, each belongs to nobody until its peer has named
//! the resource it wants.
//!
//! A port's lock is taken under a socket's, and no other is taken under it.

use crate::context::InprocListener;
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
    /// Where it was asked for, by the first who did.
    asked: Endpoint,
    /// What holds for a connection before it is known whom it is for: the first socket's settings.
    pub(crate) limits: Arc<ConnectionConfig>,
    /// What was wrong when it was closed.
    pub(crate) failure: OnceLock<NetworkError>,
    /// Held once more by each connection that is nobody's yet.
    pub(crate) unassigned: Arc<()>,
    state: Mutex<ListenerState>,
}

/// So many connections to a port may be nobody's yet; one more is closed at once.
const MAX_UNASSIGNED: usize = 1024;

/// What changes.
#[derive(Default)]
struct ListenerState {
    /// Where it is, once it is open.
    bound: Option<Endpoint>,
    members: BTreeMap<Option<Resource>, InprocListener>,
    /// Who left last, and waits until the address is free.
    last: Option<InprocListener>,
    /// Who has the timer for a pause in accepting, while there is one and perhaps after.
    pausing: Option<InprocListener>,
    /// The listener's task.
    task: Option<Waker>,
    /// The tasks of connections that are nobody's yet.
    waiting: BTreeMap<u64, Waker>,
    tickets: u64,
}

/// Who is concerned when a port is closed, or cannot be opened.
pub(crate) struct ClosedListener {
    /// Those who had not left.
    pub(crate) members: Vec<InprocListener>,
    pub(crate) last: Option<InprocListener>,
    /// The tasks of connections that were nobody's, to be woken once no lock is held.
    pub(crate) tasks: Vec<Waker>,
}

/// What has become of a wish to share.
pub(crate) enum JoinOutcome {
    /// A port is to be opened there.
    New(Arc<SharedListener>),
    /// There is one. It is open already, if its place is told. These are to be woken.
    Joined(Arc<SharedListener>, Option<Endpoint>, Vec<Waker>),
    /// Another socket has that resource, or its settings do not go with those of the port.
    Refused,
}

impl SharedListener {
    pub(crate) fn new(
        asked: Endpoint,
        resource: Option<Resource>,
        first: InprocListener,
        limits: &Arc<ConnectionConfig>,
    ) -> Arc<Self> {
        let state = ListenerState { members: BTreeMap::from([(resource, first)]), ..ListenerState::default() };
        Arc::new(Self {
            asked,
            limits: Arc::clone(limits),
            failure: OnceLock::new(),
            unassigned: Arc::default(),
            state: Mutex::new(state),
        })
    }

    fn state(&self) -> MutexGuard<'_, ListenerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it may be found there. A wildcard is a new port for each who asks.
    pub(crate) fn is_at(&self, place: &Endpoint) -> bool {
        let Endpoint::Tcp { port: 1.., .. } = place else { return false };
        let address = place.socket_addr();
        let is_there = |known: &Endpoint| known == place || (address.is_some() && known.socket_addr() == address);
        is_there(&self.asked) || self.state().bound.as_ref().is_some_and(is_there)
    }

    /// Whether one more connection may wait to be somebody's.
    pub(crate) fn has_room(&self) -> bool {
        Arc::strong_count(&self.unassigned) <= MAX_UNASSIGNED && !self.state().members.is_empty()
    }

    /// Whether nobody here is known by a resource.
    pub(crate) fn is_plain(&self) -> bool {
        self.state().members.keys().all(Option::is_none)
    }

    /// One more socket is bound here.
    pub(crate) fn join(
        self: &Arc<Self>,
        resource: Option<Resource>,
        member: InprocListener,
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

    /// Takes a member off. Gives how many are left, and the tasks that are to look again.
    pub(crate) fn leave(&self, member: &InprocListener) -> (usize, Vec<Waker>) {
        let mut state = self.state();
        let before = state.members.len();
        state.members.retain(|_, other| !other.is(member));
        if state.members.is_empty() && before > 0 {
            state.last = Some(member.clone());
        }
        state.pausing.take_if(|pausing| pausing.is(member));
        (state.members.len(), state.tasks())
    }

    /// It is open, at this address. Gives those who are to be told, and what.
    pub(crate) fn opened(&self, bound: Endpoint) -> Vec<(Endpoint, InprocListener)> {
        let mut state = self.state();
        let told = |(resource, member): (&Option<Resource>, &InprocListener)| {
            (bound.clone().with_resource(resource.clone()), member.clone())
        };
        let told = state.members.iter().map(told).collect();
        state.bound = Some(bound);
        told
    }

    /// It is closed, or was never opened: nobody is bound to it any more.
    pub(crate) fn closed(&self) -> ClosedListener {
        let mut state = self.state();
        let members = core::mem::take(&mut state.members).into_values().collect();
        ClosedListener { members, last: state.last.take(), tasks: state.tasks() }
    }

    /// Who left last.
    pub(crate) fn last(&self) -> Option<InprocListener> {
        self.state().last.clone()
    }

    pub(crate) fn members(&self) -> Vec<InprocListener> {
        self.state().members.values().cloned().collect()
    }

    /// Whether the listener is to go on. Its task is woken when it is to look again.
    pub(crate) fn goes_on(&self, waker: &Waker) -> bool {
        let mut state = self.state();
        let spent = remember(&mut state.task, waker);
        let answer = !state.members.is_empty();
        drop(state);
        drop(spent);
        answer
    }

    /// Who may have the listener pause.
    pub(crate) fn pausing(&self) -> Option<InprocListener> {
        self.state().pausing.clone()
    }

    /// Who is to time a pause: one of the members, for one timer is enough.
    pub(crate) fn pause(&self) -> Option<InprocListener> {
        let mut state = self.state();
        state.pausing = state.members.values().next().cloned();
        state.pausing.clone()
    }

    pub(crate) fn take_task(&self) -> Option<Waker> {
        self.state().task.take()
    }

    /// Whether all who come are this socket's: nobody shares the port with it, and it names no resource.
    pub(crate) fn is_for(&self, member: &InprocListener) -> bool {
        let state = self.state();
        state.members.len() == 1 && state.members.get(&None).is_some_and(|only| only.is(member))
    }

    /// A number for a connection that may have to wait.
    pub(crate) fn ticket(&self) -> u64 {
        let mut state = self.state();
        state.tickets += 1;
        state.tickets
    }

    /// Who is bound to what the connection of this number asks for. If nobody is, or it has not asked yet, its task will be
    /// woken when others are bound here.
    ///
    /// # Errors
    /// Nobody is bound here any more, and nobody will be.
    pub(crate) fn find(
        &self,
        caller: Option<&PendingPeer>,
        ticket: u64,
        waker: &Waker,
    ) -> Result<Option<InprocListener>, ConnectionError> {
        let mut state = self.state();
        if state.members.is_empty() {
            return Err(ConnectionError::PeerClosed);
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

    /// The connection of this number waits no more.
    pub(crate) fn forget(&self, ticket: u64) {
        let spent = self.state().waiting.remove(&ticket);
        drop(spent);
    }
}

impl ListenerState {
    /// Everybody who waits for news.
    fn tasks(&mut self) -> Vec<Waker> {
        core::mem::take(&mut self.waiting).into_values().chain(self.task.take()).collect()
    }
}

impl State {
    fn member(&self, listener: ListenerId) -> InprocListener {
        InprocListener { socket: Weak::clone(&self.me), listener }
    }

    /// Listens, at a port of its own or at one that is there.
    pub(crate) fn open(&mut self, id: ListenerId, mut place: Endpoint, shared: &Shared, wakes: &mut Wakes) {
        let resource = place.resource().cloned();
        place = place.with_resource(None);
        match shared.context.enter(&place, resource.clone(), self.member(id), self.socket.config()) {
            JoinOutcome::New(port) => {
                self.listeners.insert(id, Arc::clone(&port));
                self.hosted.insert(id, port);
                self.add_action((Action::Listen(id, place), 0), wakes);
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

    /// Listens no more. A port that others share is theirs alone at once; the last who leaves waits until it is closed.
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

    /// A port is closed, or could not be opened.
    pub(crate) fn port_closed(&mut self, id: ListenerId) {
        self.listeners.remove(&id);
        self.notify_watchers();
    }
}

impl ListenGuard {
    /// Those who have not left are told that it is over.
    pub(crate) fn end(&self) {
        let closed = self.shared.context.close(&self.port);
        for member in closed.members {
            member.with(|state| {
                let opened = state.socket.listener(member.listener).is_some();
                if opened {
                    state.socket.listener_lost(member.listener);
                } else {
                    // Its task died before it could answer.
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
