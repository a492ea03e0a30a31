//! A client: a DEALER that keeps several requests in flight and takes the answers in whatever order they come.

use super::Failure;
use super::progress::Progress;
use super::report::Report;
use sansmq::Options;
use sansmq::tokio::DealerSocket;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// After so long without any answer something is wrong, and the client says so instead of waiting for ever.
const PATIENCE: Duration = Duration::from_secs(10);

/// How much a client asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    /// Requests in all.
    pub(crate) requests: u64,
    /// Requests that may be unanswered at any time.
    pub(crate) in_flight: usize,
}

impl Load {
    /// So many requests, eight at a time.
    pub(crate) const fn of(requests: u64) -> Self {
        Self { requests, in_flight: 8 }
    }
}

/// The only client in its process.
pub(crate) async fn alone(name: &str, front: &str, requests: u64) -> Result<Report, Failure> {
    run(name, front, Load::of(requests), &Progress::of(requests)).await
}

/// Asks the broker at `front` so many requests, and reports when all are answered.
pub(crate) async fn run(name: &str, front: &str, load: Load, progress: &Progress) -> Result<Report, Failure> {
    let broker = DealerSocket::with(Options::new().routing_id(name)?);
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
        let silence = |_| format!("{name}: no answer for {PATIENCE:?}, {} missing; is a worker there?", pending.len());
        let answer = tokio::time::timeout(PATIENCE, broker.recv()).await.map_err(silence)??;
        let answer = answer.into_array().map_err(|odd| format!("not [\"\", number, worker]: {odd:?}"))?;
        let [_empty, number, worker] = answer;
        let number = number.to_text().parse()?;
        // A request that was given to two workers may have two answers; the first has been counted.
        if let Some(asked) = pending.remove(&number) {
            let overtook = pending.range(..number).next().is_some();
            report.answered(number, &worker.to_text(), asked.elapsed(), overtook);
            progress.answered(number, overtook);
        }
    }
    Ok(report)
}
