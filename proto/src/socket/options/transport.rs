//! Options of the operating system's sockets.

use super::Options;
use crate::address::{Keepalive, KeepaliveConfig, OutOfRange};
use crate::kind::Kind;
use crate::socket::error::OptionsError;
use alloc::string::String;
use core::time::Duration;

/// Options of the operating system's sockets. If the operating system rejects or does not know an option, the bind or
/// dial fails. A custom driver must apply these options, see [`Socket::transport`](crate::Socket::transport).
impl<T: Kind> Options<T> {
    /// Sets the maximum number of connections that wait to be accepted, per listener: `BACKLOG`. Applies to tcp and
    /// ipc. The operating system may allow fewer (on Linux `net.core.somaxconn`).
    ///
    /// Default: the maximum of the operating system; 100 in libzmq.
    ///
    /// # Errors
    /// [`OptionsError::OutOfRange`] for 0, and above 2³¹ - 1.
    pub fn backlog(mut self, connections: u32) -> Result<Self, OptionsError> {
        self.settings.transport.backlog = Some(within("backlog", connections)?);
        Ok(self)
    }

    /// Turns TCP keep-alive on and sets its parameters. Corresponds to `ZMQ_TCP_KEEPALIVE` = 1 with
    /// `ZMQ_TCP_KEEPALIVE_IDLE`, `ZMQ_TCP_KEEPALIVE_INTVL` and `ZMQ_TCP_KEEPALIVE_CNT`. `None` turns keep-alive off
    /// (`ZMQ_TCP_KEEPALIVE` = 0). Applies to tcp.
    ///
    /// Default: that of the operating system, usually off. [`heartbeat`](Self::heartbeat) detects a lost peer sooner,
    /// and also detects a peer process that does not respond although its operating system does.
    #[must_use]
    pub fn keepalive(mut self, keepalive: impl Into<Option<Keepalive>>) -> Self {
        self.settings.transport.keepalive = keepalive.into().map_or(KeepaliveConfig::Off, KeepaliveConfig::On);
        self
    }

    /// Ends a connection when the peer does not acknowledge sent data for this time: `TCP_MAXRT`, on Linux
    /// `TCP_USER_TIMEOUT`. Most other systems have no such option. Applies to tcp. The time is rounded down to
    /// milliseconds.
    ///
    /// Default: that of the operating system, on Linux about 15 minutes.
    ///
    /// # Errors
    /// [`OptionsError::OutOfRange`] below 1 millisecond, and above 2³¹ - 1 milliseconds.
    pub fn tcp_max_retransmit_timeout(mut self, timeout: Duration) -> Result<Self, OptionsError> {
        if timeout.as_millis() == 0 || timeout.as_millis() > LARGEST.into() {
            let range = "from 1 to 2147483647 milliseconds";
            return Err(OutOfRange::new("tcp_max_retransmit_timeout", range).into());
        }
        self.settings.transport.max_retransmit_timeout = Some(timeout);
        Ok(self)
    }

    /// Sets the size in bytes of the operating system's send buffer of a connection: `SNDBUF`. Applies to tcp and ipc.
    /// The operating system may use another size: Linux doubles it, and limits it to `net.core.wmem_max`.
    ///
    /// Default: that of the operating system. On most systems, a buffer of the default size grows as needed, and a
    /// buffer of a size that was set does not.
    ///
    /// # Errors
    /// [`OptionsError::OutOfRange`] for 0, and above 2³¹ - 1.
    pub fn send_buffer(mut self, bytes: usize) -> Result<Self, OptionsError> {
        self.settings.transport.send_buffer = Some(bytes_within("send_buffer", bytes)?);
        Ok(self)
    }

    /// Sets the size in bytes of the operating system's receive buffer of a connection: `RCVBUF`. Applies to tcp and
    /// ipc. Linux doubles the size, and limits it to `net.core.rmem_max`. Default: that of the operating system, as for
    /// [`send_buffer`](Self::send_buffer).
    ///
    /// # Errors
    /// [`OptionsError::OutOfRange`] for 0, and above 2³¹ - 1.
    pub fn recv_buffer(mut self, bytes: usize) -> Result<Self, OptionsError> {
        self.settings.transport.recv_buffer = Some(bytes_within("recv_buffer", bytes)?);
        Ok(self)
    }

    /// Sets the type of service of IP packets: `TOS`, or the traffic class of IPv6. The upper six bits are the DSCP.
    /// Applies to tcp. Default: that of the operating system, 0.
    #[must_use]
    pub const fn tos(mut self, byte: u8) -> Self {
        self.settings.transport.tos = Some(byte);
        self
    }

    /// Sets the priority of packets in the queues of this machine: `PRIORITY`. Applies to tcp on Linux; a value above 6
    /// requires `CAP_NET_ADMIN`. Default: that of the operating system, 0.
    #[must_use]
    pub const fn priority(mut self, priority: u32) -> Self {
        self.settings.transport.priority = Some(priority);
        self
    }

    /// Uses only the network interface with this name: `BINDTODEVICE`. Applies to tcp on Linux. Default: the interface
    /// that the routing table of the operating system selects.
    ///
    /// # Errors
    /// [`OptionsError::OutOfRange`] unless the name has 1 to 15 bytes, without `/` and white space.
    pub fn bind_to_device(mut self, name: impl Into<String>) -> Result<Self, OptionsError> {
        let name = name.into();
        let is_allowed = |byte: u8| byte > b' ' && byte != b'/';
        if name.is_empty() || name.len() > LONGEST_DEVICE || !name.bytes().all(is_allowed) {
            return Err(OutOfRange::new("bind_to_device", "a name of 1 to 15 bytes").into());
        }
        self.settings.transport.device = Some(name);
        Ok(self)
    }

    /// Makes listeners at `tcp://*` and `tcp://[::]` accept both IPv6 and IPv4 connections. This corresponds to
    /// `ZMQ_IPV6` = 1. The bound endpoint of `tcp://*` then has the address `[::]` instead of `0.0.0.0`. On a machine
    /// without IPv6, these listeners accept only IPv4.
    ///
    /// Off by default, as in libzmq: `tcp://*` accepts only IPv4, and the operating system decides whether `tcp://[::]`
    /// also accepts IPv4. The option does not affect `connect` and other addresses: IPv6 addresses can always be bound
    /// and connected to, and `connect` tries all addresses of a host name. libzmq tries only the first address.
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

fn bytes_within(option: &'static str, bytes: usize) -> Result<usize, OptionsError> {
    within(option, u32::try_from(bytes).unwrap_or(u32::MAX)).map(|_| bytes)
}

// `IFNAMSIZ` is 16, including the terminating zero.
const LONGEST_DEVICE: usize = 15;

// Operating systems store sizes in bytes and the backlog in a C `int`.
const LARGEST: u32 = i32::MAX.unsigned_abs();

#[cfg(test)]
mod tests {
    use super::*;
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
