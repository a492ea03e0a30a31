//! [`Options`]: settings of a socket. Each option has a default value, and is checked when it is set.

mod links;
mod marks;
mod pubsub;
mod security;
mod socks;
mod transport;

pub use links::ReconnectStop;
pub(crate) use links::{AdmissionLimits, Notices};
pub use pubsub::SlowSubscriber;
pub(crate) use pubsub::{Manual, Publishing, Subscribing, Verbosity};
pub(crate) use socks::Proxy;

use crate::address::TransportConfig;
use crate::connection::{ConnectionConfig, HeartbeatConfig};
use crate::kind::{Any, HasRoutingId, Kind, Receives, Req, Router, Sends, Stream, Typed};
use crate::message::Frame;
use crate::socket::error::OptionsError;
use crate::socket::stats::MemoryLimits;
use crate::socket_type::SocketType;
use core::marker::PhantomData;
use core::time::Duration;

/// Options of a socket of kind `T` (the socket type), passed when the socket is created. An option that has no effect
/// on a socket type does not exist for that type.
///
/// ```
/// use core::time::Duration;
/// use sansmq_proto::{Options, kind::Router};
///
/// let options = Options::<Router>::new()
///     .mandatory(true)
///     .send_hwm(10_000)
///     .linger(Duration::from_secs(1))
///     .heartbeat(Duration::from_secs(2));
/// # let _ = options;
/// ```
#[derive(Debug)]
pub struct Options<T: Kind = Any> {
    pub(crate) settings: Settings,
    kind: PhantomData<fn() -> T>,
}

/// Values of all options of a socket, without the type parameter of [`Options`].
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) connection: ConnectionConfig,
    pub(crate) transport: TransportConfig,
    pub(crate) send_hwm: usize,
    pub(crate) recv_hwm: usize,
    pub(crate) send_hwm_bytes: usize,
    pub(crate) recv_hwm_bytes: usize,
    pub(crate) max_send_size: usize,
    pub(crate) linger: Option<Duration>,
    pub(crate) reconnect: Option<Backoff>,
    /// Delays before a dial that follows a failure that time cannot cure. Has no effect if `reconnect` is `None`.
    pub(crate) reconnect_refused: Backoff,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) probe: bool,
    pub(crate) mandatory: bool,
    pub(crate) handover: bool,
    pub(crate) relaxed: bool,
    pub(crate) correlate: bool,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) immediate: bool,
    pub(crate) fail_unreachable: bool,
    pub(crate) conflate: bool,
    pub(crate) reconnect_stop: ReconnectStop,
    pub(crate) admission: AdmissionLimits,
    pub(crate) notices: Notices,
    pub(crate) publishing: Publishing,
    pub(crate) subscribing: Subscribing,
    pub(crate) notify: bool,
}

impl Settings {
    /// Returns the limits on memory, for the statistics of the socket.
    pub(crate) const fn memory_limits(&self) -> MemoryLimits {
        MemoryLimits {
            send_hwm_bytes: self.send_hwm_bytes as u64,
            recv_hwm_bytes: self.recv_hwm_bytes as u64,
            max_handshake_bytes: self.admission.handshake_bytes as u64,
            memory_budget: 0,
        }
    }
}

/// Delays before a dial that follows a failure in a row of failures: the first delay, and the maximum to which the delay
/// grows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) max: Duration,
}

impl Backoff {
    /// Returns the delays, at least [`SHORTEST`](Self::SHORTEST) each, and `max` at least `first`.
    fn new(first: Duration, max: Duration) -> Self {
        let first = first.max(Self::SHORTEST);
        Self { first, max: max.max(first) }
    }

    // A socket without a delay would dial a closed port in a busy loop.
    const SHORTEST: Duration = Duration::from_millis(1);
}

impl<T: Kind> Clone for Options<T> {
    fn clone(&self) -> Self {
        Self { settings: self.settings.clone(), kind: PhantomData }
    }
}

impl<T: Typed> Default for Options<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Typed> Options<T> {
    /// Creates options with default values.
    pub const fn new() -> Self {
        Self::with_type(T::TYPE)
    }
}

impl Options<Any> {
    /// Creates options with default values for a socket type that is known only at run time.
    pub const fn of(socket_type: SocketType) -> Self {
        Self::with_type(socket_type)
    }
}

impl<T: Kind> Options<T> {
    const fn with_type(socket_type: SocketType) -> Self {
        let settings = Settings {
            connection: ConnectionConfig::new(socket_type),
            transport: TransportConfig::new(),
            send_hwm: 1000,
            recv_hwm: 1000,
            send_hwm_bytes: 256 << 20,
            recv_hwm_bytes: 64 << 20,
            max_send_size: usize::MAX,
            // A subscriber sends only its subscriptions, which have no effect after it is closed.
            linger: Some(if socket_type.only_subscribes() { Duration::ZERO } else { Duration::from_secs(30) }),
            reconnect: Some(Backoff { first: Duration::from_millis(100), max: Duration::from_secs(5) }),
            reconnect_refused: Backoff { first: Duration::from_secs(1), max: Duration::from_mins(1) },
            connect_timeout: Some(Duration::from_secs(30)),
            probe: false,
            mandatory: false,
            handover: false,
            relaxed: false,
            correlate: false,
            proxy: None,
            immediate: false,
            fail_unreachable: false,
            conflate: false,
            reconnect_stop: ReconnectStop::NEVER,
            admission: AdmissionLimits::DEFAULT,
            notices: Notices::NONE,
            publishing: Publishing::DEFAULT,
            subscribing: Subscribing::DEFAULT,
            notify: true,
        };
        Self { settings, kind: PhantomData }
    }

    /// Removes the socket type from the type parameter, so that options of different socket types have the same Rust
    /// type. The socket type at run time stays the same.
    pub fn erase(self) -> Options<Any> {
        Options { settings: self.settings, kind: PhantomData }
    }

    /// Returns the socket type of these options.
    pub const fn socket_type(&self) -> SocketType {
        self.settings.connection.socket_type
    }

    /// Sets the time during which queued messages are still sent after `close` or `disconnect`: LINGER. `None`: no
    /// limit; zero: queued messages are dropped.
    ///
    /// Default 30 s; in libzmq no limit, so that a program with libzmq does not exit while a peer is unreachable.
    /// Default for SUB, XSUB and DISH: zero, as in libzmq.
    #[must_use]
    pub fn linger(mut self, linger: impl Into<Option<Duration>>) -> Self {
        self.settings.linger = linger.into();
        self
    }

    /// Sets the maximum size of an incoming message, in bytes, as the sum of all its frames: MAXMSGSIZE. In libzmq the
    /// option limits each frame. A peer that announces a larger message in its frame headers is disconnected at once.
    ///
    /// A peer that uses this crate receives the reason first
    /// ([`CloseReason::MessageTooLarge`](crate::connection::CloseReason::MessageTooLarge)). Over `inproc`, `send` of the
    /// peer returns [`SendError::TooLarge`](crate::SendError::TooLarge) instead.
    ///
    /// Default 64 MiB; libzmq has no limit by default.
    #[must_use]
    pub const fn max_message_size(mut self, bytes: usize) -> Self {
        self.settings.connection.max_message_size = bytes;
        self
    }

    /// Sets the maximum size of an outgoing message, in bytes, as the sum of its frames without the routing id with which
    /// the messages of some socket types begin. `send` returns [`SendError::TooLarge`](crate::SendError::TooLarge) for a
    /// larger message. Choose the smallest limit of the peers: a peer that receives a message above its own limit closes
    /// the connection, and the message is lost.
    ///
    /// No limit by default; libzmq has no such option.
    #[must_use]
    pub const fn max_send_size(mut self, bytes: usize) -> Self {
        self.settings.max_send_size = bytes;
        self
    }

    /// Sets the maximum number of frames of an incoming message. A peer that sends more is disconnected. 0: no limit.
    ///
    /// Default 16,384; libzmq has no limit.
    #[must_use]
    pub const fn max_frames(mut self, frames: usize) -> Self {
        self.settings.connection.max_frames = or_no_limit(frames);
        self
    }

    /// Sets the time that the greeting and the handshake may take: `HANDSHAKE_IVL`. `None`: no limit. Default 30 s.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.settings.connection.handshake_timeout = timeout.into();
        self
    }

    /// Accepts peers of ZMTP 2.0 (libzmq 3) and 1.0 (libzmq 2). Enabled by default.
    ///
    /// These versions have no security. Such peers are rejected nevertheless if the socket has a security mechanism, an
    /// authenticator or a ZAP domain, requests a resource, is of a draft type, or shares its port with other sockets. A
    /// peer of ZMTP 1.0 does not send its socket type; a compatible type is assumed.
    ///
    /// To detect the version of the peer, both sides send the greeting in steps, as libzmq does (RFC 37, "Backwards
    /// Interoperability"). With `false`, the whole greeting is sent at once, and a connection is ready one round trip
    /// earlier.
    #[must_use]
    pub const fn allow_legacy_zmtp(mut self, accept: bool) -> Self {
        self.settings.connection.allow_legacy_zmtp = accept;
        self
    }

    /// Sends a PING to each peer at this interval, and closes a connection when nothing is received from the peer for
    /// the same time after a PING: `HEARTBEAT_IVL` and `HEARTBEAT_TIMEOUT`. `None` or zero: off, the default, as in
    /// libzmq. No PING is sent to a peer of ZMTP 3.0 or older, because these versions do not have this command. No PING is
    /// sent to a DISH either (RFC 48).
    ///
    /// A long message may delay the PING that follows it. While this output makes progress, the connection stays open:
    /// each time when the peer's system has acknowledged enough bytes to make room in a full send buffer, the
    /// timeout restarts. A peer that stops inside a long message is detected after at most interval and timeout
    /// together, counted from the last acknowledged byte.
    ///
    /// If the application of the peer does not call `recv`, the peer stops reading after some messages, and then does
    /// not answer a PING that follows these messages. After its `recv_hwm` is reached, a peer with this crate still
    /// reads about 64 KiB; a libzmq peer reads nothing. Choose an interval that is longer than the pauses between the
    /// `recv` calls of the peer.
    #[must_use]
    pub fn heartbeat(mut self, interval: impl Into<Option<Duration>>) -> Self {
        let interval = interval.into().filter(|interval| !interval.is_zero());
        let config = interval.map(|interval| HeartbeatConfig { interval, timeout: interval, ttl: 0 });
        self.settings.connection.heartbeat = config;
        self
    }

    /// Sets the interval of heartbeats as [`heartbeat`](Self::heartbeat) does, with a separate timeout and a time to live.
    /// The PING requests that the *peer* closes the connection when it receives nothing from this socket for `ttl`
    /// (`HEARTBEAT_TTL`; rounded down to tenths of a second; zero: no such request).
    ///
    /// `ttl` should be below 65.6 s if the peer may be libzmq, because libzmq converts the received time to
    /// milliseconds in 16 bits.
    ///
    /// # Errors
    /// [`OptionsError::ZeroDuration`] if the timeout is zero, [`OptionsError::TimeToLive`] if `ttl` is
    /// above 6553.5 s.
    pub fn heartbeat_with(
        mut self,
        interval: Duration,
        timeout: Duration,
        ttl: Duration,
    ) -> Result<Self, OptionsError> {
        if timeout.is_zero() {
            return Err(OptionsError::ZeroDuration("heartbeat timeout"));
        }
        let ttl = u16::try_from(ttl.as_millis() / 100).map_err(|_| OptionsError::TimeToLive)?;
        let is_on = !interval.is_zero();
        self.settings.connection.heartbeat = is_on.then_some(HeartbeatConfig { interval, timeout, ttl });
        Ok(self)
    }

    /// Sets the delay before the first dial after a failure or a lost connection, and the maximum delay before later
    /// dials: `RECONNECT_IVL` and `RECONNECT_IVL_MAX`. A `first` below 1 millisecond counts as 1 millisecond, and a `max`
    /// below `first` as `first`. The delays after a refusal are those of [`reconnect_refused`](Self::reconnect_refused).
    ///
    /// The delay doubles with every failure up to `max`, and is shortened by a random part of up to half, so that many
    /// clients do not reconnect at the same time. The delay is reset when a connection has finished its handshake and
    /// lasted longer than the last delay. Default 100 ms to 5 s; libzmq stays at 100 ms, and has no random part if a
    /// maximum is set.
    #[must_use]
    pub fn reconnect(mut self, first: Duration, max: Duration) -> Self {
        self.settings.reconnect = Some(Backoff::new(first, max));
        self
    }

    /// Sets the delay before the first dial after a refusal, and the maximum delay before later dials. A refusal is a
    /// failure that time cannot cure ([`ConnectionError::is_temporary`](crate::ConnectionError::is_temporary) returns
    /// false): an ERROR command of the peer with a status other than 300 or 500, an incompatible socket type, or another
    /// security mechanism. A `first` below 1 millisecond counts as 1 millisecond, and a `max` below `first` as `first`.
    ///
    /// The delay doubles, is shortened at random, and is reset as that of [`reconnect`](Self::reconnect). Default 1 s to
    /// 60 s: long enough that many refused clients do not burden a server, and short enough that a client connects
    /// soon after its server was corrected. libzmq never dials again after a refusal; to do the same after an ERROR
    /// command, set [`ReconnectStop::error_received`].
    #[must_use]
    pub fn reconnect_refused(mut self, first: Duration, max: Duration) -> Self {
        self.settings.reconnect_refused = Backoff::new(first, max);
        self
    }

    /// Never dials again after a failure or a lost connection. Corresponds to `ZMQ_RECONNECT_IVL` = -1.
    #[must_use]
    pub const fn no_reconnect(mut self) -> Self {
        self.settings.reconnect = None;
        self
    }

    /// Sets the time that one attempt to connect may take: `CONNECT_TIMEOUT`. `None`: the limit of the operating
    /// system. Default 30 s; libzmq has no limit. Does not apply to `inproc`, where `connect` waits until the endpoint
    /// is bound.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.settings.connect_timeout = timeout.into();
        self
    }

    /// Returns the settings of the socket's connections, for programs that drive a [`Connection`](crate::Connection)
    /// without a socket.
    pub fn connection_config(&self) -> ConnectionConfig {
        self.settings.connection.clone()
    }
}

impl<T: Kind> Options<T> {
    /// Sets the maximum number of messages that wait to be sent to each peer: SNDHWM, the send high-water mark. 0: no
    /// limit. Default 1000.
    ///
    /// In addition, the connection can hold one batch of messages on the way to the network: about 64 KiB, or 256 KiB
    /// if the bodies have 2 KiB or more.
    #[must_use]
    pub const fn send_hwm(mut self, messages: usize) -> Self
    where
        T: Sends,
    {
        self.settings.send_hwm = or_no_limit(messages);
        self
    }
}

impl<T: Kind> Options<T> {
    /// Sets the maximum number of messages received from each peer that wait for `recv`: RCVHWM, the receive high-water
    /// mark. 0: no limit. Default 1000.
    ///
    /// When this number is reached, the connection reads about 64 KiB more from the peer, so that heartbeats are still
    /// received. Then the connection stops reading, and TCP flow control stops the peer.
    #[must_use]
    pub const fn recv_hwm(mut self, messages: usize) -> Self
    where
        T: Receives,
    {
        self.settings.recv_hwm = or_no_limit(messages);
        self
    }
}

impl<T: Kind> Options<T> {
    /// Sets the routing id by which ROUTER peers address this socket: `ROUTING_ID`. Default: each ROUTER generates one.
    ///
    /// # Errors
    /// [`OptionsError::RoutingId`] unless the routing id has 1 to 255 bytes.
    pub fn routing_id(mut self, id: impl Into<Frame>) -> Result<Self, OptionsError>
    where
        T: HasRoutingId,
    {
        let id = id.into();
        if id.is_empty() || id.len() > 255 {
            return Err(OptionsError::RoutingId(id.len()));
        }
        self.settings.connection.routing_id = id;
        Ok(self)
    }

    /// Sends an empty message first on each new connection: `PROBE_ROUTER`. A ROUTER thus learns the routing id of this
    /// socket before any other message; other peers receive an empty message. Off by default.
    #[must_use]
    pub const fn probe_router(mut self, probe: bool) -> Self
    where
        T: HasRoutingId,
    {
        self.settings.probe = probe;
        self
    }
}

impl Options<Router> {
    /// Makes `send` return an error if no peer has the routing id of the message, or if the outgoing queue of the peer
    /// with this routing id is full: `ROUTER_MANDATORY`. If the queue is full, an asynchronous `send` waits for room
    /// instead. Off by default: in both cases the message is dropped with [`Event::Dropped`](crate::Event::Dropped).
    #[must_use]
    pub const fn mandatory(mut self, mandatory: bool) -> Self {
        self.settings.mandatory = mandatory;
        self
    }

    /// Allows a new peer to take over the routing id of a connected peer: `ROUTER_HANDOVER`. The connection of the peer
    /// that had the routing id before is then closed. Off by default: the new peer is rejected. If on, any peer that
    /// knows a routing id can take it over, so routing ids must not be trusted.
    #[must_use]
    pub const fn handover(mut self, handover: bool) -> Self {
        self.settings.handover = handover;
        self
    }
}

impl Options<Req> {
    /// Allows a new request before the reply to the previous request has arrived, and abandons the previous request:
    /// `REQ_RELAXED`. Set [`correlate`](Self::correlate) too; otherwise a late reply to the previous request is taken
    /// for the reply to the new request. Off by default.
    #[must_use]
    pub const fn relaxed(mut self, relaxed: bool) -> Self {
        self.settings.relaxed = relaxed;
        self
    }

    /// Sends a request id before the delimiter of each request, and ignores replies without this id: `REQ_CORRELATE`.
    /// REP and ROUTER peers return the id as part of the envelope. Off by default.
    #[must_use]
    pub const fn correlate(mut self, correlate: bool) -> Self {
        self.settings.correlate = correlate;
        self
    }
}

impl Options<Stream> {
    /// Delivers the message `[routing id, ""]` to the application of this socket when a peer has connected or
    /// disconnected: `STREAM_NOTIFY`. On by default.
    ///
    /// No such message is delivered after a local disconnect. These messages are delivered in the order of the connects
    /// and disconnects, even if `recv_hwm` is reached.
    #[must_use]
    pub const fn notify(mut self, notify: bool) -> Self {
        self.settings.notify = notify;
        self
    }
}

/// Returns the limit that an option with the value `limit` sets: 0 stands for no limit.
const fn or_no_limit(limit: usize) -> usize {
    if limit == 0 { usize::MAX } else { limit }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::{Dealer, Pub};

    #[test]
    fn options_reject_values_out_of_range() {
        let dealer = Options::<Dealer>::new;
        assert_eq!(dealer().routing_id("").unwrap_err(), OptionsError::RoutingId(0));
        assert_eq!(dealer().routing_id(alloc::vec![1; 256]).unwrap_err(), OptionsError::RoutingId(256));
        assert!(dealer().routing_id(alloc::vec![1; 255]).is_ok());
        let second = Duration::from_secs(1);
        assert_eq!(
            dealer().heartbeat_with(second, second, Duration::from_secs(6554)).unwrap_err(),
            OptionsError::TimeToLive
        );
        let zero = Duration::ZERO;
        assert_eq!(
            dealer().heartbeat_with(second, zero, second).unwrap_err(),
            OptionsError::ZeroDuration("heartbeat timeout")
        );
        assert_eq!(dealer().zap_domain("").unwrap_err(), OptionsError::Domain(0));
        assert_eq!(dealer().zap_domain("d".repeat(256)).unwrap_err(), OptionsError::Domain(256));
        assert!(dealer().zap_domain("d".repeat(255)).is_ok());
    }

    #[test]
    fn zero_stands_for_no_limit_or_for_off() {
        let settings = Options::<Pub>::new()
            .send_hwm(0)
            .max_frames(0)
            .max_peers(0)
            .max_handshakes(0, 0)
            .max_handshake_rate(0)
            .max_subscriptions(0)
            .heartbeat(Duration::from_secs(1))
            .heartbeat(Duration::ZERO)
            .settings;
        let AdmissionLimits { peers, handshakes, handshakes_per_address, handshake_rate, .. } = settings.admission;
        let limits = [
            settings.send_hwm,
            settings.connection.max_frames,
            peers,
            handshakes,
            handshakes_per_address,
            handshake_rate.unwrap(),
            settings.publishing.max_subscriptions,
        ];
        assert_eq!(limits, [usize::MAX; 7]);
        assert!(settings.connection.heartbeat.is_none());
        let (zero, second) = (Duration::ZERO, Duration::from_secs(1));
        let settings = Options::<Dealer>::new().heartbeat_with(zero, second, second).unwrap().settings;
        assert!(settings.connection.heartbeat.is_none());
    }

    #[test]
    fn delays_before_a_dial_are_never_zero() {
        let (zero, second) = (Duration::ZERO, Duration::from_secs(1));
        let settings = Options::<Dealer>::new().reconnect(zero, zero).reconnect_refused(zero, second).settings;
        let Backoff { first, max } = settings.reconnect.unwrap();
        assert_eq!([first, max], [Duration::from_millis(1); 2]);
        let Backoff { first, max } = settings.reconnect_refused;
        assert_eq!((first, max), (Duration::from_millis(1), second));
    }
}
