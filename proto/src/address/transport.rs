//! [`TransportConfig`]: what a socket asks of the system's own sockets below it, as plain values. Opens and sets nothing.

use super::endpoint::{Endpoint, Host};
use alloc::string::String;
use core::net::{IpAddr, Ipv6Addr};
use core::time::Duration;
use thiserror::Error;

/// What a socket asks of the operating system's sockets that carry it. A [`Socket`](crate::Socket) has one from its
/// [`Options`](crate::Options), which describe the fields at length; a runtime applies it. `None` is always what the system does unasked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransportConfig {
    /// Connections that may wait to be accepted; `None`: as many as the system allows.
    pub backlog: Option<u32>,
    /// Whether TCP asks a silent peer for a sign of life.
    pub keepalive: KeepaliveConfig,
    /// How long what TCP has sent may stay unacknowledged.
    pub max_retransmit_timeout: Option<Duration>,
    /// Octets of the system's buffer for what is to be sent.
    pub send_buffer: Option<usize>,
    /// Octets of the system's buffer for what has arrived.
    pub recv_buffer: Option<usize>,
    /// The octet in IP's head that says what service the packets want.
    pub tos: Option<u8>,
    /// The priority of packets in this machine's queues.
    pub priority: Option<u32>,
    /// The only network interface to be used.
    pub device: Option<String>,
    /// Whether a `tcp` listener at `*` or `[::]` takes IPv6 and IPv4 alike.
    pub dual_stack: bool,
}

/// Whether TCP asks a silent peer for a sign of life (`TCP_KEEPALIVE`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeepaliveConfig {
    /// As the system does unasked (`-1`).
    #[default]
    System,
    /// Never (`0`).
    Off,
    /// Like this (`1`).
    On(Keepalive),
}

/// How TCP asks a silent peer for a sign of life. What is not set is the system's: on Linux two hours, 75 seconds and 9.
///
/// ```
/// use core::time::Duration;
/// use sansmq_proto::address::Keepalive;
/// use sansmq_proto::Options;
/// use sansmq_proto::kind::Dealer;
///
/// let second = Duration::from_secs(1);
/// let keepalive = Keepalive::new().idle(60 * second)?.interval(10 * second)?.count(3)?;
/// let options = Options::<Dealer>::new().keepalive(keepalive);
/// # let _ = options;
/// # Ok::<(), sansmq_proto::address::OutOfRange>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keepalive {
    idle: Option<Duration>,
    interval: Option<Duration>,
    count: Option<u32>,
}

/// Linux takes no longer times for `TCP_KEEPIDLE` and `TCP_KEEPINTVL`.
const LONGEST_KEEPALIVE: Duration = Duration::from_secs(32_767);

/// Nor more probes for `TCP_KEEPCNT`.
const MOST_PROBES: u32 = 127;

impl Keepalive {
    /// All as the system has it.
    pub const fn new() -> Self {
        Self { idle: None, interval: None, count: None }
    }

    /// After so much silence the peer is first asked: `TCP_KEEPALIVE_IDLE`. Whole seconds count, from 1 to 32767.
    ///
    /// # Errors
    /// [`OutOfRange`].
    pub fn idle(mut self, idle: Duration) -> Result<Self, OutOfRange> {
        self.idle = Some(seconds("keepalive idle", idle)?);
        Ok(self)
    }

    /// So often it is asked again while it does not answer: `TCP_KEEPALIVE_INTVL`. Whole seconds count, from 1 to 32767.
    ///
    /// # Errors
    /// [`OutOfRange`].
    pub fn interval(mut self, interval: Duration) -> Result<Self, OutOfRange> {
        self.interval = Some(seconds("keepalive interval", interval)?);
        Ok(self)
    }

    /// So many questions may go unanswered before the connection ends: `TCP_KEEPALIVE_CNT`. From 1 to 127.
    ///
    /// # Errors
    /// [`OutOfRange`].
    pub fn count(mut self, count: u32) -> Result<Self, OutOfRange> {
        if !(1..=MOST_PROBES).contains(&count) {
            return Err(OutOfRange::new("keepalive count", "from 1 to 127"));
        }
        self.count = Some(count);
        Ok(self)
    }

    /// What [`idle`](Self::idle) set.
    pub const fn idle_time(&self) -> Option<Duration> {
        self.idle
    }

    /// What [`interval`](Self::interval) set.
    pub const fn interval_time(&self) -> Option<Duration> {
        self.interval
    }

    /// What [`count`](Self::count) set.
    pub const fn probes(&self) -> Option<u32> {
        self.count
    }
}

fn seconds(option: &'static str, time: Duration) -> Result<Duration, OutOfRange> {
    if time < Duration::from_secs(1) || time > LONGEST_KEEPALIVE {
        return Err(OutOfRange::new(option, "from 1 to 32767 seconds"));
    }
    Ok(Duration::from_secs(time.as_secs()))
}

impl TransportConfig {
    /// The defaults, which are those of [`Options`](crate::Options).
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
        }
    }

    /// Where to listen if this was asked for: `*` is `[::]` if IPv6 and IPv4 are to be taken alike.
    pub(crate) fn place(&self, asked: &Endpoint) -> Endpoint {
        let mut place = asked.clone();
        if self.dual_stack
            && let Endpoint::Tcp { host: host @ Host::Any, .. } = &mut place
        {
            *host = Host::Ip(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        }
        place
    }
}

/// A value that no operating system accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("`{option}` must be {range}")]
#[non_exhaustive]
pub struct OutOfRange {
    /// Name of the option.
    pub option: &'static str,
    /// Values that the option accepts.
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
    fn keepalive_counts_whole_seconds_that_linux_takes() {
        for time in [Duration::ZERO, Duration::from_millis(999), Duration::from_secs(32_768)] {
            assert!(Keepalive::new().idle(time).is_err() && Keepalive::new().interval(time).is_err(), "{time:?}");
        }
        assert!(Keepalive::new().count(0).is_err() && Keepalive::new().count(128).is_err());
        let keepalive = Keepalive::new().idle(Duration::from_millis(1500)).unwrap().count(127).unwrap();
        assert_eq!(keepalive.idle_time(), Some(Duration::from_secs(1)));
        assert_eq!((keepalive.interval_time(), keepalive.probes()), (None, Some(127)));
    }

    #[test]
    fn only_the_wildcard_changes_its_place_and_only_when_asked() {
        let of = |config: &TransportConfig, text: &str| config.place(&text.parse().unwrap()).to_string();
        let mut config = TransportConfig::new();
        assert_eq!(of(&config, "tcp://*:80"), "tcp://*:80");
        config.dual_stack = true;
        assert_eq!(of(&config, "tcp://*:80"), "tcp://[::]:80");
        for text in ["tcp://0.0.0.0:80", "tcp://[::1]:80", "ipc://*", "inproc://*"] {
            assert_eq!(of(&config, text), text);
        }
    }
}
