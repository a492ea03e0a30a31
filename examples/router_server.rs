//! A ROUTER that serves many clients at once.
//!
//! Counterpart of the tutorial's "ROUTER 서버 예제 (멀티 클라이언트 라우팅)". Run it, then any number of `dealer_client`s,
//! or the tutorial's own DEALER in Python:
//!
//! ```text
//! cargo run --example router_server -- tcp://127.0.0.1:5555
//! ```
//!
//! # Framing
//!
//! A ROUTER receives what the client sent, with the client's routing id in front. What the client sent depends on it:
//!
//! | client                                     | this side receives      | this side answers     |
//! |--------------------------------------------|-------------------------|-----------------------|
//! | REQ, or DEALER sending `["", content]`     | `[id, "", content]`     | `[id, "", "ACK"]`     |
//! | DEALER sending `[content]`, as the tutorial's | `[id, content]`      | `[id, "ACK"]`         |
//!
//! The tutorial's server unpacks three frames, while its DEALER sends one, which arrives as two: Python stops with
//! "not enough values to unpack". Nothing adds the empty delimiter for a DEALER; only a REQ does that by itself. So this
//! server takes both, and answers each client in the client's own framing: the tutorial's DEALER calls `recv()` once,
//! and would print the empty delimiter if it were sent one.

use sansmq::tokio::RouterSocket;
use std::error::Error;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let endpoint = std::env::args().nth(1).unwrap_or_else(|| "tcp://127.0.0.1:5555".into());
    let router = RouterSocket::new();
    println!("ROUTER at {}", router.bind(endpoint).await?);
    serve(&router, usize::MAX).await
}

/// Acknowledges so many requests.
pub(crate) async fn serve(router: &RouterSocket, requests: usize) -> Result<(), Box<dyn Error>> {
    for _ in 0..requests {
        match router.recv().await?.into_frames().as_slice() {
            [client_id, empty, content] if empty.is_empty() => {
                println!("From {client_id:?}: {}", content.to_text());
                router.send((client_id, "", "ACK")).await?;
            }
            [client_id, content] => {
                println!("From {client_id:?}: {} (without a delimiter)", content.to_text());
                router.send((client_id, "ACK")).await?;
            }
            other => eprintln!("Neither [id, \"\", content] nor [id, content]: {other:?}"),
        }
    }
    Ok(())
}
