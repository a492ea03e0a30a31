//! Strawhouse: the server looks at addresses, and at nothing else.
//!
//! It keeps strangers out by mistake, not by intent: addresses can be forged, and what travels is in clear.
//!
//! ```text
//! cargo run --example security_2_strawhouse
//! ```

use sansmq::tokio::{PullSocket, PushSocket};
use sansmq::{AllowList, ConnectionError, Event, Options};
use std::error::Error;
use std::net::IpAddr;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("Strawhouse: {}", hello("127.0.0.1".parse()?).await?);
    println!("Strawhouse, of a stranger: {}", refusal("192.0.2.1".parse()?).await?);
    Ok(())
}

/// A server that knows one address only. By NULL somebody is asked if there is a domain.
fn server(known: IpAddr) -> Result<PushSocket, Box<dyn Error>> {
    Ok(PushSocket::with(Options::new().zap_domain("global")?.authenticator(AllowList::new().allow(known))))
}

/// What the client hears if it comes from there.
pub(crate) async fn hello(known: IpAddr) -> Result<String, Box<dyn Error>> {
    let (server, client) = (server(known)?, PullSocket::new());
    client.connect(server.bind("tcp://127.0.0.1:*").await?)?;
    server.send("Hello").await?;
    Ok(client.recv().await?.body().to_text().into_owned())
}

/// Why it is refused if it does not.
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
