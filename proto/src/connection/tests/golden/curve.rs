//! CURVE. Of libzmq's own transient keys the secret halves are not known, so that in its place we can be only until something
//! depends on them; in the place of its client to the end. `tests/data/curve/README.md` says which test is for what.

use super::*;
use crate::security::Security;
use crate::security::curve::{CurveError, KeyPair, SecretKey};
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

/// How a session ends with us in libzmq's place, and whether WELCOME was said.
fn ours(name: &str) -> (Option<ConnectionError>, bool) {
    let mismatch = |ours, theirs| ConnectionError::MechanismMismatch { ours, theirs };
    let (error, welcome): (ConnectionError, bool) = match name {
        // libzmq does the same: it closes the connection, without a word.
        "whole/server-hello-short" => (CurveError::Length("HELLO").into(), false),
        "whole/server-hello-version" => (CurveError::Version { major: 2, minor: 0 }.into(), false),
        "whole/server-initiate-bad-cookie" => (CurveError::Cookie.into(), true),
        "whole/null-curve-peer" => (mismatch(MechanismName::NULL, MechanismName::CURVE), false),
        "whole/server-null-peer" => (mismatch(MechanismName::CURVE, MechanismName::NULL), false),
        "whole/server-plain-peer" => (mismatch(MechanismName::CURVE, MechanismName::PLAIN), false),

        // Of these it refuses the wrong key alone; that a box holds other than zeros it does not see.
        "whole/server-hello-wrong-server-key" | "whole/server-hello-nonzero-sig" => {
            (CurveError::Box("HELLO").into(), false)
        }

        // It lets the peer in, whom we refuse.
        "whole/server-as-server" => (ConnectionError::SameRole { server: true }, false),

        // It applies the limit of messages to the HELLO, of 200 octets, too.
        "whole/server-maxmsgsize" => return (None, true),
        _ => panic!("it is not said what is to come of {name}"),
    };
    (Some(error), welcome)
}

#[test]
fn in_libzmqs_place_we_do_as_it_did_as_long_as_nothing_depends_on_its_secrets() {
    for session in WHOLE.map(Session::new) {
        let config = in_libzmqs_place(&session);
        let (error, welcome) = ours(session.name);
        let played = session.play(Place::Libzmq, &config, system);
        let said = [&our_greeting(&config)[..], if welcome { WELCOME } else { b"" }].concat();
        assert!(played.sent.starts_with(&said), "{}: {}", session.name, played.sent.escape_ascii());
        assert_eq!(played.sent.len(), 64 + if welcome { 170 } else { 0 }, "{}", session.name);
        assert_eq!(played.error, error, "{}", session.name);
    }
}

#[test]
fn in_a_servers_place_we_take_libzmqs_hello() {
    let [session] = sessions!("client-ok").map(Session::new);
    let mut server = Connection::new(&server_with(&session.key("server_secret")).into(), &mut SystemEntropy, NOW);
    let mut said = session.lines.iter().filter(|(verb, _)| *verb == ">").map(|(_, rest)| octets(rest[0]));
    say(&mut server, &greeting_with(3, 1, b"CURVE"));
    say(&mut server, &said.next().unwrap());
    assert!(drain(&mut server)[64..].starts_with(WELCOME));
    // It answers another WELCOME.
    assert_eq!(server.handle_input(&said.next().unwrap(), NOW), Err(CurveError::Cookie.into()));
}

/// How many commands and messages are what a client says that does what it should, and which socket it has.
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
fn in_the_place_of_its_client_we_say_the_same_octets_and_open_what_libzmq_says() {
    for (session, (count, socket_type)) in SERVERS.map(Session::new).into_iter().zip(AS_CLIENT) {
        for piece in [usize::MAX, 1] {
            let config = client_with(&session, socket_type);
            let mut client = Connection::new(&config.into(), &mut Scripted::of(&session), NOW);
            say(&mut client, &greeting_with(3, 1, b"CURVE"));
            let (mut sent, mut got) = (drain(&mut client).split_off(64), vec![]);
            let (mut expected, mut expected_got) = (vec![], vec![]);
            let mut said = 0;
            for (at, (verb, rest)) in session.lines.iter().enumerate() {
                let inside = session.lines.get(at + 1).filter(|(verb, _)| *verb == "=").map(|(_, rest)| rest[0]);
                match *verb {
                    "<" if said < count => {
                        said += 1;
                        expected.extend(octets(rest[0]));
                        if said > 2 {
                            tell(&mut client, &octets(inside.unwrap()));
                        }
                    }
                    ">" if !rest[0].contains("..") => {
                        octets(rest[0]).chunks(piece).for_each(|piece| say(&mut client, piece));
                        if is_message(rest[0]) {
                            expected_got.push(octets(inside.unwrap()));
                        }
                    }
                    _ => {}
                }
                sent.extend(drain(&mut client));
            }
            while let Some(Inbound::Message(message)) = client.take() {
                let frames = message.frames();
                let flagged = |(at, frame): (usize, &Frame)| [&[u8::from(at + 1 < frames.len())], &frame[..]].concat();
                got.extend(frames.iter().enumerate().map(flagged));
            }
            // A PONG is heard, and gives no message.
            expected_got.retain(|inside| inside[0] < 2);
            assert!(sent == expected, "{}: {}", session.name, sent.escape_ascii());
            assert_eq!(got, expected_got, "{}", session.name);
            assert!(client.peer().is_some(), "{}", session.name);
        }
    }
}

#[test]
fn in_the_place_of_its_client_we_hear_what_zap_decided() {
    let refused = ConnectionError::Refused("400".into());
    let outcomes = [None, Some(refused)];
    for (session, error) in
        sessions!("whole/server-ok-zap" "whole/server-zap-400").map(Session::new).iter().zip(outcomes)
    {
        let config = client_with(session, SocketType::Req);
        let played = session.play(Place::Peer, &config, || Box::new(Scripted::of(session)));
        // In the signature the recorded client left out the length of the routing id.
        assert!(played.sent[9..] == session.stream("<")[9..], "{}", session.name);
        assert_eq!((played.error, played.got), (error, session.messages(Place::Peer)), "{}", session.name);
    }
}

const WELCOME: &[u8] = b"\x04\xa8\x07WELCOME";

fn is_message(frame: &str) -> bool {
    octets(frame).windows(8).take(10).any(|octets| octets == b"\x07MESSAGE")
}

/// Has a client say what was inside a recorded frame: its flags, and what they are of.
fn tell(client: &mut Connection, inside: &[u8]) {
    match inside.split_first().unwrap() {
        // A REQ's delimiter comes before.
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

fn in_libzmqs_place(session: &Session) -> ConnectionConfig {
    let config = match session.option("CURVE_SECRETKEY") {
        Some(secret) => server_with(&octets(secret)),
        None => config(SocketType::Dealer),
    };
    let limit = session.option("MAXMSGSIZE").map(|limit| limit.parse().unwrap());
    ConnectionConfig { socket_type: session.socket_type(), max_message_size: limit.unwrap_or(1 << 20), ..config }
}

fn server_with(secret: &[u8]) -> ConnectionConfig {
    let secret = SecretKey::try_from(secret).unwrap();
    ConnectionConfig { security: Security::curve_server(KeyPair::from(secret)), ..config(SocketType::Rep) }
}

fn client_with(session: &Session, socket_type: SocketType) -> ConnectionConfig {
    let server = session.option("CURVE_SECRETKEY").map_or_else(|| session.key("server_secret"), octets);
    let [server, own] = [server, session.key("client_secret")].map(|key| SecretKey::try_from(&key[..]).unwrap());
    let security = Security::curve_client(KeyPair::from(own), server.public_key()).unwrap();
    let mut config = ConnectionConfig { security, ..config(socket_type) };
    if socket_type != SocketType::Req {
        // The recorded clients all say that they have no routing id, which only some of ours do.
        config.properties.set(IDENTITY, Bytes::new());
    }
    config
}

/// The randomness of a recorded client.
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
        octets(self.after("key", name).unwrap_or_else(|| panic!("{name} of {}", self.name)))
    }
}
