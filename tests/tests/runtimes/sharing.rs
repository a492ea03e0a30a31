//! One port shared by sockets of several runtimes, and what is left of it when one of these goes.

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

/// Runs a scenario. One that hangs fails.
fn run(scenario: impl Future<Output = ()>) {
    let limit = smol::Timer::after(Duration::from_secs(20));
    if let Either::Right(_) = smol::block_on(select(pin!(scenario), limit)) {
        panic!("it hangs");
    }
}

fn tokio() -> (tokio::runtime::Runtime, Tokio) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let here = {
        let _here = runtime.enter();
        Tokio::current()
    };
    (runtime, here)
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

fn at(endpoint: &Endpoint, resource: &str) -> Endpoint {
    endpoint.clone().with_resource(Some(resource.parse().unwrap()))
}

/// A client that has had an answer from this socket by that name.
async fn client_of(router: &Handle<Router>, endpoint: Endpoint) -> Handle<Dealer> {
    let dealer = spawn_socket(Options::<Dealer>::new(), &Context::global(), &Smol::current());
    dealer.connect(endpoint).unwrap();
    converse(router, &dealer).await;
    dealer
}

async fn converse(router: &Handle<Router>, dealer: &Handle<Dealer>) {
    for size in [0, 100, 100_000] {
        dealer.send(vec![b'x'; size]).await.unwrap();
        let request = router.recv().await.unwrap();
        router.send(request).await.unwrap();
        assert_eq!(dealer.recv().await.unwrap().size(), size);
    }
}

#[test]
fn sockets_of_every_runtime_share_a_port_that_any_of_them_opened() {
    let (runtime, tokio) = tokio();
    for first in 0..3 {
        let mut routers =
            [spawn_socket(Options::<Router>::new(), &Context::global(), &tokio), router_on_smol(), router_on_mio()];
        routers.rotate_left(first);
        run(async {
            let bound = routers[0].bind("tcp://127.0.0.1:*/0").await.unwrap();
            for (number, router) in routers.iter().enumerate().skip(1) {
                router.bind(at(&bound, &number.to_string())).await.unwrap();
            }
            let mut clients = Vec::new();
            for (number, router) in routers.iter().enumerate() {
                clients.push(client_of(router, at(&bound, &number.to_string())).await);
            }
            routers[0].close().await;
            for (number, router) in routers.iter().enumerate().skip(1) {
                converse(router, &clients[number]).await;
                client_of(router, at(&bound, &number.to_string())).await;
                router.close().await;
            }
            TcpListener::bind(bound.socket_addr().unwrap()).expect("the last has closed");
        });
    }
    drop(runtime);
}

#[test]
fn when_the_runtime_that_listens_goes_the_others_hear_of_it_and_wait_for_nobody() {
    let (runtime, tokio) = tokio();
    let (host, guest) = (spawn_socket(Options::<Router>::new(), &Context::global(), &tokio), router_on_smol());
    let mut story = guest.monitor();
    run(async {
        let bound = host.bind("tcp://127.0.0.1:*/host").await.unwrap();
        guest.bind(at(&bound, "guest")).await.unwrap();
        let dealer = client_of(&guest, at(&bound, "guest")).await;
        let mut client_events = dealer.monitor();
        runtime.shutdown_background();
        let mut left = 0;
        while left < 2 {
            left += match story.next().await.unwrap() {
                Event::ListenerClosed { endpoint } => usize::from(endpoint == at(&bound, "guest")),
                Event::Disconnected { .. } => 1,
                _ => 0,
            };
        }
        while TcpListener::bind(bound.socket_addr().unwrap()).is_err() {
            thread::yield_now();
        }
        assert_eq!(guest.bind(at(&bound, "guest")).await.unwrap(), at(&bound, "guest"), "now it opens the port itself");
        // What the client sends before it hears of the end goes to the old connection and is lost.
        while !matches!(client_events.next().await, Some(Event::Disconnected { .. })) {}
        converse(&guest, &dealer).await;
        guest.close().await;
    });
}

#[test]
fn when_the_runtime_of_one_that_joined_goes_the_others_go_on() {
    let (runtime, tokio) = tokio();
    let (host, guest) = (router_on_mio(), spawn_socket(Options::<Router>::new(), &Context::global(), &tokio));
    run(async {
        let bound = host.bind("tcp://127.0.0.1:*/host").await.unwrap();
        guest.bind(at(&bound, "guest")).await.unwrap();
        let ours = client_of(&host, at(&bound, "host")).await;
        let theirs = client_of(&guest, at(&bound, "guest")).await;
        let mut story = theirs.monitor();
        runtime.shutdown_background();
        while !matches!(story.next().await, Some(Event::Disconnected { .. })) {}
        converse(&host, &ours).await;
        assert_eq!(guest.bind(at(&bound, "guest")).await, Err(BindError::Closed));
        let successor = router_on_smol();
        successor.bind(at(&bound, "guest")).await.unwrap();
        converse(&successor, &theirs).await;
    });
}
