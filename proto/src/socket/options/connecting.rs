//! Options for dials, handshakes and heartbeats.

use super::{Backoff, Options};
use crate::connection::HeartbeatConfig;
use crate::kind::Kind;
use crate::socket::error::OptionsError;
use crate::wire::is_name_char;
use alloc::borrow::ToOwned;
use bytes::Bytes;
use core::time::Duration;

/// Conditions under which the socket does not dial again after a connection was lost or a dial failed:
/// `RECONNECT_STOP`. By default, the socket dials again after every failure.
///
/// When the socket stops dialling, it drops the messages that are queued for this endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReconnectStop {
    /// If true, the socket does not dial again after a dial was refused, which means that no listener is at the
    /// endpoint: `ZMQ_RECONNECT_STOP_CONN_REFUSED`.
    #[doc(alias("ZMQ_RECONNECT_STOP_CONN_REFUSED", "RECONNECT_STOP_CONN_REFUSED"))]
    pub refused: bool,
    /// If true, the socket does not dial again after a connection ended before its handshake was finished:
    /// `ZMQ_RECONNECT_STOP_HANDSHAKE_FAILED`.
    #[doc(alias("ZMQ_RECONNECT_STOP_HANDSHAKE_FAILED", "RECONNECT_STOP_HANDSHAKE_FAILED"))]
    pub handshake_failed: bool,
    /// If true, the socket does not dial again after the peer has sent an ERROR command. RFC 37 ("Error Handling")
    /// requires this: a peer that receives ERROR does not connect again with the same credentials. If false, the
    /// socket dials again after the delay of [`Options::reconnect_refused`], because an ERROR is not authenticated: any
    /// process that answers at the endpoint once, or changes bytes on the path, could otherwise disconnect a client
    /// permanently, even if the client uses CURVE.
    pub error_received: bool,
    /// If true, the socket stops dialling an endpoint and drops the messages queued for this endpoint, when the
    /// application calls `disconnect` or `close` while there is no connection to this endpoint:
    /// `ZMQ_RECONNECT_STOP_AFTER_DISCONNECT`. If false, the socket still dials during `linger`, to send its queued
    /// messages.
    #[doc(alias("ZMQ_RECONNECT_STOP_AFTER_DISCONNECT", "RECONNECT_STOP_AFTER_DISCONNECT"))]
    pub disconnected: bool,
}

/// Shortest interval of heartbeats, which is that of libzmq.
// With nanoseconds, a connection would send PINGs without a pause.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);

impl ReconnectStop {
    pub(super) const NEVER: Self =
        Self { refused: false, handshake_failed: false, error_received: false, disconnected: false };
}

/// # Connections: reconnects, heartbeats and timeouts
impl<T: Kind> Options<T> {
    /// Sets the delay before the first dial after a failure or a lost connection, and the maximum delay before later
    /// dials. A `first` below 1 millisecond counts as 1 millisecond, and a `max` below `first` as `first`. The delays
    /// after a refusal are those of [`reconnect_refused`](Self::reconnect_refused).
    ///
    /// The delay doubles with every failure up to `max`, and is shortened by a random part of up to half, so that many
    /// clients do not reconnect at the same time. The delay is reset when a connection has finished its handshake and
    /// lasted longer than the last delay. libzmq has no random part if a maximum is set.
    ///
    /// Default: 100 ms to 5 s. libzmq: `ZMQ_RECONNECT_IVL` and `ZMQ_RECONNECT_IVL_MAX` in milliseconds, default 100 and 0
    /// (the delay does not grow).
    #[doc(alias("ZMQ_RECONNECT_IVL", "RECONNECT_IVL", "ZMQ_RECONNECT_IVL_MAX", "RECONNECT_IVL_MAX"))]
    #[must_use]
    pub fn reconnect(mut self, first: Duration, max: Duration) -> Self {
        self.settings.reconnect = Some(Backoff::new(first, max));
        self
    }

    /// Never dials again after a failure or a lost connection.
    ///
    /// Default: the socket dials again. libzmq: `ZMQ_RECONNECT_IVL` = -1, default 100.
    #[doc(alias("ZMQ_RECONNECT_IVL", "RECONNECT_IVL"))]
    #[must_use]
    pub const fn no_reconnect(mut self) -> Self {
        self.settings.reconnect = None;
        self
    }

    /// Sends a PING to each peer at this interval, and closes a connection when nothing is received from the peer for
    /// the same time after a PING. `None` or zero: off. No PING is sent to a peer of ZMTP 3.0 or older, because these
    /// versions do not have this command. No PING is sent to a DISH either (RFC 48).
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
    ///
    /// An interval below 1 ms counts as 1 ms. A call replaces the timeout and the time to live of
    /// [`heartbeat_with`](Self::heartbeat_with).
    ///
    /// Default: off. libzmq: `ZMQ_HEARTBEAT_IVL` in milliseconds, default 0 (off).
    #[doc(alias("ZMQ_HEARTBEAT_IVL", "HEARTBEAT_IVL"))]
    #[must_use]
    pub fn heartbeat(mut self, interval: impl Into<Option<Duration>>) -> Self {
        let interval = interval.into().filter(|interval| !interval.is_zero());
        let interval = interval.map(|interval| interval.max(SHORTEST_INTERVAL));
        let config = interval.map(|interval| HeartbeatConfig { interval, timeout: interval, ttl: 0 });
        self.settings.connection.heartbeat = config;
        self
    }

    /// Sets the interval of heartbeats as [`heartbeat`](Self::heartbeat) does, with a separate timeout and a time to live.
    /// The PING requests that the *peer* closes the connection when it receives nothing from this socket for `ttl`, which
    /// is rounded down to tenths of a second. Zero: no such request.
    ///
    /// `ttl` should be below 65.6 s if the peer may be libzmq, because libzmq converts the received time to
    /// milliseconds in 16 bits.
    ///
    /// Default: off. libzmq: `ZMQ_HEARTBEAT_IVL`, `ZMQ_HEARTBEAT_TIMEOUT` and `ZMQ_HEARTBEAT_TTL` in milliseconds, default
    /// 0 (off), -1 (the interval) and 0 (none).
    ///
    /// # Errors
    /// [`OptionsError::ZeroDuration`] if the timeout is zero, [`OptionsError::TimeToLive`] if `ttl` is above 6553.5 s.
    #[doc(alias("ZMQ_HEARTBEAT_IVL", "HEARTBEAT_IVL", "ZMQ_HEARTBEAT_TIMEOUT", "HEARTBEAT_TIMEOUT"))]
    #[doc(alias("ZMQ_HEARTBEAT_TTL", "HEARTBEAT_TTL"))]
    pub fn heartbeat_with(
        mut self,
        interval: Duration,
        timeout: Duration,
        ttl: Duration,
    ) -> Result<Self, OptionsError> {
        if timeout.is_zero() {
            return Err(OptionsError::ZeroDuration("heartbeat_with"));
        }
        let ttl = u16::try_from(ttl.as_millis() / 100).map_err(|_| OptionsError::TimeToLive)?;
        let is_on = !interval.is_zero();
        let interval = interval.max(SHORTEST_INTERVAL);
        self.settings.connection.heartbeat = is_on.then_some(HeartbeatConfig { interval, timeout, ttl });
        Ok(self)
    }

    /// Sets the time that one attempt to connect may take. `None`: the limit of the operating system. Does not apply to
    /// `inproc`, where `connect` waits until the endpoint is bound.
    ///
    /// Default: 30 s. libzmq: `ZMQ_CONNECT_TIMEOUT` in milliseconds, default 0 (no limit).
    #[doc(alias = "ZMQ_CONNECT_TIMEOUT")]
    #[must_use]
    pub fn connect_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.settings.connect_timeout = timeout.into();
        self
    }

    /// Sets the time that the greeting and the handshake may take together. `None`: no limit.
    ///
    /// Default: 30 s. libzmq: `ZMQ_HANDSHAKE_IVL` in milliseconds, default 30000.
    #[doc(alias("ZMQ_HANDSHAKE_IVL", "HANDSHAKE_IVL"))]
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.settings.connection.handshake_timeout = timeout.into();
        self
    }

    /// Sets the conditions under which the socket does not dial again: the fields of [`ReconnectStop`] that are true.
    ///
    /// Default: none. libzmq: `ZMQ_RECONNECT_STOP`, default 0 (none).
    #[doc(alias = "ZMQ_RECONNECT_STOP")]
    #[must_use]
    pub const fn reconnect_stop(mut self, stop: ReconnectStop) -> Self {
        self.settings.reconnect_stop = stop;
        self
    }

    /// Sets the delay before the first dial after a refusal, and the maximum delay before later dials. A refusal is a
    /// failure that time cannot cure ([`ConnectionError::is_temporary`](crate::ConnectionError::is_temporary) returns
    /// false): an ERROR command of the peer with a status other than 300 or 500, an incompatible socket type, or another
    /// security mechanism. A `first` below 1 millisecond counts as 1 millisecond, and a `max` below `first` as `first`.
    ///
    /// The delay doubles, is shortened at random, and is reset as that of [`reconnect`](Self::reconnect). The default is
    /// long enough that many refused clients do not burden a server, and short enough that a client connects soon after
    /// its server was corrected. libzmq never dials again after a refusal; to do the same after an ERROR command, set
    /// [`ReconnectStop::error_received`].
    ///
    /// Default: 1 s to 60 s. libzmq: no such option.
    #[must_use]
    pub fn reconnect_refused(mut self, first: Duration, max: Duration) -> Self {
        self.settings.reconnect_refused = Backoff::new(first, max);
        self
    }

    /// Adds a property that is sent to peers in the handshake. Peers find the property in
    /// [`Peer::metadata`](crate::connection::Peer). A second call with the same name replaces the value.
    ///
    /// Default: none. libzmq: `ZMQ_METADATA`, as text `X-name:value`, default none.
    ///
    /// # Errors
    /// [`OptionsError::PropertyName`] unless the name begins with `X-` and has at most 255 bytes, all of them letters,
    /// digits or one of `-_.+` (RFC 37). [`OptionsError::Properties`] for more than 32 properties, or a value of more
    /// than 1024 bytes. Every peer accepts properties within these limits.
    #[doc(alias = "ZMQ_METADATA")]
    pub fn metadata(mut self, name: &str, value: impl Into<Bytes>) -> Result<Self, OptionsError> {
        if !name.starts_with("X-") || name.len() > 255 || !name.bytes().all(is_name_char) {
            return Err(OptionsError::PropertyName(name.to_owned()));
        }
        let value = value.into();
        let properties = &mut self.settings.connection.properties;
        if value.len() > 1024 || (properties.get(name).is_none() && properties.iter().count() == 32) {
            return Err(OptionsError::Properties);
        }
        properties.set(name, value);
        Ok(self)
    }

    /// Accepts peers of ZMTP 2.0 (libzmq 3) and 1.0 (libzmq 2).
    ///
    /// These versions have no security. Such peers are rejected nevertheless if the socket has a security mechanism, an
    /// authenticator or a ZAP domain, requests a resource, is of a draft type, or shares its port with other sockets. A
    /// peer of ZMTP 1.0 does not send its socket type; a compatible type is assumed.
    ///
    /// To detect the version of the peer, both sides send the greeting in steps, as libzmq does (RFC 37, "Backwards
    /// Interoperability"). With `false`, the whole greeting is sent at once, and a connection is ready one round trip
    /// earlier.
    ///
    /// Default: on. libzmq: no such option; it behaves as with on.
    #[must_use]
    pub const fn allow_legacy_zmtp(mut self, accept: bool) -> Self {
        self.settings.connection.allow_legacy_zmtp = accept;
        self
    }

    /// Announces in READY, by the property `Close-Reason`, that this side accepts the command CLOSE. Another socket of this
    /// crate then sends the reason for which it rejects the connection
    /// ([`CloseReason`](crate::connection::CloseReason)). Other implementations ignore the property. Turn it off for a peer that
    /// expects exactly the bytes that libzmq sends.
    ///
    /// Default: on. libzmq: no such option; it behaves as with off.
    #[must_use]
    pub const fn close_reasons(mut self, on: bool) -> Self {
        self.settings.connection.close_reasons = on;
        self
    }
}
