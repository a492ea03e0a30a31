//! Life cycle of connections, listeners and sockets: connect, disconnect, reconnect and close, on a clock that only the
//! test moves.

#![expect(clippy::similar_names, reason = "`pull` and `push`")]

mod admission;
mod applications;
mod brokers;
mod close;
mod connect_messages;
mod faults;
mod handover;
mod heartbeats;
mod mass_reconnect;
mod model_check;
mod network;
mod options;
mod random_faults;
mod random_options;
mod random_refusals;
mod random_shutdowns;
mod reconnect;
mod set_options;
mod slow_sinks;
mod socks;
mod subscribers;
mod worker_loss;

use sansmq_tests::net::{PLACE, bound, close, connected, ms, pull, push, s, waits};
