//! The executor of sockets that are created without one, and the thread that runs it.
//!
//! smol's own global executor would do the same; but the crate `smol` also contains files, processes and signals, and with them
//! eleven further crates.

use crate::Task;
use async_executor::Executor;
use core::future::pending;
use sansmq_runtime::StartError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};
use std::thread;

static EXECUTOR: Executor<'static> = Executor::new();

/// Starts the thread if it does not run yet.
///
/// # Errors
/// [`StartError::Background`] if the operating system has no thread left.
pub(crate) fn start() -> Result<(), StartError> {
    static IS_STARTED: Mutex<bool> = Mutex::new(false);
    let mut is_started = IS_STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    if !*is_started {
        thread::Builder::new().name("sansmq-smol".into()).spawn(run).map_err(StartError::Background)?;
        *is_started = true;
    }
    Ok(())
}

fn run() {
    loop {
        // Only code of the application can panic here, for example an authenticator. This ends the task, and no other.
        let _ = catch_unwind(AssertUnwindSafe(|| async_io::block_on(EXECUTOR.run(pending::<()>()))));
    }
}

/// Runs `task` on the thread, until it is done or the process ends.
pub(crate) fn spawn(task: Task) {
    EXECUTOR.spawn(task).detach();
}
