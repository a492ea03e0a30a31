//! Time as plain values: [`Instant`], and sets of deadlines. This module reads no clock; the caller supplies the time.

use alloc::collections::BTreeMap;
use core::ops::Add;
use core::time::Duration;

/// A point in time: nanoseconds since an origin that the embedder chooses.
///
/// Only differences between instants have a meaning. A program can use its start as the origin, a test can use zero:
///
/// ```
/// use core::time::Duration;
/// use sansmq::proto::Instant;
///
/// let start = Instant::ORIGIN;
/// let later = start + Duration::from_millis(5);
/// assert_eq!(later.since(start), Duration::from_millis(5));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The time that all instants count from: zero nanoseconds.
    pub const ORIGIN: Self = Self(0);

    /// Returns the instant `nanos` nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Returns the instant `elapsed` after the origin. If `elapsed` is longer than about 584 years, returns the latest
    /// possible instant.
    pub fn from_elapsed(elapsed: Duration) -> Self {
        Self::ORIGIN + elapsed
    }

    /// Returns the nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Returns the time from `earlier` to `self`, or zero if `earlier` is later than `self`.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

/// Returns the earliest of several deadlines, or `None` if there is none. `None` among the arguments means "no
/// deadline".
pub fn earliest(deadlines: impl IntoIterator<Item = Option<Instant>>) -> Option<Instant> {
    deadlines.into_iter().flatten().min()
}

/// A set of deadlines, at most one deadline per key. Setting, clearing and finding the earliest deadline take O(log n).
#[derive(Debug)]
pub(crate) struct Deadlines<K> {
    /// Each deadline twice: ordered by time, and ordered by key.
    // One tree, because the code of a tree is linked into a program for each of its types.
    entries: BTreeMap<Entry<K>, Instant>,
}

/// Place of a deadline in [`Deadlines`]. The places that are ordered by time come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Entry<K> {
    ByTime(Instant, K),
    ByKey(K),
}

impl<K: Copy + Ord> Deadlines<K> {
    pub(crate) const fn new() -> Self {
        Self { entries: BTreeMap::new() }
    }

    pub(crate) fn set(&mut self, key: K, at: Instant) {
        if let Some(before) = self.entries.insert(Entry::ByKey(key), at) {
            self.entries.remove(&Entry::ByTime(before, key));
        }
        self.entries.insert(Entry::ByTime(at, key), at);
    }

    pub(crate) fn clear(&mut self, key: K) {
        if let Some(at) = self.entries.remove(&Entry::ByKey(key)) {
            self.entries.remove(&Entry::ByTime(at, key));
        }
    }

    pub(crate) fn set_or_clear(&mut self, key: K, at: Option<Instant>) {
        match at {
            Some(at) => self.set(key, at),
            None => self.clear(key),
        }
    }

    pub(crate) fn get(&self, key: K) -> Option<Instant> {
        self.entries.get(&Entry::ByKey(key)).copied()
    }

    pub(crate) fn contains(&self, key: K) -> bool {
        self.entries.contains_key(&Entry::ByKey(key))
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.first().map(|(at, _)| at)
    }

    pub(crate) fn first(&self) -> Option<(Instant, K)> {
        let (&Entry::ByTime(at, key), _) = self.entries.first_key_value()? else { return None };
        Some((at, key))
    }

    /// Removes the earliest deadline and returns its key, if this deadline is at or before `now`. Otherwise returns
    /// `None`.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<K> {
        let (at, key) = self.first()?;
        (at <= now).then(|| {
            self.clear(key);
            key
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earliest_ignores_missing_deadlines() {
        let at = Instant::from_nanos(5);
        assert_eq!(earliest([None, Some(at), None, Some(at + Duration::from_nanos(1))]), Some(at));
        assert_eq!(earliest([None, None]), None);
    }

    #[test]
    fn deadline_set_again_replaces_old_deadline() {
        let mut deadlines = Deadlines::new();
        deadlines.set('a', Instant::from_nanos(10));
        deadlines.set('b', Instant::from_nanos(20));
        deadlines.set('a', Instant::from_nanos(30));
        assert_eq!(deadlines.next(), Some(Instant::from_nanos(20)));
        assert_eq!(deadlines.pop_due(Instant::from_nanos(19)), None);
        assert_eq!(deadlines.pop_due(Instant::from_nanos(99)), Some('b'));
        assert_eq!(deadlines.pop_due(Instant::from_nanos(99)), Some('a'));
        assert_eq!(deadlines.pop_due(Instant::from_nanos(99)), None);
    }

    #[test]
    fn time_arithmetic_saturates() {
        let late = Instant::from_nanos(u64::MAX);
        assert_eq!(late + Duration::from_secs(1), late);
        assert_eq!(Instant::ORIGIN.since(late), Duration::ZERO);
    }
}
