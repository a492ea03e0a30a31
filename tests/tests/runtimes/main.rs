//! One suite of promises to an application, run on each runtime, and what concerns one runtime alone or several together.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::duplicate_mod, reason = "each runtime has its own copy of the suite")]

mod inproc_stress;
mod mio_blocking;
mod mio_loop;
mod pairs;
mod sharing;
mod sim;
mod smol;
mod tokio;
