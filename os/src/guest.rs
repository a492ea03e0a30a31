//! Listeners and streams of the operating system for a [`Guest`]: TCP, and Unix domain sockets on Unix. With them, a hand-written
//! event loop needs a poller only:
//!
//! ```
//! use sansmq::os::guest::{SystemGuest, dial, listen, resolve};
//! use sansmq::proto::guest::{Deadline, Output};
//! use sansmq::proto::Instant;
//!
//! /// Does the work that is possible now. Returns the latest time of the next call.
//! fn work(guest: &mut SystemGuest, now: Instant) -> Option<Deadline> {
//!     loop {
//!         match guest.poll(now) {
//!             Output::Listen(key, endpoint) => guest.listening(key, listen(&endpoint, &guest.transport(key))),
//!             Output::Accept(key, listener) => {
//!                 let accepted = listener.accept();
//!                 guest.accepted(key, accepted);
//!             }
//!             Output::Resolve(key, endpoint) => guest.resolved(key, resolve(&endpoint)),
//!             Output::Dial(key, target) => guest.dialled(key, dial(&target, &guest.transport(key))),
//!             Output::Wait(deadline) => return deadline,
//!             _ => {} // for pollers that keep a list of streams
//!         }
//!     }
//! }
//! ```

use crate::{OpenListener, StdListener, StdStream, error, tcp};
#[cfg(unix)]
use crate::{credentials, ipc};
use sansmq_proto::address::TransportConfig;
use sansmq_proto::connection::{Credentials, Outbox};
use sansmq_proto::guest::{Guest, Target};
use sansmq_proto::{Endpoint, NetworkError, Stream, StreamError};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
#[cfg(unix)]
use std::os::fd::{AsFd, BorrowedFd};
#[cfg(windows)]
use std::os::windows::io::{AsSocket, BorrowedSocket};
use std::vec;

/// Guest with listeners and streams of the operating system.
pub type SystemGuest = Guest<SystemStream, SystemListener>;

/// Non-blocking stream of the operating system, connected or still connecting.
#[derive(Debug)]
pub struct SystemStream(StdStream);

/// Non-blocking listener of the operating system. Its drop removes the file of a Unix domain socket.
#[derive(Debug)]
pub struct SystemListener {
    open: OpenListener,
    transport: TransportConfig,
}

/// Opens a listener, for [`Output::Listen`](sansmq_proto::guest::Output::Listen). `transport` has the options of the socket:
/// [`Guest::transport`]. Returns the listener with the endpoint to which it is bound.
///
/// Blocks if the host is a name that must be looked up; an address, a wildcard, and the name of a network interface are not.
///
/// # Errors
/// [`NetworkError::UnknownHost`], or the error of the last address of the host.
pub fn listen(endpoint: &Endpoint, transport: &TransportConfig) -> Result<(SystemListener, Endpoint), NetworkError> {
    let open = match OpenListener::without_lookup(endpoint, transport) {
        Some(outcome) => outcome?,
        None => OpenListener::at_first(resolve(endpoint)?, transport)?,
    };
    let bound = open.bound.clone();
    Ok((SystemListener { open, transport: transport.clone() }, bound))
}

/// Looks the host of an endpoint up, for [`Output::Resolve`](sansmq_proto::guest::Output::Resolve).
///
/// Blocks, possibly for seconds. A loop that must never block calls this function on another thread, or awaits
/// [`lookup_addresses`](crate::lookup_addresses) there, and answers later.
///
/// # Errors
/// [`NetworkError::UnknownHost`]; [`NetworkError::Unsupported`] if the transport is not TCP.
pub fn resolve(endpoint: &Endpoint) -> Result<vec::IntoIter<SocketAddr>, NetworkError> {
    endpoint.host_and_port()?.to_socket_addrs().map_err(|_| NetworkError::UnknownHost)
}

/// Begins to connect, for [`Output::Dial`](sansmq_proto::guest::Output::Dial). `transport` has the options of the socket:
/// [`Guest::transport`]. Does not block.
///
/// # Errors
/// The error of the operating system, if the attempt has failed at once. [`NetworkError::NoIpc`] for Unix domain sockets on other
/// systems than Unix.
pub fn dial(target: &Target, transport: &TransportConfig) -> Result<SystemStream, NetworkError> {
    match target {
        Target::Tcp(route) => tcp::connect(*route, transport).map(StdStream::Tcp).map(SystemStream),
        #[cfg(unix)]
        Target::Ipc(name) => ipc::connect(name, transport).map(StdStream::Unix).map(SystemStream),
        #[cfg(not(unix))]
        Target::Ipc(_) => Err(NetworkError::NoIpc),
    }
}

impl SystemListener {
    /// Accepts a connection, for [`Output::Accept`](sansmq_proto::guest::Output::Accept). Returns it with the address of the peer.
    /// A peer that connects by a Unix domain socket has no address; its address is that of the listener.
    ///
    /// # Errors
    /// [`StreamError::WouldBlock`] if there is no connection; otherwise the error of the operating system.
    pub fn accept(&self) -> Result<(SystemStream, Endpoint), StreamError> {
        match &self.open.listener {
            StdListener::Tcp(listener) => {
                let (stream, from) = listener.accept().map_err(stream_error)?;
                stream.set_nonblocking(true).map_err(stream_error)?;
                tcp::accepted(&stream, &self.transport);
                Ok((SystemStream(StdStream::Tcp(stream)), from.into()))
            }
            #[cfg(unix)]
            StdListener::Unix(listener) => {
                let (stream, _) = listener.accept().map_err(stream_error)?;
                stream.set_nonblocking(true).map_err(stream_error)?;
                ipc::accepted(&stream, &self.transport);
                Ok((SystemStream(StdStream::Unix(stream)), self.open.bound.clone()))
            }
        }
    }

    /// Closes the listener. Its drop has the same effect, but returns no error.
    ///
    /// # Errors
    /// [`NetworkError::PathReplaced`]: the file of the Unix domain socket was removed or replaced by another file, which is not
    /// removed. Report it with [`Socket::listener_close_failed`](sansmq_proto::Socket::listener_close_failed).
    pub fn close(self) -> Result<(), NetworkError> {
        #[cfg(unix)]
        if let Some(claim) = self.open.claim {
            // The name is released before the listener is closed.
            return claim.release();
        }
        Ok(())
    }
}

impl Stream for SystemStream {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, StreamError> {
        let outcome = match &mut self.0 {
            StdStream::Tcp(stream) => stream.read(buffer),
            #[cfg(unix)]
            StdStream::Unix(stream) => stream.read(buffer),
        };
        outcome.map_err(stream_error)
    }

    fn write(&mut self, data: &Outbox) -> Result<usize, StreamError> {
        let outcome = data.with_io_slices(|slices| match &mut self.0 {
            StdStream::Tcp(stream) => stream.write_vectored(slices),
            #[cfg(unix)]
            StdStream::Unix(stream) => stream.write_vectored(slices),
        });
        outcome.map_err(stream_error)
    }

    fn close_write(&mut self) -> Result<(), StreamError> {
        let outcome = match &self.0 {
            StdStream::Tcp(stream) => stream.shutdown(Shutdown::Write),
            #[cfg(unix)]
            StdStream::Unix(stream) => stream.shutdown(Shutdown::Write),
        };
        outcome.map_err(stream_error)
    }

    fn established(&mut self) -> Result<(), StreamError> {
        match &self.0 {
            StdStream::Tcp(stream) => connected(stream).map_err(stream_error),
            #[cfg(unix)]
            StdStream::Unix(_) => Ok(()),
        }
    }

    fn credentials(&self) -> Option<Credentials> {
        match &self.0 {
            StdStream::Tcp(_) => None,
            #[cfg(unix)]
            StdStream::Unix(stream) => credentials(stream),
        }
    }

    fn remote_address(&self) -> Option<SocketAddr> {
        match &self.0 {
            StdStream::Tcp(stream) => stream.peer_addr().ok(),
            #[cfg(unix)]
            StdStream::Unix(_) => None,
        }
    }
}

/// Returns the outcome of an attempt to connect, or the error `WouldBlock` while it is in progress: a loop may report a stream as
/// ready without knowing that it is.
fn connected(stream: &TcpStream) -> io::Result<()> {
    if let Some(failure) = stream.take_error()? {
        return Err(failure);
    }
    match stream.peer_addr() {
        Err(failure) if failure.kind() == ErrorKind::NotConnected => Err(ErrorKind::WouldBlock.into()),
        outcome => outcome.map(drop),
    }
}

fn stream_error(failure: io::Error) -> StreamError {
    let exact = error(&failure);
    match StreamError::from(failure) {
        StreamError::Failed(_) => exact.into(),
        other => other,
    }
}

#[cfg(unix)]
impl AsFd for SystemStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.0 {
            StdStream::Tcp(stream) => stream.as_fd(),
            StdStream::Unix(stream) => stream.as_fd(),
        }
    }
}

#[cfg(unix)]
impl AsFd for SystemListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.open.listener {
            StdListener::Tcp(listener) => listener.as_fd(),
            StdListener::Unix(listener) => listener.as_fd(),
        }
    }
}

#[cfg(windows)]
impl AsSocket for SystemStream {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        match &self.0 {
            StdStream::Tcp(stream) => stream.as_socket(),
        }
    }
}

#[cfg(windows)]
impl AsSocket for SystemListener {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        match &self.open.listener {
            StdListener::Tcp(listener) => listener.as_socket(),
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use sansmq_proto::guest::{Output, SocketId, Source};
    use sansmq_proto::kind::{Pull, Push};
    use sansmq_proto::{Event, Instant, Options, Socket, SystemEntropy};
    use socket2::SockRef;
    use std::time::{self, Duration};

    fn guest(socket: Socket) -> (SystemGuest, SocketId) {
        let mut guest = SystemGuest::new();
        let id = guest.add(socket);
        (guest, id)
    }

    /// Does the work that is possible now, without a poller.
    fn work(guest: &mut SystemGuest, now: Instant) {
        guest.all_ready();
        loop {
            match guest.poll(now) {
                Output::Listen(key, endpoint) => guest.listening(key, listen(&endpoint, &guest.transport(key))),
                Output::Accept(key, listener) => {
                    let accepted = listener.accept();
                    guest.accepted(key, accepted);
                }
                Output::Resolve(key, endpoint) => guest.resolved(key, resolve(&endpoint)),
                Output::Dial(key, target) => guest.dialled(key, dial(&target, &guest.transport(key))),
                Output::StopListening(_, listener) => listener.close().expect("the file was not replaced"),
                Output::Wait(_) => return,
                _ => {}
            }
        }
    }

    /// Works on both guests until `outcome` returns a value.
    fn until<R>(guests: [&mut SystemGuest; 2], mut outcome: impl FnMut([&mut SystemGuest; 2]) -> Option<R>) -> R {
        let start = time::Instant::now();
        let [one, other] = guests;
        while start.elapsed() < Duration::from_secs(20) {
            let now = Instant::from_elapsed(start.elapsed());
            work(one, now);
            work(other, now);
            if let Some(outcome) = outcome([one, other]) {
                return outcome;
            }
            std::thread::yield_now();
        }
        panic!("the condition was not met")
    }

    /// The options are some that Linux does not copy from a listener to the connections that it accepts: the priority for TCP, and
    /// the buffer size for Unix domain sockets.
    #[test]
    fn options_are_set_on_both_ends_of_a_connection() {
        for endpoint in ["tcp://127.0.0.1:*", "tcp://localhost:*", "ipc://*"] {
            let (mut server, pull) =
                guest(Socket::new(Options::<Pull>::new().priority(5).send_buffer(30_000).unwrap(), SystemEntropy));
            let (mut client, push) =
                guest(Socket::new(Options::<Push>::new().priority(5).send_buffer(30_000).unwrap(), SystemEntropy));
            let listener = server.socket_mut(pull).unwrap().bind(endpoint.parse().unwrap());
            let bound =
                until([&mut server, &mut client], |[server, _]| server.socket(pull)?.listener(listener)).unwrap();
            client.socket_mut(push).unwrap().connect(bound.clone(), Instant::ORIGIN).unwrap();
            client.socket_mut(push).unwrap().send("hello").unwrap();
            let received = until([&mut server, &mut client], |[server, _]| server.socket_mut(pull)?.recv().ok());
            assert_eq!(received.body(), "hello");
            for guest in [&server, &client] {
                let mut streams = guest.watched().filter_map(|(_, source, _)| match source {
                    Source::Stream(stream) => Some(stream),
                    Source::Listener(_) => None,
                });
                let is_set = streams.any(|stream| match &stream.0 {
                    StdStream::Tcp(stream) => SockRef::from(stream).priority().unwrap() == 5,
                    StdStream::Unix(stream) => SockRef::from(stream).send_buffer_size().unwrap() == 60_000, // Linux doubles it
                });
                assert!(is_set, "{endpoint}");
            }
            let is_file = matches!(bound, Endpoint::Ipc(_));
            let path = bound.to_string().trim_start_matches("ipc://").to_owned();
            assert_eq!(std::fs::exists(&path).unwrap(), is_file, "{path}");
            server.socket_mut(pull).unwrap().close(Instant::ORIGIN);
            until([&mut server, &mut client], |[server, _]| server.remove(pull));
            assert!(!std::fs::exists(&path).unwrap(), "the file is removed");
        }
    }

    /// A stream that is reported as ready before its attempt has ended is not connected yet.
    #[test]
    fn refused_dial_has_failed_and_was_never_connected() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (mut client, push) = guest(Socket::new(Options::<Push>::new(), SystemEntropy));
        let (mut other, _) = guest(Socket::new(Options::<Pull>::new(), SystemEntropy));
        let socket = client.socket_mut(push).unwrap();
        socket.monitor(true);
        socket.connect(free.into(), Instant::ORIGIN).unwrap();
        let error = until([&mut client, &mut other], |[client, _]| match client.socket_mut(push)?.poll_event()? {
            Event::ConnectFailed { error, .. } => Some(error),
            Event::Connected { .. } => panic!("nothing listens"),
            _ => None,
        });
        assert_eq!(error, NetworkError::Refused);
    }
}
