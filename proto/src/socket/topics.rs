//! What an application asks for by topic, and what it may know of those who ask.

use super::Socket;
use crate::connection::Subscription;
use crate::socket::effects::Effects;
use crate::socket::error::{JoinError, SubscribeError};
use bytes::Bytes;

impl Socket {
    /// Asks for messages that begin with this prefix; the empty one asks for all (`SUBSCRIBE`). Subscriptions are counted:
    /// who subscribes twice has to unsubscribe twice. Peers that are connected are told now, others when they are.
    ///
    /// On an XPUB with `manual`: gives the peer whose request was received last what begins with this prefix.
    ///
    /// # Errors
    /// [`SubscribeError`].
    pub fn subscribe(&mut self, prefix: impl Into<Bytes>) -> Result<(), SubscribeError> {
        self.ask(Subscription::Subscribe(prefix.into()))
    }

    /// Takes one subscription back (`UNSUBSCRIBE`). Messages that have arrived and are not wanted any more are dropped.
    ///
    /// # Errors
    /// [`SubscribeError`].
    pub fn unsubscribe(&mut self, prefix: impl Into<Bytes>) -> Result<(), SubscribeError> {
        self.ask(Subscription::Cancel(prefix.into()))
    }

    fn ask(&mut self, wish: Subscription) -> Result<(), SubscribeError> {
        if self.closing {
            return Err(SubscribeError::Closed);
        }
        let outcome = self.pattern.ask(&mut self.pipes, wish);
        self.effects |= outcome.unwrap_or_else(|| Err(SubscribeError::Unsupported(self.socket_type())))?;
        Ok(())
    }

    /// Asks for the messages of a group (`zmq_join`).
    ///
    /// # Errors
    /// [`JoinError`].
    pub fn join(&mut self, group: impl Into<Bytes>) -> Result<(), JoinError> {
        if self.closing {
            return Err(JoinError::Closed);
        }
        let outcome = self.pattern.join(&mut self.pipes, group.into());
        outcome.unwrap_or_else(|| Err(JoinError::Unsupported(self.socket_type())))
    }

    /// Does without them (`zmq_leave`). Those that have arrived are dropped.
    ///
    /// # Errors
    /// [`JoinError`].
    pub fn leave(&mut self, group: impl Into<Bytes>) -> Result<(), JoinError> {
        if self.closing {
            return Err(JoinError::Closed);
        }
        let outcome = self.pattern.leave(&mut self.pipes, group.into());
        outcome.unwrap_or_else(|| Err(JoinError::Unsupported(self.socket_type())))
    }

    /// How many different prefixes, or groups, a subscriber asks for or a publisher's peers do (`TOPICS_COUNT`).
    pub fn subscription_count(&self) -> usize {
        self.pattern.subscription_count()
    }

    /// How many peers a publisher would send a message on this topic, or of this group, now. Zero for other types.
    pub fn subscriber_count(&self, topic: impl AsRef<[u8]>) -> usize {
        self.pattern.subscriber_count(topic.as_ref())
    }

    /// How many peers are connected and past their handshake.
    pub const fn ready_peers(&self) -> usize {
        self.pipes.ready
    }

    /// Returns true if peers or their subscriptions changed, or the socket was closed, since the last call.
    #[inline]
    pub const fn take_peers_changed(&mut self) -> bool {
        self.effects.take(Effects::PEERS_CHANGED)
    }
}
