//! [`Timers`]: at most one deadline per task.

use crate::inbox::Key;
use sansmq_proto::Instant;
use std::collections::BTreeSet;

/// A tree, not a heap and not a wheel: most deadlines are moved or taken off before they are due (handshakes succeed, peers
/// answer), which leaves litter in a heap; and a wheel's constant time buys nothing while a turn does far dearer things.
#[derive(Debug, Default)]
pub(crate) struct Timers(BTreeSet<(Instant, Key)>);

impl Timers {
    /// Moves a task's deadline.
    pub(crate) fn set(&mut self, key: Key, from: Option<Instant>, to: Option<Instant>) {
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

    /// Takes a task whose deadline is not after `now`.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Key> {
        let &(at, key) = self.0.first()?;
        (at <= now).then(|| {
            self.0.pop_first();
            key
        })
    }
}
