//! The test suite on a mio event loop that runs on the thread of the test, and tests of `Reactor` and `EventLoop`.

#[path = "suite/mod.rs"]
mod suite;
#[path = "system/mod.rs"]
mod system;

use mio::{Events, Interest, Poll, Token, Waker};
use sansmq::mio::{EventLoop, Reactor};
use sansmq::{Event, NetworkError, Options, RecvError, SendError, kind};
use sansmq_tests::fixture::mio_loop as fixture;
use sansmq_tests::push_peer;
use sansmq_tests::raw_peer::frame;
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Creates a `Poll`, and a reactor that uses this `Poll` with the tokens from 1000 to 999 + `tokens`.
fn poll_with(tokens: usize) -> (Poll, Reactor) {
    let poll = Poll::new().unwrap();
    let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
    let reactor = Reactor::new(poll.registry(), 1000..1000 + tokens, waker).unwrap();
    (poll, reactor)
}

/// Polls and runs the reactor until `done` returns a value. The argument of `done` contains the tokens of the events
/// that do not belong to the reactor.
fn turn_until<R>(poll: &mut Poll, reactor: &mut Reactor, mut done: impl FnMut(&[Token]) -> Option<R>) -> R {
    let mut events = Events::with_capacity(16);
    for _ in 0..10_000 {
        let patience = reactor.next_timeout().unwrap_or(Duration::from_secs(20));
        poll.poll(&mut events, Some(patience)).unwrap();
        let others: Vec<_> =
            events.iter().filter(|event| !reactor.handle_event(event)).map(mio::event::Event::token).collect();
        reactor.handle_timeout();
        if let Some(result) = done(&others) {
            return result;
        }
    }
    panic!("the condition was not met after 10 000 polls");
}

#[test]
fn reactor_accepts_connections_of_an_open_listener() {
    let (mut poll, mut reactor) = poll_with(100);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let context = sansmq::Context::new();
    let sink = reactor.socket_in(&context, Options::<kind::Pull>::new());
    let endpoint = reactor.bind_listener(&sink, listener).unwrap();
    let source = reactor.socket_in(&context, Options::<kind::Push>::new());
    source.connect(&endpoint).unwrap();
    source.try_send("through the listener").unwrap();
    let received = turn_until(&mut poll, &mut reactor, |_| sink.try_recv().ok());
    assert_eq!(received.body(), "through the listener");
}

#[test]
fn reactor_in_shared_poll_ignores_foreign_events() {
    let (mut poll, mut reactor) = poll_with(100);
    let mut own = mio::net::TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    poll.registry().register(&mut own, Token(7), Interest::READABLE).unwrap();
    let router = reactor.socket(Options::<kind::Router>::new());
    let endpoint = reactor.bind(&router, "tcp://localhost:*").unwrap();
    let dealer = reactor.socket(Options::<kind::Dealer>::new());
    dealer.connect(&endpoint).unwrap();
    dealer.try_send("to the reactor").unwrap();
    let _client = TcpStream::connect(own.local_addr().unwrap()).unwrap();

    let (mut seen, mut received) = (false, None);
    turn_until(&mut poll, &mut reactor, |others| {
        assert!(others.iter().all(|token| *token == Token(7) || *token == Token(0)), "{others:?}");
        seen |= others.contains(&Token(7));
        received = received.take().or_else(|| router.try_recv().ok());
        (seen && received.is_some()).then_some(())
    });
    assert_eq!(received.unwrap().body(), "to the reactor");
}

#[test]
fn idle_reactor_returns_no_timeout() {
    let (mut poll, mut reactor) = poll_with(100);
    let sink = reactor.socket(Options::<kind::Pull>::new());
    let source = reactor.socket(Options::<kind::Push>::new());
    source.connect(reactor.bind(&sink, "tcp://127.0.0.1:*").unwrap()).unwrap();
    let mut rounds = 0;
    source.try_send("hello").unwrap();
    turn_until(&mut poll, &mut reactor, |_| {
        if sink.try_recv().is_ok() {
            source.try_send("again").unwrap();
            rounds += 1;
        }
        (rounds == 100).then_some(())
    });
    turn_until(&mut poll, &mut reactor, |_| sink.try_recv().ok());
    for _ in 0..100 {
        reactor.handle_timeout();
    }
    assert_eq!(reactor.next_timeout(), None, "an idle reactor has no timer");
    source.try_send("wakes").unwrap();
    assert_eq!(reactor.next_timeout(), Some(Duration::ZERO));
}

#[test]
fn reactor_without_free_token_rejects_connection() {
    let (mut poll, mut reactor) = poll_with(2); // a listener and one connection
    let sink = reactor.socket(Options::<kind::Pull>::new());
    let endpoint = reactor.bind(&sink, "tcp://127.0.0.1:*").unwrap();
    let address = endpoint.socket_addr().unwrap();
    let mut monitor = sink.monitor();
    let _first = TcpStream::connect(address).unwrap();
    let _second = TcpStream::connect(address).unwrap();
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let reason = turn_until(&mut poll, &mut reactor, |_| {
        let mut next = std::pin::pin!(monitor.find(|event| match event {
            Event::AcceptFailed { error, .. } => Some(error),
            _ => None,
        }));
        match next.as_mut().poll(&mut cx) {
            std::task::Poll::Ready(reason) => reason,
            std::task::Poll::Pending => None,
        }
    });
    assert_eq!(reason, NetworkError::TooManyFiles);
    assert_eq!(reactor.tasks(), 3, "tasks of the socket, the listener and the connection");
}

#[test]
fn busy_peer_does_not_starve_quiet_peer() {
    let mut events = EventLoop::new().unwrap();
    let sink = events.socket(Options::<kind::Pull>::new().recv_hwm(0));
    let address = events.block_on(sink.bind("tcp://127.0.0.1:*")).unwrap().socket_addr().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let busy = thread::spawn({
        let stop = Arc::clone(&stop);
        move || {
            let mut stream = push_peer(address).unwrap();
            let bytes = frame(0, &[b'b'; 100]).repeat(1000);
            while !stop.load(Ordering::Relaxed) && stream.write_all(&bytes).is_ok() {}
        }
    });
    // From here on the loop always has events of the busy peer.
    let mut received = 0;
    while received < 50_000 {
        events.turn(Some(Duration::from_secs(20))).unwrap();
        received += core::iter::from_fn(|| sink.try_recv().ok()).count();
    }
    let quiet = thread::spawn(move || push_peer(address).unwrap().write_all(&frame(0, b"quiet")).unwrap());
    let mut turns = 0;
    loop {
        events.turn(Some(Duration::from_secs(20))).unwrap();
        turns += 1;
        assert!(turns < 100_000, "the message of the quiet peer was not received");
        if core::iter::from_fn(|| sink.try_recv().ok()).any(|message| message.body() == "quiet") {
            break;
        }
    }
    stop.store(true, Ordering::Relaxed);
    drop(events);
    quiet.join().unwrap();
    busy.join().unwrap();
}

#[test]
fn dropped_event_loop_closes_sockets_of_other_threads() {
    let mut events = EventLoop::new().unwrap();
    let remote = events.remote();
    let waiting = thread::spawn(move || {
        let dealer = remote.socket(Options::<kind::Dealer>::new());
        (smol::block_on(dealer.recv()), remote)
    });
    while events.tasks() == 0 {
        events.turn(Some(Duration::from_secs(20))).unwrap();
    }
    drop(events);
    let (received, remote) = waiting.join().unwrap();
    assert_eq!(received, Err(RecvError::Closed));
    let late = remote.socket(Options::<kind::Dealer>::new());
    assert!(matches!(smol::block_on(late.send("x")), Err(SendError::Closed(_))));
}

#[test]
fn run_returns_after_last_socket_has_sent_everything() {
    let mut events = EventLoop::new().unwrap();
    let (sink, source) = (events.socket(Options::<kind::Pull>::new()), events.socket(Options::<kind::Push>::new()));
    events.block_on(async { source.connect(sink.bind("tcp://127.0.0.1:*").await.unwrap()).unwrap() });
    let reader = thread::spawn(move || smol::block_on(sink.recv()).unwrap());
    source.try_send("last message").unwrap();
    drop(source);
    events.run().unwrap();
    assert_eq!(reader.join().unwrap().body(), "last message");
    assert_eq!(events.tasks(), 0);
}
