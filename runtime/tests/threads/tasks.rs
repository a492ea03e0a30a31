//! Tests of the background tasks of sockets. Each task runs on its own thread, concurrently with the application's
//! calls.

use super::{in_every_order, now, socket};
use core::future::pending;
use core::task::{Context, Poll, Waker};
use loom::future::block_on;
use loom::sync::Mutex;
use loom::thread;
use sansmq_proto::address::TransportConfig;
use sansmq_proto::kind::{Dealer, Pull, Push, Typed};
use sansmq_proto::{Endpoint, Instant, NetworkError, Options, SessionBuffers};
use sansmq_runtime::{
    AsyncTimer, BoundListener, Context as SocketContext, DialTimer, Handle, PollListener, PollStream, Runtime, Task,
    TaskFuture, TaskState,
};
use std::collections::VecDeque;
use std::io::{self, IoSlice, Read};
use std::sync::{Arc, Mutex as StdMutex};

const ENDPOINT: &str = "tcp://1.1.1.1:1";

/// Runtime that queues spawned tasks. Only one thread at a time uses it, so its locks are not locks of `loom`.
#[derive(Clone, Default)]
struct QueueRuntime(Arc<StdMutex<State>>);

#[derive(Default)]
struct State {
    spawned: VecDeque<Task<QueueRuntime>>,
    /// Streams that the next calls of `dial` and `poll_accept` of this runtime return.
    streams: VecDeque<DuplexStream>,
}

impl QueueRuntime {
    fn with_stream(stream: DuplexStream) -> Self {
        let state = State { spawned: VecDeque::new(), streams: VecDeque::from([stream]) };
        Self(Arc::new(StdMutex::new(state)))
    }

    fn next_stream(&self) -> Option<DuplexStream> {
        self.0.lock().unwrap().streams.pop_front()
    }

    /// Polls a task until it waits, and checks that it has spawned another task. Returns the spawned task.
    fn spawned_by(&self, task: &mut Task<Self>) -> Task<Self> {
        let mut poll = || task.poll(&mut Context::from_waker(Waker::noop()));
        assert!(
            core::iter::from_fn(|| (poll() == TaskState::Runnable).then_some(())).count() < 9,
            "the task must wait"
        );
        self.0.lock().unwrap().spawned.pop_front().expect("the task must have spawned another task")
    }
}

impl Runtime for QueueRuntime {
    type Stream = DuplexStream;
    type Listener = QueueListener;

    fn with_buffers<T>(work: impl FnOnce(&mut SessionBuffers) -> T) -> T {
        work(&mut SessionBuffers::with_read_size(1024))
    }

    fn spawn(&self, task: Task<Self>) {
        self.0.lock().unwrap().spawned.push_back(task);
    }

    // The list of listeners that are being closed is one of the process, but `loom` runs several executions in a process.
    fn network(&self) -> u64 {
        Arc::as_ptr(&self.0).addr() as u64
    }

    fn now(&self) -> Instant {
        Instant::ORIGIN
    }

    async fn listen(self, endpoint: Endpoint, _: TransportConfig) -> Result<(QueueListener, Endpoint), NetworkError> {
        Ok((QueueListener(self), endpoint))
    }

    fn take_listener(&self, _: BoundListener, _: &TransportConfig) -> Result<QueueListener, NetworkError> {
        Err(NetworkError::Unsupported)
    }

    async fn dial(self, _: Endpoint, _: TransportConfig, _: DialTimer) -> Result<DuplexStream, NetworkError> {
        match self.next_stream() {
            Some(stream) => Ok(stream),
            None => pending().await,
        }
    }
}

/// Listener that accepts the queued streams of its runtime.
struct QueueListener(QueueRuntime);

impl PollListener for QueueListener {
    type Stream = DuplexStream;

    fn poll_accept(
        &mut self,
        _: &mut Context<'_>,
        _: &TransportConfig,
    ) -> Poll<Result<(DuplexStream, Endpoint), NetworkError>> {
        match self.0.next_stream() {
            Some(stream) => Poll::Ready(Ok((stream, "tcp://2.2.2.2:2".parse().unwrap()))),
            None => Poll::Pending,
        }
    }
}

/// Timer that never expires.
struct Never;

impl AsyncTimer for Never {
    fn set(&mut self, _: Option<Instant>) {}

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

/// Polls a task on the current thread until it has finished.
fn run(task: Task<QueueRuntime>) {
    block_on(TaskFuture::new(task, Never));
}

/// Creates a socket, and its first task, which spawns further tasks with `runtime`.
fn socket_with_task<T: Typed>(context: &SocketContext, runtime: &QueueRuntime) -> (Handle<T>, Task<QueueRuntime>) {
    let (handle, driver) = socket(Options::<T>::new(), context);
    (handle, Task::new(driver, runtime.clone()))
}

#[test]
fn supervisor_is_woken_by_dial_and_close() {
    in_every_order(3, || {
        let (push, supervisor) = socket_with_task::<Push>(&SocketContext::new(), &QueueRuntime::default());
        let application = thread::spawn(move || {
            push.connect(ENDPOINT).unwrap();
            push.disconnect(ENDPOINT).unwrap();
            block_on(push.close());
        });
        run(supervisor);
        application.join().unwrap();
    });
}

#[test]
fn disconnect_stops_the_dial_task() {
    in_every_order(3, || {
        let runtime = QueueRuntime::default();
        let (push, mut supervisor) = socket_with_task::<Push>(&SocketContext::new(), &runtime);
        push.connect(ENDPOINT).unwrap();
        let dial = runtime.spawned_by(&mut supervisor);
        let application = thread::spawn(move || push.disconnect(ENDPOINT).unwrap());
        run(dial);
        application.join().unwrap();
    });
}

#[test]
fn unbind_stops_the_listener_and_completes() {
    in_every_order(3, || {
        let runtime = QueueRuntime::default();
        let (pull, mut supervisor) = socket_with_task::<Pull>(&SocketContext::new(), &runtime);
        let mut binding = Box::pin({
            let pull = pull.clone();
            async move { pull.bind(ENDPOINT).await }
        });
        assert!(now(binding.as_mut()).is_pending());
        let listener = runtime.spawned_by(&mut supervisor);
        let application = thread::spawn(move || {
            block_on(binding).unwrap();
            block_on(pull.unbind(ENDPOINT)).unwrap();
            pull
        });
        run(listener);
        drop(application.join().unwrap());
    });
}

#[test]
fn bind_that_joins_an_opening_port_returns_its_endpoint() {
    in_every_order(3, || {
        let context = SocketContext::new();
        let runtime = QueueRuntime::default();
        let (first, mut supervisor) = socket_with_task::<Pull>(&context, &runtime);
        let (second, _other_supervisor) = socket_with_task::<Pull>(&context, &runtime);
        let host = first.clone();
        let mut binding = Box::pin(async move { host.bind("tcp://1.1.1.1:1/first").await });
        assert!(now(binding.as_mut()).is_pending());
        let mut listener = runtime.spawned_by(&mut supervisor);
        let guest = thread::spawn(move || block_on(second.bind("tcp://1.1.1.1:1/second")).unwrap().to_string());
        let binder = thread::spawn(move || block_on(binding).unwrap().to_string());
        assert_eq!(listener.poll(&mut Context::from_waker(Waker::noop())), TaskState::Waiting);
        assert_eq!(guest.join().unwrap(), "tcp://1.1.1.1:1/second");
        assert_eq!(binder.join().unwrap(), "tcp://1.1.1.1:1/first");
    });
}

/// One direction of an in-memory stream. Its buffer has no limit, so writing never waits.
#[derive(Default)]
struct HalfStream {
    bytes: VecDeque<u8>,
    ended: bool,
    reader: Option<Waker>,
}

/// One end of an in-memory stream with unlimited buffers in both directions.
struct DuplexStream {
    read: Arc<Mutex<HalfStream>>,
    write: Arc<Mutex<HalfStream>>,
}

impl DuplexStream {
    fn pair() -> [Self; 2] {
        let [one, other] = [(); 2].map(|()| Arc::new(Mutex::new(HalfStream::default())));
        let side = |read: &Arc<_>, write: &Arc<_>| Self { read: Arc::clone(read), write: Arc::clone(write) };
        [side(&one, &other), side(&other, &one)]
    }

    fn update(&self, change: impl FnOnce(&mut HalfStream)) {
        let mut half = self.write.lock().unwrap();
        change(&mut half);
        let reader = half.reader.take();
        drop(half);
        reader.into_iter().for_each(Waker::wake);
    }
}

impl PollStream for DuplexStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut half = self.read.lock().unwrap();
        if half.bytes.is_empty() && !half.ended {
            half.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(half.bytes.read(buffer))
    }

    fn poll_write_vectored(&mut self, _: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.update(|half| slices.iter().for_each(|slice| half.bytes.extend(slice.iter())));
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    fn poll_close_write(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.update(|half| half.ended = true);
        Poll::Ready(Ok(()))
    }
}

impl Drop for DuplexStream {
    fn drop(&mut self) {
        self.update(|half| half.ended = true);
    }
}

#[test]
fn connection_tasks_deliver_both_ways_until_close() {
    in_every_order(1, || {
        let context = SocketContext::new();
        let [(one, mut dialler, dials), (other, mut binder, accepts)] = DuplexStream::pair().map(|side| {
            let runtime = QueueRuntime::with_stream(side);
            let (handle, supervisor) = socket_with_task::<Dealer>(&context, &runtime);
            (handle, supervisor, runtime)
        });
        // The connection and its handshake are made by one thread, so only one interleaving is tested.
        let _ = now(Box::pin(other.bind(ENDPOINT)).as_mut());
        let mut listener = accepts.spawned_by(&mut binder);
        let accepted = accepts.spawned_by(&mut listener);
        one.connect(ENDPOINT).unwrap();
        let dialled = dials.spawned_by(&mut dialler);
        let mut connections = [dialled, accepted];
        for _ in 0..4 {
            for connection in &mut connections {
                assert_eq!(connection.poll(&mut Context::from_waker(Waker::noop())), TaskState::Waiting);
            }
        }
        let tasks = connections.map(|connection| thread::spawn(move || run(connection)));
        one.try_send("there").unwrap();
        assert_eq!(block_on(other.recv()).unwrap().body(), "there");
        other.try_send("and back").unwrap();
        assert_eq!(block_on(one.recv()).unwrap().body(), "and back");
        block_on(one.close());
        for task in tasks {
            task.join().unwrap();
        }
    });
}
