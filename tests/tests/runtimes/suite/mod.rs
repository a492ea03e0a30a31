//! Tests of the behaviour of sockets that is the same on each runtime, the simulated one included. No test makes an
//! exception for a runtime.
//!
//! Each file of `tests/runtimes` that is named after a runtime includes this module through `#[path]`, and provides the
//! module `fixture` with the socket types and functions of its runtime (`run`, `spawn`, `dial`, `is_free`). Tests that
//! need an operating system are in the folder `system`.

mod basics;
mod batches;
mod closing;
mod context;
mod dials;
mod drafts;
mod dynamic;
mod fairness;
pub(crate) mod hostile_peers;
mod inproc;
mod limits;
mod memory;
mod proxy;
mod pubsub;
mod refusals;
mod routing_ids;
mod security;
mod sinks;
mod stats;
pub(crate) mod stream;
mod support;
mod zap;

pub(crate) use support::{ANY, end_reason, free_endpoint, yield_now};
