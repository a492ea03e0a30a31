//! Faults of the streams of a `Guest`, late and repeated answers, and sockets that are removed early.

use crate::guest::{SERVER, World};
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::guest::{Guest, Key, Output, Source};
use sansmq_proto::kind::{Dealer, Kind, Pull, Router};
use sansmq_proto::{BufferStream, Endpoint, Instant, Interest, NetworkError, Options, Socket, StreamError};
use sansmq_tests::raw_peer::{greeting, property, ready};
use sansmq_tests::test_stream::TestStream;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::Duration;

const NOW: Instant = Instant::ORIGIN;
const MESSAGES: usize = 3;

/// Method of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Read,
    Write,
    CloseWrite,
    Established,
}

/// Plan to fail a call of a method of any stream of a world.
#[derive(Clone, Copy, Debug)]
struct Fault {
    method: Method,
    /// Outcome of the call. `WouldBlock` and `Interrupted` have no other effect; the others cut the connection.
    error: StreamError,
    /// Number of calls that precede it.
    after: usize,
    /// True if all later calls fail too.
    lasts: bool,
    /// Number of calls that have failed.
    failures: usize,
}

/// Fault of a world, if it has one.
#[derive(Default)]
pub(crate) struct Plan(Cell<Option<Fault>>);

impl Plan {
    /// Returns the error of the next call of the method, if it fails.
    pub(crate) fn error(&self, method: Method) -> Option<StreamError> {
        let mut fault = self.0.get().filter(|fault| fault.method == method)?;
        let is_due = fault.after == 0 && (fault.lasts || fault.failures == 0);
        fault.after = fault.after.saturating_sub(1);
        fault.failures += usize::from(is_due);
        self.0.set(Some(fault));
        is_due.then_some(fault.error)
    }
}

/// Runs a dealer and a router that exchange messages and close, with the fault. Returns the number of failed calls.
fn run_with(fault: Fault) -> usize {
    let mut world = World::new(300);
    world.plan.0.set(Some(fault));
    let linger = Duration::from_secs(5);
    world.add(0, Options::<Router>::new().linger(linger));
    world.add(1, Options::<Dealer>::new().linger(linger));
    world.socket(0, 0).bind(SERVER.parse().unwrap());
    // The first address of the name has no listener.
    world.socket(1, 0).connect("tcp://server:1".parse().unwrap(), NOW).unwrap();
    for _ in 0..MESSAGES {
        world.socket(1, 0).send("request".repeat(50)).unwrap();
    }
    world.settle(Instant::from_elapsed(Duration::from_secs(1)));
    while let Ok(request) = world.socket(0, 0).recv() {
        world.socket(0, 0).send(request).unwrap();
    }
    world.settle(Instant::from_elapsed(Duration::from_secs(2)));
    let replies = core::iter::from_fn(|| world.socket(1, 0).recv().ok()).count();
    let is_harmless = matches!(fault.error, StreamError::WouldBlock | StreamError::Interrupted);
    assert!(replies == MESSAGES || !is_harmless, "{replies} replies: {fault:?}");
    let now = world.now;
    for which in [1, 0] {
        world.socket(which, 0).close(now);
    }
    world.settle(Instant::from_elapsed(Duration::from_hours(1)));
    for side in &mut world.loops {
        assert!(side.guest.remove(side.sockets[0]).is_some(), "not closed: {fault:?}, {:?}", side.guest.deadline());
    }
    world.settle(Instant::from_elapsed(Duration::from_hours(2)));
    for side in &world.loops {
        assert_eq!((side.guest.watched().count(), side.guest.deadline()), (0, None), "{fault:?}");
    }
    world.plan.0.get().map_or(0, |fault| fault.failures)
}

/// Fails the first, second, third … call of each method in turn, once or from then on.
#[test]
fn each_failed_call_of_a_stream_leaves_sockets_that_close() {
    let errors = [NetworkError::Reset.into(), StreamError::Eof, StreamError::Interrupted, StreamError::WouldBlock];
    let mut runs = 0;
    for method in [Method::Read, Method::Write, Method::CloseWrite, Method::Established] {
        for error in errors {
            for lasts in [false, true] {
                // A call that never moves a byte is not what the poller has reported.
                if lasts && matches!(error, StreamError::Interrupted | StreamError::WouldBlock) {
                    continue;
                }
                for after in 0.. {
                    let failures = run_with(Fault { method, error, after, lasts, failures: 0 });
                    runs += 1;
                    if failures == 0 {
                        break;
                    }
                }
            }
        }
    }
    assert!(runs > 100, "{runs} runs");
}

type Memory = Guest<BufferStream<u32>, char>;

fn socket<T: Kind>(options: Options<T>) -> Socket {
    Socket::new(options, SeededEntropy::new(1))
}

fn endpoint(text: &str) -> Endpoint {
    text.parse().unwrap()
}

fn stream(handle: u32) -> BufferStream<u32> {
    BufferStream::new(handle, 1000)
}

/// Polls until the guest waits, without an answer to its requests. Returns their keys, and the names of what has ended.
fn poll(guest: &mut Memory, now: Instant) -> (Vec<Key>, Vec<String>) {
    let (mut keys, mut ended) = (Vec::new(), Vec::new());
    for _ in 0..10_000 {
        match guest.poll(now) {
            Output::Listen(key, _) | Output::Resolve(key, _) | Output::Dial(key, _) | Output::Accept(key, _) => {
                keys.push(key);
            }
            Output::Gone(_, stream) => ended.push(stream.handle.to_string()),
            Output::StopListening(_, listener) => ended.push(listener.to_string()),
            Output::Register(..)
            | Output::Interest(..)
            | Output::Turned(..)
            | Output::Readable(_)
            | Output::Writable(_) => {}
            Output::Wait(_) => return (keys, ended),
        }
    }
    panic!("a round does not end");
}

/// Returns a guest with a listener, and the key of the listener.
fn listening(options: Options<Router>) -> (Memory, Key) {
    let mut guest = Memory::new();
    let mut server = socket(options);
    server.bind(endpoint(SERVER));
    guest.add(server);
    let key = poll(&mut guest, NOW).0[0];
    guest.listening(key, Ok::<_, NetworkError>(('l', endpoint(SERVER))));
    assert_eq!(poll(&mut guest, NOW).0, [key]);
    (guest, key)
}

fn accept(guest: &mut Memory, listener: Key, handle: u32) {
    guest.accepted(listener, Ok::<_, StreamError>((stream(handle), endpoint("tcp://10.0.0.2:1"))));
}

#[test]
fn removed_socket_leaves_no_listener_and_no_dial() {
    let mut guest = Memory::new();
    let mut dealer = socket(Options::<Dealer>::new().linger(Duration::ZERO));
    dealer.bind(endpoint(SERVER));
    dealer.connect(endpoint("tcp://10.0.0.3:1"), NOW).unwrap();
    dealer.connect(endpoint("tcp://10.0.0.4:1"), NOW).unwrap();
    let id = guest.add(dealer);
    let keys = poll(&mut guest, NOW).0;
    guest.listening(keys[0], Ok::<_, NetworkError>(('l', endpoint(SERVER))));
    guest.dialled(keys[1], Ok::<_, NetworkError>(stream(1).connecting()));
    poll(&mut guest, NOW);
    guest.socket_mut(id).unwrap().close(NOW);
    assert!(guest.remove(id).is_some(), "all pipes are removed");
    assert_eq!(keys.iter().filter(|&&key| guest.awaits_answer(key)).count(), 0);
    assert_eq!(poll(&mut guest, NOW), (vec![], vec!["l".into(), "1".into()]));
    assert_eq!((guest.watched().count(), guest.deadline()), (0, None));
    // The address is free again.
    let mut other = socket(Options::<Router>::new());
    other.bind(endpoint(SERVER));
    guest.add(other);
    assert_eq!(poll(&mut guest, NOW).0.len(), 1);
}

/// Streams may be handles, which the loop must close itself.
#[test]
fn streams_of_late_answers_are_returned_to_the_loop() {
    let mut guest = Memory::new();
    let mut dealer = socket(Options::<Dealer>::new());
    dealer.bind(endpoint(SERVER));
    dealer.connect(endpoint("tcp://10.0.0.3:1"), NOW).unwrap();
    let id = guest.add(dealer);
    let keys = poll(&mut guest, NOW).0;
    let dealer = guest.socket_mut(id).unwrap();
    dealer.unbind(&endpoint(SERVER), NOW).unwrap();
    dealer.disconnect(&endpoint("tcp://10.0.0.3:1"), NOW).unwrap();
    poll(&mut guest, NOW);
    guest.listening(keys[0], Ok::<_, NetworkError>(('l', endpoint(SERVER))));
    guest.dialled(keys[1], Ok::<_, NetworkError>(stream(1)));
    accept(&mut guest, keys[0], 2);
    assert_eq!(poll(&mut guest, NOW), (vec![], vec!["l".into(), "1".into(), "2".into()]));
}

#[test]
fn rejected_connections_are_returned_to_the_loop() {
    let (mut guest, listener) = listening(Options::new().max_handshakes(1, 1));
    let mut ended = Vec::new();
    for handle in 1..=3 {
        accept(&mut guest, listener, handle);
        ended.extend(poll(&mut guest, NOW).1);
    }
    assert_eq!(ended.len(), 2, "{ended:?}");
}

#[test]
fn crowd_that_resets_at_once_reuses_slots() {
    let (mut guest, listener) = listening(Options::new());
    let mut indices = BTreeSet::new();
    for handle in 0..100_000 {
        let mut stream = stream(handle);
        stream.fail(NetworkError::Reset);
        guest.accepted(listener, Ok::<_, StreamError>((stream, endpoint("tcp://10.0.0.2:1"))));
        let mut is_gone = false;
        loop {
            match guest.poll(NOW) {
                Output::Gone(key, _) => {
                    indices.insert(key.to_u64() % (1 << 32));
                    is_gone = true;
                }
                Output::Wait(_) => break,
                _ => {}
            }
        }
        assert!(is_gone);
    }
    assert!(indices.len() <= 2, "{}", indices.len());
}

#[test]
fn inproc_dial_without_a_pause_does_not_occupy_a_poll() {
    let mut guest = Memory::new();
    let mut dealer = socket(Options::<Dealer>::new().reconnect(Duration::ZERO, Duration::ZERO));
    dealer.connect(endpoint("inproc://a"), NOW).unwrap();
    guest.add(dealer);
    poll(&mut guest, NOW);
}

/// A stream that is always ready, and never moves a byte.
#[test]
fn streams_that_never_move_bytes_do_not_stop_the_close() {
    for error in [StreamError::WouldBlock, StreamError::Interrupted] {
        for method in [Method::Read, Method::Write, Method::CloseWrite, Method::Established] {
            let mut world = World::new(300);
            let fault = Fault { method, error, after: 0, lasts: true, failures: 0 };
            world.plan.0.set(Some(fault));
            let linger = Duration::from_secs(5);
            world.add(0, Options::<Router>::new().linger(linger));
            world.add(1, Options::<Dealer>::new().linger(linger));
            world.socket(0, 0).bind(SERVER.parse().unwrap());
            world.socket(1, 0).connect(SERVER.parse().unwrap(), NOW).unwrap();
            world.socket(1, 0).send("request").unwrap();
            for second in 0..60 {
                world.now = Instant::from_elapsed(Duration::from_secs(second));
                if second == 10 {
                    let now = world.now;
                    world.socket(0, 0).close(now);
                    world.socket(1, 0).close(now);
                }
                for _ in 0..10 {
                    for which in [0, 1] {
                        world.loops[which].guest.all_ready();
                        world.poll_until_wait(which);
                    }
                }
            }
            for side in &mut world.loops {
                assert!(side.guest.remove(side.sockets[0]).is_some(), "{fault:?} {:?}", side.guest.deadline());
            }
        }
    }
}

#[test]
fn clock_that_jumps_by_years_is_no_endless_work() {
    let mut world = World::new(1000);
    let heartbeat = Duration::from_millis(100);
    world.add(0, Options::<Router>::new().heartbeat(heartbeat));
    world.add(1, Options::<Dealer>::new().heartbeat(heartbeat));
    world.socket(0, 0).bind(SERVER.parse().unwrap());
    world.socket(1, 0).connect(SERVER.parse().unwrap(), NOW).unwrap();
    world.settle(NOW);
    for years in [1, 100, 500] {
        let start = Instant::from_elapsed(Duration::from_secs(years * 365 * 86_400));
        world.now = start;
        for which in [0, 1, 0, 1] {
            world.poll_until_wait(which);
        }
    }
    let now = Instant::from_nanos(u64::MAX);
    world.now = now;
    world.socket(1, 0).close(now);
    world.poll_until_wait(1);
    world.poll_until_wait(0);
}

/// Needed by pollers that disarm an entry after each event.
#[test]
fn interest_of_a_key_is_that_of_the_latest_output() {
    let (mut guest, listener) = listening(Options::new());
    assert_eq!(guest.interest(listener), Interest::READ);
    accept(&mut guest, listener, 1);
    let mut latest = None;
    loop {
        match guest.poll(NOW) {
            Output::Register(key, _, interest) | Output::Interest(key, _, interest) => latest = Some((key, interest)),
            Output::Wait(_) => break,
            _ => {}
        }
    }
    let (key, interest) = latest.unwrap();
    assert_eq!((guest.interest(key), interest), (interest, interest));
    guest.accepted(listener, Err::<(BufferStream<u32>, Endpoint), _>(NetworkError::TooManyFiles));
    assert_eq!(guest.interest(listener), Interest::NONE);
    guest.stream_mut(key).unwrap().fail(NetworkError::Reset);
    guest.ready(key);
    poll(&mut guest, NOW);
    assert_eq!(guest.interest(key), Interest::NONE);
}

/// One stream does background work in each round, so those that have ended must not count.
#[test]
fn ended_streams_do_not_delay_background_work() {
    let mut guest = Guest::<TestStream>::new();
    let ids = ["tcp://10.0.0.1:1", "tcp://10.0.0.1:2"].map(|address| {
        let mut server = socket(Options::<Pull>::new().linger(Duration::ZERO));
        server.bind(endpoint(address));
        guest.add(server)
    });
    let mut listeners = Vec::new();
    while listeners.len() < 2 {
        if let Output::Listen(key, endpoint) = guest.poll(NOW) {
            guest.listening(key, Ok::<_, NetworkError>(((), endpoint)));
            listeners.push(key);
        }
    }
    for listener in [listeners[0]; 50].into_iter().chain([listeners[1]]) {
        let mut stream = TestStream::default();
        stream.input.extend(greeting("NULL"));
        stream.input.extend(ready("PUSH", &property("X-Long", &vec![b'x'; 100_000])));
        guest.accepted(listener, Ok::<_, StreamError>((stream, endpoint(SERVER))));
    }
    let mut last = None;
    let mut round = |guest: &mut Guest<TestStream>| {
        loop {
            match guest.poll(NOW) {
                Output::Register(key, Source::Stream(_), _) => last = Some(key),
                Output::Wait(_) => break,
                _ => {}
            }
        }
        guest.stream_mut(last.unwrap()).map_or(0, |stream| stream.input.len())
    };
    round(&mut guest);
    guest.socket_mut(ids[0]).unwrap().close(NOW);
    let mut unread = round(&mut guest);
    assert_eq!(guest.watched().filter(|(_, source, _)| matches!(source, Source::Stream(_))).count(), 0);
    for _ in 0..10 {
        let before = core::mem::replace(&mut unread, round(&mut guest));
        assert!(unread < before, "{unread} of {before} bytes are unread");
    }
}

#[test]
fn connections_of_a_removed_socket_end() {
    let mut guest = Memory::new();
    let mut server = socket(Options::<Router>::new().linger(Duration::ZERO));
    server.bind(endpoint(SERVER));
    let id = guest.add(server);
    let listener = poll(&mut guest, NOW).0[0];
    guest.listening(listener, Ok::<_, NetworkError>(('l', endpoint(SERVER))));
    for handle in 1..=3 {
        accept(&mut guest, listener, handle);
    }
    // The loop has not polled since, and two streams have had no turn.
    let _ = guest.poll(NOW);
    guest.socket_mut(id).unwrap().close(NOW);
    let mut ended = Vec::new();
    let mut now = NOW;
    while guest.remove(id).is_none() {
        ended.extend(poll(&mut guest, now).1);
        now = guest.deadline().map_or(now, |deadline| deadline.at);
    }
    while let Some(deadline) = guest.deadline() {
        assert!(deadline.at <= Instant::from_elapsed(Duration::from_secs(2)), "{deadline:?}");
        ended.extend(poll(&mut guest, deadline.at).1);
    }
    ended.sort();
    assert_eq!((ended.join(" "), guest.watched().count()), ("1 2 3 l".into(), 0));
}
