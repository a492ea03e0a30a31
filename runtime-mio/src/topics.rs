//! Methods of blocking sockets for subscriptions and groups, and methods that wait for peers or subscribers.

use crate::park::wait;
use crate::socket::{Socket, deadline};
use core::time::Duration;
use sansmq_proto::kind::{JoinsGroups, Kind, Publishes, Subscribes};
use sansmq_proto::socket::{FailingDials, JoinError, SubscribeError};

impl<T: Kind> Socket<T> {
    /// Subscribes to messages that begin with `prefix`; see [`Handle::subscribe`](sansmq_runtime::Handle::subscribe).
    ///
    /// # Errors
    /// [`SubscribeError`].
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
    pub fn leave(&self, group: impl AsRef<[u8]>) -> Result<(), JoinError>
    where
        T: JoinsGroups,
    {
        self.handle().leave(group)
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

    /// Blocks until a message with this topic or group would be sent to at least `peers` peers. Returns false if
    /// `timeout` expires (`None`: no timeout). Returns true at once if the socket is closed.
    pub fn wait_subscribed(&self, topic: impl AsRef<[u8]>, peers: usize, timeout: impl Into<Option<Duration>>) -> bool
    where
        T: Publishes,
    {
        wait(self.handle().wait_subscribed(topic, peers), timeout.into().and_then(deadline)).is_some()
    }
}

impl<T: Kind> Socket<T> {
    /// Returns the number of different subscribed prefixes or joined groups (`ZMQ_TOPICS_COUNT`). For a SUB, XSUB or
    /// DISH, counts the subscriptions of the socket itself. For a PUB, XPUB or RADIO, counts the subscriptions of all
    /// peers. Returns zero for other socket types.
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

    /// Blocks until at least `peers` peers are connected and their handshakes are complete. Returns false if `timeout`
    /// expires (`None`: no timeout). Returns true at once if the socket is closed.
    pub fn wait_connected(&self, peers: usize, timeout: impl Into<Option<Duration>>) -> bool {
        wait(self.handle().wait_connected(peers), timeout.into().and_then(deadline)).is_some()
    }
}
