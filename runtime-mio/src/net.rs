//! Streams and listeners as the operating system has them, with what is known of their readiness.

use mio::event::Source;
use mio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use mio::net::{UnixListener, UnixStream};
use mio::{Interest, Registry, Token};
use sansmq_os::StdListener;
#[cfg(unix)]
use sansmq_os::{credentials, ipc};
use sansmq_os::{error, tcp};
use sansmq_proto::address::{IpcName, Route, TransportConfig};
use sansmq_proto::connection::{Credentials, Outbox};
use sansmq_proto::{Endpoint, NetworkError, Stream, StreamError};
use sansmq_runtime::Opened;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};

/// A connected stream, or one that is being connected.
#[derive(Debug)]
pub(crate) struct Link {
    wire: Wire,
    /// A read, or a write, may find something. mio tells of each change once, so it is remembered; and while it is false, no
    /// system call is wasted.
    readable: bool,
    writable: bool,
    /// The peer's end has been announced, perhaps before its last octets were read; no other event will come.
    ended: bool,
}

#[derive(Debug)]
enum Wire {
    Tcp(TcpStream),
    #[cfg(unix)]
    Ipc(UnixStream),
}

impl Link {
    const fn new(wire: Wire) -> Self {
        Self { wire, readable: true, writable: true, ended: false }
    }

    /// Begins to connect.
    pub(crate) fn dial(route: Route, transport: &TransportConfig) -> Result<Self, NetworkError> {
        let stream = tcp::connect(route, transport)?;
        Ok(Self::new(Wire::Tcp(TcpStream::from_std(stream))))
    }

    /// Connects to a socket of this machine.
    #[cfg(unix)]
    pub(crate) fn ipc(name: &IpcName, transport: &TransportConfig) -> Result<Self, NetworkError> {
        let stream = ipc::connect(name, transport).map_err(|failure| error(&failure))?;
        Ok(Self::new(Wire::Ipc(UnixStream::from_std(stream))))
    }

    /// There are none.
    #[cfg(not(unix))]
    pub(crate) fn ipc(_: &IpcName, _: &TransportConfig) -> Result<Self, NetworkError> {
        Err(NetworkError::Unsupported)
    }

    /// Whether it is connected by now.
    pub(crate) fn is_connected(&self) -> Result<bool, NetworkError> {
        #[cfg_attr(not(unix), expect(clippy::infallible_destructuring_match, reason = "Unix has a second variant"))]
        let stream = match &self.wire {
            Wire::Tcp(stream) => stream,
            #[cfg(unix)]
            Wire::Ipc(_) => return Ok(true),
        };
        if let Some(failure) = stream.take_error().map_err(|failure| error(&failure))? {
            return Err(error(&failure));
        }
        match stream.peer_addr() {
            Ok(_) => Ok(true),
            Err(failure) if failure.kind() == ErrorKind::NotConnected => Ok(false),
            Err(failure) => Err(error(&failure)),
        }
    }

    /// Whose process is at the other end, if the operating system says so.
    pub(crate) fn credentials(&self) -> Option<Credentials> {
        match &self.wire {
            Wire::Tcp(_) => None,
            #[cfg(unix)]
            Wire::Ipc(stream) => credentials(stream),
        }
    }

    pub(crate) fn heard_of(&mut self, event: &mio::event::Event) {
        self.ended |= event.is_read_closed() || event.is_error();
        self.readable |= event.is_readable() || self.ended;
        self.writable |= event.is_writable() || event.is_write_closed() || event.is_error();
    }

    fn source(&mut self) -> &mut dyn Source {
        match &mut self.wire {
            Wire::Tcp(stream) => stream,
            #[cfg(unix)]
            Wire::Ipc(stream) => stream,
        }
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.source().register(registry, token, Interest::READABLE | Interest::WRITABLE)
    }

    pub(crate) fn deregister(&mut self, registry: &Registry) {
        // It closes in a moment; a failure changes nothing.
        let _ = self.source().deregister(registry);
    }
}

impl Stream for Link {
    fn read(&mut self, room: &mut [u8]) -> Result<usize, StreamError> {
        if !self.readable {
            return Err(StreamError::WouldBlock);
        }
        let result = match &mut self.wire {
            Wire::Tcp(stream) => stream.read(room),
            #[cfg(unix)]
            Wire::Ipc(stream) => stream.read(room),
        };
        self.readable = match &result {
            // Less than there was room for is all there was, and the next will be told.
            Ok(count) => *count == room.len() || self.ended,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        };
        Ok(result?)
    }

    fn write(&mut self, data: &Outbox) -> Result<usize, StreamError> {
        if !self.writable {
            return Err(StreamError::WouldBlock);
        }
        let result = data.with_io_slices(|slices| match (&mut self.wire, slices) {
            (Wire::Tcp(stream), [one]) => stream.write(one),
            (Wire::Tcp(stream), several) => stream.write_vectored(several),
            #[cfg(unix)]
            (Wire::Ipc(stream), slices) => stream.write_vectored(slices),
        });
        self.writable = !matches!(&result, Err(error) if error.kind() == ErrorKind::WouldBlock);
        Ok(result?)
    }

    fn close_write(&mut self) -> Result<(), StreamError> {
        Ok(match &self.wire {
            Wire::Tcp(stream) => stream.shutdown(Shutdown::Write),
            #[cfg(unix)]
            Wire::Ipc(stream) => stream.shutdown(Shutdown::Write),
        }?)
    }
}

/// Something that accepts connections.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Ipc {
        /// It stands before the listener, because it must be dropped before it.
        claim: ipc::Claim,
        listener: UnixListener,
        /// Where; peers have no names of their own.
        bound: Endpoint,
    },
}

impl Listener {
    /// Listens at the first of these addresses that can be listened at.
    pub(crate) fn tcp(
        addresses: Vec<SocketAddr>,
        transport: &TransportConfig,
    ) -> Result<(Self, Endpoint), NetworkError> {
        let mut failure = NetworkError::UnknownHost;
        for address in addresses {
            let listener = tcp::listen(address, transport).and_then(|listener| Ok((listener.local_addr()?, listener)));
            match listener {
                Ok((bound, listener)) => return Ok((Self::Tcp(TcpListener::from_std(listener)), bound.into())),
                Err(refusal) => failure = refusal,
            }
        }
        Err(failure)
    }

    /// Takes a listener that somebody else opened there.
    pub(crate) fn adopt(listener: Opened, transport: &TransportConfig) -> Result<(Self, Endpoint), NetworkError> {
        let (listener, bound) = StdListener::arrived(listener)?;
        let adopted = match listener {
            StdListener::Tcp(listener) => Self::Tcp(TcpListener::from_std(tcp::adopt(listener, transport)?)),
            #[cfg(unix)]
            StdListener::Unix(listener) => {
                let (listener, claim) = ipc::adopt(listener, transport)?;
                Self::Ipc { claim, listener: UnixListener::from_std(listener), bound: bound.clone() }
            }
        };
        Ok((adopted, bound))
    }

    /// Listens at a name of this machine.
    #[cfg(unix)]
    pub(crate) fn ipc(name: &IpcName, transport: &TransportConfig) -> Result<(Self, Endpoint), NetworkError> {
        let (listener, bound, claim) = ipc::bind(name, transport).map_err(|failure| error(&failure))?;
        let (listener, bound) = (UnixListener::from_std(listener), Endpoint::Ipc(bound));
        Ok((Self::Ipc { claim, listener, bound: bound.clone() }, bound))
    }

    /// There are none.
    #[cfg(not(unix))]
    pub(crate) fn ipc(_: &IpcName, _: &TransportConfig) -> Result<(Self, Endpoint), NetworkError> {
        Err(NetworkError::Unsupported)
    }

    /// The next connection; `None`: none is waiting.
    pub(crate) fn accept(&self, transport: &TransportConfig) -> Result<Option<(Link, Endpoint)>, NetworkError> {
        loop {
            let accepted = match self {
                Self::Tcp(listener) => listener.accept().map(|(stream, from)| {
                    tcp::accepted(&stream, transport);
                    (Link::new(Wire::Tcp(stream)), from.into())
                }),
                #[cfg(unix)]
                Self::Ipc { listener, bound, .. } => listener.accept().map(|(stream, _)| {
                    ipc::accepted(&stream, transport);
                    (Link::new(Wire::Ipc(stream)), bound.clone())
                }),
            };
            match accepted {
                Ok(accepted) => return Ok(Some(accepted)),
                Err(failure) if failure.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(failure) if failure.kind() == ErrorKind::Interrupted => {}
                Err(failure) => return Err(error(&failure)),
            }
        }
    }

    fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Tcp(listener) => listener,
            #[cfg(unix)]
            Self::Ipc { listener, .. } => listener,
        }
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.source().register(registry, token, Interest::READABLE)
    }

    /// Closes it. An error tells that its name was no longer its own.
    #[cfg_attr(not(unix), expect(clippy::unnecessary_wraps, reason = "a Unix domain socket may have lost its name"))]
    pub(crate) fn close(mut self, registry: &Registry) -> Result<(), NetworkError> {
        let _ = self.source().deregister(registry);
        match self {
            Self::Tcp(_) => Ok(()),
            #[cfg(unix)]
            Self::Ipc { claim, .. } => claim.release(),
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use socket2::SockRef;

    /// Of what a connection that came in does not inherit.
    #[test]
    fn both_ends_of_a_connection_have_their_options() {
        let mut transport = TransportConfig::new();
        (transport.priority, transport.send_buffer) = (Some(5), Some(30_000)); // Linux doubles the latter
        let (listener, bound) = Listener::tcp(vec!["127.0.0.1:0".parse().unwrap()], &transport).unwrap();
        let route = Route { from: None, to: bound.socket_addr().unwrap() };
        let dialled = Link::dial(route, &transport).unwrap();
        let (accepted, _) = listener.accept(&transport).unwrap().expect("over the loopback it is there at once");
        let (listener, bound) = Listener::ipc(&IpcName::Any, &transport).unwrap();
        let Endpoint::Ipc(name) = bound else { panic!("it is ipc") };
        let other = Link::ipc(&name, &transport).unwrap();
        let (another, _) = listener.accept(&transport).unwrap().expect("it is there at once");
        for link in [dialled, accepted, other, another] {
            let taken = match &link.wire {
                Wire::Tcp(stream) => SockRef::from(stream).priority().unwrap() == 5,
                Wire::Ipc(stream) => SockRef::from(stream).send_buffer_size().unwrap() == 60_000,
            };
            assert!(taken, "{link:?}");
        }
    }
}
