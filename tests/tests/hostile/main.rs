//! Peers that mean no good, over the system's own sockets and on every runtime: what becomes of them, what they cost in memory,
//! and that honest peers are served meanwhile. A process of its own, for memory and descriptors are counted. What they cost in
//! time is measured by the benchmark of the same name.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../ground/mod.rs"]
mod ground;
mod handshakes;
#[path = "../ground/left.rs"]
mod left;
mod memory;
mod messages;
mod secured;
mod siege;
mod spoilt;
mod subscribers;
mod unread;
