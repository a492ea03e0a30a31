//! What threads share memory by: the standard library's, or those of `loom`, which runs a test once for each order in which
//! its threads could have come by them.

#[cfg(sansmq_loom)]
pub(crate) use loom::sync::atomic::AtomicU8;
#[cfg(all(sansmq_loom, feature = "std"))]
pub(crate) use loom::sync::{Mutex, MutexGuard};

#[cfg(not(sansmq_loom))]
pub(crate) use core::sync::atomic::AtomicU8;
#[cfg(all(not(sansmq_loom), feature = "std"))]
pub(crate) use std::sync::{Mutex, MutexGuard};
