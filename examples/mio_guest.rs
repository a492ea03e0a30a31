//! A program with a `mio::Poll` of its own takes sockets in: a gateway, at which lines of text arrive over plain TCP, and
//! leave as messages of a PUSH.
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

/// Our own tokens; the reactor has those from 1,000,000 on, the visitors have the others.
const WAKER: Token = Token(0);
const DOOR: Token = Token(1);
const REACTOR: usize = 1_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let door = words.next().unwrap_or_else(|| "127.0.0.1:7000".into()).parse()?;
    let sink = words.next().unwrap_or_else(|| "tcp://127.0.0.1:5557".into()).parse()?;
    let mut gateway = Gateway::new(door, &sink)?;
    println!("lines to {}, messages to {sink}", gateway.door()?);
    loop {
        gateway.round()?;
    }
}

pub(crate) struct Gateway {
    poll: Poll,
    events: Events,
    reactor: Reactor,
    push: Handle<kind::Push>,
    door: TcpListener,
    visitors: BTreeMap<Token, (TcpStream, Vec<u8>)>,
    next: usize,
}

impl Gateway {
    pub(crate) fn new(door: SocketAddr, sink: &Endpoint) -> Result<Self, Box<dyn Error>> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let reactor = Reactor::new(poll.registry(), REACTOR..usize::MAX, waker)?;
        let push = reactor.socket(Options::new().send_hwm(0));
        push.connect(sink)?;
        let mut door = TcpListener::bind(door)?;
        poll.registry().register(&mut door, DOOR, Interest::READABLE)?;
        let events = Events::with_capacity(64);
        Ok(Self { poll, events, reactor, push, door, visitors: BTreeMap::new(), next: DOOR.0 + 1 })
    }

    pub(crate) fn door(&self) -> Result<SocketAddr, Box<dyn Error>> {
        Ok(self.door.local_addr()?)
    }

    /// One round of the program's own loop.
    pub(crate) fn round(&mut self) -> Result<(), Box<dyn Error>> {
        self.poll.poll(&mut self.events, self.reactor.next_timeout())?;
        let ours: Vec<_> = self.events.iter().filter(|event| !self.reactor.handle_event(event)).cloned().collect();
        for event in ours {
            match event.token() {
                WAKER => {}
                DOOR => self.let_in()?,
                visitor => self.hear(visitor)?,
            }
        }
        self.reactor.handle_timeout();
        Ok(())
    }

    fn let_in(&mut self) -> Result<(), Box<dyn Error>> {
        while let Ok((mut visitor, _)) = self.door.accept() {
            let token = Token(self.next);
            self.next += 1;
            self.poll.registry().register(&mut visitor, token, Interest::READABLE)?;
            self.visitors.insert(token, (visitor, Vec::new()));
        }
        Ok(())
    }

    fn hear(&mut self, token: Token) -> Result<(), Box<dyn Error>> {
        let Some((visitor, said)) = self.visitors.get_mut(&token) else { return Ok(()) };
        let over = match visitor.read_to_end(said) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Ok(_) | Err(_) => true,
        };
        while let Some(end) = said.iter().position(|octet| *octet == b'\n') {
            let line: Vec<_> = said.drain(..=end).collect();
            self.push.try_send(&line[..end])?; // there is always room, for `send_hwm(0)` says so
        }
        if over {
            self.visitors.remove(&token);
        }
        Ok(())
    }
}
