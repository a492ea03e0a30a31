//! Single sessions over a stream that the test holds.

use crate::raw_peer::{frame, opening};
use sansmq_proto::connection::{Link, Outbox};
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::kind::{Kind, Pull};
use sansmq_proto::{
    Connection, ConnectionError, Instant, NetworkError, Options, PipeId, Session, SessionBuffers, Socket, Stream,
    StreamError, SystemEntropy, Turn,
};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// A stream whose input the test provides and whose output it reads.
#[derive(Debug, Default)]
pub struct Tape {
    /// Bytes to be read.
    pub input: VecDeque<u8>,
    /// Maximum number of bytes per read.
    pub piece: Option<usize>,
    /// The stream ends when all input is read.
    pub ended: bool,
    /// Addresses of the buffers that were read to.
    pub read_to: Vec<Range<usize>>,
    /// Bytes written.
    pub output: Vec<u8>,
    /// Every write fails.
    pub broken: bool,
    /// Number of write calls.
    pub writes: usize,
    /// Addresses of the buffers that were written from.
    pub written_from: Vec<usize>,
}

impl Stream for Tape {
    fn read(&mut self, room: &mut [u8]) -> Result<usize, StreamError> {
        if self.input.is_empty() && !self.ended {
            return Err(StreamError::WouldBlock);
        }
        let count = room.len().min(self.input.len()).min(self.piece.unwrap_or(usize::MAX));
        for (slot, octet) in room.iter_mut().zip(self.input.drain(..count)) {
            *slot = octet;
        }
        let place = room.as_ptr().addr();
        self.read_to.push(place..place + count);
        Ok(count)
    }

    fn write(&mut self, data: &Outbox) -> Result<usize, StreamError> {
        if self.broken {
            return Err(NetworkError::Reset.into());
        }
        let before = self.output.len();
        data.with_io_slices(|slices| {
            for slice in slices {
                self.output.extend_from_slice(slice);
            }
            self.written_from.extend(slices.iter().map(|slice| slice.as_ptr().addr()));
        });
        self.writes += 1;
        Ok(self.output.len() - before)
    }

    fn close_write(&mut self) -> Result<(), StreamError> {
        Ok(())
    }
}

/// Creates the session of a PULL, without a socket.
pub fn pull_session(options: &Options<Pull>) -> Session {
    Session::new(Connection::new(&Arc::new(options.connection_config()), &mut SystemEntropy, Instant::ORIGIN))
}

/// Creates a socket and a connection that it has accepted.
pub fn accepted<T: Kind>(options: Options<T>) -> (Socket, PipeId, Connection) {
    let mut socket = Socket::new(options, SeededEntropy::new(1));
    let listener = socket.bind("tcp://*:1".parse().unwrap());
    let peer = "tcp://peer:1".parse().unwrap();
    let (pipe, connection) = socket.accepted(listener, peer, Instant::ORIGIN).unwrap();
    (socket, pipe, connection)
}

/// A socket and its only session.
#[derive(Debug)]
pub struct Seat {
    /// The socket.
    pub socket: Socket,
    /// The pipe of the session.
    pub pipe: PipeId,
    /// The session.
    pub session: Session,
    /// Buffers for every turn.
    pub buffers: SessionBuffers,
}

impl Seat {
    /// Completes the handshake with a peer of this type.
    ///
    /// # Panics
    /// If the handshake fails.
    pub fn new<T: Kind>(options: Options<T>, peer: &str, tape: &mut Tape) -> Self {
        let (socket, pipe, connection) = accepted(options);
        let mut seat = Self { socket, pipe, session: Session::new(connection), buffers: SessionBuffers::new() };
        tape.input.extend(opening(peer));
        seat.settle(tape);
        assert!(seat.session.connection().peer().is_some());
        tape.output.clear();
        seat
    }

    /// Runs one turn.
    ///
    /// # Errors
    /// The reason for which the connection has ended.
    pub fn turn(&mut self, tape: &mut Tape) -> Result<Turn, ConnectionError> {
        let Self { socket, pipe, session, buffers } = self;
        session.turn(tape, buffers, Instant::ORIGIN, |link| socket.exchange(*pipe, link))
    }

    /// Runs turns until the session waits.
    pub fn settle(&mut self, tape: &mut Tape) {
        while self.turn(tape) == Ok(Turn::Again) {}
    }
}

/// Encodes a message whose body is `octet`, repeated `size` times.
pub fn filled(octet: u8, size: usize) -> Vec<u8> {
    frame(0, &vec![octet; size])
}
