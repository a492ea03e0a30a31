//! The suite on tokio, on both flavours of the runtime, and what concerns tokio alone.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod suite;

/// What the suite needs of a runtime.
mod bed {
    pub(crate) use sansmq::tokio::{
        DealerSocket, PairSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, Socket,
    };
    use std::time::Duration;
    use tokio::runtime::Builder;

    /// Runs a scenario on the current-thread and on the multi-thread runtime. One that hangs fails.
    pub(crate) fn run<F: Future<Output = ()>>(scenario: impl Fn() -> F) {
        for mut flavour in [Builder::new_current_thread(), Builder::new_multi_thread()] {
            let runtime = flavour.enable_all().build().unwrap();
            let limited = async { tokio::time::timeout(Duration::from_secs(30), scenario()).await };
            runtime.block_on(limited).expect("it hangs");
        }
    }

    /// Runs a task beside the scenario.
    pub(crate) fn spawn<R: Send + 'static>(task: impl Future<Output = R> + Send + 'static) -> impl Future<Output = R> {
        let task = tokio::spawn(task);
        async { task.await.unwrap() }
    }
}

use bed::DealerSocket;
use sansmq::RecvError;

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
