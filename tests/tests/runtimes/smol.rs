//! The suite on smol: under `smol::block_on` alone, and served by an executor of the application's own.

#[path = "suite/mod.rs"]
mod suite;
#[path = "system/mod.rs"]
mod system;

use futures_util::future::join;
use sansmq::proto::Instant;
use sansmq::proto::address::TransportConfig;
use sansmq::runtime::{BoundListener, CurrentRuntime, Runtime, Task, TaskFuture, spawn_socket};
use sansmq::smol::{BindListener, Smol, Socket};
use sansmq::{Endpoint, NetworkError, Options, kind};
use sansmq_tests::fixture::smol as fixture;
use std::sync::{Arc, Mutex};
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

#[test]
fn a_crowd_at_the_door_does_not_keep_those_from_their_turns_who_are_in() {
    #[derive(PartialEq)]
    enum Deed {
        Spawn,
        Turn,
    }
    let (executor, deeds) = (Arc::new(smol::Executor::new()), Arc::new(Mutex::new(Vec::new())));
    let here = Smol::new({
        let (executor, deeds) = (Arc::clone(&executor), Arc::clone(&deeds));
        move |mut task| {
            let log = Arc::clone(&deeds);
            deeds.lock().unwrap().push(Deed::Spawn);
            let watched = std::future::poll_fn(move |cx| {
                log.lock().unwrap().push(Deed::Turn);
                task.as_mut().poll(cx)
            });
            executor.spawn(watched).detach();
        }
    });
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let _crowd: Vec<_> = (0..100).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
    smol::block_on(executor.run(async {
        let pull = Socket::on(&here, Options::<kind::Pull>::new());
        pull.bind_listener(listener).await.unwrap();
        while pull.stats().accepted < 100 {
            smol::future::yield_now().await;
        }
    }));
    let deeds = deeds.lock().unwrap();
    let in_a_row = deeds.split(|deed| *deed == Deed::Turn).map(<[_]>::len).max().unwrap();
    assert_eq!(in_a_row, 16, "so many are let in at a time");
}

/// smol with names that take for ever to look up.
#[derive(Clone)]
struct Slow(Smol);

impl Runtime for Slow {
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

    fn from_listener(
        &self,
        listener: BoundListener,
        transport: &TransportConfig,
    ) -> Result<Self::Listener, NetworkError> {
        self.0.from_listener(listener, transport)
    }

    async fn dial(self, _: Endpoint, _: TransportConfig) -> Result<Self::Stream, NetworkError> {
        core::future::pending().await
    }
}

#[test]
fn closing_and_unbinding_do_not_wait_for_a_name_that_is_being_looked_up() {
    fixture::run(|| async {
        let pull = spawn_socket(Options::<kind::Pull>::new(), &sansmq::Context::global(), &Slow(Smol::current()));
        let (bound, unbound) = join(pull.bind("tcp://slow:1"), pull.unbind("tcp://slow:1")).await;
        assert_eq!((bound.is_err(), unbound), (true, Ok(())));
        let (bound, closed) = join(pull.bind("tcp://slow:1"), pull.close()).await;
        assert_eq!((bound.is_err(), closed.unsent), (true, 0));
    });
}
