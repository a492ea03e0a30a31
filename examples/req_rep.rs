//! Traditional REQ and REP, and what they cannot do.
//!
//! Counterpart of the tutorial's "REQ-REP의 한계". Two limits: each side must send and receive strictly in turn, and a REP
//! serves one peer at a time. Neither hangs nor corrupts anything here: a call that is out of turn is an error which says
//! what to do instead.
//!
//! ```text
//! cargo run --example req_rep                                     # both sides, and their limits
//! cargo run --example req_rep -- server tcp://127.0.0.1:5555
//! cargo run --example req_rep -- client tcp://127.0.0.1:5555
//! ```
//!
//! # Framing
//!
//! REQ and REP write and remove the empty delimiter themselves: both sides see `[content]`. On the wire it is
//! `["", content]`, which is what a ROUTER or a DEALER at the other end has to expect.

use sansmq::tokio::{RepSocket, ReqSocket};
use sansmq::{Endpoint, RecvError, SendError};
use std::error::Error;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
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
        other => Err(format!("`{other}` is none of server, client, both").into()),
    }
}

/// Replies to so many requests.
pub(crate) async fn serve(rep: &RepSocket, requests: usize) -> Result<(), Box<dyn Error>> {
    for _ in 0..requests {
        let request = rep.recv().await?;
        rep.send(format!("{}, to you too", request.body().to_text())).await?;
    }
    Ok(())
}

/// Makes so many requests, one after the other, and gives the replies back.
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

/// The first limit: send, receive, send, receive. Gives back the errors of a REQ that breaks it.
pub(crate) async fn strict_alternation(
    req: &ReqSocket,
    rep: &RepSocket,
) -> Result<(RecvError, SendError), Box<dyn Error>> {
    let early = req.recv().await.err().ok_or("a REQ received without having asked")?;
    println!("A REQ that receives first: {early}");
    req.send("one").await?;
    let second = req.send("two").await.err().ok_or("a REQ sent twice")?;
    println!("A REQ that sends twice: {second}");
    tokio::try_join!(serve(rep, 1), async { Ok(req.recv().await?) })?; // both are in turn again
    Ok((early, second))
}

/// The second limit: a REP that has taken a request takes no other before it has replied.
pub(crate) async fn one_at_a_time(rep: &RepSocket, bound: &Endpoint) -> Result<(), Box<dyn Error>> {
    let (first, second) = (ReqSocket::new(), ReqSocket::new());
    for req in [&first, &second] {
        req.connect(bound)?;
        req.send("Hello").await?;
    }
    rep.recv().await?;
    let busy = rep.recv().await.err().ok_or("a REP took two requests at once")?;
    println!("A REP that takes two requests: {busy}");
    rep.send("the first").await?;
    rep.recv().await?;
    rep.send("the second").await?;
    tokio::try_join!(first.recv(), second.recv())?;
    Ok(())
}
