//! [`TransportConfig`]: what a socket asks of the system's own sockets below it, as plain values. Opens and sets nothing.

use crate::endpoint::{Endpoint, Host};
use crate::error::OptionsError;
use crate::kind::Kind;
use crate::options::Options;
use alloc::string::String;
use core::net::{IpAddr, Ipv6Addr};
use core::time::Duration;

/// What a socket asks of the operating system's sockets that carry it. A [`Socket`](crate::Socket) has one from its
/// [`Options`], which describe the fields at length; a runtime applies it. `None` is always what the system does unasked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransportConfig {
    /// Connections that may wait to be accepted; `None`: as many as the system allows.
    pub backlog: Option<u32>,
    /// Whether TCP asks a silent peer for a sign of life.
    pub keepalive: KeepaliveConfig,
    /// How long what TCP has sent may stay unacknowledged.
    pub unacknowledged: Option<Duration>,
    /// Octets of the system's buffer for what is to be sent.
    pub send_buffer: Option<usize>,
    /// Octets of the system's buffer for what has arrived.
    pub recv_buffer: Option<usize>,
    /// The octet in IP's head that says what service the packets want.
    pub type_of_service: Option<u8>,
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
/// use sansmq_proto::{Keepalive, Options, kind::Dealer};
///
/// let second = Duration::from_secs(1);
/// let keepalive = Keepalive::new().idle(60 * second)?.interval(10 * second)?.count(3)?;
/// let options = Options::<Dealer>::new().keepalive(keepalive);
/// # let _ = options;
/// # Ok::<(), sansmq_proto::OptionsError>(())
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

/// `IFNAMSIZ` is 16, and a name ends with a zero.
const LONGEST_DEVICE: usize = 15;

/// The system counts octets, and connections that wait, in an `int`.
const LARGEST: u32 = i32::MAX.unsigned_abs();

impl Keepalive {
    /// All as the system has it.
    pub const fn new() -> Self {
        Self { idle: None, interval: None, count: None }
    }

    /// After so much silence the peer is first asked: `TCP_KEEPALIVE_IDLE`. Whole seconds count, from 1 to 32767.
    ///
    /// # Errors
    /// [`OptionsError::OutOfRange`].
    pub fn idle(mut self, idle: Duration) -> Result<Self, OptionsError> {
        self.idle = Some(seconds("keepalive idle", idle)?);
        Ok(self)
    }

    /// So often it is asked again while it does not answer: `TCP_KEEPALIVE_INTVL`. Whole seconds count, from 1 to 32767.
    ///
    /// # Errors
    /// [`OptionsError::OutOfRange`].
    pub fn interval(mut self, interval: Duration) -> Result<Self, OptionsError> {
        self.interval = Some(seconds("keepalive interval", interval)?);
        Ok(self)
    }

    /// So many questions may go unanswered before the connection ends: `TCP_KEEPALIVE_CNT`. From 1 to 127.
    ///
    /// # Errors
    /// [`OptionsError::OutOfRange`].
    pub fn count(mut self, count: u32) -> Result<Self, OptionsError> {
        if !(1..=MOST_PROBES).contains(&count) {
            return Err(OptionsError::OutOfRange { option: "keepalive count", range: "from 1 to 127" });
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

fn seconds(option: &'static str, time: Duration) -> Result<Duration, OptionsError> {
    if time < Duration::from_secs(1) || time > LONGEST_KEEPALIVE {
        return Err(OptionsError::OutOfRange { option, range: "from 1 to 32767 seconds" });
    }
    Ok(Duration::from_secs(time.as_secs()))
}

impl TransportConfig {
    /// The defaults, which are those of [`Options`].
    pub const fn new() -> Self {
        Self {
            backlog: None,
            keepalive: KeepaliveConfig::System,
            unacknowledged: None,
            send_buffer: None,
            recv_buffer: None,
            type_of_service: None,
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

/// What concerns the operating system's sockets. A system that refuses one of these, or does not know it, makes that bind or
/// dial fail; a runtime that you write yourself has to apply them, as [`Socket::transport`](crate::Socket::transport) says.
impl<T: Kind> Options<T> {
    /// So many connections may wait to be accepted, at each listener: `BACKLOG`. Over tcp and ipc. The system may allow
    /// fewer (on Linux `net.core.somaxconn`).
    ///
    /// Default: as many as the system allows; libzmq's is 100.
    ///
    /// # Errors
    /// [`OptionsError::OutOfRange`] for 0, and above 2³¹ - 1.
    pub fn backlog(mut self, connections: u32) -> Result<Self, OptionsError> {
        self.settings.transport.backlog = Some(within("backlog", connections)?);
        Ok(self)
    }

    /// Has TCP ask silent peers for a sign of life: `TCP_KEEPALIVE` of 1, with `TCP_KEEPALIVE_IDLE`, `TCP_KEEPALIVE_INTVL`
    /// and `TCP_KEEPALIVE_CNT`. `None` of 0: it never does. Over tcp.
    ///
    /// Default: as the system does, which is not to ask. [`heartbeat`](Self::heartbeat) is quicker, and asks the peer's
    /// ZeroMQ and not only its system.
    #[must_use]
    pub fn keepalive(mut self, keepalive: impl Into<Option<Keepalive>>) -> Self {
        self.settings.transport.keepalive = keepalive.into().map_or(KeepaliveConfig::Off, KeepaliveConfig::On);
        self
    }

    /// A connection ends when what was sent stays unacknowledged for so long: `TCP_MAXRT`, which on Linux is
    /// `TCP_USER_TIMEOUT`; most other systems have none. Over tcp. Whole milliseconds count.
    ///
    /// Default: the system's, which on Linux is about a quarter of an hour.
    ///
    /// # Errors
    /// [`OptionsError::OutOfRange`] below a millisecond, and above 2³¹ - 1 of them.
    pub fn unacknowledged_timeout(mut self, timeout: Duration) -> Result<Self, OptionsError> {
        if timeout.as_millis() == 0 || timeout.as_millis() > LARGEST.into() {
            let range = "from 1 to 2147483647 milliseconds";
            return Err(OptionsError::OutOfRange { option: "unacknowledged_timeout", range });
        }
        self.settings.transport.unacknowledged = Some(timeout);
        Ok(self)
    }

    /// Octets of the system's buffer for what a connection sends: `SNDBUF`. Over tcp and ipc. The system may take it for
    /// another number: Linux doubles it, and allows no more than `net.core.wmem_max`.
    ///
    /// Default: the system's, which on most grows as needed, and does not once it is set.
    ///
    /// # Errors
    /// [`OptionsError::OutOfRange`] for 0, and above 2³¹ - 1.
    pub fn send_buffer(mut self, octets: usize) -> Result<Self, OptionsError> {
        self.settings.transport.send_buffer = Some(octets_within("send_buffer", octets)?);
        Ok(self)
    }

    /// Octets of the system's buffer for what a connection receives: `RCVBUF`. As [`send_buffer`](Self::send_buffer), with
    /// `net.core.rmem_max`.
    ///
    /// # Errors
    /// [`OptionsError::OutOfRange`] for 0, and above 2³¹ - 1.
    pub fn recv_buffer(mut self, octets: usize) -> Result<Self, OptionsError> {
        self.settings.transport.recv_buffer = Some(octets_within("recv_buffer", octets)?);
        Ok(self)
    }

    /// The octet in the head of each IP packet that says what service it wants, DSCP in its upper six bits: `TOS`, or IPv6's
    /// traffic class. Over tcp. Default: the system's, 0.
    #[must_use]
    pub const fn type_of_service(mut self, octet: u8) -> Self {
        self.settings.transport.type_of_service = Some(octet);
        self
    }

    /// The priority of packets in this machine's own queues: `PRIORITY`. Over tcp, on Linux; above 6 the process needs the
    /// right to administer the network. Default: the system's, 0.
    #[must_use]
    pub const fn priority(mut self, priority: u32) -> Self {
        self.settings.transport.priority = Some(priority);
        self
    }

    /// Uses this network interface and no other: `BINDTODEVICE`. Over tcp, on Linux. Default: whichever the routes say.
    ///
    /// # Errors
    /// [`OptionsError::OutOfRange`] unless it is a name of 1 to 15 octets without `/` and white space.
    pub fn bind_to_device(mut self, name: impl Into<String>) -> Result<Self, OptionsError> {
        let name = name.into();
        let legible = |octet: u8| octet > b' ' && octet != b'/';
        if name.is_empty() || name.len() > LONGEST_DEVICE || !name.bytes().all(legible) {
            return Err(OptionsError::OutOfRange { option: "bind_to_device", range: "a name of 1 to 15 octets" });
        }
        self.settings.transport.device = Some(name);
        Ok(self)
    }

    /// A listener at `tcp://*` takes IPv6 and IPv4 alike, and so does one at `tcp://[::]` whatever the system is set to; on a
    /// machine without IPv6 both take IPv4 alone: `IPV6` of 1, as far as that concerns listening. The bound address is
    /// then `[::]`.
    ///
    /// Default off: `*` stands for IPv4, as in libzmq. The rest of `IPV6` needs no option: IPv6 addresses can always be bound
    /// and connected to, and a host's IPv6 addresses are tried with its others, of which libzmq takes the first.
    #[must_use]
    pub const fn dual_stack(mut self, dual_stack: bool) -> Self {
        self.settings.transport.dual_stack = dual_stack;
        self
    }
}

fn within(option: &'static str, number: u32) -> Result<u32, OptionsError> {
    let range = "from 1 to 2147483647";
    if (1..=LARGEST).contains(&number) { Ok(number) } else { Err(OptionsError::OutOfRange { option, range }) }
}

fn octets_within(option: &'static str, octets: usize) -> Result<usize, OptionsError> {
    within(option, u32::try_from(octets).unwrap_or(u32::MAX)).map(|_| octets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Dealer;
    use alloc::string::ToString;

    #[test]
    fn values_that_no_system_takes_are_refused_when_set() {
        let dealer = Options::<Dealer>::new;
        let refused = |result: Result<Options<Dealer>, OptionsError>| {
            let Err(OptionsError::OutOfRange { option, .. }) = result else { panic!("it is taken") };
            option
        };
        let too_many = 1 << 31;
        assert_eq!([refused(dealer().backlog(0)), refused(dealer().backlog(too_many))], ["backlog"; 2]);
        for octets in [0, 1 << 31, usize::MAX] {
            assert_eq!(refused(dealer().send_buffer(octets)), "send_buffer");
            assert_eq!(refused(dealer().recv_buffer(octets)), "recv_buffer");
        }
        for time in [Duration::ZERO, Duration::from_micros(999), Duration::from_millis(too_many.into()), Duration::MAX]
        {
            assert_eq!(refused(dealer().unacknowledged_timeout(time)), "unacknowledged_timeout");
        }
        for name in ["", "sixteen-octets-x", "a b", "a/b", "a\0b", "a\n"] {
            assert_eq!(refused(dealer().bind_to_device(name)), "bind_to_device");
        }
        let largest = dealer().send_buffer(too_many as usize - 1).unwrap().backlog(1).unwrap();
        assert!(largest.unacknowledged_timeout(Duration::from_millis(1)).unwrap().bind_to_device("eth0.1").is_ok());
    }

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
    fn keepalive_is_the_systems_until_it_is_on_or_off() {
        let of = |options: Options<Dealer>| options.settings.transport.keepalive;
        let dealer = Options::<Dealer>::new;
        assert_eq!(of(dealer()), KeepaliveConfig::System);
        assert_eq!(of(dealer().keepalive(None)), KeepaliveConfig::Off);
        assert_eq!(of(dealer().keepalive(Keepalive::new())), KeepaliveConfig::On(Keepalive::new()));
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
