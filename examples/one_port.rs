//! Several services at one port, each by a name of its own: a REP that tells how long a word is, a PULL that keeps a log, and
//! a ROUTER for those who name none, as every client of libzmq does.
//!
//! ```text
//! cargo run --example one_port                    # all three, and a client of each
//! cargo run --example one_port -- tcp://*:5555    # where they are to be
//! ```
//!
//! The property of ZMTP 3.1 that makes it possible is `Resource` (RFC 37). libzmq does not know it: its sockets can be
//! clients of the one that is bound without a name.

use sansmq::Endpoint;
use sansmq::tokio::{DealerSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket};
use std::error::Error;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let place = std::env::args().nth(1).unwrap_or_else(|| "tcp://127.0.0.1:*".into());
    let services = Services::bind(place.parse()?).await?;
    println!("three services at {}", services.port);
    tokio::try_join!(services.serve(), ask(&services.port))?;
    Ok(())
}

pub(crate) struct Services {
    /// Where they all are.
    pub(crate) port: Endpoint,
    lengths: RepSocket,
    log: PullSocket,
    others: RouterSocket,
}

impl Services {
    /// The first opens the port, whichever it is, and those after it join. The port is closed with the last.
    pub(crate) async fn bind(place: Endpoint) -> Result<Self, Box<dyn Error>> {
        let (lengths, log, others) = (RepSocket::new(), PullSocket::new(), RouterSocket::new());
        let port = others.bind(place).await?;
        lengths.bind(format!("{port}/text/length")).await?;
        log.bind(format!("{port}/log")).await?;
        Ok(Self { port, lengths, log, others })
    }

    /// Serves one client of each.
    pub(crate) async fn serve(&self) -> Result<(), Box<dyn Error>> {
        let word = self.lengths.recv().await?;
        self.lengths.send(word.body().len().to_string()).await?;
        println!("log: {}", self.log.recv().await?.body().to_text());
        let request = self.others.recv().await?;
        self.others.send(request).await?;
        Ok(())
    }
}

/// A client of each; what they have heard.
pub(crate) async fn ask(port: &Endpoint) -> Result<(String, String), Box<dyn Error>> {
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
