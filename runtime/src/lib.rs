//! Shared parts of sansmq's runtime adapters: socket handles, wakers, tasks, `inproc`, proxies, ZAP over `inproc`,
//! tracing.
//!
//! `sansmq-proto` implements the protocol without IO, an adapter crate waits for IO, and this crate is the common part
//! of all adapters. It needs `std`, but makes no system calls, except for the identifier of the process, and depends on
//! no runtime.
//!
//! # Where to begin
//!
//! - To write a program, use the `sansmq` crate and one of its runtimes.
//! - To support another async runtime, implement [`Runtime`], [`PollStream`], [`PollListener`] and [`AsyncTimer`], and
//!   spawn each [`Task`] as a [`TaskFuture`]; [`spawn_socket`] returns a [`Handle`].
//! - To support an event loop that runs no futures, implement these traits except [`AsyncTimer`], and poll each
//!   [`Task`] when its waker is woken or its timeout has passed. Applications use the same [`Handle`].
//! - To add sockets with one owner, which need no task and no lock, also implement [`TimedRuntime`]; they are [`Exclusive`].
//!
//! # What this crate uses of `sansmq-proto`
//!
//! In addition to the API for embedding single-threaded sockets, this crate uses these thirty-one items for three
//! purposes:
//!
//! | purpose | items |
//! |---|---|
//! | connections within the process (`inproc`) | [`Link`](proto::connection::Link), [`Socket::as_peer`](proto::Socket::as_peer), [`accepted_link`](proto::Socket::accepted_link), [`connected_link`](proto::Socket::connected_link), [`is_dialling`](proto::Socket::is_dialling), [`demand`](proto::Socket::demand), [`recv_room`](proto::Socket::recv_room), [`set_reader`](proto::Socket::set_reader), [`Reader`](proto::socket::Reader), [`Demand`](proto::socket::Demand) |
//! | shared ports | [`Socket::config`](proto::Socket::config), [`accept_shared`](proto::Socket::accept_shared), [`attach`](proto::Socket::attach), [`reject_shared`](proto::Socket::reject_shared), [`listener_lost`](proto::Socket::listener_lost), [`ConnectionConfig::may_share_with`](proto::connection::ConnectionConfig::may_share_with) |
//! | futures and tasks that wait for room, for peers, or for an authentication decision | [`Socket::offer`](proto::Socket::offer), [`offer_many`](proto::Socket::offer_many), [`Unsent`](proto::socket::Unsent), [`Socket::addressee`](proto::Socket::addressee), [`can_complete_sends`](proto::Socket::can_complete_sends), [`can_complete_recvs`](proto::Socket::can_complete_recvs), [`Socket::send_error`](proto::Socket::send_error), [`begin_wait`](proto::Socket::begin_wait), [`poll_wait`](proto::Socket::poll_wait), [`end_wait`](proto::Socket::end_wait), [`ready_peers_or_error`](proto::Socket::ready_peers_or_error), [`Socket::take_peers_changed`](proto::Socket::take_peers_changed), [`Options::zap_handler`](proto::Options::zap_handler), [`ZapHandler`](proto::security::ZapHandler), [`AuthOutcome`](proto::security::AuthOutcome) |
//!
//! This crate also uses items about one socket, its type or its events that are useful to any embedder:
//! `Socket::supports`, `contains`, `failing_dials`, `is_accept_paused` and `abort`; `Connection::set_remote_address`;
//! `SocketType::can_send`, `can_receive`, `must_reply` and `can_handle_zap`; and `EventQueue`.

// Shows on the page of each item the feature that it needs. docs.rs sets the flag.
#![cfg_attr(docsrs, feature(doc_cfg))]
// A new variant requires a decision at each match in this crate.
#![warn(clippy::wildcard_enum_match_arm)]

// The page of `Handle` shows the methods in the order of these modules: first those that every program uses. The blank lines
// keep the order.
mod handle;

mod batch;

mod topics;

mod stats;

mod live_options;

mod adapters;
mod background;
mod bound_listener;
mod budget;
mod closing;
mod connection_task;
mod context;
mod control;
mod dial_task;
mod driver;
mod exclusive;
mod inproc;
mod line;
mod listener_task;
#[cfg(all(test, not(sansmq_loom)))]
mod memory;
mod process;
mod proxy;
mod proxy_control;
mod proxy_direction;
mod race;
mod runtime;
mod served;
mod shared_listener;
mod socket_types;
mod state;
#[cfg(feature = "futures")]
mod streams;
mod supervisor;
mod sync;
mod task;
#[cfg(all(test, not(sansmq_loom)))]
mod tests;
#[cfg_attr(not(feature = "tracing"), path = "no_trace.rs")]
mod trace;
mod turn;
mod waiters;
mod wakes;
mod zap;

pub use adapters::{Monitor, Recv, Send};
pub use batch::{RecvMany, SendMany};
pub use bound_listener::BoundListener;
pub use budget::Budget;
pub use closing::{Closed, ContextClosed, ExitGuard, SocketClosed};
pub use context::Context;
pub use driver::Driver;
pub use exclusive::Exclusive;
pub use handle::{Handle, new_socket};
pub use process::{PerProcess, ProcessId};
pub use proxy::{Proxy, ProxyError};
pub use proxy_control::{ProxyControl, ProxyStatistics, ProxyTraffic, SocketTraffic};
pub use race::{DialTimer, race};
pub use runtime::{AsyncTimer, PollListener, PollStream, Runtime, TimedRuntime, spawn_socket};
pub use sansmq_proto as proto;
pub use served::{CurrentRuntime, Served, StartError};
#[cfg(feature = "futures")]
pub use streams::{Incoming, Outgoing};
pub use task::{Task, TaskFuture, TaskState};

/// Runs the example in `README.md`.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
