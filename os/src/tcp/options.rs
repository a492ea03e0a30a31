//! TCP socket options that only some operating systems have. On the other systems, setting such an option returns an
//! error.

use sansmq_proto::NetworkError;
use sansmq_proto::address::Keepalive;
use socket2::{Socket, TcpKeepalive};
use std::io;
#[allow(unused_imports, reason = "not used on systems that have all options")]
use std::io::ErrorKind::Unsupported;
use std::time::Duration;

pub(super) fn keepalive(socket: &Socket, keepalive: &Keepalive) -> io::Result<()> {
    let mut config = TcpKeepalive::new();
    if let Some(idle) = keepalive.idle_time() {
        config = config.with_time(idle);
    }
    if let Some(interval) = keepalive.interval_time() {
        config = with_interval(config, interval)?;
    }
    if let Some(count) = keepalive.probes() {
        config = with_count(config, count)?;
    }
    socket.set_tcp_keepalive(&config)
}

/// Sets the type of service of sent IPv4 packets. For an IPv6 socket of the operating system, also sets the traffic
/// class of sent IPv6 packets.
// A dual-stack IPv6 socket needs both, because its IPv4 packets use the former.
pub(super) fn tos(socket: &Socket, value: u8) -> io::Result<()> {
    let is_ipv6 = socket.local_addr().is_ok_and(|address| address.is_ipv6());
    let ipv4_result = set_tos(socket, value);
    if is_ipv6 { set_traffic_class(socket, value) } else { ipv4_result }
}

/// Maximum number of bytes that the operating system holds and has not sent yet.
// Enough to keep a fast link busy until the process is scheduled again. On a slow link, all that is held delays a PING.
#[cfg(any(target_os = "linux", target_os = "android"))]
const MAX_UNSENT: u32 = 128 << 10;

// Each option has one function for systems that have it, and one for systems that do not.
cfg_select! {
    any(target_os = "solaris", target_os = "haiku") => {
        fn set_tos(_: &Socket, _: u8) -> io::Result<()> {
            Err(Unsupported.into())
        }
    }
    _ => {
        fn set_tos(socket: &Socket, value: u8) -> io::Result<()> {
            socket.set_tos_v4(value.into())
        }
    }
}

cfg_select! {
    any(
        target_os = "linux",
        target_os = "android",
        target_os = "macos",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "dragonfly",
        target_os = "illumos",
    ) => {
        fn set_traffic_class(socket: &Socket, value: u8) -> io::Result<()> {
            socket.set_tclass_v6(value.into())
        }
    }
    _ => {
        fn set_traffic_class(_: &Socket, _: u8) -> io::Result<()> {
            Err(Unsupported.into())
        }
    }
}

cfg_select! {
    any(
        target_os = "linux",
        target_os = "android",
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "dragonfly",
        target_os = "illumos",
        windows,
    ) => {
        #[expect(clippy::unnecessary_wraps, reason = "fails on other systems")]
        fn with_interval(config: TcpKeepalive, interval: Duration) -> io::Result<TcpKeepalive> {
            Ok(config.with_interval(interval))
        }

        #[expect(clippy::unnecessary_wraps, reason = "fails on other systems")]
        fn with_count(config: TcpKeepalive, count: u32) -> io::Result<TcpKeepalive> {
            Ok(config.with_retries(count))
        }
    }
    _ => {
        fn with_interval(_: TcpKeepalive, _: Duration) -> io::Result<TcpKeepalive> {
            Err(Unsupported.into())
        }

        fn with_count(_: TcpKeepalive, _: u32) -> io::Result<TcpKeepalive> {
            Err(Unsupported.into())
        }
    }
}

cfg_select! {
    // There, `SO_REUSEPORT` does not distribute connections.
    target_os = "freebsd" => {
        /// Allows other listeners at the same port. Variant for FreeBSD.
        pub(super) fn reuse_port(socket: &Socket) -> Result<(), NetworkError> {
            super::option_result(socket.set_reuse_port_lb(true))
        }
    }
    any(
        target_os = "linux",
        target_os = "android",
        target_vendor = "apple",
        target_os = "netbsd",
        target_os = "openbsd",
        target_os = "dragonfly",
    ) => {
        /// Allows other listeners at the same port.
        pub(super) fn reuse_port(socket: &Socket) -> Result<(), NetworkError> {
            super::option_result(socket.set_reuse_port(true))
        }
    }
    _ => {
        pub(super) const fn reuse_port(_: &Socket) -> Result<(), NetworkError> {
            Err(NetworkError::NoReusePort)
        }
    }
}

cfg_select! {
    any(target_os = "linux", target_os = "android") => {
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
    }
    _ => {
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
