//! Lazy Pirate, the reliable request of the ZeroMQ guide: a client that waits for a reply for a limited time, and then
//! tries again with a new REQ, until it gives up.
//!
//! ```text
//! cargo run --example lazy_pirate                                   # a server that crashes, and its client
//! cargo run --example lazy_pirate -- tcp://127.0.0.1:5555           # only the client
//! ```
//!
//! A dropped blocking socket still sends its request for as long as `linger` allows, 30 s by default, and the drop of
//! the last socket of a program waits for this. This client wants neither: a request that it has given up must not reach
//! a server that returns later, and a retry must not begin late. So it ends each REQ with
//! [`close_within`](sansmq::mio::Socket::close_within) and a time of zero.

use sansmq::mio::{RepSocket, ReqSocket};
use sansmq::{Endpoint, RecvError};
use std::error::Error;
use std::thread;
use std::time::Duration;

pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const TIMEOUT: Duration = Duration::from_millis(500);
const ATTEMPTS: usize = 3;

fn main() -> Outcome<()> {
    let lines = match std::env::args().nth(1) {
        None => run(TIMEOUT)?,
        Some(endpoint) => vec![describe(request(&endpoint.parse()?, "Hello", TIMEOUT)?)],
    };
    for line in lines {
        println!("{line}");
    }
    Ok(())
}

/// Sends two requests to a server that crashes at the first attempt, serves the second attempt, and ends. Returns a line
/// of text for the outcome of each request.
pub(crate) fn run(timeout: Duration) -> Outcome<Vec<String>> {
    let crashing = RepSocket::new();
    let endpoint = crashing.bind("tcp://127.0.0.1:*")?;
    let server = thread::spawn({
        let endpoint = endpoint.clone();
        move || {
            crashing.recv()?;
            crashing.close(); // crashes without a reply
            serve_once(&endpoint)
        }
    });
    let first = request(&endpoint, "first", timeout)?;
    server.join().map_err(|_| "the server panicked")??;
    let second = request(&endpoint, "second", timeout)?;
    Ok(vec![describe(first), describe(second)])
}

/// Sends a request, and waits for the reply for at most `timeout`. Tries again with a new REQ if there is no reply.
/// Returns `None` if no attempt succeeds.
pub(crate) fn request(endpoint: &Endpoint, body: &str, timeout: Duration) -> Outcome<Option<String>> {
    for attempt in 1..=ATTEMPTS {
        let req = ReqSocket::new();
        req.connect(endpoint)?;
        req.send(body)?;
        match req.recv_timeout(timeout) {
            Ok(reply) => return Ok(Some(reply.body().to_text().into_owned())),
            Err(RecvError::Empty) => eprintln!("attempt {attempt}: no reply within {timeout:?}"),
            Err(error) => eprintln!("attempt {attempt}: {error}"),
        }
        req.close_within(Duration::ZERO);
    }
    Ok(None)
}

/// Serves one request, and ends.
fn serve_once(endpoint: &Endpoint) -> Outcome<()> {
    let rep = RepSocket::new();
    rep.bind(endpoint)?;
    let request = rep.recv()?;
    rep.send(format!("reply to {}", request.body().to_text()))?;
    rep.close(); // waits until the reply is sent
    Ok(())
}

fn describe(reply: Option<String>) -> String {
    reply.unwrap_or_else(|| format!("no reply after {ATTEMPTS} attempts"))
}
