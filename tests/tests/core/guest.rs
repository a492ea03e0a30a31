//! Tests of `Guest`: two loops of guests over streams in memory, in the right order and in any order.

use crate::guest_faults::{Method, Plan};
use sansmq_proto::connection::{ConnectionTimer, Credentials, Outbox};
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::guest::{Cause, Deadline, Guest, Key, Output, SocketId, Source, Target};
use sansmq_proto::kind::{Dealer, Kind, Pub, Pull, Push, Router, Sub};
use sansmq_proto::security::{AuthReply, Authenticator, Security};
use sansmq_proto::{
    Buf, BufferStream, ConnectionError, Endpoint, Event, Instant, Interest, NetworkError, Options, Socket, Stream,
    StreamError,
};
use sansmq_tests::raw_peer::{command, frame, greeting, greeting_and_ready, property, ready};
use sansmq_tests::test_stream::TestStream;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Wake, Waker};
use std::time::Duration;

/// Bytes in transit in one direction.
#[derive(Default)]
struct Lane {
    bytes: VecDeque<u8>,
    is_closed: bool,
    is_cut: bool,
}

/// End of a connection in memory. Its buffers hold few bytes, so that writes are often partial.
pub(crate) struct End {
    incoming: Rc<RefCell<Lane>>,
    outgoing: Rc<RefCell<Lane>>,
    room: usize,
    is_established: bool,
    /// Number of steps of all streams: bytes were moved, or a direction was closed.
    steps: Rc<Cell<u64>>,
    plan: Rc<Plan>,
}

fn connection(room: usize, steps: &Rc<Cell<u64>>, plan: &Rc<Plan>) -> (End, End) {
    let lanes = [Rc::<RefCell<Lane>>::default(), Rc::<RefCell<Lane>>::default()];
    let end = |incoming: usize, outgoing: usize| End {
        incoming: Rc::clone(&lanes[incoming]),
        outgoing: Rc::clone(&lanes[outgoing]),
        room,
        is_established: true,
        steps: Rc::clone(steps),
        plan: Rc::clone(plan),
    };
    (end(0, 1), end(1, 0))
}

impl End {
    fn cut(&self) {
        self.incoming.borrow_mut().is_cut = true;
        self.outgoing.borrow_mut().is_cut = true;
    }

    /// Fails this call, if the plan does.
    fn check(&self, method: Method) -> Result<(), StreamError> {
        let Some(error) = self.plan.error(method) else { return Ok(()) };
        if !matches!(error, StreamError::WouldBlock | StreamError::Interrupted) {
            self.cut();
        }
        Err(error)
    }

    /// Returns true if a poller would report the stream for `interest`.
    fn is_ready(&self, interest: Interest) -> bool {
        let (incoming, outgoing) = (self.incoming.borrow(), self.outgoing.borrow());
        incoming.is_cut
            || interest.readable && (!incoming.bytes.is_empty() || incoming.is_closed)
            || interest.writable && self.is_established && outgoing.bytes.len() < self.room
    }
}

impl Stream for End {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, StreamError> {
        self.check(Method::Read)?;
        let lane = &mut *self.incoming.borrow_mut();
        if lane.is_cut {
            return Err(NetworkError::Reset.into());
        }
        if lane.bytes.is_empty() && !lane.is_closed {
            return Err(StreamError::WouldBlock);
        }
        let count = lane.bytes.len().min(buffer.len());
        self.steps.set(self.steps.get() + u64::from(count > 0));
        buffer.iter_mut().zip(lane.bytes.drain(..count)).for_each(|(to, byte)| *to = byte);
        Ok(count)
    }

    fn write(&mut self, data: &Outbox) -> Result<usize, StreamError> {
        self.check(Method::Write)?;
        let lane = &mut *self.outgoing.borrow_mut();
        if lane.is_cut {
            return Err(NetworkError::Reset.into());
        }
        let count = data.chunk().len().min(self.room - lane.bytes.len().min(self.room));
        if count == 0 {
            return Err(StreamError::WouldBlock);
        }
        lane.bytes.extend(&data.chunk()[..count]);
        self.steps.set(self.steps.get() + 1);
        Ok(count)
    }

    fn close_write(&mut self) -> Result<(), StreamError> {
        self.check(Method::CloseWrite)?;
        let lane = &mut *self.outgoing.borrow_mut();
        if lane.is_cut {
            return Err(NetworkError::Reset.into());
        }
        self.steps.set(self.steps.get() + u64::from(!lane.is_closed));
        lane.is_closed = true;
        Ok(())
    }

    fn established(&mut self) -> Result<(), StreamError> {
        self.check(Method::Established)?;
        if self.outgoing.borrow().is_cut {
            return Err(NetworkError::Refused.into());
        }
        if self.is_established { Ok(()) } else { Err(StreamError::WouldBlock) }
    }

    fn credentials(&self) -> Option<Credentials> {
        Some(CREDENTIALS)
    }

    fn remote_address(&self) -> Option<SocketAddr> {
        Some(([10, 0, 0, 1], 1).into())
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.outgoing.borrow_mut().is_closed = true;
    }
}

/// Listener in memory: the connections that have not been accepted.
pub(crate) type Backlog = Rc<RefCell<VecDeque<End>>>;

pub(crate) struct Loop {
    pub(crate) guest: Guest<End, Backlog>,
    pub(crate) sockets: Vec<SocketId>,
}

/// Two loops in one network.
pub(crate) struct World {
    pub(crate) loops: [Loop; 2],
    /// Listeners by the port of their endpoint.
    backlogs: Vec<(Endpoint, Backlog)>,
    pub(crate) now: Instant,
    room: usize,
    /// Number of steps of all streams, and of all outputs that are not only `Turned`.
    steps: Rc<Cell<u64>>,
    pub(crate) plan: Rc<Plan>,
}

const NOW: Instant = Instant::ORIGIN;
pub(crate) const SERVER: &str = "tcp://10.0.0.1:1";
/// Largest number of rounds without progress, after which both loops wait.
const IDLE_ROUNDS: usize = 4;
const CREDENTIALS: Credentials = Credentials { pid: None, uid: 7, gid: 8 };

impl World {
    pub(crate) fn new(room: usize) -> Self {
        let loops = [0, 1].map(|_| Loop { guest: Guest::new(), sockets: Vec::new() });
        Self { loops, backlogs: Vec::new(), now: Instant::ORIGIN, room, steps: Rc::default(), plan: Rc::default() }
    }

    pub(crate) fn add<T: Kind>(&mut self, which: usize, options: Options<T>) {
        let seed = self.loops[which].sockets.len() as u64;
        let id = self.loops[which].guest.add(Socket::new(options, SeededEntropy::new(seed)));
        self.loops[which].sockets.push(id);
    }

    pub(crate) fn socket(&mut self, which: usize, index: usize) -> &mut Socket {
        let side = &mut self.loops[which];
        side.guest.socket_mut(side.sockets[index]).unwrap()
    }

    fn listen(&mut self, endpoint: &Endpoint) -> Result<(Backlog, Endpoint), NetworkError> {
        self.backlogs.retain(|(_, backlog)| Rc::strong_count(backlog) > 1);
        if self.backlogs.iter().any(|(other, _)| other == endpoint) {
            return Err(NetworkError::AddressInUse);
        }
        let backlog = Backlog::default();
        self.backlogs.push((endpoint.clone(), Rc::clone(&backlog)));
        Ok((backlog, endpoint.clone()))
    }

    fn dial(&mut self, endpoint: &Endpoint) -> Result<End, NetworkError> {
        self.backlogs.retain(|(_, backlog)| Rc::strong_count(backlog) > 1);
        let backlog = self.backlogs.iter().find(|(other, _)| other == endpoint).ok_or(NetworkError::Refused)?;
        let (dialled, accepted) = connection(self.room, &self.steps, &self.plan);
        backlog.1.borrow_mut().push_back(accepted);
        Ok(dialled)
    }
}

/// Result of a poll of a guest.
enum Step {
    /// A request that the loop must answer.
    Request(Request),
    /// Nothing to answer. The value is the key of a stream that was registered.
    Notice(Option<Key>),
    /// The loop may wait until this time.
    Wait(Option<Deadline>),
}

enum Request {
    Listen(Key, Endpoint),
    Accept(Key, Result<(End, Endpoint), StreamError>),
    Dial(Key, Target),
    Resolve(Key),
}

impl World {
    fn poll(&mut self, which: usize) -> Step {
        let now = self.now;
        let output = self.loops[which].guest.poll(now);
        // Bytes that a turn has moved are counted by the streams.
        if !matches!(output, Output::Turned(..) | Output::Wait(_)) {
            self.steps.set(self.steps.get() + 1);
        }
        Step::Request(match output {
            Output::Listen(key, endpoint) => Request::Listen(key, endpoint),
            Output::Accept(key, backlog) => {
                let stream = backlog.borrow_mut().pop_front();
                let from: Endpoint = "tcp://10.0.0.2:2".parse().unwrap();
                Request::Accept(key, stream.map(|stream| (stream, from)).ok_or(StreamError::WouldBlock))
            }
            Output::Dial(key, target) => Request::Dial(key, target),
            Output::Resolve(key, _) => Request::Resolve(key),
            Output::Register(key, ..) => return Step::Notice(Some(key)),
            Output::StopListening(..)
            | Output::Interest(..)
            | Output::Turned(..)
            | Output::Gone(..)
            | Output::Readable(_)
            | Output::Writable(_) => return Step::Notice(None),
            Output::Wait(deadline) => return Step::Wait(deadline),
        })
    }

    fn answer(&mut self, which: usize, request: Request) {
        match request {
            Request::Listen(key, endpoint) => {
                let outcome = self.listen(&endpoint);
                self.loops[which].guest.listening(key, outcome);
            }
            Request::Accept(key, outcome) => self.loops[which].guest.accepted(key, outcome),
            Request::Dial(key, target) => {
                let outcome = match target {
                    Target::Tcp(route) => self.dial(&route.to.into()),
                    Target::Ipc(_) => Err(NetworkError::Unsupported),
                };
                self.loops[which].guest.dialled(key, outcome);
            }
            Request::Resolve(key) => {
                let addresses = ["10.0.0.9:1", "10.0.0.1:1"].map(|address| address.parse::<SocketAddr>().unwrap());
                self.loops[which].guest.resolved(key, Ok::<_, NetworkError>(addresses));
            }
        }
    }

    /// Reports all ready streams and listeners of a guest, as a level-triggered poller does. Returns true if there are any.
    fn report(&mut self, which: usize) -> bool {
        let guest = &mut self.loops[which].guest;
        let ready: Vec<_> = guest
            .watched()
            .filter(|(_, source, interest)| match source {
                Source::Stream(stream) => stream.is_ready(*interest),
                Source::Listener(backlog) => !backlog.borrow().is_empty(),
            })
            .map(|(key, ..)| key)
            .collect();
        for &key in &ready {
            guest.ready(key);
        }
        !ready.is_empty()
    }

    /// Runs a round of a loop: reports events, and polls until the guest waits. Returns the deadline.
    fn round(&mut self, which: usize) -> Option<Deadline> {
        self.report(which);
        self.poll_until_wait(which)
    }

    pub(crate) fn poll_until_wait(&mut self, which: usize) -> Option<Deadline> {
        for _ in 0..10_000 {
            match self.poll(which) {
                Step::Request(request) => self.answer(which, request),
                Step::Notice(_) => {}
                Step::Wait(deadline) => return deadline,
            }
        }
        panic!("a round does not end");
    }

    /// Runs both loops until neither has work or events, or until `limit`. A loop must not be busy without progress: after a few
    /// rounds at the same time without a step, it must wait.
    pub(crate) fn settle(&mut self, limit: Instant) {
        let (mut before, mut idle) = ((0, self.now), 0);
        for _ in 0..100_000 {
            let progress = (self.steps.get(), self.now);
            idle = if core::mem::replace(&mut before, progress) == progress { idle + 1 } else { 0 };
            assert!(idle <= IDLE_ROUNDS, "the loops are busy without progress");
            let deadlines = [self.round(0), self.round(1)];
            if self.report(0) | self.report(1) {
                continue;
            }
            let next = deadlines.iter().flatten().map(|deadline| deadline.at).min();
            match next {
                Some(at) if at <= limit => self.now = self.now.max(at),
                _ => return,
            }
        }
        panic!("the loops do not come to rest");
    }
}

#[test]
fn guests_exchange_messages_over_small_buffers() {
    for name in ["tcp://10.0.0.1:1", "tcp://server:1"] {
        let mut world = World::new(100);
        world.add(0, Options::<Router>::new());
        world.add(1, Options::<Dealer>::new().linger(Duration::from_secs(1)));
        world.socket(0, 0).bind(SERVER.parse().unwrap());
        world.socket(1, 0).connect(name.parse().unwrap(), Instant::ORIGIN).unwrap();
        for number in 0..100 {
            world.socket(1, 0).send(number.to_string().repeat(100)).unwrap();
        }
        world.settle(Instant::from_nanos(1));
        for number in 0..100 {
            let request = world.socket(0, 0).recv().unwrap();
            assert_eq!(request.body(), number.to_string().repeat(100).as_str());
            world.socket(0, 0).send(request).unwrap();
        }
        world.settle(Instant::from_nanos(1));
        for number in 0..100 {
            assert_eq!(world.socket(1, 0).recv().unwrap().body(), number.to_string().repeat(100).as_str());
        }
        let now = world.now;
        world.socket(1, 0).close(now);
        world.socket(0, 0).close(now);
        world.settle(now + Duration::from_secs(10));
        for side in &mut world.loops {
            assert!(side.guest.remove(side.sockets[0]).is_some_and(|socket| socket.unsent() == 0));
            assert_eq!((side.guest.watched().count(), side.guest.deadline()), (0, None));
        }
    }
}

#[test]
fn guest_passes_credentials_and_address_of_a_stream() {
    let mut world = World::new(100);
    world.add(0, Options::<Router>::new());
    world.add(1, Options::<Dealer>::new());
    world.socket(0, 0).bind(SERVER.parse().unwrap());
    world.socket(1, 0).connect("tcp://server:1".parse().unwrap(), NOW).unwrap();
    world.socket(1, 0).send("request").unwrap();
    world.settle(Instant::from_nanos(1));
    let (request, dealer) = world.socket(0, 0).recv_from().unwrap();
    world.socket(0, 0).send(request).unwrap();
    world.settle(Instant::from_nanos(1));
    let (_, router) = world.socket(1, 0).recv_from().unwrap();
    assert_eq!([&dealer, &router].map(|peer| peer.credentials), [Some(CREDENTIALS); 2]);
    let addresses = [dealer, router].map(|peer| peer.address.as_ref().unwrap().to_string());
    assert_eq!(addresses, ["tcp://10.0.0.2:2", SERVER], "the address of a dialled peer is that of its stream");
}

#[test]
fn loop_looks_up_and_connects_in_one_step() {
    let mut guest = Guest::<End>::new();
    let id = guest.add(Socket::new(Options::<Dealer>::new(), SeededEntropy::new(1)));
    let endpoint: Endpoint = "tcp://server:1".parse().unwrap();
    guest.socket_mut(id).unwrap().connect(endpoint.clone(), NOW).unwrap();
    let [key] = requested(&mut guest)[..] else { panic!("the name must be looked up") };
    assert_eq!((guest.awaits_answer(key), guest.dialled_endpoint(key)), (true, Some(&endpoint)));
    guest.dialled(key, Ok::<_, NetworkError>(connection(100, &Rc::default(), &Rc::default()).0));
    assert_eq!((guest.awaits_answer(key), guest.dialled_endpoint(key)), (false, None));
    assert!(matches!(guest.poll(NOW), Output::Register(registered, ..) if registered == key));
}

/// Polls a guest until it waits, and returns the keys of its requests to listen, dial and resolve.
fn requested(guest: &mut Guest<End>) -> Vec<Key> {
    let mut keys = Vec::new();
    loop {
        match guest.poll(NOW) {
            Output::Listen(key, _) | Output::Dial(key, _) | Output::Resolve(key, _) => keys.push(key),
            Output::Wait(_) => return keys,
            _ => {}
        }
    }
}

#[test]
fn inproc_is_unsupported() {
    let mut guest = Guest::<End>::new();
    let id = guest.add(Socket::new(Options::<Dealer>::new(), SeededEntropy::new(1)));
    let socket = guest.socket_mut(id).unwrap();
    let listener = socket.bind("inproc://name".parse().unwrap());
    socket.connect("inproc://name".parse().unwrap(), NOW).unwrap();
    socket.monitor(true);
    assert_eq!(requested(&mut guest), []);
    let socket = guest.socket_mut(id).unwrap();
    assert_eq!(socket.listener(listener), Some(Err(NetworkError::Unsupported)));
    let events = std::iter::from_fn(|| socket.poll_event());
    let is_unsupported = |event| matches!(event, Event::ConnectFailed { error: NetworkError::Unsupported, .. });
    assert_eq!(events.filter(|event| is_unsupported(event.clone())).count(), 1);
}

#[test]
fn requests_that_are_no_longer_needed_await_no_answer() {
    let mut guest = Guest::<End>::new();
    let id = guest.add(Socket::new(Options::<Dealer>::new(), SeededEntropy::new(1)));
    let endpoints: [Endpoint; 2] = [SERVER, "tcp://server:1"].map(|endpoint| endpoint.parse().unwrap());
    let socket = guest.socket_mut(id).unwrap();
    socket.bind(endpoints[0].clone());
    socket.connect(endpoints[0].clone(), NOW).unwrap();
    socket.connect(endpoints[1].clone(), NOW).unwrap();
    let keys = requested(&mut guest);
    assert!(keys.len() == 3 && keys.iter().all(|&key| guest.awaits_answer(key)));
    let socket = guest.socket_mut(id).unwrap();
    socket.unbind(&endpoints[0], NOW).unwrap();
    for endpoint in &endpoints {
        socket.disconnect(endpoint, NOW).unwrap();
    }
    assert_eq!(requested(&mut guest), []);
    assert!(!keys.iter().any(|&key| guest.awaits_answer(key)));
}

#[test]
fn one_stream_of_a_guest_does_background_work_per_round() {
    let size = 100_000;
    let mut guest = Guest::<TestStream, ()>::new();
    let id = guest.add(Socket::new(Options::<Pull>::new(), SeededEntropy::new(1)));
    guest.socket_mut(id).unwrap().bind(SERVER.parse().unwrap());
    let Output::Listen(listener, endpoint) = guest.poll(NOW) else { panic!("the guest must listen") };
    guest.listening(listener, Ok::<_, NetworkError>(((), endpoint)));
    for _ in 0..10 {
        let mut stream = TestStream::default();
        stream.input.extend(greeting("NULL"));
        stream.input.extend(ready("PUSH", &property("X-Long", &vec![b'x'; size])));
        guest.accepted(listener, Ok::<_, StreamError>((stream, SERVER.parse().unwrap())));
    }
    let mut keys = Vec::new();
    let mut round = |guest: &mut Guest<TestStream, ()>| -> (bool, Vec<usize>) {
        let deadline = loop {
            match guest.poll(NOW) {
                Output::Wait(deadline) => break deadline,
                Output::Accept(key, ()) => guest.accepted(key, Err(StreamError::WouldBlock)),
                Output::Register(key, Source::Stream(_), _) => keys.push(key),
                _ => {}
            }
        };
        let unread = keys.iter().map(|&key| match guest.source(key) {
            Some(Source::Stream(stream)) => stream.input.len(),
            other => panic!("the stream has ended: {other:?}"),
        });
        (deadline.is_some_and(|deadline| deadline.cause == Cause::Work), unread.collect())
    };
    let (mut has_work, mut before) = round(&mut guest);
    let mut rounds = 0;
    while has_work {
        let now;
        (has_work, now) = round(&mut guest);
        assert!(before.iter().zip(&now).filter(|(before, now)| before > now).count() <= 1, "{before:?}, {now:?}");
        let spread = now.iter().max().unwrap() - now.iter().min().unwrap();
        assert!(spread <= 4 << 10, "the streams take turns: {now:?}");
        rounds += 1;
        before = now;
    }
    assert!(rounds > 10 * size / (2 << 10), "{rounds} rounds");
    assert_eq!(guest.socket(id).unwrap().stats().peers, 10);
    assert_eq!(before, [0; 10], "all handshakes are complete");
}

/// Waker that counts its wake-ups.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A decision on another thread wakes the loop, and the handshake continues without an event.
#[test]
fn late_decision_of_authenticator_continues_handshake() {
    let decision = Arc::new(Mutex::new((None::<Waker>, false)));
    let shared = Arc::clone(&decision);
    let authenticator = Authenticator::from_async(move |_| {
        let shared = Arc::clone(&shared);
        poll_fn(move |cx| {
            let mut shared = shared.lock().unwrap();
            shared.0 = Some(cx.waker().clone());
            if shared.1 { Poll::Ready(AuthReply::accept()) } else { Poll::Pending }
        })
    });
    let count = Arc::new(Count::default());
    let mut world = World::new(1000);
    world.loops[0].guest = Guest::with_waker(Arc::clone(&count).into());
    world.add(0, Options::<Pull>::new().security(Security::PlainServer).authenticator(authenticator));
    world.add(1, Options::<Push>::new().security(Security::plain_client("ann", "secret").unwrap()));
    world.socket(0, 0).bind(SERVER.parse().unwrap());
    world.socket(1, 0).connect(SERVER.parse().unwrap(), Instant::ORIGIN).unwrap();
    world.socket(1, 0).send("hello").unwrap();
    world.settle(Instant::ORIGIN);
    assert_eq!((world.socket(0, 0).ready_peers(), count.0.load(Ordering::SeqCst)), (0, 0));
    world.settle(Instant::ORIGIN);
    assert!(world.loops[0].guest.deadline().is_some_and(|deadline| deadline.cause != Cause::Work));

    let waker = {
        let mut decision = decision.lock().unwrap();
        decision.1 = true;
        decision.0.take().unwrap()
    };
    waker.wake();
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
    assert!(world.loops[0].guest.deadline().is_some_and(|deadline| deadline.cause == Cause::Work));
    world.settle(Instant::ORIGIN);
    assert_eq!(world.socket(0, 0).recv().unwrap().body(), "hello");
}

/// Honest subscribers have much work too. Their requests take turns of 32, and a peer that floods takes its turns in between.
#[test]
fn hundred_thousand_subscriptions_take_turns_of_32() {
    const SUBSCRIPTIONS: usize = 100_000;
    let mut guest = Guest::<TestStream, ()>::new();
    let id = guest.add(Socket::new(Options::<Pub>::new(), SeededEntropy::new(1)));
    guest.socket_mut(id).unwrap().bind(SERVER.parse().unwrap());
    let Output::Listen(listener, endpoint) = guest.poll(NOW) else { panic!("the guest must listen") };
    guest.listening(listener, Ok::<_, NetworkError>(((), endpoint)));
    let subscriptions =
        (0..SUBSCRIPTIONS).flat_map(|topic| command("SUBSCRIBE", format!("topic {topic:05}").as_bytes()));
    for input in [subscriptions.collect(), command("PING", b"\0\0").repeat(1_000_000)] {
        let mut stream = TestStream { input: greeting_and_ready("SUB").into(), ..TestStream::default() };
        stream.input.extend(input);
        guest.accepted(listener, Ok::<_, StreamError>((stream, SERVER.parse().unwrap())));
    }
    let mut rounds = 0_usize;
    while guest.socket(id).unwrap().subscriber_count(format!("topic {}", SUBSCRIPTIONS - 1)) == 0 {
        match guest.poll(NOW) {
            Output::Wait(_) => rounds += 1,
            Output::Accept(key, ()) => guest.accepted(key, Err(StreamError::WouldBlock)),
            _ => {}
        }
    }
    let least = 2 * SUBSCRIPTIONS / 32;
    assert!(rounds.abs_diff(least) < least / 10, "{rounds} rounds with one turn each");
}

/// A round costs as much as the streams that are ready, not as all streams.
#[test]
fn round_of_ten_thousand_streams_polls_only_the_ready() {
    let mut guest = Guest::<TestStream, ()>::new();
    let options = Options::<Pull>::new().max_handshakes(0, 0).max_handshake_rate(0).heartbeat(Duration::from_hours(1));
    let id = guest.add(Socket::new(options, SeededEntropy::new(1)));
    guest.socket_mut(id).unwrap().bind(SERVER.parse().unwrap());
    let Output::Listen(listener, endpoint) = guest.poll(NOW) else { panic!("the guest must listen") };
    guest.listening(listener, Ok::<_, NetworkError>(((), endpoint)));
    for _ in 0..10_000 {
        let stream = TestStream { input: greeting_and_ready("PUSH").into(), ..TestStream::default() };
        guest.accepted(listener, Ok::<_, StreamError>((stream, SERVER.parse().unwrap())));
    }
    guest.accepted(listener, Err(StreamError::WouldBlock));
    let mut keys = Vec::new();
    let mut round = |guest: &mut Guest<TestStream, ()>| {
        for polls in 1.. {
            match guest.poll(NOW) {
                Output::Wait(Some(Deadline { cause: Cause::Work, .. })) => {}
                Output::Wait(_) => return (polls, keys.clone()),
                Output::Register(key, Source::Stream(_), _) => keys.push(key),
                Output::Accept(key, ()) => guest.accepted(key, Err(StreamError::WouldBlock)),
                _ => {}
            }
        }
        unreachable!("a round ends")
    };
    let (_, keys) = round(&mut guest);
    assert_eq!((keys.len(), guest.socket(id).unwrap().ready_peers()), (10_000, 10_000));
    guest.stream_mut(keys[5000]).unwrap().input.extend(frame(0, b"hello"));
    guest.ready(keys[5000]);
    let (polls, _) = round(&mut guest);
    assert!(polls < 10, "{polls} polls for one message");
    assert_eq!(guest.socket_mut(id).unwrap().recv().unwrap().body(), "hello");
}

/// A completion ring has no event for a listener: it accepts, and answers when a connection has arrived.
#[test]
fn open_listener_is_accepted_from_without_an_event() {
    let mut guest = Guest::<TestStream, ()>::new();
    let id = guest.add(Socket::new(Options::<Pull>::new(), SeededEntropy::new(1)));
    guest.socket_mut(id).unwrap().bind(SERVER.parse().unwrap());
    let round = |guest: &mut Guest<TestStream, ()>| {
        let mut accepts = Vec::new();
        loop {
            match guest.poll(NOW) {
                Output::Listen(key, endpoint) => guest.listening(key, Ok::<_, NetworkError>(((), endpoint))),
                Output::Accept(key, ()) => accepts.push(key),
                Output::Wait(Some(Deadline { cause: Cause::Work, .. })) => {}
                Output::Wait(_) => return accepts,
                _ => {}
            }
        }
    };
    let [listener] = round(&mut guest)[..] else { panic!("the guest must accept once") };
    assert_eq!(round(&mut guest), [], "the first request has no answer yet");
    let accepted = || Ok::<_, StreamError>((TestStream::default(), SERVER.parse().unwrap()));
    guest.accepted(listener, accepted());
    assert_eq!(round(&mut guest), [listener]);
    guest.accepted(listener, accepted());
    assert_eq!((round(&mut guest), guest.socket(id).unwrap().stats().peers), (vec![listener], 2));
}

/// Begins to dial a name with two addresses, and returns the key of the lookup.
fn dial_of_two_addresses(guest: &mut Guest<BufferStream>, id: SocketId) -> Key {
    guest.socket_mut(id).unwrap().connect("tcp://name:1".parse().unwrap(), NOW).unwrap();
    let key = loop {
        match guest.poll(NOW) {
            Output::Resolve(key, _) => break key,
            Output::Wait(_) => panic!("a name must be looked up"),
            _ => {}
        }
    };
    let addresses = ["10.0.0.1:1", "10.0.0.2:1"].map(|address| address.parse::<SocketAddr>().unwrap());
    guest.resolved(key, Ok::<_, NetworkError>(addresses));
    key
}

/// An address that does not answer delays the next by 250 ms (RFC 8305), and is tried again for longer.
#[test]
fn address_without_answer_does_not_prevent_the_next() {
    let mut guest = Guest::<BufferStream>::new();
    let limit = Duration::from_secs(5);
    let id = guest.add(Socket::new(Options::<Push>::new().connect_timeout(limit), SeededEntropy::new(1)));
    let mut last = dial_of_two_addresses(&mut guest, id);
    let (mut now, mut attempts, mut gone) = (NOW, Vec::new(), 0);
    while now < NOW + limit {
        match guest.poll(now) {
            Output::Dial(key, Target::Tcp(route)) => {
                attempts.push((route.to.to_string(), now.since(NOW)));
                assert!(attempts.len() == 1 || key != last, "a late event must not affect the next attempt");
                guest.ready(last);
                last = key;
                guest.dialled(key, Ok::<_, NetworkError>(BufferStream::new((), 10).connecting()));
            }
            Output::Gone(key, _) => gone += usize::from(key == last),
            Output::Wait(deadline) => {
                let deadline = deadline.unwrap();
                if deadline.cause != Cause::Work {
                    now = deadline.at;
                }
            }
            _ => {}
        }
    }
    let expected = [("10.0.0.1:1", 0), ("10.0.0.2:1", 250), ("10.0.0.1:1", 500), ("10.0.0.2:1", 1000)];
    let expected = expected.into_iter().chain([("10.0.0.1:1", 1500), ("10.0.0.2:1", 2500), ("10.0.0.1:1", 3500)]);
    let expected = expected.map(|(address, at)| (address.to_owned(), Duration::from_millis(at)));
    assert_eq!((attempts, gone), (expected.collect(), 6), "the last attempt waits for the limit of the dial");
}

#[test]
fn last_address_has_all_the_time_of_the_dial() {
    let mut guest = Guest::<BufferStream>::new();
    let id = guest.add(Socket::new(Options::<Push>::new(), SeededEntropy::new(1)));
    dial_of_two_addresses(&mut guest, id);
    let Output::Dial(key, _) = guest.poll(NOW) else { panic!("the first address must be dialled") };
    guest.dialled(key, Err(NetworkError::Refused));
    let Output::Dial(key, _) = guest.poll(NOW) else { panic!("the second address must be dialled") };
    guest.dialled(key, Ok::<_, NetworkError>(BufferStream::new((), 10).connecting()));
    while !matches!(guest.poll(NOW), Output::Wait(_)) {}
    let deadline = guest.deadline().unwrap();
    assert!(matches!(deadline.cause, Cause::Socket(..)) && deadline.at > NOW + Duration::from_secs(5), "{deadline:?}");
    let Some(stream) = guest.stream_mut(key) else { panic!("the stream has ended") };
    stream.establish();
    guest.ready(key);
    while !matches!(
        guest.poll(NOW),
        Output::Wait(Some(Deadline { cause: Cause::Socket(..) | Cause::Connection(..), .. }) | None)
    ) {}
    assert_eq!(guest.socket(id).unwrap().stats().peers, 1);
}

/// The socket uses the index of a cancelled pipe again, before the loop has seen that the pipe was dialled.
#[test]
fn accepted_stream_outlives_a_cancelled_dial() {
    let mut guest = Guest::<TestStream, ()>::new();
    let id = guest.add(Socket::new(Options::<Dealer>::new(), SeededEntropy::new(1)));
    guest.socket_mut(id).unwrap().bind(SERVER.parse().unwrap());
    let Output::Listen(listener, endpoint) = guest.poll(NOW) else { panic!("the guest must listen") };
    guest.listening(listener, Ok::<_, NetworkError>(((), endpoint)));
    while !matches!(guest.poll(NOW), Output::Wait(_)) {}

    let elsewhere: Endpoint = "tcp://10.0.0.9:9".parse().unwrap();
    guest.socket_mut(id).unwrap().connect(elsewhere.clone(), NOW).unwrap();
    guest.socket_mut(id).unwrap().disconnect(&elsewhere, NOW).unwrap();
    let stream = TestStream { input: greeting_and_ready("DEALER").into(), ..TestStream::default() };
    guest.accepted(listener, Ok::<_, StreamError>((stream, SERVER.parse().unwrap())));
    loop {
        match guest.poll(NOW) {
            Output::Wait(_) => break,
            Output::Gone(key, _) => panic!("{key:?} has ended"),
            Output::Dial(key, _) => panic!("{key:?} is not wanted any more"),
            _ => {}
        }
    }
    assert_eq!(guest.socket(id).unwrap().ready_peers(), 1);
}

/// A loop without a poller reports everything, and finds the streams that are ready.
#[test]
fn all_ready_finds_the_streams_with_input() {
    let mut world = World::new(1000);
    world.add(0, Options::<Pull>::new());
    world.add(1, Options::<Push>::new());
    world.socket(0, 0).bind(SERVER.parse().unwrap());
    world.socket(1, 0).connect(SERVER.parse().unwrap(), NOW).unwrap();
    world.socket(1, 0).send("hello").unwrap();
    for _ in 0..10 {
        for which in 0..2 {
            world.loops[which].guest.all_ready(); // instead of `report`
            world.poll_until_wait(which);
        }
    }
    assert_eq!(world.socket(0, 0).recv().unwrap().body(), "hello");
}

/// Sockets of a guest share a port: peers select one of them by its resource, also one that binds later.
#[test]
fn sockets_of_a_guest_share_a_port() {
    let mut world = World::new(100);
    for resource in ["a", "b"] {
        world.add(0, Options::<Router>::new());
        world.add(1, Options::<Dealer>::new());
        let last = world.loops[1].sockets.len() - 1;
        world.socket(1, last).connect(format!("{SERVER}/{resource}").parse().unwrap(), NOW).unwrap();
        world.socket(1, last).send(resource).unwrap();
    }
    let bound: Endpoint = format!("{SERVER}/a").parse().unwrap();
    let first = world.socket(0, 0).bind(bound.clone());
    world.settle(NOW + Duration::from_secs(1));
    assert_eq!(world.socket(0, 0).listener(first), Some(Ok(bound.clone())));
    assert_eq!((world.socket(0, 0).recv().unwrap().body(), world.socket(0, 0).ready_peers()), (&"a".into(), 1));
    assert_eq!(world.backlogs.len(), 1);

    let second = world.socket(0, 1).bind(format!("{SERVER}/b").parse().unwrap());
    world.settle(NOW + Duration::from_secs(1));
    assert_eq!(world.backlogs.len(), 1, "one listener for both");
    assert_eq!(world.socket(0, 1).listener(second), Some(Ok(format!("{SERVER}/b").parse().unwrap())));
    assert_eq!(world.socket(0, 1).recv().unwrap().body(), "b", "the peer has waited");
    let same = world.socket(0, 1).bind(bound.clone());
    world.settle(NOW + Duration::from_secs(1));
    assert_eq!(world.socket(0, 1).listener(same), Some(Err(NetworkError::AddressInUse)));

    // The listener stays open for the other socket.
    let now = world.now;
    world.socket(0, 0).unbind(&bound, now).unwrap();
    world.settle(now);
    assert_eq!((world.socket(0, 0).ready_peers(), world.socket(0, 1).ready_peers()), (0, 1));
    world.socket(1, 0).connect(format!("{SERVER}/b").parse().unwrap(), now).unwrap();
    world.settle(now + Duration::from_secs(1));
    assert_eq!(world.socket(0, 1).ready_peers(), 2);
    for (which, index) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let now = world.now;
        world.socket(which, index).close(now);
    }
    world.settle(world.now + Duration::from_hours(1));
    world.backlogs.retain(|(_, backlog)| Rc::strong_count(backlog) > 1);
    assert_eq!((world.backlogs.len(), world.loops[0].guest.watched().count()), (0, 0));
}

/// A peer that requests a resource to which no socket is bound is rejected after the handshake timeout, with an event.
#[test]
fn request_for_unknown_resource_of_a_guest_ends() {
    let mut world = World::new(100);
    world.add(0, Options::<Router>::new().handshake_timeout(Duration::from_secs(5)));
    world.add(1, Options::<Dealer>::new());
    world.socket(0, 0).monitor(true);
    world.socket(0, 0).bind(format!("{SERVER}/a").parse().unwrap());
    world.socket(1, 0).connect(format!("{SERVER}/b").parse().unwrap(), NOW).unwrap();
    world.settle(NOW);
    let deadline = world.loops[0].guest.deadline().unwrap();
    assert!(matches!(deadline.cause, Cause::Unassigned(_, ConnectionTimer::Handshake)), "{}", deadline.cause);
    world.settle(NOW + Duration::from_secs(5));
    let mut events = core::iter::from_fn(|| world.socket(0, 0).poll_event());
    let reason = events.find_map(|event| match event {
        Event::UnknownResource { reason, .. } => Some(reason),
        _ => None,
    });
    assert!(matches!(reason, Some(ConnectionError::NoSuchResource(Some(_)))), "{reason:?}");
}

/// Random calls of the guests of a world, by seed.
struct Chaos {
    world: World,
    random: SeededEntropy,
    /// Keys of each guest, also those that have ended.
    keys: [Vec<Key>; 2],
    /// Requests that the loops have not answered yet.
    late: Vec<(usize, Request)>,
}

impl Chaos {
    fn new(seed: u64) -> Self {
        let mut random = SeededEntropy::new(seed);
        let mut world = World::new(1 + usize::try_from(random.below(200)).unwrap());
        world.add(0, Options::<Router>::new().send_hwm(3).heartbeat(Duration::from_secs(1)));
        world.add(0, Options::<Pub>::new());
        world.add(1, Options::<Dealer>::new().recv_hwm(2).linger(Duration::from_secs(3)));
        world.add(1, Options::<Sub>::new());
        Self { world, random, keys: [Vec::new(), Vec::new()], late: Vec::new() }
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.random.below(bound as u64)).unwrap()
    }

    fn key(&mut self, which: usize) -> Key {
        let index = self.below(self.keys[which].len() + 1);
        let any = Key::from_u64((1 + self.random.below(5)) << 32 | self.random.below(5));
        self.keys[which].get(index).copied().unwrap_or(any)
    }

    /// Polls a guest once. The loop answers at once, later, or with an error.
    fn poll(&mut self, which: usize) {
        match self.world.poll(which) {
            Step::Request(request) => {
                let (Request::Listen(key, _) | Request::Accept(key, _) | Request::Dial(key, _) | Request::Resolve(key)) =
                    &request;
                self.keys[which].push(*key);
                match self.below(5) {
                    0 => self.late.push((which, request)),
                    1 => self.fail(which, *key),
                    _ => self.world.answer(which, request),
                }
            }
            Step::Notice(key) => self.keys[which].extend(key),
            Step::Wait(deadline) => self.check_quiet(which, deadline),
        }
    }

    /// Checks that a guest that waits does nothing before its deadline.
    fn check_quiet(&mut self, which: usize, deadline: Option<Deadline>) {
        let guest = &mut self.world.loops[which].guest;
        assert_eq!(guest.deadline(), deadline);
        let now = self.world.now;
        let patience = deadline.map_or(Duration::from_hours(1), |deadline| deadline.at.since(now));
        let nanos = u64::try_from(patience.as_nanos()).unwrap();
        let has_work = deadline.is_some_and(|deadline| deadline.cause == Cause::Work);
        if nanos > 0 && !has_work {
            self.world.now = now + Duration::from_nanos(self.random.below(nanos));
            match self.world.poll(which) {
                Step::Wait(later) => assert_eq!(later, deadline),
                Step::Request(_) | Step::Notice(_) => panic!("an output before the deadline {deadline:?}"),
            }
        }
    }

    /// Answers a key with a failure, whatever was requested.
    fn fail(&mut self, which: usize, key: Key) {
        let error = [NetworkError::Refused, NetworkError::Other, NetworkError::TimedOut][self.below(3)];
        let guest = &mut self.world.loops[which].guest;
        match self.random.below(5) {
            0 => guest.listening(key, Err(error)),
            1 => guest.accepted(key, Err::<(End, Endpoint), StreamError>(error.into())),
            2 => guest.accepted(key, Err(StreamError::WouldBlock)),
            3 => guest.dialled(key, Err(error)),
            _ => guest.resolved(key, Err::<[SocketAddr; 0], _>(error)),
        }
    }

    /// Gives a stream or a listener that was not requested.
    fn surprise(&mut self, which: usize, key: Key) {
        let (stream, other) = connection(self.world.room, &self.world.steps, &self.world.plan);
        drop(other);
        let guest = &mut self.world.loops[which].guest;
        match self.random.below(4) {
            0 => guest.listening(key, Ok::<_, NetworkError>((Backlog::default(), SERVER.parse().unwrap()))),
            1 => guest.accepted(key, Ok::<_, StreamError>((stream, SERVER.parse().unwrap()))),
            2 => guest.dialled(key, Ok::<_, NetworkError>(stream)),
            _ => guest.resolved(key, Ok::<_, NetworkError>(["10.0.0.1:1".parse::<SocketAddr>().unwrap()])),
        }
    }

    /// Makes a random call of a socket.
    fn call_socket(&mut self, which: usize) {
        let (call, now) = (self.below(20), self.world.now);
        let endpoints =
            [SERVER, "tcp://10.0.0.1:2", "tcp://10.0.0.1:1/a", "tcp://10.0.0.1:2/b", "tcp://name:1", "ipc:///path"];
        let endpoint: Endpoint = endpoints[self.below(endpoints.len())].parse().unwrap();
        let body = vec![b'a'; self.below(300)];
        let (index, fate) = (self.below(2), self.below(50));
        let socket = self.world.socket(which, index);
        match call {
            0..8 => drop(socket.send(body)),
            8..14 => drop(socket.recv()),
            14 => drop(socket.bind(endpoint)),
            15 => drop(socket.connect(endpoint, now)),
            16 => drop(socket.unbind(&endpoint, now)),
            17 => drop(socket.disconnect(&endpoint, now)),
            18 => drop(socket.subscribe("a")),
            _ if fate == 0 => socket.close(now),
            _ => drop(socket.unsubscribe("a")),
        }
    }

    /// Makes a random call.
    fn act(&mut self) {
        let which = self.below(2);
        let now = self.world.now;
        match self.below(24) {
            0..10 => self.poll(which),
            10..13 => drop(self.world.report(which)),
            13..17 => self.call_socket(which),
            17 => self.world.now = now + Duration::from_millis(self.random.below(2000)),
            18 => {
                let deadline = self.world.loops[which].guest.deadline();
                self.world.now = deadline.map_or(now, |deadline| now.max(deadline.at));
            }
            // The clock of the loop goes back.
            19 => {
                self.world.now = Instant::from_nanos(now.as_nanos() / 2);
                self.poll(which);
                self.world.now = now;
            }
            20 => {
                let key = self.key(which);
                if let Some(Source::Stream(stream)) = self.world.loops[which].guest.source(key) {
                    stream.cut();
                }
            }
            21 => {
                let key = self.key(which);
                self.fail(which, key);
                self.world.loops[which].guest.ready(key);
            }
            22 => {
                let key = self.key(which);
                self.surprise(which, key);
            }
            _ => {
                if !self.late.is_empty() {
                    let position = self.below(self.late.len());
                    let (which, request) = self.late.swap_remove(position);
                    self.world.answer(which, request);
                }
            }
        }
    }

    /// Closes all sockets, and checks that both guests come to their end.
    fn end(mut self) {
        for (which, index) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let now = self.world.now;
            self.world.socket(which, index).close(now);
        }
        self.world.settle(self.world.now + Duration::from_hours(1));
        for side in &mut self.world.loops {
            let closed = side.sockets.iter().filter(|&&id| side.guest.remove(id).is_some()).count();
            assert_eq!((closed, side.guest.watched().count(), side.guest.deadline()), (2, 0, None));
        }
    }
}

/// A different order of calls delays work, but corrupts nothing: each sequence is random, and ends with a close.
#[test]
fn calls_in_any_order_corrupt_nothing() {
    let sequences = std::env::var("GUEST_SEEDS").ok().and_then(|count| count.parse().ok()).unwrap_or(2000);
    for seed in 0..sequences {
        let outcome = std::panic::catch_unwind(|| {
            let mut chaos = Chaos::new(seed);
            for _ in 0..300 {
                chaos.act();
            }
            chaos.end();
        });
        assert!(outcome.is_ok(), "the sequence with the seed {seed} has failed");
    }
}
