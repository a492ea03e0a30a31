//! Tests of sinks.

use super::super::fixture::{PullSocket, Socket, run};
use super::ANY;
use core::pin::pin;
use futures_util::{FutureExt, SinkExt, StreamExt};
use sansmq::kind::Push;
use sansmq::{Message, Options};

fn numbered(numbers: core::ops::Range<usize>) -> impl Iterator<Item = Message> {
    numbers.map(|number| number.to_string().into())
}

#[test]
fn sink_stores_messages_until_it_is_flushed() {
    run(|| async {
        let push = Socket::with_options(Options::<Push>::new().send_hwm(100));
        let pull = PullSocket::new();
        push.connect(pull.bind(ANY).await.unwrap()).unwrap();
        let mut sink = pin!(push.sink());
        for message in numbered(0..10) {
            sink.feed(message).await.unwrap();
        }
        assert_eq!(push.stats().outgoing.messages + push.stats().sent.messages, 0, "`feed` alone sends nothing");
        sink.flush().await.unwrap();
        assert_eq!(push.stats().outgoing.messages + push.stats().sent.messages, 10);
        let mut source = futures_util::stream::iter(numbered(10..500).map(Ok));
        let (sent, received) = futures_util::future::join(sink.send_all(&mut source), async {
            let mut stream = pin!(pull.stream());
            let mut received = Vec::new();
            while received.len() < 500 {
                received.push(stream.next().await.unwrap().unwrap());
            }
            received
        })
        .await;
        assert!(sent.is_ok());
        assert!(received.into_iter().eq(numbered(0..500)));
        // The sink stores 64 messages; then it waits for room.
        pull.close().await;
        let mut stored = 0;
        while stored < 10_000 {
            match sink.feed("x".into()).now_or_never() {
                Some(fed) => fed.unwrap(),
                None => break,
            }
            stored += 1;
        }
        assert!((64..10_000).contains(&stored), "{stored} messages");
    });
}
