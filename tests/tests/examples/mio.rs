//! Tests of the examples on mio.

use sansmq::kind::Pull;
use sansmq::mio::Socket;
use sansmq::{Endpoint, Options};
use std::collections::BTreeSet;
use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

#[path = "../../../examples/blocking.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod blocking;
#[path = "../../../examples/lazy_pirate.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod lazy_pirate;
#[path = "../../../examples/metrics.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod metrics;
#[path = "../../../examples/mio_guest.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod mio_guest;

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

const RELEASE_TIMEOUT: Duration = Duration::from_secs(20);

#[test]
fn blocking_serves_each_client_and_stops() -> Outcome {
    let lines: BTreeSet<_> = blocking::run(3, 4)?.into_iter().collect();
    assert_eq!(lines.len(), 3 * 4 + 1);
    assert!(lines.contains("request 4 of client 3 is answered"));
    assert!(lines.contains("the server answered 12 requests and stopped"));
    Ok(())
}

#[test]
fn lazy_pirate_retries_and_gives_up_in_time() -> Outcome {
    let begin = Instant::now();
    let lines = lazy_pirate::run(Duration::from_millis(400))?;
    assert_eq!(lines, ["reply to first", "no reply after 3 attempts"]);
    assert!(begin.elapsed() < Duration::from_secs(10), "the linger of a given up REQ is 30 s");
    Ok(())
}

#[test]
fn metrics_are_served_to_an_http_client() -> Outcome {
    let (push, pull) = metrics::connect()?;
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    client.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    metrics::serve_one(&listener, &push, &pull)?;
    let mut response = String::new();
    client.read_to_string(&mut response)?;
    let (head, text) = response.split_once("\r\n\r\n").expect("a response has a head and a body");
    assert!(
        head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: application/openmetrics-text; version=1.0.0;"),
        "{head}"
    );
    assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", text.len())), "{head}");
    assert!(text.contains("\nsansmq_ready_peers{socket=\"tasks\",type=\"PULL\"} 1\n"), "{text}");
    assert!(text.ends_with("\n# EOF\n"), "{text}");
    Ok(())
}

#[test]
fn mio_guest_turns_lines_into_messages() -> Outcome {
    // The PULL binds after the gateway has started to connect.
    let reserved = Socket::with_options(Options::<Pull>::new());
    let sink: Endpoint = reserved.bind("tcp://127.0.0.1:*")?;
    reserved.unbind(&sink)?;
    let (sender, receiver) = std::sync::mpsc::channel();
    let stop = Arc::new(AtomicBool::new(false));
    let gateway = thread::spawn({
        let (sink, stop) = (sink.clone(), Arc::clone(&stop));
        move || {
            let mut gateway =
                mio_guest::Gateway::new(([127, 0, 0, 1], 0).into(), &sink).map_err(|error| error.to_string())?;
            sender.send(gateway.local_addr().map_err(|error| error.to_string())?).map_err(|error| error.to_string())?;
            while !stop.load(Ordering::Relaxed) {
                gateway.round().map_err(|error| error.to_string())?;
            }
            Ok::<_, String>(())
        }
    });
    let address = receiver.recv_timeout(RELEASE_TIMEOUT)?;
    let mut client = TcpStream::connect(address)?;
    client.write_all(b"one\ntwo, in")?;
    reserved.bind(&sink)?;
    assert_eq!(reserved.recv_timeout(RELEASE_TIMEOUT)?.body(), "one");
    client.write_all(b" two parts\n")?;
    assert_eq!(reserved.recv_timeout(RELEASE_TIMEOUT)?.body(), "two, in two parts");
    stop.store(true, Ordering::Relaxed);
    drop(client); // wakes the gateway, which then reads `stop`
    gateway.join().map_err(|_| "the gateway panicked")??;
    Ok(())
}
