//! Grasslands: no security. This is the first level of the ZeroMQ security guide.
//!
//! Every client that can reach the port is accepted. Traffic can be read and changed on the path. Suitable for a trusted network.
//!
//! ```text
//! cargo run --example security_1_grasslands
//! ```

use sansmq::Context;
use sansmq::tokio::{PullSocket, PushSocket};
use std::error::Error;
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("Grasslands: {}", hello().await?);
    // Sends the messages that are still queued, before the runtime ends with `main`.
    Context::global().close(Duration::from_secs(10)).await;
    Ok(())
}

/// Connects a client to a server without security. Returns the message that the client receives.
pub(crate) async fn hello() -> Result<String, Box<dyn Error>> {
    let (server, client) = (PushSocket::new(), PullSocket::new());
    client.connect(server.bind("tcp://127.0.0.1:*").await?)?;
    server.send("Hello").await?;
    Ok(client.recv().await?.body().to_text().into_owned())
}
