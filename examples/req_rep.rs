//! REQ and REP, and their limits.
//!
//! Counterpart of the section "REQ-REP의 한계" in a Korean ZeroMQ tutorial for Python. There are two limits: each side
//! must send and receive alternately, and a REP serves one request at a time. A call in the wrong order returns an error
//! at once and changes nothing. The error names the socket or option to use instead.
//!
//! ```text
//! cargo run --example req_rep                                     # both sides, and their limits
//! cargo run --example req_rep -- server tcp://127.0.0.1:5555
//! cargo run --example req_rep -- client tcp://127.0.0.1:5555
//! ```
//!
//! # Framing
//!
//! REQ and REP add and remove the empty delimiter, so both applications see `[content]`. On the wire the message is
//! `["", content]`. A ROUTER or a DEALER at the other end must use this format.

use sansmq::tokio::{RepSocket, ReqSocket};
use sansmq::{Context, Endpoint, RecvError, SendError};
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

    let (rep, req) = (RepSocket::new(), ReqSocket::new());
    match role.as_str() {
        "server" => {
            println!("REP at {}", rep.bind(endpoint).await?);
            serve(&rep, usize::MAX).await
        }
        "client" => {
            req.connect(endpoint)?;
            ask(&req, 3).await.map(drop)
        }
        "both" => {
            let bound = rep.bind(endpoint).await?;
            req.connect(&bound)?;
            tokio::try_join!(serve(&rep, 3), ask(&req, 3))?;
            strict_alternation(&req, &rep).await?;
            one_at_a_time(&rep, &bound).await
        }
        other => Err(format!("unknown role `{other}`; use server, client or both").into()),
    }
}

/// Replies to `requests` requests.
pub(crate) async fn serve(rep: &RepSocket, requests: usize) -> Result<(), Box<dyn Error>> {
    for _ in 0..requests {
        let request = rep.recv().await?;
        rep.send(format!("{}, to you too", request.body().to_text())).await?;
    }
    Ok(())
}

/// Sends `requests` requests, one after the other, and returns the replies.
pub(crate) async fn ask(req: &ReqSocket, requests: usize) -> Result<Vec<String>, Box<dyn Error>> {
    let mut replies = Vec::new();
    for number in 1..=requests {
        req.send(format!("Hello {number}")).await?;
        let reply = req.recv().await?.body().to_text().into_owned();
        println!("Reply: {reply}");
        replies.push(reply);
    }
    Ok(replies)
}

/// Shows that a REQ must send and receive alternately. Returns two errors: that of a receive before the first send, and
/// that of a second send before the reply is received.
pub(crate) async fn strict_alternation(
    req: &ReqSocket,
    rep: &RepSocket,
) -> Result<(RecvError, SendError), Box<dyn Error>> {
    let early = req.recv().await.err().ok_or("a REQ received without a request")?;
    println!("A REQ that receives first: {early}");
    req.send("one").await?;
    let second = req.send("two").await.err().ok_or("a REQ sent twice")?;
    println!("A REQ that sends twice: {second}");
    tokio::try_join!(serve(rep, 1), async { Ok(req.recv().await?) })?; // completes the exchange
    Ok((early, second))
}

/// Shows that a REP serves one request at a time: it receives no further request before it has replied.
pub(crate) async fn one_at_a_time(rep: &RepSocket, bound: &Endpoint) -> Result<(), Box<dyn Error>> {
    let (first, second) = (ReqSocket::new(), ReqSocket::new());
    for req in [&first, &second] {
        req.connect(bound)?;
        req.send("Hello").await?;
    }
    rep.recv().await?;
    let busy = rep.recv().await.err().ok_or("a REP received two requests at once")?;
    println!("A REP that receives twice: {busy}");
    rep.send("the first").await?;
    rep.recv().await?;
    rep.send("the second").await?;
    tokio::try_join!(first.recv(), second.recv())?;
    Ok(())
}
