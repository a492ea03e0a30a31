//! Tests of [`Proxy`] over `inproc`, which needs no runtime. The tests poll the proxy themselves. With each poll, the
//! proxy forwards at most [`BURST`] messages in each direction.
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]

use super::super::proxy_direction::BURST;
use super::*;
use crate::{Context as SocketContext, Driver, ProxyTraffic};
use core::pin::{Pin, pin};
use sansmq_proto::kind::{Client, Dealer, Pair, Pub, Pull, Push, Rep, Req, Router, Sub, Typed};
use sansmq_proto::{Event, Instant, Options};
use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

/// Context in which a test creates its sockets, without a runtime.
#[derive(Default)]
struct Fixture {
    context: SocketContext,
    drivers: RefCell<Vec<Driver>>,
}

impl Fixture {
    fn socket<T: Typed>(&self, options: Options<T>) -> Handle<T> {
        let (handle, driver) = crate::new_socket(options, &self.context, || Instant::ORIGIN);
        self.drivers.borrow_mut().push(driver);
        handle
    }

    /// Returns a socket that is bound to an `inproc` name.
    fn bound<T: Typed>(&self, options: Options<T>, name: &str) -> Handle<T> {
        let socket = self.socket(options);
        ready(pin!(socket.bind(format!("inproc://{name}")))).unwrap();
        socket
    }

    /// Returns a socket that is connected to an `inproc` name.
    fn connected<T: Typed>(&self, options: Options<T>, name: &str) -> Handle<T> {
        let socket = self.socket(options);
        socket.connect(format!("inproc://{name}")).unwrap();
        socket
    }

    /// Returns three sockets for a proxy that forwards from PULL to PUSH: a client (PUSH), the frontend (PULL) to which
    /// the client is connected, and the backend (PUSH), which is bound and has no peer yet.
    fn streamer(&self) -> (Handle<Push>, Handle<Pull>, Handle<Push>) {
        let pull = self.bound(Options::new(), "front");
        (self.connected(Options::new(), "front"), pull, self.bound(Options::new(), "back"))
    }

    /// Returns four PAIR sockets for a proxy: the peer of the frontend, the frontend, the backend, and the peer of the
    /// backend.
    fn pairs(&self) -> [Handle<Pair>; 4] {
        let (front, back) = (self.bound(Options::new(), "front"), self.bound(Options::new(), "back"));
        [self.connected(Options::new(), "front"), front, back, self.connected(Options::new(), "back")]
    }
}

fn ready<F: Future>(future: Pin<&mut F>) -> F::Output {
    match turn(future) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future is pending"),
    }
}

fn turn<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Waker that counts its wake-ups.
#[derive(Default)]
struct CountingWaker(AtomicUsize);

impl Wake for CountingWaker {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl CountingWaker {
    /// Returns true if the waker was woken since the last call of this method.
    fn was_woken(&self) -> bool {
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
fn proxy_does_not_receive_while_sink_has_no_room() {
    let fixture = Fixture::default();
    let (push, front, back) = fixture.streamer();
    let mut proxy = Proxy::new(&front, &back);
    let control = proxy.control_handle();
    push.try_send("0").unwrap();
    let mut run = pin!(proxy.run());
    assert!(turn(run.as_mut()).is_pending());
    assert_eq!(control.statistics(), ProxyStatistics::default());
    let late = fixture.connected(Options::<Pull>::new(), "back");
    assert!(turn(run.as_mut()).is_pending());
    assert_eq!(bodies(&late), ["0"]);
}

#[test]
fn proxy_serves_other_direction_during_flood_and_yields() {
    let fixture = Fixture::default();
    let [near, front, back, far] = fixture.pairs();
    for number in 0..BURST * 5 {
        near.try_send(number.to_string()).unwrap();
    }
    far.try_send("against the stream").unwrap();
    let mut proxy = Proxy::new(&front, &back);
    let counter = Arc::new(CountingWaker::default());
    let waker = Waker::from(Arc::clone(&counter));
    let mut run = pin!(proxy.run());
    for burst in 0..5 {
        assert!(run.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        assert!(counter.was_woken(), "there may be more messages");
        assert_eq!(bodies(&far), numbers(burst * BURST..(burst + 1) * BURST));
        assert_eq!(bodies(&near).len(), usize::from(burst == 0));
    }
    assert!(run.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    assert!(!counter.was_woken(), "there are no more messages");
}

#[test]
fn proxy_holds_message_when_dropped_run_had_no_room() {
    let fixture = Fixture::default();
    let front = fixture.bound(Options::<Pull>::new(), "front");
    let push = fixture.connected(Options::<Push>::new(), "front");
    let back = fixture.bound(Options::<Router>::new().mandatory(true).send_hwm(2), "back");
    let peer = fixture.connected(Options::<Dealer>::new().routing_id("peer").unwrap().recv_hwm(2), "back");
    for number in 0..100 {
        push.try_send(("peer", number.to_string())).unwrap();
    }
    let mut proxy = Proxy::new(&front, &back);
    let mut received = Vec::new();
    for _ in 0..50 {
        // A run of one turn, which ends while a message is held.
        assert!(turn(pin!(proxy.run())).is_pending());
        received.extend(bodies(&peer));
    }
    assert_eq!(received, numbers(0..100));
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
fn proxy_sends_held_message_when_peer_has_room() {
    let fixture = Fixture::default();
    let front = fixture.bound(Options::<Pull>::new(), "front");
    let push = fixture.connected(Options::<Push>::new(), "front");
    let back = fixture.bound(Options::<Router>::new().mandatory(true).send_hwm(1), "back");
    let peer = fixture.connected(Options::<Dealer>::new().routing_id("peer").unwrap().recv_hwm(1), "back");
    for number in 0..1000 {
        push.try_send(("peer", number.to_string())).unwrap();
    }
    let mut proxy = Proxy::new(&front, &back);
    let counter = Arc::new(CountingWaker::default());
    let waker = Waker::from(Arc::clone(&counter));
    let mut run = pin!(proxy.run());
    let mut received = Vec::new();
    while received.len() < 1000 {
        assert!(run.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        counter.was_woken();
        received.extend(bodies(&peer));
        assert!(
            counter.was_woken() || received.len() == 1000,
            "received {}, and the proxy is not woken for the rest",
            received.len()
        );
    }
    assert_eq!(received, numbers(0..1000));
}

#[test]
fn proxy_drops_and_counts_unsendable_messages() {
    let fixture = Fixture::default();
    let front = fixture.bound(Options::<Pull>::new(), "front");
    let push = fixture.connected(Options::<Push>::new(), "front");
    let back = fixture.bound(Options::<Router>::new().mandatory(true), "back");
    let peer = fixture.connected(Options::<Dealer>::new().routing_id("peer").unwrap(), "back");
    push.try_send(("unknown", "lost")).unwrap();
    push.try_send("no address").unwrap();
    push.try_send(("peer", "found")).unwrap();
    let mut proxy = Proxy::new(&front, &back);
    assert!(turn(pin!(proxy.run())).is_pending());
    assert_eq!(bodies(&peer), ["found"]);
    let statistics = proxy.control_handle().statistics();
    assert_eq!((statistics.frontend.received.messages, statistics.dropped), (3, 2));
    assert_eq!(statistics.backend.sent, ProxyTraffic { messages: 1, frames: 2, bytes: 9 });
}

#[test]
fn proxy_forwards_whole_messages_only() {
    let fixture = Fixture::default();
    let (push, front, _) = fixture.streamer();
    let back = fixture.bound(Options::<Client>::new(), "server");
    let server = fixture.connected(Options::<sansmq_proto::kind::Server>::new(), "server");
    push.try_send(["two", "frames"]).unwrap();
    push.try_send("one").unwrap();
    let mut proxy = Proxy::new(&front, &back);
    assert!(turn(pin!(proxy.run())).is_pending());
    assert_eq!(bodies(&server), ["one"]);
    assert_eq!(proxy.control_handle().statistics().dropped, 1);
}

#[test]
fn proxy_of_one_socket_sends_messages_back() {
    let fixture = Fixture::default();
    let rep = fixture.bound(Options::<Rep>::new(), "rep");
    let req = fixture.connected(Options::<Req>::new(), "rep");
    let dealer = fixture.bound(Options::<Dealer>::new(), "dealer");
    let other = fixture.connected(Options::<Dealer>::new(), "dealer");
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
fn capture_receives_copies_and_does_not_block_the_proxy() {
    let fixture = Fixture::default();
    let [near, front, back, far] = fixture.pairs();
    let capture = fixture.bound(Options::<Push>::new(), "capture");
    let mut proxy = Proxy::new(&front, &back).capture(&capture);
    near.try_send(["down", "1"]).unwrap();
    assert!(turn(pin!(proxy.run())).is_pending());
    assert_eq!(bodies(&far), ["1"], "a capture without peers has no room");

    let tap = fixture.connected(Options::<Pull>::new(), "capture");
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
fn waiting_proxy_ends_when_either_socket_is_closed() {
    for one in 0..2 {
        let fixture = Fixture::default();
        let (_push, front, back) = fixture.streamer();
        // A message that lingers must not delay the end of the proxy.
        back.connect("inproc://unbound").unwrap();
        back.try_send("lingers").unwrap();
        let mut proxy = Proxy::new(&front, &back);
        let counter = Arc::new(CountingWaker::default());
        let waker = Waker::from(Arc::clone(&counter));
        let mut run = pin!(proxy.run());
        assert!(run.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        assert!(!counter.was_woken());
        let _closed = if one == 0 { turn(pin!(front.close())) } else { turn(pin!(back.close())) };
        assert!(counter.was_woken(), "socket {one} is closed");
        assert_eq!(ready(run), Ok(ProxyStatistics::default()));
    }
}

#[test]
fn proxy_stops_while_paused_and_after_terminate() {
    let fixture = Fixture::default();
    let [near, front, back, far] = fixture.pairs();
    let mut proxy = Proxy::new(&front, &back);
    let control = proxy.control_handle();
    let counter = Arc::new(CountingWaker::default());
    let waker = Waker::from(Arc::clone(&counter));
    let mut run = pin!(proxy.run());
    let mut poll = || run.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(poll().is_pending());
    control.pause();
    assert!(counter.was_woken());
    near.try_send("waits").unwrap();
    assert!(poll().is_pending());
    assert_eq!((bodies(&far), control.statistics()), (vec![], ProxyStatistics::default()));
    counter.was_woken();
    control.resume();
    assert!(counter.was_woken());
    assert!(poll().is_pending());
    assert_eq!(bodies(&far), ["waits"]);

    near.try_send("too late").unwrap();
    counter.was_woken();
    control.terminate();
    assert!(counter.was_woken());
    control.resume();
    let Poll::Ready(Ok(statistics)) = poll() else { panic!("the proxy is terminated") };
    assert_eq!(statistics.backend.sent, ProxyTraffic { messages: 1, frames: 1, bytes: 5 });
    assert_eq!(statistics, control.statistics());
    assert_eq!(bodies(&front), ["too late"]);
}

#[test]
fn rep_control_replies_to_every_message() {
    let fixture = Fixture::default();
    let [near, front, back, far] = fixture.pairs();
    let control = fixture.bound(Options::<Rep>::new(), "control");
    let controller = fixture.connected(Options::<Req>::new(), "control");
    let mut proxy = Proxy::new(&front, &back).control(&control);
    let mut run = pin!(proxy.run());
    let mut ask = |command: Message| {
        controller.try_send(command).unwrap();
        let ended = turn(run.as_mut());
        (controller.try_recv().unwrap(), ended)
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
    assert_eq!(numbers, [1, 11, 1, 4, 1, 4, 1, 11]);
    let (answer, ended) = ask("TERMINATE".into());
    assert_eq!((answer, ended.is_ready()), (empty, true));
}

#[test]
fn pair_control_replies_to_statistics_only_and_sub_never() {
    let fixture = Fixture::default();
    let [near, front, back, _far] = fixture.pairs();
    let control = fixture.bound(Options::<Pair>::new(), "control");
    let controller = fixture.connected(Options::<Pair>::new(), "control");
    let mut proxy = Proxy::new(&front, &back).control(&control);
    for command in ["PAUSE", "STATISTICS", "RESUME"] {
        controller.try_send(command).unwrap();
    }
    near.try_send("x").unwrap();
    assert!(turn(pin!(proxy.run())).is_pending());
    let answer = controller.try_recv().unwrap();
    assert_eq!((answer.len(), answer.size()), (8, 64));
    assert_eq!(bodies(&controller), [""; 0]);
    assert_eq!(proxy.control_handle().statistics().frontend.received.messages, 1);

    let control = fixture.bound(Options::<Sub>::new(), "all proxies");
    control.subscribe("").unwrap();
    let announcer = fixture.connected(Options::<Pub>::new(), "all proxies");
    let mut proxy = Proxy::new(&front, &back).control(&control);
    announcer.try_send("STATISTICS").unwrap();
    announcer.try_send("TERMINATE").unwrap();
    assert!(ready(pin!(proxy.run())).is_ok());
}

#[test]
fn proxy_forwards_when_control_floods_or_closes() {
    let fixture = Fixture::default();
    let [near, front, back, far] = fixture.pairs();
    let control = fixture.bound(Options::<Pull>::new(), "control");
    let controller = fixture.connected(Options::<Push>::new(), "control");
    let mut proxy = Proxy::new(&front, &back).control(&control);
    for _ in 0..500 {
        controller.try_send("RESUME").unwrap();
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
fn proxy_rejects_sockets_without_a_direction() {
    let fixture = Fixture::default();
    let (push, pull, _) = fixture.streamer();
    let sub = fixture.socket(Options::<Sub>::new());
    let outcome = ready(pin!(Proxy::new(&pull, &sub).run()));
    assert_eq!(outcome, Err(ProxyError::NoDirection(SocketType::Pull, SocketType::Sub)));
    assert!(ready(pin!(Proxy::new(&push, &push).run())).is_err());
    assert!(turn(pin!(Proxy::new(&push, &pull).run())).is_pending(), "the backend receives and the frontend sends");
}

#[test]
fn proxy_fails_on_lost_request_and_runs_again() {
    let fixture = Fixture::default();
    let front = fixture.bound(Options::<Router>::new(), "front");
    let client = fixture.connected(Options::<Dealer>::new(), "front");
    let back = fixture.bound(Options::<Req>::new(), "back");
    let worker = fixture.connected(Options::<Rep>::new(), "back");
    let mut proxy = Proxy::new(&front, &back);
    client.try_send("1").unwrap();
    assert!(turn(pin!(proxy.run())).is_pending());
    assert_eq!(worker.try_recv().unwrap().body(), "1");
    let mut monitor = back.monitor();
    let _ = turn(pin!(worker.close()));
    assert!(matches!(ready(pin!(monitor.next())), Some(Event::Disconnected { .. })));
    assert_eq!(ready(pin!(proxy.run())), Err(ProxyError::PeerLost(Arc::new(ConnectionError::PeerClosed))));

    let next_worker = fixture.connected(Options::<Rep>::new(), "back");
    client.try_send("2").unwrap();
    assert!(turn(pin!(proxy.run())).is_pending());
    next_worker.try_send(next_worker.try_recv().unwrap()).unwrap();
    assert!(turn(pin!(proxy.run())).is_pending());
    assert_eq!(bodies(&client), ["2"]);
}
