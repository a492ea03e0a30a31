//! A router that sends what one client says on to *another* client, as a table tells it.
//!
//! Counterpart of the tutorial's "커스텀 라우터 응용: 응답을 라우팅 테이블에 따라 다른 클라이언트에게 보내기".
//!
//! ```text
//! cargo run --example routing_table                                            # all of them
//! cargo run --example routing_table -- server tcp://127.0.0.1:5555
//! cargo run --example routing_table -- display tcp://127.0.0.1:5555            # waits for what the sensor says
//! cargo run --example routing_table -- sensor tcp://127.0.0.1:5555 "21.5 °C"
//! ```
//!
//! # Framing
//!
//! Clients choose their routing ids, send `["", content]`, and receive `["", text]`. Each says HELLO first and is told
//! WELCOME: from then on the router knows it and can reach it. The router receives `[id, "", content]`; to send it on it
//! takes the id off the [`Envelope`] and puts another one on.

use sansmq::tokio::{DealerSocket, RouterSocket};
use sansmq::{Endpoint, Envelope, Frame, Options, SendError};
use std::collections::BTreeMap;
use std::error::Error;

/// Whose messages go to whom.
pub(crate) type Table = BTreeMap<Frame, Frame>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let role = arguments.next().unwrap_or_else(|| "all".into());
    let endpoint: Endpoint = arguments.next().unwrap_or_else(|| "tcp://127.0.0.1:5555".into()).parse()?;
    let reading = arguments.next().unwrap_or_else(|| "21.5 °C".into());

    // Without `mandatory` a message for a client that is not there would be dropped.
    let router = RouterSocket::with(Options::new().mandatory(true));
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
            let client = join(name, &endpoint).await?;
            if name == "display" {
                println!("display is told: {}", client.recv().await?.body().to_text());
            } else {
                client.send(("", reading)).await?;
                client.close().await; // waits until it is sent
            }
            Ok(())
        }
    }
}

/// Routes so many messages. What has no way is answered to its sender.
pub(crate) async fn route(router: &RouterSocket, table: &Table, messages: usize) -> Result<(), Box<dyn Error>> {
    for _ in 0..messages {
        let Ok((mut envelope, content)) = Envelope::parse(router.recv().await?) else {
            eprintln!("A message is [id, \"\", content]");
            continue;
        };
        let Some(from) = envelope.pop() else { continue };
        println!("{from:?} says {content:?}");
        let back = envelope.clone().push(&from);
        let outcome = match table.get(&from) {
            _ if content.body() == "HELLO" => router.send(back.reply_to("WELCOME")).await,
            Some(to) => router.send(envelope.push(to).seal(content)).await,
            None => router.send(back.reply_to("the table has no way for you")).await,
        };
        match outcome {
            // If the sender is gone too, nobody wants to know.
            Err(SendError::Unroutable(_)) => drop(router.send(back.seal("nobody is there")).await),
            other => other?,
        }
    }
    Ok(())
}

/// A new client of that name, which the router knows.
pub(crate) async fn join(name: &str, endpoint: &Endpoint) -> Result<DealerSocket, Box<dyn Error>> {
    let client = DealerSocket::with(Options::new().routing_id(name)?);
    client.connect(endpoint)?;
    client.send(("", "HELLO")).await?;
    println!("{name} is told: {}", client.recv().await?.body().to_text());
    Ok(client)
}

/// Has a sensor say something, and gives back what a display hears.
pub(crate) async fn show_one_reading(endpoint: &Endpoint, reading: &str) -> Result<String, Box<dyn Error>> {
    let display = join("display", endpoint).await?;
    let sensor = join("sensor", endpoint).await?;
    sensor.send(("", reading)).await?;
    let shown = display.recv().await?.body().to_text().into_owned();
    println!("display is told: {shown}");
    Ok(shown)
}
