//! [`Reactor`]: runs sockets on a `mio::Poll` that the caller owns.

use crate::inbox::{Inbox, Request, TaskKey, TaskWaker};
use crate::mio_runtime::Mio;
use crate::slots::Slots;
use crate::sources::Sources;
use crate::sync;
use crate::timers::Timers;
use core::fmt;
use core::ops::Range;
use core::pin::pin;
use core::task::{self, Poll, Waker};
use core::time::Duration;
use mio::Registry;
use sansmq_os::{BindListener, StdListener};
use sansmq_proto::address::ParseEndpointError;
use sansmq_proto::kind::Kind;
use sansmq_proto::socket::BindError;
use sansmq_proto::{Endpoint, Instant, Options};
use sansmq_runtime::{Context, Handle, ProcessId, Runtime, Task, TaskState, spawn_socket};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

/// Runner of sockets in your own event loop. Unlike an [`EventLoop`](crate::EventLoop), a reactor never waits: it
/// registers its listeners and connections in your `mio::Poll`, and your loop waits for their events. In each round of
/// your loop:
///
/// 1. Wait no longer than [`next_timeout`](Self::next_timeout).
/// 2. Pass each event to [`handle_event`](Self::handle_event), which returns false for your own events.
/// 3. Call [`handle_timeout`](Self::handle_timeout), even if there was no event.
///
/// Between rounds, use the sockets: `try_send`, `try_recv` and `connect` never block.
///
/// ```
/// use mio::{Events, Poll, Token, Waker};
/// use sansmq::mio::Reactor;
/// use sansmq::{Options, kind::{Dealer, Router}};
/// use std::sync::Arc;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut poll = Poll::new()?;
/// let mut events = Events::with_capacity(64);
/// let waker = Arc::new(Waker::new(poll.registry(), Token(0))?); // yours; the reactor uses it too
/// let mut reactor = Reactor::new(poll.registry(), 1000..2000, waker)?; // all other tokens are yours
///
/// let router = reactor.socket(Options::<Router>::new());
/// let dealer = reactor.socket(Options::<Dealer>::new());
/// dealer.try_send("hello").unwrap_err(); // there is no peer yet
/// let endpoint = reactor.bind(&router, "tcp://127.0.0.1:*")?;
/// dealer.connect(&endpoint)?;
/// dealer.try_send("hello")?;
/// let request = loop {
///     poll.poll(&mut events, reactor.next_timeout())?;
///     for event in &events {
///         if !reactor.handle_event(event) {
///             // one of yours
///         }
///     }
///     reactor.handle_timeout();
///     if let Ok(request) = router.try_recv() {
///         break request;
///     }
/// };
/// assert_eq!(request.body(), "hello");
/// # Ok(())
/// # }
/// ```
#[doc(alias("ZMQ_FD", "FD", "zmq_poller_fd"))]
pub struct Reactor {
    runtime: Mio,
    slots: Slots<Slot>,
    generations: u64,
    timers: Timers,
    /// Keys of the tasks to poll, in this order. Contains each key at most once.
    ready: VecDeque<TaskKey>,
    /// Empty buffer that is swapped with the queued requests of the [`Inbox`], kept to avoid allocations.
    requests: Vec<Request>,
}

struct Slot {
    key: TaskKey,
    task: Task<Mio>,
    waker: Waker,
    /// True while the key of this task is contained in `Reactor::ready`.
    is_ready: bool,
    deadline: Option<Instant>,
}

/// Maximum timeout that [`Reactor::next_timeout`] returns if a task has a deadline. Without a deadline, `next_timeout`
/// returns `None`.
// Operating systems take the timeout as a 32-bit number of milliseconds, and longer timeouts would be truncated.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Maximum number of tasks that one call of [`Reactor::handle_timeout`] polls, before the next poll for events.
const TURNS: usize = 256;

impl Reactor {
    /// Creates a reactor. The reactor registers its listeners and connections in `registry`, each with its own token of
    /// the range `tokens`.
    ///
    /// `waker` is the waker of your `mio::Poll`; the reactor does not create one, because mio allows only one waker for
    /// each `Poll`. You choose the token of the waker, outside of `tokens`, and ignore its events.
    ///
    /// # Errors
    /// The operating system has no descriptors left.
    pub fn new(registry: &Registry, tokens: Range<usize>, waker: Arc<sync::Waker>) -> io::Result<Self> {
        let runtime = Mio {
            inbox: Arc::new(Inbox::new(waker)),
            sources: Arc::new(Sources::new(registry.try_clone()?, tokens)),
            origin: std::time::Instant::now(),
            process: ProcessId::current(),
        };
        let timers = Timers::default();
        Ok(Self {
            runtime,
            slots: Slots::default(),
            generations: 0,
            timers,
            ready: VecDeque::new(),
            requests: Vec::new(),
        })
    }

    /// Creates a socket that runs on this reactor. The socket belongs to the global [`Context`], as do all sockets that
    /// are created without another context.
    pub fn socket<T: Kind>(&self, options: Options<T>) -> Handle<T> {
        self.remote().socket(options)
    }

    /// Creates a socket that runs on this reactor, in `context`. Only sockets of the same context can connect to each
    /// other by `inproc` or share a TCP port.
    pub fn socket_in<T: Kind>(&self, context: &Context, options: Options<T>) -> Handle<T> {
        self.remote().socket_in(context, options)
    }

    /// Returns a [`Remote`], with which other threads can create sockets on this reactor.
    pub fn remote(&self) -> Remote {
        Remote { runtime: self.runtime.clone() }
    }

    /// Handles an event of your `mio::Poll`. Returns false if the event does not belong to this reactor: its token is
    /// not in the range that was passed to [`new`](Self::new).
    pub fn handle_event(&mut self, event: &mio::event::Event) -> bool {
        self.runtime.inbox.returned();
        self.runtime.sources.handle_event(event)
    }

    /// Returns the maximum timeout for your next call of `mio::Poll::poll`; `None` means no limit. Must be called
    /// before each such call. Otherwise the reactor does not know that your thread is about to wait, and other threads
    /// do not wake it.
    pub fn next_timeout(&self) -> Option<Duration> {
        if !self.ready.is_empty() || !self.runtime.inbox.may_sleep() {
            return Some(Duration::ZERO);
        }
        Some(self.timers.next()?.since(self.runtime.now()).min(LONGEST))
    }

    /// Handles requests of other threads and expired deadlines, and polls the ready background tasks of sockets,
    /// listeners and connections. One call does a limited amount of work. If work is left after the call,
    /// [`next_timeout`](Self::next_timeout) returns zero.
    pub fn handle_timeout(&mut self) {
        self.read_requests();
        let now = self.runtime.now();
        while let Some(key) = self.timers.pop_due(now) {
            if let Some(slot) = self.slots.get_mut(key.index) {
                slot.deadline = None;
            }
            self.set_ready(key);
        }
        // Only the tasks that are ready now are polled, so that every task has one turn before any task has two.
        for _ in 0..self.ready.len().min(TURNS) {
            if let Some(key) = self.ready.pop_front() {
                self.run_task(key);
            }
        }
    }

    /// Binds a socket to an endpoint, and blocks until the socket is bound. Meanwhile, the background tasks of the
    /// reactor run, but events of your `mio::Poll` are not handled. Blocks for a long time only if a host name must be
    /// looked up.
    ///
    /// # Errors
    /// The same as for [`Handle::bind`].
    pub fn bind<T: Kind, E>(&mut self, socket: &Handle<T>, endpoint: E) -> Result<Endpoint, BindError>
    where
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        self.until(socket.bind(endpoint))
    }

    /// Lets a socket accept connections from a listener that is already open. Blocks until the socket has taken over
    /// the listener; see [`BindListener`].
    ///
    /// # Errors
    /// The same as for [`BindListener::bind_listener`].
    pub fn bind_listener<T: Kind>(
        &mut self,
        socket: &Handle<T>,
        listener: impl Into<StdListener> + Send,
    ) -> Result<Endpoint, BindError> {
        self.until(socket.bind_listener(listener))
    }

    fn until<F: Future>(&mut self, binding: F) -> F::Output {
        let mut binding = pin!(binding);
        let mut cx = task::Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(outcome) = binding.as_mut().poll(&mut cx) {
                return outcome;
            }
            self.handle_timeout();
            if self.next_timeout() != Some(Duration::ZERO) {
                std::thread::sleep(Duration::from_millis(1)); // a host name lookup is pending
            }
        }
    }

    /// Returns the number of background tasks that have not ended. There is one task for each socket and, except for
    /// `inproc`, one for each listener, each attempt to connect and each connection.
    pub fn tasks(&self) -> usize {
        self.slots.len()
    }

    fn read_requests(&mut self) {
        let mut requests = core::mem::take(&mut self.requests);
        self.runtime.inbox.take(&mut requests);
        for request in requests.drain(..) {
            match request {
                Request::Spawn(task) => self.add_task(*task),
                Request::Wake(key) => self.set_ready(key),
            }
        }
        self.requests = requests;
    }

    fn add_task(&mut self, task: Task<Mio>) {
        self.generations += 1;
        let key = TaskKey { index: self.slots.next_index(), serial: self.generations };
        let waker = Waker::from(Arc::new(TaskWaker { inbox: Arc::clone(&self.runtime.inbox), key }));
        self.slots.insert(Slot { key, task, waker, is_ready: false, deadline: None });
        self.set_ready(key);
    }

    /// Appends a task to the queue of ready tasks. Does nothing if the task is in the queue already, or has ended.
    fn set_ready(&mut self, key: TaskKey) {
        if let Some(slot) = self.slots.get_mut(key.index).filter(|slot| slot.key == key)
            && !core::mem::replace(&mut slot.is_ready, true)
        {
            self.ready.push_back(key);
        }
    }

    fn run_task(&mut self, key: TaskKey) {
        let Some(slot) = self.slots.get_mut(key.index).filter(|slot| slot.key == key) else { return };
        slot.is_ready = false;
        let state = slot.task.poll(&mut task::Context::from_waker(&slot.waker));
        let deadline = match state {
            TaskState::Finished => None,
            TaskState::Waiting | TaskState::Runnable => slot.task.poll_timeout(),
        };
        self.timers.set(key, core::mem::replace(&mut slot.deadline, deadline), deadline);
        match state {
            TaskState::Waiting => {}
            TaskState::Runnable => self.set_ready(key),
            TaskState::Finished => drop(self.slots.remove(key.index)),
        }
        // Spawned tasks are added at once, so that `tasks` counts them.
        if self.runtime.inbox.has_new_tasks() {
            self.read_requests();
        }
    }
}

impl Drop for Reactor {
    fn drop(&mut self) {
        self.runtime.inbox.close();
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor")
            .field("tokens", self.runtime.sources.tokens())
            .field("tasks", &self.slots.len())
            .field("ready", &self.ready.len())
            .finish_non_exhaustive()
    }
}

/// Reference to a reactor or an event loop. Any thread can use it to create sockets that run there. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Remote {
    pub(crate) runtime: Mio,
}

impl Remote {
    /// Creates a socket that runs on the reactor or event loop and belongs to the global [`Context`]. If the reactor or
    /// event loop no longer exists, the new socket is closed: every call returns `Closed`.
    pub fn socket<T: Kind>(&self, options: Options<T>) -> Handle<T> {
        self.socket_in(&Context::global(), options)
    }

    /// Creates a socket that runs on the reactor or event loop and belongs to `context`. Only sockets of the same
    /// context can connect to each other by `inproc` or share a TCP port. If the reactor or event loop no longer
    /// exists, the new socket is closed: every call returns `Closed`.
    pub fn socket_in<T: Kind>(&self, context: &Context, options: Options<T>) -> Handle<T> {
        spawn_socket(options, context, &self.runtime)
    }

    /// Returns true if the current thread was the last to run the reactor or event loop.
    pub(crate) fn is_current_thread(&self) -> bool {
        self.runtime.inbox.is_current_thread()
    }

    /// Makes the poll of the reactor or event loop return; see [`Inbox::wake`].
    pub(crate) fn wake(&self) {
        self.runtime.inbox.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sansmq_proto::kind::Push;

    const ENDPOINT: &str = "tcp://unknown.invalid:1";

    #[test]
    fn event_does_not_wake_the_poll() {
        const WAKER: mio::Token = mio::Token(usize::MAX);
        let mut poll = mio::Poll::new().unwrap();
        let mut events = mio::Events::with_capacity(9);
        let waker = Arc::new(mio::Waker::new(poll.registry(), WAKER).unwrap());
        let mut reactor = Reactor::new(poll.registry(), 0..9, waker).unwrap();
        let handle = reactor.socket(Options::<Push>::new());
        let bound = reactor.bind(&handle, "tcp://127.0.0.1:*").unwrap();
        while reactor.next_timeout() == Some(Duration::ZERO) {
            reactor.handle_timeout();
        }
        let _peer = std::net::TcpStream::connect(bound.socket_addr().unwrap()).unwrap();

        while reactor.tasks() < 3 {
            poll.poll(&mut events, reactor.next_timeout()).unwrap();
            for event in &events {
                assert_ne!(event.token(), WAKER, "no other thread has made a request");
                reactor.handle_event(event);
            }
            reactor.handle_timeout();
        }
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        assert!(events.iter().all(|event| event.token() != WAKER));
    }

    #[test]
    fn disconnect_and_close_do_not_wait_for_host_lookup() {
        let poll = mio::Poll::new().unwrap();
        let waker = Arc::new(mio::Waker::new(poll.registry(), mio::Token(usize::MAX)).unwrap());
        let mut reactor = Reactor::new(poll.registry(), 0..9, waker).unwrap();
        let handle = reactor.socket(Options::<Push>::new());
        handle.connect(ENDPOINT).unwrap();
        let mut cx = task::Context::from_waker(Waker::noop());
        let mut binding = pin!(handle.bind(ENDPOINT));
        assert!(binding.as_mut().poll(&mut cx).is_pending());
        reactor.handle_timeout();
        assert_eq!(reactor.tasks(), 3, "the tasks of the socket, the dial and the listener");
        reactor.handle_timeout();
        handle.disconnect(ENDPOINT).unwrap();
        assert!(pin!(handle.close()).poll(&mut cx).is_pending());
        for _ in 0..3 {
            reactor.handle_timeout();
        }
        assert_eq!(reactor.tasks(), 0);
    }
}
