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

/// The runtime's future of a dial.
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

    /// Ready with the task of the connection, or with `None` if there is no connection: the dial failed, which the socket
    /// has been told, or was given up.
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

/// Tells whether a dial is still wanted.
pub(crate) struct ConnectGuard {
    shared: Arc<Shared>,
    pipe: PipeId,
    /// The number of the dial; a later one of the same pipe has another.
    dial: u64,
}

impl ConnectGuard {
    pub(crate) fn new(shared: &Arc<Shared>, pipe: PipeId, dial: u64) -> Self {
        Self { shared: Arc::clone(shared), pipe, dial }
    }

    /// Ready when the dial was given up or followed by another one. The task is woken then.
    pub(crate) fn poll_stopped(&self, waker: &Waker) -> Poll<()> {
        self.shared.with(|state| state.poll_dial(self.pipe, self.dial, waker))
    }
}
