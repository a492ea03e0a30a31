//! A load balancer: clients keep several requests in flight, and the broker sends each request to the worker that has
//! been ready for longest. Counterpart of the section "요청을 큐에 넣고, 워커에게 분산 처리" in a Korean ZeroMQ
//! tutorial for Python.
//!
//! ```text
//! cargo run --release --example load_balancer                                      # all roles, for some seconds
//! cargo run --release --example load_balancer -- broker tcp://127.0.0.1:5555 tcp://127.0.0.1:5556
//! cargo run --release --example load_balancer -- worker NAME tcp://127.0.0.1:5556 [milliseconds for each request]
//! cargo run --release --example load_balancer -- client NAME tcp://127.0.0.1:5555 [requests]
//! ```
//!
//! # Framing
//!
//! The format is that of the example "lbbroker" in the ZeroMQ guide. Clients connect to the frontend: a REQ sends
//! `[number]`, a DEALER sends `["", number]` or `[number]`. The frame `number` identifies the request. The client
//! chooses the bytes of this frame freely. A reply has the format of its request and one more frame:
//! `[number, worker]`. Workers connect to the backend:
//!
//! | a worker   | as a REQ                       | on the wire, or as a DEALER        |
//! |------------|--------------------------------|------------------------------------|
//! | sends once | `["READY"]`                    | `["", "READY"]`                    |
//! | receives   | `[client, "", number]`         | `["", client, "", number]`         |
//! | replies    | `[client, "", number, worker]` | `["", client, "", number, worker]` |
//!
//! So a Python program can be a worker too. The following worker is a REQ. A DEALER (`ctx.socket(zmq.DEALER)`) is
//! possible too; its messages then have one more `b""` in front, in both directions.
//!
//! ```python
//! worker = ctx.socket(zmq.REQ)
//! worker.connect("tcp://127.0.0.1:5556")
//! worker.send(b"READY")
//! while True:
//!     client, empty, number = worker.recv_multipart()
//!     worker.send_multipart([client, b"", number, b"python"])
//! ```
//!
//! If a worker disconnects, or does not reply within two seconds, its request is sent to another worker. So no request
//! is lost, but a request may be executed twice. After a restart of the broker, a worker must send READY again. The
//! workers of this example (see `worker.rs`) do so; the Python worker above does not.

pub(crate) mod broker;
pub(crate) mod client;
pub(crate) mod everything;
pub(crate) mod progress;
mod queue;
pub(crate) mod report;
pub(crate) mod worker;

use sansmq::Context;
use std::time::Duration;

/// Error of any kind that this program can return.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let outcome = start().await;
    // Sends the messages that are still queued, before the runtime ends with `main`.
    Context::global().close(Duration::from_secs(10)).await;
    outcome
}

async fn start() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => println!("{}", everything::run(3, client::Load::of(700), &everything::WORKERS).await?),
        ["broker", front, back] => broker::Broker::bind(front, back).await?.run().await?,
        ["worker", name, back] => worker::run(name, back, Duration::from_millis(5)).await?,
        ["worker", name, back, cost] => worker::run(name, back, Duration::from_millis(cost.parse()?)).await?,
        ["client", name, front] => println!("{}", client::run_single(name, front, 1000).await?),
        ["client", name, front, requests] => println!("{}", client::run_single(name, front, requests.parse()?).await?),
        _ => Err("the arguments are none, or broker FRONT BACK, worker NAME BACK [MS], client NAME FRONT [REQUESTS]")?,
    }
    Ok(())
}
