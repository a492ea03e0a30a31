//! The suite on smol: under `smol::block_on` alone, and served by an executor of the application's own.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod suite;

/// What the suite needs of a runtime.
mod bed {
    use futures_util::future::{Either, select};
    pub(crate) use sansmq::smol::{
        DealerSocket, PairSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, Socket,
    };
    use std::pin::pin;
    use std::time::Duration;

    /// Runs a scenario. One that hangs fails.
    pub(crate) fn run<F: Future<Output = ()>>(scenario: impl Fn() -> F) {
        let limit = smol::Timer::after(Duration::from_secs(30));
        if let Either::Right(_) = smol::block_on(select(pin!(scenario()), limit)) {
            panic!("it hangs");
        }
    }

    /// Runs a task beside the scenario.
    pub(crate) fn spawn<R: Send + 'static>(task: impl Future<Output = R> + Send + 'static) -> impl Future<Output = R> {
        smol::spawn(task)
    }
}

use sansmq::smol::{Smol, Socket};
use sansmq::{Options, kind};
use std::sync::Arc;
use std::time::Duration;

#[test]
fn sockets_are_served_by_an_executor_of_ones_own_and_used_under_another() {
    let executor = Arc::new(smol::Executor::new());
    let here = Smol::new({
        let executor = Arc::clone(&executor);
        move |task| executor.spawn(task).detach()
    });
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let server = std::thread::spawn(move || {
        while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            smol::block_on(smol::future::or(executor.tick(), async {
                smol::Timer::after(Duration::from_millis(5)).await;
            }));
        }
    });
    // The application itself runs on tokio.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let rep = Socket::on(&here, Options::<kind::Rep>::new());
        let req = Socket::on(&here, Options::<kind::Req>::new());
        req.connect(rep.bind("tcp://127.0.0.1:*").await.unwrap()).unwrap();
        for _ in 0..10 {
            req.send("ping").await.unwrap();
            let request = rep.recv().await.unwrap();
            rep.send(request).await.unwrap();
            assert_eq!(req.recv().await.unwrap().body(), "ping");
        }
    });
    stop.send(()).unwrap();
    server.join().unwrap();
}
