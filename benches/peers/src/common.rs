//! Names that every implementation and scenario uses.

pub use crate::args::{Args, Kind, Role, Scenario};
pub use crate::check::{Check, Checked, Ring, Seen, share};
pub use crate::measure::{Window, go_flag, mark, nanos_since, park, report};

/// Outstanding requests per DEALER in the scenario `router`.
pub const WINDOW: u64 = 32;
/// Concurrent handshakes in the scenario `conns`.
pub const CONN_WINDOW: usize = 64;
/// Messages received without waiting after one awaited receive, where an implementation has such a call.
pub const DRAIN: u64 = 128;
/// Messages per call in the scenario `thr_batch`.
pub const BATCH: u64 = 64;
/// Messages between two flushes in the scenario `thr`, for sockets that need a flush: the default high-water mark.
pub const BURST: u64 = 1000;

/// First message, and last messages, of a PUB.
pub const PROBE: &[u8] = b"P";
pub const END: &[u8] = b"EE";

/// Long-term secrets of the scenario `curve`.
pub const SERVER_SECRET: [u8; 32] = [1; 32];
pub const CLIENT_SECRET: [u8; 32] = [2; 32];
/// X25519 public key of `SERVER_SECRET`.
pub const SERVER_PUBLIC: [u8; 32] = [
    0xa4, 0xe0, 0x92, 0x92, 0xb6, 0x51, 0xc2, 0x78, 0xb9, 0x77, 0x2c, 0x56, 0x9f, 0x5f, 0xa9, 0xbb, 0x13, 0xd9, 0x06,
    0xb4, 0x6a, 0xb6, 0x8c, 0x9d, 0xf9, 0xdc, 0x2b, 0x44, 0x09, 0xf8, 0xa2, 0x09,
];

/// Panics for a scenario that this implementation does not have in this role.
#[cold]
pub fn unsupported(a: &Args) -> ! {
    panic!("{} has no scenario {} in the role {:?}", a.implementation, a.scenario.name(), a.role)
}
