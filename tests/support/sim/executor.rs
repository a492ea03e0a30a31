//! Executor of a simulation: polls ready tasks in a random order that the seed determines. Entry point: [`run`].

use super::world::Sim;
use super::{CURRENT, network};
use sansmq_proto::Instant;
#[cfg(feature = "meter")]
use sansmq_proto::cost;
use sansmq_runtime::CurrentRuntime;
use std::collections::{BTreeMap, BTreeSet};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

/// Maximum virtual time of a scenario: longer than every linger and every retry.
const LIMIT: Duration = Duration::from_hours(24);
/// Maximum number of times that tasks are polled in a scenario.
const TURNS: u64 = 10_000_000;
/// Task number of the scenario itself, which is not in [`Tasks`].
const SCENARIO: u64 = 0;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Owner of a task: either a socket or the scenario. The owner determines when the task must end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// Task of a socket: must end by itself after the socket is closed.
    Sockets,
    /// Task of the scenario: is dropped at the end of the scenario.
    Scenario,
}

/// Running tasks of a simulation.
#[derive(Default)]
pub(super) struct Tasks {
    /// Tasks by number, each with its owner. While a task is polled, its entry contains `None` instead of the task.
    by_number: BTreeMap<u64, (Owner, Option<Task>)>,
    last_number: u64,
    ready: Ready,
    turns: u64,
    /// Number of times that tasks of sockets have been polled.
    #[cfg(feature = "meter")]
    socket_turns: u64,
    /// Bytes that were counted on this thread before the simulation began.
    #[cfg(feature = "meter")]
    input_before: u64,
}

/// Numbers of the tasks that were woken and have not been polled since. The set has a lock of its own, because a waker
/// may be called while the state of the simulation is locked.
type Ready = Arc<Mutex<BTreeSet<u64>>>;

/// Waker of one task. It adds the number of the task to the ready tasks.
struct ReadyWaker {
    ready: Ready,
    number: u64,
}

impl Wake for ReadyWaker {
    fn wake(self: Arc<Self>) {
        self.ready.lock().expect("no thread panics while it holds the lock").insert(self.number);
    }
}

impl Tasks {
    fn waker(&self, number: u64) -> Waker {
        Arc::new(ReadyWaker { ready: Arc::clone(&self.ready), number }).into()
    }

    fn count(&self, of_owner: Owner) -> usize {
        self.by_number.values().filter(|(owner, _)| *owner == of_owner).count()
    }
}

impl Sim {
    pub(super) fn add(&self, task: Task, owner: Owner) {
        self.with(|world, wakes| {
            world.tasks.last_number += 1;
            let number = world.tasks.last_number;
            world.tasks.by_number.insert(number, (owner, Some(task)));
            wakes.push(world.tasks.waker(number));
        });
    }

    fn waker(&self, number: u64) -> Waker {
        self.with(|world, _| world.tasks.waker(number))
    }

    /// Chooses one of the ready tasks at random and returns its number; `None` if no task is ready. Advances the clock
    /// by the time that one poll of this task takes.
    fn draw(&self) -> Option<u64> {
        // A turn takes time, so that a task that polls in a loop sees time pass.
        let (number, turn_end) = self.with(|world, _| {
            let mut ready = world.tasks.ready.lock().expect("no thread panics while it holds the lock");
            let index = world.rng.below(u64::try_from(ready.len().max(1)).expect("the number of tasks is small"));
            let number = ready.iter().nth(usize::try_from(index).expect("the number of tasks is small")).copied()?;
            ready.remove(&number);
            world.tasks.turns += 1;
            assert!(world.tasks.turns < TURNS, "the scenario did not end within {TURNS} turns");
            Some((number, world.now + network::turn(&world.conditions, &mut world.rng)))
        })?;
        self.travel(turn_end);
        Some(number)
    }

    /// Returns the number of the next task to poll. While no task is ready, advances the clock to the next deadline.
    fn next(&self) -> u64 {
        loop {
            if let Some(number) = self.draw() {
                return number;
            }
            let Some(next) = self.next_deadline() else {
                let count = |owner| self.with(|world, _| world.tasks.count(owner));
                let (of_sockets, of_scenario) = (count(Owner::Sockets), count(Owner::Scenario));
                panic!(
                    "deadlock: no task is ready and no timer is armed; {of_sockets} tasks of sockets, {of_scenario} of the scenario"
                );
            };
            assert!(next.since(Instant::ORIGIN) < LIMIT, "the scenario did not end within {LIMIT:?} of virtual time");
            self.travel(next);
        }
    }

    /// Checks that tasks of sockets are not polled again and again without a reason: the number of turns must be in
    /// proportion to the bytes that were transferred and to the time that has passed.
    #[cfg(feature = "meter")]
    fn check_socket_turns(&self) {
        // Bytes may arrive one by one, and several tasks take part in the transfer of a byte.
        const PER_BYTE: u64 = 64;
        const PER_SECOND: u64 = 1000;
        let (turns, input, seconds) = self.with(|world, _| {
            let seconds = world.now.since(Instant::ORIGIN).as_secs();
            (world.tasks.socket_turns, cost::counted().input - world.tasks.input_before, seconds)
        });
        let limit = 20_000 + PER_BYTE * input + PER_SECOND * seconds;
        assert!(turns <= limit, "{turns} turns, at most {limit} are allowed for {input} bytes in {seconds} s");
    }

    /// Polls the task with this number once; does nothing if this task has ended.
    fn turn(&self, number: u64) {
        let task = self.with(|world, _| {
            let (owner, task) = world.tasks.by_number.get_mut(&number)?;
            #[cfg(feature = "meter")]
            if *owner == Owner::Sockets {
                world.tasks.socket_turns += 1;
            }
            #[cfg(not(feature = "meter"))]
            let _ = owner;
            task.take()
        });
        #[cfg(feature = "meter")]
        self.check_socket_turns();
        let Some(mut task) = task else { return };
        let done = task.as_mut().poll(&mut Context::from_waker(&self.waker(number))).is_ready();
        if done {
            // Dropped while the world is not locked, because the task owns timers, and dropping a timer locks the
            // world.
            drop(task);
            self.with(|world, _| drop(world.tasks.by_number.remove(&number)));
            return;
        }
        self.with(|world, _| {
            if let Some((_, slot)) = world.tasks.by_number.get_mut(&number) {
                *slot = Some(task);
            }
        });
    }

    /// Drops all tasks that the scenario has spawned.
    fn drop_scenario_tasks(&self) {
        let is_of_scenario = |_: &u64, (owner, _): &mut (Owner, Option<Task>)| *owner == Owner::Scenario;
        // Dropped after the lock is released, because a task may own timers of this world.
        let _dropped: Vec<_> = self.with(|world, _| world.tasks.by_number.extract_if(.., is_of_scenario).collect());
    }
}

/// Runs a scenario to completion in a new simulation, and then runs the tasks of its sockets until they end.
///
/// # Panics
/// If the scenario panics, or if the scenario or a socket deadlocks or takes longer than a day of virtual time.
pub fn run<F: Future<Output = ()>>(seed: u64, scenario: impl FnOnce() -> F) {
    run_around(seed, |step| step(), scenario);
}

/// Runs a scenario as [`run`] does. Calls `around` for each step of the simulation with a function that performs the step, for
/// example to measure the memory that the step allocates.
///
/// # Panics
/// As [`run`].
pub fn run_around<F: Future<Output = ()>>(seed: u64, around: impl Fn(&mut dyn FnMut()), scenario: impl FnOnce() -> F) {
    let sim = Sim::new(seed);
    #[cfg(feature = "meter")]
    sim.with(|world, _| world.tasks.input_before = cost::counted().input);
    let _guard = CurrentGuard::new(&sim);
    {
        let mut scenario = pin!(scenario());
        let waker = sim.waker(SCENARIO);
        let (mut next, mut is_done) = (SCENARIO, false);
        while !is_done {
            around(&mut || {
                if next == SCENARIO {
                    is_done = scenario.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
                } else {
                    sim.turn(next);
                }
                if !is_done {
                    next = sim.next();
                }
            });
        }
    }
    sim.drop_scenario_tasks();
    while sim.with(|world, _| world.tasks.count(Owner::Sockets)) > 0 {
        sim.turn(sim.next());
    }
}

/// Ends the current step of the scenario: the scenario continues in a later step, and other tasks may be polled before.
pub async fn end_step() {
    smol::future::yield_now().await;
}

/// Returns the number of times that tasks have been polled so far, including the scenario itself.
///
/// # Panics
/// Outside [`run`].
pub fn turns() -> u64 {
    Sim::current().with(|world, _| world.tasks.turns)
}

/// Runs a task concurrently with the scenario. The task is dropped at the end of the scenario.
///
/// # Panics
/// Outside [`run`].
pub fn spawn<R: Send + 'static>(task: impl Future<Output = R> + Send + 'static) -> impl Future<Output = R> {
    let (sender, receiver) = smol::channel::bounded(1);
    let task = async move {
        // The caller may have dropped the future that receives the result.
        let _ = sender.send(task.await).await;
    };
    Sim::current().add(Box::pin(task), Owner::Scenario);
    async move { receiver.recv().await.expect("tasks of the scenario run as long as the scenario") }
}

/// Guard that makes a simulation the current one of this thread.
struct CurrentGuard;

impl CurrentGuard {
    fn new(sim: &Sim) -> Self {
        let previous = CURRENT.replace(Some(sim.clone()));
        assert!(previous.is_none(), "simulations cannot be nested");
        Self
    }
}

impl Drop for CurrentGuard {
    fn drop(&mut self) {
        CURRENT.take();
    }
}
