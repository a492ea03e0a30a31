//! Options of the operating system's sockets.

use super::Options;
use crate::address::{KeepaliveConfig, OutOfRange};
use crate::kind::Kind;
use crate::socket::error::OptionsError;
use alloc::string::String;
use core::time::Duration;

/// # Operating system
///
/// If the operating system does not have an option, the bind or dial fails with
/// [`UnsupportedOption`](crate::NetworkError::UnsupportedOption), which names the option and the system; if it rejects the value,
/// with [`OptionRejected`](crate::NetworkError::OptionRejected). A custom driver must apply these options, see [`Socket::transport`](crate::Socket::transport).
impl<T: Kind> Options<T> {
    /// Makes listeners at `tcp://*` and `tcp://[::]` accept both IPv6 and IPv4 connections. The bound endpoint of
    /// `tcp://*` then has the address `[::]` instead of `0.0.0.0`. On a machine without IPv6, these listeners accept only
    /// IPv4.
    ///
    /// If off, `tcp://*` accepts only IPv4, and the operating system decides whether `tcp://[::]` also accepts IPv4. The
    /// option does not affect `connect` and other addresses: IPv6 addresses can always be bound and connected to, and
    /// `connect` tries all addresses of a host name. libzmq tries only the first address.
    ///
    /// Default: off. libzmq: `ZMQ_IPV6`, and its inverse `ZMQ_IPV4ONLY`, default off.
    #[doc(alias("ZMQ_IPV6", "IPV6", "ZMQ_IPV4ONLY", "IPV4ONLY"))]
    #[must_use]
    pub const fn dual_stack(mut self, dual_stack: bool) -> Self {
        self.settings.transport.dual_stack = dual_stack;
        self
    }

    /// Lets several sockets listen at the same TCP port, each with a listener of its own (`SO_REUSEPORT`): sockets on
    /// several event loops, or in several processes. The operating system selects the listener of each new connection.
    /// So a server can use more than one thread, with one socket per thread.
    ///
    /// Each socket at the port must set this option, the first one too, and on most systems the processes must belong to the
    /// same user. Otherwise `bind` fails with [`AddressInUse`](crate::NetworkError::AddressInUse). The sockets should have the
    /// same type and the same options, because a peer cannot select one of them. Applies to listeners of tcp.
    ///
    /// - Linux, Android, FreeBSD and DragonFly BSD distribute new connections over the listeners by a hash of the
    ///   addresses, so the numbers of peers are only about equal. The other BSDs and the systems of Apple accept the option,
    ///   but may give all connections to one of the listeners.
    /// - On other systems, `bind` fails with [`UnsupportedOption`](crate::NetworkError::UnsupportedOption).
    /// - When a listener closes, connections that the socket has not accepted yet are reset. Their peers have sent no
    ///   message, and connect again.
    /// - Any process of the same user can bind the port and receive a part of the connections.
    /// - Sockets of one context with different [resources](crate::address::Resource) share a listener as without the
    ///   option. If a socket at the port has the same resource, or both have none, the next socket opens another listener
    ///   instead of a failure with `AddressInUse`. A peer is assigned only to a socket of the listener that has accepted it,
    ///   so each listener needs a socket for each resource.
    ///
    /// Default: off. libzmq: no such option.
    #[must_use]
    pub const fn reuse_port(mut self, reuse_port: bool) -> Self {
        self.settings.transport.reuse_port = reuse_port;
        self
    }

    /// Turns TCP keep-alive on and sets its parameters. `None` turns keep-alive off, and
    /// [`KeepaliveConfig::System`] leaves it to the operating system. Applies to tcp.
    ///
    /// [`heartbeat`](Self::heartbeat) detects a lost peer sooner, and also detects a peer process that does not respond
    /// although its operating system does.
    ///
    /// Default: the system's, usually off. libzmq: `ZMQ_TCP_KEEPALIVE` with `ZMQ_TCP_KEEPALIVE_IDLE` and
    /// `ZMQ_TCP_KEEPALIVE_INTVL` in seconds and `ZMQ_TCP_KEEPALIVE_CNT`, default -1 each (the system's).
    #[doc(alias("ZMQ_TCP_KEEPALIVE", "TCP_KEEPALIVE", "ZMQ_TCP_KEEPALIVE_IDLE", "TCP_KEEPALIVE_IDLE"))]
    #[doc(alias("ZMQ_TCP_KEEPALIVE_INTVL", "TCP_KEEPALIVE_INTVL", "ZMQ_TCP_KEEPALIVE_CNT", "TCP_KEEPALIVE_CNT"))]
    #[must_use]
    pub fn keepalive(mut self, keepalive: impl Into<KeepaliveConfig>) -> Self {
        self.settings.transport.keepalive = keepalive.into();
        self
    }

    /// Sets the size in bytes of the operating system's send buffer of a connection. Applies to tcp and ipc. The
    /// operating system may use another size: Linux doubles it, and limits it to `net.core.wmem_max`. On most systems, a
    /// buffer of the default size grows as needed, and a buffer of a size that was set does not.
    ///
    /// `None`: the system's.
    ///
    /// Default: the system's. libzmq: `ZMQ_SNDBUF` in bytes, default -1 (the system's).
    ///
    /// # Errors
    /// [`OptionsError::OutOfRange`] for 0, and above 2³¹ - 1.
    #[doc(alias("ZMQ_SNDBUF", "SNDBUF"))]
    pub fn send_buffer(mut self, bytes: impl Into<Option<usize>>) -> Result<Self, OptionsError> {
        self.settings.transport.send_buffer = bytes_within("send_buffer", bytes.into())?;
        Ok(self)
    }

    /// Sets the size in bytes of the operating system's receive buffer of a connection. Applies to tcp and ipc. Linux
    /// doubles the size, and limits it to `net.core.rmem_max`. A buffer of a size that was set does not grow, as with
    /// [`send_buffer`](Self::send_buffer).
    ///
    /// `None`: the system's.
    ///
    /// Default: the system's. libzmq: `ZMQ_RCVBUF` in bytes, default -1 (the system's).
    ///
    /// # Errors
    /// [`OptionsError::OutOfRange`] for 0, and above 2³¹ - 1.
    #[doc(alias("ZMQ_RCVBUF", "RCVBUF"))]
    pub fn recv_buffer(mut self, bytes: impl Into<Option<usize>>) -> Result<Self, OptionsError> {
        self.settings.transport.recv_buffer = bytes_within("recv_buffer", bytes.into())?;
        Ok(self)
    }

    /// Sets the maximum number of connections that wait to be accepted, per listener. Applies to tcp and ipc. The
    /// operating system may allow fewer (on Linux `net.core.somaxconn`).
    ///
    /// Default: the system's maximum. libzmq: `ZMQ_BACKLOG` in connections, default 100.
    ///
    /// # Errors
    /// [`OptionsError::OutOfRange`] for 0, and above 2³¹ - 1.
    #[doc(alias = "ZMQ_BACKLOG")]
    pub fn backlog(mut self, connections: u32) -> Result<Self, OptionsError> {
        self.settings.transport.backlog = Some(within("backlog", connections)?);
        Ok(self)
    }

    /// Ends a connection when the peer does not acknowledge sent data for this time: `TCP_USER_TIMEOUT` on Linux. Most
    /// other systems have no such option. Applies to tcp. The time is rounded down to milliseconds. `None`: the system's.
    ///
    /// Default: the system's, on Linux about 15 minutes. libzmq: `ZMQ_TCP_MAXRT` in milliseconds, default
    /// 0 (the system's).
    ///
    /// # Errors
    /// [`OptionsError::OutOfRange`] below 1 millisecond, and above 2³¹ - 1 milliseconds.
    #[doc(alias("ZMQ_TCP_MAXRT", "TCP_MAXRT"))]
    pub fn tcp_max_retransmit_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Result<Self, OptionsError> {
        let timeout = timeout.into();
        if timeout.is_some_and(|time| time.as_millis() == 0 || time.as_millis() > LARGEST.into()) {
            let range = "from 1 to 2147483647 milliseconds";
            return Err(OutOfRange::new("tcp_max_retransmit_timeout", range).into());
        }
        self.settings.transport.max_retransmit_timeout = timeout;
        Ok(self)
    }

    /// Sets the type of service of IP packets, or the traffic class of IPv6. The upper six bits are the DSCP. Applies to
    /// tcp, but not on Windows, which accepts the value and sends packets without it; there, the bind or dial fails.
    ///
    /// Default: the system's, 0. libzmq: `ZMQ_TOS`, default 0.
    #[doc(alias = "ZMQ_TOS")]
    #[must_use]
    pub const fn tos(mut self, byte: u8) -> Self {
        self.settings.transport.tos = Some(byte);
        self
    }

    /// Sets the priority of packets in the queues of this machine. Applies to tcp on Linux; a value above 6 requires
    /// `CAP_NET_ADMIN`.
    ///
    /// Default: the system's, 0. libzmq: `ZMQ_PRIORITY`, default 0.
    #[doc(alias = "ZMQ_PRIORITY")]
    #[must_use]
    pub const fn priority(mut self, priority: u32) -> Self {
        self.settings.transport.priority = Some(priority);
        self
    }

    /// Uses only the network interface with this name: 1 to 15 bytes. Applies to tcp on Linux. Without this option, the
    /// routing table of the operating system selects the interface.
    ///
    /// Default: none. libzmq: `ZMQ_BINDTODEVICE`, default none.
    ///
    /// # Errors
    /// [`OptionsError::OutOfRange`] unless the name has 1 to 15 bytes, without `/` and white space.
    #[doc(alias("ZMQ_BINDTODEVICE", "BINDTODEVICE"))]
    pub fn bind_to_device(mut self, name: impl Into<String>) -> Result<Self, OptionsError> {
        let name = name.into();
        let is_allowed = |byte: u8| byte > b' ' && byte != b'/';
        if name.is_empty() || name.len() > LONGEST_DEVICE || !name.bytes().all(is_allowed) {
            return Err(OutOfRange::new("bind_to_device", "a name of 1 to 15 bytes").into());
        }
        self.settings.transport.device = Some(name);
        Ok(self)
    }
}

fn within(option: &'static str, number: u32) -> Result<u32, OptionsError> {
    let range = "from 1 to 2147483647";
    if (1..=LARGEST).contains(&number) { Ok(number) } else { Err(OutOfRange::new(option, range).into()) }
}

fn bytes_within(option: &'static str, bytes: Option<usize>) -> Result<Option<usize>, OptionsError> {
    if let Some(bytes) = bytes {
        within(option, u32::try_from(bytes).unwrap_or(u32::MAX))?;
    }
    Ok(bytes)
}

// `IFNAMSIZ` is 16, including the terminating zero.
const LONGEST_DEVICE: usize = 15;

// Operating systems store sizes in bytes and the backlog in a C `int`.
const LARGEST: u32 = i32::MAX.unsigned_abs();

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::Keepalive;
    use crate::kind::Dealer;

    #[test]
    fn transport_options_reject_values_out_of_range() {
        let dealer = Options::<Dealer>::new;
        let rejected = |result: Result<Options<Dealer>, OptionsError>| {
            let Err(OptionsError::OutOfRange(OutOfRange { option, .. })) = result else { panic!("accepted") };
            option
        };
        let too_many = 1 << 31;
        assert_eq!([rejected(dealer().backlog(0)), rejected(dealer().backlog(too_many))], ["backlog"; 2]);
        for bytes in [0, 1 << 31, usize::MAX] {
            assert_eq!(rejected(dealer().send_buffer(bytes)), "send_buffer");
            assert_eq!(rejected(dealer().recv_buffer(bytes)), "recv_buffer");
        }
        for time in [Duration::ZERO, Duration::from_micros(999), Duration::from_millis(too_many.into()), Duration::MAX]
        {
            assert_eq!(rejected(dealer().tcp_max_retransmit_timeout(time)), "tcp_max_retransmit_timeout");
        }
        for name in ["", "sixteen-bytes-xx", "a b", "a/b", "a\0b", "a\n"] {
            assert_eq!(rejected(dealer().bind_to_device(name)), "bind_to_device");
        }
        let largest = dealer().send_buffer(too_many as usize - 1).unwrap().backlog(1).unwrap();
        assert!(largest.tcp_max_retransmit_timeout(Duration::from_millis(1)).unwrap().bind_to_device("eth0.1").is_ok());
    }

    #[test]
    fn keepalive_default_is_that_of_the_system() {
        let of = |options: Options<Dealer>| options.settings.transport.keepalive;
        let dealer = Options::<Dealer>::new;
        assert_eq!(of(dealer()), KeepaliveConfig::System);
        assert_eq!(of(dealer().keepalive(None)), KeepaliveConfig::Off);
        assert_eq!(of(dealer().keepalive(Keepalive::new())), KeepaliveConfig::On(Keepalive::new()));
    }
}
