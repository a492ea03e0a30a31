//! Both ends as two processes of this program, and their rows under one heading.

use super::Failure;
use super::args::{Output, Plan, Role};
use super::report::HEADING;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// Runs throughput and round trips for every size of the plan.
pub(crate) fn run(plan: &Plan) -> Result<(), Failure> {
    if plan.output == Output::Table {
        println!("{HEADING}");
    }
    for (binds, connects, sizes) in
        [(Role::Pull, Role::Push, &[64, 1024, 65_536][..]), (Role::Rep, Role::Req, &[16, 1024])]
    {
        for &size in plan.size.as_ref().map_or(sizes, std::slice::from_ref) {
            let count = plan.count.unwrap_or_else(|| suitable(connects, size));
            meet(plan, binds, connects, size, count)?;
        }
    }
    Ok(())
}

/// A count that takes a second or so.
fn suitable(role: Role, size: usize) -> u64 {
    match role {
        Role::Push | Role::Pull => (500_000_000 / (size as u64 + 200)).clamp(1000, 2_000_000),
        Role::Req | Role::Rep => (500_000_000 / (size as u64 + 20_000)).clamp(100, 20_000),
    }
}

/// One run: starts the end that binds, asks it where, and sends the other end there.
fn meet(plan: &Plan, binds: Role, connects: Role, size: usize, count: u64) -> Result<(), Failure> {
    let mut server = Process::start(plan, binds, plan.transport.anywhere(), size, count)?;
    let endpoint = server.bound()?;
    let mut client = Process::start(plan, connects, &endpoint, size, count)?;
    // If one fails the other may wait for ever, so neither is waited for alone.
    while !(server.is_done()? & client.is_done()?) {
        sleep(Duration::from_millis(5));
    }
    print!("{}{}", client.rest()?, server.rest()?);
    Ok(())
}

/// A process that does not outlive its owner.
struct Process {
    role: Role,
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn start(plan: &Plan, role: Role, endpoint: &str, size: usize, count: u64) -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args([role.name(), endpoint, &size.to_string(), &count.to_string()]);
        command.args(["--runtime", plan.runtime.name()]);
        if plan.output == Output::Json {
            command.arg("--json");
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let output = child.stdout.take().ok_or("the child has no output")?;
        Ok(Self { role, child, output: BufReader::new(output) })
    }

    /// Where it says it is bound.
    fn bound(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let endpoint = line
            .find("tcp://")
            .or_else(|| line.find("ipc://"))
            .map(|at| line[at..].trim_end_matches(['"', '}', '\n', '\r']));
        endpoint.map(Into::into).ok_or_else(|| format!("{} did not bind", self.role.name()).into())
    }

    fn is_done(&mut self) -> Result<bool, Failure> {
        match self.child.try_wait()? {
            None => Ok(false),
            Some(status) if status.success() => Ok(true),
            Some(status) => Err(format!("{} failed: {status}", self.role.name()).into()),
        }
    }

    /// What it has said since.
    fn rest(&mut self) -> Result<String, Failure> {
        let mut text = String::new();
        self.output.read_to_string(&mut text)?;
        Ok(text)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
