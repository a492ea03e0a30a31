//! Locks of the standard library. In tests under `loom`, the locks are those of `loom`, which runs a test once for each
//! interleaving of its threads.

#[cfg(sansmq_loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard};
#[cfg(not(sansmq_loom))]
pub(crate) use std::sync::{Mutex, MutexGuard};
