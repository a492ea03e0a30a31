//! Tests of proxies between two sockets of one runtime, with peers at both sockets.

use super::super::fixture::{
    DealerSocket, LARGE, PairSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, Socket, run, spawn,
};
use super::{ANY, yield_now};
use futures_util::future::{Either, join_all, select};
use sansmq::kind::{Dealer, Kind, Pub, Pull, Push, Router, Sub, XPub, XSub};
use sansmq::{Endpoint, Frame, Handle, Message, Options, Proxy, ProxyControl, ProxyStatistics, SlowSubscriber};
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Starts a proxy in a task. Returns its control, and a future that waits for the end of the proxy and returns its
/// final statistics.
fn start(mut proxy: Proxy) -> (ProxyControl, impl Future<Output = ProxyStatistics>) {
    let proxy_control = proxy.control_handle();
    let task = spawn(async move { proxy.run().await });
    (proxy_control, async { task.await.unwrap() })
}

/// Binds both sockets of a proxy and returns their endpoints.
async fn bind_both<F: Kind, B: Kind>(front: &Handle<F>, back: &Handle<B>) -> [Endpoint; 2] {
    [front.bind(ANY).await.unwrap(), back.bind(ANY).await.unwrap()]
}

#[test]
fn queue_proxy_loses_no_request_or_reply() {
    const REQUESTS: usize = 60;
    run(|| async {
        let (front, back) = (RouterSocket::new(), DealerSocket::new());
        let [clients, workers] = bind_both(&front, &back).await;
        let (proxy_control, finished) = start(Proxy::new(&front, &back));
        let reps: Vec<_> = (0..5).map(|_| RepSocket::new()).collect();
        let working = reps.iter().enumerate().map(|(number, worker)| {
            worker.connect(&workers).unwrap();
            spawn(work(worker.clone(), number))
        });
        let working = working.collect::<Vec<_>>();
        back.wait_connected(5).await.unwrap();
        let req_clients = (0..2).map(|client| spawn(ask_one_by_one(clients.clone(), client, REQUESTS)));
        let dealer_clients = (2..5).map(|client| spawn(ask_all_at_once(clients.clone(), client, REQUESTS)));
        let req_clients = req_clients.collect::<Vec<_>>();
        let mut shares = BTreeMap::<Frame, usize>::new();
        for worker in join_all(dealer_clients).await.into_iter().chain(join_all(req_clients).await).flatten() {
            *shares.entry(worker).or_default() += 1;
        }
        // The DEALER distributes requests round-robin.
        assert_eq!(shares.into_values().collect::<Vec<_>>(), [REQUESTS; 5]);
        proxy_control.terminate();
        let statistics = finished.await;
        for rep in reps {
            rep.close().await;
        }
        join_all(working).await;
        let all = u64::try_from(REQUESTS * 5).unwrap();
        for side in [statistics.frontend, statistics.backend] {
            assert_eq!((side.received.messages, side.sent.messages), (all, all));
        }
        assert_eq!(statistics.backend.sent.frames, 3 * all);
        assert_eq!(statistics.frontend.sent.frames, 4 * all);
    });
}

async fn work(worker: RepSocket, number: usize) {
    while let Ok(request) = worker.recv().await {
        worker.send((format!("worker {number}"), request.body())).await.unwrap();
    }
}

/// Sends requests from a REQ, one at a time. Returns the name of the worker that answered each request.
async fn ask_one_by_one(endpoint: Endpoint, client: usize, requests: usize) -> Vec<Frame> {
    let req = ReqSocket::new();
    req.connect(&endpoint).unwrap();
    let mut workers = Vec::new();
    for number in 0..requests {
        req.send(format!("{client}:{number}")).await.unwrap();
        let [worker, body] = req.recv().await.unwrap().into_array().unwrap();
        assert_eq!(body.to_text(), format!("{client}:{number}"));
        workers.push(worker);
    }
    workers
}

/// Sends all requests from a DEALER before it receives. Returns the name of the worker that answered each request.
async fn ask_all_at_once(endpoint: Endpoint, client: usize, requests: usize) -> Vec<Frame> {
    let dealer = DealerSocket::new();
    dealer.connect(&endpoint).unwrap();
    for number in 0..requests {
        dealer.send(("", format!("{client}:{number}"))).await.unwrap();
    }
    let (mut workers, mut replies) = (Vec::new(), Vec::new());
    for _ in 0..requests {
        let [_, worker, body] = dealer.recv().await.unwrap().into_array().unwrap();
        workers.push(worker);
        replies.push(body.to_text().into_owned());
    }
    let mut expected: Vec<_> = (0..requests).map(|number| format!("{client}:{number}")).collect();
    expected.sort();
    replies.sort();
    assert_eq!(replies, expected);
    workers
}

#[test]
fn forwarder_passes_subscriptions_and_publications() {
    run(|| async {
        let (front, back) =
            (Socket::with_options(Options::<XSub>::new()), Socket::with_options(Options::<XPub>::new()));
        let [publishers, subscribers] = bind_both(&front, &back).await;
        let (proxy_control, finished) = start(Proxy::new(&front, &back));
        let publisher = Socket::with_options(Options::<XPub>::new());
        publisher.connect(&publishers).unwrap();
        let subs = [Socket::with_options(Options::<Sub>::new()), Socket::with_options(Options::<Sub>::new())];
        for sub in &subs {
            sub.connect(&subscribers).unwrap();
            sub.subscribe("a").unwrap();
        }
        assert_eq!(publisher.recv().await.unwrap().body(), b"\x01a");
        back.wait_subscribed("a", 2).await.unwrap();
        publisher.send(["b", "no subscriber"]).await.unwrap();
        publisher.send(["a", "for", "both"]).await.unwrap();
        for sub in &subs {
            assert_eq!(sub.recv().await.unwrap(), Message::from(["a", "for", "both"]));
        }
        // The forwarder sends a cancellation only when the last subscriber of a topic cancels.
        subs[0].unsubscribe("a").unwrap();
        subs[0].subscribe("b").unwrap();
        assert_eq!(publisher.recv().await.unwrap().body(), b"\x01b");
        publisher.send(["a", "second"]).await.unwrap();
        assert_eq!(subs[1].recv().await.unwrap().body(), "second");
        subs[1].close().await;
        assert_eq!(publisher.recv().await.unwrap().body(), b"\x00a");
        proxy_control.terminate();
        let statistics = finished.await;
        assert_eq!((statistics.frontend.received.messages, statistics.backend.received.messages), (2, 3));
    });
}

#[test]
fn streamer_captures_messages_and_ends_on_close() {
    run(|| async {
        let (front, back) = (PullSocket::new(), PushSocket::new());
        let [sources, sinks] = bind_both(&front, &back).await;
        let capture = PairSocket::new();
        let tap = PairSocket::new();
        tap.connect(capture.bind(ANY).await.unwrap()).unwrap();
        capture.wait_connected(1).await.unwrap();
        let (_, finished) = start(Proxy::new(&front, &back).capture(&capture));
        let (push, pull) = (PushSocket::new(), PullSocket::new());
        push.connect(&sources).unwrap();
        pull.connect(&sinks).unwrap();
        for number in 0..200 {
            push.send([format!("{number}"), "whole".into()]).await.unwrap();
        }
        for number in 0..200 {
            let expected = Message::from([format!("{number}"), "whole".into()]);
            assert_eq!(pull.recv().await.unwrap(), expected);
            assert_eq!(tap.recv().await.unwrap(), expected);
        }
        back.close().await;
        assert_eq!(finished.await.captured, 200);
    });
}

#[test]
fn control_socket_pauses_resumes_and_terminates() {
    run(|| async {
        let (front, back, control) = (PullSocket::new(), PushSocket::new(), RepSocket::new());
        let [sources, sinks] = bind_both(&front, &back).await;
        let control_client = ReqSocket::new();
        control_client.connect(control.bind(ANY).await.unwrap()).unwrap();
        let send_command = async |command: &str| {
            control_client.send(command).await.unwrap();
            control_client.recv().await.unwrap()
        };
        let (proxy_control, finished) = start(Proxy::new(&front, &back).control(&control));
        assert_eq!(send_command("PAUSE").await, Message::from(""));
        let (push, pull) = (PushSocket::new(), PullSocket::new());
        push.connect(&sources).unwrap();
        pull.connect(&sinks).unwrap();
        back.wait_connected(1).await.unwrap();
        push.send("later").await.unwrap();
        front.readable().await;
        let paused = send_command("STATISTICS").await;
        assert_eq!(paused, Message::from_frames([[0; 8]; 8].iter().map(Frame::from)).unwrap());
        assert_eq!(proxy_control.statistics(), ProxyStatistics::default());
        assert_eq!(send_command("RESUME").await, Message::from(""));
        assert_eq!(pull.recv().await.unwrap().body(), "later");
        assert_eq!(send_command("TERMINATE").await, Message::from(""));
        assert_eq!(finished.await.backend.sent.bytes, 5);
    });
}

#[test]
fn proxy_without_backend_peer_can_be_terminated() {
    run(|| async {
        let (front, back) = (RouterSocket::new(), DealerSocket::new());
        let [clients, _] = bind_both(&front, &back).await;
        let client = DealerSocket::new();
        client.connect(&clients).unwrap();
        client.send("request").await.unwrap();
        let (proxy_control, finished) = start(Proxy::new(&front, &back));
        front.readable().await;
        proxy_control.terminate();
        assert_eq!(finished.await, ProxyStatistics::default());
        // The proxy did not forward the message, so the frontend still has it.
        assert_eq!(front.recv().await.unwrap().body(), "request");
    });
}

#[test]
fn slow_subscriber_blocks_publisher_through_forwarder() {
    const COUNT: usize = 400;
    run(|| async {
        let blocking = SlowSubscriber::Block;
        let front = Socket::with_options(Options::<XSub>::new().recv_hwm(10));
        let back = Socket::with_options(Options::<XPub>::new().send_hwm(10).slow_subscriber(blocking));
        let [publishers, subscribers] = bind_both(&front, &back).await;
        let (_, finished) = start(Proxy::new(&front, &back));
        let publisher = Socket::with_options(Options::<Pub>::new().send_hwm(10).slow_subscriber(blocking));
        publisher.connect(&publishers).unwrap();
        let sub = Socket::with_options(Options::<Sub>::new().recv_hwm(10));
        sub.connect(&subscribers).unwrap();
        sub.subscribe("").unwrap();
        publisher.wait_subscribed("", 1).await.unwrap();
        let body = vec![b'x'; LARGE];
        let sent = Arc::new(AtomicUsize::new(0));
        let publishing = spawn({
            let (sent, body) = (Arc::clone(&sent), body.clone());
            async move {
                for number in 0..COUNT {
                    publisher.send((format!("{number}"), body.clone())).await.unwrap();
                    sent.fetch_add(1, Ordering::SeqCst);
                }
                publisher
            }
        });
        for number in 0..COUNT {
            assert_eq!(sub.recv().await.unwrap().head().to_text(), format!("{number}"));
            let ahead = sent.load(Ordering::SeqCst) - number;
            assert!(ahead < 350, "the publisher is {ahead} messages ahead: no back-pressure");
        }
        publishing.await;
        front.close().await;
        assert_eq!(finished.await.backend.sent.messages, u64::try_from(COUNT).unwrap());
    });
}

#[test]
fn dropped_proxy_run_loses_and_repeats_no_message() {
    const COUNT: usize = 300;
    run(|| async {
        let front = Socket::with_options(Options::<Pull>::new().recv_hwm(3));
        let back = Socket::with_options(Options::<Router>::new().mandatory(true).send_hwm(1));
        let [sources, sinks] = bind_both(&front, &back).await;
        let sink = Socket::with_options(Options::<Dealer>::new().routing_id("sink").unwrap().recv_hwm(1));
        sink.connect(&sinks).unwrap();
        back.wait_connected(1).await.unwrap();
        let push = Socket::with_options(Options::<Push>::new().send_hwm(3));
        push.connect(&sources).unwrap();
        let sending = spawn(async move {
            for number in 0..COUNT {
                push.send(("sink", format!("{number}"))).await.unwrap();
            }
            push.close().await;
        });
        let mut received = pin!(spawn(async move {
            for number in 0..COUNT {
                assert_eq!(sink.recv().await.unwrap().body().to_text(), format!("{number}"));
            }
        }));
        let mut proxy = Proxy::new(&front, &back);
        for polls in (0..4).cycle() {
            let pause = pin!(async {
                for _ in 0..polls {
                    yield_now().await;
                }
            });
            let proxying = pin!(proxy.run());
            if let Either::Left(_) = select(&mut received, select(proxying, pause)).await {
                break;
            }
        }
        sending.await;
    });
}
