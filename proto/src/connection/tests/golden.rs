//! Sessions recorded from libzmq, with us in the place of one of the two: what we do is what libzmq did, or the test says
//! what is different. `tests/data/plain/README.md` describes them.

#[cfg(feature = "curve")]
mod curve;
#[cfg(feature = "plain")]
mod plain;

use super::*;
use crate::entropy::Entropy;
use crate::security::AuthRequest;
use alloc::string::{String, ToString};

/// A session, line by line: the first word, and the others.
struct Session {
    name: &'static str,
    lines: Vec<(&'static str, Vec<&'static str>)>,
}

/// In whose place we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Libzmq,
    Peer,
}

/// What came of it.
struct Played {
    error: Option<ConnectionError>,
    got: Vec<Message>,
    sent: Vec<u8>,
    /// Who wanted to come in, when we were to ask.
    asked: Vec<AuthRequest>,
}

impl Session {
    fn new((name, text): (&'static str, &'static str)) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let words = lines.map(|line| line.split(' ')).map(|mut words| (words.next().unwrap(), words.collect()));
        Self { name, lines: words.collect() }
    }

    /// The words of the first line that begins with these.
    fn after(&self, verb: &str, word: &str) -> Option<&'static str> {
        let found = self.lines.iter().find(|(first, rest)| *first == verb && rest[0] == word);
        found.map(|(_, rest)| rest[1])
    }

    fn option(&self, name: &str) -> Option<&'static str> {
        self.after("option", name)
    }

    fn socket_type(&self) -> SocketType {
        let (_, words) = self.lines.iter().find(|(verb, _)| *verb == "socket").expect("it is said");
        SocketType::from_name(words[0].as_bytes()).unwrap()
    }

    /// All that libzmq sent (`>`) or its peer (`<`).
    fn stream(&self, mark: &str) -> Vec<u8> {
        self.lines.iter().filter(|(verb, _)| *verb == mark).flat_map(|(_, rest)| octets(rest[0])).collect()
    }

    /// A message as the application has it, with what a REQ or REP puts in front.
    fn message(&self, frames: &[&str]) -> Message {
        let delimiter = matches!(self.socket_type(), SocketType::Req | SocketType::Rep).then(Vec::new);
        Message::from_vec(delimiter.into_iter().chain(frames.iter().map(|hex| octets(hex))).map(Frame::from).collect())
    }

    /// The messages that we are to receive.
    fn messages(&self, place: Place) -> Vec<Message> {
        let theirs = if place == Place::Libzmq { "recv" } else { "send" };
        self.lines.iter().filter(|(verb, _)| *verb == theirs).map(|(_, frames)| self.message(frames)).collect()
    }

    /// Plays the session twice, in which the other says what was recorded: each flight whole, and octet by octet.
    fn play(&self, place: Place, config: &ConnectionConfig, entropy: impl Fn() -> Box<dyn Entropy>) -> Played {
        let whole = self.play_in_pieces(place, config, &mut *entropy(), usize::MAX);
        let pieces = self.play_in_pieces(place, config, &mut *entropy(), 1);
        assert_eq!((&pieces.error, &pieces.got), (&whole.error, &whole.got), "{}, octet by octet", self.name);
        assert_eq!(pieces.sent.len(), whole.sent.len(), "{}, octet by octet", self.name);
        whole
    }

    fn play_in_pieces(
        &self,
        place: Place,
        config: &ConnectionConfig,
        entropy: &mut dyn Entropy,
        piece: usize,
    ) -> Played {
        let mut connection = Connection::new(&Arc::new(config.clone()), entropy, NOW);
        let mut played = Played { error: None, got: Vec::new(), sent: Vec::new(), asked: Vec::new() };
        for (verb, rest) in &self.lines {
            let result = match (*verb, place) {
                ("<", Place::Libzmq) | (">", Place::Peer) => {
                    octets(rest[0]).chunks(piece).try_for_each(|piece| connection.handle_input(piece, NOW))
                }
                ("send", Place::Libzmq) | ("recv", Place::Peer) => {
                    connection.give(self.message(rest).into());
                    Ok(())
                }
                ("zap", Place::Libzmq) => match connection.poll_auth_request() {
                    Some(request) => {
                        played.asked.push(request);
                        connection.handle_auth_reply(reply(rest.last().unwrap()), NOW)
                    }
                    None => Ok(()),
                },
                _ => Ok(()),
            };
            played.error = played.error.or_else(|| result.err());
            played.sent.extend(drain(&mut connection));
        }
        played.got = core::iter::from_fn(|| connection.take())
            .map(|item| match item {
                Inbound::Message(message) => message,
                Inbound::Subscription(wish) => panic!("{wish:?}"),
            })
            .collect();
        played
    }
}

fn reply(status: &str) -> AuthReply {
    match status {
        "200" => AuthReply::accept(),
        "400" => AuthReply::refuse(),
        _ => panic!("{status} was not recorded"),
    }
}

fn system() -> Box<dyn Entropy> {
    Box::new(SystemEntropy)
}

/// The octets of hexadecimal digits; of `-`, none.
fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks_exact(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
}

/// Our greeting, which comes at once; and which says who is the server, as libzmq's never does.
fn our_greeting(config: &ConnectionConfig) -> Vec<u8> {
    let mut greeting = greeting_with(3, 1, config.security.mechanism().to_string().as_bytes());
    greeting[32] = u8::from(config.security.is_server());
    greeting
}
