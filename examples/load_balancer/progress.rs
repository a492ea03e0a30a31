//! Progress display: one line on stderr, overwritten in place.

use std::io::{IsTerminal, stderr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Progress display. Counts the replies that all clients together have received so far.
#[derive(Debug)]
pub(crate) struct Progress {
    of: u64,
    answers: AtomicU64,
    out_of_order: AtomicU64,
}

impl Progress {
    /// Creates a progress display for `requests` requests, none of which is answered yet.
    pub(crate) const fn of(requests: u64) -> Self {
        Self { of: requests, answers: AtomicU64::new(0), out_of_order: AtomicU64::new(0) }
    }

    /// Counts the reply to the request `number`. `overtook` is true if this reply arrived before the reply to an
    /// earlier request. Updates the displayed line after every 25 replies, and after the last reply, if stderr is a
    /// terminal.
    pub(crate) fn answered(&self, number: u64, overtook: bool) {
        let answers = self.answers.fetch_add(1, Relaxed) + 1;
        let out_of_order = self.out_of_order.fetch_add(u64::from(overtook), Relaxed) + u64::from(overtook);
        if stderr().is_terminal() && (answers.is_multiple_of(25) || answers == self.of) {
            let end = if answers == self.of { "\n" } else { "" };
            let order = if overtook { "overtook an earlier one" } else { "in order" };
            eprint!(
                "\r{answers} of {} answered, {out_of_order} out of order; no. {number} {order}\x1b[K{end}",
                self.of
            );
        }
    }
}
