//! What was recorded of peers, and what a connection makes of it.

use sansmq_proto::connection::{ConnectionConfig, Inbound, Link};
use sansmq_proto::{Buf, Connection, ConnectionError, Instant, SystemEntropy};
use std::sync::Arc;

/// What came of one connection.
#[derive(Debug, PartialEq)]
pub(crate) struct Heard {
    pub(crate) error: Option<ConnectionError>,
    pub(crate) ready: bool,
    pub(crate) got: Vec<Inbound>,
    pub(crate) said: Vec<u8>,
}

/// Has a new connection hear this, piece by piece.
pub(crate) fn hear(config: &Arc<ConnectionConfig>, pieces: &[&[u8]]) -> Heard {
    let mut connection = Connection::new(config, &mut SystemEntropy, Instant::ORIGIN);
    let error = pieces.iter().find_map(|piece| connection.handle_input(piece, Instant::ORIGIN).err());
    let got = core::iter::from_fn(|| connection.take()).collect();
    Heard { error, ready: connection.peer().is_some(), got, said: drain(&mut connection) }
}

/// All that it has to say now.
pub(crate) fn drain(connection: &mut Connection) -> Vec<u8> {
    let mut octets = Vec::new();
    while let Some(out) = connection.poll_transmit() {
        octets.extend_from_slice(&out.copy_to_bytes(out.remaining()));
    }
    octets
}

/// Octets as the files in `data` have them: in hexadecimal, and so many more of a pattern behind a `*`.
pub(crate) fn octets(word: &str) -> Vec<u8> {
    let (hex, generated) = word.split_once('*').unwrap_or_else(|| (word.trim_matches('-'), "0"));
    let pairs = hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap());
    #[expect(clippy::cast_possible_truncation, reason = "a pattern that repeats")]
    let rest = (0..generated.parse::<usize>().unwrap()).map(|at| (at * 7 + (at >> 8)) as u8);
    pairs.chain(rest).collect()
}
