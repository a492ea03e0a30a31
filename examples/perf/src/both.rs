//! Runs the benchmark as two processes of this program, one for each socket type of the pair, and prints the results of
//! both.

use super::Failure;
use super::args::{Flavor, Output, Pair, Plan};
use super::plot::{self, Measured};
use super::report::{HEADING, Row};
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// Runs the benchmark for every combination of a pair of socket types, a runtime and a message size of the plan. Prints
/// the results. Draws a diagram if the plan names a file for the diagram.
pub(crate) fn run(plan: &Plan) -> Result<(), Failure> {
    if plan.output == Output::Table {
        println!("{HEADING}");
    }
    let mut measured = Vec::new();
    for pair in &plan.pairs {
        for &runtime in &plan.runtimes {
            for size in sizes(plan, pair) {
                let [client, server] = run_pair(plan, pair, runtime, size)?;
                for row in [&client, &server] {
                    match plan.output {
                        Output::Table => println!("{row}"),
                        Output::Json => println!("{}", serde_json::to_string(row)?),
                    }
                }
                // The plot shows the end that receives, or for round trips the end that sends requests.
                let row = if pair.name == "push-pull" || pair.name == "scatter-gather" { server } else { client };
                measured.push(Measured { pair: *pair, row });
            }
        }
    }
    match &plan.plot {
        Some(file) => plot::draw(file, &measured),
        None => Ok(()),
    }
}

fn sizes(plan: &Plan, pair: &Pair) -> Vec<usize> {
    match (&plan.sizes[..], &plan.plot) {
        ([], Some(_)) => (4..=20).step_by(2).map(|power| 1 << power).collect(),
        ([], None) if pair.one_way => vec![64, 1024, 65_536],
        ([], None) => vec![16, 1024],
        (sizes, _) => sizes.to_vec(),
    }
}

/// Returns the default number of messages in a run, so that the run takes about a second.
fn default_count(pair: &Pair, size: usize) -> u64 {
    if pair.one_way {
        (1_000_000_000 / (size as u64 + 200)).clamp(1000, 4_000_000)
    } else {
        (500_000_000 / (size as u64 + 20_000)).clamp(100, 20_000)
    }
}

/// Runs the benchmark once: starts the process that binds, reads its endpoint, and starts the process that connects to
/// this endpoint. Returns the results of the process that connects, then those of the process that binds.
fn run_pair(plan: &Plan, pair: &Pair, runtime: Flavor, size: usize) -> Result<[Row; 2], Failure> {
    let count = plan.count.unwrap_or_else(|| default_count(pair, size));
    let mut server = Process::start(plan, [pair.binds, "--bind"], runtime, plan.transport.wildcard(), size, count)?;
    let endpoint = server.bound()?;
    let mut client = Process::start(plan, [pair.connects, "--connect"], runtime, &endpoint, size, count)?;
    // If one end fails, the other may never finish. So both are polled.
    while !(server.is_done()? & client.is_done()?) {
        sleep(Duration::from_millis(5));
    }
    Ok([client.row()?, server.row()?])
}

/// Child process that runs one of the two sockets of a benchmark run. Drop kills the process.
struct Process {
    end: String,
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn start(
        plan: &Plan,
        [end, flag]: [&str; 2],
        runtime: Flavor,
        endpoint: &str,
        size: usize,
        count: u64,
    ) -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args([end, endpoint, &size.to_string(), &count.to_string(), flag, "--check", "--json"]);
        command.args(["--runtime", runtime.name(), "--peers", &plan.peers.to_string()]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or("the child has no output")?;
        Ok(Self { end: end.into(), child, output: BufReader::new(output) })
    }

    /// Reads the endpoint to which the socket of the child process is bound, from the first line of its output.
    fn bound(&mut self) -> Result<String, Failure> {
        let line: serde_json::Value = serde_json::from_str(&self.line()?)?;
        let endpoint = line["bound"].as_str().map(Into::into);
        endpoint.ok_or_else(|| format!("{} did not bind", self.end).into())
    }

    fn is_done(&mut self) -> Result<bool, Failure> {
        match self.child.try_wait()? {
            None => Ok(false),
            Some(status) if status.success() => Ok(true),
            Some(status) => Err(format!("{} failed: {status}", self.end).into()),
        }
    }

    /// Reads the results of the child process from the next line of its output.
    fn row(&mut self) -> Result<Row, Failure> {
        Ok(serde_json::from_str(&self.line()?)?)
    }

    fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
