//! [`Reactor`]: sockets as guests in a `mio::Poll`, whoever owns that.

use crate::inbox::{Inbox, Key, Request, task_waker};
use crate::mio_runtime::Mio;
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
use sansmq_runtime::{Context, Handle, Runtime, Task, TaskState, spawn_socket};
use slab::Slab;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

/// The machinery of an [`EventLoop`](crate::EventLoop) without its loop: it registers its sources in a `mio::Poll` of yours,
/// and you call it.
///
/// 1. Wait no longer than [`next_timeout`](Self::next_timeout).
/// 2. Give each event to [`handle_event`](Self::handle_event), which leaves those that are yours.
/// 3. Call [`handle_timeout`](Self::handle_timeout), whatever has happened.
///
/// In between use the sockets: `try_send`, `try_recv`, `connect` never wait.
///
/// ```
/// use mio::{Events, Poll, Token, Waker};
/// use sansmq_mio::Reactor;
/// use sansmq_mio::proto::{Options, kind::{Dealer, Router}};
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
/// dealer.try_send("hello").unwrap_err(); // nobody is there yet
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
pub struct Reactor {
    runtime: Mio,
    slots: Slab<Slot>,
    generations: u64,
    timers: Timers,
    /// Tasks that are to be polled, each at most once and in turn.
    ready: VecDeque<Key>,
    /// Requests that are being read; kept for its memory.
    requests: Vec<Request>,
}

struct Slot {
    key: Key,
    task: Task<Mio>,
    waker: Waker,
    /// The task stands in `ready`.
    is_ready: bool,
    deadline: Option<Instant>,
}

/// The system counts milliseconds in 32 bits, and what does not fit is cut off.
const LONGEST: Duration = Duration::from_hours(24);

/// So many tasks have their turn before the loop looks for events again.
const TURNS: usize = 256;

impl Reactor {
    /// Creates a reactor whose sources are registered in `registry`, with tokens of this range: one for each listener and
    /// connection at a time.
    ///
    /// `waker` is the waker of the poll, which has only one; its token is for the caller to choose and to ignore.
    ///
    /// # Errors
    /// The operating system has no descriptors left.
    pub fn new(registry: &Registry, tokens: Range<usize>, waker: Arc<sync::Waker>) -> io::Result<Self> {
        let runtime = Mio {
            inbox: Arc::new(Inbox::new(waker)),
            sources: Arc::new(Sources::new(registry.try_clone()?, tokens)),
            origin: std::time::Instant::now(),
        };
        let timers = Timers::default();
        Ok(Self { runtime, slots: Slab::new(), generations: 0, timers, ready: VecDeque::new(), requests: Vec::new() })
    }

    /// A socket with these options that is served here.
    pub fn socket<T: Kind>(&self, options: Options<T>) -> Handle<T> {
        self.remote().socket(options)
    }

    /// Creates a socket whose `inproc` names and shared ports are those of `context`.
    pub fn socket_in<T: Kind>(&self, context: &Context, options: Options<T>) -> Handle<T> {
        self.remote().socket_in(context, options)
    }

    /// For making sockets on other threads.
    pub fn remote(&self) -> Remote {
        Remote { runtime: self.runtime.clone() }
    }

    /// Takes an event of the poll. Returns false if its token is not in the range of this reactor.
    pub fn handle_event(&mut self, event: &mio::event::Event) -> bool {
        self.runtime.inbox.returned();
        self.runtime.sources.handle_event(event)
    }

    /// How long the poll may wait; `None`: until something happens. Ask anew before each wait.
    pub fn next_timeout(&self) -> Option<Duration> {
        if !self.ready.is_empty() || !self.runtime.inbox.may_sleep() {
            return Some(Duration::ZERO);
        }
        Some(self.timers.next()?.since(self.now()).min(LONGEST))
    }

    /// Does what there is to do: requests, due deadlines, and what events have made ready. The work is bounded; if some is
    /// left, [`next_timeout`](Self::next_timeout) is zero.
    pub fn handle_timeout(&mut self) {
        self.read_requests();
        let now = self.now();
        while let Some(key) = self.timers.pop_due(now) {
            if let Some(slot) = self.slots.get_mut(key.index) {
                slot.deadline = None;
            }
            self.set_ready(key);
        }
        // A task that becomes ready meanwhile waits for the next time, so that every task has a turn before any has two.
        for _ in 0..self.ready.len().min(TURNS) {
            if let Some(key) = self.ready.pop_front() {
                self.run_task(key);
            }
        }
    }

    /// Binds, and waits for the outcome; other sockets go on meanwhile, and events wait. Only a host name takes long.
    ///
    /// # Errors
    /// As [`Handle::bind`].
    pub fn bind<T: Kind, E>(&mut self, socket: &Handle<T>, endpoint: E) -> Result<Endpoint, BindError>
    where
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        self.until(socket.bind(endpoint))
    }

    /// As [`bind`](Self::bind), at a listener that is open already; see [`BindListener`].
    ///
    /// # Errors
    /// As [`BindListener::bind_listener`].
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
                std::thread::sleep(Duration::from_millis(1)); // a host name is being looked up
            }
        }
    }

    /// Returns the number of tasks: one for each socket, listener, dial and connection.
    pub fn tasks(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn now(&self) -> Instant {
        self.runtime.now()
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
        let entry = self.slots.vacant_entry();
        self.generations += 1;
        let key = Key { index: entry.key(), serial: self.generations };
        let waker = task_waker(&self.runtime.inbox, key);
        entry.insert(Slot { key, task, waker, is_ready: false, deadline: None });
        self.set_ready(key);
    }

    /// Puts a task in line.
    fn set_ready(&mut self, key: Key) {
        if let Some(slot) = self.slots.get_mut(key.index).filter(|slot| slot.key == key)
            && !core::mem::replace(&mut slot.is_ready, true)
        {
            self.ready.push_back(key);
        }
    }

    fn run_task(&mut self, key: Key) {
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
        // Tasks that this one has spawned count at once.
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

/// Makes sockets that are served by a reactor or an event loop, from any thread: cheap to clone.
#[derive(Clone, Debug)]
pub struct Remote {
    pub(crate) runtime: Mio,
}

impl Remote {
    /// A socket with these options. If the reactor is gone, so is the socket: everything says `Closed`.
    pub fn socket<T: Kind>(&self, options: Options<T>) -> Handle<T> {
        self.socket_in(&Context::global(), options)
    }

    /// Creates a socket whose `inproc` names and shared ports are those of `context`. If the reactor is gone, the socket is
    /// closed: every call returns `Closed`.
    pub fn socket_in<T: Kind>(&self, context: &Context, options: Options<T>) -> Handle<T> {
        spawn_socket(options, context, &self.runtime)
    }

    /// Has the poll return.
    pub(crate) fn wake(&self) {
        self.runtime.inbox.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sansmq_proto::kind::Push;

    const PLACE: &str = "tcp://nobody.invalid:1";

    #[test]
    fn an_event_of_the_poll_does_not_wake_the_poll() {
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
                assert_ne!(event.token(), WAKER, "no other thread has asked for anything");
                reactor.handle_event(event);
            }
            reactor.handle_timeout();
        }
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        assert!(events.iter().all(|event| event.token() != WAKER));
    }

    #[test]
    fn a_dial_or_a_listener_given_up_while_its_name_is_looked_up_does_not_wait_for_the_answer() {
        let poll = mio::Poll::new().unwrap();
        let waker = Arc::new(mio::Waker::new(poll.registry(), mio::Token(usize::MAX)).unwrap());
        let mut reactor = Reactor::new(poll.registry(), 0..9, waker).unwrap();
        let handle = reactor.socket(Options::<Push>::new());
        handle.connect(PLACE).unwrap();
        let mut cx = task::Context::from_waker(Waker::noop());
        let mut binding = pin!(handle.bind(PLACE));
        assert!(binding.as_mut().poll(&mut cx).is_pending());
        reactor.handle_timeout();
        assert_eq!(reactor.tasks(), 3, "the socket's, the dial's and the listener's");
        reactor.handle_timeout();
        handle.disconnect(PLACE).unwrap();
        assert!(pin!(handle.close()).poll(&mut cx).is_pending());
        for _ in 0..3 {
            reactor.handle_timeout();
        }
        assert_eq!(reactor.tasks(), 0);
    }
}
