//! TCP and Unix domain socket streams and listeners of a reactor.

use crate::sources::{Registered, Sources};
use core::future::poll_fn;
use core::task::{Context, Poll, ready};
use mio::Interest;
use mio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use mio::net::{UnixListener, UnixStream};
use sansmq_os::{OpenListener, StdListener, StdStream};
#[cfg(unix)]
use sansmq_os::{credentials, ipc};
use sansmq_os::{error, tcp};
use sansmq_proto::address::TransportConfig;
use sansmq_proto::connection::Credentials;
use sansmq_proto::{Endpoint, NetworkError};
use sansmq_runtime::{PollListener, PollStream};
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;

/// Connected TCP or Unix domain socket stream, registered with the `mio::Poll` of a reactor.
#[derive(Debug)]
pub(crate) enum MioStream {
    Tcp(Registered<TcpStream>),
    #[cfg(unix)]
    Ipc(Registered<UnixStream>),
}

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

impl MioStream {
    /// Registers `stream` with the reactor, and waits until the stream is connected.
    pub(crate) async fn established(sources: Arc<Sources>, stream: StdStream) -> Result<Self, NetworkError> {
        match stream {
            StdStream::Tcp(stream) => {
                let stream = Registered::new(&sources, TcpStream::from_std(stream), BOTH)?;
                let outcome = poll_fn(|cx| stream.poll_attempt(cx, Interest::WRITABLE, connected)).await;
                outcome.map_err(|failure| error(&failure))?;
                Ok(Self::Tcp(stream))
            }
            #[cfg(unix)]
            StdStream::Unix(stream) => Registered::new(&sources, UnixStream::from_std(stream), BOTH).map(Self::Ipc),
        }
    }
}

/// Returns the outcome of an attempt to connect, or the error `WouldBlock` while the attempt is in progress.
fn connected(stream: &TcpStream) -> io::Result<()> {
    if let Some(failure) = stream.take_error()? {
        return Err(failure);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(()),
        Err(failure) if failure.kind() == ErrorKind::NotConnected => Err(ErrorKind::WouldBlock.into()),
        Err(failure) => Err(failure),
    }
}

impl PollStream for MioStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let len = buffer.len();
        match self {
            Self::Tcp(stream) => stream.poll_read(cx, len, |stream| stream.read(buffer)),
            #[cfg(unix)]
            Self::Ipc(stream) => stream.poll_read(cx, len, |stream| stream.read(buffer)),
        }
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match (self, slices) {
            (Self::Tcp(stream), [one]) => stream.poll_write(cx, |stream| stream.write(one)),
            (Self::Tcp(stream), several) => stream.poll_write(cx, |stream| stream.write_vectored(several)),
            #[cfg(unix)]
            (Self::Ipc(stream), slices) => stream.poll_write(cx, |stream| stream.write_vectored(slices)),
        }
    }

    fn poll_close_write(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(match self {
            Self::Tcp(stream) => stream.get_ref().shutdown(Shutdown::Write),
            #[cfg(unix)]
            Self::Ipc(stream) => stream.get_ref().shutdown(Shutdown::Write),
        })
    }

    fn credentials(&self) -> Option<Credentials> {
        match self {
            Self::Tcp(_) => None,
            #[cfg(unix)]
            Self::Ipc(stream) => credentials(stream.get_ref()),
        }
    }

    fn remote_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.get_ref().peer_addr().ok(),
            #[cfg(unix)]
            Self::Ipc(_) => None,
        }
    }
}

/// TCP or Unix domain socket listener, registered with the `mio::Poll` of a reactor.
#[derive(Debug)]
pub(crate) struct MioListener {
    /// Ownership of the file of a Unix domain socket; `None` for TCP. Dropping the claim removes the file, which must
    /// happen while the listener is still open. Therefore this field is declared before `inner`: fields are dropped in
    /// the order of their declaration.
    #[cfg(unix)]
    claim: Option<ipc::Claim>,
    inner: Inner,
    /// Endpoint to which the listener is bound. Also reported as the address of peers that connect by a Unix domain
    /// socket, because such peers have no address of their own.
    #[cfg(unix)]
    bound: Endpoint,
    sources: Arc<Sources>,
}

#[derive(Debug)]
enum Inner {
    Tcp(Registered<TcpListener>),
    #[cfg(unix)]
    Ipc(Registered<UnixListener>),
}

impl MioListener {
    pub(crate) fn new(sources: &Arc<Sources>, open: OpenListener) -> Result<Self, NetworkError> {
        let inner = match open.listener {
            StdListener::Tcp(listener) => {
                Registered::new(sources, TcpListener::from_std(listener), Interest::READABLE).map(Inner::Tcp)
            }
            #[cfg(unix)]
            StdListener::Unix(listener) => {
                Registered::new(sources, UnixListener::from_std(listener), Interest::READABLE).map(Inner::Ipc)
            }
        };
        Ok(Self {
            #[cfg(unix)]
            claim: open.claim,
            inner: inner?,
            #[cfg(unix)]
            bound: open.bound,
            sources: Arc::clone(sources),
        })
    }
}

impl PollListener for MioListener {
    type Stream = MioStream;

    fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
        transport: &TransportConfig,
    ) -> Poll<Result<(MioStream, Endpoint), NetworkError>> {
        let failed = |failure| error(&failure);
        Poll::Ready(match &self.inner {
            Inner::Tcp(listener) => {
                let accepted = ready!(listener.poll_attempt(cx, Interest::READABLE, TcpListener::accept));
                accepted.map_err(failed).and_then(|(stream, from)| {
                    tcp::accepted(&stream, transport);
                    Ok((MioStream::Tcp(Registered::new(&self.sources, stream, BOTH)?), from.into()))
                })
            }
            #[cfg(unix)]
            Inner::Ipc(listener) => {
                let accepted = ready!(listener.poll_attempt(cx, Interest::READABLE, UnixListener::accept));
                accepted.map_err(failed).and_then(|(stream, _)| {
                    ipc::accepted(&stream, transport);
                    Ok((MioStream::Ipc(Registered::new(&self.sources, stream, BOTH)?), self.bound.clone()))
                })
            }
        })
    }

    fn close(self) -> Result<(), NetworkError> {
        #[cfg(unix)]
        if let Some(claim) = self.claim {
            // The name is released before the listener is closed.
            return claim.release();
        }
        Ok(())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::reactor::Reactor;
    use core::task::Waker;
    use sansmq_runtime::{DialTimer, Runtime};
    use socket2::SockRef;

    /// Tests that the connecting and the accepted stream of a connection both have the configured options. Uses options
    /// that Linux does not copy from a listener to the connections that it accepts: the priority for TCP, and the
    /// buffer size for Unix domain sockets.
    #[test]
    fn options_are_set_on_both_ends_of_a_connection() {
        let poll = mio::Poll::new().unwrap();
        let waker = Arc::new(mio::Waker::new(poll.registry(), mio::Token(usize::MAX)).unwrap());
        let runtime = Reactor::new(poll.registry(), 0..9, waker).unwrap().remote().runtime;
        let mut transport = TransportConfig::new();
        (transport.priority, transport.send_buffer) = (Some(5), Some(30_000)); // Linux doubles the latter
        let cx = &mut Context::from_waker(Waker::noop());
        for endpoint in ["tcp://127.0.0.1:*", "ipc://*"] {
            let mut listening = Box::pin(runtime.clone().listen(endpoint.parse().unwrap(), transport.clone()));
            let Poll::Ready(Ok((mut listener, bound))) = listening.as_mut().poll(cx) else {
                panic!("listening must complete at once")
            };
            let mut dialling = Box::pin(runtime.clone().dial(bound, transport.clone(), DialTimer::default()));
            // Over the loopback interface, a connection is made at once.
            let Poll::Ready(Ok(dialled)) = dialling.as_mut().poll(cx) else {
                panic!("connecting must complete at once")
            };
            let Poll::Ready(Ok((accepted, _))) = listener.poll_accept(cx, &transport) else {
                panic!("accepting must complete at once")
            };
            for stream in [dialled, accepted] {
                let is_set = match &stream {
                    MioStream::Tcp(stream) => SockRef::from(stream.get_ref()).priority().unwrap() == 5,
                    MioStream::Ipc(stream) => SockRef::from(stream.get_ref()).send_buffer_size().unwrap() == 60_000,
                };
                assert!(is_set, "{stream:?}");
            }
        }
    }
}
