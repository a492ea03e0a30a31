//! [`Runtime`]: the interface that an async runtime or event loop implements to run sockets.

use crate::bound_listener::BoundListener;
use crate::budget::Budget;
use crate::context::Context as SocketContext;
use crate::handle::{Handle, new_socket_with_entropy};
use crate::process::ProcessId;
use crate::race::DialTimer;
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

/// Interface that an async runtime or event loop implements to run sockets. It provides the spawning of tasks, the
/// time, and a network.
///
/// An implementation waits and does IO; `sansmq-proto` implements the protocol. Examples are `sansmq-tokio`,
/// `sansmq-smol` and `sansmq-mio`; `sansmq-turmoil` is one for a simulation.
pub trait Runtime: Clone + Send + Sync + 'static {
    /// Type of a connected byte stream, such as a TCP connection.
    type Stream: PollStream + 'static;
    /// Type of an open listener, which accepts byte streams.
    type Listener: PollListener<Stream = Self::Stream> + 'static;

    /// Limit of the operations of a socket that a task completes before it must yield. Default: a number for each
    /// socket. A runtime that limits its tasks itself sets [`Budget::PerTask`].
    const BUDGET: Budget = Budget::PerSocket;

    /// Calls `work` with buffers for reading, encoding and decoding. A connection needs them only while it is polled,
    /// so all connections of a thread can share them. Default: one set of buffers per thread.
    fn with_buffers<T>(work: impl FnOnce(&mut SessionBuffers) -> T) -> T {
        thread_local! {
            static BUFFERS: RefCell<SessionBuffers> = RefCell::default();
        }
        BUFFERS.with_borrow_mut(|buffers| work(buffers))
    }

    /// Runs a task in the background. Must not poll the task before `spawn` returns. A runtime that cannot run the task
    /// calls [`Task::fail`].
    fn spawn(&self, task: Task<Self>);

    /// Schedules the current task to be polled again after all other ready tasks. Called when the task has more work,
    /// but has done as much as is allowed in one poll. The default implementation wakes the task at once.
    fn requeue(&self, cx: &mut Context<'_>) {
        cx.waker().wake_by_ref();
    }

    /// Returns the current time. The clock must never go backwards.
    fn now(&self) -> Instant;

    /// Returns the source of random numbers for a new socket. Default: the operating system. A simulation with a seed
    /// overrides this method.
    fn entropy(&self) -> impl Entropy + 'static {
        SystemEntropy
    }

    /// Returns the number of the network on which this runtime binds addresses. A `bind` to an address waits for
    /// listeners of this process that are being closed and have the same address on the same network. Default: 0, the
    /// network of the operating system. A simulation returns a number that differs for each simulated network.
    fn network(&self) -> u64 {
        0
    }

    /// Returns the process that runs the tasks of this runtime. Default: the current process. A runtime with a thread of
    /// its own returns the process that has this thread: a child that is forked later does not have the thread.
    fn process(&self) -> ProcessId {
        ProcessId::current()
    }

    /// Opens a listener and returns it with its bound endpoint. Must look host names up without blocking, in such a way
    /// that a name without answer delays no other (`lookup_addresses` of the crate `sansmq-os` does this), and try the
    /// addresses of the host, one after the other, until listening at one of them succeeds. Must return an error if the
    /// operating system rejects an option of `transport`.
    fn listen(
        self,
        endpoint: Endpoint,
        transport: TransportConfig,
    ) -> impl Future<Output = Result<(Self::Listener, Endpoint), NetworkError>> + Send;

    /// Takes over an already bound listener. Closing the returned listener must not remove the path of a Unix domain
    /// socket.
    ///
    /// # Errors
    /// This runtime does not support the type of the listener, the listener is not in the listening state, or the
    /// operating system rejects an option of `transport`.
    fn take_listener(
        &self,
        listener: BoundListener,
        transport: &TransportConfig,
    ) -> Result<Self::Listener, NetworkError>;

    /// Connects to an endpoint. Must look the host name up on each call, as [`listen`](Self::listen) does, and pass the
    /// addresses that were found to [`Endpoint::routes`]. This method returns the routes to try: each is an address to
    /// connect to, with the local address to connect from if the endpoint sets one. [`race`](crate::race()) tries the
    /// routes; it needs `timer`. Must return an error if the operating system rejects an option of `transport`.
    fn dial(
        self,
        endpoint: Endpoint,
        transport: TransportConfig,
        timer: DialTimer,
    ) -> impl Future<Output = Result<Self::Stream, NetworkError>> + Send;
}

/// A [`Runtime`] that gives a timer to any future, as an [`Exclusive`](crate::Exclusive) socket needs it.
pub trait TimedRuntime: Runtime {
    /// Type of the timers.
    type Timer: AsyncTimer + 'static;

    /// Returns a timer that is not set.
    ///
    /// # Errors
    /// [`NetworkError::NoTimeDriver`] if the runtime runs without timers. Every method of the socket then returns this error.
    fn new_timer(&self) -> Result<Self::Timer, NetworkError>;
}

/// Timer that wakes the task of a [`TaskFuture`](crate::TaskFuture), or of an [`Exclusive`](crate::Exclusive) socket, at a
/// deadline.
pub trait AsyncTimer: Send {
    /// Sets the timer to `deadline`, or clears it if `deadline` is `None`. A cleared timer must not wake the task or
    /// use processor time.
    fn set(&mut self, deadline: Option<Instant>);

    /// Returns `Ready` at the deadline or shortly after. Is not called while the timer is cleared.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// Byte stream of a [`Runtime`]. A method that returns `Pending` must wake the task when a new call can make progress.
pub trait PollStream: Send {
    /// Reads bytes into `buffer` and returns their number. 0 means the end of the stream.
    ///
    /// # Errors
    /// Any error ends the connection.
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes bytes from several slices and returns the number of bytes that were written.
    ///
    /// # Errors
    /// Any error ends the connection.
    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;

    /// Closes the sending direction of the stream; the peer then reads the end of the stream.
    ///
    /// # Errors
    /// Any error ends the connection.
    fn poll_close_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Returns the credentials of the peer's process (user, group and process id), if the operating system reports
    /// them. Default: `None`.
    fn credentials(&self) -> Option<Credentials> {
        None
    }

    /// Returns the remote address of a TCP stream that [`Runtime::dial`] opened, for authentication requests. Default:
    /// `None`; the host of the endpoint is then used.
    fn remote_address(&self) -> Option<SocketAddr> {
        None
    }
}

/// Open listener of a [`Runtime`].
pub trait PollListener: Send {
    /// Type of the accepted streams.
    type Stream;

    /// Accepts a connection, sets the options of `transport` on it, and returns the connection with the peer's address.
    /// An implementation is allowed to ignore that the operating system rejects an option here: for the same options,
    /// [`Runtime::listen`] has already returned an error.
    ///
    /// # Errors
    /// Any error starts a pause, after which this method is called again.
    fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
        transport: &TransportConfig,
    ) -> Poll<Result<(Self::Stream, Endpoint), NetworkError>>;

    /// Closes the listener. Default: drops it.
    ///
    /// # Errors
    /// The file of the Unix domain socket had been removed, or replaced by another file. The listener is closed
    /// nevertheless.
    fn close(self) -> Result<(), NetworkError>
    where
        Self: Sized,
    {
        drop(self);
        Ok(())
    }
}

/// Creates a socket that runs on `runtime`, and returns its handle. The socket's `inproc` names and shared ports are those of
/// `context`.
pub fn spawn_socket<T: Kind, R: Runtime>(options: Options<T>, context: &SocketContext, runtime: &R) -> Handle<T> {
    let clock = runtime.clone();
    let now = move || clock.now();
    let (handle, driver) =
        new_socket_with_entropy(options, context, now, runtime.entropy(), R::BUDGET, runtime.process());
    runtime.spawn(Task::new(driver, runtime.clone()));
    handle
}
