//! All items that the feature `std` adds: [`SystemEntropy`], [`IoStream`] over `std::io::{Read, Write}`, and
//! conversions from `std::io::Error`.

use crate::address::NetworkError;
use crate::connection::Outbox;
use crate::entropy::Entropy;
#[cfg(unix)]
use crate::guest::Source;
#[cfg(feature = "curve")]
use crate::security::curve::KeyPair;
use crate::session::{Stream, StreamError};
use bytes::Buf;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
#[cfg(unix)]
use std::os::fd::{AsFd, BorrowedFd};

/// The random generator of the operating system.
///
/// `fill` panics if the operating system has no working random generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&mut self, out: &mut [u8]) {
        getrandom::fill(out).expect("the operating system must have a working random generator");
    }
}

#[cfg(feature = "curve")]
impl KeyPair {
    /// Generates a CURVE key pair with the operating system's random generator.
    pub fn random() -> Self {
        Self::generate(&mut SystemEntropy)
    }
}

/// A [`Stream`] over a non-blocking `std::io::{Read, Write}`. The caller supplies functions for the operations that no
/// trait of `std` has: closing the write direction, and reading the error of a failed connect.
///
/// ```
/// use sansmq::proto::IoStream;
/// use std::net::{Shutdown, TcpStream};
///
/// fn stream(tcp: TcpStream) -> IoStream<TcpStream> {
///     IoStream::new(tcp, |tcp| tcp.shutdown(Shutdown::Write)).dialled(|tcp| tcp.take_error())
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct IoStream<T> {
    io: T,
    close_write: fn(&mut T) -> io::Result<()>,
    take_error: fn(&mut T) -> io::Result<Option<io::Error>>,
}

impl<T> IoStream<T> {
    /// Creates a stream over `io`, which must be non-blocking. `close_write` implements [`Stream::close_write`].
    pub const fn new(io: T, close_write: fn(&mut T) -> io::Result<()>) -> Self {
        Self { io, close_write, take_error: |_| Ok(None) }
    }

    /// Sets the function `take_error`, which implements [`Stream::established`]. `take_error` returns the error of a
    /// failed non-blocking connect, or `None` if the connection is established. By default, the stream uses a function
    /// that always returns `None`.
    #[must_use]
    pub const fn dialled(mut self, take_error: fn(&mut T) -> io::Result<Option<io::Error>>) -> Self {
        self.take_error = take_error;
        self
    }

    /// Returns a reference to the wrapped byte stream `T`.
    pub const fn get_ref(&self) -> &T {
        &self.io
    }
}

#[cfg(unix)]
impl<T: AsFd> AsFd for IoStream<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.as_fd()
    }
}

#[cfg(unix)]
impl<'a, S: AsFd, L: AsFd> Source<'a, S, L> {
    /// Returns the descriptor, for a poller.
    pub fn descriptor(self) -> BorrowedFd<'a> {
        match self {
            Self::Stream(stream) => stream.as_fd(),
            Self::Listener(listener) => listener.as_fd(),
        }
    }
}

impl<T: Read + Write> Stream for IoStream<T> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, StreamError> {
        Ok(self.io.read(buffer)?)
    }

    fn write(&mut self, data: &Outbox) -> Result<usize, StreamError> {
        Ok(data.with_io_slices(|slices| self.io.write_vectored(slices))?)
    }

    fn close_write(&mut self) -> Result<(), StreamError> {
        Ok((self.close_write)(&mut self.io)?)
    }

    fn established(&mut self) -> Result<(), StreamError> {
        (self.take_error)(&mut self.io)?.map_or(Ok(()), |error| Err(error.into()))
    }
}

/// Maximum number of slices in one vectored write of an [`IoStream`]. More slices do not make the write faster.
const SLICES: usize = 64;

impl Outbox {
    /// Calls `write` with the next bytes to send, as at most 64 slices, and returns the result of `write`.
    #[inline]
    pub fn with_io_slices<R>(&self, write: impl FnOnce(&[IoSlice<'_>]) -> R) -> R {
        // One slice is the most frequent case. Initialising an array of 64 slices costs more than the rest of this
        // function.
        if self.is_one_chunk() {
            return write(&[IoSlice::new(self.chunk())]);
        }
        let mut slices = [IoSlice::new(&[]); SLICES];
        let count = self.fill_chunks(&mut slices, IoSlice::new);
        write(&slices[..count])
    }
}

impl From<io::Error> for StreamError {
    fn from(error: io::Error) -> Self {
        #[expect(clippy::wildcard_enum_match_arm, reason = "every other kind ends the connection")]
        match error.kind() {
            ErrorKind::WouldBlock => Self::WouldBlock,
            ErrorKind::Interrupted => Self::Interrupted,
            ErrorKind::UnexpectedEof => Self::Eof,
            kind => Self::Failed(kind.into()),
        }
    }
}

impl From<ErrorKind> for NetworkError {
    fn from(kind: ErrorKind) -> Self {
        #[expect(clippy::wildcard_enum_match_arm, reason = "ErrorKind has dozens of variants and is non-exhaustive")]
        match kind {
            ErrorKind::ConnectionRefused => Self::Refused,
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => Self::Unreachable,
            ErrorKind::TimedOut => Self::TimedOut,
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => Self::Reset,
            ErrorKind::NotFound => Self::PathNotFound,
            ErrorKind::NotADirectory => Self::NotADirectory,
            ErrorKind::InvalidInput | ErrorKind::InvalidFilename => Self::InvalidPath,
            ErrorKind::Unsupported => Self::Unsupported,
            ErrorKind::AddrInUse => Self::AddressInUse,
            ErrorKind::AddrNotAvailable => Self::AddressUnavailable,
            ErrorKind::PermissionDenied => Self::PermissionDenied,
            _ => Self::Other,
        }
    }
}

impl From<io::Error> for NetworkError {
    fn from(error: io::Error) -> Self {
        error.kind().into()
    }
}
