//! [`Driven`] and [`DrivenListener`]: a stream and a listener of a runtime, for a `Guest` that polls them.

use crate::connection_task::ready;
use crate::exclusive::ready::{Notice, ReadyQueue};
use crate::runtime::{PollListener, PollStream};
use core::net::SocketAddr;
use core::task::{Context, Poll, Waker};
use sansmq_proto::address::TransportConfig;
use sansmq_proto::connection::{Credentials, Outbox};
use sansmq_proto::guest::Key;
use sansmq_proto::{Endpoint, NetworkError, Stream, StreamError};
use std::sync::Arc;

/// Stream of a runtime with its own waker, which reports the stream as ready.
pub(crate) struct Driven<S> {
    stream: S,
    notice: Arc<Notice>,
    /// Waker of `notice`.
    waker: Waker,
}

impl<S: PollStream> Driven<S> {
    pub(crate) fn new(stream: S, notice: Arc<Notice>) -> Self {
        let waker = Arc::clone(&notice).into();
        Self { stream, notice, waker }
    }

    pub(crate) fn set_key(&self, key: Key) {
        self.notice.set_key(key);
    }
}

impl<S: PollStream> Stream for Driven<S> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, StreamError> {
        ready(self.stream.poll_read(&mut Context::from_waker(&self.waker), buffer))
    }

    fn write(&mut self, data: &Outbox) -> Result<usize, StreamError> {
        let cx = &mut Context::from_waker(&self.waker);
        ready(data.with_io_slices(|slices| self.stream.poll_write_vectored(cx, slices)))
    }

    fn close_write(&mut self) -> Result<(), StreamError> {
        ready(self.stream.poll_close_write(&mut Context::from_waker(&self.waker)))
    }

    fn credentials(&self) -> Option<Credentials> {
        self.stream.credentials()
    }

    fn remote_address(&self) -> Option<SocketAddr> {
        self.stream.remote_address()
    }
}

/// Open listener of a runtime with its own waker, which reports the listener as ready.
pub(crate) struct DrivenListener<L> {
    listener: L,
    waker: Waker,
    /// Settings for the accepted connections, as they were when the socket was bound.
    transport: Box<TransportConfig>,
    bound: Endpoint,
}

impl<L: PollListener<Stream: PollStream>> DrivenListener<L> {
    pub(crate) const fn new(listener: L, waker: Waker, transport: Box<TransportConfig>, bound: Endpoint) -> Self {
        Self { listener, waker, transport, bound }
    }

    /// Accepts a connection. Returns it with the address of the peer.
    pub(crate) fn accept(&mut self, queue: &Arc<ReadyQueue>) -> Result<(Driven<L::Stream>, Endpoint), StreamError> {
        match self.listener.poll_accept(&mut Context::from_waker(&self.waker), &self.transport) {
            Poll::Pending => Err(StreamError::WouldBlock),
            Poll::Ready(Err(error)) => Err(StreamError::Failed(error)),
            Poll::Ready(Ok((stream, from))) => Ok((Driven::new(stream, Notice::unnamed(queue)), from)),
        }
    }

    /// Closes the listener. An error is returned with the bound endpoint.
    pub(crate) fn close(self) -> Result<(), (Endpoint, NetworkError)> {
        self.listener.close().map_err(|error| (self.bound, error))
    }
}
