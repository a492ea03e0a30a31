//! Tests of the handshake with the NULL mechanism: greeting, READY, and errors.

use super::*;
use crate::connection::error::Fault;
use crate::security::{AuthCredentials, AuthSource};
use crate::wire::DecodeError;

/// READY commands that libzmq 4.3.5 sends, from recorded sessions. Each entry has the type of the libzmq socket, and
/// the bytes of its command.
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
fn handshake_of_each_type_pair_matches_libzmq_bytes() {
    for (ours, our_ready) in LIBZMQ_READY {
        for (theirs, their_ready) in LIBZMQ_READY {
            let outcome = feed(&config(ours), &[&greeting(3, 1), their_ready].concat());
            assert_eq!(outcome.sent[..64 + our_ready.len()], *[&greeting(3, 1), our_ready].concat());
            if ours.peers().contains(&theirs) {
                let peer = outcome.peer.expect("the handshake is done");
                assert_eq!((peer.socket_type, peer.version), (theirs, Version::V3_1));
                assert_eq!((peer.user_id, peer.routing_id), (None, Frame::EMPTY));
                assert_eq!(outcome.sent.len(), 64 + our_ready.len());
                assert_eq!(outcome.error, None);
            } else {
                assert_eq!(outcome.error, Some(ConnectionError::Incompatible { ours, theirs }));
                assert_eq!(outcome.sent[64 + our_ready.len()..], *b"\x04\x1f\x05ERROR\x18incompatible socket type");
            }
        }
    }
}

#[test]
fn routing_id_is_in_ready_and_its_length_in_signature() {
    let mut config = config(SocketType::Dealer);
    config.routing_id = Frame::from(&[1, 0, 255]);
    let outcome = feed(&config, &after_ready("ROUTER", b""));
    assert_eq!(outcome.sent[..10], *b"\xff\0\0\0\0\0\0\0\x04\x7f");
    assert_eq!(
        outcome.sent[64..],
        *b"\x04\x2c\x05READY\x0bSocket-Type\0\0\0\x06DEALER\x08Identity\0\0\0\x03\x01\0\xff"
    );
}

#[test]
fn connection_uses_lower_of_both_versions() {
    for (major, minor, spoken) in [
        (3, 0, Version::V3_0),
        (3, 1, Version::V3_1),
        (3, 2, Version::V3_1),
        (4, 0, Version::V3_1),
        (255, 255, Version::V3_1),
    ] {
        let outcome = feed(&config(SocketType::Pull), &[greeting(major, minor), ready("PUSH")].concat());
        assert_eq!(outcome.peer.expect("the handshake is done").version, spoken, "peer of {major}.{minor}");
    }
}

#[test]
fn greeting_padding_filler_and_as_server_are_ignored() {
    let mut bytes = after_ready("PUSH", b"");
    bytes[1..9].fill(0x11);
    bytes[32] = 1;
    bytes[33..64].fill(0xaa);
    assert!(feed(&config(SocketType::Pull), &bytes).peer.is_some());
}

#[test]
fn legacy_peer_is_rejected_at_revision_byte() {
    for revision in [0, 1, 2] {
        let bytes = greeting(revision, 0);
        let modern = ConnectionConfig { allow_legacy_zmtp: false, ..config(SocketType::Pull) };
        assert_eq!(feed(&modern, &bytes[..11]).error(), ConnectionError::Version(revision));
        assert_eq!(feed(&modern, &bytes[..10]).error, None);
    }
}

#[test]
fn other_protocol_is_rejected_at_first_invalid_byte() {
    let modern = ConnectionConfig { allow_legacy_zmtp: false, ..config(SocketType::Pull) };
    for input in [&b"GET / HTTP/1.1\r\n"[..], b"\x16\x03\x01\x02\0\x01", b"\0", b"\xff\0\0\0\0\0\0\0\x01\0"] {
        let outcome = feed(&modern, input);
        assert_eq!(outcome.sent, greeting(3, 1), "only the greeting is sent");
        assert_eq!(outcome.error(), ConnectionError::NotZmtp);
    }
    assert_eq!(feed(&modern, b"G").error(), ConnectionError::NotZmtp);
    assert_eq!(feed(&modern, b"\xff\0\0\0\0\0\0\0\x01").error, None);
}

#[test]
fn mechanism_with_any_different_byte_is_rejected() {
    for mechanism in
        [&b"PLAIN"[..], b"CURVE", b"NULLX", b"null", b"", b"NULL ", b"NULL\0x", b"NULL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0x"]
    {
        let outcome = feed(&config(SocketType::Pull), &greeting_with(3, 1, mechanism));
        assert_eq!(outcome.sent.len(), 64, "READY is not sent");
        let error = outcome.error();
        assert!(matches!(error, ConnectionError::MechanismMismatch { .. }), "{mechanism:?}: {error}");
        assert!(!error.is_temporary());
    }
    let error = feed(&config(SocketType::Pull), &greeting_with(3, 1, b"CURVE")).error();
    assert!(error.to_string().contains("NULL mechanism, the peer CURVE"));
}

#[test]
fn ready_without_known_socket_type_is_rejected() {
    for (input, expected) in [
        (ready_with(&[]), ConnectionError::MissingSocketType),
        (ready_with(&[("Identity", b"x")]), ConnectionError::MissingSocketType),
        (ready(""), ConnectionError::UnknownSocketType),
        (ready("push"), ConnectionError::UnknownSocketType),
        (ready("PUSHX"), ConnectionError::UnknownSocketType),
    ] {
        let error = feed(&config(SocketType::Pull), &[greeting(3, 1), input].concat()).error();
        assert_eq!(error, expected);
        assert!(!error.is_temporary());
    }
}

#[test]
fn property_names_ignore_case_and_unknown_ones_are_kept() {
    let input = ready_with(&[("X-team", b"blue"), ("sOCKET-tYPE", b"REQ"), ("IDENTITY", b"me")]);
    let peer = feed(&config(SocketType::Router), &[greeting(3, 1), input].concat()).peer.unwrap();
    assert_eq!(peer.routing_id, "me");
    assert_eq!(peer.metadata.get("X-Team").unwrap(), "blue");
}

#[test]
fn malformed_ready_is_rejected() {
    let property = b"\x0bSocket-Type\0\0\0\x04PUSH";
    for (input, expected) in [
        (command("READY", &property[..15]), DecodeError::Property),
        (command("READY", &[&property[..], b"\0\0\0\0\0"].concat()), DecodeError::Property),
        (command("READY", &[&property[..], b"\x01a\xff\xff\xff\xff"].concat()), DecodeError::Property),
        (command("READY", &[&property[..], &property[..]].concat()), DecodeError::DuplicateProperty),
        (ready_with(&[("Socket-Type", b"PUSH"), ("Identity", &[7; 256])]), DecodeError::RoutingId),
    ] {
        let error = feed(&config(SocketType::Pull), &[greeting(3, 1), input].concat()).error();
        assert_eq!(error, ConnectionError::Malformed(expected));
    }
    let longest = ready_with(&[("Socket-Type", b"PUSH"), ("Identity", &[7; 255])]);
    assert_eq!(feed(&config(SocketType::Pull), &[greeting(3, 1), longest].concat()).error, None);
}

#[test]
fn peer_error_is_returned_and_only_300_500_allow_reconnect() {
    for reason in [&b"300"[..], b"400", b"500", b"go away", b"", &[b'x'; 255]] {
        let input = command("ERROR", &[&[u8::try_from(reason.len()).unwrap()], reason].concat());
        for before in [greeting(3, 1), after_ready("PUSH", b"")] {
            let error = feed(&config(SocketType::Pull), &[before, input.clone()].concat()).error();
            assert_eq!(error.is_temporary(), matches!(reason, b"300" | b"500"));
            assert_eq!(error.fault(), Fault::Peer);
            assert_eq!(error, ConnectionError::Refused(Bytes::copy_from_slice(reason)));
        }
    }
    let cut = command("ERROR", b"\x09400");
    let error = feed(&config(SocketType::Pull), &[greeting(3, 1), cut].concat()).error();
    assert_eq!(error, ConnectionError::Malformed(DecodeError::CommandBody("ERROR")));
}

#[test]
fn frame_other_than_ready_or_error_before_ready_is_rejected() {
    for input in [
        frame(0, b"hello"),
        command("PING", b"\0\0"),
        command("PONG", b""),
        command("SUBSCRIBE", b""),
        command("HELLO", b""),
        command("JOIN", b"x"),
    ] {
        let error = feed(&config(SocketType::Pull), &[greeting(3, 1), input].concat()).error();
        assert!(matches!(error, ConnectionError::Unexpected(_)), "{error}");
    }
}

#[test]
fn message_before_ready_is_rejected_at_its_last_frame() {
    let config = config(SocketType::Pull);
    assert_eq!(feed(&config, &[greeting(3, 1), frame(1, b"a")].concat()).error, None);
    let whole = [greeting(3, 1), frame(1, b"a"), frame(0, b"b")].concat();
    assert!(matches!(feed(&config, &whole).error(), ConnectionError::Unexpected(_)));
}

#[test]
fn second_ready_is_rejected() {
    let error = feed(&config(SocketType::Pull), &after_ready("PUSH", &ready("PUSH"))).error();
    assert_eq!(error, ConnectionError::Unexpected("READY was received twice"));
}

#[test]
fn failed_connection_ignores_input_and_timeouts() {
    let mut connection = ready_connection(&config(SocketType::Pull), "PUSH");
    connection.handle_input(&[0x80], NOW).unwrap_err();
    assert_eq!(connection.handle_input(&frame(0, b"late"), NOW), Ok(()));
    assert_eq!(connection.take(), None);
    assert_eq!(connection.peer(), None);
    assert_eq!(connection.poll_timeout(), None);
    assert_eq!(connection.handle_timeout(NOW), Ok(()));
}

#[test]
fn messages_are_sent_after_ready_of_peer() {
    let mut connection = Connection::new(&Arc::new(config(SocketType::Push)), &mut SystemEntropy, NOW);
    connection.give(Message::from("early").into());
    let (greeting, mut sent) = (greeting(3, 1), drain(&mut connection));
    // The greeting is sent in parts, because the version of the peer is not known yet.
    for (piece, so_far) in [(0..9, 10), (9..10, 11), (10..11, 64), (11..63, 64)] {
        deliver(&mut connection, &greeting[piece]);
        sent.extend(drain(&mut connection));
        assert_eq!(sent, greeting[..so_far]);
    }
    deliver(&mut connection, &greeting[63..]);
    assert_eq!(drain(&mut connection), ready("PUSH"));
    assert_eq!(connection.unsent(), 1);
    deliver(&mut connection, &ready("PULL"));
    assert_eq!(drain(&mut connection), frame(0, b"early"));
    assert_eq!(connection.unsent(), 0);
}

fn waiting_for_auth() -> (ConnectionConfig, Connection) {
    let mut config = config(SocketType::Pull);
    config.auth_source = AuthSource::Driver;
    let connection = Connection::new(&Arc::new(config.clone()), &mut SystemEntropy, NOW);
    (config, connection)
}

fn accept() -> AuthReply {
    AuthReply::accept_as("ann")
}

#[test]
fn ready_is_sent_after_auth_reply() {
    let (_, mut connection) = waiting_for_auth();
    assert_eq!(connection.poll_auth_request(), None);
    deliver(&mut connection, &greeting(3, 1));
    assert_eq!(connection.poll_auth_request().map(|request| request.credentials), Some(AuthCredentials::Null));
    assert_eq!(connection.poll_auth_request(), None, "there is one request only");
    assert_eq!(drain(&mut connection), greeting(3, 1));

    connection.handle_auth_reply(accept(), NOW).unwrap();
    assert_eq!(drain(&mut connection), ready("PULL"));
    assert_eq!(connection.peer(), None);
    deliver(&mut connection, &ready("PUSH"));
    assert_eq!(connection.peer().unwrap().user_id.as_deref(), Some(&b"ann"[..]));
}

#[test]
fn auth_reply_after_peer_ready_completes_handshake() {
    let (_, mut connection) = waiting_for_auth();
    deliver(&mut connection, &after_ready("PUSH", b""));
    assert!(connection.poll_auth_request().is_some());
    assert_eq!(connection.peer(), None);
    connection.handle_auth_reply(accept(), NOW).unwrap();
    assert_eq!(drain(&mut connection), [greeting(3, 1), ready("PULL")].concat());
    deliver(&mut connection, &frame(0, b"hello"));
    assert_eq!(connection.take(), Some(Message::from("hello").into()));
    assert_eq!(connection.peer().unwrap().user_id.as_deref(), Some(&b"ann"[..]));
    assert_eq!(connection.handle_auth_reply(AuthReply::reject(), NOW), Ok(()), "a reply without a request is ignored");
}

#[test]
fn auth_denial_sends_error_and_ends_connection() {
    for ready_first in [false, true] {
        let (_, mut connection) = waiting_for_auth();
        deliver(&mut connection, &if ready_first { after_ready("PUSH", b"") } else { greeting(3, 1) });
        let error = connection.handle_auth_reply(AuthReply::reject(), NOW).unwrap_err();
        assert_eq!(error, ConnectionError::Denied(AuthStatus::Denied));
        assert_eq!(drain(&mut connection), [greeting(3, 1), command("ERROR", b"\x03400")].concat());
        assert_eq!(connection.handle_input(&ready("PUSH"), NOW), Ok(()));
        assert_eq!(connection.peer(), None);
    }
}

#[test]
fn peer_pending_auth_may_send_only_one_ready() {
    let (config, mut connection) = waiting_for_auth();
    let error = feed(&config, &after_ready("PUSH", &ready("PUSH"))).error();
    assert_eq!(error, ConnectionError::Unexpected("READY came twice"));
    let error = feed(&config, &after_ready("PUSH", &frame(0, b"x"))).error();
    assert!(matches!(error, ConnectionError::Unexpected(_)));

    deliver(&mut connection, &after_ready("REQ", b""));
    let error = connection.handle_auth_reply(accept(), NOW).unwrap_err();
    assert!(matches!(error, ConnectionError::Incompatible { .. }), "the stored READY is checked after the reply");
}
