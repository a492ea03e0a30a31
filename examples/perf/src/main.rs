//! Benchmark of throughput and round-trip times between two processes.
//!
//! ```text
//! cargo run --profile bench -p sansmq-perf                      # both sides; prints a table
//! cargo run --profile bench -p sansmq-perf -- --size 64 --runtime mio --transport ipc
//! cargo run --profile bench -p sansmq-perf -- --pair pub-sub,dealer-router --peers 16
//! cargo run --profile bench -p sansmq-perf -- --runtime ct,smol,mio --plot perf.svg
//! cargo run --profile bench -p sansmq-perf -- pull tcp://*:5555 64 1000000
//! cargo run --profile bench -p sansmq-perf -- push tcp://localhost:5555 64 1000000
//! ```
//!
//! The last two commands run one side of the benchmark each. The other side may then be a program of libzmq, with the
//! same three arguments: `remote_thr` for `pull`, `local_thr` for `push`, `remote_lat` for `rep`, `local_lat` for
//! `req`.

mod args;
mod backend;
mod both;
mod ends;
mod plot;
mod report;
#[cfg(test)]
mod tests;
mod watch;

use args::{Command, End, Output};
use std::error::Error;
use std::process::ExitCode;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    match Command::parse(std::env::args().skip(1)).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("perf: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Help => {
            println!("{}", args::USAGE);
            Ok(())
        }
        Command::Both(plan) => both::run(&plan),
        Command::End(end) => run_end(end),
    }
}

/// Runs `end`, one of the two processes of a benchmark run, in this process, and prints its results.
fn run_end(end: End) -> Result<(), Failure> {
    let output = end.output;
    let report = backend::run(end.runtime, |backend| ends::run(end, backend, move |bound| print_bound(output, bound)))?;
    match output {
        Output::Table => println!("{}", report.row()),
        Output::Json => println!("{}", serde_json::to_string(&report.row())?),
    }
    Ok(())
}

/// Prints the endpoint to which the socket is bound. The other process needs this endpoint if the requested port was a
/// wildcard.
fn print_bound(output: Output, bound: &sansmq::Endpoint) {
    match output {
        Output::Table => println!("bound {bound}"),
        Output::Json => println!("{}", serde_json::json!({ "bound": bound.to_string() })),
    }
}
