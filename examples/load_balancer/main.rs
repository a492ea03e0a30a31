//! A load balancer: clients keep several requests in flight, and the broker hands each to the worker that has been
//! ready for longest. Counterpart of the tutorial's "요청을 큐에 넣고, 워커에게 분산 처리".
//!
//! ```text
//! cargo run --release --example load_balancer                                      # everything, for some seconds
//! cargo run --release --example load_balancer -- broker tcp://127.0.0.1:5555 tcp://127.0.0.1:5556
//! cargo run --release --example load_balancer -- worker NAME tcp://127.0.0.1:5556 [milliseconds for each request]
//! cargo run --release --example load_balancer -- client NAME tcp://127.0.0.1:5555 [requests]
//! ```
//!
//! # Framing
//!
//! That of "lbbroker" in the zguide. Clients connect to the front: a REQ sends `[number]`, a DEALER `["", number]`
//! (or `[number]`; it is answered as it asked); the answer has one frame more, `[number, worker]`. The number is the
//! client's own, any octets, and lets it know which request was answered. Workers connect to the back:
//!
//! | a worker  | as a REQ sees it               | on the wire, for a DEALER          |
//! |-----------|--------------------------------|------------------------------------|
//! | says once | `["READY"]`                    | `["", "READY"]`                    |
//! | receives  | `[client, "", number]`         | `["", client, "", number]`         |
//! | replies   | `[client, "", number, worker]` | `["", client, "", number, worker]` |
//!
//! So this is a worker too, and `worker = ctx.socket(zmq.DEALER)` with another `b""` in front does as well:
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
//! A request whose worker dies, or is silent for two seconds, is given to another: it is never lost, but may be carried
//! out twice. A worker that outlives its broker must say READY to the next one; the workers here do.

pub(crate) mod broker;
pub(crate) mod client;
pub(crate) mod everything;
pub(crate) mod progress;
mod queue;
pub(crate) mod report;
pub(crate) mod worker;

use std::time::Duration;

/// What goes wrong here, on its way to whoever reads it.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => println!("{}", everything::run(3, client::Load::of(700), &everything::WORKERS).await?),
        ["broker", front, back] => broker::Broker::bind(front, back).await?.run().await?,
        ["worker", name, back] => worker::run(name, back, Duration::from_millis(5)).await?,
        ["worker", name, back, cost] => worker::run(name, back, Duration::from_millis(cost.parse()?)).await?,
        ["client", name, front] => println!("{}", client::alone(name, front, 1000).await?),
        ["client", name, front, requests] => println!("{}", client::alone(name, front, requests.parse()?).await?),
        _ => Err("the arguments are none, or broker FRONT BACK, worker NAME BACK [MS], client NAME FRONT [REQUESTS]")?,
    }
    Ok(())
}
