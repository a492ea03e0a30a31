//! A broker in one line: a proxy between clients and workers, or between publishers and subscribers.
//!
//! ```text
//! cargo run --example proxy                                                # clients, a queue and workers; exits at the end
//! cargo run --example proxy -- queue tcp://*:5555 tcp://*:5556             # REQ or DEALER to the first, REP to the second
//! cargo run --example proxy -- forwarder tcp://*:5555 tcp://*:5556         # PUB to the first, SUB to the second
//! ```
//!
//! The last two commands run until Ctrl-C. A proxy forwards complete messages and does not inspect them. A program that
//! inspects messages needs its own loop: see `load_balancer`.

use sansmq::tokio::{DealerSocket, RepSocket, ReqSocket, RouterSocket, XPubSocket, XSubSocket};
use sansmq::{Context, Endpoint, Proxy, ProxyStatistics};
use std::error::Error;
use std::time::Duration;
use tokio::task::JoinSet;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let outcome = start().await;
    // Sends the messages that are still queued, before the runtime ends with `main`.
    Context::global().close(Duration::from_secs(10)).await;
    outcome
}

async fn start() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let statistics = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => queue_with_peers(3, 2, 1000).await?,
        ["queue", front, back] => {
            let (clients, workers) = (RouterSocket::new(), DealerSocket::new());
            clients.bind(front).await?;
            workers.bind(back).await?;
            until_interrupted(Proxy::new(&clients, &workers)).await?
        }
        ["forwarder", front, back] => {
            let (publishers, subscribers) = (XSubSocket::new(), XPubSocket::new());
            publishers.bind(front).await?;
            subscribers.bind(back).await?;
            until_interrupted(Proxy::new(&publishers, &subscribers)).await?
        }
        _ => return Err("the arguments are none, or queue FRONT BACK, or forwarder FRONT BACK".into()),
    };
    print(&statistics);
    Ok(())
}

async fn until_interrupted(mut proxy: Proxy) -> Outcome<ProxyStatistics> {
    let control = proxy.control_handle();
    tokio::spawn(async move { tokio::signal::ctrl_c().await.map(|()| control.terminate()) });
    Ok(proxy.run().await?)
}

/// Runs `clients` clients with `requests` requests each, and `workers` workers, connected by a proxy. Returns the
/// statistics of the proxy.
pub(crate) async fn queue_with_peers(clients: usize, workers: usize, requests: usize) -> Outcome<ProxyStatistics> {
    let (front, back) = (RouterSocket::new(), DealerSocket::new());
    let (client_endpoint, worker_endpoint) =
        (front.bind("tcp://127.0.0.1:*").await?, back.bind("tcp://127.0.0.1:*").await?);
    let mut proxy = Proxy::new(&front, &back);
    let control = proxy.control_handle();
    let proxy = tokio::spawn(async move { proxy.run().await });

    let mut serving = JoinSet::new();
    for _ in 0..workers {
        serving.spawn(serve(worker_endpoint.clone()));
    }
    let mut asking = JoinSet::new();
    for client in 0..clients {
        asking.spawn(ask(client_endpoint.clone(), client, requests));
    }
    while let Some(client) = asking.join_next().await {
        client??;
    }
    control.terminate();
    Ok(proxy.await??)
}

async fn serve(endpoint: Endpoint) -> Outcome<()> {
    let rep = RepSocket::new();
    rep.connect(&endpoint)?;
    loop {
        let request = rep.recv().await?;
        rep.send(format!("{}, answered", request.body().to_text())).await?;
    }
}

async fn ask(endpoint: Endpoint, client: usize, requests: usize) -> Outcome<()> {
    let req = ReqSocket::new();
    req.connect(&endpoint)?;
    for number in 0..requests {
        req.send(format!("request {number} of client {client}")).await?;
        let reply = req.recv().await?;
        assert_eq!(reply.body().to_text(), format!("request {number} of client {client}, answered"));
    }
    Ok(())
}

fn print(statistics: &ProxyStatistics) {
    for (name, side) in [("frontend", statistics.frontend), ("backend", statistics.backend)] {
        let (received, sent) = (side.received, side.sent);
        println!("{name:8}: {} messages in, {} bytes", received.messages, received.bytes);
        println!("{:8}  {} messages out, {} bytes", "", sent.messages, sent.bytes);
    }
}
