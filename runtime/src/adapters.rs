//! Futures and monitors of a [`Handle`](crate::Handle).

use crate::state::{Shared, State};
use crate::turn::TurnKey;
use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll};
use sansmq_proto::socket::Unsent;
use sansmq_proto::{Event, Message, RecvError, SendError};
use std::sync::Arc;

/// Future of [`Handle::recv`](crate::Handle::recv): receives the next message.
#[must_use = "futures do nothing unless awaited"]
pub struct Recv<'a>(pub(crate) TurnKey<&'a Arc<Shared>>);

impl Future for Recv<'_> {
    type Output = Result<Message, RecvError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // Not as the result of `receive`, which would be moved at each of its returns.
        let mut received = Err(RecvError::Empty);
        let polled = self.0.receive(cx, |state| {
            received = state.socket.recv();
            if matches!(received, Err(RecvError::Empty)) { Poll::Pending } else { Poll::Ready(()) }
        });
        polled.map(|()| received)
    }
}

/// Future of [`Handle::send`](crate::Handle::send): sends one message.
// The message is first: behind the padding of another field, it would be moved in pieces that begin in the padding, and a load of
// such a piece waits until two stores have completed.
#[must_use = "futures do nothing unless awaited"]
#[repr(C)]
pub struct Send<'a> {
    /// Message to send. `None` after the future has completed: the socket has queued the message, or the error of the
    /// future contains the message.
    pub(crate) message: Option<Message>,
    pub(crate) key: TurnKey<&'a Arc<Shared>>,
}

impl Send<'_> {
    /// Cancels the send and returns the message. Returns `None` if the future has completed: the socket has queued the
    /// message, or the error of the future contains the message.
    pub fn into_message(self) -> Option<Message> {
        self.message
    }
}

impl Future for Send<'_> {
    type Output = Result<(), SendError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { message, key } = &mut *self;
        match key.send(cx, message, try_send) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) => {
                *message = None;
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(why)) => Poll::Ready(refused(why, message.take(), key.shared())),
        }
    }
}

/// Converts the result of a receive without waiting into a [`Poll`]: [`RecvError::Empty`] becomes `Pending`, and every
/// other result becomes `Ready`.
pub(crate) fn arrived<R>(result: Result<R, RecvError>) -> Poll<Result<R, RecvError>> {
    match result {
        Err(RecvError::Empty) => Poll::Pending,
        result => Poll::Ready(result),
    }
}

/// Sends the message in `waiting`, if any, and returns `Ready` with the result. If the socket has no room for the
/// message, returns `Pending` and keeps the message in `waiting`. After `Ready`, the caller must clear `waiting`.
fn try_send(state: &mut State, waiting: &mut Option<Message>) -> Poll<Result<(), Unsent>> {
    let Some(message) = waiting else {
        return Poll::Ready(Ok(()));
    };
    match state.socket.offer(message) {
        Err(Unsent::Full) => Poll::Pending,
        sent => Poll::Ready(sent),
    }
}

/// Returns the error of a send that was refused for the reason `why`. It contains the message.
// Not inlined, so that a send without an error does not move the memory of one.
#[cold]
#[inline(never)]
fn refused(why: Unsent, message: Option<Message>, shared: &Shared) -> Result<(), SendError> {
    message.map_or(Ok(()), |message| Err(shared.with(|state| state.socket.send_error(why, message))))
}

/// Events of a socket; see [`Handle::monitor`](crate::Handle::monitor). A monitor does not keep the socket open, and ends when the
/// socket is closed. With the feature `futures` it is a `Stream` too.
///
/// At most 1000 unread events are queued for each monitor. When more events occur, the oldest events are dropped, and
/// [`Event::Lagged`] reports their number.
#[doc(alias("zmonitor", "recv_monitor_message"))]
pub struct Monitor {
    shared: Arc<Shared>,
    id: u64,
}

impl Monitor {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        let id = shared.with(State::add_monitor);
        Self { shared: Arc::clone(shared), id }
    }

    /// Returns true if the current process is a forked child, and the tasks of the socket run in its parent; see
    /// [`Handle::is_inherited`](crate::Handle::is_inherited).
    pub fn is_inherited(&self) -> bool {
        self.shared.is_inherited()
    }

    /// Waits for the next event. Returns `None` after the socket has closed. Cancel-safe.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// Waits for the first event for which `pick` returns `Some`, and returns that value. Returns `None` after the
    /// socket has closed. When the future is dropped, the events for which `pick` has returned `None` are lost, but no
    /// other events.
    pub async fn find<R>(&mut self, mut pick: impl FnMut(Event) -> Option<R>) -> Option<R> {
        loop {
            if let Some(found) = pick(self.next().await?) {
                return Some(found);
            }
        }
    }

    pub(crate) fn poll_event(&self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.shared.poll_locked(cx, true, |state, cx, _| state.poll_monitor(self.id, cx))
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // Dropping a waker may run arbitrary code, so the waker is dropped outside of the lock.
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

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Monitor").field(&self.shared).finish()
    }
}
