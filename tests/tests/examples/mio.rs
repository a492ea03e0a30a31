//! The examples that are on mio do what they say.

use sansmq::kind::Pull;
use sansmq::mio::Socket;
use sansmq::{Endpoint, Options};
use std::collections::BTreeSet;
use std::error::Error;
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

#[path = "../../../examples/blocking.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod blocking;
#[path = "../../../examples/mio_guest.rs"]
#[expect(dead_code, reason = "its `main` is for `cargo run`")]
mod mio_guest;

type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn blocking_answers_every_client_and_stops_when_it_is_told() -> Outcome {
    let answers: BTreeSet<_> = blocking::run(3, 4)?.into_iter().collect();
    assert_eq!(answers.len(), 3 * 4 + 1);
    assert!(answers.contains("request 4 of client 3 is answered"));
    assert!(answers.contains("the server answered 12 requests and stopped"));
    Ok(())
}

#[test]
fn mio_guest_turns_lines_into_messages() -> Outcome {
    // The PULL is there later than the gateway, and is found all the same.
    let reserved = Socket::with(Options::<Pull>::new());
    let sink: Endpoint = reserved.bind("tcp://127.0.0.1:*")?;
    reserved.unbind(&sink)?;
    let (tell, told) = std::sync::mpsc::channel();
    let stop = Arc::new(AtomicBool::new(false));
    let gateway = thread::spawn({
        let (sink, stop) = (sink.clone(), Arc::clone(&stop));
        move || {
            let mut gateway =
                mio_guest::Gateway::new(([127, 0, 0, 1], 0).into(), &sink).map_err(|error| error.to_string())?;
            tell.send(gateway.door().map_err(|error| error.to_string())?).map_err(|error| error.to_string())?;
            while !stop.load(Ordering::Relaxed) {
                gateway.round().map_err(|error| error.to_string())?;
            }
            Ok::<_, String>(())
        }
    });
    let door = told.recv_timeout(PATIENCE)?;
    let mut visitor = TcpStream::connect(door)?;
    visitor.write_all(b"one\ntwo, in")?;
    reserved.bind(&sink)?;
    assert_eq!(reserved.recv_timeout(PATIENCE)?.body(), "one");
    visitor.write_all(b" two parts\n")?;
    assert_eq!(reserved.recv_timeout(PATIENCE)?.body(), "two, in two parts");
    stop.store(true, Ordering::Relaxed);
    drop(visitor); // which the gateway notices, and with it that it is to stop
    gateway.join().map_err(|_| "the gateway panicked")??;
    Ok(())
}
