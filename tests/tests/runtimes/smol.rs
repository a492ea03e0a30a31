//! The test suite on smol under `smol::block_on`, and tests with an executor of the application.

#[path = "suite/mod.rs"]
mod suite;
#[path = "system/mod.rs"]
mod system;

use futures_util::future::join;
use sansmq::proto::Instant;
use sansmq::proto::address::TransportConfig;
use sansmq::runtime::{BoundListener, CurrentRuntime, DialTimer, Runtime, Task, TaskFuture, spawn_socket};
use sansmq::smol::{BindListener, Smol, Socket};
use sansmq::{Endpoint, NetworkError, Options, kind};
use sansmq_tests::fixture::smol as fixture;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[test]
fn sockets_on_own_executor_work_under_another_runtime() {
    let executor = Arc::new(smol::Executor::new());
    let on_executor = Smol::new({
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
    // The application runs on tokio, its sockets on `executor`.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let rep = Socket::on(&on_executor, Options::<kind::Rep>::new());
        let req = Socket::on(&on_executor, Options::<kind::Req>::new());
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

#[test]
fn accepting_many_peers_does_not_starve_other_tasks() {
    #[derive(PartialEq)]
    enum Step {
        Spawn,
        Poll,
    }
    let (executor, steps) = (Arc::new(smol::Executor::new()), Arc::new(Mutex::new(Vec::new())));
    let on_executor = Smol::new({
        let (executor, steps) = (Arc::clone(&executor), Arc::clone(&steps));
        move |mut task| {
            let log = Arc::clone(&steps);
            steps.lock().unwrap().push(Step::Spawn);
            let watched = std::future::poll_fn(move |cx| {
                log.lock().unwrap().push(Step::Poll);
                task.as_mut().poll(cx)
            });
            executor.spawn(watched).detach();
        }
    });
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let _clients: Vec<_> = (0..100).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
    smol::block_on(executor.run(async {
        let pull = Socket::on(&on_executor, Options::<kind::Pull>::new());
        pull.bind_listener(listener).await.unwrap();
        while pull.stats().accepted < 100 {
            smol::future::yield_now().await;
        }
    }));
    let steps = steps.lock().unwrap();
    let in_a_row = steps.split(|step| *step == Step::Poll).map(<[_]>::len).max().unwrap();
    assert_eq!(in_a_row, 1, "a listener accepts one connection per poll");
}

/// The smol runtime with name lookups that never end.
#[derive(Clone)]
struct NeverResolves(Smol);

impl Runtime for NeverResolves {
    type Stream = <Smol as Runtime>::Stream;
    type Listener = <Smol as Runtime>::Listener;

    fn spawn(&self, task: Task<Self>) {
        ::smol::spawn(TaskFuture::new(task, self.0.timer())).detach();
    }

    fn now(&self) -> Instant {
        self.0.now()
    }

    async fn listen(self, _: Endpoint, _: TransportConfig) -> Result<(Self::Listener, Endpoint), NetworkError> {
        core::future::pending().await
    }

    fn take_listener(
        &self,
        listener: BoundListener,
        transport: &TransportConfig,
    ) -> Result<Self::Listener, NetworkError> {
        self.0.take_listener(listener, transport)
    }

    async fn dial(self, _: Endpoint, _: TransportConfig, _: DialTimer) -> Result<Self::Stream, NetworkError> {
        core::future::pending().await
    }
}

#[test]
fn close_and_unbind_do_not_wait_for_name_lookup() {
    fixture::run(|| async {
        let pull =
            spawn_socket(Options::<kind::Pull>::new(), &sansmq::Context::global(), &NeverResolves(Smol::current()));
        let (bound, unbound) = join(pull.bind("tcp://slow:1"), pull.unbind("tcp://slow:1")).await;
        assert_eq!((bound.is_err(), unbound), (true, Ok(())));
        let (bound, closed) = join(pull.bind("tcp://slow:1"), pull.close()).await;
        assert_eq!((bound.is_err(), closed.unsent), (true, 0));
    });
}
