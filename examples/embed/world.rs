//! A world of two sockets, one cable and one clock, all made of plain values.

use super::cable::{Dice, End, carry};
use sansmq::proto::{
    Action, ConnectionError, Instant, ListenerId, NetworkError, Options, PipeId, Socket, earliest, kind,
};
use sansmq::{Endpoint, Host};
use std::{error::Error, mem, time::Duration};

pub(crate) struct World {
    now: Instant,
    /// The DEALER, which dials.
    client: End,
    /// The ROUTER, which echoes.
    server: End,
    listener: ListenerId,
    plugged: bool,
    pub(crate) log: Vec<(Instant, String)>,
}

impl World {
    pub(crate) fn new() -> Result<Self, Box<dyn Error>> {
        let heartbeat = Options::<kind::Dealer>::new().heartbeat(Duration::from_secs(1))?;
        let mut client = End::of(Socket::new(heartbeat, Dice(1)));
        let mut server = End::of(Socket::new(Options::<kind::Router>::new(), Dice(2)));
        // What an endpoint means is for whoever dials and listens to say. Here there is only one place to be.
        let listener = server.socket.bind("tcp://*:1".parse()?);
        client.socket.connect("tcp://server:1".parse()?, Instant::ORIGIN)?;
        Ok(Self { now: Instant::ORIGIN, client, server, listener, plugged: true, log: Vec::new() })
    }

    pub(crate) fn client(&mut self) -> &mut Socket {
        &mut self.client.socket
    }

    pub(crate) fn plug(&mut self, plugged: bool) {
        self.plugged = plugged;
        self.note(if plugged { "the cable is back" } else { "the cable is pulled, and nobody is told" });
    }

    pub(crate) fn close(&mut self) -> Result<(), Box<dyn Error>> {
        self.client.socket.close(self.now);
        self.settle()?;
        let left = if self.client.socket.is_closed() { "nothing" } else { "something" };
        self.note(format!("closed, with {left} left to do"));
        Ok(())
    }

    /// Lets time pass, from one deadline to the next: between them nothing can happen.
    pub(crate) fn pass(&mut self, duration: Duration) -> Result<(), Box<dyn Error>> {
        let end = self.now + duration;
        loop {
            self.settle()?;
            let next = earliest([self.client.poll_timeout(), self.server.poll_timeout()]);
            self.now = next.map_or(end, |at| at.min(end));
            if next.is_none_or(|at| at > end) {
                return Ok(());
            }
            let fired = self.client.handle_timeout(self.now).and_then(|()| self.server.handle_timeout(self.now));
            self.end_after(fired);
        }
    }

    /// Does all that there is to do at this instant.
    fn settle(&mut self) -> Result<(), Box<dyn Error>> {
        let mut busy = true;
        while mem::take(&mut busy) {
            // Which pipe has work, and when to look for messages, is said too; with so little to look at, we look at all.
            while let Some(action) = self.client.socket.poll_action() {
                if let Action::Dial(pipe, _) = action {
                    self.dial(pipe);
                }
            }
            while self.server.socket.poll_action().is_some() {}
            let there = carry(&mut self.client, &mut self.server, self.plugged, self.now);
            let back =
                there.and_then(|there| Ok(there | carry(&mut self.server, &mut self.client, self.plugged, self.now)?));
            busy |= self.end_after(back).unwrap_or(true);
            while let Ok(request) = self.server.socket.recv() {
                self.server.socket.send(request)?;
                busy = true;
            }
            while let Ok(answer) = self.client.socket.recv() {
                self.note(format!("answer: {}", answer.body().to_text()));
            }
        }
        Ok(())
    }

    fn dial(&mut self, pipe: PipeId) {
        if !self.plugged {
            self.client.socket.dial_failed(pipe, NetworkError::Unreachable, self.now);
            return self.note("dialled in vain");
        }
        let from = Endpoint::Tcp { host: Host::Name("client".into()), port: 1 };
        self.server.link = self.server.socket.accepted(self.listener, from, self.now);
        self.client.link = self.client.socket.connected(pipe, self.now).map(|connection| (pipe, connection));
        self.note("connected");
    }

    /// If that failed, the connection is over, at both ends.
    fn end_after<T>(&mut self, outcome: Result<T, ConnectionError>) -> Option<T> {
        if let Err(reason) = &outcome {
            self.note(format!("disconnected: {reason}"));
            for end in [&mut self.client, &mut self.server] {
                end.arriving.clear();
                if let Some((pipe, connection)) = end.link.take() {
                    end.socket.disconnected(pipe, connection, reason, self.now);
                }
            }
        }
        outcome.ok()
    }

    fn note(&mut self, what: impl Into<String>) {
        self.log.push((self.now, what.into()));
    }
}
