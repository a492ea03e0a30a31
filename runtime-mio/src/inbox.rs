//! [`Inbox`]: requests of other threads, and of the sockets themselves, to a reactor.

use crate::mio_runtime::Mio;
use crate::sync::{self, AtomicBool, Mutex, MutexGuard};
use core::sync::atomic::Ordering;
use sansmq_runtime::Task;
use std::sync::{Arc, PoisonError};
use std::task::Wake;

/// Identifier of a task of a reactor: an index, and a number that no other task has had at this index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) index: usize,
    pub(crate) serial: u64,
}

/// Request to a reactor.
#[derive(Debug)]
pub(crate) enum Request {
    /// Adds a task.
    Spawn(Box<Task<Mio>>),
    /// Polls a task.
    Wake(Key),
}

#[derive(Debug)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    /// The requests include [`Request::Spawn`].
    new_tasks: AtomicBool,
    waker: Arc<sync::Waker>,
}

#[derive(Debug)]
struct State {
    requests: Vec<Request>,
    /// The thread must return from `poll`, and has not taken the requests since.
    interrupted: bool,
    /// The thread of the reactor is in `poll`, or about to call `poll`, so it must be woken.
    asleep: bool,
    /// The reactor was dropped. Requests are dropped too, which closes the socket of a dropped task.
    closed: bool,
}

impl Inbox {
    pub(crate) fn new(waker: Arc<sync::Waker>) -> Self {
        let state = State { requests: Vec::new(), interrupted: false, asleep: false, closed: false };
        Self { state: Mutex::new(state), new_tasks: AtomicBool::new(false), waker }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, request: Request) {
        let is_task = matches!(request, Request::Spawn(_));
        let mut state = self.state();
        if state.closed {
            drop(state); // unlocked first, because dropping a task may call `push`
            drop(request);
            return;
        }
        state.requests.push(request);
        if is_task {
            self.new_tasks.store(true, Ordering::Release);
        }
        self.wake_poll(state);
    }

    /// Makes the thread return from `poll`, or from the next `poll` if it has not called `poll` yet.
    pub(crate) fn wake(&self) {
        let mut state = self.state();
        state.interrupted = true;
        self.wake_poll(state);
    }

    fn wake_poll(&self, mut state: MutexGuard<'_, State>) {
        let asleep = core::mem::take(&mut state.asleep);
        drop(state);
        if asleep {
            // An error is possible when the operating system has no memory left. Then the thread wakes at its next deadline.
            let _ = self.waker.wake();
        }
    }

    /// Reports that the thread has returned from `poll`. Requests of the thread itself need no wake-up from now on.
    pub(crate) fn returned(&self) {
        self.state().asleep = false;
    }

    /// Swaps the requests with an empty list, and marks the thread as awake.
    pub(crate) fn take(&self, requests: &mut Vec<Request>) {
        let mut state = self.state();
        state.asleep = false;
        state.interrupted = false;
        self.new_tasks.store(false, Ordering::Release);
        core::mem::swap(&mut state.requests, requests);
    }

    /// Returns true if there are tasks among the requests.
    pub(crate) fn has_new_tasks(&self) -> bool {
        self.new_tasks.load(Ordering::Acquire)
    }

    /// Marks the thread as asleep, and returns true, unless there are requests.
    pub(crate) fn may_sleep(&self) -> bool {
        let mut state = self.state();
        state.asleep = state.requests.is_empty() && !state.interrupted;
        state.asleep
    }

    /// Drops all requests, present and future, because the reactor is dropped.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let requests = core::mem::take(&mut state.requests);
        drop(state);
        drop(requests);
    }
}

/// Waker of a task.
pub(crate) struct TaskWaker {
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) key: Key,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.inbox.push(Request::Wake(self.key));
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.inbox.push(Request::Wake(self.key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wake_before_poll_prevents_sleep_once() {
        let poll = mio::Poll::new().unwrap();
        let inbox = Inbox::new(Arc::new(mio::Waker::new(poll.registry(), mio::Token(0)).unwrap()));
        inbox.wake();
        assert!(!inbox.may_sleep(), "the waker of the poll was not used, so `poll` would not return");
        inbox.take(&mut Vec::new());
        assert!(inbox.may_sleep());
    }
}
