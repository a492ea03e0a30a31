//! Methods of [`Handle`] for subscriptions, groups, and waiting for peers and subscribers.

use crate::handle::Handle;
use crate::state::{Shared, State};
use crate::waiters::WaiterKey;
use bytes::Bytes;
use core::future::poll_fn;
use core::task::Poll;
use core::time::Duration;
use sansmq_proto::Endpoint;
use sansmq_proto::address::ParseEndpointError;
use sansmq_proto::connection::Peer;
use sansmq_proto::kind::{JoinsGroups, Kind, Publishes, Subscribes};
use sansmq_proto::socket::{
    ConnectError, FailingDials, JoinError, SubscribeError, WaitError, WaitId, WaitSubscribedError,
};
use std::sync::Arc;

impl<T: Kind> Handle<T> {
    /// Subscribes to messages that begin with `prefix`; an empty prefix matches every message (`ZMQ_SUBSCRIBE`). Subscriptions
    /// are counted: after two calls with the same prefix, two calls of `unsubscribe` are needed. The subscription is sent to
    /// connected peers at once, even if the application does not receive. It is sent to later peers when they connect, and
    /// again after each reconnect.
    ///
    /// On an XPUB with `manual`, the subscription applies to the peer that sent the last received subscription message.
    ///
    /// # Errors
    /// [`SubscribeError`].
    #[doc(alias("ZMQ_SUBSCRIBE", "set_subscribe"))]
    pub fn subscribe(&self, prefix: impl AsRef<[u8]>) -> Result<(), SubscribeError>
    where
        T: Subscribes,
    {
        let prefix = Bytes::copy_from_slice(prefix.as_ref());
        self.shared().with(|state| state.socket.subscribe(prefix))
    }

    /// Removes one subscription to `prefix` (`ZMQ_UNSUBSCRIBE`). Messages that are queued in this socket and no longer
    /// match a subscription are dropped.
    ///
    /// # Errors
    /// [`SubscribeError`].
    #[doc(alias("ZMQ_UNSUBSCRIBE", "set_unsubscribe"))]
    pub fn unsubscribe(&self, prefix: impl AsRef<[u8]>) -> Result<(), SubscribeError>
    where
        T: Subscribes,
    {
        let prefix = Bytes::copy_from_slice(prefix.as_ref());
        self.shared().with(|state| state.socket.unsubscribe(prefix))
    }
}

impl<T: Kind> Handle<T> {
    /// Joins a group (`zmq_join`). Groups match by exact name, not by prefix. The JOIN is sent to connected peers at once, and to
    /// later peers when they connect.
    ///
    /// # Errors
    /// [`JoinError`].
    #[doc(alias = "zmq_join")]
    pub fn join(&self, group: impl AsRef<[u8]>) -> Result<(), JoinError>
    where
        T: JoinsGroups,
    {
        let group = Bytes::copy_from_slice(group.as_ref());
        self.shared().with(|state| state.socket.join(group))
    }

    /// Leaves a group (`zmq_leave`). Messages of the group that are queued in this socket are dropped.
    ///
    /// # Errors
    /// [`JoinError`].
    #[doc(alias = "zmq_leave")]
    pub fn leave(&self, group: impl AsRef<[u8]>) -> Result<(), JoinError>
    where
        T: JoinsGroups,
    {
        let group = Bytes::copy_from_slice(group.as_ref());
        self.shared().with(|state| state.socket.leave(group))
    }
}

impl<T: Kind> Handle<T> {
    /// Returns the number of peers to which a message with this topic or group would be sent now.
    pub fn subscriber_count(&self, topic: impl AsRef<[u8]>) -> usize
    where
        T: Publishes,
    {
        self.shared().with(|state| state.socket.subscriber_count(topic))
    }

    /// Waits until a message with this topic or group would be sent to at least `peers` peers. Solves the "slow joiner"
    /// problem without a sleep.
    ///
    /// Has no time limit. Cancel-safe.
    ///
    /// # Errors
    /// [`WaitSubscribedError::Closed`] if the socket is closed. [`WaitSubscribedError::Unsupported`] if its type, known only at
    /// run time, does not publish.
    pub async fn wait_subscribed(&self, topic: impl AsRef<[u8]>, peers: usize) -> Result<(), WaitSubscribedError>
    where
        T: Publishes,
    {
        let topic = topic.as_ref();
        self.watch(WaitSubscribedError::Closed, |state| state.socket.subscribed_or_error(topic, peers)).await
    }
}

impl<T: Kind> Handle<T> {
    /// Returns the number of distinct prefixes that are subscribed, or of distinct groups that are joined
    /// (`ZMQ_TOPICS_COUNT`). A subscriber counts its own subscriptions. A publisher counts the subscriptions of all
    /// peers together, and a prefix or group that several peers have in common only once. The many subscriptions of a
    /// peer that has just disconnected may still be counted in part: they are out of effect, and are removed step by
    /// step.
    #[doc(alias("ZMQ_TOPICS_COUNT", "TOPICS_COUNT"))]
    pub fn subscription_count(&self) -> usize {
        self.shared().with(|state| state.socket.subscription_count())
    }

    /// Returns the number of connected peers with a completed handshake.
    pub fn ready_peers(&self) -> usize {
        self.shared().with(|state| state.socket.ready_peers())
    }

    /// Returns the dials of this socket that are failing, each with the reason of its latest failure. A program that
    /// limits `send` or `recv` with a time-out of its runtime can print the list when the time-out expires.
    pub fn failing_dials(&self) -> FailingDials {
        self.shared().with(|state| state.socket.failing_dials())
    }

    /// Waits until at least `peers` peers are connected and their handshakes are complete. Returns the connected peers.
    ///
    /// Has no time limit. After a time-out of the runtime, [`failing_dials`](Self::failing_dials) returns the reasons for
    /// which no peer is connected.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// [`WaitError::Closed`] if the socket is closed. [`WaitError::Failed`] if `peers` peers are impossible: the socket
    /// has no listener, and too many of its dials failed for reasons that time cannot cure.
    pub async fn wait_connected(&self, peers: usize) -> Result<Vec<Arc<Peer>>, WaitError> {
        self.watch(WaitError::Closed, |state| state.socket.ready_peers_or_error(peers)).await
    }

    /// Connects to an endpoint as [`connect`](Self::connect) does, and waits until the handshake with the peer is
    /// complete, for at most `timeout` (`None`: no limit). Returns the peer.
    ///
    /// An attempt that fails for a reason that time can cure is repeated until `timeout` expires. If the peer refuses the
    /// connection, for example because of a wrong password, the error is returned at once. After an error, and if the
    /// future is dropped, the socket continues to dial; [`disconnect`](Self::disconnect) ends this.
    ///
    /// # Errors
    /// [`WaitError`], which has the reason of the latest failure, and [`is_temporary`](WaitError::is_temporary), which returns
    /// true if time can cure it.
    pub async fn connect_and_wait<E>(
        &self,
        endpoint: E,
        timeout: impl Into<Option<Duration>>,
    ) -> Result<Arc<Peer>, WaitError>
    where
        E: TryInto<Endpoint>,
        ParseEndpointError: From<E::Error>,
    {
        let endpoint = endpoint.try_into().map_err(|error| ConnectError::from(ParseEndpointError::from(error)))?;
        let wait = self.shared().with_time(|socket, now| {
            let pipe = socket.connect(endpoint, now)?;
            Ok::<_, ConnectError>(socket.begin_wait(pipe, timeout.into(), now))
        })?;
        let wait = WaitGuard { shared: self.shared(), wait };
        self.watch(WaitError::Closed, |state| state.socket.poll_wait(wait.wait)).await
    }

    /// Waits until `outcome` returns an outcome, or returns `closed` after the end of the socket. Calls `outcome` again whenever a
    /// peer becomes ready or disconnects, or a subscription of a peer changes.
    async fn watch<V, E>(&self, closed: E, mut outcome: impl FnMut(&State) -> Option<Result<V, E>>) -> Result<V, E>
    where
        E: Clone,
    {
        let mut key = WaiterKey::new(self.shared(), |state| &mut state.watchers);
        poll_fn(|cx| {
            key.wait(cx, |state| match outcome(state) {
                Some(outcome) => Poll::Ready(outcome),
                None if state.is_over() => Poll::Ready(Err(closed.clone())),
                None => Poll::Pending,
            })
        })
        .await
    }
}

/// Guard that ends a wait of a socket when it is dropped.
struct WaitGuard<'a> {
    shared: &'a Shared,
    wait: WaitId,
}

impl Drop for WaitGuard<'_> {
    fn drop(&mut self) {
        self.shared.with(|state| state.socket.end_wait(self.wait));
    }
}
