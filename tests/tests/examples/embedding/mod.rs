//! Tests of the examples that run sockets in other event loops.

mod lines;
mod loops;
mod memory;
