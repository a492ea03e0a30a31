//! Options that TCP sockets do not have on every system. Where there is none, asking for it is an error.

use sansmq_proto::address::Keepalive;
use socket2::{Socket, TcpKeepalive};
use std::io;
#[allow(unused_imports, reason = "there are systems that have all of them")]
use std::io::ErrorKind::Unsupported;
use std::time::Duration;

pub(super) fn keepalive(socket: &Socket, keepalive: &Keepalive) -> io::Result<()> {
    let mut asked = TcpKeepalive::new();
    if let Some(idle) = keepalive.idle_time() {
        asked = asked.with_time(idle);
    }
    if let Some(interval) = keepalive.interval_time() {
        asked = with_interval(asked, interval)?;
    }
    if let Some(count) = keepalive.probes() {
        asked = with_count(asked, count)?;
    }
    socket.set_tcp_keepalive(&asked)
}

/// For IPv6 the traffic class; and over a socket of both the other too, for what comes over IPv4.
pub(super) fn tos(socket: &Socket, octet: u8) -> io::Result<()> {
    let is_ipv6 = socket.local_addr().is_ok_and(|address| address.is_ipv6());
    let four = set_tos(socket, octet);
    if is_ipv6 { set_traffic_class(socket, octet) } else { four }
}

// A function for systems that have the option, and one for those that do not.
cfg_select! {
    any(target_os = "solaris", target_os = "haiku") => {
        fn set_tos(_: &Socket, _: u8) -> io::Result<()> {
            Err(Unsupported.into())
        }
    }
    _ => {
        fn set_tos(socket: &Socket, octet: u8) -> io::Result<()> {
            socket.set_tos_v4(octet.into())
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
        fn set_traffic_class(socket: &Socket, octet: u8) -> io::Result<()> {
            socket.set_tclass_v6(octet.into())
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
        #[expect(clippy::unnecessary_wraps, reason = "elsewhere it fails")]
        fn with_interval(asked: TcpKeepalive, interval: Duration) -> io::Result<TcpKeepalive> {
            Ok(asked.with_interval(interval))
        }

        #[expect(clippy::unnecessary_wraps, reason = "elsewhere it fails")]
        fn with_count(asked: TcpKeepalive, count: u32) -> io::Result<TcpKeepalive> {
            Ok(asked.with_retries(count))
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
    any(target_os = "linux", target_os = "android") => {
        pub(super) fn max_retransmit_timeout(socket: &Socket, timeout: Duration) -> io::Result<()> {
            socket.set_tcp_user_timeout(Some(timeout))
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

        pub(super) fn priority(_: &Socket, _: u32) -> io::Result<()> {
            Err(Unsupported.into())
        }

        pub(super) fn device(_: &Socket, _: &str) -> io::Result<()> {
            Err(Unsupported.into())
        }
    }
}
