//! Methods of [`Exclusive`] that send and receive.

use crate::adapters::arrived;
use crate::exclusive::Exclusive;
use crate::exclusive::engine::Engine;
use crate::runtime::TimedRuntime;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use sansmq_proto::connection::Peer;
use sansmq_proto::kind::{Kind, Receives, Sends};
use sansmq_proto::socket::{Flush, Unsent};
use sansmq_proto::{Message, RecvError, SendError};
use std::sync::Arc;

/// Future of [`Exclusive::send`] and [`Exclusive::feed`].
// The message is first for the same reason as in [`Send`](crate::Send).
#[repr(C)]
struct Offer<'a, T: Kind, R: TimedRuntime, P> {
    message: Option<Message>,
    socket: &'a mut Exclusive<T, R>,
    poll: P,
}

impl<T: Kind, R: TimedRuntime, P> Future for Offer<'_, T, R, P>
where
    P: FnMut(&mut Exclusive<T, R>, &mut Context<'_>, &mut Option<Message>) -> Poll<Result<(), SendError>> + Unpin,
{
    type Output = Result<(), SendError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { message, socket, poll } = &mut *self;
        poll(socket, cx, message)
    }
}

impl<T: Sends, R: TimedRuntime> Exclusive<T, R> {
    /// Sends a message, as [`Handle::send`](crate::Handle::send) does: waits while the socket has no room for it. Hands it to the
    /// operating system if the peer is connected and takes it at once; what is left is written by later calls.
    ///
    /// Cancel-safe: if the future is dropped before it is ready, the message has not been sent.
    ///
    /// # Errors
    /// [`SendError`], which returns the message; never [`SendError::Full`].
    pub fn send(&mut self, message: impl Into<Message>) -> impl Future<Output = Result<(), SendError>> {
        Offer { message: Some(message.into()), socket: self, poll: Self::poll_send }
    }

    /// Sends the message in `message`, as [`send`](Self::send) does, and leaves `None` there. While the socket has no room,
    /// returns `Pending` and keeps the message. Returns `Ready` if there is no message.
    ///
    /// # Errors
    /// [`SendError`], which returns the message.
    pub fn poll_send(&mut self, cx: &mut Context<'_>, message: &mut Option<Message>) -> Poll<Result<(), SendError>> {
        // With a used-up budget, the socket would take the message, and the runtime would refuse to write it.
        ready!(self.engine.poll_budget(cx));
        self.poll_offer(cx, message, |engine| _ = engine.round())
    }

    /// Queues a message for many messages in a row, such as [`SinkExt::feed`] of `futures` does: waits while the socket has no
    /// room, as [`send`](Self::send) does, but makes no system call for each message. The messages are written in batches, the
    /// last ones only by a call that drives, such as [`flush`](Self::flush):
    ///
    /// ```
    /// # use sansmq::runtime::{Exclusive, TimedRuntime};
    /// # use sansmq::{SendError, kind::Push};
    /// # async fn work(push: &mut Exclusive<Push, impl TimedRuntime>) -> Result<(), SendError> {
    /// for number in 0..1000 {
    ///     push.feed(format!("task {number}")).await?;
    /// }
    /// push.flush().await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Cancel-safe, like `send`.
    ///
    /// [`SinkExt::feed`]: https://docs.rs/futures/latest/futures/sink/trait.SinkExt.html#method.feed
    ///
    /// # Errors
    /// [`SendError`], which returns the message; never [`SendError::Full`].
    pub fn feed(&mut self, message: impl Into<Message>) -> impl Future<Output = Result<(), SendError>> {
        Offer { message: Some(message.into()), socket: self, poll: Self::poll_feed }
    }

    /// Queues the message in `message`, as [`feed`](Self::feed) does, and leaves `None` there. While the socket has no room,
    /// returns `Pending` and keeps the message. Returns `Ready` if there is no message.
    ///
    /// # Errors
    /// [`SendError`], which returns the message.
    pub fn poll_feed(&mut self, cx: &mut Context<'_>, message: &mut Option<Message>) -> Poll<Result<(), SendError>> {
        self.poll_offer(cx, message, |engine| _ = engine.socket_mut())
    }

    /// Waits until the socket takes the message, and then calls `finish`.
    #[inline]
    fn poll_offer(
        &mut self,
        cx: &mut Context<'_>,
        message: &mut Option<Message>,
        finish: impl Fn(&mut Engine<R>),
    ) -> Poll<Result<(), SendError>> {
        let sent = ready!(self.engine.poll_until(cx, |engine| {
            let Some(message) = message.as_mut() else { return Poll::Ready(Ok(())) };
            match engine.waiting_socket().offer(message) {
                Err(Unsent::Full) => Poll::Pending,
                sent => {
                    finish(engine);
                    Poll::Ready(sent)
                }
            }
        }));
        Poll::Ready(match sent {
            Ok(()) => {
                *message = None;
                Ok(())
            }
            Err(why) => self.refused(why, message.take()),
        })
    }

    #[cold]
    fn refused(&self, why: Unsent, message: Option<Message>) -> Result<(), SendError> {
        message.map_or(Ok(()), |message| Err(self.socket().send_error(why, message)))
    }

    /// Queues a message without waiting. It is sent by the next calls that drive, such as [`flush`](Self::flush). A queue that is
    /// full here may have room after [`drive`](Self::drive).
    ///
    /// # Errors
    /// [`SendError`], which returns the message.
    pub fn try_send(&mut self, message: impl Into<Message>) -> Result<(), SendError> {
        let mut message = message.into();
        let sent = self.engine.socket_mut().offer(&mut message);
        sent.map_err(|why| self.socket().send_error(why, message))
    }

    /// Waits until every message that was sent before this call is handed to the operating system, or was dropped, as
    /// [`Handle::flush`](crate::Handle::flush) does. A message to a peer without a connection stays queued, so use a timeout if no
    /// peer may connect.
    ///
    /// Cancel-safe.
    pub async fn flush(&mut self) {
        let mut flush = self.begin_flush();
        poll_fn(|cx| self.poll_flush(cx, &mut flush)).await;
    }

    /// Begins to wait as [`flush`](Self::flush) does. Pass the returned value to [`poll_flush`](Self::poll_flush).
    pub fn begin_flush(&self) -> Flush {
        self.socket().begin_flush()
    }

    /// Returns `Ready` when all messages of `flush` are handed to the operating system, or were dropped.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>, flush: &mut Flush) -> Poll<()> {
        self.poll_with(
            cx,
            |socket| {
                if socket.poll_flush(flush) || socket.is_closed() { Poll::Ready(()) } else { Poll::Pending }
            },
        )
    }
}

impl<T: Receives, R: TimedRuntime> Exclusive<T, R> {
    /// Receives the next message, as [`Handle::recv`](crate::Handle::recv) does: waits while no message is queued.
    ///
    /// Cancel-safe: if the future is dropped before it is ready, no message has been removed from the queue.
    ///
    /// # Errors
    /// [`RecvError`]; never [`RecvError::Empty`].
    pub fn recv(&mut self) -> impl Future<Output = Result<Message, RecvError>> {
        poll_fn(|cx| self.poll_recv(cx))
    }

    /// Receives the next message, as [`recv`](Self::recv) does. Returns `Pending` while no message is queued.
    ///
    /// # Errors
    /// [`RecvError`]; never [`RecvError::Empty`].
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, RecvError>> {
        // Not as the result of `operation`, which would be moved at each of its returns.
        let mut received = Err(RecvError::Empty);
        let polled = self.poll_with(cx, |socket| {
            received = socket.recv();
            if matches!(received, Err(RecvError::Empty)) { Poll::Pending } else { Poll::Ready(()) }
        });
        polled.map(|()| received)
    }

    /// Receives the next message, and returns it with its sender; see [`Handle::recv_from`](crate::Handle::recv_from).
    ///
    /// Cancel-safe, like `recv`.
    ///
    /// # Errors
    /// [`RecvError`]; never [`RecvError::Empty`].
    pub async fn recv_from(&mut self) -> Result<(Message, Arc<Peer>), RecvError> {
        poll_fn(|cx| self.poll_with(cx, |socket| arrived(socket.recv_from()))).await
    }

    /// Receives a message that is queued already, and returns it with its sender, without waiting and without driving the
    /// connections.
    ///
    /// # Errors
    /// [`RecvError`].
    pub fn try_recv_from(&mut self) -> Result<(Message, Arc<Peer>), RecvError> {
        self.engine.socket_mut().recv_from()
    }

    /// Receives a message that is queued already, without waiting and without driving the connections. New messages arrive only
    /// in calls that drive, such as [`drive`](Self::drive).
    ///
    /// # Errors
    /// [`RecvError`].
    pub fn try_recv(&mut self) -> Result<Message, RecvError> {
        self.engine.socket_mut().recv()
    }
}

impl<T: Kind, R: TimedRuntime> Exclusive<T, R> {
    /// Returns true if the socket can send without waiting, as defined by [`Socket::can_send`](sansmq_proto::Socket::can_send).
    pub fn can_send(&mut self) -> bool
    where
        T: Sends,
    {
        self.engine.socket_mut().can_send()
    }

    /// Returns true if a message can be received without waiting, as defined by
    /// [`Socket::can_recv`](sansmq_proto::Socket::can_recv).
    pub fn can_recv(&mut self) -> bool
    where
        T: Receives,
    {
        self.engine.socket_mut().can_recv()
    }
}
