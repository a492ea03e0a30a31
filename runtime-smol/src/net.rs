//! smol as `sansmq_proto` wants to see it: tasks, the time, TCP. It waits, and decides nothing.

use async_io::Async;
use core::cell::RefCell;
use core::fmt;
use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll};
use futures_io::{AsyncRead, AsyncWrite};
use sansmq_proto::{Alarm, Ambient, Endpoint, Instant, NetworkError, PollStream, Runtime, first, resolve};
use std::io::{self, IoSlice};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
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
    type Stream = Tcp;
    type Listener = Async<TcpListener>;
    type Alarm = Timer;

    fn with_scratch<T>(work: impl FnOnce(&mut [u8]) -> T) -> T {
        thread_local! {
            static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; 64 << 10].into());
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

    async fn listen(&self, endpoint: &Endpoint) -> Result<(Async<TcpListener>, Endpoint), NetworkError> {
        first(addresses(endpoint).await?, async |address| {
            let listener = Async::<TcpListener>::bind(address)?;
            let bound = listener.get_ref().local_addr()?;
            Ok((listener, bound.into()))
        })
        .await
    }

    async fn accept(&self, listener: &mut Async<TcpListener>) -> Result<(Tcp, Endpoint), NetworkError> {
        let (stream, from) = listener.accept().await.map_err(|error| error.kind())?;
        Ok((Tcp::new(stream), from.into()))
    }

    async fn dial(&self, endpoint: &Endpoint) -> Result<Tcp, NetworkError> {
        first(addresses(endpoint).await?, async |address| Ok(Tcp::new(Async::<TcpStream>::connect(address).await?)))
            .await
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

/// A TCP stream.
#[derive(Debug)]
pub struct Tcp(Async<TcpStream>);

impl Tcp {
    fn new(stream: Async<TcpStream>) -> Self {
        // Small messages must not wait for one another; batching is done above. A failure costs only time.
        let _ = stream.get_ref().set_nodelay(true);
        Self(stream)
    }
}

impl PollStream for Tcp {
    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, room)
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, slices)
    }

    fn poll_close_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
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
