//! A shared socket without any runtime: who is woken, by whom, and who no longer.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use core::pin::pin;
use core::task::{Context, Poll, Waker};
use sansmq_proto::connection::Outbox;
use sansmq_proto::kind::{Dealer, Pull, Push, Router};
use sansmq_proto::socket::BindError;
use sansmq_proto::{
    ConnectionError, Endpoint, Event, Instant, NetworkError, Options, PipeId, Scratch, Session, Stream, StreamError,
};
use sansmq_runtime::{Context as Names, Dialling, Driver, Handle, Order, Step, share};

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
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

/// A stream on which nothing moves.
struct Silence;

impl Stream for Silence {
    fn read(&mut self, _: &mut [u8]) -> Result<usize, StreamError> {
        Err(StreamError::WouldBlock)
    }

    fn write(&mut self, _: &Outbox) -> Result<usize, StreamError> {
        Err(StreamError::WouldBlock)
    }

    fn close_write(&mut self) -> Result<(), StreamError> {
        Ok(())
    }
}

const PLACE: &str = "tcp://1.1.1.1:1";

fn push() -> (Handle<Push>, Driver) {
    share(Options::<Push>::new(), &Names::global(), || Instant::ORIGIN)
}

/// The next dial the supervisor is asked for.
fn next_dial(driver: &Driver) -> (PipeId, Dialling) {
    let mut armed = None;
    loop {
        match driver.poll_step(Waker::noop(), armed) {
            Poll::Ready(Step::Dial(pipe, _, dialling)) => return (pipe, dialling),
            Poll::Ready(Step::Rearm(deadline)) => armed = deadline,
            other => panic!("no dial but {other:?}"),
        }
    }
}

#[test]
fn a_dial_that_was_given_up_does_not_put_the_next_link_to_sleep() {
    let (handle, driver) = push();
    handle.connect(PLACE).unwrap();
    let (_, late) = next_dial(&driver);
    assert!(late.poll_stopped(Waker::noop()).is_pending());
    handle.disconnect(PLACE).unwrap();

    // Another pipe, in the place of the first.
    handle.connect("tcp://2.2.2.2:2").unwrap();
    let (pipe, _dialling) = next_dial(&driver);
    let mut session = Session::new(driver.connected(pipe).unwrap());
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    assert!(driver.poll_session(pipe, &mut session, &mut Silence, &mut Scratch::with_room(99), &waker).is_pending());

    assert!(late.poll_stopped(Waker::noop()).is_ready(), "nobody wants it");
    handle.try_send("x").unwrap();
    assert_eq!(bell.0.load(Ordering::SeqCst), 1, "the link has a message to send");
}

#[test]
fn a_second_dial_of_a_pipe_stops_the_first() {
    let clock = Arc::new(AtomicU64::new(0));
    let time = Arc::clone(&clock);
    let (handle, driver) =
        share(Options::<Push>::new(), &Names::global(), move || Instant::from_nanos(time.load(Ordering::SeqCst)));
    handle.connect(PLACE).unwrap();
    let (pipe, first) = next_dial(&driver);
    assert!(first.poll_stopped(Waker::noop()).is_pending());
    driver.dial_failed(pipe, NetworkError::TimedOut);
    clock.store(1_000_000_000, Ordering::SeqCst); // the back-off is over
    let (again, second) = next_dial(&driver);
    assert_eq!(pipe, again);
    assert!(first.poll_stopped(Waker::noop()).is_ready(), "there is a newer one");
    assert!(second.poll_stopped(Waker::noop()).is_pending());
}

#[test]
fn the_waker_of_a_link_that_ended_is_dropped() {
    let (handle, driver) = push();
    handle.connect(PLACE).unwrap();
    let (pipe, _dialling) = next_dial(&driver);
    let mut session = Session::new(driver.connected(pipe).unwrap());
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    assert!(driver.poll_session(pipe, &mut session, &mut Silence, &mut Scratch::with_room(99), &waker).is_pending());
    driver.disconnected(pipe, session, &ConnectionError::Eof);
    drop(waker);
    assert_eq!(Arc::strong_count(&bell), 1, "a runtime keeps the memory of a task as long as its waker");
}

#[test]
fn who_waits_for_the_end_is_not_woken_again_and_again_while_a_listener_closes() {
    let (pull, driver) = share(Options::<Pull>::new(), &Names::new(), || Instant::ORIGIN);
    assert!(pin!(pull.bind(PLACE)).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let Poll::Ready(Step::Listen(id, at, listening)) = driver.poll_step(Waker::noop(), None) else {
        panic!("it is to listen");
    };
    driver.listening(id, at);
    let bells = [(); 2].map(|()| Arc::new(Bell::default()));
    let [application, supervisor] = bells.each_ref().map(|bell| Waker::from(Arc::clone(bell)));
    let mut cx = Context::from_waker(&application);
    let mut closing = pin!(pull.close());
    let rung = || bells.each_ref().map(|bell| bell.0.load(Ordering::SeqCst));

    assert!(closing.as_mut().poll(&mut cx).is_pending());
    assert!(driver.poll_step(&supervisor, None).is_pending());
    assert_eq!(rung(), [0, 0], "the address is not free yet");
    drop(listening);
    assert_eq!(rung(), [1, 1]);
    assert!(closing.as_mut().poll(&mut cx).is_ready());
    assert!(matches!(driver.poll_step(&supervisor, None), Poll::Ready(Step::Finished)));
}

#[test]
fn a_monitor_is_told_when_a_runtime_ends_that_still_had_a_connection() {
    let (push, driver) = push();
    let mut monitor = push.monitor();
    push.connect(PLACE).unwrap();
    let (pipe, _dialling) = next_dial(&driver);
    let _never_given_back = driver.connected(pipe).unwrap();
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let mut cx = Context::from_waker(&waker);
    while let Poll::Ready(event) = pin!(monitor.next()).poll(&mut cx) {
        assert!(event.is_some(), "it is not over");
    }
    let before = bell.0.load(Ordering::SeqCst);
    drop(driver);
    assert_eq!(bell.0.load(Ordering::SeqCst), before + 1);
    assert_eq!(pin!(monitor.next()).poll(&mut cx), Poll::Ready(None));
}

#[test]
fn a_listener_to_whom_more_and_more_come_lets_others_have_their_turn() {
    let (pull, driver) = share(Options::<Pull>::new(), &Names::new(), || Instant::ORIGIN);
    assert!(pin!(pull.bind(PLACE)).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let Poll::Ready(Step::Listen(id, at, mut listening)) = driver.poll_step(Waker::noop(), None) else {
        panic!("it is to listen");
    };
    driver.listening(id, at);
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    for turns in 1..=3 {
        let accepted = (0..1000).take_while(|_| listening.poll_next(&waker) == Poll::Ready(Order::Accept)).count();
        assert_eq!((accepted, bell.0.load(Ordering::SeqCst)), (16, turns), "then it is called again");
    }
}

#[test]
fn who_waits_for_anothers_listener_to_close_is_told_when_his_own_runtime_ends() {
    let names = Names::new();
    let socket = || share(Options::<Pull>::new(), &names, || Instant::ORIGIN);
    let ((host, host_driver), (guest, driver)) = (socket(), socket());
    let (bell, mut silent) = (Arc::new(Bell::default()), Context::from_waker(Waker::noop()));
    assert!(pin!(host.bind("tcp://1.1.1.1:1/host")).poll(&mut silent).is_pending());
    let Poll::Ready(Step::Listen(id, at, _listening)) = host_driver.poll_step(Waker::noop(), None) else {
        panic!("it is to listen");
    };
    host_driver.listening(id, at);
    assert!(pin!(guest.bind("tcp://1.1.1.1:1/guest")).poll(&mut silent).is_ready());
    assert!(pin!(host.unbind("tcp://1.1.1.1:1/host")).poll(&mut silent).is_ready());

    let waker = Waker::from(Arc::clone(&bell));
    let mut closing = pin!(guest.close());
    assert!(closing.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    drop(driver);
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
        let (handle, _driver) = share(Options::<Router>::new(), &Names::global(), || Instant::ORIGIN);
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
        let (handle, _driver) = share(Options::<Router>::new(), &Names::global(), || Instant::ORIGIN);
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
    format!("{:?}", Names::new())
}

#[test]
fn a_socket_whose_runtime_is_gone_leaves_its_inproc_peers_and_names() {
    let names = Names::new();
    let (pull, _driver) = share(Options::<Pull>::new().recv_hwm(1), &names, || Instant::ORIGIN);
    let mut story = pull.monitor();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(pin!(pull.bind("inproc://place")).poll(&mut cx).is_ready());

    let (push, driver) = share(Options::<Push>::new(), &names, || Instant::ORIGIN);
    push.connect("inproc://place").unwrap();
    push.connect("inproc://nowhere").unwrap();
    for number in 0..1000 {
        push.try_send(number.to_string()).unwrap();
    }
    drop(driver);
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
    let (pull, driver) = share(Options::<Pull>::new(), &Names::new(), || Instant::ORIGIN);
    let place: Endpoint = "tcp://1.1.1.1:1/pull".parse().unwrap();
    let mut binding = pin!(pull.bind(&place));
    assert!(binding.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let Poll::Ready(Step::Listen(id, at, _listening)) = driver.poll_step(Waker::noop(), None) else {
        panic!("it is to listen");
    };
    driver.listening(id, at);
    let knock = || driver.accepted(id, "tcp://2.2.2.2:2".parse().unwrap());
    let mut crowd: Vec<_> = core::iter::from_fn(knock).take(2000).collect();
    assert_eq!(crowd.len(), 1024);
    crowd.pop();
    assert!(knock().is_some(), "there is room again");
}

#[test]
fn who_joined_a_port_that_its_first_socket_will_never_open_is_told() {
    let names = Names::new();
    let socket = || share(Options::<Pull>::new(), &names, || Instant::ORIGIN);
    let ((first, driver), (second, other_driver)) = (socket(), socket());
    let mut cx = Context::from_waker(Waker::noop());
    let mut binding = pin!(first.bind("tcp://1.1.1.1:1/first"));
    assert!(binding.as_mut().poll(&mut cx).is_pending());
    let place: Endpoint = "tcp://1.1.1.1:1/second".parse().unwrap();
    let mut joining = pin!(second.bind(&place));
    assert!(joining.as_mut().poll(&mut cx).is_pending());
    drop(driver);
    assert_eq!(binding.poll(&mut cx), Poll::Ready(Err(BindError::Closed)));
    let error = BindError::Network { endpoint: place.clone(), error: NetworkError::Other };
    assert_eq!(joining.poll(&mut cx), Poll::Ready(Err(error)));

    // And it can be opened anew.
    assert!(pin!(second.bind(&place)).poll(&mut cx).is_pending());
    assert!(matches!(other_driver.poll_step(Waker::noop(), None), Poll::Ready(Step::Listen(..))));
}

#[test]
fn a_dial_given_up_while_its_listener_goes_leaves_no_name_behind() {
    type Deed = Box<dyn FnOnce() + Send>;
    let names = Names::new();
    let (push, _driver) = share(Options::<Push>::new(), &names, || Instant::ORIGIN);
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
    let (pull, _other_driver) = share(Options::<Pull>::new(), &names, clock);
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
        let names = Names::new();
        let socket = || share(Options::<Dealer>::new().send_hwm(2).recv_hwm(2), &names, || Instant::ORIGIN);
        let ((one, _driver), (other, _other_driver)) = (socket(), socket());
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
