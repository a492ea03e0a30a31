//! What the fuzz targets do: each takes any octets, and panics if a promise is broken. Without libFuzzer, so that the tests run
//! them too.

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

/// A target: its name, and what it does.
pub type Target = (&'static str, fn(&[u8]));

/// Octets for a target to begin with.
pub type Seed = (&'static str, Vec<u8>);

/// All of them.
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
