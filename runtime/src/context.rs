//! [`Context`]: who is bound to which `inproc` name, and who waits for one; and the ports that sockets may share.

use crate::shared_listener::{ClosedListener, JoinOutcome, SharedListener};
use crate::state::{Shared, State};
use crate::sync::{Mutex, MutexGuard};
use core::fmt;
use core::task::Waker;
use sansmq_proto::address::Resource;
use sansmq_proto::connection::ConnectionConfig;
use sansmq_proto::{Endpoint, ListenerId, PipeId};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, PoisonError, Weak};

/// Where `inproc` names live: sockets of one context reach each other by them, whatever runtimes they are on. Sockets of one
/// context can also share a port of TCP, each by a [`Resource`] of its own.
///
/// Sockets are in the [global](Self::global) context of the process unless they are made in another one; so only libraries
/// and tests that need names of their own create one (libzmq: `zmq_ctx_new`).
#[derive(Clone, Default)]
pub struct Context(Arc<Mutex<Registry>>);

/// A context that may be gone.
#[derive(Clone)]
pub(crate) struct WeakContext(Weak<Mutex<Registry>>);

#[derive(Default)]
pub(crate) struct Registry {
    bound: BTreeMap<String, InprocListener>,
    /// Those who connected before anybody bound.
    connecting: BTreeMap<String, Vec<InprocConnector>>,
    ports: Vec<Arc<SharedListener>>,
    /// How many questions were put to ZAP handlers.
    questions: u64,
}

/// A listener of a socket.
#[derive(Clone)]
pub(crate) struct InprocListener {
    pub(crate) socket: Weak<Shared>,
    pub(crate) listener: ListenerId,
}

impl InprocListener {
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.socket.ptr_eq(&other.socket) && self.listener == other.listener
    }

    /// Works with the socket, if it is there still. No lock may be held.
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut State) -> R) -> Option<R> {
        self.socket.upgrade().map(|socket| socket.with(work))
    }
}

/// A dialling pipe of a socket.
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
    /// A context with no names in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the context of the process.
    pub fn global() -> Self {
        static GLOBAL: OnceLock<Context> = OnceLock::new();
        GLOBAL.get_or_init(Self::new).clone()
    }

    /// Never held while a socket is locked *after* it: sockets look names up under their own lock.
    fn names(&self) -> MutexGuard<'_, Registry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the name, and gives those who wait for it. `None`: it is taken.
    pub(crate) fn bind(&self, name: &str, place: InprocListener) -> Option<Vec<InprocConnector>> {
        let mut names = self.names();
        if names.bound.contains_key(name) {
            return None;
        }
        names.bound.insert(name.to_owned(), place);
        Some(names.connecting.remove(name).unwrap_or_default())
    }

    /// Who is bound to the name.
    pub(crate) fn bound(&self, name: &str) -> Option<InprocListener> {
        self.names().bound.get(name).cloned()
    }

    /// A number for a question, which no other one of this context has.
    pub(crate) fn number_question(&self) -> u64 {
        let mut names = self.names();
        names.questions += 1;
        names.questions
    }

    /// The same, for what must not keep it.
    pub(crate) fn downgrade(&self) -> WeakContext {
        WeakContext(Arc::downgrade(&self.0))
    }

    pub(crate) fn unbind(&self, name: &str) {
        self.names().bound.remove(name);
    }

    /// Who is bound to the name. If nobody is, the seeker will hear of the next who binds.
    pub(crate) fn find(&self, name: &str, connector: InprocConnector) -> Option<InprocListener> {
        let mut names = self.names();
        let found = names.bound.get(name).cloned();
        if found.is_none() {
            names.connecting.entry(name.to_owned()).or_default().push(connector);
        }
        found
    }

    /// Binds a listener of a socket to a resource at that place, of which there may be a port already.
    pub(crate) fn enter(
        &self,
        place: &Endpoint,
        resource: Option<Resource>,
        member: InprocListener,
        config: &Arc<ConnectionConfig>,
    ) -> JoinOutcome {
        let mut names = self.names();
        // Two that name nothing share nothing: whether there is room for both is the system's to say.
        if let Some(port) = names.ports.iter().find(|port| port.is_at(place))
            && !(resource.is_none() && port.is_plain())
        {
            return port.join(resource, member, config);
        }
        let port = SharedListener::new(place.clone(), resource, member, config);
        names.ports.push(Arc::clone(&port));
        JoinOutcome::New(port)
    }

    /// See [`SharedListener::leave`]. A port that all have left can be joined no more.
    pub(crate) fn leave(&self, port: &Arc<SharedListener>, member: &InprocListener) -> (usize, Vec<Waker>) {
        let mut names = self.names();
        let (left, tasks) = port.leave(member);
        if left == 0 {
            names.ports.retain(|other| !Arc::ptr_eq(other, port));
        }
        (left, tasks)
    }

    /// See [`SharedListener::closed`]: it can be joined no more.
    pub(crate) fn close(&self, port: &Arc<SharedListener>) -> ClosedListener {
        let mut names = self.names();
        names.ports.retain(|other| !Arc::ptr_eq(other, port));
        port.closed()
    }

    pub(crate) fn forget(&self, name: &str, connector: &InprocConnector) {
        let mut names = self.names();
        if let Some(seekers) = names.connecting.get_mut(name) {
            seekers.retain(|other| !other.is(connector));
            if seekers.is_empty() {
                names.connecting.remove(name);
            }
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.names();
        f.debug_struct("Context").field("bound", &names.bound.keys()).field("sought", &names.connecting.keys()).finish()
    }
}
