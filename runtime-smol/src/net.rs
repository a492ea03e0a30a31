//! [`Runtime`] on smol: [`Smol`], with its TCP and Unix domain socket streams, listeners and timers.

use crate::background;
use async_io::Async;
use core::fmt;
use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use futures_io::{AsyncRead, AsyncWrite};
use sansmq_os::{OpenListener, StdListener, StdStream};
#[cfg(unix)]
use sansmq_os::{credentials, ipc};
use sansmq_os::{error, tcp};
use sansmq_proto::address::TransportConfig;
use sansmq_proto::connection::Credentials;
use sansmq_proto::{Endpoint, Instant, NetworkError};
use sansmq_runtime::{
    AsyncTimer, BoundListener, CurrentRuntime, DialTimer, PollListener, PollStream, Runtime, StartError, TaskFuture,
    TimedRuntime,
};
use std::io::{self, ErrorKind, IoSlice};
use std::net::{Shutdown, TcpListener, TcpStream};
#[cfg(unix)]
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;

/// Future of one background task of a socket, such as the IO of a connection. Must be spawned on an executor, as the
/// function that is passed to [`Smol::new`] does.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runtime on which [`Socket`](crate::Socket)s run. Tasks run on an executor; IO and timers use the reactor of
/// `async-io`.
///
/// For smol's global executor: `Smol::new(|task| smol::spawn(task).detach())`. With an executor of your own:
///
/// ```
/// use sansmq::smol::{Smol, Socket};
/// use sansmq::{Options, kind::Router};
/// use std::sync::Arc;
///
/// let executor = Arc::new(smol::Executor::new());
/// let runtime = Smol::new({
///     let executor = Arc::clone(&executor);
///     move |task| executor.spawn(task).detach()
/// });
/// let router = Socket::on(&runtime, Options::<Router>::new());
/// let bound = smol::block_on(executor.run(router.bind("tcp://127.0.0.1:*")));
/// assert!(bound.is_ok());
/// ```
#[derive(Clone)]
pub struct Smol {
    spawn: Arc<dyn Fn(Task) + Send + Sync>,
    /// Time at which [`Smol::new`] was called, which is [`Instant::ORIGIN`] for all sockets on this runtime. Their
    /// [`Instant`]s count the time since then.
    origin: std::time::Instant,
}

impl Smol {
    /// Returns a timer that is not set. Needed only by callers that create and spawn a [`TaskFuture`] themselves.
    pub fn timer(&self) -> SmolTimer {
        SmolTimer { timer: async_io::Timer::never(), origin: self.origin }
    }

    /// Creates a runtime that passes each background task of its sockets to `spawn`, which must run the task on an
    /// executor.
    pub fn new(spawn: impl Fn(Task) + Send + Sync + 'static) -> Self {
        Self { spawn: Arc::new(spawn), origin: std::time::Instant::now() }
    }
}

impl CurrentRuntime for Smol {
    /// Returns a runtime on the background thread of this crate, which the first call starts.
    fn try_current() -> Result<Self, StartError> {
        background::start()?;
        Ok(Self::new(background::spawn))
    }
}

impl fmt::Debug for Smol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Smol")
    }
}

impl Runtime for Smol {
    type Stream = SmolStream;
    type Listener = SmolListener;

    fn spawn(&self, task: sansmq_runtime::Task<Self>) {
        (self.spawn)(Box::pin(TaskFuture::new(task, self.timer())));
    }

    fn now(&self) -> Instant {
        Instant::from_elapsed(self.origin.elapsed())
    }

    async fn listen(
        self,
        endpoint: Endpoint,
        transport: TransportConfig,
    ) -> Result<(SmolListener, Endpoint), NetworkError> {
        let open = sansmq_os::listen(&endpoint, &transport).await?;
        let bound = open.bound.clone();
        Ok((SmolListener::new(open)?, bound))
    }

    fn take_listener(
        &self,
        listener: BoundListener,
        transport: &TransportConfig,
    ) -> Result<SmolListener, NetworkError> {
        SmolListener::new(OpenListener::from_listener(listener, transport)?)
    }

    async fn dial(
        self,
        endpoint: Endpoint,
        transport: TransportConfig,
        timer: DialTimer,
    ) -> Result<SmolStream, NetworkError> {
        sansmq_os::dial(&endpoint, &transport, SmolStream::established, &timer).await
    }
}

impl TimedRuntime for Smol {
    type Timer = SmolTimer;

    fn new_timer(&self) -> Result<SmolTimer, NetworkError> {
        Ok(self.timer())
    }
}

/// TCP or Unix domain socket listener, registered with the reactor of `async-io`.
#[derive(Debug)]
pub enum SmolListener {
    /// Listener of a `tcp` endpoint.
    Tcp(Async<TcpListener>),
    /// Listener of an `ipc` endpoint, which is a Unix domain socket.
    #[cfg(unix)]
    Ipc {
        /// Ownership of the socket file. Dropping the claim removes the file, which must happen while the listener is
        /// still open. So this field is declared before `listener`, because Rust drops fields in the order of their
        /// declaration.
        claim: Option<ipc::Claim>,
        /// Listener of the standard library, made asynchronous by `async-io`.
        listener: Async<UnixListener>,
        /// Endpoint to which the listener is bound. Also reported as the address of every peer, because peers that
        /// connect by a Unix domain socket have no address of their own.
        bound: Endpoint,
    },
}

impl SmolListener {
    fn new(open: OpenListener) -> Result<Self, NetworkError> {
        let listener = match open.listener {
            StdListener::Tcp(listener) => Async::new_nonblocking(listener).map(Self::Tcp),
            #[cfg(unix)]
            StdListener::Unix(listener) => Async::new_nonblocking(listener).map(|listener| Self::Ipc {
                claim: open.claim,
                listener,
                bound: open.bound,
            }),
        };
        listener.map_err(|failure| error(&failure))
    }

    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(listener) => listener.poll_readable(cx),
            #[cfg(unix)]
            Self::Ipc { listener, .. } => listener.poll_readable(cx),
        }
    }

    fn accept(&self, transport: &TransportConfig) -> io::Result<(SmolStream, Endpoint)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, from) = listener.get_ref().accept()?;
                tcp::accepted(&stream, transport);
                Ok((Io::Tcp(Async::new(stream)?).into(), from.into()))
            }
            #[cfg(unix)]
            Self::Ipc { listener, bound, .. } => {
                let (stream, _) = listener.get_ref().accept()?;
                ipc::accepted(&stream, transport);
                Ok((Io::Ipc(Async::new(stream)?).into(), bound.clone()))
            }
        }
    }
}

impl PollListener for SmolListener {
    type Stream = SmolStream;

    fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
        transport: &TransportConfig,
    ) -> Poll<Result<(SmolStream, Endpoint), NetworkError>> {
        loop {
            match self.accept(transport) {
                Err(failure) if failure.kind() == ErrorKind::WouldBlock => {}
                Err(failure) if failure.kind() == ErrorKind::Interrupted => continue,
                accepted => return Poll::Ready(accepted.map_err(|failure| error(&failure))),
            }
            ready!(self.poll_readable(cx)).map_err(|failure| error(&failure))?;
        }
    }

    fn close(self) -> Result<(), NetworkError> {
        match self {
            Self::Tcp(_) => Ok(()),
            #[cfg(unix)]
            Self::Ipc { claim, .. } => claim.map_or(Ok(()), ipc::Claim::release),
        }
    }
}

/// Connected TCP or Unix domain socket stream, registered with the reactor of `async-io`.
#[derive(Debug)]
pub struct SmolStream {
    io: Io,
    arrived: Arrived,
}

/// Prediction whether the next read of a stream will find input, based on the number of bytes that the last read
/// returned.
#[derive(Clone, Copy, Debug)]
enum Arrived {
    Perhaps,
    /// No input is expected: the last read returned fewer than [`MUCH`] bytes and did not fill its buffer. The next
    /// read first waits until the stream is readable, because an attempt to read at once would be a wasted system call.
    Nothing,
    /// More input is expected soon: the last read returned at least [`MUCH`] bytes, but did not fill its buffer. The
    /// next read returns `Pending` once and wakes its task at once, so that the executor first runs the other ready
    /// tasks. This costs less than waiting through the reactor.
    Soon,
}

/// Minimum number of bytes in one read that is taken as a sign that more input arrives soon; see [`Arrived::Soon`].
const MUCH: usize = 4 << 10;

#[derive(Debug)]
enum Io {
    Tcp(Async<TcpStream>),
    #[cfg(unix)]
    Ipc(Async<UnixStream>),
}

impl From<Io> for SmolStream {
    fn from(io: Io) -> Self {
        Self { io, arrived: Arrived::Perhaps }
    }
}

impl SmolStream {
    /// Registers `stream` with the reactor of `async-io`, and waits until the stream is connected.
    async fn established(stream: StdStream) -> Result<Self, NetworkError> {
        let connected = async {
            match stream {
                StdStream::Tcp(stream) => {
                    let stream = Async::new_nonblocking(stream)?;
                    stream.writable().await?;
                    stream.get_ref().take_error()?.map_or(Ok(Io::Tcp(stream).into()), Err)
                }
                #[cfg(unix)]
                StdStream::Unix(stream) => Ok(Io::Ipc(Async::new_nonblocking(stream)?).into()),
            }
        };
        connected.await.map_err(|failure| error(&failure))
    }
}

impl PollStream for SmolStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
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
        let count = ready!(self.io.poll_read(cx, buffer))?;
        self.arrived = match count {
            _ if count == buffer.len() => Arrived::Perhaps,
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

    fn poll_close_write(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // `poll_close` of async-io's streams only flushes, so `shutdown` is called directly.
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

    fn remote_address(&self) -> Option<SocketAddr> {
        match &self.io {
            Io::Tcp(stream) => stream.get_ref().peer_addr().ok(),
            #[cfg(unix)]
            Io::Ipc(_) => None,
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

    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            #[cfg(unix)]
            Self::Ipc(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

/// Timer that wakes one background task of a socket at the task's deadline, on a [`Smol`] runtime.
#[derive(Debug)]
pub struct SmolTimer {
    timer: async_io::Timer,
    origin: std::time::Instant,
}

impl AsyncTimer for SmolTimer {
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
    use core::future::poll_fn;
    use socket2::SockRef;

    /// Tests that the connecting and the accepted stream of a connection both have the configured options. Uses options
    /// that Linux does not copy from a listener to the connections that it accepts: the priority for TCP, and the
    /// buffer size for Unix domain sockets.
    #[test]
    fn options_are_set_on_both_ends_of_a_connection() {
        let runtime = Smol::current();
        smol::block_on(async {
            let mut transport = TransportConfig::new();
            (transport.priority, transport.send_buffer) = (Some(5), Some(30_000)); // Linux doubles the latter
            for endpoint in ["tcp://127.0.0.1:*", "ipc://*"] {
                let (mut listener, bound) =
                    runtime.clone().listen(endpoint.parse().unwrap(), transport.clone()).await.unwrap();
                let dialled = runtime.clone().dial(bound, transport.clone(), DialTimer::default()).await.unwrap();
                let (accepted, _) = poll_fn(|cx| listener.poll_accept(cx, &transport)).await.unwrap();
                for stream in [dialled, accepted] {
                    let is_set = match &stream.io {
                        Io::Tcp(stream) => SockRef::from(stream).priority().unwrap() == 5,
                        Io::Ipc(stream) => SockRef::from(stream).send_buffer_size().unwrap() == 60_000,
                    };
                    assert!(is_set, "{stream:?}");
                }
            }
        });
    }
}
