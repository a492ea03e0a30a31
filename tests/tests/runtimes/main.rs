//! One suite of tests that runs on each runtime, tests of single runtimes, and tests of several runtimes in one
//! process.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![allow(clippy::duplicate_mod, reason = "each runtime has its own copy of the suite")]

mod exclusive;
mod exclusive_sim;
mod inproc_stress;
mod mio_blocking;
mod mio_loop;
mod pairs;
mod sharing;
mod sim;
mod smol;
mod tokio;
