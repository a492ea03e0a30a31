//! Ironhouse: traffic is encrypted, clients authenticate the server, and the server authenticates clients by their keys.
//!
//! The server accepts clients with a certificate in its folder. It checks the folder at each handshake, so certificates can be
//! added and removed while it runs.
//!
//! ```text
//! cargo run --example security_5_ironhouse --features curve -- FOLDER     # an existing, empty folder
//! ```

use sansmq::curve::{Certificate, KeyPair, PublicKey};
use sansmq::keys::{KeyFolder, write_certificates};
use sansmq::tokio::{PullSocket, PushSocket};
use sansmq::{AllowList, ConnectionError, Context, Event, Options, Security};
use std::error::Error;
use std::path::Path;
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("the argument is missing: a folder for the certificates of clients")?;
    let (hello, refusal) = run(Path::new(&folder)).await?;
    println!("Ironhouse: {hello}");
    println!("Ironhouse, unknown client: {refusal}");
    // Sends the messages that are still queued, before the runtime ends with `main`.
    Context::global().close(Duration::from_secs(10)).await;
    Ok(())
}

/// Connects a client without a certificate in the folder, and then a client with one. Returns the message that the
/// second client receives, and the reason why the first is rejected.
pub(crate) async fn run(folder: &Path) -> Result<(String, ConnectionError), Box<dyn Error>> {
    let keys = KeyPair::random();
    let public = *keys.public();
    let known = KeyFolder::open(folder, Duration::ZERO)?;
    let rules = AllowList::new().curve_keys_known_by(move |key| known.contains(key));
    let server = PushSocket::with_options(Options::new().security(Security::curve_server(keys)).authenticator(rules));
    let bound = server.bind("tcp://127.0.0.1:*").await?;

    let unknown = client(KeyPair::random(), public)?;
    let mut monitor = unknown.monitor();
    unknown.connect(&bound)?;
    let refused = monitor.find(|event| match event {
        Event::HandshakeFailed { reason, .. } => Some(reason),
        _ => None,
    });
    let refused = refused.await.ok_or("the client is closed")?;

    let ann = KeyPair::random();
    // The server needs only the public key. The secret key should stay on the machine that generated it.
    write_certificates(folder, "ann", &Certificate::from(*ann.public()).with_metadata("name", "Ann")?)?;
    let client = client(ann, public)?;
    client.connect(&bound)?;
    server.send("Hello").await?;
    Ok((client.recv().await?.body().to_text().into_owned(), refused))
}

fn client(own: KeyPair, server: PublicKey) -> Result<PullSocket, Box<dyn Error>> {
    Ok(PullSocket::with_options(Options::new().security(Security::curve_client(own, server)?)))
}
