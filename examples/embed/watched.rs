//! What the loop waits for: listeners, dials and links, when each is to be woken, and what to do then.

use super::net::{self, Tcp};
use super::poll::Loop;
use rustix::event::{PollFd, PollFlags};
use sansmq::NetworkError;
use sansmq::proto::{Instant, Interest, ListenerId, PipeId, Session, Turn};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::vec;

pub(super) enum Watched {
    /// Whether accepting failed and pauses.
    Listener(ListenerId, TcpListener, bool),
    /// With the addresses to try after this one.
    Dial(PipeId, TcpStream, vec::IntoIter<SocketAddr>),
    Link(PipeId, TcpStream, Box<Session>, Interest),
}

impl Watched {
    /// When to wake?
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Listener(..) | Self::Dial(..) => None, // the socket itself gives up after `connect_timeout`
            Self::Link(_, _, session, _) => session.poll_timeout(),
        }
    }

    pub(super) fn flags(&self) -> PollFlags {
        let (readable, writable) = match self {
            Self::Listener(.., paused) => (!paused, false),
            Self::Dial(..) => (false, true),
            Self::Link(.., interest) => (interest.readable, interest.writable),
        };
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, readable);
        flags.set(PollFlags::OUT, writable);
        flags
    }

    pub(super) fn poll_fd(&self) -> PollFd<'_> {
        match self {
            Self::Listener(_, listener, _) => PollFd::new(listener, self.flags()),
            Self::Dial(_, stream, _) | Self::Link(_, stream, ..) => PollFd::new(stream, self.flags()),
        }
    }
}

impl Loop {
    /// What became of it?
    pub(super) fn visit(&mut self, watched: Watched, now: Instant) {
        match watched {
            Watched::Listener(id, listener, _) => {
                let accepted = net::accept(&listener);
                if let Err(error) = &accepted {
                    self.socket.accept_failed(id, error.kind().into(), now);
                }
                self.watched.push(Watched::Listener(id, listener, accepted.is_err()));
                if let Ok(Some((stream, from))) = accepted
                    && let Some((pipe, connection)) = self.socket.accepted(id, from, now)
                {
                    self.link(pipe, stream, Box::new(Session::new(connection)));
                }
            }
            Watched::Dial(pipe, stream, rest) => match stream.take_error() {
                Ok(None) => {
                    if let Some(connection) = self.socket.connected(pipe, now) {
                        self.link(pipe, stream, Box::new(Session::new(connection)));
                    }
                }
                Ok(Some(error)) | Err(error) => self.dial(pipe, rest, error.kind().into()),
            },
            Watched::Link(pipe, stream, session, _) => self.link(pipe, stream, session),
        }
    }

    /// Begins to connect to the first of these addresses that lets us.
    pub(super) fn dial(&mut self, pipe: PipeId, mut addresses: vec::IntoIter<SocketAddr>, mut failure: NetworkError) {
        while let Some(address) = addresses.next() {
            match net::connect(address) {
                Ok(stream) => return self.watched.push(Watched::Dial(pipe, stream, addresses)),
                Err(error) => failure = error.kind().into(),
            }
        }
        self.socket.dial_failed(pipe, failure, self.now());
    }

    /// Gives a link its turn: the first one as soon as it is connected, for both sides greet.
    fn link(&mut self, pipe: PipeId, stream: TcpStream, mut session: Box<Session>) {
        let now = self.now();
        let turn = session.turn(&mut Tcp(&stream), &mut self.scratch, now, |link| self.socket.exchange(pipe, link));
        let interest = match turn {
            Ok(Turn::Wait(interest)) => interest,
            Ok(Turn::Again) => {
                self.due.insert(pipe); // its budget is spent: the others first, and then on
                Interest { readable: false, writable: false }
            }
            // The stream is closed by being dropped. The connection goes back, with what it had not begun to send.
            Err(reason) => return self.socket.disconnected(pipe, session.into_connection(), &reason, now),
        };
        self.watched.push(Watched::Link(pipe, stream, session, interest));
    }
}
