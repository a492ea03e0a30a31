//! [`DialTask`]: the task of one attempt to connect. On success, a [`ConnectionTask`] replaces it.

use crate::connection_task::{ConnectionTask, Owner};
use crate::driver::Driver;
use crate::race::DialTimer;
use crate::runtime::{PollStream, Runtime};
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use sansmq_proto::{Instant, NetworkError, PipeId};

/// Future of one attempt to connect, from [`Runtime::dial`]. Returns the connected stream.
type Dialled<S> = Pin<Box<dyn Future<Output = Result<S, NetworkError>> + Send>>;

pub(crate) struct DialTask<R: Runtime> {
    pub(crate) driver: Driver,
    pub(crate) pipe: PipeId,
    /// Number of this attempt to connect. No other attempt of the socket has the same number. The task compares the
    /// number with that of the pipe's current attempt, to detect that this attempt was cancelled or replaced by a later
    /// one.
    pub(crate) dial: u64,
    pub(crate) dialled: Dialled<R::Stream>,
    /// Timer of `dialled`.
    pub(crate) timer: DialTimer,
}

impl<R: Runtime> DialTask<R> {
    /// Continues the attempt to connect. When connected, returns the task of the new connection. Returns `None` if the
    /// attempt has ended without a connection: it was cancelled, replaced by a later attempt, or has failed. A failure
    /// has already been reported to the socket.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<ConnectionTask<R::Stream>>> {
        let (shared, pipe) = (self.driver.shared(), self.pipe);
        if shared.with(|state| state.poll_dial(pipe, self.dial, cx.waker())).is_ready() {
            return Poll::Ready(None);
        }
        self.timer.handle_timeout(shared.now());
        match self.dialled.as_mut().poll(cx) {
            Poll::Pending => {
                self.timer.arm(shared.now());
                Poll::Pending
            }
            Poll::Ready(Err(error)) => {
                shared.with_time(|socket, now| socket.dial_failed(pipe, error, now));
                Poll::Ready(None)
            }
            Poll::Ready(Ok(stream)) => {
                let Some(mut connection) = shared.with_time(|socket, now| socket.connected(pipe, now)) else {
                    return Poll::Ready(None);
                };
                if let Some(address) = stream.remote_address() {
                    connection.set_remote_address(address);
                }
                Poll::Ready(Some(ConnectionTask::new(self.driver.clone(), Owner::Local(pipe), connection, stream)))
            }
        }
    }

    /// Returns the time at which [`poll`](Self::poll) must be called even if the waker is not woken.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.timer.deadline()
    }
}

impl<R: Runtime> fmt::Debug for DialTask<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DialTask").field(&self.pipe).finish()
    }
}
