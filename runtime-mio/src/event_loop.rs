//! [`EventLoop`]: many sockets and one thread.

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

/// An event loop that serves sockets: it waits for what they wait for, and gives each its turn.
///
/// The thread that owns it has it [`turn`](Self::turn) between other things, or gives itself up to it with
/// [`run`](Self::run) or [`block_on`](Self::block_on). The sockets themselves may be used on any thread; while nobody turns
/// the loop, nothing moves.
///
/// ```
/// use sansmq_mio::EventLoop;
/// use sansmq_mio::proto::{Options, kind::{Dealer, Router}};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut events = EventLoop::new()?;
/// let router = events.socket(Options::<Router>::new());
/// let dealer = events.socket(Options::<Dealer>::new());
/// events.block_on(async {
///     dealer.connect(router.bind("tcp://127.0.0.1:*").await?)?;
///     dealer.send("Hello ROUTER").await?;
///     let [client, body] = router.recv().await?.into_array().expect("a routing id and what the DEALER sent");
///     assert_eq!(body, "Hello ROUTER");
///     router.send((client, "ACK")).await?;
///     assert_eq!(dealer.recv().await?.body(), "ACK");
///     Ok(())
/// })
/// # }
/// ```
pub struct EventLoop {
    poll: sync::Poll,
    events: Events,
    reactor: Reactor,
}

/// The token of the waker; all others are the reactor's.
const WAKER: Token = Token(usize::MAX);

/// Events taken from the system at a time.
const EVENTS: usize = 1024;

impl EventLoop {
    /// A loop without sockets.
    ///
    /// # Errors
    /// The system has no more descriptors.
    pub fn new() -> io::Result<Self> {
        let poll = sync::Poll::new()?;
        let waker = Arc::new(sync::Waker::new(poll.registry(), WAKER)?);
        let reactor = Reactor::new(poll.registry(), 0..WAKER.0, waker)?;
        Ok(Self { poll, events: Events::with_capacity(EVENTS), reactor })
    }

    /// A socket with these options that this loop serves.
    pub fn socket<T: Kind>(&self, options: Options<T>) -> Handle<T> {
        self.reactor.socket(options)
    }

    /// Creates a socket whose `inproc` names and shared ports are those of `context`.
    pub fn socket_in<T: Kind>(&self, context: &Context, options: Options<T>) -> Handle<T> {
        self.remote().socket_in(context, options)
    }

    /// For making sockets on other threads.
    pub fn remote(&self) -> Remote {
        self.reactor.remote()
    }

    /// One round: waits until there is something to do, but no longer than `timeout` (`None`: as long as it takes), and does
    /// it. The work is bounded, so that the thread soon has time for other things.
    ///
    /// # Errors
    /// The system's poll failed.
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

    /// How many sockets, listeners, dials and connections there are.
    pub fn tasks(&self) -> usize {
        self.reactor.tasks()
    }

    /// Turns until all sockets are closed.
    ///
    /// # Errors
    /// The system's poll failed.
    pub fn run(&mut self) -> io::Result<()> {
        // The first turn takes sockets up that were only just made.
        self.turn(Some(Duration::ZERO))?;
        while self.reactor.tasks() > 0 {
            self.turn(None)?;
        }
        Ok(())
    }

    /// Turns until `future` is ready: whatever waits for sockets of this loop, or for anything that wakes.
    ///
    /// # Panics
    /// If the system's poll fails, which then nothing can be awaited with.
    pub fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        let run_waker = Arc::new(RunWaker { woken: AtomicBool::new(true), remote: self.reactor.remote() });
        let waker = Waker::from(Arc::clone(&run_waker));
        let mut cx = task::Context::from_waker(&waker);
        let mut future = pin!(future);
        loop {
            if run_waker.woken.swap(false, Ordering::AcqRel)
                && let Poll::Ready(output) = future.as_mut().poll(&mut cx)
            {
                return output;
            }
            // What it has asked for is done before the system is asked: most often there is then nothing left but to wait.
            self.reactor.handle_timeout();
            let patience = run_waker.woken.load(Ordering::Acquire).then_some(Duration::ZERO);
            self.turn(patience).expect("the system polls");
        }
    }
}

/// Has a future polled again.
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
