//! [`ExitWait`]: keeps a program from ending before its blocking sockets have sent their messages.

use crate::park::wait_at_exit;
use crate::reactor::Remote;
use core::time::Duration;
use sansmq_proto::kind::Kind;
use sansmq_runtime::{ExitGuard, Handle};
use std::thread;

/// Guard that all clones of a blocking socket share. The drop of the guard waits for the blocking sockets of the
/// context that are still closing, unless another blocking socket of the context is open.
#[derive(Debug)]
pub(crate) struct ExitWait {
    guard: ExitGuard,
    remote: Remote,
}

/// Time after the end of all linger periods at which the wait is given up, because the event loop does not run.
const GRACE: Duration = Duration::from_secs(2);

impl ExitWait {
    pub(crate) fn new<T: Kind>(handle: &Handle<T>, remote: &Remote) -> Self {
        Self { guard: handle.exit_guard(), remote: remote.clone() }
    }
}

impl Drop for ExitWait {
    fn drop(&mut self) {
        // The thread of the event loop would wait for its own work.
        if thread::panicking() || self.remote.is_current_thread() {
            return;
        }
        if let Some((closed, longest)) = self.guard.unfinished() {
            wait_at_exit(closed, longest.map(|longest| longest.saturating_add(GRACE)));
        }
    }
}
