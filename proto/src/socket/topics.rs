//! Subscriptions and groups of a socket, and the subscriptions of its peers.

use super::Socket;
use crate::connection::Subscription;
use crate::socket::effects::Effects;
use crate::socket::error::{JoinError, SubscribeError};
use bytes::Bytes;

impl Socket {
    /// Subscribes to messages that begin with this prefix; the empty prefix subscribes to all messages
    /// (`ZMQ_SUBSCRIBE`). Subscriptions are counted: a prefix that was passed to `subscribe` twice must be passed to
    /// `unsubscribe` twice. The subscription is sent to connected peers now, and to other peers when they connect.
    ///
    /// On an XPUB with `manual`: adds the prefix to the subscriptions of one peer. This is the peer that sent the
    /// subscription change which the application received last.
    ///
    /// # Errors
    /// [`SubscribeError`] if the socket type has no subscriptions, the socket is closed, or an XPUB with `manual` has
    /// received no subscription change.
    pub fn subscribe(&mut self, prefix: impl Into<Bytes>) -> Result<(), SubscribeError> {
        self.change_subscription(Subscription::Subscribe(prefix.into()))
    }

    /// Removes one subscription to this prefix (`ZMQ_UNSUBSCRIBE`). Received messages that wait for `recv` are dropped
    /// if they no longer match a subscription.
    ///
    /// On an XPUB with `manual`: removes the prefix from the subscriptions of one peer. This is the peer that sent the
    /// subscription change which the application received last.
    ///
    /// # Errors
    /// [`SubscribeError`] if there is no such subscription, the socket type has no subscriptions, or the socket is
    /// closed.
    pub fn unsubscribe(&mut self, prefix: impl Into<Bytes>) -> Result<(), SubscribeError> {
        self.change_subscription(Subscription::Cancel(prefix.into()))
    }

    fn change_subscription(&mut self, change: Subscription) -> Result<(), SubscribeError> {
        if self.closing {
            return Err(self.runtime_error.map_or(SubscribeError::Closed, SubscribeError::Runtime));
        }
        let outcome = self.pattern.change_subscription(&mut self.pipes, change);
        self.effects |= outcome.unwrap_or_else(|| Err(SubscribeError::Unsupported(self.socket_type())))?;
        Ok(())
    }

    /// Joins a group: from now on, the socket receives messages of the group (`zmq_join`).
    ///
    /// # Errors
    /// [`JoinError`] if the socket is not a DISH or is closed, has already joined the group, or the name is too long.
    pub fn join(&mut self, group: impl Into<Bytes>) -> Result<(), JoinError> {
        if self.closing {
            return Err(self.runtime_error.map_or(JoinError::Closed, JoinError::Runtime));
        }
        let outcome = self.pattern.join(&mut self.pipes, group.into());
        outcome.unwrap_or_else(|| Err(JoinError::Unsupported(self.socket_type())))
    }

    /// Leaves a group (`zmq_leave`). Received messages of the group that wait for `recv` are dropped.
    ///
    /// # Errors
    /// [`JoinError`] if the socket is not a DISH or is closed, or has not joined the group.
    pub fn leave(&mut self, group: impl Into<Bytes>) -> Result<(), JoinError> {
        if self.closing {
            return Err(self.runtime_error.map_or(JoinError::Closed, JoinError::Runtime));
        }
        let outcome = self.pattern.leave(&mut self.pipes, group.into());
        outcome.unwrap_or_else(|| Err(JoinError::Unsupported(self.socket_type())))
    }

    /// Returns the number of distinct prefixes or groups (`ZMQ_TOPICS_COUNT`). At a subscriber, these are the prefixes
    /// or groups to which the socket itself has subscribed; at a publisher, those to which its peers have subscribed. The
    /// many subscriptions of a peer that has just disconnected may still be counted in part, until
    /// [`handle_timeout`](Self::handle_timeout) has removed them.
    pub fn subscription_count(&self) -> usize {
        self.pattern.subscription_count()
    }

    /// Returns the number of peers to which this publisher would send a message now. `topic` is the beginning of the
    /// message, or the group of the message at a RADIO. Zero for socket types that are not publishers.
    pub fn subscriber_count(&self, topic: impl AsRef<[u8]>) -> usize {
        self.pattern.subscriber_count(topic.as_ref())
    }

    /// Returns the present number of peers with a finished handshake.
    pub const fn ready_peers(&self) -> usize {
        self.pipes.ready
    }

    /// Returns true if one of these changes occurred since the last call of this method: a peer became ready or
    /// disconnected, a subscription of a peer changed, messages were written or dropped for which
    /// [`poll_flush`](Self::poll_flush) waits, or the socket was closed.
    #[inline]
    pub const fn take_peers_changed(&mut self) -> bool {
        let is_flushed = core::mem::replace(&mut self.pipes.flushed, false);
        self.effects.take(Effects::PEERS_CHANGED) || is_flushed
    }
}
