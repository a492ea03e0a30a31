//! [`ListenerTask`]: opens a listener and accepts connections until the socket unbinds.

use crate::bound_listener::BoundListener;
use crate::driver::Driver;
use crate::runtime::{PollListener, Runtime};
use crate::shared_listener::SharedListener;
use crate::state::Shared;
use crate::task::{Kind, Task, TaskState};
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use sansmq_proto::{Endpoint, ListenerId, NetworkError};
use std::sync::Arc;

pub(crate) struct ListenerTask<R: Runtime> {
    driver: Driver,
    phase: Phase<R>,
    /// Declared last, because its drop reports that the address is free.
    guard: ListenGuard,
}

/// ```text
/// Opening ──opened──► Accepting ──stopped──► Closed
///    └──failed or stopped──────────────────────▲
/// ```
enum Phase<R: Runtime> {
    Opening(Opening<R::Listener>),
    Accepting { listener: R::Listener, bound: Endpoint },
    Closed,
}

/// Future of the runtime that opens a listener and returns it with its bound endpoint.
type Opening<L> = Pin<Box<dyn Future<Output = Result<(L, Endpoint), NetworkError>> + Send>>;

impl<R: Runtime> ListenerTask<R> {
    /// Opens a listener at `endpoint`, or takes over `given`. Returns `None` if that failed; the failure was reported to the
    /// socket.
    pub(crate) fn new(
        driver: Driver,
        guard: ListenGuard,
        endpoint: Endpoint,
        given: Option<BoundListener>,
        runtime: &R,
    ) -> Option<Self> {
        let phase = match given {
            None => Phase::Opening(Box::pin(runtime.clone().listen(endpoint, driver.shared().transport.clone()))),
            Some(given) => {
                let bound = given.endpoint().clone();
                match runtime.take_listener(given, &driver.shared().transport) {
                    Ok(listener) => {
                        driver.listening(guard.id, bound.clone());
                        Phase::Accepting { listener, bound }
                    }
                    Err(error) => {
                        driver.listen_failed(guard.id, error);
                        return None;
                    }
                }
            }
        };
        Some(Self { driver, phase, guard })
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, runtime: &R) -> TaskState {
        let Self { driver, phase, guard } = self;
        loop {
            match phase {
                Phase::Closed => return TaskState::Finished,
                Phase::Opening(opening) => {
                    // A host name lookup may take long, and `unbind` and `close` must not wait for it.
                    if guard.poll_stopped(cx.waker()).is_ready() {
                        return TaskState::Finished;
                    }
                    match opening.as_mut().poll(cx) {
                        Poll::Pending => return TaskState::Waiting,
                        Poll::Ready(Ok((listener, bound))) => {
                            driver.listening(guard.id, bound.clone());
                            *phase = Phase::Accepting { listener, bound };
                        }
                        Poll::Ready(Err(error)) => {
                            driver.listen_failed(guard.id, error);
                            return TaskState::Finished;
                        }
                    }
                }
                Phase::Accepting { listener, .. } => match guard.poll_next(cx.waker()) {
                    Poll::Pending => return TaskState::Waiting,
                    Poll::Ready(AcceptState::Closed) => {
                        Self::close(core::mem::replace(phase, Phase::Closed), guard);
                        return TaskState::Finished;
                    }
                    Poll::Ready(AcceptState::Open) => match listener.poll_accept(cx, &driver.shared().transport) {
                        Poll::Pending => return TaskState::Waiting,
                        Poll::Ready(Err(error)) => driver.accept_failed(guard.id, error),
                        Poll::Ready(Ok((stream, from))) => {
                            if let Some(connection) = driver.accepted(guard.id, from, stream) {
                                let kind = Kind::Connection(Box::new(connection));
                                runtime.spawn(Task { runtime: runtime.clone(), kind });
                            }
                        }
                    },
                },
            }
        }
    }

    fn close(phase: Phase<R>, guard: &ListenGuard) {
        if let Phase::Accepting { listener, bound } = phase
            && let Err(error) = listener.close()
        {
            guard.close_failed(bound, error);
        }
    }
}

impl<R: Runtime> fmt::Debug for ListenerTask<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ListenerTask").field(&self.guard.id).finish()
    }
}

/// Guard of the task that listens at a port. Its drop reports to `unbind` and `close` that the address is free.
pub(crate) struct ListenGuard {
    pub(crate) shared: Arc<Shared>,
    id: ListenerId,
    pub(crate) port: Arc<SharedListener>,
    /// Connections that may still be accepted before the task yields.
    budget: u8,
}

/// Next step of a listener task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AcceptState {
    /// Accept connections.
    Open,
    /// Close the listener.
    Closed,
}

impl ListenGuard {
    /// Connections accepted before the task yields, so that many new peers do not delay the connected peers.
    const BUDGET: u8 = 16;

    pub(crate) fn new(shared: &Arc<Shared>, id: ListenerId, port: Arc<SharedListener>) -> Self {
        Self { shared: Arc::clone(shared), id, port, budget: Self::BUDGET }
    }

    /// Returns the next step. `Pending` during the pause after a failed accept, and when the budget is spent; the task is woken
    /// when the result changes. Must be called before each accept.
    pub(crate) fn poll_next(&mut self, waker: &Waker) -> Poll<AcceptState> {
        if self.poll_stopped(waker).is_ready() {
            return Poll::Ready(AcceptState::Closed);
        }
        let pausing = self.port.pausing();
        if pausing.and_then(|member| member.with(|state| state.socket.is_accept_paused(member.listener))) == Some(true)
        {
            return Poll::Pending;
        }
        let Some(rest) = self.budget.checked_sub(1) else {
            self.budget = Self::BUDGET;
            waker.wake_by_ref();
            return Poll::Pending;
        };
        self.budget = rest;
        Poll::Ready(AcceptState::Open)
    }

    /// Ready when no socket is bound to the port. The task is woken then.
    pub(crate) fn poll_stopped(&self, waker: &Waker) -> Poll<()> {
        if self.port.poll_members(waker) { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Reports that closing the listener at `endpoint` returned an error. The listener is closed nevertheless.
    fn close_failed(&self, endpoint: Endpoint, error: NetworkError) {
        let _ = self.port.failure.set(error);
        if let Some(last) = self.port.last() {
            last.with(|state| state.socket.listener_close_failed(endpoint, error));
        }
    }
}

impl Drop for ListenGuard {
    fn drop(&mut self) {
        self.end();
        drop(self.shared.with(|state| state.hosted.remove(&self.id)));
    }
}
