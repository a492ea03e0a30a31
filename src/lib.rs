//! ZeroMQ for Rust: sockets on tokio, smol and mio, or in your own event loop.
//!
#![cfg_attr(
    feature = "tokio",
    doc = "- [`tokio`]: `async` sockets with `bind`, `connect`, `send` and `recv`, such as [`DealerSocket`](tokio::DealerSocket)"
)]
#![cfg_attr(feature = "smol", doc = "- [`smol`]: the same sockets on smol")]
#![cfg_attr(
    feature = "mio",
    doc = "- [`mio`]: blocking sockets, such as [`DealerSocket`](mio::DealerSocket), and event loops"
)]
//! - [`Options`]: [`linger`](Options::linger), high-water marks, the routing id ([identity](Options::routing_id)) and all
//!   other options of sockets
//! - [`Message`] and [`Frame`]: the values that sockets send and receive, and their conversions
//! - [`guide`]: tutorial, cookbook, migration, security, embedding and internals
//!
// The examples in README.md use these features.
#![cfg_attr(any(not(doctest), all(feature = "tokio", feature = "mio", feature = "os")), doc = include_str!("../README.md"))]
// Shows on the page of each item the feature that it needs. docs.rs sets the flag.
#![cfg_attr(docsrs, feature(doc_cfg))]
// The facade always enables the feature `std` of `sansmq-proto`, so users of the facade do not select it.
#![cfg_attr(docsrs, doc(auto_cfg(hide(feature = "std"))))]
#![cfg_attr(docsrs, expect(unexpected_cfgs, reason = "`std` is a feature of another package"))]

mod error;
pub mod guide;

pub use error::Error;

#[cfg(feature = "os")]
#[doc(inline)]
pub use sansmq_os as os;
#[cfg(feature = "curve")]
#[doc(inline)]
pub use sansmq_os::keys;
#[doc(inline)]
pub use sansmq_proto as proto;
pub use sansmq_proto::address::{
    Host, IpcName, Keepalive, KeepaliveConfig, OutOfRange, ParseEndpointError, Resource, Source, TransportOption,
};
pub use sansmq_proto::connection::{Credentials, Fault, Peer, RoundTrip, SocksError, Timeout};
pub use sansmq_proto::message::{Envelope, FrameCountError};
#[cfg(feature = "plain")]
pub use sansmq_proto::security::PlainCredentials;
#[cfg(feature = "curve")]
#[doc(inline)]
pub use sansmq_proto::security::curve;
#[doc(inline)]
pub use sansmq_proto::security::zap;
pub use sansmq_proto::security::{
    AllowList, AuthCredentials, AuthReply, AuthRequest, AuthStatus, Authenticator, Security, SecurityError,
};
pub use sansmq_proto::socket::{
    BindError, ConnectError, DropReason, Drops, FailingDial, FailingDials, JoinError, Metrics, OptionsError,
    ParseOptionError, PeerStats, ReconnectStop, RejectReason, SetOptionsError, SlowSubscriber, SocketOption,
    SocketStats, SubscribeError, TrafficCount, UnbindError, WaitError, WaitSubscribedError,
};
pub use sansmq_proto::wire::PropertyError;
pub use sansmq_proto::{
    ConnectionError, Endpoint, Event, Frame, Message, NetworkError, Options, ParseSocketTypeError, RecvError,
    SendError, SocketType, kind,
};
#[doc(inline)]
pub use sansmq_runtime as runtime;
pub use sansmq_runtime::{
    Closed, Context, ContextClosed, Handle, Monitor, Proxy, ProxyControl, ProxyError, ProxyStatistics, ProxyTraffic,
    SocketClosed, SocketTraffic, StartError,
};
#[cfg(feature = "futures")]
pub use sansmq_runtime::{Incoming, Outgoing};

/// Sockets on mio: blocking sockets, an event loop that needs no async executor, and sockets in your own `mio::Poll`.
#[cfg(feature = "mio")]
#[doc(inline)]
pub use sansmq_mio as mio;

/// Sockets on smol, or on another async executor together with the reactor of `async-io`.
#[cfg(feature = "smol")]
#[doc(inline)]
pub use sansmq_smol as smol;

/// Sockets on the tokio runtime.
#[cfg(feature = "tokio")]
#[doc(inline)]
pub use sansmq_tokio as tokio;
