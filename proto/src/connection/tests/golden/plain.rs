//! PLAIN.

use super::*;
use crate::security::{AuthCredentials, AuthSource, Authenticator, Security};
use crate::wire::MechanismName;

macro_rules! sessions {
    ($($name:literal)*) => {
        [$(($name, include_str!(concat!("../../../../tests/data/plain/", $name, ".txt")))),*]
    };
}

const SESSIONS: [(&str, &str); 21] = sessions! {
    "client-both-clients" "client-error" "client-error-garbled" "client-ok" "client-ok-255" "null-plain-peer" "proxy-rep"
    "server-400" "server-as-server" "server-bad-initiate" "server-curve-peer" "server-hello-as-message"
    "server-hello-empty" "server-hello-trailing" "server-hello-trunc-user" "server-initiate-badtype"
    "server-initiate-first" "server-no-zap" "server-null-peer" "server-ok" "server-ready-first"
};

/// What we say in libzmq's place.
enum Said {
    /// The same, but for what our greeting says of the server.
    TheSame,
    /// The same, and then this.
    TheSameAnd(Vec<u8>),
    /// Another thing after the greeting.
    Instead(Vec<u8>),
}

/// How a session ends with us in libzmq's place: the error, and what we say.
fn ours(name: &str) -> (Option<ConnectionError>, Said) {
    let hello = DecodeError::CommandBody("HELLO").into();
    let out_of_turn = ConnectionError::Unexpected("a command other than HELLO came first");
    let mismatch = |ours, theirs| ConnectionError::MechanismMismatch { ours, theirs };
    let nothing = || Said::Instead(vec![]);
    let (error, said) = match name {
        "client-ok" | "client-ok-255" | "proxy-rep" | "server-hello-empty" | "server-ok" => {
            return (None, Said::TheSame);
        }

        // libzmq does the same: it closes the connection, without a word.
        "server-bad-initiate" => (DecodeError::Property.into(), Said::TheSame),
        "server-hello-trailing" | "server-hello-trunc-user" => (hello, Said::TheSame),
        "server-initiate-first" | "server-ready-first" => (out_of_turn, Said::TheSame),

        // It does so after the signature, for its greeting comes in pieces, and ours at once.
        "null-plain-peer" => (mismatch(MechanismName::NULL, MechanismName::PLAIN), nothing()),
        "server-curve-peer" => (mismatch(MechanismName::PLAIN, MechanismName::CURVE), nothing()),
        "server-null-peer" => (mismatch(MechanismName::PLAIN, MechanismName::NULL), nothing()),

        // It closes the connection too. Of these it understands its own ERROR alone; the others are unexpected to it.
        "client-error-garbled" | "client-error" => (ConnectionError::Refused("400".into()), Said::TheSame),
        "client-both-clients" => (ConnectionError::SameRole { server: false }, Said::TheSame),

        // It closes the connection without a word, and we say why.
        "server-initiate-badtype" => {
            let error = ConnectionError::Incompatible { ours: SocketType::Rep, theirs: SocketType::Pub };
            (error, Said::TheSameAnd(command("ERROR", b"\x18incompatible socket type")))
        }
        "server-no-zap" => {
            (ConnectionError::Denied(AuthStatus::InternalError), Said::TheSameAnd(command("ERROR", b"\x03500")))
        }

        // Its ERROR is garbled, and it leaves the connection open.
        "server-400" => (ConnectionError::Denied(AuthStatus::Denied), Said::Instead(command("ERROR", b"\x03400"))),

        // It lets the peer in, whom we refuse.
        "server-as-server" => (ConnectionError::SameRole { server: true }, nothing()),
        "server-hello-as-message" => (ConnectionError::Unexpected("a message came before READY"), nothing()),
        _ => panic!("it is not said what is to come of {name}"),
    };
    (Some(error), said)
}

#[test]
fn in_libzmqs_place_we_do_as_it_did_or_it_is_said_what_is_different() {
    for session in SESSIONS.map(Session::new) {
        let name = session.name;
        let config = in_libzmqs_place(&session);
        let (error, said) = ours(name);
        let played = session.play(Place::Libzmq, &config, system);

        let greeting = our_greeting(&config);
        let mut libzmq = session.stream(">");
        if let Some(start) = libzmq.get_mut(..64) {
            start.copy_from_slice(&greeting);
        }
        let expected = match said {
            Said::TheSame => libzmq,
            Said::TheSameAnd(more) => [libzmq, more].concat(),
            Said::Instead(other) => [greeting, other].concat(),
        };
        assert!(played.sent == expected, "{name}: {}", played.sent.escape_ascii());
        assert!(!error.as_ref().is_some_and(ConnectionError::may_reconnect), "{name}");
        let got = if error.is_none() { session.messages(Place::Libzmq) } else { vec![] };
        assert_eq!((played.error, played.got), (error, got), "{name}");
        let zap = session.lines.iter().filter(|(verb, _)| *verb == "zap");
        let asked: Vec<_> = zap.map(|(_, words)| [octets(words[0]), octets(words[1])]).collect();
        // Two peers come no further than to be refused before.
        let early = matches!(name, "server-as-server" | "server-hello-as-message");
        assert_eq!(played.asked.len(), if early { 0 } else { asked.len() }, "{name}");
        for (request, [username, password]) in played.asked.iter().zip(asked) {
            let shown = AuthCredentials::Plain { username: username.into(), password: password.into() };
            assert_eq!((&request.credentials, &*request.domain), (&shown, "global"), "{name}");
        }
    }
}

/// Where the peer did what it should, or libzmq what we have to understand, and how that ends.
fn peers() -> [(&'static str, Option<ConnectionError>); 9] {
    let refused = || Some(ConnectionError::Refused("400".into()));
    [
        ("client-ok", None),
        ("client-ok-255", None),
        ("client-error", Some(ConnectionError::Denied(AuthStatus::Denied))),
        ("proxy-rep", None),
        ("server-ok", None),
        ("server-hello-empty", None),
        // It is garbled.
        ("server-400", refused()),
        // libzmq is gone.
        ("server-no-zap", None),
        ("server-hello-as-message", None),
    ]
}

#[test]
fn in_the_peers_place_we_understand_libzmq_and_say_what_it_was_told() {
    for (wanted, error) in peers() {
        let session = Session::new(*SESSIONS.iter().find(|(name, _)| *name == wanted).unwrap());
        let config = in_the_peers_place(&session, error.is_some());
        let played = session.play(Place::Peer, &config, system);
        let mut expected = session.stream("<");
        // What a recorded peer asked at the end, to see whether libzmq was alive.
        if expected.ends_with(ALIVE) {
            expected.truncate(expected.len() - ALIVE.len());
        }
        // HELLO is in a frame that is a command's.
        expected[64] |= 4;
        // In the signature some left out the length of the routing id.
        assert!(played.sent[9..] == expected[9..], "{wanted}: {}", played.sent.escape_ascii());
        let got = if error.is_none() { session.messages(Place::Peer) } else { vec![] };
        assert_eq!((played.error, played.got), (error, got), "{wanted}");
    }
}

const ALIVE: &[u8] = b"\x04\x0d\x04PING\0\0alive?";

fn in_libzmqs_place(session: &Session) -> ConnectionConfig {
    let config = ConnectionConfig { domain: session.domain(), ..config(session.socket_type()) };
    let asked = session.lines.iter().any(|(verb, _)| *verb == "zap");
    let auth_source = if asked { AuthSource::Driver } else { AuthSource::Default };
    match (session.option("PLAIN_SERVER"), session.option("PLAIN_USERNAME")) {
        (Some(_), _) => ConnectionConfig { security: Security::PlainServer, auth_source, ..config },
        (None, Some(username)) => {
            let password = octets(session.option("PLAIN_PASSWORD").unwrap());
            let security = Security::plain_client(octets(username), password).unwrap();
            ConnectionConfig { security, ..config }
        }
        (None, None) => config,
    }
}

fn in_the_peers_place(session: &Session, refuses: bool) -> ConnectionConfig {
    let socket_type = if session.socket_type() == SocketType::Req { SocketType::Rep } else { SocketType::Req };
    if session.option("PLAIN_SERVER").is_none() {
        let decide = move |_: &AuthRequest| if refuses { AuthReply::refuse() } else { AuthReply::accept() };
        let auth_source = AuthSource::Authenticator(Authenticator::new(decide));
        return ConnectionConfig { security: Security::PlainServer, auth_source, ..config(socket_type) };
    }
    let (username, password) = if session.name == "server-hello-empty" { ("", "") } else { ("admin", "secret") };
    let security = Security::plain_client(username, password).unwrap();
    ConnectionConfig { security, ..config(socket_type) }
}

impl Session {
    fn domain(&self) -> String {
        self.option("ZAP_DOMAIN").map(|hex| String::from_utf8(octets(hex)).unwrap()).unwrap_or_default()
    }
}
