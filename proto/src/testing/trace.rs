//! [`Trace`]: the most recent events of a simulated network, to find out why a test failed.

use crate::time::Instant;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use core::fmt;

/// Maximum number of lines in a [`Trace`]. Older lines are dropped.
const KEPT: usize = 300;

#[derive(Debug, Default)]
pub(super) struct Trace(VecDeque<String>);

impl Trace {
    pub(super) fn note(&mut self, now: Instant, what: fmt::Arguments<'_>) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        let seconds = now.since(Instant::ORIGIN).as_secs_f64();
        self.0.push_back(format!("{seconds:12.6} s: {what}"));
    }

    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}
