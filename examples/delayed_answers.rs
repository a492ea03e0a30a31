//! A ROUTER that replies out of order: a slow request does not delay a quick one.
//!
//! Counterpart of the section "예: 여러 요청 처리 후 순서 없이 응답" in a Korean ZeroMQ tutorial for Python. In the
//! tutorial, `time.sleep(2)` blocks the whole server, so its replies arrive in order, two seconds apart. Here each
//! request is handled by its own task.
//!
//! ```text
//! cargo run --example delayed_answers                                   # both sides
//! cargo run --example delayed_answers -- server tcp://127.0.0.1:5555
//! cargo run --example delayed_answers -- client tcp://127.0.0.1:5555
//! ```
//!
//! # Framing
//!
//! Because the replies may arrive in any order, each request contains a number, and its reply contains the same number.
//! The number is the frame after the delimiter:
//!
//! | side   | sends                          | receives                         |
//! |--------|--------------------------------|----------------------------------|
//! | DEALER | `["", number, milliseconds]`   | `["", number, text]`             |
//! | ROUTER | `[id, "", number, text]`       | `[id, "", number, milliseconds]` |

use sansmq::Context;
use sansmq::tokio::{DealerSocket, RouterSocket};
use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;
use tokio::task::JoinSet;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let outcome = start().await;
    // Sends the messages that are still queued, before the runtime ends with `main`.
    Context::global().close(Duration::from_secs(10)).await;
    outcome
}

async fn start() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let role = arguments.next().unwrap_or_else(|| "both".into());
    let endpoint = arguments.next().unwrap_or_else(|| "tcp://127.0.0.1:5555".into());
    let delays = [500, 100, 400, 50, 300];

    let (router, dealer) = (RouterSocket::new(), DealerSocket::new());
    match role.as_str() {
        "server" => {
            println!("ROUTER at {}", router.bind(endpoint).await?);
            serve(&router, usize::MAX).await
        }
        "client" => {
            dealer.connect(endpoint)?;
            ask(&dealer, &delays).await.map(drop)
        }
        "both" => {
            dealer.connect(router.bind(endpoint).await?)?;
            tokio::try_join!(serve(&router, delays.len()), ask(&dealer, &delays)).map(drop)
        }
        other => Err(format!("unknown role `{other}`; use server, client or both").into()),
    }
}

/// Receives `requests` requests, and replies to each after the delay that the request contains. A delay does not affect
/// other requests.
pub(crate) async fn serve(router: &RouterSocket, requests: usize) -> Result<(), Box<dyn Error>> {
    let mut tasks = JoinSet::new();
    for _ in 0..requests {
        let Ok([client_id, empty, number, delay]) = router.recv().await?.into_array() else {
            eprintln!("Not [id, \"\", number, milliseconds]");
            continue;
        };
        let delay = Duration::from_millis(delay.to_text().parse().unwrap_or(0));
        println!("Received from {client_id:?}: request {} for {delay:?}", number.to_text());

        let router = router.clone();
        tasks.spawn(async move {
            tokio::time::sleep(delay).await;
            router.send((client_id, empty, number, format!("Response after {delay:?}"))).await
        });
        // Removes finished tasks, so that the set does not grow.
        while tasks.try_join_next().transpose()?.transpose()?.is_some() {}
    }
    while tasks.join_next().await.transpose()?.transpose()?.is_some() {}
    Ok(())
}

/// Sends one request for each element of `delays`, the time in milliseconds after which the ROUTER must reply. The
/// requests are numbered from 1. Returns the request numbers in the order in which the replies arrive.
pub(crate) async fn ask(dealer: &DealerSocket, delays: &[u64]) -> Result<Vec<u64>, Box<dyn Error>> {
    let mut pending = BTreeMap::new();
    for (number, delay) in (1_u64..).zip(delays) {
        dealer.send(("", number.to_string(), delay.to_string())).await?;
        pending.insert(number, delay);
    }
    let mut order = Vec::new();
    while !pending.is_empty() {
        let [_, number, text] =
            dealer.recv().await?.into_array().map_err(|error| format!("not [\"\", number, text]: {error}"))?;
        let number = number.to_text().parse()?;
        let delay = pending.remove(&number).ok_or_else(|| format!("a reply to {number}, which is not pending"))?;
        println!("Request {number} for {delay} ms: {}", text.to_text());
        order.push(number);
    }
    Ok(order)
}
