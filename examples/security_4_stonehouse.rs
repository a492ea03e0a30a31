//! Stonehouse: traffic is encrypted, and clients authenticate the server, with the CURVE mechanism.
//!
//! The server accepts clients with any key, because of the option [`any_key`](Options::any_key).
//!
//! ```text
//! cargo run --example security_4_stonehouse --features curve
//! ```

use sansmq::curve::{KeyPair, PublicKey};
use sansmq::tokio::{PullSocket, PushSocket};
use sansmq::{ConnectionError, Context, Event, Options, Security};
use std::error::Error;
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let keys = KeyPair::random();
    println!("Stonehouse: {}", hello(keys.clone()).await?);
    println!(
        "Stonehouse, client with the key of another server: {}",
        refusal(keys, *KeyPair::random().public()).await?
    );
    // Sends the messages that are still queued, before the runtime ends with `main`.
    Context::global().close(Duration::from_secs(10)).await;
    Ok(())
}

fn server(keys: KeyPair) -> PushSocket {
    PushSocket::with_options(Options::new().security(Security::curve_server(keys)).any_key())
}

/// Creates a client with a new key pair. The client accepts only a server with the public key `server`.
fn client(server: PublicKey) -> Result<PullSocket, Box<dyn Error>> {
    Ok(PullSocket::with_options(Options::new().security(Security::curve_client(KeyPair::random(), server)?)))
}

/// Creates a server with the key pair `keys`, and connects a client that has the public key of this server. Returns the
/// message that the client receives.
pub(crate) async fn hello(keys: KeyPair) -> Result<String, Box<dyn Error>> {
    let client = client(*keys.public())?;
    let server = server(keys);
    client.connect(server.bind("tcp://127.0.0.1:*").await?)?;
    server.send("Hello").await?;
    Ok(client.recv().await?.body().to_text().into_owned())
}

/// Creates a server with the key pair `keys`, and connects a client that has `other`, the public key of another server.
/// Returns the reason why the server rejects this client.
pub(crate) async fn refusal(keys: KeyPair, other: PublicKey) -> Result<ConnectionError, Box<dyn Error>> {
    let (server, client) = (server(keys), client(other)?);
    let mut monitor = server.monitor();
    client.connect(server.bind("tcp://127.0.0.1:*").await?)?;
    let refused = monitor.find(|event| match event {
        Event::HandshakeFailed { reason, .. } => Some(reason),
        _ => None,
    });
    Ok(refused.await.ok_or("the server is closed")?)
}
