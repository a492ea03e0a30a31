//! A ROUTER assigns jobs to workers that have sent `ready`. Workers crash while they have a job, and restart. Their
//! jobs are assigned to other workers, so that every job is finally done.

use super::faults::FaultPlan;
use super::{PLACE, bound, ms};
use sansmq_proto::kind::{Req, Router};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Frame, Options, RecvError, SendError};
use sansmq_tests::for_seeds;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// ROUTER that assigns jobs.
struct Dispatcher {
    node: NodeId,
    jobs: VecDeque<u32>,
    /// Routing ids of the workers without a job; the worker that has been idle for longest is first.
    idle: VecDeque<Frame>,
    /// Job of each busy worker, by the routing id of the worker.
    busy: BTreeMap<Frame, u32>,
    /// Number of times that each job was assigned to a worker without a result so far, by number of the job. A result
    /// of a job without an open assignment fails the test.
    outstanding: BTreeMap<u32, u32>,
    /// Total number of assignments so far, of all jobs.
    assigned: usize,
    done: BTreeSet<u32>,
}

impl Dispatcher {
    /// Receives all results that have arrived, and assigns jobs to the idle workers.
    fn step(&mut self, net: &mut Net) {
        while let Ok(message) = net[self.node].recv() {
            let worker = message.head().clone();
            if message.len() == 2 {
                assert!(message.body().is_empty(), "{message:?}");
                self.on_worker_lost(&worker);
                continue;
            }
            // Routing id, delimiter, and the text of the worker.
            assert_eq!(message.len(), 3, "{message:?}");
            let text = message.body().to_text().into_owned();
            let expected = self.busy.remove(&worker);
            if text == "ready" {
                assert_eq!(expected, None, "{worker:?} is ready without a result for its job");
            } else {
                let job = text
                    .strip_prefix("done ")
                    .and_then(|job| job.parse().ok())
                    .expect("workers send only `ready` and `done`");
                // A worker that reconnects before it sends its result has a new routing id.
                assert!(
                    expected.is_none_or(|expected| expected == job),
                    "{worker:?} returned a result of job {job}, not of {expected:?}"
                );
                let outstanding = self.outstanding.get_mut(&job).expect("results are of assigned jobs only");
                *outstanding = outstanding.checked_sub(1).expect("each assignment has one result");
                self.done.insert(job);
            }
            self.idle.push_back(worker);
        }
        self.jobs.retain(|job| !self.done.contains(job));
        while let Some(&job) = self.jobs.front() {
            let Some(worker) = self.idle.pop_front() else { break };
            match net[self.node].send((worker.clone(), "", job.to_string())) {
                Ok(()) => {
                    self.jobs.pop_front();
                    self.busy.insert(worker, job);
                    *self.outstanding.entry(job).or_default() += 1;
                    self.assigned += 1;
                }
                Err(SendError::Unroutable(_)) => {}
                Err(other) => panic!("{other}"),
            }
        }
    }

    /// Removes a lost worker. Puts its job, if any, back at the front of the queue.
    fn on_worker_lost(&mut self, worker: &Frame) {
        self.idle.retain(|idle| idle != worker);
        if let Some(job) = self.busy.remove(worker) {
            self.jobs.push_front(job);
        }
    }
}

/// Worker: a REQ that receives a job as the reply to each of its messages.
struct Worker {
    node: NodeId,
    /// Text that the worker must send next, if any: `ready`, or the result of a job.
    outgoing: Option<String>,
}

impl Worker {
    fn step(&mut self, net: &mut Net) {
        if let Some(text) = self.outgoing.take() {
            match net[self.node].send(text.as_str()) {
                Ok(()) => {}
                Err(SendError::Full(_)) => self.outgoing = Some(text),
                Err(other) => panic!("{other}"),
            }
            return;
        }
        match net[self.node].recv() {
            Ok(job) => self.outgoing = Some(format!("done {}", job.body().to_text())),
            Err(RecvError::PeerLost { .. }) => self.outgoing = Some("ready".to_owned()),
            Err(RecvError::Empty) => {}
            Err(other) => panic!("{other}"),
        }
    }

    fn start(&mut self, net: &mut Net) {
        net.connect(self.node, PLACE);
        self.outgoing = Some("ready".to_owned());
    }
}

#[test]
fn jobs_of_lost_workers_are_done_by_other_workers() {
    for_seeds(100, |seed| {
        let mut faults = FaultPlan::from_seed(seed);
        let mut net = faults.net(seed);
        let router = Options::<Router>::new().mandatory(true).notify_disconnect(true);
        let node = bound(&mut net, faults.configure(router));
        let mut dispatcher = Dispatcher {
            node,
            jobs: VecDeque::new(),
            idle: VecDeque::new(),
            busy: BTreeMap::new(),
            outstanding: BTreeMap::new(),
            assigned: 0,
            done: BTreeSet::new(),
        };
        let mut workers: Vec<_> = (0..2 + faults.pick(4))
            .map(|_| Worker { node: net.socket(faults.configure(Options::<Req>::new())), outgoing: None })
            .collect();
        for worker in &mut workers {
            worker.start(&mut net);
        }
        let nodes: Vec<_> = workers.iter().map(|worker| worker.node).chain([node]).collect();
        let mut jobs = 0;
        for _ in 0..200 {
            let index = faults.pick(workers.len());
            match faults.pick(8) {
                0..=2 => workers[index].step(&mut net),
                3..=5 => dispatcher.step(&mut net),
                // Jobs are added rarely and in groups: most of the time there are fewer jobs than workers.
                6 if faults.one_in(4) => {
                    let more = u32::try_from(faults.pick(9)).unwrap();
                    dispatcher.jobs.extend(jobs..jobs + more);
                    jobs += more;
                }
                7 if faults.cuts && faults.one_in(2) => {
                    net.restart(workers[index].node, faults.configure(Options::<Req>::new()));
                    workers[index].start(&mut net);
                }
                _ => {}
            }
            faults.inject(&mut net, &nodes);
        }
        FaultPlan::end_faults(&mut net, &nodes);
        dispatcher.jobs.push_back(jobs);
        for _ in 0..300 {
            for worker in &mut workers {
                worker.step(&mut net);
            }
            dispatcher.step(&mut net);
            net.advance(ms(100));
        }
        assert!(
            dispatcher.done.iter().copied().eq(0..=jobs),
            "of jobs 0 to {jobs} only {:?} are done",
            dispatcher.done
        );
        assert_eq!((dispatcher.busy.len(), dispatcher.idle.len()), (0, workers.len()), "all workers are idle");
        if !faults.loses_connections() {
            assert_eq!(dispatcher.assigned, dispatcher.done.len(), "no job is done twice");
        }
    });
}
