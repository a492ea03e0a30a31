//! The same network with a copy of the broker that has a fault.

mod broker;
#[expect(clippy::duplicate_mod, reason = "this copy uses the faulty broker")]
#[path = "../nodes.rs"]
mod nodes;
#[expect(clippy::duplicate_mod, reason = "this copy uses the faulty broker")]
#[path = "../world.rs"]
mod world;

/// Runs a seed. Returns what did not hold, and the trace of the network.
pub(crate) fn replay(seed: u64) -> (Result<(), String>, Vec<String>) {
    let (world, outcome) = world::simulate(seed);
    (outcome, world.net.trace().map(str::to_owned).collect())
}
