//! [`ListenerTask`]: the task that opens a listener of the operating system and accepts connections from it. Several
//! sockets can share the listener. The task ends when the last of these sockets has unbound.

use crate::bound_listener::BoundListener;
use crate::driver::Driver;
use crate::runtime::{PollListener, Runtime};
use crate::shared_listener::SharedListener;
use crate::state::Shared;
use crate::task::{Kind, Task, TaskState};
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use sansmq_proto::address::TransportConfig;
use sansmq_proto::{Endpoint, ListenerId, NetworkError};
use std::sync::Arc;

pub(crate) struct ListenerTask<R: Runtime> {
    phase: Phase<R>,
    /// Settings for the listener and its connections, as they were when the socket was bound.
    transport: Box<TransportConfig>,
    /// Guard that closes the port when the task ends: it unbinds all sockets that share the listener. Calls of `unbind`
    /// and `close` that wait until the address is free then complete. This field is declared after `phase`, so that the
    /// open listener is dropped first.
    guard: ListenGuard,
    /// Reference to the socket that opened the port. This field is declared last: if it is the last driver, its drop
    /// completes the calls of `close`, and the address must be free then.
    driver: Driver,
}

/// Phase of a listener task. "Opened" and "failed" are the outcomes of opening the listener. "Stopped" means that the
/// last socket that shared the listener has unbound. "In use" means that the address is in use, and that other listeners
/// of this process are being closed that may have the address.
///
/// ```text
/// Opening ──opened──► Accepting ──stopped──► Closed
///  │  ▲ ├──failed───► (the task has finished)
///  │  │ └──stopped──► (the task has finished)
///  │  └──they are closed── Waiting ──stopped──► (the task has finished)
///  └─────────in use──────────►┘
/// ```
enum Phase<R: Runtime> {
    /// The listener is being opened. Carries the listeners at the address that were being closed before.
    Opening(Opening<R::Listener>, Vec<Arc<SharedListener>>),
    /// The address is in use. The task waits until these listeners are closed, and then tries again.
    Waiting(Vec<Arc<SharedListener>>),
    Accepting {
        listener: R::Listener,
        bound: Endpoint,
        /// Connection that the operating system has accepted, and that waits for its turn.
        next: Option<(R::Stream, Endpoint)>,
    },
    Closed,
}

/// Future from [`Runtime::listen`], which opens a listener and returns it with its bound endpoint.
type Opening<L> = Pin<Box<dyn Future<Output = Result<(L, Endpoint), NetworkError>> + Send>>;

impl<R: Runtime> ListenerTask<R> {
    /// Creates the task of a listener. If `given` is `None`, the task opens a listener at `endpoint`. Otherwise the
    /// task takes over `given`, a listener that was bound outside of this library. Returns `None` if the runtime
    /// rejects `given`; the error was then reported to the sockets that are bound to the port.
    pub(crate) fn new(
        driver: Driver,
        guard: ListenGuard,
        endpoint: Endpoint,
        given: Option<BoundListener>,
        runtime: &R,
    ) -> Option<Self> {
        let _ = guard.port.network.set(runtime.network());
        let transport = Box::new(driver.shared().transport());
        let phase = match given {
            None => Self::open(&transport, endpoint, runtime),
            Some(given) => {
                let bound = given.endpoint().clone();
                match runtime.take_listener(given, &transport) {
                    Ok(listener) => {
                        driver.listening(guard.id, bound.clone());
                        Phase::Accepting { listener, bound, next: None }
                    }
                    Err(error) => {
                        driver.listen_failed(guard.id, error);
                        return None;
                    }
                }
            }
        };
        Some(Self { phase, transport, guard, driver })
    }

    /// Begins to open the listener.
    fn open(transport: &TransportConfig, endpoint: Endpoint, runtime: &R) -> Phase<R> {
        // The ports are listed before the attempt, because a port that is closed during the attempt is no longer listed after.
        let closing = SharedListener::closing_at(&endpoint, runtime.network());
        Phase::Opening(Box::pin(runtime.clone().listen(endpoint, transport.clone())), closing)
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, runtime: &R) -> TaskState {
        let Self { phase, transport, guard, driver } = self;
        loop {
            match phase {
                Phase::Closed => return TaskState::Finished,
                Phase::Waiting(closing) => {
                    if guard.poll_stopped(cx.waker()).is_ready() {
                        return TaskState::Finished;
                    }
                    closing.retain(|port| port.poll_closed(cx.waker()).is_pending());
                    if !closing.is_empty() {
                        return TaskState::Waiting;
                    }
                    *phase = Self::open(transport, guard.port.requested(), runtime);
                }
                Phase::Opening(opening, closing) => {
                    // A host name lookup may take long, and `unbind` and `close` must not wait for it.
                    if guard.poll_stopped(cx.waker()).is_ready() {
                        return TaskState::Finished;
                    }
                    match opening.as_mut().poll(cx) {
                        Poll::Pending => return TaskState::Waiting,
                        Poll::Ready(Ok((listener, bound))) => {
                            driver.listening(guard.id, bound.clone());
                            *phase = Phase::Accepting { listener, bound, next: None };
                        }
                        Poll::Ready(Err(NetworkError::AddressInUse)) if !closing.is_empty() => {
                            *phase = Phase::Waiting(core::mem::take(closing));
                        }
                        Poll::Ready(Err(error)) => {
                            driver.listen_failed(guard.id, error);
                            return TaskState::Finished;
                        }
                    }
                }
                Phase::Accepting { listener, next, .. } => match guard.poll_next(cx.waker()) {
                    Poll::Pending => return TaskState::Waiting,
                    Poll::Ready(AcceptState::Closed) => {
                        Self::close(core::mem::replace(phase, Phase::Closed), guard);
                        return TaskState::Finished;
                    }
                    Poll::Ready(AcceptState::Open) => {
                        if next.is_none() {
                            match listener.poll_accept(cx, transport) {
                                Poll::Pending => return TaskState::Waiting,
                                Poll::Ready(Err(error)) => {
                                    driver.accept_failed(guard.id, error);
                                    continue;
                                }
                                Poll::Ready(Ok(accepted)) => *next = Some(accepted),
                            }
                        }
                        if !guard.ration.allows(driver.shared().with(|state| state.exchanges)) {
                            return TaskState::Runnable;
                        }
                        let Some((stream, from)) = next.take() else { continue };
                        if let Some(connection) = driver.accepted(guard.id, from, stream) {
                            let kind = Kind::Connection(Box::new(connection));
                            runtime.spawn(Task { runtime: runtime.clone(), kind });
                        }
                    }
                },
            }
        }
    }

    fn close(phase: Phase<R>, guard: &ListenGuard) {
        if let Phase::Accepting { listener, bound, .. } = phase
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

/// Guard that the task of a listener holds until the listener is closed. Its drop closes the port: it unbinds all
/// sockets that share the listener. Calls of `unbind` and `close` that wait until the address is free then complete.
pub(crate) struct ListenGuard {
    pub(crate) shared: Arc<Shared>,
    id: ListenerId,
    pub(crate) port: Arc<SharedListener>,
    /// Limits how many connections the task accepts, compared with the work for the peers that are already connected.
    ration: AcceptRation,
}

/// Limit of accepted connections. Each poll of a listener task admits at most one connection. While peers are busy, it
/// admits one only after [`PEER_EXCHANGES`] exchanges with peers, because a new connection costs about as much as these.
#[derive(Debug, Default)]
struct AcceptRation {
    /// Number of exchanges with peers when the latest connection was admitted, and at the latest poll.
    admitted_at: u32,
    polled_at: u32,
    /// Number of polls since the latest connection was admitted.
    polls: u32,
}

/// Number of exchanges with peers for one accepted connection, while peers are busy.
const PEER_EXCHANGES: u32 = 16;

/// Number of polls of a listener task after which it admits a connection in any case.
const PATIENCE: u32 = 16;

impl AcceptRation {
    /// Returns true if the listener may admit a connection now. Otherwise it must ask again after all other ready tasks have
    /// run. `exchanges` is the number of exchanges of the socket with peers.
    fn allows(&mut self, exchanges: u32) -> bool {
        let is_idle = core::mem::replace(&mut self.polled_at, exchanges) == exchanges;
        self.polls += 1;
        let allows = (is_idle && self.polls > 1)
            || exchanges.wrapping_sub(self.admitted_at) >= PEER_EXCHANGES
            || self.polls > PATIENCE;
        if allows {
            *self = Self { admitted_at: exchanges, polled_at: exchanges, polls: 0 };
        }
        allows
    }
}

/// Next step of a listener task, from [`ListenGuard::poll_next`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AcceptState {
    /// The task must accept connections.
    Open,
    /// The task must close the listener, because no socket is bound to the port.
    Closed,
}

impl ListenGuard {
    pub(crate) fn new(shared: &Arc<Shared>, id: ListenerId, port: Arc<SharedListener>) -> Self {
        Self { shared: Arc::clone(shared), id, port, ration: AcceptRation::default() }
    }

    /// Returns the next step of the listener task. The task must call this method before each accept. Returns `Pending`
    /// during the pause after a failed accept; `waker` is woken when the task must continue.
    pub(crate) fn poll_next(&mut self, waker: &Waker) -> Poll<AcceptState> {
        if self.poll_stopped(waker).is_ready() {
            return Poll::Ready(AcceptState::Closed);
        }
        let pausing = self.port.pausing();
        if pausing.and_then(|member| member.with(|state| state.socket.is_accept_paused(member.listener))) == Some(true)
        {
            return Poll::Pending;
        }
        Poll::Ready(AcceptState::Open)
    }

    /// Returns `Ready` if no socket is bound to the port any more. Otherwise registers the waker of the listener task,
    /// to be woken when a socket unbinds.
    pub(crate) fn poll_stopped(&self, waker: &Waker) -> Poll<()> {
        if self.port.poll_members(waker) { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Handles an error that occurred while the listener at `endpoint` was closed; the listener is closed nevertheless.
    /// Stores `error` in [`SharedListener::failure`]; a waiting call of `unbind` returns the error from there. Also
    /// reports `error` to the last socket that unbound from the port. That socket emits an event.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the number of iterations until the listener admits a connection, if peers exchange `exchanges` times in
    /// each iteration.
    fn iterations(ration: &mut AcceptRation, total: &mut u32, exchanges: u32) -> u32 {
        let mut iterations = 0;
        while !ration.allows(*total) {
            *total = total.wrapping_add(exchanges);
            iterations += 1;
        }
        iterations
    }

    #[test]
    fn listener_admits_one_connection_per_idle_iteration() {
        let (mut ration, mut total) = (AcceptRation::default(), 0);
        for _ in 0..10 {
            assert_eq!(iterations(&mut ration, &mut total, 0), 1);
        }
    }

    #[test]
    fn busy_peers_delay_new_connections_by_a_bounded_number_of_exchanges() {
        // Close to the number at which the count of exchanges wraps around.
        let (mut ration, mut total) = (AcceptRation::default(), u32::MAX - 200);
        assert_eq!(iterations(&mut ration, &mut total, 1), 0, "no connection was admitted before");
        for (exchanges, expected) in [(1, PATIENCE), (2, PEER_EXCHANGES / 2), (4, PEER_EXCHANGES / 4), (100, 1)] {
            for _ in 0..3 {
                assert_eq!(iterations(&mut ration, &mut total, exchanges), expected);
            }
        }
    }
}
