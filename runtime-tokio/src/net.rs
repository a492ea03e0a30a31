//! tokio as `sansmq_proto` wants to see it: tasks, the time, TCP and Unix domain sockets. It waits, and decides nothing.

use core::cell::RefCell;
use core::net::SocketAddr;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use sansmq_os::StdListener;
#[cfg(unix)]
use sansmq_os::{credentials, ipc};
use sansmq_os::{error, tcp};
use sansmq_proto::address::{Route, TransportConfig};
use sansmq_proto::connection::Credentials;
use sansmq_proto::{Endpoint, Instant, NetworkError, Scratch};
use sansmq_runtime::{Alarm, Ambient, Opened, PollStream, Runtime, first, resolve};
use std::io::{self, IoSlice};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, lookup_host};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};
use tokio::task;
use tokio::time::{self, Sleep};

/// A tokio runtime with IO and time enabled, as [`Socket`](crate::Socket)s are served by it.
#[derive(Clone, Debug)]
pub struct Tokio {
    runtime: tokio::runtime::Handle,
    /// The zero of time.
    origin: time::Instant,
}

impl Ambient for Tokio {
    /// The runtime this is called in.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    fn current() -> Self {
        Self { runtime: tokio::runtime::Handle::current(), origin: time::Instant::now() }
    }
}

impl Runtime for Tokio {
    type Stream = Stream;
    type Listener = Listener;
    type Alarm = Timer;

    fn with_scratch<T>(work: impl FnOnce(&mut Scratch) -> T) -> T {
        thread_local! {
            static SCRATCH: RefCell<Scratch> = RefCell::default();
        }
        SCRATCH.with_borrow_mut(|scratch| work(scratch))
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(task);
    }

    /// A task that wakes itself is polled some sixty times before the future of `block_on` has its turn, and that may be
    /// what waits for our messages. One that yields is not.
    fn again(&self, cx: &mut Context<'_>) {
        let _ = pin!(task::yield_now()).poll(cx);
    }

    fn now(&self) -> Instant {
        Instant::from_elapsed(self.origin.elapsed())
    }

    fn alarm(&self) -> Timer {
        Timer { sleep: Box::pin(time::sleep_until(self.origin)), origin: self.origin }
    }

    async fn listen(
        &self,
        endpoint: &Endpoint,
        transport: &TransportConfig,
    ) -> Result<(Listener, Endpoint), NetworkError> {
        #[cfg(unix)]
        if let Endpoint::Ipc(name) = endpoint {
            return listen_ipc(name, transport).map_err(|failure| error(&failure));
        }
        first(addresses(endpoint).await?, |address| async move {
            let listener = tcp::listen(address, transport)?;
            let bound = listener.local_addr()?;
            Ok((Listener::tcp(listener).map_err(|failure| error(&failure))?, bound.into()))
        })
        .await
    }

    fn adopt(&self, listener: Opened, transport: &TransportConfig) -> Result<Listener, NetworkError> {
        #[cfg_attr(not(unix), expect(unused_variables, reason = "a TCP listener has its own endpoint"))]
        let (listener, endpoint) = StdListener::arrived(listener)?;
        let adopted = match listener {
            StdListener::Tcp(listener) => Listener::tcp(tcp::adopt(listener, transport)?),
            #[cfg(unix)]
            StdListener::Unix(listener) => {
                let (listener, claim) = ipc::adopt(listener, transport)?;
                Listener::ipc(listener, claim, endpoint)
            }
        };
        adopted.map_err(|failure| error(&failure))
    }

    async fn accept(
        &self,
        listener: &mut Listener,
        transport: &TransportConfig,
    ) -> Result<(Stream, Endpoint), NetworkError> {
        listener.accept(transport).await.map_err(|failure| error(&failure))
    }

    fn close(&self, listener: Listener) -> Result<(), NetworkError> {
        match listener {
            Listener::Tcp(_) => Ok(()),
            #[cfg(unix)]
            Listener::Ipc { claim, .. } => claim.release(),
        }
    }

    async fn dial(&self, endpoint: &Endpoint, transport: &TransportConfig) -> Result<Stream, NetworkError> {
        #[cfg(unix)]
        if let Endpoint::Ipc(name) = endpoint {
            let stream = ipc::connect(name, transport).and_then(UnixStream::from_std);
            return stream.map(Stream::Ipc).map_err(|failure| error(&failure));
        }
        first(endpoint.routes(addresses(endpoint).await?), |route| Stream::connect(route, transport)).await
    }
}

/// Names are looked up on tokio's blocking threads, never on the loop.
async fn addresses(endpoint: &Endpoint) -> Result<Vec<SocketAddr>, NetworkError> {
    resolve(endpoint, async |name, port| lookup_host((name, port)).await.map(Vec::from_iter)).await
}

#[cfg(unix)]
fn listen_ipc(name: &sansmq_proto::address::IpcName, transport: &TransportConfig) -> io::Result<(Listener, Endpoint)> {
    let (listener, bound, claim) = ipc::bind(name, transport)?;
    let bound = Endpoint::Ipc(bound);
    Ok((Listener::ipc(listener, claim, bound.clone())?, bound))
}

/// Something that listens.
#[derive(Debug)]
pub enum Listener {
    /// At a TCP port.
    Tcp(TcpListener),
    /// At a Unix domain socket.
    #[cfg(unix)]
    Ipc {
        /// The right to the name. It stands before the listener, because it must be dropped before it.
        claim: ipc::Claim,
        /// What listens.
        listener: UnixListener,
        /// Where; peers have no names of their own.
        bound: Endpoint,
    },
}

impl Listener {
    fn tcp(listener: std::net::TcpListener) -> io::Result<Self> {
        TcpListener::from_std(listener).map(Self::Tcp)
    }

    #[cfg(unix)]
    fn ipc(listener: std::os::unix::net::UnixListener, claim: ipc::Claim, bound: Endpoint) -> io::Result<Self> {
        Ok(Self::Ipc { claim, listener: UnixListener::from_std(listener)?, bound })
    }

    async fn accept(&self, transport: &TransportConfig) -> io::Result<(Stream, Endpoint)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, from) = listener.accept().await?;
                tcp::accepted(&stream, transport);
                Ok((Stream::Tcp(stream), from.into()))
            }
            #[cfg(unix)]
            Self::Ipc { listener, bound, .. } => {
                let (stream, _) = listener.accept().await?;
                ipc::accepted(&stream, transport);
                Ok((Stream::Ipc(stream), bound.clone()))
            }
        }
    }
}

/// A connected stream.
#[derive(Debug)]
pub enum Stream {
    /// Over TCP.
    Tcp(TcpStream),
    /// Through a Unix domain socket.
    #[cfg(unix)]
    Ipc(UnixStream),
}

impl Stream {
    async fn connect(route: Route, transport: &TransportConfig) -> Result<Self, NetworkError> {
        let stream = tcp::connect(route, transport)?;
        let connected = async {
            let stream = TcpStream::from_std(stream)?;
            stream.writable().await?;
            match stream.take_error()? {
                None => Ok(Self::Tcp(stream)),
                Some(failure) => Err(failure),
            }
        };
        connected.await.map_err(|failure| error(&failure))
    }
}

impl PollStream for Stream {
    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut room = ReadBuf::new(room);
        let poll = match self {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, &mut room),
            #[cfg(unix)]
            Self::Ipc(stream) => Pin::new(stream).poll_read(cx, &mut room),
        };
        poll.map_ok(|()| room.filled().len())
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match (self, slices) {
            (Self::Tcp(stream), [one]) => Pin::new(stream).poll_write(cx, one),
            (Self::Tcp(stream), several) => Pin::new(stream).poll_write_vectored(cx, several),
            #[cfg(unix)]
            (Self::Ipc(stream), slices) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    fn poll_close_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            #[cfg(unix)]
            Self::Ipc(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn credentials(&self) -> Option<Credentials> {
        match self {
            Self::Tcp(_) => None,
            #[cfg(unix)]
            Self::Ipc(stream) => credentials(stream),
        }
    }
}

/// A timer, with the zero of time.
#[derive(Debug)]
pub struct Timer {
    sleep: Pin<Box<Sleep>>,
    origin: time::Instant,
}

impl Alarm for Timer {
    fn set(&mut self, deadline: Option<Instant>) {
        match deadline {
            Some(deadline) => self.sleep.as_mut().reset(self.origin + deadline.since(Instant::ORIGIN)),
            // A new one is not on the runtime's list, where it would cost every pass of the loop a look at the clock.
            None => self.sleep.set(time::sleep_until(self.origin)),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.sleep.as_mut().poll(cx)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use socket2::SockRef;

    /// Of what a connection that came in does not inherit.
    #[tokio::test]
    async fn both_ends_of_a_connection_have_their_options() {
        let here = Tokio::current();
        let mut transport = TransportConfig::new();
        (transport.priority, transport.send_buffer) = (Some(5), Some(30_000)); // Linux doubles the latter
        for endpoint in ["tcp://127.0.0.1:*", "ipc://*"] {
            let (mut listener, bound) = here.listen(&endpoint.parse().unwrap(), &transport).await.unwrap();
            let dialled = here.dial(&bound, &transport).await.unwrap();
            let (accepted, _) = here.accept(&mut listener, &transport).await.unwrap();
            for stream in [dialled, accepted] {
                let taken = match &stream {
                    Stream::Tcp(stream) => SockRef::from(stream).priority().unwrap() == 5,
                    Stream::Ipc(stream) => SockRef::from(stream).send_buffer_size().unwrap() == 60_000,
                };
                assert!(taken, "{stream:?}");
            }
        }
    }
}
