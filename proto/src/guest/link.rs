//! [`Link`]: a stream of a guest, from the request to dial it, or from its acceptance, to its end.

use crate::address::{Endpoint, NetworkError};
use crate::connection::{Connection, ConnectionError, ConnectionTimer, Outbox};
use crate::guest::{Cause, Key, SocketId, Target};
use crate::session::{Interest, Session, SessionBuffers, Stream, StreamError, Turn};
use crate::socket::{PipeId, Socket};
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::task::Waker;
use core::time::Duration;

pub(super) struct Link<S> {
    pub(super) owner: Owner,
    stage: Stage<S>,
    /// True while the link is in the queue of ready links.
    pub(super) is_ready: bool,
    /// True while the link waits in line to do background work.
    pub(super) is_in_background: bool,
    /// Events that the loop watches for; `None` if the stream is not registered.
    pub(super) watched: Option<Interest>,
}

/// Owner of a link.
#[derive(Clone, Debug)]
pub(super) enum Owner {
    /// A pipe of a socket.
    Pipe(SocketId, PipeId),
    /// No socket yet: the stream was accepted by this listener, which several sockets share, from this address.
    Port(Key, Endpoint),
    /// No socket, because the socket that the peer requested has rejected it.
    Rejected,
}

pub(super) enum Stage<S> {
    /// The loop has been requested to resolve a name or to connect, and has not answered.
    Dialling(Box<Dial>),
    /// The stream connects; if the dial has other addresses, at most until this time.
    Connecting(S, Box<Dial>, Option<Instant>),
    Connected(S, Box<Session>),
    /// Only during a turn.
    Ended,
}

/// Dial of a pipe: attempts to connect to the addresses of its peer, one after the other.
pub(super) struct Dial {
    pub(super) endpoint: Endpoint,
    /// Addresses that remain, beginning with that of the present attempt. Empty while the name is being resolved.
    pub(super) targets: VecDeque<Target>,
    /// Number of attempts that were postponed, because the address did not answer.
    pub(super) postponed: u32,
}

/// Time in which an address must answer, if there are others: the Connection Attempt Delay of RFC 8305. Doubled after each pass
/// over the addresses, because an address may be slow.
const ATTEMPT: Duration = Duration::from_millis(250);

/// Largest number of times that [`ATTEMPT`] is doubled.
const MAX_DOUBLINGS: u32 = 7;

impl Dial {
    pub(super) const fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, targets: VecDeque::new(), postponed: 0 }
    }

    /// Returns the end of an attempt that begins now, or `None` if there is no other address to try.
    fn until(&self, now: Instant) -> Option<Instant> {
        let count = u32::try_from(self.targets.len()).ok().filter(|&count| count > 1)?;
        Some(now + ATTEMPT * (1 << (self.postponed / count).min(MAX_DOUBLINGS)))
    }
}

/// Outcome of a turn of a link.
pub(super) enum Turned<S> {
    Continues(Turn),
    /// The connection attempt with this stream has failed.
    Failed(S, NetworkError),
    /// The address of this stream has not answered, and another is tried before it.
    Postponed(S),
    /// The link has ended, and its socket has been informed. The stream is that of the connection.
    Ended(Option<S>),
    /// The link has ended for this reason before its connection was assigned to a socket.
    Unassigned(S, ConnectionError),
}

impl<S: Stream> Stage<S> {
    pub(super) fn connected(stream: S, connection: Connection) -> Self {
        let session = session(&stream, connection);
        Self::Connected(stream, session)
    }
}

/// Begins to run a connection over its stream.
fn session<S: Stream>(stream: &S, mut connection: Connection) -> Box<Session> {
    connection.set_peer_credentials(stream.credentials());
    Box::new(Session::new(connection))
}

impl<S> Link<S> {
    pub(super) const fn new(owner: Owner, stage: Stage<S>) -> Self {
        Self { owner, stage, is_ready: false, is_in_background: false, watched: None }
    }

    pub(super) const fn stream(&self) -> Option<&S> {
        match &self.stage {
            Stage::Connecting(stream, ..) | Stage::Connected(stream, _) => Some(stream),
            Stage::Dialling(_) | Stage::Ended => None,
        }
    }

    pub(super) const fn is_connected(&self) -> bool {
        matches!(self.stage, Stage::Connected(..))
    }

    pub(super) const fn stream_mut(&mut self) -> Option<&mut S> {
        match &mut self.stage {
            Stage::Connecting(stream, ..) | Stage::Connected(stream, _) => Some(stream),
            Stage::Dialling(_) | Stage::Ended => None,
        }
    }

    pub(super) fn into_stream(self) -> Option<S> {
        match self.stage {
            Stage::Connecting(stream, ..) | Stage::Connected(stream, _) => Some(stream),
            Stage::Dialling(_) | Stage::Ended => None,
        }
    }

    /// Returns the dial that waits for an answer of the loop.
    pub(super) const fn dial(&self) -> Option<&Dial> {
        match &self.stage {
            Stage::Dialling(dial) => Some(dial),
            Stage::Connecting(..) | Stage::Connected(..) | Stage::Ended => None,
        }
    }

    /// Returns the dial that waits for an answer of the loop, to change it.
    pub(super) const fn dialling(&mut self) -> Option<&mut Dial> {
        match &mut self.stage {
            Stage::Dialling(dial) => Some(dial),
            Stage::Connecting(..) | Stage::Connected(..) | Stage::Ended => None,
        }
    }

    /// Stores a stream that has begun to connect. Returns false, and drops the stream, if none was requested.
    pub(super) fn connecting(&mut self, stream: S, now: Instant) -> bool {
        let is_requested = self.dial().is_some();
        if is_requested && let Stage::Dialling(dial) = core::mem::replace(&mut self.stage, Stage::Ended) {
            let until = dial.until(now);
            self.stage = Stage::Connecting(stream, dial, until);
        }
        is_requested
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Connected(_, session) => session.poll_timeout(),
            Stage::Connecting(_, _, until) => *until,
            // The socket limits the time of a dial.
            Stage::Dialling(_) | Stage::Ended => None,
        }
    }

    /// Returns what happens at the [`deadline`](Self::deadline). `key` is that of the link.
    pub(super) fn cause(&self, key: Key) -> Option<Cause> {
        let timer = match &self.stage {
            Stage::Connected(_, session) => session.next_timer()?,
            Stage::Connecting(..) => ConnectionTimer::Attempt,
            Stage::Dialling(_) | Stage::Ended => return None,
        };
        Some(match self.owner {
            Owner::Pipe(socket, pipe) => Cause::Connection(socket, pipe, timer),
            Owner::Port(..) | Owner::Rejected => Cause::Unassigned(key, timer),
        })
    }

    /// Returns the connection, if the stream is connected.
    pub(super) fn connection(&mut self) -> Option<&mut Connection> {
        match &mut self.stage {
            Stage::Connected(_, session) => Some(session.connection()),
            Stage::Dialling(_) | Stage::Connecting(..) | Stage::Ended => None,
        }
    }
}

impl<S: Stream> Link<S> {
    /// Returns true if an asynchronous authenticator may have to decide about the peer.
    pub(super) fn awaits_decision(&mut self) -> bool {
        match &mut self.stage {
            Stage::Connected(_, session) => session.connection().may_wait_for_auth(),
            Stage::Dialling(_) | Stage::Connecting(..) | Stage::Ended => false,
        }
    }

    /// Continues the connection attempt, or calls [`Session::turn`] once, which reads only if `reads` is true. `socket` is that of
    /// the pipe, if the link has one.
    pub(super) fn turn(
        &mut self,
        mut socket: Option<&mut Socket>,
        buffers: &mut SessionBuffers,
        waker: &Waker,
        reads: bool,
        now: Instant,
    ) -> Turned<S> {
        match core::mem::replace(&mut self.stage, Stage::Ended) {
            Stage::Connected(stream, session) => self.run(socket, stream, session, (buffers, waker), reads, now),
            Stage::Connecting(mut stream, dial, until) => match stream.established() {
                Ok(()) => {
                    let Owner::Pipe(_, pipe) = self.owner else { return Turned::Ended(Some(stream)) };
                    let connected = socket.as_mut().and_then(|socket| socket.connected(pipe, now));
                    let Some(mut connection) = connected else { return Turned::Ended(Some(stream)) };
                    if let Some(address) = stream.remote_address() {
                        connection.set_remote_address(address);
                    }
                    let session = session(&stream, connection);
                    self.run(socket, stream, session, (buffers, waker), reads, now)
                }
                Err(StreamError::WouldBlock | StreamError::Interrupted) if until.is_some_and(|until| until <= now) => {
                    self.stage = Stage::Dialling(dial);
                    Turned::Postponed(stream)
                }
                Err(StreamError::WouldBlock | StreamError::Interrupted) => {
                    self.stage = Stage::Connecting(stream, dial, until);
                    Turned::Continues(Turn::Wait(Interest::WRITE))
                }
                Err(StreamError::Eof) => self.fail(stream, dial, NetworkError::Reset),
                Err(StreamError::Failed(error)) => self.fail(stream, dial, error),
            },
            stage @ Stage::Dialling(_) => {
                self.stage = stage;
                Turned::Continues(Turn::Wait(Interest::NONE))
            }
            Stage::Ended => Turned::Ended(None),
        }
    }

    fn fail(&mut self, stream: S, dial: Box<Dial>, error: NetworkError) -> Turned<S> {
        self.stage = Stage::Dialling(dial);
        Turned::Failed(stream, error)
    }

    fn run(
        &mut self,
        mut socket: Option<&mut Socket>,
        mut stream: S,
        mut session: Box<Session>,
        (buffers, waker): (&mut SessionBuffers, &Waker),
        reads: bool,
        now: Instant,
    ) -> Turned<S> {
        if session.connection().may_wait_for_auth() {
            session.connection().set_auth_waker(waker);
        }
        let mut limited = Limited { stream: &mut stream, reads };
        let exchange = |connection: &mut Connection| match (&mut socket, &self.owner) {
            (Some(socket), Owner::Pipe(_, pipe)) => socket.exchange(*pipe, connection),
            (_, Owner::Port(..)) => Ok(()),
            (_, Owner::Pipe(..) | Owner::Rejected) => Err(ConnectionError::LocallyClosed),
        };
        match session.turn(&mut limited, buffers, now, exchange) {
            Ok(turn) => {
                self.stage = Stage::Connected(stream, session);
                Turned::Continues(turn)
            }
            Err(reason) => match (socket, &self.owner) {
                (Some(socket), &Owner::Pipe(_, pipe)) => {
                    socket.disconnected(pipe, session.into_connection(), &reason, now);
                    Turned::Ended(Some(stream))
                }
                (_, Owner::Port(..)) => Turned::Unassigned(stream, reason),
                (_, Owner::Pipe(..) | Owner::Rejected) => Turned::Ended(Some(stream)),
            },
        }
    }
}

/// Stream that is not read if `reads` is false, because its connection waits in line to do background work.
struct Limited<'a, S> {
    stream: &'a mut S,
    reads: bool,
}

impl<S: Stream> Stream for Limited<'_, S> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, StreamError> {
        if self.reads { self.stream.read(buffer) } else { Err(StreamError::WouldBlock) }
    }

    fn write(&mut self, data: &Outbox) -> Result<usize, StreamError> {
        self.stream.write(data)
    }

    fn close_write(&mut self) -> Result<(), StreamError> {
        self.stream.close_write()
    }
}
