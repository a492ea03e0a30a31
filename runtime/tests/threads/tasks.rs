//! The tasks of a runtime beside the application.

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
    AsyncTimer, BoundListener, Context as SocketContext, Handle, PollListener, PollStream, Runtime, Task, TaskFuture,
    TaskState,
};
use std::collections::VecDeque;
use std::io::{self, IoSlice, Read};
use std::sync::{Arc, Mutex as StdMutex};

const PLACE: &str = "tcp://1.1.1.1:1";

/// A runtime that keeps what it is to run. One thread at a time has it, so its own locks are in no order.
#[derive(Clone, Default)]
struct Kept(Arc<StdMutex<State>>);

#[derive(Default)]
struct State {
    spawned: VecDeque<Task<Kept>>,
    /// The streams of its dials and of those whom it accepts.
    streams: VecDeque<Side>,
}

impl Kept {
    fn with_stream(stream: Side) -> Self {
        let state = State { spawned: VecDeque::new(), streams: VecDeque::from([stream]) };
        Self(Arc::new(StdMutex::new(state)))
    }

    fn next_stream(&self) -> Option<Side> {
        self.0.lock().unwrap().streams.pop_front()
    }

    /// Polls a task, which must wait and have spawned another.
    fn spawned_by(&self, task: &mut Task<Self>) -> Task<Self> {
        assert_eq!(task.poll(&mut Context::from_waker(Waker::noop())), TaskState::Waiting);
        self.0.lock().unwrap().spawned.pop_front().expect("it spawns a task")
    }
}

impl Runtime for Kept {
    type Stream = Side;
    type Listener = Door;

    fn with_buffers<T>(work: impl FnOnce(&mut SessionBuffers) -> T) -> T {
        work(&mut SessionBuffers::with_read_size(1024))
    }

    fn spawn(&self, task: Task<Self>) {
        self.0.lock().unwrap().spawned.push_back(task);
    }

    fn now(&self) -> Instant {
        Instant::ORIGIN
    }

    async fn listen(self, endpoint: Endpoint, _: TransportConfig) -> Result<(Door, Endpoint), NetworkError> {
        Ok((Door(self), endpoint))
    }

    fn from_listener(&self, _: BoundListener, _: &TransportConfig) -> Result<Door, NetworkError> {
        Err(NetworkError::Unsupported)
    }

    async fn dial(self, _: Endpoint, _: TransportConfig) -> Result<Side, NetworkError> {
        match self.next_stream() {
            Some(stream) => Ok(stream),
            None => pending().await,
        }
    }
}

/// A listener to whom those come whose streams its runtime has.
struct Door(Kept);

impl PollListener for Door {
    type Stream = Side;

    fn poll_accept(
        &mut self,
        _: &mut Context<'_>,
        _: &TransportConfig,
    ) -> Poll<Result<(Side, Endpoint), NetworkError>> {
        match self.0.next_stream() {
            Some(stream) => Poll::Ready(Ok((stream, "tcp://2.2.2.2:2".parse().unwrap()))),
            None => Poll::Pending,
        }
    }
}

/// A timer that never fires.
struct Never;

impl AsyncTimer for Never {
    fn set(&mut self, _: Option<Instant>) {}

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

/// Drives a task to its end.
fn run(task: Task<Kept>) {
    block_on(TaskFuture::new(task, Never));
}

/// A socket, and its first task.
fn spawn_socket<T: Typed>(names: &SocketContext, runtime: &Kept) -> (Handle<T>, Task<Kept>) {
    let (handle, driver) = socket(Options::<T>::new(), names);
    (handle, Task::new(driver, runtime.clone()))
}

#[test]
fn the_supervisor_hears_of_a_dial_and_of_the_end() {
    in_every_order(3, || {
        let (push, supervisor) = spawn_socket::<Push>(&SocketContext::new(), &Kept::default());
        let application = thread::spawn(move || {
            push.connect(PLACE).unwrap();
            push.disconnect(PLACE).unwrap();
            block_on(push.close());
        });
        run(supervisor);
        application.join().unwrap();
    });
}

#[test]
fn a_dial_that_is_given_up_stops_its_task() {
    in_every_order(3, || {
        let runtime = Kept::default();
        let (push, mut supervisor) = spawn_socket::<Push>(&SocketContext::new(), &runtime);
        push.connect(PLACE).unwrap();
        let dial = runtime.spawned_by(&mut supervisor);
        let application = thread::spawn(move || push.disconnect(PLACE).unwrap());
        run(dial);
        application.join().unwrap();
    });
}

#[test]
fn a_listener_stops_and_who_waits_for_that_is_told() {
    in_every_order(3, || {
        let runtime = Kept::default();
        let (pull, mut supervisor) = spawn_socket::<Pull>(&SocketContext::new(), &runtime);
        let mut binding = Box::pin({
            let pull = pull.clone();
            async move { pull.bind(PLACE).await }
        });
        assert!(now(binding.as_mut()).is_pending());
        let listener = runtime.spawned_by(&mut supervisor);
        let application = thread::spawn(move || {
            block_on(binding).unwrap();
            block_on(pull.unbind(PLACE)).unwrap();
            pull
        });
        run(listener);
        drop(application.join().unwrap());
    });
}

#[test]
fn who_joins_a_port_while_it_is_opened_learns_where_it_is() {
    in_every_order(3, || {
        let names = SocketContext::new();
        let runtime = Kept::default();
        let (first, mut supervisor) = spawn_socket::<Pull>(&names, &runtime);
        let (second, _other_supervisor) = spawn_socket::<Pull>(&names, &runtime);
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

/// One direction of a stream.
#[derive(Default)]
struct Tube {
    octets: VecDeque<u8>,
    ended: bool,
    reader: Option<Waker>,
}

/// One side of a stream whose buffers are never full.
struct Side {
    read: Arc<Mutex<Tube>>,
    write: Arc<Mutex<Tube>>,
}

impl Side {
    fn pair() -> [Self; 2] {
        let [one, other] = [(); 2].map(|()| Arc::new(Mutex::new(Tube::default())));
        let side = |read: &Arc<_>, write: &Arc<_>| Self { read: Arc::clone(read), write: Arc::clone(write) };
        [side(&one, &other), side(&other, &one)]
    }

    fn put(&self, what: impl FnOnce(&mut Tube)) {
        let mut tube = self.write.lock().unwrap();
        what(&mut tube);
        let reader = tube.reader.take();
        drop(tube);
        reader.into_iter().for_each(Waker::wake);
    }
}

impl PollStream for Side {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut tube = self.read.lock().unwrap();
        if tube.octets.is_empty() && !tube.ended {
            tube.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(tube.octets.read(buffer))
    }

    fn poll_write_vectored(&mut self, _: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.put(|tube| slices.iter().for_each(|slice| tube.octets.extend(slice.iter())));
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    fn poll_close_write(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.put(|tube| tube.ended = true);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        self.put(|tube| tube.ended = true);
    }
}

#[test]
fn messages_go_both_ways_through_the_tasks_of_a_connection_until_it_is_closed() {
    in_every_order(1, || {
        let names = SocketContext::new();
        let [(one, mut dialler, dials), (other, mut binder, accepts)] = Side::pair().map(|side| {
            let runtime = Kept::with_stream(side);
            let (handle, supervisor) = spawn_socket::<Dealer>(&names, &runtime);
            (handle, supervisor, runtime)
        });
        // The connection is made, and its handshake done, in one order alone.
        let _ = now(Box::pin(other.bind(PLACE)).as_mut());
        let mut listener = accepts.spawned_by(&mut binder);
        let accepted = accepts.spawned_by(&mut listener);
        one.connect(PLACE).unwrap();
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
