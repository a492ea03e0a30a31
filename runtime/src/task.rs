//! [`Task`]: the background work of a socket, as a state machine that is polled with a waker.
//!
//! ```text
//! Supervisor ──spawns──► Listener ──spawns──► Connection
//!          └───spawns──► Dial ─────becomes─────────┘
//! ```

use crate::connection_task::ConnectionTask;
use crate::dial_task::DialTask;
use crate::driver::Driver;
use crate::listener_task::ListenerTask;
use crate::runtime::{AsyncTimer, Runtime};
use crate::supervisor::Supervisor;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use sansmq_proto::{Instant, NetworkError};

/// Background task of a socket: the supervisor (the first task, which handles timeouts and spawns the tasks of
/// listeners and of attempts to connect), a listener, an attempt to connect, or a connection.
///
/// A runtime must run the task that [`new`](Self::new) returns, and every task that is passed to [`Runtime::spawn`]. An
/// async runtime wraps each task in a [`TaskFuture`]. An event loop polls a task when its waker is woken and when
/// [`poll_timeout`](Self::poll_timeout) has passed.
pub struct Task<R: Runtime> {
    pub(crate) runtime: R,
    pub(crate) kind: Kind<R>,
}

pub(crate) enum Kind<R: Runtime> {
    // The large variants are boxed: a runtime keeps a task in a slot, or with its timer, which would be as large for each
    // connection as for a listener.
    Supervisor(Supervisor),
    Listener(Box<ListenerTask<R>>),
    Dial(DialTask<R>),
    Connection(Box<ConnectionTask<R::Stream>>),
    Finished,
}

/// Outcome of [`Task::poll`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum TaskState {
    /// The task waits: poll it when the waker is woken, or at [`Task::poll_timeout`].
    Waiting,
    /// The task has more work, but has done as much as is allowed in one poll. Poll the task again after all other
    /// ready tasks.
    Runnable,
    /// The task has finished: drop it.
    Finished,
}

impl<R: Runtime> Task<R> {
    /// Creates the first task of a socket. This task spawns the tasks of listeners and of attempts to connect on
    /// `runtime`; tasks of listeners spawn the tasks of accepted connections.
    pub const fn new(driver: Driver, runtime: R) -> Self {
        Self { runtime, kind: Kind::Supervisor(Supervisor::new(driver)) }
    }

    /// Drops the task because the runtime cannot run it. The socket of the task does not work: its methods return `error`,
    /// which names what the runtime lacks. For a [`Runtime::spawn`] that cannot spawn.
    pub fn fail(self, error: NetworkError) {
        if let Kind::Supervisor(supervisor) = &self.kind {
            supervisor.fail(error);
        }
    }

    /// Continues the task until it must wait, or has done as much work as is allowed in one poll. The waker of `cx` is
    /// woken when there is more work. A finished task holds no reference to its socket.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> TaskState {
        let state = match &mut self.kind {
            Kind::Connection(connection) => R::with_buffers(|buffers| connection.poll(cx, buffers)),
            Kind::Supervisor(supervisor) => supervisor.poll(cx, &self.runtime),
            Kind::Listener(listener) => listener.poll(cx, &self.runtime),
            Kind::Dial(dial) => match dial.poll(cx) {
                Poll::Pending => TaskState::Waiting,
                Poll::Ready(None) => TaskState::Finished,
                Poll::Ready(Some(connection)) => {
                    self.kind = Kind::Connection(Box::new(connection));
                    return self.poll(cx);
                }
            },
            Kind::Finished => TaskState::Finished,
        };
        if state == TaskState::Finished {
            self.kind = Kind::Finished;
        }
        state
    }

    /// Returns the latest time at which [`poll`](Self::poll) must be called, even if the waker is not woken. Returns
    /// `None` if the task waits for the waker only. The time may change with each poll.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.kind {
            Kind::Connection(connection) => connection.poll_timeout(),
            Kind::Supervisor(supervisor) => supervisor.poll_timeout(),
            Kind::Dial(dial) => dial.poll_timeout(),
            Kind::Listener(_) | Kind::Finished => None,
        }
    }
}

impl<R: Runtime> fmt::Debug for Task<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Supervisor(supervisor) => supervisor.fmt(f),
            Kind::Listener(listener) => listener.fmt(f),
            Kind::Dial(dial) => dial.fmt(f),
            Kind::Connection(connection) => connection.fmt(f),
            Kind::Finished => f.write_str("Finished"),
        }
    }
}

/// A [`Task`] with a timer, as a future for an async runtime.
#[derive(Debug)]
pub struct TaskFuture<R: Runtime, T> {
    task: Task<R>,
    timer: T,
    /// Deadline to which the timer is set; `None` if the timer is cleared or has expired.
    armed: Option<Instant>,
}

impl<R: Runtime, T: AsyncTimer> TaskFuture<R, T> {
    /// Creates a future from a task and its timer. The caller must not have set the timer to a deadline; the future
    /// sets it.
    pub const fn new(task: Task<R>, timer: T) -> Self {
        Self { task, timer, armed: None }
    }
}

// No field is structurally pinned.
impl<R: Runtime, T> Unpin for TaskFuture<R, T> {}

impl<R: Runtime, T: AsyncTimer> Future for TaskFuture<R, T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        loop {
            match this.task.poll(cx) {
                TaskState::Finished => return Poll::Ready(()),
                TaskState::Runnable => {
                    this.task.runtime.requeue(cx);
                    return Poll::Pending;
                }
                TaskState::Waiting => {}
            }
            let deadline = this.task.poll_timeout();
            if core::mem::replace(&mut this.armed, deadline) != deadline {
                this.timer.set(deadline);
            }
            if deadline.is_none() || this.timer.poll(cx).is_pending() {
                return Poll::Pending;
            }
            this.armed = None;
        }
    }
}
