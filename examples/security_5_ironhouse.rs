//! Ironhouse: what travels is encrypted, clients know the server, and the server knows its clients by their keys.
//!
//! Whose certificate is put into the server's folder may come in from then on, and who is taken out may not come again.
//!
//! ```text
//! cargo run --example security_5_ironhouse --features curve -- FOLDER     # which has to be there, and empty
//! ```

use sansmq::curve::{Certificate, KeyPair, PublicKey};
use sansmq::keys::{KeyFolder, write_certificates};
use sansmq::tokio::{PullSocket, PushSocket};
use sansmq::{AllowList, ConnectionError, Event, Options, Security};
use std::error::Error;
use std::path::Path;
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("which folder shall the clients' certificates be in?")?;
    let (hello, refusal) = visit(Path::new(&folder)).await?;
    println!("Ironhouse: {hello}");
    println!("Ironhouse, of a stranger: {refusal}");
    Ok(())
}

/// What a client hears whose certificate is put into the folder, and why another one is refused.
pub(crate) async fn visit(folder: &Path) -> Result<(String, ConnectionError), Box<dyn Error>> {
    let keys = KeyPair::random();
    let public = *keys.public();
    let known = KeyFolder::open(folder, Duration::ZERO)?;
    let rules = AllowList::new().curve_keys_known_by(move |key| known.contains(key));
    let server = PushSocket::with(Options::new().security(Security::curve_server(keys)).authenticator(rules));
    let bound = server.bind("tcp://127.0.0.1:*").await?;

    let stranger = client(KeyPair::random(), public)?;
    let mut monitor = stranger.monitor();
    stranger.connect(&bound)?;
    let refused = monitor.find(|event| match event {
        Event::HandshakeFailed { reason, .. } => Some(reason),
        _ => None,
    });
    let refused = refused.await.ok_or("the client is closed")?;

    let ann = KeyPair::random();
    // The server needs the public half alone. Where the secret one is made, it should stay.
    write_certificates(folder, "ann", &Certificate::from(*ann.public()).with_metadata("name", "Ann")?)?;
    let client = client(ann, public)?;
    client.connect(&bound)?;
    server.send("Hello").await?;
    Ok((client.recv().await?.body().to_text().into_owned(), refused))
}

fn client(own: KeyPair, server: PublicKey) -> Result<PullSocket, Box<dyn Error>> {
    Ok(PullSocket::with(Options::new().security(Security::curve_client(own, server)?)))
}
