//! Streams and listeners as the operating system has them, with what is known of their readiness.

use mio::event::Source;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use sansmq_proto::{Credentials, Endpoint, IpcName, NetworkError, Stream};
use std::io::{self, ErrorKind, IoSlice, Read, Write};
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
}

impl Link {
    const fn new(wire: Wire) -> Self {
        Self { wire, readable: true, writable: true, ended: false }
    }

    /// Begins to connect.
    pub(crate) fn dial(address: SocketAddr) -> Result<Self, NetworkError> {
        let stream = TcpStream::connect(address).map_err(|error| error.kind())?;
        Ok(Self::new(Wire::Tcp(stream)))
    }

    /// Connects to a socket of this machine.
    pub(crate) fn ipc(_: &IpcName) -> Result<Self, NetworkError> {
        Err(NetworkError::Unsupported)
    }

    /// Whether it is connected by now.
    pub(crate) fn is_connected(&self) -> Result<bool, NetworkError> {
        let Wire::Tcp(stream) = &self.wire;
        if let Some(error) = stream.take_error().map_err(|error| error.kind())? {
            return Err(error.kind().into());
        }
        match stream.peer_addr() {
            Ok(_) => {
                // Small messages must not wait for one another; batching is done above. A failure costs only time.
                let _ = stream.set_nodelay(true);
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
            Err(error) => Err(error.kind().into()),
        }
    }

    /// Whose process is at the other end, if the operating system says so.
    pub(crate) fn credentials(&self) -> Option<Credentials> {
        let Wire::Tcp(_) = &self.wire;
        None
    }

    pub(crate) fn heard_of(&mut self, event: &mio::event::Event) {
        self.ended |= event.is_read_closed() || event.is_error();
        self.readable |= event.is_readable() || self.ended;
        self.writable |= event.is_writable() || event.is_write_closed() || event.is_error();
    }

    fn source(&mut self) -> &mut dyn Source {
        let Wire::Tcp(stream) = &mut self.wire;
        stream
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
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        if !self.readable {
            return Err(ErrorKind::WouldBlock.into());
        }
        let Wire::Tcp(stream) = &mut self.wire;
        let result = stream.read(room);
        self.readable = match &result {
            // Less than there was room for is all there was, and the next will be told.
            Ok(count) => *count == room.len() || self.ended,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        };
        result
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if !self.writable {
            return Err(ErrorKind::WouldBlock.into());
        }
        let Wire::Tcp(stream) = &mut self.wire;
        let result = match slices {
            [one] => stream.write(one),
            several => stream.write_vectored(several),
        };
        self.writable = !matches!(&result, Err(error) if error.kind() == ErrorKind::WouldBlock);
        result
    }

    fn close_write(&mut self) -> io::Result<()> {
        let Wire::Tcp(stream) = &self.wire;
        stream.shutdown(Shutdown::Write)
    }
}

/// Something that accepts connections.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
}

impl Listener {
    /// Listens at the first of these addresses that can be listened at.
    pub(crate) fn tcp(addresses: Vec<SocketAddr>) -> Result<(Self, Endpoint), NetworkError> {
        let mut failure = NetworkError::UnknownHost;
        for address in addresses {
            let listener = TcpListener::bind(address).and_then(|listener| Ok((listener.local_addr()?, listener)));
            match listener {
                Ok((bound, listener)) => return Ok((Self::Tcp(listener), bound.into())),
                Err(error) => failure = error.kind().into(),
            }
        }
        Err(failure)
    }

    /// Listens at a name of this machine.
    pub(crate) fn ipc(_: &IpcName) -> Result<(Self, Endpoint), NetworkError> {
        Err(NetworkError::Unsupported)
    }

    /// The next connection; `None`: none is waiting.
    pub(crate) fn accept(&self) -> Result<Option<(Link, Endpoint)>, NetworkError> {
        let Self::Tcp(listener) = self;
        loop {
            match listener.accept() {
                Ok((stream, from)) => {
                    let _ = stream.set_nodelay(true);
                    return Ok(Some((Link::new(Wire::Tcp(stream)), from.into())));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.kind().into()),
            }
        }
    }

    fn source(&mut self) -> &mut dyn Source {
        let Self::Tcp(listener) = self;
        listener
    }

    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.source().register(registry, token, Interest::READABLE)
    }

    #[expect(clippy::unnecessary_wraps, reason = "names of files can be lost")]
    /// Closes it. An error tells that its name was no longer its own.
    pub(crate) fn close(mut self, registry: &Registry) -> Result<(), NetworkError> {
        let _ = self.source().deregister(registry);
        Ok(())
    }
}
