//! The futures, streams and sinks a handle gives out.

use crate::handle::Handle;
use crate::state::{Shared, State};
use crate::waiters::{WaiterKey, Waiters, leave, wait};
use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll};
use futures_core::Stream;
use futures_sink::Sink;
use sansmq_proto::kind::{Receives, Sends};
use sansmq_proto::socket::Unsent;
use sansmq_proto::{Event, Message, RecvError, SendError};
use std::sync::Arc;

/// The future of [`Handle::recv`].
#[must_use = "futures do nothing unless awaited"]
pub struct Recv<'a>(WaiterKey<'a>);

impl<'a> Recv<'a> {
    pub(crate) const fn new(shared: &'a Arc<Shared>) -> Self {
        Self(WaiterKey::new(shared, receivers))
    }
}

impl Future for Recv<'_> {
    type Output = Result<Message, RecvError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.wait(cx, try_recv)
    }
}

/// The future of [`Handle::send`].
#[must_use = "futures do nothing unless awaited"]
pub struct Send<'a> {
    key: WaiterKey<'a>,
    /// `None` once the future is done.
    message: Option<Message>,
}

impl<'a> Send<'a> {
    pub(crate) const fn new(shared: &'a Arc<Shared>, message: Message) -> Self {
        Self { key: WaiterKey::new(shared, senders), message: Some(message) }
    }

    /// Gives up, and gives the message back; `None` if the future was ready, for then it is sent or was given back before.
    pub fn into_message(self) -> Option<Message> {
        self.message
    }
}

impl Future for Send<'_> {
    type Output = Result<(), SendError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let polled = this.key.wait(cx, |state| try_send(state, &mut this.message));
        polled.map(|sent| handed_back(sent, &mut this.message))
    }
}

fn try_recv(state: &mut State) -> Poll<Result<Message, RecvError>> {
    arrived(state.socket.recv())
}

/// Whether there was something to receive.
pub(crate) fn arrived<R>(result: Result<R, RecvError>) -> Poll<Result<R, RecvError>> {
    match result {
        Err(RecvError::Empty) => Poll::Pending,
        result => Poll::Ready(result),
    }
}

/// Sends what waits, if something does. What is not sent stays.
fn try_send(state: &mut State, waiting: &mut Option<Message>) -> Poll<Result<(), Unsent>> {
    let Some(message) = waiting else {
        return Poll::Ready(Ok(()));
    };
    match state.socket.offer(message) {
        Err(Unsent::Full) => Poll::Pending,
        sent => Poll::Ready(sent),
    }
}

/// Once it is known what became of the message: the error has it.
#[inline]
fn handed_back(sent: Result<(), Unsent>, message: &mut Option<Message>) -> Result<(), SendError> {
    match (message.take(), sent) {
        (Some(message), Err(why)) => Err(why.into_error(message)),
        _ => Ok(()),
    }
}

/// A socket as a stream of messages; see [`Handle::stream`].
///
/// It ends when the socket is closed. Errors of turn-taking are items and do not end it.
pub struct Incoming<T: Receives> {
    handle: Handle<T>,
    place: Option<usize>,
}

impl<T: Receives> Incoming<T> {
    pub(crate) const fn new(handle: Handle<T>) -> Self {
        Self { handle, place: None }
    }
}

impl<T: Receives> Stream for Incoming<T> {
    type Item = Result<Message, RecvError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let result = this.handle.shared().with(|state| wait(state, receivers, &mut this.place, cx, try_recv));
        result.map(|result| (result != Err(RecvError::Closed)).then_some(result))
    }
}

impl<T: Receives> Drop for Incoming<T> {
    fn drop(&mut self) {
        leave(self.handle.shared(), receivers, &mut self.place);
    }
}

/// A socket as a sink of messages; see [`Handle::sink`].
///
/// It holds at most one message that waits for room; flushing waits until the socket has taken it.
pub struct Outgoing<T: Sends> {
    handle: Handle<T>,
    place: Option<usize>,
    waiting: Option<Message>,
}

impl<T: Sends> Outgoing<T> {
    pub(crate) const fn new(handle: Handle<T>) -> Self {
        Self { handle, place: None, waiting: None }
    }
}

impl<T: Sends> Sink<Message> for Outgoing<T> {
    type Error = SendError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let this = &mut *self;
        let waiting = &mut this.waiting;
        let attempt = |state: &mut State| try_send(state, waiting);
        let polled = this.handle.shared().with(|state| wait(state, senders, &mut this.place, cx, attempt));
        polled.map(|sent| handed_back(sent, &mut this.waiting))
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), SendError> {
        if self.waiting.is_some() {
            // Called without `poll_ready`: one message waits, and there is no place for two.
            return Err(SendError::Full(message));
        }
        match self.handle.try_send(message) {
            Err(SendError::Full(message)) => {
                self.waiting = Some(message);
                Ok(())
            }
            result => result,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.poll_ready(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.poll_ready(cx)
    }
}

impl<T: Sends> Drop for Outgoing<T> {
    fn drop(&mut self) {
        leave(self.handle.shared(), senders, &mut self.place);
    }
}

const fn receivers(state: &mut State) -> &mut Waiters {
    &mut state.receivers
}

const fn senders(state: &mut State) -> &mut Waiters {
    &mut state.senders
}

/// A socket's events; see [`Handle::monitor`]. It does not keep the socket open, and ends when the socket is closed.
///
/// At most 1000 events wait to be read; after that the oldest are dropped and counted in [`Event::Lagged`].
pub struct Monitor {
    shared: Arc<Shared>,
    id: u64,
}

impl Monitor {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        let id = shared.with(State::add_monitor);
        Self { shared: Arc::clone(shared), id }
    }

    /// The next event; `None` once the socket is closed. Cancel-safe.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// The next event that `pick` makes something of. Cancel-safe, but for the events already passed over.
    pub async fn find<R>(&mut self, mut pick: impl FnMut(Event) -> Option<R>) -> Option<R> {
        loop {
            if let Some(found) = pick(self.next().await?) {
                return Some(found);
            }
        }
    }
}

impl Stream for Monitor {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.shared.with(|state| state.poll_monitor(self.id, cx))
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // A waker may run anything when it is dropped, so it is dropped outside the lock.
        drop(self.shared.with(|state| state.remove_monitor(self.id, &self.shared.trace)));
    }
}

impl fmt::Debug for Recv<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recv")
    }
}

impl fmt::Debug for Send<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Send")
    }
}

impl<T: Receives> fmt::Debug for Incoming<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Incoming").field(&self.handle).finish()
    }
}

impl<T: Sends> fmt::Debug for Outgoing<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Outgoing").field(&self.handle).finish()
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Monitor").field(&self.shared).finish()
    }
}
