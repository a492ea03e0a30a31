//! The test suite on exclusive sockets in the simulation, with a seed for the order of tasks and for the network.

#[path = "suite/exclusive.rs"]
mod suite;

use sansmq_tests::fixture::exclusive_sim as fixture;
