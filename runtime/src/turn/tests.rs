//! Tests of futures that wait in turn, over `inproc`, which needs no runtime. The tests poll the futures themselves.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use crate::{Context as SocketContext, Driver, Handle};
use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use futures_core::Stream;
use futures_sink::Sink;
use sansmq_proto::kind::{Dealer, Pull, Push, Rep, Req, Router, Sub, Typed, XPub};
use sansmq_proto::socket::SlowSubscriber;
use sansmq_proto::{Instant, Message, Options, RecvError, SendError};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

/// Two connected sockets. The sockets close when the drivers are dropped.
struct Pair<A: Typed, B: Typed> {
    bound: Handle<A>,
    connected: Handle<B>,
    context: SocketContext,
    drivers: Vec<Driver>,
}

const ENDPOINT: &str = "inproc://turn";

fn pair<A: Typed, B: Typed>(bound: Options<A>, connected: Options<B>) -> Pair<A, B> {
    let context = SocketContext::new();
    let (bound, first) = crate::new_socket(bound, &context, || Instant::ORIGIN);
    assert!(Task::new(bound.bind(ENDPOINT)).poll().is_ready());
    let (connected, second) = crate::new_socket(connected, &context, || Instant::ORIGIN);
    connected.connect(ENDPOINT).unwrap();
    Pair { bound, connected, context, drivers: vec![first, second] }
}

/// PUSH and PULL of which each queue holds `hwm` messages.
fn pipeline(hwm: usize) -> Pair<Pull, Push> {
    pair(Options::new().recv_hwm(hwm), Options::new().send_hwm(hwm))
}

impl<A: Typed, B: Typed> Pair<A, B> {
    /// Connects another socket to the bound one.
    fn connect<T: Typed>(&mut self, options: Options<T>) -> Handle<T> {
        let (handle, driver) = crate::new_socket(options, &self.context, || Instant::ORIGIN);
        handle.connect(ENDPOINT).unwrap();
        self.drivers.push(driver);
        handle
    }
}

/// A future with a waker of its own, which counts its wake-ups.
struct Task<F> {
    future: Pin<Box<F>>,
    wakes: Arc<Wakes>,
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl<F: Future> Task<F> {
    fn new(future: F) -> Self {
        Self { future: Box::pin(future), wakes: Arc::default() }
    }

    fn poll(&mut self) -> Poll<F::Output> {
        let waker = Waker::from(Arc::clone(&self.wakes));
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    fn wakes(&self) -> usize {
        self.wakes.0.load(Ordering::SeqCst)
    }

    /// Polls a future that must be pending, and returns it as a waiting task.
    fn waiting(future: F) -> Self
    where
        F::Output: core::fmt::Debug,
    {
        let mut task = Self::new(future);
        let polled = task.poll();
        assert!(polled.is_pending(), "{polled:?}");
        task
    }
}

/// Returns the indices of the tasks that were woken.
fn woken<F: Future>(tasks: &[Task<F>]) -> Vec<usize> {
    (0..tasks.len()).filter(|&index| tasks[index].wakes() > 0).collect()
}

fn fill<T: sansmq_proto::kind::Sends>(socket: &Handle<T>, message: impl Fn(usize) -> Message) -> usize {
    (0..usize::MAX).find(|&number| socket.try_send(message(number)).is_err()).unwrap()
}

#[test]
fn message_wakes_as_many_receivers_as_can_be_served() {
    let Pair { bound: pull, connected: push, .. } = &pipeline(1000);
    let mut tasks: Vec<_> = (0..1000).map(|_| Task::waiting(pull.recv())).collect();
    for number in 0..5 {
        push.try_send(number.to_string()).unwrap();
    }
    assert_eq!(woken(&tasks), [0, 1, 2, 3, 4]);
    // The tasks are polled in another order than they were woken in: each gets one of the five messages.
    let mut received: Vec<_> = tasks[..5]
        .iter_mut()
        .rev()
        .map(Task::poll)
        .map(|polled| match polled {
            Poll::Ready(message) => message.unwrap().body().to_text().into_owned(),
            Poll::Pending => panic!("a woken task finds no message"),
        })
        .collect();
    received.sort();
    assert_eq!(received, ["0", "1", "2", "3", "4"]);
    assert_eq!(woken(&tasks).len(), 5, "no task was woken for a message that another task has received");
}

#[test]
fn late_receiver_does_not_overtake_woken_receiver() {
    let Pair { bound: pull, connected: push, .. } = &pipeline(1000);
    let mut first = Task::waiting(pull.recv());
    push.try_send("first").unwrap();
    let mut late = Task::waiting(pull.recv());
    assert_eq!(late.wakes(), 0);
    push.try_send("second").unwrap();
    assert_eq!(late.wakes(), 1);
    assert_eq!(first.poll(), Poll::Ready(Ok("first".into())));
    assert_eq!(late.poll(), Poll::Ready(Ok("second".into())));
}

#[test]
fn receiver_takes_message_that_no_woken_receiver_needs() {
    let Pair { bound: pull, connected: push, .. } = &pipeline(1000);
    let mut first = Task::waiting(pull.recv());
    for body in ["a", "b", "c"] {
        push.try_send(body).unwrap();
    }
    let mut late = Task::new(pull.recv());
    assert!(late.poll().is_ready());
    assert!(Task::new(pull.recv()).poll().is_ready());
    let mut last = Task::waiting(pull.recv());
    assert!(first.poll().is_ready());
    assert_eq!(last.wakes(), 0);
    push.try_send("d").unwrap();
    assert_eq!(last.poll(), Poll::Ready(Ok("d".into())));
}

#[test]
fn cancelled_receiver_passes_its_turn_on() {
    let Pair { bound: pull, connected: push, .. } = &pipeline(1000);
    let mut tasks: Vec<_> = (0..3).map(|_| Task::waiting(pull.recv())).collect();
    push.try_send("x").unwrap();
    assert_eq!(woken(&tasks), [0]);
    drop(tasks.remove(0));
    assert_eq!(woken(&tasks), [0]);
    drop(tasks.remove(1));
    assert_eq!(tasks[0].poll(), Poll::Ready(Ok("x".into())));
}

#[test]
fn late_receiver_gets_turn_of_cancelled_receiver() {
    let Pair { bound: pull, connected: push, .. } = &pipeline(1000);
    let first = Task::waiting(pull.recv());
    push.try_send("x").unwrap();
    let mut late = Task::waiting(pull.recv());
    drop(first);
    assert_eq!(late.wakes(), 1);
    assert_eq!(late.poll(), Poll::Ready(Ok("x".into())));
}

#[test]
fn waiter_of_readable_takes_no_turn() {
    let Pair { bound: pull, connected: push, .. } = &pipeline(1000);
    let (mut readable, mut receiver) = (Task::waiting(pull.readable()), Task::waiting(pull.recv()));
    push.try_send("x").unwrap();
    assert_eq!((readable.wakes(), receiver.wakes()), (1, 1));
    assert!(readable.poll().is_ready());
    assert_eq!(receiver.poll(), Poll::Ready(Ok("x".into())));
    let late = Task::waiting(pull.readable());
    push.try_send("y").unwrap();
    assert_eq!(late.wakes(), 1);
}

#[test]
fn room_wakes_as_many_senders_as_can_be_served() {
    const TASKS: usize = 100;
    let Pair { bound: pull, connected: push, .. } = &pipeline(10);
    let queued = fill(push, |number| number.to_string().into());
    let mut tasks: Vec<_> = (0..TASKS).map(|number| Task::waiting(push.send((queued + number).to_string()))).collect();
    let (mut received, mut sent) = (0, 0);
    while received < queued + TASKS {
        while let Ok(message) = pull.try_recv() {
            assert_eq!(message.body().to_text(), received.to_string(), "messages are sent in the order of the tasks");
            received += 1;
        }
        let turns = woken(&tasks);
        assert_eq!(turns, (0..turns.len()).collect::<Vec<_>>());
        assert!(turns.len() > sent || received == queued + TASKS, "{sent} of {} sent", turns.len());
        for task in &mut tasks[sent..turns.len()] {
            assert_eq!(task.poll(), Poll::Ready(Ok(())));
        }
        sent = turns.len();
    }
    assert!(tasks.iter().all(|task| task.wakes() == 1));
}

#[test]
fn sender_in_loop_does_not_take_room_of_waiting_sender() {
    for hwm in [10, 1000] {
        let Pair { bound: pull, connected: push, .. } = &pipeline(hwm);
        for _ in 0..50 {
            fill(push, |_| "filling".into());
            let mut flood = Task::waiting(push.send("flood"));
            let mut heartbeat = Task::waiting(push.send("heartbeat"));
            while heartbeat.wakes() == 0 {
                pull.try_recv().unwrap();
            }
            // The flood runs first, and sends until it must wait.
            assert!(flood.poll().is_ready());
            let mut flood = Task::new(push.send("flood"));
            while flood.poll().is_ready() {
                flood = Task::new(push.send("flood"));
            }
            assert!(heartbeat.poll().is_ready(), "the heartbeat has a turn");
        }
    }
}

#[test]
fn cancelled_sender_passes_its_turn_on() {
    let Pair { bound: pull, connected: push, .. } = &pipeline(1);
    fill(push, |_| "x".into());
    let mut tasks: Vec<_> = (0..2).map(|_| Task::waiting(push.send("y"))).collect();
    while woken(&tasks).is_empty() {
        pull.try_recv().unwrap();
    }
    assert_eq!(woken(&tasks), [0]);
    drop(tasks.remove(0));
    assert_eq!(woken(&tasks), [0]);
    assert!(tasks[0].poll().is_ready());
}

#[test]
fn router_sender_waits_for_its_own_peer_only() {
    let peer = |name: &str| Options::<Dealer>::new().routing_id(name.to_owned()).unwrap().recv_hwm(1);
    let mut pair = pair(Options::<Router>::new().mandatory(true).send_hwm(4), peer("slow"));
    let (slow, fast) = (pair.connected.clone(), pair.connect(peer("fast")));
    let router = &pair.bound;
    for name in ["slow", "fast"] {
        fill(router, |number| (name, number.to_string()).into());
    }
    let (mut to_slow, mut to_fast) =
        (Task::waiting(router.send(("slow", "x"))), Task::waiting(router.send(("fast", "x"))));
    let behind = Task::waiting(router.send(("fast", "y")));
    while fast.try_recv().is_ok() {}
    assert_eq!((to_slow.wakes(), to_fast.wakes(), behind.wakes()), (0, 1, 1));
    assert!(Task::new(router.send(("slow", "late"))).poll().is_pending());
    assert!(Task::new(router.send(("fast", "late"))).poll().is_ready(), "there is room beyond the two turns");
    assert!(to_fast.poll().is_ready());
    while slow.try_recv().is_ok() {}
    assert!(to_slow.poll().is_ready());
}

#[test]
fn sender_to_removed_peer_is_woken() {
    let mut pair = pair(
        Options::<Router>::new().mandatory(true).send_hwm(1),
        Options::<Dealer>::new().routing_id("peer").unwrap(),
    );
    fill(&pair.bound, |_| ("peer", "x").into());
    let mut task = Task::waiting(pair.bound.send(("peer", "y")));
    let _ = Task::new(pair.connected.close()).poll();
    drop(pair.drivers.pop());
    assert_eq!(task.wakes(), 1);
    assert_eq!(task.poll(), Poll::Ready(Err(SendError::Unroutable(("peer", "y").into()))));
}

/// XPUB that waits for slow subscribers, and has no room for messages on the topics `slow` and `fast`, to which one SUB each
/// has subscribed. The second value is the subscriber to `fast`.
fn blocked_publisher() -> (Pair<XPub, Sub>, Handle<Sub>) {
    let publisher = Options::<XPub>::new().slow_subscriber(SlowSubscriber::Block).send_hwm(1);
    let mut pair = pair(publisher, Options::<Sub>::new().recv_hwm(1));
    let fast = pair.connect(Options::<Sub>::new().recv_hwm(1));
    pair.connected.subscribe("slow").unwrap();
    fast.subscribe("fast").unwrap();
    while pair.bound.try_recv().is_ok() {}
    for topic in ["slow", "fast"] {
        fill(&pair.bound, |_| topic.into());
    }
    (pair, fast)
}

#[test]
fn publisher_without_drops_tries_each_waiting_topic() {
    let (pair, fast) = blocked_publisher();
    let (publisher, slow) = (&pair.bound, &pair.connected);
    let (mut to_slow, mut to_fast) = (Task::waiting(publisher.send("slow")), Task::waiting(publisher.send("fast")));
    while fast.try_recv().is_ok() {}
    assert_eq!(to_slow.wakes(), 1, "the first waiting message is tried first");
    assert!(to_slow.poll().is_pending());
    assert_eq!((to_slow.wakes(), to_fast.wakes()), (1, 1), "the turn passes on");
    assert!(to_fast.poll().is_ready());
    while slow.try_recv().is_ok() {}
    assert!(to_slow.poll().is_ready());
}

#[test]
fn turn_of_lone_sender_without_success_ends() {
    let (pair, fast) = blocked_publisher();
    let publisher = &pair.bound;
    let mut to_slow = Task::waiting(publisher.send("slow"));
    while fast.try_recv().is_ok() {}
    assert_eq!(to_slow.wakes(), 1);
    assert!(to_slow.poll().is_pending());
    fill(publisher, |_| "fast".into());
    let mut to_fast = Task::waiting(publisher.send("fast"));
    while fast.try_recv().is_ok() {}
    assert_eq!(to_slow.wakes(), 2);
    assert!(to_slow.poll().is_pending());
    assert_eq!(to_fast.wakes(), 1);
    assert!(to_fast.poll().is_ready());
}

#[test]
fn rep_and_req_receivers_all_complete() {
    let Pair { bound: rep, connected: req, .. } = &pair(Options::<Rep>::new(), Options::<Req>::new());
    let mut servers = [Task::waiting(rep.recv()), Task::waiting(rep.recv())];
    req.try_send("request").unwrap();
    assert_eq!(servers[0].poll(), Poll::Ready(Ok("request".into())));
    assert_eq!(servers[1].poll(), Poll::Ready(Err(RecvError::OutOfTurn)));
    let mut clients = [Task::waiting(req.recv()), Task::waiting(req.recv())];
    rep.try_send("reply").unwrap();
    assert_eq!(woken(&clients), [0, 1]);
    assert_eq!(clients[0].poll(), Poll::Ready(Ok("reply".into())));
    assert_eq!(clients[1].poll(), Poll::Ready(Err(RecvError::OutOfTurn)));
}

#[test]
fn random_polls_and_drops_wake_as_many_as_can_be_served() {
    for seed in 0..300 {
        let mut state: u64 = seed;
        let mut pick = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        let Pair { bound: pull, connected: push, .. } = &pipeline(1000);
        let (mut asleep, mut awake, mut messages) = (Vec::new(), Vec::new(), 0);
        for _ in 0..200 {
            match pick(6) {
                // An inproc connection moves few messages at a time, and only these can be served.
                0 if messages < 4 => {
                    push.try_send("").unwrap();
                    messages += 1;
                }
                1 | 2 => awake.push(Task::new(pull.recv())),
                // Tasks are polled in any order, also without a wake-up.
                3 if !asleep.is_empty() => awake.push(asleep.swap_remove(pick(asleep.len()))),
                4 if !awake.is_empty() => drop(awake.swap_remove(pick(awake.len()))),
                5 if !asleep.is_empty() => drop(asleep.swap_remove(pick(asleep.len()))),
                _ => {}
            }
            if !awake.is_empty() && pick(2) == 0 {
                let mut task: Task<_> = awake.swap_remove(pick(awake.len()));
                task.wakes = Arc::default();
                match task.poll() {
                    Poll::Ready(message) => {
                        message.unwrap();
                        messages -= 1;
                    }
                    Poll::Pending => asleep.push(task),
                }
            }
            awake.extend(asleep.extract_if(.., |task| task.wakes() > 0));
            assert!(
                awake.len() >= messages.min(awake.len() + asleep.len()),
                "seed {seed}: a task waits beside a message"
            );
        }
    }
}

#[test]
fn close_wakes_all_waiting_futures() {
    let Pair { bound: pull, connected: push, .. } = &pipeline(1);
    let receivers: Vec<_> = (0..3).map(|_| Task::waiting(pull.recv())).collect();
    let _ = Task::new(pull.close()).poll();
    assert_eq!(woken(&receivers), [0, 1, 2]);
    fill(push, |_| "x".into());
    let senders: Vec<_> = (0..3).map(|_| Task::waiting(push.send("y"))).collect();
    let _ = Task::new(push.close()).poll();
    assert_eq!(woken(&senders), [0, 1, 2]);
}

#[test]
fn sink_waits_for_its_turn() {
    let Pair { bound: pull, connected: push, .. } = &pipeline(4);
    fill(push, |_| "x".into());
    let mut first = Task::waiting(push.send("first"));
    while first.wakes() == 0 {
        pull.try_recv().unwrap();
    }
    let mut sink = pin!(push.sink());
    sink.as_mut().start_send("second".into()).unwrap();
    let mut flush = Task::new(poll_fn(|cx| sink.as_mut().poll_flush(cx)));
    // The sink may use room beyond the one that the first task needs.
    let flushed = flush.poll();
    assert!(first.poll().is_ready());
    assert!(flushed.is_ready() || flush.poll().is_ready());
}

/// Polls `operation` until it is pending, and returns the number of times that it was ready. Panics if it does not
/// yield, or yields without waking its task.
fn operations_until_yield(mut operation: impl FnMut(&mut Context<'_>) -> Poll<()>) -> usize {
    let counter = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&counter));
    let mut cx = Context::from_waker(&waker);
    let completed = (0..5000).find(|_| operation(&mut cx).is_pending()).expect("the operation never yields");
    assert_eq!(counter.0.load(Ordering::SeqCst), 1, "the task is woken to continue");
    completed
}

#[test]
fn budget_of_socket_limits_each_future_stream_and_sink() {
    let Pair { bound: pull, connected: push, .. } = &pipeline(8000);
    for number in 0..6000 {
        push.try_send(number.to_string()).unwrap();
    }
    // `bind` was the first operation of this socket.
    assert_eq!(operations_until_yield(|cx| pin!(pull.readable()).poll(cx)), 1023);
    let mut next = 0;
    let mut check = |message: Message| {
        assert_eq!(message.body().to_text(), next.to_string());
        next += 1;
    };
    let completed = operations_until_yield(|cx| pin!(pull.recv()).poll(cx).map(|message| check(message.unwrap())));
    assert_eq!(completed, 1024);
    // A call that does not wait has no budget, and the yield lost no message.
    for _ in 0..200 {
        check(pull.try_recv().unwrap());
    }
    let completed =
        operations_until_yield(|cx| pin!(pull.recv_from()).poll(cx).map(|received| check(received.unwrap().0)));
    assert_eq!(completed, 1024);
    let mut stream = pin!(pull.stream());
    let completed =
        operations_until_yield(|cx| stream.as_mut().poll_next(cx).map(|message| check(message.unwrap().unwrap())));
    assert_eq!(completed, 1024);
    assert_eq!(operations_until_yield(|cx| pin!(pull.readable()).poll(cx)), 1024);
    assert_eq!(operations_until_yield(|cx| pin!(push.writable()).poll(cx)), 1024);
    assert_eq!(
        operations_until_yield(|cx| pin!(push.wait_connected(1)).poll(cx).map(|peers| assert!(peers.is_ok()))),
        1024
    );
    assert_eq!(operations_until_yield(|cx| pin!(push.send("x")).poll(cx).map(Result::unwrap)), 1024);
    let mut sink = pin!(push.sink());
    let completed = operations_until_yield(|cx| {
        assert!(sink.as_mut().poll_ready(cx).is_ready(), "the sink has room");
        sink.as_mut().start_send("x".into()).unwrap();
        sink.as_mut().poll_flush(cx).map(Result::unwrap)
    });
    assert_eq!(completed, 1024);
}

#[test]
fn batch_leaves_enough_for_futures_with_a_turn() {
    let Pair { bound: pull, connected: push, .. } = &pipeline(100);
    let mut waiting: Vec<_> = (0..3).map(|_| Task::waiting(pull.recv())).collect();
    for number in 0..10 {
        push.try_send(number.to_string()).unwrap();
    }
    // The three futures have turns. A later batch takes half of its limit, and half again, until enough is left.
    let mut received = Vec::new();
    assert_eq!(Task::new(pull.recv_many(&mut received, 8)).poll(), Poll::Ready(Ok(4)));
    for task in &mut waiting {
        assert!(task.poll().is_ready());
    }
    while pull.try_recv_many(&mut received, 8).unwrap() > 0 {}
    assert_eq!(received.len(), 4 + 3);

    // The same for senders.
    let push_only = Options::<Push>::new().send_hwm(10);
    let Pair { bound: pull, connected: push, .. } = &pair(Options::<Pull>::new().recv_hwm(1), push_only);
    fill(push, |_| "x".into());
    let mut waiting: Vec<_> = (0..3).map(|_| Task::waiting(push.send("waits"))).collect();
    while pull.try_recv().is_ok() {}
    assert_eq!(woken(&waiting), [0, 1, 2]);
    let mut batch = vec![Message::from("batch"); 8];
    assert_eq!(Task::new(push.send_many(&mut batch)).poll(), Poll::Ready(Ok(4)));
    for task in &mut waiting {
        assert!(task.poll().is_ready());
    }
}

#[test]
fn budget_of_socket_limits_batches() {
    let Pair { bound: pull, connected: push, .. } = &pipeline(20_000);
    let mut batch = Vec::new();
    let sent = operations_until_yield(|cx| {
        batch.resize(64, Message::from("x"));
        pin!(push.send_many(&mut batch)).poll(cx).map(|sent| assert_eq!(sent, Ok(64)))
    });
    // `connect` and `bind` were the first operations.
    assert!((127..=128).contains(&sent), "{sent} batches of 64 messages");
    let mut into = Vec::new();
    let received = operations_until_yield(|cx| {
        pin!(pull.recv_many(&mut into, 32)).poll(cx).map(|received| assert_eq!(received, Ok(32)))
    });
    assert!((127..=128).contains(&received), "{received} batches of 32 messages");
}
