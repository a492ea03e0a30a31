//! A message of two frames: metadata and body.
//!
//! Counterpart of the section "Multipart 메시지 활용" in a Korean ZeroMQ tutorial for Python. A message arrives
//! complete or not at all, so a receiver that has the first frame also has the second. The frames may contain any
//! bytes; nothing needs to be escaped.
//!
//! ```text
//! cargo run --example meta_and_body                                     # both sides
//! cargo run --example meta_and_body -- server tcp://127.0.0.1:5555
//! cargo run --example meta_and_body -- client tcp://127.0.0.1:5555
//! ```
//!
//! # Framing
//!
//! The tutorial receives with `meta, body = recv_multipart()`, which is right for a DEALER or a PAIR. A ROUTER receives
//! one more frame, the routing id. There is no empty delimiter here: only REQ and REP need one.
//!
//! | side   | sends              | receives           |
//! |--------|--------------------|--------------------|
//! | DEALER | `[meta, body]`     | `[meta, body]`     |
//! | ROUTER | `[id, meta, body]` | `[id, meta, body]` |

use sansmq::Context;
use sansmq::tokio::{DealerSocket, RouterSocket};
use std::error::Error;
use std::time::Duration;

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

    let (router, dealer) = (RouterSocket::new(), DealerSocket::new());
    match role.as_str() {
        "server" => {
            println!("ROUTER at {}", router.bind(endpoint).await?);
            serve(&router, usize::MAX).await
        }
        "client" => {
            dealer.connect(endpoint)?;
            ask(&dealer, 1234).await.map(drop)
        }
        "both" => {
            dealer.connect(router.bind(endpoint).await?)?;
            tokio::try_join!(serve(&router, 1), ask(&dealer, 1234)).map(drop)
        }
        other => Err(format!("unknown role `{other}`; use server, client or both").into()),
    }
}

/// Receives `messages` messages. Replies to each with its metadata, unchanged, and with its body in capital letters.
pub(crate) async fn serve(router: &RouterSocket, messages: usize) -> Result<(), Box<dyn Error>> {
    for _ in 0..messages {
        match router.recv().await?.into_array() {
            Ok([client_id, meta, body]) => {
                println!("Meta: {}\nBody: {}", meta.to_text(), body.to_text());
                router.send((client_id, meta, body.to_text().to_uppercase())).await?;
            }
            Err(error) => eprintln!("Not [id, meta, body]: {error}"),
        }
    }
    Ok(())
}

/// Sends a text as the body, with metadata that contains `user`. Returns the metadata and the body of the reply.
pub(crate) async fn ask(dealer: &DealerSocket, user: u32) -> Result<(String, String), Box<dyn Error>> {
    dealer.send((format!("META:userid={user}"), "Hello World")).await?;
    let reply = dealer.recv().await?;
    let [meta, body] = reply.into_array().map_err(|error| format!("not [meta, body]: {error}"))?;
    println!("Meta: {}\nBody: {}", meta.to_text(), body.to_text());
    Ok((meta.to_text().into_owned(), body.to_text().into_owned()))
}
