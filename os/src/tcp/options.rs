//! TCP socket options that only some operating systems have. On the other systems, setting such an option returns an
//! error.

use super::option_result;
use cfg_if::cfg_if;
use sansmq_proto::NetworkError;
use sansmq_proto::address::{Keepalive, TransportOption};
use socket2::{Socket, TcpKeepalive};
use std::io;
#[allow(unused_imports, reason = "not used on systems that have all options")]
use std::io::ErrorKind::Unsupported;
use std::time::Duration;

pub(super) fn keepalive(socket: &Socket, keepalive: &Keepalive) -> Result<(), NetworkError> {
    if *keepalive == Keepalive::new() {
        return option_result(TransportOption::Keepalive, socket.set_keepalive(true));
    }
    let mut config = system_keepalive();
    if let Some(idle) = keepalive.idle_time() {
        config = with_idle(config, idle).ok_or(NetworkError::UnsupportedOption(TransportOption::KeepaliveIdle))?;
    }
    if let Some(interval) = keepalive.interval_time() {
        let unsupported = NetworkError::UnsupportedOption(TransportOption::KeepaliveInterval);
        config = with_interval(config, interval).ok_or(unsupported)?;
    }
    if let Some(count) = keepalive.probes() {
        config = with_count(config, count).ok_or(NetworkError::UnsupportedOption(TransportOption::KeepaliveCount))?;
    }
    // Old versions of Windows have no count.
    let option =
        if keepalive.probes().is_some() { TransportOption::KeepaliveCount } else { TransportOption::Keepalive };
    option_result(option, socket.set_tcp_keepalive(&config))
}

/// Returns the parameters of the operating system. Windows sets both times together, so a time that is not set must have the
/// default of Windows instead of zero.
const fn system_keepalive() -> TcpKeepalive {
    let config = TcpKeepalive::new();
    #[cfg(windows)]
    let config = config.with_time(Duration::from_secs(2 * 60 * 60)).with_interval(Duration::from_secs(1));
    config
}

/// Sets the type of service of sent IPv4 packets. For an IPv6 socket of the operating system, also sets the traffic
/// class of sent IPv6 packets.
// A dual-stack IPv6 socket needs both, because its IPv4 packets use the former.
pub(super) fn tos(socket: &Socket, value: u8) -> Result<(), NetworkError> {
    let is_ipv6 = socket.local_addr().is_ok_and(|address| address.is_ipv6());
    let ipv4_result = option_result(TransportOption::Tos, set_tos(socket, value));
    if is_ipv6 { option_result(TransportOption::TrafficClass, set_traffic_class(socket, value)) } else { ipv4_result }
}

/// Maximum number of bytes that the operating system holds and has not sent yet.
// Enough to keep a fast link busy until the process is scheduled again. On a slow link, all that is held delays a PING.
#[cfg(any(target_os = "linux", target_os = "android"))]
const MAX_UNSENT: u32 = 128 << 10;

// Each option has one function for systems that have it, and one for systems that do not.
cfg_if! {
    // Windows accepts the value, and sends packets without it.
    if #[cfg(any(windows, target_os = "solaris", target_os = "haiku"))] {
        fn set_tos(_: &Socket, _: u8) -> io::Result<()> {
            Err(Unsupported.into())
        }
    } else {
        fn set_tos(socket: &Socket, value: u8) -> io::Result<()> {
            socket.set_tos_v4(value.into())
        }
    }
}

cfg_if! {
    if #[cfg(any(
        target_os = "linux",
        target_os = "android",
        target_os = "macos",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "dragonfly",
        target_os = "illumos",
    ))] {
        fn set_traffic_class(socket: &Socket, value: u8) -> io::Result<()> {
            socket.set_tclass_v6(value.into())
        }
    } else {
        fn set_traffic_class(_: &Socket, _: u8) -> io::Result<()> {
            Err(Unsupported.into())
        }
    }
}

cfg_if! {
    if #[cfg(any(
        target_os = "linux",
        target_os = "android",
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "dragonfly",
        target_os = "illumos",
        windows,
    ))] {
        #[expect(clippy::unnecessary_wraps, reason = "`None` on other systems")]
        const fn with_idle(config: TcpKeepalive, idle: Duration) -> Option<TcpKeepalive> {
            Some(config.with_time(idle))
        }

        #[expect(clippy::unnecessary_wraps, reason = "`None` on other systems")]
        const fn with_interval(config: TcpKeepalive, interval: Duration) -> Option<TcpKeepalive> {
            Some(config.with_interval(interval))
        }

        #[expect(clippy::unnecessary_wraps, reason = "`None` on other systems")]
        const fn with_count(config: TcpKeepalive, count: u32) -> Option<TcpKeepalive> {
            Some(config.with_retries(count))
        }
    } else {
        // `socket2` would ignore the idle time on OpenBSD.
        fn with_idle(_: TcpKeepalive, _: Duration) -> Option<TcpKeepalive> {
            None
        }

        fn with_interval(_: TcpKeepalive, _: Duration) -> Option<TcpKeepalive> {
            None
        }

        fn with_count(_: TcpKeepalive, _: u32) -> Option<TcpKeepalive> {
            None
        }
    }
}

cfg_if! {
    if #[cfg(target_os = "freebsd")] {
        /// Allows other listeners at the same port. Variant for FreeBSD, where `SO_REUSEPORT` does not distribute connections.
        pub(super) fn reuse_port(socket: &Socket) -> io::Result<()> {
            socket.set_reuse_port_lb(true)
        }
    } else if #[cfg(any(
        target_os = "linux",
        target_os = "android",
        target_vendor = "apple",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "dragonfly",
    ))] {
        /// Allows other listeners at the same port.
        pub(super) fn reuse_port(socket: &Socket) -> io::Result<()> {
            socket.set_reuse_port(true)
        }
    } else {
        pub(super) fn reuse_port(_: &Socket) -> io::Result<()> {
            Err(Unsupported.into())
        }
    }
}

cfg_if! {
    if #[cfg(any(target_os = "linux", target_os = "android"))] {
        pub(super) fn max_retransmit_timeout(socket: &Socket, timeout: Duration) -> io::Result<()> {
            socket.set_tcp_user_timeout(Some(timeout))
        }

        /// Limits the number of bytes that the operating system holds and has not sent yet. Variant for Linux and
        /// Android. On other systems, this function has no effect.
        pub(super) fn limit_unsent(socket: &Socket) {
            // An error, from a kernel before Linux 3.12, only costs latency.
            let _ = socket.set_tcp_notsent_lowat(MAX_UNSENT);
        }

        pub(super) fn priority(socket: &Socket, priority: u32) -> io::Result<()> {
            socket.set_priority(priority)
        }

        pub(super) fn device(socket: &Socket, name: &str) -> io::Result<()> {
            socket.bind_device(Some(name.as_bytes()))
        }
    } else {
        pub(super) fn max_retransmit_timeout(_: &Socket, _: Duration) -> io::Result<()> {
            Err(Unsupported.into())
        }

        /// Has no effect. On Linux and Android, limits the number of bytes that the operating system holds and has not
        /// sent yet.
        pub(super) const fn limit_unsent(_: &Socket) {}

        pub(super) fn priority(_: &Socket, _: u32) -> io::Result<()> {
            Err(Unsupported.into())
        }

        pub(super) fn device(_: &Socket, _: &str) -> io::Result<()> {
            Err(Unsupported.into())
        }
    }
}
