//! Tests of the examples: the code that `cargo run --example` runs, with ports that the system chooses.
mod embedding;
mod mio;
mod simulation;
mod tokio;
