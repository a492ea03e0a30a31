//! Tests a broker with fifty seeds, or replays one seed:
//!
//! ```text
//! cargo run -p sansmq-simulation --example simulate_broker                # fifty seeds
//! cargo run -p sansmq-simulation --example simulate_broker -- faulty      # the same, for the broker with a fault
//! cargo run -p sansmq-simulation --example simulate_broker -- faulty 11   # one seed, with the trace of the network
//! ```

mod broker;
pub(crate) mod faulty;
mod nodes;
pub(crate) mod world;

fn main() {
    let mut arguments = std::env::args().skip(1).peekable();
    let is_faulty = arguments.next_if(|argument| argument == "faulty").is_some();
    let one: Option<u64> = arguments.next().map(|seed| seed.parse().expect("the argument must be a seed"));
    for seed in one.map_or(0..50, |seed| seed..seed + 1) {
        let (outcome, trace) = if is_faulty { faulty::replay(seed) } else { replay(seed) };
        if one.is_some() {
            println!("{}", trace.join("\n"));
        }
        match outcome {
            Ok(()) => println!("seed {seed}: ok"),
            Err(reason) => println!("seed {seed}: {reason}"),
        }
    }
}

/// Runs a seed. Returns what did not hold, and the trace of the network.
pub(crate) fn replay(seed: u64) -> (Result<(), String>, Vec<String>) {
    let (world, outcome) = world::simulate(seed);
    (outcome, world.net.trace().map(str::to_owned).collect())
}
