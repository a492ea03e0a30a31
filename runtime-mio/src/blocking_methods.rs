//! Methods of the types of blocking sockets, such as `DealerSocket`.

/// Methods of the types of `sansmq_runtime::socket_types!` that block, by group. Each call expands to one group. The
/// order is that of `sansmq_runtime::async_methods!`.
macro_rules! blocking_methods {
    (create $kind:ident) => {
        /// Creates a socket with the default options. Its IO is done by the background thread of the process, which the
        /// first socket starts.
        ///
        /// # Panics
        /// If the operating system has no thread or no descriptors left; [`try_new`](Self::try_new) returns an error
        /// instead.
        #[track_caller]
        pub fn new() -> Self {
            Self(Socket::new())
        }

        /// Creates a socket with the given options.
        ///
        /// # Panics
        /// If the operating system has no thread or no descriptors left for the background thread.
        #[track_caller]
        pub fn with_options(options: proto::Options<proto::kind::$kind>) -> Self {
            Self(Socket::with_options(options))
        }
    };
    (attach) => {
        /// Binds to an endpoint, accepts peers there, and returns the bound endpoint. If `endpoint` has a wildcard port,
        /// as in `tcp://127.0.0.1:*`, the bound endpoint has the port that the operating system chose. Blocks if the
        /// address belongs to a listener of this process that is still being closed. See
        /// [`Handle::bind`](sansmq_runtime::Handle::bind), also for several sockets at one port.
        ///
        /// # Errors
        /// [`BindError`](sansmq_proto::socket::BindError): `endpoint` is invalid or not supported by the socket type, or
        /// the operating system returned an error, for example because the address is in use.
        pub fn bind<E>(&self, endpoint: E) -> Result<proto::Endpoint, proto::socket::BindError>
        where
            E: TryInto<proto::Endpoint>,
            proto::address::ParseEndpointError: From<E::Error>,
        {
            self.0.bind(endpoint)
        }

        /// Binds to an endpoint as [`bind`](Self::bind) does, and blocks for at most `timeout`. Only a listener of this process
        /// at the same address that is still being closed makes the call wait.
        ///
        /// # Errors
        /// [`BindError`](sansmq_proto::socket::BindError); [`TimedOut`](sansmq_proto::socket::BindError::TimedOut) when
        /// `timeout` expires. The socket then becomes bound later, unless [`unbind`](Self::unbind) is called with the same
        /// endpoint.
        pub fn bind_timeout<E>(
            &self,
            endpoint: E,
            timeout: core::time::Duration,
        ) -> Result<proto::Endpoint, proto::socket::BindError>
        where
            E: TryInto<proto::Endpoint>,
            proto::address::ParseEndpointError: From<E::Error>,
        {
            self.0.bind_timeout(endpoint, timeout)
        }

        sansmq_runtime::socket_methods! { connect }

        /// Connects to an endpoint as [`connect`](Self::connect) does, and blocks until the handshake with the peer is
        /// complete, for at most `timeout` (`None`: no limit). Returns the peer.
        ///
        /// After an error, the socket continues to dial; [`disconnect`](Self::disconnect) ends this.
        ///
        /// # Errors
        /// [`WaitError`](sansmq_proto::socket::WaitError): `timeout` has expired, with the reason of the latest failed
        /// attempt, or the peer refuses the connection, for example because of a wrong password.
        pub fn connect_and_wait<E>(
            &self,
            endpoint: E,
            timeout: impl Into<Option<core::time::Duration>>,
        ) -> Result<std::sync::Arc<proto::connection::Peer>, proto::socket::WaitError>
        where
            E: TryInto<proto::Endpoint>,
            proto::address::ParseEndpointError: From<E::Error>,
        {
            self.0.connect_and_wait(endpoint, timeout)
        }
    };
    (send $kind:ident) => {
        /// Sends a message. Blocks while there is no peer, or while the high-water mark of every peer that could receive
        /// the message is reached. Types that drop messages for such peers do not block: REP, XSUB, a ROUTER without
        /// `mandatory`, and, by default, PUB, XPUB and RADIO.
        ///
        /// # Errors
        /// [`SendError`](sansmq_proto::SendError), which returns the message; never
        /// [`Full`](sansmq_proto::SendError::Full). [`Interrupted`](sansmq_proto::SendError::Interrupted) after a
        /// [signal](Socket#signals).
        pub fn send(&self, message: impl Into<proto::Message>) -> Result<(), proto::SendError> {
            self.0.send(message)
        }

        sansmq_runtime::socket_methods! { try_send }

        sansmq_runtime::socket_methods! { can_send }

        /// Sends a message. Blocks for at most `timeout` (`ZMQ_SNDTIMEO`).
        ///
        /// # Errors
        /// [`SendError`](sansmq_proto::SendError), which returns the message:
        /// [`TimedOut`](sansmq_proto::SendError::TimedOut) when `timeout` expires, with the reason of each failing dial.
        pub fn send_timeout(
            &self,
            message: impl Into<proto::Message>,
            timeout: core::time::Duration,
        ) -> Result<(), proto::SendError> {
            self.0.send_timeout(message, timeout)
        }

        /// Blocks until every message that was sent before this call is handed to the operating system, or was dropped.
        /// Returns false if a [signal](Socket#signals) interrupts the call, and false at once in a [forked](Socket#fork)
        /// child. The peers may not have received these messages yet.
        pub fn flush(&self) -> bool {
            self.0.flush()
        }

        /// Blocks until every message that was sent before this call is handed to the operating system, or was dropped, for
        /// at most `timeout`. Returns false if `timeout` expires first, and false at once in a [forked](Socket#fork)
        /// child. The peers may not have received these messages yet.
        pub fn flush_timeout(&self, timeout: core::time::Duration) -> bool {
            self.0.flush_timeout(timeout)
        }

        /// Sends messages from the start of `messages`, in order. Blocks while there is no room for the first, as
        /// [`send`](Self::send) does, and then sends as many as there is room for, at most 1024. Removes the sent messages from
        /// `messages`, and returns their number. Costs less than half of a [`send`](Self::send) per message. See
        /// [`Handle::send_many`](sansmq_runtime::Handle::send_many) for an example.
        ///
        /// # Errors
        /// [`SendError`](sansmq_proto::SendError) of the first message, which it returns; the others stay in `messages`. Never
        /// [`Full`](sansmq_proto::SendError::Full).
        pub fn send_many(&self, messages: &mut Vec<proto::Message>) -> Result<usize, proto::SendError> {
            self.0.send_many(messages)
        }

        sansmq_runtime::socket_methods! { try_send_many }

        /// Sends messages as [`send_many`](Self::send_many) does. Blocks for at most `timeout` (`ZMQ_SNDTIMEO`).
        ///
        /// # Errors
        /// [`SendError`](sansmq_proto::SendError) of the first message: [`TimedOut`](sansmq_proto::SendError::TimedOut) when
        /// `timeout` expires before there is room for it.
        pub fn send_many_timeout(
            &self,
            messages: &mut Vec<proto::Message>,
            timeout: core::time::Duration,
        ) -> Result<usize, proto::SendError> {
            self.0.send_many_timeout(messages, timeout)
        }

        /// Blocks until a [`try_send`](Self::try_send) may succeed, for at most `timeout`. Returns false if `timeout` expires
        /// or a [signal](Socket#signals) interrupts the call, and false at once in a [forked](Socket#fork) child.
        pub fn writable_timeout(&self, timeout: core::time::Duration) -> bool {
            self.0.writable_timeout(timeout)
        }
    };
    (receive $kind:ident) => {
        /// Receives the next message. The peers that have sent messages take turns (fair queueing). Blocks while no
        /// message is queued.
        ///
        /// # Errors
        /// [`RecvError`](sansmq_proto::RecvError); never [`Empty`](sansmq_proto::RecvError::Empty).
        /// [`Interrupted`](sansmq_proto::RecvError::Interrupted) after a [signal](Socket#signals).
        pub fn recv(&self) -> Result<proto::Message, proto::RecvError> {
            self.0.recv()
        }

        sansmq_runtime::socket_methods! { try_recv }

        /// Receives the next message. Blocks for at most `timeout` (`ZMQ_RCVTIMEO`).
        ///
        /// # Errors
        /// [`RecvError`](sansmq_proto::RecvError): [`TimedOut`](sansmq_proto::RecvError::TimedOut) when `timeout` expires,
        /// with the reason of each failing dial.
        pub fn recv_timeout(&self, timeout: core::time::Duration) -> Result<proto::Message, proto::RecvError> {
            self.0.recv_timeout(timeout)
        }

        /// Receives the next message as [`recv`](Self::recv) does, and returns it with its sender: the metadata of the
        /// peer's handshake and, if known, the authenticated user (`zmq_msg_gets`).
        ///
        /// # Errors
        /// [`RecvError`](sansmq_proto::RecvError); never [`Empty`](sansmq_proto::RecvError::Empty).
        pub fn recv_from(&self) -> Result<(proto::Message, std::sync::Arc<proto::connection::Peer>), proto::RecvError> {
            self.0.recv_from()
        }

        /// Receives the next message with its sender as [`recv_from`](Self::recv_from) does. Blocks for at most `timeout`.
        ///
        /// # Errors
        /// [`RecvError`](sansmq_proto::RecvError): [`TimedOut`](sansmq_proto::RecvError::TimedOut) when `timeout` expires,
        /// with the reason of each failing dial.
        pub fn recv_from_timeout(
            &self,
            timeout: core::time::Duration,
        ) -> Result<(proto::Message, std::sync::Arc<proto::connection::Peer>), proto::RecvError> {
            self.0.recv_from_timeout(timeout)
        }

        sansmq_runtime::socket_methods! { try_recv_from }

        sansmq_runtime::socket_methods! { can_recv }

        /// Receives messages, and appends them to `into`. Blocks while no message is queued, as [`recv`](Self::recv) does, and
        /// then receives as many as are queued, at most `limit` and at most 1024. Returns their number. Costs less than half of
        /// a [`recv`](Self::recv) per message. See [`Handle::recv_many`](sansmq_runtime::Handle::recv_many) for an example.
        ///
        /// # Errors
        /// [`RecvError`](sansmq_proto::RecvError); never [`Empty`](sansmq_proto::RecvError::Empty).
        pub fn recv_many(&self, into: &mut Vec<proto::Message>, limit: usize) -> Result<usize, proto::RecvError> {
            self.0.recv_many(into, limit)
        }

        sansmq_runtime::socket_methods! { try_recv_many }

        /// Receives messages as [`recv_many`](Self::recv_many) does. Blocks for at most `timeout` (`ZMQ_RCVTIMEO`).
        ///
        /// # Errors
        /// [`RecvError`](sansmq_proto::RecvError): [`TimedOut`](sansmq_proto::RecvError::TimedOut) when `timeout` expires
        /// before a message is queued.
        pub fn recv_many_timeout(
            &self,
            into: &mut Vec<proto::Message>,
            limit: usize,
            timeout: core::time::Duration,
        ) -> Result<usize, proto::RecvError> {
            self.0.recv_many_timeout(into, limit, timeout)
        }

        /// Blocks until a [`try_recv`](Self::try_recv) would not find the queue empty, for at most `timeout`. Returns false if
        /// `timeout` expires or a [signal](Socket#signals) interrupts the call, and false at once in a [forked](Socket#fork)
        /// child.
        pub fn readable_timeout(&self, timeout: core::time::Duration) -> bool {
            self.0.readable_timeout(timeout)
        }

        /// Returns an iterator over received messages. It blocks until the next message is received, and ends when the
        /// socket is closed. Other errors are items of the iterator.
        pub fn iter(&self) -> impl Iterator<Item = Result<proto::Message, proto::RecvError>> {
            self.0.iter()
        }
    };
    (publish $kind:ident) => {
        /// Blocks until a message with this topic or group would be sent to at least `peers` peers, for at most `timeout`
        /// (`None`: no limit). Solves the "slow joiner" problem without a sleep.
        ///
        /// # Errors
        /// [`WaitSubscribedError`](sansmq_proto::socket::WaitSubscribedError): `timeout` has expired, with the number of
        /// subscribers, the socket is closed, the process is a [forked](Socket#fork) child, or a [signal](Socket#signals)
        /// interrupted the call.
        pub fn wait_subscribed(
            &self,
            topic: impl AsRef<[u8]>,
            peers: usize,
            timeout: impl Into<Option<core::time::Duration>>,
        ) -> Result<(), proto::socket::WaitSubscribedError> {
            self.0.wait_subscribed(topic, peers, timeout)
        }

        sansmq_runtime::socket_methods! { subscriber_count }
    };
    (subscribe $kind:ident) => {
        sansmq_runtime::socket_methods! { subscribe }
    };
    (join $kind:ident) => {
        sansmq_runtime::socket_methods! { join }
    };
    (route $kind:ident) => {
        sansmq_runtime::socket_methods! { route }
    };
    (assign $kind:ident) => {
        sansmq_runtime::socket_methods! { assign }
    };
    (peer $kind:ident) => {
        sansmq_runtime::socket_methods! { peer }
    };
    (close) => {
        /// Closes the socket for all its clones. From now on, sending and receiving return an error, but messages that
        /// are already queued are still sent until `linger` expires. Blocks until the socket is closed and its addresses
        /// are free, and returns the number of messages that were not sent.
        ///
        /// The drop of the last blocking socket of a program waits too: [the end of a socket](Socket#the-end-of-a-socket).
        pub fn close(&self) -> runtime::Closed {
            self.0.close()
        }

        /// Closes the socket as [`close`](Self::close) does, but queued messages are sent for at most `limit`, whatever
        /// the option `linger` is. A limit of zero drops them.
        pub fn close_within(&self, limit: core::time::Duration) -> runtime::Closed {
            self.0.close_within(limit)
        }

        /// Closes the socket as [`close`](Self::close) does, but blocks for at most `timeout`, and not after a
        /// [signal](Socket#signals). Returns `None` if the socket is still closing then: it continues in the background, no
        /// message is dropped before `linger` expires, and a further call waits again.
        pub fn close_timeout(&self, timeout: core::time::Duration) -> Option<runtime::Closed> {
            self.0.close_timeout(timeout)
        }
    };
    (observe) => {
        /// Returns an iterator over the events that the socket emits from now on: changes of its listeners and
        /// connections, with the reasons, and dropped messages.
        pub fn monitor(&self) -> Events {
            self.0.monitor()
        }

        sansmq_runtime::socket_methods! { stats }
    };
    (detach) => {
        /// Stops listening at `endpoint`, and closes the connections that were accepted there, after their queued messages
        /// are sent or `linger` has expired. Blocks until the address is free again; returns at once if other sockets
        /// share the port.
        ///
        /// # Errors
        /// [`UnbindError`](sansmq_proto::socket::UnbindError): `endpoint` is invalid, the socket is not bound to it, or an
        /// error occurred while the listener was closed.
        pub fn unbind<E>(&self, endpoint: E) -> Result<(), proto::socket::UnbindError>
        where
            E: TryInto<proto::Endpoint>,
            proto::address::ParseEndpointError: From<E::Error>,
        {
            self.0.unbind(endpoint)
        }

        /// Stops listening at `endpoint` as [`unbind`](Self::unbind) does, and blocks for at most `timeout`.
        ///
        /// # Errors
        /// [`UnbindError`](sansmq_proto::socket::UnbindError); [`TimedOut`](sansmq_proto::socket::UnbindError::TimedOut) when
        /// `timeout` expires. The listener then continues to close.
        pub fn unbind_timeout<E>(
            &self,
            endpoint: E,
            timeout: core::time::Duration,
        ) -> Result<(), proto::socket::UnbindError>
        where
            E: TryInto<proto::Endpoint>,
            proto::address::ParseEndpointError: From<E::Error>,
        {
            self.0.unbind_timeout(endpoint, timeout)
        }

        sansmq_runtime::socket_methods! { disconnect }
    };
    (peers) => {
        /// Blocks until at least `peers` peers are connected and their handshakes are complete, for at most `timeout`
        /// (`None`: no limit). Returns the connected peers.
        ///
        /// # Errors
        /// [`WaitError`](sansmq_proto::socket::WaitError): `timeout` has expired, with the reason of each failing dial, the
        /// socket is closed, or its dials failed for reasons that time cannot cure.
        pub fn wait_connected(
            &self,
            peers: usize,
            timeout: impl Into<Option<core::time::Duration>>,
        ) -> Result<Vec<std::sync::Arc<proto::connection::Peer>>, proto::socket::WaitError> {
            self.0.wait_connected(peers, timeout)
        }

        sansmq_runtime::socket_methods! { peers }
    };
    (place $kind:ident $runtime:ty) => {
        /// Creates a socket with the default options. With other options, pass the result of [`Remote::background`] to
        /// [`on`](Self::on).
        ///
        /// # Errors
        /// [`StartError`](sansmq_runtime::StartError) if the operating system has no thread or no descriptors left for the
        /// background thread.
        pub fn try_new() -> Result<Self, runtime::StartError> {
            Socket::try_new().map(Self)
        }

        /// Creates a socket in `context`. Only sockets of the same context can connect to each other by `inproc` or share
        /// a TCP port.
        ///
        /// # Panics
        /// If the operating system has no thread or no descriptors left for the background thread.
        #[track_caller]
        pub fn in_context(context: &runtime::Context, options: proto::Options<proto::kind::$kind>) -> Self {
            Self(Socket::in_context(context, options))
        }

        /// Creates a socket that runs on the given event loop or reactor instead of the background thread. The event loop
        /// or reactor must run in another thread, because the methods of this socket block.
        pub fn on(remote: &$runtime, options: proto::Options<proto::kind::$kind>) -> Self {
            Self(Socket::on(remote, options))
        }
    };
    (convert $kind:ident) => {
        /// Returns this socket without its static socket type, so that sockets of several types can be stored together. An
        /// operation that the socket type does not support then returns an error.
        pub fn erase(&self) -> Socket {
            self.0.erase()
        }

        /// Returns the handle of this socket, for `async` code on any runtime. `AsRef` does the same, and `From` converts the
        /// handle back.
        pub const fn handle(&self) -> &runtime::Handle<proto::kind::$kind> {
            self.0.handle()
        }
    };
}

pub(crate) use blocking_methods;
