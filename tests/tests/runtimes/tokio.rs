//! The suite on tokio, on both flavours of the runtime, and what concerns tokio alone.

#[path = "suite/mod.rs"]
mod suite;
#[path = "system/mod.rs"]
mod system;

use fixture::DealerSocket;
use sansmq::kind::{Pull, Push};
use sansmq::{Options, RecvError};
use sansmq_proto::entropy::SeededEntropy;
use sansmq_tests::fixture::tokio as fixture;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

#[test]
fn a_runtime_that_shuts_down_leaves_nobody_waiting() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let dealer = runtime.block_on(async { DealerSocket::new() });
    let waiting = std::thread::spawn({
        let dealer = dealer.clone();
        move || {
            let other = tokio::runtime::Builder::new_current_thread().build().unwrap();
            other.block_on(async move { (dealer.recv().await, dealer.close().await) })
        }
    });
    drop(runtime);
    let (received, closed) = waiting.join().unwrap();
    assert_eq!(received, Err(RecvError::Closed));
    assert_eq!(closed.unsent, 0);
}

#[test]
fn a_runtime_without_io_makes_bind_fail_and_not_hang() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let router = fixture::RouterSocket::new();
        let bound = tokio::time::timeout(std::time::Duration::from_secs(10), router.bind("tcp://127.0.0.1:*")).await;
        assert!(bound.expect("it hangs").is_err());
    });
}

/// Eight tasks send and five receive on marks of one message and more, and drop their futures as the dice tell.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tasks_that_drop_their_futures_lose_and_repeat_nothing() {
    const EACH: u32 = 1000;
    const ALL: usize = 8 * EACH as usize;
    for mark in [1, 2, 7] {
        let push = fixture::Socket::with(Options::<Push>::new().send_hwm(mark));
        let pull = fixture::Socket::with(Options::<Pull>::new().recv_hwm(mark));
        push.connect(pull.bind("tcp://127.0.0.1:*").await.unwrap()).unwrap();
        let got = Arc::new(Mutex::new(BTreeMap::<u32, u32>::new()));
        let senders = (0..8).map(|task| tokio::spawn(send_on_and_off(push.clone(), task * EACH..(task + 1) * EACH)));
        let receivers = (0..5).map(|task| tokio::spawn(receive_on_and_off(pull.clone(), Arc::clone(&got), ALL, task)));
        for task in senders.chain(receivers.collect::<Vec<_>>()).collect::<Vec<_>>() {
            tokio::time::timeout(std::time::Duration::from_mins(1), task).await.expect("it hangs").unwrap();
        }
        let got = got.lock().unwrap();
        assert!(got.len() == ALL && got.values().all(|count| *count == 1));
    }
}

async fn send_on_and_off(push: fixture::PushSocket, numbers: std::ops::Range<u32>) {
    let mut dice = SeededEntropy::new(numbers.start.into());
    for number in numbers {
        while interrupted(push.send(&number.to_be_bytes()), dice.below(3)).await.is_none() {}
    }
}

async fn receive_on_and_off(pull: fixture::PullSocket, got: Arc<Mutex<BTreeMap<u32, u32>>>, all: usize, seed: u64) {
    let mut dice = SeededEntropy::new(seed);
    while got.lock().unwrap().len() < all {
        if let Some(message) = interrupted(pull.recv(), dice.below(3)).await {
            let number = u32::from_be_bytes(message.unwrap().body()[..].try_into().unwrap());
            *got.lock().unwrap().entry(number).or_default() += 1;
        }
    }
}

/// Gives a future so many polls, and drops it if it is not ready by then.
async fn interrupted<R>(future: impl Future<Output = R>, polls: u64) -> Option<R> {
    let mut future = std::pin::pin!(future);
    for _ in 0..=polls {
        let poll = std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx))).await;
        if let std::task::Poll::Ready(result) = poll {
            return Some(result);
        }
        tokio::task::yield_now().await;
    }
    None
}
