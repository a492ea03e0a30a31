//! Sockets in a loop of our own: plain `poll(2)`, one thread, no runtime. A ROUTER echoes for any number of clients, and a
//! DEALER asks it. This is the application; the loop is in `embed/poll.rs` and `embed/watched.rs`, and the guide
//! `sansmq::proto::embedding` walks through it.
//!
//! ```text
//! cargo run --example embed_poll -- server tcp://127.0.0.1:5555
//! cargo run --example embed_poll -- client tcp://127.0.0.1:5555
//! ```

#[path = "embed/net.rs"]
mod net;
#[path = "embed/poll.rs"]
mod poll;
#[path = "embed/watched.rs"]
mod watched;

pub(crate) use poll::Loop;
use sansmq::{Endpoint, Options, kind};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let role = arguments.next().unwrap_or_else(|| "server".into());
    let endpoint: Endpoint = arguments.next().unwrap_or_else(|| "tcp://127.0.0.1:5555".into()).parse()?;
    if role == "server" {
        let mut server = Loop::new(Options::<kind::Router>::new());
        println!("ROUTER at {}", server.bind(endpoint)?);
        serve(&mut server, usize::MAX)?;
        server.close()?;
    } else {
        let mut client = Loop::new(Options::<kind::Dealer>::new());
        client.socket.connect(endpoint, client.now())?;
        println!("answers: {:?}", ask(&mut client, 3)?);
        client.close()?;
    }
    Ok(())
}

/// Echoes so many requests.
pub(crate) fn serve(server: &mut Loop, requests: usize) -> Result<(), Box<dyn Error>> {
    let mut answered = 0;
    while answered < requests {
        server.round()?;
        while let Ok(request) = server.socket.recv() {
            server.socket.send(request)?; // its first frame says who asked, and so whom to answer
            answered += 1;
        }
    }
    Ok(())
}

/// Makes so many requests at once, and gives the answers back.
pub(crate) fn ask(client: &mut Loop, requests: usize) -> Result<Vec<String>, Box<dyn Error>> {
    for number in 1..=requests {
        client.socket.send(format!("Hello {number}"))?; // queued: the pipe is there before its connection
    }
    let mut answers = Vec::new();
    while answers.len() < requests {
        client.round()?;
        while let Ok(answer) = client.socket.recv() {
            answers.push(answer.body().to_text().into_owned());
        }
    }
    Ok(answers)
}
