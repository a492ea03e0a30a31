//! All runtimes of sansmq behind one trait, which counts the tasks that serve sockets.

use futures_util::future::LocalBoxFuture;
use sansmq::kind::Kind;
use sansmq::mio::{EventLoop, Remote};
use sansmq::runtime::{CurrentRuntime, spawn_socket};
use sansmq::smol::Smol;
use sansmq::tokio::Tokio;
use sansmq::{Context, Handle, Options};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// Runtime that runs a test and the tasks of its sockets.
pub trait TestRuntime {
    /// Returns a handle that creates sockets on this runtime.
    fn handle(&self) -> RuntimeHandle;

    /// Runs a scenario to completion.
    fn run(&mut self, scenario: LocalBoxFuture<'_, ()>);

    /// Runs the tasks that serve sockets for one millisecond.
    fn step(&mut self);

    /// Returns the number of tasks that serve sockets.
    fn tasks(&self) -> usize;
}

type Make = fn() -> Box<dyn TestRuntime>;

/// Name of each runtime, and a function that creates the runtime.
pub const ALL: [(&str, Make); 5] = [
    ("tokio, one thread", || Box::new(OnTokio(Builder::new_current_thread().enable_all().build().unwrap()))),
    ("tokio, several threads", || {
        Box::new(OnTokio(Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()))
    }),
    ("smol", || Box::new(OnSmol::default())),
    ("mio", || Box::new(OnMio(EventLoop::new().unwrap()))),
    ("mio, blocking sockets", || Box::new(OnThread::new())),
];

/// Factory of sockets on one runtime.
#[derive(Clone, Debug)]
pub enum RuntimeHandle {
    /// Sockets on tokio.
    Tokio(Tokio),
    /// Sockets on smol.
    Smol(Smol),
    /// Sockets on a mio event loop.
    Mio(Remote),
    /// Blocking sockets, which the event loop of another thread serves.
    Blocking(Remote),
}

impl RuntimeHandle {
    /// Creates a socket in the global context.
    pub fn socket<T: Kind>(&self, options: Options<T>) -> Handle<T> {
        match self {
            Self::Blocking(remote) => sansmq::mio::Socket::on(remote, options).handle().clone(),
            Self::Tokio(_) | Self::Smol(_) | Self::Mio(_) => self.socket_in(&Context::global(), options),
        }
    }

    /// Creates a socket in `context`.
    pub fn socket_in<T: Kind>(&self, context: &Context, options: Options<T>) -> Handle<T> {
        match self {
            Self::Tokio(runtime) => spawn_socket(options, context, runtime),
            Self::Smol(runtime) => spawn_socket(options, context, runtime),
            Self::Mio(remote) | Self::Blocking(remote) => remote.socket_in(context, options),
        }
    }
}

/// Duration of one call of [`TestRuntime::step`].
const STEP: Duration = Duration::from_millis(1);

struct OnTokio(Runtime);

impl TestRuntime for OnTokio {
    fn handle(&self) -> RuntimeHandle {
        let _inside = self.0.enter();
        RuntimeHandle::Tokio(Tokio::current())
    }

    fn run(&mut self, scenario: LocalBoxFuture<'_, ()>) {
        self.0.block_on(scenario);
    }

    fn step(&mut self) {
        self.0.block_on(async { tokio::time::sleep(STEP).await });
    }

    fn tasks(&self) -> usize {
        self.0.metrics().num_alive_tasks()
    }
}

#[derive(Default)]
struct OnSmol {
    executor: Arc<smol::Executor<'static>>,
    tasks: Arc<AtomicUsize>,
}

impl TestRuntime for OnSmol {
    fn handle(&self) -> RuntimeHandle {
        // A task holds this closure, and would keep the executor in memory that holds the task.
        let (executor, tasks) = (Arc::downgrade(&self.executor), Arc::clone(&self.tasks));
        RuntimeHandle::Smol(Smol::new(move |task| {
            let counted = Counted::new(&tasks);
            let task = async move {
                task.await;
                drop(counted);
            };
            if let Some(executor) = executor.upgrade() {
                executor.spawn(task).detach();
            }
        }))
    }

    fn run(&mut self, scenario: LocalBoxFuture<'_, ()>) {
        smol::block_on(self.executor.run(scenario));
    }

    fn step(&mut self) {
        smol::block_on(self.executor.run(smol::Timer::after(STEP)));
    }

    fn tasks(&self) -> usize {
        self.tasks.load(Ordering::SeqCst)
    }
}

/// Guard that counts a running task. Drop decrements the number of running tasks.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

struct OnMio(EventLoop);

impl TestRuntime for OnMio {
    fn handle(&self) -> RuntimeHandle {
        RuntimeHandle::Mio(self.0.remote())
    }

    fn run(&mut self, scenario: LocalBoxFuture<'_, ()>) {
        self.0.block_on(scenario);
    }

    fn step(&mut self) {
        self.0.turn(Some(STEP)).unwrap();
    }

    fn tasks(&self) -> usize {
        self.0.tasks()
    }
}

/// Runtime for blocking sockets. An event loop on another thread serves these sockets.
struct OnThread {
    remote: Remote,
    tasks: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl OnThread {
    fn new() -> Self {
        let mut events = EventLoop::new().unwrap();
        let remote = events.remote();
        let (tasks, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let thread = thread::spawn({
            let (tasks, stop) = (Arc::clone(&tasks), Arc::clone(&stop));
            move || {
                while !stop.load(Ordering::SeqCst) {
                    events.turn(Some(STEP * 10)).unwrap();
                    tasks.store(events.tasks(), Ordering::SeqCst);
                }
            }
        });
        Self { remote, tasks, stop, thread: Some(thread) }
    }
}

impl TestRuntime for OnThread {
    fn handle(&self) -> RuntimeHandle {
        RuntimeHandle::Blocking(self.remote.clone())
    }

    fn run(&mut self, scenario: LocalBoxFuture<'_, ()>) {
        smol::block_on(scenario);
    }

    fn step(&mut self) {
        thread::sleep(STEP);
    }

    fn tasks(&self) -> usize {
        self.tasks.load(Ordering::SeqCst)
    }
}

impl Drop for OnThread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// Runs a test on a separate thread, and fails if the test does not end within `limit`.
///
/// # Panics
/// If the test panics or does not end within `limit`.
pub fn limited(limit: Duration, test: impl FnOnce() + Send + 'static) {
    let (done_sender, done_receiver) = mpsc::channel();
    let thread = thread::spawn(move || {
        test();
        done_sender.send(()).unwrap();
    });
    match done_receiver.recv_timeout(limit) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("the test did not end within {limit:?}"),
        Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => thread.join().unwrap(),
    }
}
