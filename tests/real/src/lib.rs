//! Programs on sansmq that work together with programs of other projects: a client for Jupyter kernels, a worker for the load
//! generator Locust, and a reader of notifications such as those of Bitcoin Core.
//!
//! `README.md` in this folder has the commands that run them. The tests start the real programs as their peers.

pub mod jupyter;
pub mod locust;
pub mod notifications;

/// Error of the programs: of a socket, or of a malformed message, with a text that names it.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
