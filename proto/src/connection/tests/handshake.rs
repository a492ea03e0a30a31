//! Greeting, READY, and what can go wrong before messages flow.

use super::*;
use crate::connection::error::Fault;
use crate::security::{AuthCredentials, AuthSource};
use crate::wire::DecodeError;

/// What libzmq 4.3.5 sends in READY, from recorded sessions.
const LIBZMQ_READY: [(SocketType, &[u8]); 7] = [
    (SocketType::Req, b"\x04\x26\x05READY\x0bSocket-Type\0\0\0\x03REQ\x08Identity\0\0\0\0"),
    (SocketType::Rep, b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03REP"),
    (SocketType::Dealer, b"\x04\x29\x05READY\x0bSocket-Type\0\0\0\x06DEALER\x08Identity\0\0\0\0"),
    (SocketType::Router, b"\x04\x29\x05READY\x0bSocket-Type\0\0\0\x06ROUTER\x08Identity\0\0\0\0"),
    (SocketType::Pair, b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04PAIR"),
    (SocketType::Push, b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04PUSH"),
    (SocketType::Pull, b"\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04PULL"),
];

#[test]
fn every_pairing_of_the_rfc_shakes_hands_octet_for_octet_as_libzmq_does() {
    for (ours, said) in LIBZMQ_READY {
        for (theirs, heard) in LIBZMQ_READY {
            let outcome = hear(&config(ours), &[&greeting(3, 1), heard].concat());
            assert_eq!(outcome.sent[..64 + said.len()], *[&greeting(3, 1), said].concat());
            if ours.peers().contains(&theirs) {
                let peer = outcome.peer.expect("the handshake is done");
                assert_eq!((peer.socket_type, peer.version), (theirs, Version::V3_1));
                assert_eq!((peer.user_id, peer.routing_id), (None, Frame::EMPTY));
                assert_eq!(outcome.sent.len(), 64 + said.len());
                assert_eq!(outcome.error, None);
            } else {
                assert_eq!(outcome.error, Some(ConnectionError::Incompatible { ours, theirs }));
                assert_eq!(outcome.sent[64 + said.len()..], *b"\x04\x1f\x05ERROR\x18incompatible socket type");
            }
        }
    }
}

#[test]
fn the_routing_id_is_announced_in_ready_and_its_length_in_the_signature() {
    let mut config = config(SocketType::Dealer);
    config.routing_id = Frame::from(&[1, 0, 255]);
    let outcome = hear(&config, &after_ready("ROUTER", b""));
    assert_eq!(outcome.sent[..10], *b"\xff\0\0\0\0\0\0\0\x04\x7f");
    assert_eq!(
        outcome.sent[64..],
        *b"\x04\x2c\x05READY\x0bSocket-Type\0\0\0\x06DEALER\x08Identity\0\0\0\x03\x01\0\xff"
    );
}

#[test]
fn the_lower_version_is_spoken() {
    for (major, minor, spoken) in [
        (3, 0, Version::V3_0),
        (3, 1, Version::V3_1),
        (3, 2, Version::V3_1),
        (4, 0, Version::V3_1),
        (255, 255, Version::V3_1),
    ] {
        let outcome = hear(&config(SocketType::Pull), &[greeting(major, minor), ready("PUSH")].concat());
        assert_eq!(outcome.peer.expect("the handshake is done").version, spoken, "peer of {major}.{minor}");
    }
}

#[test]
fn padding_filler_and_the_as_server_bit_change_nothing() {
    let mut octets = after_ready("PUSH", b"");
    octets[1..9].fill(0x11);
    octets[32] = 1;
    octets[33..64].fill(0xaa);
    assert!(hear(&config(SocketType::Pull), &octets).peer.is_some());
}

#[test]
fn an_old_peer_is_known_by_its_eleventh_octet() {
    for revision in [0, 1, 2] {
        let octets = greeting(revision, 0);
        let modern = ConnectionConfig { allow_legacy_zmtp: false, ..config(SocketType::Pull) };
        assert_eq!(hear(&modern, &octets[..11]).error(), ConnectionError::Version(revision));
        assert_eq!(hear(&modern, &octets[..10]).error, None);
    }
}

#[test]
fn a_stranger_is_refused_by_the_first_octet_that_tells() {
    let modern = ConnectionConfig { allow_legacy_zmtp: false, ..config(SocketType::Pull) };
    for stranger in [&b"GET / HTTP/1.1\r\n"[..], b"\x16\x03\x01\x02\0\x01", b"\0", b"\xff\0\0\0\0\0\0\0\x01\0"] {
        let outcome = hear(&modern, stranger);
        assert_eq!(outcome.sent, greeting(3, 1), "we speak first, and say nothing more");
        assert_eq!(outcome.error(), ConnectionError::NotZmtp);
    }
    assert_eq!(hear(&modern, b"G").error(), ConnectionError::NotZmtp);
    assert_eq!(hear(&modern, b"\xff\0\0\0\0\0\0\0\x01").error, None);
}

#[test]
fn mechanisms_must_be_the_same_in_all_twenty_octets() {
    for mechanism in
        [&b"PLAIN"[..], b"CURVE", b"NULLX", b"null", b"", b"NULL ", b"NULL\0x", b"NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0x"]
    {
        let outcome = hear(&config(SocketType::Pull), &greeting_with(3, 1, mechanism));
        assert_eq!(outcome.sent.len(), 64, "no READY for a stranger");
        let error = outcome.error();
        assert!(matches!(error, ConnectionError::MechanismMismatch { .. }), "{mechanism:?}: {error}");
        assert!(!error.may_reconnect());
    }
    let error = hear(&config(SocketType::Pull), &greeting_with(3, 1, b"CURVE")).error();
    assert!(error.to_string().contains("NULL mechanism, the peer CURVE"));
}

#[test]
fn a_socket_type_must_be_told_and_known() {
    for (said, expected) in [
        (ready_saying(&[]), ConnectionError::MissingSocketType),
        (ready_saying(&[("Identity", b"x")]), ConnectionError::MissingSocketType),
        (ready(""), ConnectionError::UnknownSocketType),
        (ready("push"), ConnectionError::UnknownSocketType),
        (ready("PUSHX"), ConnectionError::UnknownSocketType),
    ] {
        let error = hear(&config(SocketType::Pull), &[greeting(3, 1), said].concat()).error();
        assert_eq!(error, expected);
        assert!(!error.may_reconnect());
    }
}

#[test]
fn property_names_ignore_case_and_unknown_properties_are_kept() {
    let said = ready_saying(&[("X-team", b"blue"), ("sOCKET-tYPE", b"REQ"), ("IDENTITY", b"me")]);
    let peer = hear(&config(SocketType::Router), &[greeting(3, 1), said].concat()).peer.unwrap();
    assert_eq!(peer.routing_id, "me");
    assert_eq!(peer.metadata.get("X-Team").unwrap(), "blue");
}

#[test]
fn a_malformed_ready_is_refused() {
    let property = b"\x0bSocket-Type\0\0\0\x04PUSH";
    for (said, expected) in [
        (command("READY", &property[..15]), DecodeError::Property),
        (command("READY", &[&property[..], b"\0\0\0\0\0"].concat()), DecodeError::Property),
        (command("READY", &[&property[..], b"\x01a\xff\xff\xff\xff"].concat()), DecodeError::Property),
        (command("READY", &[&property[..], &property[..]].concat()), DecodeError::DuplicateProperty),
        (ready_saying(&[("Socket-Type", b"PUSH"), ("Identity", &[7; 256])]), DecodeError::RoutingId),
    ] {
        let error = hear(&config(SocketType::Pull), &[greeting(3, 1), said].concat()).error();
        assert_eq!(error, ConnectionError::Malformed(expected));
    }
    let longest = ready_saying(&[("Socket-Type", b"PUSH"), ("Identity", &[7; 255])]);
    assert_eq!(hear(&config(SocketType::Pull), &[greeting(3, 1), longest].concat()).error, None);
}

#[test]
fn the_peers_error_is_told_and_only_300_and_500_invite_to_come_back() {
    for reason in [&b"300"[..], b"400", b"500", b"go away", b"", &[b'x'; 255]] {
        let said = command("ERROR", &[&[u8::try_from(reason.len()).unwrap()], reason].concat());
        for before in [greeting(3, 1), after_ready("PUSH", b"")] {
            let error = hear(&config(SocketType::Pull), &[before, said.clone()].concat()).error();
            assert_eq!(error.may_reconnect(), matches!(reason, b"300" | b"500"));
            assert_eq!(error.fault(), Fault::Peer);
            assert_eq!(error, ConnectionError::Refused(Bytes::copy_from_slice(reason)));
        }
    }
    let cut = command("ERROR", b"\x09400");
    let error = hear(&config(SocketType::Pull), &[greeting(3, 1), cut].concat()).error();
    assert_eq!(error, ConnectionError::Malformed(DecodeError::CommandBody("ERROR")));
}

#[test]
fn nothing_but_ready_or_error_may_come_before_ready() {
    for said in [
        frame(0, b"hello"),
        command("PING", b"\0\0"),
        command("PONG", b""),
        command("SUBSCRIBE", b""),
        command("HELLO", b""),
        command("JOIN", b"x"),
    ] {
        let error = hear(&config(SocketType::Pull), &[greeting(3, 1), said].concat()).error();
        assert!(matches!(error, ConnectionError::Unexpected(_)), "{error}");
    }
}

#[test]
fn a_first_frame_of_several_is_no_error_until_its_message_is_whole() {
    let config = config(SocketType::Pull);
    assert_eq!(hear(&config, &[greeting(3, 1), frame(1, b"a")].concat()).error, None);
    let whole = [greeting(3, 1), frame(1, b"a"), frame(0, b"b")].concat();
    assert!(matches!(hear(&config, &whole).error(), ConnectionError::Unexpected(_)));
}

#[test]
fn ready_comes_once() {
    let error = hear(&config(SocketType::Pull), &after_ready("PUSH", &ready("PUSH"))).error();
    assert_eq!(error, ConnectionError::Unexpected("READY came twice"));
}

#[test]
fn a_connection_that_failed_hears_nothing_more() {
    let mut connection = ready_connection(&config(SocketType::Pull), "PUSH");
    connection.handle_input(&[0x80], NOW).unwrap_err();
    assert_eq!(connection.handle_input(&frame(0, b"late"), NOW), Ok(()));
    assert_eq!(connection.take(), None);
    assert_eq!(connection.peer(), None);
    assert_eq!(connection.poll_timeout(), None);
    assert_eq!(connection.handle_timeout(NOW), Ok(()));
}

#[test]
fn messages_wait_for_the_peers_ready() {
    let mut connection = Connection::new(&Arc::new(config(SocketType::Push)), &mut SystemEntropy, NOW);
    connection.give(Message::from("early").into());
    let (greeting, mut said) = (greeting(3, 1), drain(&mut connection));
    // Each side says no more than it is sure that the other understands.
    for (piece, so_far) in [(0..9, 10), (9..10, 11), (10..11, 64), (11..63, 64)] {
        say(&mut connection, &greeting[piece]);
        said.extend(drain(&mut connection));
        assert_eq!(said, greeting[..so_far]);
    }
    say(&mut connection, &greeting[63..]);
    assert_eq!(drain(&mut connection), ready("PUSH"));
    assert_eq!(connection.unsent(), 1);
    say(&mut connection, &ready("PULL"));
    assert_eq!(drain(&mut connection), frame(0, b"early"));
    assert_eq!(connection.unsent(), 0);
}

fn asking() -> (ConnectionConfig, Connection) {
    let mut config = config(SocketType::Pull);
    config.auth_source = AuthSource::Driver;
    let connection = Connection::new(&Arc::new(config.clone()), &mut SystemEntropy, NOW);
    (config, connection)
}

fn accept() -> AuthReply {
    AuthReply::accept_as("ann")
}

#[test]
fn a_peer_that_must_be_admitted_hears_no_ready_before() {
    let (_, mut connection) = asking();
    assert_eq!(connection.poll_auth_request(), None);
    say(&mut connection, &greeting(3, 1));
    assert_eq!(connection.poll_auth_request().map(|request| request.credentials), Some(AuthCredentials::Null));
    assert_eq!(connection.poll_auth_request(), None, "it asks once");
    assert_eq!(drain(&mut connection), greeting(3, 1));

    connection.handle_auth_reply(accept(), NOW).unwrap();
    assert_eq!(drain(&mut connection), ready("PULL"));
    assert_eq!(connection.peer(), None);
    say(&mut connection, &ready("PUSH"));
    assert_eq!(connection.peer().unwrap().user_id.as_deref(), Some(&b"ann"[..]));
}

#[test]
fn an_answer_may_come_after_the_peers_ready() {
    let (_, mut connection) = asking();
    say(&mut connection, &after_ready("PUSH", b""));
    assert!(connection.poll_auth_request().is_some());
    assert_eq!(connection.peer(), None);
    connection.handle_auth_reply(accept(), NOW).unwrap();
    assert_eq!(drain(&mut connection), [greeting(3, 1), ready("PULL")].concat());
    say(&mut connection, &frame(0, b"hello"));
    assert_eq!(connection.take(), Some(Message::from("hello").into()));
    assert_eq!(connection.peer().unwrap().user_id.as_deref(), Some(&b"ann"[..]));
    assert_eq!(connection.handle_auth_reply(AuthReply::refuse(), NOW), Ok(()), "nobody asks any more");
}

#[test]
fn a_refusal_is_said_and_ends_the_connection() {
    for ready_first in [false, true] {
        let (_, mut connection) = asking();
        say(&mut connection, &if ready_first { after_ready("PUSH", b"") } else { greeting(3, 1) });
        let error = connection.handle_auth_reply(AuthReply::refuse(), NOW).unwrap_err();
        assert_eq!(error, ConnectionError::Denied(AuthStatus::Denied));
        assert_eq!(drain(&mut connection), [greeting(3, 1), command("ERROR", b"\x03400")].concat());
        assert_eq!(connection.handle_input(&ready("PUSH"), NOW), Ok(()));
        assert_eq!(connection.peer(), None);
    }
}

#[test]
fn a_waiting_peer_may_say_nothing_but_one_ready() {
    let (config, mut connection) = asking();
    let error = hear(&config, &after_ready("PUSH", &ready("PUSH"))).error();
    assert_eq!(error, ConnectionError::Unexpected("READY came twice"));
    let error = hear(&config, &after_ready("PUSH", &frame(0, b"x"))).error();
    assert!(matches!(error, ConnectionError::Unexpected(_)));

    say(&mut connection, &after_ready("REQ", b""));
    let error = connection.handle_auth_reply(accept(), NOW).unwrap_err();
    assert!(matches!(error, ConnectionError::Incompatible { .. }), "what the waiting READY said comes to light");
}
