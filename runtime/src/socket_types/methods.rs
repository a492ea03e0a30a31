//! Methods that are the same for sockets of async runtimes and for blocking sockets.

/// Methods of the types of [`socket_types!`](crate::socket_types!) that neither wait nor block. Each call expands to one
/// group of methods.
#[doc(hidden)]
#[macro_export]
macro_rules! socket_methods {
    (connect) => {
        /// Connects to an endpoint, and reconnects whenever the connection is lost. Returns at once: the connection is
        /// made in the background, and messages are queued until then. See
        /// [`Handle::connect`](sansmq_runtime::Handle::connect).
        ///
        /// # Errors
        /// [`ConnectError`](sansmq_runtime::proto::socket::ConnectError): `endpoint` is invalid, not supported by the
        /// socket type, or a wildcard. Failures of the network are events of [`monitor`](Self::monitor).
        pub fn connect<E>(&self, endpoint: E) -> Result<(), $crate::proto::socket::ConnectError>
        where
            E: TryInto<$crate::proto::Endpoint>,
            $crate::proto::address::ParseEndpointError: From<E::Error>,
        {
            self.0.connect(endpoint)
        }
    };
    (try_send) => {
        /// Sends a message if there is room for it now.
        ///
        /// # Errors
        /// [`SendError`](sansmq_runtime::proto::SendError), which returns the message:
        /// [`Full`](sansmq_runtime::proto::SendError::Full) if there is no room.
        #[inline]
        pub fn try_send(&self, message: impl Into<$crate::proto::Message>) -> Result<(), $crate::proto::SendError> {
            self.0.try_send(message)
        }
    };
    (try_send_many) => {
        /// Sends as many messages from the start of `messages` as there is room for now, at most 1024. Removes them from
        /// `messages`, and returns their number, which is zero if there is no room.
        ///
        /// # Errors
        /// [`SendError`](sansmq_runtime::proto::SendError) of the first message, as [`send_many`](Self::send_many) returns.
        pub fn try_send_many(
            &self,
            messages: &mut Vec<$crate::proto::Message>,
        ) -> Result<usize, $crate::proto::SendError> {
            self.0.try_send_many(messages)
        }
    };
    (try_recv_many) => {
        /// Receives the messages that are queued now, at most `limit` and at most 1024. Appends them to `into`, and returns
        /// their number, which is zero if no message is queued.
        ///
        /// # Errors
        /// [`RecvError`](sansmq_runtime::proto::RecvError); never [`Empty`](sansmq_runtime::proto::RecvError::Empty).
        pub fn try_recv_many(
            &self,
            into: &mut Vec<$crate::proto::Message>,
            limit: usize,
        ) -> Result<usize, $crate::proto::RecvError> {
            self.0.try_recv_many(into, limit)
        }
    };
    (try_recv) => {
        /// Receives the next message if one is queued.
        ///
        /// # Errors
        /// [`RecvError`](sansmq_runtime::proto::RecvError): [`Empty`](sansmq_runtime::proto::RecvError::Empty) if no
        /// message is queued.
        #[inline]
        pub fn try_recv(&self) -> Result<$crate::proto::Message, $crate::proto::RecvError> {
            self.0.try_recv()
        }
    };
    (try_recv_from) => {
        /// Receives the next message and its sender if a message is queued; see [`recv_from`](Self::recv_from).
        ///
        /// # Errors
        /// [`RecvError`](sansmq_runtime::proto::RecvError): [`Empty`](sansmq_runtime::proto::RecvError::Empty) if no
        /// message is queued.
        #[inline]
        pub fn try_recv_from(
            &self,
        ) -> Result<($crate::proto::Message, std::sync::Arc<$crate::proto::connection::Peer>), $crate::proto::RecvError>
        {
            self.0.try_recv_from()
        }
    };
    (subscribe) => {
        /// Subscribes to the messages that begin with `prefix`, the bytes at the start of the first frame
        /// (`ZMQ_SUBSCRIBE`). An empty prefix matches every message. Subscriptions are counted: two calls need two calls
        /// of [`unsubscribe`](Self::unsubscribe). They are sent again after each reconnect. On an XPUB with the option
        /// `manual`, subscribes for the peer of the last received message.
        ///
        /// # Errors
        /// [`SubscribeError`](sansmq_runtime::proto::socket::SubscribeError).
        pub fn subscribe(&self, prefix: impl AsRef<[u8]>) -> Result<(), $crate::proto::socket::SubscribeError> {
            self.0.subscribe(prefix)
        }

        /// Removes one subscription to `prefix` (`ZMQ_UNSUBSCRIBE`). Queued messages that no subscription matches any
        /// more are dropped.
        ///
        /// # Errors
        /// [`SubscribeError`](sansmq_runtime::proto::socket::SubscribeError).
        pub fn unsubscribe(&self, prefix: impl AsRef<[u8]>) -> Result<(), $crate::proto::socket::SubscribeError> {
            self.0.unsubscribe(prefix)
        }
    };
    (join) => {
        /// Joins a group (`zmq_join`). Groups match by exact name, not by prefix. They are sent again after each
        /// reconnect.
        ///
        /// # Errors
        /// [`JoinError`](sansmq_runtime::proto::socket::JoinError): the name is longer than 255 bytes, or the socket has
        /// joined the group already.
        pub fn join(&self, group: impl AsRef<[u8]>) -> Result<(), $crate::proto::socket::JoinError> {
            self.0.join(group)
        }

        /// Leaves a group (`zmq_leave`). Queued messages of the group are dropped.
        ///
        /// # Errors
        /// [`JoinError`](sansmq_runtime::proto::socket::JoinError): the socket has not joined the group.
        pub fn leave(&self, group: impl AsRef<[u8]>) -> Result<(), $crate::proto::socket::JoinError> {
            self.0.leave(group)
        }
    };
    (route) => {
        /// Connects to an endpoint, and assigns `routing_id` to the peer there (`ZMQ_CONNECT_ROUTING_ID`). Messages to
        /// this routing id can be sent at once.
        ///
        /// # Errors
        /// [`ConnectError`](sansmq_runtime::proto::socket::ConnectError), also if another peer has this routing id.
        pub fn connect_as<E>(
            &self,
            endpoint: E,
            routing_id: impl Into<$crate::proto::Frame>,
        ) -> Result<(), $crate::proto::socket::ConnectError>
        where
            E: TryInto<$crate::proto::Endpoint>,
            $crate::proto::address::ParseEndpointError: From<E::Error>,
        {
            self.0.connect_as(endpoint, routing_id)
        }
    };
    (assign) => {
        /// Closes the connection to the peer with this routing id, after the messages that are queued for it, and does
        /// not reconnect (`zmq_disconnect_peer`).
        ///
        /// # Errors
        /// [`UnbindError::UnknownPeer`](sansmq_runtime::proto::socket::UnbindError::UnknownPeer) if no peer has this
        /// routing id.
        pub fn disconnect_peer(
            &self,
            routing_id: impl Into<$crate::proto::Frame>,
        ) -> Result<(), $crate::proto::socket::UnbindError> {
            self.0.disconnect_peer(routing_id)
        }
    };
    (peer) => {
        /// Connects to an endpoint, and returns the routing id of the peer there (`zmq_connect_peer`). Messages to this
        /// routing id can be sent at once.
        ///
        /// # Errors
        /// [`ConnectError`](sansmq_runtime::proto::socket::ConnectError).
        pub fn connect_peer<E>(&self, endpoint: E) -> Result<$crate::proto::Frame, $crate::proto::socket::ConnectError>
        where
            E: TryInto<$crate::proto::Endpoint>,
            $crate::proto::address::ParseEndpointError: From<E::Error>,
        {
            self.0.connect_peer(endpoint)
        }
    };
    (subscriber_count) => {
        /// Returns the number of peers to which a message with this topic or group would be sent now.
        pub fn subscriber_count(&self, topic: impl AsRef<[u8]>) -> usize {
            self.0.subscriber_count(topic)
        }
    };
    (can_send) => {
        /// Returns true if a message can be sent without waiting (`ZMQ_EVENTS` with `ZMQ_POLLOUT`). Another task may send
        /// first. Always true for a type that addresses its peers by routing id.
        pub fn can_send(&self) -> bool {
            self.0.can_send()
        }
    };
    (can_recv) => {
        /// Returns true if a message can be received without waiting (`ZMQ_EVENTS` with `ZMQ_POLLIN`). Another task may
        /// receive it first.
        pub fn can_recv(&self) -> bool {
            self.0.can_recv()
        }
    };
    (options $kind:ident) => {
        /// Returns the options of the socket, as they are now. To change some of them, pass the changed options to
        /// [`set_options`](Self::set_options).
        pub fn options(&self) -> $crate::proto::Options<$crate::proto::kind::$kind> {
            self.0.options()
        }

        /// Changes the options of the socket, all or none of them. Marks, linger and most switches change at once, heartbeats
        /// and the routing id for later connections, security only before the first `bind` or `connect`: the table at
        /// [`Handle::set_options`](sansmq_runtime::Handle::set_options) has the moment from which each option counts.
        ///
        /// # Errors
        /// [`SetOptionsError`](sansmq_runtime::proto::socket::SetOptionsError): an option cannot change any more, or the socket
        /// is closed.
        pub fn set_options(
            &self,
            options: $crate::proto::Options<$crate::proto::kind::$kind>,
        ) -> Result<(), $crate::proto::socket::SetOptionsError> {
            self.0.set_options(options)
        }

        /// Changes one option of the socket, and no other, from the same moment as [`set_options`](Self::set_options). Several
        /// threads or tasks can change different options at the same time. [`SocketOption`](sansmq_runtime::proto::socket::SocketOption)
        /// also parses options from text.
        ///
        /// # Errors
        /// [`SetOptionsError`](sansmq_runtime::proto::socket::SetOptionsError): the option does not exist for this socket type,
        /// its value is invalid, it cannot change any more, or the socket is closed.
        pub fn set_option(
            &self,
            option: $crate::proto::socket::SocketOption,
        ) -> Result<(), $crate::proto::socket::SetOptionsError> {
            self.0.set_option(option)
        }
    };
    (stats) => {
        /// Returns the counters and queue lengths of the socket: messages, bytes, drops, connections, memory.
        pub fn stats(&self) -> $crate::proto::socket::SocketStats {
            self.0.stats()
        }

        /// Returns the counters and queue lengths of each peer.
        pub fn peer_stats(&self) -> Vec<$crate::proto::socket::PeerStats> {
            self.0.peer_stats()
        }

        /// Adds the statistics of the socket and of its peers to a text for Prometheus and other systems; see
        /// [`Metrics`](sansmq_runtime::proto::socket::Metrics). `name` is the label `socket`.
        pub fn add_metrics(&self, name: impl Into<String>, metrics: &mut $crate::proto::socket::Metrics) {
            self.0.add_metrics(name, metrics);
        }
    };
    (disconnect) => {
        /// Closes every connection that `connect` has made to `endpoint`, and stops reconnecting. Queued messages are
        /// still sent until `linger` expires.
        ///
        /// # Errors
        /// [`UnbindError`](sansmq_runtime::proto::socket::UnbindError): `endpoint` is invalid, or no `connect` to this
        /// endpoint is active.
        pub fn disconnect<E>(&self, endpoint: E) -> Result<(), $crate::proto::socket::UnbindError>
        where
            E: TryInto<$crate::proto::Endpoint>,
            $crate::proto::address::ParseEndpointError: From<E::Error>,
        {
            self.0.disconnect(endpoint)
        }
    };
    (peers) => {
        /// Returns the number of connected peers with a completed handshake.
        pub fn ready_peers(&self) -> usize {
            self.0.ready_peers()
        }

        /// Returns the dials that are failing, each with the reason of its latest failure.
        pub fn failing_dials(&self) -> $crate::proto::socket::FailingDials {
            self.0.failing_dials()
        }

        /// Returns the number of distinct prefixes that are subscribed, or of distinct groups that are joined
        /// (`ZMQ_TOPICS_COUNT`): those of this socket, or at a publisher those of all peers together.
        pub fn subscription_count(&self) -> usize {
            self.0.subscription_count()
        }
    };
}
