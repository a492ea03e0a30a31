//! Statistics of two sockets for Prometheus, at an HTTP port of the standard library.
//!
//! A PUSH and a PULL exchange messages, and each connection to the HTTP port gets the statistics of both sockets as
//! `OpenMetrics` text. This is enough for Prometheus and `curl`; a program with an HTTP server returns the same text from one
//! of its routes.
//!
//! ```text
//! cargo run --example metrics
//! curl http://127.0.0.1:9100/metrics
//! ```

use sansmq::Metrics;
use sansmq::mio::{PullSocket, PushSocket};
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let (push, pull) = connect()?;
    let listener = TcpListener::bind("127.0.0.1:9100")?;
    println!("serving http://{}/metrics", listener.local_addr()?);
    let (tasks, results) = (push.clone(), pull.clone());
    thread::spawn(move || -> Outcome<()> {
        loop {
            tasks.send("task")?;
            results.recv()?;
            thread::sleep(Duration::from_millis(100));
        }
    });
    loop {
        // A client that disconnects too early does not end the server.
        if let Err(error) = serve_one(&listener, &push, &pull) {
            eprintln!("{error}");
        }
    }
}

/// Returns a PUSH and a PULL that are connected.
pub(crate) fn connect() -> Outcome<(PushSocket, PullSocket)> {
    let (push, pull) = (PushSocket::new(), PullSocket::new());
    push.connect_and_wait(pull.bind("tcp://127.0.0.1:*")?, None)?;
    pull.wait_connected(1, None)?;
    Ok((push, pull))
}

/// Accepts one HTTP connection, reads its request, and answers with the statistics.
pub(crate) fn serve_one(listener: &TcpListener, push: &PushSocket, pull: &PullSocket) -> Outcome<()> {
    let (mut stream, _) = listener.accept()?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    // The head of a request ends with an empty line.
    for line in BufReader::new(&stream).lines() {
        if line?.is_empty() {
            break;
        }
    }
    let mut metrics = Metrics::new();
    push.add_metrics("tasks", &mut metrics);
    pull.add_metrics("tasks", &mut metrics);
    let text = metrics.to_string();
    let (content_type, length) = (Metrics::CONTENT_TYPE, text.len());
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n")?;
    write!(stream, "Connection: close\r\n\r\n{text}")?;
    Ok(())
}
