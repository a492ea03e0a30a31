//! A router with a mind of its own: many clients speak, one of them is answered.
//!
//! Counterpart of the tutorial's "커스텀 라우터 응용: 특정 사용자에게만 응답 보내기", which a REP cannot do: it does not
//! know who asked, and owes everybody a reply. Clients are known by the routing id they chose.
//!
//! ```text
//! cargo run --example custom_router                                       # all of them
//! cargo run --example custom_router -- server tcp://127.0.0.1:5555        # answers alice
//! cargo run --example custom_router -- alice tcp://127.0.0.1:5555         # any other name waits in vain
//! ```
//!
//! # Framing
//!
//! Clients send `["", content]`, as a REQ does and a DEALER may; they receive `["", answer]`. The router receives
//! `[id, "", content]`, which [`Envelope::parse`] splits into the ids before the delimiter and the content after it.
//! Messages without a delimiter are refused. In pyzmq a client's name is `socket.setsockopt(zmq.ROUTING_ID, b"alice")`.

use sansmq::tokio::{DealerSocket, RouterSocket};
use sansmq::{Endpoint, Envelope, Options};
use std::error::Error;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let role = arguments.next().unwrap_or_else(|| "all".into());
    let endpoint: Endpoint = arguments.next().unwrap_or_else(|| "tcp://127.0.0.1:5555".into()).parse()?;

    // With `mandatory` a send says that its client is gone; without it the answer would be dropped.
    let router = RouterSocket::with(Options::new().mandatory(true));
    match role.as_str() {
        "server" => {
            println!("ROUTER at {}", router.bind(endpoint).await?);
            loop {
                answer_only(&router, "alice", 1).await?;
            }
        }
        "all" => {
            let bound = router.bind(endpoint).await?;
            let (alice, bob) = (say("alice", &bound).await?, say("bob", &bound).await?);
            answer_only(&router, "alice", 2).await?;
            println!("alice is told: {}", alice.recv().await?.body().to_text());
            println!("bob is told: {:?}", bob.try_recv());
            Ok(())
        }
        name => {
            let answer = say(name, &endpoint).await?.recv().await?;
            println!("{name} is told: {}", answer.body().to_text());
            Ok(())
        }
    }
}

/// Hears so many messages, and then answers those of one client only. Gives back how many answers that were.
pub(crate) async fn answer_only(router: &RouterSocket, chosen: &str, messages: usize) -> Result<usize, Box<dyn Error>> {
    let mut chosen_ones = Vec::new();
    for _ in 0..messages {
        match Envelope::parse(router.recv().await?) {
            Ok((envelope, content)) => {
                println!("From {:?}: {}", envelope.ids(), content.body().to_text());
                if envelope.ids().first().is_some_and(|id| id == chosen) {
                    chosen_ones.push(envelope);
                }
            }
            Err(other) => eprintln!("Not [id, \"\", content]: {other:?}"),
        }
    }
    for envelope in &chosen_ones {
        match router.send(envelope.reply_to(format!("for {chosen} only"))).await {
            Ok(()) => println!("Answered {:?}", envelope.ids()),
            Err(error) => eprintln!("Cannot answer {:?}: {error}", envelope.ids()),
        }
    }
    Ok(chosen_ones.len())
}

/// A new client of that name, which has said something.
pub(crate) async fn say(name: &str, endpoint: &Endpoint) -> Result<DealerSocket, Box<dyn Error>> {
    let client = DealerSocket::with(Options::new().routing_id(name)?);
    client.connect(endpoint)?;
    client.send(("", format!("Hello, {name} here"))).await?;
    Ok(client)
}
