//! Tests of [`Connection`] on the level of bytes. The input is written by hand, not by the encoder under test, and is
//! delivered in pieces of many sizes.

mod admission;
mod admit;
mod commands;
#[cfg(feature = "curve")]
mod curve;
#[cfg(feature = "curve")]
mod curve_by_hand;
#[cfg(any(feature = "curve", feature = "plain"))]
mod golden;
mod handshake;
mod legacy;
mod messages;
mod output;
#[cfg(feature = "plain")]
mod plain;
mod raw;
mod shared_listener;
mod socks;
mod timers;

use super::*;
use crate::SystemEntropy;
use crate::connection::error::Timeout;
use crate::entropy::SeededEntropy;
use crate::message::Frame;
use crate::socket_type::SocketType;
use bytes::Buf;

const NOW: Instant = Instant::ORIGIN;

/// Result of delivering the bytes of a peer to a new connection.
#[derive(Debug, PartialEq)]
struct Outcome {
    error: Option<ConnectionError>,
    received: Vec<Inbound>,
    /// All bytes that the connection sent, collected after it had processed the input.
    sent: Vec<u8>,
    peer: Option<Peer>,
}

impl Outcome {
    /// Returns the received messages. Panics if the connection has failed, or has received a subscription change.
    fn messages(self) -> Vec<Message> {
        assert_eq!(self.error, None);
        let message = |item| match item {
            Inbound::Message(message) => message,
            Inbound::Subscription(_) => panic!("{item:?} is not a message"),
        };
        self.received.into_iter().map(message).collect()
    }

    fn error(self) -> ConnectionError {
        self.error.expect("the connection should have failed")
    }
}

/// Delivers `bytes` to a new connection as a whole, and returns the outcome. Checks that the outcome is the same if the
/// bytes arrive in random pieces, and, for fewer than 100,000 bytes, one by one. Bytes of large message bodies are
/// copied directly into the buffer of the body.
fn feed(config: &ConnectionConfig, bytes: &[u8]) -> Outcome {
    let whole = feed_in_pieces(config, bytes, |left| left);
    if bytes.len() < 100_000 {
        assert_eq!(feed_in_pieces(config, bytes, |_| 1), whole, "byte by byte");
    }
    for seed in 0..20 {
        let mut entropy = SeededEntropy::new(seed);
        let longest = 1 + (bytes.len() as u64 >> (seed % 10));
        let pieces = feed_in_pieces(config, bytes, |_| 1 + usize::try_from(entropy.below(longest)).unwrap());
        assert_eq!(pieces, whole, "pieces of seed {seed}");
    }
    whole
}

fn feed_in_pieces(config: &ConnectionConfig, mut bytes: &[u8], mut piece: impl FnMut(usize) -> usize) -> Outcome {
    let mut connection = Connection::new(&Arc::new(config.clone()), &mut SystemEntropy, NOW);
    let mut error = None;
    while let (None, false) = (&error, bytes.is_empty()) {
        let result = if let Some(space) = connection.body_space() {
            let (front, rest) = bytes.split_at(piece(bytes.len()).min(bytes.len()).min(space.len()));
            space[..front.len()].copy_from_slice(front);
            bytes = rest;
            connection.handle_filled(front.len(), NOW)
        } else {
            let (front, rest) = bytes.split_at(piece(bytes.len()).min(bytes.len()));
            bytes = rest;
            connection.handle_input(front, NOW)
        };
        error = result.err();
    }
    let peer = connection.peer().map(|peer| (**peer).clone());
    let received = core::iter::from_fn(|| connection.take()).collect();
    Outcome { error, received, sent: drain(&mut connection), peer }
}

/// Creates a connection that has finished its handshake with a peer of the socket type `theirs`. The bytes that the
/// connection sent in the handshake are already removed from its output.
fn ready_connection(config: &ConnectionConfig, theirs: &str) -> Connection {
    ready_with_version(config, theirs, 1)
}

fn ready_with_version(config: &ConnectionConfig, theirs: &str, minor: u8) -> Connection {
    let mut connection = Connection::new(&Arc::new(config.clone()), &mut SystemEntropy, NOW);
    deliver(&mut connection, &[greeting(3, minor), ready(theirs)].concat());
    assert!(connection.peer().is_some());
    drain(&mut connection);
    connection
}

fn deliver(connection: &mut Connection, bytes: &[u8]) {
    connection.handle_input(bytes, NOW).expect("the input is valid");
}

/// Removes and returns all output that a connection has to send.
fn drain(connection: &mut Connection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(out) = connection.poll_transmit() {
        bytes.extend_from_slice(&out.copy_to_bytes(out.remaining()));
    }
    bytes
}

fn config(socket_type: SocketType) -> ConnectionConfig {
    ConnectionConfig::new(socket_type)
}

/// Returns a greeting with the NULL mechanism and this ZMTP version, as sent by libzmq.
fn greeting(major: u8, minor: u8) -> Vec<u8> {
    greeting_with(major, minor, b"NULL")
}

fn greeting_with(major: u8, minor: u8, mechanism: &[u8]) -> Vec<u8> {
    let mut bytes = b"\xff\0\0\0\0\0\0\0\x01\x7f".to_vec();
    bytes.extend_from_slice(&[major, minor]);
    bytes.extend_from_slice(mechanism);
    bytes.resize(64, 0);
    bytes
}

fn ready(socket_type: &str) -> Vec<u8> {
    ready_with(&[("Socket-Type", socket_type.as_bytes())])
}

fn ready_with(properties: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in properties {
        body.push(u8::try_from(name.len()).unwrap());
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(&u32::try_from(value.len()).unwrap().to_be_bytes());
        body.extend_from_slice(value);
    }
    command("READY", &body)
}

/// Returns a command frame with this name and body.
fn command(name: &str, body: &[u8]) -> Vec<u8> {
    let name_len = [u8::try_from(name.len()).unwrap()];
    frame(0b100, &[&name_len, name.as_bytes(), body].concat())
}

/// Returns a frame with these flags. Its size field has one byte, or eight bytes if the body is longer than 255 bytes.
fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    match u8::try_from(body.len()) {
        Ok(size) => [&[flags, size], body].concat(),
        Err(_) => [&[flags | 0b010][..], &(body.len() as u64).to_be_bytes(), body].concat(),
    }
}

/// Returns the input that a peer of the socket type `theirs` sends: greeting, READY, and then `bytes`.
fn after_ready(theirs: &str, bytes: &[u8]) -> Vec<u8> {
    [&greeting(3, 1), &ready(theirs), bytes].concat()
}

/// Returns a frame body of `len` bytes, in which each byte depends on its position.
fn body(len: usize) -> Vec<u8> {
    #[expect(clippy::cast_possible_truncation, reason = "a pattern that repeats")]
    (0..len).map(|at| (at * 7 + (at >> 8)) as u8).collect()
}
