//! The connection as its peer sees it: octets in, octets out. What the peer says is written by hand here, not by our own
//! encoder, and every scenario is heard in pieces of many sizes.

mod admission;
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

/// What a conversation came to.
#[derive(Debug, PartialEq)]
struct Outcome {
    error: Option<ConnectionError>,
    got: Vec<Inbound>,
    /// Everything we wrote, collected at the end.
    sent: Vec<u8>,
    peer: Option<Peer>,
}

impl Outcome {
    /// The messages that came; there was no error and nothing else.
    fn messages(self) -> Vec<Message> {
        assert_eq!(self.error, None);
        let message = |item| match item {
            Inbound::Message(message) => message,
            Inbound::Subscription(_) => panic!("{item:?} is no message"),
        };
        self.got.into_iter().map(message).collect()
    }

    fn error(self) -> ConnectionError {
        self.error.expect("the connection has failed")
    }
}

/// Has a new connection hear `octets`: whole, octet by octet, and in random pieces, read into place where that is
/// offered. The outcome is the same each time.
fn hear(config: &ConnectionConfig, octets: &[u8]) -> Outcome {
    let whole = hear_in_pieces(config, octets, |left| left);
    if octets.len() < 100_000 {
        assert_eq!(hear_in_pieces(config, octets, |_| 1), whole, "octet by octet");
    }
    for seed in 0..20 {
        let mut dice = SeededEntropy::new(seed);
        let longest = 1 + (octets.len() as u64 >> (seed % 10));
        let pieces = hear_in_pieces(config, octets, |_| 1 + usize::try_from(dice.below(longest)).unwrap());
        assert_eq!(pieces, whole, "pieces of seed {seed}");
    }
    whole
}

fn hear_in_pieces(config: &ConnectionConfig, mut octets: &[u8], mut piece: impl FnMut(usize) -> usize) -> Outcome {
    let mut connection = Connection::new(&Arc::new(config.clone()), &mut SystemEntropy, NOW);
    let mut error = None;
    while let (None, false) = (&error, octets.is_empty()) {
        let heard = if let Some(space) = connection.body_space() {
            let (front, rest) = octets.split_at(piece(octets.len()).min(octets.len()).min(space.len()));
            space[..front.len()].copy_from_slice(front);
            octets = rest;
            connection.handle_filled(front.len(), NOW)
        } else {
            let (front, rest) = octets.split_at(piece(octets.len()).min(octets.len()));
            octets = rest;
            connection.handle_input(front, NOW)
        };
        error = heard.err();
    }
    let peer = connection.peer().map(|peer| (**peer).clone());
    let got = core::iter::from_fn(|| connection.take()).collect();
    Outcome { error, got, sent: drain(&mut connection), peer }
}

/// A connection past its handshake, whose greeting and READY are written.
fn ready_connection(config: &ConnectionConfig, theirs: &str) -> Connection {
    ready_with_version(config, theirs, 1)
}

fn ready_with_version(config: &ConnectionConfig, theirs: &str, minor: u8) -> Connection {
    let mut connection = Connection::new(&Arc::new(config.clone()), &mut SystemEntropy, NOW);
    say(&mut connection, &[greeting(3, minor), ready(theirs)].concat());
    assert!(connection.peer().is_some());
    drain(&mut connection);
    connection
}

fn say(connection: &mut Connection, octets: &[u8]) {
    connection.handle_input(octets, NOW).expect("the peer says nothing wrong");
}

/// All that waits to be written.
fn drain(connection: &mut Connection) -> Vec<u8> {
    let mut octets = Vec::new();
    while let Some(out) = connection.poll_transmit() {
        octets.extend_from_slice(&out.copy_to_bytes(out.remaining()));
    }
    octets
}

fn config(socket_type: SocketType) -> ConnectionConfig {
    ConnectionConfig::new(socket_type)
}

/// A NULL greeting as libzmq sends it.
fn greeting(major: u8, minor: u8) -> Vec<u8> {
    greeting_with(major, minor, b"NULL")
}

fn greeting_with(major: u8, minor: u8, mechanism: &[u8]) -> Vec<u8> {
    let mut octets = b"\xff\0\0\0\0\0\0\0\x01\x7f".to_vec();
    octets.extend_from_slice(&[major, minor]);
    octets.extend_from_slice(mechanism);
    octets.resize(64, 0);
    octets
}

fn ready(socket_type: &str) -> Vec<u8> {
    ready_saying(&[("Socket-Type", socket_type.as_bytes())])
}

fn ready_saying(properties: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in properties {
        body.push(u8::try_from(name.len()).unwrap());
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(&u32::try_from(value.len()).unwrap().to_be_bytes());
        body.extend_from_slice(value);
    }
    command("READY", &body)
}

/// A command frame, short or long.
fn command(name: &str, body: &[u8]) -> Vec<u8> {
    let name_len = [u8::try_from(name.len()).unwrap()];
    frame(0b100, &[&name_len, name.as_bytes(), body].concat())
}

/// A frame, short or long, with these flags beside.
fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    match u8::try_from(body.len()) {
        Ok(size) => [&[flags, size], body].concat(),
        Err(_) => [&[flags | 0b010][..], &(body.len() as u64).to_be_bytes(), body].concat(),
    }
}

/// A conversation past the handshake: greeting, READY of `theirs`, and then this.
fn after_ready(theirs: &str, octets: &[u8]) -> Vec<u8> {
    [&greeting(3, 1), &ready(theirs), octets].concat()
}

/// A body whose octets tell their place.
fn body(len: usize) -> Vec<u8> {
    #[expect(clippy::cast_possible_truncation, reason = "a pattern that repeats")]
    (0..len).map(|at| (at * 7 + (at >> 8)) as u8).collect()
}
