//! Tests of the examples: the code that `cargo run --example` runs, with ports that the system chooses.

#![expect(clippy::duplicate_mod, reason = "each example is a program with modules of its own")]

mod embedding;
mod mio;
mod tokio;
