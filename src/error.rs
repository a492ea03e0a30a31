//! [`Error`]: any error of this crate.

// In the facade, because no crate below it has all these errors, and none of their functions returns this type.

#[cfg(feature = "curve")]
use crate::keys::ReadError;
use crate::proto::ParseSocketTypeError;
use crate::proto::address::{NetworkError, OutOfRange, ParseEndpointError};
use crate::proto::connection::{CloseReason, ConnectionError, LikelyReason, SocksError, Timeout};
use crate::proto::message::FrameCountError;
use crate::proto::security::SecurityError;
#[cfg(feature = "curve")]
use crate::proto::security::curve::{CertificateError, CurveError, KeyError, z85::Z85Error};
use crate::proto::security::zap::ZapError;
use crate::proto::session::StreamError;
use crate::proto::socket::{
    AcceptError, BindError, ConnectError, JoinError, OptionsError, ParseOptionError, RecvError, SendError,
    SetOptionsError, SubscribeError, UnbindError, WaitError, WaitSubscribedError,
};
use crate::proto::wire::{DecodeError, PropertyError};
use crate::runtime::{ProxyError, StartError};
use core::fmt;
use std::io;

/// Any error of this crate, for functions that call several operations: every error type of this crate converts into it by `?`.
///
/// Each operation returns its own error type, which has only the errors that can occur. `Error` has one variant for each of these
/// types, so no information is lost: [`SendError`], for example, still has the message that was not sent. Its text and its
/// [`source`](core::error::Error::source) are those of the error in it. `Debug` writes the same text, because a `main` that returns
/// an error prints it.
///
/// ```
/// use sansmq::proto::NetworkError;
/// use sansmq::{BindError, Endpoint, Error, Options, kind};
///
/// fn options() -> Result<Options<kind::Dealer>, Error> {
///     Ok(Options::new().routing_id("client-7")?)
/// }
///
/// fn port(text: &str) -> Result<u16, Error> {
///     let endpoint: Endpoint = text.parse()?;
///     Ok(endpoint.host_and_port()?.1)
/// }
///
/// options()?;
/// assert_eq!(port("tcp://localhost:5555")?, 5555);
/// assert!(matches!(port("localhost:5555"), Err(Error::Endpoint(_))));
/// assert!(matches!(port("ipc://@service"), Err(Error::Network(NetworkError::Unsupported))));
///
/// // A program may handle one error and return all others.
/// fn is_taken(bound: Result<Endpoint, Error>) -> Result<bool, Error> {
///     match bound {
///         Err(Error::Bind(BindError::Network { error: NetworkError::AddressInUse, .. })) => Ok(true),
///         other => other.map(|_| false),
///     }
/// }
/// # assert!(!is_taken(Ok("tcp://*:1".parse()?))?);
/// # assert!(is_taken(port("localhost:5555").map(|_| unreachable!())).is_err());
/// # let (endpoint, error) = ("tcp://*:1".parse()?, NetworkError::AddressInUse);
/// # assert!(is_taken(Err(BindError::Network { endpoint, error }.into()))?);
/// # Ok::<(), Error>(())
/// ```
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Error of `send`, with the message that was not sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// Error of `recv`.
    #[error(transparent)]
    Recv(#[from] RecvError),
    /// Error of `bind`.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Error of `connect`.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// Error of `connect_and_wait` and `wait_connected`.
    #[error(transparent)]
    Wait(#[from] WaitError),
    /// Error of `wait_subscribed`.
    #[error(transparent)]
    WaitSubscribed(#[from] WaitSubscribedError),
    /// Error of `unbind` and `disconnect`.
    #[error(transparent)]
    Unbind(#[from] UnbindError),
    /// Error of `subscribe` and `unsubscribe`.
    #[error(transparent)]
    Subscribe(#[from] SubscribeError),
    /// Error of `join` and `leave`.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// Error of `set_options`.
    #[error(transparent)]
    SetOptions(#[from] SetOptionsError),
    /// Error of a setter of [`Options`](crate::Options), or of a [`Security`](crate::Security) value.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The name or the text of an option is invalid.
    #[error(transparent)]
    ParseOption(#[from] ParseOptionError),
    /// Error of `try_new`.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The text is not a socket type.
    #[error(transparent)]
    SocketType(#[from] ParseSocketTypeError),
    /// Error of a [`Proxy`](crate::Proxy).
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// The text is not an endpoint or a resource.
    #[error(transparent)]
    Endpoint(#[from] ParseEndpointError),
    /// A message has another number of frames than expected. Carries the message.
    #[error(transparent)]
    FrameCount(#[from] FrameCountError),
    /// Reason why a connection ended, as a monitor reports it.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// The network, or the operating system's network stack, reported an error.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// Error of a property of the handshake.
    #[error(transparent)]
    Property(#[from] PropertyError),
    /// Error of a ZAP message.
    #[error(transparent)]
    Zap(#[from] ZapError),
    /// A file with CURVE keys cannot be read, or is not a certificate.
    #[cfg(feature = "curve")]
    #[error(transparent)]
    ReadKeys(#[from] ReadError),
    /// The text or the values are not a certificate.
    #[cfg(feature = "curve")]
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The bytes or the text are not a CURVE key.
    #[cfg(feature = "curve")]
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The bytes or the text cannot be converted to or from Z85.
    #[cfg(feature = "curve")]
    #[error(transparent)]
    Z85(#[from] Z85Error),
    /// Only for embedders of [`proto`](crate::proto): a connection was not added to a socket.
    #[error(transparent)]
    Accept(#[from] AcceptError),
    /// Only for embedders of [`proto`](crate::proto): a [`Stream`](crate::proto::Stream) cannot read or write.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// Only for users of [`proto::wire`](crate::proto::wire): the bytes violate the protocol.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Error of [`block_on_timeout`](crate::mio::block_on_timeout).
    #[cfg(feature = "mio")]
    #[error(transparent)]
    BlockOn(#[from] crate::mio::BlockOnError),
    /// Error of the operating system, for example of the event loop of mio.
    #[error(transparent)]
    Io(#[from] io::Error),
}

// A `main` that returns the error prints the `Debug` text, so it includes the advice.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Wraps the error in the [`OptionsError`] of a setter that returns it.
impl From<SecurityError> for Error {
    fn from(error: SecurityError) -> Self {
        Self::Options(error.into())
    }
}

/// Wraps the error in the [`OptionsError`] of a setter that returns it.
impl From<OutOfRange> for Error {
    fn from(error: OutOfRange) -> Self {
        Self::Options(error.into())
    }
}

/// Wraps the cause in the [`ConnectionError`] of a connection that ended because of it.
impl From<CloseReason> for Error {
    fn from(reason: CloseReason) -> Self {
        Self::Connection(ConnectionError::ClosedWithReason(reason))
    }
}

/// Wraps the cause in the [`ConnectionError`] of a connection that ended because of it.
impl From<LikelyReason> for Error {
    fn from(reason: LikelyReason) -> Self {
        Self::Connection(ConnectionError::ClosedBeforeReady(reason))
    }
}

/// Wraps the cause in the [`ConnectionError`] of a connection that ended because of it.
impl From<Timeout> for Error {
    fn from(timeout: Timeout) -> Self {
        Self::Connection(ConnectionError::TimedOut(timeout))
    }
}

/// Wraps the cause in the [`ConnectionError`] of a connection that ended because of it.
impl From<SocksError> for Error {
    fn from(error: SocksError) -> Self {
        Self::Connection(error.into())
    }
}

/// Wraps the cause in the [`ConnectionError`] of a connection that ended because of it.
#[cfg(feature = "curve")]
impl From<CurveError> for Error {
    fn from(error: CurveError) -> Self {
        Self::Connection(error.into())
    }
}
