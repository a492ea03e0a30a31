//! The end of sockets: close with a limit, and flush. The close of all sockets of a context is in `context.rs`.

use super::super::fixture::{LARGE, PullSocket, PushSocket, Socket, run, spawn};
use super::hostile_peers::raw_peer;
use super::{ANY, free_endpoint, yield_now};
use core::pin::pin;
use futures_util::future::{Either, join, select};
use sansmq::Options;
use sansmq::kind::Push;
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

        push.connect("tcp://127.0.0.1:1").unwrap();
        push.send("never sent").await.unwrap();
        let ((), closed) = join(push.flush(), push.close_within(Duration::ZERO)).await;
        assert_eq!(closed.unsent, 1);
    });
}
