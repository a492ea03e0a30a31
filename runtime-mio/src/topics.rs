//! Subscriptions, groups, and waiting for those who ask for them, for blocking sockets.

use crate::park::wait;
use crate::socket::{Socket, deadline};
use core::time::Duration;
use sansmq_proto::kind::{JoinsGroups, Kind, Publishes, Subscribes};
use sansmq_proto::socket::{JoinError, SubscribeError};

impl<T: Subscribes> Socket<T> {
    /// Asks for messages that begin with this prefix; see [`Handle::subscribe`](sansmq_runtime::Handle::subscribe).
    ///
    /// # Errors
    /// [`SubscribeError`].
    pub fn subscribe(&self, prefix: impl AsRef<[u8]>) -> Result<(), SubscribeError> {
        self.handle().subscribe(prefix)
    }

    /// Takes one subscription back; see [`Handle::unsubscribe`](sansmq_runtime::Handle::unsubscribe).
    ///
    /// # Errors
    /// [`SubscribeError`].
    pub fn unsubscribe(&self, prefix: impl AsRef<[u8]>) -> Result<(), SubscribeError> {
        self.handle().unsubscribe(prefix)
    }
}

impl<T: JoinsGroups> Socket<T> {
    /// Asks for the messages of a group; see [`Handle::join`](sansmq_runtime::Handle::join).
    ///
    /// # Errors
    /// [`JoinError`].
    pub fn join(&self, group: impl AsRef<[u8]>) -> Result<(), JoinError> {
        self.handle().join(group)
    }

    /// Does without them; see [`Handle::leave`](sansmq_runtime::Handle::leave).
    ///
    /// # Errors
    /// [`JoinError`].
    pub fn leave(&self, group: impl AsRef<[u8]>) -> Result<(), JoinError> {
        self.handle().leave(group)
    }
}

impl<T: Publishes> Socket<T> {
    /// How many peers a message on this topic, or of this group, would be sent now.
    pub fn subscriber_count(&self, topic: impl AsRef<[u8]>) -> usize {
        self.handle().subscriber_count(topic)
    }

    /// Waits until a message on this topic, or of this group, would be sent to at least so many peers. False: the time is
    /// over; `None` waits for ever.
    pub fn wait_subscribed(&self, topic: impl AsRef<[u8]>, peers: usize, timeout: impl Into<Option<Duration>>) -> bool {
        wait(self.handle().wait_subscribed(topic, peers), timeout.into().and_then(deadline)).is_some()
    }
}

impl<T: Kind> Socket<T> {
    /// How many different prefixes, or groups, a subscriber asks for or a publisher's peers do (`TOPICS_COUNT`).
    pub fn subscription_count(&self) -> usize {
        self.handle().subscription_count()
    }

    /// How many peers are connected and past their handshake.
    pub fn ready_peers(&self) -> usize {
        self.handle().ready_peers()
    }

    /// Waits until at least so many peers are connected and past their handshake. False: the time is over; `None` waits
    /// for ever.
    pub fn wait_connected(&self, peers: usize, timeout: impl Into<Option<Duration>>) -> bool {
        wait(self.handle().wait_connected(peers), timeout.into().and_then(deadline)).is_some()
    }
}
