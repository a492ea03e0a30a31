//! [`Socket`]: messages and their peers, of which there may be many. Knows no octets.

mod admission;
mod close;
mod dialer;
mod error;
mod event;
mod id;
mod listener;
mod notices;
mod numbers;
mod options;
mod parting;
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
pub use stats::{Drops, PeerStats, SocketStats, Tally};

use crate::address::{Endpoint, NetworkError, TransportConfig};
#[cfg(doc)]
use crate::connection::Connection;
use crate::connection::{ConnectionConfig, ConnectionError, Inbound, Link, Peer};
use crate::entropy::Entropy;
use crate::kind::Kind;
use crate::message::{Frame, Message};
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
use dialer::Timer;
use listener::Listener;
use pattern::Pattern;
use pipe::state::Life;

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

    /// Begins to listen, unless the socket is closed. The outcome is in [`listener`](Self::listener) once the world has
    /// answered; an endpoint with a [`Source`](crate::address::Source) fails at once with [`NetworkError::HasSource`].
    pub fn bind(&mut self, endpoint: Endpoint) -> ListenerId {
        let id = ListenerId(self.next_listener);
        self.next_listener += 1;
        if self.closing {
            return id;
        }
        let place = self.settings.transport.place(&endpoint);
        let nonsense = endpoint.source().is_some();
        self.listeners.insert(id, Listener::new(endpoint));
        if nonsense {
            self.listen_failed(id, NetworkError::HasSource);
        } else {
            self.actions.push_back(Action::Listen(id, place));
        }
        id
    }

    /// What its streams and listeners are to ask of the operating system, for the world to apply to each before it listens or
    /// dials, and to each that comes in.
    pub const fn transport(&self) -> &TransportConfig {
        &self.settings.transport
    }

    /// What has become of a listener: `None` while it is being opened, then its bound address or why it failed.
    ///
    /// # Errors
    /// Why it failed; [`NetworkError::Other`] if it is closed.
    pub fn listener(&self, id: ListenerId) -> Option<Result<Endpoint, NetworkError>> {
        self.listeners.get(&id).map_or(Some(Err(NetworkError::Other)), |listener| listener.outcome.clone())
    }

    /// Stops listening, and ends the connections that came in there: each may still send what is queued, for as long as
    /// `linger` allows. `endpoint` is what was given to `bind`, or what `bind` returned.
    ///
    /// # Errors
    /// [`UnbindError::Unknown`].
    pub fn unbind(&mut self, endpoint: &Endpoint, now: Instant) -> Result<(), UnbindError> {
        self.observe(now);
        let there = self.listeners.iter().filter(|(_, listener)| listener.is_at(endpoint));
        let ids: Vec<_> = there.map(|(&id, _)| id).collect();
        if ids.is_empty() {
            return Err(UnbindError::Unknown(endpoint.clone()));
        }
        for id in ids {
            self.unlisten(id);
            for pipe in self.pipes.ids() {
                if self.pipes.get(pipe).is_some_and(|pipe| pipe.life.is_accepted_by(id)) {
                    self.drain(pipe);
                }
            }
        }
        Ok(())
    }

    /// Begins to dial, and dials again whenever the connection is lost. The pipe exists at once and takes messages.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub fn connect(&mut self, endpoint: Endpoint, now: Instant) -> Result<PipeId, ConnectError> {
        self.open(endpoint, now, |pattern, pipes, pipe| pattern.opened(pipes, pipe))
    }

    /// As [`connect`](Self::connect), naming the peer (`CONNECT_ROUTING_ID`): messages to this routing id go there, and may
    /// be sent at once. Means something to a ROUTER and a STREAM only; others take it for a `connect`.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub fn connect_as(
        &mut self,
        endpoint: Endpoint,
        routing_id: impl Into<Frame>,
        now: Instant,
    ) -> Result<PipeId, ConnectError> {
        let id = routing_id.into();
        if id.is_empty() || id.len() > 255 {
            return Err(ConnectError::RoutingId(id.len()));
        }
        self.open(endpoint, now, |pattern, pipes, pipe| {
            pattern.opened(pipes, pipe)?;
            pattern.named(pipes, pipe, id)
        })
    }

    /// As [`connect`](Self::connect), and tells the routing id of the new peer, so that messages may be sent to it at once
    /// (`zmq_connect_peer`). Means something to a PEER or SERVER only; others take it for a `connect`, and the id is empty.
    ///
    /// The id stays the same through all reconnections.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub fn connect_peer(&mut self, endpoint: Endpoint, now: Instant) -> Result<(PipeId, Frame), ConnectError> {
        let pipe = self.connect(endpoint, now)?;
        let id = self.pipes.get(pipe).map(|pipe| pipe.routing_id.clone());
        Ok((pipe, id.unwrap_or_default()))
    }

    fn open(
        &mut self,
        endpoint: Endpoint,
        now: Instant,
        admit: impl FnOnce(&mut dyn Pattern, &mut Pipes, PipeId) -> Result<(), ConnectError>,
    ) -> Result<PipeId, ConnectError> {
        self.observe(now);
        if self.closing {
            return Err(ConnectError::Closed);
        }
        if endpoint.is_wildcard() {
            return Err(ConnectError::Wildcard(endpoint));
        }
        if !self.supports(&endpoint) {
            return Err(ConnectError::Transport(self.socket_type(), endpoint));
        }
        if self.socket_type().connects_once()
            && let Some(known) = self.pipes.ids().into_iter().find(|&id| self.pipes.leads_to(id, &endpoint))
        {
            return Ok(known);
        }
        let pipe = self.pipes.insert(Life::dialled(endpoint));
        if let Err(error) = admit(&mut *self.pattern, &mut self.pipes, pipe) {
            self.pipes.remove(pipe);
            return Err(error);
        }
        self.dial(pipe);
        Ok(pipe)
    }

    /// Ends every `connect` to that endpoint. What is queued may still go out, for as long as `linger` allows.
    ///
    /// # Errors
    /// [`UnbindError::Unknown`].
    pub fn disconnect(&mut self, endpoint: &Endpoint, now: Instant) -> Result<(), UnbindError> {
        self.observe(now);
        let dialled = |pipe: &PipeId| self.pipes.get(*pipe).is_some_and(|pipe| pipe.life.is_dialled_to(endpoint));
        let pipes: Vec<_> = self.pipes.ids().into_iter().filter(dialled).collect();
        if pipes.is_empty() {
            return Err(UnbindError::Unknown(endpoint.clone()));
        }
        for pipe in pipes {
            self.drain(pipe);
        }
        Ok(())
    }

    /// Ends the connection to the peer of this routing id, at a SERVER or PEER, and dials it no more
    /// (`zmq_disconnect_peer`). What is queued for it may still go out, for as long as `linger` allows; what it sent and
    /// nobody has received is dropped. A peer that dialled us may come again, and has another routing id then.
    ///
    /// # Errors
    /// [`UnbindError::UnknownPeer`]: nobody has that routing id, or the socket is of another type.
    pub fn disconnect_peer(&mut self, routing_id: impl Into<Frame>, now: Instant) -> Result<(), UnbindError> {
        self.observe(now);
        let id = routing_id.into();
        let Some(pipe) = self.pattern.numbered(&id) else {
            return Err(UnbindError::UnknownPeer(id));
        };
        self.drain(pipe);
        Ok(())
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
        let sent = self.pattern.send(&mut self.pipes, message);
        if sent == Err(Unsent::Full) {
            self.pipes.stats.full_sends += 1;
        }
        if let Some(id) = self.pipes.parting.take() {
            self.part(id);
        }
        sent
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
        self.pattern.recv(&mut self.pipes)
    }

    /// Takes the next message, as [`recv`](Self::recv) does, and tells who sent it: what the peer said of itself, and who it is
    /// if authentication found that out (libzmq: `zmq_msg_gets`). A message that stands for a peer's going, as
    /// [`disconnect_message`](crate::Options::disconnect_message), is of that peer.
    ///
    /// # Errors
    /// [`RecvError`].
    pub fn recv_from(&mut self) -> Result<(Message, Arc<Peer>), RecvError> {
        self.pipes.asks_sender = true;
        let received = self.recv();
        self.pipes.asks_sender = false;
        let sender = self.pipes.sender.take();
        received.map(|message| (message, sender.expect("only who has been attached has sent something")))
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

    /// Moves messages both ways as far as both sides have room: the only place where a socket and a link meet.
    ///
    /// The work is bounded by what the link holds and has room for.
    ///
    /// # Errors
    /// The connection is to be closed for this reason, and given back with [`disconnected`](Self::disconnected).
    pub fn exchange(&mut self, id: PipeId, link: &mut impl Link) -> Result<(), ConnectionError> {
        let Some(pipe) = self.pipes.get_mut(id).filter(|pipe| !pipe.life.is_gone()) else {
            return Err(ConnectionError::HungUp);
        };
        if let Some(reason) = &pipe.doomed {
            return Err((**reason).clone());
        }
        pipe.came();
        let draining = pipe.draining;
        if pipe.peer.is_none()
            && let Some(peer) = link.peer()
        {
            let peer = Arc::clone(peer);
            let endpoint = pipe.life.endpoint().clone();
            if !draining {
                self.pipes.follow(id, &peer);
                self.pattern.attach(&mut self.pipes, id, &peer, &mut *self.entropy)?;
            }
            if let Some(pipe) = self.pipes.get_mut(id) {
                pipe.peer = Some(Arc::clone(&peer));
                let routing_id = pipe.routing_id.clone();
                self.pipes.ready += 1;
                self.pipes.news = true;
                self.handshakes.end(id);
                self.pipes.tell(|| Event::Ready { pipe: id, endpoint, peer, routing_id });
                if !draining {
                    self.greet(id);
                }
            }
        }
        // What was decoded of a connection that failed before it was attached is nobody's.
        let attached = self.pipes.get(id).is_some_and(|pipe| pipe.peer.is_some());
        if attached {
            let mut received = Tally::default();
            let outcome = self.hear(id, link, &mut received);
            self.pipes.received(id, received);
            outcome?;
        }
        // Before the handshake is done a link could only hoard them.
        if link.peer().is_some() && self.pipes.pour(id, link) && !draining {
            self.pattern.reopened(&mut self.pipes, id);
        }
        if draining && self.pipes.outgoing_len(id) == 0 {
            link.finish();
        }
        Ok(())
    }

    /// Takes what the link holds, while there is room, and counts it.
    #[inline]
    fn hear(&mut self, id: PipeId, link: &mut impl Link, received: &mut Tally) -> Result<(), ConnectionError> {
        let draining = self.pipes.get(id).is_some_and(|pipe| pipe.draining);
        while self.pipes.may_deliver(id) {
            match link.take() {
                None => break,
                Some(Inbound::Message(message)) if !draining => {
                    *received += Tally::of(&message);
                    self.pattern.inbound(&mut self.pipes, id, message)?;
                }
                Some(Inbound::Wish(wish)) if !draining => {
                    self.pattern.wished(&mut self.pipes, id, wish)?;
                    self.pipes.news = true;
                }
                // What reaches a draining pipe nobody will read.
                Some(Inbound::Message(_) | Inbound::Wish(_)) => {}
            }
        }
        Ok(())
    }

    /// Returns the demand of this pipe for a link in the same process. When the demand becomes [`Need::Hungry`] again,
    /// the pipe requests [`Action::Service`].
    #[inline]
    pub fn need(&mut self, id: PipeId) -> Need {
        self.pipes.need(id)
    }

    /// Sets the demand of the peer at the other end of a link in the same process. While it is not [`Need::Hungry`],
    /// messages for the peer wait without a request for [`Action::Service`].
    pub fn set_reader(&mut self, id: PipeId, reader: Arc<Reader>) {
        if let Some(pipe) = self.pipes.get_mut(id) {
            pipe.reader = Some(reader);
        }
    }

    /// The next thing to do, or `None` if there is nothing now.
    #[must_use]
    #[inline]
    pub fn poll_action(&mut self) -> Option<Action> {
        if let Some(pipe) = self.pipes.pop_due() {
            return Some(Action::Service(pipe));
        }
        if core::mem::take(&mut self.pipes.readable) {
            return Some(Action::Readable);
        }
        if core::mem::take(&mut self.pipes.writable) {
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
