//! Tests of sockets and their background tasks in one thread. Each test performs the work of the tasks itself, step by
//! step.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a panic fails the test")]

use crate::connection_task::{ConnectionTask, Owner};
use crate::dial_task::DialTask;
use crate::listener_task::ListenGuard;
use crate::supervisor::Supervisor;
use crate::task::{Task, TaskState};
use crate::{
    BoundListener, Context as SocketContext, DialTimer, Driver, Handle, PollListener, PollStream, Runtime, new_socket,
};
use core::future::{pending, poll_fn};
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use sansmq_proto::address::TransportConfig;
use sansmq_proto::kind::{Dealer, Kind, Pull, Push, Router};
use sansmq_proto::socket::BindError;
use sansmq_proto::{
    Action, Endpoint, Event, Instant, ListenerId, NetworkError, Options, PipeId, SessionBuffers, Socket,
};
use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Waker that counts its wake-ups.
#[derive(Default)]
struct CountingWaker(AtomicUsize);

impl std::task::Wake for CountingWaker {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Stream that transfers no bytes. Reads are pending until `ended` is true, and then return the end of the stream.
#[derive(Clone, Default)]
struct IdleStream {
    ended: Arc<AtomicBool>,
}

impl PollStream for IdleStream {
    fn poll_read(&mut self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.ended.load(Ordering::SeqCst) { Poll::Ready(Ok(0)) } else { Poll::Pending }
    }

    fn poll_write_vectored(&mut self, _: &mut Context<'_>, _: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_close_write(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Runtime that drops spawned tasks, and opens no listeners and no connections.
#[derive(Clone)]
struct StubRuntime;

impl Runtime for StubRuntime {
    type Stream = IdleStream;
    type Listener = NoListener;

    fn with_buffers<T>(work: impl FnOnce(&mut SessionBuffers) -> T) -> T {
        work(&mut SessionBuffers::with_read_size(99))
    }

    fn spawn(&self, _: Task<Self>) {}

    fn now(&self) -> Instant {
        Instant::ORIGIN
    }

    async fn listen(self, _: Endpoint, _: TransportConfig) -> Result<(NoListener, Endpoint), NetworkError> {
        pending().await
    }

    fn take_listener(&self, _: BoundListener, _: &TransportConfig) -> Result<NoListener, NetworkError> {
        Err(NetworkError::Unsupported)
    }

    async fn dial(self, _: Endpoint, _: TransportConfig, _: DialTimer) -> Result<IdleStream, NetworkError> {
        pending().await
    }
}

enum NoListener {}

impl PollListener for NoListener {
    type Stream = IdleStream;

    fn poll_accept(
        &mut self,
        _: &mut Context<'_>,
        _: &TransportConfig,
    ) -> Poll<Result<(IdleStream, Endpoint), NetworkError>> {
        match *self {}
    }
}

const ENDPOINT: &str = "tcp://1.1.1.1:1";

/// Work of the background tasks of one socket, which a test performs step by step, without a runtime. Contains the
/// socket's driver and its supervisor, the task that receives the socket's requests to listen and to connect.
struct Tasks {
    driver: Driver,
    supervisor: Supervisor,
}

fn socket<T: Kind>(options: Options<T>, context: &SocketContext) -> (Handle<T>, Tasks) {
    with_clock(options, context, || Instant::ORIGIN)
}

fn with_clock<T: Kind>(
    options: Options<T>,
    context: &SocketContext,
    clock: impl Fn() -> Instant + Send + Sync + 'static,
) -> (Handle<T>, Tasks) {
    let (handle, driver) = new_socket(options, context, clock);
    let supervisor = Supervisor::new(driver.clone());
    (handle, Tasks { driver, supervisor })
}

fn push() -> (Handle<Push>, Tasks) {
    socket(Options::new(), &SocketContext::global())
}

/// PUSH that dials. The last value is its clock, in nanoseconds.
fn dialling_push() -> (Handle<Push>, Tasks, Arc<AtomicU64>) {
    let clock = Arc::new(AtomicU64::new(0));
    let time = Arc::clone(&clock);
    let now = move || Instant::from_nanos(time.load(Ordering::SeqCst));
    let (handle, tasks) = with_clock(Options::new(), &SocketContext::global(), now);
    handle.connect(ENDPOINT).unwrap();
    (handle, tasks, clock)
}

impl Tasks {
    /// Returns the next attempt to connect that the socket requests: its pipe and its number.
    fn next_dial(&mut self) -> (PipeId, u64) {
        match self.supervisor.poll_action(Waker::noop()) {
            Poll::Ready(Some((Action::Dial(pipe, _), dial))) => (pipe, dial),
            other @ (Poll::Ready(_) | Poll::Pending) => panic!("expected a dial, got {other:?}"),
        }
    }

    /// Returns true if `dial` is the number of the current attempt to connect `pipe`. Returns false if this attempt was
    /// cancelled, or replaced by a later attempt.
    fn is_current(&self, (pipe, dial): (PipeId, u64)) -> bool {
        self.driver.shared().with(|state| state.poll_dial(pipe, dial, Waker::noop())).is_pending()
    }

    /// Returns the next listener that the socket requests, and the guard that closes the listener's port on drop.
    /// Reports to the socket that the listener is open.
    fn next_listener(&mut self) -> (ListenerId, ListenGuard) {
        let Poll::Ready(Some((Action::Listen(id, endpoint), _))) = self.supervisor.poll_action(Waker::noop()) else {
            panic!("expected a listener");
        };
        let shared = self.driver.shared();
        let port = shared.with(|state| Arc::clone(&state.hosted[&id]));
        self.driver.listening(id, endpoint);
        (id, ListenGuard::new(shared, id, port))
    }

    /// Reports to the socket that a pipe is connected over `stream`, and returns the task of this connection.
    fn connected(&self, pipe: PipeId, stream: IdleStream) -> ConnectionTask<IdleStream> {
        let connection = self.driver.shared().with_time(|socket, now| socket.connected(pipe, now));
        ConnectionTask::new(self.driver.clone(), Owner::Local(pipe), connection.unwrap(), stream)
    }
}

fn poll(connection: &mut ConnectionTask<IdleStream>, waker: &Waker) -> TaskState {
    connection.poll(&mut Context::from_waker(waker), &mut SessionBuffers::with_read_size(99))
}

#[test]
fn cancelled_dial_does_not_take_the_waker_of_next_pipe() {
    let (handle, mut tasks) = push();
    handle.connect(ENDPOINT).unwrap();
    let late = tasks.next_dial();
    assert!(tasks.is_current(late));
    handle.disconnect(ENDPOINT).unwrap();

    // Another pipe with the same index.
    handle.connect("tcp://2.2.2.2:2").unwrap();
    let (pipe, _) = tasks.next_dial();
    let mut connection = tasks.connected(pipe, IdleStream::default());
    let counter = Arc::new(CountingWaker::default());
    let waker = Waker::from(Arc::clone(&counter));
    assert_eq!(poll(&mut connection, &waker), TaskState::Waiting);

    assert!(!tasks.is_current(late), "the dial was cancelled");
    handle.try_send("x").unwrap();
    assert_eq!(counter.0.load(Ordering::SeqCst), 1, "the connection has a message to send");
}

#[test]
fn second_dial_of_pipe_stops_the_first() {
    let (_handle, mut tasks, clock) = dialling_push();
    let (pipe, first) = tasks.next_dial();
    assert!(tasks.is_current((pipe, first)));
    tasks.driver.shared().with_time(|socket, now| socket.dial_failed(pipe, NetworkError::TimedOut, now));
    clock.store(1_000_000_000, Ordering::SeqCst); // after the back-off
    let (again, second) = tasks.next_dial();
    assert_eq!(pipe, again);
    assert!(!tasks.is_current((pipe, first)), "there is a later dial");
    assert!(tasks.is_current((pipe, second)));
}

#[test]
fn late_result_of_timed_out_dial_does_not_end_the_next() {
    let (_handle, mut tasks, clock) = dialling_push();
    let (pipe, first) = tasks.next_dial();
    let answered = Arc::new(AtomicBool::new(false));
    let answer = {
        let answered = Arc::clone(&answered);
        poll_fn(move |_| {
            if answered.load(Ordering::SeqCst) { Poll::Ready(Err(NetworkError::UnknownHost)) } else { Poll::Pending }
        })
    };
    let driver = tasks.driver.clone();
    let mut dial =
        DialTask::<StubRuntime> { driver, pipe, dial: first, dialled: Box::pin(answer), timer: DialTimer::default() };
    let mut cx = Context::from_waker(Waker::noop());
    assert!(dial.poll(&mut cx).is_pending());
    tasks.driver.shared().with_time(|socket, now| socket.dial_failed(pipe, NetworkError::TimedOut, now));
    clock.store(1_000_000_000, Ordering::SeqCst); // after the back-off
    tasks.next_dial();

    answered.store(true, Ordering::SeqCst);
    assert!(matches!(dial.poll(&mut cx), Poll::Ready(None)));
    let _connection = tasks.connected(pipe, IdleStream::default());
}

#[test]
fn dial_task_tries_the_next_address_at_its_timeout() {
    let (_handle, mut tasks, clock) = dialling_push();
    let ((pipe, number), timer) = (tasks.next_dial(), DialTimer::default());
    let attempts = [false, true]
        .map(|answers| poll_fn(move |_| if answers { Poll::Ready(Ok(IdleStream::default())) } else { Poll::Pending }));
    let dialled = Box::pin({
        let timer = timer.clone();
        async move { crate::race(attempts, &timer).await }
    });
    let mut dial = DialTask::<StubRuntime> { driver: tasks.driver.clone(), pipe, dial: number, dialled, timer };
    let mut cx = Context::from_waker(Waker::noop());
    assert!(dial.poll(&mut cx).is_pending());
    let delay = Instant::ORIGIN + sansmq_proto::address::CONNECTION_ATTEMPT_DELAY;
    assert_eq!(dial.poll_timeout(), Some(delay));
    clock.store(delay.as_nanos() - 1, Ordering::SeqCst);
    assert!(dial.poll(&mut cx).is_pending());
    clock.store(delay.as_nanos(), Ordering::SeqCst);
    assert!(matches!(dial.poll(&mut cx), Poll::Ready(Some(_))));
}

#[test]
fn waker_of_ended_connection_is_dropped() {
    let (handle, mut tasks) = push();
    handle.connect(ENDPOINT).unwrap();
    let (pipe, _) = tasks.next_dial();
    let stream = IdleStream::default();
    let mut connection = tasks.connected(pipe, stream.clone());
    let counter = Arc::new(CountingWaker::default());
    let waker = Waker::from(Arc::clone(&counter));
    assert_eq!(poll(&mut connection, &waker), TaskState::Waiting);
    stream.ended.store(true, Ordering::SeqCst);
    assert_eq!(poll(&mut connection, &waker), TaskState::Finished);
    drop(waker);
    assert_eq!(Arc::strong_count(&counter), 1, "a runtime keeps the memory of a task while its waker exists");
}

#[test]
fn close_is_woken_once_after_listener_closes() {
    let (pull, mut tasks) = socket(Options::<Pull>::new(), &SocketContext::new());
    assert!(pin!(pull.bind(ENDPOINT)).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let (_, listening) = tasks.next_listener();
    let wakers = [(); 2].map(|()| Arc::new(CountingWaker::default()));
    let [application, supervisor] = wakers.each_ref().map(|counter| Waker::from(Arc::clone(counter)));
    let mut cx = Context::from_waker(&application);
    let mut closing = pin!(pull.close());
    let wake_counts = || wakers.each_ref().map(|counter| counter.0.load(Ordering::SeqCst));

    assert!(closing.as_mut().poll(&mut cx).is_pending());
    assert!(tasks.supervisor.poll_action(&supervisor).is_pending());
    assert_eq!(wake_counts(), [0, 0], "the address is not free yet");
    drop(listening);
    assert_eq!(wake_counts(), [1, 1]);
    assert!(closing.as_mut().poll(&mut cx).is_ready());
    assert_eq!(tasks.supervisor.poll_action(&supervisor), Poll::Ready(None));
}

#[test]
fn monitor_ends_when_runtime_with_connection_ends() {
    let (push, mut tasks) = push();
    let mut monitor = push.monitor();
    push.connect(ENDPOINT).unwrap();
    let (pipe, _) = tasks.next_dial();
    let connection = tasks.connected(pipe, IdleStream::default());
    let counter = Arc::new(CountingWaker::default());
    let waker = Waker::from(Arc::clone(&counter));
    let mut cx = Context::from_waker(&waker);
    while let Poll::Ready(event) = pin!(monitor.next()).poll(&mut cx) {
        assert!(event.is_some(), "the monitor has not ended");
    }
    let before = counter.0.load(Ordering::SeqCst);
    // A runtime that shuts down drops its tasks, and no connection is returned to its socket.
    drop((connection, tasks));
    assert_eq!(counter.0.load(Ordering::SeqCst), before + 1);
    assert_eq!(pin!(monitor.next()).poll(&mut cx), Poll::Ready(Some(Event::Closed)));
    assert_eq!(pin!(monitor.next()).poll(&mut cx), Poll::Ready(None));
}

/// Stream of a peer that sends a READY command without end. Counts its reads.
#[derive(Default)]
struct EndlessHandshake {
    sent: usize,
    reads: Arc<AtomicUsize>,
}

impl PollStream for EndlessHandshake {
    fn poll_read(&mut self, _: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut opening = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\x01NULL".to_vec();
        opening.resize(64, 0);
        opening.extend(b"\x06\0\0\0\0\0\x01\0\0\x05READY");
        for byte in &mut *buffer {
            *byte = opening.get(self.sent).copied().unwrap_or(b'x');
            self.sent += 1;
        }
        self.reads.fetch_add(1, Ordering::SeqCst);
        Poll::Ready(Ok(buffer.len()))
    }

    fn poll_write_vectored(&mut self, _: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    fn poll_close_write(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Connection to a peer that sends a handshake without end, in an event loop that polls each ready task once in each
/// iteration.
struct Flood {
    task: ConnectionTask<EndlessHandshake>,
    wakes: Arc<CountingWaker>,
    is_ready: bool,
    reads: Arc<AtomicUsize>,
}

impl Flood {
    fn new(tasks: &Tasks, listener: ListenerId) -> Self {
        let stream = EndlessHandshake::default();
        let reads = Arc::clone(&stream.reads);
        let accepted = |socket: &mut Socket, now| socket.accepted(listener, ENDPOINT.parse().unwrap(), now);
        let (pipe, connection) = tasks.driver.shared().with_time(accepted).unwrap();
        let task = ConnectionTask::new(tasks.driver.clone(), Owner::Local(pipe), connection, stream);
        Self { task, wakes: Arc::default(), is_ready: true, reads }
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }
}

/// Polls each task that was ready at the beginning once.
fn iterate(floods: &mut [Flood]) {
    for flood in &mut *floods {
        flood.is_ready |= flood.wakes.0.swap(0, Ordering::SeqCst) > 0;
    }
    for flood in floods {
        if core::mem::take(&mut flood.is_ready) {
            let waker = Waker::from(Arc::clone(&flood.wakes));
            let state = flood.task.poll(&mut Context::from_waker(&waker), &mut SessionBuffers::with_read_size(99));
            flood.is_ready = state == TaskState::Runnable;
            assert_ne!(state, TaskState::Finished);
        }
    }
}

#[test]
fn connections_with_background_work_take_turns() {
    let (pull, mut tasks) = socket(Options::<Pull>::new(), &SocketContext::new());
    assert!(pin!(pull.bind(ENDPOINT)).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let (listener, _listening) = tasks.next_listener();
    let mut floods: Vec<_> = (0..10).map(|_| Flood::new(&tasks, listener)).collect();
    iterate(&mut floods);
    let all = |floods: &[Flood]| floods.iter().map(Flood::reads).sum::<usize>();
    assert_eq!(all(&floods), 10, "a new connection reads once");
    for _ in 0..100 {
        let before = all(&floods);
        iterate(&mut floods);
        assert!(all(&floods) <= before + 1, "one connection reads in each iteration");
    }
    let before = all(&floods);
    for flood in &mut floods {
        flood.is_ready = true;
    }
    iterate(&mut floods);
    assert!(all(&floods) <= before + 1, "a connection that is woken for another reason does not read");
    let reads: Vec<_> = floods.iter().map(Flood::reads).collect();
    assert!(reads.iter().max().unwrap() - reads.iter().min().unwrap() <= 1 && reads[0] > 4, "{reads:?}");

    // The end of a connection, with or without the turn, does not stop the others.
    while floods.len() > 1 {
        floods.remove(floods.len() / 2);
        let before: Vec<_> = floods.iter().map(Flood::reads).collect();
        for _ in 0..50 {
            iterate(&mut floods);
        }
        assert!(floods.iter().zip(before).all(|(flood, before)| flood.reads() > before));
    }
}

#[test]
fn close_of_port_guest_ends_when_its_runtime_ends() {
    let context = SocketContext::new();
    let pull = || socket(Options::<Pull>::new(), &context);
    let ((host, mut host_tasks), (guest, tasks)) = (pull(), pull());
    let (counter, mut silent) = (Arc::new(CountingWaker::default()), Context::from_waker(Waker::noop()));
    assert!(pin!(host.bind("tcp://1.1.1.1:1/host")).poll(&mut silent).is_pending());
    let _listening = host_tasks.next_listener();
    assert!(pin!(guest.bind("tcp://1.1.1.1:1/guest")).poll(&mut silent).is_ready());
    assert!(pin!(host.unbind("tcp://1.1.1.1:1/host")).poll(&mut silent).is_ready());

    let waker = Waker::from(Arc::clone(&counter));
    let mut closing = pin!(guest.close());
    assert!(closing.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    drop(tasks);
    assert_eq!(counter.0.load(Ordering::SeqCst), 1);
    assert!(closing.as_mut().poll(&mut silent).is_ready());
}

#[test]
fn waker_that_owns_last_handle_does_not_deadlock() {
    struct Owner(#[expect(dead_code, reason = "the handle is only owned")] Handle<Router>);
    impl std::task::Wake for Owner {
        fn wake(self: Arc<Self>) {}
    }
    let (done, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let (handle, _tasks) = socket(Options::<Router>::new(), &SocketContext::global());
        let mut monitor = handle.monitor();
        let waker = Waker::from(Arc::new(Owner(handle)));
        assert!(pin!(monitor.next()).poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        drop(monitor);
        done.send(()).unwrap();
    });
    wait.recv_timeout(Duration::from_secs(10)).expect("deadlock");
}

#[test]
fn replaced_waker_does_not_deadlock() {
    struct ReceivingWaker(Handle<Router>);
    impl std::task::Wake for ReceivingWaker {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for ReceivingWaker {
        fn drop(&mut self) {
            let _ = self.0.try_recv();
        }
    }
    let (done, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let (handle, _tasks) = socket(Options::<Router>::new(), &SocketContext::global());
        let mut receiving = pin!(handle.recv());
        let mut monitor = handle.monitor();
        let mut event = pin!(monitor.next());
        let receiving_waker = || Waker::from(Arc::new(ReceivingWaker(handle.clone())));
        for waker in [&receiving_waker as &dyn Fn() -> Waker, &|| Waker::noop().clone()] {
            assert!(receiving.as_mut().poll(&mut Context::from_waker(&waker())).is_pending());
            assert!(event.as_mut().poll(&mut Context::from_waker(&waker())).is_pending());
        }
        done.send(()).unwrap();
    });
    wait.recv_timeout(Duration::from_secs(10)).expect("deadlock");
}

/// Returns the debug text of a context without `inproc` names. A test compares the text with that of its own context.
fn empty_context() -> String {
    format!("{:?}", SocketContext::new())
}

#[test]
fn socket_without_runtime_leaves_inproc_peers_and_names() {
    let context = SocketContext::new();
    let (pull, _driver) = socket(Options::<Pull>::new().recv_hwm(1), &context);
    let mut monitor = pull.monitor();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(pin!(pull.bind("inproc://endpoint")).poll(&mut cx).is_ready());

    let (push, tasks) = socket(Options::<Push>::new(), &context);
    push.connect("inproc://endpoint").unwrap();
    push.connect("inproc://nowhere").unwrap();
    for number in 0..1000 {
        push.try_send(number.to_string()).unwrap();
    }
    drop(tasks);
    assert_eq!(format!("{context:?}"), "Context { bound: [\"endpoint\"], sought: [] }");
    drop(push);
    let events = core::iter::from_fn(|| {
        let _ = pull.try_recv();
        match pin!(monitor.next()).poll(&mut cx) {
            Poll::Ready(event) => event,
            Poll::Pending => None,
        }
    });
    assert!(events.into_iter().any(|event| matches!(event, Event::Disconnected { .. })), "the peer disconnects");
    drop(pull);
    assert_eq!(format!("{context:?}"), empty_context());
}

#[test]
fn shared_port_limits_unassigned_connections() {
    let (pull, mut tasks) = socket(Options::<Pull>::new(), &SocketContext::new());
    let endpoint: Endpoint = "tcp://1.1.1.1:1/pull".parse().unwrap();
    let mut binding = pin!(pull.bind(&endpoint));
    assert!(binding.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let (id, _listening) = tasks.next_listener();
    let accept = || tasks.driver.accepted(id, "tcp://2.2.2.2:2".parse().unwrap(), IdleStream::default());
    let mut connections: Vec<_> = core::iter::from_fn(accept).take(2000).collect();
    assert_eq!(connections.len(), 1024);
    connections.pop();
    assert!(accept().is_some(), "there is room again");
}

#[test]
fn joined_socket_fails_when_port_is_never_opened() {
    let context = SocketContext::new();
    let pull = || socket(Options::<Pull>::new(), &context);
    let ((first, tasks), (second, mut other_tasks)) = (pull(), pull());
    let mut cx = Context::from_waker(Waker::noop());
    let mut binding = pin!(first.bind("tcp://1.1.1.1:1/first"));
    assert!(binding.as_mut().poll(&mut cx).is_pending());
    let endpoint: Endpoint = "tcp://1.1.1.1:1/second".parse().unwrap();
    let mut joining = pin!(second.bind(&endpoint));
    assert!(joining.as_mut().poll(&mut cx).is_pending());
    drop(tasks);
    assert_eq!(binding.poll(&mut cx), Poll::Ready(Err(BindError::Closed)));
    let error = BindError::Network { endpoint: endpoint.clone(), error: NetworkError::Other };
    assert_eq!(joining.poll(&mut cx), Poll::Ready(Err(error)));

    // The port can be opened again.
    assert!(pin!(second.bind(&endpoint)).poll(&mut cx).is_pending());
    let _opened = other_tasks.next_listener();
}

#[test]
fn cancelled_dial_of_closing_listener_leaves_no_name() {
    type Job = Box<dyn FnOnce() + Send>;
    let context = SocketContext::new();
    let (push, _tasks) = socket(Options::<Push>::new(), &context);
    // The clock function does what another thread could do between two locks.
    let work: Arc<Mutex<Option<Job>>> = Arc::default();
    let clock = {
        let work = Arc::clone(&work);
        move || {
            let work = work.lock().unwrap().take();
            if let Some(work) = work {
                work();
            }
            Instant::ORIGIN
        }
    };
    let (pull, _other_tasks) = with_clock(Options::<Pull>::new(), &context, clock);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(pin!(pull.bind("inproc://endpoint")).poll(&mut cx).is_ready());
    *work.lock().unwrap() = Some(Box::new({
        let (push, pull) = (push.clone(), pull.clone());
        move || {
            push.disconnect("inproc://endpoint").unwrap();
            assert!(pin!(pull.unbind("inproc://endpoint")).poll(&mut Context::from_waker(Waker::noop())).is_ready());
        }
    }));
    push.connect("inproc://endpoint").unwrap();
    assert!(work.lock().unwrap().is_none(), "the clock was read");
    assert_eq!(format!("{context:?}"), empty_context());
}

#[test]
fn full_inproc_sockets_do_not_loop() {
    let (done, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let context = SocketContext::new();
        let dealer = || socket(Options::<Dealer>::new().send_hwm(2).recv_hwm(2), &context);
        let ((one, _tasks), (other, _other_tasks)) = (dealer(), dealer());
        assert!(pin!(one.bind("inproc://endpoint")).poll(&mut Context::from_waker(Waker::noop())).is_ready());
        other.connect("inproc://endpoint").unwrap();
        for sender in [&one, &other] {
            while sender.try_send("x").is_ok() {}
        }
        let received = [&one, &other].map(|receiver| core::iter::from_fn(|| receiver.try_recv().ok()).count());
        assert_eq!(received, [2 + 2; 2], "each side fills its send queue, and the receive queue of the peer");
        done.send(()).unwrap();
    });
    wait.recv_timeout(Duration::from_secs(10)).expect("endless loop");
}
