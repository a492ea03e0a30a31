//! Throughput and round trips between two processes.
//!
//! ```text
//! cargo run --profile bench -p sansmq-perf                      # both ends, a table
//! cargo run --profile bench -p sansmq-perf -- --size 64 --runtime mio --transport ipc
//! cargo run --profile bench -p sansmq-perf -- --pair pub-sub,dealer-router --peers 16
//! cargo run --profile bench -p sansmq-perf -- --runtime ct,smol,mio --plot perf.svg
//! cargo run --profile bench -p sansmq-perf -- pull tcp://*:5555 64 1000000
//! cargo run --profile bench -p sansmq-perf -- push tcp://localhost:5555 64 1000000
//! ```
//!
//! One end alone can face another implementation: libzmq's `remote_thr` faces `pull`, `local_thr` faces `push`, `remote_lat`
//! faces `rep` and `local_lat` faces `req`, with the same three arguments.

mod args;
mod both;
mod ends;
mod home;
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
        Command::End(end) => one(end),
    }
}

/// Is one end, and says what it measured.
fn one(end: End) -> Result<(), Failure> {
    let output = end.output;
    let report = home::run(end.runtime, |home| ends::run(end, home, move |bound| say(output, bound)))?;
    match output {
        Output::Table => println!("{}", report.row()),
        Output::Json => println!("{}", serde_json::to_string(&report.row())?),
    }
    Ok(())
}

/// Says where this end is bound: whoever started it may have left the port open.
fn say(output: Output, bound: &sansmq::Endpoint) {
    match output {
        Output::Table => println!("bound {bound}"),
        Output::Json => println!("{}", serde_json::json!({ "bound": bound.to_string() })),
    }
}
