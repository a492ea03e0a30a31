//! What any loop of one's own needs of the operating system: streams, addresses, listening and connecting without waiting.

use rustix::{io::Errno, net};
use sansmq::proto::{Endpoint, Host, Stream};
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};

/// A non-blocking stream as a `Session` wants to see it. Borrowed, for event loops like to own what they watch.
pub(crate) struct Tcp<'a>(pub(crate) &'a TcpStream);

impl Stream for Tcp<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.0.read(room)
    }
    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_vectored(slices)
    }
    fn close_write(&mut self) -> io::Result<()> {
        self.0.shutdown(Shutdown::Write)
    }
}

/// Every address of an endpoint. Looking up a name blocks: a loop that must never pause does it on another thread.
pub(crate) fn addresses(endpoint: &Endpoint) -> io::Result<Vec<SocketAddr>> {
    match endpoint {
        Endpoint::Tcp { host: Host::Any, port } => Ok(vec![(Ipv4Addr::UNSPECIFIED, *port).into()]),
        Endpoint::Tcp { host: Host::Ip(address), port } => Ok(vec![(*address, *port).into()]),
        Endpoint::Tcp { host: Host::Name(name), port } => match (name.as_str(), *port).to_socket_addrs() {
            Ok(addresses) => Ok(addresses.collect()),
            Err(_) => Err(ErrorKind::NotFound.into()), // which the socket reads as "the host name is not known"
        },
        _ => Err(ErrorKind::Unsupported.into()),
    }
}

/// Listens at the first address that can be had.
pub(crate) fn listen(endpoint: &Endpoint) -> io::Result<(TcpListener, Endpoint)> {
    let listener = TcpListener::bind(addresses(endpoint)?.as_slice())?;
    listener.set_nonblocking(true)?;
    let bound = listener.local_addr()?.into(); // not the same as was asked for if the port was a wildcard
    Ok((listener, bound))
}

/// Takes a connection, if one is waiting.
pub(crate) fn accept(listener: &TcpListener) -> io::Result<Option<(TcpStream, Endpoint)>> {
    match listener.accept() {
        Ok((stream, from)) => {
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?; // batching is done by the session; small messages must not wait for one another
            Ok(Some((stream, from.into())))
        }
        // The last one: whoever was there has gone again, which is no reason for a pause.
        Err(error) => match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::ConnectionAborted => Ok(None),
            _ => Err(error),
        },
    }
}

/// Begins to connect. Once the stream can be written, its `take_error` says how that went.
pub(crate) fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let family = if address.is_ipv4() { net::AddressFamily::INET } else { net::AddressFamily::INET6 };
    let stream = TcpStream::from(net::socket(family, net::SocketType::STREAM, None)?);
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    match net::connect(&stream, &address) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(stream),
        Err(error) => Err(error.into()),
    }
}
