//! How far it is, as a line on stderr that is written anew in place.

use std::io::{IsTerminal, stderr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How far all clients together are.
#[derive(Debug)]
pub(crate) struct Progress {
    of: u64,
    answers: AtomicU64,
    out_of_order: AtomicU64,
}

impl Progress {
    /// Nothing yet of so many requests.
    pub(crate) const fn of(requests: u64) -> Self {
        Self { of: requests, answers: AtomicU64::new(0), out_of_order: AtomicU64::new(0) }
    }

    /// One answer more. Now and then the line on stderr is written anew; in a file it would only be noise.
    pub(crate) fn answered(&self, number: u64, overtook: bool) {
        let answers = self.answers.fetch_add(1, Relaxed) + 1;
        let out_of_order = self.out_of_order.fetch_add(u64::from(overtook), Relaxed) + u64::from(overtook);
        if stderr().is_terminal() && (answers.is_multiple_of(25) || answers == self.of) {
            let end = if answers == self.of { "\n" } else { "" };
            let order = if overtook { "overtook an earlier one" } else { "came in its turn" };
            eprint!(
                "\r{answers} of {} answered, {out_of_order} out of order; no. {number} {order}\x1b[K{end}",
                self.of
            );
        }
    }
}
