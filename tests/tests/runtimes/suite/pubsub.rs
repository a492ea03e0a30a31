//! Tests of PUB and SUB, XPUB and XSUB, RADIO and DISH. Publishers wait for subscriptions with `wait_subscribed`, not
//! by sleeping.

use super::super::fixture::{LARGE, Socket, run, spawn};
use super::inproc::unique_endpoint;
use super::{ANY, yield_now};
use core::pin::pin;
use futures_util::future::{Either, join, select};
use sansmq::kind::{Dish, Pub, Radio, Sub, Typed, XPub, XSub};
use sansmq::proto::socket::SlowSubscriber;
use sansmq::{Message, Options, WaitError, WaitSubscribedError};
use sansmq_tests::TempDir;

fn socket<T: Typed>() -> Socket<T> {
    Socket::with_options(Options::new())
}

/// Returns one endpoint for each transport, to which a test can bind.
fn endpoints(dir: &TempDir) -> Vec<String> {
    let mut endpoints = vec![ANY.to_owned(), unique_endpoint().to_string()];
    if cfg!(unix) {
        endpoints.push(dir.endpoint());
    }
    endpoints
}

#[test]
fn subscribers_receive_only_matching_topics() {
    run(|| async {
        let dir = TempDir::new();
        for endpoint in endpoints(&dir) {
            let (publisher, subs) = (socket::<Pub>(), [socket::<Sub>(), socket(), socket()]);
            let endpoint = publisher.bind(endpoint.as_str()).await.unwrap();
            for (sub, topics) in subs.iter().zip([&["a", "ab"][..], &["b"], &[""]]) {
                for topic in topics {
                    sub.subscribe(topic).unwrap();
                }
                sub.connect(&endpoint).unwrap();
            }
            publisher.wait_subscribed("abc", 2).await.unwrap();
            publisher.wait_subscribed("b", 2).await.unwrap();
            let (short, long) = (("ab", "short"), ("b", vec![7; 100_000]));
            publisher.send(short).await.unwrap();
            publisher.send(long.clone()).await.unwrap();
            assert_eq!(subs[0].recv().await.unwrap(), Message::from(short));
            assert_eq!(subs[1].recv().await.unwrap(), Message::from(long.clone()));
            assert_eq!(subs[2].recv().await.unwrap(), Message::from(short));
            assert_eq!(subs[2].recv().await.unwrap(), Message::from(long));
            subs[0].unsubscribe("a").unwrap();
            subs[0].unsubscribe("ab").unwrap();
            while publisher.subscriber_count("ab") > 1 {
                yield_now().await;
            }
            assert_eq!((publisher.subscription_count(), publisher.ready_peers()), (2, 3));
            publisher.close().await;
            assert!(subs.iter().all(|sub| sub.try_recv().is_err()), "a subscriber received an unexpected message");
        }
    });
}

#[test]
fn subscribers_may_modify_their_copy_of_a_message() {
    run(|| async {
        let dir = TempDir::new();
        for endpoint in endpoints(&dir) {
            let (publisher, subs) = (socket::<Pub>(), [socket::<Sub>(), socket()]);
            for sub in &subs {
                sub.subscribe("").unwrap();
            }
            let endpoint = publisher.bind(endpoint.as_str()).await.unwrap();
            for sub in &subs {
                sub.connect(&endpoint).unwrap();
            }
            publisher.wait_subscribed("", 2).await.unwrap();
            publisher.send(["topic", "body"]).await.unwrap();
            let mut first = subs[0].recv().await.unwrap();
            first.push_front("front");
            first.push_back("back");
            assert_eq!(first, Message::from(["front", "topic", "body", "back"]));
            let second = subs[1].recv().await.unwrap();
            assert_eq!(second, Message::from(["topic", "body"]));
            let [topic, body] = second.into_array().unwrap();
            assert_eq!((topic.to_text(), body.to_text()), ("topic".into(), "body".into()));
        }
    });
}

#[test]
fn subscribers_bind_and_publisher_connects() {
    run(|| async {
        let (publisher, subs) = (socket::<Pub>(), [socket::<Sub>(), socket()]);
        for sub in &subs {
            sub.subscribe("t").unwrap();
            publisher.connect(sub.bind(ANY).await.unwrap()).unwrap();
        }
        publisher.wait_connected(2).await.unwrap();
        publisher.wait_subscribed("t", 2).await.unwrap();
        publisher.send("t1").await.unwrap();
        for sub in &subs {
            assert_eq!(sub.recv().await.unwrap().body(), "t1");
        }
    });
}

#[test]
fn wait_subscribed_returns_on_subscription_or_close() {
    run(|| async {
        let (publisher, sub) = (socket::<Pub>(), socket::<Sub>());
        let endpoint = publisher.bind(ANY).await.unwrap();
        let waiting = spawn({
            let publisher = publisher.clone();
            async move {
                publisher.wait_connected(1).await.unwrap();
                publisher.wait_subscribed("a", 1).await.unwrap();
                publisher.subscriber_count("a")
            }
        });
        sub.connect(&endpoint).unwrap();
        sub.wait_connected(1).await.unwrap();
        sub.subscribe("a").unwrap();
        assert_eq!(waiting.await, 1);
        let unmet = spawn({
            let publisher = publisher.clone();
            async move { join(publisher.wait_subscribed("b", 1), publisher.wait_connected(9)).await }
        });
        publisher.close().await;
        assert_eq!(unmet.await, (Err(WaitSubscribedError::Closed), Err(WaitError::Closed)));
    });
}

#[test]
fn wait_subscribed_returns_on_manual_subscription() {
    run(|| async {
        let (publisher, sub) = (Socket::with_options(Options::<XPub>::new().manual(true)), socket::<Sub>());
        sub.connect(publisher.bind(ANY).await.unwrap()).unwrap();
        sub.subscribe("requested").unwrap();
        assert_eq!(publisher.recv().await.unwrap().body(), "\x01requested");
        let waiting = spawn({
            let publisher = publisher.clone();
            async move { publisher.wait_subscribed("granted", 1).await }
        });
        yield_now().await;
        publisher.subscribe("granted").unwrap();
        waiting.await.unwrap();
    });
}

/// Forwards messages in both directions until one socket is closed.
async fn forward(front: Socket<XSub>, back: Socket<XPub>) {
    loop {
        let next = match select(pin!(front.recv()), pin!(back.recv())).await {
            Either::Left((Ok(message), _)) => back.send(message).await,
            Either::Right((Ok(subscription), _)) => front.send(subscription).await,
            Either::Left((Err(_), _)) | Either::Right((Err(_), _)) => return,
        };
        if next.is_err() {
            return;
        }
    }
}

#[test]
fn xsub_and_xpub_form_a_forwarder() {
    run(|| async {
        let dir = TempDir::new();
        for endpoint in endpoints(&dir) {
            let (source, front, back) = (socket::<Pub>(), socket::<XSub>(), socket::<XPub>());
            front.connect(source.bind(ANY).await.unwrap()).unwrap();
            let endpoint = back.bind(endpoint.as_str()).await.unwrap();
            let subs = [socket::<Sub>(), socket()];
            for (sub, topic) in subs.iter().zip(["a", "b"]) {
                sub.connect(&endpoint).unwrap();
                sub.subscribe(topic).unwrap();
            }
            let proxy = spawn(forward(front.clone(), back.clone()));
            source.wait_subscribed("a", 1).await.unwrap();
            source.wait_subscribed("b", 1).await.unwrap();
            for number in 0..100 {
                for topic in ["a", "b", "c"] {
                    source.send((topic, number.to_string())).await.unwrap();
                }
            }
            for number in 0..100 {
                for (sub, topic) in subs.iter().zip(["a", "b"]) {
                    assert_eq!(sub.recv().await.unwrap(), Message::from((topic, number.to_string())));
                }
            }
            drop(subs);
            while source.subscription_count() > 0 {
                yield_now().await;
            }
            join(front.close(), back.close()).await;
            proxy.await;
        }
    });
}

#[test]
fn xpub_applies_subscriptions_without_receiving_them() {
    run(|| async {
        let dir = TempDir::new();
        for endpoint in endpoints(&dir) {
            let (publisher, sub) = (socket::<XPub>(), socket::<Sub>());
            sub.connect(publisher.bind(endpoint.as_str()).await.unwrap()).unwrap();
            for number in 0..50 {
                sub.subscribe(format!("{number};")).unwrap();
                publisher.wait_subscribed(format!("{number};"), 1).await.unwrap();
            }
            publisher.send("49;").await.unwrap();
            assert_eq!(sub.recv().await.unwrap().body(), "49;");
        }
    });
}

#[test]
fn blocking_publisher_waits_for_slow_subscriber() {
    run(|| async {
        let dir = TempDir::new();
        for endpoint in endpoints(&dir) {
            let options = Options::<Pub>::new().slow_subscriber(SlowSubscriber::Block).send_hwm(2);
            let (publisher, sub) =
                (Socket::with_options(options), Socket::with_options(Options::<Sub>::new().recv_hwm(2)));
            sub.connect(publisher.bind(endpoint.as_str()).await.unwrap()).unwrap();
            sub.subscribe("").unwrap();
            publisher.wait_subscribed("", 1).await.unwrap();
            let sending = spawn({
                let publisher = publisher.clone();
                async move {
                    for number in 0..1000_u32 {
                        publisher.send((number.to_string(), vec![0; LARGE / 20])).await.unwrap();
                    }
                }
            });
            for number in 0..1000_u32 {
                assert_eq!(sub.recv().await.unwrap().head().to_text(), number.to_string());
            }
            sending.await;
        }
    });
}

#[test]
fn dishes_receive_joined_groups_over_every_transport() {
    run(|| async {
        let dir = TempDir::new();
        for endpoint in endpoints(&dir) {
            let (radio, dishes) = (socket::<Radio>(), [socket::<Dish>(), socket()]);
            let endpoint = radio.bind(endpoint.as_str()).await.unwrap();
            for dish in &dishes {
                dish.connect(&endpoint).unwrap();
                dish.join("tv").unwrap();
            }
            dishes[1].join("radio").unwrap();
            radio.wait_subscribed("tv", 2).await.unwrap();
            radio.wait_subscribed("radio", 1).await.unwrap();
            radio.send(("radio", "song")).await.unwrap();
            radio.send(("tv", "show")).await.unwrap();
            assert_eq!(dishes[0].recv().await.unwrap(), Message::from(("tv", "show")));
            assert_eq!(dishes[1].recv().await.unwrap(), Message::from(("radio", "song")));
            assert_eq!(dishes[1].recv().await.unwrap(), Message::from(("tv", "show")));
        }
    });
}
