//! Peers of whom it is not known yet whom they want, and what becomes of them.

use super::*;
use crate::address::Resource;
use crate::security::AuthSource;
use crate::wire::DecodeError;
use core::time::Duration;

const HELLO: &[u8] = b"\0\x05hello";

fn receive() -> Connection {
    Connection::receive(&Arc::new(config(SocketType::Router)), &mut SystemEntropy, NOW)
}

/// What a PUSH says that wants this resource, and then a message.
fn push_for(resource: &[u8]) -> Vec<u8> {
    [greeting(3, 1), ready_saying(&[("Socket-Type", b"PUSH"), ("Resource", resource)]), HELLO.to_vec()].concat()
}

/// Has a socket of this type take it over, and look at what was said.
fn take_over(connection: &mut Connection, config: ConnectionConfig) -> Result<(), ConnectionError> {
    assert!(connection.join(&Arc::new(config)));
    assert_eq!(connection.pending_peer(), None, "nobody else can have it");
    connection.handle_input(&[], NOW)
}

fn resource_of(connection: &Connection) -> Option<&str> {
    connection.pending_peer().expect("READY has come").resource().map(Resource::as_str)
}

#[test]
fn a_peer_says_whom_it_wants_and_hears_from_that_socket_alone_in_pieces_of_any_size() {
    let octets = push_for(b"system/names");
    for piece in 1..=octets.len() {
        let mut connection = receive();
        for part in octets.chunks(piece) {
            say(&mut connection, part);
        }
        assert_eq!(resource_of(&connection), Some("system/names"));
        assert_eq!(connection.pending_peer().unwrap().metadata().get("socket-type").unwrap(), "PUSH");
        assert_eq!(drain(&mut connection), greeting(3, 1), "who we are is not known");
        assert_eq!(connection.peer(), None);
        assert_eq!(connection.take(), None);

        take_over(&mut connection, config(SocketType::Pull)).unwrap();
        assert_eq!(drain(&mut connection), ready("PULL"));
        assert_eq!(connection.peer().unwrap().socket_type, SocketType::Push);
        assert_eq!(connection.take(), Some(Message::from("hello").into()));
        say(&mut connection, HELLO);
        assert_eq!(connection.take(), Some(Message::from("hello").into()));
    }
}

#[test]
fn before_a_peer_has_said_whom_it_wants_no_socket_gets_it() {
    let octets = [greeting(3, 0), ready("PUSH")].concat();
    let mut connection = receive();
    for octet in &octets {
        assert_eq!(connection.pending_peer(), None);
        assert!(!connection.join(&Arc::new(config(SocketType::Pull))));
        say(&mut connection, &[*octet]);
    }
    assert_eq!(resource_of(&connection), None, "it names none, as libzmq does");
    take_over(&mut connection, config(SocketType::Pull)).unwrap();
    assert_eq!(connection.peer().unwrap().version, Version::V3_0);
    assert!(!connection.join(&Arc::new(config(SocketType::Rep))), "it is a socket's already");
}

#[test]
fn peers_that_break_the_protocol_are_refused_without_a_socket() {
    let after_greeting = |octets: &[u8]| [&greeting(3, 1), octets].concat();
    let named = |value: &[u8]| after_greeting(&ready_saying(&[("Socket-Type", b"PUSH"), ("resource", value)]));
    let bad_name = ConnectionError::Malformed(DecodeError::Resource);
    for (octets, expected) in [
        (b"GET /system/names".to_vec(), ConnectionError::NotZmtp),
        (greeting(1, 0), ConnectionError::Version(1)),
        (named(b""), bad_name.clone()),
        (named(b"/names"), bad_name.clone()),
        (named(b"a\xff"), bad_name.clone()),
        (named(&[b'x'; 256]), bad_name),
        (after_greeting(HELLO), ConnectionError::Unexpected("a message came before READY")),
        (
            after_greeting(&command("PING", b"\0\0")),
            ConnectionError::Unexpected("a command other than READY came before READY"),
        ),
        (after_greeting(&command("ERROR", b"\x02no")), ConnectionError::Refused("no".into())),
        (after_greeting(b"\x06\0\0\0\0\0\x02\0\x01"), ConnectionError::TooLarge { size: 131_073, limit: 131_072 }),
    ] {
        for piece in [1, octets.len()] {
            let mut connection = receive();
            let error = octets.chunks(piece).find_map(|part| connection.handle_input(part, NOW).err());
            assert_eq!(error.as_ref(), Some(&expected));
            assert_eq!(drain(&mut connection), greeting(3, 1));
            assert_eq!(connection.pending_peer(), None);
        }
    }
}

#[test]
fn the_time_for_the_handshake_goes_on_until_a_socket_is_there() {
    let mut limits = config(SocketType::Router);
    limits.handshake_timeout = Some(Duration::from_secs(1));
    let later = NOW + Duration::from_secs(1);
    let late = |octets: &[u8]| {
        let mut connection = Connection::receive(&Arc::new(limits.clone()), &mut SystemEntropy, NOW);
        say(&mut connection, octets);
        assert_eq!(connection.poll_timeout(), Some(later));
        connection.handle_timeout(NOW + Duration::from_millis(999)).unwrap();
        connection.handle_timeout(later).unwrap_err()
    };
    assert_eq!(late(b""), ConnectionError::TimedOut(Timeout::Handshake));
    assert_eq!(late(&greeting(3, 1)), ConnectionError::TimedOut(Timeout::Handshake));
    let names: Resource = "names".parse().unwrap();
    assert_eq!(late(&push_for(b"names")), ConnectionError::NoSuchResource(Some(names)));
    assert_eq!(late(&after_ready("PUSH", b"")), ConnectionError::NoSuchResource(None));

    let mut connection = Connection::receive(&Arc::new(limits.clone()), &mut SystemEntropy, NOW);
    say(&mut connection, &push_for(b"names"));
    take_over(&mut connection, config(SocketType::Pull)).unwrap();
    assert_eq!(connection.poll_timeout(), None, "the handshake is done");
}

#[test]
fn who_waits_for_a_socket_is_read_as_far_ahead_as_who_waits_for_its_application() {
    let mut connection = receive();
    say(&mut connection, &push_for(b"names"));
    assert!(connection.wants_input(), "that it goes is to be noticed");
    say(&mut connection, &HELLO.repeat(READ_AHEAD / HELLO.len()));
    assert!(!connection.wants_input());
    take_over(&mut connection, config(SocketType::Pull)).unwrap();
    assert_eq!(core::iter::from_fn(|| connection.take()).count(), 1 + READ_AHEAD / HELLO.len());
}

#[test]
fn what_was_said_early_is_judged_by_the_socket_that_is_there_in_the_end() {
    let mut small = config(SocketType::Pull);
    small.max_message_size = 4;
    let mut connection = receive();
    say(&mut connection, &push_for(b"names"));
    let error = take_over(&mut connection, small).unwrap_err();
    assert_eq!(error, ConnectionError::TooLarge { size: 5, limit: 4 });

    let mut connection = receive();
    say(&mut connection, &push_for(b"names"));
    let error = take_over(&mut connection, config(SocketType::Rep)).unwrap_err();
    let (ours, theirs) = (SocketType::Rep, SocketType::Push);
    assert_eq!(error, ConnectionError::Incompatible { ours, theirs });
    let refusal = command("ERROR", b"\x18incompatible socket type");
    assert_eq!(drain(&mut connection), [greeting(3, 1), refusal].concat());
}

#[test]
fn who_comes_in_is_asked_before_it_is_known_whom_they_want() {
    let mut asking = config(SocketType::Pull);
    asking.auth_source = AuthSource::Driver;
    for ready_first in [false, true] {
        let mut connection = Connection::receive(&Arc::new(asking.clone()), &mut SystemEntropy, NOW);
        let octets = push_for(b"names");
        let (front, rest) = octets.split_at(if ready_first { octets.len() - HELLO.len() } else { 64 });
        say(&mut connection, front);
        assert!(connection.poll_auth_request().is_some());
        assert_eq!(connection.pending_peer(), None);
        connection.handle_auth_reply(AuthReply::accept_as("ann"), NOW).unwrap();
        say(&mut connection, rest);
        assert_eq!(drain(&mut connection), greeting(3, 1));
        take_over(&mut connection, asking.clone()).unwrap();
        assert_eq!(drain(&mut connection), ready("PULL"));
        assert_eq!(connection.peer().unwrap().user_id.as_deref(), Some(&b"ann"[..]));
        assert_eq!(connection.take(), Some(Message::from("hello").into()));
    }
}

#[test]
fn the_resource_is_asked_for_in_ready_and_is_no_matter_to_a_socket_that_shares_nothing() {
    let mut asking = config(SocketType::Dealer);
    asking.resource = Some("system/names".parse().unwrap());
    let outcome = hear(&asking, &after_ready("ROUTER", b""));
    assert_eq!(
        outcome.sent[64..],
        *b"\x04\x42\x05READY\x0bSocket-Type\0\0\0\x06DEALER\x08Identity\0\0\0\0\x08Resource\0\0\0\x0csystem/names"
    );
    let outcome = hear(&config(SocketType::Pull), &push_for(b"not a resource"));
    assert_eq!(outcome.messages(), [Message::from("hello")]);
}
