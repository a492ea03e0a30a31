//! [`Stream`]: the non-blocking byte stream, such as a TCP connection, on which a [`Session`](super::Session) runs.

use crate::address::NetworkError;
use crate::connection::{Credentials, Outbox};
use core::net::SocketAddr;
use thiserror::Error;

/// A byte stream that never blocks.
///
/// The traits of `embedded-io` are not used. By contract, their calls block if there are no data. They also have no
/// vectored write, no method that closes only the sending direction, and no method that returns the outcome of a
/// non-blocking connect. With the feature `std`, `IoStream` adapts any `std::io::Read + Write`.
///
/// An implementation converts its errors to the nearest [`NetworkError`], or to [`NetworkError::Other`]. Example of one
/// end of a pipe in memory:
///
/// ```
/// use sansmq::proto::{Buf, NetworkError, Outbox, Stream, StreamError};
/// use std::collections::VecDeque;
/// use std::sync::{Arc, Mutex};
///
/// /// Bytes in transit in one direction, and a flag that is true after the sender has closed it.
/// type Lane = Arc<Mutex<(VecDeque<u8>, bool)>>;
///
/// struct End {
///     incoming: Lane,
///     outgoing: Lane,
/// }
///
/// impl Stream for End {
///     fn read(&mut self, buffer: &mut [u8]) -> Result<usize, StreamError> {
///         let (bytes, closed) = &mut *self.incoming.lock().map_err(|_| NetworkError::Other)?;
///         if bytes.is_empty() && !*closed {
///             return Err(StreamError::WouldBlock);
///         }
///         let count = bytes.len().min(buffer.len());
///         buffer.iter_mut().zip(bytes.drain(..count)).for_each(|(to, byte)| *to = byte);
///         Ok(count)
///     }
///
///     fn write(&mut self, data: &Outbox) -> Result<usize, StreamError> {
///         let (bytes, _) = &mut *self.outgoing.lock().map_err(|_| NetworkError::Other)?;
///         let room = 4096 - bytes.len();
///         if room == 0 {
///             return Err(StreamError::WouldBlock);
///         }
///         let chunk = data.chunk();
///         let count = chunk.len().min(room);
///         bytes.extend(&chunk[..count]);
///         Ok(count)
///     }
///
///     fn close_write(&mut self) -> Result<(), StreamError> {
///         self.outgoing.lock().map_err(|_| NetworkError::Other)?.1 = true;
///         Ok(())
///     }
/// }
/// ```
pub trait Stream {
    /// Reads bytes into `buffer` and returns their number; 0 means the end of the stream.
    ///
    /// # Errors
    /// [`StreamError::WouldBlock`] if no bytes are available now, and [`StreamError::Interrupted`] if the call can be
    /// repeated at once.
    ///
    /// Any other error ends the connection.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, StreamError>;

    /// Writes bytes from the front of `data` and returns the number of written bytes. The caller then removes these
    /// bytes from `data`.
    ///
    /// A stream that writes one slice writes `data.chunk()` ([`Buf::chunk`](bytes::Buf::chunk)). A stream with a
    /// vectored write takes several slices from [`Outbox::chunks`], or from `Outbox::with_io_slices` with the feature
    /// `std`.
    ///
    /// # Errors
    /// [`StreamError::WouldBlock`] if no bytes can be written now, and [`StreamError::Interrupted`] if the call can be
    /// repeated at once. With heartbeats, a write that succeeds after `WouldBlock` counts as a sign of life of the peer.
    ///
    /// Any other error is final, and `Ok(0)` and 1000 interruptions in one turn are final too: the session then writes no more bytes.
    ///
    /// After a final error, the session still reads the last messages of the peer, until [`read`](Self::read) fails or
    /// returns 0. An implementation must therefore ensure that after a final write error, `read` also fails or returns
    /// 0, at once or after some bytes. Otherwise the connection may never end.
    fn write(&mut self, data: &Outbox) -> Result<usize, StreamError>;

    /// Ends the sending direction (FIN of TCP).
    ///
    /// # Errors
    /// [`StreamError::WouldBlock`] if the direction cannot be closed yet. The session then calls the method again when
    /// the stream is writable. [`StreamError::Interrupted`] if the call can be repeated.
    ///
    /// Any other error ends the connection.
    fn close_write(&mut self) -> Result<(), StreamError>;

    /// Returns the outcome of a non-blocking connect. [`Guest`](crate::guest::Guest) calls
    /// this method when a stream that connects is ready. [`Session`](super::Session) does not call it.
    ///
    /// # Errors
    /// [`StreamError::WouldBlock`] if the stream is not connected yet. Otherwise the reason why connecting failed.
    fn established(&mut self) -> Result<(), StreamError> {
        Ok(())
    }

    /// Returns the credentials of the peer's process, if the operating system reports them, for authentication requests.
    /// Default: `None`. [`Guest`](crate::guest::Guest) calls this method once per connection.
    fn credentials(&self) -> Option<Credentials> {
        None
    }

    /// Returns the remote address of a stream that was dialled, for authentication requests. Default: `None`; the host of the
    /// endpoint is then used. [`Guest`](crate::guest::Guest) calls this method once per connection.
    fn remote_address(&self) -> Option<SocketAddr> {
        None
    }
}

/// Error of reading from a [`Stream`], of writing to it, or of closing its sending direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum StreamError {
    /// The call can read or write no bytes now, or cannot close the sending direction yet. A blocking stream would
    /// wait.
    #[error("the stream is not ready")]
    WouldBlock,
    /// A signal interrupted the call. The caller can repeat it at once.
    #[error("the call was interrupted")]
    Interrupted,
    /// The peer closed the stream. For a [`Session`](super::Session), this error of a read or write has the same
    /// meaning as `Ok(0)`.
    #[error("the peer closed the stream")]
    Eof,
    /// The call failed with this network error.
    #[error(transparent)]
    Failed(#[from] NetworkError),
}
