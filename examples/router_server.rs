//! A ROUTER that serves many clients.
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
//! A ROUTER receives the frames of the client, after the client's routing id. The frames depend on the client:
//!
//! | client                                     | this side receives      | this side replies     |
//! |--------------------------------------------|-------------------------|-----------------------|
//! | REQ, or DEALER sending `["", content]`     | `[id, "", content]`     | `[id, "", "ACK"]`     |
//! | DEALER sending `[content]`, as the tutorial's | `[id, content]`      | `[id, "ACK"]`         |
//!
//! The tutorial's server unpacks three frames, but its DEALER sends one, which arrives as two: Python stops with "not enough
//! values to unpack". Only a REQ adds the empty delimiter; a DEALER does not. So this server accepts both formats, and replies to
//! each client in the format of its request: the tutorial's DEALER calls `recv()` once, and would print an empty delimiter.

use sansmq::tokio::RouterSocket;
use std::error::Error;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let endpoint = std::env::args().nth(1).unwrap_or_else(|| "tcp://127.0.0.1:5555".into());
    let router = RouterSocket::new();
    println!("ROUTER at {}", router.bind(endpoint).await?);
    serve(&router, usize::MAX).await
}

/// Acknowledges `requests` requests.
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
