//! [`Reactor`]: sockets as guests in a `mio::Poll`, whoever owns that.

use crate::inbox::{Inbox, Key, Request, bell};
use crate::sync;
use crate::task::{Shift, Work};
use crate::timers::Timers;
use core::fmt;
use core::ops::Range;
use core::pin::pin;
use core::task::{self, Poll, Waker};
use core::time::Duration;
use mio::{Registry, Token};
use sansmq_os::{BindListener, StdListener};
use sansmq_proto::address::ParseEndpointError;
use sansmq_proto::kind::Kind;
use sansmq_proto::socket::BindError;
use sansmq_proto::{Endpoint, Instant, NetworkError, Options, Scratch};
use sansmq_runtime::{Context, Driver, Handle, share};
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
    registry: Registry,
    tokens: Range<usize>,
    inbox: Arc<Inbox>,
    tasks: Slab<Task>,
    serials: u64,
    timers: Timers,
    /// Tasks that have something to do, each at most once and in turn.
    due: VecDeque<Key>,
    /// Requests that are being read; kept for its memory.
    requests: Vec<Request>,
    offspring: Vec<Work>,
    scratch: Scratch,
    /// The zero of time.
    origin: std::time::Instant,
}

struct Task {
    key: Key,
    driver: Driver,
    waker: Waker,
    /// It stands among those that are due.
    due: bool,
    deadline: Option<Instant>,
    /// `None` when it is over, and for moments while it is being done.
    work: Option<Work>,
}

/// The system counts milliseconds in 32 bits, and what does not fit is cut off.
const LONGEST: Duration = Duration::from_hours(24);

/// So many tasks have their turn before the loop looks for events again.
const TURNS: usize = 256;

impl Reactor {
    /// A reactor whose sources are registered there, with tokens of this range: one for each listener and connection at a
    /// time, and one for each socket.
    ///
    /// `waker` is that of the poll, which has only one; its token is for the caller to choose and to ignore.
    ///
    /// # Errors
    /// The system has no more descriptors.
    pub fn new(registry: &Registry, tokens: Range<usize>, waker: Arc<sync::Waker>) -> io::Result<Self> {
        Ok(Self {
            registry: registry.try_clone()?,
            tokens,
            inbox: Arc::new(Inbox::new(waker)),
            tasks: Slab::new(),
            serials: 0,
            timers: Timers::default(),
            due: VecDeque::new(),
            requests: Vec::new(),
            offspring: Vec::new(),
            scratch: Scratch::new(),
            origin: std::time::Instant::now(),
        })
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
        Remote { inbox: Arc::clone(&self.inbox), origin: self.origin }
    }

    /// Takes an event of the poll. False: it is not of this reactor's range.
    pub fn handle_event(&mut self, event: &mio::event::Event) -> bool {
        let Token(token) = event.token();
        if !self.tokens.contains(&token) {
            return false;
        }
        if let Some(task) = self.tasks.get_mut(token - self.tokens.start) {
            if let Some(work) = &mut task.work {
                work.heard_of(event);
            }
            let key = task.key;
            self.call(key);
        }
        true
    }

    /// How long the poll may wait; `None`: until something happens. Ask anew before each wait.
    pub fn next_timeout(&self) -> Option<Duration> {
        if !self.due.is_empty() || !self.inbox.may_sleep() {
            return Some(Duration::ZERO);
        }
        Some(self.timers.next()?.since(self.now()).min(LONGEST))
    }

    /// Does what there is to do: what was asked, what is due, what events have told. The work is bounded; if some is left,
    /// [`next_timeout`](Self::next_timeout) is zero.
    pub fn handle_timeout(&mut self) {
        self.read_requests();
        if self.timers.next().is_some() {
            self.call_late();
        }
        // What is called meanwhile waits for the next time, so that everybody has a turn before anybody has two.
        for _ in 0..self.due.len().min(TURNS) {
            if let Some(key) = self.due.pop_front() {
                self.run(key);
            }
        }
    }

    /// Calls the tasks whose deadlines have come.
    fn call_late(&mut self) {
        let now = self.now();
        while let Some(key) = self.timers.pop_due(now) {
            if let Some(task) = self.tasks.get_mut(key.index) {
                task.deadline = None;
            }
            self.call(key);
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

    /// How many sockets, listeners, dials and connections are looked after: each holds a token.
    pub fn tasks(&self) -> usize {
        self.tasks.len()
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::from_elapsed(self.origin.elapsed())
    }

    fn read_requests(&mut self) {
        let mut requests = core::mem::take(&mut self.requests);
        self.inbox.take(&mut requests);
        for request in requests.drain(..) {
            match request {
                Request::Serve(driver) => self.begin(driver, Work::Supervise(None)),
                Request::Call(key) => self.call(key),
                Request::Resolved(key, addresses) => {
                    self.take_up(key, |mut shift, place| shift.answer(place, addresses));
                }
            }
        }
        self.requests = requests;
    }

    /// Puts a task in line.
    fn call(&mut self, key: Key) {
        if let Some(task) = self.tasks.get_mut(key.index).filter(|task| task.key == key)
            && !core::mem::replace(&mut task.due, true)
        {
            self.due.push_back(key);
        }
    }

    fn run(&mut self, key: Key) {
        if let Some(task) = self.tasks.get_mut(key.index).filter(|task| task.key == key) {
            task.due = false;
        }
        self.take_up(key, |mut shift, place| shift.run(place));
    }

    /// Does some work of a task, and what follows from it.
    fn take_up(&mut self, key: Key, job: impl FnOnce(Shift<'_>, &mut Option<Work>) -> Option<Instant>) {
        let Some(task) = self.tasks.get_mut(key.index).filter(|task| task.key == key) else { return };
        let shift = Shift {
            driver: &task.driver,
            key,
            token: Token(self.tokens.start + key.index),
            waker: &task.waker,
            inbox: &self.inbox,
            registry: &self.registry,
            scratch: &mut self.scratch,
            offspring: &mut self.offspring,
        };
        let deadline = job(shift, &mut task.work);
        self.timers.set(key, core::mem::replace(&mut task.deadline, deadline), deadline);
        let driver = if self.offspring.is_empty() { None } else { Some(task.driver.clone()) };
        if task.work.is_none() {
            drop(self.tasks.remove(key.index));
        }
        if let Some(driver) = driver {
            for work in core::mem::take(&mut self.offspring) {
                self.begin(driver.clone(), work);
            }
        }
    }

    /// Makes a task of some work, if there is a token left, and gives it a turn.
    fn begin(&mut self, driver: Driver, mut work: Work) {
        let entry = self.tasks.vacant_entry();
        let index = entry.key();
        if index >= self.tokens.len() {
            return work.refuse(&driver, NetworkError::TooManyFiles);
        }
        if let Err(error) = work.register(&self.registry, Token(self.tokens.start + index)) {
            return work.refuse(&driver, error.kind().into());
        }
        self.serials += 1;
        let key = Key { index, serial: self.serials };
        let waker = bell(&self.inbox, key);
        entry.insert(Task { key, driver, waker, due: false, deadline: None, work: Some(work) });
        self.call(key);
    }
}

impl Drop for Reactor {
    fn drop(&mut self) {
        self.inbox.close();
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor")
            .field("tokens", &self.tokens)
            .field("tasks", &self.tasks.len())
            .field("due", &self.due.len())
            .finish_non_exhaustive()
    }
}

/// Makes sockets that are served by a reactor or an event loop, from any thread: cheap to clone.
#[derive(Clone, Debug)]
pub struct Remote {
    inbox: Arc<Inbox>,
    origin: std::time::Instant,
}

impl Remote {
    /// A socket with these options. If the reactor is gone, so is the socket: everything says `Closed`.
    pub fn socket<T: Kind>(&self, options: Options<T>) -> Handle<T> {
        self.socket_in(&Context::global(), options)
    }

    /// Creates a socket whose `inproc` names and shared ports are those of `context`. If the reactor is gone, the socket is
    /// closed: every call returns `Closed`.
    pub fn socket_in<T: Kind>(&self, context: &Context, options: Options<T>) -> Handle<T> {
        let origin = self.origin;
        let (handle, driver) = share(options, context, move || Instant::from_elapsed(origin.elapsed()));
        self.inbox.push(Request::Serve(driver));
        handle
    }

    /// Has the poll return.
    pub(crate) fn wake(&self) {
        self.inbox.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Purpose;
    use core::sync::atomic::{AtomicU64, Ordering};
    use sansmq_proto::PipeId;
    use sansmq_proto::kind::Push;
    use sansmq_runtime::{Dialling, Step};

    const PLACE: &str = "tcp://nobody.invalid:1";

    fn reactor() -> Reactor {
        let poll = mio::Poll::new().unwrap();
        let waker = Arc::new(mio::Waker::new(poll.registry(), Token(usize::MAX)).unwrap());
        Reactor::new(poll.registry(), 0..9, waker).unwrap()
    }

    /// The next dial that a socket asks for.
    fn next_dial(driver: &Driver) -> (PipeId, Dialling) {
        let mut armed = None;
        loop {
            match driver.poll_step(Waker::noop(), armed) {
                Poll::Ready(Step::Dial(pipe, _, dialling)) => return (pipe, dialling),
                Poll::Ready(Step::Rearm(deadline)) => armed = deadline,
                other => panic!("no dial but {other:?}"),
            }
        }
    }

    /// A socket that has begun to dial, and what moves its clock.
    fn dialler() -> (Handle<Push>, Driver, Arc<AtomicU64>) {
        let clock = Arc::new(AtomicU64::new(0));
        let time = Arc::clone(&clock);
        let (handle, driver) =
            share(Options::new(), &Context::global(), move || Instant::from_nanos(time.load(Ordering::SeqCst)));
        handle.connect(PLACE).unwrap();
        (handle, driver, clock)
    }

    #[test]
    fn the_late_answer_to_a_dial_that_took_too_long_does_not_end_the_one_after_it() {
        let mut reactor = reactor();
        let (_handle, driver, clock) = dialler();
        let (pipe, first) = next_dial(&driver);
        reactor.begin(driver.clone(), Work::Lookup(PLACE.parse().unwrap(), Purpose::Dial(pipe, first)));
        let (_, task) = reactor.tasks.iter().next().unwrap();
        let key = task.key;
        driver.dial_failed(pipe, NetworkError::TimedOut);
        clock.store(1_000_000_000, Ordering::SeqCst); // the back-off is over
        let (_, _second) = next_dial(&driver);

        reactor.inbox.push(Request::Resolved(key, Vec::new()));
        reactor.handle_timeout();
        assert_eq!(reactor.tasks(), 0);
        assert!(driver.connected(pipe).is_some(), "the second dial goes on");
    }

    #[test]
    fn a_dial_or_a_listener_given_up_while_its_name_is_looked_up_does_not_wait_for_the_answer() {
        let mut reactor = reactor();
        let (handle, driver, _) = dialler();
        let (pipe, dialling) = next_dial(&driver);
        reactor.begin(driver.clone(), Work::Begin(PLACE.parse().unwrap(), Purpose::Dial(pipe, dialling)));
        let mut binding = pin!(handle.bind(PLACE));
        assert!(binding.as_mut().poll(&mut task::Context::from_waker(Waker::noop())).is_pending());
        let Poll::Ready(Step::Listen(id, endpoint, listening)) = driver.poll_step(Waker::noop(), None) else {
            panic!("it is to listen")
        };
        reactor.begin(driver.clone(), Work::Begin(endpoint, Purpose::Listen(id, listening)));
        reactor.handle_timeout();
        assert_eq!(reactor.tasks(), 2);
        handle.disconnect(PLACE).unwrap();
        assert!(pin!(handle.close()).poll(&mut task::Context::from_waker(Waker::noop())).is_pending());
        reactor.handle_timeout();
        assert_eq!(reactor.tasks(), 0);
    }
}
