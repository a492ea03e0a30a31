//! Tests that count what the whole process holds, memory and descriptors. They run one at a time, in a process without others.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod hostile;
mod leaks;

#[global_allocator]
static ALLOCATOR: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;
