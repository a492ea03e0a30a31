//! Counts the tasks and descriptors that a test leaves behind. Only for a test binary in which every test uses it: descriptors
//! are counted for the whole process.

use crate::runtimes::{ALL, RuntimeHandle, TestRuntime, limited};
use sansmq::Options;
use sansmq::kind::Pair;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Maximum time for a closed socket to release everything, failing name lookups and slow machines included.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Number of tasks of a runtime, and of descriptors of the process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Counts {
    /// Tasks that serve sockets.
    pub tasks: usize,
    /// Open descriptors.
    pub descriptors: usize,
}

/// Counts tasks and descriptors.
pub fn counts(runtime: &dyn TestRuntime) -> Counts {
    Counts { tasks: runtime.tasks(), descriptors: descriptors() }
}

/// Returns the number of open descriptors; always 0 on systems without `/proc`.
pub fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// Runs the tasks until no more are left than `before`.
///
/// # Panics
/// After [`PATIENCE`].
pub fn settle(runtime: &mut dyn TestRuntime, before: Counts, what: &str) {
    let start = Instant::now();
    loop {
        let now = counts(runtime);
        if now.tasks <= before.tasks && now.descriptors <= before.descriptors {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{what}: there were {before:?}, and there are {now:?}");
        runtime.step();
    }
}

/// Runs a test on each runtime, with the counts before the test. No two of these tests run at once: they count descriptors, and
/// some count memory.
///
/// # Panics
/// If the test panics, or does not end within five times [`PATIENCE`].
pub fn on_each(test: impl Fn(&mut dyn TestRuntime, Counts) + Send + Sync + 'static) {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    limited(PATIENCE * 5, move || {
        for (name, make) in ALL {
            eprintln!("on {name}");
            let mut runtime = make();
            let handle = runtime.handle();
            // The first use creates reactors, threads and their descriptors, which are not closed.
            runtime.run(Box::pin(exchange(&handle)));
            let bare = Counts { tasks: 0, descriptors: usize::MAX };
            settle(&mut *runtime, bare, "the first use");
            let before = counts(&*runtime);
            test(&mut *runtime, before);
        }
    });
    drop(turn);
}

/// Sends a message between two sockets.
async fn exchange(handle: &RuntimeHandle) {
    let [one, other] = [(); 2].map(|()| handle.socket(Options::<Pair>::new()));
    one.connect(other.bind("tcp://127.0.0.1:*").await.unwrap()).unwrap();
    one.send("hello").await.unwrap();
    other.recv().await.unwrap();
}
