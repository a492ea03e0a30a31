//! Support for tests with recorded sessions of libzmq: decoding of their bytes, and replay of the bytes to a
//! connection.

use sansmq_proto::connection::{ConnectionConfig, Inbound, Link};
use sansmq_proto::{Buf, Connection, ConnectionError, Instant, SystemEntropy};
use std::sync::Arc;

/// Result of a replay, in which a new connection receives the recorded bytes of one side.
#[derive(Debug, PartialEq)]
pub(crate) struct Replay {
    pub(crate) error: Option<ConnectionError>,
    pub(crate) ready: bool,
    pub(crate) received: Vec<Inbound>,
    pub(crate) sent: Vec<u8>,
}

/// Passes recorded bytes to a new connection as its input, one element of `pieces` at a time, until the connection
/// returns an error.
pub(crate) fn replay(config: &Arc<ConnectionConfig>, pieces: &[&[u8]]) -> Replay {
    let mut connection = Connection::new(config, &mut SystemEntropy, Instant::ORIGIN);
    let error = pieces.iter().find_map(|piece| connection.handle_input(piece, Instant::ORIGIN).err());
    let received = core::iter::from_fn(|| connection.take()).collect();
    Replay { error, ready: connection.peer().is_some(), received, sent: drain(&mut connection) }
}

/// Removes and returns all bytes that the connection has to send now.
pub(crate) fn drain(connection: &mut Connection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(out) = connection.poll_transmit() {
        bytes.extend_from_slice(&out.copy_to_bytes(out.remaining()));
    }
    bytes
}

/// Decodes bytes in the format of the files in `data`: hexadecimal digits, or `-` for no bytes. Optionally, `*` or `^` and a
/// number follow. After `*`, this number of bytes of a fixed pattern is appended; after `^`, the last byte is repeated as
/// often.
pub(crate) fn decode(word: &str) -> Vec<u8> {
    if let Some((hex, count)) = word.split_once('^') {
        let mut bytes = decode(hex);
        bytes.resize(bytes.len() + count.parse::<usize>().unwrap(), *bytes.last().unwrap());
        return bytes;
    }
    let (hex, generated) = word.split_once('*').unwrap_or_else(|| (word.trim_matches('-'), "0"));
    let pairs = hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap());
    #[expect(clippy::cast_possible_truncation, reason = "a pattern that repeats")]
    let rest = (0..generated.parse::<usize>().unwrap()).map(|at| (at * 7 + (at >> 8)) as u8);
    pairs.chain(rest).collect()
}
