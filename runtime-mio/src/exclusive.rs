//! [`ExclusiveSocket`]: a blocking socket that one thread owns, with no other thread behind it.

use crate::event_loop::EventLoop;
use crate::mio_runtime::Mio;
use crate::reactor::Remote;
use core::fmt;
use core::task::{self, Poll, Waker};
use core::time::Duration;
use sansmq_proto::address::ParseEndpointError;
use sansmq_proto::connection::Peer;
use sansmq_proto::kind::{Any, JoinsGroups, Kind, Publishes, Receives, Sends, Subscribes, Typed};
use sansmq_proto::socket::{
    BindError, ConnectError, JoinError, SocketStats, SubscribeError, UnbindError, WaitError, WaitSubscribedError,
};
use sansmq_proto::{Endpoint, Event, Message, NetworkError, Options, RecvError, SendError, Socket};
use sansmq_runtime::{AsyncTimer, Closed, Exclusive, Runtime, TimedRuntime};
use std::io;
use std::sync::Arc;
use std::task::Wake;

/// Blocking socket that one thread owns. Its calls do the IO themselves: there is no background thread, so a message costs no
/// switch between threads, and no lock of the socket.
///
/// The contract is that of [`Exclusive`]: the connections make progress only during calls that block, which are all with `&mut self`
/// except those that begin with `try_`, and `connect`, `disconnect`, `subscribe`, `unsubscribe`, `join` and `leave`. While the
/// program does something else, heartbeats are not answered; [`drive`](Self::drive) lets the connections work for a while.
/// Dropping the socket drops its queued messages; [`close`](Self::close) sends them. No `inproc`, no shared ports, no proxy.
///
/// ```
/// use sansmq::kind::{Pull, Push};
/// use sansmq::mio::ExclusiveSocket;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut pull = ExclusiveSocket::<Pull>::new()?;
/// let endpoint = pull.bind("tcp://127.0.0.1:*")?;
/// let sender = std::thread::spawn(move || {
///     let mut push = ExclusiveSocket::<Push>::new()?;
///     push.connect(&endpoint).expect("the endpoint is valid");
///     push.send("task").expect("the socket is open");
///     push.close();
///     Ok::<_, std::io::Error>(())
/// });
/// assert_eq!(pull.recv()?.body(), "task");
/// sender.join().expect("the thread has not panicked")?;
/// # Ok(())
/// # }
/// ```
///
/// # Panics
/// Every call that blocks panics if the poll of the operating system fails.
pub struct ExclusiveSocket<T: Kind = Any> {
    pub(crate) socket: Exclusive<T, Mio>,
    events: EventLoop,
    /// Lets the poll of `events` return.
    waker: Waker,
}

/// Waker that ends the wait of an event loop.
struct LoopWaker(Remote);

impl Wake for LoopWaker {
    fn wake(self: Arc<Self>) {
        self.0.wake();
    }
}

/// Timer that does nothing: the thread that waits for the event loop waits no longer than the deadline of the socket.
pub(crate) struct LoopTimer;

impl AsyncTimer for LoopTimer {
    fn set(&mut self, _: Option<sansmq_proto::Instant>) {}

    fn poll(&mut self, _: &mut task::Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

impl TimedRuntime for Mio {
    type Timer = LoopTimer;

    fn new_timer(&self) -> Result<LoopTimer, NetworkError> {
        Ok(LoopTimer)
    }
}

impl<T: Typed> ExclusiveSocket<T> {
    /// Creates a socket with the default [`Options`].
    ///
    /// # Errors
    /// The operating system has no descriptors left.
    pub fn new() -> io::Result<Self> {
        Self::with_options(Options::new())
    }
}

impl<T: Kind> ExclusiveSocket<T> {
    /// Creates a socket with the given options.
    ///
    /// # Errors
    /// The operating system has no descriptors left.
    pub fn with_options(options: Options<T>) -> io::Result<Self> {
        let events = EventLoop::new()?;
        let remote = events.remote();
        let socket = Exclusive::on(&remote.runtime, options);
        Ok(Self { socket, events, waker: Arc::new(LoopWaker(remote)).into() })
    }

    /// Polls the socket until the result is `Ready`, at most for `timeout`. Waits for events in between.
    pub(crate) fn block<V>(
        &mut self,
        timeout: Option<Duration>,
        mut poll: impl FnMut(&mut Exclusive<T, Mio>, &mut task::Context<'_>) -> Poll<V>,
    ) -> Option<V> {
        let runtime = self.events.remote().runtime;
        let end = timeout.map(|timeout| runtime.now() + timeout);
        loop {
            if let Poll::Ready(value) = poll(&mut self.socket, &mut task::Context::from_waker(&self.waker)) {
                return Some(value);
            }
            let now = runtime.now();
            if end.is_some_and(|end| end <= now) {
                return None;
            }
            let next = end.into_iter().chain(self.socket.poll_timeout()).min();
            let turned = self.events.turn(next.map(|next| next.since(now)));
            turned.expect("the poll of the operating system must not fail");
        }
    }

    /// Polls the socket until the result is `Ready`.
    pub(crate) fn block_on<V>(
        &mut self,
        poll: impl FnMut(&mut Exclusive<T, Mio>, &mut task::Context<'_>) -> Poll<V>,
    ) -> V {
        self.block(None, poll).expect("a wait without a limit ends only with a result")
    }

    /// Returns the state machine of the socket, to read its state; see [`Exclusive::socket`].
    pub fn socket(&self) -> &Socket {
        self.socket.socket()
    }

    /// Binds to an endpoint, accepts peers there, and returns the bound endpoint. See [`Exclusive::bind`].
    ///
    /// # Errors
    /// [`BindError`]: `endpoint` is invalid or not supported, or the operating system returned an error.
    pub fn bind<E>(&mut self, endpoint: E) -> Result<Endpoint, BindError>
    where
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        let endpoint = endpoint.try_into().map_err(ParseEndpointError::from)?;
        let listener = self.socket.begin_bind(endpoint.clone())?;
        self.block_on(|socket, cx| socket.poll_bound(cx, listener, &endpoint))
    }

    /// Connects to an endpoint, and reconnects whenever the connection is lost. The next call that blocks begins to dial.
    ///
    /// # Errors
    /// [`ConnectError`]: `endpoint` is invalid, not supported by the socket type, or a wildcard.
    pub fn connect<E>(&mut self, endpoint: E) -> Result<(), ConnectError>
    where
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        self.socket.connect(endpoint)
    }

    /// Stops listening at `endpoint`. The address is free when the method returns. See [`Exclusive::unbind`].
    ///
    /// # Errors
    /// [`UnbindError`]: `endpoint` is invalid, the socket is not bound to it, or an error occurred while the listener was closed.
    pub fn unbind<E>(&mut self, endpoint: E) -> Result<(), UnbindError>
    where
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        self.socket.unbind(endpoint)
    }

    /// Closes every connection made by `connect` to `endpoint`, and stops reconnecting. See [`Exclusive::disconnect`].
    ///
    /// # Errors
    /// [`UnbindError`]: `endpoint` is invalid, or the socket is not connected to it.
    pub fn disconnect<E>(&mut self, endpoint: E) -> Result<(), UnbindError>
    where
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        self.socket.disconnect(endpoint)
    }

    /// Lets the connections work for `duration`, for a program that uses the socket rarely.
    pub fn drive(&mut self, duration: Duration) {
        self.block(Some(duration), Exclusive::poll_drive::<()>);
    }

    /// Waits until at least `peers` peers are connected and their handshakes are complete, at most for `timeout`; `None`: no
    /// limit. Returns the connected peers, or `None` when the timeout expires. [`socket`](Self::socket) then has the failing
    /// dials.
    ///
    /// # Errors
    /// [`WaitError::Failed`] if `peers` peers are impossible.
    pub fn wait_connected(
        &mut self,
        peers: usize,
        timeout: impl Into<Option<Duration>>,
    ) -> Result<Option<Vec<Arc<Peer>>>, WaitError> {
        let waited = self.block(timeout.into(), |socket, cx| {
            socket.poll_with(cx, |socket| socket.ready_peers_or_error(peers).map_or(Poll::Pending, Poll::Ready))
        });
        waited.transpose()
    }

    /// Waits for the next event of the socket, at most for `timeout`; see [`Exclusive::event`]. Returns `None` when the timeout
    /// expires. The first call begins to store the events.
    pub fn event_timeout(&mut self, timeout: Duration) -> Option<Event> {
        self.block(Some(timeout), Exclusive::poll_event).flatten()
    }

    /// Returns the counters and queue lengths of the socket.
    pub fn stats(&mut self) -> SocketStats {
        self.socket.stats()
    }

    /// Closes the socket. Blocks until the queued messages are sent or `linger` expires. The returned [`Closed`] has the number
    /// of messages that were not sent.
    pub fn close(mut self) -> Closed {
        self.socket.begin_close();
        self.block_on(Exclusive::poll_closed)
    }

    /// Closes the socket, but sends queued messages for at most `limit`, whatever the option `linger` is. Blocks until the
    /// socket is closed.
    pub fn close_within(mut self, limit: Duration) -> Closed {
        self.socket.begin_close_within(limit);
        self.block_on(Exclusive::poll_closed)
    }
}

impl<T: Sends> ExclusiveSocket<T> {
    /// Sends a message. Blocks while the socket has no room for it. Hands it to the operating system if this is possible at
    /// once; see [`Exclusive::send`].
    ///
    /// # Errors
    /// [`SendError`], which returns the message; never [`SendError::Full`].
    pub fn send(&mut self, message: impl Into<Message>) -> Result<(), SendError> {
        self.send_until(message.into(), None)
    }

    /// Sends a message as [`send`](Self::send) does. Blocks at most for `timeout` (`ZMQ_SNDTIMEO`).
    ///
    /// # Errors
    /// [`SendError`], which returns the message; [`SendError::TimedOut`] when the timeout expires.
    pub fn send_timeout(&mut self, message: impl Into<Message>, timeout: Duration) -> Result<(), SendError> {
        self.send_until(message.into(), Some(timeout))
    }

    /// Queues a message for many messages in a row: blocks while the socket has no room for it, but makes no system call for each
    /// message. Call [`flush`](Self::flush) after the last. See [`Exclusive::feed`].
    ///
    /// # Errors
    /// [`SendError`], which returns the message; never [`SendError::Full`].
    pub fn feed(&mut self, message: impl Into<Message>) -> Result<(), SendError> {
        let mut waiting = Some(message.into());
        self.block_on(|socket, cx| socket.poll_feed(cx, &mut waiting))
    }

    fn send_until(&mut self, message: Message, timeout: Option<Duration>) -> Result<(), SendError> {
        let mut waiting = Some(message);
        let sent = self.block(timeout, |socket, cx| socket.poll_send(cx, &mut waiting));
        match (sent, waiting, timeout) {
            (None, Some(message), Some(after)) => {
                Err(SendError::TimedOut { message, after, failing: self.socket().failing_dials() })
            }
            (sent, ..) => sent.unwrap_or(Ok(())),
        }
    }

    /// Queues a message without blocking; the next call that blocks sends it. See [`Exclusive::try_send`].
    ///
    /// # Errors
    /// [`SendError`], which returns the message.
    pub fn try_send(&mut self, message: impl Into<Message>) -> Result<(), SendError> {
        self.socket.try_send(message)
    }

    /// Blocks until every message that was sent before this call is handed to the operating system, or was dropped, at most for
    /// `timeout`; `None`: no limit. Returns false if the timeout expires first. See [`Exclusive::flush`].
    pub fn flush(&mut self, timeout: impl Into<Option<Duration>>) -> bool {
        let mut flush = self.socket.begin_flush();
        self.block(timeout.into(), |socket, cx| socket.poll_flush(cx, &mut flush)).is_some()
    }
}

impl<T: Receives> ExclusiveSocket<T> {
    /// Receives the next message. Blocks while no message is queued.
    ///
    /// # Errors
    /// [`RecvError`]; never [`RecvError::Empty`].
    pub fn recv(&mut self) -> Result<Message, RecvError> {
        self.block_on(Exclusive::poll_recv)
    }

    /// Receives the next message. Blocks at most for `timeout` (`ZMQ_RCVTIMEO`).
    ///
    /// # Errors
    /// [`RecvError`]; [`RecvError::TimedOut`] when the timeout expires.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Message, RecvError> {
        self.block(Some(timeout), Exclusive::poll_recv)
            .unwrap_or_else(|| Err(RecvError::TimedOut { after: timeout, failing: self.socket().failing_dials() }))
    }

    /// Receives a message that is queued already, without blocking. New messages arrive only in calls that block. See
    /// [`Exclusive::try_recv`].
    ///
    /// # Errors
    /// [`RecvError`].
    pub fn try_recv(&mut self) -> Result<Message, RecvError> {
        self.socket.try_recv()
    }
}

impl<T: Kind> ExclusiveSocket<T> {
    /// Subscribes to messages that begin with `prefix`. The next call that blocks sends the subscription.
    ///
    /// # Errors
    /// [`SubscribeError`].
    pub fn subscribe(&mut self, prefix: impl AsRef<[u8]>) -> Result<(), SubscribeError>
    where
        T: Subscribes,
    {
        self.socket.subscribe(prefix)
    }

    /// Removes one subscription to `prefix`.
    ///
    /// # Errors
    /// [`SubscribeError`].
    pub fn unsubscribe(&mut self, prefix: impl AsRef<[u8]>) -> Result<(), SubscribeError>
    where
        T: Subscribes,
    {
        self.socket.unsubscribe(prefix)
    }

    /// Joins a group. The next call that blocks sends the JOIN.
    ///
    /// # Errors
    /// [`JoinError`].
    pub fn join(&mut self, group: impl AsRef<[u8]>) -> Result<(), JoinError>
    where
        T: JoinsGroups,
    {
        self.socket.join(group)
    }

    /// Leaves a group.
    ///
    /// # Errors
    /// [`JoinError`].
    pub fn leave(&mut self, group: impl AsRef<[u8]>) -> Result<(), JoinError>
    where
        T: JoinsGroups,
    {
        self.socket.leave(group)
    }

    /// Waits until a message with this topic or group would be sent to at least `peers` peers, at most for `timeout`; `None`: no
    /// limit. Returns false when the timeout expires.
    ///
    /// # Errors
    /// [`WaitSubscribedError`].
    pub fn wait_subscribed(
        &mut self,
        topic: impl AsRef<[u8]>,
        peers: usize,
        timeout: impl Into<Option<Duration>>,
    ) -> Result<bool, WaitSubscribedError>
    where
        T: Publishes,
    {
        let topic = topic.as_ref();
        let waited = self.block(timeout.into(), |socket, cx| {
            socket.poll_with(cx, |socket| socket.subscribed_or_error(topic, peers).map_or(Poll::Pending, Poll::Ready))
        });
        Ok(waited.transpose()?.is_some())
    }
}

impl<T: Kind> fmt::Debug for ExclusiveSocket<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.fmt(f)
    }
}
