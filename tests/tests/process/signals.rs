//! Blocking calls that a signal interrupts. Each case runs in a process of its own. The signal is SIGSEGV: the standard library
//! installs a handler for it without `SA_RESTART`, which restores the default action at its first run, so no case can send two.

use nix::sys::pthread::pthread_kill;
use nix::sys::signal::Signal;
use sansmq::kind::{Pub, Pull, Push};
use sansmq::mio::{EventLoop, PollItem, Socket, poll, proxy, run_proxy_timeout};
use sansmq::{BindError, Options, Proxy, RecvError, SendError, UnbindError};
use std::os::unix::thread::JoinHandleExt;
use std::process::{Command, abort};
use std::time::Duration;
use std::{env, fs, thread};

/// Environment variable with the name of the case that the current process must run.
const CASE: &str = "SANSMQ_TEST_SIGNAL";
/// Time after which the process of a case ends, because its call does not return.
const LIMIT: Duration = Duration::from_secs(20);
/// Longer than the tests run.
const LONG: Duration = Duration::from_hours(1);
const ANY: &str = "tcp://127.0.0.1:*";
/// Endpoint without a listener.
const UNREACHABLE: &str = "inproc://not-bound";

/// Sockets without peers, so that calls block.
struct Sockets {
    pull: Socket<Pull>,
    push: Socket<Push>,
    /// Has a queued message that is never sent.
    full: Socket<Push>,
    publisher: Socket<Pub>,
    /// Event loop that does not run.
    events: EventLoop,
}

impl Sockets {
    fn new() -> Self {
        let full = Socket::with_options(Options::new().linger(Duration::ZERO));
        full.connect(UNREACHABLE).unwrap();
        full.send("queued").unwrap();
        let pull = Socket::new();
        pull.bind(ANY).unwrap();
        Self { pull, push: Socket::new(), full, publisher: Socket::new(), events: EventLoop::new().unwrap() }
    }

    /// Returns the endpoint of a listener that stays open, because its event loop does not run any more.
    fn bind_forever(&mut self) -> (Socket<Pull>, String) {
        let remote = self.events.remote();
        let handle = remote.socket(Options::<Pull>::new());
        let bound = self.events.block_on(handle.bind(ANY)).unwrap();
        (handle.into(), bound.to_string())
    }
}

/// Checks that an error names the signal.
#[track_caller]
fn assert_interrupted<R>(result: Result<R, impl ToString>) {
    let error = result.err().expect("an error is returned").to_string();
    assert!(error.contains("a signal interrupted the call"), "{error}");
}

type Case = fn(&mut Sockets);

/// Blocking calls, each with its outcome after a signal.
const CALLS: [(&str, Case); 24] = [
    ("recv", |sockets| assert_interrupted(sockets.pull.recv())),
    ("recv_timeout", |sockets| assert_interrupted(sockets.pull.recv_timeout(LONG))),
    ("recv_from", |sockets| assert_interrupted(sockets.pull.recv_from())),
    ("recv_from_timeout", |sockets| assert_interrupted(sockets.pull.recv_from_timeout(LONG))),
    ("iter", |sockets| assert_interrupted(sockets.pull.iter().next().unwrap())),
    ("send", |sockets| {
        let error = sockets.push.send("returned").unwrap_err();
        assert!(matches!(error, SendError::Interrupted(_)), "{error}");
        assert_eq!(error.into_message().body(), "returned");
    }),
    ("send_timeout", |sockets| assert_interrupted(sockets.push.send_timeout("message", LONG))),
    ("flush", |sockets| assert!(!sockets.full.flush())),
    ("flush_timeout", |sockets| assert!(!sockets.full.flush_timeout(LONG))),
    ("readable_timeout", |sockets| assert!(!sockets.pull.readable_timeout(LONG))),
    ("writable_timeout", |sockets| assert!(!sockets.push.writable_timeout(LONG))),
    ("close_timeout", |_| {
        let socket = Socket::<Push>::with_options(Options::new().linger(LONG));
        socket.connect(UNREACHABLE).unwrap();
        socket.send("queued").unwrap();
        assert!(socket.close_timeout(LONG).is_none());
        assert_eq!(socket.close_within(Duration::ZERO).unsent, 1, "the message was not dropped before");
    }),
    ("connect_and_wait", |sockets| assert_interrupted(sockets.push.connect_and_wait(UNREACHABLE, None))),
    ("connect_and_wait with a limit", |sockets| assert_interrupted(sockets.push.connect_and_wait(UNREACHABLE, LONG))),
    ("wait_connected", |sockets| assert_interrupted(sockets.pull.wait_connected(1, LONG))),
    ("wait_subscribed", |sockets| assert_interrupted(sockets.publisher.wait_subscribed("topic", 1, None))),
    ("events", |sockets| assert_interrupted(sockets.pull.monitor().recv())),
    ("events with a timeout", |sockets| assert_interrupted(sockets.pull.monitor().recv_timeout(LONG))),
    ("poll", |sockets| {
        let error = poll(&mut [PollItem::readable(&sockets.pull)], None).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::Interrupted);
        assert_interrupted::<()>(Err(error));
    }),
    ("proxy", |sockets| assert_interrupted(proxy(&sockets.pull, &sockets.push))),
    ("run_proxy_timeout", |sockets| {
        let mut proxy = Proxy::new(&sockets.pull, &sockets.push);
        assert_interrupted(run_proxy_timeout(&mut proxy, LONG));
    }),
    ("bind", |sockets| {
        let (socket, bound) = sockets.bind_forever();
        drop(socket);
        let error = Socket::<Pull>::new().bind(bound.as_str()).unwrap_err();
        assert!(matches!(error, BindError::Interrupted), "{error}");
    }),
    ("bind_timeout", |sockets| {
        let (socket, bound) = sockets.bind_forever();
        drop(socket);
        assert_interrupted(Socket::<Pull>::new().bind_timeout(bound.as_str(), LONG));
    }),
    ("unbind", |sockets| {
        let (socket, bound) = sockets.bind_forever();
        let error = socket.unbind(bound.as_str()).unwrap_err();
        assert!(matches!(error, UnbindError::Interrupted), "{error}");
    }),
];

/// Runs the test `test` in a new process for each name of `cases`. In such a process, returns the name of its case.
fn case_of(test: &str, cases: &[&str]) -> Option<String> {
    if let Ok(case) = env::var(CASE) {
        return Some(case);
    }
    for case in cases {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args([&format!("signals::{test}"), "--exact", "--nocapture"]).env(CASE, case);
        assert!(command.status().unwrap().success(), "{case}");
    }
    None
}

/// Ends the current process after some time, because a call does not return.
fn limit_time() {
    thread::spawn(|| {
        thread::sleep(LIMIT);
        eprintln!("no return within {LIMIT:?}");
        abort();
    });
}

/// Waits until all other threads sleep, so that the thread of the call is blocked.
fn wait_until_threads_sleep() {
    let me = fs::read_link("/proc/thread-self").unwrap();
    let is_awake = |task: fs::DirEntry| {
        let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        Some(task.file_name().as_os_str()) != me.file_name()
            && !stat.rsplit(')').next().is_some_and(|state| state.starts_with(" S"))
    };
    // A thread that yields to another one sleeps for a moment too.
    let mut times = 0;
    while times < 100 {
        let is_any_awake = fs::read_dir("/proc/self/task").unwrap().any(|task| is_awake(task.unwrap()));
        times = if is_any_awake { 0 } else { times + 1 };
        thread::yield_now();
    }
}

#[test]
fn signal_interrupts_each_blocking_call() {
    let names = CALLS.map(|(name, _)| name);
    let Some(case) = case_of("signal_interrupts_each_blocking_call", &names) else { return };
    let (_, call) = *CALLS.iter().find(|(name, _)| *name == case).unwrap();
    limit_time();
    let caller = thread::spawn(move || {
        let mut sockets = Sockets::new();
        call(&mut sockets);
        // The socket still works, and no message is lost.
        let push = Socket::<Push>::new();
        push.connect(sockets.pull.bind(ANY).unwrap()).unwrap();
        push.send("after the signal").unwrap();
        assert_eq!(sockets.pull.recv().unwrap().body(), "after the signal");
        // The drop would wait for the event loop that does not run.
        std::mem::forget(sockets);
    });
    wait_until_threads_sleep();
    pthread_kill(caller.as_pthread_t(), Signal::SIGSEGV).unwrap();
    caller.join().unwrap();
}

#[test]
fn signal_handler_with_restart_does_not_interrupt() {
    let cases = ["recv", "recv_timeout"];
    let Some(case) = case_of("signal_handler_with_restart_does_not_interrupt", &cases) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let kind = tokio::signal::unix::SignalKind::user_defined1();
    // Installs a handler with `SA_RESTART`.
    let mut signals = runtime.block_on(async { tokio::signal::unix::signal(kind) }).unwrap();
    let pull = Socket::<Pull>::new();
    let push = Socket::<Push>::new();
    push.connect_and_wait(pull.bind(ANY).unwrap(), None).unwrap();
    limit_time();
    let caller = thread::spawn(move || {
        let received = if case == "recv" { pull.recv() } else { pull.recv_timeout(LONG) };
        assert!(!matches!(received, Err(RecvError::Interrupted)));
        received.unwrap()
    });
    for _ in 0..3 {
        wait_until_threads_sleep();
        pthread_kill(caller.as_pthread_t(), Signal::SIGUSR1).unwrap();
        runtime.block_on(signals.recv()).unwrap();
    }
    push.send("after the signals").unwrap();
    assert_eq!(caller.join().unwrap().body(), "after the signals");
}
