//! Replays of recorded CURVE sessions. The secret transient keys of libzmq are not recorded, so a connection in the
//! role of libzmq can be tested only until these keys are needed. A connection in the role of libzmq's client can be
//! tested to the end. `tests/data/curve/README.md` lists the tests.

use super::*;
use crate::security::curve::{CurveError, KeyPair, SecretKey};
use crate::security::{AuthSource, Security};
use crate::wire::{IDENTITY, MechanismName};

macro_rules! sessions {
    ($($name:literal)*) => {
        [$(($name, include_str!(concat!("../../../../tests/data/curve/", $name, ".txt")))),*]
    };
}

const WHOLE: [(&str, &str); 10] = sessions! {
    "whole/null-curve-peer" "whole/server-as-server" "whole/server-hello-nonzero-sig" "whole/server-hello-short"
    "whole/server-hello-version" "whole/server-hello-wrong-server-key" "whole/server-initiate-bad-cookie"
    "whole/server-maxmsgsize" "whole/server-null-peer" "whole/server-plain-peer"
};

/// Returns the expected result of the session `name` if a connection replaces libzmq: the error with which the
/// connection ends (`None` for no error), and true if the connection sends WELCOME.
fn ours(name: &str) -> (Option<ConnectionError>, bool) {
    let mismatch = |ours, theirs| ConnectionError::MechanismMismatch { ours, theirs };
    let (error, welcome): (ConnectionError, bool) = match name {
        // libzmq does the same: it closes the connection without an ERROR.
        "whole/server-hello-short" => (CurveError::Length("HELLO").into(), false),
        "whole/server-hello-version" => (CurveError::Version { major: 2, minor: 0 }.into(), false),
        "whole/server-initiate-bad-cookie" => (CurveError::Cookie.into(), true),
        "whole/null-curve-peer" => (mismatch(MechanismName::NULL, MechanismName::CURVE), false),
        "whole/server-null-peer" => (mismatch(MechanismName::CURVE, MechanismName::NULL), false),
        "whole/server-plain-peer" => (mismatch(MechanismName::CURVE, MechanismName::PLAIN), false),

        // libzmq rejects only the wrong key; it does not check that the box contains zeros.
        "whole/server-hello-wrong-server-key" | "whole/server-hello-nonzero-sig" => {
            (CurveError::Box("HELLO").into(), false)
        }

        // libzmq admits this peer.
        "whole/server-as-server" => (ConnectionError::SameRole { server: true }, false),

        // libzmq also applies the message limit to the HELLO of 200 bytes.
        "whole/server-maxmsgsize" => return (None, true),
        _ => panic!("no expected result for {name}"),
    };
    (Some(error), welcome)
}

#[test]
fn replay_as_libzmq_matches_until_secrets_are_needed() {
    for session in WHOLE.map(Session::new) {
        let config = config_as_libzmq(&session);
        let (error, welcome) = ours(session.name);
        let replay = session.replay(ReplayedSide::Libzmq, &config, system);
        let expected = [&our_greeting(&config)[..], if welcome { WELCOME } else { b"" }].concat();
        assert!(replay.sent.starts_with(&expected), "{}: {}", session.name, replay.sent.escape_ascii());
        assert_eq!(replay.sent.len(), 64 + if welcome { 170 } else { 0 }, "{}", session.name);
        assert_eq!(replay.error, error, "{}", session.name);
    }
}

#[test]
fn server_accepts_recorded_hello_of_libzmq() {
    let [session] = sessions!("client-ok").map(Session::new);
    let mut server = Connection::new(&server_with(&session.key("server_secret")).into(), &mut SystemEntropy, NOW);
    let mut recorded = session.lines.iter().filter(|(verb, _)| *verb == ">").map(|(_, rest)| from_hex(rest[0]));
    deliver(&mut server, &greeting_with(3, 1, b"CURVE"));
    deliver(&mut server, &recorded.next().unwrap());
    assert!(drain(&mut server)[64..].starts_with(WELCOME));
    // The recorded INITIATE contains the cookie of another WELCOME.
    assert_eq!(server.handle_input(&recorded.next().unwrap(), NOW), Err(CurveError::Cookie.into()));
}

/// One entry for each session in `SERVERS`: number of valid commands and messages that the recorded client sends, and
/// socket type of this client.
const AS_CLIENT: [(usize, SocketType); 9] = [
    (3, SocketType::Pair),
    (2, SocketType::Push),
    (3, SocketType::Push),
    (2, SocketType::Push),
    (2, SocketType::Push),
    (2, SocketType::Push),
    (4, SocketType::Req),
    (2, SocketType::Push),
    (3, SocketType::Sub),
];

const SERVERS: [(&str, &str); 9] = sessions! {
    "server-big" "server-msg-nonce-gap" "server-msg-nonce-repeat" "server-msg-plaintext" "server-msg-short"
    "server-msg-tampered" "server-ok" "server-ping" "server-subscribe"
};

#[test]
fn replay_as_client_sends_recorded_bytes_and_decrypts() {
    for (session, (count, socket_type)) in SERVERS.map(Session::new).into_iter().zip(AS_CLIENT) {
        for piece in [usize::MAX, 1] {
            let config = client_with(&session, socket_type);
            let mut client = Connection::new(&config.into(), &mut Scripted::of(&session), NOW);
            deliver(&mut client, &greeting_with(3, 1, b"CURVE"));
            let (mut sent, mut received) = (drain(&mut client).split_off(64), vec![]);
            let (mut expected, mut expected_messages) = (vec![], vec![]);
            let mut sent_count = 0;
            for (at, (verb, rest)) in session.lines.iter().enumerate() {
                let inside = session.lines.get(at + 1).filter(|(verb, _)| *verb == "=").map(|(_, rest)| rest[0]);
                match *verb {
                    "<" if sent_count < count => {
                        sent_count += 1;
                        expected.extend(from_hex(rest[0]));
                        if sent_count > 2 {
                            send_decrypted(&mut client, &from_hex(inside.unwrap()));
                        }
                    }
                    ">" if !rest[0].contains("..") => {
                        from_hex(rest[0]).chunks(piece).for_each(|piece| deliver(&mut client, piece));
                        if is_message(rest[0]) {
                            expected_messages.push(from_hex(inside.unwrap()));
                        }
                    }
                    _ => {}
                }
                sent.extend(drain(&mut client));
            }
            while let Some(Inbound::Message(message)) = client.take() {
                let frames = message.frames();
                let flagged = |(at, frame): (usize, &Frame)| [&[u8::from(at + 1 < frames.len())], &frame[..]].concat();
                received.extend(frames.iter().enumerate().map(flagged));
            }
            // A PONG is received, but is not a message.
            expected_messages.retain(|inside| inside[0] < 2);
            assert!(sent == expected, "{}: {}", session.name, sent.escape_ascii());
            assert_eq!(received, expected_messages, "{}", session.name);
            assert!(client.peer().is_some(), "{}", session.name);
        }
    }
}

#[test]
fn replay_as_client_receives_zap_decision() {
    let refused = ConnectionError::Refused("400".into());
    let outcomes = [None, Some(refused)];
    for (session, error) in
        sessions!("whole/server-ok-zap" "whole/server-zap-400").map(Session::new).iter().zip(outcomes)
    {
        let config = client_with(session, SocketType::Req);
        let replay = session.replay(ReplayedSide::Peer, &config, || Box::new(Scripted::of(session)));
        // The signature of the recorded client lacks the length of the routing id.
        assert!(replay.sent[9..] == session.stream("<")[9..], "{}", session.name);
        assert_eq!((replay.error, replay.received), (error, session.messages(ReplayedSide::Peer)), "{}", session.name);
    }
}

const WELCOME: &[u8] = b"\x04\xa8\x07WELCOME";

fn is_message(frame: &str) -> bool {
    from_hex(frame).windows(8).take(10).any(|bytes| bytes == b"\x07MESSAGE")
}

/// Queues the content of a recorded frame at the connection `client`, which encrypts and sends it again. `inside` is
/// the decrypted content of the frame: a byte of flags, and the body.
fn send_decrypted(client: &mut Connection, inside: &[u8]) {
    match inside.split_first().unwrap() {
        // The delimiter of a REQ is added to the next frame.
        (1, b"") => {}
        (0, body) if client.config.socket_type == SocketType::Req => client.give(Message::from([b"", body]).into()),
        (0, body) => client.give(Message::from(body).into()),
        (2, command) => {
            let prefix = command.strip_prefix(b"\x09SUBSCRIBE").unwrap();
            client.give(Outbound::Subscription(Subscription::Subscribe(Bytes::copy_from_slice(prefix))));
        }
        _ => panic!("{inside:?}"),
    }
}

fn config_as_libzmq(session: &Session) -> ConnectionConfig {
    let config = match session.option("CURVE_SECRETKEY") {
        Some(secret) => server_with(&from_hex(secret)),
        None => config(SocketType::Dealer),
    };
    let limit = session.option("MAXMSGSIZE").map(|limit| limit.parse().unwrap());
    ConnectionConfig { socket_type: session.socket_type(), max_message_size: limit.unwrap_or(1 << 20), ..config }
}

fn server_with(secret: &[u8]) -> ConnectionConfig {
    let secret = SecretKey::try_from(secret).unwrap();
    let security = Security::curve_server(KeyPair::from(secret));
    // A libzmq server without a ZAP handler accepts any key.
    ConnectionConfig { security, auth_source: AuthSource::AnyKey, ..config(SocketType::Rep) }
}

fn client_with(session: &Session, socket_type: SocketType) -> ConnectionConfig {
    let server = session.option("CURVE_SECRETKEY").map_or_else(|| session.key("server_secret"), from_hex);
    let [server, own] = [server, session.key("client_secret")].map(|key| SecretKey::try_from(&key[..]).unwrap());
    let security = Security::curve_client(KeyPair::from(own), server.public_key()).unwrap();
    let mut config = ConnectionConfig { security, ..config(socket_type) };
    if socket_type != SocketType::Req {
        // All recorded clients send an empty routing id; only some of our socket types do so.
        config.properties.set(IDENTITY, Bytes::new());
    }
    config
}

/// Entropy that returns the random values of a recorded client: its transient key and the nonce of its vouch.
struct Scripted(Vec<u8>);

impl Scripted {
    fn of(session: &Session) -> Self {
        Self([&session.key("peer_short_secret"), &b"vouch-nonce-0001"[..]].concat())
    }
}

impl Entropy for Scripted {
    fn fill(&mut self, out: &mut [u8]) {
        let count = out.len().min(self.0.len());
        out[..count].copy_from_slice(&self.0.drain(..count).collect::<Vec<_>>());
    }
}

impl Session {
    fn key(&self, name: &str) -> Vec<u8> {
        from_hex(self.after("key", name).unwrap_or_else(|| panic!("{name} of {}", self.name)))
    }
}
