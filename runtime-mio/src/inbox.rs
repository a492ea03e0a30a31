//! [`Inbox`]: how other threads, and the sockets themselves, call upon a reactor.

use crate::mio_runtime::Mio;
use crate::sync::{self, AtomicBool, Mutex, MutexGuard};
use core::sync::atomic::Ordering;
use core::task::Waker;
use sansmq_runtime::Task;
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
    /// Run this task.
    Spawn(Box<Task<Mio>>),
    /// Poll a task.
    Wake(Key),
}

#[derive(Debug)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    /// There are tasks among the requests.
    new_tasks: AtomicBool,
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
        Self { state: Mutex::new(state), new_tasks: AtomicBool::new(false), waker }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, request: Request) {
        let is_task = matches!(request, Request::Spawn(_));
        let mut state = self.state();
        if state.closed {
            drop(state); // what is dropped may come back here
            drop(request);
            return;
        }
        state.requests.push(request);
        if is_task {
            self.new_tasks.store(true, Ordering::Release);
        }
        self.wake_poll(state);
    }

    /// Has the thread come back from `poll`, also from the next one if it is only on its way there.
    pub(crate) fn wake(&self) {
        let mut state = self.state();
        state.roused = true;
        self.wake_poll(state);
    }

    fn wake_poll(&self, mut state: MutexGuard<'_, State>) {
        let asleep = core::mem::take(&mut state.asleep);
        drop(state);
        if asleep {
            // It fails when the system is out of memory for a counter; then the next deadline has to do.
            let _ = self.waker.wake();
        }
    }

    /// The thread has come back from `poll`: what it asks of itself from now on needs no wake-up.
    pub(crate) fn returned(&self) {
        self.state().asleep = false;
    }

    /// Takes what was asked, in exchange for an empty list. The thread is awake.
    pub(crate) fn take(&self, requests: &mut Vec<Request>) {
        let mut state = self.state();
        state.asleep = false;
        state.roused = false;
        self.new_tasks.store(false, Ordering::Release);
        core::mem::swap(&mut state.requests, requests);
    }

    /// Returns true if there are tasks among the requests.
    pub(crate) fn has_new_tasks(&self) -> bool {
        self.new_tasks.load(Ordering::Acquire)
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

/// Has a task polled.
struct TaskWaker {
    inbox: Arc<Inbox>,
    key: Key,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.inbox.push(Request::Wake(self.key));
    }
}

/// Returns the waker of a task.
pub(crate) fn task_waker(inbox: &Arc<Inbox>, key: Key) -> Waker {
    Waker::from(Arc::new(TaskWaker { inbox: Arc::clone(inbox), key }))
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
