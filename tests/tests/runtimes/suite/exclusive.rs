//! The part of the suite that runs on exclusive sockets. Left out, each for its reason:
//!
//! - `context`, `inproc`, and `zap` (a handler is bound to `inproc`): no other socket can reach into an exclusive one.
//! - `proxy`: it takes the `Handle` of each of its sockets.
//! - `sinks`: an exclusive socket has no sink; that of the fixture is its own.
//! - `fairness`: one task owns an exclusive socket, so no tasks wait in turn or use the socket at the
//!   same time. A test of this binary without the fixture checks that the owner lets other tasks run.

mod basics;
mod batches;
mod closing;
mod dials;
mod drafts;
mod dynamic;
pub(crate) mod hostile_peers;
mod limits;
mod memory;
mod pubsub;
mod refusals;
mod routing_ids;
mod security;
mod stats;
pub(crate) mod stream;
mod support;

pub(crate) use support::{ANY, end_reason, free_endpoint, yield_now};

/// Replaces `inproc`, for tests that run at an endpoint of each transport: they run over TCP again.
mod inproc {
    pub(super) fn unique_endpoint() -> sansmq::Endpoint {
        super::ANY.parse().unwrap()
    }
}
