//! [`Socket`]: blocking sockets for programs without an event loop.

use crate::event_loop::EventLoop;
use crate::exit::ExitWait;
use crate::park::{Unready, block_on, wait};
use crate::reactor::Remote;
use core::fmt;
use core::time::Duration;
use sansmq_os::{BindListener, StdListener};
use sansmq_proto::address::ParseEndpointError;
use sansmq_proto::connection::Peer;
use sansmq_proto::kind::{Any, Kind, Receives, Sends, Typed};
use sansmq_proto::socket::{BindError, ConnectError, FailingDials, UnbindError};
use sansmq_proto::{Endpoint, Event, Message, Options, RecvError, SendError};
use sansmq_runtime::{Closed, Context, Handle, Monitor, PerProcess, StartError};
use std::sync::{Arc, Mutex, PoisonError};

/// Blocking socket, for plain threads. One background thread of the process does the IO of all these sockets, except
/// those created with [`on`](Self::on).
///
/// Cheap to clone, and usable from several threads at the same time; sending and receiving can overlap.
///
/// # The end of a socket
///
/// When the last clone is dropped, the socket closes in the background, and still sends queued messages until its
/// `linger` time expires. The drop returns at once, with one exception: if no blocking socket of the [`Context`] is open
/// any more, the drop waits for all that are still closing, together, so that a program which sends and ends loses
/// nothing. This wait ends after the longest of their `linger` times (30 s by default) at the latest. To drop a socket
/// without such a wait, call [`close_within`](Self::close_within) with [`Duration::ZERO`] first, as a client does that
/// gives up a server and retries with a new socket. There is no wait during a panic, nor in the thread of the event
/// loop, nor for sockets that are not dropped, for example in a `static`.
///
/// # Fork
///
/// A forked child does not have the background thread of its parent, nor any other thread that runs an event loop. So a
/// socket that was created before the fork cannot be used in the child (libzmq does not support this either). A call
/// that must wait there, and each `bind`, `connect` and `unbind`, returns at once, with the variant `Forked` of its
/// error, such as [`RecvError::Forked`]. The documentation of calls without an error describes what they return.
/// [`close`](Self::close) and the drop of a socket do not wait, and drop the child's copies of the queued messages; the
/// parent still sends its own.
///
/// Calls that need not wait are not checked, but have no effect outside of the child: `send` accepts messages up to the
/// high-water mark, which are never sent, and `recv` returns queued messages that the parent receives too.
///
/// Create the sockets of the child after the fork, and not in a [`Context`] of the parent. The child starts a background
/// thread of its own for them, and has a [global context](Context::global) of its own. Addresses to which the parent is
/// bound, and its connections, stay open until the child has ended too.
///
/// As in any program with several threads, a lock that another thread holds during the fork stays locked in the child.
/// Fork while no other thread uses the sockets and no messages are under way.
///
/// # Signals
///
/// On Linux and Android, a signal interrupts a blocked call as it interrupts a system call: after a handler that was installed
/// without `SA_RESTART` has run in the thread of the call, the call returns the variant `Interrupted` of its error, such as
/// [`RecvError::Interrupted`]. No message is lost. So Ctrl-C works in a host language such as Python or Lua: their handlers
/// have no `SA_RESTART`. The crates that install handlers in Rust programs, such as `ctrlc`, `signal-hook` and `tokio`, set
/// `SA_RESTART`, and their handlers do not interrupt a call, with two exceptions: [`poll`](crate::poll) is interrupted by
/// every handler, and before Linux 5.16 so are calls with a timeout. A signal that is handled just before the call blocks does
/// not interrupt the call. [`close`](Self::close) and drops are not interrupted, but end after `linger`; [`close_timeout`](Self::close_timeout)
/// is. Calls without an error, such as [`flush`](Self::flush), return false.
///
/// Without a handler, Ctrl-C ends the process at once, and queued messages are lost. For an orderly end of a Rust program,
/// call [`close`](Self::close) of a clone in the handler of a crate such as `ctrlc`: blocked calls then return `Closed`, and
/// queued messages are still sent until `linger` expires.
///
/// ```
/// use sansmq::mio::{RepSocket, ReqSocket};
/// use std::thread;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let rep = RepSocket::new();
/// let endpoint = rep.bind("tcp://127.0.0.1:*")?;
/// let server = thread::spawn(move || {
///     let request = rep.recv().expect("the REQ sends a request");
///     rep.send(request).expect("a reply is due");
///     rep.close();
/// });
/// let req = ReqSocket::new();
/// req.connect(&endpoint)?;
/// req.send("Hello")?;
/// assert_eq!(req.recv()?.body(), "Hello");
/// # server.join().unwrap();
/// # Ok(())
/// # }
/// ```
pub struct Socket<T: Kind = Any> {
    handle: Handle<T>,
    /// Guard that all clones share; `None` for a socket that was created from a [`Handle`]. Declared after `handle`,
    /// because the drop of the last handle must close the socket before the drop of the guard waits.
    exit: Option<Arc<ExitWait>>,
}

impl Remote {
    /// Returns the [`Remote`] of the event loop that runs in the background thread of the process, on which blocking
    /// sockets run by default. The first call in a process starts the thread.
    ///
    /// # Errors
    /// [`StartError::Background`] if the operating system has no thread or no descriptors left.
    pub fn background() -> Result<Self, StartError> {
        static REMOTE: PerProcess<Mutex<Option<Remote>>> = PerProcess::new();
        let mut remote = REMOTE.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(remote) = &*remote {
            return Ok(remote.clone());
        }
        let mut events = EventLoop::new().map_err(StartError::Background)?;
        let started = events.remote();
        let run = move || {
            // Ends only if the poll of the operating system fails; then the drop of the event loop closes its sockets.
            while events.turn(None).is_ok() {}
        };
        std::thread::Builder::new().name("sansmq".into()).spawn(run).map_err(StartError::Background)?;
        Ok(remote.insert(started).clone())
    }
}

/// Returns the [`Remote`] of the background thread.
///
/// # Panics
/// If the thread cannot start.
#[track_caller]
fn background() -> Remote {
    match Remote::background() {
        Ok(remote) => remote,
        // In a closure, the panic would not be at the line of the caller.
        Err(error) => panic!("{error}"),
    }
}

impl<T: Typed> Socket<T> {
    /// Creates a socket with the default [`Options`].
    ///
    /// # Panics
    /// The first socket that needs the background thread for IO starts this thread. This panics if the operating system
    /// has no thread or no descriptors left.
    #[doc(alias("zmq_socket", "zsock_new"))]
    #[track_caller]
    pub fn new() -> Self {
        Self::with_options(Options::new())
    }

    /// Creates a socket with the default [`Options`]. With other options, write
    /// `Socket::on(&Remote::background()?, options)`.
    ///
    /// # Errors
    /// [`StartError::Background`] if the operating system has no thread or no descriptors left for the background thread.
    pub fn try_new() -> Result<Self, StartError> {
        Ok(Self::on(&Remote::background()?, Options::new()))
    }
}

impl<T: Typed> Default for Socket<T> {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Kind> Socket<T> {
    /// Creates a socket with the given options.
    ///
    /// # Panics
    /// The first socket that needs the background thread for IO starts this thread. This panics if the operating system
    /// has no thread or no descriptors left.
    #[track_caller]
    pub fn with_options(options: Options<T>) -> Self {
        Self::on(&background(), options)
    }

    fn guarded(handle: Handle<T>, remote: &Remote) -> Self {
        let exit = Some(Arc::new(ExitWait::new(&handle, remote)));
        Self { handle, exit }
    }

    /// Creates a socket with the given options, in `context`. Only sockets of the same context can connect to each
    /// other by `inproc` or share a TCP port.
    ///
    /// # Panics
    /// The first socket that needs the background thread for IO starts this thread. This panics if the operating system
    /// has no thread or no descriptors left.
    #[track_caller]
    pub fn in_context(context: &Context, options: Options<T>) -> Self {
        let remote = background();
        Self::guarded(remote.socket_in(context, options), &remote)
    }

    /// Creates a socket that runs on the given event loop or reactor instead of the background thread. The event loop
    /// or reactor must run in another thread, because the methods of this socket block.
    pub fn on(remote: &Remote, options: Options<T>) -> Self {
        Self::guarded(remote.socket(options), remote)
    }

    /// Returns the handle of this socket, for `async` code on any runtime.
    pub const fn handle(&self) -> &Handle<T> {
        &self.handle
    }

    /// Returns true if the current process is a forked child of the process that runs the tasks of this socket.
    pub(crate) fn is_inherited(&self) -> bool {
        self.handle.is_inherited()
    }

    /// Returns this socket without its static socket type, so that sockets of several types can be stored together; see
    /// [`Handle::erase`].
    pub fn erase(&self) -> Socket<Any> {
        Socket { handle: self.handle.erase(), exit: self.exit.clone() }
    }

    /// Binds to an endpoint, accepts peers there, and returns the bound endpoint. If `endpoint` has a wildcard port, the bound
    /// endpoint has the port that the operating system chose. See [`Handle::bind`].
    ///
    /// # Errors
    /// [`BindError`]: `endpoint` is invalid or not supported by the socket type, or the operating system returned an error.
    #[doc(alias("zmq_bind", "ZMQ_LAST_ENDPOINT", "LAST_ENDPOINT", "bind_to_random_port"))]
    pub fn bind<E>(&self, endpoint: E) -> Result<Endpoint, BindError>
    where
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        self.bind_until(endpoint.try_into().map_err(ParseEndpointError::from)?, None)
    }

    /// Binds to an endpoint as [`bind`](Self::bind) does, and blocks for at most `timeout`. Only a listener of this process at
    /// the same address that is still being closed makes the call wait.
    ///
    /// # Errors
    /// [`BindError`]; [`BindError::TimedOut`] when the timeout expires. The socket then becomes bound later, unless
    /// [`unbind`](Self::unbind) is called with the same endpoint.
    pub fn bind_timeout<E>(&self, endpoint: E, timeout: Duration) -> Result<Endpoint, BindError>
    where
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        self.bind_until(endpoint.try_into().map_err(ParseEndpointError::from)?, Some(timeout))
    }

    fn bind_until(&self, endpoint: Endpoint, timeout: Option<Duration>) -> Result<Endpoint, BindError> {
        if self.is_inherited() {
            return Err(BindError::Forked);
        }
        wait(self.handle.bind(endpoint.clone()), timeout, || false).unwrap_or_else(|unready| {
            Err(match unready {
                Unready::TimedOut(after) => BindError::TimedOut { endpoint, after },
                Unready::Inherited => BindError::Forked,
                Unready::Interrupted => BindError::Interrupted,
            })
        })
    }

    /// Takes over a listener that is already open, and accepts connections from it. Returns the endpoint of the
    /// listener; see [`BindListener`].
    ///
    /// # Errors
    /// [`BindError`]: the address of the listener is not known, or the listener is not in the listening state.
    #[doc(alias("ZMQ_USE_FD", "USE_FD"))]
    pub fn bind_listener(&self, listener: impl Into<StdListener> + Send) -> Result<Endpoint, BindError> {
        if self.is_inherited() {
            return Err(BindError::Forked);
        }
        block_on(self.handle.bind_listener(listener))
    }

    /// Connects to an endpoint, and reconnects whenever the connection is lost. Returns at once; see [`Handle::connect`].
    ///
    /// # Errors
    /// [`ConnectError`]: `endpoint` is invalid, not supported by the socket type, or a wildcard.
    #[doc(alias = "zmq_connect")]
    pub fn connect<E>(&self, endpoint: E) -> Result<(), ConnectError>
    where
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        if self.is_inherited() {
            return Err(ConnectError::Forked);
        }
        self.handle.connect(endpoint)
    }

    /// Stops listening at an endpoint, and returns when the address is free again; see [`Handle::unbind`].
    ///
    /// # Errors
    /// [`UnbindError`]: `endpoint` is invalid, the socket is not bound to it, or closing the listener failed.
    #[doc(alias = "zmq_unbind")]
    pub fn unbind<E>(&self, endpoint: E) -> Result<(), UnbindError>
    where
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        self.unbind_until(endpoint.try_into().map_err(ParseEndpointError::from)?, None)
    }

    /// Stops listening at an endpoint as [`unbind`](Self::unbind) does, and blocks for at most `timeout`.
    ///
    /// # Errors
    /// [`UnbindError`]; [`UnbindError::TimedOut`] when the timeout expires. The listener then continues to close.
    pub fn unbind_timeout<E>(&self, endpoint: E, timeout: Duration) -> Result<(), UnbindError>
    where
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        self.unbind_until(endpoint.try_into().map_err(ParseEndpointError::from)?, Some(timeout))
    }

    fn unbind_until(&self, endpoint: Endpoint, timeout: Option<Duration>) -> Result<(), UnbindError> {
        if self.is_inherited() {
            return Err(UnbindError::Forked);
        }
        wait(self.handle.unbind(endpoint.clone()), timeout, || false).unwrap_or_else(|unready| {
            Err(match unready {
                Unready::TimedOut(after) => UnbindError::TimedOut { endpoint, after },
                Unready::Inherited => UnbindError::Forked,
                Unready::Interrupted => UnbindError::Interrupted,
            })
        })
    }

    /// Closes every connection made by `connect` to an endpoint, and stops reconnecting. Returns at once; queued
    /// messages are still sent until `linger` expires. See [`Handle::disconnect`].
    ///
    /// # Errors
    /// [`UnbindError`]: `endpoint` is invalid, or the socket is not connected to it.
    #[doc(alias = "zmq_disconnect")]
    pub fn disconnect<E>(&self, endpoint: E) -> Result<(), UnbindError>
    where
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        self.handle.disconnect(endpoint)
    }

    /// Closes the socket for all its clones. Blocks until the queued messages are sent or `linger` expires, and until
    /// the bound addresses are free. The returned [`Closed`] has the number of messages that were not sent; see
    /// [`Handle::close`]. In a [forked](Self#fork) child, drops the copies of the queued messages, and does not block.
    #[doc(alias("zmq_close", "zsock_destroy"))]
    pub fn close(&self) -> Closed {
        if self.is_inherited() {
            return self.handle.abandon();
        }
        block_on(self.handle.close())
    }

    /// Closes the socket for all its clones, but queued messages are sent for at most `limit`, whatever the option
    /// `linger` is. Blocks until the socket is closed. A limit of zero drops the queued messages now. See
    /// [`Handle::close_within`].
    pub fn close_within(&self, limit: Duration) -> Closed {
        if self.is_inherited() {
            return self.handle.abandon();
        }
        block_on(self.handle.close_within(limit))
    }

    /// Closes the socket as [`close`](Self::close) does, but blocks for at most `timeout`, and not after a
    /// [signal](Self#signals). Returns `None` if the socket is still closing then: it continues in the background, no message is
    /// dropped before `linger` expires, and a further call waits again.
    pub fn close_timeout(&self, timeout: Duration) -> Option<Closed> {
        if self.is_inherited() {
            return Some(self.handle.abandon());
        }
        wait(self.handle.close(), Some(timeout), || false).ok()
    }

    /// Returns an iterator over the events of the socket that are emitted from now on, such as connects and
    /// disconnects; see [`Handle::monitor`].
    #[doc(alias("zmq_socket_monitor", "zmq_socket_monitor_versioned", "get_monitor_socket"))]
    pub fn monitor(&self) -> Events {
        Events(self.handle.monitor())
    }
}

impl<T: Kind> Socket<T> {
    /// Sends a message. Blocks while there is no peer, or while the high-water mark of every peer is reached.
    ///
    /// # Errors
    /// [`SendError`], which returns the message; never [`SendError::Full`].
    #[doc(alias("zmq_send", "zmq_msg_send", "zmq_sendmsg", "zmq_sendiov", "send_multipart", "send_string"))]
    #[doc(alias = "zmsg_send")]
    pub fn send(&self, message: impl Into<Message>) -> Result<(), SendError>
    where
        T: Sends,
    {
        self.send_until(message, None)
    }

    /// Sends a message. Blocks at most for `timeout` (`ZMQ_SNDTIMEO`).
    ///
    /// # Errors
    /// [`SendError`], which returns the message; [`SendError::TimedOut`] when the timeout expires, with the timeout and
    /// the reason of each dial that is failing.
    #[doc(alias("ZMQ_SNDTIMEO", "SNDTIMEO", "set_sndtimeo"))]
    pub fn send_timeout(&self, message: impl Into<Message>, timeout: Duration) -> Result<(), SendError>
    where
        T: Sends,
    {
        self.send_until(message, Some(timeout))
    }

    fn send_until(&self, message: impl Into<Message>, timeout: Option<Duration>) -> Result<(), SendError>
    where
        T: Sends,
    {
        // Waiting for `writable` would not work: a ROUTER is always writable, even if the peer of the message has no room.
        let mut sending = self.handle.send(message);
        wait(&mut sending, timeout, || self.is_inherited()).unwrap_or_else(|unready| {
            let Some(message) = sending.into_message() else { return Ok(()) };
            Err(match unready {
                Unready::TimedOut(after) => SendError::TimedOut { message, after, failing: self.failing_dials() },
                Unready::Inherited => SendError::Forked(message),
                Unready::Interrupted => SendError::Interrupted(message),
            })
        })
    }

    /// Blocks until a [`try_send`](Self::try_send) may succeed, for at most `timeout`; see [`Handle::writable`]. Returns false
    /// if the timeout expires or a [signal](Self#signals) interrupts the call, and false at once in a [forked](Self#fork) child.
    pub fn writable_timeout(&self, timeout: Duration) -> bool
    where
        T: Sends,
    {
        wait(self.handle.writable(), Some(timeout), || self.is_inherited()).is_ok()
    }

    /// Sends a message without blocking.
    ///
    /// # Errors
    /// [`SendError`], which returns the message.
    #[doc(alias("ZMQ_DONTWAIT", "DONTWAIT", "ZMQ_NOBLOCK", "NOBLOCK"))]
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), SendError>
    where
        T: Sends,
    {
        self.handle.try_send(message)
    }

    /// Blocks until every message that was sent before this call is handed to the operating system. Returns false if a
    /// [signal](Self#signals) interrupts the call, and false at once in a [forked](Self#fork) child. See [`Handle::flush`].
    pub fn flush(&self) -> bool
    where
        T: Sends,
    {
        wait(self.handle.flush(), None, || self.is_inherited()).is_ok()
    }

    /// Blocks until every message that was sent before this call is handed to the operating system, at most for
    /// `timeout`. Returns false if the timeout expires first, and false at once if the messages would have to be sent by
    /// the thread of a parent process ([fork](Self#fork)). See [`Handle::flush`].
    pub fn flush_timeout(&self, timeout: Duration) -> bool
    where
        T: Sends,
    {
        wait(self.handle.flush(), Some(timeout), || self.is_inherited()).is_ok()
    }
}

impl<T: Kind> Socket<T> {
    /// Receives the next message. Messages of several peers are fair-queued. Blocks while no message is queued.
    ///
    /// # Errors
    /// [`RecvError`]; never [`RecvError::Empty`].
    #[doc(alias("zmq_recv", "zmq_msg_recv", "zmq_recvmsg", "zmq_recviov", "recv_multipart", "recv_string"))]
    #[doc(alias = "zmsg_recv")]
    pub fn recv(&self) -> Result<Message, RecvError>
    where
        T: Receives,
    {
        self.received(wait(self.handle.recv(), None, || self.is_inherited()))
    }

    /// Receives the next message. Blocks at most for `timeout` (`ZMQ_RCVTIMEO`).
    ///
    /// # Errors
    /// [`RecvError`]; [`RecvError::TimedOut`] when the timeout expires, with the timeout and the reason of each dial that is
    /// failing.
    #[doc(alias("ZMQ_RCVTIMEO", "RCVTIMEO", "set_rcvtimeo"))]
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Message, RecvError>
    where
        T: Receives,
    {
        self.received(wait(self.handle.recv(), Some(timeout), || self.is_inherited()))
    }

    /// Converts the result of a wait for a message into the result that the application receives.
    pub(crate) fn received<R>(&self, waited: Result<Result<R, RecvError>, Unready>) -> Result<R, RecvError> {
        waited.unwrap_or_else(|unready| {
            Err(match unready {
                Unready::TimedOut(after) => RecvError::TimedOut { after, failing: self.failing_dials() },
                Unready::Inherited => RecvError::Forked,
                Unready::Interrupted => RecvError::Interrupted,
            })
        })
    }

    /// Receives the next message as [`recv`](Self::recv) does, and returns it with its sender: the metadata of the peer's
    /// handshake and, if known, the authenticated user (libzmq: `zmq_msg_gets`).
    ///
    /// # Errors
    /// [`RecvError`]; never [`RecvError::Empty`].
    #[doc(alias = "zmq_msg_gets")]
    pub fn recv_from(&self) -> Result<(Message, Arc<Peer>), RecvError>
    where
        T: Receives,
    {
        self.received(wait(self.handle.recv_from(), None, || self.is_inherited()))
    }

    /// Receives the next message with its sender as [`recv_from`](Self::recv_from) does. Blocks at most for `timeout`.
    ///
    /// # Errors
    /// [`RecvError`]; [`RecvError::TimedOut`] when the timeout expires.
    pub fn recv_from_timeout(&self, timeout: Duration) -> Result<(Message, Arc<Peer>), RecvError>
    where
        T: Receives,
    {
        self.received(wait(self.handle.recv_from(), Some(timeout), || self.is_inherited()))
    }

    /// Receives the next message without blocking, and returns it with its sender; see [`recv_from`](Self::recv_from).
    ///
    /// # Errors
    /// [`RecvError`].
    pub fn try_recv_from(&self) -> Result<(Message, Arc<Peer>), RecvError>
    where
        T: Receives,
    {
        self.handle.try_recv_from()
    }

    /// Blocks until a [`try_recv`](Self::try_recv) would not find the queue empty, for at most `timeout`; see
    /// [`Handle::readable`]. Returns false if the timeout expires or a [signal](Self#signals) interrupts the call, and false at
    /// once in a [forked](Self#fork) child.
    pub fn readable_timeout(&self, timeout: Duration) -> bool
    where
        T: Receives,
    {
        wait(self.handle.readable(), Some(timeout), || self.is_inherited()).is_ok()
    }

    /// Receives the next message without blocking.
    ///
    /// # Errors
    /// [`RecvError`].
    #[doc(alias("ZMQ_DONTWAIT", "DONTWAIT", "ZMQ_NOBLOCK", "NOBLOCK"))]
    pub fn try_recv(&self) -> Result<Message, RecvError>
    where
        T: Receives,
    {
        self.handle.try_recv()
    }

    /// Returns an iterator over received messages. The iterator blocks until the next message is received, and ends
    /// when the socket is closed. Other errors are items; the iterator ends after one that is [final](RecvError::is_final).
    pub fn iter(&self) -> impl Iterator<Item = Result<Message, RecvError>>
    where
        T: Receives,
    {
        let mut has_ended = false;
        core::iter::from_fn(move || {
            let result = if has_ended { Err(RecvError::Closed) } else { self.recv() };
            has_ended = result.as_ref().is_err_and(RecvError::is_final);
            (result != Err(RecvError::Closed)).then_some(result)
        })
    }
}

impl<T: Kind> From<Handle<T>> for Socket<T> {
    fn from(handle: Handle<T>) -> Self {
        Self { handle, exit: None }
    }
}

impl<T: Kind> AsRef<Handle<T>> for Socket<T> {
    fn as_ref(&self) -> &Handle<T> {
        &self.handle
    }
}

impl<T: Kind> Clone for Socket<T> {
    fn clone(&self) -> Self {
        Self { handle: self.handle.clone(), exit: self.exit.clone() }
    }
}

impl<T: Kind> fmt::Debug for Socket<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle.fmt(f)
    }
}

/// Iterator over the events of a socket; see [`Socket::monitor`]. Blocks until the next event, and ends when the socket
/// is closed. In a [forked](Socket#fork) child it ends after the events that were emitted before the fork. Signals do not end
/// the iterator.
#[doc(alias("zmonitor", "recv_monitor_message"))]
#[derive(Debug)]
pub struct Events(Monitor);

impl Events {
    /// Returns the next event. Blocks while there is none.
    ///
    /// # Errors
    /// [`RecvError::Closed`] after the last event of a closed socket. [`RecvError::Interrupted`] and [`RecvError::Forked`] as
    /// for messages.
    pub fn recv(&mut self) -> Result<Event, RecvError> {
        self.recv_until(None)
    }

    /// Returns the next event. Blocks at most for `timeout`.
    ///
    /// # Errors
    /// [`RecvError::TimedOut`] when the timeout expires; otherwise the errors of [`recv`](Self::recv).
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Event, RecvError> {
        self.recv_until(Some(timeout))
    }

    fn recv_until(&mut self, timeout: Option<Duration>) -> Result<Event, RecvError> {
        let is_inherited = self.0.is_inherited();
        match wait(self.0.next(), timeout, || is_inherited) {
            Ok(Some(event)) => Ok(event),
            Ok(None) => Err(RecvError::Closed),
            Err(Unready::TimedOut(after)) => Err(RecvError::TimedOut { after, failing: FailingDials::default() }),
            Err(Unready::Inherited) => Err(RecvError::Forked),
            Err(Unready::Interrupted) => Err(RecvError::Interrupted),
        }
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        loop {
            match self.recv() {
                Err(RecvError::Interrupted) => {}
                result => return result.ok(),
            }
        }
    }
}
