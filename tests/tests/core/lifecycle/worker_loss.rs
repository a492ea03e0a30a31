//! A ROUTER gives jobs to workers that said they were ready. Workers die with jobs in hand, and come back; what they had goes
//! to others, so that every job is done at last.

use super::faults::Weather;
use super::{PLACE, bound, ms};
use sansmq_proto::kind::{Req, Router};
use sansmq_proto::testing::{Net, NodeId};
use sansmq_proto::{Frame, Options, RecvError, SendError};
use sansmq_tests::for_seeds;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Who gives jobs out.
struct Desk {
    node: NodeId,
    jobs: VecDeque<u32>,
    /// Who waits for one, those first who have waited longest.
    idle: VecDeque<Frame>,
    /// Who has which.
    busy: BTreeMap<Frame, u32>,
    /// How often each was given out, less the times its result came.
    open: BTreeMap<u32, u32>,
    /// How often jobs were given out in all.
    handed: usize,
    done: BTreeSet<u32>,
}

impl Desk {
    fn work(&mut self, net: &mut Net) {
        while let Ok(message) = net[self.node].recv() {
            let worker = message.head().clone();
            if message.len() == 2 {
                assert!(message.body().is_empty(), "{message:?}");
                self.is_gone(&worker);
                continue;
            }
            // The name, a delimiter, and what the worker says.
            assert_eq!(message.len(), 3, "{message:?}");
            let text = message.body().to_text().into_owned();
            let expected = self.busy.remove(&worker);
            if text == "ready" {
                assert_eq!(expected, None, "{worker:?} forgot its job");
            } else {
                let job = text.strip_prefix("done ").and_then(|job| job.parse().ok()).expect("workers say no more");
                // Whoever lost its connection before it could say so says it under another name.
                assert!(expected.is_none_or(|expected| expected == job), "{worker:?} did {job}, not {expected:?}");
                let open = self.open.get_mut(&job).expect("nobody does what he was not given");
                *open = open.checked_sub(1).expect("a result comes once");
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
                    *self.open.entry(job).or_default() += 1;
                    self.handed += 1;
                }
                Err(SendError::Unroutable(_)) => {}
                Err(other) => panic!("{other}"),
            }
        }
    }

    /// What it had goes to the next who is idle.
    fn is_gone(&mut self, worker: &Frame) {
        self.idle.retain(|idle| idle != worker);
        if let Some(job) = self.busy.remove(worker) {
            self.jobs.push_front(job);
        }
    }
}

struct Worker {
    node: NodeId,
    /// It has yet to say that it is ready, or what it has done.
    says: Option<String>,
}

impl Worker {
    fn act(&mut self, net: &mut Net) {
        if let Some(text) = self.says.take() {
            match net[self.node].send(text.as_str()) {
                Ok(()) => {}
                Err(SendError::Full(_)) => self.says = Some(text),
                Err(other) => panic!("{other}"),
            }
            return;
        }
        match net[self.node].recv() {
            Ok(job) => self.says = Some(format!("done {}", job.body().to_text())),
            Err(RecvError::PeerLost) => self.says = Some("ready".to_owned()),
            Err(RecvError::Empty) => {}
            Err(other) => panic!("{other}"),
        }
    }

    fn start(&mut self, net: &mut Net) {
        net.connect(self.node, PLACE);
        self.says = Some("ready".to_owned());
    }
}

#[test]
fn workers_that_die_leave_their_jobs_to_others_and_every_job_is_done_at_last() {
    for_seeds(100, |seed| {
        let mut weather = Weather::of(seed);
        let mut net = weather.net(seed);
        let router = Options::<Router>::new().mandatory(true).notify_disconnect(true);
        let node = bound(&mut net, weather.dress(router));
        let mut desk = Desk {
            node,
            jobs: VecDeque::new(),
            idle: VecDeque::new(),
            busy: BTreeMap::new(),
            open: BTreeMap::new(),
            handed: 0,
            done: BTreeSet::new(),
        };
        let mut workers: Vec<_> = (0..2 + weather.pick(4))
            .map(|_| Worker { node: net.socket(weather.dress(Options::<Req>::new())), says: None })
            .collect();
        for worker in &mut workers {
            worker.start(&mut net);
        }
        let nodes: Vec<_> = workers.iter().map(|worker| worker.node).chain([node]).collect();
        let mut jobs = 0;
        for _ in 0..200 {
            let who = weather.pick(workers.len());
            match weather.pick(8) {
                0..=2 => workers[who].act(&mut net),
                3..=5 => desk.work(&mut net),
                // Jobs come together, and late: most of the time there are fewer than workers.
                6 if weather.once_in(4) => {
                    let more = u32::try_from(weather.pick(9)).unwrap();
                    desk.jobs.extend(jobs..jobs + more);
                    jobs += more;
                }
                7 if weather.cuts && weather.once_in(2) => {
                    net.restart(workers[who].node, weather.dress(Options::<Req>::new()));
                    workers[who].start(&mut net);
                }
                _ => {}
            }
            weather.strike(&mut net, &nodes);
        }
        Weather::clear(&mut net, &nodes);
        desk.jobs.push_back(jobs);
        for _ in 0..300 {
            for worker in &mut workers {
                worker.act(&mut net);
            }
            desk.work(&mut net);
            net.pass(ms(100));
        }
        assert!(desk.done.iter().copied().eq(0..=jobs), "of {jobs} jobs only {:?} are done", desk.done);
        assert_eq!((desk.busy.len(), desk.idle.len()), (0, workers.len()), "everybody waits for more");
        if !weather.tears() {
            assert_eq!(desk.handed, desk.done.len(), "nothing is done twice");
        }
    });
}
