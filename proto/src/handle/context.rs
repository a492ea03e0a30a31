//! [`Context`]: who is bound to which `inproc` name, and who waits for one.

use super::state::Shared;
use crate::pipe::PipeId;
use crate::socket::ListenerId;
use core::fmt;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

/// Where `inproc` names live: sockets of one context reach each other by them, whatever runtimes they are on.
///
/// Sockets are in the context of the whole process unless [`Options::context`](crate::Options::context) says otherwise; so
/// only libraries and tests that want names of their own need one.
#[derive(Clone, Default)]
pub struct Context(Arc<Mutex<Names>>);

#[derive(Default)]
struct Names {
    bound: BTreeMap<String, Bound>,
    /// Those who connected before anybody bound.
    seeking: BTreeMap<String, Vec<Seeker>>,
}

/// A listener of a socket.
#[derive(Clone)]
pub(super) struct Bound {
    pub(super) socket: Weak<Shared>,
    pub(super) listener: ListenerId,
}

/// A dialling pipe of a socket.
#[derive(Clone)]
pub(super) struct Seeker {
    pub(super) socket: Weak<Shared>,
    pub(super) pipe: PipeId,
}

impl Seeker {
    fn is(&self, other: &Self) -> bool {
        self.socket.ptr_eq(&other.socket) && self.pipe == other.pipe
    }
}

impl Context {
    /// A context with no names in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// The context of the whole process.
    pub(crate) fn global() -> Self {
        static GLOBAL: OnceLock<Context> = OnceLock::new();
        GLOBAL.get_or_init(Self::new).clone()
    }

    /// Never held while a socket is locked *after* it: sockets look names up under their own lock.
    fn names(&self) -> MutexGuard<'_, Names> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the name, and gives those who wait for it. `None`: it is taken.
    pub(super) fn bind(&self, name: &str, place: Bound) -> Option<Vec<Seeker>> {
        let mut names = self.names();
        if names.bound.contains_key(name) {
            return None;
        }
        names.bound.insert(name.to_owned(), place);
        Some(names.seeking.remove(name).unwrap_or_default())
    }

    pub(super) fn unbind(&self, name: &str) {
        self.names().bound.remove(name);
    }

    /// Who is bound to the name. If nobody is, the seeker will hear of the next who binds.
    pub(super) fn find(&self, name: &str, seeker: Seeker) -> Option<Bound> {
        let mut names = self.names();
        let found = names.bound.get(name).cloned();
        if found.is_none() {
            names.seeking.entry(name.to_owned()).or_default().push(seeker);
        }
        found
    }

    pub(super) fn forget(&self, name: &str, seeker: &Seeker) {
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
