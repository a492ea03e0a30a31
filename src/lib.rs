#![cfg_attr(feature = "tokio", doc = include_str!("../README.md"))]
#![cfg_attr(not(feature = "tokio"), doc = "ZeroMQ for Rust, without IO at its heart. See the README.")]

#[doc(inline)]
pub use sansmq_proto as proto;
#[cfg(feature = "plain")]
pub use sansmq_proto::Login;
#[doc(inline)]
pub use sansmq_proto::zap;
pub use sansmq_proto::{AuthCredentials, AuthReply, AuthRequest, Authenticator, Denial, Rules, Security};
pub use sansmq_proto::{
    BindError, Closed, ConnectError, ConnectionError, Context, Credentials, DropReason, Endpoint, Envelope, Event,
    Fault, Frame, Handle, Host, Incoming, IpcName, JoinError, Keepalive, Message, Monitor, NetworkError, Options,
    OptionsError, Outgoing, ParseEndpointError, Passed, Peer, PropertyError, Proxy, ProxyError, ProxyStatistics,
    ReconnectStop, RecvError, Refusal, Resource, SendError, Side, SlowSubscriber, SocketType, SocksError, Source,
    Steer, SubscribeError, Timer, UnbindError, kind,
};
pub use sansmq_proto::{Drops, PeerStats, RoundTrip, SocketStats, Tally};
#[cfg(feature = "curve")]
#[doc(inline)]
pub use {sansmq_os::keys, sansmq_proto::curve};

/// An event loop without an executor, blocking sockets, and sockets in a `mio::Poll` of your own.
#[cfg(feature = "mio")]
#[doc(inline)]
pub use sansmq_mio as mio;

/// Sockets on smol, or on any executor with async-io's reactor.
#[cfg(feature = "smol")]
#[doc(inline)]
pub use sansmq_smol as smol;

/// Sockets on the tokio runtime.
#[cfg(feature = "tokio")]
#[doc(inline)]
pub use sansmq_tokio as tokio;
