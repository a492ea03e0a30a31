//! The child processes: how they run a scenario, and what they print for the parent.

use crate::samples::sample;
use futures_util::future::{Either, LocalBoxFuture, select};
use sansmq_tests::runtimes::{ALL, RuntimeHandle};
use smol::Timer;
use smol::channel::{Receiver, unbounded};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

/// Names of the runtimes for the command line, in the order of [`ALL`].
pub(crate) const RUNTIMES: [&str; 5] = ["tokio-ct", "tokio-mt", "smol", "mio", "blocking"];

/// Interval of the samples and counts that a child prints.
const REPORT_INTERVAL: Duration = Duration::from_millis(500);

/// Reports of a child process to its parent, which are lines of the standard output.
#[derive(Default)]
pub(crate) struct Report(RefCell<BTreeMap<&'static str, u64>>);

impl Report {
    /// Adds one to the number of completed operations of this name. In each cycle of the run the number must rise.
    pub(crate) fn count(&self, name: &'static str) {
        *self.0.borrow_mut().entry(name).or_default() += 1;
    }

    fn print(&self) {
        for (name, count) in self.0.borrow().iter() {
            println!("count {name} {count}");
        }
    }
}

/// Reports that a promise was broken.
pub(crate) fn report_loss(what: &str) {
    println!("lost {what}");
}

/// Runs the scenario that `start` returns on a runtime, and prints reports until the scenario ends.
pub(crate) fn run<'a>(
    runtime: &str,
    start: impl FnOnce(RuntimeHandle, Rc<Report>) -> LocalBoxFuture<'a, ()>,
) -> io::Result<()> {
    // Also if the parent is killed while this process is stopped.
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    let index = RUNTIMES.iter().position(|name| *name == runtime);
    let index = index.ok_or_else(|| io::Error::other(format!("unknown runtime {runtime}; expected {RUNTIMES:?}")))?;
    let (mut runtime, report, mut ended) = (ALL[index].1(), Rc::<Report>::default(), false);
    let mut scenario = start(runtime.handle(), Rc::clone(&report));
    while !ended {
        let (scenario, ended) = (&mut scenario, &mut ended);
        runtime.run(Box::pin(async move {
            *ended = matches!(select(scenario, Timer::after(REPORT_INTERVAL)).await, Either::Left(_));
        }));
        let words = sample(runtime.tasks()).map(|value| value.to_string());
        println!("sample {}", words.join(" "));
        report.print();
    }
    Ok(())
}

/// Returns the lines that the parent writes to the standard input.
pub(crate) fn commands() -> Receiver<String> {
    let (sender, receiver) = unbounded();
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send_blocking(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Returns the output of a future, or `None` if it is not ready within `limit`.
pub(crate) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    match select(core::pin::pin!(future), Timer::after(limit)).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(_) => None,
    }
}
