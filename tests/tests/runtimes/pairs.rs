//! Tests of messages between sockets of each pair of runtimes, over each transport.

use futures_util::future::{Either, select};
use sansmq::{Endpoint, Handle, Options, kind};
use std::fmt::Debug;
use std::pin::pin;
use std::thread;
use std::time::Duration;

/// A runtime that serves sockets in the background until it is dropped.
trait Host: Debug {
    fn dealer(&self) -> Handle<kind::Dealer>;
    fn router(&self) -> Handle<kind::Router>;
}

#[derive(Debug)]
struct Tokio(tokio::runtime::Runtime);

#[derive(Debug)]
struct Smol;

#[derive(Debug)]
struct Mio(sansmq::mio::Remote);

impl Host for Tokio {
    fn dealer(&self) -> Handle<kind::Dealer> {
        let _guard = self.0.enter();
        sansmq::tokio::DealerSocket::new().into_handle()
    }
    fn router(&self) -> Handle<kind::Router> {
        let _guard = self.0.enter();
        sansmq::tokio::RouterSocket::new().into_handle()
    }
}

impl Host for Smol {
    fn dealer(&self) -> Handle<kind::Dealer> {
        sansmq::smol::DealerSocket::new().into_handle()
    }
    fn router(&self) -> Handle<kind::Router> {
        sansmq::smol::RouterSocket::new().into_handle()
    }
}

impl Host for Mio {
    fn dealer(&self) -> Handle<kind::Dealer> {
        self.0.socket(Options::new())
    }
    fn router(&self) -> Handle<kind::Router> {
        self.0.socket(Options::new())
    }
}

fn hosts() -> [Box<dyn Host>; 3] {
    let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut events = sansmq::mio::EventLoop::new().unwrap();
    let remote = events.remote();
    thread::spawn(move || while events.turn(None).is_ok() {});
    [Box::new(Tokio(tokio)), Box::new(Smol), Box::new(Mio(remote))]
}

#[test]
fn each_pair_of_runtimes_exchanges_over_each_transport() {
    let hosts = hosts();
    for (number, (server, client)) in hosts.iter().flat_map(|a| hosts.iter().map(move |b| (a, b))).enumerate() {
        for endpoint in ["tcp://127.0.0.1:*".to_owned(), "ipc://*".to_owned(), format!("inproc://pair {number}")] {
            let exchange = pin!(exchange_messages(server.router(), client.dealer(), endpoint.parse().unwrap()));
            let limit = smol::Timer::after(Duration::from_secs(20));
            if let Either::Right(_) = smol::block_on(select(exchange, limit)) {
                panic!("timeout of server {server:?} and client {client:?} over {endpoint}");
            }
        }
    }
}

async fn exchange_messages(router: Handle<kind::Router>, dealer: Handle<kind::Dealer>, endpoint: Endpoint) {
    dealer.connect(router.bind(endpoint).await.unwrap()).unwrap();
    for size in [0, 64, 65, 5000, 100_000] {
        for _ in 0..20 {
            dealer.send(vec![b'x'; size]).await.unwrap();
        }
        for _ in 0..20 {
            let request = router.recv().await.unwrap();
            router.send(request).await.unwrap();
        }
        for _ in 0..20 {
            assert_eq!(dealer.recv().await.unwrap().size(), size);
        }
    }
    assert_eq!(dealer.close().await.unsent, 0);
    router.close().await;
}
