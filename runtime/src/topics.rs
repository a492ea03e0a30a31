//! Subscriptions, groups, and waiting for those who ask for them.

use crate::handle::Handle;
use crate::state::State;
use crate::waiters::WaiterKey;
use bytes::Bytes;
use core::future::poll_fn;
use core::task::Poll;
use sansmq_proto::kind::{JoinsGroups, Kind, Publishes, Subscribes};
use sansmq_proto::socket::{JoinError, SubscribeError};

impl<T: Subscribes> Handle<T> {
    /// Asks for messages that begin with this prefix; the empty one asks for all (`SUBSCRIBE`). Subscriptions are counted:
    /// who subscribes twice has to unsubscribe twice. Connected peers are told at once, whether or not anybody receives;
    /// others are told when they are connected, and again after each reconnect.
    ///
    /// On an XPUB with `manual`: gives the peer whose request was received last what begins with this prefix.
    ///
    /// # Errors
    /// [`SubscribeError`].
    pub fn subscribe(&self, prefix: impl AsRef<[u8]>) -> Result<(), SubscribeError> {
        let prefix = Bytes::copy_from_slice(prefix.as_ref());
        self.shared().with(|state| state.socket.subscribe(prefix))
    }

    /// Takes one subscription back (`UNSUBSCRIBE`). Messages that have arrived and are not wanted any more are dropped.
    ///
    /// # Errors
    /// [`SubscribeError`].
    pub fn unsubscribe(&self, prefix: impl AsRef<[u8]>) -> Result<(), SubscribeError> {
        let prefix = Bytes::copy_from_slice(prefix.as_ref());
        self.shared().with(|state| state.socket.unsubscribe(prefix))
    }
}

impl<T: JoinsGroups> Handle<T> {
    /// Asks for the messages of a group (`zmq_join`), of this very name. Connected peers are told at once, others when they
    /// are connected.
    ///
    /// # Errors
    /// [`JoinError`].
    pub fn join(&self, group: impl AsRef<[u8]>) -> Result<(), JoinError> {
        let group = Bytes::copy_from_slice(group.as_ref());
        self.shared().with(|state| state.socket.join(group))
    }

    /// Does without them (`zmq_leave`). Those that have arrived are dropped.
    ///
    /// # Errors
    /// [`JoinError`].
    pub fn leave(&self, group: impl AsRef<[u8]>) -> Result<(), JoinError> {
        let group = Bytes::copy_from_slice(group.as_ref());
        self.shared().with(|state| state.socket.leave(group))
    }
}

impl<T: Publishes> Handle<T> {
    /// How many peers a message on this topic, or of this group, would be sent now.
    pub fn subscriber_count(&self, topic: impl AsRef<[u8]>) -> usize {
        self.shared().with(|state| state.socket.subscriber_count(topic))
    }

    /// Waits until a message on this topic, or of this group, would be sent to at least so many peers, so that nobody has to
    /// sleep for those who are slow to join. Ready at once when the socket is closed.
    ///
    /// Cancel-safe.
    pub async fn wait_subscribed(&self, topic: impl AsRef<[u8]>, peers: usize) {
        let topic = topic.as_ref();
        self.watch(|state| state.socket.subscriber_count(topic) >= peers).await;
    }
}

impl<T: Kind> Handle<T> {
    /// How many different prefixes, or groups, a subscriber asks for or a publisher's peers do (`TOPICS_COUNT`).
    pub fn subscription_count(&self) -> usize {
        self.shared().with(|state| state.socket.subscription_count())
    }

    /// How many peers are connected and past their handshake.
    pub fn ready_peers(&self) -> usize {
        self.shared().with(|state| state.socket.ready_peers())
    }

    /// Waits until at least so many peers are connected and past their handshake. Ready at once when the socket is closed.
    ///
    /// Cancel-safe.
    pub async fn wait_connected(&self, peers: usize) {
        self.watch(|state| state.socket.ready_peers() >= peers).await;
    }

    /// Waits until that is so, looking whenever peers or their subscriptions change.
    async fn watch(&self, mut is_so: impl FnMut(&mut State) -> bool) {
        let mut key = WaiterKey::new(self.shared(), |state| &mut state.watchers);
        poll_fn(|cx| {
            key.wait(cx, |state| if state.is_over() || is_so(state) { Poll::Ready(()) } else { Poll::Pending })
        })
        .await;
    }
}
