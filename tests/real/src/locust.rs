//! A worker for the load generator Locust: it makes requests when the master starts a test, and reports their statistics.
//!
//! The worker is a DEALER with its name as routing id, the master is a ROUTER. Each message is one frame, in `MessagePack`:
//! `[type, data, name of the worker]`.

use crate::Error;
use rmpv::Value;
use sansmq::tokio::DealerSocket;
use sansmq::{Endpoint, Options};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{MissedTickBehavior, interval};

/// Version of the protocol: that of the Locust with which this worker is tested.
pub const VERSION: &str = "2.47.3";
const HEARTBEAT: Duration = Duration::from_secs(1);
const REPORT: Duration = Duration::from_millis(500);

/// A finished request.
#[derive(Clone, Debug)]
pub struct Request {
    /// Method, for example `GET`.
    pub method: &'static str,
    /// Name in the report, for example a path.
    pub name: &'static str,
    /// Duration in milliseconds.
    pub milliseconds: u64,
    /// Size of the response in bytes.
    pub bytes: u64,
    /// Error, if the request failed.
    pub error: Option<&'static str>,
}

/// Counts of a worker at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Requests that were made.
    pub requests: u64,
    /// Largest number of users that the master has asked for.
    pub users: u64,
    /// Heartbeats that the master has answered.
    pub heartbeats: u64,
    /// Tests that the master has started.
    pub tests: u64,
}

/// Registers as `name` with the master, and works until it sends `quit`. While a test runs, `load` is called every 10
/// milliseconds with the number of users, and returns the requests that have finished since.
pub async fn work(master: Endpoint, name: &str, mut load: impl FnMut(u64) -> Vec<Request>) -> Result<Totals, Error> {
    let socket = DealerSocket::with_options(Options::new().routing_id(name.to_owned())?);
    socket.connect(master)?;
    let mut worker = Worker {
        name,
        socket,
        state: "ready",
        users: 0,
        classes: Value::Map(Vec::new()),
        spawned: 0.0,
        statistics: Statistics::default(),
    };
    worker.send("client_ready", Value::from(VERSION)).await?;

    let [mut heartbeat, mut report, mut tick] = [HEARTBEAT, REPORT, Duration::from_millis(10)].map(interval);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut totals = Totals::default();
    loop {
        tokio::select! {
            message = worker.socket.recv() => {
                let message: Value = rmpv::decode::read_value(&mut message?.body().as_ref())?;
                let kind = message[0].as_str().ok_or_else(|| format!("a message without a type: {message}"))?;
                match kind {
                    "spawn" => totals.tests += u64::from(worker.spawn(&message[1]).await?),
                    "heartbeat" => totals.heartbeats += 1,
                    "stop" => worker.stop().await?,
                    "quit" => {
                        worker.report().await?;
                        worker.socket.close().await; // sends the report
                        return Ok(totals);
                    }
                    _ => {} // "ack", and what only workers with a browser's interface use
                }
                totals.users = totals.users.max(worker.users);
            }
            _ = heartbeat.tick() => worker.heartbeat().await?,
            _ = report.tick() => worker.report().await?,
            _ = tick.tick(), if worker.state == "running" => {
                for request in load(worker.users) {
                    totals.requests += 1;
                    worker.statistics.add(&request);
                }
            }
        }
    }
}

/// Connection to the master, and the state that the master knows.
struct Worker<'a> {
    name: &'a str,
    socket: DealerSocket,
    state: &'static str,
    users: u64,
    /// Users of each class, as in the last `spawn`.
    classes: Value,
    /// Time stamp of the last `spawn`.
    spawned: f64,
    statistics: Statistics,
}

impl Worker<'_> {
    async fn send(&self, kind: &str, data: Value) -> Result<(), Error> {
        let mut body = Vec::new();
        rmpv::encode::write_value(&mut body, &Value::Array(vec![kind.into(), data, self.name.into()]))?;
        Ok(self.socket.send(body).await?)
    }

    async fn heartbeat(&self) -> Result<(), Error> {
        let data =
            map([("state", self.state.into()), ("current_cpu_usage", 0.into()), ("current_memory_usage", 0.into())]);
        self.send("heartbeat", data).await
    }

    /// Changes the number of users. Returns true if a test begins.
    async fn spawn(&mut self, job: &Value) -> Result<bool, Error> {
        self.send("spawning", Value::Nil).await?;
        let timestamp = job["timestamp"].as_f64().ok_or("a spawn without a time stamp")?;
        let classes = job["user_classes_count"].as_map().ok_or("a spawn without users")?;
        if timestamp <= self.spawned {
            return Ok(false); // older than the last
        }
        self.spawned = timestamp;
        self.users = classes.iter().filter_map(|(_, users)| users.as_u64()).sum();
        self.classes = job["user_classes_count"].clone();
        let data = map([("user_classes_count", self.classes.clone()), ("user_count", self.users.into())]);
        self.send("spawning_complete", data).await?;
        let begins = self.state != "running";
        self.state = "running";
        Ok(begins)
    }

    async fn stop(&mut self) -> Result<(), Error> {
        (self.state, self.users, self.classes) = ("ready", 0, Value::Map(Vec::new()));
        self.report().await?;
        self.send("client_stopped", Value::Nil).await?;
        self.send("client_ready", Value::from(VERSION)).await
    }

    /// Sends the statistics since the last report.
    async fn report(&mut self) -> Result<(), Error> {
        let statistics = std::mem::take(&mut self.statistics);
        let mut total = Entry::default();
        statistics.entries.values().for_each(|entry| total.merge(entry));
        let entries = statistics.entries.iter().map(|(&(method, name), entry)| entry.encode(method, name));
        let errors = statistics.errors.iter().enumerate().map(|(number, (&(method, name, error), &occurrences))| {
            let data = map([
                ("method", method.into()),
                ("name", name.into()),
                ("error", error.into()),
                ("occurrences", occurrences.into()),
                ("first_seen", Value::Nil),
                ("last_seen", Value::Nil),
            ]);
            (Value::from(format!("{method}.{name}.{error}.{number}")), data)
        });
        let data = map([
            ("stats", Value::Array(entries.collect())),
            ("stats_total", total.encode("", "Aggregated")),
            ("errors", Value::Map(errors.collect())),
            ("user_classes_count", self.classes.clone()),
            ("user_count", self.users.into()),
        ]);
        self.send("stats", data).await
    }
}

/// Requests since the last report.
#[derive(Default)]
struct Statistics {
    /// By method and name.
    entries: BTreeMap<(&'static str, &'static str), Entry>,
    /// Occurrences by method, name and error.
    errors: BTreeMap<(&'static str, &'static str, &'static str), u64>,
}

impl Statistics {
    fn add(&mut self, request: &Request) {
        let time = request.milliseconds;
        let failures = u64::from(request.error.is_some());
        let second = since_epoch().as_secs();
        let entry = Entry {
            requests: 1,
            failures,
            total_time: time,
            times: Some((time, time)),
            bytes: request.bytes,
            by_time: BTreeMap::from([(time, 1)]),
            by_second: BTreeMap::from([(second, (1, failures))]),
        };
        self.entries.entry((request.method, request.name)).or_default().merge(&entry);
        if let Some(error) = request.error {
            *self.errors.entry((request.method, request.name, error)).or_default() += 1;
        }
    }
}

/// Statistics of the requests with one method and name.
#[derive(Default)]
struct Entry {
    requests: u64,
    failures: u64,
    total_time: u64,
    /// Shortest and longest time.
    times: Option<(u64, u64)>,
    bytes: u64,
    by_time: BTreeMap<u64, u64>,
    /// Requests and failures of each second.
    by_second: BTreeMap<u64, (u64, u64)>,
}

impl Entry {
    fn merge(&mut self, other: &Self) {
        self.requests += other.requests;
        self.failures += other.failures;
        self.total_time += other.total_time;
        self.bytes += other.bytes;
        self.times = match (self.times, other.times) {
            (Some((shortest, longest)), Some((short, long))) => Some((shortest.min(short), longest.max(long))),
            (own, other) => own.or(other),
        };
        for (&time, &count) in &other.by_time {
            *self.by_time.entry(time).or_default() += count;
        }
        for (&second, &(requests, failures)) in &other.by_second {
            let counts = self.by_second.entry(second).or_default();
            *counts = (counts.0 + requests, counts.1 + failures);
        }
    }

    fn encode(&self, method: &str, name: &str) -> Value {
        let pairs = |counts: &mut dyn Iterator<Item = (u64, u64)>| {
            Value::Map(counts.map(|(key, count)| (key.into(), count.into())).collect())
        };
        let failures = |(&second, &(_, failed)): (&u64, &(u64, u64))| (failed > 0).then_some((second, failed));
        map([
            ("method", method.into()),
            ("name", name.into()),
            ("last_request_timestamp", since_epoch().as_secs_f64().into()),
            ("start_time", since_epoch().as_secs_f64().into()),
            ("num_requests", self.requests.into()),
            ("num_none_requests", 0.into()),
            ("num_failures", self.failures.into()),
            ("total_response_time", self.total_time.into()),
            ("min_response_time", self.times.map_or(Value::Nil, |(shortest, _)| shortest.into())),
            ("max_response_time", self.times.map_or(0, |(_, longest)| longest).into()),
            ("total_content_length", self.bytes.into()),
            ("response_times", pairs(&mut self.by_time.iter().map(|(&time, &count)| (time, count)))),
            ("num_reqs_per_sec", pairs(&mut self.by_second.iter().map(|(&second, counts)| (second, counts.0)))),
            ("num_fail_per_sec", pairs(&mut self.by_second.iter().filter_map(failures))),
        ])
    }
}

fn map<const N: usize>(pairs: [(&str, Value); N]) -> Value {
    Value::Map(pairs.into_iter().map(|(key, value)| (key.into(), value)).collect())
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
