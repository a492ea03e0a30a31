//! PUB and SUB, XPUB and XSUB, RADIO and DISH. Nobody sleeps until subscriptions have arrived: there is `wait_subscribed`.

use super::super::fixture::{Socket, run, spawn};
use super::{ANY, yield_now};
use core::pin::pin;
use futures_util::future::{Either, join, select};
use sansmq::kind::{Dish, Pub, Radio, Sub, Typed, XPub, XSub};
use sansmq::proto::socket::SlowSubscriber;
use sansmq::{Message, Options};
use sansmq_tests::TempDir;

fn socket<T: Typed>() -> Socket<T> {
    Socket::with(Options::new())
}

/// An endpoint to bind for each transport.
fn endpoints(place: &TempDir, name: &str) -> Vec<String> {
    let mut endpoints = vec![ANY.to_owned(), format!("inproc://{name}")];
    if cfg!(unix) {
        endpoints.push(place.endpoint());
    }
    endpoints
}

#[test]
fn subscribers_receive_what_they_asked_for_over_every_transport() {
    run(|| async {
        let place = TempDir::new();
        for endpoint in endpoints(&place, "news") {
            let (publisher, subs) = (socket::<Pub>(), [socket::<Sub>(), socket(), socket()]);
            let endpoint = publisher.bind(endpoint.as_str()).await.unwrap();
            for (sub, topics) in subs.iter().zip([&["a", "ab"][..], &["b"], &[""]]) {
                for topic in topics {
                    sub.subscribe(topic).unwrap();
                }
                sub.connect(&endpoint).unwrap();
            }
            publisher.wait_subscribed("abc", 2).await;
            publisher.wait_subscribed("b", 2).await;
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
            assert!(subs.iter().all(|sub| sub.try_recv().is_err()), "nobody has more than that");
        }
    });
}

#[test]
fn what_came_to_several_subscribers_belongs_to_each() {
    run(|| async {
        let place = TempDir::new();
        for endpoint in endpoints(&place, "shared") {
            let (publisher, subs) = (socket::<Pub>(), [socket::<Sub>(), socket()]);
            for sub in &subs {
                sub.subscribe("").unwrap();
            }
            let endpoint = publisher.bind(endpoint.as_str()).await.unwrap();
            for sub in &subs {
                sub.connect(&endpoint).unwrap();
            }
            publisher.wait_subscribed("", 2).await;
            publisher.send(["topic", "body"]).await.unwrap();
            let mut mine = subs[0].recv().await.unwrap();
            mine.push_front("mine");
            mine.push_back("too");
            assert_eq!(mine, Message::from(["mine", "topic", "body", "too"]));
            let other = subs[1].recv().await.unwrap();
            assert_eq!(other, Message::from(["topic", "body"]));
            let [topic, body] = other.into_array().unwrap();
            assert_eq!((topic.to_text(), body.to_text()), ("topic".into(), "body".into()));
        }
    });
}

#[test]
fn subscribers_may_bind_and_publishers_connect() {
    run(|| async {
        let (publisher, subs) = (socket::<Pub>(), [socket::<Sub>(), socket()]);
        for sub in &subs {
            sub.subscribe("t").unwrap();
            publisher.connect(sub.bind(ANY).await.unwrap()).unwrap();
        }
        publisher.wait_connected(2).await;
        publisher.wait_subscribed("t", 2).await;
        publisher.send("t1").await.unwrap();
        for sub in &subs {
            assert_eq!(sub.recv().await.unwrap().body(), "t1");
        }
    });
}

#[test]
fn whoever_waits_for_subscribers_is_woken_by_them_and_by_the_end() {
    run(|| async {
        let (publisher, sub) = (socket::<Pub>(), socket::<Sub>());
        let endpoint = publisher.bind(ANY).await.unwrap();
        let waiting = spawn({
            let publisher = publisher.clone();
            async move {
                publisher.wait_connected(1).await;
                publisher.wait_subscribed("a", 1).await;
                publisher.subscriber_count("a")
            }
        });
        sub.connect(&endpoint).unwrap();
        sub.wait_connected(1).await;
        sub.subscribe("a").unwrap();
        assert_eq!(waiting.await, 1);
        let never = spawn({
            let publisher = publisher.clone();
            async move { join(publisher.wait_subscribed("b", 1), publisher.wait_connected(9)).await }
        });
        publisher.close().await;
        never.await;
    });
}

#[test]
fn whoever_waits_for_subscribers_is_woken_when_the_application_makes_one() {
    run(|| async {
        let (publisher, sub) = (Socket::with(Options::<XPub>::new().manual(true)), socket::<Sub>());
        sub.connect(publisher.bind(ANY).await.unwrap()).unwrap();
        sub.subscribe("asked").unwrap();
        assert_eq!(publisher.recv().await.unwrap().body(), "\x01asked");
        let waiting = spawn({
            let publisher = publisher.clone();
            async move { publisher.wait_subscribed("granted", 1).await }
        });
        yield_now().await;
        publisher.subscribe("granted").unwrap();
        waiting.await;
    });
}

/// Carries messages from one socket to the other, both ways, until one is closed.
async fn forward(front: Socket<XSub>, back: Socket<XPub>) {
    loop {
        let next = match select(pin!(front.recv()), pin!(back.recv())).await {
            Either::Left((Ok(news), _)) => back.send(news).await,
            Either::Right((Ok(wish), _)) => front.send(wish).await,
            Either::Left((Err(_), _)) | Either::Right((Err(_), _)) => return,
        };
        if next.is_err() {
            return;
        }
    }
}

#[test]
fn an_xpub_and_an_xsub_are_a_forwarder() {
    run(|| async {
        let place = TempDir::new();
        for endpoint in endpoints(&place, "back") {
            let (source, front, back) = (socket::<Pub>(), socket::<XSub>(), socket::<XPub>());
            front.connect(source.bind(ANY).await.unwrap()).unwrap();
            let endpoint = back.bind(endpoint.as_str()).await.unwrap();
            let subs = [socket::<Sub>(), socket()];
            for (sub, topic) in subs.iter().zip(["a", "b"]) {
                sub.connect(&endpoint).unwrap();
                sub.subscribe(topic).unwrap();
            }
            let proxy = spawn(forward(front.clone(), back.clone()));
            source.wait_subscribed("a", 1).await;
            source.wait_subscribed("b", 1).await;
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
fn an_xpub_that_has_enough_to_receive_still_hears_subscriptions() {
    run(|| async {
        let place = TempDir::new();
        for endpoint in endpoints(&place, "busy") {
            let (publisher, sub) = (socket::<XPub>(), socket::<Sub>());
            sub.connect(publisher.bind(endpoint.as_str()).await.unwrap()).unwrap();
            for number in 0..50 {
                sub.subscribe(format!("{number};")).unwrap();
                publisher.wait_subscribed(format!("{number};"), 1).await;
            }
            publisher.send("49;").await.unwrap();
            assert_eq!(sub.recv().await.unwrap().body(), "49;");
        }
    });
}

#[test]
fn a_publisher_that_may_not_drop_waits_for_its_subscribers() {
    run(|| async {
        let place = TempDir::new();
        for endpoint in endpoints(&place, "patient") {
            let options = Options::<Pub>::new().slow_subscriber(SlowSubscriber::Block).send_hwm(2);
            let (publisher, sub) = (Socket::with(options), Socket::with(Options::<Sub>::new().recv_hwm(2)));
            sub.connect(publisher.bind(endpoint.as_str()).await.unwrap()).unwrap();
            sub.subscribe("").unwrap();
            publisher.wait_subscribed("", 1).await;
            let sending = spawn({
                let publisher = publisher.clone();
                async move {
                    for number in 0..1000_u32 {
                        publisher.send((number.to_string(), vec![0; 3000])).await.unwrap();
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
fn dishes_receive_their_groups_over_every_transport() {
    run(|| async {
        let place = TempDir::new();
        for endpoint in endpoints(&place, "radio") {
            let (radio, dishes) = (socket::<Radio>(), [socket::<Dish>(), socket()]);
            let endpoint = radio.bind(endpoint.as_str()).await.unwrap();
            for dish in &dishes {
                dish.connect(&endpoint).unwrap();
                dish.join("tv").unwrap();
            }
            dishes[1].join("radio").unwrap();
            radio.wait_subscribed("tv", 2).await;
            radio.wait_subscribed("radio", 1).await;
            radio.send(("radio", "song")).await.unwrap();
            radio.send(("tv", "show")).await.unwrap();
            assert_eq!(dishes[0].recv().await.unwrap(), Message::from(("tv", "show")));
            assert_eq!(dishes[1].recv().await.unwrap(), Message::from(("radio", "song")));
            assert_eq!(dishes[1].recv().await.unwrap(), Message::from(("tv", "show")));
        }
    });
}
