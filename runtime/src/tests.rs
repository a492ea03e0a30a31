//! Sockets and their tasks, step by step in one thread.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "a surprise is a test that fails")]

use crate::connection_task::ConnectionTask;
use crate::dial_task::{ConnectGuard, DialTask};
use crate::listener_task::{AcceptState, ListenGuard};
use crate::supervisor::Supervisor;
use crate::task::{Task, TaskState};
use crate::{BoundListener, Context as SocketContext, Driver, Handle, PollListener, PollStream, Runtime, new_socket};
use core::future::{pending, poll_fn};
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use sansmq_proto::address::TransportConfig;
use sansmq_proto::kind::{Dealer, Kind, Pull, Push, Router};
use sansmq_proto::socket::BindError;
use sansmq_proto::{Action, Endpoint, Event, Instant, ListenerId, NetworkError, Options, PipeId, SessionBuffers};
use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Counts how often it is woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl std::task::Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A stream that transfers nothing, until it ends.
#[derive(Clone, Default)]
struct Silence {
    ended: Arc<AtomicBool>,
}

impl PollStream for Silence {
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

/// A runtime that is never asked for anything.
#[derive(Clone)]
struct Idle;

impl Runtime for Idle {
    type Stream = Silence;
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

    fn from_listener(&self, _: BoundListener, _: &TransportConfig) -> Result<NoListener, NetworkError> {
        Err(NetworkError::Unsupported)
    }

    async fn dial(self, _: Endpoint, _: TransportConfig) -> Result<Silence, NetworkError> {
        pending().await
    }
}

enum NoListener {}

impl PollListener for NoListener {
    type Stream = Silence;

    fn poll_accept(
        &mut self,
        _: &mut Context<'_>,
        _: &TransportConfig,
    ) -> Poll<Result<(Silence, Endpoint), NetworkError>> {
        match *self {}
    }
}

const PLACE: &str = "tcp://1.1.1.1:1";

/// The runtime's side of a socket.
struct Tasks {
    driver: Driver,
    supervisor: Supervisor,
}

fn socket<T: Kind>(options: Options<T>, names: &SocketContext) -> (Handle<T>, Tasks) {
    with_clock(options, names, || Instant::ORIGIN)
}

fn with_clock<T: Kind>(
    options: Options<T>,
    names: &SocketContext,
    clock: impl Fn() -> Instant + Send + Sync + 'static,
) -> (Handle<T>, Tasks) {
    let (handle, driver) = new_socket(options, names, clock);
    let supervisor = Supervisor::new(driver.clone());
    (handle, Tasks { driver, supervisor })
}

fn push() -> (Handle<Push>, Tasks) {
    socket(Options::new(), &SocketContext::global())
}

impl Tasks {
    /// The next dial that the socket wants.
    fn next_dial(&mut self) -> (PipeId, ConnectGuard) {
        match self.supervisor.poll_action(Waker::noop()) {
            Poll::Ready(Some((Action::Dial(pipe, _), dial))) => {
                (pipe, ConnectGuard::new(self.driver.shared(), pipe, dial))
            }
            other @ (Poll::Ready(_) | Poll::Pending) => panic!("no dial but {other:?}"),
        }
    }

    /// The next listener that the socket wants, which is open where it wants it.
    fn next_listener(&mut self) -> (ListenerId, ListenGuard) {
        let Poll::Ready(Some((Action::Listen(id, at), _))) = self.supervisor.poll_action(Waker::noop()) else {
            panic!("it is to listen");
        };
        let shared = self.driver.shared();
        let port = shared.with(|state| Arc::clone(&state.hosted[&id]));
        self.driver.listening(id, at);
        (id, ListenGuard::new(shared, id, port))
    }

    /// The task of a connection that was dialled.
    fn connected(&self, pipe: PipeId, stream: Silence) -> ConnectionTask<Silence> {
        self.driver.connected(pipe, stream).unwrap()
    }
}

fn poll(connection: &mut ConnectionTask<Silence>, waker: &Waker) -> TaskState {
    connection.poll(&mut Context::from_waker(waker), &mut SessionBuffers::with_read_size(99))
}

#[test]
fn a_dial_that_was_given_up_does_not_put_the_next_link_to_sleep() {
    let (handle, mut tasks) = push();
    handle.connect(PLACE).unwrap();
    let (_, late) = tasks.next_dial();
    assert!(late.poll_stopped(Waker::noop()).is_pending());
    handle.disconnect(PLACE).unwrap();

    // Another pipe, in the place of the first.
    handle.connect("tcp://2.2.2.2:2").unwrap();
    let (pipe, _guard) = tasks.next_dial();
    let mut connection = tasks.connected(pipe, Silence::default());
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    assert_eq!(poll(&mut connection, &waker), TaskState::Waiting);

    assert!(late.poll_stopped(Waker::noop()).is_ready(), "nobody wants it");
    handle.try_send("x").unwrap();
    assert_eq!(bell.0.load(Ordering::SeqCst), 1, "the link has a message to send");
}

#[test]
fn a_second_dial_of_a_pipe_stops_the_first() {
    let clock = Arc::new(AtomicU64::new(0));
    let time = Arc::clone(&clock);
    let (handle, mut tasks) = with_clock(Options::<Push>::new(), &SocketContext::global(), move || {
        Instant::from_nanos(time.load(Ordering::SeqCst))
    });
    handle.connect(PLACE).unwrap();
    let (pipe, first) = tasks.next_dial();
    assert!(first.poll_stopped(Waker::noop()).is_pending());
    tasks.driver.dial_failed(pipe, NetworkError::TimedOut);
    clock.store(1_000_000_000, Ordering::SeqCst); // the back-off is over
    let (again, second) = tasks.next_dial();
    assert_eq!(pipe, again);
    assert!(first.poll_stopped(Waker::noop()).is_ready(), "there is a newer one");
    assert!(second.poll_stopped(Waker::noop()).is_pending());
}

#[test]
fn the_late_answer_to_a_dial_that_took_too_long_does_not_end_the_one_after_it() {
    let clock = Arc::new(AtomicU64::new(0));
    let time = Arc::clone(&clock);
    let (handle, mut tasks) = with_clock(Options::<Push>::new(), &SocketContext::global(), move || {
        Instant::from_nanos(time.load(Ordering::SeqCst))
    });
    handle.connect(PLACE).unwrap();
    let (pipe, first) = tasks.next_dial();
    let answered = Arc::new(AtomicBool::new(false));
    let answer = {
        let answered = Arc::clone(&answered);
        poll_fn(move |_| {
            if answered.load(Ordering::SeqCst) { Poll::Ready(Err(NetworkError::UnknownHost)) } else { Poll::Pending }
        })
    };
    let mut dial = DialTask::<Idle>::new(tasks.driver.clone(), first, Box::pin(answer));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(dial.poll(&mut cx).is_pending());
    tasks.driver.dial_failed(pipe, NetworkError::TimedOut);
    clock.store(1_000_000_000, Ordering::SeqCst); // the back-off is over
    let (_, _second) = tasks.next_dial();

    answered.store(true, Ordering::SeqCst);
    assert!(matches!(dial.poll(&mut cx), Poll::Ready(None)));
    let _goes_on = tasks.connected(pipe, Silence::default());
}

#[test]
fn the_waker_of_a_link_that_ended_is_dropped() {
    let (handle, mut tasks) = push();
    handle.connect(PLACE).unwrap();
    let (pipe, _guard) = tasks.next_dial();
    let stream = Silence::default();
    let mut connection = tasks.connected(pipe, stream.clone());
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    assert_eq!(poll(&mut connection, &waker), TaskState::Waiting);
    stream.ended.store(true, Ordering::SeqCst);
    assert_eq!(poll(&mut connection, &waker), TaskState::Finished);
    drop(waker);
    assert_eq!(Arc::strong_count(&bell), 1, "a runtime keeps the memory of a task as long as its waker");
}

#[test]
fn who_waits_for_the_end_is_not_woken_again_and_again_while_a_listener_closes() {
    let (pull, mut tasks) = socket(Options::<Pull>::new(), &SocketContext::new());
    assert!(pin!(pull.bind(PLACE)).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let (_, listening) = tasks.next_listener();
    let bells = [(); 2].map(|()| Arc::new(Bell::default()));
    let [application, supervisor] = bells.each_ref().map(|bell| Waker::from(Arc::clone(bell)));
    let mut cx = Context::from_waker(&application);
    let mut closing = pin!(pull.close());
    let rung = || bells.each_ref().map(|bell| bell.0.load(Ordering::SeqCst));

    assert!(closing.as_mut().poll(&mut cx).is_pending());
    assert!(tasks.supervisor.poll_action(&supervisor).is_pending());
    assert_eq!(rung(), [0, 0], "the address is not free yet");
    drop(listening);
    assert_eq!(rung(), [1, 1]);
    assert!(closing.as_mut().poll(&mut cx).is_ready());
    assert_eq!(tasks.supervisor.poll_action(&supervisor), Poll::Ready(None));
}

#[test]
fn a_monitor_is_told_when_a_runtime_ends_that_still_had_a_connection() {
    let (push, mut tasks) = push();
    let mut monitor = push.monitor();
    push.connect(PLACE).unwrap();
    let (pipe, _guard) = tasks.next_dial();
    let connection = tasks.connected(pipe, Silence::default());
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let mut cx = Context::from_waker(&waker);
    while let Poll::Ready(event) = pin!(monitor.next()).poll(&mut cx) {
        assert!(event.is_some(), "it is not over");
    }
    let before = bell.0.load(Ordering::SeqCst);
    // As when a runtime drops its tasks: none gives a connection back.
    drop((connection, tasks));
    assert_eq!(bell.0.load(Ordering::SeqCst), before + 1);
    assert_eq!(pin!(monitor.next()).poll(&mut cx), Poll::Ready(None));
}

#[test]
fn a_listener_to_whom_more_and_more_come_lets_others_have_their_turn() {
    let (pull, mut tasks) = socket(Options::<Pull>::new(), &SocketContext::new());
    assert!(pin!(pull.bind(PLACE)).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let (_, mut listening) = tasks.next_listener();
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    for turns in 1..=3 {
        let accepted = (0..1000).take_while(|_| listening.poll_next(&waker) == Poll::Ready(AcceptState::Open)).count();
        assert_eq!((accepted, bell.0.load(Ordering::SeqCst)), (16, turns), "then it is called again");
    }
}

#[test]
fn who_waits_for_anothers_listener_to_close_is_told_when_his_own_runtime_ends() {
    let names = SocketContext::new();
    let pull = || socket(Options::<Pull>::new(), &names);
    let ((host, mut host_tasks), (guest, tasks)) = (pull(), pull());
    let (bell, mut silent) = (Arc::new(Bell::default()), Context::from_waker(Waker::noop()));
    assert!(pin!(host.bind("tcp://1.1.1.1:1/host")).poll(&mut silent).is_pending());
    let _listening = host_tasks.next_listener();
    assert!(pin!(guest.bind("tcp://1.1.1.1:1/guest")).poll(&mut silent).is_ready());
    assert!(pin!(host.unbind("tcp://1.1.1.1:1/host")).poll(&mut silent).is_ready());

    let waker = Waker::from(Arc::clone(&bell));
    let mut closing = pin!(guest.close());
    assert!(closing.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    drop(tasks);
    assert_eq!(bell.0.load(Ordering::SeqCst), 1);
    assert!(closing.as_mut().poll(&mut silent).is_ready());
}

#[test]
fn a_waker_that_owns_the_last_handle_does_not_lock_for_ever() {
    struct Owner(#[expect(dead_code, reason = "it is only owned")] Handle<Router>);
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
    wait.recv_timeout(Duration::from_secs(10)).expect("it waits for itself");
}

#[test]
fn a_waker_that_another_one_replaces_does_not_lock_for_ever() {
    struct Curious(Handle<Router>);
    impl std::task::Wake for Curious {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Curious {
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
        let curious = || Waker::from(Arc::new(Curious(handle.clone())));
        for waker in [&curious as &dyn Fn() -> Waker, &|| Waker::noop().clone()] {
            assert!(receiving.as_mut().poll(&mut Context::from_waker(&waker())).is_pending());
            assert!(event.as_mut().poll(&mut Context::from_waker(&waker())).is_pending());
        }
        done.send(()).unwrap();
    });
    wait.recv_timeout(Duration::from_secs(10)).expect("it waits for itself");
}

/// What a context without names says of itself.
fn nothing() -> String {
    format!("{:?}", SocketContext::new())
}

#[test]
fn a_socket_whose_runtime_is_gone_leaves_its_inproc_peers_and_names() {
    let names = SocketContext::new();
    let (pull, _driver) = socket(Options::<Pull>::new().recv_hwm(1), &names);
    let mut story = pull.monitor();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(pin!(pull.bind("inproc://place")).poll(&mut cx).is_ready());

    let (push, tasks) = socket(Options::<Push>::new(), &names);
    push.connect("inproc://place").unwrap();
    push.connect("inproc://nowhere").unwrap();
    for number in 0..1000 {
        push.try_send(number.to_string()).unwrap();
    }
    drop(tasks);
    assert_eq!(format!("{names:?}"), "Context { bound: [\"place\"], sought: [] }");
    drop(push);
    let over = core::iter::from_fn(|| {
        let _ = pull.try_recv();
        match pin!(story.next()).poll(&mut cx) {
            Poll::Ready(event) => event,
            Poll::Pending => None,
        }
    });
    assert!(over.into_iter().any(|event| matches!(event, Event::Disconnected { .. })), "it waits for nobody");
    drop(pull);
    assert_eq!(format!("{names:?}"), nothing());
}

#[test]
fn so_many_connections_to_a_shared_port_may_be_nobodys_and_no_more() {
    let (pull, mut tasks) = socket(Options::<Pull>::new(), &SocketContext::new());
    let place: Endpoint = "tcp://1.1.1.1:1/pull".parse().unwrap();
    let mut binding = pin!(pull.bind(&place));
    assert!(binding.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let (id, _listening) = tasks.next_listener();
    let knock = || tasks.driver.accepted(id, "tcp://2.2.2.2:2".parse().unwrap(), Silence::default());
    let mut crowd: Vec<_> = core::iter::from_fn(knock).take(2000).collect();
    assert_eq!(crowd.len(), 1024);
    crowd.pop();
    assert!(knock().is_some(), "there is room again");
}

#[test]
fn who_joined_a_port_that_its_first_socket_will_never_open_is_told() {
    let names = SocketContext::new();
    let pull = || socket(Options::<Pull>::new(), &names);
    let ((first, tasks), (second, mut other_tasks)) = (pull(), pull());
    let mut cx = Context::from_waker(Waker::noop());
    let mut binding = pin!(first.bind("tcp://1.1.1.1:1/first"));
    assert!(binding.as_mut().poll(&mut cx).is_pending());
    let place: Endpoint = "tcp://1.1.1.1:1/second".parse().unwrap();
    let mut joining = pin!(second.bind(&place));
    assert!(joining.as_mut().poll(&mut cx).is_pending());
    drop(tasks);
    assert_eq!(binding.poll(&mut cx), Poll::Ready(Err(BindError::Closed)));
    let error = BindError::Network { endpoint: place.clone(), error: NetworkError::Other };
    assert_eq!(joining.poll(&mut cx), Poll::Ready(Err(error)));

    // And it can be opened anew.
    assert!(pin!(second.bind(&place)).poll(&mut cx).is_pending());
    let _opened = other_tasks.next_listener();
}

#[test]
fn a_dial_given_up_while_its_listener_goes_leaves_no_name_behind() {
    type Deed = Box<dyn FnOnce() + Send>;
    let names = SocketContext::new();
    let (push, _tasks) = socket(Options::<Push>::new(), &names);
    // What another thread may do between two looks at the sockets, the clock does here.
    let deed: Arc<Mutex<Option<Deed>>> = Arc::default();
    let clock = {
        let deed = Arc::clone(&deed);
        move || {
            let deed = deed.lock().unwrap().take();
            if let Some(deed) = deed {
                deed();
            }
            Instant::ORIGIN
        }
    };
    let (pull, _other_tasks) = with_clock(Options::<Pull>::new(), &names, clock);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(pin!(pull.bind("inproc://place")).poll(&mut cx).is_ready());
    *deed.lock().unwrap() = Some(Box::new({
        let (push, pull) = (push.clone(), pull.clone());
        move || {
            push.disconnect("inproc://place").unwrap();
            assert!(pin!(pull.unbind("inproc://place")).poll(&mut Context::from_waker(Waker::noop())).is_ready());
        }
    }));
    push.connect("inproc://place").unwrap();
    assert!(deed.lock().unwrap().is_none(), "the clock was looked at");
    assert_eq!(format!("{names:?}"), nothing());
}

#[test]
fn two_full_inproc_sockets_do_not_call_each_other_for_ever() {
    let (done, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let names = SocketContext::new();
        let dealer = || socket(Options::<Dealer>::new().send_hwm(2).recv_hwm(2), &names);
        let ((one, _tasks), (other, _other_tasks)) = (dealer(), dealer());
        assert!(pin!(one.bind("inproc://place")).poll(&mut Context::from_waker(Waker::noop())).is_ready());
        other.connect("inproc://place").unwrap();
        for sender in [&one, &other] {
            while sender.try_send("x").is_ok() {}
        }
        let received = [&one, &other].map(|receiver| core::iter::from_fn(|| receiver.try_recv().ok()).count());
        assert_eq!(received, [2 + 32 + 2; 2], "each had filled its queue, the lane, and the other's queue");
        done.send(()).unwrap();
    });
    wait.recv_timeout(Duration::from_secs(10)).expect("they go on and on");
}
