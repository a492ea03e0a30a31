//! Counts the tasks and descriptors that a test leaves behind. Each test runs in a separate process, because
//! descriptors are counted for the whole process.

use crate::runtimes::{ALL, RuntimeHandle, TestRuntime, limited};
use sansmq::Options;
use sansmq::kind::Pair;
use std::env;
use std::ffi::OsStr;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Maximum time in which a closed socket must release its tasks and descriptors. Long enough for failing name lookups
/// and slow machines.
pub const RELEASE_TIMEOUT: Duration = Duration::from_mins(1);

/// Number of tasks of a runtime, and number of file descriptors of the process, at one instant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Counts {
    /// Number of running tasks that serve sockets.
    pub tasks: usize,
    /// Number of open file descriptors of the process.
    pub descriptors: usize,
}

/// Returns the current number of tasks of `runtime`, and the current number of file descriptors of the process.
pub fn counts(runtime: &dyn TestRuntime) -> Counts {
    Counts { tasks: runtime.tasks(), descriptors: descriptors() }
}

/// Returns the number of open descriptors of this process; always 0 on systems without `/proc`.
pub fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// Runs the tasks of `runtime` until the numbers of tasks and descriptors are no higher than in `before`. `what` is the
/// name of the test phase for the panic message.
///
/// # Panics
/// If the counts are still higher after [`RELEASE_TIMEOUT`].
pub fn wait_for_release(runtime: &mut dyn TestRuntime, before: Counts, what: &str) {
    let start = Instant::now();
    loop {
        let now = counts(runtime);
        if now.tasks <= before.tasks && now.descriptors <= before.descriptors {
            return;
        }
        assert!(start.elapsed() < RELEASE_TIMEOUT, "{what}: {now:?} remain, expected at most {before:?}");
        runtime.step();
    }
}

/// Environment variable that selects the runtime on which a child process runs its test.
const RUNTIME: &str = "SANSMQ_TEST_RUNTIME";

/// Runs a test on each runtime. The test receives the numbers of tasks and descriptors before its start. Each run is a
/// separate process, because descriptors and memory are counted for the whole process. The processes of one test run
/// concurrently.
///
/// # Panics
/// If a run panics, or does not end within five times [`RELEASE_TIMEOUT`].
pub fn on_each(test: impl Fn(&mut dyn TestRuntime, Counts) + Send + Sync + 'static) {
    on_each_with(&[], test);
}

/// Runs a test like [`on_each`], with additional environment variables in the child processes.
///
/// # Panics
/// As [`on_each`].
pub fn on_each_with(variables: &[(&str, &OsStr)], test: impl Fn(&mut dyn TestRuntime, Counts) + Send + Sync + 'static) {
    let (chosen, thread) = (env::var(RUNTIME).ok(), thread::current());
    // With `--test-threads=1`, tests run one after another on the main thread, which has no test's name: no child
    // process.
    let test_name = thread.name().filter(|name| chosen.is_none() && *name != "main");
    let Some(test_name) = test_name else {
        return limited(RELEASE_TIMEOUT * 5, move || {
            for (_, make) in ALL.iter().filter(|(name, _)| chosen.as_ref().is_none_or(|chosen| chosen == name)) {
                run_on(&mut *make(), &test);
            }
        });
    };
    let children = ALL.map(|(name, _)| {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args([test_name, "--exact", "--nocapture"]).env(RUNTIME, name);
        command.envs(variables.iter().copied());
        (name, command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    });
    let failed = children.map(|(name, child)| {
        let output = child.wait_with_output().unwrap();
        let passed = output.status.success() && String::from_utf8_lossy(&output.stdout).contains("1 passed");
        if !passed {
            let [stdout, stderr] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
            eprintln!("on {name}: {}\n{stdout}{stderr}", output.status);
        }
        (!passed).then_some(name)
    });
    assert_eq!(failed.iter().flatten().count(), 0, "failed on {failed:?}");
}

/// Runs a test on a runtime that has already been used once. So the reactors, threads and descriptors that the first
/// use of the runtime creates are not reported as leaks of the test.
fn run_on(runtime: &mut dyn TestRuntime, test: &impl Fn(&mut dyn TestRuntime, Counts)) {
    let handle = runtime.handle();
    // The first use creates reactors, threads and descriptors that stay open; they are not leaks of the test.
    runtime.run(Box::pin(exchange(&handle)));
    wait_for_release(runtime, Counts { tasks: 0, descriptors: usize::MAX }, "the first use");
    let before = counts(runtime);
    test(runtime, before);
}

/// Connects two new sockets and sends a message from one to the other.
async fn exchange(handle: &RuntimeHandle) {
    let [one, other] = [(); 2].map(|()| handle.socket(Options::<Pair>::new()));
    one.connect(other.bind("tcp://127.0.0.1:*").await.unwrap()).unwrap();
    one.send("hello").await.unwrap();
    other.recv().await.unwrap();
}
