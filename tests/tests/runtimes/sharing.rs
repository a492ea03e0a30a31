//! A port that is shared by sockets of several runtimes, also after one of these runtimes has shut down.

use futures_util::future::{Either, select};
use sansmq::kind::{Dealer, Router};
use sansmq::runtime::{CurrentRuntime, spawn_socket};
use sansmq::smol::Smol;
use sansmq::tokio::Tokio;
use sansmq::{BindError, Context, Endpoint, Event, Handle, Options};
use std::net::TcpListener;
use std::pin::pin;
use std::thread;
use std::time::Duration;

/// Runs a scenario, and fails if it takes longer than 20 seconds.
fn run(scenario: impl Future<Output = ()>) {
    let limit = smol::Timer::after(Duration::from_secs(20));
    if let Either::Right(_) = smol::block_on(select(pin!(scenario), limit)) {
        panic!("the scenario did not end within 20 s");
    }
}

fn tokio() -> (tokio::runtime::Runtime, Tokio) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let current = {
        let _guard = runtime.enter();
        Tokio::current()
    };
    (runtime, current)
}

fn router_on_mio() -> Handle<Router> {
    let mut events = sansmq::mio::EventLoop::new().unwrap();
    let remote = events.remote();
    thread::spawn(move || while events.turn(None).is_ok() {});
    remote.socket(Options::new())
}

fn router_on_smol() -> Handle<Router> {
    spawn_socket(Options::new(), &Context::global(), &Smol::current())
}

fn with_resource(endpoint: &Endpoint, resource: &str) -> Endpoint {
    endpoint.clone().with_resource(Some(resource.parse().unwrap()))
}

/// Connects a new DEALER to `endpoint`, and checks that it exchanges messages with `router`. Returns the DEALER.
async fn new_client(router: &Handle<Router>, endpoint: Endpoint) -> Handle<Dealer> {
    let dealer = spawn_socket(Options::<Dealer>::new(), &Context::global(), &Smol::current());
    dealer.connect(endpoint).unwrap();
    round_trips(router, &dealer).await;
    dealer
}

async fn round_trips(router: &Handle<Router>, dealer: &Handle<Dealer>) {
    for size in [0, 100, 100_000] {
        dealer.send(vec![b'x'; size]).await.unwrap();
        let request = router.recv().await.unwrap();
        router.send(request).await.unwrap();
        assert_eq!(dealer.recv().await.unwrap().size(), size);
    }
}

#[test]
fn port_opened_by_any_runtime_is_shared_by_all() {
    let (runtime, tokio) = tokio();
    for first in 0..3 {
        let mut routers =
            [spawn_socket(Options::<Router>::new(), &Context::global(), &tokio), router_on_smol(), router_on_mio()];
        routers.rotate_left(first);
        run(async {
            let bound = routers[0].bind("tcp://127.0.0.1:*/0").await.unwrap();
            for (number, router) in routers.iter().enumerate().skip(1) {
                router.bind(with_resource(&bound, &number.to_string())).await.unwrap();
            }
            let mut clients = Vec::new();
            for (number, router) in routers.iter().enumerate() {
                clients.push(new_client(router, with_resource(&bound, &number.to_string())).await);
            }
            routers[0].close().await;
            for (number, router) in routers.iter().enumerate().skip(1) {
                round_trips(router, &clients[number]).await;
                new_client(router, with_resource(&bound, &number.to_string())).await;
                router.close().await;
            }
            TcpListener::bind(bound.socket_addr().unwrap()).expect("the port is free after the last close");
        });
    }
    drop(runtime);
}

#[test]
fn shutdown_of_listening_runtime_unbinds_joined_sockets() {
    let (runtime, tokio) = tokio();
    let (opener, joined) = (spawn_socket(Options::<Router>::new(), &Context::global(), &tokio), router_on_smol());
    let mut monitor = joined.monitor();
    run(async {
        let bound = opener.bind("tcp://127.0.0.1:*/opener").await.unwrap();
        joined.bind(with_resource(&bound, "joined")).await.unwrap();
        let dealer = new_client(&joined, with_resource(&bound, "joined")).await;
        let mut client_events = dealer.monitor();
        runtime.shutdown_background();
        let mut seen = 0;
        while seen < 2 {
            seen += match monitor.next().await.unwrap() {
                Event::ListenerClosed { endpoint } => usize::from(endpoint == with_resource(&bound, "joined")),
                Event::Disconnected { .. } => 1,
                _ => 0,
            };
        }
        while TcpListener::bind(bound.socket_addr().unwrap()).is_err() {
            thread::yield_now();
        }
        assert_eq!(
            joined.bind(with_resource(&bound, "joined")).await.unwrap(),
            with_resource(&bound, "joined"),
            "the socket opens the port itself"
        );
        // Messages that the client sends before it detects the disconnect are lost with the old connection.
        while !matches!(client_events.next().await, Some(Event::Disconnected { .. })) {}
        round_trips(&joined, &dealer).await;
        joined.close().await;
    });
}

#[test]
fn shutdown_of_joined_runtime_keeps_port_open() {
    let (runtime, tokio) = tokio();
    let (opener, joined) = (router_on_mio(), spawn_socket(Options::<Router>::new(), &Context::global(), &tokio));
    run(async {
        let bound = opener.bind("tcp://127.0.0.1:*/opener").await.unwrap();
        joined.bind(with_resource(&bound, "joined")).await.unwrap();
        let opener_client = new_client(&opener, with_resource(&bound, "opener")).await;
        let joined_client = new_client(&joined, with_resource(&bound, "joined")).await;
        let mut monitor = joined_client.monitor();
        runtime.shutdown_background();
        while !matches!(monitor.next().await, Some(Event::Disconnected { .. })) {}
        round_trips(&opener, &opener_client).await;
        assert_eq!(joined.bind(with_resource(&bound, "joined")).await, Err(BindError::Closed));
        let successor = router_on_smol();
        successor.bind(with_resource(&bound, "joined")).await.unwrap();
        round_trips(&successor, &joined_client).await;
    });
}
