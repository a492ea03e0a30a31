//! Tests that count memory and descriptors of the whole process, and tests of the end of a process. Therefore each test
//! runs in a process of its own.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

mod ending;
mod fork;
mod hostile;
mod leaks;
mod names;
#[cfg(any(target_os = "linux", target_os = "freebsd"))]
mod reuse_port;
#[cfg(target_os = "linux")]
mod signals;

#[global_allocator]
static ALLOCATOR: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;
