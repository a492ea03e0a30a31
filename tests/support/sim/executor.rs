//! The tasks of a simulation, and [`run`], which gives them their turns in an order that the seed decides.

use super::world::Sim;
use super::{HERE, network};
use sansmq_proto::Instant;
use sansmq_runtime::CurrentRuntime;
use std::collections::{BTreeMap, BTreeSet};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

/// Virtual time enough for every linger and every retry of a scenario.
const LIMIT: Duration = Duration::from_hours(24);
/// Turns enough for the longest scenario.
const TURNS: u64 = 10_000_000;
/// The number of the scenario itself, which is not among the tasks.
const SCENARIO: u64 = 0;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Who asked for a task.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// Sockets: it has to end by itself when they are gone.
    Sockets,
    /// The scenario, with which it goes.
    Scenario,
}

/// The tasks that there are.
#[derive(Default)]
pub(super) struct Tasks {
    /// A task is not in its place while it has its turn.
    by_number: BTreeMap<u64, (Whose, Option<Task>)>,
    last: u64,
    ready: Ready,
    turns: u64,
}

/// The numbers of those who have something to do. It has a lock of its own, so that anybody may wake anywhere.
type Ready = Arc<Mutex<BTreeSet<u64>>>;

struct Call {
    ready: Ready,
    number: u64,
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        self.ready.lock().expect("nobody panics in here").insert(self.number);
    }
}

impl Tasks {
    fn waker(&self, number: u64) -> Waker {
        Arc::new(Call { ready: Arc::clone(&self.ready), number }).into()
    }

    fn count(&self, of: Whose) -> usize {
        self.by_number.values().filter(|(whose, _)| *whose == of).count()
    }
}

impl Sim {
    pub(super) fn add(&self, task: Task, whose: Whose) {
        self.with(|world, wakes| {
            world.tasks.last += 1;
            let number = world.tasks.last;
            world.tasks.by_number.insert(number, (whose, Some(task)));
            wakes.push(world.tasks.waker(number));
        });
    }

    fn waker(&self, number: u64) -> Waker {
        self.with(|world, _| world.tasks.waker(number))
    }

    /// Draws one of those who have something to do. Its turn takes a moment, so that whoever looks again and again sees
    /// time pass.
    fn draw(&self) -> Option<u64> {
        let (number, then) = self.with(|world, _| {
            let mut ready = world.tasks.ready.lock().expect("nobody panics in here");
            let index = world.dice.below(u64::try_from(ready.len().max(1)).expect("they are few"));
            let number = ready.iter().nth(usize::try_from(index).expect("they are few")).copied()?;
            ready.remove(&number);
            world.tasks.turns += 1;
            assert!(world.tasks.turns < TURNS, "nobody comes to rest");
            Some((number, world.now + network::turn(&world.conditions, &mut world.dice)))
        })?;
        self.travel(then);
        Some(number)
    }

    /// The next one to have a turn, at whatever time that is.
    fn next(&self) -> u64 {
        loop {
            if let Some(number) = self.draw() {
                return number;
            }
            let Some(next) = self.next_deadline() else {
                let count = |of| self.with(|world, _| world.tasks.count(of));
                let (sockets, others) = (count(Whose::Sockets), count(Whose::Scenario));
                panic!("everybody sleeps for ever: {sockets} tasks of sockets, {others} of the scenario");
            };
            assert!(next.since(Instant::ORIGIN) < LIMIT, "a day is over");
            self.travel(next);
        }
    }

    /// Gives a task its turn. One that has ended has none.
    fn turn(&self, number: u64) {
        let task = self.with(|world, _| world.tasks.by_number.get_mut(&number).and_then(|(_, task)| task.take()));
        let Some(mut task) = task else { return };
        let done = task.as_mut().poll(&mut Context::from_waker(&self.waker(number))).is_ready();
        if done {
            // Dropped while the world is not locked, because a task owns timers of this world.
            drop(task);
            self.with(|world, _| drop(world.tasks.by_number.remove(&number)));
            return;
        }
        self.with(|world, _| {
            if let Some((_, place)) = world.tasks.by_number.get_mut(&number) {
                *place = Some(task);
            }
        });
    }

    /// Ends the scenario's own tasks.
    fn dismiss(&self) {
        let theirs = |_: &u64, (whose, _): &mut (Whose, Option<Task>)| *whose == Whose::Scenario;
        // What they own is dropped when the lock is open again.
        let _dismissed: Vec<_> = self.with(|world, _| world.tasks.by_number.extract_if(.., theirs).collect());
    }
}

/// Runs a scenario to its end in a simulation of its own, and then lets its sockets come to theirs.
///
/// # Panics
/// If the scenario does, or it or a socket without handles waits for what will never happen, or for longer than a day.
pub fn run<F: Future<Output = ()>>(seed: u64, scenario: impl FnOnce() -> F) {
    let sim = Sim::new(seed);
    let _here = Here::new(&sim);
    {
        let mut scenario = pin!(scenario());
        let waker = sim.waker(SCENARIO);
        let mut next = SCENARIO;
        while next != SCENARIO || scenario.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            sim.turn(next);
            next = sim.next();
        }
    }
    sim.dismiss();
    while sim.with(|world, _| world.tasks.count(Whose::Sockets)) > 0 {
        sim.turn(sim.next());
    }
}

/// How many turns tasks and the scenario have had so far.
///
/// # Panics
/// Outside [`run`].
pub fn turns() -> u64 {
    Sim::current().with(|world, _| world.tasks.turns)
}

/// Runs a task beside the scenario, with which it ends.
///
/// # Panics
/// Outside [`run`].
pub fn spawn<R: Send + 'static>(task: impl Future<Output = R> + Send + 'static) -> impl Future<Output = R> {
    let (tell, told) = smol::channel::bounded(1);
    let task = async move {
        // Nobody may want to know.
        let _ = tell.send(task.await).await;
    };
    Sim::current().add(Box::pin(task), Whose::Scenario);
    async move { told.recv().await.expect("the scenario waits, so its tasks go on") }
}

/// Makes a simulation the one of this thread.
struct Here;

impl Here {
    fn new(sim: &Sim) -> Self {
        let other = HERE.replace(Some(sim.clone()));
        assert!(other.is_none(), "a simulation does not run in another one");
        Self
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        HERE.take();
    }
}
