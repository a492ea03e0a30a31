//! Blocking sockets after a fork. Each test runs in a process of its own, because the test process has threads of other
//! tests; that process forks.

use fork::{Fork, fork, waitpid};
use sansmq::kind::{Pub, Pull, Push};
use sansmq::mio::{EventLoop, PollItem, Socket, poll, proxy, run_proxy, run_proxy_timeout};
use sansmq::{BindError, NetworkError, Options, Proxy};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, abort, exit};
use std::time::Duration;
use std::{env, thread};

/// Environment variable of the process that runs a test.
const FORKS: &str = "SANSMQ_TEST_FORKS";
/// Time after which a forked child is stopped, because a call does not return.
const LIMIT: Duration = Duration::from_secs(10);
/// Longer than the tests run.
const LONG: Duration = Duration::from_hours(1);
const ANY: &str = "tcp://127.0.0.1:*";
/// Endpoint without a listener.
const UNREACHABLE: &str = "inproc://not-bound";

/// Returns true if the current process must run the test. Otherwise, runs the test `test` in a new process.
fn is_process_of(test: &str) -> bool {
    if env::var_os(FORKS).is_some() {
        return true;
    }
    let mut command = Command::new(env::current_exe().unwrap());
    command.args([&format!("fork::{test}"), "--exact", "--nocapture"]).env(FORKS, "1");
    assert!(command.status().unwrap().success());
    false
}

/// Forks, and runs `work` in the child. In the parent, returns the process id of the child.
fn in_child(name: &str, work: impl FnOnce()) -> i32 {
    wait_until_background_thread_sleeps();
    match fork().unwrap() {
        Fork::Parent(child) => child,
        Fork::Child => {
            let name = name.to_owned();
            thread::spawn(move || {
                thread::sleep(LIMIT);
                eprintln!("{name}: no return within {LIMIT:?}");
                abort();
            });
            let outcome = catch_unwind(AssertUnwindSafe(work));
            exit(i32::from(outcome.is_err()));
        }
    }
}

/// Waits until the thread `sansmq` sleeps, so that it holds no lock. Works where the system has the directory `/proc`.
fn wait_until_background_thread_sleeps() {
    let is_awake = |task: fs::DirEntry| {
        let stat = fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        stat.contains("(sansmq)") && !stat.contains("(sansmq) S")
    };
    while fs::read_dir("/proc/self/task").is_ok_and(|mut tasks| tasks.any(|task| task.is_ok_and(is_awake))) {
        thread::yield_now();
    }
}

/// Sockets that are created before the fork.
struct Sockets {
    pull: Socket<Pull>,
    bound: String,
    /// Connected to `pull`.
    push: Socket<Push>,
    /// Has no peer, and one queued message.
    alone: Socket<Push>,
    /// Has no connection.
    idle: Socket<Push>,
    publisher: Socket<Pub>,
}

impl Sockets {
    fn new() -> Self {
        let pull = Socket::new();
        let bound = pull.bind(ANY).unwrap().to_string();
        let push = Socket::new();
        push.connect(bound.as_str()).unwrap();
        let alone = Socket::with_options(Options::new().linger(LONG));
        alone.connect(UNREACHABLE).unwrap();
        alone.send("queued").unwrap();
        let sockets = Self { pull, bound, push, alone, idle: Socket::new(), publisher: Socket::new() };
        sockets.exchange();
        sockets
    }

    fn exchange(&self) {
        self.push.send("message").unwrap();
        assert_eq!(self.pull.recv_timeout(LIMIT).unwrap().body(), "message");
    }
}

/// Checks that an error names the fork and the remedy.
#[track_caller]
fn assert_forked<R>(result: Result<R, impl ToString>) {
    let error = result.err().expect("an error is returned").to_string();
    assert!(error.contains("create sockets after the fork"), "{error}");
}

type Case = fn(&Sockets);

/// Blocking calls, each with its outcome in a forked child.
const CALLS: [(&str, Case); 32] = [
    ("recv", |sockets| assert_forked(sockets.pull.recv())),
    ("recv_timeout", |sockets| assert_forked(sockets.pull.recv_timeout(LONG))),
    ("recv_from", |sockets| assert_forked(sockets.pull.recv_from())),
    ("recv_from_timeout", |sockets| assert_forked(sockets.pull.recv_from_timeout(LONG))),
    ("readable_timeout", |sockets| assert!(!sockets.pull.readable_timeout(LONG))),
    ("iter", |sockets| {
        let mut received = sockets.pull.iter();
        assert_forked(received.next().unwrap());
        assert!(received.next().is_none());
    }),
    ("send", |sockets| {
        let error = sockets.idle.send("returned").unwrap_err();
        assert_eq!(error.clone().into_message().body(), "returned");
        assert_forked::<()>(Err(error));
    }),
    ("send_timeout", |sockets| assert_forked(sockets.idle.send_timeout("message", LONG))),
    ("writable_timeout", |sockets| assert!(!sockets.idle.writable_timeout(LONG))),
    ("flush", |sockets| assert!(!sockets.alone.flush())),
    ("flush_timeout", |sockets| assert!(!sockets.alone.flush_timeout(LONG))),
    ("bind", |sockets| assert_forked(sockets.pull.bind(ANY))),
    ("bind_timeout", |sockets| assert_forked(sockets.pull.bind_timeout(ANY, LONG))),
    ("bind_listener", |sockets| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert_forked(sockets.pull.bind_listener(listener));
    }),
    ("unbind", |sockets| assert_forked(sockets.pull.unbind(sockets.bound.as_str()))),
    ("unbind_timeout", |sockets| assert_forked(sockets.pull.unbind_timeout(sockets.bound.as_str(), LONG))),
    ("connect", |sockets| assert_forked(sockets.push.connect(sockets.bound.as_str()))),
    ("connect_and_wait", |sockets| assert_forked(sockets.idle.connect_and_wait(sockets.bound.as_str(), None))),
    ("wait_connected", |sockets| assert_forked(sockets.idle.wait_connected(1, None))),
    ("wait_subscribed", |sockets| assert_forked(sockets.publisher.wait_subscribed("topic", 1, None))),
    ("events", |sockets| assert!(sockets.pull.monitor().next().is_none())),
    ("recv of events", |sockets| assert_forked(sockets.pull.monitor().recv())),
    ("recv_timeout of events", |sockets| assert_forked(sockets.pull.monitor().recv_timeout(LONG))),
    ("poll", |sockets| assert_forked(poll(&mut [PollItem::readable(&sockets.pull)], None))),
    ("poll of a ready descriptor", |sockets| {
        let (pipe, writer) = std::io::pipe().unwrap();
        drop(writer);
        let mut items = [PollItem::readable(&sockets.pull), PollItem::input(&pipe)];
        assert_eq!(poll(&mut items, None).unwrap(), 1);
    }),
    ("proxy", |sockets| assert_forked(proxy(&sockets.pull, &sockets.push))),
    ("run_proxy", |sockets| assert_forked(run_proxy(&mut Proxy::new(&sockets.pull, &sockets.push)))),
    ("run_proxy_timeout", |sockets| {
        assert_forked(run_proxy_timeout(&mut Proxy::new(&sockets.pull, &sockets.push), LONG));
    }),
    ("close", |sockets| assert_eq!(sockets.alone.close().unsent, 1)),
    ("close_within", |sockets| assert_eq!(sockets.alone.close_within(LONG).unsent, 1)),
    ("close_timeout", |sockets| assert_eq!(sockets.alone.close_timeout(LONG).unwrap().unsent, 1)),
    ("drop", |_| ()),
];

#[test]
fn blocking_call_in_forked_child_returns_at_once() {
    if !is_process_of("blocking_call_in_forked_child_returns_at_once") {
        return;
    }
    let mut sockets = Some(Sockets::new());
    for (name, call) in CALLS {
        let child = in_child(name, || {
            call(sockets.as_ref().unwrap());
            drop(sockets.take());
        });
        assert_eq!(waitpid(child).unwrap(), 0, "exit status of the child for {name}");
    }
    let sockets = sockets.unwrap();
    sockets.exchange();
    sockets.alone.close_within(Duration::ZERO);
}

#[test]
fn socket_created_in_forked_child_works() {
    if !is_process_of("socket_created_in_forked_child_works") {
        return;
    }
    let sockets = Sockets::new();
    // The thread has a stream for wake-ups before it forks.
    assert_eq!(poll(&mut [PollItem::readable(&sockets.pull)], Some(Duration::ZERO)).unwrap(), 0);
    let child = in_child("new sockets", || {
        for endpoint in [ANY, UNREACHABLE] {
            let (pull, push) = (Socket::<Pull>::new(), Socket::<Push>::new());
            push.connect(pull.bind(endpoint).unwrap()).unwrap();
            push.send("in the child").unwrap();
            assert_eq!(poll(&mut [PollItem::readable(&pull)], None).unwrap(), 1);
            assert_eq!(pull.recv().unwrap().body(), "in the child");
        }
        let push = Socket::<Push>::new();
        push.connect(sockets.bound.as_str()).unwrap();
        push.send("to the parent").unwrap();
        // The drop waits until the message is sent, although sockets of the parent are open.
        drop(push);
    });
    assert_eq!(waitpid(child).unwrap(), 0, "exit status of the child");
    assert_eq!(sockets.pull.recv_timeout(LIMIT).unwrap().body(), "to the parent");
    sockets.exchange();
    sockets.alone.close_within(Duration::ZERO);
}

#[test]
fn bind_in_forked_child_does_not_wait_for_parent() {
    if !is_process_of("bind_in_forked_child_does_not_wait_for_parent") {
        return;
    }
    let mut events = EventLoop::new().unwrap();
    let pull = events.remote().socket(Options::<Pull>::new());
    let bound = events.block_on(pull.bind(ANY)).unwrap();
    // The event loop does not run any more, so the listener stays open.
    drop(pull);
    let child = in_child("bind", || {
        let bound = Socket::<Pull>::new().bind(bound);
        assert!(matches!(bound, Err(BindError::Network { error: NetworkError::AddressInUse, .. })), "{bound:?}");
    });
    assert_eq!(waitpid(child).unwrap(), 0, "exit status of the child");
}
