//! The examples do what they claim: the code that `cargo run --example` runs, at endpoints that the system chooses.

mod embedding;
mod mio;
mod tokio;
