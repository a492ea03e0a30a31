//! ZeroMQ without IO: ZMTP 3.1 and the rules of ZeroMQ's socket types as pure state machines.
//!
//! Nothing in here opens, blocks, sleeps, spawns or asks the time. Octets and messages come in and go out as values, the
//! time is an argument, randomness is a source that is passed in. So a socket can live in any event loop, every session
//! can be replayed byte for byte, and years of reconnecting can be tested in milliseconds.
//!
//! ```text
//!             octets                       messages                      application
//!   stream ──────────► Connection ──exchange──► Socket (pipes, pattern) ──────► recv
//!   stream ◄────────── Connection ◄─exchange─── Socket (pipes, pattern) ◄────── send
//!                      one per peer             one per socket; knows no octets
//! ```
//!
//! # Where to begin
//!
//! - Writing a program? Use the `sansmq` crate and one of its runtimes.
//! - Embedding a socket in a loop of your own? [`Socket`] decides, [`Session`] drives one connection over a [`Stream`],
//!   [`Links`] keeps them all, and your loop does what [`Action`] says. The guide is [`embedding`].
//! - Another async runtime? Implement [`Runtime`], and [`launch`] gives you a [`Handle`] that lives on it.
//! - Only the protocol? [`Connection`], and [`wire`] below it.
//!
//! # The loop
//!
//! 1. Do what [`Socket::poll_action`] says until it says nothing.
//! 2. Wait until a stream is ready, or the earliest of [`Socket::poll_timeout`] and each [`Session::poll_timeout`].
//! 3. Give each session that is ready, due or to be serviced a [`Session::turn`]; when it fails, give its connection back
//!    with [`Socket::disconnected`]. [`Links`] does that.
//! 4. Call [`Socket::handle_timeout`], and begin again.
//!
//! Any other order delays work, but corrupts nothing.

#![cfg_attr(not(feature = "std"), no_std)]
// What a new variant means has to be decided everywhere in here.
#![warn(clippy::wildcard_enum_match_arm)]

extern crate alloc;

mod config;
mod connection;
#[cfg(feature = "std")]
pub mod embedding {
    #![doc = include_str!("embedding.md")]
}
mod endpoint;
mod entropy;
mod envelope;
mod error;
mod event;
#[cfg(all(feature = "std", feature = "plain", feature = "curve"))]
pub mod about_security {
    #![doc = include_str!("security.md")]
}
#[cfg(feature = "std")]
pub mod from_libzmq {
    #![doc = include_str!("from_libzmq.md")]
}
#[cfg(feature = "std")]
mod handle;
pub mod kind;
#[cfg(feature = "std")]
mod links;
mod message;
mod options;
mod pipe;
#[cfg(test)]
mod properties;
mod queue;
mod resource;
mod route;
#[cfg(feature = "std")]
mod scratch;
mod security;
#[cfg(feature = "std")]
mod session;
mod socket;
mod socket_type;
mod stats;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
mod time;
mod transport;
pub mod wire;

pub use bytes::Buf;
pub use config::{ConnectionConfig, HeartbeatConfig};
pub use connection::{Caller, Connection, Credentials, Inbound, Link, Outbound, Outbox, Peer, SocksError, Wish};
pub use endpoint::{Endpoint, Host, IpcName};
pub use entropy::Entropy;
#[cfg(any(test, feature = "testing"))]
pub use entropy::SeededEntropy;
#[cfg(feature = "std")]
pub use entropy::SystemEntropy;
pub use envelope::Envelope;
pub use error::{
    BindError, ConnectError, ConnectionError, Fault, JoinError, NetworkError, OptionsError, ParseEndpointError,
    PropertyError, RecvError, SendError, SubscribeError, Timer, UnbindError,
};
pub use event::{DropReason, Event, Refusal};
#[cfg(feature = "std")]
pub use handle::{
    Alarm, Ambient, Closed, Context, Dialling, Driver, Handle, Incoming, Listening, Monitor, Opened, Order, Outgoing,
    Passage, Passed, PollStream, Proxy, ProxyError, ProxyStatistics, Recv, Runtime, Send, Served, Side, Steer, Step,
    first, launch, resolve, share,
};
#[cfg(feature = "std")]
pub use links::Links;
pub use message::{Frame, Message};
#[cfg(feature = "plain")]
pub use options::Login;
pub use options::{Options, ReconnectStop, Security, SlowSubscriber};
pub use pipe::PipeId;
pub use resource::Resource;
pub use route::{Route, Source};
#[cfg(feature = "std")]
pub use scratch::Scratch;
#[cfg(feature = "curve")]
pub use security::curve;
pub use security::zap;
pub use security::{AuthCredentials, AuthReply, AuthRequest, Authenticator, Authority, Denial, Rules};
#[cfg(feature = "std")]
pub use session::{Interest, IoStream, Session, Stream, Turn};
pub use socket::{Action, ListenerId, Socket};
pub use socket_type::SocketType;
pub use stats::{Drops, PeerStats, RoundTrip, SocketStats, Tally};
pub use time::{Instant, earliest};
pub use transport::{Keepalive, KeepaliveConfig, TransportConfig};
