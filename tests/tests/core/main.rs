//! The core without an operating system: socket types and their life cycle on simulated networks, single sessions,
//! allocations, fuzz targets, and rules that are read from the source.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod costs;
mod fuzz;
mod idle;
mod layers;
mod lifecycle;
mod patterns;
mod session;
mod table;
