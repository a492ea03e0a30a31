//! The test suite on exclusive sockets, which their caller drives, and tests of these sockets without the fixture.

#[path = "suite/exclusive.rs"]
mod suite;
#[path = "system/exclusive.rs"]
mod system;

use core::pin::pin;
use core::task::Poll;
use futures_util::future::{Either, join, select};
use sansmq::kind::{Dealer, Kind, Pub, Pull, Push, Rep, Req, Router, Sub};
use sansmq::runtime::{CurrentRuntime, Exclusive};
use sansmq::tokio::{ExclusiveSocket, Tokio};
use sansmq::{AuthReply, Context, Event, Frame, Options, RecvError, Security, SendError, mio, zap};
use sansmq_tests::fixture::exclusive as fixture;
use sansmq_tests::for_seeds;
use sansmq_tests::sim::{self, Sim};
use std::cell::Cell;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Polls a future once. Returns `None` if it is pending, after it was dropped and other tasks had their turn.
async fn interrupted<R>(future: impl Future<Output = R>) -> Option<R> {
    let polled = {
        let mut future = pin!(future);
        poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
    };
    match polled {
        Poll::Ready(result) => Some(result),
        Poll::Pending => {
            suite::yield_now().await;
            None
        }
    }
}

#[test]
fn send_and_recv_dropped_after_each_poll_lose_nothing() {
    const COUNT: u32 = 5000;
    fixture::run(|| async {
        let mut pull = ExclusiveSocket::<Pull>::with_options(Options::new().recv_hwm(3));
        let endpoint = pull.bind(suite::ANY).await.unwrap();
        let sender = fixture::spawn(async move {
            let mut push = ExclusiveSocket::<Push>::with_options(Options::new().send_hwm(3));
            push.connect(&endpoint).unwrap();
            for number in 0..COUNT {
                while interrupted(push.send(&number.to_be_bytes())).await.is_none() {}
            }
            push.close().await
        });
        for number in 0..COUNT {
            let message = loop {
                if let Some(message) = interrupted(pull.recv()).await {
                    break message.unwrap();
                }
            };
            assert_eq!(message.body()[..], number.to_be_bytes());
        }
        assert_eq!(sender.await.unsent, 0);
    });
}

#[test]
fn close_sends_what_try_send_has_queued() {
    fixture::run(|| async {
        let mut pull = ExclusiveSocket::<Pull>::new();
        let endpoint = pull.bind(suite::ANY).await.unwrap();
        let mut push = ExclusiveSocket::<Push>::new();
        push.connect(&endpoint).unwrap();
        for number in 0..500 {
            push.try_send(number.to_string()).unwrap();
        }
        let receiving = async {
            for number in 0..500 {
                assert_eq!(pull.recv().await.unwrap().body().to_text(), number.to_string());
            }
            pull
        };
        let (closed, pull) = join(push.close(), receiving).await;
        assert_eq!(closed.unsent, 0);
        pull.close().await;
        assert!(fixture::is_free(&endpoint));
    });
}

#[test]
fn message_is_written_when_send_returns() {
    fixture::run(|| async {
        let pull = sansmq::tokio::PullSocket::new();
        let mut push = ExclusiveSocket::<Push>::new();
        push.connect_and_wait(pull.bind(suite::ANY).await.unwrap(), None).await.unwrap();
        for number in 0..1000 {
            push.send(number.to_string()).await.unwrap();
            // The PUSH is not driven during this call.
            assert_eq!(pull.recv().await.unwrap().body().to_text(), number.to_string());
        }
    });
}

/// Waits until a connection of the socket ends.
async fn disconnected<T: Kind>(socket: &mut Exclusive<T, Sim>) {
    while !matches!(socket.event().await, Some(Event::Disconnected { .. })) {}
}

#[test]
fn socket_that_was_not_driven_reconnects_when_it_is() {
    for_seeds(8, |seed| {
        sim::run(seed, async || {
            let heartbeat = Options::<Router>::new().heartbeat(Duration::from_secs(1));
            let router = sim::Socket::with_options(heartbeat);
            let mut lost = router.monitor();
            let mut dealer = Exclusive::<Dealer, Sim>::new();
            dealer.connect(router.bind(suite::ANY).await.unwrap()).unwrap();
            for round in 0..3 {
                dealer.send(format!("{round}")).await.unwrap();
                dealer.flush().await;
                assert_eq!(router.recv().await.unwrap().body().to_text(), format!("{round}"));

                let mut is_lost = pin!(lost.find(|event| matches!(event, Event::Disconnected { .. }).then_some(())));
                let sim = Sim::current();
                select(pin!(dealer.drive()), pin!(sim.sleep(Duration::from_mins(1)))).await;
                let yet = poll_fn(|cx| Poll::Ready(is_lost.as_mut().poll(cx))).await;
                assert!(yet.is_pending(), "a driven socket answers heartbeats");
                is_lost.await.unwrap();
                assert_eq!(dealer.socket().ready_peers(), 1, "the DEALER has not had a turn since");
                disconnected(&mut dealer).await;
            }
        });
    });
}

/// Waits for a message for an hour, and returns the number of times that the future was polled.
async fn polls_in_an_hour<T: sansmq::kind::Receives>(socket: &mut Exclusive<T, Sim>) -> usize {
    let polls = Cell::new(0);
    let mut receiving = pin!(socket.recv());
    let counted = poll_fn(|cx| {
        polls.set(polls.get() + 1);
        receiving.as_mut().poll(cx)
    });
    let sim = Sim::current();
    let is_over = matches!(select(counted, pin!(sim.sleep(Duration::from_hours(1)))).await, Either::Right(_));
    assert!(is_over, "there is no message");
    polls.get()
}

#[test]
fn waiting_socket_is_polled_only_for_heartbeats() {
    for_seeds(8, |seed| {
        sim::run(seed, async || {
            // A PING and a PONG of each side per minute, in several pieces.
            for (interval, limit) in [(None, 10), (Some(Duration::from_mins(1)), 60 * 16)] {
                let mut options = Options::<Dealer>::new();
                if let Some(interval) = interval {
                    options = options.heartbeat(interval);
                }
                let mut bound = Exclusive::<Dealer, Sim>::with_options(options.clone());
                let mut connected = Exclusive::<Dealer, Sim>::with_options(options);
                connected.connect(bound.bind(suite::ANY).await.unwrap()).unwrap();
                select(pin!(connected.wait_connected(1)), pin!(bound.drive())).await;
                let polls = join(polls_in_an_hour(&mut bound), polls_in_an_hour(&mut connected)).await;
                assert!(polls.0 <= limit && polls.1 <= limit, "{polls:?} polls in an hour");
            }
        });
    });
}

#[tokio::test]
async fn futures_that_are_always_ready_let_other_tasks_run() {
    let mut pull = ExclusiveSocket::<Pull>::new();
    let mut push = ExclusiveSocket::<Push>::new();
    push.connect(pull.bind(suite::ANY).await.unwrap()).unwrap();
    select(pin!(push.wait_connected(1)), pin!(pull.drive())).await;
    let has_run = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&has_run);
    let other = tokio::spawn(async move { flag.store(true, Ordering::SeqCst) });
    for round in 0.. {
        if has_run.load(Ordering::SeqCst) {
            break;
        }
        assert!(round < 1_000_000, "the sockets keep the other task from running");
        let (sent, received) = join(push.send("x"), pull.recv()).await;
        sent.unwrap();
        received.unwrap();
    }
    other.await.unwrap();
}

#[test]
fn zap_handler_of_the_context_decides_about_peers() {
    fixture::run(|| async {
        let context = Context::new();
        let handler = sansmq::tokio::Socket::in_context(&context, Options::<Rep>::new());
        handler.bind(zap::ENDPOINT).await.unwrap();
        let handling = fixture::spawn(async move {
            let request = zap::Request::read(&handler.recv().await.unwrap()).unwrap();
            handler.send(request.reply(&AuthReply::accept())).await.unwrap();
        });
        let options = Options::<Rep>::new().security(Security::PlainServer);
        let mut rep = Exclusive::in_context(&context, &Tokio::current(), options);
        let endpoint = rep.bind(suite::ANY).await.unwrap();
        let client = fixture::spawn(async move {
            let login = Security::plain_client("ann", "secret").unwrap();
            let mut req = ExclusiveSocket::<Req>::with_options(Options::new().security(login));
            req.connect(&endpoint).unwrap();
            req.send("request").await.unwrap();
            req.recv().await.unwrap()
        });
        let request = rep.recv().await.unwrap();
        rep.send(request).await.unwrap();
        let Either::Right((reply, _)) = select(pin!(rep.drive()), pin!(client)).await;
        assert_eq!(reply.body(), "request");
        handling.await;
    });
}

#[test]
fn event_reports_each_step_of_a_connection() {
    fixture::run(|| async {
        let mut router = ExclusiveSocket::<Router>::new();
        router.monitor();
        let endpoint = router.bind(suite::ANY).await.unwrap();
        assert!(matches!(router.try_event(), Some(Event::Listening { .. })));
        let options = Options::<Dealer>::new().routing_id("me").unwrap();
        let mut dealer = ExclusiveSocket::<Dealer>::with_options(options).erase();
        dealer.connect(&endpoint).unwrap();
        let dealing = fixture::spawn(async move { dealer.connect_and_wait(endpoint, None).await.map(|_| dealer) });
        assert!(matches!(router.event().await, Some(Event::Accepted { .. })));
        let Some(Event::Ready { routing_id, .. }) = router.event().await else { panic!("expected Ready") };
        assert_eq!(routing_id, Frame::from("me"));
        select(pin!(router.drive()), pin!(dealing)).await;
        assert!(matches!(router.event().await, Some(Event::Disconnected { .. })), "the DEALER was dropped");
        assert_eq!((router.stats().accepted, router.peer_stats().len()), (1, 0));
    });
}

/// Blocking exclusive sockets of mio, each in a thread of its own.
#[test]
fn blocking_sockets_exchange_and_close_in_order() {
    let mut rep = mio::ExclusiveSocket::<Rep>::new().unwrap();
    rep.event_timeout(Duration::ZERO);
    let endpoint = rep.bind(suite::ANY).unwrap();
    let client = thread::spawn(move || {
        let mut req = mio::ExclusiveSocket::<Req>::new().unwrap();
        req.connect(endpoint).unwrap();
        for number in 0..1000 {
            req.send(number.to_string()).unwrap();
            assert_eq!(req.recv().unwrap().body().to_text(), number.to_string());
        }
        assert_eq!(req.close().unsent, 0);
    });
    for _ in 0..1000 {
        let request = rep.recv().unwrap();
        rep.send(request).unwrap();
    }
    let limit = Duration::from_secs(20);
    while !matches!(rep.event_timeout(limit).expect("the REQ disconnects"), Event::Disconnected { .. }) {}
    client.join().unwrap();
    assert_eq!(rep.stats().received.messages, 1000);
}

#[test]
fn blocking_calls_end_at_their_timeouts() {
    let short = Duration::from_millis(20);
    let options = Options::new().send_hwm(1).reconnect(short / 10, short / 10);
    let mut push = mio::ExclusiveSocket::<Push>::with_options(options).unwrap();
    let mut pull = mio::ExclusiveSocket::<Pull>::new().unwrap();
    let endpoint = pull.bind(suite::ANY).unwrap();
    assert!(matches!(pull.recv_timeout(short), Err(RecvError::TimedOut { .. })));
    assert_eq!(pull.wait_connected(1, short).unwrap(), None);
    pull.unbind(&endpoint).unwrap();
    push.connect(&endpoint).unwrap();
    push.send("queued").unwrap();
    let error = push.send_timeout("waits", short).unwrap_err();
    assert!(matches!(&error, SendError::TimedOut { failing, .. } if failing.len() == 1), "{error:?}");
    assert!(!push.flush(short));
    pull.bind(&endpoint).unwrap();
    let sender = thread::spawn(move || {
        push.send(error.into_message()).unwrap();
        assert!(push.flush(None));
        push.close().unsent
    });
    assert_eq!([pull.recv().unwrap(), pull.recv().unwrap()], ["queued".into(), "waits".into()]);
    assert_eq!(pull.try_recv(), Err(RecvError::Empty));
    pull.drive(short);
    assert_eq!(sender.join().unwrap(), 0);
}

#[test]
fn blocking_publisher_waits_for_its_subscriber() {
    let mut publisher = mio::ExclusiveSocket::<Pub>::new().unwrap();
    let endpoint = publisher.bind(suite::ANY).unwrap();
    assert!(!publisher.wait_subscribed("a", 1, Duration::ZERO).unwrap());
    let subscriber = thread::spawn(move || {
        let mut sub = mio::ExclusiveSocket::<Sub>::new().unwrap();
        sub.subscribe("a").unwrap();
        sub.connect(&endpoint).unwrap();
        let news = sub.recv().unwrap();
        sub.unsubscribe("a").unwrap();
        sub.disconnect(&endpoint).unwrap();
        sub.close_within(Duration::from_secs(20));
        news
    });
    assert!(publisher.wait_subscribed("a", 1, None).unwrap());
    publisher.send("abc").unwrap();
    assert_eq!(subscriber.join().unwrap(), "abc".into());
    publisher.close();
}
