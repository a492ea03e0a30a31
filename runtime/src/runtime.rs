//! [`Runtime`]: what a runtime provides so that sockets can live on it.

use crate::bound_listener::BoundListener;
use crate::context::Context as SocketContext;
use crate::handle::{Handle, new_socket_with_entropy};
use crate::task::Task;
use core::cell::RefCell;
use core::future::Future;
use core::net::SocketAddr;
use core::task::{Context, Poll};
use sansmq_proto::address::TransportConfig;
use sansmq_proto::connection::Credentials;
use sansmq_proto::kind::Kind;
use sansmq_proto::{Endpoint, Entropy, Instant, NetworkError, Options, SessionBuffers, SystemEntropy};
use std::io::{self, IoSlice};

/// What a runtime provides so that sockets can live on it: spawning, the time, and a network.
///
/// An implementation waits, and decides nothing. `sansmq-tokio`, `sansmq-smol` and `sansmq-mio` are three.
pub trait Runtime: Clone + Send + Sync + 'static {
    /// A connected byte stream.
    type Stream: PollStream + 'static;
    /// A listener.
    type Listener: PollListener<Stream = Self::Stream> + 'static;

    /// Lends the memory that sessions need while they are polled: the thread's own, unless a runtime has another.
    fn with_buffers<T>(work: impl FnOnce(&mut SessionBuffers) -> T) -> T {
        thread_local! {
            static BUFFERS: RefCell<SessionBuffers> = RefCell::default();
        }
        BUFFERS.with_borrow_mut(|buffers| work(buffers))
    }

    /// Runs a task in the background. Must not poll it before it returns.
    fn spawn(&self, task: Task<Self>);

    /// Has a task polled again after all other tasks that are ready.
    fn again(&self, cx: &mut Context<'_>) {
        cx.waker().wake_by_ref();
    }

    /// Returns the time, which never goes backwards.
    fn now(&self) -> Instant;

    /// Returns the random source of a new socket: that of the operating system, except in a simulation with a seed.
    fn entropy(&self) -> impl Entropy + 'static {
        SystemEntropy
    }

    /// Opens a listener and returns it with its bound endpoint. Host names are looked up without blocking, and every address
    /// is tried. An option of `transport` that the operating system rejects is an error.
    fn listen(
        self,
        endpoint: Endpoint,
        transport: TransportConfig,
    ) -> impl Future<Output = Result<(Self::Listener, Endpoint), NetworkError>> + Send;

    /// Takes over a listener that is already open. Its name is not removed when it is closed.
    ///
    /// # Errors
    /// The listener is of a kind that this runtime does not know, or does not listen, or the operating system rejects an
    /// option of `transport`.
    fn from_listener(
        &self,
        listener: BoundListener,
        transport: &TransportConfig,
    ) -> Result<Self::Listener, NetworkError>;

    /// Connects. Host names are looked up anew each time, without blocking, and every [route](Endpoint::routes) to their
    /// addresses is tried. An option of `transport` that the operating system rejects is an error.
    fn dial(
        self,
        endpoint: Endpoint,
        transport: TransportConfig,
    ) -> impl Future<Output = Result<Self::Stream, NetworkError>> + Send;
}

/// A timer for a [`TaskFuture`](crate::TaskFuture).
pub trait AsyncTimer: Send {
    /// Sets the timer, or clears it. A cleared timer must cost nothing.
    fn set(&mut self, deadline: Option<Instant>);

    /// Ready at the deadline or a little later. Not called while the timer is cleared.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// A byte stream of a [`Runtime`]. A call that returns `Pending` has the task woken when it is worth repeating.
pub trait PollStream: Send {
    /// Reads bytes into `buffer` and returns their number; 0 means the end of the stream.
    ///
    /// # Errors
    /// Any error ends the connection.
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes bytes of several slices and returns their number.
    ///
    /// # Errors
    /// Any error ends the connection.
    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;

    /// Ends the sending direction.
    ///
    /// # Errors
    /// Any error ends the connection.
    fn poll_close_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Returns the credentials of the peer's process, where the operating system reports them.
    fn credentials(&self) -> Option<Credentials> {
        None
    }
}

/// A listener of a [`Runtime`].
pub trait PollListener: Send {
    /// The streams that it accepts.
    type Stream;

    /// Accepts a connection and returns it with the peer's address. The connection gets the options of `transport`; an
    /// option that the operating system rejects was an error of the listener already.
    ///
    /// # Errors
    /// Accepting pauses, and is repeated.
    fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
        transport: &TransportConfig,
    ) -> Poll<Result<(Self::Stream, Endpoint), NetworkError>>;

    /// Closes the listener.
    ///
    /// # Errors
    /// The listener is closed, but its name had been taken over or removed.
    fn close(self) -> Result<(), NetworkError>
    where
        Self: Sized,
    {
        drop(self);
        Ok(())
    }
}

/// Spawns the first task of a socket on `runtime`. The socket's `inproc` names and shared ports are those of `context`.
pub fn spawn_socket<T: Kind, R: Runtime>(options: Options<T>, context: &SocketContext, runtime: &R) -> Handle<T> {
    let clock = runtime.clone();
    let (handle, driver) = new_socket_with_entropy(options, context, move || clock.now(), runtime.entropy());
    runtime.spawn(Task::new(driver, runtime.clone()));
    handle
}

/// Returns the addresses of an endpoint. `lookup` returns those of a host name, and must not block.
///
/// # Errors
/// [`NetworkError::UnknownHost`] if the name has none; [`NetworkError::Unsupported`] if the endpoint is not one of TCP.
pub async fn lookup_addresses<A: IntoIterator<Item = SocketAddr>>(
    endpoint: &Endpoint,
    lookup: impl AsyncFn(&str, u16) -> io::Result<A>,
) -> Result<Vec<SocketAddr>, NetworkError> {
    if let Some(address) = endpoint.socket_addr() {
        return Ok(vec![address]);
    }
    let (name, port) = endpoint.host_and_port()?;
    match lookup(&name, port).await {
        Ok(addresses) => Ok(addresses.into_iter().collect()),
        Err(_) => Err(NetworkError::UnknownHost),
    }
}
