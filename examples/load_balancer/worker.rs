//! The worker: a REQ that first sends READY. Each message that it receives from the broker is a request of a client.
//! The next message that it sends is the answer to this request.

use super::Failure;
use sansmq::tokio::ReqSocket;
use sansmq::{Envelope, Options, RecvError};
use std::time::Duration;

/// Runs the worker `name`: connects to the broker at `back`, and answers requests until the socket returns an error.
/// The worker waits for the time `cost` before each answer.
pub(crate) async fn run(name: &str, back: &str, cost: Duration) -> Result<(), Failure> {
    let broker = ReqSocket::with_options(Options::new().routing_id(name)?);
    broker.connect(back)?;
    broker.send("READY").await?;
    loop {
        let message = match broker.recv().await {
            Ok(message) => message,
            // The broker was restarted. The socket reconnects by itself, but the new broker needs a READY.
            Err(RecvError::PeerLost { .. }) => {
                broker.send("READY").await?;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        // The envelope identifies the client for the broker. It is returned unchanged.
        match Envelope::parse(message) {
            Ok((envelope, mut request)) => {
                tokio::time::sleep(cost).await; // the work
                request.push_back(name);
                broker.send(envelope.seal(request)).await?;
            }
            Err(other) => return Err(format!("not [client, \"\", request]: {other:?}").into()),
        }
    }
}
