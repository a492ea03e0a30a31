//! Errors of addresses: [`ParseEndpointError`] and [`NetworkError`].

use alloc::string::String;
use core::fmt;
use thiserror::Error;

use super::transport_option::TransportOption;

/// Name of the operating system for which this crate was compiled.
const SYSTEM: &str = if cfg!(windows) {
    "Windows"
} else if cfg!(target_os = "linux") {
    "Linux"
} else if cfg!(target_os = "android") {
    "Android"
} else if cfg!(target_os = "macos") {
    "macOS"
} else if cfg!(target_os = "freebsd") {
    "FreeBSD"
} else {
    "this system"
};

/// A network error, independent of the error types of the operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// The connection was refused: no socket listens at the address.
    #[doc(alias = "ECONNREFUSED")]
    #[error("connection refused: no socket listens at the address; start the peer, or correct the address")]
    Refused,
    /// The operating system cannot reach the host or the network.
    #[doc(alias = "ENETUNREACH")]
    #[error("the host or network is unreachable; check the address, and the network of this machine")]
    Unreachable,
    /// The time limit of a connection attempt, or of a transmission, expired before the peer answered.
    #[doc(alias = "ETIMEDOUT")]
    #[error(
        "the time limit expired without an answer; check the address and the firewalls, or the peer may have too much work"
    )]
    TimedOut,
    /// The peer or the operating system has reset or aborted the connection.
    #[doc(alias = "ECONNRESET")]
    #[error("the peer reset the connection")]
    Reset,
    /// The host name cannot be resolved: the lookup failed, or found no address.
    #[error("the host name has no addresses; check its spelling, and the name server of this machine")]
    UnknownHost,
    /// The host name cannot be looked up now, because this process looks up as many other names as it can, and the resolver of
    /// the operating system does not answer them. A dial is repeated as after any other failure.
    #[error("too many host names are being looked up; the resolver of this machine does not answer")]
    TooManyLookups,
    /// Another operating system socket is already bound to the address.
    #[doc(alias = "EADDRINUSE")]
    #[error("the address is already in use; close the other socket, or bind another address")]
    AddressInUse,
    /// This machine does not have the requested local address.
    #[doc(alias("EADDRNOTAVAIL", "ENODEV"))]
    #[error("this machine does not have the address; use an address of its interfaces, or * for all of them")]
    AddressUnavailable,
    /// The operating system denies the operation to this process.
    #[error(
        "permission denied: the operating system allows only some users to use a port below 1024, a network interface or this \
         file; use another address, or run the program as another user"
    )]
    PermissionDenied,
    /// No Unix domain socket with the requested name exists.
    #[error("no Unix domain socket has this name; start the peer, or correct the name")]
    PathNotFound,
    /// The directory in which a socket file must be created does not exist. Returned only by `bind`.
    #[error("the directory of the socket file does not exist; create the directory, or correct the path")]
    NoDirectory,
    /// A part of the path of a Unix domain socket is a file, but must be a directory.
    #[error("a part of the path is a file, not a directory; correct the path")]
    NotADirectory,
    /// This process may not create a file in the directory of a socket file, or the file system is read-only. Returned only by
    /// `bind`.
    #[error(
        "this process may not create a file in the directory; change the permissions of the directory, or choose another"
    )]
    DirectoryNotWritable,
    /// The path is that of a file which is not a Unix domain socket, or of a symbolic link. `bind` does not replace such a file.
    #[error("the path is that of a file which is not a socket; remove the file, or choose another path")]
    NotASocket,
    /// The name of the Unix domain socket is too long or invalid.
    #[error("the name of the Unix domain socket is empty, longer than this system allows, or contains a zero byte")]
    InvalidPath,
    /// The socket file of a bound Unix domain socket was removed or replaced after the bind.
    #[error("the name of the Unix domain socket was removed or replaced while it was bound")]
    PathReplaced,
    /// This process or the system has reached its limit of open files.
    #[doc(alias = "EMFILE")]
    #[error("too many files are open; raise the limit of this process (`ulimit -n`), or lower `max_peers`")]
    TooManyFiles,
    /// The runtime, the system or the called method does not support the transport of the endpoint.
    #[doc(alias = "EPROTONOSUPPORT")]
    #[error("this runtime or system does not support the transport; tcp is always supported")]
    Unsupported,
    /// An `ipc` endpoint on a system where this crate does not support Unix domain sockets, such as Windows.
    #[error("`ipc` endpoints do not exist on {SYSTEM}; use tcp://127.0.0.1 with a port, or inproc within one process")]
    NoIpc,
    /// An `ipc` endpoint with an abstract name, such as `ipc://@service`, on a system other than Linux and Android.
    #[error(
        "abstract names such as ipc://@service exist on Linux and Android, and not on {SYSTEM}; use a path, as in \
         ipc:///run/service"
    )]
    NoAbstractNames,
    /// This machine does not have the requested network interface.
    #[error("this machine does not have the network interface; check the name that was given to `bind_to_device`")]
    NoSuchDevice,
    /// The operating system does not have an option that was set, or accepts it without effect. Carries the option; the text
    /// names the system too.
    #[error("`{0}` exists on {systems}, and not on {SYSTEM}; leave the option out on this system", systems = .0.systems())]
    UnsupportedOption(TransportOption),
    /// The operating system rejects the value of an option. Carries the option.
    #[error("{SYSTEM} rejects the value of `{0}`; choose another value, or leave the option out")]
    OptionRejected(TransportOption),
    /// The application passed an operating system socket as a listener, but this socket is not in the listening state.
    #[error("the socket is not in the listening state; call `listen` on it first")]
    NotListening,
    /// An endpoint with a source address was passed to `bind`. Only `connect` accepts a source address.
    #[error("a source address (the part before `;`) is valid only for connect, not for bind")]
    HasSource,
    /// The async runtime of the socket was built without support for IO, for example a tokio runtime without
    /// `enable_io` or `enable_all`.
    #[error(
        "the runtime has no IO driver; build the tokio runtime with `enable_all`, or with `enable_io` and `enable_time`"
    )]
    NoIoDriver,
    /// The async runtime of the socket was built without timers, for example a tokio runtime without `enable_time` or
    /// `enable_all`. No method of the socket works.
    #[error(
        "the runtime has no timers; build the tokio runtime with `enable_all`, or with `enable_io` and `enable_time`"
    )]
    NoTimeDriver,
    /// Any other error of the operating system.
    #[error("the operating system returned an error for which there is no text here")]
    Other,
}

/// Error of parsing the text of an [`Endpoint`](super::Endpoint) or a [`Resource`](super::Resource).
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ParseEndpointError {
    /// The text of the endpoint does not contain `://`. Carries the text.
    #[error("`{0}` has no transport; write it like tcp://127.0.0.1:5555")]
    NoTransport(String),
    /// The transport before `://` is unknown. Carries the name of this transport.
    #[error("`{0}` is not a known transport; use tcp, ipc or inproc, as in tcp://127.0.0.1:5555")]
    UnknownTransport(String),
    /// Missing or invalid port. Carries the endpoint.
    #[error(
        "`{0}` has no valid port; write a number from 0 to 65535, or * for any free port, as in tcp://127.0.0.1:5555"
    )]
    Port(String),
    /// Missing or invalid host, such as an IPv6 address without brackets. Carries the endpoint.
    #[error(
        "`{0}` has no valid host; write a name, an IPv4 address, an IPv6 address in brackets, or * for all interfaces"
    )]
    Host(String),
    /// Invalid source address before the `;`, or source and host of different IP versions. Carries the endpoint.
    #[error(
        "`{0}` has no valid source before the `;`; write an IP address of the version of the host, or *, and a port, as in \
         tcp://192.0.2.1:*;192.0.2.2:5555"
    )]
    Source(String),
    /// Invalid [`Resource`](super::Resource). Carries the endpoint, or the resource if it was parsed alone.
    #[error(
        "`{0}` has no valid resource; write names of letters, digits and $-_@.&+, separated by /, as in \
         tcp://127.0.0.1:5555/system/names"
    )]
    Resource(String),
    /// An `ipc` or `inproc` endpoint without a name. Carries the endpoint.
    #[error("`{0}` has no name; write it like ipc:///run/service, ipc://@service or inproc://service")]
    NoName(String),
    /// Path of a Unix domain socket with more than 107 bytes. Carries the path.
    #[error("`{0}` is too long for a Unix domain socket: the path has {len} bytes, at most 107 are allowed", len = .0.len())]
    TooLong(String),
}

// A `main` that returns the error prints the `Debug` text, so it includes the advice.
impl fmt::Debug for ParseEndpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ParseEndpointError: {self}")
    }
}

impl From<core::convert::Infallible> for ParseEndpointError {
    fn from(never: core::convert::Infallible) -> Self {
        match never {}
    }
}
