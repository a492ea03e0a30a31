//! [`Connection`]: the state machine of one ZMTP connection to one peer. It converts received bytes to messages, and
//! messages to bytes to send. It does not depend on the socket.

mod close_reason;
mod config;
mod decoder;
#[cfg(feature = "curve")]
mod encrypted;
mod error;
mod greeting;
mod handshake;
mod heartbeat;
mod inbox;
mod ledger;
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
mod timer;
mod written;

pub use close_reason::{CloseReason, LikelyReason};
pub use config::{ConnectionConfig, HeartbeatConfig};
pub use error::{ConnectionError, Fault, Timeout};
pub use heartbeat::RoundTrip;
pub use inbox::Inbox;
pub use ledger::MemoryBudget;
pub(crate) use ledger::{FLOOR, Ledger, Share};
pub use link::{Credentials, Inbound, Link, Outbound, Peer, Subscription};
pub use outbox::Outbox;
pub(crate) use outbox::encode_once;
pub(crate) use output_buffers::OutputBuffers;
pub use shared_listener::PendingPeer;
pub use socks::SocksError;
pub(crate) use socks::{ConnectVia, User};
pub use timer::ConnectionTimer;
pub use written::Written;

use crate::address::Endpoint;
use crate::cost;
use crate::entropy::Entropy;
use crate::message::Message;
#[cfg(feature = "curve")]
use crate::security::curve::CurveError;
use crate::security::{AuthReply, AuthStatus, HandshakeEntropy};
use crate::time::{Instant, earliest};
use crate::wire::{COMMAND, Command, DecodeError, Greeting, Version};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::task::Waker;
use decoder::{Decoder, Item};
use greeting::our_greeting;
use heartbeat::Heartbeat;
use ledger::Account;
use pending_auth::PendingAuth;
use phase::{HandshakeOwner, Phase};
use read_buffers::ReadBuffers;

/// One ZMTP connection as a pure state machine, without IO. A connection of a STREAM socket transfers raw bytes
/// instead.
///
/// The methods form four groups:
///
/// - events from outside: [`handle_input`](Self::handle_input), [`handle_written`](Self::handle_written),
///   [`handle_timeout`](Self::handle_timeout), [`handle_auth_reply`](Self::handle_auth_reply);
/// - work for the caller: [`poll_transmit`](Self::poll_transmit), [`poll_timeout`](Self::poll_timeout),
///   [`poll_auth_request`](Self::poll_auth_request);
/// - messages: the [`Link`] trait, which [`Socket::exchange`](crate::Socket::exchange) calls in most programs;
/// - getters.
///
/// Any order of calls is safe: an unsuitable order delays work, but corrupts nothing. [`Session`](crate::Session) makes
/// the calls in a suitable order, over any non-blocking stream.
///
/// ```
/// use sansmq::proto::connection::{ConnectionConfig, Link};
/// use sansmq::proto::{Connection, Instant, Message, SocketType, SystemEntropy};
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
///             let bytes = out.copy_to_bytes(out.remaining());
///             to.handle_input(&bytes, now).expect("both sides use the same protocol");
///         }
///     }
/// }
/// assert_eq!(pull.take(), Some(Message::from("Hello").into()));
/// ```
#[derive(Debug)]
pub struct Connection {
    config: Arc<ConnectionConfig>,
    phase: Phase,
    /// ZMTP version that both sides use; our own version until the peer's greeting is received.
    version: Version,
    decoder: Decoder,
    inbox: Inbox,
    /// Number of bytes received since `inbox`, the queue of received items, was last empty. This is an upper bound for
    /// the bytes that still wait there. [`wants_input`](Self::wants_input) adds the memory of the queue entries and of the
    /// vectors of their frames, and compares the sum with [`READ_AHEAD`].
    read_ahead: usize,
    /// Work for input that was not queued for the application, since the last call of
    /// [`take_unqueued_work`](Self::take_unqueued_work), in units of the [cost meter](cost).
    unqueued_work: u64,
    outbox: Outbox,
    /// Random values for the handshake. Moved to the security mechanism when its handshake begins.
    fresh: HandshakeEntropy,
    pending_auth: Option<Box<PendingAuth>>,
    /// Address of the peer, for authentication requests; `None` if the address was not set, and after the handshake.
    origin: Option<Box<Endpoint>>,
    /// Waker that is woken when an asynchronous authenticator has decided about the peer; `None` if the caller has set
    /// no waker, and after the handshake.
    waker: Option<Waker>,
    /// Peer that waits for a socket, if several sockets share the listener; otherwise `None`. Set when the peer's READY
    /// or INITIATE is received, and removed when the handshake continues after the connection was attached to a socket.
    pending_peer: Option<Box<PendingPeer>>,
    /// Input that was received after the peer's READY and before ours is sent. It is processed after the socket has
    /// admitted the peer; at a shared listener only after the connection was attached to a socket, because the size
    /// limits are settings of the socket.
    stored_input: Vec<u8>,
    /// True if the connection has failed, and a CLOSE command with the reason is queued for the peer.
    sends_close_reason: bool,
    heartbeat: Heartbeat,
    account: Account,
    /// Memory in bytes of the properties that the peer sent in its handshake; 0 until the handshake is done.
    properties: usize,
    credentials: Option<Credentials>,
    /// Latest time that was passed as `now` in any call. If a later call passes an earlier time, this value is used
    /// instead.
    now: Instant,
}

/// Limit in bytes for the memory of stored input. At this limit, a connection wants no more input, so the last read can
/// exceed the limit. Input is stored until the application receives it, or until the connection is attached to a socket.
const READ_AHEAD: usize = 64 << 10;

impl Connection {
    /// Creates a connection, which first sends its greeting. A STREAM connection has no greeting and is ready at once.
    /// The transient keys of a CURVE handshake are drawn from `entropy`.
    pub fn new(config: &Arc<ConnectionConfig>, entropy: &mut dyn Entropy, now: Instant) -> Self {
        Self::begin(HandshakeOwner::Socket, config, HandshakeEntropy::draw(&config.security, entropy), now)
    }

    /// Creates a connection that a listener of a socket has accepted. If the socket may reject the peer, READY is sent
    /// after the socket has admitted the peer ([`Link::admit`]).
    pub(crate) fn accepted(config: &Arc<ConnectionConfig>, entropy: &mut dyn Entropy, now: Instant) -> Self {
        let owner = HandshakeOwner::AcceptingSocket { ready_at: None };
        Self::begin(owner, config, HandshakeEntropy::draw(&config.security, entropy), now)
    }

    fn begin(side: HandshakeOwner, config: &Arc<ConnectionConfig>, fresh: HandshakeEntropy, now: Instant) -> Self {
        if side != HandshakeOwner::SharedListener && config.socket_type.is_raw() {
            return Self::raw(config, fresh, now);
        }
        let mut outbox = Outbox::new();
        let at_once = if side.sends_greeting_in_steps(config) { Greeting::SIGNATURE } else { Greeting::LEN };
        outbox.push_bytes(&our_greeting(config)[..at_once]);
        let deadline = config.handshake_timeout.map(|timeout| now + timeout);
        let phase = Phase::Greeting { bytes: Box::new([0; Greeting::LEN]), len: 0, deadline, side };
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
            inbox: Inbox::new(),
            read_ahead: 0,
            unqueued_work: 0,
            outbox,
            fresh,
            pending_auth: None,
            origin: None,
            waker: None,
            pending_peer: None,
            stored_input: Vec::new(),
            sends_close_reason: false,
            heartbeat: Heartbeat::new(config.heartbeat.as_ref()),
            account: Account::new(config.ledger.as_ref()),
            properties: 0,
            credentials: None,
            now,
            config: Arc::clone(config),
        }
    }

    /// Sets the value of [`Peer::credentials`]: the credentials of the peer's process, as reported by the operating
    /// system. Must be called before the handshake is done; later calls have no effect, except on a STREAM connection.
    pub fn set_peer_credentials(&mut self, credentials: Option<Credentials>) {
        self.credentials = credentials;
        if let Phase::Raw(peer) = &mut self.phase {
            Arc::make_mut(peer).credentials = credentials;
        }
    }

    /// Processes bytes received from the peer, in pieces of any size, and consumes all of `input`.
    ///
    /// The work is bounded by the length of `input`. Decoded messages are queued until [`take`](Link::take) is called.
    /// To bound the memory too, a caller must stop reading while [`wants_input`](Self::wants_input) is false.
    ///
    /// # Errors
    /// The reason why the connection has ended.
    ///
    /// After an error, [`poll_transmit`](Self::poll_transmit) may still return a last ERROR command for the peer.
    pub fn handle_input(&mut self, input: &[u8], now: Instant) -> Result<(), ConnectionError> {
        self.consume_input(input, None, now)
    }

    /// Processes bytes received from the peer, in the same way as [`handle_input`](Self::handle_input), but copies
    /// fewer bytes: a large message body refers to the memory of `input` if the body is complete in `input` and not
    /// encrypted.
    ///
    /// # Errors
    /// Same as [`handle_input`](Self::handle_input).
    pub fn handle_shared_input(&mut self, input: &Bytes, now: Instant) -> Result<(), ConnectionError> {
        self.consume_input(input, Some(input), now)
    }

    pub(crate) fn consume_input(
        &mut self,
        mut input: &[u8],
        block: Option<&Bytes>,
        now: Instant,
    ) -> Result<(), ConnectionError> {
        let _call = cost::call("Connection::handle_input", 1);
        let now = self.observe(now);
        if !input.is_empty() {
            self.record_input(input.len(), now);
        }
        let is_handshake = self.phase.is_before_traffic();
        let mut result = self.resume(now).and_then(|()| self.consume(&mut input, block, now));
        if is_handshake && result.is_ok() && !matches!(self.phase, Phase::Greeting { .. }) {
            self.report_held();
            result = self.account.check_handshake();
        } else if self.decoder.is_in_message() && result.is_ok() {
            self.report_held();
            result = self.account.check_incomplete(self.decoder.held_bytes());
        }
        self.close_on_error(result)
    }

    /// Computes the memory that this connection holds, and stores it for the statistics and limits of the socket.
    #[inline(never)]
    fn report_held(&mut self) {
        let of_phase = match &self.phase {
            Phase::Handshake { mechanism, .. } => mechanism.held_bytes(),
            Phase::AwaitingAdmission(candidate) => candidate.peer.metadata.held_bytes(),
            Phase::AwaitingSocket { .. } => {
                self.pending_peer.as_ref().map_or(0, |pending| pending.metadata().held_bytes())
            }
            #[cfg(feature = "curve")]
            Phase::Sealed(..) => self.properties,
            Phase::Traffic(_) => self.properties,
            Phase::Proxy(_) | Phase::Greeting { .. } | Phase::Legacy { .. } | Phase::Raw(_) | Phase::Closed => 0,
        };
        let inbox = usize::try_from(self.inbox.held_bytes()).unwrap_or(usize::MAX);
        let input = self.decoder.held_bytes() + inbox + self.stored_input.capacity();
        let held = of_phase + input + self.outbox.held_bytes();
        self.outbox.written_messages().set_held(held);
        self.account.set_held(held);
        let is_handshake = self.phase.is_before_traffic();
        self.account.set_handshake(if is_handshake { of_phase + input } else { of_phase });
    }

    fn close_on_error(&mut self, result: Result<(), ConnectionError>) -> Result<(), ConnectionError> {
        if let Err(error) = &result {
            self.fail(error);
        }
        result
    }

    fn consume(&mut self, input: &mut &[u8], block: Option<&Bytes>, now: Instant) -> Result<(), ConnectionError> {
        loop {
            let item = match &mut self.phase {
                Phase::Closed => return Ok(()),
                Phase::Proxy(socks) => {
                    if !(socks.step)(socks, input, &mut self.outbox)? {
                        return Ok(());
                    }
                    let fresh = core::mem::take(&mut self.fresh);
                    let origin = self.origin.take();
                    *self = Self { origin, ..Self::begin(HandshakeOwner::Socket, &self.config, fresh, now) };
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
                Phase::AwaitingSocket { .. } | Phase::AwaitingAdmission(_) => {
                    cost::bytes(input.len());
                    self.stored_input.extend_from_slice(core::mem::take(input));
                    return Ok(());
                }
                Phase::Handshake { .. } => match self.decoder.next(input, None, &self.config)? {
                    None => return Ok(()),
                    Some(Item::Message(_)) => {
                        return Err(ConnectionError::Unexpected("a message was received before READY"));
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
                    self.count_unqueued(1, body.len() as u64);
                    self.command(Command::decode(&body)?, now)?;
                }
            }
        }
    }

    /// Decodes and queues the unencrypted messages at the front of `input` that are complete, and removes their bytes
    /// from `input`. `block` is the shared memory that contains `input`, if any; large bodies then refer to it and are
    /// not copied.
    // This is the fast path. Not inlined, so that changes of the caller do not slow it down.
    #[inline(never)]
    fn handle_whole_messages(&mut self, input: &mut &[u8], block: Option<&Bytes>) {
        if self.decoder.is_1_0 {
            return;
        }
        let Self { decoder, inbox, config, .. } = self;
        if !config.socket_type.accepts_subscriptions() {
            return decoder.whole_messages(input, block, config, |message| {
                cost::frames(message.len());
                inbox.messages.push_back(message);
            });
        }
        let mut messages = Vec::new();
        decoder.whole_messages(input, block, config, |message| messages.push(message));
        for message in messages {
            self.handle_message(message);
        }
    }

    /// Handles a command after the handshake. Unknown commands, and commands for other socket types, are ignored.
    fn command(&mut self, command: Command, now: Instant) -> Result<(), ConnectionError> {
        cost::frames(1);
        let ours = self.config.socket_type;
        match command {
            Command::Ping { ttl, context } => {
                self.heartbeat.ping_received(ttl, now);
                self.outbox.push_pong(context);
            }
            Command::Subscribe(prefix) if ours.accepts_subscriptions() => {
                self.push_subscription(Subscription::Subscribe(prefix));
            }
            Command::Cancel(prefix) if ours.accepts_subscriptions() => {
                self.push_subscription(Subscription::Cancel(prefix));
            }
            Command::Join(group) if ours.accepts_groups() => self.push_subscription(Subscription::Join(group)),
            Command::Leave(group) if ours.accepts_groups() => self.push_subscription(Subscription::Leave(group)),
            Command::Pong(_) => self.heartbeat.pong_received(now),
            Command::Close(reason) => return Err(ConnectionError::ClosedWithReason(CloseReason::decode(reason))),
            Command::Error(reason) => return Err(ConnectionError::Refused(reason)),
            Command::Ready(_) => return Err(ConnectionError::Unexpected("READY was received twice")),
            Command::Subscribe(_) | Command::Cancel(_) | Command::Join(_) | Command::Leave(_) | Command::Other(_) => {}
        }
        Ok(())
    }

    /// Queues a received message. If a subscriber sent frames of it as subscription changes (first byte `00` or `01`, as
    /// in ZMTP 3.0), queues the changes instead of these frames.
    // This form is accepted from peers of every version, as in libzmq. A message may have thousands of changes, so the
    // socket must not apply all of them in one exchange.
    #[inline]
    fn handle_message(&mut self, message: Message) {
        cost::frames(message.len());
        if !self.config.socket_type.accepts_subscriptions() {
            self.inbox.messages.push_back(message);
            return;
        }
        let (changes, rest) = Subscription::split(message, self.config.only_first_subscribe);
        self.count_unqueued(changes.len() as u64, 0);
        for change in changes {
            self.inbox.push_change(change);
        }
        if let Some(message) = rest {
            self.inbox.messages.push_back(message);
        }
    }

    fn push_subscription(&mut self, change: Subscription) {
        self.inbox.push_change(change);
    }

    /// Handles the timers that have expired. Does nothing if no timer has expired.
    ///
    /// # Errors
    /// The reason why the connection has ended, most often [`ConnectionError::TimedOut`].
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), ConnectionError> {
        let _call = cost::call("Connection::handle_timeout", 1);
        let now = self.observe(now);
        if self.phase.deadline().is_some_and(|deadline| deadline <= now) {
            return self.close_on_error(Err(self.timeout_error()));
        }
        if self.phase.ready_at().is_some_and(|at| at <= now) {
            self.stop_holding_ready();
        }
        if self.pending_auth.as_ref().is_some_and(|pending_auth| pending_auth.until <= now) {
            return self.handle_auth_reply(AuthReply::Reject(AuthStatus::TemporaryError), now);
        }
        #[cfg(feature = "curve")]
        if self.outbox.is_spent() {
            return self.close_on_error(Err(CurveError::NoncesSpent.into()));
        }
        if self.phase.is_traffic() {
            if !self.wants_input() {
                // While back-pressure stops us from reading, silence is not the peer's fault.
                self.heartbeat.restart_timeouts(now);
            }
            match self.heartbeat.handle_timeout(now) {
                Ok(None) => {}
                Ok(Some(ttl)) => {
                    if self.outbox.push_ping(ttl) {
                        self.heartbeat.ping_queued();
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

    /// Returns the bytes to write next, or `None` if there are no bytes to write. The caller removes the written bytes
    /// with [`Buf::advance`](bytes::Buf::advance). When all output is written, or the stream takes no more bytes, the
    /// caller must call [`handle_written`](Self::handle_written).
    #[must_use]
    #[inline]
    pub fn poll_transmit(&mut self) -> Option<&mut Outbox> {
        self.outbox.refill().then_some(&mut self.outbox)
    }

    /// Records that output was written to the stream at the time `now`. Must be called each time when all output is
    /// written, or the stream has refused to take the rest. Only heartbeats need this information
    /// ([`Options::heartbeat`](crate::Options::heartbeat)):
    ///
    /// - If output is left, the stream was full. If a later call finds that more bytes were written, the peer's system
    ///   has acknowledged bytes, and the heartbeat timeout restarts. So this side does not end a connection on which a
    ///   long message makes progress, although the PING behind that message cannot be answered yet.
    /// - The measurement of a round-trip time begins when the PING is written. Without calls of this method, no
    ///   round-trip time is measured.
    #[inline]
    pub fn handle_written(&mut self, now: Instant) {
        let now = self.observe(now);
        self.heartbeat.output_written(&self.outbox, now);
    }

    /// Returns the time at which [`handle_timeout`](Self::handle_timeout) must be called, or `None` if no timer runs.
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
            | Phase::AwaitingAdmission(_)
            | Phase::Handshake { .. } => {
                let auth = self.pending_auth.as_ref().map(|pending_auth| pending_auth.until);
                earliest([self.phase.deadline(), self.phase.ready_at(), auth])
            }
        }
    }

    /// Returns true if the caller should read more input. Returns false while too many decoded messages wait for the
    /// application, or while too much input is stored until the connection is attached to a socket. The caller must
    /// then stop reading, so that TCP slows the peer down.
    ///
    /// The connection accepts about 64 KiB of input that the application has not received yet. So it can still answer
    /// the heartbeats of the peer and detect a disconnect while the application does not receive.
    #[inline]
    pub fn wants_input(&self) -> bool {
        let items = self.inbox.len() * size_of::<Inbound>() + self.decoder.vectors;
        let room = self.inbox.is_empty() || self.read_ahead + items < READ_AHEAD;
        // Reading is needed to detect that the peer disconnects.
        room && self.stored_input.len() < READ_AHEAD
    }

    /// Returns the missing part of a large message body that is partly received, as a buffer. Returns `None` if there
    /// is no such body, or if less than 16 KiB of it are missing. To avoid a copy, the caller can read from the stream
    /// directly into this buffer, and then call [`handle_filled`](Self::handle_filled).
    pub fn body_space(&mut self) -> Option<&mut [u8]> {
        self.decoder.body_space()
    }

    /// Returns true if the next input belongs to the handshake or to a command, and not to a message.
    pub(crate) fn expects_unqueued_input(&self) -> bool {
        self.peer().is_none() || self.decoder.is_in_command()
    }

    /// Processes `count` bytes that the caller has read into the buffer returned by [`body_space`](Self::body_space).
    ///
    /// # Errors
    /// Same as [`handle_input`](Self::handle_input).
    pub fn handle_filled(&mut self, count: usize, now: Instant) -> Result<(), ConnectionError> {
        if count > 0 {
            let now = self.observe(now);
            self.record_input(count, now);
            self.decoder.filled(count);
        }
        self.consume_input(&[], None, now)
    }

    /// Returns true once [`Link::finish`] was called and all queued output has been written.
    pub fn is_finished(&self) -> bool {
        self.outbox.is_finished()
    }

    /// Returns true if the socket waits for written messages, and a message was written completely since the last call.
    pub(crate) fn take_written(&mut self) -> bool {
        self.outbox.take_written()
    }

    /// Frees memory that a burst of messages has left allocated. For example, 64 KiB of input that contain only empty
    /// messages need megabytes for the queue of these messages.
    ///
    /// Should be called when the connection has been idle for a while; a busy connection would only allocate the memory
    /// again. Not needed with a [`Session`](crate::Session): each call of `Session::turn` borrows the memory from a
    /// [`SessionBuffers`](crate::SessionBuffers).
    pub fn shrink(&mut self) {
        const IDLE: usize = 64;
        self.inbox.shrink(IDLE);
        self.decoder.blocks = ReadBuffers::new();
        self.outbox.shrink();
    }

    /// Returns the work since the last call for input that was not queued for the application, in units of the [cost
    /// meter](cost): commands, subscriptions that the peer sent as messages, and messages that the socket dropped.
    // High-water marks do not limit this work.
    pub(crate) const fn take_unqueued_work(&mut self) -> u64 {
        core::mem::replace(&mut self.unqueued_work, 0)
    }

    const fn count_unqueued(&mut self, frames: u64, bytes: u64) {
        self.unqueued_work = self.unqueued_work.saturating_add(frames + bytes / cost::BYTES_PER_UNIT);
    }

    /// Records that `count` bytes were received at the time `now`. Heartbeats and [`wants_input`](Self::wants_input)
    /// use this information.
    fn record_input(&mut self, count: usize, now: Instant) {
        // With an empty inbox, earlier input was not read ahead. It may be hours of heartbeats.
        cost::input(count);
        if self.inbox.is_empty() {
            (self.read_ahead, self.decoder.vectors) = (0, 0);
        }
        self.read_ahead += count;
        self.heartbeat.bytes_received(now);
    }

    /// Records the time of a call, and returns the latest time that was passed in any call, so that time never runs
    /// backwards.
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
            Phase::AwaitingAdmission(candidate) => Some(&candidate.peer),
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

    fn admit(&mut self) {
        self.finish_admission();
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
        self.inbox.pop()
    }

    #[inline]
    fn inbox(&mut self) -> Option<&mut Inbox> {
        Some(&mut self.inbox)
    }

    fn discarded(&mut self, messages: u64, bytes: u64) {
        self.count_unqueued(messages, bytes);
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

    fn written(&self) -> Option<&Arc<Written>> {
        Some(self.outbox.written_messages())
    }
}
