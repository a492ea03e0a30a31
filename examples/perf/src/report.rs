//! Results of one process of the benchmark, as a row of a table or as JSON.

use super::args::End;
use super::watch::Spent;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) end: End,
    /// Number of messages in the measured time. Does not include the first message if its arrival started the
    /// measurement.
    pub(crate) measured: u64,
    pub(crate) spent: Spent,
    /// Durations of the round trips, in nanoseconds; `None` if this process does not send requests.
    pub(crate) round_trips: Option<Histogram<u64>>,
}

/// Values of a [`Report`] that are printed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) end: String,
    pub(crate) runtime: String,
    pub(crate) size: usize,
    pub(crate) count: u64,
    pub(crate) peers: usize,
    pub(crate) seconds: f64,
    pub(crate) msg_per_s: f64,
    pub(crate) mb_per_s: f64,
    /// Processor time of this process per message, in microseconds; `None` if the operating system does not report it.
    pub(crate) cpu_us_per_msg: Option<f64>,
    /// Peak memory of this process, in MiB; `None` if the operating system does not report it.
    pub(crate) peak_mib: Option<f64>,
    pub(crate) p50_us: Option<f64>,
    pub(crate) p90_us: Option<f64>,
    pub(crate) p99_us: Option<f64>,
    pub(crate) p999_us: Option<f64>,
    pub(crate) max_us: Option<f64>,
}

/// Heading of the table of results.
pub(crate) const HEADING: &str = "end     runtime      size      count  peers      msg/s     MB/s  cpu µs/msg  peak MiB  p50 µs  \
                                  p90 µs  p99 µs p99.9 µs   max µs";

impl Report {
    pub(crate) fn row(&self) -> Row {
        let End { socket, size, count, peers, runtime, .. } = self.end;
        let seconds = self.spent.wall.as_secs_f64();
        let msg_per_s = if seconds > 0.0 { float(self.measured) / seconds } else { 0.0 };
        let processor = self.spent.processor.filter(|_| self.measured > 0);
        let quantile = |quantile| self.round_trips.as_ref().map(|trips| float(trips.value_at_quantile(quantile)) / 1e3);
        Row {
            end: socket.to_string().to_lowercase(),
            runtime: runtime.name().into(),
            size,
            count,
            peers,
            seconds,
            msg_per_s,
            mb_per_s: msg_per_s * float(size as u64) / 1e6,
            cpu_us_per_msg: processor.map(|spent| spent.as_secs_f64() * 1e6 / float(self.measured)),
            peak_mib: self.spent.memory,
            p50_us: quantile(0.5),
            p90_us: quantile(0.9),
            p99_us: quantile(0.99),
            p999_us: quantile(0.999),
            max_us: quantile(1.0),
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { end, runtime, size, count, peers, msg_per_s, mb_per_s, .. } = self;
        write!(f, "{end:7} {runtime:8} {size:>8} {count:>10} {peers:>6} {msg_per_s:>10.0} {mb_per_s:>8.1}")?;
        match self.cpu_us_per_msg {
            Some(micros) => write!(f, " {micros:>11.3}")?,
            None => write!(f, " {:>11}", "-")?,
        }
        match self.peak_mib {
            Some(mib) => write!(f, " {mib:>9.1}")?,
            None => write!(f, " {:>9}", "-")?,
        }
        for (micros, width) in
            [(self.p50_us, 7), (self.p90_us, 7), (self.p99_us, 7), (self.p999_us, 8), (self.max_us, 8)]
        {
            if let Some(micros) = micros {
                write!(f, " {micros:>width$.1}")?;
            }
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "measurements have fewer than 53 significant bits")]
const fn float(number: u64) -> f64 {
    number as f64
}
