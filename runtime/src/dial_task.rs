//! [`DialTask`]: one attempt to connect, which becomes the task of the connection.

use crate::connection_task::ConnectionTask;
use crate::driver::Driver;
use crate::runtime::Runtime;
use crate::state::Shared;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use sansmq_proto::{NetworkError, PipeId};
use std::sync::Arc;

/// Future of the runtime that connects.
type Dialled<S> = Pin<Box<dyn Future<Output = Result<S, NetworkError>> + Send>>;

pub(crate) struct DialTask<R: Runtime> {
    driver: Driver,
    guard: ConnectGuard,
    dialled: Dialled<R::Stream>,
}

impl<R: Runtime> DialTask<R> {
    pub(crate) const fn new(driver: Driver, guard: ConnectGuard, dialled: Dialled<R::Stream>) -> Self {
        Self { driver, guard, dialled }
    }

    /// Returns the task of the connection when connected. Returns `None` if the attempt was cancelled, or failed and the failure
    /// was reported to the socket.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<ConnectionTask<R::Stream>>> {
        if self.guard.poll_stopped(cx.waker()).is_ready() {
            return Poll::Ready(None);
        }
        let pipe = self.guard.pipe;
        match self.dialled.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => {
                self.driver.dial_failed(pipe, error);
                Poll::Ready(None)
            }
            Poll::Ready(Ok(stream)) => Poll::Ready(self.driver.connected(pipe, stream)),
        }
    }
}

impl<R: Runtime> fmt::Debug for DialTask<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DialTask").field(&self.guard.pipe).finish()
    }
}

/// Guard that detects the cancellation of a dial.
pub(crate) struct ConnectGuard {
    shared: Arc<Shared>,
    pipe: PipeId,
    /// Number of the dial. A later dial of the same pipe has another number.
    dial: u64,
}

impl ConnectGuard {
    pub(crate) fn new(shared: &Arc<Shared>, pipe: PipeId, dial: u64) -> Self {
        Self { shared: Arc::clone(shared), pipe, dial }
    }

    /// Ready when the dial was cancelled or replaced by a later dial. The task is woken then.
    pub(crate) fn poll_stopped(&self, waker: &Waker) -> Poll<()> {
        self.shared.with(|state| state.poll_dial(self.pipe, self.dial, waker))
    }
}
