//! A DEALER that sends several requests without waiting, and receives the answers as they come.
//!
//! Counterpart of the tutorial's "DEALER 클라이언트 예제 (비동기 클라이언트)". It speaks with `router_server`, or with the
//! tutorial's own ROUTER in Python:
//!
//! ```text
//! cargo run --example dealer_client -- tcp://127.0.0.1:5555           # ["", content]
//! cargo run --example dealer_client -- tcp://127.0.0.1:5555 bare      # [content]
//! ```
//!
//! # Framing
//!
//! The tutorial's ROUTER unpacks three frames: `[id, "", content]`. The id is put there by the ROUTER; the empty
//! delimiter must come from us, for a DEALER sends exactly what it is given. So this client sends `["", content]`, unless
//! it is told to send `bare` messages of one frame, as the tutorial's DEALER does (its ROUTER fails on them, this
//! repository's `router_server` takes both). In an answer, with or without a delimiter, the content is the last frame.

use sansmq::Message;
use sansmq::tokio::DealerSocket;
use std::error::Error;

/// What this client puts before the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// `["", content]`, as a REQ sends it.
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
    talk(&dealer, framing, 5).await?;
    Ok(())
}

/// Sends so many requests, and only then receives as many answers, which it gives back.
pub(crate) async fn talk(
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
    let mut answers = Vec::new();
    while answers.len() < requests {
        let answer = dealer.recv().await?.body().to_text().into_owned();
        println!("Reply: {answer}");
        answers.push(answer);
    }
    Ok(answers)
}
