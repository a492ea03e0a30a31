//! [`Session`] runs a connection over a non-blocking byte stream: it writes, reads, and moves messages between the
//! connection and its socket. It never blocks.

mod buffer_stream;
mod buffers;
mod stream;

pub use buffer_stream::BufferStream;
pub use buffers::SessionBuffers;
pub use stream::{Stream, StreamError};

use crate::address::NetworkError;
use crate::connection::{Connection, ConnectionError, ConnectionTimer, Fault, Link};
use crate::cost;
use crate::time::Instant;
use alloc::boxed::Box;
use bytes::{Buf, BytesMut};
use core::ops::BitOr;
use core::time::Duration;

/// Readiness events that a session waits for at its stream. [`Session::turn`] returns them in [`Turn::Wait`], and a
/// [`Guest`](crate::guest::Guest) in its outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interest {
    /// True if the caller must call [`Session::turn`] when the stream becomes readable.
    pub readable: bool,
    /// True if the caller must call [`Session::turn`] when the stream becomes writable.
    pub writable: bool,
}

impl Interest {
    /// Interest in reading only.
    pub const READ: Self = Self { readable: true, writable: false };
    /// Interest in writing only.
    pub const WRITE: Self = Self { readable: false, writable: true };
    /// No interest.
    pub const NONE: Self = Self { readable: false, writable: false };

    /// Converts the interest to the flags of a poller such as `poll`. `readable` and `writable` are the poller's flags
    /// for the two events. Returns `None` if there is no interest: the stream must then not be registered with the
    /// poller, because most pollers report a hang-up even without any flag.
    ///
    /// ```
    /// # use sansmq::proto::Interest;
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

/// Result of [`Session::turn`]. It defines when the caller must call `turn` again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Turn {
    /// The session has no work left. The caller must call `turn` again when the stream is ready for one of these
    /// events, and in the other cases that [`Session`] lists.
    Wait(Interest),
    /// The call has reached its limit of work, and the session has work left. The caller should call `turn` for other
    /// sessions first, and then again for this session. The caller must not wait for the stream before this second
    /// call, because a poller may report no further event.
    Again,
    /// Like [`Again`](Self::Again), but the work left is a handshake, or input that the application does not receive:
    /// commands, subscriptions, dropped messages, and bytes after the end of the connection. No high-water mark limits
    /// this work. So that many such peers do not delay the others, the caller should call `turn` for only one of these
    /// sessions in each iteration of its loop, in turn.
    Background,
}

/// Execution of a [`Connection`] over a [`Stream`]. Each call of [`turn`](Self::turn) writes output, reads input, and
/// moves messages between the connection and its socket, up to a limit of work. When the socket has no more messages
/// for the peer and ends the connection, the session writes the rest of the output, closes the sending direction of the
/// stream, and waits for the peer to close the stream.
///
/// [`turn`](Self::turn) must be called once at the beginning, and then in each of these cases:
///
/// - The stream is ready for one of the events in the latest [`Turn::Wait`], or the latest result was [`Turn::Again`].
/// - The socket emits [`Action::Service`](crate::Action::Service) for the pipe of this connection.
/// - The time that [`poll_timeout`](Self::poll_timeout) returns is reached.
/// - The waker of [`Connection::set_auth_waker`] is woken.
///
/// If `turn` returns an error, the connection has ended, and must be returned to the socket with
/// [`Socket::disconnected`](crate::Socket::disconnected).
#[derive(Debug)]
pub struct Session {
    connection: Connection,
    phase: SessionPhase,
    /// Maximum size in bytes of the next read into the shared read buffer, at first [`SMALL_READ`]. A larger value than the
    /// length of the buffer has no effect. During the handshake and in a command, a read has at most [`SMALL_READ`] bytes in
    /// any case.
    read_limit: usize,
}

/// State of a session.
///
/// ```text
/// Active ──socket has finished, or peer is rejected──► Closing ──peer closes, timeout or error──► ended
///    ├─────writing fails──► WriteFailed ──end of input, timeout or error────────────────────────► ended
///    └─────any other error──────────────────────────────────────────────────────────────────────► ended
/// ```
#[derive(Debug)]
enum SessionPhase {
    /// The connection is in use: the session reads and writes.
    Active,
    /// Writing to the stream has failed with this error. The session writes no more, but still reads the input that the
    /// peer sent before, up to the end of the stream.
    WriteFailed(Box<ConnectionError>),
    /// The socket passes no more messages to the connection, or the peer was rejected. The session writes the rest of
    /// the output, discards input, and waits for the peer to close the stream.
    Closing(Box<Closing>),
}

/// Progress of the orderly end of a connection. The session first closes the sending direction of its stream, and then
/// waits for the peer to close the stream.
#[derive(Debug)]
struct Closing {
    reason: ConnectionError,
    /// True once all output is written and the sending direction of the stream is closed.
    is_write_closed: bool,
    /// Time at which the session stops waiting for the peer to close the stream.
    until: Instant,
}

/// Result of one attempt to read from the stream.
#[derive(PartialEq, Eq)]
enum ReadOutcome {
    /// The session read no bytes, because none were available or the connection accepts no input now.
    Nothing,
    /// The session read bytes, or a signal interrupted the read. The call of [`Session::turn`] can continue.
    Progress,
    /// The session read bytes that were not queued for the application, and more may be available. The call of
    /// [`Session::turn`] must end now, with [`Turn::Background`].
    Background,
}

/// Maximum number of rounds in one call of [`Session::turn`]. Each round writes the pending output and reads once.
const ROUNDS: usize = 4;

/// Maximum number of interrupted writes in one turn. After more, the stream counts as failed.
const MAX_INTERRUPTIONS: usize = 1000;

/// Maximum size in bytes of a read that goes directly into the buffer of a large message body.
// Small reads stay in the processor's caches until they are copied again, and free space in the kernel's buffer early,
// so that the sender can continue.
const MAX_DIRECT_READ: usize = 16 << 10;

/// Work that a read may cause for input that is not queued for the application, in units of the [cost meter](crate::cost): 32
/// commands, or a large one. Reads become smaller until they cause no more.
const UNQUEUED_WORK: u64 = 32;

/// Minimum size in bytes of such a read, so that the system call costs no more than the work.
const SMALLEST_READ: usize = 256;

/// Maximum size in bytes of a read during the handshake, of a read of a command's body, and of the next read after one that
/// caused much [`UNQUEUED_WORK`].
// Such input and handshakes do not wait for the application, so back-pressure does not limit their work. Most handshakes
// are shorter than this.
const SMALL_READ: usize = 2 << 10;

/// Maximum time for which a session waits for the peer to close the stream, after the session itself has begun to close
/// the connection.
// Closing a stream with unread input resets it, which can destroy output in transit. So the peer should close first.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

impl Session {
    /// Creates a session for a connection that [`Socket::accepted`](crate::Socket::accepted) or
    /// [`Socket::connected`](crate::Socket::connected) returned.
    pub const fn new(connection: Connection) -> Self {
        Self { connection, phase: SessionPhase::Active, read_limit: SMALL_READ }
    }

    /// Does a limited amount of work: handles expired timers, writes output, reads input, and calls `exchange` in
    /// between.
    ///
    /// `exchange` must move messages between the connection and its socket, in both directions. It usually calls
    /// [`Socket::exchange`](crate::Socket::exchange) for the pipe of this connection. `buffers` is memory for this call
    /// only, so all sessions of a thread can share it. `now` is the current time.
    ///
    /// # Errors
    /// The reason why the connection has ended.
    pub fn turn(
        &mut self,
        stream: &mut impl Stream,
        buffers: &mut SessionBuffers,
        now: Instant,
        exchange: impl FnMut(&mut Connection) -> Result<(), ConnectionError>,
    ) -> Result<Turn, ConnectionError> {
        // Two exchanges in each round, and one after an error.
        let _call = cost::call("Session::turn", 2 * ROUNDS as u64 + 1);
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
        if let SessionPhase::Closing(closing) = &self.phase {
            let has_ended = exchange(&mut self.connection).is_err() || due;
            return if has_ended { Err(closing.reason.clone()) } else { self.close(stream, room, now) };
        }
        if due {
            // Room and input that are already there show that the peer is alive, even if this turn is late to use them.
            self.flush(stream, now);
            let read = self.fill(stream, room, now);
            if let Err(error) = read.and_then(|_| self.connection.handle_timeout(now)) {
                return self.end(stream, room, error, now, exchange);
            }
        }
        for _ in 0..ROUNDS {
            if let Err(error) = self.connection.poll_auth_reply(now) {
                return self.end(stream, room, error, now, exchange);
            }
            if let Err(error) = exchange(&mut self.connection) {
                return self.reject(stream, room, error, now);
            }
            while self.connection.has_stored_input() {
                // `exchange` has attached the connection to a socket, or the socket has admitted the peer. The stored
                // input causes no further readiness event.
                if let Err(error) = self.connection.handle_input(&[], now) {
                    return self.end(stream, room, error, now, exchange);
                }
                if let Err(error) = exchange(&mut self.connection) {
                    return self.reject(stream, room, error, now);
                }
            }
            let was_full = !self.connection.has_room();
            let flushed = self.flush(stream, now);
            if flushed && self.connection.is_finished() {
                self.phase = SessionPhase::Closing(Box::new(Closing::new(ConnectionError::LocallyClosed, now)));
                return self.close(stream, room, now);
            }
            let read = match self.fill(stream, room, now) {
                Ok(read) => read,
                Err(error) => return self.end(stream, room, error, now, exchange),
            };
            // If the flush made room, the next exchange can add messages. Before the end of the handshake it makes no
            // room.
            let has_new_room = flushed && was_full && self.connection.has_room();
            let reports_writes = self.connection.take_written();
            if read == ReadOutcome::Background {
                return Ok(Turn::Background);
            }
            if read == ReadOutcome::Nothing && !has_new_room && !reports_writes {
                return Ok(Turn::Wait(Interest {
                    readable: self.connection.wants_input(),
                    writable: self.waits_for_writable(flushed),
                }));
            }
        }
        Ok(Turn::Again)
    }

    /// Returns true if the session must wait until the stream is writable. `flushed` is true if all pending output is
    /// written.
    const fn waits_for_writable(&self, flushed: bool) -> bool {
        !flushed && matches!(self.phase, SessionPhase::Active)
    }

    /// Returns the time at which [`turn`](Self::turn) must be called at the latest; `None` if no timer runs.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            // Heartbeats are no longer relevant.
            SessionPhase::Closing(ref closing) => Some(closing.until),
            SessionPhase::Active | SessionPhase::WriteFailed(_) => self.connection.poll_timeout(),
        }
    }

    /// Returns the timer that expires at [`poll_timeout`](Self::poll_timeout).
    pub(crate) fn next_timer(&self) -> Option<ConnectionTimer> {
        match self.phase {
            SessionPhase::Closing(_) => Some(ConnectionTimer::Close),
            SessionPhase::Active | SessionPhase::WriteFailed(_) => self.connection.next_timer(),
        }
    }

    /// Ends the session and returns the connection. The caller must return the connection to its socket with
    /// [`Socket::disconnected`](crate::Socket::disconnected).
    pub fn into_connection(mut self) -> Connection {
        // Dropping an authentication request may run code of the application, which must not happen under the lock of
        // the socket.
        self.connection.cancel_auth_request();
        self.connection
    }

    /// Returns the connection that this session runs.
    pub const fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// Ends the connection after `error`, which the socket has returned. If the peer must receive a reason before the
    /// stream is closed, the session continues until the reason is written. Otherwise returns the error.
    fn reject(
        &mut self,
        stream: &mut impl Stream,
        room: &mut BytesMut,
        error: ConnectionError,
        now: Instant,
    ) -> Result<Turn, ConnectionError> {
        self.connection.fail(&error);
        if !self.connection.sends_close_reason() {
            return Err(error);
        }
        self.phase = SessionPhase::Closing(Box::new(Closing::new(error, now)));
        self.close(stream, room, now)
    }

    /// Ends the connection after `error`: passes the received messages to the socket, and writes as much of the pending
    /// output as possible. If the peer must receive an ERROR command before the stream is closed, the session continues
    /// until the command is written. Otherwise returns the error.
    fn end(
        &mut self,
        stream: &mut impl Stream,
        room: &mut BytesMut,
        error: ConnectionError,
        now: Instant,
        mut exchange: impl FnMut(&mut Connection) -> Result<(), ConnectionError>,
    ) -> Result<Turn, ConnectionError> {
        let _ = exchange(&mut self.connection);
        // A rejected peer must receive the ERROR, or it would reconnect again and again, and a CLOSE would be lost if the
        // stream were reset: so the stream is closed in order.
        let has_error = matches!(
            error,
            ConnectionError::Denied(_) | ConnectionError::NoAuthenticator | ConnectionError::Incompatible { .. }
        );
        if matches!(self.phase, SessionPhase::Active) && (has_error || self.connection.sends_close_reason()) {
            self.phase = SessionPhase::Closing(Box::new(Closing::new(error, now)));
            return self.close(stream, room, now);
        }
        self.flush(stream, now);
        let error = match core::mem::replace(&mut self.phase, SessionPhase::Active) {
            // The earlier write error is more precise than the read error that follows from it.
            SessionPhase::WriteFailed(first) if error.fault() == Fault::Network => *first,
            SessionPhase::Active | SessionPhase::WriteFailed(_) | SessionPhase::Closing(_) => error,
        };
        Err(self.connection.end_reason(error))
    }

    /// Writes the pending output of the connection to `stream`. Returns true if all output is written, and false if
    /// output is left or writing has failed.
    fn flush(&mut self, stream: &mut impl Stream, now: Instant) -> bool {
        let is_flushed = self.write(stream);
        self.connection.handle_written(now);
        is_flushed
    }

    fn write(&mut self, stream: &mut impl Stream) -> bool {
        if let SessionPhase::WriteFailed(_) = self.phase {
            return false;
        }
        let mut interruptions = 0;
        while let Some(outbox) = self.connection.poll_transmit() {
            let failure = match stream.write(outbox) {
                Ok(0) | Err(StreamError::Eof) => ConnectionError::PeerClosed,
                Ok(written) => {
                    outbox.advance(written);
                    continue;
                }
                Err(StreamError::WouldBlock) => return false,
                Err(StreamError::Interrupted) if interruptions < MAX_INTERRUPTIONS => {
                    interruptions += 1;
                    continue;
                }
                Err(StreamError::Interrupted) => NetworkError::Other.into(),
                Err(StreamError::Failed(error)) => error.into(),
            };
            self.phase = SessionPhase::WriteFailed(Box::new(failure));
            return false;
        }
        true
    }

    /// Reads from `stream` once, if the connection accepts input now, and passes the received bytes to the connection.
    fn fill(
        &mut self,
        stream: &mut impl Stream,
        room: &mut BytesMut,
        now: Instant,
    ) -> Result<ReadOutcome, ConnectionError> {
        if !self.connection.wants_input() {
            return Ok(ReadOutcome::Nothing);
        }
        let is_unqueued = self.connection.expects_unqueued_input();
        let direct = self.connection.body_space();
        let in_place = direct.is_some();
        let (space, limit) = match direct {
            Some(space) => (space, MAX_DIRECT_READ),
            None => (&mut room[..], self.read_limit),
        };
        let limit = if is_unqueued { limit.min(SMALL_READ) } else { limit }.min(space.len());
        match stream.read(&mut space[..limit]) {
            Ok(0) | Err(StreamError::Eof) => Err(ConnectionError::PeerClosed),
            Ok(count) => {
                if in_place {
                    self.connection.handle_filled(count, now)?;
                } else {
                    self.connection.handle_read_buffer(room, count, now)?;
                }
                Ok(self.adapt_read_limit(is_unqueued, count, count == limit))
            }
            Err(StreamError::WouldBlock) => Ok(ReadOutcome::Nothing),
            Err(StreamError::Interrupted) => Ok(ReadOutcome::Progress),
            Err(StreamError::Failed(error)) => Err(error.into()),
        }
    }

    /// Sets the maximum size of the next read into the shared read buffer. If the input since the last call caused more than
    /// half of [`UNQUEUED_WORK`], the maximum becomes the number of bytes that cause this work, if they are like the `count`
    /// bytes of the latest read. Otherwise it doubles if that read was full and of messages: a larger read then has at least
    /// half as much queued input before it. The doubling needs no bound, because the read buffer bounds each read.
    ///
    /// Returns [`ReadOutcome::Background`] if the turn must end now, so that other sessions of the thread can run. This is
    /// the case if more input is probably available (`is_full`), and the latest read belonged to the handshake or to a
    /// command (`is_unqueued`), or caused so much work. `is_full` is true if the read filled the space that it was allowed
    /// to fill.
    fn adapt_read_limit(&mut self, is_unqueued: bool, count: usize, is_full: bool) -> ReadOutcome {
        let work = self.connection.take_unqueued_work();
        let has_much_work = work > UNQUEUED_WORK / 2;
        self.read_limit = if has_much_work {
            let equal_work = count as u64 * UNQUEUED_WORK / work;
            usize::try_from(equal_work).unwrap_or(SMALL_READ).clamp(SMALLEST_READ, SMALL_READ)
        } else if is_full && !is_unqueued {
            self.read_limit.saturating_mul(2)
        } else {
            self.read_limit
        };
        if is_full && (is_unqueued || has_much_work) { ReadOutcome::Background } else { ReadOutcome::Progress }
    }

    /// Continues the orderly end of the connection: writes the rest of the output, closes the sending direction of
    /// `stream`, and discards input until the peer closes the stream. When the peer has closed the stream, or the
    /// stream has failed, returns the reason for the end of the connection as the error.
    fn close(&mut self, stream: &mut impl Stream, room: &mut BytesMut, now: Instant) -> Result<Turn, ConnectionError> {
        let SessionPhase::Closing(closing) = &self.phase else {
            return Err(ConnectionError::LocallyClosed);
        };
        let reason = closing.reason.clone();
        let is_flushed = self.flush(stream, now);
        let SessionPhase::Closing(closing) = &mut self.phase else { return Err(reason) };
        if !is_flushed {
            return Ok(Turn::Wait(Interest::WRITE));
        }
        if !closing.is_write_closed {
            match stream.close_write() {
                Ok(()) => closing.is_write_closed = true,
                Err(StreamError::WouldBlock) => return Ok(Turn::Wait(Interest::WRITE)),
                Err(StreamError::Interrupted) => return Ok(Turn::Again),
                Err(_) => return Err(reason),
            }
        }
        for _ in 0..ROUNDS {
            match stream.read(room) {
                Ok(1..) | Err(StreamError::Interrupted) => {}
                Err(StreamError::WouldBlock) => return Ok(Turn::Wait(Interest::READ)),
                Ok(0) | Err(_) => return Err(reason),
            }
        }
        Ok(Turn::Background)
    }
}

impl Closing {
    fn new(reason: ConnectionError, now: Instant) -> Self {
        Self { reason, is_write_closed: false, until: now + CLOSE_TIMEOUT }
    }
}
