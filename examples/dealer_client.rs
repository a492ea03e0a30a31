//! A DEALER that sends several requests without waiting, and then receives the replies in any order.
//!
//! Counterpart of the section "DEALER 클라이언트 예제 (비동기 클라이언트)" in a Korean ZeroMQ tutorial for Python. The
//! server is either the example `router_server` or the ROUTER of the tutorial:
//!
//! ```text
//! cargo run --example dealer_client -- tcp://127.0.0.1:5555           # ["", content]
//! cargo run --example dealer_client -- tcp://127.0.0.1:5555 bare      # [content]
//! ```
//!
//! # Framing
//!
//! The ROUTER of the tutorial expects messages of exactly three frames: `[id, "", content]`. The ROUTER socket prepends
//! the routing id of the client. The client must send the empty delimiter itself, because a DEALER sends the frames of
//! a message unchanged. So this client sends `["", content]`.
//!
//! With the argument `bare`, this client sends messages of one frame, as the DEALER of the tutorial does. The ROUTER of
//! the tutorial fails on such a message; `router_server` accepts both formats. In a reply, with or without a delimiter,
//! the content is the last frame.

use sansmq::tokio::DealerSocket;
use sansmq::{Context, Message};
use std::error::Error;
use std::time::Duration;

/// Format of the requests that the client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Two frames, `["", content]`, the format of a REQ.
    Delimited,
    /// One frame, `[content]`, without a delimiter.
    Bare,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let outcome = start().await;
    // Sends the messages that are still queued, before the runtime ends with `main`.
    Context::global().close(Duration::from_secs(10)).await;
    outcome
}

async fn start() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let endpoint = arguments.next().unwrap_or_else(|| "tcp://127.0.0.1:5555".into());
    let framing = if arguments.next().is_some_and(|word| word == "bare") { Framing::Bare } else { Framing::Delimited };

    let dealer = DealerSocket::new();
    dealer.connect(endpoint)?;
    send_and_receive(&dealer, framing, 5).await?;
    Ok(())
}

/// Sends `requests` requests without waiting for replies. Then receives all replies, and returns their contents.
pub(crate) async fn send_and_receive(
    dealer: &DealerSocket,
    framing: Framing,
    requests: usize,
) -> Result<Vec<String>, Box<dyn Error>> {
    for number in 1..=requests {
        let content = format!("Hello ROUTER, for the {number}. time");
        println!("Sent: {content}");
        let request = match framing {
            Framing::Delimited => Message::from(("", content)),
            Framing::Bare => Message::from(content),
        };
        dealer.send(request).await?;
    }
    let mut replies = Vec::new();
    while replies.len() < requests {
        let reply = dealer.recv().await?.body().to_text().into_owned();
        println!("Reply: {reply}");
        replies.push(reply);
    }
    Ok(replies)
}
