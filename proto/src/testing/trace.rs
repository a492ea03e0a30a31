//! [`Trace`]: the most recent events of a simulated network, to find out why a test failed.

use crate::time::Instant;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use core::fmt;

#[derive(Debug)]
pub(super) struct Trace {
    lines: VecDeque<String>,
    /// Maximum number of lines. Older lines are dropped.
    limit: usize,
}

impl Default for Trace {
    fn default() -> Self {
        Self::with_limit(300)
    }
}

impl Trace {
    pub(super) const fn with_limit(limit: usize) -> Self {
        Self { lines: VecDeque::new(), limit }
    }

    pub(super) fn note(&mut self, now: Instant, what: fmt::Arguments<'_>) {
        let seconds = now.since(Instant::ORIGIN).as_secs_f64();
        self.lines.push_back(format!("{seconds:12.6} s: {what}"));
        if self.lines.len() > self.limit {
            self.lines.pop_front();
        }
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }
}
