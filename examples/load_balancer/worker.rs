//! A worker: a REQ that says READY and from then on gets requests in reply to its answers.

use super::Failure;
use sansmq::tokio::ReqSocket;
use sansmq::{Envelope, Options, RecvError};
use std::time::Duration;

/// Works for the broker at `back` until the socket fails, which is to say for ever. Each request costs that much time.
pub(crate) async fn run(name: &str, back: &str, cost: Duration) -> Result<(), Failure> {
    let broker = ReqSocket::with(Options::new().routing_id(name)?);
    broker.connect(back)?;
    broker.send("READY").await?;
    loop {
        let message = match broker.recv().await {
            Ok(message) => message,
            // The broker was restarted. The connection is made anew by itself, but this one does not know us.
            Err(RecvError::PeerLost) => {
                broker.send("READY").await?;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        // The envelope says which client asked. It goes back as it came: the broker knows what it means.
        match Envelope::parse(message) {
            Ok((envelope, mut request)) => {
                tokio::time::sleep(cost).await; // the work
                request.push_back(name);
                broker.send(envelope.seal(request)).await?;
            }
            Err(odd) => return Err(format!("not [client, \"\", request]: {odd:?}").into()),
        }
    }
}
