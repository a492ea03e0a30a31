//! Measures wall time, and on Linux also processor time and peak memory of this process.

use std::time::{Duration, Instant};

/// Running measurement of the wall time and of the processor time of this process.
#[derive(Debug)]
pub(crate) struct Watch {
    begun: Instant,
    processor: Option<Duration>,
    reported: Instant,
}

/// Wall time, processor time and peak memory of this process, as measured by a [`Watch`] until it was stopped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spent {
    pub(crate) wall: Duration,
    /// Processor time that all threads of this process have used since the start of the measurement; `None` on systems
    /// without `/proc/self/stat`.
    pub(crate) processor: Option<Duration>,
    /// Peak memory of this process in MiB; `None` on systems without `/proc/self/status`.
    pub(crate) memory: Option<f64>,
}

/// Number of messages between two checks of the clock. A check for each message would affect the results.
const CHECK_EVERY: u64 = 512;

const REPORT_EVERY: Duration = Duration::from_secs(3);

impl Watch {
    pub(crate) fn start() -> Self {
        let now = Instant::now();
        Self { begun: now, processor: processor_time(), reported: now }
    }

    /// Prints the progress (`done` of `of` messages) to stderr, at most every three seconds.
    pub(crate) fn progress(&mut self, done: u64, of: u64) {
        if done.is_multiple_of(CHECK_EVERY) && self.reported.elapsed() >= REPORT_EVERY {
            self.reported = Instant::now();
            eprintln!("{:3} % of {of}", u128::from(done) * 100 / u128::from(of.max(1)));
        }
    }

    pub(crate) fn stop(self) -> Spent {
        let begun = self.begun;
        self.stop_since(begun)
    }

    /// Ends the measurement like [`stop`](Self::stop), but returns the wall time since `begun` instead of the wall time
    /// since the start of the measurement.
    pub(crate) fn stop_since(self, begun: Instant) -> Spent {
        let wall = begun.elapsed();
        let processor = processor_time().zip(self.processor).map(|(now, then)| now.saturating_sub(then));
        Spent { wall, processor, memory: peak_memory() }
    }
}

/// Returns the user and system time of this process, or `None` on systems without `/proc/self/stat`. The source is
/// fields 14 and 15 of this file, in hundredths of a second (proc(5)).
fn processor_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // Field 2, the name of the program, may contain any character, so field 3 starts after the last bracket.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut ticks = fields.split_ascii_whitespace().skip(11).map(str::parse::<u64>);
    let (user, system) = (ticks.next()?.ok()?, ticks.next()?.ok()?);
    Some(Duration::from_millis((user + system) * 10))
}

/// Returns the peak memory of this process in MiB, or `None` on systems without `/proc/self/status`. The source is
/// `VmHWM` in this file (proc(5)).
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}
