//! A ROUTER that forwards messages of one client to *another* client, according to a table.
//!
//! Counterpart of the section "커스텀 라우터 응용: 응답을 라우팅 테이블에 따라 다른 클라이언트에게 보내기" in a Korean
//! ZeroMQ tutorial for Python.
//!
//! ```text
//! cargo run --example routing_table                                            # all roles in one process
//! cargo run --example routing_table -- server tcp://127.0.0.1:5555
//! cargo run --example routing_table -- display tcp://127.0.0.1:5555            # waits for a reading of the sensor
//! cargo run --example routing_table -- sensor tcp://127.0.0.1:5555 "21.5 °C"
//! ```
//!
//! # Framing
//!
//! Clients set their routing ids, send `["", content]`, and receive `["", text]`. Each client first sends HELLO and receives
//! WELCOME: from then on the ROUTER can send to it. The ROUTER receives `[id, "", content]`. To forward a message, it replaces the
//! id in the [`Envelope`].

use sansmq::tokio::{DealerSocket, RouterSocket};
use sansmq::{Context, Endpoint, Envelope, Frame, Options, SendError};
use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

/// Routing table. Each key is the routing id of a sender, and its value is the routing id of the client that receives
/// the messages of this sender.
pub(crate) type Table = BTreeMap<Frame, Frame>;

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
    let reading = arguments.next().unwrap_or_else(|| "21.5 °C".into());

    // Without `mandatory`, `send` drops a message to a client that is not connected.
    let router = RouterSocket::with_options(Options::new().mandatory(true));
    let table = Table::from([(Frame::from("sensor"), Frame::from("display"))]);
    match role.as_str() {
        "server" => {
            println!("ROUTER at {}", router.bind(endpoint).await?);
            route(&router, &table, usize::MAX).await
        }
        "all" => {
            let bound = router.bind(endpoint).await?;
            tokio::try_join!(route(&router, &table, 3), show_one_reading(&bound, &reading)).map(drop)
        }
        name => {
            let client = register(name, &endpoint).await?;
            if name == "display" {
                println!("display received: {}", client.recv().await?.body().to_text());
            } else {
                client.send(("", reading)).await?;
                client.close().await; // waits until the message is sent
            }
            Ok(())
        }
    }
}

/// Receives `messages` messages, and forwards each to the client that the table names. Replies WELCOME to HELLO. If a
/// message cannot be forwarded, replies to its sender with the reason.
pub(crate) async fn route(router: &RouterSocket, table: &Table, messages: usize) -> Result<(), Box<dyn Error>> {
    for _ in 0..messages {
        let Ok((mut envelope, content)) = Envelope::parse(router.recv().await?) else {
            eprintln!("Not [id, \"\", content]");
            continue;
        };
        let Some(from) = envelope.pop() else { continue };
        println!("from {from:?}: {content:?}");
        let back = envelope.clone().push(&from);
        let result = match table.get(&from) {
            _ if content.body() == "HELLO" => router.send(back.reply_to("WELCOME")).await,
            Some(to) => router.send(envelope.push(to).seal(content)).await,
            None => router.send(back.reply_to("no route")).await,
        };
        match result {
            // Ignores the error if the sender is gone too.
            Err(SendError::Unroutable(_)) => drop(router.send(back.seal("peer not connected")).await),
            other => other?,
        }
    }
    Ok(())
}

/// Creates a client with the routing id `name`, sends HELLO to the ROUTER, and waits for WELCOME.
pub(crate) async fn register(name: &str, endpoint: &Endpoint) -> Result<DealerSocket, Box<dyn Error>> {
    let client = DealerSocket::with_options(Options::new().routing_id(name)?);
    client.connect(endpoint)?;
    client.send(("", "HELLO")).await?;
    println!("{name} received: {}", client.recv().await?.body().to_text());
    Ok(client)
}

/// Connects a display and a sensor, and sends `reading` from the sensor. Returns the reading that the display receives.
pub(crate) async fn show_one_reading(endpoint: &Endpoint, reading: &str) -> Result<String, Box<dyn Error>> {
    let display = register("display", endpoint).await?;
    let sensor = register("sensor", endpoint).await?;
    sensor.send(("", reading)).await?;
    let shown = display.recv().await?.body().to_text().into_owned();
    println!("display received: {shown}");
    Ok(shown)
}
