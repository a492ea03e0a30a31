//! What came of it, as a table.

use super::Failure;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What one client, or all together, have seen.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// Requests sent.
    pub(crate) requests: u64,
    /// Requests answered.
    pub(crate) answers: u64,
    /// Answers that came while an earlier request of the same client was still waiting.
    pub(crate) out_of_order: u64,
    /// Answers by worker.
    pub(crate) workers: BTreeMap<String, u64>,
    /// Microseconds from request to answer.
    latency: Histogram<u64>,
    /// The numbers of the first answers, in the order they came.
    pub(crate) first: Vec<u64>,
}

impl Report {
    /// Nothing yet.
    pub(crate) fn new() -> Result<Self, Failure> {
        let latency = Histogram::new_with_max(60_000_000, 3)?;
        Ok(Self { requests: 0, answers: 0, out_of_order: 0, workers: BTreeMap::new(), latency, first: Vec::new() })
    }

    /// A request was answered.
    pub(crate) fn answered(&mut self, number: u64, worker: &str, latency: Duration, overtook: bool) {
        self.answers += 1;
        self.out_of_order += u64::from(overtook);
        *self.workers.entry(worker.to_owned()).or_default() += 1;
        self.latency.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
        if self.first.len() < 16 {
            self.first.push(number);
        }
    }

    /// Adds what another client has seen.
    pub(crate) fn merge(&mut self, other: Self) -> Result<(), Failure> {
        self.requests += other.requests;
        self.answers += other.answers;
        self.out_of_order += other.out_of_order;
        for (worker, answers) in other.workers {
            *self.workers.entry(worker).or_default() += answers;
        }
        self.first = other.first;
        Ok(self.latency.add(other.latency)?)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = |microseconds: u64| Duration::from_micros(microseconds).as_secs_f64() * 1000.0;
        writeln!(f, "requests      {:>8}", self.requests)?;
        writeln!(f, "answers       {:>8}   lost: {}", self.answers, self.requests - self.answers)?;
        writeln!(f, "out of order  {:>8}   one client's first answers: {:?}", self.out_of_order, self.first)?;
        for (worker, answers) in &self.workers {
            writeln!(f, "  by {worker:<10}{answers:>7}")?;
        }
        for (name, quantile) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)] {
            writeln!(f, "latency {name}   {:>8.1} ms", milliseconds(self.latency.value_at_quantile(quantile)))?;
        }
        write!(f, "latency max   {:>8.1} ms", milliseconds(self.latency.max()))
    }
}
