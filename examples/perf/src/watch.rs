//! Clocks: the wall's, and the processor's where the system tells. And what memory this process has needed.

use std::time::{Duration, Instant};

/// Runs while messages pass.
#[derive(Debug)]
pub(crate) struct Watch {
    begun: Instant,
    processor: Option<Duration>,
    told: Instant,
}

/// What a [`Watch`] measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spent {
    pub(crate) wall: Duration,
    /// Of the whole process, all its threads; `None` where there is no `/proc/self/stat`.
    pub(crate) processor: Option<Duration>,
    /// The most memory it ever had, in MiB; `None` where there is no `/proc/self/status`.
    pub(crate) memory: Option<f64>,
}

/// Looking at the clock for every message would be measured too.
const LOOK_EVERY: u64 = 512;

const TELL_EVERY: Duration = Duration::from_secs(3);

impl Watch {
    pub(crate) fn start() -> Self {
        let now = Instant::now();
        Self { begun: now, processor: processor_time(), told: now }
    }

    /// Tells a patient reader now and then how far it is.
    pub(crate) fn progress(&mut self, done: u64, of: u64) {
        if done.is_multiple_of(LOOK_EVERY) && self.told.elapsed() >= TELL_EVERY {
            self.told = Instant::now();
            eprintln!("{:3} % of {of}", u128::from(done) * 100 / u128::from(of.max(1)));
        }
    }

    pub(crate) fn stop(self) -> Spent {
        let begun = self.begun;
        self.stop_since(begun)
    }

    /// As [`stop`](Self::stop), when what counts began later.
    pub(crate) fn stop_since(self, begun: Instant) -> Spent {
        let wall = begun.elapsed();
        let processor = processor_time().zip(self.processor).map(|(now, then)| now.saturating_sub(then));
        Spent { wall, processor, memory: peak_memory() }
    }
}

/// User and system time of this process, to the hundredth of a second: proc(5), fields 14 and 15.
fn processor_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The program's name, field 2, may hold anything; what follows its last bracket is field 3.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut ticks = fields.split_ascii_whitespace().skip(11).map(str::parse::<u64>);
    let (user, system) = (ticks.next()?.ok()?, ticks.next()?.ok()?);
    Some(Duration::from_millis((user + system) * 10))
}

/// `VmHWM` of proc(5).
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}
