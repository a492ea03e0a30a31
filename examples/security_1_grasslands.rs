//! Grasslands: no security at all, as the ZeroMQ security guide names the first of its levels.
//!
//! Everybody comes in who reaches the port, and reads and changes what travels. For a trusted network.
//!
//! ```text
//! cargo run --example security_1_grasslands
//! ```

use sansmq::tokio::{PullSocket, PushSocket};
use std::error::Error;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("Grasslands: {}", hello().await?);
    Ok(())
}

/// What the client hears.
pub(crate) async fn hello() -> Result<String, Box<dyn Error>> {
    let (server, client) = (PushSocket::new(), PullSocket::new());
    client.connect(server.bind("tcp://127.0.0.1:*").await?)?;
    server.send("Hello").await?;
    Ok(client.recv().await?.body().to_text().into_owned())
}
