//! Woodhouse: the server authenticates clients by user and password, with the PLAIN mechanism.
//!
//! An eavesdropper reads the password and all traffic. Suitable for a network without eavesdroppers.
//!
//! ```text
//! cargo run --example security_3_woodhouse --features plain
//! ```

use sansmq::tokio::{PullSocket, PushSocket};
use sansmq::{AllowList, ConnectionError, Context, Event, Options, Security};
use std::error::Error;
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("Woodhouse: {}", hello("admin", "secret").await?);
    println!("Woodhouse, with a wrong password: {}", refusal("admin", "guess").await?);
    // Sends the messages that are still queued, before the runtime ends with `main`.
    Context::global().close(Duration::from_secs(10)).await;
    Ok(())
}

/// Creates a server that accepts only the user `admin` with the password `secret`.
fn server() -> PushSocket {
    let rules = AllowList::new().plain_user("admin", "secret");
    PushSocket::with_options(Options::new().security(Security::PlainServer).authenticator(rules))
}

fn client(user: &'static str, password: &'static str) -> Result<PullSocket, Box<dyn Error>> {
    Ok(PullSocket::with_options(Options::new().security(Security::plain_client(user, password)?)))
}

/// Connects a client with this user name and password. Returns the message that the client receives.
pub(crate) async fn hello(user: &'static str, password: &'static str) -> Result<String, Box<dyn Error>> {
    let (server, client) = (server(), client(user, password)?);
    client.connect(server.bind("tcp://127.0.0.1:*").await?)?;
    server.send("Hello").await?;
    Ok(client.recv().await?.body().to_text().into_owned())
}

/// Connects a client with this user name and password. Returns the reason why the client is rejected.
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
