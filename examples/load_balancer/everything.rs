//! All parts in one process, over TCP.

use super::broker::Broker;
use super::client::{self, Load};
use super::progress::Progress;
use super::report::Report;
use super::{Failure, worker};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Names of workers, and what a request costs them. The slow ones make answers overtake one another.
pub(crate) const WORKERS: [(&str, Duration); 4] = [
    ("swift", Duration::from_millis(1)),
    ("brisk", Duration::from_millis(2)),
    ("steady", Duration::from_millis(5)),
    ("sleepy", Duration::from_millis(20)),
];

/// A broker, these workers and so many clients; ends when every client has all its answers.
pub(crate) async fn run(clients: u64, load: Load, workers: &[(&'static str, Duration)]) -> Result<Report, Failure> {
    let broker = Broker::bind("tcp://127.0.0.1:*", "tcp://127.0.0.1:*").await?;
    let (front, back) = (broker.front.to_string(), broker.back.to_string());
    let progress = Arc::new(Progress::of(clients * load.requests));

    // Tasks of a set end with it. The broker and the workers would go on for ever.
    let (mut servers, mut customers) = (JoinSet::new(), JoinSet::new());
    servers.spawn(broker.run());
    for &(name, cost) in workers {
        let back = back.clone();
        servers.spawn(async move { worker::run(name, &back, cost).await });
    }
    for number in 1..=clients {
        let (front, progress) = (front.clone(), Arc::clone(&progress));
        customers.spawn(async move { client::run(&format!("client-{number}"), &front, load, &progress).await });
    }
    let mut total = Report::default();
    loop {
        tokio::select! {
            done = customers.join_next() => match done {
                Some(report) => total.merge(report??),
                None => return Ok(total),
            },
            Some(ended) = servers.join_next() => ended??,
        }
    }
}
