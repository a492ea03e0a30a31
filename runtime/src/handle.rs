//! [`Handle`]: a socket shared between an application and the tasks of a runtime.

use crate::adapters::{Monitor, Recv, Send, arrived};
use crate::budget::Budget;
use crate::closing::Closed;
use crate::context::Context;
use crate::driver::Driver;
use crate::process::ProcessId;
use crate::state::{Shared, State};
use crate::trace::Trace;
use crate::turn::TurnKey;
use crate::waiters::{WaiterKey, Waiters};
use crate::zap::ContextZapHandler;
use core::fmt;
use core::future::poll_fn;
use core::marker::PhantomData;
use core::task::Poll;
use core::time::Duration;
use sansmq_proto as proto;
use sansmq_proto::address::ParseEndpointError;
use sansmq_proto::kind::{Any, AssignsRoutingId, ConnectsPeers, Kind, Receives, RoutesById, Sends};
use sansmq_proto::socket::{BindError, ConnectError, UnbindError};
use sansmq_proto::{
    Endpoint, Entropy, Frame, Instant, ListenerId, Message, Options, RecvError, SendError, Socket, SystemEntropy,
};
use std::sync::Arc;

/// Handle of a socket: cheap to clone, and usable from several tasks at the same time, on any runtime.
///
/// Most used: [`bind`](Self::bind), [`connect`](Self::connect), [`send`](Self::send), [`recv`](Self::recv),
/// [`subscribe`](Self::subscribe), [`close`](Self::close); [`set_options`](Self::set_options) of a live socket.
///
/// Every method takes `&self`, so several tasks can send and receive at the same time. When the last clone is dropped,
/// the socket closes in the background, after it has sent the queued messages or `linger` has expired.
/// [`close`](Self::close) waits until the socket is closed, and returns the number of unsent messages.
///
/// The futures are cancel-safe: when a future is dropped, no message is lost and no message is sent twice.
///
/// Futures that wait to receive, or to send to the same peers, are served in the order in which they began to wait. A
/// future that was woken keeps its turn until it is polled or dropped, so do not keep one without polling it. The futures
/// also yield to other tasks from time to time, see [`Budget`]: polled only once, as `now_or_never` does,
/// a future may find nothing although there is a message or room. For a single attempt use the methods that begin with
/// `try_`; they neither yield nor wait for a turn.
pub struct Handle<T: Kind = Any> {
    pub(crate) application: Arc<Application>,
    pub(crate) kind: PhantomData<fn() -> T>,
}

/// Value that all clones of a [`Handle`] share. It is dropped after the last clone, and then closes the socket.
pub(crate) struct Application(pub(crate) Arc<Shared>);

impl Drop for Application {
    fn drop(&mut self) {
        self.0.with_time(Socket::close);
    }
}

/// Creates a socket. Returns the handle through which the application uses the socket, and the driver, which the caller
/// must pass to [`Task::new`](crate::Task::new). The socket's `inproc` names and shared ports are those of `context`.
/// `clock` returns the current time, which must never go backwards.
pub fn new_socket<T: Kind>(
    options: Options<T>,
    context: &Context,
    clock: impl Fn() -> Instant + std::marker::Send + Sync + 'static,
) -> (Handle<T>, Driver) {
    new_socket_with_entropy(options, context, clock, SystemEntropy, Budget::PerSocket, ProcessId::current())
}

/// Creates a socket like [`new_socket`], but with `entropy` as the source of its random numbers, and with `budget` as
/// the limit of what its handles complete before they yield. The tasks of the socket run in `process`.
pub(crate) fn new_socket_with_entropy<T: Kind>(
    options: Options<T>,
    context: &Context,
    clock: impl Fn() -> Instant + std::marker::Send + Sync + 'static,
    entropy: impl Entropy + 'static,
    budget: Budget,
    process: ProcessId,
) -> (Handle<T>, Driver) {
    let options = options.zap_handler(Arc::new(ContextZapHandler::new(context)));
    let trace = Trace::new(options.socket_type());
    let mut socket = Socket::new(options, entropy);
    if let Some(budget) = context.memory_budget() {
        socket.set_memory_budget(budget);
    }
    let shared = Shared::new(socket, context.clone(), trace, Box::new(clock), budget, process);
    context.register(&shared);
    let driver = Driver::new(Arc::clone(&shared));
    (Handle { application: Arc::new(Application(shared)), kind: PhantomData }, driver)
}

impl<T: Kind> Handle<T> {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.application.0
    }

    /// Waits until `condition` is true for the socket. `among` returns the list in which the waiting future is
    /// registered. The futures in the list [`State::readable`] are woken when a message can be received, and the
    /// futures in [`State::writable`] when there is room to send. A woken future checks `condition` again.
    async fn until(&self, among: fn(&mut State) -> &mut Waiters, condition: fn(&mut Socket) -> bool) {
        let mut key = WaiterKey::new(self.shared(), among);
        let check = |state: &mut State| if condition(&mut state.socket) { Poll::Ready(()) } else { Poll::Pending };
        poll_fn(|cx| key.wait(cx, check)).await;
    }

    /// Binds to an endpoint, accepts peers there, and returns the bound endpoint. If `endpoint` has a wildcard port,
    /// the bound endpoint has the port that the operating system chose. The host can also be the name of a network
    /// interface, as in `tcp://eth0:5555`, on systems other than Windows.
    ///
    /// Sockets of one [`Context`] can share a TCP port, even if they run on different runtimes. Each socket binds with
    /// its own [`Resource`](proto::address::Resource), a name by which peers select the socket. One of the sockets is
    /// allowed to bind without a resource. The first socket that binds opens the port, later sockets join, and the port
    /// is closed when the last socket unbinds. At a shared port, a peer is assigned to the socket of the resource that
    /// the peer requests, or to the socket without a resource if the peer requests none. If there is no such socket,
    /// the peer waits until one binds, and is rejected when the handshake timeout expires. Before a peer is assigned,
    /// the limits of the socket that opened the port apply. With the option
    /// [`reuse_port`](proto::Options::reuse_port), sockets of other contexts, of other processes and with the same resource
    /// can bind the same port too, each with a listener of its own. If only one socket is bound to the port, and this socket
    /// has no resource, it accepts every peer, even a peer that requests a resource (as libzmq does).
    ///
    /// If the address is in use by a listener of this process that is still being closed, for example because its
    /// socket was dropped just before, waits until this listener is closed.
    ///
    /// Not cancel-safe: if the future is dropped, the socket may still become bound.
    ///
    /// # Errors
    /// [`BindError`]: `endpoint` is invalid or not supported by the socket type, the operating system returned an
    /// error, or the port is in use and cannot be shared ([`AddressInUse`](proto::NetworkError::AddressInUse)). Two
    /// sockets cannot share a port if both have the same resource, if both have none, or if their security settings
    /// differ.
    #[doc(alias("zmq_bind", "ZMQ_LAST_ENDPOINT", "LAST_ENDPOINT", "bind_to_random_port"))]
    pub async fn bind<E>(&self, endpoint: E) -> Result<Endpoint, BindError>
    where
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        let endpoint = endpoint.try_into().map_err(ParseEndpointError::from)?;
        let listener = self.shared().with(|state| state.bind(endpoint.clone()))?;
        self.bound(listener, endpoint).await
    }

    /// Waits until the listener with the id `listener` is open or has failed to open. Returns the bound endpoint or the
    /// error. `endpoint` is the endpoint that the application requested. The error contains `endpoint`.
    pub(crate) async fn bound(&self, listener: ListenerId, endpoint: Endpoint) -> Result<Endpoint, BindError> {
        let mut key = WaiterKey::new(self.shared(), |state| &mut state.watchers);
        poll_fn(|cx| {
            key.wait(cx, |state| match state.socket.listener(listener) {
                _ if state.is_over() => Poll::Ready(Err(BindError::Closed)),
                None => Poll::Pending,
                Some(Ok(bound)) => Poll::Ready(Ok(bound)),
                Some(Err(error)) => {
                    state.socket.forget_listener(listener);
                    Poll::Ready(Err(BindError::Network { endpoint: endpoint.clone(), error }))
                }
            })
        })
        .await
    }

    /// Connects to an endpoint, and reconnects whenever the connection is lost. Returns at once: the connection is made
    /// in the background, and messages are queued until then. A [`monitor`](Self::monitor) receives an event for each
    /// step.
    ///
    /// # Errors
    /// [`ConnectError`]: `endpoint` is invalid, not supported by the socket type, or a wildcard.
    #[doc(alias = "zmq_connect")]
    pub fn connect<E>(&self, endpoint: E) -> Result<(), ConnectError>
    where
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        let endpoint = endpoint.try_into().map_err(ParseEndpointError::from)?;
        self.shared().with_time(|socket, now| socket.connect(endpoint, now)).map(drop)
    }
}

impl<T: Kind> Handle<T> {
    /// Sends a message. Waits while the socket has no room for the message, because there is no peer, or because the
    /// high-water mark of every peer that could receive the message is reached. Types that drop messages for peers without
    /// room do not wait: REP, XSUB, a ROUTER without `mandatory`, and, by default, PUB, XPUB and RADIO.
    ///
    /// Cancel-safe: if the future is dropped before it is ready, the message has not been sent. So a time-out of the runtime
    /// around this future is the counterpart of `ZMQ_SNDTIMEO`.
    ///
    /// # Errors
    /// [`SendError`], which returns the message; never [`SendError::Full`].
    #[doc(alias("zmq_send", "zmq_msg_send", "zmq_sendmsg", "zmq_sendiov", "send_multipart", "send_string"))]
    #[doc(alias("zmsg_send", "ZMQ_SNDTIMEO", "SNDTIMEO", "set_sndtimeo"))]
    pub fn send(&self, message: impl Into<Message>) -> Send<'_>
    where
        T: Sends,
    {
        Send { key: TurnKey::new(self.shared()), message: Some(message.into()) }
    }

    /// Sends a message without waiting.
    ///
    /// # Errors
    /// [`SendError`], which returns the message.
    #[doc(alias("ZMQ_DONTWAIT", "DONTWAIT", "ZMQ_NOBLOCK", "NOBLOCK"))]
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), SendError>
    where
        T: Sends,
    {
        let mut message = message.into();
        self.shared()
            .with(|state| state.socket.offer(&mut message))
            .map_err(|why| self.shared().with(|state| state.socket.send_error(why, message)))
    }

    /// Checks whether a message that begins with the frame `first` can be sent, as defined by [`Socket::check_first_frame`], for
    /// bindings that take the frames of a message one at a time (`ZMQ_SNDMORE`).
    ///
    /// # Errors
    /// [`Unsent`](proto::socket::Unsent).
    pub fn check_first_frame(&self, first: &Frame) -> Result<(), proto::socket::Unsent>
    where
        T: Sends,
    {
        self.shared().with(|state| state.socket.check_first_frame(first))
    }

    /// Returns whether the peer with this routing id has room for a message, or `None` without such a peer, as defined by
    /// [`Socket::can_send_to`]. Another task may send first.
    #[doc(alias = "zmq_socket_get_peer_state")]
    pub fn can_send_to(&self, routing_id: impl Into<Frame>) -> Option<bool>
    where
        T: Sends,
    {
        let id = routing_id.into();
        self.shared().with(|state| state.socket.can_send_to(&id))
    }

    /// Returns true if the socket can send without waiting (`ZMQ_EVENTS` with `ZMQ_POLLOUT`), as defined by
    /// [`Socket::can_send`]. Another task may send first.
    pub fn can_send(&self) -> bool
    where
        T: Sends,
    {
        self.shared().with(|state| state.socket.can_send())
    }

    /// Waits until the socket can send without waiting, as defined by [`Socket::can_send`]. Another task may then send
    /// first and use up the room.
    ///
    /// Cancel-safe.
    #[doc(alias("ZMQ_EVENTS", "EVENTS", "ZMQ_POLLOUT", "POLLOUT"))]
    pub async fn writable(&self)
    where
        T: Sends,
    {
        self.until(|state| &mut state.writable, Socket::can_send).await;
    }

    /// Waits until every message that was sent before this call is handed to the operating system, or was dropped.
    /// Later messages do not prolong the wait. A message to a peer without a connection stays queued, so use a timeout
    /// if no peer may connect. Over `inproc`, waits until the receiving sockets have taken the messages.
    ///
    /// The peer may not have received the messages yet; only a reply of the peer shows this.
    ///
    /// Cancel-safe.
    pub async fn flush(&self)
    where
        T: Sends,
    {
        let shared = self.shared();
        let mut flush = shared.with(|state| state.socket.begin_flush());
        let mut key = WaiterKey::new(shared, |state| &mut state.watchers);
        poll_fn(|cx| {
            key.wait(cx, |state| {
                let is_over = state.is_over();
                if is_over || state.socket.poll_flush(&mut flush) { Poll::Ready(()) } else { Poll::Pending }
            })
        })
        .await;
    }
}

impl<T: Kind> Handle<T> {
    /// Receives the next message. The peers that have sent messages take turns (fair queueing): after each message, or, while
    /// more than eight peers have messages, after up to 32. Waits while no message is queued.
    ///
    /// Messages of one connection are received in the order in which they were sent. After a reconnect, messages that
    /// are still queued from the previous connection may alternate with messages of the new connection.
    ///
    /// Cancel-safe: if the future is dropped before it is ready, no message has been removed from the queue. So a time-out of
    /// the runtime around this future is the counterpart of `ZMQ_RCVTIMEO`.
    ///
    /// # Errors
    /// [`RecvError`]; never [`RecvError::Empty`].
    #[doc(alias("zmq_recv", "zmq_msg_recv", "zmq_recvmsg", "zmq_recviov", "recv_multipart", "recv_string"))]
    #[doc(alias("zmsg_recv", "ZMQ_RCVTIMEO", "RCVTIMEO", "set_rcvtimeo"))]
    pub fn recv(&self) -> Recv<'_>
    where
        T: Receives,
    {
        Recv(TurnKey::new(self.shared()))
    }

    /// Receives the next message as [`recv`](Self::recv) does, and returns it with its sender: the metadata of the peer's
    /// handshake and, if known, the authenticated user (libzmq: `zmq_msg_gets`). The sender of a
    /// [`disconnect_message`](proto::Options::disconnect_message) is the peer that has disconnected.
    ///
    /// Cancel-safe, like `recv`.
    ///
    /// # Errors
    /// [`RecvError`]; never [`RecvError::Empty`].
    #[doc(alias = "zmq_msg_gets")]
    pub async fn recv_from(&self) -> Result<(Message, Arc<proto::connection::Peer>), RecvError>
    where
        T: Receives,
    {
        let mut key = TurnKey::new(self.shared());
        poll_fn(|cx| key.receive(cx, |state| arrived(state.socket.recv_from()))).await
    }

    /// Receives the next message without waiting, and returns it with its sender; see [`recv_from`](Self::recv_from).
    ///
    /// # Errors
    /// [`RecvError`].
    pub fn try_recv_from(&self) -> Result<(Message, Arc<proto::connection::Peer>), RecvError>
    where
        T: Receives,
    {
        self.shared().with(|state| state.socket.recv_from())
    }

    /// Receives the next message without waiting.
    ///
    /// # Errors
    /// [`RecvError`].
    #[doc(alias("ZMQ_DONTWAIT", "DONTWAIT", "ZMQ_NOBLOCK", "NOBLOCK"))]
    pub fn try_recv(&self) -> Result<Message, RecvError>
    where
        T: Receives,
    {
        let mut received = Err(RecvError::Empty);
        self.shared().with(|state| received = state.socket.recv());
        received
    }

    /// Returns true if the socket can receive without waiting (`ZMQ_EVENTS` with `ZMQ_POLLIN`), as defined by
    /// [`Socket::can_recv`]. Another task may receive the message first.
    pub fn can_recv(&self) -> bool
    where
        T: Receives,
    {
        self.shared().with(|state| state.socket.can_recv())
    }

    /// Waits until the socket can receive without waiting, as defined by [`Socket::can_recv`]. Another task may then
    /// receive the message first.
    ///
    /// Cancel-safe.
    #[doc(alias("ZMQ_EVENTS", "EVENTS", "ZMQ_POLLIN", "POLLIN"))]
    pub async fn readable(&self)
    where
        T: Receives,
    {
        self.until(|state| &mut state.readable, Socket::can_recv).await;
    }
}

impl<T: Kind> Handle<T> {
    /// Stops listening at `endpoint`, and closes the connections that were accepted there. Messages that are queued for
    /// these connections are still sent until `linger` expires. Completes when the address is free again, or at once if
    /// other sockets share the port. If the future is dropped, the socket unbinds nevertheless.
    ///
    /// # Errors
    /// [`UnbindError`]: `endpoint` is invalid, the socket is not bound to it, or an error occurred while the listener
    /// was closed.
    #[doc(alias = "zmq_unbind")]
    pub async fn unbind<E>(&self, endpoint: E) -> Result<(), UnbindError>
    where
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        let endpoint = endpoint.try_into().map_err(ParseEndpointError::from)?;
        let shared = self.shared();
        let now = shared.now();
        let stopped = shared.with(|state| state.unbind(&endpoint, now))?;
        let mut key = WaiterKey::new(shared, |state| &mut state.watchers);
        poll_fn(|cx| {
            key.wait(cx, |state| {
                let open = stopped.iter().any(|(id, _)| state.listeners.contains_key(id));
                if open && !state.is_over() { Poll::Pending } else { Poll::Ready(()) }
            })
        })
        .await;
        let failure = stopped.iter().find_map(|(_, port)| port.failure.get().copied());
        failure.map_or(Ok(()), |error| Err(UnbindError::Network { endpoint, error }))
    }

    /// Closes every connection that `connect` has made to `endpoint`, and stops reconnecting. Queued messages are still
    /// sent until `linger` expires.
    ///
    /// # Errors
    /// [`UnbindError`]: `endpoint` is invalid, or no `connect` to this endpoint is active.
    #[doc(alias = "zmq_disconnect")]
    pub fn disconnect<E>(&self, endpoint: E) -> Result<(), UnbindError>
    where
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        let endpoint = endpoint.try_into().map_err(ParseEndpointError::from)?;
        self.shared().with_time(|socket, now| socket.disconnect(&endpoint, now))
    }

    /// Closes the socket for all its handles. From now on, sending and receiving return an error, but messages that are
    /// already queued are still sent until `linger` expires. Completes when the socket is closed and its addresses are
    /// free. If the future is dropped, the socket closes nevertheless.
    ///
    /// Call this method, or [`Context::close`], before the end of the program: the tasks of the socket end with their
    /// runtime, and messages that are not sent by then are lost.
    #[doc(alias("zmq_close", "zsock_destroy"))]
    pub async fn close(&self) -> Closed {
        self.shared().with_time(Socket::close);
        self.shared().closed().await
    }

    /// Closes the socket as [`close`](Self::close) does, but queued messages are sent for at most `limit`, whatever the
    /// option [`linger`](Options::linger) is. A limit of zero drops the queued messages now. If the socket is closing
    /// already, `limit` can only shorten the time that is left.
    ///
    /// Takes effect when it is called, even if the returned future is not polled.
    pub fn close_within(&self, limit: Duration) -> impl Future<Output = Closed> + core::marker::Send + use<'_, T> {
        self.shared().with_time(|socket, now| socket.close_within(limit, now));
        self.shared().closed()
    }

    /// Returns a stream of the events that the socket emits from now on. The events report changes of the socket's
    /// listeners and connections, and dropped messages. An event of a failure contains the reason.
    #[doc(alias("zmq_socket_monitor", "zmq_socket_monitor_versioned", "get_monitor_socket"))]
    pub fn monitor(&self) -> Monitor {
        Monitor::new(self.shared())
    }

    /// Returns a handle without the static socket type, for programs that store sockets of several types together. On such a
    /// handle, a `send` or `recv` that the socket type does not support returns an error.
    pub fn erase(&self) -> Handle<Any> {
        Handle { application: Arc::clone(&self.application), kind: PhantomData }
    }

    /// Returns true if the current process is a forked child, and the tasks of the socket run in its parent. In the child
    /// no future of this socket becomes ready that must wait for a task, and no peer receives what is sent. This is a
    /// system call on Unix.
    pub fn is_inherited(&self) -> bool {
        self.shared().is_inherited()
    }
}

impl<T: Kind> Handle<T> {
    /// Connects to an endpoint like [`connect`](Self::connect), and assigns `routing_id` to the peer
    /// (`ZMQ_CONNECT_ROUTING_ID`). Messages to this routing id can be sent at once, before the connection is made. Any
    /// peer at the endpoint has this routing id, even if it names another in its handshake.
    ///
    /// # Errors
    /// [`ConnectError`]: the errors of [`connect`](Self::connect), or another peer already has this routing id.
    #[doc(alias("ZMQ_CONNECT_ROUTING_ID", "CONNECT_ROUTING_ID", "ZMQ_CONNECT_RID", "CONNECT_RID"))]
    pub fn connect_as<E>(&self, endpoint: E, routing_id: impl Into<Frame>) -> Result<(), ConnectError>
    where
        T: RoutesById,
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        let endpoint = endpoint.try_into().map_err(ParseEndpointError::from)?;
        let id = routing_id.into();
        self.shared().with_time(|socket, now| socket.connect_as(endpoint, id, now)).map(drop)
    }
}

impl<T: Kind> Handle<T> {
    /// Closes the connection to the peer with this routing id, and does not reconnect; see [`Socket::disconnect_peer`].
    ///
    /// # Errors
    /// [`UnbindError::UnknownPeer`] if no peer has this routing id.
    #[doc(alias = "zmq_disconnect_peer")]
    pub fn disconnect_peer(&self, routing_id: impl Into<Frame>) -> Result<(), UnbindError>
    where
        T: AssignsRoutingId,
    {
        let id = routing_id.into();
        self.shared().with_time(|socket, now| socket.disconnect_peer(id, now))
    }
}

impl<T: Kind> Handle<T> {
    /// Connects to an endpoint like [`connect`](Self::connect), and returns the routing id of the new peer
    /// (`zmq_connect_peer`). Messages to this routing id can be sent at once, before the connection is made.
    ///
    /// # Errors
    /// [`ConnectError`].
    #[doc(alias = "zmq_connect_peer")]
    pub fn connect_peer<E>(&self, endpoint: E) -> Result<Frame, ConnectError>
    where
        T: ConnectsPeers,
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        let endpoint = endpoint.try_into().map_err(ParseEndpointError::from)?;
        self.shared().with_time(|socket, now| socket.connect_peer(endpoint, now)).map(|(_, id)| id)
    }
}

impl<T: Kind> AsRef<Self> for Handle<T> {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl<T: Kind> Clone for Handle<T> {
    fn clone(&self) -> Self {
        Self { application: Arc::clone(&self.application), kind: PhantomData }
    }
}

impl<T: Kind> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared().with(|state| state.socket.fmt(f))
    }
}

#[cfg(all(test, not(sansmq_loom)))]
mod tests;
