//! [`Inbox`]: how other threads, and the sockets themselves, call upon a reactor.

use crate::sync::{self, Mutex, MutexGuard};
use core::net::SocketAddr;
use core::task::Waker;
use sansmq_runtime::Driver;
use std::sync::{Arc, PoisonError};
use std::task::Wake;

/// Names a task of a reactor: its place, and a number that no other task had in that place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) index: usize,
    pub(crate) serial: u64,
}

/// What is asked of a reactor.
#[derive(Debug)]
pub(crate) enum Request {
    /// Serve this socket.
    Serve(Driver),
    /// A task has something to do.
    Call(Key),
    /// A host name has these addresses; none if it is not known.
    Resolved(Key, Vec<SocketAddr>),
}

#[derive(Debug)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    waker: Arc<sync::Waker>,
}

#[derive(Debug)]
struct State {
    requests: Vec<Request>,
    /// The thread is to come back from `poll`, and has not looked since.
    roused: bool,
    /// The reactor's thread is in `poll` or on its way there, so it has to be woken.
    asleep: bool,
    /// The reactor is gone; whatever is asked is dropped, which tells a socket that nobody serves it.
    closed: bool,
}

impl Inbox {
    pub(crate) fn new(waker: Arc<sync::Waker>) -> Self {
        let state = State { requests: Vec::new(), roused: false, asleep: false, closed: false };
        Self { state: Mutex::new(state), waker }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, request: Request) {
        let mut state = self.state();
        if state.closed {
            drop(state); // what is dropped may come back here
            drop(request);
            return;
        }
        state.requests.push(request);
        self.rouse(state);
    }

    /// Has the thread come back from `poll`, also from the next one if it is only on its way there.
    pub(crate) fn wake(&self) {
        let mut state = self.state();
        state.roused = true;
        self.rouse(state);
    }

    fn rouse(&self, mut state: MutexGuard<'_, State>) {
        let asleep = core::mem::take(&mut state.asleep);
        drop(state);
        if asleep {
            // It fails when the system is out of memory for a counter; then the next deadline has to do.
            let _ = self.waker.wake();
        }
    }

    /// Takes what was asked, in exchange for an empty list. The thread is awake.
    pub(crate) fn take(&self, requests: &mut Vec<Request>) {
        let mut state = self.state();
        state.asleep = false;
        state.roused = false;
        core::mem::swap(&mut state.requests, requests);
    }

    /// The thread goes to sleep, unless something has been asked: then false.
    pub(crate) fn may_sleep(&self) -> bool {
        let mut state = self.state();
        state.asleep = state.requests.is_empty() && !state.roused;
        state.asleep
    }

    /// The reactor goes.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let requests = core::mem::take(&mut state.requests);
        drop(state);
        drop(requests);
    }
}

/// Calls a task.
struct Bell {
    inbox: Arc<Inbox>,
    key: Key,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.inbox.push(Request::Call(self.key));
    }
}

/// A waker that calls a task.
pub(crate) fn bell(inbox: &Arc<Inbox>, key: Key) -> Waker {
    Waker::from(Arc::new(Bell { inbox: Arc::clone(inbox), key }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_woken_on_the_way_to_sleep_stays_awake_once() {
        let poll = mio::Poll::new().unwrap();
        let inbox = Inbox::new(Arc::new(mio::Waker::new(poll.registry(), mio::Token(0)).unwrap()));
        inbox.wake();
        assert!(!inbox.may_sleep(), "nothing has told `poll` to return");
        inbox.take(&mut Vec::new());
        assert!(inbox.may_sleep());
    }
}
