//! Replays of sessions that were recorded between libzmq and a peer. In a replay, a connection replaces libzmq or its
//! peer, and must send the same bytes as the replaced side. If other bytes are correct in a session, the test lists
//! them. `tests/data/plain/README.md` describes the recordings.

#[cfg(feature = "curve")]
mod curve;
#[cfg(feature = "plain")]
mod plain;

use super::*;
use crate::entropy::Entropy;
use crate::security::AuthRequest;
use alloc::string::{String, ToString};

/// Recorded session between libzmq and a peer. Each line of the recording is stored as its first word and a list of its
/// other words.
struct Session {
    name: &'static str,
    lines: Vec<(&'static str, Vec<&'static str>)>,
}

/// Side of a recorded session that the connection under test replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReplayedSide {
    Libzmq,
    Peer,
}

/// Result of replaying a recorded session with a connection in place of one of its sides.
struct Replay {
    error: Option<ConnectionError>,
    received: Vec<Message>,
    sent: Vec<u8>,
    /// Authentication requests that the connection has emitted during the replay.
    requests: Vec<AuthRequest>,
}

impl Session {
    fn new((name, text): (&'static str, &'static str)) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let words = lines.map(|line| line.split(' ')).map(|mut words| (words.next().unwrap(), words.collect()));
        Self { name, lines: words.collect() }
    }

    /// Finds the first line of the recording that begins with the words `verb` and `word`, and returns its third word.
    /// Returns `None` if there is no such line.
    fn after(&self, verb: &str, word: &str) -> Option<&'static str> {
        let found = self.lines.iter().find(|(first, rest)| *first == verb && rest[0] == word);
        found.map(|(_, rest)| rest[1])
    }

    fn option(&self, name: &str) -> Option<&'static str> {
        self.after("option", name)
    }

    fn socket_type(&self) -> SocketType {
        let (_, words) = self.lines.iter().find(|(verb, _)| *verb == "socket").expect("the session has a socket line");
        SocketType::from_name(words[0].as_bytes()).unwrap()
    }

    /// Returns all bytes that one side sent in the recorded session: libzmq for the mark `>`, its peer for the mark
    /// `<`.
    fn stream(&self, mark: &str) -> Vec<u8> {
        self.lines.iter().filter(|(verb, _)| *verb == mark).flat_map(|(_, rest)| from_hex(rest[0])).collect()
    }

    /// Returns the message with these frames, which are given in hexadecimal. If the socket of libzmq is a REQ or REP,
    /// an empty delimiter frame comes first.
    fn message(&self, frames: &[&str]) -> Message {
        let delimiter = matches!(self.socket_type(), SocketType::Req | SocketType::Rep).then(Vec::new);
        Message::from_vec(
            delimiter.into_iter().chain(frames.iter().map(|hex| from_hex(hex))).map(Frame::from).collect(),
        )
    }

    /// Returns the messages that the connection under test must receive from the other side if the connection replaces
    /// `side` of the recorded session.
    fn messages(&self, side: ReplayedSide) -> Vec<Message> {
        let theirs = if side == ReplayedSide::Libzmq { "recv" } else { "send" };
        self.lines.iter().filter(|(verb, _)| *verb == theirs).map(|(_, frames)| self.message(frames)).collect()
    }

    /// Replays the session with a new connection in place of `side`, and returns the result. The connection receives
    /// all bytes that the other side sent in the recording. Then repeats the replay with a second connection, which
    /// receives the bytes one by one. Checks that both connections receive the same messages, send the same number of
    /// bytes, and end with the same error. `entropy` creates the random source of each connection.
    fn replay(&self, side: ReplayedSide, config: &ConnectionConfig, entropy: impl Fn() -> Box<dyn Entropy>) -> Replay {
        let whole = self.replay_in_pieces(side, config, &mut *entropy(), usize::MAX);
        let pieces = self.replay_in_pieces(side, config, &mut *entropy(), 1);
        assert_eq!((&pieces.error, &pieces.received), (&whole.error, &whole.received), "{}, byte by byte", self.name);
        assert_eq!(pieces.sent.len(), whole.sent.len(), "{}, byte by byte", self.name);
        whole
    }

    fn replay_in_pieces(
        &self,
        side: ReplayedSide,
        config: &ConnectionConfig,
        entropy: &mut dyn Entropy,
        piece: usize,
    ) -> Replay {
        let mut connection = Connection::new(&Arc::new(config.clone()), entropy, NOW);
        let mut replay = Replay { error: None, received: Vec::new(), sent: Vec::new(), requests: Vec::new() };
        for (verb, rest) in &self.lines {
            let result = match (*verb, side) {
                ("<", ReplayedSide::Libzmq) | (">", ReplayedSide::Peer) => {
                    from_hex(rest[0]).chunks(piece).try_for_each(|piece| connection.handle_input(piece, NOW))
                }
                ("send", ReplayedSide::Libzmq) | ("recv", ReplayedSide::Peer) => {
                    connection.give(self.message(rest).into());
                    Ok(())
                }
                ("zap", ReplayedSide::Libzmq) => match connection.poll_auth_request() {
                    Some(request) => {
                        replay.requests.push(request);
                        connection.handle_auth_reply(reply(rest.last().unwrap()), NOW)
                    }
                    None => Ok(()),
                },
                _ => Ok(()),
            };
            replay.error = replay.error.or_else(|| result.err());
            replay.sent.extend(drain(&mut connection));
        }
        replay.received = core::iter::from_fn(|| connection.take())
            .map(|item| match item {
                Inbound::Message(message) => message,
                Inbound::Subscription(change) => panic!("{change:?} is not a message"),
            })
            .collect();
        replay
    }
}

fn reply(status: &str) -> AuthReply {
    match status {
        "200" => AuthReply::accept(),
        "400" => AuthReply::reject(),
        _ => panic!("{status} is not in the recorded sessions"),
    }
}

fn system() -> Box<dyn Entropy> {
    Box::new(SystemEntropy)
}

/// Decodes hexadecimal digits. The text `-` means no bytes.
fn from_hex(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks_exact(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
}

/// Returns the complete greeting that a connection with these settings sends. Unlike libzmq, a server sets the
/// as-server flag.
fn our_greeting(config: &ConnectionConfig) -> Vec<u8> {
    let mut greeting = greeting_with(3, 1, config.security.mechanism().to_string().as_bytes());
    greeting[32] = u8::from(config.security.is_server());
    greeting
}
