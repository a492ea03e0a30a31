//! tokio as `sansmq_proto` wants to see it: tasks, the time, TCP. It waits, and decides nothing.

use core::cell::RefCell;
use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll};
use sansmq_proto::{Alarm, Ambient, Endpoint, Instant, NetworkError, PollStream, Runtime, first, resolve};
use std::io::{self, IoSlice};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, lookup_host};
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
    type Stream = Tcp;
    type Listener = TcpListener;
    type Alarm = Timer;

    fn with_scratch<T>(work: impl FnOnce(&mut [u8]) -> T) -> T {
        thread_local! {
            static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; 64 << 10].into());
        }
        SCRATCH.with_borrow_mut(|scratch| work(scratch))
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(task);
    }

    fn now(&self) -> Instant {
        Instant::from_elapsed(self.origin.elapsed())
    }

    fn alarm(&self) -> Timer {
        Timer { sleep: Box::pin(time::sleep_until(self.origin)), origin: self.origin }
    }

    async fn listen(&self, endpoint: &Endpoint) -> Result<(TcpListener, Endpoint), NetworkError> {
        first(addresses(endpoint).await?, async |address| {
            let listener = TcpListener::bind(address).await?;
            let bound = listener.local_addr()?;
            Ok((listener, bound.into()))
        })
        .await
    }

    async fn accept(&self, listener: &mut TcpListener) -> Result<(Tcp, Endpoint), NetworkError> {
        let (stream, from) = listener.accept().await.map_err(|error| error.kind())?;
        Ok((Tcp::new(stream), from.into()))
    }

    async fn dial(&self, endpoint: &Endpoint) -> Result<Tcp, NetworkError> {
        first(addresses(endpoint).await?, async |address| Ok(Tcp::new(TcpStream::connect(address).await?))).await
    }
}

/// Names are looked up on tokio's blocking threads, never on the loop.
async fn addresses(endpoint: &Endpoint) -> Result<Vec<SocketAddr>, NetworkError> {
    resolve(endpoint, async |name, port| lookup_host((name, port)).await.map(Vec::from_iter)).await
}

/// A TCP stream.
#[derive(Debug)]
pub struct Tcp(TcpStream);

impl Tcp {
    fn new(stream: TcpStream) -> Self {
        // Small messages must not wait for one another; batching is done above. A failure costs only time.
        let _ = stream.set_nodelay(true);
        Self(stream)
    }
}

impl PollStream for Tcp {
    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut room = ReadBuf::new(room);
        let poll = Pin::new(&mut self.0).poll_read(cx, &mut room);
        poll.map_ok(|()| room.filled().len())
    }

    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match slices {
            [one] => Pin::new(&mut self.0).poll_write(cx, one),
            several => Pin::new(&mut self.0).poll_write_vectored(cx, several),
        }
    }

    fn poll_close_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
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
