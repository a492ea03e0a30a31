//! [`Inbox`]: queue of requests to a reactor. A request adds a task, or marks a task as ready. Other threads make
//! requests, and so do the tasks of the reactor.

use crate::mio_runtime::Mio;
use crate::sync::{self, AtomicBool, Mutex, MutexGuard};
use core::sync::atomic::Ordering;
use sansmq_runtime::Task;
use std::sync::{Arc, PoisonError};
use std::task::Wake;

/// Identifier of a task of a reactor: the index of its slot, and a serial number that distinguishes the task from
/// earlier tasks in the same slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TaskKey {
    pub(crate) index: usize,
    pub(crate) serial: u64,
}

/// Request to the thread that runs a reactor.
#[derive(Debug)]
pub(crate) enum Request {
    /// Adds a new task to the reactor.
    Spawn(Box<Task<Mio>>),
    /// Marks a task as ready, so that the reactor polls the task.
    Wake(TaskKey),
}

#[derive(Debug)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    /// True while the queued requests include a [`Request::Spawn`]. Readable without locking `state`.
    new_tasks: AtomicBool,
    waker: Arc<sync::Waker>,
}

#[derive(Debug)]
struct State {
    requests: Vec<Request>,
    /// True after [`Inbox::wake`], until the thread of the reactor takes the requests. Prevents the thread from
    /// sleeping.
    interrupted: bool,
    /// True while the thread of the reactor is in `poll`, or about to call `poll`. A new request must then wake the
    /// thread.
    asleep: bool,
    /// True after the reactor was dropped. Every new request is then dropped at once, which closes the socket of a
    /// dropped task.
    closed: bool,
    /// Thread that has last taken the requests; see [`current_thread`].
    thread: Option<usize>,
}

/// Returns a number that identifies the current thread among all running threads.
fn current_thread() -> Option<usize> {
    // The address of a local variable of the thread costs less than `thread::current().id()`, which changes a counter.
    thread_local! {
        static HERE: u8 = const { 0 };
    }
    HERE.try_with(|here| core::ptr::from_ref(here).addr()).ok()
}

impl Inbox {
    pub(crate) fn new(waker: Arc<sync::Waker>) -> Self {
        let state = State { requests: Vec::new(), interrupted: false, asleep: false, closed: false, thread: None };
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

    /// Makes the thread of the reactor return from `poll`. If the thread is not in `poll`, its next `poll` returns at
    /// once.
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

    /// Records that the thread of the reactor has returned from `poll`. From now on, requests that this thread makes
    /// itself do not use the waker, because the thread is awake.
    pub(crate) fn returned(&self) {
        self.state().asleep = false;
    }

    /// Takes the queued requests: swaps them with `requests`, which must be empty. Marks the thread of the reactor as
    /// awake.
    pub(crate) fn take(&self, requests: &mut Vec<Request>) {
        let mut state = self.state();
        state.asleep = false;
        state.interrupted = false;
        state.thread = current_thread();
        self.new_tasks.store(false, Ordering::Release);
        core::mem::swap(&mut state.requests, requests);
    }

    /// Returns true if the current thread was the last to take the requests.
    pub(crate) fn is_current_thread(&self) -> bool {
        let thread = self.state().thread;
        thread.is_some() && thread == current_thread()
    }

    /// Returns true if the queued requests include a new task.
    pub(crate) fn has_new_tasks(&self) -> bool {
        self.new_tasks.load(Ordering::Acquire)
    }

    /// Returns true if the thread of the reactor can wait in `poll`: no request is queued, and [`wake`](Self::wake) was
    /// not called. Marks the thread as asleep in this case.
    pub(crate) fn may_sleep(&self) -> bool {
        let mut state = self.state();
        state.asleep = state.requests.is_empty() && !state.interrupted;
        state.asleep
    }

    /// Drops all queued requests, and all later requests when they are pushed. Called when the reactor is dropped.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        let requests = core::mem::take(&mut state.requests);
        drop(state);
        drop(requests);
    }
}

/// Waker of a task: pushes a [`Request::Wake`] for the task.
pub(crate) struct TaskWaker {
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) key: TaskKey,
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
