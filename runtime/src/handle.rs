//! [`Handle`]: a socket shared between an application and the tasks of a runtime.

use crate::adapters::{Incoming, Monitor, Outgoing, Recv, Send, arrived};
use crate::context::Context;
use crate::driver::Driver;
use crate::state::{Shared, State};
use crate::trace::Trace;
use crate::waiters::{WaiterKey, Waiters};
use crate::zap::HandlerOf;
use core::fmt;
use core::future::poll_fn;
use core::marker::PhantomData;
use core::task::Poll;
use sansmq_proto as proto;
use sansmq_proto::address::ParseEndpointError;
use sansmq_proto::kind::{Any, AssignsRoutingId, Kind, Peer, Receives, RoutesById, Sends};
use sansmq_proto::socket::{BindError, ConnectError, UnbindError};
use sansmq_proto::{
    Endpoint, Entropy, Frame, Instant, ListenerId, Message, Options, RecvError, SendError, Socket, SystemEntropy,
};
use std::sync::Arc;

/// A socket in an application's hands: cheap to clone, usable from many tasks at once, on any runtime.
///
/// Every method takes `&self`; sending and receiving may go on at the same time. When the last clone is dropped the
/// socket closes in the background, lingering as its options say; [`close`](Self::close) waits for that and reports.
///
/// The futures are cancel-safe: dropping one loses no message and sends none twice.
pub struct Handle<T: Kind = Any> {
    pub(crate) application: Arc<Application>,
    pub(crate) kind: PhantomData<fn() -> T>,
}

/// Closes the socket when the last handle is gone.
pub(crate) struct Application(pub(crate) Arc<Shared>);

impl Drop for Application {
    fn drop(&mut self) {
        self.0.with_time(Socket::close);
    }
}

/// Splits a socket in two: the handle for the application, and the driver for the tasks that do its IO. The socket's `inproc`
/// names and shared ports are those of `context`. `clock` returns the time, and must never go backwards.
pub fn new_socket<T: Kind>(
    options: Options<T>,
    context: &Context,
    clock: impl Fn() -> Instant + std::marker::Send + Sync + 'static,
) -> (Handle<T>, Driver) {
    new_socket_with_entropy(options, context, clock, SystemEntropy)
}

/// As [`new_socket`], with a random source.
pub(crate) fn new_socket_with_entropy<T: Kind>(
    options: Options<T>,
    context: &Context,
    clock: impl Fn() -> Instant + std::marker::Send + Sync + 'static,
    entropy: impl Entropy + 'static,
) -> (Handle<T>, Driver) {
    let options = options.zap_handler(Arc::new(HandlerOf::new(context)));
    let trace = Trace::new(options.socket_type());
    let socket = Socket::new(options, entropy);
    let shared = Shared::new(socket, context.clone(), trace, Box::new(clock));
    let driver = Driver::new(Arc::clone(&shared));
    (Handle { application: Arc::new(Application(shared)), kind: PhantomData }, driver)
}

/// What [`Handle::close`] reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Closed {
    /// How many messages could not be sent before linger ran out.
    pub unsent: usize,
}

impl<T: Kind> Handle<T> {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.application.0
    }

    /// Waits among those until that is so.
    async fn until(&self, among: fn(&mut State) -> &mut Waiters, is_so: fn(&mut Socket) -> bool) {
        let mut key = WaiterKey::new(self.shared(), among);
        let look = |state: &mut State| if is_so(&mut state.socket) { Poll::Ready(()) } else { Poll::Pending };
        poll_fn(|cx| key.wait(cx, look)).await;
    }

    /// The same socket with its type forgotten: for brokers that hold sockets of several types. A `send` or `recv` that
    /// the type cannot do is then an error.
    pub fn erase(&self) -> Handle<Any> {
        Handle { application: Arc::clone(&self.application), kind: PhantomData }
    }

    /// Listens for peers, and gives the bound address back: with the port the system chose if `endpoint` left it open.
    ///
    /// Sockets of one [`Context`] may share a port of TCP, on whatever runtimes they are, each by a
    /// [`Resource`](proto::address::Resource) of its own and one by none: the first that binds opens the port, those after it join,
    /// and it is closed with the last. While it is shared, a peer reaches the socket whose resource it asks for, or the one
    /// without if it asks for none; if there is none such it waits for as long as a handshake may take, for one may come,
    /// and is turned away then. Until a peer is some socket's, the limits of the socket that opened the port hold for it. A
    /// socket that is alone at its port and names no resource takes all who come, as libzmq does.
    ///
    /// Cancelled, it may still end up bound.
    ///
    /// # Errors
    /// [`BindError`]: no endpoint, or none for this type, or what the operating system says, or
    /// [`AddressInUse`](proto::NetworkError::AddressInUse) if another socket has that resource at that port.
    pub async fn bind<E>(&self, endpoint: E) -> Result<Endpoint, BindError>
    where
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        let endpoint = endpoint.try_into().map_err(ParseEndpointError::from)?;
        let listener = self.shared().with(|state| state.bind(endpoint.clone()))?;
        self.bound(listener, endpoint).await
    }

    /// Waits for the outcome of a bind.
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

    /// Connects, now and again whenever the connection is lost. Returns at once: the connection is made in the
    /// background, and messages sent meanwhile wait for it. A [`monitor`](Self::monitor) tells how it goes.
    ///
    /// # Errors
    /// [`ConnectError`]: no endpoint, or none for this type, or a wildcard.
    pub fn connect<E>(&self, endpoint: E) -> Result<(), ConnectError>
    where
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        let endpoint = endpoint.try_into().map_err(ParseEndpointError::from)?;
        self.shared().with_time(|socket, now| socket.connect(endpoint, now)).map(drop)
    }

    /// Stops listening there, and ends the connections that came in there; what is queued for them may still go out, for
    /// as long as `linger` allows. Resolves when the address is free again, or at once if others share it; cancelled, it happens all the same.
    ///
    /// # Errors
    /// [`UnbindError`].
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

    /// Ends every connection made by `connect` to that endpoint; what is queued may still go out, for as long as `linger`
    /// allows.
    ///
    /// # Errors
    /// [`UnbindError`].
    pub fn disconnect<E>(&self, endpoint: E) -> Result<(), UnbindError>
    where
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        let endpoint = endpoint.try_into().map_err(ParseEndpointError::from)?;
        self.shared().with_time(|socket, now| socket.disconnect(&endpoint, now))
    }

    /// Closes the socket for all its handles: sending and receiving end at once, queued messages may still go out for as
    /// long as `linger` allows. Resolves when all is done; cancelled, it happens all the same.
    pub async fn close(&self) -> Closed {
        let shared = self.shared();
        shared.with_time(Socket::close);
        let mut key = WaiterKey::new(shared, |state| &mut state.watchers);
        poll_fn(|cx| {
            key.wait(cx, |state| {
                // An address is free only when its listener's task has ended.
                if state.is_over() && (state.orphaned || state.listeners.is_empty()) {
                    Poll::Ready(Closed { unsent: state.socket.unsent() })
                } else {
                    Poll::Pending
                }
            })
        })
        .await
    }

    /// Everything that happens to the socket's listeners and connections from now on, with the reasons.
    pub fn monitor(&self) -> Monitor {
        Monitor::new(self.shared())
    }
}

impl<T: Sends> Handle<T> {
    /// Sends a message, waiting while no peer has room: none is there yet, or the high-water mark is reached.
    ///
    /// Cancel-safe: when the future is dropped before it is ready the message has not been sent.
    ///
    /// # Errors
    /// [`SendError`], which hands the message back; never [`SendError::Full`].
    pub fn send(&self, message: impl Into<Message>) -> Send<'_> {
        Send::new(self.shared(), message.into())
    }

    /// Sends a message if there is room now.
    ///
    /// # Errors
    /// [`SendError`], which hands the message back.
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), SendError> {
        let mut message = message.into();
        self.shared().with(|state| state.socket.offer(&mut message)).map_err(|why| why.into_error(message))
    }

    /// Waits until a send has something to say, as [`Socket::can_send`] has it. Another task may be quicker to use that.
    ///
    /// Cancel-safe.
    pub async fn writable(&self) {
        self.until(|state| &mut state.senders, Socket::can_send).await;
    }

    /// This socket as a [`Sink`](futures_sink::Sink) of messages.
    pub fn sink(&self) -> Outgoing<T> {
        Outgoing::new(self.clone())
    }
}

impl<T: Receives> Handle<T> {
    /// Receives the next message, from each peer in turn, waiting until there is one.
    ///
    /// Messages of one connection come in the order they were sent. A peer that was reconnected may have left messages on
    /// its former connection, which then come in turn with those of the new one.
    ///
    /// Cancel-safe: when the future is dropped before it is ready no message has been taken.
    ///
    /// # Errors
    /// [`RecvError`]; never [`RecvError::Empty`].
    pub fn recv(&self) -> Recv<'_> {
        Recv::new(self.shared())
    }

    /// As [`recv`](Self::recv), and tells who sent it: what the peer said of itself in its handshake, and who it is if
    /// authentication found that out (libzmq: `zmq_msg_gets`). A message that stands for a peer's going, as
    /// [`disconnect_message`](proto::Options::disconnect_message), is of that peer.
    ///
    /// Cancel-safe, as `recv` is.
    ///
    /// # Errors
    /// [`RecvError`]; never [`RecvError::Empty`].
    pub async fn recv_from(&self) -> Result<(Message, Arc<proto::connection::Peer>), RecvError> {
        let mut key = WaiterKey::new(self.shared(), |state| &mut state.receivers);
        poll_fn(|cx| key.wait(cx, |state| arrived(state.socket.recv_from()))).await
    }

    /// Receives the next message if there is one now, and tells who sent it; see [`recv_from`](Self::recv_from).
    ///
    /// # Errors
    /// [`RecvError`].
    pub fn try_recv_from(&self) -> Result<(Message, Arc<proto::connection::Peer>), RecvError> {
        self.shared().with(|state| state.socket.recv_from())
    }

    /// Receives the next message if there is one now.
    ///
    /// # Errors
    /// [`RecvError`].
    pub fn try_recv(&self) -> Result<Message, RecvError> {
        let mut received = Err(RecvError::Empty);
        self.shared().with(|state| received = state.socket.recv());
        received
    }

    /// Waits until a receive has something to say, as [`Socket::can_recv`] has it. Another task may be quicker to take it.
    ///
    /// Cancel-safe.
    pub async fn readable(&self) {
        self.until(|state| &mut state.receivers, Socket::can_recv).await;
    }

    /// This socket as a [`Stream`](futures_core::Stream) of messages, which ends when the socket is closed.
    pub fn stream(&self) -> Incoming<T> {
        Incoming::new(self.clone())
    }
}

impl<T: RoutesById> Handle<T> {
    /// As [`connect`](Self::connect), naming the peer: messages to this routing id go there, and may be sent at once
    /// (`CONNECT_ROUTING_ID`).
    ///
    /// # Errors
    /// [`ConnectError`]: also when another peer has that routing id.
    pub fn connect_as<E>(&self, endpoint: E, routing_id: impl Into<Frame>) -> Result<(), ConnectError>
    where
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        let endpoint = endpoint.try_into().map_err(ParseEndpointError::from)?;
        let id = routing_id.into();
        self.shared().with_time(|socket, now| socket.connect_as(endpoint, id, now)).map(drop)
    }
}

impl<T: AssignsRoutingId> Handle<T> {
    /// Ends the connection to the peer of this routing id, and dials it no more; see [`Socket::disconnect_peer`].
    ///
    /// # Errors
    /// [`UnbindError::UnknownPeer`].
    pub fn disconnect_peer(&self, routing_id: impl Into<Frame>) -> Result<(), UnbindError> {
        let id = routing_id.into();
        self.shared().with_time(|socket, now| socket.disconnect_peer(id, now))
    }
}

impl Handle<Peer> {
    /// As [`connect`](Self::connect), and tells the routing id of the new peer, so that messages may be sent to it at once
    /// (`zmq_connect_peer`).
    ///
    /// # Errors
    /// [`ConnectError`].
    pub fn connect_peer<E>(&self, endpoint: E) -> Result<Frame, ConnectError>
    where
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        let endpoint = endpoint.try_into().map_err(ParseEndpointError::from)?;
        self.shared().with_time(|socket, now| socket.connect_peer(endpoint, now)).map(|(_, id)| id)
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
