//! [`Connection`]: one ZMTP conversation, octets on one side and messages on the other. Knows one peer and no socket.

mod config;
mod decoder;
#[cfg(feature = "curve")]
mod encrypted;
mod error;
mod greeting;
mod handshake;
mod heartbeat;
mod legacy;
mod link;
mod outbox;
mod output_buffers;
mod pending_auth;
mod phase;
mod raw;
mod read_buffers;
mod shared_listener;
mod socks;
#[cfg(test)]
mod tests;

pub use config::{ConnectionConfig, HeartbeatConfig};
pub use error::{ConnectionError, Fault, Timeout};
pub use heartbeat::RoundTrip;
pub use link::{Credentials, Inbound, Link, Outbound, Peer, Subscription};
pub use outbox::Outbox;
pub(crate) use outbox::encode_once;
pub(crate) use output_buffers::OutputBuffers;
pub use shared_listener::PendingPeer;
pub use socks::SocksError;
pub(crate) use socks::User;

use crate::address::Endpoint;
use crate::entropy::Entropy;
use crate::message::Message;
#[cfg(feature = "curve")]
use crate::security::curve::CurveError;
use crate::security::{AuthReply, AuthStatus, HandshakeEntropy};
use crate::time::{Instant, earliest};
use crate::wire::{COMMAND, Command, DecodeError, Greeting, Version};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::task::Waker;
use decoder::{Decoder, Item};
use greeting::our_greeting;
use heartbeat::Heartbeat;
use pending_auth::PendingAuth;
use phase::{Phase, Side};
use read_buffers::ReadBuffers;

/// One ZMTP conversation as a pure state machine; or, for a STREAM socket, a conversation in octets that mean nothing to us.
///
/// Its methods come in four families:
///
/// - the world speaks: [`handle_input`](Self::handle_input), [`handle_timeout`](Self::handle_timeout),
///   [`handle_auth_reply`](Self::handle_auth_reply);
/// - we answer: [`poll_transmit`](Self::poll_transmit), [`poll_timeout`](Self::poll_timeout),
///   [`poll_auth_request`](Self::poll_auth_request);
/// - messages go through the [`Link`] trait, most often by way of
///   [`Socket::exchange`](crate::Socket::exchange);
/// - getters.
///
/// The order of calls may delay work but never corrupt it. [`Session`](crate::Session) makes the calls in a good order
/// over any non-blocking stream.
///
/// ```
/// use sansmq_proto::{Connection, Instant, Message, SocketType, SystemEntropy};
/// use sansmq_proto::connection::{ConnectionConfig, Link};
/// use bytes::Buf;
///
/// let now = Instant::ORIGIN;
/// let mut push = Connection::new(&ConnectionConfig::new(SocketType::Push).into(), &mut SystemEntropy, now);
/// let mut pull = Connection::new(&ConnectionConfig::new(SocketType::Pull).into(), &mut SystemEntropy, now);
///
/// push.give(Message::from("Hello").into());
/// for _ in 0..3 {
///     for (from, to) in [(0, 1), (1, 0)] {
///         let [a, b] = [&mut push, &mut pull];
///         let (from, to) = if from == 0 { (a, b) } else { (b, a) };
///         while let Some(out) = from.poll_transmit() {
///             let octets = out.copy_to_bytes(out.remaining());
///             to.handle_input(&octets, now).expect("they speak the same protocol");
///         }
///     }
/// }
/// assert_eq!(pull.take(), Some(Message::from("Hello").into()));
/// ```
#[derive(Debug)]
pub struct Connection {
    config: Arc<ConnectionConfig>,
    phase: Phase,
    /// The version both sides speak; ours until the peer's greeting is here.
    version: Version,
    decoder: Decoder,
    inbox: VecDeque<Inbound>,
    /// Octets that came in since the inbox was last empty.
    ahead: usize,
    /// How many commands there were in what came last, and subscriptions that came as messages.
    commands: usize,
    outbox: Outbox,
    /// What the handshake needs of randomness.
    fresh: HandshakeEntropy,
    pending_auth: Option<Box<PendingAuth>>,
    /// Where the peer comes from, until the handshake is done.
    origin: Option<Box<Endpoint>>,
    /// Who is woken when somebody has decided about the peer.
    waker: Option<Waker>,
    /// In reception: who waits for a socket. In the handshake: what it said before a socket was there, to be looked at.
    pending_peer: Option<Box<PendingPeer>>,
    heartbeat: Heartbeat,
    credentials: Option<Credentials>,
    /// The latest `now` we were given; an earlier one is taken for this one.
    now: Instant,
}

/// How far to read ahead of an application that does not receive, in octets of our memory.
const READ_AHEAD: usize = 64 << 10;

impl Connection {
    /// A new conversation, which begins by greeting; a STREAM socket's has begun. The keys of a CURVE handshake come from
    /// `entropy`.
    pub fn new(config: &Arc<ConnectionConfig>, entropy: &mut dyn Entropy, now: Instant) -> Self {
        Self::with_fresh(config, HandshakeEntropy::draw(&config.security, entropy), now)
    }

    fn with_fresh(config: &Arc<ConnectionConfig>, fresh: HandshakeEntropy, now: Instant) -> Self {
        if config.socket_type.is_raw() {
            return Self::raw(config, fresh, now);
        }
        Self::greeting(Side::Socket, config, fresh, now)
    }

    fn greeting(side: Side, config: &Arc<ConnectionConfig>, fresh: HandshakeEntropy, now: Instant) -> Self {
        let mut outbox = Outbox::new();
        let at_once = if side.sends_greeting_in_steps(config) { Greeting::SIGNATURE } else { Greeting::LEN };
        outbox.push_octets(&our_greeting(config)[..at_once]);
        let deadline = config.handshake_timeout.map(|timeout| now + timeout);
        let phase = Phase::Greeting { octets: Box::new([0; Greeting::LEN]), len: 0, deadline, side };
        Self::in_phase(phase, outbox, config, fresh, now)
    }

    fn in_phase(
        phase: Phase,
        outbox: Outbox,
        config: &Arc<ConnectionConfig>,
        fresh: HandshakeEntropy,
        now: Instant,
    ) -> Self {
        Self {
            phase,
            version: Version::V3_1,
            decoder: Decoder::new(),
            inbox: VecDeque::new(),
            ahead: 0,
            commands: 0,
            outbox,
            fresh,
            pending_auth: None,
            origin: None,
            waker: None,
            pending_peer: None,
            heartbeat: Heartbeat::new(config.heartbeat.as_ref()),
            credentials: None,
            now,
            config: Arc::clone(config),
        }
    }

    /// What the operating system says of the peer, to be found in its [`Peer`]. Only what is said before the handshake
    /// is done counts.
    pub fn set_peer_credentials(&mut self, credentials: Option<Credentials>) {
        self.credentials = credentials;
        if let Phase::Raw(peer) = &mut self.phase {
            Arc::make_mut(peer).credentials = credentials;
        }
    }

    /// Takes octets from the peer, in pieces of any size, and consumes them all.
    ///
    /// The work is bounded by the length of `input`; what is decoded waits to be [taken](Link::take). A caller that
    /// stops reading while [`wants_input`](Self::wants_input) is false bounds the memory too.
    ///
    /// # Errors
    /// The connection is over. A farewell to the peer may be left in [`poll_transmit`](Self::poll_transmit).
    pub fn handle_input(&mut self, input: &[u8], now: Instant) -> Result<(), ConnectionError> {
        self.consume_input(input, None, now)
    }

    /// As [`handle_input`](Self::handle_input), for octets in shared memory: large bodies stay where they are, and are not
    /// copied.
    ///
    /// # Errors
    /// As [`handle_input`](Self::handle_input).
    pub fn handle_shared_input(&mut self, input: &Bytes, now: Instant) -> Result<(), ConnectionError> {
        self.consume_input(input, Some(input), now)
    }

    pub(crate) fn consume_input(
        &mut self,
        mut input: &[u8],
        block: Option<&Bytes>,
        now: Instant,
    ) -> Result<(), ConnectionError> {
        let now = self.observe(now);
        if !input.is_empty() {
            self.input_received(input.len(), now);
        }
        let result = self.resume(now).and_then(|()| self.consume(&mut input, block, now));
        self.close_on_error(result)
    }

    fn close_on_error(&mut self, result: Result<(), ConnectionError>) -> Result<(), ConnectionError> {
        if result.is_err() {
            self.phase = Phase::Closed;
            self.pending_auth = None;
        }
        result
    }

    fn consume(&mut self, input: &mut &[u8], block: Option<&Bytes>, now: Instant) -> Result<(), ConnectionError> {
        loop {
            let item = match &mut self.phase {
                Phase::Closed => return Ok(()),
                Phase::Proxy(socks) => {
                    if !socks.step(input, &mut self.outbox)? {
                        return Ok(());
                    }
                    let fresh = core::mem::take(&mut self.fresh);
                    let origin = self.origin.take();
                    *self = Self { origin, ..Self::with_fresh(&self.config, fresh, now) };
                    continue;
                }
                Phase::Greeting { .. } if input.is_empty() => return Ok(()),
                Phase::Greeting { .. } => {
                    self.handle_greeting(input, now)?;
                    continue;
                }
                Phase::Legacy { .. } => {
                    if !self.handle_legacy(input, now)? {
                        return Ok(());
                    }
                    continue;
                }
                Phase::AwaitingSocket { .. } => {
                    self.handle_before_join(core::mem::take(input));
                    return Ok(());
                }
                Phase::Handshake { .. } => match self.decoder.next(input, None, &self.config)? {
                    None => return Ok(()),
                    Some(Item::Message(_)) => {
                        return Err(ConnectionError::Unexpected("a message came before READY"));
                    }
                    Some(Item::Command(body)) => {
                        self.handshake(|mechanism, out| mechanism.step(&body, out, now), now)?;
                        continue;
                    }
                },
                Phase::Traffic(_) => {
                    self.handle_whole_messages(input, block);
                    self.decoder.next(input, block, &self.config)?
                }
                #[cfg(feature = "curve")]
                Phase::Sealed(_, opener) => self.decoder.next_sealed(input, &self.config, opener)?,
                Phase::Raw(_) => {
                    self.handle_raw(core::mem::take(input));
                    return Ok(());
                }
            };
            match item {
                None => return Ok(()),
                Some(Item::Message(message)) => self.handle_message(message),
                Some(Item::Command(_)) if self.version < Version::V3_0 => {
                    return Err(DecodeError::Flags(COMMAND).into());
                }
                Some(Item::Command(body)) => {
                    self.commands += 1;
                    self.command(Command::decode(&body)?, now)?;
                }
            }
        }
    }

    /// The usual case of traffic in clear. On its own, so that nothing else has a part in what it costs.
    #[inline(never)]
    fn handle_whole_messages(&mut self, input: &mut &[u8], block: Option<&Bytes>) {
        if self.decoder.is_1_0 {
            return;
        }
        if self.config.socket_type.takes_subscriptions() {
            while let Some(message) = self.decoder.whole_message(input, block, &self.config) {
                self.handle_message(message);
            }
        } else {
            while let Some(message) = self.decoder.whole_message(input, block, &self.config) {
                self.inbox.push_back(Inbound::Message(message));
            }
        }
    }

    /// A command during traffic. What we do not know, or what is not meant for our type, changes nothing.
    fn command(&mut self, command: Command, now: Instant) -> Result<(), ConnectionError> {
        let ours = self.config.socket_type;
        match command {
            Command::Ping { ttl, context } => {
                self.heartbeat.pinged(ttl, now);
                self.outbox.push_pong(context);
            }
            Command::Subscribe(prefix) if ours.takes_subscriptions() => {
                self.handle_subscription(Subscription::Subscribe(prefix))
            }
            Command::Cancel(prefix) if ours.takes_subscriptions() => {
                self.handle_subscription(Subscription::Cancel(prefix))
            }
            Command::Join(group) if ours.takes_groups() => self.handle_subscription(Subscription::Join(group)),
            Command::Leave(group) if ours.takes_groups() => self.handle_subscription(Subscription::Leave(group)),
            Command::Pong(_) => self.heartbeat.ponged(now),
            Command::Error(reason) => return Err(ConnectionError::Refused(reason)),
            Command::Ready(_) => return Err(ConnectionError::Unexpected("READY came twice")),
            Command::Subscribe(_) | Command::Cancel(_) | Command::Join(_) | Command::Leave(_) | Command::Other(_) => {}
        }
        Ok(())
    }

    /// A message, or the subscription that ZMTP 3.0 would have said by it: accepted from every version, as libzmq does.
    #[inline]
    fn handle_message(&mut self, message: Message) {
        if self.config.socket_type.takes_subscriptions()
            && message.len() == 1
            && let Some(wish) = Subscription::from_message(message.head())
        {
            self.commands += 1;
            self.handle_subscription(wish);
        } else {
            self.inbox.push_back(Inbound::Message(message));
        }
    }

    fn handle_subscription(&mut self, wish: Subscription) {
        self.inbox.push_back(Inbound::Subscription(wish));
    }

    /// Fires the timers that are due; harmless when none is.
    ///
    /// # Errors
    /// The connection is over: [`ConnectionError::TimedOut`].
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), ConnectionError> {
        let now = self.observe(now);
        if self.phase.deadline().is_some_and(|deadline| deadline <= now) {
            return self.close_on_error(Err(self.handshake_timeout_error()));
        }
        if self.pending_auth.as_ref().is_some_and(|pending_auth| pending_auth.until <= now) {
            return self.handle_auth_reply(AuthReply::Refuse(AuthStatus::TemporaryError), now);
        }
        #[cfg(feature = "curve")]
        if self.outbox.is_spent() {
            return self.close_on_error(Err(CurveError::NoncesSpent.into()));
        }
        if self.phase.is_traffic() {
            if !self.wants_input() {
                // Silence that we cause by not reading is not the peer's.
                self.heartbeat.excuse(now);
            }
            match self.heartbeat.fire(now) {
                Ok(None) => {}
                Ok(Some(ttl)) => {
                    if self.outbox.push_ping(ttl) {
                        self.heartbeat.asked(now);
                    }
                }
                Err(timer) => {
                    self.phase = Phase::Closed;
                    return Err(ConnectionError::TimedOut(timer));
                }
            }
        }
        Ok(())
    }

    /// The octets to write next, or `None` if there are none. What was written is taken off with
    /// [`Buf::advance`](bytes::Buf::advance).
    #[must_use]
    #[inline]
    pub fn poll_transmit(&mut self) -> Option<&mut Outbox> {
        self.outbox.refill().then_some(&mut self.outbox)
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        #[cfg(feature = "curve")]
        if self.outbox.is_spent() {
            return Some(self.now);
        }
        match &self.phase {
            Phase::Traffic(_) => self.heartbeat.deadline(),
            #[cfg(feature = "curve")]
            Phase::Sealed(..) => self.heartbeat.deadline(),
            Phase::Raw(_) | Phase::Closed => None,
            Phase::Proxy(_)
            | Phase::Greeting { .. }
            | Phase::Legacy { .. }
            | Phase::AwaitingSocket { .. }
            | Phase::Handshake { .. } => {
                earliest([self.phase.deadline(), self.pending_auth.as_ref().map(|pending_auth| pending_auth.until)])
            }
        }
    }

    /// False while too many decoded messages wait for room in the pipe: stop reading then, and let TCP push back.
    ///
    /// About 64 KiB are read ahead of an application that does not receive, so that heartbeats behind them are answered,
    /// and a peer that goes is noticed.
    #[inline]
    pub fn wants_input(&self) -> bool {
        let room = self.inbox.is_empty() || self.ahead + self.inbox.len() * size_of::<Inbound>() < READ_AHEAD;
        room && self.pending_peer.as_ref().is_none_or(|pending_peer| pending_peer.has_room())
    }

    /// Where the rest of a large body under way belongs: up to that many octets may be read straight into it and then
    /// be reported with [`handle_filled`](Self::handle_filled), which saves copying them.
    pub fn body_space(&mut self) -> Option<&mut [u8]> {
        self.decoder.body_space()
    }

    /// Reports that `count` octets were read into [`body_space`](Self::body_space).
    ///
    /// # Errors
    /// As [`handle_input`](Self::handle_input).
    pub fn handle_filled(&mut self, count: usize, now: Instant) -> Result<(), ConnectionError> {
        if count > 0 {
            let now = self.observe(now);
            self.input_received(count, now);
            self.decoder.filled(count);
        }
        self.handle_input(&[], now)
    }

    /// True once [`Link::finish`] was called and everything given has been written.
    pub fn is_finished(&self) -> bool {
        self.outbox.is_finished()
    }

    /// Gives memory back that a burst has needed: 64 KiB of empty messages cost megabytes. Call it when nothing happens for a
    /// while; a busy connection would only ask for the memory again. [`Session`](crate::Session)s have it from a
    /// [`SessionBuffers`](crate::SessionBuffers), and give all of it back after each turn.
    pub fn shrink(&mut self) {
        const IDLE: usize = 64;
        if self.inbox.capacity() > IDLE.max(4 * self.inbox.len()) {
            self.inbox.shrink_to(IDLE);
        }
        self.decoder.blocks = ReadBuffers::new();
        self.outbox.shrink();
    }

    /// How many commands there were in what came last.
    pub(crate) const fn commands(&self) -> usize {
        self.commands
    }

    /// So many octets have come.
    fn input_received(&mut self, octets: usize, now: Instant) {
        // With nothing waiting, what came before was no reading ahead: heartbeats perhaps, for hours.
        self.ahead = if self.inbox.is_empty() { octets } else { self.ahead + octets };
        self.commands = 0;
        self.heartbeat.input_received(now);
    }

    fn observe(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.now
    }
}

impl Link for Connection {
    #[inline]
    fn peer(&self) -> Option<&Arc<Peer>> {
        match &self.phase {
            Phase::Traffic(peer) | Phase::Raw(peer) => Some(peer),
            #[cfg(feature = "curve")]
            Phase::Sealed(peer, _) => Some(peer),
            Phase::Proxy(_)
            | Phase::Greeting { .. }
            | Phase::Legacy { .. }
            | Phase::AwaitingSocket { .. }
            | Phase::Handshake { .. }
            | Phase::Closed => None,
        }
    }

    #[inline]
    fn has_room(&self) -> bool {
        self.outbox.has_room()
    }

    #[inline]
    fn copy<'a>(&mut self, messages: impl Iterator<Item = &'a Message>) -> usize {
        self.outbox.copy(messages)
    }

    #[inline]
    fn give(&mut self, item: Outbound) {
        self.outbox.push(item);
    }

    #[inline]
    fn take(&mut self) -> Option<Inbound> {
        self.inbox.pop_front()
    }

    fn finish(&mut self) {
        self.outbox.finish();
    }

    fn unsent(&self) -> usize {
        self.outbox.unsent()
    }

    fn reclaim(&mut self) -> Vec<Message> {
        self.outbox.reclaim().collect()
    }

    #[inline]
    fn round_trip(&self) -> Option<RoundTrip> {
        self.heartbeat.round_trip()
    }
}
