//! Single sessions (a session reads and writes one connection) over a stream that the test controls.

use crate::raw_peer::{frame, greeting_and_ready};
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

/// Stream of a session. The test provides its input and checks its recorded output.
#[derive(Debug, Default)]
pub struct TestStream {
    /// Bytes from the peer that have not been read yet.
    pub input: VecDeque<u8>,
    /// Maximum number of bytes per read; `None` for no limit.
    pub piece: Option<usize>,
    /// True if the peer has closed its side. Reads then return the end of the stream when `input` is empty.
    pub ended: bool,
    /// Range of memory addresses that each read has filled, in the order of the reads.
    pub read_to: Vec<Range<usize>>,
    /// Bytes that the session has written.
    pub output: Vec<u8>,
    /// True if every write must fail with a connection reset.
    pub broken: bool,
    /// Number of write calls so far.
    pub writes: usize,
    /// Start addresses of all slices that were written, in order. Tests use them to check that bodies are not copied.
    pub written_from: Vec<usize>,
}

impl Stream for TestStream {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, StreamError> {
        if self.input.is_empty() && !self.ended {
            return Err(StreamError::WouldBlock);
        }
        let count = buffer.len().min(self.input.len()).min(self.piece.unwrap_or(usize::MAX));
        for (slot, byte) in buffer.iter_mut().zip(self.input.drain(..count)) {
            *slot = byte;
        }
        let start = buffer.as_ptr().addr();
        self.read_to.push(start..start + count);
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

/// Creates the session of a new connection of a PULL. There is no socket; the test itself takes the received messages.
pub fn pull_session(options: &Options<Pull>) -> Session {
    Session::new(Connection::new(&Arc::new(options.connection_config()), &mut SystemEntropy, Instant::ORIGIN))
}

/// Creates a socket that has accepted one connection. Returns the socket, the id of the pipe that belongs to the
/// connection, and the connection.
pub fn accepted<T: Kind>(options: Options<T>) -> (Socket, PipeId, Connection) {
    let mut socket = Socket::new(options, SeededEntropy::new(1));
    let listener = socket.bind("tcp://*:1".parse().unwrap());
    let peer = "tcp://peer:1".parse().unwrap();
    let (pipe, connection) = socket.accepted(listener, peer, Instant::ORIGIN).unwrap();
    (socket, pipe, connection)
}

/// Socket with one connection, and the session that reads and writes this connection.
#[derive(Debug)]
pub struct SessionFixture {
    /// Socket that owns the queues of messages to and from the peer.
    pub socket: Socket,
    /// Id of the pipe that belongs to the connection. The session takes outgoing messages from this pipe and adds
    /// incoming messages to it.
    pub pipe: PipeId,
    /// Session that reads and writes the stream.
    pub session: Session,
    /// Buffers that the session uses in every call of `turn`.
    pub buffers: SessionBuffers,
}

impl SessionFixture {
    /// Creates a socket with one accepted connection, and completes the handshake with a peer of the socket type
    /// `peer`.
    ///
    /// # Panics
    /// If the handshake fails.
    pub fn new<T: Kind>(options: Options<T>, peer: &str, stream: &mut TestStream) -> Self {
        let (socket, pipe, connection) = accepted(options);
        let mut seat = Self { socket, pipe, session: Session::new(connection), buffers: SessionBuffers::new() };
        stream.input.extend(greeting_and_ready(peer));
        seat.settle(stream);
        assert!(seat.session.connection().peer().is_some());
        stream.output.clear();
        seat
    }

    /// Runs one turn of the session: reads and writes the stream, and exchanges messages with the socket.
    ///
    /// # Errors
    /// If the connection has ended.
    pub fn turn(&mut self, stream: &mut TestStream) -> Result<Turn, ConnectionError> {
        let Self { socket, pipe, session, buffers } = self;
        session.turn(stream, buffers, Instant::ORIGIN, |link| socket.exchange(*pipe, link))
    }

    /// Calls `turn` again and again, until the session waits for the stream or fails.
    pub fn settle(&mut self, stream: &mut TestStream) {
        while matches!(self.turn(stream), Ok(Turn::Again | Turn::Background)) {}
    }
}

/// Encodes a message with a body of `size` bytes, each equal to `byte`.
pub fn filled(byte: u8, size: usize) -> Vec<u8> {
    frame(0, &vec![byte; size])
}
