//! [`Sim`]: the one thing that all tasks of a simulation share, and its clock.

use super::executor::Tasks;
use super::network::{self, Network};
use sansmq_proto::Instant;
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::testing::Conditions;
use sansmq_runtime::AsyncTimer;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A simulation: its tasks, its clock and its network.
#[derive(Clone)]
pub struct Sim(Arc<Mutex<World>>);

/// What is behind the lock.
pub(super) struct World {
    pub(super) dice: SeededEntropy,
    pub(super) now: Instant,
    pub(super) tasks: Tasks,
    pub(super) conditions: Conditions,
    pub(super) network: Network,
    /// Who is to be woken when. The number tells apart those who wait for the same instant.
    deadlines: BTreeMap<(Instant, u64), Waker>,
    last: u64,
}

impl Sim {
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = SeededEntropy::new(seed);
        let conditions = network::conditions(&mut dice);
        Self(Arc::new(Mutex::new(World {
            dice,
            now: Instant::ORIGIN,
            tasks: Tasks::default(),
            conditions,
            network: Network::default(),
            deadlines: BTreeMap::new(),
            last: 0,
        })))
    }

    /// Looks at or changes the world. Whoever is to be woken for it is woken when the lock is open again, since wakers
    /// may be anybody's.
    pub(super) fn with<R>(&self, work: impl FnOnce(&mut World, &mut Vec<Waker>) -> R) -> R {
        let mut wakes = Vec::new();
        let result = work(&mut self.0.lock().expect("nobody panics in here"), &mut wakes);
        wakes.into_iter().for_each(Waker::wake);
        result
    }

    /// The time.
    pub(super) fn time(&self) -> Instant {
        self.with(|world, _| world.now)
    }

    /// Waits so long.
    pub async fn sleep(&self, duration: Duration) {
        let mut bell = SimTimer::new(self.clone());
        bell.set(Some(self.time() + duration));
        std::future::poll_fn(|cx| bell.poll(cx)).await;
    }

    /// From now on the network neither splits nor delays what is sent.
    pub fn calm_down(&self) {
        self.with(|world, _| {
            world.conditions = Conditions { capacity: world.conditions.capacity, ..Conditions::default() }
        });
    }

    /// Lets time pass until then, and wakes whoever waited for an instant in it.
    pub(super) fn travel(&self, to: Instant) {
        self.with(|world, wakes| {
            world.now = world.now.max(to);
            while let Some(entry) = world.deadlines.first_entry()
                && entry.key().0 <= world.now
            {
                wakes.push(entry.remove());
            }
        });
    }

    /// The next instant that somebody waits for.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.with(|world, _| world.deadlines.first_key_value().map(|(&(at, _), _)| at))
    }
}

impl World {
    /// Wakes somebody then. Gives the entry's name, by which it can be [forgotten](Self::forget).
    pub(super) fn wake_at(&mut self, at: Instant, waker: Waker) -> (Instant, u64) {
        self.last += 1;
        self.deadlines.insert((at, self.last), waker);
        (at, self.last)
    }

    pub(super) fn forget(&mut self, entry: (Instant, u64)) -> Option<Waker> {
        self.deadlines.remove(&entry)
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sim")
    }
}

/// A timer of a simulation.
#[derive(Debug)]
pub struct SimTimer {
    sim: Sim,
    deadline: Option<Instant>,
    entry: Option<(Instant, u64)>,
}

impl SimTimer {
    pub(super) const fn new(sim: Sim) -> Self {
        Self { sim, deadline: None, entry: None }
    }

    fn disarm(&mut self) {
        if let Some(entry) = self.entry.take() {
            // The waker is dropped out here, for it may own anything.
            let _waker = self.sim.with(|world, _| world.forget(entry));
        }
    }
}

impl AsyncTimer for SimTimer {
    fn set(&mut self, deadline: Option<Instant>) {
        self.disarm();
        self.deadline = deadline;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.disarm();
        let deadline = self.deadline.expect("a timer that is off is not polled");
        self.entry = self.sim.with(|world, _| {
            let early = world.now < deadline;
            early.then(|| world.wake_at(deadline, cx.waker().clone()))
        });
        if self.entry.is_some() { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl Drop for SimTimer {
    fn drop(&mut self) {
        self.disarm();
    }
}
