//! Woodhouse: the server asks for a user and a password, by the PLAIN mechanism.
//!
//! Whoever listens on the way reads both, and all that follows. For a network that only friends can listen to.
//!
//! ```text
//! cargo run --example security_3_woodhouse --features plain
//! ```

use sansmq::tokio::{PullSocket, PushSocket};
use sansmq::{AllowList, ConnectionError, Event, Options, Security};
use std::error::Error;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("Woodhouse: {}", hello("admin", "secret").await?);
    println!("Woodhouse, with a wrong password: {}", refusal("admin", "guess").await?);
    Ok(())
}

/// A server that knows one user.
fn server() -> PushSocket {
    let rules = AllowList::new().plain_user("admin", "secret");
    PushSocket::with(Options::new().security(Security::PlainServer).authenticator(rules))
}

fn client(user: &'static str, password: &'static str) -> Result<PullSocket, Box<dyn Error>> {
    Ok(PullSocket::with(Options::new().security(Security::plain_client(user, password)?)))
}

/// What this user hears.
pub(crate) async fn hello(user: &'static str, password: &'static str) -> Result<String, Box<dyn Error>> {
    let (server, client) = (server(), client(user, password)?);
    client.connect(server.bind("tcp://127.0.0.1:*").await?)?;
    server.send("Hello").await?;
    Ok(client.recv().await?.body().to_text().into_owned())
}

/// Why this user is refused.
pub(crate) async fn refusal(user: &'static str, password: &'static str) -> Result<ConnectionError, Box<dyn Error>> {
    let (server, client) = (server(), client(user, password)?);
    let mut monitor = client.monitor();
    client.connect(server.bind("tcp://127.0.0.1:*").await?)?;
    let refused = monitor.find(|event| match event {
        Event::HandshakeFailed { reason, .. } => Some(reason),
        _ => None,
    });
    Ok(refused.await.ok_or("the client is closed")?)
}
