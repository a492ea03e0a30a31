//! TCP for the examples: functions that open listeners and streams, none of which blocks except the name lookup.

use rustix::{io::Errno, net};
use sansmq::proto::{IoStream, guest::Target};
use sansmq::{Endpoint, NetworkError};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::{io, vec};

/// Returns every address of an endpoint. The name lookup blocks: a loop that must never block does it on another thread.
pub(crate) fn addresses(endpoint: &Endpoint) -> Result<vec::IntoIter<SocketAddr>, NetworkError> {
    endpoint.host_and_port()?.to_socket_addrs().map_err(|_| NetworkError::UnknownHost)
}

pub(crate) fn listen(endpoint: &Endpoint) -> Result<(TcpListener, Endpoint), NetworkError> {
    let listener = TcpListener::bind(addresses(endpoint)?.as_slice())?;
    listener.set_nonblocking(true)?;
    let bound = listener.local_addr()?.into(); // has the actual port if a wildcard was requested
    Ok((listener, bound))
}

/// Accepts one connection. Returns it with the address of the peer.
pub(crate) fn accept(listener: &TcpListener) -> io::Result<(IoStream<TcpStream>, Endpoint)> {
    let (stream, from) = listener.accept()?;
    Ok((tcp(stream)?, from.into()))
}

/// Starts to connect. Once the stream is writable, `take_error` returns the result.
pub(crate) fn connect(target: &Target) -> io::Result<IoStream<TcpStream>> {
    let Target::Tcp(route) = target else { return Err(io::ErrorKind::Unsupported.into()) };
    let family = net::SocketAddrAny::from(route.to).address_family();
    let stream = tcp(net::socket(family, net::SocketType::STREAM, None)?.into())?;
    match net::connect(stream.get_ref(), &route.to) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(stream),
        Err(error) => Err(error.into()),
    }
}

fn tcp(stream: TcpStream) -> io::Result<IoStream<TcpStream>> {
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?; // messages are batched already; Nagle's algorithm would only delay them
    Ok(IoStream::new(stream, |it| it.shutdown(Shutdown::Write)).dialled(|it| it.take_error()))
}
