//! A DEALER that sends several requests without waiting, and then receives the replies in any order.
//!
//! Counterpart of the tutorial's "DEALER 클라이언트 예제 (비동기 클라이언트)". Its server is `router_server`, or the tutorial's own
//! ROUTER in Python:
//!
//! ```text
//! cargo run --example dealer_client -- tcp://127.0.0.1:5555           # ["", content]
//! cargo run --example dealer_client -- tcp://127.0.0.1:5555 bare      # [content]
//! ```
//!
//! # Framing
//!
//! The tutorial's ROUTER unpacks three frames: `[id, "", content]`. The ROUTER prepends the id. The client must send the empty
//! delimiter, because a DEALER sends exactly the frames of the message. So this client sends `["", content]`. With the argument
//! `bare` it sends messages of one frame, as the tutorial's DEALER does: the tutorial's ROUTER fails on them, `router_server`
//! accepts both. In a reply, with or without a delimiter, the content is the last frame.

use sansmq::Message;
use sansmq::tokio::DealerSocket;
use std::error::Error;

/// Format of the requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// `["", content]`, the format of a REQ.
    Delimited,
    /// `[content]`.
    Bare,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let endpoint = arguments.next().unwrap_or_else(|| "tcp://127.0.0.1:5555".into());
    let framing = if arguments.next().is_some_and(|word| word == "bare") { Framing::Bare } else { Framing::Delimited };

    let dealer = DealerSocket::new();
    dealer.connect(endpoint)?;
    send_and_receive(&dealer, framing, 5).await?;
    Ok(())
}

/// Sends all requests, then receives and returns all replies.
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
