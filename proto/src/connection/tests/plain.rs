//! PLAIN as the peer sees it, in both roles.

use super::*;
use crate::security::{AuthCredentials, AuthSource, Authenticator, Security};

fn client() -> ConnectionConfig {
    let security = Security::plain_client("user", "pass").unwrap();
    ConnectionConfig { security, ..config(SocketType::Req) }
}

fn server(decide: impl Fn(&[u8], &[u8]) -> AuthReply + Send + Sync + 'static) -> ConnectionConfig {
    let authenticator = Authenticator::new(move |request| {
        let AuthCredentials::Plain { username, password } = &request.credentials else { panic!("PLAIN was agreed on") };
        decide(username, password)
    });
    let auth_source = AuthSource::Authenticator(authenticator);
    ConnectionConfig { security: Security::PlainServer, auth_source, ..config(SocketType::Rep) }
}

fn server_for_pass() -> ConnectionConfig {
    server(|user, password| if password == b"pass" { AuthReply::accept_as(user.to_vec()) } else { AuthReply::refuse() })
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
    // What follows the head and the name in a READY.
    ready(socket_type)[8..].to_vec()
}

fn initiate(socket_type: &str) -> Vec<u8> {
    command("INITIATE", &metadata(socket_type))
}

const HELLO: &[u8] = b"\x04\x10\x05HELLO\x04user\x04pass";
const WELCOME: &[u8] = b"\x04\x08\x07WELCOME";

#[test]
fn a_client_shows_user_and_password_and_then_says_who_it_is() {
    let peer_says = [&plain_from_server(), WELCOME, &ready("REP"), &frame(1, b""), &frame(0, b"hello")].concat();
    let outcome = hear(&client(), &peer_says);
    let mut identity = metadata("REQ");
    identity.extend_from_slice(b"\x08Identity\0\0\0\0");
    assert_eq!(outcome.sent, [&plain(), HELLO, &command("INITIATE", &identity)].concat());
    assert_eq!(outcome.peer.as_ref().unwrap().socket_type, SocketType::Rep);
    assert_eq!(outcome.messages(), [Message::from(["", "hello"])]);
}

#[test]
fn a_server_lets_in_whom_it_is_told_to_and_knows_the_user() {
    let peer_says = [&plain(), HELLO, &initiate("REQ"), &frame(1, b""), &frame(0, b"hello")].concat();
    let outcome = hear(&server_for_pass(), &peer_says);
    assert_eq!(outcome.sent, [&plain_from_server(), WELCOME, &ready("REP")].concat());
    assert_eq!(outcome.peer.as_ref().unwrap().user_id.as_deref(), Some(&b"user"[..]));
    assert_eq!(outcome.messages(), [Message::from(["", "hello"])]);
}

#[test]
fn a_wrong_password_is_refused_with_an_error_that_libzmq_understands() {
    let outcome = hear(&server_for_pass(), &[&plain(), &b"\x04\x10\x05HELLO\x04user\x04pasS"[..]].concat());
    assert_eq!(outcome.sent, [plain_from_server(), command("ERROR", b"\x03400")].concat());
    assert_eq!(outcome.error(), ConnectionError::Denied(AuthStatus::Denied));
}

#[test]
fn a_server_with_nobody_to_ask_lets_nobody_in() {
    let config = ConnectionConfig { auth_source: AuthSource::Default, ..server_for_pass() };
    let outcome = hear(&config, &[&plain(), HELLO].concat());
    assert_eq!(outcome.sent, [plain_from_server(), command("ERROR", b"\x03500")].concat());
    assert_eq!(outcome.error(), ConnectionError::Denied(AuthStatus::InternalError));
}

#[test]
fn a_domain_without_anybody_to_ask_lets_nobody_in_by_null_either() {
    let config = ConnectionConfig { domain: "global".into(), ..config(SocketType::Pull) };
    let outcome = hear(&config, &greeting(3, 1));
    assert_eq!(outcome.error(), ConnectionError::Denied(AuthStatus::InternalError));
}

#[test]
fn a_client_understands_errors_as_the_rfc_has_them_and_as_libzmq_garbles_them() {
    for error in [command("ERROR", b"\x03400"), b"\x04\x09\x5eRROR\x03400".to_vec()] {
        for before in [&b""[..], WELCOME] {
            let error = hear(&client(), &[&plain(), before, &error].concat()).error();
            assert_eq!(error, ConnectionError::Refused(Bytes::from_static(b"400")));
            assert!(!error.may_reconnect());
        }
    }
}

#[test]
fn two_of_the_same_role_are_told_so() {
    let error = hear(&client(), &[&plain(), HELLO].concat()).error();
    assert_eq!(error, ConnectionError::SameRole { server: false });
    let error = hear(&server_for_pass(), &plain_from_server()).error();
    assert_eq!(error, ConnectionError::SameRole { server: true });
}

#[test]
fn another_mechanism_is_refused_by_both() {
    for config in [client(), server_for_pass()] {
        for theirs in [&b"NULL"[..], b"CURVE", b"PLAIN2", b"plain"] {
            let error = hear(&config, &greeting_with(3, 1, theirs)).error();
            assert!(matches!(error, ConnectionError::MechanismMismatch { .. }), "{theirs:?}: {error}");
        }
    }
}

#[test]
fn a_login_is_taken_to_its_last_octet() {
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
        let peer_says = [plain(), command("HELLO", &login(user, password)), initiate("REQ")].concat();
        assert!(hear(&config, &peer_says).peer.is_some());
    }
    let good = login(b"user", b"pass");
    let malformed = ConnectionError::Malformed(DecodeError::CommandBody("HELLO"));
    for len in 0..good.len() {
        assert_eq!(hear(&accepts, &[plain(), command("HELLO", &good[..len])].concat()).error(), malformed, "{len}");
    }
    assert_eq!(hear(&accepts, &[plain(), command("HELLO", &[&good[..], b"x"].concat())].concat()).error(), malformed);
}

#[test]
fn commands_out_of_turn_end_the_connection() {
    let accepts = server(|_, _| AuthReply::accept());
    for commands in
        [&[&initiate("REQ")[..]][..], &[&ready("REQ")], &[WELCOME], &[HELLO, HELLO], &[HELLO, &ready("REQ")]]
    {
        let error = hear(&accepts, &[&plain(), &commands.concat()[..]].concat()).error();
        assert!(matches!(error, ConnectionError::Unexpected(_)), "{error}");
    }
    for commands in [&[&ready("REP")[..]][..], &[WELCOME, WELCOME], &[WELCOME, &initiate("REP")]] {
        let error = hear(&client(), &[&plain(), &commands.concat()[..]].concat()).error();
        assert!(matches!(error, ConnectionError::Unexpected(_)), "{error}");
    }
    let error = hear(&client(), &[&plain(), &command("WELCOME", b"x")[..]].concat()).error();
    assert_eq!(error, ConnectionError::Malformed(DecodeError::CommandBody("WELCOME")));
}

#[test]
fn a_peer_of_a_type_that_does_not_fit_hears_an_error_in_place_of_ready() {
    let outcome = hear(&server_for_pass(), &[&plain(), HELLO, &initiate("PUB")].concat());
    let refusal = command("ERROR", b"\x18incompatible socket type");
    assert_eq!(outcome.sent, [&plain_from_server(), WELCOME, &refusal].concat());
    assert!(matches!(outcome.error(), ConnectionError::Incompatible { .. }));
}

#[test]
fn nothing_shows_a_password() {
    let shown = alloc::format!("{:?}", client());
    assert!(shown.contains("user") && !shown.contains("pass"), "{shown}");
    let username = Bytes::from_static(b"user");
    let credentials = AuthCredentials::Plain { username, password: Bytes::from_static(b"pass") };
    let shown = alloc::format!("{credentials:?}");
    assert!(shown.contains("user") && !shown.contains("pass"), "{shown}");
}

#[test]
fn a_login_of_more_than_255_octets_is_refused_when_it_is_made() {
    assert!(Security::plain_client(vec![b'u'; 255], vec![b'p'; 255]).is_ok());
    assert!(Security::plain_client(vec![b'u'; 256], "").is_err());
    assert!(Security::plain_client("", vec![b'p'; 256]).is_err());
}
