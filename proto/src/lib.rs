//! ZeroMQ without IO: ZMTP 3.1 and the rules of ZeroMQ's socket types as pure state machines.
//!
//! Nothing in this crate opens, blocks, sleeps, spawns or reads a clock. Bytes and messages are values that go in and come
//! out, the time is an argument, and randomness is a source that the caller passes in. So a socket fits into any event loop,
//! every session can be replayed byte for byte, and a test covers years of reconnects in milliseconds.
//!
//! ```text
//!             bytes                       messages                      application
//!   stream ──────────► Connection ──exchange──► Socket (pipes, pattern) ──────► recv
//!   stream ◄────────── Connection ◄─exchange─── Socket (pipes, pattern) ◄────── send
//!                      one per peer             one per socket; handles no bytes
//! ```
//!
//! # Where to begin
//!
//! - Writing a program? Use the `sansmq` crate and one of its runtimes.
//! - Embedding a socket in an event loop? [`Socket`] decides, [`Session`] drives one connection over a [`Stream`], [`SessionSet`]
//!   keeps the sessions of a socket, and the loop executes each [`Action`]. The guide is [`embedding`].
//! - Another async runtime? See `sansmq-runtime`.
//! - Only the protocol? [`Connection`], and [`wire`] below it.
//!
//! # Layers
//!
//! Each module is a layer with its own errors, and imports only from layers to its right:
//!
//! ```text
//! testing ─► session ─► socket ─► connection ─► security ─► address ─► wire ─► message, time, entropy, kind
//! ```
//!
//! # The loop
//!
//! 1. Execute the actions of [`Socket::poll_action`] until it returns `None`.
//! 2. Wait until a stream is ready, or for the earliest of [`Socket::poll_timeout`] and each [`Session::poll_timeout`].
//! 3. Give each session that is ready, due or to be serviced a [`Session::turn`]; when it fails, return its connection with
//!    [`Socket::disconnected`]. [`SessionSet`] does that.
//! 4. Call [`Socket::handle_timeout`], and begin again.
//!
//! Any other order delays work, but corrupts nothing.
//!
//! # Features
//!
//! The crate is `no_std` and needs `alloc`, and a target with atomic compare-and-swap (not `thumbv6m`). The feature `std` (default) adds `SystemEntropy`, `IoStream` over
//! `std::io::{Read, Write}` and conversions from `std::io::Error`.

// Unit tests use `std`; everything else does without.
#![cfg_attr(not(test), no_std)]
// A new variant requires a decision at each match in this crate.
#![warn(clippy::wildcard_enum_match_arm)]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod address;
pub mod connection;
pub mod embedding {
    #![doc = include_str!("embedding.md")]
}
pub mod entropy;
pub mod kind;
pub mod message;
#[cfg(test)]
mod properties;
pub mod security;
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
pub use session::{Interest, Session, SessionBuffers, SessionSet, Stream, StreamError, Turn};
pub use socket::{Action, Event, ListenerId, Options, PipeId, RecvError, SendError, Socket};
pub use socket_type::SocketType;
#[cfg(feature = "std")]
pub use std_support::{IoStream, SystemEntropy};
pub use time::Instant;
