//! TCP sockets as a socket's options want them, made by one set of rules for all runtimes. None of them blocks.

mod options;

use crate::{backlog, check_listens, error, size_buffers};
use sansmq_proto::NetworkError;
use sansmq_proto::address::{KeepaliveConfig, Route, TransportConfig};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

/// Listens there. On Unix the address may be one that connections of an ended listener still hold (`SO_REUSEADDR`).
///
/// # Errors
/// What the system answers; for an option that was asked for [`NetworkError::OptionRefused`],
/// [`NetworkError::PermissionDenied`] or [`NetworkError::NoSuchDevice`].
pub fn listen(at: SocketAddr, transport: &TransportConfig) -> Result<TcpListener, NetworkError> {
    match open(at, transport) {
        // There is no IPv6 here.
        Err(NetworkError::AddressUnavailable) if is_dual(at, transport) => {
            open(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), at.port()), transport)
        }
        result => result,
    }
}

fn open(at: SocketAddr, transport: &TransportConfig) -> Result<TcpListener, NetworkError> {
    let socket = socket(at, transport)?;
    // On Windows it would let anybody have the address too.
    #[cfg(not(windows))]
    socket.set_reuse_address(true).map_err(|failure| error(&failure))?;
    if is_dual(at, transport) {
        asked(socket.set_only_v6(false))?;
    }
    let listening = socket.bind(&at.into()).and_then(|()| socket.listen(backlog(transport)));
    listening.map_err(|failure| error(&failure))?;
    Ok(socket.into())
}

/// Begins to connect. The stream is connected, or failed, when it is writable: `take_error` tells which.
///
/// # Errors
/// As [`listen`].
pub fn connect(route: Route, transport: &TransportConfig) -> Result<TcpStream, NetworkError> {
    let socket = socket(route.to, transport)?;
    if let Some(from) = route.from {
        // A port that is asked for has perhaps just been left by the connection before this one.
        #[cfg(not(windows))]
        if from.port() != 0 {
            socket.set_reuse_address(true).map_err(|failure| error(&failure))?;
        }
        socket.bind(&from.into()).map_err(|failure| error(&failure))?;
    }
    match socket.connect(&route.to.into()) {
        Ok(()) => {}
        Err(failure) if is_under_way(&failure) => {}
        Err(failure) => return Err(error(&failure)),
    }
    Ok(socket.into())
}

/// Makes a listener that somebody else opened like one of [`listen`]'s, as far as that can still be done.
///
/// # Errors
/// As [`listen`]; [`NetworkError::NotListening`] where the system tells.
pub fn from_listener(listener: TcpListener, transport: &TransportConfig) -> Result<TcpListener, NetworkError> {
    let socket = Socket::from(listener);
    check_listens(&socket)?;
    socket.set_nonblocking(true).map_err(|failure| error(&failure))?;
    tune(&socket, transport)?;
    Ok(socket.into())
}

/// Gives a connection that came in what its listener has, for systems do not agree on what it inherits.
///
/// The listener has taken all of it. What fails now fails because the connection is over, which will be noticed anyway.
pub fn accepted<'s>(stream: impl Into<SockRef<'s>>, transport: &TransportConfig) {
    let stream = stream.into();
    let _ = stream.set_tcp_nodelay(true);
    let _ = tune(&stream, transport);
}

/// A socket to that address's family, with all that has to be there before it is bound or connected.
fn socket(address: SocketAddr, transport: &TransportConfig) -> Result<Socket, NetworkError> {
    let open = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    };
    let socket = open().map_err(|failure: io::Error| error(&failure))?;
    // Small messages must not wait for one another; batching is done above. A failure costs only time.
    let _ = socket.set_tcp_nodelay(true);
    if let Some(device) = &transport.device {
        asked(options::device(&socket, device))?;
    }
    tune(&socket, transport)?;
    Ok(socket)
}

/// What can be set at any time.
fn tune(socket: &Socket, transport: &TransportConfig) -> Result<(), NetworkError> {
    asked(size_buffers(socket, transport))?;
    match &transport.keepalive {
        KeepaliveConfig::System => {}
        KeepaliveConfig::Off => asked(socket.set_keepalive(false))?,
        KeepaliveConfig::On(keepalive) => asked(options::keepalive(socket, keepalive))?,
    }
    if let Some(timeout) = transport.max_retransmit_timeout {
        asked(options::max_retransmit_timeout(socket, timeout))?;
    }
    if let Some(octet) = transport.tos {
        asked(options::tos(socket, octet))?;
    }
    if let Some(priority) = transport.priority {
        asked(options::priority(socket, priority))?;
    }
    Ok(())
}

/// What it means that an option is not taken.
fn asked(result: io::Result<()>) -> Result<(), NetworkError> {
    result.map_err(|failure| match error(&failure) {
        telling @ (NetworkError::PermissionDenied | NetworkError::NoSuchDevice) => telling,
        _ => NetworkError::OptionRefused,
    })
}

fn is_dual(at: SocketAddr, transport: &TransportConfig) -> bool {
    transport.dual_stack && at.is_ipv6() && at.ip().is_unspecified()
}

fn is_under_way(failure: &io::Error) -> bool {
    #[cfg(unix)]
    let in_progress = failure.raw_os_error() == Some(nix::errno::Errno::EINPROGRESS as i32);
    #[cfg(not(unix))]
    let in_progress = false;
    in_progress || failure.kind() == ErrorKind::WouldBlock
}

#[cfg(test)]
mod tests;
