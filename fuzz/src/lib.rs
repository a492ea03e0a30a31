//! The code of the fuzz targets: each function takes any bytes, and panics if an invariant does not hold. The code does not use
//! libFuzzer, so that the tests run it too.

use sansmq_proto::cost::{self, Check};

mod connection;
mod encode;
mod handshake;
mod memory;
mod options;
mod proxies;
mod publisher;
mod seeds;
mod sessions;
mod shared_ports;
#[allow(dead_code, unused_imports, unreachable_pub, reason = "the simulated runtime of the tests")]
#[path = "../../tests/support/sim/mod.rs"]
mod sim;
mod simulation;
mod sockets;
mod socks;
mod text;
mod topics;
mod typed_options;
mod wire;
mod zap;
mod zap_handlers;

pub use connection::{connection, round_trip};
pub use handshake::handshake;
pub use options::options;
pub use proxies::proxies;
pub use publisher::publisher;
pub use seeds::seeds;
pub use sessions::sessions;
pub use shared_ports::shared_ports;
pub use simulation::simulation;
pub use sockets::sockets;
pub use socks::socks;
pub use text::{certificate, endpoint, envelope};
pub use topics::topics;
pub use wire::{commands, frames, greeting};
pub use zap::zap;
pub use zap_handlers::zap_handlers;

/// Begins the run of a target on an input. The run fails if the work of all calls together is not in proportion to their
/// number and to the length of the input; see [`cost`].
pub(crate) fn bounded(data: &[u8]) -> Check {
    let check = cost::total();
    cost::input(data.len());
    check
}

/// Name of a fuzz target, and the function that runs it on an input.
pub type Target = (&'static str, fn(&[u8]));

/// Name of a fuzz target, and an input with which fuzzing starts.
pub type Seed = (&'static str, Vec<u8>);

/// All fuzz targets.
pub const TARGETS: [Target; 20] = [
    ("greeting", greeting),
    ("frames", frames),
    ("commands", commands),
    ("endpoint", endpoint),
    ("certificate", certificate),
    ("envelope", envelope),
    ("connection", connection),
    ("handshake", handshake),
    ("round_trip", round_trip),
    ("topics", topics),
    ("sockets", sockets),
    ("publisher", publisher),
    ("shared_ports", shared_ports),
    ("sessions", sessions),
    ("socks", socks),
    ("zap", zap),
    ("zap_handlers", zap_handlers),
    ("options", options),
    ("proxies", proxies),
    ("simulation", simulation),
];
