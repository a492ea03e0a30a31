//! Over `inproc`, where nothing needs a runtime: a proxy is polled by hand, and every poll is one turn.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use super::super::lane::BURST;
use super::*;
use crate::{Context as SocketContext, Driver, Passed};
use core::pin::{Pin, pin};
use sansmq_proto::kind::{Client, Dealer, Pair, Pub, Pull, Push, Rep, Req, Router, Sub, Typed};
use sansmq_proto::{Event, Instant, Options};
use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

/// Sockets that reach each other, and need no one to drive them.
#[derive(Default)]
struct World {
    names: SocketContext,
    drivers: RefCell<Vec<Driver>>,
}

impl World {
    fn socket<T: Typed>(&self, options: Options<T>) -> Handle<T> {
        let (handle, driver) = crate::new_socket(options, &self.names, || Instant::ORIGIN);
        self.drivers.borrow_mut().push(driver);
        handle
    }

    /// A socket bound to this name.
    fn bound<T: Typed>(&self, options: Options<T>, name: &str) -> Handle<T> {
        let socket = self.socket(options);
        ready(pin!(socket.bind(format!("inproc://{name}")))).unwrap();
        socket
    }

    /// A socket connected to this name.
    fn connected<T: Typed>(&self, options: Options<T>, name: &str) -> Handle<T> {
        let socket = self.socket(options);
        socket.connect(format!("inproc://{name}")).unwrap();
        socket
    }

    /// PULL and PUSH, and who pushes to the one.
    fn streamer(&self) -> (Handle<Push>, Handle<Pull>, Handle<Push>) {
        let pull = self.bound(Options::new(), "front");
        (self.connected(Options::new(), "front"), pull, self.bound(Options::new(), "back"))
    }

    /// Two PAIRs and the peer of each, which are the first and the last.
    fn pairs(&self) -> [Handle<Pair>; 4] {
        let (front, back) = (self.bound(Options::new(), "front"), self.bound(Options::new(), "back"));
        [self.connected(Options::new(), "front"), front, back, self.connected(Options::new(), "back")]
    }
}

fn ready<F: Future>(future: Pin<&mut F>) -> F::Output {
    match turn(future) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

fn turn<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Counts how often it is woken.
#[derive(Default)]
struct CountingWaker(AtomicUsize);

impl Wake for CountingWaker {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl CountingWaker {
    /// Whether it was woken since this was asked last.
    fn take_woken(&self) -> bool {
        self.0.swap(0, Ordering::SeqCst) > 0
    }
}

fn bodies(socket: &Handle<impl Receives>) -> Vec<String> {
    core::iter::from_fn(|| socket.try_recv().ok()).map(|message| message.body().to_text().into_owned()).collect()
}

fn numbers(range: core::ops::Range<usize>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

#[test]
fn from_a_side_whose_sink_has_no_room_nothing_is_received() {
    let world = World::default();
    let (push, front, back) = world.streamer();
    let mut proxy = Proxy::new(&front, &back);
    let control = proxy.control_handle();
    push.try_send("0").unwrap();
    let mut run = pin!(proxy.run());
    assert!(turn(run.as_mut()).is_pending());
    assert_eq!(control.statistics(), ProxyStatistics::default());
    let late = world.connected(Options::<Pull>::new(), "back");
    assert!(turn(run.as_mut()).is_pending());
    assert_eq!(bodies(&late), ["0"]);
}

#[test]
fn a_flood_one_way_leaves_the_other_its_turns_and_ends_after_a_burst() {
    let world = World::default();
    let [near, front, back, far] = world.pairs();
    for number in 0..BURST * 5 {
        near.try_send(number.to_string()).unwrap();
    }
    far.try_send("against the stream").unwrap();
    let mut proxy = Proxy::new(&front, &back);
    let waker_count = Arc::new(CountingWaker::default());
    let waker = Waker::from(Arc::clone(&waker_count));
    let mut run = pin!(proxy.run());
    for burst in 0..5 {
        assert!(run.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        assert!(waker_count.take_woken(), "there may be more");
        assert_eq!(bodies(&far), numbers(burst * BURST..(burst + 1) * BURST));
        assert_eq!(bodies(&near).len(), usize::from(burst == 0));
    }
    assert!(run.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    assert!(!waker_count.take_woken(), "there is no more");
}

#[test]
fn a_message_without_room_stays_in_the_proxy_when_its_run_is_dropped() {
    let world = World::default();
    let front = world.bound(Options::<Pull>::new(), "front");
    let push = world.connected(Options::<Push>::new(), "front");
    let back = world.bound(Options::<Router>::new().mandatory(true).send_hwm(2), "back");
    let peer = world.connected(Options::<Dealer>::new().routing_id("peer").unwrap().recv_hwm(2), "back");
    for number in 0..100 {
        push.try_send(("peer", number.to_string())).unwrap();
    }
    let mut proxy = Proxy::new(&front, &back);
    let mut got = Vec::new();
    for _ in 0..50 {
        // A run of one turn, which ends with a message in hand.
        assert!(turn(pin!(proxy.run())).is_pending());
        got.extend(bodies(&peer));
    }
    assert_eq!(got, numbers(0..100));
    assert_eq!(proxy.take_held(), []);

    for number in 100..1000 {
        push.try_send(("peer", number.to_string())).unwrap();
    }
    assert!(turn(pin!(proxy.run())).is_pending());
    let sent = usize::try_from(proxy.control_handle().statistics().backend.sent.messages).unwrap();
    assert_eq!(proxy.take_held(), [Message::from(("peer", sent.to_string()))]);
    assert_eq!(proxy.control_handle().statistics().frontend.received.messages, sent as u64 + 1);
}

#[test]
fn a_held_message_goes_out_when_its_peer_has_room() {
    let world = World::default();
    let front = world.bound(Options::<Pull>::new(), "front");
    let push = world.connected(Options::<Push>::new(), "front");
    let back = world.bound(Options::<Router>::new().mandatory(true).send_hwm(1), "back");
    let peer = world.connected(Options::<Dealer>::new().routing_id("peer").unwrap().recv_hwm(1), "back");
    for number in 0..1000 {
        push.try_send(("peer", number.to_string())).unwrap();
    }
    let mut proxy = Proxy::new(&front, &back);
    let waker_count = Arc::new(CountingWaker::default());
    let waker = Waker::from(Arc::clone(&waker_count));
    let mut run = pin!(proxy.run());
    let mut got = Vec::new();
    while got.len() < 1000 {
        assert!(run.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        waker_count.take_woken();
        got.extend(bodies(&peer));
        assert!(
            waker_count.take_woken() || got.len() == 1000,
            "{} have come, and nobody is woken for the rest",
            got.len()
        );
    }
    assert_eq!(got, numbers(0..1000));
}

#[test]
fn what_the_sink_will_never_take_is_dropped_and_counted() {
    let world = World::default();
    let front = world.bound(Options::<Pull>::new(), "front");
    let push = world.connected(Options::<Push>::new(), "front");
    let back = world.bound(Options::<Router>::new().mandatory(true), "back");
    let peer = world.connected(Options::<Dealer>::new().routing_id("peer").unwrap(), "back");
    push.try_send(("nobody", "lost")).unwrap();
    push.try_send("no address").unwrap();
    push.try_send(("peer", "found")).unwrap();
    let mut proxy = Proxy::new(&front, &back);
    assert!(turn(pin!(proxy.run())).is_pending());
    assert_eq!(bodies(&peer), ["found"]);
    let statistics = proxy.control_handle().statistics();
    assert_eq!((statistics.frontend.received.messages, statistics.dropped), (3, 2));
    assert_eq!(statistics.backend.sent, Passed { messages: 1, frames: 2, octets: 9 });
}

#[test]
fn frames_pass_whole_or_not_at_all() {
    let world = World::default();
    let (push, front, _) = world.streamer();
    let back = world.bound(Options::<Client>::new(), "server");
    let server = world.connected(Options::<sansmq_proto::kind::Server>::new(), "server");
    push.try_send(["two", "frames"]).unwrap();
    push.try_send("one").unwrap();
    let mut proxy = Proxy::new(&front, &back);
    assert!(turn(pin!(proxy.run())).is_pending());
    assert_eq!(bodies(&server), ["one"]);
    assert_eq!(proxy.control_handle().statistics().dropped, 1);
}

#[test]
fn one_socket_as_both_ends_sends_everything_back() {
    let world = World::default();
    let rep = world.bound(Options::<Rep>::new(), "rep");
    let req = world.connected(Options::<Req>::new(), "rep");
    let dealer = world.bound(Options::<Dealer>::new(), "dealer");
    let other = world.connected(Options::<Dealer>::new(), "dealer");
    let (mut turns, mut stream) = (Proxy::new(&rep, &rep), Proxy::new(&dealer, &dealer.clone()));
    for number in 0..3 {
        req.try_send(number.to_string()).unwrap();
        other.try_send(number.to_string()).unwrap();
        assert!(turn(pin!(turns.run())).is_pending());
        assert!(turn(pin!(stream.run())).is_pending());
        assert_eq!(bodies(&req), [number.to_string()]);
        assert_eq!(bodies(&other), [number.to_string()]);
    }
    let statistics = turns.control_handle().statistics();
    assert_eq!((statistics.frontend.received.messages, statistics.backend.sent.messages), (3, 3));
    assert_eq!((statistics.frontend.sent, statistics.backend.received), Default::default());
}

#[test]
fn a_capture_gets_a_copy_of_both_directions_and_holds_nobody_up() {
    let world = World::default();
    let [near, front, back, far] = world.pairs();
    let capture = world.bound(Options::<Push>::new(), "capture");
    let mut proxy = Proxy::new(&front, &back).capture(&capture);
    near.try_send(["down", "1"]).unwrap();
    assert!(turn(pin!(proxy.run())).is_pending());
    assert_eq!(bodies(&far), ["1"], "a capture without peers has no room");

    let tap = world.connected(Options::<Pull>::new(), "capture");
    near.try_send(["down", "2"]).unwrap();
    far.try_send(["up", "3"]).unwrap();
    assert!(turn(pin!(proxy.run())).is_pending());
    assert_eq!((bodies(&far), bodies(&near)), (vec!["2".to_owned()], vec!["3".to_owned()]));
    assert_eq!(tap.try_recv().unwrap(), Message::from(["down", "2"]));
    assert_eq!(tap.try_recv().unwrap(), Message::from(["up", "3"]));
    let statistics = proxy.control_handle().statistics();
    assert_eq!((statistics.captured, statistics.missed, statistics.dropped), (2, 1, 0));
}

#[test]
fn what_waits_is_woken_when_either_socket_is_closed() {
    for one in 0..2 {
        let world = World::default();
        let (_push, front, back) = world.streamer();
        // A socket that lingers is closed as well.
        back.connect("inproc://nobody").unwrap();
        back.try_send("lingers").unwrap();
        let mut proxy = Proxy::new(&front, &back);
        let waker_count = Arc::new(CountingWaker::default());
        let waker = Waker::from(Arc::clone(&waker_count));
        let mut run = pin!(proxy.run());
        assert!(run.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        assert!(!waker_count.take_woken());
        let _closed = if one == 0 { turn(pin!(front.close())) } else { turn(pin!(back.close())) };
        assert!(waker_count.take_woken(), "socket {one} is closed");
        assert_eq!(ready(run), Ok(ProxyStatistics::default()));
    }
}

#[test]
fn a_paused_proxy_passes_nothing_on_until_it_is_resumed_and_a_terminated_one_nothing_more() {
    let world = World::default();
    let [near, front, back, far] = world.pairs();
    let mut proxy = Proxy::new(&front, &back);
    let control = proxy.control_handle();
    let waker_count = Arc::new(CountingWaker::default());
    let waker = Waker::from(Arc::clone(&waker_count));
    let mut run = pin!(proxy.run());
    let mut poll = || run.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(poll().is_pending());
    control.pause();
    assert!(waker_count.take_woken());
    near.try_send("waits").unwrap();
    assert!(poll().is_pending());
    assert_eq!((bodies(&far), control.statistics()), (vec![], ProxyStatistics::default()));
    waker_count.take_woken();
    control.resume();
    assert!(waker_count.take_woken());
    assert!(poll().is_pending());
    assert_eq!(bodies(&far), ["waits"]);

    near.try_send("too late").unwrap();
    waker_count.take_woken();
    control.terminate();
    assert!(waker_count.take_woken());
    control.resume();
    let Poll::Ready(Ok(statistics)) = poll() else { panic!("it is terminated") };
    assert_eq!(statistics.backend.sent, Passed { messages: 1, frames: 1, octets: 5 });
    assert_eq!(statistics, control.statistics());
    assert_eq!(bodies(&front), ["too late"]);
}

#[test]
fn a_rep_as_control_answers_everything() {
    let world = World::default();
    let [near, front, back, far] = world.pairs();
    let control = world.bound(Options::<Rep>::new(), "control");
    let asker = world.connected(Options::<Req>::new(), "control");
    let mut proxy = Proxy::new(&front, &back).control(&control);
    let mut run = pin!(proxy.run());
    let mut ask = |command: Message| {
        asker.try_send(command).unwrap();
        let ended = turn(run.as_mut());
        (asker.try_recv().unwrap(), ended)
    };
    let empty = Message::from("");
    near.try_send(["first", "second"]).unwrap();
    far.try_send("back").unwrap();
    assert_eq!(ask("PAUSE".into()), (empty.clone(), Poll::Pending));
    assert_eq!((bodies(&far), bodies(&near)), (vec![], vec![]));
    for other in ["pause", "RESUME?", "", "KILL"] {
        assert_eq!(ask(other.into()), (empty.clone(), Poll::Pending));
    }
    assert_eq!(ask(["RESUME", "of two frames"].into()), (empty.clone(), Poll::Pending));
    assert_eq!((bodies(&far), bodies(&near)), (vec![], vec![]));
    assert_eq!(ask("RESUME".into()), (empty.clone(), Poll::Pending));
    assert_eq!((bodies(&far), bodies(&near)), (vec!["second".to_owned()], vec!["back".to_owned()]));
    let (statistics, _) = ask("STATISTICS".into());
    let numbers: Vec<_> = statistics.iter().map(|frame| u64::from_ne_bytes(frame[..].try_into().unwrap())).collect();
    assert_eq!(numbers, [2, 11, 1, 4, 1, 4, 2, 11]);
    let (answer, ended) = ask("TERMINATE".into());
    assert_eq!((answer, ended.is_ready()), (empty, true));
}

#[test]
fn a_pair_as_control_answers_statistics_only_and_a_sub_nothing() {
    let world = World::default();
    let [near, front, back, _far] = world.pairs();
    let control = world.bound(Options::<Pair>::new(), "control");
    let asker = world.connected(Options::<Pair>::new(), "control");
    let mut proxy = Proxy::new(&front, &back).control(&control);
    for command in ["PAUSE", "STATISTICS", "RESUME"] {
        asker.try_send(command).unwrap();
    }
    near.try_send("x").unwrap();
    assert!(turn(pin!(proxy.run())).is_pending());
    let answer = asker.try_recv().unwrap();
    assert_eq!((answer.len(), answer.size()), (8, 64));
    assert_eq!(bodies(&asker), [""; 0]);
    assert_eq!(proxy.control_handle().statistics().frontend.received.messages, 1);

    let control = world.bound(Options::<Sub>::new(), "all proxies");
    control.subscribe("").unwrap();
    let announcer = world.connected(Options::<Pub>::new(), "all proxies");
    let mut proxy = Proxy::new(&front, &back).control(&control);
    announcer.try_send("STATISTICS").unwrap();
    announcer.try_send("TERMINATE").unwrap();
    assert!(ready(pin!(proxy.run())).is_ok());
}

#[test]
fn a_control_socket_that_floods_or_is_closed_leaves_the_proxy_its_turns() {
    let world = World::default();
    let [near, front, back, far] = world.pairs();
    let control = world.bound(Options::<Pull>::new(), "control");
    let asker = world.connected(Options::<Push>::new(), "control");
    let mut proxy = Proxy::new(&front, &back).control(&control);
    for _ in 0..500 {
        asker.try_send("RESUME").unwrap();
    }
    near.try_send("1").unwrap();
    let mut run = pin!(proxy.run());
    assert!(turn(run.as_mut()).is_pending());
    assert_eq!(bodies(&far), ["1"]);
    assert!(control.try_recv().is_ok(), "some commands wait for the next turn");
    assert!(turn(pin!(control.close())).is_ready());
    near.try_send("2").unwrap();
    assert!(turn(run.as_mut()).is_pending());
    assert_eq!(bodies(&far), ["2"]);
}

#[test]
fn two_sockets_with_no_way_between_them_are_an_error() {
    let world = World::default();
    let (push, pull, _) = world.streamer();
    let sub = world.socket(Options::<Sub>::new());
    let outcome = ready(pin!(Proxy::new(&pull, &sub).run()));
    assert_eq!(outcome, Err(ProxyError::NoDirection(SocketType::Pull, SocketType::Sub)));
    assert!(ready(pin!(Proxy::new(&push, &push).run())).is_err());
    assert!(turn(pin!(Proxy::new(&push, &pull).run())).is_pending(), "the backend is the front");
}

#[test]
fn a_lost_request_is_an_error_and_the_next_run_goes_on() {
    let world = World::default();
    let front = world.bound(Options::<Router>::new(), "front");
    let client = world.connected(Options::<Dealer>::new(), "front");
    let back = world.bound(Options::<Req>::new(), "back");
    let worker = world.connected(Options::<Rep>::new(), "back");
    let mut proxy = Proxy::new(&front, &back);
    client.try_send("1").unwrap();
    assert!(turn(pin!(proxy.run())).is_pending());
    assert_eq!(worker.try_recv().unwrap().body(), "1");
    let mut story = back.monitor();
    let _ = turn(pin!(worker.close()));
    assert!(matches!(ready(pin!(story.next())), Some(Event::Disconnected { .. })));
    assert_eq!(ready(pin!(proxy.run())), Err(ProxyError::PeerLost));

    let heir = world.connected(Options::<Rep>::new(), "back");
    client.try_send("2").unwrap();
    assert!(turn(pin!(proxy.run())).is_pending());
    heir.try_send(heir.try_recv().unwrap()).unwrap();
    assert!(turn(pin!(proxy.run())).is_pending());
    assert_eq!(bodies(&client), ["2"]);
}
