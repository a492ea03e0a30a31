//! [`Timers`]: the deadlines of tasks, at most one per task.

use crate::inbox::TaskKey;
use sansmq_proto::Instant;
use std::collections::BTreeSet;

/// Deadlines with the keys of their tasks, the earliest deadline first.
// Most deadlines are moved or removed before they expire (handshakes succeed, peers answer), which would leave dead entries in a
// heap. The constant time of a timer wheel would not be noticeable, because the turn of a task costs far more.
#[derive(Debug, Default)]
pub(crate) struct Timers(BTreeSet<(Instant, TaskKey)>);

impl Timers {
    /// Replaces the deadline `from` of the task `key` by the deadline `to`. `None` means that the task has no deadline.
    pub(crate) fn set(&mut self, key: TaskKey, from: Option<Instant>, to: Option<Instant>) {
        if from == to {
            return;
        }
        if let Some(at) = from {
            self.0.remove(&(at, key));
        }
        if let Some(at) = to {
            self.0.insert((at, key));
        }
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.first().map(|&(at, _)| at)
    }

    /// Removes the earliest deadline if it is not after `now`, and returns the key of its task. Returns `None` if no
    /// deadline has expired.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<TaskKey> {
        let &(at, key) = self.0.first()?;
        (at <= now).then(|| {
            self.0.pop_first();
            key
        })
    }
}
