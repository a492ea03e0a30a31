//! Tests of exclusive sockets on a runtime in memory, which counts what they do.

#![expect(clippy::unwrap_used, reason = "a panic fails the test")]

use crate::Exclusive;
use crate::memory::{Count, ENDPOINT, Memory, MemoryStream, hello};
use core::sync::atomic::Ordering;
use core::task::{Context, Poll};
use core::time::Duration;
use sansmq_proto::kind::{Dealer, Pull, Push};
use sansmq_proto::socket::BindError;
use sansmq_proto::{Endpoint, Event, NetworkError, Options};
use std::sync::Arc;

/// Task that owns an exclusive socket.
struct Owner {
    memory: Memory,
    count: Arc<Count>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        assert!(self.memory.world().tasks.is_empty(), "an exclusive socket has no tasks");
    }
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
