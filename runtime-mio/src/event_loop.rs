//! [`EventLoop`]: an event loop that runs many sockets in one thread.

use crate::reactor::{Reactor, Remote};
use crate::sync::{self, AtomicBool};
use core::fmt;
use core::pin::pin;
use core::sync::atomic::Ordering;
use core::task::{self, Poll, Waker};
use core::time::Duration;
use mio::{Events, Token};
use sansmq_proto::Options;
use sansmq_proto::kind::Kind;
use sansmq_runtime::{Context, Handle};
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::task::Wake;

/// Event loop that does the IO of its sockets in one thread.
///
/// The thread that owns the event loop calls [`turn`](Self::turn) from time to time, or blocks in [`run`](Self::run) or
/// [`block_on`](Self::block_on). Any thread can use the sockets, but their network connections make no progress while
/// the event loop does not run. Before the event loop is dropped, pass [`Context::close`] to `block_on`, or drop the
/// sockets and call `run`: otherwise, messages that are still queued are lost.
///
/// ```
/// use sansmq::mio::EventLoop;
/// use sansmq::{Options, kind::{Dealer, Router}};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut events = EventLoop::new()?;
/// let router = events.socket(Options::<Router>::new());
/// let dealer = events.socket(Options::<Dealer>::new());
/// events.block_on(async {
///     dealer.connect(router.bind("tcp://127.0.0.1:*").await?)?;
///     dealer.send("Hello ROUTER").await?;
///     let [client, body] = router.recv().await?.into_array().expect("a routing id and a body");
///     assert_eq!(body, "Hello ROUTER");
///     router.send((client, "ACK")).await?;
///     assert_eq!(dealer.recv().await?.body(), "ACK");
///     Ok(())
/// })
/// # }
/// ```
#[doc(alias = "zloop")]
pub struct EventLoop {
    poll: sync::Poll,
    events: Events,
    reactor: Reactor,
}

/// mio token of the waker that interrupts the poll. All smaller tokens are used for the listeners and connections of
/// the reactor.
const WAKER: Token = Token(usize::MAX);

/// Maximum number of events that one call of `Poll::poll` returns.
const EVENTS: usize = 1024;

impl EventLoop {
    /// Creates an event loop without sockets.
    ///
    /// # Errors
    /// The operating system has no descriptors left.
    pub fn new() -> io::Result<Self> {
        let poll = sync::Poll::new()?;
        let waker = Arc::new(sync::Waker::new(poll.registry(), WAKER)?);
        let reactor = Reactor::new(poll.registry(), 0..WAKER.0, waker)?;
        Ok(Self { poll, events: Events::with_capacity(EVENTS), reactor })
    }

    /// Creates a socket that runs on this event loop. The socket belongs to the global [`Context`], as do all sockets
    /// that are created without another context.
    pub fn socket<T: Kind>(&self, options: Options<T>) -> Handle<T> {
        self.reactor.socket(options)
    }

    /// Creates a socket that runs on this event loop, in `context`. Only sockets of the same context can connect to
    /// each other by `inproc` or share a TCP port.
    pub fn socket_in<T: Kind>(&self, context: &Context, options: Options<T>) -> Handle<T> {
        self.remote().socket_in(context, options)
    }

    /// Returns a [`Remote`], with which other threads can create sockets on this event loop.
    pub fn remote(&self) -> Remote {
        self.reactor.remote()
    }

    /// Runs one round of the loop. Waits until an event arrives or a task is ready, at most for `timeout` (`None`: no
    /// limit). Then polls the ready background tasks of sockets, listeners and connections. A round does a limited
    /// amount of work, so that the thread soon has time for other work.
    ///
    /// # Errors
    /// The poll of the operating system failed.
    pub fn turn(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let wait = match (self.reactor.next_timeout(), timeout) {
            (Some(next), Some(timeout)) => Some(next.min(timeout)),
            (next, timeout) => next.or(timeout),
        };
        match self.poll.poll(&mut self.events, wait) {
            Ok(()) => {
                for event in &self.events {
                    self.reactor.handle_event(event);
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        self.reactor.handle_timeout();
        Ok(())
    }

    /// Returns the number of background tasks that have not ended. There is one task for each socket and, except for
    /// `inproc`, one for each listener, each attempt to connect and each connection.
    pub fn tasks(&self) -> usize {
        self.reactor.tasks()
    }

    /// Runs the loop until all its sockets are closed. Returns at once if it has no socket.
    ///
    /// # Errors
    /// The poll of the operating system failed.
    pub fn run(&mut self) -> io::Result<()> {
        // The first turn adds the tasks of sockets that were just created.
        self.turn(Some(Duration::ZERO))?;
        while self.reactor.tasks() > 0 {
            self.turn(None)?;
        }
        Ok(())
    }

    /// Runs the loop until `future` is ready, and returns the output of the future. The future can wait for sockets of
    /// this event loop, and for anything else that wakes the waker of the future.
    ///
    /// # Panics
    /// If the poll of the operating system fails.
    pub fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        let wake = Arc::new(RunWaker { woken: AtomicBool::new(true), remote: self.reactor.remote() });
        let waker = Waker::from(Arc::clone(&wake));
        let mut cx = task::Context::from_waker(&waker);
        let mut future = pin!(future);
        loop {
            if wake.woken.swap(false, Ordering::AcqRel)
                && let Poll::Ready(output) = future.as_mut().poll(&mut cx)
            {
                return output;
            }
            // The work that the future has requested is done before the poll. Most often, nothing is ready afterwards, and one
            // system call is enough.
            self.reactor.handle_timeout();
            let timeout = wake.woken.load(Ordering::Acquire).then_some(Duration::ZERO);
            self.turn(timeout).expect("the poll of the operating system must not fail");
        }
    }
}

/// Waker that makes [`EventLoop::block_on`] poll its future again.
struct RunWaker {
    woken: AtomicBool,
    remote: Remote,
}

impl Wake for RunWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.remote.wake();
    }
}

impl fmt::Debug for EventLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EventLoop").field(&self.reactor).finish()
    }
}
