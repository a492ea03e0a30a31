//! A ROUTER that serves many clients.
//!
//! Counterpart of the section "ROUTER 서버 예제 (멀티 클라이언트 라우팅)" in a Korean ZeroMQ tutorial for Python. Run
//! this server, and then any number of `dealer_client`s, or the DEALER of the tutorial:
//!
//! ```text
//! cargo run --example router_server -- tcp://127.0.0.1:5555
//! ```
//!
//! # Framing
//!
//! A ROUTER receives the routing id of the client and then the frames that the client has sent. These frames depend on
//! the client:
//!
//! | client                                              | this side receives      | this side replies     |
//! |-----------------------------------------------------|-------------------------|-----------------------|
//! | REQ, or DEALER that sends `["", content]`           | `[id, "", content]`     | `[id, "", "ACK"]`     |
//! | DEALER that sends `[content]`, as in the tutorial   | `[id, content]`         | `[id, "ACK"]`         |
//!
//! The server of the tutorial expects three frames, but receives only two, `[id, content]`, from the DEALER of the
//! tutorial: a REQ adds the empty delimiter, a DEALER does not. Python then stops with "not enough values to unpack".
//! So the server of this example accepts both formats, and replies to each client in the format of its request. A reply
//! to the DEALER of the tutorial must not begin with a delimiter: the tutorial calls `recv()` once for each reply,
//! which returns only the first frame, and would print the empty delimiter instead of the content.

use sansmq::Context;
use sansmq::tokio::RouterSocket;
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
    let endpoint = std::env::args().nth(1).unwrap_or_else(|| "tcp://127.0.0.1:5555".into());
    let router = RouterSocket::new();
    println!("ROUTER at {}", router.bind(endpoint).await?);
    serve(&router, usize::MAX).await
}

/// Receives `requests` messages. Replies `ACK` to each message with the format `[id, "", content]` or `[id, content]`,
/// and to no other message.
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
