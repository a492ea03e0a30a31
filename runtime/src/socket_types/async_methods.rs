//! Methods of the types of sockets on async runtimes.

/// Methods of the types of [`socket_types!`](crate::socket_types!) on an async runtime, by group. An argument of
/// `socket_types!`; each call expands to one group.
#[macro_export]
macro_rules! async_methods {
    (create $kind:ident) => {
        /// Creates a socket with the default options on the current runtime.
        ///
        /// # Panics
        /// If there is no current runtime; [`try_new`](Self::try_new) returns an error instead.
        #[track_caller]
        pub fn new() -> Self {
            Self(Socket::new())
        }

        /// Creates a socket with the given options on the current runtime.
        ///
        /// # Panics
        /// If there is no current runtime.
        #[track_caller]
        pub fn with_options(options: $crate::proto::Options<$crate::proto::kind::$kind>) -> Self {
            Self(Socket::with_options(options))
        }
    };
    (attach) => {
        /// Binds to an endpoint, accepts peers there, and returns the bound endpoint. If `endpoint` has a wildcard port,
        /// as in `tcp://127.0.0.1:*`, the bound endpoint has the port that the operating system chose. Waits if the
        /// address belongs to a listener of this process that is still being closed. See
        /// [`Handle::bind`](sansmq_runtime::Handle::bind), also for several sockets at one port.
        ///
        /// Not cancel-safe: if the future is dropped, the socket may still become bound.
        ///
        /// # Errors
        /// [`BindError`](sansmq_runtime::proto::socket::BindError): `endpoint` is invalid or not supported by the socket
        /// type, or the operating system returned an error, for example because the address is in use.
        pub async fn bind<E>(&self, endpoint: E) -> Result<$crate::proto::Endpoint, $crate::proto::socket::BindError>
        where
            E: TryInto<$crate::proto::Endpoint>,
            $crate::proto::address::ParseEndpointError: From<E::Error>,
        {
            self.0.bind(endpoint).await
        }

        $crate::socket_methods! { connect }

        /// Connects to an endpoint as [`connect`](Self::connect) does, and waits until the handshake with the peer is
        /// complete, for at most `timeout` (`None`: no limit). Returns the peer.
        ///
        /// After an error, and if the future is dropped, the socket continues to dial; [`disconnect`](Self::disconnect)
        /// ends this.
        ///
        /// # Errors
        /// [`WaitError`](sansmq_runtime::proto::socket::WaitError): `timeout` has expired, with the reason of the latest
        /// failed attempt, or the peer refuses the connection, for example because of a wrong password.
        pub async fn connect_and_wait<E>(
            &self,
            endpoint: E,
            timeout: impl Into<Option<core::time::Duration>>,
        ) -> Result<std::sync::Arc<$crate::proto::connection::Peer>, $crate::proto::socket::WaitError>
        where
            E: TryInto<$crate::proto::Endpoint>,
            $crate::proto::address::ParseEndpointError: From<E::Error>,
        {
            self.0.connect_and_wait(endpoint, timeout).await
        }
    };
    (send $kind:ident) => {
        /// Sends a message. Waits while there is no peer, or while the high-water mark of every peer that could receive
        /// the message is reached. Types that drop messages for such peers do not wait: REP, XSUB, a ROUTER without
        /// `mandatory`, and, by default, PUB, XPUB and RADIO.
        ///
        /// Cancel-safe: if the future is dropped before it is ready, the message has not been sent. So a time-out of the runtime
        /// around this future is the counterpart of `ZMQ_SNDTIMEO`.
        ///
        /// # Errors
        /// [`SendError`](sansmq_runtime::proto::SendError), which returns the message; never
        /// [`Full`](sansmq_runtime::proto::SendError::Full).
        #[inline]
        pub fn send(&self, message: impl Into<$crate::proto::Message>) -> $crate::Send<'_> {
            self.0.send(message)
        }

        $crate::socket_methods! { try_send }

        $crate::socket_methods! { can_send }

        /// Waits until a message can be sent without waiting. Another task may then send first. Cancel-safe.
        pub async fn writable(&self) {
            self.0.writable().await;
        }

        /// Waits until every message that was sent before this call is handed to the operating system, or was dropped. The
        /// peers may not have received these messages yet. A message to a peer without a connection stays queued, so use
        /// a time-out if no peer may connect. Cancel-safe.
        pub async fn flush(&self) {
            self.0.flush().await;
        }

        /// Sends messages from the start of `messages`, in order. Waits while there is no room for the first, as
        /// [`send`](Self::send) does, and then sends as many as there is room for, at most 1024. Removes the sent messages from
        /// `messages`, and returns their number. Costs less than half of a [`send`](Self::send) per message. See
        /// [`Handle::send_many`](sansmq_runtime::Handle::send_many) for an example.
        ///
        /// Cancel-safe: if the future is dropped before it is ready, no message has been sent.
        ///
        /// # Errors
        /// [`SendError`](sansmq_runtime::proto::SendError) of the first message, which it returns; the others stay in
        /// `messages`. Never [`Full`](sansmq_runtime::proto::SendError::Full).
        pub fn send_many<'a>(&'a self, messages: &'a mut Vec<$crate::proto::Message>) -> $crate::SendMany<'a> {
            self.0.send_many(messages)
        }

        $crate::socket_methods! { try_send_many }

        $crate::futures_methods! { sink $kind }
    };
    (receive $kind:ident) => {
        /// Receives the next message. The peers that have sent messages take turns (fair queueing). Waits while no
        /// message is queued.
        ///
        /// Cancel-safe: if the future is dropped before it is ready, no message has been removed from the queue. So a time-out
        /// of the runtime around this future is the counterpart of `ZMQ_RCVTIMEO`; when it expires,
        /// [`failing_dials`](Self::failing_dials) returns the reasons for which no peer is connected.
        ///
        /// # Errors
        /// [`RecvError`](sansmq_runtime::proto::RecvError); never [`Empty`](sansmq_runtime::proto::RecvError::Empty).
        #[inline]
        pub fn recv(&self) -> $crate::Recv<'_> {
            self.0.recv()
        }

        $crate::socket_methods! { try_recv }

        /// Receives the next message as [`recv`](Self::recv) does, and returns it with its sender: the metadata of the
        /// peer's handshake and, if known, the authenticated user (`zmq_msg_gets`). Cancel-safe, like `recv`.
        ///
        /// # Errors
        /// [`RecvError`](sansmq_runtime::proto::RecvError); never [`Empty`](sansmq_runtime::proto::RecvError::Empty).
        pub async fn recv_from(
            &self,
        ) -> Result<($crate::proto::Message, std::sync::Arc<$crate::proto::connection::Peer>), $crate::proto::RecvError>
        {
            self.0.recv_from().await
        }

        $crate::socket_methods! { try_recv_from }

        $crate::socket_methods! { can_recv }

        /// Waits until a message can be received without waiting. Another task may then receive it first. Cancel-safe.
        pub async fn readable(&self) {
            self.0.readable().await;
        }

        /// Receives messages, and appends them to `into`. Waits while no message is queued, as [`recv`](Self::recv) does, and then
        /// receives as many as are queued, at most `limit` and at most 1024. Returns their number. Costs less than half of a
        /// [`recv`](Self::recv) per message. See [`Handle::recv_many`](sansmq_runtime::Handle::recv_many) for an example.
        ///
        /// Cancel-safe, like `recv`.
        ///
        /// # Errors
        /// [`RecvError`](sansmq_runtime::proto::RecvError); never [`Empty`](sansmq_runtime::proto::RecvError::Empty).
        pub fn recv_many<'a>(
            &'a self,
            into: &'a mut Vec<$crate::proto::Message>,
            limit: usize,
        ) -> $crate::RecvMany<'a> {
            self.0.recv_many(into, limit)
        }

        $crate::socket_methods! { try_recv_many }

        $crate::futures_methods! { stream $kind }
    };
    (publish $kind:ident) => {
        /// Waits until a message with this topic or group would be sent to at least `peers` peers. Solves the "slow
        /// joiner" problem without a sleep. Has no time limit. Cancel-safe.
        ///
        /// # Errors
        /// [`WaitSubscribedError`](sansmq_runtime::proto::socket::WaitSubscribedError): the socket is closed.
        pub async fn wait_subscribed(
            &self,
            topic: impl AsRef<[u8]>,
            peers: usize,
        ) -> Result<(), $crate::proto::socket::WaitSubscribedError> {
            self.0.wait_subscribed(topic, peers).await
        }

        $crate::socket_methods! { subscriber_count }
    };
    (subscribe $kind:ident) => {
        $crate::socket_methods! { subscribe }
    };
    (join $kind:ident) => {
        $crate::socket_methods! { join }
    };
    (route $kind:ident) => {
        $crate::socket_methods! { route }
    };
    (assign $kind:ident) => {
        $crate::socket_methods! { assign }
    };
    (peer $kind:ident) => {
        $crate::socket_methods! { peer }
    };
    (close) => {
        /// Closes the socket for all its clones. From now on, sending and receiving return an error, but messages that
        /// are already queued are still sent until `linger` expires. Completes when the socket is closed and its addresses
        /// are free, and returns the number of messages that were not sent. If the future is dropped, the socket closes
        /// nevertheless.
        ///
        /// Call this method, or [`Context::close`](sansmq_runtime::Context::close), before the end of the program:
        /// messages that are not sent when the runtime ends are lost.
        pub async fn close(&self) -> $crate::Closed {
            self.0.close().await
        }

        /// Closes the socket as [`close`](Self::close) does, but queued messages are sent for at most `limit`, whatever
        /// the option `linger` is. A limit of zero drops them. Takes effect when it is called, even if the returned future
        /// is not polled.
        pub fn close_within(&self, limit: core::time::Duration) -> impl Future<Output = $crate::Closed> + Send {
            self.0.close_within(limit)
        }
    };
    (observe) => {
        /// Returns a stream of the events that the socket emits from now on: changes of its listeners and connections,
        /// with the reasons, and dropped messages.
        pub fn monitor(&self) -> $crate::Monitor {
            self.0.monitor()
        }

        $crate::socket_methods! { stats }
    };
    (detach) => {
        /// Stops listening at `endpoint`, and closes the connections that were accepted there, after their queued messages
        /// are sent or `linger` has expired. Completes when the address is free again, or at once if other sockets share
        /// the port. If the future is dropped, the socket unbinds nevertheless.
        ///
        /// # Errors
        /// [`UnbindError`](sansmq_runtime::proto::socket::UnbindError): `endpoint` is invalid, the socket is not bound to
        /// it, or an error occurred while the listener was closed.
        pub async fn unbind<E>(&self, endpoint: E) -> Result<(), $crate::proto::socket::UnbindError>
        where
            E: TryInto<$crate::proto::Endpoint>,
            $crate::proto::address::ParseEndpointError: From<E::Error>,
        {
            self.0.unbind(endpoint).await
        }

        $crate::socket_methods! { disconnect }
    };
    (peers) => {
        /// Waits until at least `peers` peers are connected and their handshakes are complete, and returns the connected
        /// peers. Has no time limit; after a time-out of the runtime, [`failing_dials`](Self::failing_dials) returns the
        /// reasons for which no peer is connected. Cancel-safe.
        ///
        /// # Errors
        /// [`WaitError`](sansmq_runtime::proto::socket::WaitError): the socket is closed, or its dials failed for reasons
        /// that time cannot cure.
        pub async fn wait_connected(
            &self,
            peers: usize,
        ) -> Result<Vec<std::sync::Arc<$crate::proto::connection::Peer>>, $crate::proto::socket::WaitError> {
            self.0.wait_connected(peers).await
        }

        $crate::socket_methods! { peers }
    };
    (place $kind:ident $runtime:ty) => {
        /// Creates a socket with the default options on the current runtime. With other options, pass the result of
        /// [`try_current`](sansmq_runtime::CurrentRuntime::try_current) to [`on`](Self::on).
        ///
        /// # Errors
        /// [`StartError`](sansmq_runtime::StartError) if there is no current runtime.
        pub fn try_new() -> Result<Self, $crate::StartError> {
            Socket::try_new().map(Self)
        }

        /// Creates a socket on the current runtime, in `context`. Only sockets of the same context can connect to each
        /// other by `inproc` or share a TCP port.
        ///
        /// # Panics
        /// If there is no current runtime.
        #[track_caller]
        pub fn in_context(
            context: &$crate::Context,
            options: $crate::proto::Options<$crate::proto::kind::$kind>,
        ) -> Self {
            Self(Socket::in_context(context, options))
        }

        /// Creates a socket on the given runtime.
        pub fn on(runtime: &$runtime, options: $crate::proto::Options<$crate::proto::kind::$kind>) -> Self {
            Self(Socket::on(runtime, options))
        }
    };
    (convert $kind:ident) => {
        /// Returns this socket without its static socket type, so that sockets of several types can be stored together. An
        /// operation that the socket type does not support then returns an error.
        pub fn erase(&self) -> Socket {
            self.0.erase()
        }

        /// Returns the handle of this socket. Its type does not depend on the runtime. `From` converts the handle back, and
        /// `AsRef` borrows it.
        pub fn into_handle(self) -> $crate::Handle<$crate::proto::kind::$kind> {
            self.0.into_handle()
        }
    };
}
