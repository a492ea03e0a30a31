//! [`Endpoint`]: a parsed address for `bind` and `connect`. Resolves no host name.

use crate::address::error::{NetworkError, ParseEndpointError};
use crate::address::resource::Resource;
use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::str::FromStr;

/// The address that a socket binds or connects to. With the feature `serde`, it is serialized as its text.
///
/// ```
/// use sansmq::{Endpoint, Host};
///
/// let any: Endpoint = "tcp://*:5555".parse()?;
/// assert_eq!(any, Endpoint::Tcp { host: Host::Any, port: 5555, source: None, resource: None });
/// assert_eq!("tcp://[::1]:*".parse::<Endpoint>()?.to_string(), "tcp://[::1]:0");
///
/// let error = "localhost:5555".parse::<Endpoint>().unwrap_err();
/// assert!(error.to_string().contains("write it like tcp://"));
/// # Ok::<(), sansmq::ParseEndpointError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// `tcp://host:port` or `tcp://source;host:port`, both optionally followed by `/resource`.
    Tcp {
        /// Host to connect to, or local address to bind to.
        host: Host,
        /// TCP port. With 0, also written `*`, the operating system chooses a port on `bind`.
        port: u16,
        /// Local address of outgoing connections; `None` if the operating system chooses it. An endpoint with a source
        /// is invalid for `bind`.
        source: Option<Source>,
        /// Name of the socket to connect to or to bind, if several sockets share the port; `None` if the endpoint has
        /// no resource.
        resource: Option<Resource>,
    },
    /// `ipc://…`: a Unix domain socket on this machine.
    Ipc(IpcName),
    /// `inproc://name`: connects sockets of the same `Context`, even if they use different runtimes. The name is any
    /// non-empty text.
    Inproc(String),
}

/// The name of a Unix domain socket in an [`Endpoint`].
///
/// ```
/// use sansmq::{Endpoint, IpcName};
///
/// let parse = |text: &str| text.parse::<Endpoint>().unwrap();
/// assert_eq!(parse("ipc:///run/service"), Endpoint::Ipc(IpcName::Path("/run/service".into())));
/// assert_eq!(parse("ipc://@service"), Endpoint::Ipc(IpcName::Abstract("service".into())));
/// assert_eq!(parse("ipc://*"), Endpoint::Ipc(IpcName::Any));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IpcName {
    /// `*`: `bind` creates a socket file in a new directory and so chooses its path. Not valid for `connect`.
    Any,
    /// A file path of at most 107 bytes. Relative to the working directory if it does not begin with `/`.
    Path(String),
    /// `@name`: an abstract name of Linux, which does not exist in the file system. At most 106 bytes after the `@`.
    Abstract(String),
}

/// The host of an [`Endpoint`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// `*`: all IPv4 interfaces, as in libzmq. For IPv6 bind `[::]`, which on most systems accepts IPv4 connections too.
    Any,
    /// An IP address. IPv6 addresses are written in brackets.
    Ip(IpAddr),
    /// A host name, which is resolved on each bind and each connection attempt. Also an IPv6 address with a zone, such as
    /// `fe80::1%eth0`.
    Name(String),
}

/// The local address of connections to a `tcp` [`Endpoint`]: the part before the `;` in `tcp://source;host:port`.
///
/// libzmq also accepts the name of a network interface as the source. This crate has the option
/// [`Options::bind_to_device`](crate::Options::bind_to_device) instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    /// The local IP address. With `None`, written `*`, the operating system chooses an address that can reach the peer.
    pub ip: Option<IpAddr>,
    /// The local port. With 0, also written `*`, the operating system chooses a port for each connection.
    ///
    /// A fixed port allows only one connection to each peer address at a time. After this connection has ended, the
    /// operating system may reject a new connection to the same peer for a minute or more.
    pub port: u16,
}

impl Endpoint {
    /// Returns true if the endpoint is valid for `bind` but not for `connect`: host `*`, port 0, or `ipc://*`.
    pub const fn is_wildcard(&self) -> bool {
        match self {
            Self::Tcp { host, port, .. } => matches!(host, Host::Any) || *port == 0,
            Self::Ipc(name) => matches!(name, IpcName::Any),
            Self::Inproc(_) => false,
        }
    }

    /// Returns host and port in the form that the resolver of the operating system accepts. In `std` the result is a
    /// `ToSocketAddrs`.
    ///
    /// ```
    /// # use sansmq::Endpoint;
    /// use std::net::ToSocketAddrs;
    ///
    /// let endpoint: Endpoint = "tcp://*:5555".parse()?;
    /// let mut addresses = endpoint.host_and_port()?.to_socket_addrs()?;
    /// assert_eq!(addresses.next(), Some(([0, 0, 0, 0], 5555).into()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`NetworkError::Unsupported`] if the transport is not TCP.
    pub fn host_and_port(&self) -> Result<(String, u16), NetworkError> {
        match (self, self.socket_addr()) {
            (_, Some(address)) => Ok((address.ip().to_string(), address.port())),
            (Self::Tcp { host: Host::Name(name), port, .. }, None) => Ok((name.clone(), *port)),
            (Self::Tcp { .. } | Self::Ipc(_) | Self::Inproc(_), None) => Err(NetworkError::Unsupported),
        }
    }

    /// Returns the IP address and the port of a TCP endpoint. Returns `None` if the host is a name, or the transport is
    /// not TCP.
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp { host: Host::Any, port, .. } => Some(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), *port)),
            Self::Tcp { host: Host::Ip(address), port, .. } => Some(SocketAddr::new(*address, *port)),
            Self::Tcp { host: Host::Name(_), .. } | Self::Ipc(_) | Self::Inproc(_) => None,
        }
    }

    /// Returns the resource of the endpoint, or `None` if it has no resource. Only TCP endpoints can have a resource.
    pub const fn resource(&self) -> Option<&Resource> {
        match self {
            Self::Tcp { resource, .. } => resource.as_ref(),
            Self::Ipc(_) | Self::Inproc(_) => None,
        }
    }

    /// Returns this endpoint with the resource `wanted` in place of its own; `None` removes the resource. Has no effect
    /// if the transport is not TCP.
    #[must_use]
    pub fn with_resource(mut self, wanted: Option<Resource>) -> Self {
        match &mut self {
            Self::Tcp { resource, .. } => *resource = wanted,
            Self::Ipc(_) | Self::Inproc(_) => {}
        }
        self
    }
}

impl FromStr for Endpoint {
    type Err = ParseEndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (transport, address) =
            text.split_once("://").ok_or_else(|| ParseEndpointError::NoTransport(text.to_owned()))?;
        match transport {
            "tcp" => {}
            "ipc" => return parse_ipc(address).map(Self::Ipc),
            "inproc" if address.is_empty() => return Err(ParseEndpointError::NoName(text.to_owned())),
            "inproc" => return Ok(Self::Inproc(address.to_owned())),
            _ => return Err(ParseEndpointError::UnknownTransport(transport.to_owned())),
        }
        let (address, resource) = match address.split_once('/') {
            None => (address, None),
            Some((address, resource)) => match Resource::read(resource.as_bytes()) {
                None => return Err(ParseEndpointError::Resource(text.to_owned())),
                resource => (address, resource),
            },
        };
        let (source, address) = match address.split_once(';') {
            Some((source, address)) => (Some(source), address),
            None => (None, address),
        };
        let (host, port) = address.rsplit_once(':').ok_or_else(|| ParseEndpointError::Port(text.to_owned()))?;
        let port = parse_port(port).ok_or_else(|| ParseEndpointError::Port(text.to_owned()))?;
        let host = parse_host(host).ok_or_else(|| ParseEndpointError::Host(text.to_owned()))?;
        let source = source.map(|source| parse_source(source, &host).ok_or(())).transpose();
        let source = source.map_err(|()| ParseEndpointError::Source(text.to_owned()))?;
        Ok(Self::Tcp { host, port, source, resource })
    }
}

fn parse_port(port: &str) -> Option<u16> {
    match port {
        "*" => Some(0),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok(),
        _ => None,
    }
}

/// Parses the part before the `;` of a TCP endpoint with the host `to`. Returns `None` if the source is invalid, or if
/// source and host are IP addresses of different versions.
fn parse_source(source: &str, to: &Host) -> Option<Source> {
    let (ip, port) = source.rsplit_once(':')?;
    let ip = match parse_host(ip)? {
        Host::Any => None,
        Host::Ip(ip) => Some(ip),
        Host::Name(_) => return None,
    };
    let families_differ = matches!((ip, to), (Some(from), Host::Ip(to)) if from.is_ipv4() != to.is_ipv4());
    if families_differ { None } else { Some(Source { ip, port: parse_port(port)? }) }
}

/// Maximum bytes of the path of a Unix domain socket: `sun_path` of Linux has 108 bytes, including the terminating zero.
const MAX_PATH: usize = 107;

fn parse_ipc(name: &str) -> Result<IpcName, ParseEndpointError> {
    if name.len() > MAX_PATH {
        return Err(ParseEndpointError::TooLong(name.to_owned()));
    }
    match (name, name.strip_prefix('@')) {
        ("*", _) => Ok(IpcName::Any),
        ("" | "@", _) => Err(ParseEndpointError::NoName(alloc::format!("ipc://{name}"))),
        (_, Some(name)) => Ok(IpcName::Abstract(name.to_owned())),
        (path, None) => Ok(IpcName::Path(path.to_owned())),
    }
}

fn parse_host(host: &str) -> Option<Host> {
    if host == "*" {
        return Some(Host::Any);
    }
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']')?;
        if let Ok(address) = inner.parse::<Ipv6Addr>() {
            return Some(Host::Ip(address.into()));
        }
        // `Ipv6Addr` has no zone, so such an address is kept as a name for the resolver.
        let (address, zone) = inner.split_once('%')?;
        return (address.parse::<Ipv6Addr>().is_ok() && !zone.is_empty()).then(|| Host::Name(inner.to_owned()));
    }
    let allowed = |byte: u8| byte.is_ascii_graphic() && !b"[]:*/;@%".contains(&byte) || !byte.is_ascii();
    if host.is_empty() || !host.bytes().all(allowed) {
        return None;
    }
    Some(host.parse().map_or_else(|_| Host::Name(host.to_owned()), Host::Ip))
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port, source, resource } => {
                f.write_str("tcp://")?;
                if let Some(source) = source {
                    write!(f, "{source};")?;
                }
                write!(f, "{host}:{port}")?;
                resource.as_ref().map_or(Ok(()), |resource| write!(f, "/{resource}"))
            }
            Self::Ipc(IpcName::Any) => f.write_str("ipc://*"),
            Self::Ipc(IpcName::Path(path)) => write!(f, "ipc://{path}"),
            Self::Ipc(IpcName::Abstract(name)) => write!(f, "ipc://@{name}"),
            Self::Inproc(name) => write!(f, "inproc://{name}"),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Ip(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Ip(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Name(name) if name.contains(':') => write!(f, "[{name}]"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.ip.map_or(Host::Any, Host::Ip), self.port)
    }
}

impl TryFrom<&str> for Endpoint {
    type Error = ParseEndpointError;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl TryFrom<String> for Endpoint {
    type Error = ParseEndpointError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl TryFrom<&String> for Endpoint {
    type Error = ParseEndpointError;

    fn try_from(text: &String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<&Self> for Endpoint {
    fn from(endpoint: &Self) -> Self {
        endpoint.clone()
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp { host: Host::Ip(address.ip()), port: address.port(), source: None, resource: None }
    }
}

#[cfg(test)]
mod tests;
