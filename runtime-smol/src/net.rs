//! smol as `sansmq_proto` wants to see it: tasks, the time, TCP and Unix domain sockets. It waits, and decides nothing.

use async_io::Async;
use core::cell::RefCell;
use core::fmt;
use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use futures_io::{AsyncRead, AsyncWrite};
use sansmq_os::StdListener;
#[cfg(unix)]
use sansmq_os::{credentials, ipc};
use sansmq_os::{error, tcp};
use sansmq_proto::address::{Route, TransportConfig};
use sansmq_proto::connection::Credentials;
use sansmq_proto::{Endpoint, Instant, NetworkError, Scratch};
use sansmq_runtime::{Alarm, Ambient, Opened, PollStream, Runtime, first, resolve};
use std::io::{self, IoSlice};
use std::net::{Shutdown, TcpListener, TcpStream, ToSocketAddrs};
#[cfg(unix)]
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;

/// A task that serves a socket, for an executor to run.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Some executor, the reactor of `async-io` and the threads of `blocking`, as [`Socket`](crate::Socket)s are served by
/// them.
///
/// ```
/// use sansmq_smol::{Smol, Socket};
/// use sansmq_smol::proto::{Options, kind::Router};
/// use std::sync::Arc;
///
/// let executor = Arc::new(smol::Executor::new());
/// let here = Smol::new({
///     let executor = Arc::clone(&executor);
///     move |task| executor.spawn(task).detach()
/// });
/// let router = Socket::on(&here, Options::<Router>::new());
/// let bound = smol::block_on(executor.run(router.bind("tcp://127.0.0.1:*")));
/// assert!(bound.is_ok());
/// ```
#[derive(Clone)]
pub struct Smol {
    spawn: Arc<dyn Fn(Task) + Send + Sync>,
    /// The zero of time.
    origin: std::time::Instant,
}

impl Smol {
    /// Tasks are given to `spawn`, which has some executor run them.
    pub fn new(spawn: impl Fn(Task) + Send + Sync + 'static) -> Self {
        Self { spawn: Arc::new(spawn), origin: std::time::Instant::now() }
    }
}

impl Ambient for Smol {
    /// smol's global executor.
    fn current() -> Self {
        Self::new(|task| smol::spawn(task).detach())
    }
}

impl fmt::Debug for Smol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Smol")
    }
}

impl Runtime for Smol {
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
        (self.spawn)(Box::pin(task));
    }

    fn now(&self) -> Instant {
        Instant::from_elapsed(self.origin.elapsed())
    }

    fn alarm(&self) -> Timer {
        Timer { timer: async_io::Timer::never(), origin: self.origin }
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
            let stream = ipc::connect(name, transport).and_then(Async::new_nonblocking);
            return stream.map(|stream| Io::Ipc(stream).into()).map_err(|failure| error(&failure));
        }
        first(endpoint.routes(addresses(endpoint).await?), |route| Stream::connect(route, transport)).await
    }
}

/// Names are looked up on the threads of `blocking`, never on the loop.
async fn addresses(endpoint: &Endpoint) -> Result<Vec<SocketAddr>, NetworkError> {
    resolve(endpoint, async |name, port| {
        let name = name.to_owned();
        blocking::unblock(move || (name.as_str(), port).to_socket_addrs()).await
    })
    .await
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
    Tcp(Async<TcpListener>),
    /// At a Unix domain socket.
    #[cfg(unix)]
    Ipc {
        /// The right to the name. It stands before the listener, because it must be dropped before it.
        claim: ipc::Claim,
        /// What listens.
        listener: Async<UnixListener>,
        /// Where; peers have no names of their own.
        bound: Endpoint,
    },
}

impl Listener {
    fn tcp(listener: TcpListener) -> io::Result<Self> {
        Async::new_nonblocking(listener).map(Self::Tcp)
    }

    #[cfg(unix)]
    fn ipc(listener: UnixListener, claim: ipc::Claim, bound: Endpoint) -> io::Result<Self> {
        Ok(Self::Ipc { claim, listener: Async::new_nonblocking(listener)?, bound })
    }

    async fn accept(&self, transport: &TransportConfig) -> io::Result<(Stream, Endpoint)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, from) = listener.accept().await?;
                tcp::accepted(&stream, transport);
                Ok((Io::Tcp(stream).into(), from.into()))
            }
            #[cfg(unix)]
            Self::Ipc { listener, bound, .. } => {
                let (stream, _) = listener.accept().await?;
                ipc::accepted(&stream, transport);
                Ok((Io::Ipc(stream).into(), bound.clone()))
            }
        }
    }
}

/// A connected stream.
#[derive(Debug)]
pub struct Stream {
    io: Io,
    arrived: Arrived,
}

/// What the last read tells of what there is to be read now.
#[derive(Clone, Copy, Debug)]
enum Arrived {
    Perhaps,
    /// All has been read. To read again would only tell so, at the price of a call of the system.
    Nothing,
    /// All has been read, and it was much: by the time that others have had their turn there will be more. To look then costs
    /// less than to have the reactor wait for it.
    Soon,
}

/// Whoever sends so many octets at a time is about to send more.
const MUCH: usize = 4 << 10;

#[derive(Debug)]
enum Io {
    Tcp(Async<TcpStream>),
    #[cfg(unix)]
    Ipc(Async<UnixStream>),
}

impl From<Io> for Stream {
    fn from(io: Io) -> Self {
        Self { io, arrived: Arrived::Perhaps }
    }
}

impl Stream {
    async fn connect(route: Route, transport: &TransportConfig) -> Result<Self, NetworkError> {
        let stream = tcp::connect(route, transport)?;
        let connected = async {
            let stream = Async::new_nonblocking(stream)?;
            stream.writable().await?;
            match stream.get_ref().take_error()? {
                None => Ok(Io::Tcp(stream).into()),
                Some(failure) => Err(failure),
            }
        };
        connected.await.map_err(|failure| error(&failure))
    }
}

impl PollStream for Stream {
    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        match core::mem::replace(&mut self.arrived, Arrived::Perhaps) {
            Arrived::Perhaps => {}
            Arrived::Soon => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Arrived::Nothing => {
                if self.io.poll_readable(cx)?.is_pending() {
                    self.arrived = Arrived::Nothing;
                    return Poll::Pending;
                }
            }
        }
        let count = ready!(self.io.poll_read(cx, room))?;
        self.arrived = match count {
            _ if count == room.len() => Arrived::Perhaps,
            ..MUCH => Arrived::Nothing,
            MUCH.. => Arrived::Soon,
        };
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            #[cfg(unix)]
            Io::Ipc(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }

    /// By the sockets' own call, because `poll_close` of async-io's streams only flushes.
    fn poll_close_write(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(match &self.io {
            Io::Tcp(stream) => stream.get_ref().shutdown(Shutdown::Write),
            #[cfg(unix)]
            Io::Ipc(stream) => stream.get_ref().shutdown(Shutdown::Write),
        })
    }

    fn credentials(&self) -> Option<Credentials> {
        match &self.io {
            Io::Tcp(_) => None,
            #[cfg(unix)]
            Io::Ipc(stream) => credentials(stream),
        }
    }
}

impl Io {
    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_readable(cx),
            #[cfg(unix)]
            Self::Ipc(stream) => stream.poll_readable(cx),
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, room),
            #[cfg(unix)]
            Self::Ipc(stream) => Pin::new(stream).poll_read(cx, room),
        }
    }
}

/// A timer, with the zero of time.
#[derive(Debug)]
pub struct Timer {
    timer: async_io::Timer,
    origin: std::time::Instant,
}

impl Alarm for Timer {
    fn set(&mut self, deadline: Option<Instant>) {
        match deadline.and_then(|deadline| self.origin.checked_add(deadline.since(Instant::ORIGIN))) {
            Some(deadline) => self.timer.set_at(deadline),
            None => self.timer = async_io::Timer::never(),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.timer).poll(cx).map(drop)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use socket2::SockRef;

    /// Of what a connection that came in does not inherit.
    #[test]
    fn both_ends_of_a_connection_have_their_options() {
        let here = Smol::current();
        smol::block_on(async {
            let mut transport = TransportConfig::new();
            (transport.priority, transport.send_buffer) = (Some(5), Some(30_000)); // Linux doubles the latter
            for endpoint in ["tcp://127.0.0.1:*", "ipc://*"] {
                let (mut listener, bound) = here.listen(&endpoint.parse().unwrap(), &transport).await.unwrap();
                let dialled = here.dial(&bound, &transport).await.unwrap();
                let (accepted, _) = here.accept(&mut listener, &transport).await.unwrap();
                for stream in [dialled, accepted] {
                    let taken = match &stream.io {
                        Io::Tcp(stream) => SockRef::from(stream).priority().unwrap() == 5,
                        Io::Ipc(stream) => SockRef::from(stream).send_buffer_size().unwrap() == 60_000,
                    };
                    assert!(taken, "{stream:?}");
                }
            }
        });
    }
}
