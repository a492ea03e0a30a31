//! Every runtime in the same words, with a count of the tasks that serve sockets on it.

use futures_util::future::LocalBoxFuture;
use sansmq::kind::Kind;
use sansmq::mio::{EventLoop, Remote};
use sansmq::runtime::{Ambient, launch};
use sansmq::smol::Smol;
use sansmq::tokio::Tokio;
use sansmq::{Context, Handle, Options};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// A runtime.
pub(crate) trait Ground {
    /// Where sockets are made.
    fn place(&self) -> Place;

    /// Runs a scenario to its end.
    fn run(&mut self, scenario: LocalBoxFuture<'_, ()>);

    /// Has the tasks go on for a moment.
    fn step(&mut self);

    /// How many tasks there are.
    fn tasks(&self) -> usize;
}

type Make = fn() -> Box<dyn Ground>;

/// All of them, each to be made when it is its turn.
pub(crate) const ALL: [(&str, Make); 5] = [
    ("tokio, one thread", || Box::new(OnTokio(Builder::new_current_thread().enable_all().build().unwrap()))),
    ("tokio, several threads", || {
        Box::new(OnTokio(Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()))
    }),
    ("smol", || Box::new(OnSmol::default())),
    ("mio", || Box::new(OnMio(EventLoop::new().unwrap()))),
    ("mio, blocking sockets", || Box::new(Beside::new())),
];

/// Makes sockets on a runtime.
#[derive(Clone)]
pub(crate) enum Place {
    Tokio(Tokio),
    Smol(Smol),
    Mio(Remote),
    Blocking(Remote),
}

impl Place {
    pub(crate) fn socket<T: Kind>(&self, options: Options<T>) -> Handle<T> {
        match self {
            Self::Blocking(remote) => sansmq::mio::Socket::on(remote, options).handle().clone(),
            Self::Tokio(_) | Self::Smol(_) | Self::Mio(_) => self.socket_in(&Context::global(), options),
        }
    }

    pub(crate) fn socket_in<T: Kind>(&self, context: &Context, options: Options<T>) -> Handle<T> {
        match self {
            Self::Tokio(runtime) => launch(options, context, runtime),
            Self::Smol(runtime) => launch(options, context, runtime),
            Self::Mio(remote) | Self::Blocking(remote) => remote.socket_in(context, options),
        }
    }
}

/// A moment.
const MOMENT: Duration = Duration::from_millis(1);

struct OnTokio(Runtime);

impl Ground for OnTokio {
    fn place(&self) -> Place {
        let _inside = self.0.enter();
        Place::Tokio(Tokio::current())
    }

    fn run(&mut self, scenario: LocalBoxFuture<'_, ()>) {
        self.0.block_on(scenario);
    }

    fn step(&mut self) {
        self.0.block_on(async { tokio::time::sleep(MOMENT).await });
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

impl Ground for OnSmol {
    fn place(&self) -> Place {
        let (executor, tasks) = (Arc::clone(&self.executor), Arc::clone(&self.tasks));
        Place::Smol(Smol::new(move |task| {
            let counted = Counted::new(&tasks);
            let task = async move {
                task.await;
                drop(counted);
            };
            executor.spawn(task).detach();
        }))
    }

    fn run(&mut self, scenario: LocalBoxFuture<'_, ()>) {
        smol::block_on(self.executor.run(scenario));
    }

    fn step(&mut self) {
        smol::block_on(self.executor.run(smol::Timer::after(MOMENT)));
    }

    fn tasks(&self) -> usize {
        self.tasks.load(Ordering::SeqCst)
    }
}

/// One of those who are counted, however it ends.
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

impl Ground for OnMio {
    fn place(&self) -> Place {
        Place::Mio(self.0.remote())
    }

    fn run(&mut self, scenario: LocalBoxFuture<'_, ()>) {
        self.0.block_on(scenario);
    }

    fn step(&mut self) {
        self.0.turn(Some(MOMENT)).unwrap();
    }

    fn tasks(&self) -> usize {
        self.0.tasks()
    }
}

/// Blocking sockets on a loop of their own, which another thread turns.
struct Beside {
    remote: Remote,
    tasks: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Beside {
    fn new() -> Self {
        let mut events = EventLoop::new().unwrap();
        let remote = events.remote();
        let (tasks, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let thread = thread::spawn({
            let (tasks, stop) = (Arc::clone(&tasks), Arc::clone(&stop));
            move || {
                while !stop.load(Ordering::SeqCst) {
                    events.turn(Some(MOMENT * 10)).unwrap();
                    tasks.store(events.tasks(), Ordering::SeqCst);
                }
            }
        });
        Self { remote, tasks, stop, thread: Some(thread) }
    }
}

impl Ground for Beside {
    fn place(&self) -> Place {
        Place::Blocking(self.remote.clone())
    }

    fn run(&mut self, scenario: LocalBoxFuture<'_, ()>) {
        smol::block_on(scenario);
    }

    fn step(&mut self) {
        thread::sleep(MOMENT);
    }

    fn tasks(&self) -> usize {
        self.tasks.load(Ordering::SeqCst)
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// Runs a test that fails if it hangs, be it in a lock.
pub(crate) fn limited(limit: Duration, test: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    let thread = thread::spawn(move || {
        test();
        done.send(()).unwrap();
    });
    match is_done.recv_timeout(limit) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
        Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => thread.join().unwrap(),
    }
}
