//! [`Context`]: who is bound to which `inproc` name, and who waits for one; and the ports that sockets may share.

use crate::port::{Entry, Forsaken, Port};
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
pub struct Context(Arc<Mutex<Names>>);

/// A context that may be gone.
#[derive(Clone)]
pub(crate) struct WeakContext(Weak<Mutex<Names>>);

#[derive(Default)]
pub(crate) struct Names {
    bound: BTreeMap<String, Bound>,
    /// Those who connected before anybody bound.
    seeking: BTreeMap<String, Vec<Seeker>>,
    ports: Vec<Arc<Port>>,
    /// How many questions were put to ZAP handlers.
    questions: u64,
}

/// A listener of a socket.
#[derive(Clone)]
pub(crate) struct Bound {
    pub(crate) socket: Weak<Shared>,
    pub(crate) listener: ListenerId,
}

impl Bound {
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
pub(crate) struct Seeker {
    pub(crate) socket: Weak<Shared>,
    pub(crate) pipe: PipeId,
}

impl Seeker {
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
    fn names(&self) -> MutexGuard<'_, Names> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the name, and gives those who wait for it. `None`: it is taken.
    pub(crate) fn bind(&self, name: &str, place: Bound) -> Option<Vec<Seeker>> {
        let mut names = self.names();
        if names.bound.contains_key(name) {
            return None;
        }
        names.bound.insert(name.to_owned(), place);
        Some(names.seeking.remove(name).unwrap_or_default())
    }

    /// Who is bound to the name.
    pub(crate) fn bound(&self, name: &str) -> Option<Bound> {
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
    pub(crate) fn find(&self, name: &str, seeker: Seeker) -> Option<Bound> {
        let mut names = self.names();
        let found = names.bound.get(name).cloned();
        if found.is_none() {
            names.seeking.entry(name.to_owned()).or_default().push(seeker);
        }
        found
    }

    /// Binds a listener of a socket to a resource at that place, of which there may be a port already.
    pub(crate) fn enter(
        &self,
        place: &Endpoint,
        resource: Option<Resource>,
        member: Bound,
        config: &Arc<ConnectionConfig>,
    ) -> Entry {
        let mut names = self.names();
        // Two that name nothing share nothing: whether there is room for both is the system's to say.
        if let Some(port) = names.ports.iter().find(|port| port.is_at(place))
            && !(resource.is_none() && port.is_plain())
        {
            return port.join(resource, member, config);
        }
        let port = Port::new(place.clone(), resource, member, config);
        names.ports.push(Arc::clone(&port));
        Entry::New(port)
    }

    /// See [`Port::leave`]. A port that all have left can be joined no more.
    pub(crate) fn leave(&self, port: &Arc<Port>, member: &Bound) -> (usize, Vec<Waker>) {
        let mut names = self.names();
        let (left, tasks) = port.leave(member);
        if left == 0 {
            names.ports.retain(|other| !Arc::ptr_eq(other, port));
        }
        (left, tasks)
    }

    /// See [`Port::closed`]: it can be joined no more.
    pub(crate) fn close(&self, port: &Arc<Port>) -> Forsaken {
        let mut names = self.names();
        names.ports.retain(|other| !Arc::ptr_eq(other, port));
        port.closed()
    }

    pub(crate) fn forget(&self, name: &str, seeker: &Seeker) {
        let mut names = self.names();
        if let Some(seekers) = names.seeking.get_mut(name) {
            seekers.retain(|other| !other.is(seeker));
            if seekers.is_empty() {
                names.seeking.remove(name);
            }
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.names();
        f.debug_struct("Context").field("bound", &names.bound.keys()).field("sought", &names.seeking.keys()).finish()
    }
}
