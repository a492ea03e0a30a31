//! What a test leaves behind, counted: tasks and descriptors. A process of its own is needed for that.

use crate::ground::{self, Ground, Place, limited};
use sansmq::Options;
use sansmq::kind::Pair;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a socket may take to go, names that nobody knows and a slow machine included.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Tasks, and descriptors of the process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Counts {
    pub(crate) tasks: usize,
    pub(crate) descriptors: usize,
}

pub(crate) fn counts(ground: &dyn Ground) -> Counts {
    Counts { tasks: ground.tasks(), descriptors: descriptors() }
}

/// Always 0 where there is no `/proc`.
pub(crate) fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// Waits until no more is left than this.
pub(crate) fn settle(ground: &mut dyn Ground, before: Counts, what: &str) {
    let start = Instant::now();
    loop {
        let now = counts(ground);
        if now.tasks <= before.tasks && now.descriptors <= before.descriptors {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{what}: there were {before:?}, and there are {now:?}");
        ground.step();
    }
}

/// Runs a test on each runtime, with what there was before; alone, for it counts descriptors, and may count memory: what a
/// test needs much of it for is to be made in there.
pub(crate) fn on_each(test: impl Fn(&mut dyn Ground, Counts) + Send + Sync + 'static) {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    limited(PATIENCE * 5, move || {
        for (name, ground) in ground::ALL {
            eprintln!("on {name}");
            let mut ground = ground();
            let place = ground.place();
            // Reactors, threads and their descriptors come with the first use, and stay.
            ground.run(Box::pin(meet(&place)));
            let bare = Counts { tasks: 0, descriptors: usize::MAX };
            settle(&mut *ground, bare, "the first use");
            let before = counts(&*ground);
            test(&mut *ground, before);
        }
    });
    drop(turn);
}

/// Two peers speak.
async fn meet(place: &Place) {
    let [one, other] = [(); 2].map(|()| place.socket(Options::<Pair>::new()));
    one.connect(other.bind("tcp://127.0.0.1:*").await.unwrap()).unwrap();
    one.send("hello").await.unwrap();
    other.recv().await.unwrap();
}
