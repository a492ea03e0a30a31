//! [`Socket`]: messages and their peers, of which there may be many. Knows no octets.

mod admission;
mod close;
mod dialer;
mod effects;
mod error;
mod event;
mod id;
mod link;
mod listener;
mod options;
mod pattern;
mod pipe;
mod routing;
mod shared_listener;
mod stats;
mod topics;

pub use error::{
    BindError, ConnectError, JoinError, OptionsError, RecvError, SendError, SubscribeError, UnbindError, Unsent,
};
pub use event::{DropReason, Event, EventQueue, Refusal};
pub use id::{ListenerId, PipeId};
pub use options::{Options, ReconnectStop, SlowSubscriber};
pub use pipe::{Need, Reader};
pub use stats::{Drops, PeerStats, SocketStats, TrafficCount};

use crate::address::{Endpoint, NetworkError, TransportConfig};
#[cfg(doc)]
use crate::connection::Connection;
use crate::connection::{ConnectionConfig, Peer};
use crate::entropy::Entropy;
use crate::kind::Kind;
use crate::message::Message;
use crate::socket::options::Settings;
use crate::socket::pipe::Pipes;
use crate::socket_type::SocketType;
use crate::time::{Deadlines, Instant};
use admission::Handshakes;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use close::LingerFrom;
use core::fmt;
use effects::Effects;
use listener::Listener;
use pattern::Pattern;

/// A ZeroMQ socket as a pure state machine: pipes to peers, the rules of its type, listeners and dials.
///
/// - The application speaks: [`bind`](Self::bind), [`connect`](Self::connect), [`send`](Self::send),
///   [`recv`](Self::recv), [`close`](Self::close).
/// - The world speaks: [`listening`](Self::listening), [`accepted`](Self::accepted), [`connected`](Self::connected),
///   [`dial_failed`](Self::dial_failed), [`exchange`](Self::exchange), [`disconnected`](Self::disconnected),
///   [`handle_timeout`](Self::handle_timeout).
/// - We answer: [`poll_action`](Self::poll_action), [`poll_timeout`](Self::poll_timeout),
///   [`poll_event`](Self::poll_event).
///
/// Every [`Connection`] that a socket hands out comes back to it through [`disconnected`](Self::disconnected).
///
/// Two sockets in one thread, without any IO:
///
/// ```
/// use sansmq_proto::{Action, Buf, Instant, Options, Socket, SystemEntropy, kind};
/// use sansmq_proto::connection::Link;
///
/// let now = Instant::ORIGIN;
/// let mut router = Socket::new(Options::<kind::Router>::new(), SystemEntropy);
/// let mut dealer = Socket::new(Options::<kind::Dealer>::new(), SystemEntropy);
/// let listener = router.bind("tcp://*:5555".parse()?);
/// let pipe = dealer.connect("tcp://example:5555".parse()?, now)?;
/// dealer.send("Hello ROUTER")?; // queued: the pipe exists before its connection
///
/// // "The network": give each side its connection, and carry octets between them.
/// let mut client = dealer.connected(pipe, now).expect("it has just asked for a dial");
/// let (accepted, mut server) = router.accepted(listener, "tcp://client:1".parse()?, now).expect("it listens");
/// for _ in 0..4 {
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
/// let [client_id, body] = router.recv()?.into_array().expect("a routing id and what the DEALER sent");
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
    /// Effects that were not polled yet.
    effects: Effects,
    deadlines: Deadlines<Timer>,
    handshakes: Handshakes,
    closing: bool,
    /// Messages that could not be sent since `close`.
    unsent: usize,
    /// The latest `now` we were given; an earlier one is taken for this one.
    now: Instant,
}

/// What a socket wants done by whoever drives it, who has to know every action: a new one is a breaking change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Listen there; answer with [`Socket::listening`] or [`Socket::listen_failed`].
    Listen(ListenerId, Endpoint),
    /// The pause that [`Socket::accept_failed`] began is over: accept again.
    Accept(ListenerId),
    /// Stop listening.
    Unlisten(ListenerId),
    /// Connect there, trying every address of the host by its [route](Endpoint::routes); answer with [`Socket::connected`] or [`Socket::dial_failed`].
    Dial(PipeId, Endpoint),
    /// Give that dial up; no answer is needed.
    StopDialling(PipeId),
    /// This pipe's connection has work: call [`Socket::exchange`] and write what there is to write. Only said while the
    /// pipe has a connection.
    Service(PipeId),
    /// [`Socket::recv`] may have something new to say.
    Readable,
    /// [`Socket::send`] may have room again.
    Writable,
}

/// Timers of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// A back-off ends, or a dial has taken too long.
    Dial(PipeId),
    /// The linger period of a pipe ends.
    Linger(PipeId),
    /// The linger period of a pipe begins.
    StartLinger(PipeId),
    /// The pause of a listener ends.
    Accept(ListenerId),
}

impl Socket {
    /// A socket with these options and no peers.
    pub fn new<T: Kind>(options: Options<T>, entropy: impl Entropy + 'static) -> Self {
        let settings = options.settings;
        let mut entropy: Box<dyn Entropy> = Box::new(entropy);
        Self {
            pattern: pattern::of(&settings, &mut *entropy),
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
            closing: false,
            unsent: 0,
            now: Instant::ORIGIN,
        }
    }

    /// What it is.
    pub const fn socket_type(&self) -> SocketType {
        self.settings.connection.socket_type
    }

    /// Returns true if sockets of this type can use the transport of `endpoint`. A STREAM socket has no `inproc` and no
    /// resource.
    pub const fn supports(&self, endpoint: &Endpoint) -> bool {
        // Over `inproc` there are messages and no octets; and a resource is asked for in ZMTP.
        !(self.socket_type().is_raw() && (matches!(endpoint, Endpoint::Inproc(_)) || endpoint.resource().is_some()))
    }

    /// What its streams and listeners are to ask of the operating system, for the world to apply to each before it listens or
    /// dials, and to each that comes in.
    pub const fn transport(&self) -> &TransportConfig {
        &self.settings.transport
    }

    /// Queues a message for the peer the socket type's rules choose.
    ///
    /// # Errors
    /// [`SendError`], which hands the message back.
    #[inline]
    pub fn send(&mut self, message: impl Into<Message>) -> Result<(), SendError> {
        let mut message = message.into();
        self.offer(&mut message).map_err(|why| why.into_error(message))
    }

    /// Sends `message` as [`send`](Self::send) does, and leaves an empty message in its place. A message that is not sent
    /// stays where it is.
    ///
    /// # Errors
    /// [`Unsent`], the reasons of [`SendError`].
    #[inline]
    pub fn offer(&mut self, message: &mut Message) -> Result<(), Unsent> {
        if self.closing {
            return Err(Unsent::Closed);
        }
        match self.pattern.send(&mut self.pipes, message) {
            Ok(effects) if effects.is_empty() => Ok(()),
            Ok(effects) => {
                self.handle_sent(message, effects);
                Ok(())
            }
            Err(why) => {
                self.pipes.stats.full_sends += u64::from(why == Unsent::Full);
                Err(why)
            }
        }
    }

    /// Handles the effects of a message that was sent.
    fn handle_sent(&mut self, message: &mut Message, mut effects: Effects) {
        if effects.take(Effects::DRAIN_PEER)
            && let Some(pipe) = self.pattern.addressee(&self.pipes, message)
        {
            message.take();
            self.drain(pipe, LingerFrom::NextTimeout);
        }
        self.effects |= effects;
    }

    /// Takes the next message, from each peer in turn.
    ///
    /// # Errors
    /// [`RecvError`].
    #[inline]
    pub fn recv(&mut self) -> Result<Message, RecvError> {
        if self.closing {
            return Err(RecvError::Closed);
        }
        self.pattern.recv(&mut self.pipes, &mut self.effects)
    }

    /// Takes the next message, as [`recv`](Self::recv) does, and tells who sent it: what the peer said of itself, and who it is
    /// if authentication found that out (libzmq: `zmq_msg_gets`). A message that stands for a peer's going, as
    /// [`disconnect_message`](crate::Options::disconnect_message), is of that peer.
    ///
    /// # Errors
    /// [`RecvError`].
    pub fn recv_from(&mut self) -> Result<(Message, Arc<Peer>), RecvError> {
        let sender = self.pattern.next_sender(&mut self.pipes);
        let message = self.recv()?;
        Ok((message, sender.expect("each message was sent by a peer that was ready")))
    }

    /// Whether [`send`](Self::send) has something to say now: it would not be [`SendError::Full`], nor out of turn. True of
    /// a closed socket (`ZMQ_EVENTS` with `ZMQ_POLLOUT`).
    ///
    /// Always true of a ROUTER, STREAM, SERVER or PEER: whether a peer has room depends on the peer.
    pub fn can_send(&mut self) -> bool {
        self.closing || self.pattern.can_send(&mut self.pipes)
    }

    /// Whether [`recv`](Self::recv) has something to say now: it would not be [`RecvError::Empty`], nor out of turn. True
    /// of a closed socket (`ZMQ_EVENTS` with `ZMQ_POLLIN`).
    pub fn can_recv(&mut self) -> bool {
        self.closing || self.pattern.can_recv(&mut self.pipes)
    }

    /// The next thing to do, or `None` if there is nothing now.
    #[must_use]
    #[inline]
    pub fn poll_action(&mut self) -> Option<Action> {
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

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    #[must_use]
    #[inline]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// Fires the timers that are due: back-offs, slow dials, pauses of listeners, linger. Harmless when none is.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.observe(now);
        // Each once: what is armed anew has to wait for the next call, be it due at once.
        let due: Vec<_> = core::iter::from_fn(|| self.deadlines.pop_due(now)).collect();
        for timer in due {
            match timer {
                Timer::Linger(id) => self.abort_pipe(id),
                Timer::StartLinger(id) => self.start_requested_linger(id),
                Timer::Accept(id) => self.actions.push_back(Action::Accept(id)),
                Timer::Dial(id) if self.is_dialling(id) => {
                    self.actions.push_back(Action::StopDialling(id));
                    self.dial_failed(id, NetworkError::TimedOut, now);
                }
                Timer::Dial(id) => self.dial(id),
            }
        }
    }

    fn observe(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.now
    }

    /// The next event, if [`monitor`](Self::monitor) is on.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.pipes.events.as_mut()?.pop()
    }

    /// Turns events on or off. At most 1000 wait to be polled; after that the oldest are dropped and counted.
    pub fn monitor(&mut self, on: bool) {
        match (on, &self.pipes.events) {
            (true, None) => self.pipes.events = Some(EventQueue::new()),
            (false, Some(_)) => self.pipes.events = None,
            (true, Some(_)) | (false, None) => {}
        }
    }

    /// Returns true until the pipe is removed.
    #[inline]
    pub fn contains(&self, id: PipeId) -> bool {
        self.pipes.get(id).is_some()
    }

    /// How many peers there are, including those being dialled and those whose last messages wait to be received.
    pub const fn peers(&self) -> usize {
        self.pipes.len()
    }
}

/// Statistics.
impl Socket {
    /// What the socket has done so far and what waits in it, in numbers. The work grows with the number of peers; counting
    /// itself goes on whether or not anybody asks, and costs next to nothing.
    pub fn stats(&self) -> SocketStats {
        self.pipes.stats()
    }

    /// The same for each of its peers.
    pub fn peer_stats(&self) -> impl Iterator<Item = PeerStats> {
        self.pipes.peer_stats()
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
