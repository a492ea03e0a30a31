//! Tests that replay PLAIN sessions recorded from libzmq.

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

/// Expected output of a connection that replaces libzmq in a recorded session.
enum Sent {
    /// The connection must send the same bytes as libzmq sent, except for the as-server flag in the greeting.
    Same,
    /// The connection must send the same bytes as libzmq sent, except for the as-server flag, and then these bytes.
    SameAnd(Vec<u8>),
    /// The connection must send its greeting and then these bytes. What libzmq sent after its greeting is not compared.
    Instead(Vec<u8>),
}

/// Returns the expected result of the session `name` if a connection replaces libzmq: the error with which the
/// connection ends (`None` for no error), and the bytes that it sends.
fn ours(name: &str) -> (Option<ConnectionError>, Sent) {
    let hello = DecodeError::CommandBody("HELLO").into();
    let out_of_order = ConnectionError::Unexpected("a command other than HELLO came first");
    let mismatch = |ours, theirs| ConnectionError::MechanismMismatch { ours, theirs };
    let nothing = || Sent::Instead(vec![]);
    let (error, sent) = match name {
        "client-ok" | "client-ok-255" | "proxy-rep" | "server-hello-empty" | "server-ok" => {
            return (None, Sent::Same);
        }

        // libzmq does the same: it closes the connection without an ERROR.
        "server-no-zap" => (ConnectionError::NoAuthenticator, Sent::Same),
        "server-bad-initiate" => (DecodeError::Property.into(), Sent::Same),
        "server-hello-trailing" | "server-hello-trunc-user" => (hello, Sent::Same),
        "server-initiate-first" | "server-ready-first" => (out_of_order, Sent::Same),

        // libzmq does so after the signature, because it sends its greeting in parts; this side sends the whole
        // greeting.
        "null-plain-peer" => (mismatch(MechanismName::NULL, MechanismName::PLAIN), nothing()),
        "server-curve-peer" => (mismatch(MechanismName::PLAIN, MechanismName::CURVE), nothing()),
        "server-null-peer" => (mismatch(MechanismName::PLAIN, MechanismName::NULL), nothing()),

        // libzmq closes the connection too. It accepts only its own form of ERROR; the others are unexpected commands.
        "client-error-garbled" | "client-error" => (ConnectionError::Refused("400".into()), Sent::Same),
        "client-both-clients" => (ConnectionError::SameRole { server: false }, Sent::Same),

        // libzmq closes the connection without an ERROR; this side sends one.
        "server-initiate-badtype" => {
            let error = ConnectionError::Incompatible { ours: SocketType::Rep, theirs: SocketType::Pub };
            (error, Sent::SameAnd(command("ERROR", b"\x18incompatible socket type")))
        }

        // libzmq sends the same malformed ERROR, but leaves the connection open.
        "server-400" => (ConnectionError::Denied(AuthStatus::Denied), Sent::Same),

        // libzmq admits these peers.
        "server-as-server" => (ConnectionError::SameRole { server: true }, nothing()),
        "server-hello-as-message" => (ConnectionError::Unexpected("a message was received before READY"), nothing()),
        _ => panic!("no expected result for {name}"),
    };
    (Some(error), sent)
}

#[test]
fn replay_as_libzmq_matches_or_lists_the_difference() {
    for session in SESSIONS.map(Session::new) {
        let name = session.name;
        let config = config_as_libzmq(&session);
        let (error, sent) = ours(name);
        let replay = session.replay(ReplayedSide::Libzmq, &config, system);

        let greeting = our_greeting(&config);
        let mut libzmq = session.stream(">");
        if let Some(start) = libzmq.get_mut(..64) {
            start.copy_from_slice(&greeting);
        }
        let expected = match sent {
            Sent::Same => libzmq,
            Sent::SameAnd(more) => [libzmq, more].concat(),
            Sent::Instead(other) => [greeting, other].concat(),
        };
        assert!(replay.sent == expected, "{name}: {}", replay.sent.escape_ascii());
        let received = if error.is_none() { session.messages(ReplayedSide::Libzmq) } else { vec![] };
        assert_eq!((replay.error, replay.received), (error, received), "{name}");
        let zap = session.lines.iter().filter(|(verb, _)| *verb == "zap");
        let requests: Vec<_> = zap.map(|(_, words)| [from_hex(words[0]), from_hex(words[1])]).collect();
        // Two peers are rejected before authentication.
        let early = matches!(name, "server-as-server" | "server-hello-as-message");
        assert_eq!(replay.requests.len(), if early { 0 } else { requests.len() }, "{name}");
        for (request, [username, password]) in replay.requests.iter().zip(requests) {
            let shown = AuthCredentials::Plain { username: username.into(), password: password.into() };
            assert_eq!((&request.credentials, &*request.domain), (&shown, "global"), "{name}");
        }
    }
}

/// Returns the names of the sessions in which a connection replaces the peer of libzmq, each with the error with which
/// the connection must end (`None` for no error). In some sessions libzmq sends malformed output or ends the
/// connection.
fn peers() -> [(&'static str, Option<ConnectionError>); 9] {
    let refused = || Some(ConnectionError::Refused("400".into()));
    [
        ("client-ok", None),
        ("client-ok-255", None),
        ("client-error-garbled", Some(ConnectionError::Denied(AuthStatus::Denied))),
        ("proxy-rep", None),
        ("server-ok", None),
        ("server-hello-empty", None),
        // The ERROR of libzmq is malformed.
        ("server-400", refused()),
        // libzmq has closed the connection.
        ("server-no-zap", None),
        ("server-hello-as-message", None),
    ]
}

#[test]
fn replay_as_peer_matches_and_understands_libzmq() {
    for (name, error) in peers() {
        let session = Session::new(*SESSIONS.iter().find(|(session, _)| *session == name).unwrap());
        let config = config_as_peer(&session, error.is_some());
        let replay = session.replay(ReplayedSide::Peer, &config, system);
        let mut expected = session.stream("<");
        // A recorded peer sent this PING at the end, to check whether libzmq was alive.
        if expected.ends_with(ALIVE) {
            expected.truncate(expected.len() - ALIVE.len());
        }
        // This side sends HELLO in a command frame; one recorded peer sent it in a message frame.
        expected[64] |= 4;
        // The signature of some recorded peers lacks the length of the routing id.
        assert!(replay.sent[9..] == expected[9..], "{name}: {}", replay.sent.escape_ascii());
        let received = if error.is_none() { session.messages(ReplayedSide::Peer) } else { vec![] };
        assert_eq!((replay.error, replay.received), (error, received), "{name}");
    }
}

const ALIVE: &[u8] = b"\x04\x0d\x04PING\0\0alive?";

fn config_as_libzmq(session: &Session) -> ConnectionConfig {
    let config = ConnectionConfig { domain: session.domain(), ..config(session.socket_type()) };
    let has_zap = session.lines.iter().any(|(verb, _)| *verb == "zap");
    let auth_source = if has_zap { AuthSource::Driver } else { AuthSource::Default };
    match (session.option("PLAIN_SERVER"), session.option("PLAIN_USERNAME")) {
        (Some(_), _) => ConnectionConfig { security: Security::PlainServer, auth_source, ..config },
        (None, Some(username)) => {
            let password = from_hex(session.option("PLAIN_PASSWORD").unwrap());
            let security = Security::plain_client(from_hex(username), password).unwrap();
            ConnectionConfig { security, ..config }
        }
        (None, None) => config,
    }
}

fn config_as_peer(session: &Session, refuses: bool) -> ConnectionConfig {
    let socket_type = if session.socket_type() == SocketType::Req { SocketType::Rep } else { SocketType::Req };
    if session.option("PLAIN_SERVER").is_none() {
        let decide = move |_: &AuthRequest| if refuses { AuthReply::reject() } else { AuthReply::accept() };
        let auth_source = AuthSource::Authenticator(Authenticator::new(decide));
        return ConnectionConfig { security: Security::PlainServer, auth_source, ..config(socket_type) };
    }
    let (username, password) = if session.name == "server-hello-empty" { ("", "") } else { ("admin", "secret") };
    let security = Security::plain_client(username, password).unwrap();
    ConnectionConfig { security, ..config(socket_type) }
}

impl Session {
    fn domain(&self) -> String {
        self.option("ZAP_DOMAIN").map(|hex| String::from_utf8(from_hex(hex)).unwrap()).unwrap_or_default()
    }
}
