//! Errors of subscriptions, groups and options.

use super::CLOSED;
use crate::address::{NetworkError, OutOfRange};
use crate::kind::Trait;
use crate::security::SecurityError;
use crate::socket_type::{SocketType, list};
use alloc::string::String;
use alloc::vec::Vec;
use thiserror::Error;

/// Error of `subscribe` and `unsubscribe`.
#[derive(Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// This socket cannot subscribe: only a SUB, an XSUB, and an XPUB with `manual` can. The value is the type of the
    /// socket.
    #[error("{a} {0} socket does not subscribe; {types} do, XPUB for its peers with `manual`", a = .0.article(), types = Trait::Subscribes.types())]
    Unsupported(SocketType),
    /// `unsubscribe` was called for a prefix to which the socket has not subscribed. At an XPUB with `manual`: the peer
    /// that sent the last received subscription change has no subscription to the prefix.
    #[error("the socket has no such subscription; pass exactly a prefix that was given to `subscribe`")]
    NotSubscribed,
    /// `subscribe` or `unsubscribe` of an XPUB with `manual` applies to the peer that sent the last received
    /// subscription change. The application has not received a subscription change yet, or this peer has disconnected.
    #[error("no peer to subscribe: receive the request of a peer first; the peer may also have disconnected")]
    NoRequest,
    /// The socket is closed.
    #[error("{CLOSED}")]
    Closed,
    /// The runtime cannot run the socket, see [`Socket::runtime_failed`](crate::Socket::runtime_failed).
    #[error("the socket does not work: {0}")]
    Runtime(#[source] NetworkError),
}

/// Error of `join` and `leave`.
#[derive(Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The socket is not a DISH; no other type joins groups. The value is the type of the socket.
    #[error("{a} {0} socket does not join groups; {types} does", a = .0.article(), types = Trait::JoinsGroups.types())]
    Unsupported(SocketType),
    /// The socket has already joined this group.
    #[error("the group is already joined; one `join` is enough")]
    Joined,
    /// The socket has not joined this group.
    #[error("the group is not joined; pass exactly a name that was given to `join`")]
    NotJoined,
    /// The name of the group has more than 255 bytes (RFC 48). The value is its length in bytes.
    #[doc(alias("ZMQ_GROUP_MAX_LENGTH", "GROUP_MAX_LENGTH"))]
    #[error("the name of a group has at most 255 bytes, not {0}")]
    TooLong(usize),
    /// The socket is closed.
    #[error("{CLOSED}")]
    Closed,
    /// The runtime cannot run the socket, see [`Socket::runtime_failed`](crate::Socket::runtime_failed).
    #[error("the socket does not work: {0}")]
    Runtime(#[source] NetworkError),
}

/// Reason why the value of an option is invalid.
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum OptionsError {
    /// The routing id does not have 1 to 255 bytes (RFC 37). The value is its length in bytes.
    #[error("a routing id has 1 to 255 bytes, not {0}")]
    RoutingId(usize),
    /// Sockets of this type do not have the option. Returned by [`Options::set`](crate::Options::set).
    #[error("{} {socket_type} socket does not have the option `{option}`; it exists for {}", .socket_type.article(), list(types))]
    NotForType {
        /// Name of the option.
        option: &'static str,
        /// Type of the socket.
        socket_type: SocketType,
        /// Socket types that have the option.
        types: Vec<SocketType>,
    },
    /// The timeout of the option is zero, but the option requires a longer duration. The value is the name of the option.
    #[error("the timeout of `{0}` must be longer than zero")]
    ZeroDuration(&'static str),
    /// The name of a property that was given to `metadata` does not begin with `X-`, contains a character other than
    /// letters, digits and `-_.+`, or is longer than 255 bytes. The value is the name.
    #[error("`{0}` cannot be the name of a property; write `X-` and then letters, digits and -_.+, 255 at most in all")]
    PropertyName(String),
    /// More than 32 properties were added with `metadata`, or the value of a property has more than 1024 bytes.
    #[error("a socket may have 32 properties of its own, each with at most 1024 bytes")]
    Properties,
    /// The address of the SOCKS5 proxy is not a host and a port, or is a wildcard. The value is the text that was
    /// given, with `..` in place of all before an `@`.
    #[error("`{0}` is not a proxy; write host:port, as in localhost:1080")]
    Proxy(String),
    /// The user name for the SOCKS5 proxy does not have 1 to 255 bytes, or the password has more than 255.
    #[error("the user of a proxy has 1 to 255 bytes, and the password at most 255")]
    ProxyUser,
    /// The ZAP domain does not have 1 to 255 bytes. The value is its length in bytes.
    #[error("a ZAP domain has 1 to 255 bytes, not {0}")]
    Domain(usize),
    /// The keys or credentials of a security mechanism are invalid.
    #[error(transparent)]
    Security(#[from] SecurityError),
    /// The time to live of a heartbeat exceeds 6553.5 s: a PING has a 16-bit count of tenths of a second.
    #[error("the time to live of a heartbeat is at most 6553.5 s")]
    TimeToLive,
    /// The value of an option for the operating system's sockets is outside the range that operating systems accept.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
}
