//! The queue of the broker: waiting requests, ready workers and busy workers. This module uses no sockets.

use sansmq::{Frame, Message};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// Maximum number of waiting requests. When it is reached, the broker stops receiving from clients.
const CAPACITY: usize = 10_000;

/// A request of a client, with the routing id and the format that the reply needs.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// Routing id of the client.
    pub(crate) client: Frame,
    /// True if the request had an empty delimiter; its reply must then have one too.
    pub(crate) delimited: bool,
    /// Frames of the request after the delimiter.
    pub(crate) request: Message,
}

/// Waiting requests, and the state of each worker.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: VecDeque<Job>,
    /// Routing ids of the workers without a request; the worker that has been ready for longest is first.
    ready: VecDeque<Frame>,
    busy: BTreeMap<Frame, (Job, Instant)>,
}

impl Queue {
    /// Returns true if the queue has room for another request of a client.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting.len() < CAPACITY
    }

    /// Adds a new request at the back of the queue.
    pub(crate) fn add(&mut self, job: Job) {
        self.waiting.push_back(job);
    }

    /// Puts a request back at the front of the queue, because the worker to which it was sent has failed.
    pub(crate) fn requeue(&mut self, job: Job) {
        self.waiting.push_front(job);
    }

    /// Marks a worker as ready for a request, because a message was received from the worker. Returns the request that
    /// the worker was processing until now, if any.
    pub(crate) fn ready(&mut self, worker: &Frame) -> Option<Job> {
        self.ready.retain(|known| known != worker);
        self.ready.push_back(worker.clone());
        self.busy.remove(worker).map(|(job, _)| job)
    }

    /// Assigns the oldest waiting request to the worker that has been ready for longest. Returns the routing id of the
    /// worker and the request, or `None` if no request is waiting or no worker is ready. `now` is stored as the time at
    /// which the worker became busy.
    pub(crate) fn next(&mut self, now: Instant) -> Option<(Frame, Job)> {
        if self.waiting.is_empty() {
            return None;
        }
        let worker = self.ready.pop_front()?;
        let job = self.waiting.pop_front()?;
        self.busy.insert(worker.clone(), (job.clone(), now));
        Some((worker, job))
    }

    /// Removes a worker from the ready and busy workers. If the worker was processing a request, puts this request back
    /// at the front of the queue.
    pub(crate) fn remove(&mut self, worker: &Frame) {
        self.ready.retain(|known| known != worker);
        if let Some((job, _)) = self.busy.remove(worker) {
            self.requeue(job);
        }
    }

    /// Returns the routing ids of the workers that have been busy with one request for longer than `patience`.
    pub(crate) fn overdue(&self, now: Instant, patience: Duration) -> Vec<Frame> {
        let late = self.busy.iter().filter(|(_, (_, since))| now.duration_since(*since) > patience);
        late.map(|(worker, _)| worker.clone()).collect()
    }
}
