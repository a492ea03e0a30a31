//! [`Budget`]: limits how many operations a task completes before it yields to other tasks.

use crate::state::{Shared, State};
use crate::wakes::Wakes;
use core::sync::atomic::Ordering;
use core::task::{Context, Poll, ready};

/// Limit of the operations that complete before the task must yield, so that a task that always finds the next message
/// does not keep the other tasks of its thread from running.
///
/// When the budget is used up, each future, stream and sink of a socket returns `Pending` once and wakes its task at
/// once. Nothing is lost: the task finds the same message when it is polled again. Calls that do not wait, such as
/// [`try_recv`](crate::Handle::try_recv), have no budget.
#[derive(Clone, Copy, Debug)]
pub enum Budget {
    /// The runtime does not limit its tasks. So each socket counts the operations that its handles complete, and one of
    /// them yields after every 1024.
    PerSocket,
    /// The runtime limits each task.
    PerTask {
        /// Returns `Ready` if the budget of the current task is not used up. Otherwise schedules the task to be polled
        /// again, and returns `Pending`.
        poll: fn(&mut Context<'_>) -> Poll<()>,
        /// Subtracts one unit from the budget of the current task. Called after every eighth operation that the handles
        /// of a socket complete, because each is cheap; `poll` is called before the next one.
        spend: fn(&mut Context<'_>),
    },
}

/// Number of operations that the handles of a socket complete until one of them yields. A multiple of [`PER_UNIT`].
// As many as on tokio, where the budget of a task is 128 units. With fewer, a connection would write small messages in small pieces.
const PER_SOCKET: u32 = 128 * PER_UNIT;

/// Number of operations that together use one unit of the budget of a task. The budget is checked before the first of them.
// Reading a message from a queue is much cheaper than the system calls for which tokio's budget of 128 units is made, and
// accounting for each message would cost 3 % of it.
const PER_UNIT: u32 = 8;

/// Number of operations of an exclusive socket that find the next message or room at once, after which the socket drives its
/// connections.
// As many small messages as a connection writes at once. With fewer, a program that feeds many messages would write them in small
// pieces.
const PER_ROUND: u32 = 512;

/// Operations that one call has completed.
#[derive(Clone, Copy)]
pub(crate) enum Completed {
    One,
    /// A batch of messages, which counts as this number of units. So the next operation checks the budget.
    Units(u32),
}

/// Number of messages of a batch that together use one unit of the budget of a task.
// A message in a batch costs a fraction of a message that is sent or received alone.
const BATCH_PER_UNIT: usize = 64;

impl Completed {
    /// Returns the count of a batch.
    pub(crate) fn of<E>(batch: &Result<usize, E>) -> Self {
        match *batch {
            Ok(0 | 1) | Err(_) => Self::One,
            Ok(messages) => Self::Units(u32::try_from(messages.div_ceil(BATCH_PER_UNIT)).unwrap_or(u32::MAX)),
        }
    }

    /// Returns the number of completed operations after these, and the number of units of the budget that they use. `before` is
    /// the number of operations before.
    #[inline]
    fn after(self, before: u32) -> (u32, u32) {
        match self {
            Self::One => {
                let completed = before.wrapping_add(1);
                (completed, u32::from(completed.is_multiple_of(PER_UNIT)))
            }
            Self::Units(units) => {
                let completed = before.wrapping_add(units.saturating_mul(PER_UNIT));
                (completed - completed % PER_UNIT, units)
            }
        }
    }
}

/// Operations that an exclusive socket has completed.
#[derive(Debug, Default)]
pub(crate) struct Spent {
    /// Number of operations since the socket last yielded because of its [`Budget`].
    completed: u32,
    /// Number of operations since [`count`](Self::count) last returned true.
    undriven: u32,
}

impl Spent {
    /// Returns `Ready` if the budget is not used up, as far as it is known without an effort. Otherwise wakes the task of `cx`, and
    /// returns `Pending`.
    #[inline]
    pub(crate) fn poll(&mut self, budget: Budget, cx: &mut Context<'_>) -> Poll<()> {
        if self.completed.is_multiple_of(PER_UNIT) { self.poll_exactly(budget, cx) } else { Poll::Ready(()) }
    }

    /// Returns `Ready` if the budget is not used up: at least one call of the runtime, such as a write, can succeed.
    pub(crate) fn poll_exactly(&mut self, budget: Budget, cx: &mut Context<'_>) -> Poll<()> {
        match budget {
            Budget::PerTask { poll, .. } => poll(cx),
            Budget::PerSocket if self.completed < PER_SOCKET => Poll::Ready(()),
            Budget::PerSocket => {
                self.completed = 0;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    /// Counts completed operations. Returns true after every [`PER_ROUND`].
    #[inline]
    pub(crate) fn count(&mut self, completed: Completed, budget: Budget, cx: &mut Context<'_>) -> bool {
        let (after, units) = completed.after(self.completed);
        self.undriven += after.wrapping_sub(self.completed);
        self.completed = after;
        if let Budget::PerTask { spend, .. } = budget {
            (0..units).for_each(|_| spend(cx));
        }
        let drives = self.undriven >= PER_ROUND;
        if drives {
            self.undriven = 0;
        }
        drives
    }
}

impl Shared {
    /// Locks the state and calls `work` with it, like [`locked`](Self::locked), if the [`Budget`] is not used up.
    /// Otherwise returns `Pending` and wakes the task of `cx`. Counts one operation if the result is `Ready`. If
    /// `has_budget` is false, calls `work` in any case, and counts nothing.
    #[inline]
    pub(crate) fn poll_locked<R>(
        &self,
        cx: &mut Context<'_>,
        has_budget: bool,
        work: impl FnOnce(&mut State, &Context<'_>, &mut Wakes) -> Poll<R>,
    ) -> Poll<R> {
        self.poll_counted(cx, has_budget, |_| Completed::One, work)
    }

    /// Does the same as [`poll_locked`](Self::poll_locked), and counts the operations that `count` returns for the result.
    #[inline]
    pub(crate) fn poll_counted<R>(
        &self,
        cx: &mut Context<'_>,
        has_budget: bool,
        count: impl FnOnce(&R) -> Completed,
        work: impl FnOnce(&mut State, &Context<'_>, &mut Wakes) -> Poll<R>,
    ) -> Poll<R> {
        // The count may miss operations of other threads, which only delays the next yield.
        let before = self.completed.load(Ordering::Relaxed);
        if has_budget && before.is_multiple_of(PER_UNIT) {
            ready!(self.poll_budget(cx, before));
        }
        let mut wakes = Wakes::default();
        let polled = self.locked(&mut wakes, |state, wakes| work(state, cx, wakes));
        wakes.run();
        // Nothing is left that must be dropped, which the compiler does not know.
        core::mem::forget(wakes);
        if has_budget && let Poll::Ready(result) = &polled {
            let (completed, units) = count(result).after(before);
            self.completed.store(completed, Ordering::Relaxed);
            if let Budget::PerTask { spend, .. } = self.budget {
                (0..units).for_each(|_| spend(cx));
            }
        }
        polled
    }

    /// Returns `Ready` if the budget is not used up. Otherwise wakes the task of `cx`, and returns `Pending`. `completed` is
    /// the number of operations since the socket last yielded.
    fn poll_budget(&self, cx: &mut Context<'_>, completed: u32) -> Poll<()> {
        match self.budget {
            Budget::PerTask { poll, .. } => poll(cx),
            Budget::PerSocket if completed < PER_SOCKET => Poll::Ready(()),
            Budget::PerSocket => {
                self.completed.store(0, Ordering::Relaxed);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}
