//! [`BufferStream`]: a stream of two buffers, for a loop that moves the bytes itself.

use crate::address::NetworkError;
use crate::connection::Outbox;
use crate::session::{Stream, StreamError};
use bytes::{Buf, BytesMut};

/// A [`Stream`] of two buffers: bytes that the loop has received, and bytes that it will send. For networks that move bytes by
/// other calls than reading and writing: completion rings such as `io_uring`, `smoltcp`, the sockets of a browser, and tests.
///
/// After each [`Output::Turned`](crate::guest::Output::Turned) the loop sends [`output`](Self::output), and receives at most
/// [`room`](Self::room) bytes. It reports each outcome with [`receive`](Self::receive), [`end`](Self::end), [`sent`](Self::sent) or
/// [`fail`](Self::fail), and then calls [`Guest::ready`](crate::guest::Guest::ready).
///
/// ```
/// use sansmq::proto::BufferStream;
///
/// /// Moves the bytes of one direction in memory.
/// fn transfer(from: &mut BufferStream, to: &mut BufferStream) {
///     let count = from.output().len().min(to.room());
///     to.receive(&from.output()[..count]);
///     from.sent(count);
///     if from.is_finished() {
///         to.end();
///     }
/// }
/// ```
#[derive(Debug)]
pub struct BufferStream<T = ()> {
    /// Name of the stream in the network, such as a descriptor or a handle.
    pub handle: T,
    received: BytesMut,
    unsent: BytesMut,
    /// Number of bytes that may wait to be sent, and that may be received at once.
    limit: usize,
    is_connecting: bool,
    has_ended: bool,
    is_write_closed: bool,
    error: Option<NetworkError>,
}

impl<T> BufferStream<T> {
    /// Creates a connected stream. Each of its buffers has at most `limit` bytes, and room for at least one. Other output stays
    /// in the connection and its pipe, to which high-water marks apply.
    pub fn new(handle: T, limit: usize) -> Self {
        Self {
            handle,
            received: BytesMut::new(),
            unsent: BytesMut::new(),
            limit: limit.max(1),
            is_connecting: false,
            has_ended: false,
            is_write_closed: false,
            error: None,
        }
    }

    /// Changes the stream into one that is not connected before [`establish`](Self::establish).
    #[must_use]
    pub fn connecting(mut self) -> Self {
        self.is_connecting = true;
        self
    }

    /// Reports that the stream is connected.
    pub const fn establish(&mut self) {
        self.is_connecting = false;
    }

    /// Returns the number of bytes that the loop may receive now. Zero while the stream is not connected, and until all bytes that it
    /// received are read: a peer has no other room, because no high-water mark limits the bytes in this stream.
    pub fn room(&self) -> usize {
        let is_waiting = self.received.is_empty() && !self.is_connecting && !self.has_ended && self.error.is_none();
        if is_waiting { self.limit } else { 0 }
    }

    /// Adds received bytes.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
    }

    /// Reports that the peer sends no more bytes. A stream that is not connected yet has failed to connect.
    pub const fn end(&mut self) {
        self.has_ended = true;
    }

    /// Reports that the stream has failed, or could not be connected. Bytes that were received before are still read.
    pub const fn fail(&mut self, error: NetworkError) {
        self.error = Some(error);
    }

    /// Returns the bytes to send.
    pub fn output(&self) -> &[u8] {
        &self.unsent
    }

    /// Removes `count` bytes from the front of [`output`](Self::output), because they are sent.
    pub fn sent(&mut self, count: usize) {
        self.unsent.advance(count.min(self.unsent.len()));
    }

    /// Returns true if all bytes are sent, and no more will follow: the loop should then close its sending direction (FIN of TCP).
    pub const fn is_finished(&self) -> bool {
        self.is_write_closed
    }
}

impl<T> Stream for BufferStream<T> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, StreamError> {
        let count = self.received.len().min(buffer.len());
        if count == 0 && !self.has_ended {
            return Err(self.error.map_or(StreamError::WouldBlock, StreamError::Failed));
        }
        self.received.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }

    fn write(&mut self, data: &Outbox) -> Result<usize, StreamError> {
        if let Some(error) = self.error {
            return Err(error.into());
        }
        let room = self.limit.saturating_sub(self.unsent.len());
        let chunk = data.chunk();
        let chunk = &chunk[..chunk.len().min(room)];
        self.unsent.extend_from_slice(chunk);
        if chunk.is_empty() { Err(StreamError::WouldBlock) } else { Ok(chunk.len()) }
    }

    fn close_write(&mut self) -> Result<(), StreamError> {
        // The session waits for the peer from now on, so the bytes must have been sent.
        self.is_write_closed |= self.unsent.is_empty();
        if self.is_write_closed { Ok(()) } else { Err(StreamError::WouldBlock) }
    }

    fn established(&mut self) -> Result<(), StreamError> {
        match self.error {
            Some(error) => Err(error.into()),
            None if self.is_connecting && self.has_ended => Err(StreamError::Eof),
            None if self.is_connecting => Err(StreamError::WouldBlock),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_left_only_when_all_input_is_read() {
        let mut stream = BufferStream::new((), 10);
        let mut buffer = [0; 4];
        assert_eq!((stream.room(), stream.read(&mut buffer)), (10, Err(StreamError::WouldBlock)));
        stream.receive(b"abcdef");
        assert_eq!((stream.room(), stream.read(&mut buffer), &buffer), (0, Ok(4), b"abcd"));
        assert_eq!((stream.room(), stream.read(&mut buffer), &buffer[..2]), (0, Ok(2), &b"ef"[..]));
        assert_eq!(stream.room(), 10);
        stream.receive(b"g");
        stream.end();
        assert_eq!((stream.room(), stream.read(&mut buffer), stream.read(&mut buffer)), (0, Ok(1), Ok(0)));
        assert_eq!(stream.room(), 0);
    }

    #[test]
    fn failed_stream_is_read_to_its_end() {
        let mut stream = BufferStream::new((), 10);
        stream.receive(b"ab");
        stream.fail(NetworkError::Reset);
        let mut buffer = [0; 4];
        assert_eq!(stream.read(&mut buffer), Ok(2));
        assert_eq!((stream.room(), stream.read(&mut buffer)), (0, Err(NetworkError::Reset.into())));
        assert_eq!(stream.established(), Err(NetworkError::Reset.into()));
    }

    #[test]
    fn stream_that_connects_has_no_room() {
        let mut stream = BufferStream::new('a', 0).connecting();
        assert_eq!((stream.room(), stream.established()), (0, Err(StreamError::WouldBlock)));
        stream.establish();
        assert_eq!((stream.room(), stream.established(), stream.handle), (1, Ok(()), 'a'));
        let mut stream = BufferStream::new('b', 0).connecting();
        stream.end();
        assert_eq!(stream.established(), Err(StreamError::Eof));
    }
}
