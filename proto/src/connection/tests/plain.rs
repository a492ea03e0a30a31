//! Tests of PLAIN as client and as server. The bytes of the other side are written by hand.

use super::*;
use crate::security::{AuthCredentials, AuthSource, Authenticator, Security};

fn client() -> ConnectionConfig {
    let security = Security::plain_client("user", "pass").unwrap();
    ConnectionConfig { security, ..config(SocketType::Req) }
}

fn server(decide: impl Fn(&[u8], &[u8]) -> AuthReply + Send + Sync + 'static) -> ConnectionConfig {
    let authenticator = Authenticator::new(move |request| {
        let AuthCredentials::Plain { username, password } = &request.credentials else {
            panic!("the credentials are not those of PLAIN")
        };
        decide(username, password)
    });
    let auth_source = AuthSource::Authenticator(authenticator);
    ConnectionConfig { security: Security::PlainServer, auth_source, ..config(SocketType::Rep) }
}

fn server_with_password() -> ConnectionConfig {
    server(|user, password| if password == b"pass" { AuthReply::accept_as(user.to_vec()) } else { AuthReply::reject() })
}

fn plain() -> Vec<u8> {
    greeting_with(3, 1, b"PLAIN")
}

fn plain_from_server() -> Vec<u8> {
    let mut greeting = plain();
    greeting[32] = 1;
    greeting
}

fn metadata(socket_type: &str) -> Vec<u8> {
    // The part of READY after the frame head and the command name.
    ready(socket_type)[8..].to_vec()
}

fn initiate(socket_type: &str) -> Vec<u8> {
    command("INITIATE", &metadata(socket_type))
}

const HELLO: &[u8] = b"\x04\x10\x05HELLO\x04user\x04pass";
const WELCOME: &[u8] = b"\x04\x08\x07WELCOME";

#[test]
fn client_sends_credentials_and_then_its_properties() {
    let input = [&plain_from_server(), WELCOME, &ready("REP"), &frame(1, b""), &frame(0, b"hello")].concat();
    let outcome = feed(&client(), &input);
    let mut identity = metadata("REQ");
    identity.extend_from_slice(b"\x08Identity\0\0\0\0");
    assert_eq!(outcome.sent, [&plain(), HELLO, &command("INITIATE", &identity)].concat());
    assert_eq!(outcome.peer.as_ref().unwrap().socket_type, SocketType::Rep);
    assert_eq!(outcome.messages(), [Message::from(["", "hello"])]);
}

#[test]
fn server_admits_accepted_user_and_sets_user_id() {
    let input = [&plain(), HELLO, &initiate("REQ"), &frame(1, b""), &frame(0, b"hello")].concat();
    let outcome = feed(&server_with_password(), &input);
    assert_eq!(outcome.sent, [&plain_from_server(), WELCOME, &ready("REP")].concat());
    assert_eq!(outcome.peer.as_ref().unwrap().user_id.as_deref(), Some(&b"user"[..]));
    assert_eq!(outcome.messages(), [Message::from(["", "hello"])]);
}

#[test]
fn wrong_password_is_answered_with_error_400() {
    let outcome = feed(&server_with_password(), &[&plain(), &b"\x04\x10\x05HELLO\x04user\x04pasS"[..]].concat());
    assert_eq!(outcome.sent, [&plain_from_server()[..], b"\x04\x09\x5eRROR\x03400"].concat());
    assert_eq!(outcome.error(), ConnectionError::Denied(AuthStatus::Denied));
}

#[test]
fn plain_server_without_authenticator_denies_peers() {
    let config = ConnectionConfig { auth_source: AuthSource::Default, ..server_with_password() };
    let outcome = feed(&config, &[&plain(), HELLO].concat());
    assert_eq!(outcome.sent, plain_from_server());
    assert_eq!(outcome.error(), ConnectionError::NoAuthenticator);
}

#[test]
fn null_domain_without_authenticator_denies_peers() {
    let config = ConnectionConfig { domain: "global".into(), ..config(SocketType::Pull) };
    let outcome = feed(&config, &greeting(3, 1));
    assert_eq!(outcome.error(), ConnectionError::NoAuthenticator);
}

#[test]
fn client_accepts_error_of_rfc_and_of_libzmq() {
    for error in [command("ERROR", b"\x03400"), b"\x04\x09\x5eRROR\x03400".to_vec()] {
        for before in [&b""[..], WELCOME] {
            let error = feed(&client(), &[&plain(), before, &error].concat()).error();
            assert_eq!(error, ConnectionError::Refused(Bytes::from_static(b"400")));
            assert!(!error.is_temporary());
        }
    }
}

#[test]
fn same_role_on_both_sides_is_an_error() {
    let error = feed(&client(), &[&plain(), HELLO].concat()).error();
    assert_eq!(error, ConnectionError::SameRole { server: false });
    let error = feed(&server_with_password(), &plain_from_server()).error();
    assert_eq!(error, ConnectionError::SameRole { server: true });
}

#[test]
fn other_mechanism_is_rejected_by_client_and_server() {
    for config in [client(), server_with_password()] {
        for theirs in [&b"NULL"[..], b"CURVE", b"PLAIN2", b"plain"] {
            let error = feed(&config, &greeting_with(3, 1, theirs)).error();
            assert!(matches!(error, ConnectionError::MechanismMismatch { .. }), "{theirs:?}: {error}");
        }
    }
}

#[test]
fn hello_credentials_must_fill_the_command_exactly() {
    let accepts = server(|_, _| AuthReply::accept());
    let login = |user: &[u8], password: &[u8]| {
        let [ours, theirs] = [user, password].map(|text| [u8::try_from(text.len()).unwrap()]);
        [&ours[..], user, &theirs, password].concat()
    };
    for (user, password) in [(&b""[..], &b""[..]), (b"u", b""), (b"", b"p"), (&[b'u'; 255], &[b'p'; 255])] {
        let expected = (user.to_vec(), password.to_vec());
        let config = server(move |user, password| {
            assert_eq!((user, password), (&expected.0[..], &expected.1[..]));
            AuthReply::accept()
        });
        let input = [plain(), command("HELLO", &login(user, password)), initiate("REQ")].concat();
        assert!(feed(&config, &input).peer.is_some());
    }
    let good = login(b"user", b"pass");
    let malformed = ConnectionError::Malformed(DecodeError::CommandBody("HELLO"));
    for len in 0..good.len() {
        assert_eq!(feed(&accepts, &[plain(), command("HELLO", &good[..len])].concat()).error(), malformed, "{len}");
    }
    assert_eq!(feed(&accepts, &[plain(), command("HELLO", &[&good[..], b"x"].concat())].concat()).error(), malformed);
}

#[test]
fn commands_out_of_order_end_the_connection() {
    let accepts = server(|_, _| AuthReply::accept());
    for commands in
        [&[&initiate("REQ")[..]][..], &[&ready("REQ")], &[WELCOME], &[HELLO, HELLO], &[HELLO, &ready("REQ")]]
    {
        let error = feed(&accepts, &[&plain(), &commands.concat()[..]].concat()).error();
        assert!(matches!(error, ConnectionError::Unexpected(_)), "{error}");
    }
    for commands in [&[&ready("REP")[..]][..], &[WELCOME, WELCOME], &[WELCOME, &initiate("REP")]] {
        let error = feed(&client(), &[&plain(), &commands.concat()[..]].concat()).error();
        assert!(matches!(error, ConnectionError::Unexpected(_)), "{error}");
    }
    let error = feed(&client(), &[&plain(), &command("WELCOME", b"x")[..]].concat()).error();
    assert_eq!(error, ConnectionError::Malformed(DecodeError::CommandBody("WELCOME")));
}

#[test]
fn incompatible_peer_gets_error_instead_of_ready() {
    let outcome = feed(&server_with_password(), &[&plain(), HELLO, &initiate("PUB")].concat());
    let refusal = command("ERROR", b"\x18incompatible socket type");
    assert_eq!(outcome.sent, [&plain_from_server(), WELCOME, &refusal].concat());
    assert!(matches!(outcome.error(), ConnectionError::Incompatible { .. }));
}

#[test]
fn debug_output_contains_no_password() {
    let output = alloc::format!("{:?}", client());
    assert!(output.contains("user") && !output.contains("pass"), "{output}");
    let username = Bytes::from_static(b"user");
    let credentials = AuthCredentials::Plain { username, password: Bytes::from_static(b"pass") };
    let output = alloc::format!("{credentials:?}");
    assert!(output.contains("user") && !output.contains("pass"), "{output}");
}

#[test]
fn plain_client_rejects_credentials_over_255_bytes() {
    assert!(Security::plain_client(vec![b'u'; 255], vec![b'p'; 255]).is_ok());
    assert!(Security::plain_client(vec![b'u'; 256], "").is_err());
    assert!(Security::plain_client("", vec![b'p'; 256]).is_err());
}

#[test]
fn peer_that_waits_for_admission_has_its_user_id() {
    let config = ConnectionConfig { socket_type: SocketType::Router, ..server_with_password() };
    let mut connection = Connection::accepted(&Arc::new(config), &mut SystemEntropy, NOW);
    deliver(&mut connection, &[&plain(), HELLO, &initiate("DEALER")].concat());
    let user_id = |connection: &Connection| connection.peer().unwrap().user_id.clone();
    assert_eq!(drain(&mut connection), [&plain_from_server(), WELCOME].concat(), "READY is not sent yet");
    assert_eq!(user_id(&connection).as_deref(), Some(&b"user"[..]));
    connection.admit();
    assert!(!drain(&mut connection).is_empty(), "READY is sent");
    assert_eq!(user_id(&connection).as_deref(), Some(&b"user"[..]));
}
