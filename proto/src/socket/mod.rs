//! [`Socket`]: state machine of a ZeroMQ socket, which moves messages between the application and all peers.
//! Independent of the wire format.

mod admission;
mod close;
mod completion;
mod dialer;
mod effects;
mod error;
mod event;
mod failing;
mod flush;
mod id;
mod link;
mod listener;
mod messages;
mod metrics;
mod options;
mod pattern;
mod pipe;
mod port;
mod reachability;
mod routing;
mod set_options;
mod shared_listener;
mod stats;
mod topics;
mod wait;

pub use error::{
    AcceptError, BindError, ConnectError, JoinError, OptionsError, RecvError, SendError, SubscribeError, UnbindError,
    Unsent, WaitError, WaitSubscribedError,
};
pub use event::{DropReason, Event, EventQueue, RejectReason};
pub use failing::{FailingDial, FailingDials};
pub use flush::Flush;
pub use id::{ListenerId, PipeId};
pub use metrics::Metrics;
pub use options::{Options, ParseOptionError, ReconnectStop, SlowSubscriber, SocketOption};
pub use pipe::{Demand, Reader};
pub use port::Port;
pub use set_options::SetOptionsError;
pub use stats::{Drops, HeldMemory, MemoryLimits, PeerStats, SocketStats, TrafficCount};
pub use wait::WaitId;

use crate::address::{Endpoint, NetworkError, TransportConfig};
use crate::connection::{ConnectionConfig, Ledger, MemoryBudget};
use crate::cost;
use crate::entropy::Entropy;
use crate::kind::Kind;
use crate::socket::options::Settings;
use crate::socket::pipe::Pipes;
use crate::socket_type::SocketType;
use crate::time::{Deadlines, Instant};
use admission::Handshakes;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use effects::Effects;
use listener::Listener;
use pattern::Pattern;
use wait::Waits;

/// A ZeroMQ socket as a state machine without IO. The socket holds the message queues of each peer (the pipe of this
/// peer), the listeners, and the connection attempts. The socket type determines which peers each message is sent to.
///
/// - Calls of the application: [`bind`](Self::bind), [`connect`](Self::connect), [`send`](Self::send),
///   [`recv`](Self::recv), [`close`](Self::close).
/// - Reports of the driver, which does the IO: [`listening`](Self::listening), [`accepted`](Self::accepted),
///   [`connected`](Self::connected), [`dial_failed`](Self::dial_failed), [`exchange`](Self::exchange),
///   [`disconnected`](Self::disconnected), [`handle_timeout`](Self::handle_timeout).
/// - Output of the socket: [`poll_action`](Self::poll_action), [`poll_timeout`](Self::poll_timeout),
///   [`poll_event`](Self::poll_event).
///
/// When a [`Connection`](crate::Connection) has ended, the driver must give it back to the socket that created it, with
/// [`disconnected`](Self::disconnected).
///
/// Two sockets in one thread, without any IO:
///
/// ```
/// use sansmq::proto::connection::Link;
/// use sansmq::proto::{Action, Buf, Instant, Options, Socket, SystemEntropy, kind};
///
/// let now = Instant::ORIGIN;
/// let mut router = Socket::new(Options::<kind::Router>::new(), SystemEntropy);
/// let mut dealer = Socket::new(Options::<kind::Dealer>::new(), SystemEntropy);
/// let listener = router.bind("tcp://*:5555".parse()?);
/// let pipe = dealer.connect("tcp://example:5555".parse()?, now)?;
/// dealer.send("Hello ROUTER")?; // queued: the pipe exists before its connection
///
/// // "The network": give each side its connection, and carry bytes between them.
/// let mut client = dealer.connected(pipe, now).expect("the pipe is being dialled");
/// let (accepted, mut server) = router.accepted(listener, "tcp://client:1".parse()?, now).expect("the socket listens");
/// for _ in 0..5 {
///     dealer.exchange(pipe, &mut client)?;
///     router.exchange(accepted, &mut server)?;
///     if let Some(out) = client.poll_transmit() {
///         server.handle_input(&out.copy_to_bytes(out.remaining()), now)?;
///     }
///     if let Some(out) = server.poll_transmit() {
///         client.handle_input(&out.copy_to_bytes(out.remaining()), now)?;
///     }
/// }
/// router.exchange(accepted, &mut server)?;
/// let [client_id, body] = router.recv()?.into_array().expect("a routing id and the message of the DEALER");
/// assert_eq!(body, "Hello ROUTER");
/// router.send((client_id, "ACK"))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Socket {
    pattern: Box<dyn Pattern>,
    pipes: Pipes,
    listeners: BTreeMap<ListenerId, Listener>,
    next_listener: u64,
    settings: Settings,
    config: Arc<ConnectionConfig>,
    entropy: Box<dyn Entropy>,
    actions: VecDeque<Action>,
    /// Effects of earlier operations, for example that `recv` may now succeed. Each effect stays here until
    /// `poll_action` or `take_peers_changed` returns it.
    effects: Effects,
    deadlines: Deadlines<Timer>,
    handshakes: Handshakes,
    /// Memory that the handshakes of all connections of this socket hold.
    ledger: Arc<Ledger>,
    waits: Waits,
    closing: bool,
    /// True while [`Event::Closed`] must not be emitted yet, because another event comes before it.
    holds_closed: bool,
    /// Reason why the runtime cannot run the socket; see [`runtime_failed`](Self::runtime_failed). The socket is then
    /// closing too.
    runtime_error: Option<NetworkError>,
    /// True if the application cannot send now for a reason other than full queues: the socket is closing, or the option
    /// `fail_unreachable` is set and every dial is failing. Derived from these two, so that the path of each message has
    /// one comparison.
    is_blocked: bool,
    /// Number of queued messages that were dropped since `close` was called, because they could not be sent. Returned
    /// by [`unsent`](Self::unsent).
    unsent: usize,
    /// Latest time that was passed to any method of this socket. A method that is called with an earlier time uses this
    /// time instead.
    now: Instant,
}

/// Work that a socket requests from its driver, the code that does the IO. A driver must handle every variant, so a new
/// variant is a breaking change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Listen at the endpoint. Report the outcome with [`Socket::listening`] or [`Socket::listen_failed`].
    Listen(ListenerId, Endpoint),
    /// Accept connections at this listener again: the pause that [`Socket::accept_failed`] began is over.
    Accept(ListenerId),
    /// Close this listener. Report an error with [`Socket::listener_close_failed`]; success is not reported.
    CloseListener(ListenerId),
    /// Connect to the endpoint. If the host of the endpoint has several addresses, try the [route](Endpoint::routes) to
    /// each of them. Report the outcome with [`Socket::connected`] or [`Socket::dial_failed`].
    Dial(PipeId, Endpoint),
    /// Cancel the connection attempt that [`Dial`](Self::Dial) began for this pipe. The outcome is not reported.
    CancelDial(PipeId),
    /// Messages can be moved between this pipe (the queues of one peer) and its connection: call [`Socket::exchange`],
    /// which moves them, then write the output of the connection. Emitted only while the pipe has a connection.
    Service(PipeId),
    /// [`Socket::recv`] may return a different result than before: wake the tasks that wait to receive.
    Readable,
    /// [`Socket::send`] may return a different result than before, for example because a peer has room again: wake the
    /// tasks that wait to send.
    Writable,
}

/// Timer of a socket. The documentation of each variant names the moment at which the timer expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// While a pipe waits to dial again: end of this wait (the back-off). While a pipe is being dialled: end of the
    /// time that the dial is allowed to take (`connect_timeout`).
    Dial(PipeId),
    /// End of the linger period of a pipe. The messages that are still queued in the pipe are then dropped.
    Linger(PipeId),
    /// Beginning of the linger period of a pipe. This timer expires at once, so that the next call of `handle_timeout`
    /// begins the period.
    StartLinger(PipeId),
    /// End of the time limit of a wait for the connection of one dial.
    Wait(WaitId),
    /// End of the pause after a listener failed to accept a connection. The listener then accepts again.
    Accept(ListenerId),
    /// Subscriptions of peers that have disconnected are still being removed. This timer has always expired.
    Departed,
}

impl fmt::Display for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dial(pipe) => write!(f, "dial of {pipe:?}"),
            Self::Linger(pipe) | Self::StartLinger(pipe) => write!(f, "linger period of {pipe:?}"),
            Self::Wait(_) => f.write_str("wait for a connection"),
            Self::Accept(ListenerId(id)) => write!(f, "pause of listener {id}"),
            Self::Departed => f.write_str("removal of subscriptions"),
        }
    }
}

impl Socket {
    /// Creates a socket with these options and no peers. `entropy` supplies random numbers.
    ///
    /// A program links the code of the socket types `T` with which it calls this function, and the code of all types only
    /// for [`Any`](crate::kind::Any). On a microcontroller, this halves the size of the program.
    pub fn new<T: Kind>(options: Options<T>, entropy: impl Entropy + 'static) -> Self {
        let mut settings = options.settings;
        settings.connection.announce_close_reason();
        let ledger = Arc::new(Ledger::new(settings.admission.handshake_bytes, None));
        settings.connection.ledger = Some(Arc::clone(&ledger));
        let mut entropy: Box<dyn Entropy> = Box::new(entropy);
        Self {
            pattern: pattern::of::<T>(&settings, &mut *entropy),
            pipes: Pipes::new(&settings),
            listeners: BTreeMap::new(),
            next_listener: 0,
            config: Arc::new(settings.connection.clone()),
            settings,
            entropy,
            actions: VecDeque::new(),
            effects: Effects::NONE,
            deadlines: Deadlines::new(),
            handshakes: Handshakes::default(),
            ledger,
            waits: Waits::default(),
            closing: false,
            holds_closed: false,
            runtime_error: None,
            is_blocked: false,
            unsent: 0,
            now: Instant::ORIGIN,
        }
    }

    /// Sets the memory that this socket and others hold together, and its limit. Must be called before the first call of
    /// `bind` or `connect`. By default there is no such limit; libzmq has none.
    ///
    /// While the sockets hold more than the limit, a queue of a peer with 64 KiB or more is full, as at
    /// [`recv_hwm_bytes`](crate::Options::recv_hwm_bytes) and [`send_hwm_bytes`](crate::Options::send_hwm_bytes), and a
    /// connection with an incomplete message of more than 64 KiB ends with
    /// [`ConnectionError::MemoryLimit`](crate::ConnectionError::MemoryLimit), as does the connection of a peer that adds a
    /// subscription to others which hold 64 KiB. Other peers are served as usual. So the limit can be exceeded by about 192
    /// KiB and two messages per peer. The messages under way over `inproc` are not counted, at most 128 in each direction.
    pub fn set_memory_budget(&mut self, budget: Arc<MemoryBudget>) {
        self.pipes.set_budget(Arc::clone(&budget));
        self.ledger = Arc::new(Ledger::new(self.settings.admission.handshake_bytes, Some(budget)));
        self.settings.connection.ledger = Some(Arc::clone(&self.ledger));
        self.config = Arc::new(self.settings.connection.clone());
    }

    /// Returns the type of this socket.
    pub const fn socket_type(&self) -> SocketType {
        self.settings.connection.socket_type
    }

    /// Returns true if sockets of this type can use `endpoint`. A STREAM socket supports neither the transport `inproc`
    /// nor an endpoint with a resource (RFC 37); all other types support every endpoint.
    pub const fn supports(&self, endpoint: &Endpoint) -> bool {
        // An `inproc` link carries messages, not bytes, and a resource is requested in the ZMTP handshake.
        !(self.socket_type().is_raw() && (matches!(endpoint, Endpoint::Inproc(_)) || endpoint.resource().is_some()))
    }

    /// Returns the settings for operating system sockets. The driver, which does the IO, must apply these settings to
    /// each operating system socket before the socket listens or connects, and to each accepted operating system
    /// socket.
    pub const fn transport(&self) -> &TransportConfig {
        &self.settings.transport
    }

    /// Returns true if [`poll_action`](Self::poll_action), [`poll_event`](Self::poll_event) or
    /// [`take_peers_changed`](Self::take_peers_changed) may return something. May return true although they do not, but not the
    /// other way round.
    #[must_use]
    #[inline]
    pub fn has_output(&self) -> bool {
        self.pipes.has_output() || !self.effects.is_empty() || !self.actions.is_empty()
    }

    /// Returns the next action for the driver, which is the code that does the IO. Returns `None` if there is no action
    /// now.
    #[must_use]
    #[inline]
    pub fn poll_action(&mut self) -> Option<Action> {
        let _call = cost::call("Socket::poll_action", 1);
        cost::wakes(1);
        if let Some(pipe) = self.pipes.pop_due() {
            return Some(Action::Service(pipe));
        }
        if self.effects.take(Effects::READABLE) {
            return Some(Action::Readable);
        }
        if self.effects.take(Effects::WRITABLE) {
            return Some(Action::Writable);
        }
        self.actions.pop_front()
    }

    /// Returns the time at which [`handle_timeout`](Self::handle_timeout) must be called; `None` if no timer is set.
    #[must_use]
    #[inline]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.effects.contains(Effects::UNFINISHED) { Some(self.now) } else { self.deadlines.next() }
    }

    /// Returns the timer that expires at [`poll_timeout`](Self::poll_timeout). For logs and debugging.
    #[must_use]
    pub fn next_timer(&self) -> Option<Timer> {
        if self.effects.contains(Effects::UNFINISHED) {
            return Some(Timer::Departed);
        }
        self.deadlines.first().map(|(_, timer)| timer)
    }

    /// Handles the timers that have expired at the time `now`. A timer ends the delay before a connection attempt, an
    /// attempt that takes too long, the pause of a listener, or a linger period. Does nothing if no timer has expired.
    ///
    /// Also continues to remove the subscriptions of peers that have disconnected, a bounded number per call.
    /// [`poll_timeout`](Self::poll_timeout) then returns a time that has passed until all are removed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let _call = cost::call("Socket::handle_timeout", 1);
        let now = self.observe(now);
        if self.effects.take(Effects::UNFINISHED) {
            self.effects |= self.pattern.remove_departed(&mut self.pipes);
        }
        // Collect first: a timer that is set again below waits for the next call, even if it expires at once.
        let due: Vec<_> = core::iter::from_fn(|| self.deadlines.pop_due(now)).collect();
        for timer in due {
            cost::nodes(1);
            match timer {
                Timer::Linger(id) => self.abort_pipe(id),
                Timer::StartLinger(id) => self.start_requested_linger(id),
                Timer::Wait(id) => self.expire_wait(id),
                Timer::Accept(id) => self.actions.push_back(Action::Accept(id)),
                Timer::Departed => {}
                Timer::Dial(id) if self.is_dialling(id) => {
                    self.actions.push_back(Action::CancelDial(id));
                    self.dial_failed(id, NetworkError::TimedOut, now);
                }
                Timer::Dial(id) => {
                    if let Some(pipe) = self.pipes.get_mut(id) {
                        pipe.state.dial();
                    }
                    self.dial(id);
                }
            }
        }
    }

    fn observe(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.now
    }

    /// Returns the next event; `None` if there is none now or [`monitor`](Self::monitor) is off.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.pipes.events.as_mut()?.pop()
    }

    /// Turns the events of [`poll_event`](Self::poll_event) on or off. At most 1000 events wait for `poll_event`. If
    /// more events occur, the socket drops the oldest events and returns their number as [`Event::Lagged`].
    pub fn monitor(&mut self, on: bool) {
        match (on, &self.pipes.events) {
            (true, None) => self.pipes.events = Some(EventQueue::new()),
            (false, Some(_)) => self.pipes.events = None,
            (true, Some(_)) | (false, None) => {}
        }
    }

    /// Returns true if the pipe with this id exists in this socket, which means that the pipe has not been removed yet.
    #[inline]
    pub fn contains(&self, id: PipeId) -> bool {
        self.pipes.get(id).is_some()
    }

    /// Returns the endpoints of this socket: those to which it is bound, and those to which it connects.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        let bound = self.listeners.values().filter(|listener| !matches!(listener.outcome, Some(Err(_))));
        let pipes = self.pipes.ids().into_iter().filter_map(|id| self.pipes.get(id));
        let dialled = pipes.filter(|pipe| pipe.state.is_dialled()).filter_map(|pipe| pipe.state.endpoint().cloned());
        bound.map(Listener::endpoint).chain(dialled).collect()
    }

    /// Returns the present number of peers. Includes peers to which the socket is connecting or will reconnect, and
    /// disconnected peers from which messages wait to be received.
    pub const fn peers(&self) -> usize {
        self.pipes.len()
    }
}

/// Statistics of a socket and its peers.
impl Socket {
    /// Returns the counters of the socket and the size of its queues. The cost of this call grows with the number of
    /// peers. The socket always updates the counters, at negligible cost.
    pub fn stats(&self) -> SocketStats {
        let mut stats = self.pipes.stats(self.now);
        stats.held.subscriptions = self.pattern.held_subscriptions() as u64;
        stats.handshake_bytes = self.ledger.handshake_bytes() as u64;
        stats.limits = self.settings.memory_limits();
        stats.limits.memory_budget = self.pipes.budget().map_or(0, |budget| budget.limit() as u64);
        stats
    }

    /// Stores which messages are queued at `now`, for the fields `outgoing_age` and `incoming_age` of the statistics. Call
    /// this method before [`stats`](Self::stats) and [`peer_stats`](Self::peer_stats).
    ///
    /// The age of a message is the time since the first sample at which the message was queued. So the first sample finds
    /// an age of zero, and with a sample every 15 seconds, ages are up to 15 seconds too short. The cost of this call grows
    /// with the number of peers.
    // A time stamp per message, or per change of the first message, would need the time in each `send` and `recv`.
    pub fn sample_queues(&mut self, now: Instant) {
        let now = self.observe(now);
        self.pipes.sample_queues(now);
    }

    /// Returns the counters and the size of the queues of each peer.
    pub fn peer_stats(&self) -> impl Iterator<Item = PeerStats> {
        self.pipes.peer_stats(self.now).map(|mut stats| {
            stats.held.subscriptions = self.pattern.held_subscriptions_of(stats.pipe) as u64;
            stats
        })
    }
}

/// Check of the counted memory, for tests.
#[cfg(feature = "meter")]
impl Socket {
    /// Checks that the memory which the queues count is the memory that their messages hold, and that it is within the
    /// limits of the options. Returns the number of messages that were visited.
    ///
    /// # Panics
    /// If the memory is counted wrongly, or is above a limit.
    pub fn assert_held(&self) -> usize {
        let handshakes = self.ledger.handshake_bytes();
        let limit = self.ledger.handshake_limit(self.pipes.len());
        assert!(handshakes <= limit, "handshakes hold {handshakes} bytes, at most {limit} are allowed");
        self.pipes.assert_held()
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("type", &self.socket_type())
            .field("listeners", &self.listeners.len())
            .field("peers", &self.pipes.len())
            .field("closing", &self.closing)
            .finish_non_exhaustive()
    }
}
