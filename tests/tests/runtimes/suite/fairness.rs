//! Tasks that share a thread or a socket: a task that is always ready lets the others run, waiting tasks are served in turn,
//! and foreign code may use the socket.

use super::super::fixture::{PullSocket, PushSocket, RouterSocket, Socket, run, spawn};
use super::hostile_peers::raw_peer;
use super::security::outcome;
use super::{ANY, yield_now};
use core::future::pending;
use futures_util::{SinkExt, StreamExt};
use sansmq::kind::{Pub, Pull, Push, Sub};
use sansmq::{Authenticator, Handle, Options};
use sansmq_tests::raw_peer::greeting;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Spawns a task that sets a flag. Returns the flag, and a future that completes with the task.
fn spawn_flag() -> (Arc<AtomicBool>, impl Future<Output = ()>) {
    let has_run = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&has_run);
    (has_run, spawn(async move { flag.store(true, Ordering::SeqCst) }))
}

/// Repeats an operation that is always ready until a task that was spawned before has run.
async fn lets_other_tasks_run<F: Future>(name: &str, mut operation: impl FnMut() -> F) {
    let (has_run, other) = spawn_flag();
    for _ in 0..1_000_000 {
        if has_run.load(Ordering::SeqCst) {
            return other.await;
        }
        operation().await;
    }
    panic!("`{name}` keeps the other tasks from running");
}

#[test]
fn always_ready_futures_let_other_tasks_run() {
    run(|| async {
        let endpoint = format!("inproc://{}-futures", module_path!());
        let (pull, push) = (PullSocket::new(), PushSocket::new());
        pull.bind(&endpoint).await.unwrap();
        push.connect(&endpoint).unwrap();
        let (pull, push): (&Handle<Pull>, &Handle<Push>) = (&pull, &push);
        push.wait_connected(1).await.unwrap();

        lets_other_tasks_run("recv", || {
            push.try_send("x").unwrap();
            pull.recv()
        })
        .await;
        lets_other_tasks_run("recv_from", || {
            push.try_send("x").unwrap();
            pull.recv_from()
        })
        .await;
        lets_other_tasks_run("send", || {
            while pull.try_recv().is_ok() {}
            push.send("x")
        })
        .await;
        push.send("x").await.unwrap();
        lets_other_tasks_run("readable", || pull.readable()).await;
        lets_other_tasks_run("writable", || push.writable()).await;
        lets_other_tasks_run("wait_connected", || push.wait_connected(1)).await;
        while pull.try_recv().is_ok() {}
        assert!(pull.stats().received.messages > 0);
    });
}

#[test]
fn always_ready_streams_and_sinks_let_other_tasks_run() {
    run(|| async {
        let endpoint = format!("inproc://{}-streams", module_path!());
        let (pull, push) = (PullSocket::new(), PushSocket::new());
        pull.bind(&endpoint).await.unwrap();
        push.connect(&endpoint).unwrap();
        push.wait_connected(1).await.unwrap();
        let (mut stream, mut sink, mut monitor) = (pull.stream(), push.sink(), push.monitor());

        let mut number = 0;
        for stage in ["stream", "sink", "monitor"] {
            let (has_run, other) = spawn_flag();
            let mut rounds = 0;
            while !has_run.load(Ordering::SeqCst) {
                rounds += 1;
                assert!(rounds < 1_000_000, "the {stage} keeps the other tasks from running");
                match stage {
                    "stream" => {
                        push.try_send(number.to_string()).unwrap();
                        assert_eq!(stream.next().await.unwrap().unwrap().body().to_text(), number.to_string());
                    }
                    "sink" => {
                        sink.send(number.to_string().into()).await.unwrap();
                        assert_eq!(pull.try_recv().unwrap().body().to_text(), number.to_string());
                    }
                    _ => {
                        push.connect("inproc://no-listener").unwrap();
                        push.disconnect("inproc://no-listener").unwrap();
                        assert!(monitor.next().await.is_some());
                    }
                }
                number += 1;
            }
            other.await;
        }
    });
}

#[test]
fn publisher_in_loop_lets_its_subscriber_receive() {
    run(|| async {
        let (publisher, subscriber) =
            (Socket::with_options(Options::<Pub>::new()), Socket::with_options(Options::<Sub>::new()));
        subscriber.subscribe("").unwrap();
        subscriber.connect(publisher.bind(ANY).await.unwrap()).unwrap();
        publisher.wait_subscribed("", 1).await.unwrap();
        let received = Arc::new(AtomicUsize::new(0));
        let task = spawn({
            let received = Arc::clone(&received);
            async move {
                for _ in 0..1000 {
                    subscriber.recv().await.unwrap();
                    received.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        let mut sent = 0_u64;
        while received.load(Ordering::SeqCst) < 1000 {
            publisher.send("x").await.unwrap();
            sent += 1;
            assert!(sent < 20_000_000, "the subscriber received {received:?} messages");
        }
        task.await;
    });
}

#[test]
fn heartbeats_are_sent_while_another_task_sends_in_loop() {
    for hwm in [10, 1000] {
        run(move || async move {
            let pull = Socket::with_options(Options::<Pull>::new().recv_hwm(hwm));
            let push = Socket::with_options(Options::<Push>::new().send_hwm(hwm));
            push.connect(pull.bind(ANY).await.unwrap()).unwrap();
            let (is_done, flooded) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
            let flood = spawn({
                let (push, is_done, flooded) = (push.clone(), Arc::clone(&is_done), Arc::clone(&flooded));
                async move {
                    while !is_done.load(Ordering::SeqCst) {
                        push.send("flood").await.unwrap();
                        flooded.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
            let receiver = spawn(async move { while pull.recv().await.is_ok() {} });
            let mut overtaken = Vec::new();
            for _ in 0..50 {
                let before = flooded.load(Ordering::SeqCst);
                // The other task fills the queue first.
                while flooded.load(Ordering::SeqCst) < before + 2 * hwm {
                    yield_now().await;
                }
                let before = flooded.load(Ordering::SeqCst);
                push.send("heartbeat").await.unwrap();
                overtaken.push(flooded.load(Ordering::SeqCst) - before);
            }
            overtaken.sort_unstable();
            // Between the first load and the first poll of `send`, the system may run the thread of the other task for long.
            assert!(overtaken[25] <= 4 * hwm + 100, "messages that were sent before each heartbeat: {overtaken:?}");
            is_done.store(true, Ordering::SeqCst);
            flood.await;
            drop((push, receiver));
        });
    }
}

#[test]
fn two_tasks_that_receive_in_loops_share_the_messages() {
    run(|| async {
        let (pull, push) = (PullSocket::new(), PushSocket::new());
        push.connect(pull.bind(ANY).await.unwrap()).unwrap();
        let receivers = [pull.clone(), pull].map(|pull| {
            spawn(async move {
                for _ in 0..500 {
                    pull.recv().await.unwrap();
                }
            })
        });
        for _ in 0..1000 {
            push.send("x").await.unwrap();
        }
        // Each task receives exactly 500 messages, although either could have taken all.
        for receiver in receivers {
            receiver.await;
        }
    });
}

#[test]
fn cancelled_auth_future_is_dropped_without_lock() {
    /// Guard that is part of the future of an authenticator. When this future is dropped, the guard calls a method of
    /// the socket. The call would deadlock if the socket were locked while the future is dropped.
    struct CallsSocketOnDrop(Arc<std::sync::OnceLock<RouterSocket>>);
    impl Drop for CallsSocketOnDrop {
        fn drop(&mut self) {
            if let Some(router) = self.0.get() {
                router.ready_peers();
            }
        }
    }
    run(|| async {
        let socket = Arc::new(std::sync::OnceLock::new());
        let authenticator = Authenticator::from_async({
            let socket = Arc::clone(&socket);
            move |_| {
                let guard = CallsSocketOnDrop(Arc::clone(&socket));
                async move {
                    let _guard = guard;
                    pending().await
                }
            }
        });
        let router = RouterSocket::with_options(Options::new().authenticator(authenticator));
        let endpoint = router.bind(ANY).await.unwrap();
        let mut server_monitor = router.monitor();
        assert!(socket.set(router.clone()).is_ok());
        drop(raw_peer(&endpoint, &greeting("NULL")).await);
        assert!(outcome(&mut server_monitor).await.is_err());
        router.close().await;
    });
}
