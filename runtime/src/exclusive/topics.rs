//! Methods of [`Exclusive`] for subscriptions, groups, and waiting for peers and subscribers.

use crate::exclusive::Exclusive;
use crate::runtime::TimedRuntime;
use bytes::Bytes;
use core::future::poll_fn;
use core::task::Poll;
use sansmq_proto::connection::Peer;
use sansmq_proto::kind::{JoinsGroups, Kind, Publishes, Subscribes};
use sansmq_proto::socket::{JoinError, SubscribeError, WaitError, WaitSubscribedError};
use std::sync::Arc;

impl<T: Kind, R: TimedRuntime> Exclusive<T, R> {
    /// Subscribes to messages that begin with `prefix`, as [`Handle::subscribe`](crate::Handle::subscribe) does. The next call
    /// that drives sends the subscription.
    ///
    /// # Errors
    /// [`SubscribeError`].
    pub fn subscribe(&mut self, prefix: impl AsRef<[u8]>) -> Result<(), SubscribeError>
    where
        T: Subscribes,
    {
        self.engine.socket_mut().subscribe(Bytes::copy_from_slice(prefix.as_ref()))
    }

    /// Removes one subscription to `prefix`, as [`Handle::unsubscribe`](crate::Handle::unsubscribe) does.
    ///
    /// # Errors
    /// [`SubscribeError`].
    pub fn unsubscribe(&mut self, prefix: impl AsRef<[u8]>) -> Result<(), SubscribeError>
    where
        T: Subscribes,
    {
        self.engine.socket_mut().unsubscribe(Bytes::copy_from_slice(prefix.as_ref()))
    }

    /// Joins a group, as [`Handle::join`](crate::Handle::join) does. The next call that drives sends the JOIN.
    ///
    /// # Errors
    /// [`JoinError`].
    pub fn join(&mut self, group: impl AsRef<[u8]>) -> Result<(), JoinError>
    where
        T: JoinsGroups,
    {
        self.engine.socket_mut().join(Bytes::copy_from_slice(group.as_ref()))
    }

    /// Leaves a group, as [`Handle::leave`](crate::Handle::leave) does.
    ///
    /// # Errors
    /// [`JoinError`].
    pub fn leave(&mut self, group: impl AsRef<[u8]>) -> Result<(), JoinError>
    where
        T: JoinsGroups,
    {
        self.engine.socket_mut().leave(Bytes::copy_from_slice(group.as_ref()))
    }

    /// Waits until a message with this topic or group would be sent to at least `peers` peers; see
    /// [`Handle::wait_subscribed`](crate::Handle::wait_subscribed).
    ///
    /// Has no time limit. Cancel-safe.
    ///
    /// # Errors
    /// [`WaitSubscribedError`].
    pub async fn wait_subscribed(&mut self, topic: impl AsRef<[u8]>, peers: usize) -> Result<(), WaitSubscribedError>
    where
        T: Publishes,
    {
        let topic = topic.as_ref();
        poll_fn(|cx| {
            self.poll_with(cx, |socket| socket.subscribed_or_error(topic, peers).map_or(Poll::Pending, Poll::Ready))
        })
        .await
    }

    /// Waits until at least `peers` peers are connected and their handshakes are complete; see
    /// [`Handle::wait_connected`](crate::Handle::wait_connected). Returns the connected peers.
    ///
    /// Has no time limit. Cancel-safe.
    ///
    /// # Errors
    /// [`WaitError`].
    pub async fn wait_connected(&mut self, peers: usize) -> Result<Vec<Arc<Peer>>, WaitError> {
        poll_fn(|cx| self.poll_with(cx, |socket| socket.ready_peers_or_error(peers).map_or(Poll::Pending, Poll::Ready)))
            .await
    }
}
