//! The client: a DEALER that keeps several requests in flight and receives the replies in any order.

use super::Failure;
use super::progress::Progress;
use super::report::Report;
use sansmq::Options;
use sansmq::tokio::DealerSocket;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Maximum time that the client waits for the next reply. If no reply arrives in this time, the client returns an
/// error.
const PATIENCE: Duration = Duration::from_secs(10);

/// Requests that one client sends: their total number, and how many may wait for a reply at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Total number of requests.
    pub(crate) requests: u64,
    /// Maximum number of requests that wait for a reply at the same time.
    pub(crate) in_flight: usize,
}

impl Load {
    /// Creates the description of a client's requests: `requests` in total, of which at most eight wait for a reply at
    /// the same time.
    pub(crate) const fn of(requests: u64) -> Self {
        Self { requests, in_flight: 8 }
    }
}

/// Runs the only client of this process: sends `requests` requests to the broker at `front`.
pub(crate) async fn run_single(name: &str, front: &str, requests: u64) -> Result<Report, Failure> {
    run(name, front, Load::of(requests), &Progress::of(requests)).await
}

/// Runs a client with the routing id `name`: sends the requests that `load` describes to the broker at `front`, and
/// counts the replies in `progress`. Returns a report when all requests have been answered.
pub(crate) async fn run(name: &str, front: &str, load: Load, progress: &Progress) -> Result<Report, Failure> {
    let broker = DealerSocket::with_options(Options::new().routing_id(name)?);
    broker.connect(front)?;

    let mut report = Report::default();
    let mut pending = BTreeMap::new();
    let mut numbers = 1..=load.requests;
    while report.answers < load.requests {
        while pending.len() < load.in_flight
            && let Some(number) = numbers.next()
        {
            broker.send(("", number.to_string())).await?;
            pending.insert(number, Instant::now());
            report.requests += 1;
        }
        let missing = pending.len();
        let timeout = |_| format!("{name}: no reply for {PATIENCE:?}, {missing} missing; is a worker connected?");
        let reply = tokio::time::timeout(PATIENCE, broker.recv()).await.map_err(timeout)??;
        let reply = reply.into_array().map_err(|error| format!("not [\"\", number, worker]: {error}"))?;
        let [_empty, number, worker] = reply;
        let number = number.to_text().parse()?;
        // A request that was sent to two workers may have two replies; only the first counts.
        if let Some(sent) = pending.remove(&number) {
            let overtook = pending.range(..number).next().is_some();
            report.answered(number, &worker.to_text(), sent.elapsed(), overtook);
            progress.answered(number, overtook);
        }
    }
    Ok(report)
}
