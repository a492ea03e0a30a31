//! [`Options`]: everything about a socket that can be chosen, each with a default and checked when set.

mod links;
mod marks;
mod pubsub;
mod security;
mod socks;
mod transport;

pub use links::ReconnectStop;
pub(crate) use links::{Crowd, Notices};
pub use pubsub::SlowSubscriber;
pub(crate) use pubsub::{Manual, Publishing, Subscribing, Verbosity};
pub(crate) use socks::Proxy;

use crate::address::TransportConfig;
use crate::connection::{ConnectionConfig, HeartbeatConfig};
use crate::kind::{Any, HasRoutingId, Kind, Receives, Req, Router, Sends, Stream, Typed};
use crate::message::Frame;
use crate::socket::error::OptionsError;
use crate::socket_type::SocketType;
use core::marker::PhantomData;
use core::time::Duration;

/// The options of a socket of kind `T`, given when it is made. An option that means nothing to a type does not exist
/// on it.
///
/// ```
/// use core::time::Duration;
/// use sansmq_proto::{Options, kind::Router};
///
/// let options = Options::<Router>::new()
///     .mandatory(true)
///     .send_hwm(10_000)
///     .linger(Duration::from_secs(1))
///     .heartbeat(Duration::from_secs(2))?;
/// # let _ = options;
/// # Ok::<(), sansmq_proto::socket::OptionsError>(())
/// ```
#[derive(Debug)]
pub struct Options<T: Kind = Any> {
    pub(crate) settings: Settings,
    kind: PhantomData<fn() -> T>,
}

/// The same for every kind.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) connection: ConnectionConfig,
    pub(crate) transport: TransportConfig,
    pub(crate) send_hwm: usize,
    pub(crate) recv_hwm: usize,
    pub(crate) send_hwm_bytes: usize,
    pub(crate) recv_hwm_bytes: usize,
    pub(crate) linger: Option<Duration>,
    pub(crate) reconnect: Option<Backoff>,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) probe: bool,
    pub(crate) mandatory: bool,
    pub(crate) handover: bool,
    pub(crate) relaxed: bool,
    pub(crate) correlate: bool,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) immediate: bool,
    pub(crate) conflate: bool,
    pub(crate) reconnect_stop: ReconnectStop,
    pub(crate) crowd: Crowd,
    pub(crate) notices: Notices,
    pub(crate) publishing: Publishing,
    pub(crate) subscribing: Subscribing,
    pub(crate) notify: bool,
}

/// How long to wait before dialling again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    pub(crate) first: Duration,
    pub(crate) max: Duration,
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
    /// The defaults.
    pub const fn new() -> Self {
        Self::with_type(T::TYPE)
    }
}

impl Options<Any> {
    /// The defaults for a type that is known at run time only.
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
            send_hwm_bytes: 0,
            recv_hwm_bytes: 0,
            // What a subscriber has to say is its state, which nobody misses when it is gone.
            linger: Some(if socket_type.only_subscribes() { Duration::ZERO } else { Duration::from_secs(30) }),
            reconnect: Some(Backoff { first: Duration::from_millis(100), max: Duration::from_secs(5) }),
            connect_timeout: Some(Duration::from_secs(30)),
            probe: false,
            mandatory: false,
            handover: false,
            relaxed: false,
            correlate: false,
            proxy: None,
            immediate: false,
            conflate: false,
            reconnect_stop: ReconnectStop::NEVER,
            crowd: Crowd::DEFAULT,
            notices: Notices::NONE,
            publishing: Publishing::DEFAULT,
            subscribing: Subscribing::DEFAULT,
            notify: true,
        };
        Self { settings, kind: PhantomData }
    }

    /// Forgets the type at compile time; it is still the same at run time.
    pub fn erase(self) -> Options<Any> {
        Options { settings: self.settings, kind: PhantomData }
    }

    /// The socket type these options are for.
    pub const fn socket_type(&self) -> SocketType {
        self.settings.connection.socket_type
    }

    /// How long messages may still go out after `close` or `disconnect`: LINGER. `None`: for ever; zero: not at all.
    ///
    /// Default 30 s; libzmq waits for ever, which makes a program hang at its end when a peer is away. Default of SUB, XSUB
    /// and DISH: zero, as in libzmq.
    #[must_use]
    pub fn linger(mut self, linger: impl Into<Option<Duration>>) -> Self {
        self.settings.linger = linger.into();
        self
    }

    /// Octets in all frames of one incoming message, at most: MAXMSGSIZE, which in libzmq counts per frame. A peer that
    /// announces more loses its connection at once.
    ///
    /// Default 64 MiB; libzmq has no limit unless told.
    #[must_use]
    pub const fn max_message_size(mut self, octets: usize) -> Self {
        self.settings.connection.max_message_size = octets;
        self
    }

    /// Frames of one incoming message, at most. A peer that sends more loses its connection.
    ///
    /// Default 4096; libzmq has no limit.
    ///
    /// # Errors
    /// [`OptionsError::Zero`].
    pub fn max_frames(mut self, frames: usize) -> Result<Self, OptionsError> {
        if frames == 0 {
            return Err(OptionsError::Zero("max_frames"));
        }
        self.settings.connection.max_frames = frames;
        Ok(self)
    }

    /// How long a peer may take for its greeting and handshake: `HANDSHAKE_IVL`. `None`: for ever. Default 30 s.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.settings.connection.handshake_timeout = timeout.into();
        self
    }

    /// Whether to speak with peers of ZMTP 2.0 (libzmq 3) and 1.0 (libzmq 2). Default true.
    ///
    /// Such peers know no security, so that they are refused all the same where there is a mechanism or somebody to be asked
    /// about peers; and so they are at a port that several sockets share, by sockets that ask for a resource, and by the draft
    /// types. One of 1.0 does not even say what it is: it is believed to be what it should be.
    ///
    /// To learn how old a peer is the two sides greet each other in steps, as libzmq does (RFC 37, "Backwards
    /// Interoperability"). With `false` all of the greeting is sent at once, and a connection is ready one round trip earlier.
    #[must_use]
    pub const fn allow_legacy_zmtp(mut self, welcome: bool) -> Self {
        self.settings.connection.allow_legacy_zmtp = welcome;
        self
    }

    /// Sends a PING so often, and ends a connection when one is followed by as long a silence: `HEARTBEAT_IVL` and
    /// `HEARTBEAT_TIMEOUT`. Off by default. ZMTP 3.0 has no PING, so peers of that version are not asked.
    ///
    /// A peer whose application does not receive hears PINGs as long as little stands before them: this crate reads about
    /// 64 KiB ahead of `recv_hwm`, libzmq nothing. Choose an interval longer than the pauses of your receivers.
    ///
    /// # Errors
    /// [`OptionsError::ZeroDuration`].
    pub fn heartbeat(mut self, interval: Duration) -> Result<Self, OptionsError> {
        if interval.is_zero() {
            return Err(OptionsError::ZeroDuration("heartbeat"));
        }
        self.settings.connection.heartbeat = Some(HeartbeatConfig { interval, timeout: interval, ttl: 0 });
        Ok(self)
    }

    /// As [`heartbeat`](Self::heartbeat), with a timeout of its own, and with a time to live: the PING asks the *peer* to
    /// end the connection after so much silence of ours (`HEARTBEAT_TTL`; whole tenths of a second count; zero: no wish).
    ///
    /// Keep it below 65.6 s where libzmq may be at the other end.
    ///
    /// # Errors
    /// [`OptionsError::ZeroDuration`] for the interval or the timeout, [`OptionsError::TimeToLive`] above 6553.5 s.
    pub fn heartbeat_with(
        mut self,
        interval: Duration,
        timeout: Duration,
        ttl: Duration,
    ) -> Result<Self, OptionsError> {
        if interval.is_zero() {
            return Err(OptionsError::ZeroDuration("heartbeat interval"));
        }
        if timeout.is_zero() {
            return Err(OptionsError::ZeroDuration("heartbeat timeout"));
        }
        let ttl = u16::try_from(ttl.as_millis() / 100).map_err(|_| OptionsError::TimeToLive)?;
        self.settings.connection.heartbeat = Some(HeartbeatConfig { interval, timeout, ttl });
        Ok(self)
    }

    /// How long to wait before dialling again, and what that wait grows to: `RECONNECT_IVL` and `RECONNECT_IVL_MAX`.
    ///
    /// The wait doubles with every failure up to `max`, and is shortened by a random part of up to half, so that many
    /// clients do not come back in one instant. It starts anew once a connection has lasted longer than the last wait.
    /// Default 100 ms to 5 s; libzmq stays at 100 ms, and with a maximum set it has no jitter.
    ///
    /// # Errors
    /// [`OptionsError::ZeroDuration`] for `first`. A `max` below `first` counts as `first`.
    pub fn reconnect(mut self, first: Duration, max: Duration) -> Result<Self, OptionsError> {
        if first.is_zero() {
            return Err(OptionsError::ZeroDuration("reconnect"));
        }
        self.settings.reconnect = Some(Backoff { first, max: max.max(first) });
        Ok(self)
    }

    /// Never dials again after a failure or a lost connection: `RECONNECT_IVL` of -1.
    #[must_use]
    pub const fn no_reconnect(mut self) -> Self {
        self.settings.reconnect = None;
        self
    }

    /// How long one attempt to connect may take: `CONNECT_TIMEOUT`. `None`: as long as the operating system likes.
    /// Default 30 s; libzmq has none. Over `inproc` there is none either: who connects waits until somebody binds.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.settings.connect_timeout = timeout.into();
        self
    }

    /// The settings of each connection, for those who drive [`Connection`](crate::Connection) themselves.
    pub fn connection_config(&self) -> ConnectionConfig {
        self.settings.connection.clone()
    }
}

impl<T: Sends> Options<T> {
    /// Messages that may wait for each peer: SNDHWM, the high-water mark. 0: any number. Default 1000.
    ///
    /// One batch may wait beside them, on its way to the network: about 64 KiB, or 256 KiB of bodies of 2 KiB and more.
    #[must_use]
    pub const fn send_hwm(mut self, messages: usize) -> Self {
        self.settings.send_hwm = if messages == 0 { usize::MAX } else { messages };
        self
    }
}

impl<T: Receives> Options<T> {
    /// Messages of each peer that may wait for `recv`: RCVHWM, the high-water mark. 0: any number. Default 1000.
    ///
    /// When it is reached about 64 KiB more are read from that peer, so that its heartbeats are heard; then TCP makes it
    /// wait.
    #[must_use]
    pub const fn recv_hwm(mut self, messages: usize) -> Self {
        self.settings.recv_hwm = if messages == 0 { usize::MAX } else { messages };
        self
    }
}

impl<T: HasRoutingId> Options<T> {
    /// The routing id that ROUTER peers shall know this socket by: `ROUTING_ID`. Default: they choose one.
    ///
    /// # Errors
    /// [`OptionsError::RoutingId`] unless it has 1 to 255 octets.
    pub fn routing_id(mut self, id: impl Into<Frame>) -> Result<Self, OptionsError> {
        let id = id.into();
        if id.is_empty() || id.len() > 255 {
            return Err(OptionsError::RoutingId(id.len()));
        }
        self.settings.connection.routing_id = id;
        Ok(self)
    }

    /// Sends an empty message on each new connection, so that a ROUTER at the other end learns of this socket before
    /// it says anything: `PROBE_ROUTER`. Other peers receive an empty message. Default off.
    #[must_use]
    pub const fn probe_router(mut self, probe: bool) -> Self {
        self.settings.probe = probe;
        self
    }
}

impl Options<Router> {
    /// A message to an unknown routing id is an error, and one to a peer without room waits: `ROUTER_MANDATORY`. Default
    /// off: both are dropped, and [`Event::Dropped`](crate::Event::Dropped) tells.
    #[must_use]
    pub const fn mandatory(mut self, mandatory: bool) -> Self {
        self.settings.mandatory = mandatory;
        self
    }

    /// A new peer takes a routing id over from an old one, whose connection is closed: `ROUTER_HANDOVER`. Default off: the
    /// new one is refused. On, any peer that knows an id can take it, so do not trust ids then.
    #[must_use]
    pub const fn handover(mut self, handover: bool) -> Self {
        self.settings.handover = handover;
        self
    }
}

impl Options<Req> {
    /// A request may be sent while another is unanswered, which is thereby given up: `REQ_RELAXED`. Set
    /// [`correlate`](Self::correlate) too, or a late reply is taken for the new one's. Default off.
    #[must_use]
    pub const fn relaxed(mut self, relaxed: bool) -> Self {
        self.settings.relaxed = relaxed;
        self
    }

    /// Puts a request id before the delimiter and ignores replies without it: `REQ_CORRELATE`. REP and ROUTER peers send
    /// it back as part of the envelope. Default off.
    #[must_use]
    pub const fn correlate(mut self, correlate: bool) -> Self {
        self.settings.correlate = correlate;
        self
    }
}

impl Options<Stream> {
    /// Whether a peer that has connected or is gone is told by a message of its routing id and an empty frame:
    /// `STREAM_NOTIFY`. Default on.
    ///
    /// An end that this side wanted is not told. Notices stand in the order of events, and come beyond `recv_hwm` if need be.
    #[must_use]
    pub const fn notify(mut self, notify: bool) -> Self {
        self.settings.notify = notify;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Dealer;

    #[test]
    fn values_out_of_range_are_refused_when_set() {
        let dealer = Options::<Dealer>::new;
        assert_eq!(dealer().routing_id("").unwrap_err(), OptionsError::RoutingId(0));
        assert_eq!(dealer().routing_id(alloc::vec![1; 256]).unwrap_err(), OptionsError::RoutingId(256));
        assert!(dealer().routing_id(alloc::vec![1; 255]).is_ok());
        assert!(dealer().heartbeat(Duration::ZERO).is_err());
        let second = Duration::from_secs(1);
        assert_eq!(
            dealer().heartbeat_with(second, second, Duration::from_secs(6554)).unwrap_err(),
            OptionsError::TimeToLive
        );
        assert!(dealer().reconnect(Duration::ZERO, second).is_err());
        assert!(dealer().max_frames(0).is_err());
    }
}
