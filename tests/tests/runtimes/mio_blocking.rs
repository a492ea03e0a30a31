//! The test suite on blocking sockets, and tests of blocking calls and `poll`.

#[path = "suite/mod.rs"]
mod suite;
#[path = "system/mod.rs"]
mod system;

use sansmq::mio::{
    DealerSocket, DishSocket, EventLoop, PollItem, PubSocket, PullSocket, PushSocket, RadioSocket, RouterSocket,
    Socket, SubSocket, poll, run_proxy, run_proxy_timeout,
};
use sansmq::runtime::Proxy;
use sansmq::{
    BindError, Context, Event, FailingDials, Message, Options, ProxyError, RecvError, SendError, SocketType,
    UnbindError, WaitError, WaitSubscribedError, kind,
};
use sansmq_tests::fixture::mio_blocking as fixture;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(30);
const LONG: Duration = Duration::from_secs(20);
// The drop of the last open socket of a context waits for those that are still closing. A socket that leaves messages unsent
// therefore has a linger of zero or a context of its own, so that no other test waits.

#[test]
fn blocking_calls_return_after_timeout_and_not_before() {
    let (pull, push) = (PullSocket::new(), Socket::with_options(Options::<kind::Push>::new().send_hwm(1)));
    let before = Instant::now();
    let late = pull.recv_timeout(SHORT).unwrap_err();
    assert_eq!(late, RecvError::TimedOut { after: SHORT, failing: FailingDials::default() });
    assert!(late.to_string().starts_with("no message arrived within the time-out of 30ms; "), "{late}");
    assert!(before.elapsed() >= SHORT);
    let before = Instant::now();
    let unsent = push.send_timeout("unsent", SHORT).unwrap_err();
    assert!(unsent.to_string().starts_with("no peer had room within the time-out of 30ms; "), "{unsent}");
    let failing = FailingDials::default();
    assert_eq!(unsent, SendError::TimedOut { message: "unsent".into(), after: SHORT, failing });
    assert!(before.elapsed() >= SHORT);
    push.connect(pull.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    push.send_timeout("sent", LONG).unwrap();
    let (message, peer) = pull.recv_from().unwrap();
    assert_eq!((message.body(), peer.socket_type), (&"sent".into(), SocketType::Push));
    assert_eq!(pull.try_recv_from().unwrap_err(), RecvError::Empty);
    assert_eq!(pull.recv_timeout(Duration::MAX.min(SHORT)), Err(late));
}

#[test]
fn each_wait_with_a_timeout_names_it_and_can_be_repeated() {
    let (pull, push) = (PullSocket::new(), PushSocket::new());
    let timed_out = RecvError::TimedOut { after: SHORT, failing: FailingDials::default() };
    let mut events = push.monitor();
    assert_eq!(pull.recv_from_timeout(SHORT).unwrap_err(), timed_out);
    assert_eq!(events.recv_timeout(SHORT).unwrap_err(), timed_out);
    assert!(!pull.readable_timeout(SHORT) && !push.writable_timeout(SHORT));
    let mut proxy = Proxy::new(&pull, &push);
    let ended = run_proxy_timeout(&mut proxy, SHORT).unwrap_err();
    assert_eq!(ended, ProxyError::TimedOut { after: SHORT });
    assert_eq!(ended.to_string(), "the proxy has run for the time-out of 30ms; run it again to continue");

    let (source, sink) = (PushSocket::new(), PullSocket::new());
    source.connect(pull.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    push.connect(sink.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    assert!(events.recv_timeout(LONG).is_ok(), "the dial emits events");
    source.send("through the proxy").unwrap();
    assert!(source.flush());
    assert!(pull.readable_timeout(LONG) && push.writable_timeout(LONG));
    let mut received = Err(RecvError::Empty);
    while received == Err(RecvError::Empty) {
        assert_eq!(run_proxy_timeout(&mut proxy, SHORT), Err(ProxyError::TimedOut { after: SHORT }));
        received = sink.try_recv();
    }
    assert_eq!(received.unwrap().body(), "through the proxy");
    assert_eq!(push.close_timeout(LONG).map(|closed| closed.unsent), Some(0));
    assert!(events.by_ref().count() > 0);
    assert_eq!(events.recv(), Err(RecvError::Closed));

    // The listener stays open, because its event loop does not run.
    let mut stopped = EventLoop::new().unwrap();
    let handle = stopped.remote().socket(Options::<kind::Pull>::new());
    let bound = stopped.block_on(handle.bind("tcp://127.0.0.1:*")).unwrap();
    let owner = Socket::from(handle);
    let error = owner.unbind_timeout(&bound, SHORT).unwrap_err();
    assert_eq!(error, UnbindError::TimedOut { endpoint: bound.clone(), after: SHORT });
    let next = PullSocket::new();
    let error = next.bind_timeout(&bound, SHORT).unwrap_err();
    assert_eq!(error, BindError::TimedOut { endpoint: bound.clone(), after: SHORT });
    drop(stopped);
    let client = PushSocket::new();
    assert!(client.connect_and_wait(&bound, LONG).is_ok(), "the socket becomes bound later");
}

#[test]
fn timeout_names_the_reason_of_each_failing_dial() {
    let (closed, bound) = (PullSocket::new(), PullSocket::new());
    let refused = closed.bind("tcp://127.0.0.1:*").unwrap();
    closed.close();
    let incompatible = bound.bind("tcp://127.0.0.1:*").unwrap();
    let dealer = Socket::with_options(Options::<kind::Dealer>::new().send_hwm(1).linger(Duration::ZERO));
    for endpoint in [&refused, &incompatible] {
        dealer.connect(endpoint).unwrap();
        dealer.send("fills the queue").unwrap();
    }
    while dealer.failing_dials().len() < 2 {
        thread::yield_now();
    }
    let texts =
        [dealer.send_timeout("x", SHORT).unwrap_err().to_string(), dealer.recv_timeout(SHORT).unwrap_err().to_string()];
    for text in texts {
        assert!(
            text.contains(&format!("cannot connect to {refused}: the network failed: connection refused")),
            "{text}"
        );
        assert!(text.contains(&format!("cannot connect to {incompatible}: ")), "{text}");
        assert!(text.contains("incompatible socket type") || text.contains("not compatible"), "{text}");
    }
}

#[test]
fn threads_sharing_a_socket_receive_each_message_once() {
    let (router, dealer) = (RouterSocket::new(), DealerSocket::new());
    dealer.connect(router.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    let servers: Vec<_> = (0..4)
        .map(|_| {
            let router = router.clone();
            thread::spawn(move || {
                for request in router.iter() {
                    router.send(request.unwrap()).unwrap();
                }
            })
        })
        .collect();
    let senders: Vec<_> = (0..4)
        .map(|sender| {
            let dealer = dealer.clone();
            thread::spawn(move || (0..250).for_each(|number| dealer.send(format!("{sender} {number}")).unwrap()))
        })
        .collect();
    let replies: BTreeSet<_> =
        (0..1000).map(|_| dealer.recv_timeout(LONG).unwrap().body().to_text().into_owned()).collect();
    assert_eq!(replies.len(), 1000);
    router.close();
    for thread in servers.into_iter().chain(senders) {
        thread.join().unwrap();
    }
}

#[test]
fn monitor_iterator_ends_when_socket_closes() {
    let (pull, push) = (PullSocket::new(), PushSocket::new());
    let monitor = pull.monitor();
    push.connect(pull.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    push.send("x").unwrap();
    pull.recv().unwrap();
    assert_eq!((pull.stats().received.messages, push.peer_stats()[0].sent.bytes), (1, 1));
    pull.close();
    let events: Vec<_> = monitor.collect();
    assert!(events.iter().any(|event| matches!(event, Event::Ready { .. })), "{events:?}");
}

#[test]
fn poll_reports_ready_sockets_and_descriptors() {
    let (pulls, pushes) = ([PullSocket::new(), PullSocket::new()], [PushSocket::new(), PushSocket::new()]);
    for (pull, push) in pulls.iter().zip(&pushes) {
        push.connect(pull.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    }
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    let ready = |timeout| {
        let mut items = [PollItem::readable(&pulls[0]), PollItem::readable(&pulls[1]), PollItem::input(&reader)];
        let count = poll(&mut items, timeout).unwrap();
        let ready = items.each_ref().map(PollItem::is_ready);
        assert_eq!(ready.iter().filter(|ready| **ready).count(), count);
        ready
    };
    assert_eq!(ready(Some(Duration::ZERO)), [false; 3]);
    assert_eq!(ready(Some(SHORT)), [false; 3]);

    pushes[1].send("one").unwrap();
    assert_eq!(ready(None), [false, true, false]);
    assert_eq!(ready(Some(SHORT)), [false, true, false], "readiness is level-triggered");
    writer.write_all(b"x").unwrap();
    assert_eq!(ready(None), [false, true, true]);
    pulls[1].try_recv().unwrap();
    assert_eq!(ready(None), [false, false, true]);
    (&reader).read_exact(&mut [0]).unwrap();
    assert_eq!(ready(Some(SHORT)), [false; 3]);

    let late = thread::spawn({
        let push = pushes[0].clone();
        move || push.send("from another thread").unwrap()
    });
    assert_eq!(ready(None), [true, false, false]);
    late.join().unwrap();
    drop(writer);
    assert!(ready(None)[2], "a pipe at end of file is readable");
    reader.read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn poll_reports_descriptor_with_room_until_it_is_full() {
    let (mut writer, mut reader) = UnixStream::pair().unwrap();
    let has_room = |writer: &UnixStream, timeout| poll(&mut [PollItem::output(writer)], timeout).unwrap() == 1;
    assert!(has_room(&writer, None));
    writer.set_nonblocking(true).unwrap();
    let mut written = 0;
    while let Ok(count) = writer.write(&[0; 4096]) {
        written += count;
    }
    assert!(!has_room(&writer, Some(SHORT)), "{written} bytes fill the buffers");
    reader.read_exact(&mut vec![0; written]).unwrap();
    assert!(has_room(&writer, None));
}

#[test]
fn disconnect_ends_the_connection_to_its_endpoint() {
    let (pull, push) = (PullSocket::new(), PushSocket::new());
    let endpoint = pull.bind("tcp://127.0.0.1:*").unwrap();
    push.connect_and_wait(&endpoint, LONG).unwrap();
    assert!(push.disconnect("tcp://127.0.0.1:1").is_err(), "there is no connection to this endpoint");
    push.disconnect(&endpoint).unwrap();
    assert!(matches!(push.send_timeout("without peer", SHORT), Err(SendError::TimedOut { .. })));
}

#[test]
fn poll_and_iterator_end_where_the_socket_type_lacks_the_call() {
    let of = |socket_type| Socket::<kind::Any>::with_options(Options::of(socket_type));
    let (sub, push) = (of(SocketType::Sub), of(SocketType::Push));
    assert_eq!(poll(&mut [PollItem::writable(&sub), PollItem::readable(&push)], None).unwrap(), 2);
    assert!(sub.writable_timeout(LONG) && push.readable_timeout(LONG));
    assert_eq!(push.iter().collect::<Vec<_>>(), [Err(RecvError::Unsupported(SocketType::Push))]);
}

#[test]
fn poll_reports_writable_and_closed_sockets() {
    let pull = Socket::with_options(Options::<kind::Pull>::new().recv_hwm(1));
    let push = Socket::with_options(Options::<kind::Push>::new().send_hwm(1));
    push.connect(pull.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    let body = vec![0; 1_000_000];
    let writable = |timeout| poll(&mut [PollItem::writable(&push)], timeout).unwrap();
    let mut sent = 0;
    while writable(Some(SHORT)) == 1 {
        push.try_send(body.clone()).unwrap();
        sent += 1;
        assert!(sent < 1000, "the queue never fills");
    }
    let reader = thread::spawn(move || pull.iter().count());
    assert_eq!(writable(None), 1);
    push.close();
    assert_eq!(writable(None), 1, "a closed socket is ready, because calls return at once");
    drop(reader);
}

#[test]
fn blocked_send_of_mandatory_router_uses_no_cpu() {
    use rustix::time::{ClockId, clock_gettime};
    let router =
        Socket::with_options(Options::<kind::Router>::new().mandatory(true).send_hwm(1).linger(Duration::ZERO));
    router.handle().connect_as("inproc://blocked send, never bound", "peer").unwrap();
    router.send(("peer", "fills the queue")).unwrap();
    let cpu_time = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap();
    let before = cpu_time();
    let full = router.send_timeout(("peer", "does not fit"), 10 * SHORT).unwrap_err();
    assert!(matches!(full, SendError::TimedOut { message, .. } if message == Message::from(("peer", "does not fit"))));
    assert!(cpu_time() < before + 5 * SHORT, "the blocked call must not spin");
}

#[test]
fn publisher_waits_for_subscribers_of_topic_until_timeout() {
    let (publisher, sub) = (PubSocket::new(), SubSocket::new());
    sub.connect(publisher.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    sub.subscribe("a").unwrap();
    publisher.wait_subscribed("a topic", 1, LONG).unwrap();
    let late = publisher.wait_subscribed("b", 2, SHORT).unwrap_err();
    assert_eq!(late, WaitSubscribedError::TimedOut { after: SHORT, subscribers: 0, peers: 2 });
    let text = "0 of 2 peers have subscribed within the time-out of ";
    assert!(late.to_string().starts_with(text), "{late}");
    assert_eq!((publisher.subscriber_count("a topic"), publisher.subscriber_count("b")), (1, 0));
    assert_eq!((publisher.subscription_count(), sub.subscription_count()), (1, 1));

    sub.unsubscribe("a").unwrap();
    sub.subscribe("b").unwrap();
    publisher.wait_subscribed("b", 1, None).unwrap();
    assert_eq!((publisher.subscriber_count("a topic"), sub.subscription_count()), (0, 1));
    publisher.close();
    assert_eq!(publisher.wait_subscribed("a topic", 1, None), Err(WaitSubscribedError::Closed));
}

#[test]
fn radio_waits_for_dishes_of_group() {
    let (radio, dish) = (RadioSocket::new(), DishSocket::new());
    dish.connect(radio.bind("tcp://127.0.0.1:*").unwrap()).unwrap();
    dish.join("group").unwrap();
    radio.wait_subscribed("group", 1, LONG).unwrap();
    dish.leave("group").unwrap();
    dish.join("other").unwrap();
    radio.wait_subscribed("other", 1, LONG).unwrap();
    assert_eq!((radio.subscriber_count("group"), dish.subscription_count()), (0, 1));
}

#[test]
fn wait_for_connection_returns_peer_or_reason() {
    let (pull, push) = (PullSocket::new(), PushSocket::new());
    let endpoint = pull.bind("tcp://127.0.0.1:*").unwrap();
    let late = pull.wait_connected(1, SHORT).unwrap_err();
    assert_eq!(late, WaitError::TimedOut { after: SHORT, failing: FailingDials::default() });
    assert_eq!(push.connect_and_wait(&endpoint, LONG).unwrap().socket_type, SocketType::Pull);
    let peers: Vec<_> = pull.wait_connected(1, None).unwrap().iter().map(|peer| peer.socket_type).collect();
    assert_eq!((peers, pull.ready_peers(), push.ready_peers()), (vec![SocketType::Push], 1, 1));

    pull.close();
    let refused = PushSocket::new();
    let error = refused.connect_and_wait(&endpoint, SHORT).unwrap_err();
    assert!(error.to_string().contains("connection refused"), "{error}");
    assert_eq!(refused.ready_peers(), 0);
}

#[test]
fn proxy_forwards_until_its_control_handle_ends_it() {
    let (front, back) = (PullSocket::new(), PushSocket::new());
    let (sources, sinks) = (front.bind("tcp://127.0.0.1:*").unwrap(), back.bind("tcp://127.0.0.1:*").unwrap());
    let mut streamer = Proxy::new(&front, &back);
    let control = streamer.control_handle();
    let thread = thread::spawn(move || run_proxy(&mut streamer));
    let (push, pull) = (PushSocket::new(), PullSocket::new());
    push.connect(sources).unwrap();
    pull.connect(sinks).unwrap();
    push.send("forwarded").unwrap();
    assert_eq!(pull.recv_timeout(LONG).unwrap(), Message::from("forwarded"));
    control.terminate();
    let statistics = thread.join().unwrap().unwrap();
    assert_eq!((statistics.frontend.received.messages, statistics.backend.sent.messages), (1, 1));
}

/// Creates a PUSH that has one message for a peer that does not exist.
fn push_without_peer(context: &Context, linger: Option<Duration>) -> PushSocket {
    let push = PushSocket::in_context(context, Options::new().linger(linger));
    push.connect("tcp://127.0.0.1:1").unwrap();
    push.send("unsent").unwrap();
    push
}

#[test]
fn last_dropped_socket_waits_for_all_within_one_linger() {
    let context = Context::new();
    let linger = 20 * SHORT;
    let open = Socket::in_context(&context, Options::<kind::Pull>::new());
    let begin = Instant::now();
    for _ in 0..10 {
        drop(push_without_peer(&context, Some(linger)));
    }
    assert!(begin.elapsed() < linger, "another socket is open, so no drop waits");
    drop(open);
    let elapsed = begin.elapsed();
    assert!(elapsed >= linger && elapsed < 10 * linger, "{elapsed:?}");
}

#[test]
fn dropped_clone_handle_and_closed_socket_do_not_wait() {
    let context = Context::new();
    let begin = Instant::now();
    let push = push_without_peer(&context, None);
    drop(push.clone());
    let handle = push.handle().clone();
    drop(push);
    assert!(handle.try_send("still open").is_ok());
    smol::block_on(handle.close_within(Duration::ZERO));
    let push = push_without_peer(&context, None);
    assert_eq!(push.close_within(Duration::ZERO).unsent, 1);
    drop(push);
    assert!(begin.elapsed() < LONG);
}

#[test]
fn socket_dropped_by_a_panic_does_not_wait() {
    let begin = Instant::now();
    let panicked = thread::spawn(|| {
        let _push = push_without_peer(&Context::new(), Some(LONG));
        panic!("this panic is part of the test");
    });
    panicked.join().unwrap_err();
    assert!(begin.elapsed() < LONG / 2);
}

#[test]
fn socket_dropped_in_the_thread_of_its_loop_does_not_wait() {
    let begin = Instant::now();
    let context = Context::new();
    let mut events = EventLoop::new().unwrap();
    let remote = events.remote();
    events.turn(Some(Duration::ZERO)).unwrap();
    let push = Socket::on(&remote, Options::<kind::Push>::new().linger(LONG));
    push.connect("tcp://127.0.0.1:1").unwrap();
    push.send("unsent").unwrap();
    // In another context, so that the sockets of other tests cannot prevent the wait.
    let other = push_without_peer(&context, Some(SHORT));
    drop((push, other));
    assert!(begin.elapsed() < LONG / 2);
}

/// A client that gives up a request after a short time, drops its REQ and tries again with a new one (Lazy Pirate).
#[test]
fn retry_loop_without_server_keeps_its_own_timeout() {
    let context = Context::new();
    let server = Socket::in_context(&Context::new(), Options::<kind::Rep>::new());
    let endpoint = server.bind("tcp://127.0.0.1:*").unwrap();
    server.close();
    let begin = Instant::now();
    for _ in 0..3 {
        let req = Socket::in_context(&context, Options::<kind::Req>::new());
        req.connect(&endpoint).unwrap();
        req.send("request").unwrap();
        assert!(matches!(req.recv_timeout(SHORT), Err(RecvError::TimedOut { .. })));
        req.close_within(Duration::ZERO);
    }
    assert!(begin.elapsed() < LONG / 4, "the retries took {:?}", begin.elapsed());
}
