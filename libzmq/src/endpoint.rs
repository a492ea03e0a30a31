//! [`parse`]: endpoints as libzmq writes them.

use crate::errno::Errno;
use sansmq::Endpoint;
use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr, ToSocketAddrs};

/// Parses an endpoint. Unlike sansmq, libzmq accepts an IPv6 address without brackets, and a host name as the local address of a
/// connection, which is looked up here.
///
/// # Errors
/// `EINVAL` and `EPROTONOSUPPORT`.
pub(crate) fn parse(text: &str) -> Result<Endpoint, Errno> {
    let Some(address) = text.strip_prefix("tcp://") else { return Ok(text.parse()?) };
    let (source, target) = match address.split_once(';') {
        Some((source, target)) => (Some(numeric(source)?), bracketed(target)),
        None => (None, bracketed(address)),
    };
    let source = source.map(|source| format!("{source};")).unwrap_or_default();
    Ok(format!("tcp://{source}{target}").parse()?)
}

/// Encloses an IPv6 address with a port in brackets.
fn bracketed(address: &str) -> Cow<'_, str> {
    match address.rsplit_once(':') {
        Some((host, port)) if host.parse::<Ipv6Addr>().is_ok() => format!("[{host}]:{port}").into(),
        _ => address.into(),
    }
}

/// Replaces the host name of a local address by an address of this host.
fn numeric(source: &str) -> Result<Cow<'_, str>, Errno> {
    let Some((host, port)) = source.rsplit_once(':') else { return Ok(source.into()) };
    let is_name = !host.starts_with(['[', '*']) && host.parse::<IpAddr>().is_err();
    if !is_name {
        return Ok(bracketed(source));
    }
    let mut addresses = (host, 0).to_socket_addrs().map_err(|_| Errno(libc::ENODEV))?;
    let address = addresses.find(std::net::SocketAddr::is_ipv4).ok_or(Errno(libc::ENODEV))?;
    Ok(format!("{}:{port}", address.ip()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_libzmq_are_accepted() {
        for (text, expected) in [
            ("tcp://::1:5555", "tcp://[::1]:5555"),
            ("tcp://[::1]:5555", "tcp://[::1]:5555"),
            ("tcp://::2:1;::1:5555", "tcp://[::2]:1;[::1]:5555"),
            ("tcp://localhost:1;example.org:5555", "tcp://127.0.0.1:1;example.org:5555"),
            ("ipc:///tmp/name", "ipc:///tmp/name"),
        ] {
            assert_eq!(parse(text).map(|endpoint| endpoint.to_string()).as_deref(), Ok(expected));
        }
        assert_eq!(parse("tcp://host"), Err(Errno::INVALID));
        assert_eq!(parse("udp://host:1"), Err(Errno(libc::EPROTONOSUPPORT)));
    }
}
