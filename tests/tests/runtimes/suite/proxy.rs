//! Proxies between sockets of this runtime, with peers on both sides.

use super::super::fixture::{
    DealerSocket, PairSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, Socket, run, spawn,
};
use super::{ANY, yield_now};
use futures_util::future::{Either, join_all, select};
use sansmq::kind::{Dealer, Kind, Pub, Pull, Push, Router, Sub, XPub, XSub};
use sansmq::{Endpoint, Frame, Handle, Message, Options, Proxy, ProxyControl, ProxyStatistics, SlowSubscriber};
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs a proxy beside the scenario.
fn start(mut proxy: Proxy) -> (ProxyControl, impl Future<Output = ProxyStatistics>) {
    let control = proxy.control_handle();
    let ended = spawn(async move { proxy.run().await });
    (control, async { ended.await.unwrap() })
}

/// Two sockets to put a proxy between, and where they listen.
async fn ends<F: Kind, B: Kind>(front: &Handle<F>, back: &Handle<B>) -> [Endpoint; 2] {
    [front.bind(ANY).await.unwrap(), back.bind(ANY).await.unwrap()]
}

#[test]
fn clients_and_workers_on_both_sides_of_a_queue_lose_nothing() {
    const REQUESTS: usize = 60;
    run(|| async {
        let (front, back) = (RouterSocket::new(), DealerSocket::new());
        let [clients, workers] = ends(&front, &back).await;
        let (control, ended) = start(Proxy::new(&front, &back));
        let reps: Vec<_> = (0..5).map(|_| RepSocket::new()).collect();
        let working = reps.iter().enumerate().map(|(number, worker)| {
            worker.connect(&workers).unwrap();
            spawn(work(worker.clone(), number))
        });
        let working = working.collect::<Vec<_>>();
        back.wait_connected(5).await;
        let patient = (0..2).map(|client| spawn(ask_one_by_one(clients.clone(), client, REQUESTS)));
        let hasty = (2..5).map(|client| spawn(ask_all_at_once(clients.clone(), client, REQUESTS)));
        let patient = patient.collect::<Vec<_>>();
        let mut shares = BTreeMap::<Frame, usize>::new();
        for worker in join_all(hasty).await.into_iter().chain(join_all(patient).await).flatten() {
            *shares.entry(worker).or_default() += 1;
        }
        // The requests are dealt out in turn.
        assert_eq!(shares.into_values().collect::<Vec<_>>(), [REQUESTS; 5]);
        control.terminate();
        let statistics = ended.await;
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

/// Who answered a REQ.
async fn ask_one_by_one(place: Endpoint, client: usize, requests: usize) -> Vec<Frame> {
    let req = ReqSocket::new();
    req.connect(&place).unwrap();
    let mut workers = Vec::new();
    for number in 0..requests {
        req.send(format!("{client}:{number}")).await.unwrap();
        let [worker, body] = req.recv().await.unwrap().into_array().unwrap();
        assert_eq!(body.to_text(), format!("{client}:{number}"));
        workers.push(worker);
    }
    workers
}

/// Who answered a DEALER.
async fn ask_all_at_once(place: Endpoint, client: usize, requests: usize) -> Vec<Frame> {
    let dealer = DealerSocket::new();
    dealer.connect(&place).unwrap();
    for number in 0..requests {
        dealer.send(("", format!("{client}:{number}"))).await.unwrap();
    }
    let (mut workers, mut answers) = (Vec::new(), Vec::new());
    for _ in 0..requests {
        let [_, worker, body] = dealer.recv().await.unwrap().into_array().unwrap();
        workers.push(worker);
        answers.push(body.to_text().into_owned());
    }
    let mut expected: Vec<_> = (0..requests).map(|number| format!("{client}:{number}")).collect();
    expected.sort();
    answers.sort();
    assert_eq!(answers, expected);
    workers
}

#[test]
fn subscriptions_go_up_through_a_forwarder_and_publications_come_down() {
    run(|| async {
        let (front, back) = (Socket::with(Options::<XSub>::new()), Socket::with(Options::<XPub>::new()));
        let [publishers, subscribers] = ends(&front, &back).await;
        let (control, ended) = start(Proxy::new(&front, &back));
        let publisher = Socket::with(Options::<XPub>::new());
        publisher.connect(&publishers).unwrap();
        let subs = [Socket::with(Options::<Sub>::new()), Socket::with(Options::<Sub>::new())];
        for sub in &subs {
            sub.connect(&subscribers).unwrap();
            sub.subscribe("a").unwrap();
        }
        assert_eq!(publisher.recv().await.unwrap().body(), b"\x01a");
        back.wait_subscribed("a", 2).await;
        publisher.send(["b", "nobody's"]).await.unwrap();
        publisher.send(["a", "for", "both"]).await.unwrap();
        for sub in &subs {
            assert_eq!(sub.recv().await.unwrap(), Message::from(["a", "for", "both"]));
        }
        // Somebody still wants it after the first cancel, and nobody after the last.
        subs[0].unsubscribe("a").unwrap();
        subs[0].subscribe("b").unwrap();
        assert_eq!(publisher.recv().await.unwrap().body(), b"\x01b");
        publisher.send(["a", "for the other"]).await.unwrap();
        assert_eq!(subs[1].recv().await.unwrap().body(), "for the other");
        subs[1].close().await;
        assert_eq!(publisher.recv().await.unwrap().body(), b"\x00a");
        control.terminate();
        let statistics = ended.await;
        assert_eq!((statistics.frontend.received.messages, statistics.backend.received.messages), (2, 3));
    });
}

#[test]
fn a_streamer_passes_work_on_and_ends_when_a_socket_is_closed() {
    run(|| async {
        let (front, back) = (PullSocket::new(), PushSocket::new());
        let [sources, sinks] = ends(&front, &back).await;
        let capture = PairSocket::new();
        let tap = PairSocket::new();
        tap.connect(capture.bind(ANY).await.unwrap()).unwrap();
        capture.wait_connected(1).await;
        let (_, ended) = start(Proxy::new(&front, &back).capture(&capture));
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
        assert_eq!(ended.await.captured, 200);
    });
}

#[test]
fn a_control_socket_pauses_resumes_tells_and_terminates() {
    run(|| async {
        let (front, back, control) = (PullSocket::new(), PushSocket::new(), RepSocket::new());
        let [sources, sinks] = ends(&front, &back).await;
        let asker = ReqSocket::new();
        asker.connect(control.bind(ANY).await.unwrap()).unwrap();
        let ask = async |command: &str| {
            asker.send(command).await.unwrap();
            asker.recv().await.unwrap()
        };
        let (control, ended) = start(Proxy::new(&front, &back).control(&control));
        assert_eq!(ask("PAUSE").await, Message::from(""));
        let (push, pull) = (PushSocket::new(), PullSocket::new());
        push.connect(&sources).unwrap();
        pull.connect(&sinks).unwrap();
        back.wait_connected(1).await;
        push.send("waits").await.unwrap();
        front.readable().await;
        let paused = ask("STATISTICS").await;
        assert_eq!(paused, Message::from_frames([[0; 8]; 8].iter().map(Frame::from)).unwrap());
        assert_eq!(control.statistics(), ProxyStatistics::default());
        assert_eq!(ask("RESUME").await, Message::from(""));
        assert_eq!(pull.recv().await.unwrap().body(), "waits");
        assert_eq!(ask("TERMINATE").await, Message::from(""));
        assert_eq!(ended.await.backend.sent.octets, 5);
    });
}

#[test]
fn a_proxy_whose_backend_has_no_peer_is_terminated_all_the_same() {
    run(|| async {
        let (front, back) = (RouterSocket::new(), DealerSocket::new());
        let [clients, _] = ends(&front, &back).await;
        let client = DealerSocket::new();
        client.connect(&clients).unwrap();
        client.send("anybody?").await.unwrap();
        let (control, ended) = start(Proxy::new(&front, &back));
        front.readable().await;
        control.terminate();
        assert_eq!(ended.await, ProxyStatistics::default());
        // What was not passed on is still there.
        assert_eq!(front.recv().await.unwrap().body(), "anybody?");
    });
}

#[test]
fn a_slow_subscriber_holds_its_publisher_back_through_a_forwarder_and_misses_nothing() {
    const COUNT: usize = 400;
    run(|| async {
        let blocking = SlowSubscriber::Block;
        let front = Socket::with(Options::<XSub>::new().recv_hwm(10));
        let back = Socket::with(Options::<XPub>::new().send_hwm(10).slow_subscriber(blocking));
        let [publishers, subscribers] = ends(&front, &back).await;
        let (_, ended) = start(Proxy::new(&front, &back));
        let publisher = Socket::with(Options::<Pub>::new().send_hwm(10).slow_subscriber(blocking));
        publisher.connect(&publishers).unwrap();
        let sub = Socket::with(Options::<Sub>::new().recv_hwm(10));
        sub.connect(&subscribers).unwrap();
        sub.subscribe("").unwrap();
        publisher.wait_subscribed("", 1).await;
        let body = vec![b'x'; 100_000];
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
            assert!(ahead < 350, "the publisher is {ahead} messages ahead, and nothing held it");
        }
        publishing.await;
        front.close().await;
        assert_eq!(ended.await.backend.sent.messages, u64::try_from(COUNT).unwrap());
    });
}

#[test]
fn a_run_that_is_dropped_again_and_again_loses_and_repeats_nothing() {
    const COUNT: usize = 300;
    run(|| async {
        let front = Socket::with(Options::<Pull>::new().recv_hwm(3));
        let back = Socket::with(Options::<Router>::new().mandatory(true).send_hwm(1));
        let [sources, sinks] = ends(&front, &back).await;
        let sink = Socket::with(Options::<Dealer>::new().routing_id("sink").unwrap().recv_hwm(1));
        sink.connect(&sinks).unwrap();
        back.wait_connected(1).await;
        let push = Socket::with(Options::<Push>::new().send_hwm(3));
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
            let a_while = pin!(async {
                for _ in 0..polls {
                    yield_now().await;
                }
            });
            let proxying = pin!(proxy.run());
            if let Either::Left(_) = select(&mut received, select(proxying, a_while)).await {
                break;
            }
        }
        sending.await;
    });
}
