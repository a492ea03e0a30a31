//! Stonehouse: what travels is encrypted, and clients know that they speak with the right server, by the CURVE mechanism.
//!
//! The server admits any key, and says so by [`Event::NoAuthenticator`].
//!
//! ```text
//! cargo run --example security_4_stonehouse --features curve
//! ```

use sansmq::curve::{KeyPair, PublicKey};
use sansmq::tokio::{PullSocket, PushSocket};
use sansmq::{ConnectionError, Event, Options, Security};
use std::error::Error;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let keys = KeyPair::random();
    println!("Stonehouse: {}", hello(keys.clone()).await?);
    println!("Stonehouse, with the wrong server: {}", refusal(keys, *KeyPair::random().public()).await?);
    Ok(())
}

fn server(keys: KeyPair) -> PushSocket {
    PushSocket::with(Options::new().security(Security::curve_server(keys)))
}

/// A client with a key of its own, made for the occasion, that knows the key of the server.
fn client(server: PublicKey) -> Result<PullSocket, Box<dyn Error>> {
    Ok(PullSocket::with(Options::new().security(Security::curve_client(KeyPair::random(), server)?)))
}

/// What a client hears that knows the server.
pub(crate) async fn hello(keys: KeyPair) -> Result<String, Box<dyn Error>> {
    let client = client(*keys.public())?;
    let server = server(keys);
    client.connect(server.bind("tcp://127.0.0.1:*").await?)?;
    server.send("Hello").await?;
    Ok(client.recv().await?.body().to_text().into_owned())
}

/// Why the server refuses one that means another server.
pub(crate) async fn refusal(keys: KeyPair, meant: PublicKey) -> Result<ConnectionError, Box<dyn Error>> {
    let (server, client) = (server(keys), client(meant)?);
    let mut monitor = server.monitor();
    client.connect(server.bind("tcp://127.0.0.1:*").await?)?;
    let refused = monitor.find(|event| match event {
        Event::HandshakeFailed { reason, .. } => Some(reason),
        _ => None,
    });
    Ok(refused.await.ok_or("the server is closed")?)
}
