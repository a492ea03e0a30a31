//! The test suite on both flavours of the tokio runtime (current-thread and multi-thread), and tests of tokio only.

#[path = "suite/mod.rs"]
mod suite;
#[path = "system/mod.rs"]
mod system;

use fixture::{DealerSocket, PullSocket, PushSocket};
use sansmq::kind::Sub;
use sansmq::{ConnectionError, NetworkError, Options, RecvError, SendError, StartError};
use sansmq_proto::entropy::SeededEntropy;
use sansmq_tests::fixture::tokio as fixture;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

#[test]
fn new_outside_a_runtime_panics_with_advice_at_its_caller() {
    let error = DealerSocket::try_new().unwrap_err();
    assert!(matches!(error, StartError::NoRuntime("tokio")), "{error}");
    assert!(
        error.to_string().starts_with("there is no tokio runtime here: create the socket inside of one"),
        "{error}"
    );

    // The hook of the process is called for panics of other tests too.
    let thread = std::thread::current().id();
    let panic = Arc::new(Mutex::new(None));
    let previous = Arc::new(std::panic::take_hook());
    std::panic::set_hook(Box::new({
        let (panic, previous) = (Arc::clone(&panic), Arc::clone(&previous));
        move |info| {
            if std::thread::current().id() == thread {
                *panic.lock().unwrap() = info.location().map(|location| location.file().to_owned());
            } else {
                previous(info);
            }
        }
    }));
    let payload = std::panic::catch_unwind(|| DealerSocket::with_options(Options::new())).unwrap_err();
    std::panic::set_hook(Box::new(move |info| previous(info)));
    assert_eq!(payload.downcast_ref::<String>(), Some(&error.to_string()));
    assert_eq!(panic.lock().unwrap().as_deref(), Some(file!()));
}

#[test]
fn runtime_without_io_is_an_error_that_names_enable_io() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let dealer = DealerSocket::new();
        let error = dealer.bind("tcp://127.0.0.1:*").await.unwrap_err().to_string();
        assert!(error.contains("enable_io"), "{error}");
        let error = dealer.connect_and_wait("tcp://127.0.0.1:1", None).await.unwrap_err();
        assert_eq!(error.reason(), Some(&ConnectionError::Network(NetworkError::NoIoDriver)));
        assert!(!error.is_temporary());
        let error = within_10_s(dealer.send("lost")).await.unwrap_err();
        assert!(matches!(error, SendError::Unreachable(..)) && error.to_string().contains("enable_io"), "{error}");
        let error = within_10_s(dealer.recv()).await.unwrap_err();
        assert!(matches!(error, RecvError::Unreachable(_)) && error.to_string().contains("enable_io"), "{error}");
    });
}

#[test]
fn runtime_without_io_runs_inproc() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let (dealer, router) = (DealerSocket::new(), fixture::RouterSocket::new());
        router.bind("inproc://runtime_without_io").await.unwrap();
        dealer.connect("inproc://runtime_without_io").unwrap();
        dealer.send("Hello").await.unwrap();
        assert_eq!(within_10_s(router.recv()).await.unwrap().body(), "Hello");
    });
}

#[test]
fn runtime_without_time_is_an_error_that_names_enable_time() {
    let without_both = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let without_time = tokio::runtime::Builder::new_multi_thread().enable_io().build().unwrap();
    for runtime in [without_both, without_time] {
        let (socket, subscriber) = runtime.block_on(async { (DealerSocket::new(), fixture::Socket::<Sub>::new()) });
        let closed = runtime.block_on(async {
            let bound = socket.bind("tcp://127.0.0.1:*").await.map(drop).map_err(|error| error.to_string());
            let waited = socket.connect_and_wait("tcp://127.0.0.1:1", None).await.map(drop);
            let connected = socket.wait_connected(1).await.map(drop).map_err(|error| error.to_string());
            let outcomes = [
                bound,
                socket.bind("inproc://runtime_without_time").await.map(drop).map_err(|error| error.to_string()),
                socket.connect("tcp://127.0.0.1:1").map_err(|error| error.to_string()),
                waited.map_err(|error| error.to_string()),
                connected,
                socket.send("lost").await.map_err(|error| error.to_string()),
                socket.try_send("lost").map_err(|error| error.to_string()),
                socket.recv().await.map(drop).map_err(|error| error.to_string()),
                socket.try_recv().map(drop).map_err(|error| error.to_string()),
                subscriber.subscribe("").map_err(|error| error.to_string()),
            ];
            for outcome in outcomes {
                assert!(matches!(&outcome, Err(text) if text.contains("enable_time")), "{outcome:?}");
            }
            socket.close().await
        });
        assert_eq!(closed.unsent, 0);
    }
}

async fn within_10_s<R>(future: impl Future<Output = R>) -> R {
    tokio::time::timeout(std::time::Duration::from_secs(10), future).await.expect("timeout")
}

#[test]
fn runtime_shutdown_closes_pending_calls() {
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
fn bind_on_runtime_without_io_fails() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let router = fixture::RouterSocket::new();
        let bound = tokio::time::timeout(std::time::Duration::from_secs(10), router.bind("tcp://127.0.0.1:*")).await;
        assert!(bound.expect("timeout").is_err());
    });
}

/// Eight tasks send and five receive with small high-water marks. Each call may be dropped after a random number of polls.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn tasks_dropping_their_calls_lose_and_repeat_nothing() {
    const EACH: u32 = 1000;
    const ALL: usize = 8 * EACH as usize;
    for hwm in [1, 2, 7] {
        let push = PushSocket::with_options(Options::new().send_hwm(hwm));
        let pull = PullSocket::with_options(Options::new().recv_hwm(hwm));
        push.connect(pull.bind("tcp://127.0.0.1:*").await.unwrap()).unwrap();
        let counts = Arc::new(Mutex::new(BTreeMap::<u32, u32>::new()));
        let senders =
            (0..8).map(|task| tokio::spawn(send_with_interruptions(push.clone(), task * EACH..(task + 1) * EACH)));
        let receivers =
            (0..5).map(|task| tokio::spawn(receive_with_interruptions(pull.clone(), Arc::clone(&counts), ALL, task)));
        for task in senders.chain(receivers.collect::<Vec<_>>()).collect::<Vec<_>>() {
            tokio::time::timeout(std::time::Duration::from_mins(1), task).await.expect("timeout").unwrap();
        }
        let counts = counts.lock().unwrap();
        assert!(counts.len() == ALL && counts.values().all(|count| *count == 1));
    }
}

async fn send_with_interruptions(push: PushSocket, numbers: std::ops::Range<u32>) {
    let mut random = SeededEntropy::new(numbers.start.into());
    for number in numbers {
        while interrupted(push.send(&number.to_be_bytes()), random.below(3)).await.is_none() {}
    }
}

async fn receive_with_interruptions(pull: PullSocket, counts: Arc<Mutex<BTreeMap<u32, u32>>>, all: usize, seed: u64) {
    let mut random = SeededEntropy::new(seed);
    while counts.lock().unwrap().len() < all {
        if let Some(message) = interrupted(pull.recv(), random.below(3)).await {
            let number = u32::from_be_bytes(message.unwrap().body()[..].try_into().unwrap());
            *counts.lock().unwrap().entry(number).or_default() += 1;
        }
    }
}

/// Polls a future up to `polls + 1` times; returns `None` if the future is still pending, and drops it.
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
