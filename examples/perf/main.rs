//! Throughput and round trips over TCP, between two processes.
//!
//! ```text
//! cargo run --release --example perf                      # both ends, a table
//! cargo run --release --example perf -- --size 64 --runtime mt
//! cargo run --release --example perf -- pull tcp://*:5555 64 1000000
//! cargo run --release --example perf -- push tcp://localhost:5555 64 1000000
//! ```
//!
//! One end alone can face another implementation: libzmq's `remote_thr` faces `pull`, `local_thr` faces `push`, `remote_lat`
//! faces `rep` and `local_lat` faces `req`, with the same three arguments.

pub(crate) mod args;
mod both;
pub(crate) mod ends;
pub(crate) mod report;
mod watch;

use args::{Command, End, Flavor, Output};
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
    let runtime = match end.runtime {
        Flavor::CurrentThread => tokio::runtime::Builder::new_current_thread().enable_all().build()?,
        Flavor::MultiThread => tokio::runtime::Builder::new_multi_thread().enable_all().build()?,
    };
    // A task of its own, because what `block_on` itself runs is no worker's.
    let report = runtime.block_on(async { tokio::spawn(ends::run(end, move |bound| say(output, bound))).await })??;
    match output {
        Output::Table => println!("{report}"),
        Output::Json => println!("{}", report.json()),
    }
    Ok(())
}

/// Says where this end is bound: whoever started it may have left the port open.
fn say(output: Output, bound: &sansmq::Endpoint) {
    match output {
        Output::Table => println!("bound {bound}"),
        Output::Json => println!("{{\"bound\":\"{bound}\"}}"),
    }
}
