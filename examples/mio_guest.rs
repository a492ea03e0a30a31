//! Sockets in a program with its own `mio::Poll`: a gateway that receives lines of text over plain TCP, and sends them as
//! messages of a PUSH.
//!
//! ```text
//! cargo run --example mio_guest -- 127.0.0.1:7000 tcp://127.0.0.1:5557
//! echo hello | nc 127.0.0.1 7000
//! ```

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};
use sansmq::mio::Reactor;
use sansmq::{Endpoint, Handle, Options, kind};
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{ErrorKind, Read};
use std::net::SocketAddr;
use std::sync::Arc;

// Tokens: the reactor has those from `REACTOR` on; TCP clients have those between `LISTENER` and `REACTOR`.
const WAKER: Token = Token(0);
const LISTENER: Token = Token(1);
const REACTOR: usize = 1_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let address = words.next().unwrap_or_else(|| "127.0.0.1:7000".into()).parse()?;
    let sink = words.next().unwrap_or_else(|| "tcp://127.0.0.1:5557".into()).parse()?;
    let mut gateway = Gateway::new(address, &sink)?;
    println!("lines to {}, messages to {sink}", gateway.local_addr()?);
    loop {
        gateway.round()?;
    }
}

pub(crate) struct Gateway {
    poll: Poll,
    events: Events,
    reactor: Reactor,
    push: Handle<kind::Push>,
    listener: TcpListener,
    /// Stream of each TCP client, and the bytes received since its last complete line.
    clients: BTreeMap<Token, (TcpStream, Vec<u8>)>,
    next: usize,
}

impl Gateway {
    pub(crate) fn new(address: SocketAddr, sink: &Endpoint) -> Result<Self, Box<dyn Error>> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let reactor = Reactor::new(poll.registry(), REACTOR..usize::MAX, waker)?;
        let push = reactor.socket(Options::new().send_hwm(0));
        push.connect(sink)?;
        let mut listener = TcpListener::bind(address)?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let events = Events::with_capacity(64);
        Ok(Self { poll, events, reactor, push, listener, clients: BTreeMap::new(), next: LISTENER.0 + 1 })
    }

    pub(crate) fn local_addr(&self) -> Result<SocketAddr, Box<dyn Error>> {
        Ok(self.listener.local_addr()?)
    }

    /// Runs one iteration of the event loop of the program: waits for events and handles all of them.
    pub(crate) fn round(&mut self) -> Result<(), Box<dyn Error>> {
        self.poll.poll(&mut self.events, self.reactor.next_timeout())?;
        let other: Vec<_> = self.events.iter().filter(|event| !self.reactor.handle_event(event)).cloned().collect();
        for event in other {
            match event.token() {
                WAKER => {}
                LISTENER => self.accept()?,
                client => self.read(client)?,
            }
        }
        self.reactor.handle_timeout();
        Ok(())
    }

    fn accept(&mut self) -> Result<(), Box<dyn Error>> {
        while let Ok((mut client, _)) = self.listener.accept() {
            let token = Token(self.next);
            self.next += 1;
            self.poll.registry().register(&mut client, token, Interest::READABLE)?;
            self.clients.insert(token, (client, Vec::new()));
        }
        Ok(())
    }

    fn read(&mut self, token: Token) -> Result<(), Box<dyn Error>> {
        let Some((client, received)) = self.clients.get_mut(&token) else { return Ok(()) };
        let ended = match client.read_to_end(received) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Ok(_) | Err(_) => true,
        };
        while let Some(end) = received.iter().position(|byte| *byte == b'\n') {
            let line: Vec<_> = received.drain(..=end).collect();
            self.push.try_send(&line[..end])?; // never full, because of `send_hwm(0)`
        }
        if ended {
            self.clients.remove(&token);
        }
        Ok(())
    }
}
