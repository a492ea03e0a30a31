//! The parent process: starts the processes of one runtime, causes the faults, and judges the reports.

use crate::relay::{Cut, Relay};
use crate::samples::{COUNT, RESOURCES, Sample, minimum, slope};
use core::fmt;
use rustix::process::{Pid, Signal, kill_process};
use sansmq_tests::TempDir;
use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{env, thread};

/// Interval between two cuts of connections.
const CUT_INTERVAL: Duration = Duration::from_millis(700);

/// Time in which a process must answer a command.
const ANSWER_LIMIT: Duration = Duration::from_mins(2);

/// Number of failures that are kept for the report.
const MAX_FAILURES: usize = 20;

/// Durations of a run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    cycles: u32,
    /// Duration of a cycle. Each cycle has the same faults.
    cycle: Duration,
    /// Time for which a process is stopped in each cycle.
    stop: Duration,
    preload: Option<PathBuf>,
}

impl Plan {
    pub(crate) fn new(duration: Duration, preload: Option<PathBuf>) -> Self {
        let cycle = (duration / 10).clamp(Duration::from_secs(15), Duration::from_mins(4));
        let cycles = u32::try_from(duration.as_secs() / cycle.as_secs()).unwrap_or(u32::MAX).max(6);
        Self { cycles, cycle, stop: (cycle / 3).min(Duration::from_mins(1)), preload }
    }

    pub(crate) fn preload(&self) -> Option<&Path> {
        self.preload.as_deref()
    }

    /// Number of the first cycles of which the resources are not judged: queues and buffers keep the memory of the largest
    /// backlog so far, so each process must have been stopped once.
    fn warm_up(&self) -> u32 {
        (self.cycles / 3).max(3)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cycles, cycle, stop, .. } = self;
        write!(f, "{cycles} cycles of {cycle:?}, {} of them to warm up, a process stopped for {stop:?}", self.warm_up())
    }
}

/// Reports of all processes of a runtime.
#[derive(Default)]
struct Facts {
    /// Number of completed operations by name, of all processes together.
    counts: BTreeMap<String, u64>,
    failures: Vec<String>,
    /// Samples of the observed process since they were last taken.
    samples: Vec<Sample>,
}

impl Facts {
    fn fail(&mut self, failure: String) {
        if self.failures.len() < MAX_FAILURES {
            self.failures.push(failure);
        }
    }
}

type Shared = Arc<Mutex<Facts>>;

fn lock(facts: &Shared) -> MutexGuard<'_, Facts> {
    facts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Child process, which is killed on drop.
struct Process {
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    fn start(plan: &Plan, facts: &Shared, is_observed: bool, arguments: &[&str]) -> io::Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some(library) = plan.preload() {
            command.env("LD_PRELOAD", library).env("SANSMQ_CLOCK_STEPS", "1");
        }
        let mut child = command.spawn()?;
        let output = child.stdout.take().expect("stdout is piped");
        let (facts, (sender, lines)) = (Arc::clone(facts), channel());
        thread::spawn(move || read_reports(output, &facts, is_observed, &sender));
        Ok(Self { child, lines })
    }

    /// Returns the words after `name` of the next line that is no report.
    fn answer(&self, name: &str) -> io::Result<Vec<String>> {
        let line = self.lines.recv_timeout(ANSWER_LIMIT);
        let line = line.map_err(|_| io::Error::other(format!("a process did not print `{name}`")))?;
        let words = line.strip_prefix(name).ok_or_else(|| io::Error::other(format!("{line}; expected {name}")))?;
        Ok(words.split_whitespace().map(str::to_owned).collect())
    }

    fn command(&mut self, command: &str) -> io::Result<()> {
        writeln!(self.child.stdin.as_mut().expect("stdin is piped"), "{command}")
    }

    fn signal(&self, signal: Signal) -> io::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(kill_process(pid, signal)?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_reports(output: ChildStdout, facts: &Shared, is_observed: bool, sender: &Sender<String>) {
    let mut before = BTreeMap::<String, u64>::new();
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        if let Some(words) = line.strip_prefix("sample ") {
            let mut values = words.split(' ').map(|word| word.parse().unwrap_or(f64::NAN));
            let sample = core::array::from_fn(|_| values.next().unwrap_or(f64::NAN));
            if is_observed {
                lock(facts).samples.push(sample);
            }
        } else if let Some((name, count)) = line.strip_prefix("count ").and_then(|words| words.rsplit_once(' ')) {
            let count = count.parse().unwrap_or_default();
            let last = before.insert(name.to_owned(), count).unwrap_or_default();
            *lock(facts).counts.entry(name.to_owned()).or_default() += count - last;
        } else if let Some(what) = line.strip_prefix("lost ") {
            lock(facts).fail(what.to_owned());
        } else if sender.send(line).is_err() {
            return;
        }
    }
}

/// Processes of one runtime.
struct Run<'a> {
    runtime: &'a str,
    plan: &'a Plan,
    facts: Shared,
    relays: [Relay; 2],
    publisher: String,
    server: Process,
    observed: Process,
    /// Endpoints of the ROUTER, the two PULLs and the PUB of the observed process.
    bound: Vec<String>,
    churn: Process,
    feeder: Process,
    cuts: usize,
}

/// Runs all cycles on a runtime.
pub(crate) fn run(runtime: &str, plan: &Plan) -> io::Result<Outcome> {
    let directory = TempDir::new();
    let mut run = Run::start(runtime, plan, directory.endpoint())?;
    let mut minima = Vec::new();
    for cycle in 0..plan.cycles {
        lock(&run.facts).samples.clear();
        let before = lock(&run.facts).counts.clone();
        run.cycle(cycle)?;
        let mut facts = lock(&run.facts);
        let least = minimum(&facts.samples);
        println!("{runtime:10}cycle {:4}/{}{}", cycle + 1, plan.cycles, cells(&[least]));
        minima.push(least);
        let stalled: Vec<_> = facts.counts.iter().filter(|(name, count)| before.get(*name) == Some(*count)).collect();
        if !stalled.is_empty() {
            let failure = format!("cycle {cycle}: nothing was completed: {stalled:?}");
            facts.fail(failure);
        }
    }
    run.end()?;
    let warm_up = usize::try_from(plan.warm_up()).unwrap_or(usize::MAX);
    let facts = core::mem::take(&mut *lock(&run.facts));
    Ok(Outcome { facts, minima: minima.split_off(warm_up.min(minima.len())), cycle: plan.cycle })
}

/// Returns the cells of a row: for each resource its values in printed units.
pub(crate) fn cells(values: &[Sample]) -> String {
    let cells = RESOURCES.iter().enumerate().map(|(resource, (_, _, unit, _))| {
        let values: Vec<_> = values.iter().map(|value| format!("{:.1}", value[resource] / unit)).collect();
        format!("{:>26}", values.join(" "))
    });
    cells.collect()
}

impl<'a> Run<'a> {
    fn start(runtime: &'a str, plan: &'a Plan, publisher: String) -> io::Result<Self> {
        let facts = Shared::default();
        let relays = [Relay::start()?, Relay::start()?];
        let server = start_server(runtime, plan, &facts, &relays, &publisher)?;
        let [rep, router] = [&relays[0], &relays[1]].map(|relay| format!("tcp://{}", relay.address()));
        let observed = Process::start(plan, &facts, true, &["observed", runtime, &rep, &router, &publisher])?;
        let bound = observed.answer("bound")?;
        let feeder = Process::start(plan, &facts, false, &["feeder", runtime, &bound[1], &bound[2]])?;
        let churn = Process::start(plan, &facts, false, &["churn", runtime, &bound[0], &bound[3]])?;
        Ok(Self { runtime, plan, facts, relays, publisher, server, observed, bound, churn, feeder, cuts: 0 })
    }

    /// Stops a process for some time, then restarts the server twice and the churning peers once. Cuts connections
    /// meanwhile.
    fn cycle(&mut self, number: u32) -> io::Result<()> {
        let start = Instant::now();
        let victim = |run: &Self, signal| match number % 3 {
            0 => run.feeder.signal(signal),
            1 => run.observed.signal(signal),
            _ => run.server.signal(signal),
        };
        let (stop, rest) = (self.plan.stop, self.plan.cycle.saturating_sub(self.plan.stop));
        victim(self, Signal::STOP)?;
        self.cut_until(start + stop);
        victim(self, Signal::CONT)?;
        for part in 1..=3 {
            self.cut_until(start + stop + rest * part / 4);
            if part == 2 {
                let arguments = ["churn", self.runtime, &self.bound[0], &self.bound[3]];
                self.churn = Process::start(self.plan, &self.facts, false, &arguments)?;
            } else {
                self.server.child.kill()?;
                self.server.child.wait()?;
                self.server = start_server(self.runtime, self.plan, &self.facts, &self.relays, &self.publisher)?;
            }
        }
        self.cut_until(start + self.plan.cycle);
        for (name, process) in [("observed", &mut self.observed), ("feeder", &mut self.feeder)] {
            if let Some(status) = process.child.try_wait()? {
                return Err(io::Error::other(format!("the process {name} has ended: {status}")));
            }
        }
        Ok(())
    }

    fn cut_until(&mut self, end: Instant) {
        while Instant::now() < end {
            thread::sleep(CUT_INTERVAL.min(end - Instant::now().min(end)));
            let cut = [Cut::Close, Cut::Reset, Cut::Stall][self.cuts % 3];
            if self.relays[self.cuts % 2].cut(cut) {
                self.cuts += 1;
            }
        }
    }

    /// Ends the feeder, and waits until the observed process has received all messages of the PUSH without heartbeats.
    fn end(&mut self) -> io::Result<()> {
        self.feeder.command("end")?;
        let sent = self.feeder.answer("sent")?.concat();
        self.observed.command(&format!("end {sent}"))?;
        self.observed.answer("received")?;
        Ok(())
    }
}

fn start_server(
    runtime: &str,
    plan: &Plan,
    facts: &Shared,
    relays: &[Relay; 2],
    publisher: &str,
) -> io::Result<Process> {
    let server = Process::start(plan, facts, false, &["server", runtime, publisher])?;
    for (relay, endpoint) in relays.iter().zip(server.answer("bound")?) {
        let address = endpoint.strip_prefix("tcp://").and_then(|address| address.parse::<SocketAddr>().ok());
        relay.set_target(address.ok_or(io::ErrorKind::InvalidData)?);
    }
    Ok(server)
}

/// Results of a run on one runtime.
pub(crate) struct Outcome {
    facts: Facts,
    /// Minimum of each resource in each cycle after the warm-up.
    minima: Vec<Sample>,
    cycle: Duration,
}

impl Outcome {
    /// Returns the first and the last value of each resource after the warm-up, and its slope per hour.
    pub(crate) fn growth(&self) -> [Sample; 3] {
        let [first, last] =
            [self.minima.first(), self.minima.last()].map(|minimum| minimum.copied().unwrap_or([f64::NAN; COUNT]));
        let slopes = core::array::from_fn(|resource| {
            let mut at = 0.0;
            let points = self.minima.iter().map(|minimum| {
                at += self.cycle.as_secs_f64() / 3600.0;
                (at, minimum[resource])
            });
            slope(&points.collect::<Vec<_>>())
        });
        [first, last, slopes]
    }

    /// Returns the number of completed operations by name.
    pub(crate) fn counts(&self) -> String {
        let counts: Vec<_> = self.facts.counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
        counts.join(", ")
    }

    /// Returns what was lost, and which resources have grown beyond their tolerance.
    pub(crate) fn failures(&self) -> Vec<String> {
        let mut failures = self.facts.failures.clone();
        let hours = self.minima.iter().fold(0.0, |hours, _| hours + self.cycle.as_secs_f64() / 3600.0);
        let [_, _, slopes] = self.growth();
        for (slope, (name, unit, factor, tolerance)) in slopes.into_iter().zip(RESOURCES) {
            let growth = slope * hours;
            if growth > tolerance || growth.is_nan() {
                let [growth, tolerance] = [growth, tolerance].map(|value| value / factor);
                failures.push(format!("{name} has grown by {growth:.1} {unit}; the tolerance is {tolerance:.0}"));
            }
        }
        failures
    }
}
