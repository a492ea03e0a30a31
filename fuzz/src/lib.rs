//! The code of the fuzz targets: each function takes any bytes, and panics if an invariant does not hold. The code does not use
//! libFuzzer, so that the tests run it too.

use sansmq_proto::cost::{self, Check};

mod connection;
mod handshake;
mod seeds;
mod sockets;
mod text;
mod topics;
mod wire;

pub use connection::{connection, round_trip};
pub use handshake::handshake;
pub use seeds::seeds;
pub use sockets::sockets;
pub use text::{certificate, endpoint, envelope};
pub use topics::topics;
pub use wire::{commands, frames, greeting};

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
pub const TARGETS: [Target; 11] = [
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
];
