//! Options of the operating system's sockets.

use super::Options;
use crate::address::{Keepalive, KeepaliveConfig, OutOfRange};
use crate::kind::Kind;
use crate::socket::error::OptionsError;
use alloc::string::String;
use core::time::Duration;

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
    pub fn tcp_max_retransmit_timeout(mut self, timeout: Duration) -> Result<Self, OptionsError> {
        if timeout.as_millis() == 0 || timeout.as_millis() > LARGEST.into() {
            let range = "from 1 to 2147483647 milliseconds";
            return Err(OutOfRange::new("unacknowledged_timeout", range).into());
        }
        self.settings.transport.max_retransmit_timeout = Some(timeout);
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
    pub const fn tos(mut self, octet: u8) -> Self {
        self.settings.transport.tos = Some(octet);
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
            return Err(OutOfRange::new("bind_to_device", "a name of 1 to 15 octets").into());
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
    if (1..=LARGEST).contains(&number) { Ok(number) } else { Err(OutOfRange::new(option, range).into()) }
}

fn octets_within(option: &'static str, octets: usize) -> Result<usize, OptionsError> {
    within(option, u32::try_from(octets).unwrap_or(u32::MAX)).map(|_| octets)
}

/// `IFNAMSIZ` is 16, and a name ends with a zero.
const LONGEST_DEVICE: usize = 15;

/// The system counts octets, and connections that wait, in an `int`.
const LARGEST: u32 = i32::MAX.unsigned_abs();

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Dealer;

    #[test]
    fn values_that_no_system_takes_are_refused_when_set() {
        let dealer = Options::<Dealer>::new;
        let refused = |result: Result<Options<Dealer>, OptionsError>| {
            let Err(OptionsError::OutOfRange(OutOfRange { option, .. })) = result else { panic!("it is taken") };
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
            assert_eq!(refused(dealer().tcp_max_retransmit_timeout(time)), "unacknowledged_timeout");
        }
        for name in ["", "sixteen-octets-x", "a b", "a/b", "a\0b", "a\n"] {
            assert_eq!(refused(dealer().bind_to_device(name)), "bind_to_device");
        }
        let largest = dealer().send_buffer(too_many as usize - 1).unwrap().backlog(1).unwrap();
        assert!(largest.tcp_max_retransmit_timeout(Duration::from_millis(1)).unwrap().bind_to_device("eth0.1").is_ok());
    }

    #[test]
    fn keepalive_is_the_systems_until_it_is_on_or_off() {
        let of = |options: Options<Dealer>| options.settings.transport.keepalive;
        let dealer = Options::<Dealer>::new;
        assert_eq!(of(dealer()), KeepaliveConfig::System);
        assert_eq!(of(dealer().keepalive(None)), KeepaliveConfig::Off);
        assert_eq!(of(dealer().keepalive(Keepalive::new())), KeepaliveConfig::On(Keepalive::new()));
    }
}
