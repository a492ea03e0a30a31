//! Long run under faults, on each runtime: checks that no resource grows, and that nothing is lost that is promised.
//!
//! ```text
//! cargo bench -p sansmq-tests --no-default-features --bench long_run                    # two minutes
//! cargo bench -p sansmq-tests --no-default-features --bench long_run -- 28800           # eight hours
//! cargo bench -p sansmq-tests --no-default-features --bench long_run -- 1800 tokio-mt   # half an hour on one runtime
//! ```
//!
//! All runtimes run at the same time. `tests/README.md` describes the processes, the faults and the promises.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed run")]

mod child;
mod observed;
mod parent;
mod peers;
mod relay;
mod samples;

use child::RUNTIMES;
use observed::Servers;
use parent::{Plan, cells};
use samples::RESOURCES;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, io, thread};

#[global_allocator]
static ALLOCATOR: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

/// Duration of a run, in seconds, without an argument.
const SECONDS: u64 = 120;

fn main() -> io::Result<ExitCode> {
    let arguments: Vec<_> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let endpoint = |word: &str| word.parse().expect("an endpoint");
    match *words {
        ["observed", runtime, rep, router, publisher] => {
            let servers = Servers { rep: endpoint(rep), router: endpoint(router), publisher: endpoint(publisher) };
            child::run(runtime, |runtime, report| observed::start(runtime, report, servers))?;
        }
        ["server", runtime, publisher] => {
            child::run(runtime, |runtime, _| peers::serve(runtime, endpoint(publisher)))?;
        }
        ["feeder", runtime, steady, beating] => {
            child::run(runtime, |runtime, _| peers::feed(runtime, endpoint(steady), endpoint(beating)))?;
        }
        ["churn", runtime, echo, publisher] => {
            child::run(runtime, |runtime, report| peers::churn(runtime, report, endpoint(echo), endpoint(publisher)))?;
        }
        _ => return run_all(&words),
    }
    Ok(ExitCode::SUCCESS)
}

fn run_all(words: &[&str]) -> io::Result<ExitCode> {
    let mut runtimes: Vec<_> = RUNTIMES.into_iter().filter(|name| words.contains(name)).collect();
    if runtimes.is_empty() {
        runtimes = RUNTIMES.to_vec();
    }
    if let Some(word) = words.iter().find(|word| word.parse::<u64>().is_err() && !RUNTIMES.contains(word)) {
        return Err(io::Error::other(format!("unknown runtime {word}; expected seconds, or one of {RUNTIMES:?}")));
    }
    let seconds = words.iter().find_map(|word| word.parse().ok()).unwrap_or(SECONDS);
    let preload = sansmq_tests::preload::library();
    let clock = preload.as_ref().map_or_else(|error| format!("NOT stepped: {error}"), |_| "stepped".to_owned());
    let plan = Plan::new(Duration::from_secs(seconds), preload.ok());
    println!("{plan}; the wall clock is {clock}");
    let runs = runtimes.iter().map(|&runtime| {
        let plan = plan.clone();
        thread::spawn(move || parent::run(runtime, &plan))
    });
    let runs: Vec<_> = runs.collect();
    let outcomes: Vec<_> = runs.into_iter().map(|run| run.join().expect("the parent does not panic")).collect();
    let mut has_passed = true;
    let names = RESOURCES.map(|(name, unit, ..)| format!("{:>26}", format!("{name} {unit}").trim_end()));
    println!("first and last value after the warm-up, and slope per hour");
    println!("runtime   {}", names.concat());
    for (runtime, outcome) in runtimes.iter().zip(&outcomes) {
        match outcome {
            Ok(outcome) => println!("{runtime:10}{}", cells(&outcome.growth())),
            Err(error) => println!("{runtime:10}failed: {error}"),
        }
    }
    for (runtime, outcome) in runtimes.iter().zip(&outcomes) {
        let Ok(outcome) = outcome else {
            has_passed = false;
            continue;
        };
        println!("{runtime}: {}", outcome.counts());
        for failure in outcome.failures() {
            has_passed = false;
            println!("{runtime}: FAILED: {failure}");
        }
    }
    println!("{}", if has_passed { "nothing is lost, nothing grows" } else { "FAILED" });
    Ok(if has_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
