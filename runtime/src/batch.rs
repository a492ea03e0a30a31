//! Sending and receiving several messages in one call: [`SendMany`] and [`RecvMany`], futures of a [`Handle`].

use crate::adapters::arrived;
use crate::handle::Handle;
use crate::state::{Shared, State};
use crate::turn::TurnKey;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use sansmq_proto::connection::Peer;
use sansmq_proto::kind::{Kind, Receives, Sends};
use sansmq_proto::socket::Unsent;
use sansmq_proto::{Message, RecvError, SendError};
use std::sync::Arc;

impl<T: Kind> Handle<T> {
    /// Sends messages from the start of `messages`, in order. Waits while the socket has no room for the first, as
    /// [`send`](Self::send) does, and then sends as many as the socket has room for, at most 1024. Removes the sent messages from
    /// `messages`, and returns their number. Call the method again for the rest:
    ///
    /// ```
    /// # use sansmq::{Handle, Message, SendError, kind::Push};
    /// # async fn work(push: &Handle<Push>, mut batch: Vec<Message>) -> Result<(), SendError> {
    /// while !batch.is_empty() {
    ///     push.send_many(&mut batch).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// One call for 64 small messages costs less than half of 64 calls of `send`. A call moves the messages that stay to the start
    /// of `messages`, so a batch of up to some thousand messages is best. While other futures wait to send, a call sends fewer
    /// messages, so that each gets its turn.
    ///
    /// Cancel-safe: if the future is dropped before it is ready, no message has been sent, and all are in `messages`.
    ///
    /// # Errors
    /// [`SendError`] of the first message, which it returns; the others stay in `messages`. Never [`SendError::Full`]. An error of
    /// a later message is returned by the next call, which begins with this message.
    pub fn send_many<'a>(&'a self, messages: &'a mut Vec<Message>) -> SendMany<'a>
    where
        T: Sends,
    {
        SendMany { key: TurnKey::new(self.shared()), messages }
    }

    /// Sends as many messages from the start of `messages` as the socket has room for, at most 1024, without waiting. Removes them
    /// from `messages`, and returns their number, which is zero if there is no room.
    ///
    /// # Errors
    /// [`SendError`] of the first message, as [`send_many`](Self::send_many) returns.
    pub fn try_send_many(&self, messages: &mut Vec<Message>) -> Result<usize, SendError>
    where
        T: Sends,
    {
        self.shared().with(|state| state.socket.send_many(messages))
    }

    /// Receives messages, and appends them to `into`. Waits while no message is queued, as [`recv`](Self::recv) does, and then
    /// receives as many as are queued, at most `limit` and at most 1024, in the order in which `recv` would return them. Returns
    /// their number. It is zero only for a limit of zero, and one at most for a REQ, a REP and an XPUB with `manual`, where the
    /// application must act on each message before it receives the next.
    ///
    /// ```
    /// # use sansmq::{Handle, RecvError, kind::Pull};
    /// # async fn work(pull: &Handle<Pull>) -> Result<(), RecvError> {
    /// let mut batch = Vec::new();
    /// loop {
    ///     pull.recv_many(&mut batch, 64).await?;
    ///     for message in batch.drain(..) {
    ///         println!("{message:?}");
    ///     }
    /// }
    /// # }
    /// ```
    ///
    /// While other futures wait to receive, a call receives fewer messages, so that each gets its turn.
    ///
    /// Cancel-safe: if the future is dropped before it is ready, no message has been removed from the queue.
    ///
    /// # Errors
    /// [`RecvError`]; never [`RecvError::Empty`].
    pub fn recv_many<'a>(&'a self, into: &'a mut Vec<Message>, limit: usize) -> RecvMany<'a>
    where
        T: Receives,
    {
        RecvMany { key: TurnKey::new(self.shared()), into, limit }
    }

    /// Receives the messages that are queued, at most `limit` and at most 1024, without waiting. Appends them to `into`, and
    /// returns their number, which is zero if no message is queued.
    ///
    /// # Errors
    /// [`RecvError`]; never [`RecvError::Empty`].
    pub fn try_recv_many(&self, into: &mut Vec<Message>, limit: usize) -> Result<usize, RecvError>
    where
        T: Receives,
    {
        match self.shared().with(|state| state.socket.recv_many(into, limit)) {
            Err(RecvError::Empty) => Ok(0),
            received => received,
        }
    }
}

impl<T: Kind> Handle<T> {
    /// Receives the messages that are queued, with their senders, at most `limit` and at most 1024, without waiting. Appends them
    /// to `into`, and returns their number, which is zero if no message is queued; see [`try_recv_from`](Self::try_recv_from).
    ///
    /// # Errors
    /// [`RecvError`]; never [`RecvError::Empty`].
    pub fn try_recv_many_from(
        &self,
        into: &mut impl Extend<(Message, Arc<Peer>)>,
        limit: usize,
    ) -> Result<usize, RecvError>
    where
        T: Receives,
    {
        match self.shared().with(|state| state.socket.recv_many_from(into, limit)) {
            Err(RecvError::Empty) => Ok(0),
            received => received,
        }
    }
}

/// Future of [`Handle::send_many`]: sends several messages.
#[must_use = "futures do nothing unless awaited"]
pub struct SendMany<'a> {
    key: TurnKey<&'a Arc<Shared>>,
    messages: &'a mut Vec<Message>,
}

impl Future for SendMany<'_> {
    type Output = Result<usize, SendError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { key, messages } = &mut *self;
        poll_send_many(key, cx, messages)
    }
}

/// Future of [`Handle::recv_many`]: receives several messages.
#[must_use = "futures do nothing unless awaited"]
pub struct RecvMany<'a> {
    key: TurnKey<&'a Arc<Shared>>,
    into: &'a mut Vec<Message>,
    limit: usize,
}

impl Future for RecvMany<'_> {
    type Output = Result<usize, RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { key, into, limit } = &mut *self;
        key.receive_many(cx, *limit, |state, most| arrived(state.socket.recv_many(into, most)))
    }
}

/// Sends as many messages from the start of `messages` as the socket has room for. Returns `Pending` while it has no room for the
/// first; `Ready` without messages.
pub(crate) fn poll_send_many<S: AsRef<Shared>>(
    key: &mut TurnKey<S>,
    cx: &mut Context<'_>,
    messages: &mut Vec<Message>,
) -> Poll<Result<usize, SendError>> {
    let offer = |state: &mut State, messages: &mut Vec<Message>, most| match state.socket.offer_many(messages, most) {
        Err(Unsent::Full) => Poll::Pending,
        sent => Poll::Ready(sent),
    };
    key.send_many(cx, messages, offer).map(|sent| {
        sent.map_err(|why| {
            let first = messages.remove(0);
            key.shared().with(|state| state.socket.send_error(why, first))
        })
    })
}

impl fmt::Debug for SendMany<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SendMany").field(&self.messages.len()).finish()
    }
}

impl fmt::Debug for RecvMany<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RecvMany").field(&self.limit).finish()
    }
}
