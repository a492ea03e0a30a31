//! A ROUTER and its clients in plain threads, without `async`. A message on another socket stops the ROUTER.
//!
//! The server waits for two sockets at the same time with `poll`. `poll` also accepts file descriptors: standard input,
//! a pipe, or a socket of another library. Each client is a thread with a DEALER that receives with a timeout.
//!
//! ```text
//! cargo run --example blocking
//! ```

use sansmq::mio::{DealerSocket, PairSocket, PollItem, RouterSocket, poll};
use sansmq::{Context, Endpoint, Options};
use std::error::Error;
use std::thread;
use std::time::Duration;

pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const CLIENTS: usize = 3;
const REQUESTS: usize = 4;

fn main() -> Outcome<()> {
    for line in run(CLIENTS, REQUESTS)? {
        println!("{line}");
    }
    Ok(())
}

/// Runs a server and `clients` clients that send `requests` requests each, then stops the server. Returns all replies.
pub(crate) fn run(clients: usize, requests: usize) -> Outcome<Vec<String>> {
    let router = RouterSocket::new();
    let endpoint = router.bind("tcp://127.0.0.1:*")?;

    // Threads of one process need no network. A separate context has its own inproc names.
    let context = Context::new();
    let control = PairSocket::in_context(&context, Options::new());
    let stopper = PairSocket::in_context(&context, Options::new());
    control.bind("inproc://control")?;
    stopper.connect("inproc://control")?;

    let server = thread::spawn(move || serve(&router, &control));
    let clients: Vec<_> = (1..=clients)
        .map(|client| {
            let endpoint = endpoint.clone();
            thread::spawn(move || ask(client, requests, &endpoint))
        })
        .collect();
    let mut answers = Vec::new();
    for client in clients {
        answers.extend(client.join().map_err(|_| "a client panicked")??);
    }
    stopper.send("stop")?;
    let count = server.join().map_err(|_| "the server panicked")??;
    answers.push(format!("the server answered {count} requests and stopped"));
    Ok(answers)
}

fn serve(router: &RouterSocket, control: &PairSocket) -> Outcome<usize> {
    let mut served = 0;
    loop {
        let mut items = [PollItem::readable(&router), PollItem::readable(&control)];
        poll(&mut items, None)?;
        let [request, stop] = items.each_ref().map(PollItem::is_ready);
        if request {
            let Ok([client, body]) = router.recv()?.into_array() else { continue };
            router.send((client, format!("{} is answered", body.to_text())))?;
            served += 1;
        }
        if stop {
            control.recv()?;
            router.close(); // queued messages are still sent
            return Ok(served);
        }
    }
}

fn ask(client: usize, requests: usize, endpoint: &Endpoint) -> Outcome<Vec<String>> {
    let dealer = DealerSocket::new();
    dealer.connect(endpoint)?;
    for request in 1..=requests {
        dealer.send(format!("request {request} of client {client}"))?;
    }
    (0..requests).map(|_| Ok(dealer.recv_timeout(Duration::from_secs(10))?.body().to_text().into_owned())).collect()
}
