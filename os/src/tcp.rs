//! Opening of TCP listeners and TCP connections. All functions return non-blocking operating system sockets with the
//! options of a [`TransportConfig`]. All runtimes use this module.

mod options;

use crate::{backlog, check_listens, error, size_buffers};
use sansmq_proto::NetworkError;
use sansmq_proto::address::{KeepaliveConfig, Route, TransportConfig, TransportOption};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// Listens at a TCP address. On Unix, this is possible even while connections of an earlier, closed listener still use
/// the address (`SO_REUSEADDR`).
///
/// # Errors
/// - [`NetworkError::OptionRejected`], [`NetworkError::PermissionDenied`] or [`NetworkError::NoSuchDevice`]: an option
///   of `transport` is rejected;
/// - [`NetworkError::UnsupportedOption`]: this system does not have an option of `transport`;
/// - another error of the operating system.
pub fn listen(at: SocketAddr, transport: &TransportConfig) -> Result<TcpListener, NetworkError> {
    match open(at, transport) {
        // Without IPv6, a dual-stack listener falls back to IPv4.
        Err(NetworkError::AddressUnavailable) if is_dual(at, transport) => {
            open(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), at.port()), transport)
        }
        result => result,
    }
}

fn open(at: SocketAddr, transport: &TransportConfig) -> Result<TcpListener, NetworkError> {
    let socket = socket(at, transport)?;
    // On Windows, the option would allow any process to bind to the same address.
    #[cfg(not(windows))]
    socket.set_reuse_address(true).map_err(|failure| error(&failure))?;
    if transport.reuse_port {
        option_result(TransportOption::ReusePort, options::reuse_port(&socket))?;
    }
    if is_dual(at, transport) {
        option_result(TransportOption::DualStack, socket.set_only_v6(false))?;
    }
    let listening = socket.bind(&at.into()).and_then(|()| socket.listen(backlog(transport)));
    listening.map_err(|failure| error(&failure))?;
    Ok(socket.into())
}

/// Begins to connect to `route.to`, and returns a non-blocking stream. The attempt has ended when the stream becomes
/// writable. Then `take_error` returns the error of a failed attempt.
///
/// # Errors
/// - [`NetworkError::Refused`]: no socket listens at the address, and the operating system has connected the stream to
///   itself. This happens if the operating system chooses the port of `route.to` as the local port of the stream.
/// - [`NetworkError::OptionRejected`], [`NetworkError::PermissionDenied`] or [`NetworkError::NoSuchDevice`]: an option
///   of `transport` is rejected;
/// - another error of the operating system.
pub fn connect(route: Route, transport: &TransportConfig) -> Result<TcpStream, NetworkError> {
    let socket = socket(route.to, transport)?;
    if let Some(from) = route.from {
        // A fixed source port may still be in TIME_WAIT from the previous connection.
        #[cfg(not(windows))]
        if from.port() != 0 {
            socket.set_reuse_address(true).map_err(|failure| error(&failure))?;
        }
        socket.bind(&from.into()).map_err(|failure| error(&failure))?;
    }
    match socket.connect(&route.to.into()) {
        Ok(()) => {}
        Err(failure) if is_in_progress(&failure) => {}
        Err(failure) => return Err(error(&failure)),
    }
    if is_connected_to_itself(&socket, route.to) {
        // Closed by a reset. An orderly end would keep the address in use for a minute, and the server that is dialled
        // could not listen there.
        let _ = socket.set_linger(Some(Duration::ZERO));
        return Err(NetworkError::Refused);
    }
    Ok(socket.into())
}

/// Returns true if the local address of a connecting socket is the address `to` to which it connects.
// TCP permits this: two SYNs that meet open a connection, and here both are the same.
fn is_connected_to_itself(socket: &Socket, to: SocketAddr) -> bool {
    let local = socket.local_addr().ok().and_then(|address| address.as_socket());
    // A connection to the unspecified address goes to the local address.
    local.is_some_and(|local| local.port() == to.port() && (local.ip() == to.ip() || to.ip().is_unspecified()))
}

/// Takes over a TCP listener that is already open: makes the listener non-blocking, and sets those options of
/// `transport` that can still be set after `bind`.
///
/// # Errors
/// - [`NetworkError::NotListening`]: the listener is not in the listening state, on systems that report this state;
/// - [`NetworkError::OptionRejected`] or [`NetworkError::PermissionDenied`]: an option of `transport` is rejected;
/// - another error of the operating system.
pub fn from_listener(listener: TcpListener, transport: &TransportConfig) -> Result<TcpListener, NetworkError> {
    let socket = Socket::from(listener);
    check_listens(&socket)?;
    socket.set_nonblocking(true).map_err(|failure| error(&failure))?;
    tune(&socket, transport)?;
    Ok(socket.into())
}

/// Sets the options of `transport` on an accepted connection. Some operating systems do not copy all of these options
/// from the listener to its connections.
pub fn accepted<'s>(stream: impl Into<SockRef<'s>>, transport: &TransportConfig) {
    // The operating system has accepted the same options for the listener. So an error means that the connection has ended.
    let stream = stream.into();
    let _ = stream.set_tcp_nodelay(true);
    let _ = tune(&stream, transport);
}

/// Creates a non-blocking TCP socket of the operating system, for the IP version of `address`. Sets the options of
/// `transport` that listeners and connections have in common.
fn socket(address: SocketAddr, transport: &TransportConfig) -> Result<Socket, NetworkError> {
    let open = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    };
    let socket = open().map_err(|failure: io::Error| error(&failure))?;
    // Nagle's algorithm would delay small messages, and the connection already batches them. An error only costs latency.
    let _ = socket.set_tcp_nodelay(true);
    if let Some(device) = &transport.device {
        option_result(TransportOption::BindToDevice, options::device(&socket, device))?;
    }
    tune(&socket, transport)?;
    Ok(socket)
}

/// Sets the options of `transport` that can be set at any time on an operating system socket: buffer sizes, keep-alive,
/// retransmission timeout, type of service and priority. Also limits the unsent bytes that the operating system holds,
/// so that a PING is not sent long after it was written.
fn tune(socket: &Socket, transport: &TransportConfig) -> Result<(), NetworkError> {
    option_result(TransportOption::BufferSize, size_buffers(socket, transport))?;
    options::limit_unsent(socket);
    match &transport.keepalive {
        KeepaliveConfig::System => {}
        KeepaliveConfig::Off => option_result(TransportOption::Keepalive, socket.set_keepalive(false))?,
        KeepaliveConfig::On(keepalive) => options::keepalive(socket, keepalive)?,
    }
    if let Some(timeout) = transport.max_retransmit_timeout {
        option_result(TransportOption::MaxRetransmitTimeout, options::max_retransmit_timeout(socket, timeout))?;
    }
    if let Some(value) = transport.tos {
        options::tos(socket, value)?;
    }
    if let Some(priority) = transport.priority {
        option_result(TransportOption::Priority, options::priority(socket, priority))?;
    }
    Ok(())
}

/// Converts the result of setting an option of an operating system socket. An option that does not exist becomes
/// [`NetworkError::UnsupportedOption`], and every other error [`NetworkError::OptionRejected`], except a missing permission and a
/// missing network interface.
fn option_result(option: TransportOption, result: io::Result<()>) -> Result<(), NetworkError> {
    result.map_err(|failure| match error(&failure) {
        specific @ (NetworkError::PermissionDenied | NetworkError::NoSuchDevice) => specific,
        _ if is_unknown_option(&failure) => NetworkError::UnsupportedOption(option),
        _ => NetworkError::OptionRejected(option),
    })
}

/// Returns true if the operating system does not have an option: it depends on its version too.
fn is_unknown_option(failure: &io::Error) -> bool {
    #[cfg(unix)]
    const UNKNOWN: i32 = nix::errno::Errno::ENOPROTOOPT as i32;
    #[cfg(windows)]
    const UNKNOWN: i32 = crate::windows_numbers::WSAENOPROTOOPT;
    failure.kind() == ErrorKind::Unsupported || failure.raw_os_error() == Some(UNKNOWN)
}

fn is_dual(at: SocketAddr, transport: &TransportConfig) -> bool {
    transport.dual_stack && at.is_ipv6() && at.ip().is_unspecified()
}

fn is_in_progress(failure: &io::Error) -> bool {
    #[cfg(unix)]
    let in_progress = failure.raw_os_error() == Some(nix::errno::Errno::EINPROGRESS as i32);
    #[cfg(not(unix))]
    let in_progress = false;
    in_progress || failure.kind() == ErrorKind::WouldBlock
}

#[cfg(test)]
mod tests;
