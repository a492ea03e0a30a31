//! Sending and receiving several messages in one call of a blocking [`Socket`] or [`ExclusiveSocket`].

use crate::exclusive::ExclusiveSocket;
use crate::park::{Unready, wait};
use crate::socket::Socket;
use core::time::Duration;
use sansmq_proto::kind::{Kind, Receives, Sends};
use sansmq_proto::{Message, RecvError, SendError};

impl<T: Kind> Socket<T> {
    /// Sends messages from the start of `messages`, in order. Blocks while the socket has no room for the first, and then sends as
    /// many as it has room for, at most 1024. Removes the sent messages from `messages`, and returns their number; see
    /// [`Handle::send_many`](sansmq_runtime::Handle::send_many).
    ///
    /// # Errors
    /// [`SendError`] of the first message, which it returns; the others stay in `messages`. Never [`SendError::Full`].
    pub fn send_many(&self, messages: &mut Vec<Message>) -> Result<usize, SendError>
    where
        T: Sends,
    {
        self.send_many_until(messages, None)
    }

    /// Sends messages as [`send_many`](Self::send_many) does. Blocks at most for `timeout` (`ZMQ_SNDTIMEO`).
    ///
    /// # Errors
    /// [`SendError`] of the first message, which it returns; [`SendError::TimedOut`] when the timeout expires before there is
    /// room for it.
    pub fn send_many_timeout(&self, messages: &mut Vec<Message>, timeout: Duration) -> Result<usize, SendError>
    where
        T: Sends,
    {
        self.send_many_until(messages, Some(timeout))
    }

    fn send_many_until(&self, messages: &mut Vec<Message>, timeout: Option<Duration>) -> Result<usize, SendError>
    where
        T: Sends,
    {
        let waited = wait(self.handle().send_many(messages), timeout, || self.is_inherited());
        waited.unwrap_or_else(|unready| {
            // Without messages, the future is ready at once.
            let message = messages.remove(0);
            Err(match unready {
                Unready::TimedOut(after) => SendError::TimedOut { message, after, failing: self.failing_dials() },
                Unready::Inherited => SendError::Forked(message),
                Unready::Interrupted => SendError::Interrupted(message),
            })
        })
    }

    /// Sends as many messages from the start of `messages` as the socket has room for, at most 1024, without blocking. Removes them
    /// from `messages`, and returns their number, which is zero if there is no room.
    ///
    /// # Errors
    /// [`SendError`] of the first message, as [`send_many`](Self::send_many) returns.
    pub fn try_send_many(&self, messages: &mut Vec<Message>) -> Result<usize, SendError>
    where
        T: Sends,
    {
        self.handle().try_send_many(messages)
    }

    /// Receives messages, and appends them to `into`. Blocks while no message is queued, and then receives as many as are queued,
    /// at most `limit` and at most 1024. Returns their number; see [`Handle::recv_many`](sansmq_runtime::Handle::recv_many).
    ///
    /// # Errors
    /// [`RecvError`]; never [`RecvError::Empty`].
    pub fn recv_many(&self, into: &mut Vec<Message>, limit: usize) -> Result<usize, RecvError>
    where
        T: Receives,
    {
        self.received(wait(self.handle().recv_many(into, limit), None, || self.is_inherited()))
    }

    /// Receives messages as [`recv_many`](Self::recv_many) does. Blocks at most for `timeout` (`ZMQ_RCVTIMEO`).
    ///
    /// # Errors
    /// [`RecvError`]; [`RecvError::TimedOut`] when the timeout expires before a message is queued.
    pub fn recv_many_timeout(
        &self,
        into: &mut Vec<Message>,
        limit: usize,
        timeout: Duration,
    ) -> Result<usize, RecvError>
    where
        T: Receives,
    {
        self.received(wait(self.handle().recv_many(into, limit), Some(timeout), || self.is_inherited()))
    }

    /// Receives the messages that are queued, at most `limit` and at most 1024, without blocking. Appends them to `into`, and
    /// returns their number, which is zero if no message is queued.
    ///
    /// # Errors
    /// [`RecvError`]; never [`RecvError::Empty`].
    pub fn try_recv_many(&self, into: &mut Vec<Message>, limit: usize) -> Result<usize, RecvError>
    where
        T: Receives,
    {
        self.handle().try_recv_many(into, limit)
    }
}

impl<T: Sends> ExclusiveSocket<T> {
    /// Sends messages from the start of `messages`, in order. Blocks while the socket has no room for the first, then sends as many
    /// as it has room for, at most 1024, and hands them to the operating system together. Removes the sent messages from
    /// `messages`, and returns their number; see [`Exclusive::send_many`](sansmq_runtime::Exclusive::send_many).
    ///
    /// # Errors
    /// [`SendError`] of the first message, which it returns; the others stay in `messages`. Never [`SendError::Full`].
    pub fn send_many(&mut self, messages: &mut Vec<Message>) -> Result<usize, SendError> {
        self.block_on(|socket, cx| socket.poll_send_many(cx, messages))
    }

    /// Sends messages as [`send_many`](Self::send_many) does. Blocks at most for `timeout` (`ZMQ_SNDTIMEO`).
    ///
    /// # Errors
    /// [`SendError`] of the first message, which it returns; [`SendError::TimedOut`] when the timeout expires before there is
    /// room for it.
    pub fn send_many_timeout(&mut self, messages: &mut Vec<Message>, timeout: Duration) -> Result<usize, SendError> {
        let sent = self.block(Some(timeout), |socket, cx| socket.poll_send_many(cx, messages));
        sent.unwrap_or_else(|| {
            // Without messages, the first poll is ready.
            let message = messages.remove(0);
            Err(SendError::TimedOut { message, after: timeout, failing: self.socket().failing_dials() })
        })
    }

    /// Queues messages for many batches in a row: blocks while the socket has no room for the first, but makes no system call for
    /// each batch. Call [`flush`](Self::flush) after the last. See [`Exclusive::feed_many`](sansmq_runtime::Exclusive::feed_many).
    ///
    /// # Errors
    /// [`SendError`] of the first message, as [`send_many`](Self::send_many) returns.
    pub fn feed_many(&mut self, messages: &mut Vec<Message>) -> Result<usize, SendError> {
        self.block_on(|socket, cx| socket.poll_feed_many(cx, messages))
    }

    /// Queues as many messages from the start of `messages` as the socket has room for, at most 1024, without blocking; the next
    /// call that blocks sends them. See [`Exclusive::try_send_many`](sansmq_runtime::Exclusive::try_send_many).
    ///
    /// # Errors
    /// [`SendError`] of the first message, as [`send_many`](Self::send_many) returns.
    pub fn try_send_many(&mut self, messages: &mut Vec<Message>) -> Result<usize, SendError> {
        self.socket.try_send_many(messages)
    }
}

impl<T: Receives> ExclusiveSocket<T> {
    /// Receives messages, and appends them to `into`. Blocks while no message is queued, and then receives as many as are queued,
    /// at most `limit` and at most 1024. Returns their number; see [`Exclusive::recv_many`](sansmq_runtime::Exclusive::recv_many).
    ///
    /// # Errors
    /// [`RecvError`]; never [`RecvError::Empty`].
    pub fn recv_many(&mut self, into: &mut Vec<Message>, limit: usize) -> Result<usize, RecvError> {
        self.block_on(|socket, cx| socket.poll_recv_many(cx, into, limit))
    }

    /// Receives messages as [`recv_many`](Self::recv_many) does. Blocks at most for `timeout` (`ZMQ_RCVTIMEO`).
    ///
    /// # Errors
    /// [`RecvError`]; [`RecvError::TimedOut`] when the timeout expires before a message is queued.
    pub fn recv_many_timeout(
        &mut self,
        into: &mut Vec<Message>,
        limit: usize,
        timeout: Duration,
    ) -> Result<usize, RecvError> {
        self.block(Some(timeout), |socket, cx| socket.poll_recv_many(cx, into, limit))
            .unwrap_or_else(|| Err(RecvError::TimedOut { after: timeout, failing: self.socket().failing_dials() }))
    }

    /// Receives the messages that are queued already, at most `limit` and at most 1024, without blocking. Appends them to `into`,
    /// and returns their number, which is zero if no message is queued. New messages arrive only in calls that block.
    ///
    /// # Errors
    /// [`RecvError`]; never [`RecvError::Empty`].
    pub fn try_recv_many(&mut self, into: &mut Vec<Message>, limit: usize) -> Result<usize, RecvError> {
        self.socket.try_recv_many(into, limit)
    }
}
