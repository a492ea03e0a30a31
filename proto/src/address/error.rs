//! Errors of addresses: [`ParseEndpointError`] and [`NetworkError`].

use alloc::string::String;
use thiserror::Error;

/// Error of the network, without the types of an operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// Connection refused: no listener at the address.
    #[error("nobody listens at that address")]
    Refused,
    /// Host or network unreachable.
    #[error("the address cannot be reached")]
    Unreachable,
    /// No answer in time.
    #[error("no answer in time")]
    TimedOut,
    /// Connection reset, aborted, or broken pipe.
    #[error("the peer reset the connection")]
    Reset,
    /// Host name without addresses.
    #[error("the host name is not known")]
    UnknownHost,
    /// Address already in use.
    #[error("the address is in use already")]
    AddressInUse,
    /// Address that this machine does not have.
    #[error("this machine does not have that address")]
    AddressUnavailable,
    /// Permission denied.
    #[error("permission denied")]
    PermissionDenied,
    /// No Unix domain socket of that name.
    #[error("no socket has that name")]
    NoSuchName,
    /// Name of a Unix domain socket that is too long or invalid.
    #[error("the name is too long, or is not one for a socket")]
    BadName,
    /// Name of a bound Unix domain socket that was removed or replaced.
    #[error("the name was removed, or taken by another, while it was bound")]
    NameLost,
    /// Limit of open files reached.
    #[error("too many files are open")]
    TooManyFiles,
    /// Transport that this runtime or system does not support.
    #[error("this side does not carry that transport")]
    Unsupported,
    /// Network interface that this machine does not have.
    #[error("this machine does not have that network interface")]
    NoSuchDevice,
    /// Option that the operating system rejects or does not know.
    #[error("the operating system refuses an option that was asked for, or does not know it")]
    OptionRefused,
    /// Given socket that is not in the listening state.
    #[error("that socket does not listen")]
    NotListening,
    /// Endpoint with a source address, which only `connect` accepts.
    #[error("what stands before the `;` says where to connect from, and means nothing to a listener")]
    HasSource,
    /// Any other error.
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
