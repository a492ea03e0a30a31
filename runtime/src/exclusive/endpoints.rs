//! Methods of [`Exclusive`] for its endpoints and its end.

use crate::closing::Closed;
use crate::exclusive::Exclusive;
use crate::runtime::TimedRuntime;
use crate::state;
use core::future::poll_fn;
use core::task::{Context, Poll};
use core::time::Duration;
use sansmq_proto::address::ParseEndpointError;
use sansmq_proto::connection::Peer;
use sansmq_proto::kind::{AssignsRoutingId, ConnectsPeers, Kind, RoutesById};
use sansmq_proto::socket::{BindError, ConnectError, UnbindError, WaitError, WaitId};
use sansmq_proto::{Endpoint, Frame, ListenerId, Socket};
use std::sync::Arc;

impl<T: Kind, R: TimedRuntime> Exclusive<T, R> {
    /// Binds to an endpoint, accepts peers there, and returns the bound endpoint, as [`Handle::bind`](crate::Handle::bind) does.
    ///
    /// Not cancel-safe: if the future is dropped, the socket may still become bound.
    ///
    /// # Errors
    /// [`BindError`]: `endpoint` is invalid or not supported by the socket type, or the operating system returned an error. Its
    /// error is [`Unsupported`](sansmq_proto::NetworkError::Unsupported) for `inproc`.
    pub async fn bind<E>(&mut self, endpoint: E) -> Result<Endpoint, BindError>
    where
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        let endpoint = endpoint.try_into().map_err(ParseEndpointError::from)?;
        let listener = self.begin_bind(endpoint.clone())?;
        poll_fn(|cx| self.poll_bound(cx, listener, &endpoint)).await
    }

    /// Begins to bind to an endpoint. Pass the returned id to [`poll_bound`](Self::poll_bound).
    ///
    /// # Errors
    /// [`BindError`]: the socket type does not support the endpoint.
    pub fn begin_bind(&mut self, endpoint: Endpoint) -> Result<ListenerId, BindError> {
        state::bind(self.engine.socket_mut(), endpoint)
    }

    /// Returns the endpoint to which the socket is bound, when it is. `requested` is the endpoint of
    /// [`begin_bind`](Self::begin_bind), for the error.
    ///
    /// # Errors
    /// [`BindError`]. A listener that has failed must not be polled again.
    pub fn poll_bound(
        &mut self,
        cx: &mut Context<'_>,
        listener: ListenerId,
        requested: &Endpoint,
    ) -> Poll<Result<Endpoint, BindError>> {
        self.poll_with(cx, |socket| match socket.listener(listener) {
            _ if socket.is_closed() => Poll::Ready(Err(BindError::Closed)),
            None => Poll::Pending,
            Some(Ok(bound)) => Poll::Ready(Ok(bound)),
            Some(Err(error)) => {
                socket.forget_listener(listener);
                Poll::Ready(Err(BindError::Network { endpoint: requested.clone(), error }))
            }
        })
    }

    /// Connects to an endpoint, and reconnects whenever the connection is lost, as [`Handle::connect`](crate::Handle::connect)
    /// does. The next call that drives begins to dial.
    ///
    /// # Errors
    /// [`ConnectError`]: `endpoint` is invalid, not supported by the socket type, or a wildcard.
    pub fn connect<E>(&mut self, endpoint: E) -> Result<(), ConnectError>
    where
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        let endpoint = endpoint.try_into().map_err(ParseEndpointError::from)?;
        let now = self.engine.now();
        self.engine.socket_mut().connect(endpoint, now).map(drop)
    }

    /// Connects like [`connect`](Self::connect), and waits until the handshake with the peer is complete, for at most `timeout`
    /// (`None`: no limit); see [`Handle::connect_and_wait`](crate::Handle::connect_and_wait). Returns the peer.
    ///
    /// After an error, and if the future is dropped, the socket continues to dial; [`disconnect`](Self::disconnect) ends this.
    ///
    /// # Errors
    /// [`WaitError`], which has the reason of the latest failure.
    pub async fn connect_and_wait<E>(
        &mut self,
        endpoint: E,
        timeout: impl Into<Option<Duration>>,
    ) -> Result<Arc<Peer>, WaitError>
    where
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        let endpoint = endpoint.try_into().map_err(|error| ConnectError::from(ParseEndpointError::from(error)))?;
        let (now, socket) = (self.engine.now(), self.engine.socket_mut());
        let pipe = socket.connect(endpoint, now)?;
        let id = socket.begin_wait(pipe, timeout.into(), now);
        let wait = WaitGuard { exclusive: self, id };
        poll_fn(|cx| wait.exclusive.poll_with(cx, |socket| socket.poll_wait(id).map_or(Poll::Pending, Poll::Ready)))
            .await
    }

    /// Connects like [`connect`](Self::connect), and assigns `routing_id` to the peer; see
    /// [`Handle::connect_as`](crate::Handle::connect_as).
    ///
    /// # Errors
    /// [`ConnectError`]: the errors of [`connect`](Self::connect), or another peer already has this routing id.
    pub fn connect_as<E>(&mut self, endpoint: E, routing_id: impl Into<Frame>) -> Result<(), ConnectError>
    where
        T: RoutesById,
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        let endpoint = endpoint.try_into().map_err(ParseEndpointError::from)?;
        let now = self.engine.now();
        self.engine.socket_mut().connect_as(endpoint, routing_id, now).map(drop)
    }

    /// Connects like [`connect`](Self::connect), and returns the routing id of the new peer; see
    /// [`Handle::connect_peer`](crate::Handle::connect_peer).
    ///
    /// # Errors
    /// [`ConnectError`].
    pub fn connect_peer<E>(&mut self, endpoint: E) -> Result<Frame, ConnectError>
    where
        T: ConnectsPeers,
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        let endpoint = endpoint.try_into().map_err(ParseEndpointError::from)?;
        let now = self.engine.now();
        self.engine.socket_mut().connect_peer(endpoint, now).map(|(_, id)| id)
    }

    /// Stops listening at `endpoint`, and closes the connections that were accepted there. The address is free when the method
    /// returns. Messages that are queued for these connections are still sent by calls that drive, until `linger` expires.
    ///
    /// # Errors
    /// [`UnbindError`]: `endpoint` is invalid, the socket is not bound to it, or an error occurred while the listener was closed.
    pub fn unbind<E>(&mut self, endpoint: E) -> Result<(), UnbindError>
    where
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        let endpoint = endpoint.try_into().map_err(ParseEndpointError::from)?;
        let now = self.engine.now();
        self.engine.socket_mut().unbind(&endpoint, now)?;
        self.engine.settle();
        let failure = self.engine.take_close_failure();
        failure.map_or(Ok(()), |error| Err(UnbindError::Network { endpoint, error }))
    }

    /// Closes every connection that `connect` has made to `endpoint`, and stops reconnecting. Queued messages are still sent by
    /// calls that drive, until `linger` expires.
    ///
    /// # Errors
    /// [`UnbindError`]: `endpoint` is invalid, or no `connect` to this endpoint is active.
    pub fn disconnect<E>(&mut self, endpoint: E) -> Result<(), UnbindError>
    where
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        let endpoint = endpoint.try_into().map_err(ParseEndpointError::from)?;
        let now = self.engine.now();
        self.engine.socket_mut().disconnect(&endpoint, now)?;
        self.engine.settle();
        Ok(())
    }

    /// Closes the connection to the peer with this routing id, and does not reconnect; see [`Socket::disconnect_peer`].
    ///
    /// # Errors
    /// [`UnbindError::UnknownPeer`] if no peer has this routing id.
    pub fn disconnect_peer(&mut self, routing_id: impl Into<Frame>) -> Result<(), UnbindError>
    where
        T: AssignsRoutingId,
    {
        let now = self.engine.now();
        self.engine.socket_mut().disconnect_peer(routing_id, now)?;
        self.engine.settle();
        Ok(())
    }

    /// Closes the socket: sends the queued messages until `linger` expires, and then closes the connections. Its addresses are
    /// free at once.
    ///
    /// Not cancel-safe: if the future is dropped, so is the socket, with the messages that are left.
    pub async fn close(mut self) -> Closed {
        self.begin_close();
        poll_fn(|cx| self.poll_closed(cx)).await
    }

    /// Closes the socket as [`close`](Self::close) does, but queued messages are sent for at most `limit`, whatever the option
    /// [`linger`](sansmq_proto::Options::linger) is. A limit of zero drops the queued messages now.
    ///
    /// Not cancel-safe: if the future is dropped, so is the socket, with the messages that are left.
    pub async fn close_within(mut self, limit: Duration) -> Closed {
        self.begin_close_within(limit);
        poll_fn(|cx| self.poll_closed(cx)).await
    }

    /// Begins to close the socket as [`close`](Self::close) does. From now on, sending and receiving return an error. Its
    /// addresses are free when the method returns.
    pub fn begin_close(&mut self) {
        self.begin_end(Socket::close);
    }

    /// Begins to close the socket as [`close_within`](Self::close_within) does. If the socket is closing already, `limit` can only
    /// shorten the time that is left.
    pub fn begin_close_within(&mut self, limit: Duration) {
        self.begin_end(|socket, now| socket.close_within(limit, now));
    }

    fn begin_end(&mut self, end: impl FnOnce(&mut Socket, sansmq_proto::Instant)) {
        let now = self.engine.now();
        end(self.engine.socket_mut(), now);
        self.engine.settle();
    }

    /// Returns `Ready` when the socket is closed, after [`begin_close`](Self::begin_close).
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<Closed> {
        self.poll_with(cx, |socket| {
            if socket.is_closed() { Poll::Ready(Closed { unsent: socket.unsent() }) } else { Poll::Pending }
        })
    }
}

/// Guard that ends a wait of a socket when it is dropped.
struct WaitGuard<'a, T: Kind, R: TimedRuntime> {
    exclusive: &'a mut Exclusive<T, R>,
    id: WaitId,
}

impl<T: Kind, R: TimedRuntime> Drop for WaitGuard<'_, T, R> {
    fn drop(&mut self) {
        self.exclusive.engine.socket_mut().end_wait(self.id);
    }
}
