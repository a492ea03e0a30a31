//! Sending and receiving several messages in one call of an [`Exclusive`] socket.

use crate::adapters::arrived;
use crate::budget::Completed;
use crate::exclusive::Exclusive;
use crate::exclusive::engine::Engine;
use crate::runtime::TimedRuntime;
use core::future::poll_fn;
use core::task::{Context, Poll, ready};
use sansmq_proto::kind::{Receives, Sends};
use sansmq_proto::socket::Unsent;
use sansmq_proto::{Message, RecvError, SendError};

impl<T: Sends, R: TimedRuntime> Exclusive<T, R> {
    /// Sends messages from the start of `messages`, in order, as [`Handle::send_many`](crate::Handle::send_many) does: waits while
    /// the socket has no room for the first, and then sends as many as it has room for, at most 1024. Hands them to the operating
    /// system together, if the peer is connected and takes them at once; what is left is written by later calls. Removes the sent
    /// messages from `messages`, and returns their number.
    ///
    /// Cancel-safe: if the future is dropped before it is ready, no message has been sent, and all are in `messages`.
    ///
    /// # Errors
    /// [`SendError`] of the first message, which it returns; the others stay in `messages`. Never [`SendError::Full`].
    pub async fn send_many(&mut self, messages: &mut Vec<Message>) -> Result<usize, SendError> {
        poll_fn(|cx| self.poll_send_many(cx, messages)).await
    }

    /// Sends messages as [`send_many`](Self::send_many) does. Returns `Pending` while the socket has no room for the first.
    ///
    /// # Errors
    /// [`SendError`] of the first message, which it returns.
    pub fn poll_send_many(
        &mut self,
        cx: &mut Context<'_>,
        messages: &mut Vec<Message>,
    ) -> Poll<Result<usize, SendError>> {
        // With a used-up budget, the socket would take the messages, and the runtime would refuse to write them.
        ready!(self.engine.poll_budget(cx));
        self.poll_offer_many(cx, messages, |engine| _ = engine.round())
    }

    /// Queues messages from the start of `messages` for many batches in a row, as [`feed`](Self::feed) does for single messages:
    /// waits while the socket has no room for the first, and makes no system call for each batch. The messages are written in
    /// larger batches, the last ones only by a call that drives, such as [`flush`](Self::flush). Removes the queued messages from
    /// `messages`, and returns their number.
    ///
    /// Cancel-safe, like [`send_many`](Self::send_many).
    ///
    /// # Errors
    /// [`SendError`] of the first message, as [`send_many`](Self::send_many) returns.
    pub async fn feed_many(&mut self, messages: &mut Vec<Message>) -> Result<usize, SendError> {
        poll_fn(|cx| self.poll_feed_many(cx, messages)).await
    }

    /// Queues messages as [`feed_many`](Self::feed_many) does. Returns `Pending` while the socket has no room for the first.
    ///
    /// # Errors
    /// [`SendError`] of the first message, which it returns.
    pub fn poll_feed_many(
        &mut self,
        cx: &mut Context<'_>,
        messages: &mut Vec<Message>,
    ) -> Poll<Result<usize, SendError>> {
        self.poll_offer_many(cx, messages, |engine| _ = engine.socket_mut())
    }

    /// Waits until the socket takes the first message, takes as many as there is room for, and then calls `finish`.
    fn poll_offer_many(
        &mut self,
        cx: &mut Context<'_>,
        messages: &mut Vec<Message>,
        finish: impl Fn(&mut Engine<R>),
    ) -> Poll<Result<usize, SendError>> {
        let sent = ready!(self.engine.poll_until_counted(cx, Completed::of, |engine| {
            match engine.waiting_socket().offer_many(messages, usize::MAX) {
                Err(Unsent::Full) => Poll::Pending,
                sent => {
                    finish(engine);
                    Poll::Ready(sent)
                }
            }
        }));
        Poll::Ready(sent.map_err(|why| self.socket().send_error(why, messages.remove(0))))
    }

    /// Queues as many messages from the start of `messages` as the socket has room for, at most 1024, without waiting. Removes them
    /// from `messages`, and returns their number. They are sent by the next calls that drive, such as [`flush`](Self::flush).
    ///
    /// # Errors
    /// [`SendError`] of the first message, as [`send_many`](Self::send_many) returns.
    pub fn try_send_many(&mut self, messages: &mut Vec<Message>) -> Result<usize, SendError> {
        self.engine.socket_mut().send_many(messages)
    }
}

impl<T: Receives, R: TimedRuntime> Exclusive<T, R> {
    /// Receives messages, and appends them to `into`, as [`Handle::recv_many`](crate::Handle::recv_many) does: waits while no message
    /// is queued, and then receives as many as are queued, at most `limit` and at most 1024. Returns their number.
    ///
    /// Cancel-safe: if the future is dropped before it is ready, no message has been removed from the queue.
    ///
    /// # Errors
    /// [`RecvError`]; never [`RecvError::Empty`].
    pub async fn recv_many(&mut self, into: &mut Vec<Message>, limit: usize) -> Result<usize, RecvError> {
        poll_fn(|cx| self.poll_recv_many(cx, into, limit)).await
    }

    /// Receives messages as [`recv_many`](Self::recv_many) does. Returns `Pending` while no message is queued.
    ///
    /// # Errors
    /// [`RecvError`]; never [`RecvError::Empty`].
    pub fn poll_recv_many(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut Vec<Message>,
        limit: usize,
    ) -> Poll<Result<usize, RecvError>> {
        self.engine
            .poll_until_counted(cx, Completed::of, |engine| arrived(engine.waiting_socket().recv_many(into, limit)))
    }

    /// Receives the messages that are queued already, at most `limit` and at most 1024, without waiting and without driving the
    /// connections. Appends them to `into`, and returns their number, which is zero if no message is queued.
    ///
    /// # Errors
    /// [`RecvError`]; never [`RecvError::Empty`].
    pub fn try_recv_many(&mut self, into: &mut Vec<Message>, limit: usize) -> Result<usize, RecvError> {
        match self.engine.socket_mut().recv_many(into, limit) {
            Err(RecvError::Empty) => Ok(0),
            received => received,
        }
    }
}
