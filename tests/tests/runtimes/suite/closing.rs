//! The end of sockets: close with a limit, flush, and the close of all sockets of a context.

use super::super::fixture::{LARGE, PullSocket, PushSocket, ReqSocket, Socket, is_free, run, spawn};
use super::hostile_peers::raw_peer;
use super::{ANY, free_endpoint, yield_now};
use core::pin::pin;
use futures_util::future::{Either, join, select};
use sansmq::kind::{Pull, Push, Rep};
use sansmq::{Context, Event, Options, RecvError, SendError, SocketType};
use sansmq_tests::raw_peer::greeting_and_ready;
use smol::io::AsyncReadExt;
use std::time::Duration;

#[test]
fn close_within_zero_drops_queued_messages_now() {
    run(|| async {
        let push = Socket::with_options(Options::<Push>::new().linger(None));
        push.connect(free_endpoint().await).unwrap();
        for _ in 0..3 {
            push.send("unsent").await.unwrap();
        }
        let other = push.clone();
        let closing = spawn(async move { other.close().await });
        yield_now().await;
        assert_eq!(push.close_within(Duration::ZERO).await.unsent, 3);
        assert_eq!(closing.await.unsent, 3);
    });
}

#[test]
fn flush_waits_until_slow_peer_has_room() {
    const COUNT: usize = 40;
    const SIZE: usize = 10 * LARGE;
    run(|| async {
        let push = PushSocket::new();
        let endpoint = push.bind(ANY).await.unwrap();
        let mut peer = raw_peer(&endpoint, &greeting_and_ready("PULL")).await;
        for _ in 0..COUNT {
            push.send(vec![1; SIZE]).await.unwrap();
        }
        let mut flush = Box::pin(push.flush());
        while push.stats().under_way == 0 {
            assert!(matches!(select(&mut flush, pin!(yield_now())).await, Either::Right(_)));
        }
        // More messages than the buffers of the network hold are not written before the peer reads.
        assert!(matches!(select(&mut flush, pin!(yield_now())).await, Either::Right(_)));
        let reading = async {
            let mut left = COUNT * SIZE;
            let mut buffer = vec![0; SIZE];
            while left > 0 {
                left = left.saturating_sub(peer.read(&mut buffer).await.unwrap());
            }
        };
        join(flush, reading).await;
        let stats = push.stats();
        assert_eq!((stats.under_way, stats.outgoing.messages, stats.sent.messages), (0, 0, COUNT as u64));
    });
}

#[test]
fn flush_waits_for_connection_and_ignores_later_messages() {
    run(|| async {
        let endpoint = free_endpoint().await;
        let push = Socket::with_options(
            Options::<Push>::new().reconnect(Duration::from_millis(10), Duration::from_millis(20)),
        );
        push.flush().await;
        push.connect(&endpoint).unwrap();
        push.send("first").await.unwrap();
        let pull = PullSocket::new();
        let binding = async {
            yield_now().await;
            pull.bind(&endpoint).await.unwrap();
        };
        join(push.flush(), binding).await;
        assert_eq!(push.stats().sent.messages, 1);
        push.disconnect(&endpoint).unwrap();
        assert_eq!(pull.recv().await.unwrap().body(), "first");

        push.connect("inproc://flush ends when messages are dropped").unwrap();
        push.send("never sent").await.unwrap();
        let ((), closed) = join(push.flush(), push.close_within(Duration::ZERO)).await;
        assert_eq!(closed.unsent, 1);
    });
}

#[test]
fn context_close_delivers_and_reports_each_socket() {
    run(|| async {
        let context = Context::new();
        let pull = PullSocket::new();
        let endpoint = pull.bind(ANY).await.unwrap();
        for _ in 0..2 {
            let bound = Socket::in_context(&context, Options::<Pull>::new());
            let address = bound.bind(ANY).await.unwrap();
            let [push, dropped] = [(); 2].map(|()| Socket::in_context(&context, Options::<Push>::new()));
            push.connect(&endpoint).unwrap();
            dropped.connect(&endpoint).unwrap();
            for _ in 0..100 {
                push.send("queued").await.unwrap();
            }
            dropped.send("queued").await.unwrap();
            drop(dropped);
            let waiting = spawn({
                let bound = bound.clone();
                async move { bound.recv().await }
            });
            yield_now().await;
            let closed = context.close(Duration::from_secs(20)).await;
            assert_eq!(closed.unsent(), 0);
            let [pull_report, push_report] = [SocketType::Pull, SocketType::Push].map(|socket_type| {
                closed.sockets.iter().find(|socket| socket.socket_type == socket_type).unwrap().endpoints.clone()
            });
            assert_eq!((pull_report, push_report), (vec![address.clone()], vec![endpoint.clone()]));
            assert!(is_free(&address));
            assert_eq!(waiting.await, Err(RecvError::Closed));
            assert!(matches!(push.send("late").await, Err(SendError::Closed(_))));
            for _ in 0..101 {
                assert_eq!(pull.recv().await.unwrap().body(), "queued");
            }
            assert!(context.close(Duration::ZERO).await.sockets.is_empty());
        }
    });
}

#[test]
fn context_close_ends_monitors_after_the_event_closed() {
    run(|| async {
        let context = Context::new();
        let pull = Socket::in_context(&context, Options::<Pull>::new());
        pull.bind(ANY).await.unwrap();
        let mut monitor = pull.monitor();
        let waiting = spawn(async move {
            let mut events = Vec::new();
            while let Some(event) = monitor.next().await {
                events.push(event);
            }
            events
        });
        yield_now().await;
        context.close(Duration::from_secs(20)).await;
        let events = waiting.await;
        assert!(matches!(events[..], [Event::ListenerClosed { .. }, Event::Closed]), "{events:?}");
        assert_eq!(pull.monitor().next().await, None);
    });
}

#[test]
fn context_close_ends_at_the_limit_and_counts_unsent() {
    run(|| async {
        let context = Context::new();
        let endpoint = free_endpoint().await;
        let mut sockets = Vec::new();
        for count in 1..=2 {
            let push = Socket::in_context(&context, Options::<Push>::new().linger(None));
            push.connect(&endpoint).unwrap();
            for _ in 0..count {
                push.send("unsent").await.unwrap();
            }
            sockets.push(push);
        }
        let mut closed = context.close(Duration::from_millis(50)).await.sockets;
        closed.sort_by_key(|socket| socket.unsent);
        let unsent: Vec<_> = closed.iter().map(|socket| socket.unsent).collect();
        assert_eq!(unsent, [1, 2]);
        assert_eq!(closed[0].to_string(), format!("PUSH at {endpoint}: 1 message was not sent"));
        assert_eq!(closed[1].to_string(), format!("PUSH at {endpoint}: 2 messages were not sent"));
    });
}

#[test]
fn context_close_waits_for_reply_that_a_rep_owes() {
    run(|| async {
        let context = Context::new();
        let rep = Socket::in_context(&context, Options::<Rep>::new());
        let req = ReqSocket::new();
        req.connect(rep.bind(ANY).await.unwrap()).unwrap();
        req.send("request").await.unwrap();
        assert_eq!(rep.recv().await.unwrap().body(), "request");
        let closing = context.close(Duration::from_secs(20));
        let replying = async {
            assert_eq!(rep.recv().await, Err(RecvError::Closed));
            rep.send("reply").await.unwrap();
            assert_eq!(req.recv().await.unwrap().body(), "reply");
        };
        let (closed, ()) = join(closing, replying).await;
        assert_eq!((closed.sockets.len(), closed.unsent()), (1, 0));
    });
}
