//! [`Runtime`]: what an async runtime has to offer, and the three kinds of task that serve a socket on it. They wait in
//! the runtime's own futures; what they wait for is decided elsewhere in this crate.

use crate::adopt::Opened;
use crate::driver::{Dialling, Driver, Listening, Order, Step};
use crate::handle::{Handle, share_with};
use crate::passage::Passage;
use core::future::{Future, poll_fn};
use core::net::SocketAddr;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use sansmq_proto::address::TransportConfig;
use sansmq_proto::connection::{Credentials, Outbox};
use sansmq_proto::kind::Kind;
use sansmq_proto::{
    Endpoint, Entropy, Instant, ListenerId, NetworkError, Options, PipeId, Scratch, Stream, StreamError, SystemEntropy,
};
use std::io::{self, IoSlice};

/// What an async runtime has to offer for sockets to live on it: spawning, the time, and a network.
///
/// An implementation waits, and decides nothing. `sansmq-tokio` and `sansmq-smol` are two, in about two hundred lines each.
pub trait Runtime: Clone + Send + Sync + 'static {
    /// A connected byte stream.
    type Stream: PollStream;
    /// Something that listens.
    type Listener: Send;
    /// A timer.
    type Alarm: Alarm;

    /// Lends what sessions need while they are at work. A thread's own is best.
    fn with_scratch<T>(work: impl FnOnce(&mut Scratch) -> T) -> T;

    /// Runs a task in the background.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static);

    /// Has a task of this runtime polled again when all others that are ready have been.
    fn again(&self, cx: &mut Context<'_>) {
        cx.waker().wake_by_ref();
    }

    /// The time, which never goes backwards.
    fn now(&self) -> Instant;

    /// Where a new socket's random octets come from: the operating system, unless this is a simulation with a seed.
    fn entropy(&self) -> impl Entropy + 'static {
        SystemEntropy
    }

    /// A timer, not set.
    fn alarm(&self) -> Self::Alarm;

    /// Listens there; gives the bound address back too. Host names are looked up without blocking, every address tried.
    /// What the system refuses of `transport` is an error.
    fn listen(
        &self,
        endpoint: &Endpoint,
        transport: &TransportConfig,
    ) -> impl Future<Output = Result<(Self::Listener, Endpoint), NetworkError>> + Send;

    /// Makes its own of a listener that is open already, whose name is not to be removed when it is closed.
    ///
    /// # Errors
    /// It is of a kind that this runtime does not know, or does not listen, or the system refuses something of `transport`.
    fn adopt(&self, listener: Opened, transport: &TransportConfig) -> Result<Self::Listener, NetworkError>;

    /// Waits for a connection; gives the peer's address back too. Dropping the future loses no connection. The connection
    /// is given what `transport` says of it, as far as the system takes that, which has taken it for the listener.
    fn accept(
        &self,
        listener: &mut Self::Listener,
        transport: &TransportConfig,
    ) -> impl Future<Output = Result<(Self::Stream, Endpoint), NetworkError>> + Send;

    /// Closes a listener. An error tells that not all was well with it, such as that its name was no longer its own.
    ///
    /// # Errors
    /// That; the listener is closed all the same.
    fn close(&self, listener: Self::Listener) -> Result<(), NetworkError> {
        drop(listener);
        Ok(())
    }

    /// Connects there. Host names are looked up anew each time, without blocking, and all the
    /// [`routes`](Endpoint::routes) to their addresses are tried. What the system refuses of `transport` is an error.
    fn dial(
        &self,
        endpoint: &Endpoint,
        transport: &TransportConfig,
    ) -> impl Future<Output = Result<Self::Stream, NetworkError>> + Send;
}

/// A timer of a [`Runtime`].
pub trait Alarm: Send {
    /// Sets it, or takes it off. A timer that is off must cost nothing.
    fn set(&mut self, deadline: Option<Instant>);

    /// Ready when the deadline has passed, or a little later. Not called while the timer is off.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// A byte stream of a [`Runtime`]. What is pending has the task woken.
pub trait PollStream: Send {
    /// Reads some octets; 0 at the stream's end.
    ///
    /// # Errors
    /// Whatever ends the connection.
    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes some octets of several slices.
    ///
    /// # Errors
    /// Whatever ends the connection.
    fn poll_write_vectored(&mut self, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;

    /// Tells the other side that nothing more will be written.
    ///
    /// # Errors
    /// Whatever ends the connection.
    fn poll_close_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Whose process is at the other end, if the operating system says so.
    fn credentials(&self) -> Option<Credentials> {
        None
    }
}

/// Spawns the tasks of a socket on `runtime`. The socket's `inproc` names and shared ports are those of `context`.
pub fn launch<T: Kind, R: Runtime>(options: Options<T>, context: &crate::Context, runtime: &R) -> Handle<T> {
    let clock = runtime.clone();
    let (handle, driver) = share_with(options, context, move || clock.now(), runtime.entropy());
    runtime.spawn(supervise(runtime.clone(), driver));
    handle
}

/// Does `work` with one address or route after the other until it works out. The last failure counts.
///
/// # Errors
/// That failure; [`NetworkError::UnknownHost`] if there are no addresses.
pub async fn first<A, R, F: Future<Output = Result<R, NetworkError>>>(
    addresses: impl IntoIterator<Item = A>,
    work: impl Fn(A) -> F,
) -> Result<R, NetworkError> {
    let mut failure = NetworkError::UnknownHost;
    for address in addresses {
        match work(address).await {
            Ok(result) => return Ok(result),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// The addresses an endpoint stands for. `lookup` is asked for those of a host name, which must not block.
///
/// # Errors
/// [`NetworkError::UnknownHost`] if the name has none; [`NetworkError::Unsupported`] if the endpoint is not one of TCP.
pub async fn resolve<A: IntoIterator<Item = SocketAddr>>(
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

/// Serves one socket until it is closed.
async fn supervise<R: Runtime>(runtime: R, driver: Driver) {
    let mut alarm = runtime.alarm();
    let mut armed = None;
    loop {
        let step = poll_fn(|cx| {
            if armed.is_some() && alarm.poll(cx).is_ready() {
                armed = None;
            }
            driver.poll_step(cx.waker(), armed)
        });
        match step.await {
            Step::Listen(id, endpoint, listening) => {
                runtime.spawn(listen(runtime.clone(), driver.clone(), id, endpoint, listening));
            }
            Step::Adopt(id, listener, listening) => {
                runtime.spawn(adopt(runtime.clone(), driver.clone(), id, listener, listening));
            }
            Step::Dial(pipe, endpoint, dialling) => {
                runtime.spawn(dial(runtime.clone(), driver.clone(), pipe, endpoint, dialling));
            }
            Step::Rearm(deadline) => {
                armed = deadline;
                alarm.set(deadline);
            }
            Step::Finished => return,
        }
    }
}

/// Listens, until the socket unbinds.
async fn listen<R: Runtime>(runtime: R, driver: Driver, id: ListenerId, endpoint: Endpoint, listening: Listening) {
    // A host name may take long, and who closes or unbinds meanwhile does not wait for it.
    match unless(|waker| listening.poll_stopped(waker), runtime.listen(&endpoint, driver.transport())).await {
        Some(Ok((listener, bound))) => accept(runtime, driver, (id, bound), listener, listening).await,
        Some(Err(error)) => driver.listen_failed(id, error),
        None => {}
    }
}

/// Listens where somebody else has begun to, until the socket unbinds.
async fn adopt<R: Runtime>(runtime: R, driver: Driver, id: ListenerId, listener: Opened, listening: Listening) {
    let endpoint = listener.endpoint().clone();
    match runtime.adopt(listener, driver.transport()) {
        Ok(listener) => accept(runtime, driver, (id, endpoint), listener, listening).await,
        Err(error) => driver.listen_failed(id, error),
    }
}

/// Accepts connections until the socket unbinds.
async fn accept<R: Runtime>(
    runtime: R,
    driver: Driver,
    (id, bound): (ListenerId, Endpoint),
    mut listener: R::Listener,
    mut listening: Listening,
) {
    driver.listening(id, bound.clone());
    while let Some(accepted) = while_it_listens(&mut listening, runtime.accept(&mut listener, driver.transport())).await
    {
        match accepted {
            Ok((stream, from)) => {
                if let Some(passage) = driver.accepted(id, from) {
                    runtime.spawn(link(runtime.clone(), passage, stream));
                }
            }
            Err(error) => driver.accept_failed(id, error),
        }
    }
    // Before `listening`, whose drop tells the application that the address is free.
    if let Err(error) = runtime.close(listener) {
        listening.close_failed(bound, error);
    }
}

/// Connects, and then serves the connection.
async fn dial<R: Runtime>(runtime: R, driver: Driver, pipe: PipeId, endpoint: Endpoint, dialling: Dialling) {
    match unless(|waker| dialling.poll_stopped(waker), runtime.dial(&endpoint, driver.transport())).await {
        None => {}
        Some(Err(error)) => driver.dial_failed(pipe, error),
        Some(Ok(stream)) => {
            if let Some(connection) = driver.connected(pipe) {
                link(runtime.clone(), Passage::new(driver, pipe, connection), stream).await;
            }
        }
    }
}

/// Serves one connection until it ends.
async fn link<R: Runtime>(runtime: R, mut passage: Passage, mut stream: R::Stream) {
    passage.identify(stream.credentials());
    let mut alarm = runtime.alarm();
    let mut armed = None;
    let reason = poll_fn(|cx| {
        loop {
            let polled = R::with_scratch(|scratch| {
                let mut stream = Polled { stream: &mut stream, cx: Context::from_waker(cx.waker()) };
                passage.poll(&mut stream, scratch, cx.waker())
            });
            match polled {
                Poll::Ready(Some(reason)) => return Poll::Ready(reason),
                Poll::Ready(None) => runtime.again(cx),
                Poll::Pending => {}
            }
            let deadline = passage.poll_timeout();
            if core::mem::replace(&mut armed, deadline) != deadline {
                alarm.set(deadline);
            }
            if deadline.is_none() || alarm.poll(cx).is_pending() {
                return Poll::Pending;
            }
            armed = None;
        }
    });
    let reason = reason.await;
    passage.disconnected(&reason);
}

/// Awaits `work`; `None` once it is stopped.
async fn unless<R>(stopped: impl Fn(&Waker) -> Poll<()>, work: impl Future<Output = R>) -> Option<R> {
    let mut work = pin!(work);
    poll_fn(|cx| match stopped(cx.waker()) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => work.as_mut().poll(cx).map(Some),
    })
    .await
}

/// Awaits `work`, pausing when accepting does; `None` once the listener is to be closed.
async fn while_it_listens<R>(listening: &mut Listening, work: impl Future<Output = R>) -> Option<R> {
    let mut work = pin!(work);
    poll_fn(|cx| match listening.poll_next(cx.waker()) {
        Poll::Ready(Order::Accept) => work.as_mut().poll(cx).map(Some),
        Poll::Ready(Order::Stop) => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}

/// A stream during one poll of its task.
struct Polled<'a, S> {
    stream: &'a mut S,
    cx: Context<'a>,
}

impl<S: PollStream> Stream for Polled<'_, S> {
    fn read(&mut self, room: &mut [u8]) -> Result<usize, StreamError> {
        ready(self.stream.poll_read(&mut self.cx, room))
    }

    fn write(&mut self, data: &Outbox) -> Result<usize, StreamError> {
        ready(data.with_io_slices(|slices| self.stream.poll_write_vectored(&mut self.cx, slices)))
    }

    fn close_write(&mut self) -> Result<(), StreamError> {
        ready(self.stream.poll_close_write(&mut self.cx))
    }
}

fn ready<R>(poll: Poll<io::Result<R>>) -> Result<R, StreamError> {
    match poll {
        Poll::Ready(result) => Ok(result?),
        Poll::Pending => Err(StreamError::WouldBlock),
    }
}
