//! Locks of the standard library. In tests under `loom`, the locks of `loom`, which runs a test once for each order in
//! which its threads can take the locks.

#[cfg(sansmq_loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard};
#[cfg(not(sansmq_loom))]
pub(crate) use std::sync::{Mutex, MutexGuard};
