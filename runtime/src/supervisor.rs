//! [`Supervisor`]: the first task of a socket. It spawns the tasks that the socket requests, and handles the socket's
//! timeouts.

use crate::dial_task::DialTask;
use crate::driver::Driver;
use crate::listener_task::{ListenGuard, ListenerTask};
use crate::race::DialTimer;
use crate::runtime::Runtime;
use crate::state::remember;
use crate::task::{Kind, Task, TaskState};
use core::task::{Context, Poll, Waker};
use sansmq_proto::{Action, Instant, NetworkError};
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct Supervisor {
    driver: Driver,
    /// Next deadline of the socket at the last poll of the supervisor; `None` if no timeout is pending.
    deadline: Option<Instant>,
}

impl Supervisor {
    pub(crate) const fn new(driver: Driver) -> Self {
        Self { driver, deadline: None }
    }

    /// Reports to the socket that the runtime cannot run it.
    pub(crate) fn fail(&self, error: NetworkError) {
        self.driver.shared().with_time(|socket, now| socket.runtime_failed(error, now));
    }

    pub(crate) const fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    pub(crate) fn poll<R: Runtime>(&mut self, cx: &mut Context<'_>, runtime: &R) -> TaskState {
        loop {
            let (action, dial) = match self.poll_action(cx.waker()) {
                // The socket has more work, but other tasks have their turn first.
                Poll::Pending if self.deadline.is_some_and(|deadline| deadline <= self.driver.shared().now()) => {
                    return TaskState::Runnable;
                }
                Poll::Pending => return TaskState::Waiting,
                Poll::Ready(None) => return TaskState::Finished,
                Poll::Ready(Some(next)) => next,
            };
            let driver = self.driver.clone();
            let kind = match action {
                Action::Listen(id, endpoint) => {
                    let shared = driver.shared();
                    let hosted = shared
                        .with(|state| Some((Arc::clone(state.hosted.get(&id)?), state.bound_listeners.remove(&id))));
                    // Without a port, it was closed before its turn came.
                    let Some((port, given)) = hosted else { continue };
                    let guard = ListenGuard::new(shared, id, port);
                    ListenerTask::new(driver, guard, endpoint, given, runtime).map(Box::new).map(Kind::Listener)
                }
                Action::Dial(pipe, endpoint) => {
                    let (transport, timer) = (driver.shared().transport(), DialTimer::default());
                    let dialled = Box::pin(runtime.clone().dial(endpoint, transport, timer.clone()));
                    Some(Kind::Dial(DialTask { driver, pipe, dial, dialled, timer }))
                }
                // The state executes these itself.
                Action::Accept(_)
                | Action::CloseListener(_)
                | Action::CancelDial(_)
                | Action::Service(_)
                | Action::Readable
                | Action::Writable => None,
            };
            if let Some(kind) = kind {
                runtime.spawn(Task { runtime: runtime.clone(), kind });
            }
        }
    }

    /// Handles the socket's timeouts that have expired. Then returns the next action that needs a new task, with the
    /// number of the attempt to connect (0 for a listener). Returns `None` when the socket and all of its listeners are
    /// closed. If no such action is requested now, but can be later, returns `Pending` and registers `waker`. It is
    /// woken when such an action is requested, when the socket or a listener is closed, and when the socket's deadline,
    /// the time at which its next timeout expires, changes.
    pub(crate) fn poll_action(&mut self, waker: &Waker) -> Poll<Option<(Action, u64)>> {
        let shared = self.driver.shared();
        let now = shared.now();
        // The timeout is handled in a call of its own, because its actions are queued at the end of `with`.
        shared.with(|state| {
            if state.socket.poll_timeout().is_some_and(|deadline| deadline <= now) {
                state.socket.handle_timeout(now);
                state.armed = state.socket.poll_timeout();
            }
        });
        let deadline = &mut self.deadline;
        shared.with(|state| {
            *deadline = state.socket.poll_timeout();
            state.armed = *deadline;
            if let Some(action) = state.actions.pop_front() {
                return Poll::Ready(Some(action));
            }
            if state.is_over() && state.listeners.is_empty() {
                return Poll::Ready(None);
            }
            state.spent.extend(remember(&mut state.supervisor, waker));
            Poll::Pending
        })
    }
}
