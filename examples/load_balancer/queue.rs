//! Who waits, who is ready and who is busy: the broker's decisions, without any sockets.

use sansmq::{Frame, Message};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// Requests that may wait for a worker. When there are so many, the broker reads nothing more from the clients.
const CAPACITY: usize = 10_000;

/// A request, and how its client wants to be answered.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// The client's routing id.
    pub(crate) client: Frame,
    /// Whether the client puts an empty delimiter before its content.
    pub(crate) delimited: bool,
    /// What it asks.
    pub(crate) request: Message,
}

/// The requests and the workers.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: VecDeque<Job>,
    /// Least recently used first.
    ready: VecDeque<Frame>,
    busy: BTreeMap<Frame, (Job, Instant)>,
}

impl Queue {
    /// Whether a request may come in.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting.len() < CAPACITY
    }

    /// A request came in.
    pub(crate) fn add(&mut self, job: Job) {
        self.waiting.push_back(job);
    }

    /// A request must be done again, before all others.
    pub(crate) fn requeue(&mut self, job: Job) {
        self.waiting.push_front(job);
    }

    /// A worker wants work. Gives back what it was doing.
    pub(crate) fn ready(&mut self, worker: &Frame) -> Option<Job> {
        self.ready.retain(|known| known != worker);
        self.ready.push_back(worker.clone());
        self.busy.remove(worker).map(|(job, _)| job)
    }

    /// Pairs the oldest request with the worker that has been ready for longest.
    pub(crate) fn next(&mut self, now: Instant) -> Option<(Frame, Job)> {
        if self.waiting.is_empty() {
            return None;
        }
        let worker = self.ready.pop_front()?;
        let job = self.waiting.pop_front()?;
        self.busy.insert(worker.clone(), (job.clone(), now));
        Some((worker, job))
    }

    /// A worker is gone: what it had must be done by another.
    pub(crate) fn gone(&mut self, worker: &Frame) {
        self.ready.retain(|known| known != worker);
        if let Some((job, _)) = self.busy.remove(worker) {
            self.requeue(job);
        }
    }

    /// The workers that have been busy for too long.
    pub(crate) fn overdue(&self, now: Instant, patience: Duration) -> Vec<Frame> {
        let late = self.busy.iter().filter(|(_, (_, since))| now.duration_since(*since) > patience);
        late.map(|(worker, _)| worker.clone()).collect()
    }
}
