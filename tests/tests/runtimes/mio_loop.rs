//! The suite on a mio event loop, which one thread shares with the scenario, and what concerns that loop alone.

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

/// A poll whose reactor has so many tokens, from 1000 on.
fn poll_with(tokens: usize) -> (Poll, Reactor) {
    let poll = Poll::new().unwrap();
    let waker = Arc::new(Waker::new(poll.registry(), Token(0)).unwrap());
    let reactor = Reactor::new(poll.registry(), 1000..1000 + tokens, waker).unwrap();
    (poll, reactor)
}

/// Turns until `done` has something to say. Gives it the tokens that are not the reactor's.
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
    panic!("it never comes");
}

#[test]
fn a_reactor_is_a_guest_in_a_poll_and_leaves_the_events_of_others() {
    let (mut poll, mut reactor) = poll_with(100);
    let mut own = mio::net::TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    poll.registry().register(&mut own, Token(7), Interest::READABLE).unwrap();
    let router = reactor.socket(Options::<kind::Router>::new());
    let endpoint = reactor.bind(&router, "tcp://localhost:*").unwrap();
    let dealer = reactor.socket(Options::<kind::Dealer>::new());
    dealer.connect(&endpoint).unwrap();
    dealer.try_send("to the guest").unwrap();
    let _visitor = TcpStream::connect(own.local_addr().unwrap()).unwrap();

    let (mut seen, mut received) = (false, None);
    turn_until(&mut poll, &mut reactor, |others| {
        assert!(others.iter().all(|token| *token == Token(7) || *token == Token(0)), "{others:?}");
        seen |= others.contains(&Token(7));
        received = received.take().or_else(|| router.try_recv().ok());
        (seen && received.is_some()).then_some(())
    });
    assert_eq!(received.unwrap().body(), "to the guest");
}

#[test]
fn an_idle_reactor_lets_its_thread_sleep() {
    let (mut poll, mut reactor) = poll_with(100);
    let sink = reactor.socket(Options::<kind::Pull>::new());
    let source = reactor.socket(Options::<kind::Push>::new());
    source.connect(reactor.bind(&sink, "tcp://127.0.0.1:*").unwrap()).unwrap();
    let mut rounds = 0;
    source.try_send("hello").unwrap();
    turn_until(&mut poll, &mut reactor, |_| {
        if sink.try_recv().is_ok() {
            source.try_send("and again").unwrap();
            rounds += 1;
        }
        (rounds == 100).then_some(())
    });
    turn_until(&mut poll, &mut reactor, |_| sink.try_recv().ok());
    for _ in 0..100 {
        reactor.handle_timeout();
    }
    assert_eq!(reactor.next_timeout(), None, "there is nothing to do");
    source.try_send("wakes").unwrap();
    assert_eq!(reactor.next_timeout(), Some(Duration::ZERO));
}

#[test]
fn a_connection_for_which_no_token_is_left_is_refused_with_a_reason_and_the_others_stay() {
    let (mut poll, mut reactor) = poll_with(2); // a listener and one connection
    let sink = reactor.socket(Options::<kind::Pull>::new());
    let endpoint = reactor.bind(&sink, "tcp://127.0.0.1:*").unwrap();
    let address = endpoint.socket_addr().unwrap();
    let mut story = sink.monitor();
    let _first = TcpStream::connect(address).unwrap();
    let _second = TcpStream::connect(address).unwrap();
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let reason = turn_until(&mut poll, &mut reactor, |_| {
        let mut next = std::pin::pin!(story.find(|event| match event {
            Event::AcceptFailed { error, .. } => Some(error),
            _ => None,
        }));
        match next.as_mut().poll(&mut cx) {
            std::task::Poll::Ready(reason) => reason,
            std::task::Poll::Pending => None,
        }
    });
    assert_eq!(reason, NetworkError::TooManyFiles);
    assert_eq!(reactor.tasks(), 3, "the socket's, the listener's and the connection's");
}

#[test]
fn a_quiet_peer_is_heard_while_a_busy_one_never_stops() {
    let mut events = EventLoop::new().unwrap();
    let sink = events.socket(Options::<kind::Pull>::new().recv_hwm(0));
    let address = events.block_on(sink.bind("tcp://127.0.0.1:*")).unwrap().socket_addr().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let busy = thread::spawn({
        let stop = Arc::clone(&stop);
        move || {
            let mut stream = push_peer(address).unwrap();
            let octets = frame(0, &[b'b'; 100]).repeat(1000);
            while !stop.load(Ordering::Relaxed) && stream.write_all(&octets).is_ok() {}
        }
    });
    // The loop is never without work from here on.
    let mut heard = 0;
    while heard < 50_000 {
        events.turn(Some(Duration::from_secs(20))).unwrap();
        heard += core::iter::from_fn(|| sink.try_recv().ok()).count();
    }
    let quiet = thread::spawn(move || push_peer(address).unwrap().write_all(&frame(0, b"quiet")).unwrap());
    let mut turns = 0;
    loop {
        events.turn(Some(Duration::from_secs(20))).unwrap();
        turns += 1;
        assert!(turns < 100_000, "it is never heard");
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
fn sockets_are_made_on_other_threads_and_a_loop_that_goes_leaves_nobody_waiting() {
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
fn run_ends_when_the_last_socket_is_closed_and_all_is_sent() {
    let mut events = EventLoop::new().unwrap();
    let (sink, source) = (events.socket(Options::<kind::Pull>::new()), events.socket(Options::<kind::Push>::new()));
    events.block_on(async { source.connect(sink.bind("tcp://127.0.0.1:*").await.unwrap()).unwrap() });
    let reader = thread::spawn(move || smol::block_on(sink.recv()).unwrap());
    source.try_send("last words").unwrap();
    drop(source);
    events.run().unwrap();
    assert_eq!(reader.join().unwrap().body(), "last words");
    assert_eq!(events.tasks(), 0);
}
