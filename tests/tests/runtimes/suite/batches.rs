//! Tests of `send_many` and `recv_many`.

use super::super::fixture::{PullSocket, PushSocket, ReqSocket, RouterSocket, Socket, run, spawn};
use super::{ANY, yield_now};
use core::pin::pin;
use futures_util::FutureExt;
use sansmq::kind::{Dealer, Pull, Push};
use sansmq::{Message, Options, RecvError, SendError};

/// Returns messages with these numbers as bodies.
fn numbered(numbers: core::ops::Range<usize>) -> Vec<Message> {
    numbers.map(|number| number.to_string().into()).collect()
}

/// Asserts that the bodies of `messages` are the numbers from `first`.
fn assert_numbered(messages: &[Message], first: usize) {
    for (message, number) in messages.iter().zip(first..) {
        assert_eq!(message.body().to_text(), number.to_string());
    }
}

#[test]
fn batches_arrive_complete_and_in_order() {
    const MESSAGES: usize = 5000;
    run(|| async {
        let pull = PullSocket::new();
        let push = PushSocket::new();
        push.connect(pull.bind(ANY).await.unwrap()).unwrap();
        let sender = spawn(async move {
            let mut batch = numbered(0..MESSAGES);
            let mut sent = 0;
            while !batch.is_empty() {
                let left = batch.len();
                let count = push.send_many(&mut batch).await.unwrap();
                assert!((1..=1024).contains(&count), "{count} messages in one call");
                assert_eq!(batch.len(), left - count);
                sent += count;
                assert_numbered(&batch, sent);
            }
            push.flush().await;
        });
        let mut received = Vec::new();
        while received.len() < MESSAGES {
            let before = received.len();
            let count = pull.recv_many(&mut received, 64).await.unwrap();
            assert!((1..=64).contains(&count), "{count} messages in one call");
            assert_eq!(received.len(), before + count, "the messages are appended");
        }
        assert_numbered(&received, 0);
        assert_eq!(received.len(), MESSAGES);
        assert_eq!(pull.try_recv_many(&mut received, 64), Ok(0));
        sender.await;
    });
}

#[test]
fn send_many_waits_for_room_and_keeps_the_rest() {
    run(|| async {
        let push = Socket::with_options(Options::<Push>::new().send_hwm(10));
        let mut batch = numbered(0..25);
        assert_eq!(push.try_send_many(&mut batch), Ok(0), "there is no peer");
        assert!(push.send_many(&mut batch).now_or_never().is_none());
        assert_eq!(batch.len(), 25, "a dropped future has sent nothing");
        let pull = Socket::with_options(Options::<Pull>::new());
        push.connect(pull.bind(ANY).await.unwrap()).unwrap();
        assert_eq!(push.send_many(&mut batch).await, Ok(10), "up to the mark");
        assert_numbered(&batch, 10);
        while !batch.is_empty() {
            assert!(push.send_many(&mut batch).await.unwrap() > 0);
        }
        assert_eq!(push.send_many(&mut batch).await, Ok(0), "without messages, there is nothing to wait for");
        let mut received = Vec::new();
        while received.len() < 25 {
            pull.recv_many(&mut received, usize::MAX).await.unwrap();
        }
        assert_numbered(&received, 0);
    });
}

#[test]
fn cancelled_recv_many_loses_no_message() {
    run(|| async {
        let (pull, push) = (PullSocket::new(), PushSocket::new());
        push.connect(pull.bind(ANY).await.unwrap()).unwrap();
        push.wait_connected(1).await.unwrap();
        let mut received = Vec::new();
        for round in 0..50 {
            {
                let mut waiting = pin!(pull.recv_many(&mut received, 64));
                assert!(waiting.as_mut().now_or_never().is_none(), "round {round}");
                push.send_many(&mut numbered(4 * round..4 * round + 4)).await.unwrap();
                // The future may be woken, and is dropped.
                yield_now().await;
            }
            while received.len() < 4 * round + 4 {
                pull.recv_many(&mut received, 3).await.unwrap();
            }
        }
        assert_numbered(&received, 0);
    });
}

#[test]
fn errors_of_batches_return_the_first_message() {
    run(|| async {
        let router = Socket::with_options(Options::new().mandatory(true));
        let dealer = Socket::with_options(Options::<Dealer>::new().routing_id("known").unwrap());
        dealer.connect(router.bind(ANY).await.unwrap()).unwrap();
        router.wait_connected(1).await.unwrap();
        let mut batch = vec![Message::from(["known", "1"]), ["unknown", "2"].into(), ["known", "3"].into()];
        let router = RouterSocket::from(router);
        assert_eq!(router.send_many(&mut batch).await, Ok(1));
        let error = router.send_many(&mut batch).await.unwrap_err();
        assert_eq!(error, SendError::Unroutable(["unknown", "2"].into()));
        assert_eq!(router.try_send_many(&mut batch), Ok(1));
        assert_eq!(dealer.recv().await.unwrap().body(), "1");
        assert_eq!(dealer.recv().await.unwrap().body(), "3");

        let req = ReqSocket::new();
        assert_eq!(req.recv_many(&mut Vec::new(), 10).await, Err(RecvError::OutOfTurn));
        assert_eq!(req.try_recv_many(&mut Vec::new(), 10), Err(RecvError::OutOfTurn));
        req.close().await;
        assert_eq!(req.recv_many(&mut Vec::new(), 10).await, Err(RecvError::Closed));
        let mut batch = vec![Message::from("first"), "second".into()];
        assert_eq!(req.send_many(&mut batch).await, Err(SendError::Closed("first".into())));
        assert_eq!(batch, ["second".into()]);
    });
}
