//! One session, or one socket, without a network: streams are made for it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod blocks;
mod costs;
mod sockets;
mod turns;

use sansmq_proto::connection::{Link, Outbox};
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::kind::{Kind, Pull};
use sansmq_proto::{
    Connection, ConnectionError, Instant, NetworkError, Options, PipeId, Scratch, Session, Socket, Stream, StreamError,
    SystemEntropy, Turn,
};
use sansmq_tests::stranger::{frame, opening};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// What is to be read, and what was written.
#[derive(Default)]
struct Tape {
    input: VecDeque<u8>,
    /// The system has no more than this at a time.
    piece: Option<usize>,
    /// The stream ends when all is read.
    ended: bool,
    /// Where it was read to.
    read_to: Vec<Range<usize>>,
    output: Vec<u8>,
    /// Writing fails.
    broken: bool,
    /// Calls of the system.
    writes: usize,
    /// Where it was written from.
    written_from: Vec<usize>,
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

/// A PULL's session without its socket.
fn pull_session(options: &Options<Pull>) -> Session {
    Session::new(Connection::new(&Arc::new(options.connection_config()), &mut SystemEntropy, Instant::ORIGIN))
}

/// A socket and the one connection that came to it.
fn accepted<T: Kind>(options: Options<T>) -> (Socket, PipeId, Connection) {
    let mut socket = Socket::new(options, SeededEntropy::new(1));
    let listener = socket.bind("tcp://*:1".parse().unwrap());
    let peer = "tcp://peer:1".parse().unwrap();
    let (pipe, connection) = socket.accepted(listener, peer, Instant::ORIGIN).unwrap();
    (socket, pipe, connection)
}

/// A socket and the one session that it has, with the scratch that all of its turns have.
struct Seat {
    socket: Socket,
    pipe: PipeId,
    session: Session,
    scratch: Scratch,
}

impl Seat {
    /// After the handshake with a peer of this type.
    fn new<T: Kind>(options: Options<T>, peer: &str, tape: &mut Tape) -> Self {
        let (socket, pipe, connection) = accepted(options);
        let mut seat = Self { socket, pipe, session: Session::new(connection), scratch: Scratch::new() };
        tape.input.extend(opening(peer));
        seat.settle(tape);
        assert!(seat.session.connection().peer().is_some());
        tape.output.clear();
        seat
    }

    fn turn(&mut self, tape: &mut Tape) -> Result<Turn, ConnectionError> {
        let Self { socket, pipe, session, scratch } = self;
        session.turn(tape, scratch, Instant::ORIGIN, |link| socket.exchange(*pipe, link))
    }

    /// Takes turns until it waits.
    fn settle(&mut self, tape: &mut Tape) {
        while self.turn(tape) == Ok(Turn::Again) {}
    }
}

/// A message of so many octets, all of them this one.
fn filled(octet: u8, size: usize) -> Vec<u8> {
    frame(0, &vec![octet; size])
}
