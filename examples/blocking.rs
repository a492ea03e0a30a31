//! Plain threads, no `async`: a ROUTER that answers many clients, and stops when it is told to over another socket.
//!
//! The server waits for two sockets at once with `poll`, which takes descriptors too: standard input, a pipe, a socket of
//! another library. Each client is a thread with a DEALER, and a time-out instead of patience.
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

/// Has so many clients ask so many times each, and stops the server. Gives back what was answered.
pub(crate) fn run(clients: usize, requests: usize) -> Outcome<Vec<String>> {
    let router = RouterSocket::new();
    let endpoint = router.bind("tcp://127.0.0.1:*")?;

    // Between threads of one process no network is needed. A context of its own keeps the name out of others' way.
    let process = Context::new();
    let control = PairSocket::in_context(&process, Options::new());
    let switch = PairSocket::in_context(&process, Options::new());
    control.bind("inproc://control")?;
    switch.connect("inproc://control")?;

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
    switch.send("stop")?;
    let count = server.join().map_err(|_| "the server panicked")??;
    answers.push(format!("the server answered {count} requests and stopped"));
    Ok(answers)
}

fn serve(router: &RouterSocket, control: &PairSocket) -> Outcome<usize> {
    let mut served = 0;
    loop {
        let mut items = [PollItem::readable(router.handle()), PollItem::readable(control.handle())];
        poll(&mut items, None)?;
        let [request, stop] = items.each_ref().map(PollItem::is_ready);
        if request {
            let Ok([client, body]) = router.recv()?.into_array() else { continue };
            router.send((client, format!("{} is answered", body.to_text())))?;
            served += 1;
        }
        if stop {
            control.recv()?;
            router.close(); // what is queued still goes out
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
