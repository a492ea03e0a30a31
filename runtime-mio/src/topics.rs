//! Methods of blocking sockets for subscriptions, groups and routing ids, and methods that wait for peers or subscribers.

use crate::park::{Unready, wait};
use crate::socket::Socket;
use core::time::Duration;
use sansmq_proto::address::ParseEndpointError;
use sansmq_proto::connection::Peer;
use sansmq_proto::kind::{AssignsRoutingId, ConnectsPeers, JoinsGroups, Kind, Publishes, RoutesById, Subscribes};
use sansmq_proto::socket::{
    ConnectError, FailingDials, JoinError, SubscribeError, UnbindError, WaitError, WaitSubscribedError,
};
use sansmq_proto::{Endpoint, Frame};
use std::sync::Arc;

impl<T: Kind> Socket<T> {
    /// Subscribes to messages that begin with `prefix`; see [`Handle::subscribe`](sansmq_runtime::Handle::subscribe).
    ///
    /// # Errors
    /// [`SubscribeError`].
    #[doc(alias("ZMQ_SUBSCRIBE", "set_subscribe"))]
    pub fn subscribe(&self, prefix: impl AsRef<[u8]>) -> Result<(), SubscribeError>
    where
        T: Subscribes,
    {
        self.handle().subscribe(prefix)
    }

    /// Removes one subscription to `prefix`; see [`Handle::unsubscribe`](sansmq_runtime::Handle::unsubscribe).
    ///
    /// # Errors
    /// [`SubscribeError`].
    #[doc(alias("ZMQ_UNSUBSCRIBE", "set_unsubscribe"))]
    pub fn unsubscribe(&self, prefix: impl AsRef<[u8]>) -> Result<(), SubscribeError>
    where
        T: Subscribes,
    {
        self.handle().unsubscribe(prefix)
    }
}

impl<T: Kind> Socket<T> {
    /// Joins a group; see [`Handle::join`](sansmq_runtime::Handle::join).
    ///
    /// # Errors
    /// [`JoinError`].
    #[doc(alias = "zmq_join")]
    pub fn join(&self, group: impl AsRef<[u8]>) -> Result<(), JoinError>
    where
        T: JoinsGroups,
    {
        self.handle().join(group)
    }

    /// Leaves a group; see [`Handle::leave`](sansmq_runtime::Handle::leave).
    ///
    /// # Errors
    /// [`JoinError`].
    #[doc(alias = "zmq_leave")]
    pub fn leave(&self, group: impl AsRef<[u8]>) -> Result<(), JoinError>
    where
        T: JoinsGroups,
    {
        self.handle().leave(group)
    }
}

impl<T: Kind> Socket<T> {
    /// Connects to an endpoint, and assigns `routing_id` to the peer; see
    /// [`Handle::connect_as`](sansmq_runtime::Handle::connect_as).
    ///
    /// # Errors
    /// [`ConnectError`].
    pub fn connect_as<E>(&self, endpoint: E, routing_id: impl Into<Frame>) -> Result<(), ConnectError>
    where
        T: RoutesById,
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        if self.is_inherited() {
            return Err(ConnectError::Forked);
        }
        self.handle().connect_as(endpoint, routing_id)
    }

    /// Closes the connection to the peer with this routing id; see
    /// [`Handle::disconnect_peer`](sansmq_runtime::Handle::disconnect_peer).
    ///
    /// # Errors
    /// [`UnbindError::UnknownPeer`] if no peer has this routing id.
    pub fn disconnect_peer(&self, routing_id: impl Into<Frame>) -> Result<(), UnbindError>
    where
        T: AssignsRoutingId,
    {
        self.handle().disconnect_peer(routing_id)
    }

    /// Connects to an endpoint, and returns the routing id of the new peer; see
    /// [`Handle::connect_peer`](sansmq_runtime::Handle::connect_peer).
    ///
    /// # Errors
    /// [`ConnectError`].
    pub fn connect_peer<E>(&self, endpoint: E) -> Result<Frame, ConnectError>
    where
        T: ConnectsPeers,
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        if self.is_inherited() {
            return Err(ConnectError::Forked);
        }
        self.handle().connect_peer(endpoint)
    }
}

impl<T: Kind> Socket<T> {
    /// Returns the number of peers to which a message with this topic or group would be sent now.
    pub fn subscriber_count(&self, topic: impl AsRef<[u8]>) -> usize
    where
        T: Publishes,
    {
        self.handle().subscriber_count(topic)
    }

    /// Blocks until a message with this topic or group would be sent to at least `peers` peers, at most for `timeout` (`None`:
    /// no timeout).
    ///
    /// # Errors
    /// [`WaitSubscribedError`]; [`WaitSubscribedError::TimedOut`] with the timeout and the number of subscribers when `timeout`
    /// expires.
    pub fn wait_subscribed(
        &self,
        topic: impl AsRef<[u8]>,
        peers: usize,
        timeout: impl Into<Option<Duration>>,
    ) -> Result<(), WaitSubscribedError>
    where
        T: Publishes,
    {
        let topic = topic.as_ref();
        let subscribed = self.handle().wait_subscribed(topic, peers);
        wait(subscribed, timeout.into(), || self.is_inherited()).unwrap_or_else(|unready| {
            Err(match unready {
                Unready::TimedOut(after) => {
                    WaitSubscribedError::TimedOut { after, subscribers: self.subscriber_count(topic), peers }
                }
                Unready::Inherited => WaitSubscribedError::Forked,
                Unready::Interrupted => WaitSubscribedError::Interrupted,
            })
        })
    }
}

impl<T: Kind> Socket<T> {
    /// Returns the number of different subscribed prefixes or joined groups (`ZMQ_TOPICS_COUNT`). For a SUB, XSUB or
    /// DISH, counts the subscriptions of the socket itself. For a PUB, XPUB or RADIO, counts the subscriptions of all
    /// peers. Returns zero for other socket types.
    #[doc(alias("ZMQ_TOPICS_COUNT", "TOPICS_COUNT"))]
    pub fn subscription_count(&self) -> usize {
        self.handle().subscription_count()
    }

    /// Returns the number of connected peers with a completed handshake.
    pub fn ready_peers(&self) -> usize {
        self.handle().ready_peers()
    }

    /// Returns the dials of this socket that are failing, each with the reason of its latest failure.
    pub fn failing_dials(&self) -> FailingDials {
        self.handle().failing_dials()
    }

    /// Blocks until at least `peers` peers are connected and their handshakes are complete, at most for `timeout`
    /// (`None`: no timeout). Returns the connected peers; see
    /// [`Handle::wait_connected`](sansmq_runtime::Handle::wait_connected).
    ///
    /// # Errors
    /// [`WaitError`]; [`WaitError::TimedOut`] with the timeout and the reason of each failing dial when `timeout` expires.
    pub fn wait_connected(
        &self,
        peers: usize,
        timeout: impl Into<Option<Duration>>,
    ) -> Result<Vec<Arc<Peer>>, WaitError> {
        let connected = self.handle().wait_connected(peers);
        wait(connected, timeout.into(), || self.is_inherited()).unwrap_or_else(|unready| {
            Err(match unready {
                Unready::TimedOut(after) => WaitError::TimedOut { after, failing: self.failing_dials() },
                Unready::Inherited => WaitError::Forked,
                Unready::Interrupted => WaitError::Interrupted,
            })
        })
    }

    /// Connects to an endpoint, and blocks until the handshake with the peer is complete, at most for `timeout` (`None`:
    /// no timeout). Returns the peer; see [`Handle::connect_and_wait`](sansmq_runtime::Handle::connect_and_wait).
    ///
    /// # Errors
    /// [`WaitError`], which has the reason of the latest failure.
    pub fn connect_and_wait<E>(&self, endpoint: E, timeout: impl Into<Option<Duration>>) -> Result<Arc<Peer>, WaitError>
    where
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        if self.is_inherited() {
            return Err(WaitError::Forked);
        }
        let connected = self.handle().connect_and_wait(endpoint, timeout);
        wait(connected, None, || false).unwrap_or(Err(WaitError::Interrupted))
    }
}
