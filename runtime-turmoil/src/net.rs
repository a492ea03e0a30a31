//! [`Runtime`] on turmoil: [`Turmoil`], with its TCP streams, listeners and timers.

use core::cell::RefCell;
use core::fmt;
use core::hash::{BuildHasher, BuildHasherDefault};
use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use sansmq_proto::address::TransportConfig;
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::{Endpoint, Entropy, Instant, NetworkError};
use sansmq_runtime::{
    AsyncTimer, BoundListener, CurrentRuntime, DialTimer, PollListener, PollStream, Runtime, StartError, Task,
    TaskFuture,
};
use std::hash::DefaultHasher;
use std::io::{self, ErrorKind, IoSlice};
use std::sync::Arc;
use std::thread;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{self, Sleep};
use turmoil::net::{TcpListener, TcpStream};

thread_local! {
    static DICE: RefCell<SeededEntropy> = const { RefCell::new(SeededEntropy::new(0)) };
}

/// Determines the random values of all sockets that are created on this thread from now on, on any host: those of reconnect
/// delays, routing ids and keys. Call it before each simulation. Default: 0.
pub fn seed(seed: u64) {
    DICE.set(SeededEntropy::new(seed));
}

/// Host of a turmoil simulation, on which [`Socket`](crate::Socket)s run.
#[derive(Clone, Debug)]
pub struct Turmoil {
    host: tokio::runtime::Handle,
    /// Moment at which this value was created. This moment is the time zero, [`Instant::ORIGIN`], of the sockets on
    /// this runtime.
    origin: time::Instant,
}

impl CurrentRuntime for Turmoil {
    /// Returns the host with the software that calls this function.
    fn try_current() -> Result<Self, StartError> {
        match tokio::runtime::Handle::try_current() {
            Ok(host) if turmoil::in_simulation() => Ok(Self { host, origin: time::Instant::now() }),
            _ => Err(StartError::NoRuntime("turmoil")),
        }
    }
}

impl Runtime for Turmoil {
    type Stream = TurmoilStream;
    type Listener = TurmoilListener;

    fn spawn(&self, task: Task<Self>) {
        let _guard = self.host.enter();
        let timer = TurmoilTimer { sleep: Box::pin(time::sleep_until(self.origin)), origin: self.origin };
        drop(self.host.spawn(TaskFuture::new(task, timer)));
    }

    fn now(&self) -> Instant {
        Instant::from_elapsed(self.origin.elapsed())
    }

    fn entropy(&self) -> impl Entropy + 'static {
        DICE.with_borrow_mut(|dice| SeededEntropy::new(dice.next_u64()))
    }

    /// Returns a number that differs for each thread, because each simulation runs on one thread.
    fn network(&self) -> u64 {
        BuildHasherDefault::<DefaultHasher>::default().hash_one(thread::current().id())
    }

    async fn listen(self, endpoint: Endpoint, _: TransportConfig) -> Result<(TurmoilListener, Endpoint), NetworkError> {
        let listener = TcpListener::bind(endpoint.host_and_port()?).await.map_err(|failure| error(&failure))?;
        let bound = listener.local_addr()?.into();
        Ok((TurmoilListener { listener: Arc::new(listener), accepting: None }, bound))
    }

    fn take_listener(&self, _: BoundListener, _: &TransportConfig) -> Result<TurmoilListener, NetworkError> {
        Err(NetworkError::Unsupported)
    }

    async fn dial(self, endpoint: Endpoint, _: TransportConfig, _: DialTimer) -> Result<TurmoilStream, NetworkError> {
        let stream = TcpStream::connect(endpoint.host_and_port()?).await;
        stream.map(TurmoilStream).map_err(|failure| error(&failure))
    }
}

fn error(failure: &io::Error) -> NetworkError {
    match failure.kind() {
        ErrorKind::NotFound => NetworkError::UnknownHost,
        kind => kind.into(),
    }
}

/// TCP listener on a host of a turmoil simulation.
pub struct TurmoilListener {
    listener: Arc<TcpListener>,
    /// Future that accepts the next connection, which turmoil has only as an async function; `None` before the first
    /// poll.
    accepting: Option<Accepting>,
}

type Accepting = Pin<Box<dyn Future<Output = io::Result<(TcpStream, SocketAddr)>> + Send>>;

impl PollListener for TurmoilListener {
    type Stream = TurmoilStream;

    fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
        _: &TransportConfig,
    ) -> Poll<Result<(TurmoilStream, Endpoint), NetworkError>> {
        let listener = &self.listener;
        let accepting = self.accepting.get_or_insert_with(|| {
            let listener = Arc::clone(listener);
            Box::pin(async move { listener.accept().await })
        });
        let accepted = ready!(accepting.as_mut().poll(cx));
        self.accepting = None;
        Poll::Ready(accepted.map(|(stream, from)| (TurmoilStream(stream), from.into())).map_err(|it| error(&it)))
    }
}

impl fmt::Debug for TurmoilListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TurmoilListener").field(&self.listener.local_addr()).finish()
    }
}

/// TCP stream between two hosts of a turmoil simulation.
#[derive(Debug)]
pub struct TurmoilStream(TcpStream);

impl PollStream for TurmoilStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        Pin::new(&mut self.0).poll_read(cx, &mut buffer).map_ok(|()| buffer.filled().len())
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        // turmoil sends each write as a segment of its own, of any size.
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        Pin::new(&mut self.0).poll_write(cx, &bytes)
    }

    fn poll_close_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn remote_address(&self) -> Option<SocketAddr> {
        self.0.peer_addr().ok()
    }
}

/// Timer that wakes one background task of a socket at the task's deadline, by the clock of its host.
#[derive(Debug)]
pub struct TurmoilTimer {
    sleep: Pin<Box<Sleep>>,
    origin: time::Instant,
}

impl AsyncTimer for TurmoilTimer {
    fn set(&mut self, deadline: Option<Instant>) {
        match deadline {
            Some(deadline) => self.sleep.as_mut().reset(self.origin + deadline.since(Instant::ORIGIN)),
            // A new `Sleep` is not registered with the runtime of the host, so it does not wake the task.
            None => self.sleep.set(time::sleep_until(self.origin)),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.sleep.as_mut().poll(cx)
    }
}
