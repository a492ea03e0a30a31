//! [`TransportConfig`]: options for sockets of the operating system, as plain values. Opens no socket and sets no option.

use super::endpoint::{Endpoint, Host};
use alloc::string::String;
use core::net::{IpAddr, Ipv6Addr};
use core::time::Duration;
use thiserror::Error;

/// Options for the operating-system sockets that a ZeroMQ socket uses. In each field `None` selects the default of the
/// operating system.
///
/// A [`Socket`](crate::Socket) copies these values from its [`Options`](crate::Options), which describe each option in
/// detail. The runtime applies the values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransportConfig {
    /// Maximum number of established connections that the operating system queues for a listener until they are
    /// accepted. `None`: the maximum that the system allows.
    pub backlog: Option<u32>,
    /// Settings of TCP keepalive (`ZMQ_TCP_KEEPALIVE`), which detects peers that are no longer reachable.
    pub keepalive: KeepaliveConfig,
    /// Maximum time that sent TCP data may stay unacknowledged before the operating system ends the connection. `None`:
    /// the default of the system.
    pub max_retransmit_timeout: Option<Duration>,
    /// Size of the send buffer that the operating system allocates for each connection, in bytes. `None`: the default
    /// of the system.
    pub send_buffer: Option<usize>,
    /// Size of the receive buffer that the operating system allocates for each connection, in bytes. `None`: the
    /// default of the system.
    pub recv_buffer: Option<usize>,
    /// Type-of-service byte in the IP header of sent packets. `None`: the default of the system.
    pub tos: Option<u8>,
    /// Priority of sent packets in the queues of this machine's network interfaces (Linux only). `None`: the default of
    /// the system.
    pub priority: Option<u32>,
    /// Name of the only network interface that TCP connections and listeners use, such as `eth0`. `None`: all
    /// interfaces.
    pub device: Option<String>,
    /// True if a `tcp` listener at `*` or `[::]` accepts both IPv6 and IPv4 connections.
    pub dual_stack: bool,
    /// True if other listeners with this option may bind the TCP port of a listener (`SO_REUSEPORT`). A driver must
    /// reject the bind with [`NetworkError::UnsupportedOption`](super::NetworkError::UnsupportedOption) if it does not
    /// support the option.
    pub reuse_port: bool,
}

/// TCP keepalive (`ZMQ_TCP_KEEPALIVE`): the operating system sends probes to the peer of an idle connection. It ends
/// the connection if the peer does not answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeepaliveConfig {
    /// Leaves TCP keepalive at the operating system's default, usually off. Corresponds to `ZMQ_TCP_KEEPALIVE` = -1.
    #[default]
    System,
    /// Turns TCP keepalive off: the peer receives no probes. Corresponds to `ZMQ_TCP_KEEPALIVE` = 0.
    Off,
    /// Turns TCP keepalive on: the operating system sends probes to the peer of an idle connection. Carries the times
    /// and the number of these probes. Corresponds to `ZMQ_TCP_KEEPALIVE` = 1.
    On(Keepalive),
}

/// Turns TCP keepalive on.
impl From<Keepalive> for KeepaliveConfig {
    fn from(keepalive: Keepalive) -> Self {
        Self::On(keepalive)
    }
}

/// Turns TCP keepalive on, or off with `None`.
impl From<Option<Keepalive>> for KeepaliveConfig {
    fn from(keepalive: Option<Keepalive>) -> Self {
        keepalive.map_or(Self::Off, Self::On)
    }
}

/// Parameters of TCP keepalive. A parameter that is not set has the default of the system: on Linux an idle time of two
/// hours, an interval of 75 seconds, and 9 probes.
///
/// ```
/// use core::time::Duration;
/// use sansmq::{Keepalive, Options, kind::Dealer};
///
/// let second = Duration::from_secs(1);
/// let keepalive = Keepalive::new().idle(60 * second)?.interval(10 * second)?.count(3)?;
/// let options = Options::<Dealer>::new().keepalive(keepalive);
/// # let _ = options;
/// # Ok::<(), sansmq::OutOfRange>(())
/// ```
#[doc(alias("ZMQ_TCP_KEEPALIVE", "TCP_KEEPALIVE"))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keepalive {
    idle: Option<Duration>,
    interval: Option<Duration>,
    count: Option<u32>,
}

/// Maximum time that Linux accepts for `TCP_KEEPIDLE` and `TCP_KEEPINTVL`.
const MAX_TIME: Duration = Duration::from_secs(32_767);

/// Maximum number of probes that Linux accepts for `TCP_KEEPCNT`.
const MAX_PROBES: u32 = 127;

impl Keepalive {
    /// Creates parameters that leave the idle time, the interval and the number of probes at the defaults of the
    /// system.
    pub const fn new() -> Self {
        Self { idle: None, interval: None, count: None }
    }

    /// Sets how long a connection must be idle before the operating system sends the first probe to the peer:
    /// `ZMQ_TCP_KEEPALIVE_IDLE`. From 1 to 32767 seconds; fractions of a second are dropped.
    ///
    /// # Errors
    /// [`OutOfRange`] if `idle` is outside this range.
    #[doc(alias("ZMQ_TCP_KEEPALIVE_IDLE", "TCP_KEEPALIVE_IDLE"))]
    pub fn idle(mut self, idle: Duration) -> Result<Self, OutOfRange> {
        self.idle = Some(seconds("Keepalive::idle", idle)?);
        Ok(self)
    }

    /// Sets the time between two probes that the peer does not answer: `ZMQ_TCP_KEEPALIVE_INTVL`. From 1 to 32767
    /// seconds; fractions of a second are dropped.
    ///
    /// # Errors
    /// [`OutOfRange`] if `interval` is outside this range.
    #[doc(alias("ZMQ_TCP_KEEPALIVE_INTVL", "TCP_KEEPALIVE_INTVL"))]
    pub fn interval(mut self, interval: Duration) -> Result<Self, OutOfRange> {
        self.interval = Some(seconds("Keepalive::interval", interval)?);
        Ok(self)
    }

    /// Sets the number of unanswered probes after which the operating system ends the connection:
    /// `ZMQ_TCP_KEEPALIVE_CNT`. From 1 to 127.
    ///
    /// # Errors
    /// [`OutOfRange`] if `count` is outside this range.
    #[doc(alias("ZMQ_TCP_KEEPALIVE_CNT", "TCP_KEEPALIVE_CNT"))]
    pub fn count(mut self, count: u32) -> Result<Self, OutOfRange> {
        if !(1..=MAX_PROBES).contains(&count) {
            return Err(OutOfRange::new("Keepalive::count", "from 1 to 127"));
        }
        self.count = Some(count);
        Ok(self)
    }

    /// Returns how long a connection must be idle before the first probe, or `None` for the default of the operating
    /// system.
    pub const fn idle_time(&self) -> Option<Duration> {
        self.idle
    }

    /// Returns the time between two probes that the peer does not answer, or `None` for the default of the operating
    /// system.
    pub const fn interval_time(&self) -> Option<Duration> {
        self.interval
    }

    /// Returns the number of unanswered probes after which the operating system ends the connection, or `None` for its
    /// default.
    pub const fn probes(&self) -> Option<u32> {
        self.count
    }
}

fn seconds(option: &'static str, time: Duration) -> Result<Duration, OutOfRange> {
    if time < Duration::from_secs(1) || time > MAX_TIME {
        return Err(OutOfRange::new(option, "from 1 to 32767 seconds"));
    }
    Ok(Duration::from_secs(time.as_secs()))
}

impl TransportConfig {
    /// Creates a configuration with the defaults of [`Options`](crate::Options).
    pub const fn new() -> Self {
        Self {
            backlog: None,
            keepalive: KeepaliveConfig::System,
            max_retransmit_timeout: None,
            send_buffer: None,
            recv_buffer: None,
            tos: None,
            priority: None,
            device: None,
            dual_stack: false,
            reuse_port: false,
        }
    }

    /// Returns the endpoint at which to listen when the socket binds to `requested`. If `dual_stack` is set, replaces
    /// the host `*` by `[::]`. Otherwise returns `requested` unchanged.
    pub(crate) fn place(&self, requested: &Endpoint) -> Endpoint {
        let mut endpoint = requested.clone();
        if self.dual_stack
            && let Endpoint::Tcp { host: host @ Host::Any, .. } = &mut endpoint
        {
            *host = Host::Ip(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        }
        endpoint
    }
}

/// Error of an option with a value outside the range that operating systems accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("`{option}` must be {range}")]
#[non_exhaustive]
pub struct OutOfRange {
    /// Name of the option that has the invalid value.
    pub option: &'static str,
    /// Description of the values that the option accepts, such as `from 1 to 127`.
    pub range: &'static str,
}

impl OutOfRange {
    pub(crate) const fn new(option: &'static str, range: &'static str) -> Self {
        Self { option, range }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn keepalive_accepts_the_range_of_linux_in_whole_seconds() {
        for time in [Duration::ZERO, Duration::from_millis(999), Duration::from_secs(32_768)] {
            assert!(Keepalive::new().idle(time).is_err() && Keepalive::new().interval(time).is_err(), "{time:?}");
        }
        assert!(Keepalive::new().count(0).is_err() && Keepalive::new().count(128).is_err());
        let keepalive = Keepalive::new().idle(Duration::from_millis(1500)).unwrap().count(127).unwrap();
        assert_eq!(keepalive.idle_time(), Some(Duration::from_secs(1)));
        assert_eq!((keepalive.interval_time(), keepalive.probes()), (None, Some(127)));
    }

    #[test]
    fn dual_stack_replaces_only_the_wildcard_host() {
        let listen_on = |config: &TransportConfig, text: &str| config.place(&text.parse().unwrap()).to_string();
        let mut config = TransportConfig::new();
        assert_eq!(listen_on(&config, "tcp://*:80"), "tcp://*:80");
        config.dual_stack = true;
        assert_eq!(listen_on(&config, "tcp://*:80"), "tcp://[::]:80");
        for text in ["tcp://0.0.0.0:80", "tcp://[::1]:80", "ipc://*", "inproc://*"] {
            assert_eq!(listen_on(&config, text), text);
        }
    }
}
