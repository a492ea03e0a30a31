//! Strawhouse: the server checks the addresses of clients only.
//!
//! This prevents connections by mistake, not attacks: addresses can be forged, and traffic is not encrypted.
//!
//! ```text
//! cargo run --example security_2_strawhouse
//! ```

use sansmq::tokio::{PullSocket, PushSocket};
use sansmq::{AllowList, ConnectionError, Context, Event, Options};
use std::error::Error;
use std::net::IpAddr;
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("Strawhouse: {}", hello("127.0.0.1".parse()?).await?);
    println!("Strawhouse, unknown address: {}", refusal("192.0.2.1".parse()?).await?);
    // Sends the messages that are still queued, before the runtime ends with `main`.
    Context::global().close(Duration::from_secs(10)).await;
    Ok(())
}

/// Creates a server that accepts clients only from the address `known`. The ZAP domain makes authentication mandatory:
/// without an authenticator, the server would reject every client.
fn server(known: IpAddr) -> Result<PushSocket, Box<dyn Error>> {
    Ok(PushSocket::with_options(Options::new().zap_domain("global")?.authenticator(AllowList::new().allow(known))))
}

/// Connects a client from 127.0.0.1 to a server that accepts only the address `known`. Returns the message that the
/// client receives.
pub(crate) async fn hello(known: IpAddr) -> Result<String, Box<dyn Error>> {
    let (server, client) = (server(known)?, PullSocket::new());
    client.connect(server.bind("tcp://127.0.0.1:*").await?)?;
    server.send("Hello").await?;
    Ok(client.recv().await?.body().to_text().into_owned())
}

/// Connects a client from 127.0.0.1 to a server that accepts only the address `known`. Returns the reason why the
/// client is rejected.
pub(crate) async fn refusal(known: IpAddr) -> Result<ConnectionError, Box<dyn Error>> {
    let (server, client) = (server(known)?, PullSocket::new());
    let mut monitor = client.monitor();
    client.connect(server.bind("tcp://127.0.0.1:*").await?)?;
    let refused = monitor.find(|event| match event {
        Event::HandshakeFailed { reason, .. } => Some(reason),
        _ => None,
    });
    Ok(refused.await.ok_or("the client is closed")?)
}
