//! The conformance suite of sansmq. Everything is in `tests/`:
//!
//! - `patterns`, `life`: the socket types and their life cycle on the simulated network, without a runtime;
//! - `tokio`: what that runtime promises;
//! - `examples`, `perf`: the facade's examples, run as an application would;
//! - `pyzmq` (feature `pyzmq`): real ZeroMQ peers on the other side.
