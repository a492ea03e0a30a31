//! Broker, workers and clients in one process, over TCP.

use super::broker::Broker;
use super::client::{self, Load};
use super::progress::Progress;
use super::report::Report;
use super::{Failure, worker};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Names of the workers, and the time that each takes for a request. Workers of different speed cause replies out of
/// order.
pub(crate) const WORKERS: [(&str, Duration); 4] = [
    ("swift", Duration::from_millis(1)),
    ("brisk", Duration::from_millis(2)),
    ("steady", Duration::from_millis(5)),
    ("sleepy", Duration::from_millis(20)),
];

/// Runs a broker, the given workers, and `clients` clients that each send the requests that `load` describes. Returns
/// the results of all clients when every client has received all its replies.
pub(crate) async fn run(clients: u64, load: Load, workers: &[(&'static str, Duration)]) -> Result<Report, Failure> {
    let broker = Broker::bind("tcp://127.0.0.1:*", "tcp://127.0.0.1:*").await?;
    let (front, back) = (broker.front.to_string(), broker.back.to_string());
    let progress = Arc::new(Progress::of(clients * load.requests));

    // A `JoinSet` aborts its tasks when it is dropped. The broker and the workers do not end otherwise.
    let (mut servers, mut client_tasks) = (JoinSet::new(), JoinSet::new());
    servers.spawn(broker.run());
    for &(name, cost) in workers {
        let back = back.clone();
        servers.spawn(async move { worker::run(name, &back, cost).await });
    }
    for number in 1..=clients {
        let (front, progress) = (front.clone(), Arc::clone(&progress));
        client_tasks.spawn(async move { client::run(&format!("client-{number}"), &front, load, &progress).await });
    }
    let mut total = Report::default();
    loop {
        tokio::select! {
            done = client_tasks.join_next() => match done {
                Some(report) => total.merge(report??),
                None => return Ok(total),
            },
            Some(ended) = servers.join_next() => ended??,
        }
    }
}
