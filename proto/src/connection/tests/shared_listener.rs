//! Tests of connections that were accepted by a listener that several sockets share. The tests cover the time before
//! and after such a connection is attached to one of the sockets.

use super::*;
use crate::address::Resource;
use crate::security::AuthSource;
use crate::wire::DecodeError;
use core::time::Duration;

const HELLO: &[u8] = b"\0\x05hello";

fn pending_connection() -> Connection {
    Connection::for_shared_listener(&Arc::new(config(SocketType::Router)), &mut SystemEntropy, NOW)
}

/// Returns the bytes that a PUSH peer sends: a greeting, a READY that requests the resource `resource`, and one
/// message.
fn push_for(resource: &[u8]) -> Vec<u8> {
    [greeting(3, 1), ready_with(&[("Socket-Type", b"PUSH"), ("Resource", resource)]), HELLO.to_vec()].concat()
}

/// Attaches the connection to a socket with the settings `config`. The connection then processes the input that it had
/// stored before.
fn join(connection: &mut Connection, config: ConnectionConfig) -> Result<(), ConnectionError> {
    assert!(connection.join(&Arc::new(config)));
    assert_eq!(connection.pending_peer(), None, "no other socket can join");
    connection.handle_input(&[], NOW)
}

fn resource_of(connection: &Connection) -> Option<&str> {
    connection.pending_peer().expect("READY was received").resource().map(Resource::as_str)
}

#[test]
fn peer_names_resource_and_gets_ready_of_that_socket() {
    let bytes = push_for(b"system/names");
    for piece in 1..=bytes.len() {
        let mut connection = pending_connection();
        for part in bytes.chunks(piece) {
            deliver(&mut connection, part);
        }
        assert_eq!(resource_of(&connection), Some("system/names"));
        assert_eq!(connection.pending_peer().unwrap().metadata().get("socket-type").unwrap(), "PUSH");
        assert_eq!(drain(&mut connection), greeting(3, 1), "READY is not sent yet");
        assert_eq!(connection.peer(), None);
        assert_eq!(connection.take(), None);

        join(&mut connection, config(SocketType::Pull)).unwrap();
        assert_eq!(drain(&mut connection), ready("PULL"));
        assert_eq!(connection.peer().unwrap().socket_type, SocketType::Push);
        assert_eq!(connection.take(), Some(Message::from("hello").into()));
        deliver(&mut connection, HELLO);
        assert_eq!(connection.take(), Some(Message::from("hello").into()));
    }
}

#[test]
fn no_socket_can_join_before_peer_ready() {
    let bytes = [greeting(3, 0), ready("PUSH")].concat();
    let mut connection = pending_connection();
    for byte in &bytes {
        assert_eq!(connection.pending_peer(), None);
        assert!(!connection.join(&Arc::new(config(SocketType::Pull))));
        deliver(&mut connection, &[*byte]);
    }
    assert_eq!(resource_of(&connection), None, "READY has no resource, as with libzmq");
    join(&mut connection, config(SocketType::Pull)).unwrap();
    assert_eq!(connection.peer().unwrap().version, Version::V3_0);
    assert!(!connection.join(&Arc::new(config(SocketType::Rep))), "another socket has joined");
}

#[test]
fn protocol_errors_are_rejected_without_a_socket() {
    let after_greeting = |bytes: &[u8]| [&greeting(3, 1), bytes].concat();
    let named = |value: &[u8]| after_greeting(&ready_with(&[("Socket-Type", b"PUSH"), ("resource", value)]));
    let bad_name = ConnectionError::Malformed(DecodeError::Resource);
    for (bytes, expected) in [
        (b"GET /system/names".to_vec(), ConnectionError::NotZmtp),
        (greeting(1, 0), ConnectionError::Version(1)),
        (named(b""), bad_name.clone()),
        (named(b"/names"), bad_name.clone()),
        (named(b"a\xff"), bad_name.clone()),
        (named(&[b'x'; 256]), bad_name),
        (after_greeting(HELLO), ConnectionError::Unexpected("a message was received before READY")),
        (
            after_greeting(&command("PING", b"\0\0")),
            ConnectionError::Unexpected("a command other than READY came before READY"),
        ),
        (after_greeting(&command("ERROR", b"\x02no")), ConnectionError::Refused("no".into())),
        (after_greeting(b"\x06\0\0\0\0\0\x02\0\x01"), ConnectionError::TooLarge { size: 131_073, limit: 131_072 }),
    ] {
        for piece in [1, bytes.len()] {
            let mut connection = pending_connection();
            let error = bytes.chunks(piece).find_map(|part| connection.handle_input(part, NOW).err());
            assert_eq!(error.as_ref(), Some(&expected));
            assert_eq!(drain(&mut connection), greeting(3, 1));
            assert_eq!(connection.pending_peer(), None);
        }
    }
}

#[test]
fn handshake_timeout_includes_wait_for_socket() {
    let mut limits = config(SocketType::Router);
    limits.handshake_timeout = Some(Duration::from_secs(1));
    let later = NOW + Duration::from_secs(1);
    let timeout_after = |bytes: &[u8]| {
        let mut connection = Connection::for_shared_listener(&Arc::new(limits.clone()), &mut SystemEntropy, NOW);
        deliver(&mut connection, bytes);
        assert_eq!(connection.poll_timeout(), Some(later));
        connection.handle_timeout(NOW + Duration::from_millis(999)).unwrap();
        connection.handle_timeout(later).unwrap_err()
    };
    assert_eq!(timeout_after(b""), ConnectionError::TimedOut(Timeout::Handshake));
    assert_eq!(timeout_after(&greeting(3, 1)), ConnectionError::TimedOut(Timeout::Handshake));
    let names: Resource = "names".parse().unwrap();
    assert_eq!(timeout_after(&push_for(b"names")), ConnectionError::NoSuchResource(Some(names)));
    assert_eq!(timeout_after(&after_ready("PUSH", b"")), ConnectionError::NoSuchResource(None));

    let mut connection = Connection::for_shared_listener(&Arc::new(limits.clone()), &mut SystemEntropy, NOW);
    deliver(&mut connection, &push_for(b"names"));
    join(&mut connection, config(SocketType::Pull)).unwrap();
    assert_eq!(connection.poll_timeout(), None, "the handshake is done");
}

#[test]
fn pending_peer_is_read_up_to_read_ahead_limit() {
    let mut connection = pending_connection();
    deliver(&mut connection, &push_for(b"names"));
    assert!(connection.wants_input(), "a disconnect of the peer must be detected");
    deliver(&mut connection, &HELLO.repeat(READ_AHEAD / HELLO.len()));
    assert!(!connection.wants_input());
    join(&mut connection, config(SocketType::Pull)).unwrap();
    assert_eq!(core::iter::from_fn(|| connection.take()).count(), 1 + READ_AHEAD / HELLO.len());
}

#[test]
fn early_input_is_checked_by_the_joined_socket() {
    let mut small = config(SocketType::Pull);
    small.max_message_size = 4;
    let mut connection = pending_connection();
    deliver(&mut connection, &push_for(b"names"));
    let error = join(&mut connection, small).unwrap_err();
    assert_eq!(error, ConnectionError::TooLarge { size: 5, limit: 4 });

    let mut connection = pending_connection();
    deliver(&mut connection, &push_for(b"names"));
    let error = join(&mut connection, config(SocketType::Rep)).unwrap_err();
    let (ours, theirs) = (SocketType::Rep, SocketType::Push);
    assert_eq!(error, ConnectionError::Incompatible { ours, theirs });
    let refusal = command("ERROR", b"\x18incompatible socket type");
    assert_eq!(drain(&mut connection), [greeting(3, 1), refusal].concat());
}

#[test]
fn pending_peer_is_authenticated_before_a_socket_joins() {
    let mut config_with_auth = config(SocketType::Pull);
    config_with_auth.auth_source = AuthSource::Driver;
    for ready_first in [false, true] {
        let mut connection =
            Connection::for_shared_listener(&Arc::new(config_with_auth.clone()), &mut SystemEntropy, NOW);
        let bytes = push_for(b"names");
        let (front, rest) = bytes.split_at(if ready_first { bytes.len() - HELLO.len() } else { 64 });
        deliver(&mut connection, front);
        assert!(connection.poll_auth_request().is_some());
        assert_eq!(connection.pending_peer(), None);
        connection.handle_auth_reply(AuthReply::accept_as("ann"), NOW).unwrap();
        deliver(&mut connection, rest);
        assert_eq!(drain(&mut connection), greeting(3, 1));
        join(&mut connection, config_with_auth.clone()).unwrap();
        assert_eq!(drain(&mut connection), ready("PULL"));
        assert_eq!(connection.peer().unwrap().user_id.as_deref(), Some(&b"ann"[..]));
        assert_eq!(connection.take(), Some(Message::from("hello").into()));
    }
}

#[test]
fn resource_is_sent_in_ready_and_ignored_without_sharing() {
    let mut with_resource = config(SocketType::Dealer);
    with_resource.resource = Some("system/names".parse().unwrap());
    let outcome = feed(&with_resource, &after_ready("ROUTER", b""));
    assert_eq!(
        outcome.sent[64..],
        *b"\x04\x42\x05READY\x0bSocket-Type\0\0\0\x06DEALER\x08Identity\0\0\0\0\x08Resource\0\0\0\x0csystem/names"
    );
    let outcome = feed(&config(SocketType::Pull), &push_for(b"not a resource"));
    assert_eq!(outcome.messages(), [Message::from("hello")]);
}
