//! ZeroMQ without IO: ZMTP 3.1 and the behaviour of the ZeroMQ socket types as pure state machines.
//!
//! This crate opens no socket or file, does not block or sleep, spawns no task or thread, and reads no clock. Bytes and
//! messages are input and output values, the time is an argument, and the caller provides the random source. A socket
//! therefore fits into any event loop, every session can be replayed byte for byte, and a test covers years of
//! reconnects in milliseconds.
//!
//! ```text
//!             bytes                       messages                      application
//!   stream ──────────► Connection ──exchange──► Socket (pipes, pattern) ──────► recv
//!   stream ◄────────── Connection ◄─exchange─── Socket (pipes, pattern) ◄────── send
//!                      one per peer             one per socket; handles no bytes
//! ```
//!
//! An exchange moves messages between a connection and its socket, in both directions.
//!
//! # Where to start
//!
//! - To write a program, use the `sansmq` crate and one of its runtimes.
//! - To embed a socket in an event loop, read the guide [`embedding`]. [`Socket`] implements the behaviour of a socket
//!   type, [`Guest`](guest::Guest) drives sockets over streams of the caller, and the event loop executes each
//!   [`Output`](guest::Output).
//! - To support another async runtime, see `sansmq-runtime`.
//! - To test or fuzz a protocol of your own, read the guide `testing::guide` (feature `testing`).
//! - To use only the protocol, see [`Connection`], and the module [`wire`], which encodes and decodes its bytes.
//!
//! The examples import from `sansmq`, where this crate is the module `sansmq::proto`, and its names that applications use
//! most are also in the root. A program that depends on `sansmq-proto` alone imports the same items from `sansmq_proto`.
//!
//! # Layers
//!
//! Each module is a layer with its own errors. A layer imports only from the layers to its right:
//!
//! ```text
//! testing ─► guest ─► session ─► socket ─► connection ─► security ─► address ─► wire ─► message, time, entropy, kind
//! ```
//!
//! # The event loop
//!
//! 1. Execute each output of [`Guest::poll`](guest::Guest::poll) until it returns [`Output::Wait`](guest::Output::Wait).
//! 2. Wait for events, at most until the deadline in `Wait`, and report each with [`Guest::ready`](guest::Guest::ready).
//!
//! A program with tasks of its own calls the layer below: [`Socket::poll_action`], [`Session::turn`] and their deadlines.
//!
//! Any other order delays work, but does not corrupt state.
//!
//! # Features
//!
//! The crate is `no_std`. It needs `alloc`, and a target with atomic compare-and-swap (not `thumbv6m`).
//!
//! - `std` (default): `SystemEntropy`, `IoStream` over `std::io::{Read, Write}`, and conversions from `std::io::Error`.
//! - `plain`: the PLAIN mechanism (RFC 24).
//! - `curve`: the CURVE mechanism (RFC 25 and 26).
//! - `serde`: `Serialize` and `Deserialize` of the crate `serde` for [`Frame`], [`Message`], [`Endpoint`], and the statistics
//!   [`SocketStats`](socket::SocketStats) and [`PeerStats`](socket::PeerStats).
//! - `testing`: the simulated network `testing::Net`, for tests of applications.
//! - `meter`: counts and bounds the work of each call. For tests and fuzzing only, because it slows every call down.

// Shows on the page of each item the feature that it needs. docs.rs sets the flag.
#![cfg_attr(docsrs, feature(doc_cfg))]
// Only unit tests use `std` unconditionally.
#![cfg_attr(not(test), no_std)]
// Each match in this crate must handle a new variant explicitly.
#![warn(clippy::wildcard_enum_match_arm)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod address;
pub mod connection;
#[cfg(feature = "meter")]
pub mod cost;
#[cfg(not(feature = "meter"))]
mod cost;
pub mod embedding {
    #![doc = include_str!("embedding.md")]
}
pub mod entropy;
pub mod guest;
pub mod kind;
pub mod message;
#[cfg(test)]
mod properties;
pub mod security;
#[cfg(feature = "serde")]
mod serde_support;
pub mod session;
pub mod socket;
mod socket_type;
#[cfg(feature = "std")]
mod std_support;
#[cfg(feature = "testing")]
pub mod testing;
pub mod time;
pub mod wire;

pub use address::{Endpoint, NetworkError};
pub use bytes::Buf;
pub use connection::{Connection, ConnectionError, Outbox};
pub use entropy::Entropy;
pub use message::{Frame, Message};
pub use session::{BufferStream, Interest, Session, SessionBuffers, Stream, StreamError, Turn};
pub use socket::{Action, Event, ListenerId, Options, PipeId, RecvError, SendError, Socket};
pub use socket_type::{ParseSocketTypeError, SocketType};
#[cfg(feature = "std")]
pub use std_support::{IoStream, SystemEntropy};
pub use time::Instant;

/// Runs the example in `README.md`.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
