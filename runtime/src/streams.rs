//! Streams and sinks of a [`Handle`]: the traits of `futures-core` and `futures-sink`.

use crate::adapters::{Monitor, arrived};
use crate::batch::poll_send_many;
use crate::handle::Handle;
use crate::state::Shared;
use crate::turn::TurnKey;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use futures_core::Stream;
use futures_sink::Sink;
use sansmq_proto::kind::{Receives, Sends};
use sansmq_proto::{Event, Message, RecvError, SendError};
use std::sync::Arc;

impl<T: Sends> Handle<T> {
    /// Returns a [sink](Outgoing) that sends messages with this socket.
    pub fn sink(&self) -> Outgoing<T> {
        Outgoing::new(self.clone())
    }
}

impl<T: Receives> Handle<T> {
    /// Returns a [stream](Incoming) of the messages that this socket receives. The stream ends when the socket is closed.
    pub fn stream(&self) -> Incoming<T> {
        Incoming::new(self.clone())
    }
}

/// Stream of received messages; see [`Handle::stream`].
///
/// The stream ends when the socket is closed. Other errors are items; the stream ends after one that is
/// [final](RecvError::is_final).
pub struct Incoming<T: Receives> {
    key: TurnKey<Arc<Shared>>,
    /// Handle that keeps the socket open while the stream exists.
    handle: Handle<T>,
    /// True after an error which every later call would return too.
    has_ended: bool,
}

impl<T: Receives> Incoming<T> {
    fn new(handle: Handle<T>) -> Self {
        Self { key: TurnKey::new(Arc::clone(handle.shared())), handle, has_ended: false }
    }
}

impl<T: Receives> Stream for Incoming<T> {
    type Item = Result<Message, RecvError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        let result = ready!(self.key.receive(cx, |state| arrived(state.socket.recv())));
        self.has_ended = result.as_ref().is_err_and(RecvError::is_final);
        Poll::Ready((result != Err(RecvError::Closed)).then_some(result))
    }
}

/// Sink of messages to send; see [`Handle::sink`].
///
/// The sink stores messages until it is flushed, at most 64: then it first sends those that it has stored. So a message is sent
/// by `SinkExt::send` and `send_all`, which flush, but not by `feed` alone. Messages that the sink stores are lost when it is dropped.
/// Flushing the sink waits until the socket has queued all of them.
///
/// An error of a flush contains the message that cannot be sent. The messages behind it stay in the sink.
pub struct Outgoing<T: Sends> {
    key: TurnKey<Arc<Shared>>,
    handle: Handle<T>,
    waiting: Vec<Message>,
}

/// Number of messages that a sink stores.
const STORED: usize = 64;

impl<T: Sends> Outgoing<T> {
    fn new(handle: Handle<T>) -> Self {
        let key = TurnKey::new(Arc::clone(handle.shared()));
        Self { key, handle, waiting: Vec::new() }
    }

    /// Sends stored messages until fewer than `count` are left.
    fn poll_below(&mut self, cx: &mut Context<'_>, count: usize) -> Poll<Result<(), SendError>> {
        while self.waiting.len() >= count {
            ready!(poll_send_many(&mut self.key, cx, &mut self.waiting))?;
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: Sends> Sink<Message> for Outgoing<T> {
    type Error = SendError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.poll_below(cx, STORED)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), SendError> {
        if self.waiting.len() >= STORED {
            // The caller did not wait for `poll_ready`.
            return Err(SendError::Full(message));
        }
        self.waiting.push(message);
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.poll_below(cx, 1)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.poll_flush(cx)
    }
}

impl Stream for Monitor {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.poll_event(cx)
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
