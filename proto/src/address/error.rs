//! Errors of addresses: [`ParseEndpointError`] and [`NetworkError`].

use alloc::string::String;
use thiserror::Error;

/// What the network can answer, without the types of an operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the messages say it")]
pub enum NetworkError {
    #[error("nobody listens at that address")]
    Refused,
    #[error("the address cannot be reached")]
    Unreachable,
    #[error("no answer in time")]
    TimedOut,
    #[error("the peer reset the connection")]
    Reset,
    #[error("the host name is not known")]
    UnknownHost,
    #[error("the address is in use already")]
    AddressInUse,
    #[error("this machine does not have that address")]
    AddressUnavailable,
    #[error("permission denied")]
    PermissionDenied,
    #[error("no socket has that name")]
    NoSuchName,
    #[error("the name is too long, or is not one for a socket")]
    BadName,
    #[error("the name was removed, or taken by another, while it was bound")]
    NameLost,
    #[error("too many files are open")]
    TooManyFiles,
    #[error("this side does not carry that transport")]
    Unsupported,
    #[error("this machine does not have that network interface")]
    NoSuchDevice,
    #[error("the operating system refuses an option that was asked for, or does not know it")]
    OptionRefused,
    #[error("that socket does not listen")]
    NotListening,
    #[error("what stands before the `;` says where to connect from, and means nothing to a listener")]
    HasSource,
    #[error("an error of the operating system")]
    Other,
}

/// What is wrong with an endpoint's text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ParseEndpointError {
    /// There is no `://`.
    #[error("`{0}` has no transport; write it like tcp://127.0.0.1:5555")]
    NoTransport(String),
    /// The transport is not one this crate knows.
    #[error("`{0}` is not a transport this crate knows; it knows tcp, ipc and inproc, as in tcp://127.0.0.1:5555")]
    UnknownTransport(String),
    /// There is no port, or it is not a number from 0 to 65535 or `*`.
    #[error("`{0}` has no port; it is a number from 0 to 65535, or * to have one chosen, as in tcp://127.0.0.1:5555")]
    Port(String),
    /// There is no host, or its brackets do not match.
    #[error("`{0}` has no host; it is a name, an address, [an IPv6 address], or * for all interfaces")]
    Host(String),
    /// What stands before a `;` is not an address and a port to connect from, or leads not to that host.
    #[error(
        "`{0}` has a source that is none; it is an address or *, and a port, as in tcp://192.0.2.1:*;192.0.2.2:5555"
    )]
    Source(String),
    /// What stands behind the port is no [`Resource`](super::Resource).
    #[error(
        "`{0}` names no resource: names of letters, digits and $-_@.&+, joined by /, as in \
         tcp://127.0.0.1:5555/system/names"
    )]
    Resource(String),
    /// An `ipc` or `inproc` endpoint names nothing.
    #[error("`{0}` has no name; write it like ipc:///run/service, ipc://@service or inproc://service")]
    NoName(String),
    /// The name of a Unix domain socket is a path of at most 107 octets.
    #[error("`{0}` is too long for a socket: its path may have 107 octets, and has {len}", len = .0.len())]
    TooLong(String),
}

impl From<core::convert::Infallible> for ParseEndpointError {
    fn from(never: core::convert::Infallible) -> Self {
        match never {}
    }
}
