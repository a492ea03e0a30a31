//! The results of a run, printed as a table.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Results of one client, or of all clients together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    /// Number of requests sent so far.
    pub(crate) requests: u64,
    /// Number of requests that were answered so far.
    pub(crate) answers: u64,
    /// Number of replies that arrived before the reply to an earlier request of the same client.
    pub(crate) out_of_order: u64,
    /// Number of replies of each worker, by the name of the worker.
    pub(crate) workers: BTreeMap<String, u64>,
    /// Time between each request and its reply, one entry per reply.
    latencies: Vec<Duration>,
    /// Numbers of the requests to which the first 16 replies arrived, in the order of these replies. In the results of
    /// all clients together, these are the numbers of only one client.
    pub(crate) first: Vec<u64>,
}

impl Report {
    /// Adds a reply to the results: `worker` has answered the request `number` after the time `latency`. `overtook` is
    /// true if this reply arrived before the reply to an earlier request.
    pub(crate) fn answered(&mut self, number: u64, worker: &str, latency: Duration, overtook: bool) {
        self.answers += 1;
        self.out_of_order += u64::from(overtook);
        *self.workers.entry(worker.to_owned()).or_default() += 1;
        self.latencies.push(latency);
        if self.first.len() < 16 {
            self.first.push(number);
        }
    }

    /// Adds the results of another client to these results.
    pub(crate) fn merge(&mut self, other: Self) {
        self.requests += other.requests;
        self.answers += other.answers;
        self.out_of_order += other.out_of_order;
        for (worker, answers) in other.workers {
            *self.workers.entry(worker).or_default() += answers;
        }
        self.first = other.first;
        self.latencies.extend(other.latencies);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "requests      {:>8}", self.requests)?;
        writeln!(f, "answers       {:>8}   lost: {}", self.answers, self.requests - self.answers)?;
        writeln!(f, "out of order  {:>8}   one client's first answers: {:?}", self.out_of_order, self.first)?;
        for (worker, answers) in &self.workers {
            writeln!(f, "  by {worker:<10}{answers:>7}")?;
        }
        let mut latencies = self.latencies.clone();
        latencies.sort_unstable();
        // Nearest rank: the smallest latency that at least this share of the replies do not exceed.
        let milliseconds = |percent: usize| {
            let rank = (latencies.len() * percent).div_ceil(100);
            latencies.get(rank.saturating_sub(1)).map_or(0.0, |latency| latency.as_secs_f64() * 1000.0)
        };
        for percent in [50, 90, 99] {
            writeln!(f, "latency p{percent}   {:>8.1} ms", milliseconds(percent))?;
        }
        write!(f, "latency max   {:>8.1} ms", milliseconds(100))
    }
}
