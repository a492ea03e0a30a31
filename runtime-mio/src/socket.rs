//! [`Socket`]: sockets for programs without an event loop.

use crate::event_loop::EventLoop;
use crate::park::wait;
use crate::reactor::Remote;
use core::fmt;
use core::time::Duration;
use sansmq_os::{BindListener, StdListener};
use sansmq_proto::address::ParseEndpointError;
use sansmq_proto::connection::Peer;
use sansmq_proto::kind::{Any, Kind, Receives, Sends, Typed};
use sansmq_proto::socket::{BindError, ConnectError, UnbindError};
use sansmq_proto::{Endpoint, Event, Message, Options, RecvError, SendError};
use sansmq_runtime::{Closed, Context, Handle, Monitor};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// A socket whose calls block: for plain threads. A background thread, one for the whole process, does the IO.
///
/// Cheap to clone and usable from many threads at once; sending and receiving may go on at the same time. When the last clone
/// is dropped the socket closes in the background, lingering as its options say; but a process that ends does not wait for
/// that, so [`close`](Self::close) sockets that have last words.
///
/// ```
/// use sansmq_mio::{RepSocket, ReqSocket};
/// use std::thread;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let rep = RepSocket::new();
/// let endpoint = rep.bind("tcp://127.0.0.1:*")?;
/// let server = thread::spawn(move || {
///     let request = rep.recv().expect("somebody asks");
///     rep.send(request).expect("it is our turn");
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
}

/// The loop of the process's background thread.
fn background() -> &'static Remote {
    static REMOTE: OnceLock<Remote> = OnceLock::new();
    REMOTE.get_or_init(|| {
        let mut events = EventLoop::new().expect("the system has descriptors for an event loop");
        let remote = events.remote();
        let serve = move || {
            // The loop has no end of its own; should the system's poll fail, dropping it closes its sockets.
            while events.turn(None).is_ok() {}
        };
        std::thread::Builder::new().name("sansmq".into()).spawn(serve).expect("the system has a thread");
        remote
    })
}

pub(crate) fn deadline(timeout: Duration) -> Option<Instant> {
    Instant::now().checked_add(timeout)
}

impl<T: Typed> Socket<T> {
    /// A socket with the default [`Options`].
    ///
    /// # Panics
    /// If it is the first, and the system has no thread or no descriptors for it.
    pub fn new() -> Self {
        Self::with(Options::new())
    }
}

impl<T: Typed> Default for Socket<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Kind> Socket<T> {
    /// A socket with these options.
    ///
    /// # Panics
    /// If it is the first, and the system has no thread or no descriptors for it.
    pub fn with(options: Options<T>) -> Self {
        Self::on(background(), options)
    }

    /// Creates a socket whose `inproc` names and shared ports are those of `context`.
    ///
    /// # Panics
    /// If it is the first socket of the process, and the system has no thread or no descriptors left.
    pub fn in_context(context: &Context, options: Options<T>) -> Self {
        background().socket_in(context, options).into()
    }

    /// A socket with these options that another loop serves. That loop must be turned by another thread.
    pub fn on(remote: &Remote, options: Options<T>) -> Self {
        remote.socket(options).into()
    }

    /// The same socket for `async` code, on whatever runtime.
    pub const fn handle(&self) -> &Handle<T> {
        &self.handle
    }

    /// The same socket with its type forgotten, as [`Handle::erase`] does.
    pub fn erase(&self) -> Socket<Any> {
        self.handle.erase().into()
    }

    /// Listens for peers, and gives the bound address back: with the port the system chose if `endpoint` left it open.
    ///
    /// # Errors
    /// [`BindError`]: no endpoint, or what the operating system says.
    pub fn bind<E>(&self, endpoint: E) -> Result<Endpoint, BindError>
    where
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        forever(self.handle.bind(endpoint))
    }

    /// Listens for peers at a listener that is open already, and gives back where; see [`BindListener`].
    ///
    /// # Errors
    /// [`BindError`].
    pub fn bind_listener(&self, listener: impl Into<StdListener> + Send) -> Result<Endpoint, BindError> {
        forever(self.handle.bind_listener(listener))
    }

    /// Connects, now and again whenever the connection is lost. Returns at once; see [`Handle::connect`].
    ///
    /// # Errors
    /// [`ConnectError`]: no endpoint, or a wildcard.
    pub fn connect<E>(&self, endpoint: E) -> Result<(), ConnectError>
    where
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        self.handle.connect(endpoint)
    }

    /// Stops listening there, and returns when the address is free again; see [`Handle::unbind`].
    ///
    /// # Errors
    /// [`UnbindError`].
    pub fn unbind<E>(&self, endpoint: E) -> Result<(), UnbindError>
    where
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        forever(self.handle.unbind(endpoint))
    }

    /// Ends every connection made by `connect` to that endpoint; see [`Handle::disconnect`].
    ///
    /// # Errors
    /// [`UnbindError`].
    pub fn disconnect<E>(&self, endpoint: E) -> Result<(), UnbindError>
    where
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        self.handle.disconnect(endpoint)
    }

    /// Closes the socket for all its clones: queued messages may still go out for as long as `linger` allows. Returns when
    /// all is done; see [`Handle::close`].
    pub fn close(&self) -> Closed {
        forever(self.handle.close())
    }

    /// Everything that happens to the socket's listeners and connections from now on, with the reasons.
    pub fn monitor(&self) -> Events {
        Events(self.handle.monitor())
    }
}

/// Waits, however long it takes.
pub(crate) fn forever<F: Future>(future: F) -> F::Output {
    wait(future, None).expect("without a deadline there is no other end")
}

impl<T: Sends> Socket<T> {
    /// Sends a message, waiting while no peer has room.
    ///
    /// # Errors
    /// [`SendError`], which hands the message back; never [`SendError::Full`].
    pub fn send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        forever(self.handle.send(message))
    }

    /// Sends a message, waiting no longer than this (option SNDTIMEO).
    ///
    /// # Errors
    /// [`SendError`], which hands the message back; [`SendError::Full`] when the time is over.
    pub fn send_timeout(&self, message: impl Into<Message>, timeout: Duration) -> Result<(), SendError> {
        // Waiting for `writable` would not do: a ROUTER always is, whether or not this peer has room.
        let mut sending = self.handle.send(message);
        wait(&mut sending, deadline(timeout)).unwrap_or_else(|| {
            let message = sending.into_message();
            message.map_or(Ok(()), |message| Err(SendError::Full(message)))
        })
    }

    /// Sends a message if there is room now.
    ///
    /// # Errors
    /// [`SendError`], which hands the message back.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        self.handle.try_send(message)
    }
}

impl<T: Receives> Socket<T> {
    /// Receives the next message, from each peer in turn, waiting until there is one.
    ///
    /// # Errors
    /// [`RecvError`]; never [`RecvError::Empty`].
    pub fn recv(&self) -> Result<Message, RecvError> {
        forever(self.handle.recv())
    }

    /// Receives the next message, waiting no longer than this (option RCVTIMEO).
    ///
    /// # Errors
    /// [`RecvError`]; [`RecvError::Empty`] when the time is over.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Message, RecvError> {
        wait(self.handle.recv(), deadline(timeout)).unwrap_or(Err(RecvError::Empty))
    }

    /// As [`recv`](Self::recv), and tells who sent it: what the peer said of itself in its handshake, and who it is if
    /// authentication found that out (libzmq: `zmq_msg_gets`).
    ///
    /// # Errors
    /// [`RecvError`]; never [`RecvError::Empty`].
    pub fn recv_from(&self) -> Result<(Message, Arc<Peer>), RecvError> {
        forever(self.handle.recv_from())
    }

    /// Receives the next message if there is one now, and tells who sent it; see [`recv_from`](Self::recv_from).
    ///
    /// # Errors
    /// [`RecvError`].
    pub fn try_recv_from(&self) -> Result<(Message, Arc<Peer>), RecvError> {
        self.handle.try_recv_from()
    }

    /// Receives the next message if there is one now.
    ///
    /// # Errors
    /// [`RecvError`].
    pub fn try_recv(&self) -> Result<Message, RecvError> {
        self.handle.try_recv()
    }

    /// The messages as they come, waiting for each, until the socket is closed. Errors of turn-taking are items.
    pub fn iter(&self) -> impl Iterator<Item = Result<Message, RecvError>> {
        core::iter::from_fn(|| match self.recv() {
            Err(RecvError::Closed) => None,
            result => Some(result),
        })
    }
}

impl<T: Kind> From<Handle<T>> for Socket<T> {
    fn from(handle: Handle<T>) -> Self {
        Self { handle }
    }
}

impl<T: Kind> Clone for Socket<T> {
    fn clone(&self) -> Self {
        self.handle.clone().into()
    }
}

impl<T: Kind> fmt::Debug for Socket<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.handle.fmt(f)
    }
}

/// A socket's events, as an iterator that waits for each and ends when the socket is closed; see [`Socket::monitor`].
#[derive(Debug)]
pub struct Events(Monitor);

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        forever(self.0.next())
    }
}
