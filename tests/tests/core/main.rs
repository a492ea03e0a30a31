//! Tests without an operating system: socket types and their life cycle on simulated networks, single connections over
//! a stream of the test, allocations, fuzz targets, and layering rules of the source code.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod book;
mod buffer_stream;
mod costs;
mod documentation;
mod errors;
#[cfg(feature = "meter")]
mod fuzz;
mod guest;
mod guest_faults;
mod idle;
mod layers;
mod lifecycle;
mod patterns;
#[cfg(feature = "meter")]
mod scale;
mod serialized;
mod session;
mod table;
#[cfg(feature = "meter")]
mod work;
