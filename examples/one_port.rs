//! Several services at one port, each with its own resource name: a REP that returns the length of a word, a PULL that keeps a
//! log, and a ROUTER for clients that name no resource, such as every client of libzmq.
//!
//! ```text
//! cargo run --example one_port                    # all three services, and a client of each
//! cargo run --example one_port -- tcp://*:5555    # the same, at this endpoint
//! ```
//!
//! The clients send the resource name in the property `Resource` of ZMTP 3.1 (RFC 37). libzmq does not support this
//! property, so sockets of libzmq can only be clients of the service that is bound without a resource name.

use sansmq::tokio::{DealerSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket};
use sansmq::{Context, Endpoint};
use std::error::Error;
use std::time::Duration;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let endpoint = std::env::args().nth(1).unwrap_or_else(|| "tcp://127.0.0.1:*".into());
    let services = Services::bind(endpoint.parse()?).await?;
    println!("three services at {}", services.port);
    tokio::try_join!(services.serve(), run_clients(&services.port))?;
    // Sends the messages that are still queued, before the runtime ends with `main`.
    Context::global().close(Duration::from_secs(10)).await;
    Ok(())
}

pub(crate) struct Services {
    /// Endpoint of the port that all services share. It contains no resource name, so it is the endpoint of the ROUTER.
    pub(crate) port: Endpoint,
    lengths: RepSocket,
    log: PullSocket,
    others: RouterSocket,
}

impl Services {
    /// Binds all services to one port. The first socket that binds opens the port, and the other sockets share it. The
    /// order of the binds does not matter. The port is closed when the last of these sockets is closed.
    pub(crate) async fn bind(endpoint: Endpoint) -> Result<Self, Box<dyn Error>> {
        let (lengths, log, others) = (RepSocket::new(), PullSocket::new(), RouterSocket::new());
        let port = others.bind(endpoint).await?;
        lengths.bind(format!("{port}/text/length")).await?;
        log.bind(format!("{port}/log")).await?;
        Ok(Self { port, lengths, log, others })
    }

    /// Serves one client of each service, and returns.
    pub(crate) async fn serve(&self) -> Result<(), Box<dyn Error>> {
        let word = self.lengths.recv().await?;
        self.lengths.send(word.body().len().to_string()).await?;
        println!("log: {}", self.log.recv().await?.body().to_text());
        let request = self.others.recv().await?;
        self.others.send(request).await?;
        Ok(())
    }
}

/// Runs a client of each service. Returns the replies of the REP and the ROUTER.
pub(crate) async fn run_clients(port: &Endpoint) -> Result<(String, String), Box<dyn Error>> {
    let (req, push, dealer) = (ReqSocket::new(), PushSocket::new(), DealerSocket::new());
    req.connect(format!("{port}/text/length"))?;
    req.send("resource").await?;
    let length = req.recv().await?.body().to_text().into_owned();
    push.connect(format!("{port}/log"))?;
    push.send(format!("a word of {length} letters")).await?;
    dealer.connect(port)?;
    dealer.send("and who are you?").await?;
    Ok((length, dealer.recv().await?.body().to_text().into_owned()))
}
