//! Tests of exclusive sockets on a runtime in memory, which counts what they do.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

use crate::{AsyncTimer, BoundListener, DialTimer, Exclusive, PollListener, PollStream, Runtime, Task, TimedRuntime};
use core::future::{pending, poll_fn};
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use sansmq_proto::address::TransportConfig;
use sansmq_proto::kind::{Dealer, Pull, Push};
use sansmq_proto::socket::BindError;
use sansmq_proto::{Endpoint, Event, Instant, NetworkError, Options};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Wake;

/// Runtime and network in memory. Its clock stands still.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<World>>);

#[derive(Default)]
struct World {
    now: u64,
    /// True if the runtime has no timers.
    has_no_timers: bool,
    /// Connections that the listener has not accepted.
    backlog: VecDeque<MemoryStream>,
    acceptor: Option<Waker>,
    /// Outcome of the next `listen`, which waits for it, and the waker of that future.
    listening: Option<Result<(), NetworkError>>,
    listener: Option<Waker>,
    /// Number of reads from all streams.
    reads: usize,
    writes: usize,
    /// Number of dials, which never end by themselves.
    dials: usize,
    /// Deadline of the timer.
    deadline: Option<Instant>,
}

impl Memory {
    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    /// Connects a peer that sends `bytes`.
    fn connect(&self, bytes: &[u8]) -> MemoryStream {
        let stream = MemoryStream { memory: self.clone(), input: Arc::default() };
        stream.input.lock().unwrap().0.extend(bytes);
        let mut world = self.world();
        world.backlog.push_back(stream.clone());
        let acceptor = world.acceptor.take();
        drop(world);
        acceptor.into_iter().for_each(Waker::wake);
        stream
    }
}

impl Runtime for Memory {
    type Stream = MemoryStream;
    type Listener = Self;

    fn spawn(&self, _: Task<Self>) {
        panic!("an exclusive socket has no tasks");
    }

    fn now(&self) -> Instant {
        Instant::from_nanos(self.world().now)
    }

    async fn listen(self, endpoint: Endpoint, _: TransportConfig) -> Result<(Self, Endpoint), NetworkError> {
        poll_fn(|cx| {
            let mut world = self.world();
            world.listener = Some(cx.waker().clone());
            world.listening.map_or(Poll::Pending, Poll::Ready)
        })
        .await?;
        Ok((self, endpoint))
    }

    fn take_listener(&self, _: BoundListener, _: &TransportConfig) -> Result<Self, NetworkError> {
        Err(NetworkError::Unsupported)
    }

    async fn dial(self, _: Endpoint, _: TransportConfig, _: DialTimer) -> Result<MemoryStream, NetworkError> {
        self.world().dials += 1;
        let _dial = Dial(self);
        pending().await
    }
}

struct Dial(Memory);

impl Drop for Dial {
    fn drop(&mut self) {
        self.0.world().dials -= 1;
    }
}

impl TimedRuntime for Memory {
    type Timer = Self;

    fn new_timer(&self) -> Result<Self, NetworkError> {
        if self.world().has_no_timers { Err(NetworkError::NoTimeDriver) } else { Ok(self.clone()) }
    }
}

impl AsyncTimer for Memory {
    fn set(&mut self, deadline: Option<Instant>) {
        self.world().deadline = deadline;
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<()> {
        let world = self.world();
        if world.deadline.is_some_and(|at| at.as_nanos() <= world.now) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl PollListener for Memory {
    type Stream = MemoryStream;

    fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
        _: &TransportConfig,
    ) -> Poll<Result<(MemoryStream, Endpoint), NetworkError>> {
        let mut world = self.world();
        let Some(stream) = world.backlog.pop_front() else {
            world.acceptor = Some(cx.waker().clone());
            return Poll::Pending;
        };
        Poll::Ready(Ok((stream, ENDPOINT.parse().unwrap())))
    }
}

/// Stream with the input of the test. It discards its output.
#[derive(Clone)]
struct MemoryStream {
    memory: Memory,
    input: Arc<Mutex<(VecDeque<u8>, Option<Waker>)>>,
}

impl MemoryStream {
    fn send(&self, bytes: &[u8]) {
        let mut input = self.input.lock().unwrap();
        input.0.extend(bytes);
        let reader = input.1.take();
        drop(input);
        reader.into_iter().for_each(Waker::wake);
    }
}

impl PollStream for MemoryStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.memory.world().reads += 1;
        let (input, reader) = &mut *self.input.lock().unwrap();
        if input.is_empty() {
            *reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = input.len().min(buffer.len());
        buffer.iter_mut().zip(input.drain(..count)).for_each(|(to, byte)| *to = byte);
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(&mut self, _: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.memory.world().writes += 1;
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }

    fn poll_close_write(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

const ENDPOINT: &str = "tcp://10.0.0.1:1";

/// Returns the greeting and the READY command of a PUSH or a PULL.
fn hello(socket_type: &str) -> Vec<u8> {
    let mut greeting = [0; 64];
    greeting[0] = 0xff;
    greeting[9..11].copy_from_slice(&[0x7f, 3]);
    greeting[12..16].copy_from_slice(b"NULL");
    [&greeting[..], b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04", socket_type.as_bytes()].concat()
}

/// Waker of a task, which counts how often it is woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Task that owns an exclusive socket.
struct Owner {
    memory: Memory,
    count: Arc<Count>,
}

impl Owner {
    fn new() -> Self {
        let memory = Memory::default();
        memory.world().listening = Some(Ok(()));
        Self { memory, count: Arc::default() }
    }

    fn poll<V>(&self, poll: impl FnOnce(&mut Context<'_>) -> Poll<V>) -> Poll<V> {
        poll(&mut Context::from_waker(&Arc::clone(&self.count).into()))
    }

    /// Polls as long as the task is woken. Returns the number of polls.
    fn settle<V>(&self, mut poll: impl FnMut(&mut Context<'_>) -> Poll<V>) -> usize {
        for polls in 1..10_000 {
            let woken = self.woken();
            assert!(self.poll(&mut poll).is_pending(), "a result that the test does not expect");
            if self.woken() == woken {
                return polls;
            }
        }
        panic!("the task wakes itself again and again");
    }

    fn woken(&self) -> usize {
        self.count.0.load(Ordering::Relaxed)
    }

    /// Creates a bound PULL with `peers` connected peers, and returns it with their streams.
    fn pull(&self, peers: usize) -> (Exclusive<Pull, Memory>, Vec<MemoryStream>) {
        let mut pull = Exclusive::on(&self.memory, Options::<Pull>::new());
        let endpoint: Endpoint = ENDPOINT.parse().unwrap();
        let listener = pull.begin_bind(endpoint.clone()).unwrap();
        let bound = self.poll(|cx| pull.poll_bound(cx, listener, &endpoint));
        assert_eq!(bound, Poll::Ready(Ok(endpoint)));
        let streams: Vec<_> = (0..peers).map(|_| self.memory.connect(&hello("PUSH"))).collect();
        self.settle(|cx| pull.poll_recv(cx));
        assert_eq!(pull.socket().ready_peers(), peers);
        (pull, streams)
    }
}

#[test]
fn message_costs_as_much_among_a_thousand_peers_as_alone() {
    let work = [1, 1000].map(|peers| {
        let owner = Owner::new();
        let (mut pull, streams) = owner.pull(peers);
        let (reads, woken) = (owner.memory.world().reads, owner.woken());
        for stream in &streams[..1] {
            stream.send(b"\0\x05hello");
        }
        assert_eq!(owner.woken(), woken + 1);
        let Poll::Ready(received) = owner.poll(|cx| pull.poll_recv(cx)) else { panic!("no message") };
        assert_eq!(received.unwrap().body(), "hello");
        owner.settle(|cx| pull.poll_recv(cx));
        owner.memory.world().reads - reads
    });
    assert_eq!(work, [2, 2], "reads from all streams");
}

#[test]
fn idle_socket_neither_reads_nor_wakes_its_task() {
    let owner = Owner::new();
    let (mut pull, _streams) = owner.pull(10);
    let before = (owner.memory.world().reads, owner.woken());
    for _ in 0..10 {
        assert_eq!(owner.settle(|cx| pull.poll_recv(cx)), 1);
        assert_eq!(owner.settle(|cx| pull.poll_drive::<()>(cx)), 1);
    }
    assert_eq!((owner.memory.world().reads, owner.woken()), before);
    assert_eq!(owner.memory.world().deadline, None);
}

#[test]
fn bind_and_unbind_end_when_the_listener_does() {
    let owner = Owner::new();
    let mut pull = Exclusive::on(&owner.memory, Options::<Pull>::new());
    let endpoint: Endpoint = ENDPOINT.parse().unwrap();
    for error in [None, Some(NetworkError::AddressInUse)] {
        owner.memory.world().listening = None;
        let listener = pull.begin_bind(endpoint.clone()).unwrap();
        owner.settle(|cx| pull.poll_bound(cx, listener, &endpoint));
        let mut world = owner.memory.world();
        world.listening = Some(error.map_or(Ok(()), Err));
        let waiting = world.listener.take().unwrap();
        drop(world);
        waiting.wake();
        let bound = owner.poll(|cx| pull.poll_bound(cx, listener, &endpoint));
        let Poll::Ready(bound) = bound else { panic!("the outcome is known") };
        assert_eq!(bound.is_err(), error.is_some());
        assert_eq!(pull.unbind(&endpoint).is_err(), error.is_some());
    }
    owner.memory.world().listening = None;
    let listener = pull.begin_bind(endpoint.clone()).unwrap();
    owner.settle(|cx| pull.poll_bound(cx, listener, &endpoint));
    pull.unbind(&endpoint).unwrap();
    assert!(owner.poll(|cx| pull.poll_bound(cx, listener, &endpoint)).is_ready(), "the bind has ended too");
}

#[test]
fn disconnect_and_close_drop_the_dials() {
    let owner = Owner::new();
    let mut push = Exclusive::on(&owner.memory, Options::<Push>::new());
    let dials = || owner.memory.world().dials;
    for round in 0..3 {
        push.connect(ENDPOINT).unwrap();
        push.connect("tcp://name:1").unwrap();
        assert_eq!(dials(), round, "a dial begins with the next call that drives");
        owner.settle(|cx| push.poll_drive::<()>(cx));
        assert_eq!(dials(), round + 2);
        push.disconnect(ENDPOINT).unwrap();
        assert_eq!(dials(), round + 1);
    }
    push.begin_close();
    assert_eq!(dials(), 0);
    assert!(owner.poll(|cx| push.poll_closed(cx)).is_ready());
}

#[test]
fn dials_without_an_answer_do_not_accumulate() {
    let owner = Owner::new();
    let (second, soon) = (Duration::from_secs(1), Duration::from_millis(1));
    let mut push = Exclusive::on(&owner.memory, Options::<Push>::new().connect_timeout(second).reconnect(soon, soon));
    push.connect(ENDPOINT).unwrap();
    push.monitor();
    let mut failed = 0;
    while failed < 100 {
        owner.settle(|cx| push.poll_drive::<()>(cx));
        assert!(owner.memory.world().dials <= 17);
        while let Some(event) = push.try_event() {
            failed += usize::from(matches!(event, Event::ConnectFailed { .. }));
        }
        let mut world = owner.memory.world();
        world.now = world.deadline.expect("the socket dials again").as_nanos();
    }
}

#[test]
fn fed_messages_are_written_in_batches() {
    const COUNT: usize = 320;
    let writes = [false, true].map(|feeds| {
        let owner = Owner::new();
        let mut push = Exclusive::on(&owner.memory, Options::<Push>::new());
        let endpoint: Endpoint = ENDPOINT.parse().unwrap();
        let listener = push.begin_bind(endpoint.clone()).unwrap();
        assert!(owner.poll(|cx| push.poll_bound(cx, listener, &endpoint)).is_ready());
        let _peer = owner.memory.connect(&hello("PULL"));
        owner.settle(|cx| push.poll_drive::<()>(cx));
        let before = owner.memory.world().writes;
        for _ in 0..COUNT {
            let mut message = Some("message".into());
            while owner
                .poll(|cx| if feeds { push.poll_feed(cx, &mut message) } else { push.poll_send(cx, &mut message) })
                .is_pending()
            {}
            assert_eq!(message, None);
        }
        let mut flush = push.begin_flush();
        while owner.poll(|cx| push.poll_flush(cx, &mut flush)).is_pending() {}
        assert_eq!(push.stats().sent.messages, COUNT as u64);
        owner.memory.world().writes - before
    });
    assert_eq!(writes[0], COUNT, "each `send` writes");
    assert!((1..=COUNT / 32 + 1).contains(&writes[1]), "{} writes", writes[1]);
}

#[test]
fn inproc_is_unsupported_and_a_resource_is_not() {
    let owner = Owner::new();
    let mut dealer = Exclusive::on(&owner.memory, Options::<Dealer>::new());
    let mut bind = |endpoint: &Endpoint| {
        let listener = dealer.begin_bind(endpoint.clone()).unwrap();
        owner.poll(|cx| dealer.poll_bound(cx, listener, endpoint))
    };
    let inproc: Endpoint = "inproc://name".parse().unwrap();
    let unsupported = BindError::Network { endpoint: inproc.clone(), error: NetworkError::Unsupported };
    assert_eq!(bind(&inproc), Poll::Ready(Err(unsupported)));
    let named: Endpoint = "tcp://10.0.0.1:1/name".parse().unwrap();
    assert_eq!(bind(&named), Poll::Ready(Ok(named)));
}

#[test]
fn socket_without_timers_returns_their_error() {
    let owner = Owner::new();
    owner.memory.world().has_no_timers = true;
    let mut dealer = Exclusive::on(&owner.memory, Options::<Dealer>::new());
    let error = dealer.begin_bind(ENDPOINT.parse().unwrap()).unwrap_err();
    assert!(matches!(error, BindError::Network { error: NetworkError::NoTimeDriver, .. }), "{error}");
    assert!(dealer.try_send("lost").unwrap_err().to_string().contains("enable_time"));
    assert!(owner.poll(|cx| dealer.poll_recv(cx)).is_ready());
}

#[test]
fn receiver_yields_after_many_messages() {
    let owner = Owner::new();
    let (mut pull, streams) = owner.pull(1);
    streams[0].send(&b"\0\x01x".repeat(4000));
    let mut runs = Vec::new();
    while runs.iter().sum::<usize>() < 4000 {
        let woken = owner.woken();
        let run = core::iter::from_fn(|| owner.poll(|cx| pull.poll_recv(cx)).is_ready().then_some(())).count();
        runs.push(run);
        assert!(runs.iter().sum::<usize>() == 4000 || owner.woken() > woken, "the task is woken to continue");
    }
    assert!(runs.len() >= 4 && runs.iter().all(|&run| run <= 1024), "{runs:?}");
}
