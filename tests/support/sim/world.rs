//! [`Sim`]: shared state of all tasks of a simulation, and its clock.

use super::executor::Tasks;
use super::network::{self, Network};
use sansmq_proto::Instant;
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::testing::Conditions;
use sansmq_runtime::AsyncTimer;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Handle of a simulation: its tasks, its clock and its network.
#[derive(Clone)]
pub struct Sim(Arc<Mutex<World>>);

/// State of a simulation.
pub(super) struct World {
    pub(super) rng: SeededEntropy,
    pub(super) now: Instant,
    /// Number of the simulated network, which no other simulation of the process has.
    pub(super) number: u64,
    pub(super) tasks: Tasks,
    pub(super) conditions: Conditions,
    pub(super) network: Network,
    /// Wakers of the timers, by deadline. The number in the key distinguishes timers with the same deadline.
    deadlines: BTreeMap<(Instant, u64), Waker>,
    last_deadline: u64,
}

impl Sim {
    pub(super) fn new(seed: u64) -> Self {
        static NETWORKS: AtomicU64 = AtomicU64::new(1);
        let mut rng = SeededEntropy::new(seed);
        let conditions = network::conditions(&mut rng);
        let number = NETWORKS.fetch_add(1, Ordering::Relaxed);
        Self(Arc::new(Mutex::new(World {
            rng,
            now: Instant::ORIGIN,
            number,
            tasks: Tasks::default(),
            conditions,
            network: Network::default(),
            deadlines: BTreeMap::new(),
            last_deadline: 0,
        })))
    }

    /// Calls `work` with the locked state of the simulation and an empty list of wakers, to which `work` can add. Wakes
    /// these wakers after the lock is released, because a waker may lock the state again.
    pub(super) fn with<R>(&self, work: impl FnOnce(&mut World, &mut Vec<Waker>) -> R) -> R {
        let mut wakes = Vec::new();
        let result = work(&mut self.0.lock().expect("no thread panics while it holds the lock"), &mut wakes);
        wakes.into_iter().for_each(Waker::wake);
        result
    }

    /// Returns the virtual time.
    pub(super) fn time(&self) -> Instant {
        self.with(|world, _| world.now)
    }

    /// Waits for `duration` of virtual time.
    pub async fn sleep(&self, duration: Duration) {
        let mut timer = SimTimer::new(self.clone());
        timer.set(Some(self.time() + duration));
        std::future::poll_fn(|cx| timer.poll(cx)).await;
    }

    /// Makes the network deliver all further bytes without splits and delays.
    pub fn disable_faults(&self) {
        self.with(|world, _| world.conditions = Conditions { link: world.conditions.link, ..Conditions::default() });
    }

    /// Advances the clock to `to`, and wakes the timers that expire.
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

    /// Returns the earliest deadline of all timers.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.with(|world, _| world.deadlines.first_key_value().map(|(&(at, _), _)| at))
    }
}

impl World {
    /// Registers a waker that is woken at the time `at`. Returns the key with which [`forget`](Self::forget) removes
    /// the waker.
    pub(super) fn wake_at(&mut self, at: Instant, waker: Waker) -> (Instant, u64) {
        self.last_deadline += 1;
        self.deadlines.insert((at, self.last_deadline), waker);
        (at, self.last_deadline)
    }

    /// Removes the registered waker with this key. Returns `None` if the waker has already been woken.
    pub(super) fn forget(&mut self, key: (Instant, u64)) -> Option<Waker> {
        self.deadlines.remove(&key)
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sim")
    }
}

/// Timer of a simulation.
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
            // Dropped after the lock is released, because the waker may own timers of this world.
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
        let deadline = self.deadline.expect("a timer without a deadline must not be polled");
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
