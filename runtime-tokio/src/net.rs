//! [`Runtime`] on tokio: [`Tokio`], with its TCP and Unix domain socket streams, listeners and timers.

use core::net::SocketAddr;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, ready};
use sansmq_os::{OpenListener, StdListener, StdStream};
#[cfg(unix)]
use sansmq_os::{credentials, ipc};
use sansmq_os::{error, tcp};
use sansmq_proto::address::TransportConfig;
use sansmq_proto::connection::Credentials;
use sansmq_proto::{Endpoint, Instant, NetworkError};
use sansmq_runtime::{
    AsyncTimer, BoundListener, Budget, CurrentRuntime, DialTimer, PollListener, PollStream, Runtime, StartError, Task,
    TaskFuture, TimedRuntime,
};
use std::io::{self, IoSlice};
use std::panic::{AssertUnwindSafe, catch_unwind};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{self, coop};
use tokio::time::{self, Sleep};

/// tokio runtime on which [`Socket`](crate::Socket)s run. IO and time must be enabled (`enable_all`). Without IO, `bind`
/// and each dial fail with [`NetworkError::NoIoDriver`]; after a failed dial, `send` and `recv` fail too. Without time,
/// every method of a socket fails with [`NetworkError::NoTimeDriver`]. The errors name what to enable. If panics abort the
/// process (`panic = "abort"`), the panic of tokio ends it instead, with a text that names the same.
#[derive(Clone, Debug)]
pub struct Tokio {
    runtime: tokio::runtime::Handle,
    /// Moment at which this value was created. This moment is the time zero, [`Instant::ORIGIN`], of the sockets on
    /// this runtime.
    origin: time::Instant,
}

impl CurrentRuntime for Tokio {
    /// Returns the tokio runtime in which the caller runs.
    fn try_current() -> Result<Self, StartError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| StartError::NoRuntime("tokio"))?;
        Ok(Self { runtime, origin: time::Instant::now() })
    }
}

/// Returns `Pending`, and schedules the current task to be polled again, if tokio's budget of the task is used up.
fn poll_budget(cx: &mut Context<'_>) -> Poll<()> {
    if coop::has_budget_remaining() { Poll::Ready(()) } else { pin!(coop::consume_budget()).poll(cx) }
}

/// Subtracts one unit from tokio's budget of the current task.
fn spend_budget(cx: &mut Context<'_>) {
    let _ = pin!(coop::consume_budget()).poll(cx);
}

impl Runtime for Tokio {
    type Stream = TokioStream;
    type Listener = TokioListener;

    const BUDGET: Budget = Budget::PerTask { poll: poll_budget, spend: spend_budget };

    fn spawn(&self, task: Task<Self>) {
        let _guard = self.runtime.enter();
        match self.new_timer() {
            Ok(timer) => drop(self.runtime.spawn(TaskFuture::new(task, timer))),
            Err(error) => task.fail(error),
        }
    }

    fn requeue(&self, cx: &mut Context<'_>) {
        // A task that only wakes itself would be polled about 60 times before the future of `block_on`, which may wait for the
        // messages of this task. `yield_now` defers the task.
        let _ = pin!(task::yield_now()).poll(cx);
    }

    fn now(&self) -> Instant {
        Instant::from_elapsed(self.origin.elapsed())
    }

    async fn listen(
        self,
        endpoint: Endpoint,
        transport: TransportConfig,
    ) -> Result<(TokioListener, Endpoint), NetworkError> {
        let open = sansmq_os::listen(&endpoint, &transport).await?;
        let bound = open.bound.clone();
        Ok((TokioListener::new(open)?, bound))
    }

    fn take_listener(
        &self,
        listener: BoundListener,
        transport: &TransportConfig,
    ) -> Result<TokioListener, NetworkError> {
        let _guard = self.runtime.enter();
        TokioListener::new(OpenListener::from_listener(listener, transport)?)
    }

    async fn dial(
        self,
        endpoint: Endpoint,
        transport: TransportConfig,
        timer: DialTimer,
    ) -> Result<TokioStream, NetworkError> {
        sansmq_os::dial(&endpoint, &transport, TokioStream::established, &timer).await
    }
}

impl TimedRuntime for Tokio {
    type Timer = TokioTimer;

    fn new_timer(&self) -> Result<TokioTimer, NetworkError> {
        let _guard = self.runtime.enter();
        let sleep = with_driver(|| Box::pin(time::sleep_until(self.origin))).ok_or(NetworkError::NoTimeDriver)?;
        Ok(TokioTimer { sleep, origin: self.origin })
    }
}

/// Calls `work`, which uses IO or timers of the current tokio runtime. Returns `None` if these are not enabled in the
/// runtime.
// tokio panics in that case, and has no call to find out before. A panic in the task of a dial or listener would leave the
// application waiting.
fn with_driver<R>(work: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}

/// Calls `register`, which registers a stream or listener with the current tokio runtime.
///
/// # Errors
/// [`NetworkError::NoIoDriver`] if IO is not enabled in the runtime.
fn register<R>(register: impl FnOnce() -> io::Result<R>) -> Result<io::Result<R>, NetworkError> {
    with_driver(register).ok_or(NetworkError::NoIoDriver)
}

/// TCP or Unix domain socket listener, registered with a tokio runtime.
#[derive(Debug)]
pub enum TokioListener {
    /// Listener of a `tcp` endpoint.
    Tcp(TcpListener),
    /// Listener of an `ipc` endpoint, which is a Unix domain socket.
    #[cfg(unix)]
    Ipc {
        /// Ownership of the socket file. Dropping the claim removes the file, which must happen while the listener is
        /// still open. Therefore this field is declared before `listener`: fields are dropped in the order of their
        /// declaration.
        claim: Option<ipc::Claim>,
        /// Unix domain socket listener of tokio, which accepts the connections.
        listener: UnixListener,
        /// Endpoint to which the listener is bound. Also reported as the address of every peer, because peers that
        /// connect by a Unix domain socket have no address of their own.
        bound: Endpoint,
    },
}

impl TokioListener {
    fn new(open: OpenListener) -> Result<Self, NetworkError> {
        let listener =
            match open.listener {
                StdListener::Tcp(listener) => register(|| TcpListener::from_std(listener))?.map(Self::Tcp),
                #[cfg(unix)]
                StdListener::Unix(listener) => register(|| UnixListener::from_std(listener))?
                    .map(|listener| Self::Ipc { claim: open.claim, listener, bound: open.bound }),
            };
        listener.map_err(|failure| error(&failure))
    }
}

impl PollListener for TokioListener {
    type Stream = TokioStream;

    fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
        transport: &TransportConfig,
    ) -> Poll<Result<(TokioStream, Endpoint), NetworkError>> {
        let accepted = match self {
            Self::Tcp(listener) => ready!(listener.poll_accept(cx)).map(|(stream, from)| {
                tcp::accepted(&stream, transport);
                (TokioStream::Tcp(stream), from.into())
            }),
            #[cfg(unix)]
            Self::Ipc { listener, bound, .. } => ready!(listener.poll_accept(cx)).map(|(stream, _)| {
                ipc::accepted(&stream, transport);
                (TokioStream::Ipc(stream), bound.clone())
            }),
        };
        Poll::Ready(accepted.map_err(|failure| error(&failure)))
    }

    fn close(self) -> Result<(), NetworkError> {
        match self {
            Self::Tcp(_) => Ok(()),
            #[cfg(unix)]
            Self::Ipc { claim, .. } => claim.map_or(Ok(()), ipc::Claim::release),
        }
    }
}

/// Connected TCP or Unix domain socket stream, registered with a tokio runtime.
#[derive(Debug)]
pub enum TokioStream {
    /// Stream of a `tcp` connection.
    Tcp(TcpStream),
    /// Stream of an `ipc` connection, which is a Unix domain socket.
    #[cfg(unix)]
    Ipc(UnixStream),
}

impl TokioStream {
    /// Registers `stream` with the current tokio runtime, and waits until the stream is connected.
    async fn established(stream: StdStream) -> Result<Self, NetworkError> {
        let registered = match stream {
            StdStream::Tcp(stream) => register(|| TcpStream::from_std(stream))?.map(Self::Tcp),
            #[cfg(unix)]
            StdStream::Unix(stream) => register(|| UnixStream::from_std(stream))?.map(Self::Ipc),
        };
        let connected = async {
            let stream = registered?;
            match &stream {
                Self::Tcp(stream) => {
                    stream.writable().await?;
                    if let Some(error) = stream.take_error()? {
                        return Err(error);
                    }
                }
                #[cfg(unix)]
                Self::Ipc(_) => {}
            }
            Ok(stream)
        };
        connected.await.map_err(|failure| error(&failure))
    }
}

impl PollStream for TokioStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        let poll = match self {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, &mut buffer),
            #[cfg(unix)]
            Self::Ipc(stream) => Pin::new(stream).poll_read(cx, &mut buffer),
        };
        poll.map_ok(|()| buffer.filled().len())
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

    fn remote_address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.peer_addr().ok(),
            #[cfg(unix)]
            Self::Ipc(_) => None,
        }
    }
}

/// Timer that wakes one background task of a socket at the task's deadline, on a tokio runtime.
#[derive(Debug)]
pub struct TokioTimer {
    sleep: Pin<Box<Sleep>>,
    origin: time::Instant,
}

impl AsyncTimer for TokioTimer {
    fn set(&mut self, deadline: Option<Instant>) {
        match deadline {
            Some(deadline) => self.sleep.as_mut().reset(self.origin + deadline.since(Instant::ORIGIN)),
            // A new `Sleep` is not registered with the runtime. A registered one would make the runtime read the clock on each
            // pass of its loop.
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
    use core::future::poll_fn;
    use socket2::SockRef;

    /// Tests that the connecting and the accepted stream of a connection both have the configured options. Uses options
    /// that Linux does not copy from a listener to the connections that it accepts: the priority for TCP, and the
    /// buffer size for Unix domain sockets.
    #[tokio::test]
    async fn options_are_set_on_both_ends_of_a_connection() {
        let runtime = Tokio::current();
        let mut transport = TransportConfig::new();
        (transport.priority, transport.send_buffer) = (Some(5), Some(30_000)); // Linux doubles the latter
        for endpoint in ["tcp://127.0.0.1:*", "ipc://*"] {
            let (mut listener, bound) =
                runtime.clone().listen(endpoint.parse().unwrap(), transport.clone()).await.unwrap();
            let dialled = runtime.clone().dial(bound, transport.clone(), DialTimer::default()).await.unwrap();
            let (accepted, _) = poll_fn(|cx| listener.poll_accept(cx, &transport)).await.unwrap();
            for stream in [dialled, accepted] {
                let is_set = match &stream {
                    TokioStream::Tcp(stream) => SockRef::from(stream).priority().unwrap() == 5,
                    TokioStream::Ipc(stream) => SockRef::from(stream).send_buffer_size().unwrap() == 60_000,
                };
                assert!(is_set, "{stream:?}");
            }
        }
    }
}
