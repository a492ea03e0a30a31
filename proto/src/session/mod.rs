//! [`Session`] drives a connection over a non-blocking byte stream, and [`SessionSet`] keeps the sessions of a socket. Waits for
//! nothing.

mod buffers;
mod session_set;
mod stream;

pub use buffers::SessionBuffers;
pub use session_set::SessionSet;
pub use stream::{Stream, StreamError};

use crate::connection::{Connection, ConnectionError, Fault, Link};
use crate::time::Instant;
use bytes::{Buf, BytesMut};
use core::ops::BitOr;
use core::time::Duration;

/// What a session waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interest {
    /// Call [`Session::turn`] when the stream can be read.
    pub readable: bool,
    /// Call [`Session::turn`] when the stream can be written.
    pub writable: bool,
}

impl Interest {
    /// In reading alone.
    pub const READ: Self = Self { readable: true, writable: false };
    /// In writing alone.
    pub const WRITE: Self = Self { readable: false, writable: true };

    /// The same in the words of a poller, given its two flags. `None`: wait for nothing, and leave the stream out, for most
    /// pollers report a hang-up even to who asks for nothing.
    ///
    /// ```
    /// # use sansmq_proto::Interest;
    /// const POLLIN: i16 = 1;
    /// const POLLOUT: i16 = 4;
    /// assert_eq!(Interest { readable: true, writable: true }.flags(POLLIN, POLLOUT), Some(POLLIN | POLLOUT));
    /// assert_eq!(Interest { readable: false, writable: true }.flags(POLLIN, POLLOUT), Some(POLLOUT));
    /// assert_eq!(Interest { readable: false, writable: false }.flags(POLLIN, POLLOUT), None);
    /// ```
    pub fn flags<F: BitOr<Output = F>>(self, readable: F, writable: F) -> Option<F> {
        match (self.readable, self.writable) {
            (true, true) => Some(readable | writable),
            (true, false) => Some(readable),
            (false, true) => Some(writable),
            (false, false) => None,
        }
    }
}

impl BitOr for Interest {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self { readable: self.readable | other.readable, writable: self.writable | other.writable }
    }
}

/// Where a [`Session::turn`] has led.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Turn {
    /// There is nothing more to do until the stream is ready for this.
    Wait(Interest),
    /// The budget is spent and there is more to do: let others have their turn, and call again without waiting, for no
    /// event may come.
    Again,
}

/// A [`Connection`] driven over a [`Stream`]: the order of writing, reading and exchanging, the budgets, and the end.
///
/// Call [`turn`](Self::turn) when the stream is ready for what [`Interest`] says, when the socket asks for
/// [`Action::Service`](crate::Action::Service), and when [`poll_timeout`](Self::poll_timeout) is due. When it fails, the
/// connection is over: give it back with [`Socket::disconnected`](crate::Socket::disconnected).
#[derive(Debug)]
pub struct Session {
    connection: Connection,
    phase: Phase,
    /// How much to read at a time.
    bite: usize,
}

/// ```text
/// Talking ──everything is given, or a refusal──► Parting ──peer hangs up, or time is up──► over
///    └─────── writing fails ──► Mute ─────────── reading fails or ends ────────────────► over
/// ```
#[derive(Debug)]
enum Phase {
    Talking,
    /// Nothing can be written any more, for this reason. What the peer sent before is still read, to its end.
    Mute(ConnectionError),
    /// Nothing more will be given.
    Parting(Parting),
}

/// The end of a connection in good manners.
#[derive(Debug)]
struct Parting {
    reason: ConnectionError,
    /// Everything is written, and the peer has been told that it was all.
    told: bool,
    /// Until when we wait for that, and for the peer to hang up too.
    until: Instant,
}

/// What came of reading once.
#[derive(PartialEq, Eq)]
enum Heard {
    Nothing,
    Something,
    /// Something, and there may be more; but it is others' turn.
    Enough,
}

/// How many rounds of writing and reading one turn may take before other sessions get theirs.
const ROUNDS: usize = 4;

/// How much of a large body is read at a time: what is small stays in the processor's caches between one copy and the next,
/// and the sender soon has room for more.
const DIRECT: usize = 16 << 10;

/// More commands than this in what was read at once are many.
const MANY: usize = 32;

/// So many octets are read at a time from a peer that says many commands, and from one that has not said yet who it is. That
/// waits for no application, which would keep more of it from coming; and nearly all who come have less to say.
const BITE: usize = 2 << 10;

/// A stream closed with unread input is reset, which can destroy output on its way. So we wait for the peer to close
/// first, but not long.
const FAREWELL: Duration = Duration::from_secs(1);

impl Session {
    /// A session over a connection that [`Socket::accepted`](crate::Socket::accepted) or
    /// [`Socket::connected`](crate::Socket::connected) gave.
    pub const fn new(connection: Connection) -> Self {
        Self { connection, phase: Phase::Talking, bite: usize::MAX }
    }

    /// Fires timers, writes, reads and exchanges, within a budget.
    ///
    /// All sessions of a thread may share one `buffers`. `exchange` is most often
    /// [`Socket::exchange`](crate::Socket::exchange) for this pipe.
    ///
    /// # Errors
    /// The connection is over, for this reason.
    pub fn turn(
        &mut self,
        stream: &mut impl Stream,
        buffers: &mut SessionBuffers,
        now: Instant,
        exchange: impl FnMut(&mut Connection) -> Result<(), ConnectionError>,
    ) -> Result<Turn, ConnectionError> {
        let SessionBuffers { room, spare } = buffers;
        self.connection.borrow_from(spare);
        let turn = self.turn_in(stream, room, now, exchange);
        self.connection.return_to(spare);
        turn
    }

    fn turn_in(
        &mut self,
        stream: &mut impl Stream,
        room: &mut BytesMut,
        now: Instant,
        mut exchange: impl FnMut(&mut Connection) -> Result<(), ConnectionError>,
    ) -> Result<Turn, ConnectionError> {
        let due = self.poll_timeout().is_some_and(|deadline| deadline <= now);
        if let Phase::Parting(parting) = &self.phase {
            let is_over = exchange(&mut self.connection).is_err() || due;
            return if is_over { Err(parting.reason.clone()) } else { self.part(stream, room) };
        }
        if due {
            // What has arrived is a sign of life, however late we come to read it.
            let heard = self.fill(stream, room, now);
            if let Err(error) = heard.and_then(|_| self.connection.handle_timeout(now)) {
                return self.end(stream, room, error, now, exchange);
            }
        }
        for _ in 0..ROUNDS {
            if let Err(error) = self.connection.poll_auth_reply(now) {
                return self.end(stream, room, error, now, exchange);
            }
            exchange(&mut self.connection)?;
            if self.connection.is_behind() {
                // A socket has taken it over just now, and what the peer said before is not read again.
                if let Err(error) = self.connection.handle_input(&[], now) {
                    return self.end(stream, room, error, now, exchange);
                }
                exchange(&mut self.connection)?;
            }
            let was_full = !self.connection.has_room();
            let flushed = self.flush(stream);
            if flushed && self.connection.is_finished() {
                self.phase = Phase::Parting(Parting::new(ConnectionError::PeerClosed, now));
                return self.part(stream, room);
            }
            let heard = match self.fill(stream, room, now) {
                Ok(heard) => heard,
                Err(error) => return self.end(stream, room, error, now, exchange),
            };
            // A link that was full and no longer is may be given more. Before the handshake is done it stays full.
            let more = flushed && was_full && self.connection.has_room();
            if heard == Heard::Enough {
                return Ok(Turn::Again);
            }
            if heard == Heard::Nothing && !more {
                return Ok(Turn::Wait(Interest {
                    readable: self.connection.wants_input(),
                    writable: self.is_stuck(flushed),
                }));
            }
        }
        Ok(Turn::Again)
    }

    /// Whether to wait until the stream can be written.
    const fn is_stuck(&self, flushed: bool) -> bool {
        !flushed && matches!(self.phase, Phase::Talking)
    }

    /// When [`turn`](Self::turn) wants to be called at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            // The conversation is over; its heartbeats no longer matter.
            Phase::Parting(Parting { until, .. }) => Some(until),
            Phase::Talking | Phase::Mute(_) => self.connection.poll_timeout(),
        }
    }

    /// The connection, to be given back to its socket.
    pub fn into_connection(mut self) -> Connection {
        // Sockets are locked when they take it back, and then nothing of the application's may run.
        self.connection.withdraw();
        self.connection
    }

    /// The connection.
    pub const fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// The connection is over, and nothing more will arrive. What did arrive is delivered, and the peer told what was wrong
    /// if it can be. One that is refused shall hear of it, or it would come again and again.
    fn end(
        &mut self,
        stream: &mut impl Stream,
        room: &mut BytesMut,
        error: ConnectionError,
        now: Instant,
        mut exchange: impl FnMut(&mut Connection) -> Result<(), ConnectionError>,
    ) -> Result<Turn, ConnectionError> {
        let _ = exchange(&mut self.connection);
        if let (Phase::Talking, ConnectionError::Denied(_) | ConnectionError::Incompatible { .. }) =
            (&self.phase, &error)
        {
            self.phase = Phase::Parting(Parting::new(error, now));
            return self.part(stream, room);
        }
        self.flush(stream);
        match core::mem::replace(&mut self.phase, Phase::Talking) {
            // Why writing failed says more than that reading did too.
            Phase::Mute(first) if error.fault() == Fault::Network => Err(first),
            Phase::Talking | Phase::Mute(_) | Phase::Parting(_) => Err(error),
        }
    }

    /// Writes what there is to write. True if all of it is out.
    fn flush(&mut self, stream: &mut impl Stream) -> bool {
        if let Phase::Mute(_) = self.phase {
            return false;
        }
        while let Some(outbox) = self.connection.poll_transmit() {
            let failure = match stream.write(outbox) {
                Ok(0) | Err(StreamError::Eof) => ConnectionError::Eof,
                Ok(written) => {
                    outbox.advance(written);
                    continue;
                }
                Err(StreamError::WouldBlock) => return false,
                Err(StreamError::Interrupted) => continue,
                Err(StreamError::Failed(error)) => error.into(),
            };
            self.phase = Phase::Mute(failure);
            return false;
        }
        true
    }

    /// Reads once, if the connection wants to.
    fn fill(&mut self, stream: &mut impl Stream, room: &mut BytesMut, now: Instant) -> Result<Heard, ConnectionError> {
        if !self.connection.wants_input() {
            return Ok(Heard::Nothing);
        }
        let is_stranger = self.connection.peer().is_none();
        let direct = self.connection.body_space();
        let in_place = direct.is_some();
        let (space, most) = match direct {
            Some(space) => (space, DIRECT),
            None => (&mut room[..], self.bite),
        };
        let most = if is_stranger { BITE } else { most }.min(space.len());
        match stream.read(&mut space[..most]) {
            Ok(0) | Err(StreamError::Eof) => Err(ConnectionError::Eof),
            Ok(count) => {
                if in_place {
                    self.connection.handle_filled(count, now)?;
                } else {
                    self.connection.handle_read_buffer(room, count, now)?;
                }
                Ok(self.digest(is_stranger, count == most))
            }
            Err(StreamError::WouldBlock) => Ok(Heard::Nothing),
            Err(StreamError::Interrupted) => Ok(Heard::Something),
            Err(StreamError::Failed(error)) => Err(error.into()),
        }
    }

    /// Decides how much to read the next time, and whether it is others' turn first: when as much came as there was room for.
    fn digest(&mut self, is_stranger: bool, is_full: bool) -> Heard {
        let is_much = self.connection.commands() > MANY;
        self.bite = if is_much { BITE } else { self.bite.saturating_mul(2) };
        if is_full && (is_stranger || is_much) { Heard::Enough } else { Heard::Something }
    }

    /// Writes what is left, and waits for the peer to hang up; nothing it says is of interest any more.
    fn part(&mut self, stream: &mut impl Stream, room: &mut BytesMut) -> Result<Turn, ConnectionError> {
        let Phase::Parting(Parting { reason, .. }) = &self.phase else { return Err(ConnectionError::PeerClosed) };
        let reason = reason.clone();
        let is_out = self.flush(stream);
        let Phase::Parting(parting) = &mut self.phase else { return Err(reason) };
        if !is_out {
            return Ok(Turn::Wait(Interest::WRITE));
        }
        if !parting.told {
            match stream.close_write() {
                Ok(()) => parting.told = true,
                Err(StreamError::WouldBlock) => return Ok(Turn::Wait(Interest::WRITE)),
                Err(_) => return Err(reason),
            }
        }
        for _ in 0..ROUNDS {
            match stream.read(room) {
                Ok(1..) => {}
                Err(StreamError::WouldBlock) => return Ok(Turn::Wait(Interest::READ)),
                Ok(0) | Err(_) => return Err(reason),
            }
        }
        Ok(Turn::Again)
    }
}

impl Parting {
    fn new(reason: ConnectionError, now: Instant) -> Self {
        Self { reason, told: false, until: now + FAREWELL }
    }
}
