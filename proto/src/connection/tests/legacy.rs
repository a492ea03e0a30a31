//! Tests of connections to peers of ZMTP 2.0 and 1.0.

use super::*;
use crate::wire::DecodeError;

const SIGNATURE: &[u8] = b"\xff\0\0\0\0\0\0\0\x01\x7f";

/// Returns the greeting of a peer of ZMTP 2.0: signature, revision, socket type, routing id. `code` is the byte of the
/// socket type.
fn greeting_2_0(code: u8, routing_id: &[u8]) -> Vec<u8> {
    [SIGNATURE, &[1, code], &frame(0, routing_id)].concat()
}

/// Returns a frame of ZMTP 1.0 with these flags and this body.
fn frame_1_0(flags: u8, body: &[u8]) -> Vec<u8> {
    let size = body.len() + 1;
    match u8::try_from(size) {
        Ok(size) if size < 255 => [&[size, flags], body].concat(),
        _ => [&[0xff], &(size as u64).to_be_bytes()[..], &[flags], body].concat(),
    }
}

#[test]
fn peer_of_2_0_exchanges_same_bytes_as_with_libzmq() {
    let messages = [&frame(1, b"a"), &frame(0, &body(300))[..], &frame(0, b"b")].concat();
    let outcome = feed(&config(SocketType::Router), &[greeting_2_0(5, b"me"), messages].concat());
    let peer = outcome.peer.clone().expect("the handshake is done");
    assert_eq!((peer.socket_type, peer.version), (SocketType::Dealer, Version::V2_0));
    assert_eq!(peer.routing_id, "me");
    assert_eq!(outcome.sent, [SIGNATURE, b"\x03\x06\0\0"].concat());
    assert_eq!(outcome.messages(), [Message::from([b"a".to_vec(), body(300)]), "b".into()]);
}

#[test]
fn peer_of_1_0_exchanges_same_bytes_as_with_libzmq() {
    let messages = [&frame_1_0(1, b"a"), &frame_1_0(0, &body(300))[..], &frame_1_0(0, b"b")].concat();
    for id in [&b""[..], b"me", &[7; 255]] {
        let ours = ConnectionConfig { routing_id: "us".into(), ..config(SocketType::Router) };
        let outcome = feed(&ours, &[&frame_1_0(0, id), &messages[..]].concat());
        let peer = outcome.peer.clone().expect("the handshake is done");
        assert_eq!((peer.version, &peer.routing_id[..]), (Version::V1_0, id));
        assert_eq!(outcome.sent, b"\xff\0\0\0\0\0\0\0\x03\x7fus");
        assert_eq!(outcome.messages(), [Message::from([b"a".to_vec(), body(300)]), "b".into()]);
    }
    // A peer of 1.0 that sends a signature.
    let bytes = [SIGNATURE, b"\0\x05", &frame_1_0(0, b"me"), &messages].concat();
    let outcome = feed(&config(SocketType::Router), &bytes);
    assert_eq!(outcome.peer.as_ref().map(|peer| peer.version), Some(Version::V1_0));
    assert_eq!(outcome.sent, [SIGNATURE, b"\x03\x06\x01\0"].concat());
    assert_eq!(outcome.messages().len(), 2);
}

#[test]
fn legacy_peers_get_messages_in_frames_of_their_version() {
    for (first, framed) in [
        (greeting_2_0(7, b""), frame as fn(u8, &[u8]) -> Vec<u8>),
        (frame_1_0(0, b""), frame_1_0 as fn(u8, &[u8]) -> Vec<u8>),
    ] {
        let mut connection = Connection::new(&Arc::new(config(SocketType::Push)), &mut SystemEntropy, NOW);
        deliver(&mut connection, &first);
        drain(&mut connection);
        let mut expected = Vec::new();
        for size in [0, 1, 252, 253, 254, 255, 256, 5000] {
            connection.give(Message::from([body(size), b"end".to_vec()]).into());
            expected.extend([framed(1, &body(size)), framed(0, b"end")].concat());
        }
        let shared = encode_once(Message::from(["a", "b"]));
        connection.give(shared.into());
        expected.extend([framed(1, b"a"), framed(0, b"b")].concat());
        assert_eq!(drain(&mut connection), expected);
    }
}

#[test]
fn reclaim_returns_unsent_messages_of_legacy_peers() {
    for first in [greeting_2_0(7, b""), frame_1_0(0, b"")] {
        let mut connection = Connection::new(&Arc::new(config(SocketType::Push)), &mut SystemEntropy, NOW);
        deliver(&mut connection, &first);
        drain(&mut connection);
        let messages = [Message::from("first"), Message::from([body(5000), body(3)]), Message::from("last")];
        for message in &messages {
            connection.give(message.clone().into());
        }
        connection.poll_transmit().expect("there is output").advance(3);
        assert_eq!(connection.reclaim(), messages[1..], "the first message is partly written");
    }
}

#[test]
fn legacy_peers_get_subscriptions_as_messages() {
    for (first, expected) in
        [(greeting_2_0(1, b""), &b"\0\x04\x01abc\0\x04\0abc"[..]), (frame_1_0(0, b""), b"\x05\0\x01abc\x05\0\0abc")]
    {
        let mut connection = Connection::new(&Arc::new(config(SocketType::Sub)), &mut SystemEntropy, NOW);
        deliver(&mut connection, &first);
        drain(&mut connection);
        connection.give(Outbound::Subscription(Subscription::Subscribe("abc".into())));
        connection.give(Outbound::Subscription(Subscription::Cancel("abc".into())));
        assert_eq!(drain(&mut connection), expected);
    }
}

#[test]
fn subscriber_of_1_0_is_subscribed_to_all_messages() {
    let all_messages = Inbound::Subscription(Subscription::Subscribe("".into()));
    assert_eq!(feed(&config(SocketType::Pub), &frame_1_0(0, b"")).received, [all_messages]);
    assert_eq!(feed(&config(SocketType::Pub), &greeting_2_0(2, b"")).received, []);
    let subscribed = [greeting_2_0(2, b""), frame(0, b"\x01abc")].concat();
    assert_eq!(
        feed(&config(SocketType::Pub), &subscribed).received,
        [Inbound::Subscription(Subscription::Subscribe("abc".into()))]
    );
}

#[test]
fn input_of_other_protocols_is_rejected_at_second_byte() {
    for input in [&b"GE"[..], b"\x16\x03", b"SS", b"{\"", b"\0", b"\xff\0\0\0\0\0\0\0\0\0", b"\x05\x01"] {
        let outcome = feed(&config(SocketType::Pull), input);
        assert_eq!(outcome.sent, SIGNATURE, "only the signature is sent");
        assert_eq!(outcome.error(), ConnectionError::NotZmtp, "{}", input.escape_ascii());
    }
    assert_eq!(feed(&config(SocketType::Pull), b"G").error, None);
}

#[test]
fn legacy_peers_with_protocol_errors_are_rejected() {
    let incompatible = ConnectionError::Incompatible { ours: SocketType::Pull, theirs: SocketType::Pair };
    for (bytes, expected) in [
        ([SIGNATURE, b"\x01\x00"].concat(), incompatible),
        ([SIGNATURE, b"\x01\x0b"].concat(), ConnectionError::UnknownSocketType),
        ([SIGNATURE, b"\x02"].concat(), ConnectionError::Version(2)),
        ([SIGNATURE, b"\x01\x08\x02\0\0\0\0\0\0\x01\0"].concat(), DecodeError::RoutingId.into()),
        (
            [SIGNATURE, b"\x01\x08\x01\0"].concat(),
            ConnectionError::Unexpected("a routing id must be a single frame and not a command"),
        ),
        ([greeting_2_0(8, b""), b"\x04\x05\x04PING".to_vec()].concat(), DecodeError::Flags(4).into()),
        ([frame_1_0(0, b""), b"\x05\x80".to_vec()].concat(), DecodeError::Flags(0x80).into()),
        ([frame_1_0(0, b""), b"\0".to_vec()].concat(), DecodeError::Size.into()),
        (frame_1_0(0, &[7; 256]), ConnectionError::NotZmtp),
    ] {
        assert_eq!(feed(&config(SocketType::Pull), &bytes).error(), expected);
    }
    let small = ConnectionConfig { max_message_size: 100, ..config(SocketType::Pull) };
    let large = [frame_1_0(0, b""), b"\x66\0".to_vec()].concat();
    assert_eq!(feed(&small, &large).error(), ConnectionError::TooLarge { size: 101, limit: 100 });
}

#[test]
fn unfinished_legacy_handshake_times_out() {
    for input in [&b""[..], SIGNATURE, b"\xff\0\0\0\0\0\0\0\x01\x7f\x01\x08\0", b"\x09\0half"] {
        let mut connection = Connection::new(&Arc::new(config(SocketType::Pull)), &mut SystemEntropy, NOW);
        deliver(&mut connection, input);
        let deadline = connection.poll_timeout().expect("the handshake has a deadline");
        assert_eq!(connection.handle_timeout(deadline), Err(ConnectionError::TimedOut(Timeout::Handshake)));
    }
}

/// Returns true if a connection with these settings rejects peers of ZMTP 2.0 and 1.0. Also checks that a connection
/// that accepts such peers sends its greeting in parts.
fn rejects_legacy_peers(config: &ConnectionConfig) -> bool {
    let outcome = feed(config, &greeting_2_0(8, b"")[..11]);
    let signature_alone = outcome.sent == [SIGNATURE, b"\x03\x07\0\0"].concat();
    assert_eq!(outcome.error == Some(ConnectionError::Version(1)), !signature_alone);
    assert_eq!(feed(config, b"\x01\0").error == Some(ConnectionError::NotZmtp), !signature_alone);
    !signature_alone
}

#[test]
fn legacy_peers_cannot_bypass_security() {
    let pull = config(SocketType::Pull);
    assert!(!rejects_legacy_peers(&pull));
    assert!(rejects_legacy_peers(&ConnectionConfig { allow_legacy_zmtp: false, ..pull.clone() }));
    assert!(rejects_legacy_peers(&ConnectionConfig { domain: "global".into(), ..pull.clone() }));
    assert!(rejects_legacy_peers(&ConnectionConfig { resource: "names".parse().ok(), ..pull.clone() }));
    assert!(rejects_legacy_peers(&config(SocketType::Gather)));
    #[cfg(feature = "plain")]
    assert!(rejects_legacy_peers(&ConnectionConfig { security: crate::security::Security::PlainServer, ..pull }));
}
