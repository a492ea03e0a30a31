//! A ROUTER with its own routing rule: it receives from many clients and replies to one of them.
//!
//! Counterpart of the section "커스텀 라우터 응용: 특정 사용자에게만 응답 보내기" in a Korean ZeroMQ tutorial for
//! Python. A REP cannot do this: it does not know the routing id of the sender, and it must reply to every request.
//! Here each client sets its own routing id.
//!
//! ```text
//! cargo run --example custom_router                                       # all roles in one process
//! cargo run --example custom_router -- server tcp://127.0.0.1:5555        # replies to alice
//! cargo run --example custom_router -- alice tcp://127.0.0.1:5555         # with any other name: no reply
//! ```
//!
//! # Framing
//!
//! Clients send `["", content]`: a REQ adds the empty delimiter itself, a DEALER must send it. Clients receive
//! `["", answer]`. The router receives `[id, "", content]`. [`Envelope::parse`] splits this message into the routing
//! ids before the delimiter and the content after it. Messages without a delimiter are rejected.
//!
//! A client in Python sets its routing id, which is its name in this example, with pyzmq:
//!
//! ```python
//! socket.setsockopt(zmq.ROUTING_ID, b"alice")
//! ```

use sansmq::tokio::{DealerSocket, RouterSocket};
use sansmq::{Context, Endpoint, Envelope, Options};
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
    let role = arguments.next().unwrap_or_else(|| "all".into());
    let endpoint: Endpoint = arguments.next().unwrap_or_else(|| "tcp://127.0.0.1:5555".into()).parse()?;

    // With `mandatory`, `send` returns an error for a disconnected client; without it, `send` drops the reply.
    let router = RouterSocket::with_options(Options::new().mandatory(true));
    match role.as_str() {
        "server" => {
            println!("ROUTER at {}", router.bind(endpoint).await?);
            loop {
                answer_only(&router, "alice", 1).await?;
            }
        }
        "all" => {
            let bound = router.bind(endpoint).await?;
            let (alice, bob) = (connect_client("alice", &bound).await?, connect_client("bob", &bound).await?);
            answer_only(&router, "alice", 2).await?;
            println!("alice received: {}", alice.recv().await?.body().to_text());
            println!("bob received: {:?}", bob.try_recv());
            Ok(())
        }
        name => {
            let reply = connect_client(name, &endpoint).await?.recv().await?;
            println!("{name} received: {}", reply.body().to_text());
            Ok(())
        }
    }
}

/// Receives `messages` messages. Then replies only to those that the client with the routing id `chosen` has sent, and
/// returns their number.
pub(crate) async fn answer_only(router: &RouterSocket, chosen: &str, messages: usize) -> Result<usize, Box<dyn Error>> {
    let mut envelopes = Vec::new();
    for _ in 0..messages {
        match Envelope::parse(router.recv().await?) {
            Ok((envelope, content)) => {
                println!("From {:?}: {}", envelope.ids(), content.body().to_text());
                if envelope.ids().first().is_some_and(|id| id == chosen) {
                    envelopes.push(envelope);
                }
            }
            Err(other) => eprintln!("Not [id, \"\", content]: {other:?}"),
        }
    }
    for envelope in &envelopes {
        match router.send(envelope.reply_to(format!("for {chosen} only"))).await {
            Ok(()) => println!("Replied to {:?}", envelope.ids()),
            Err(error) => eprintln!("Cannot reply to {:?}: {error}", envelope.ids()),
        }
    }
    Ok(envelopes.len())
}

/// Connects a DEALER with the routing id `name` to `endpoint`, and sends one message. Returns the DEALER.
pub(crate) async fn connect_client(name: &str, endpoint: &Endpoint) -> Result<DealerSocket, Box<dyn Error>> {
    let client = DealerSocket::with_options(Options::new().routing_id(name)?);
    client.connect(endpoint)?;
    client.send(("", format!("Hello, {name} here"))).await?;
    Ok(client)
}
