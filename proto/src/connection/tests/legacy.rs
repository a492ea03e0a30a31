//! Peers of before ZMTP 3.

use super::*;
use crate::wire::DecodeError;

const SIGNATURE: &[u8] = b"\xff\0\0\0\0\0\0\0\x01\x7f";

/// What a peer of ZMTP 2.0 says first: signature, revision, socket type, routing id.
fn greeting_2_0(code: u8, routing_id: &[u8]) -> Vec<u8> {
    [SIGNATURE, &[1, code], &frame(0, routing_id)].concat()
}

/// A frame of ZMTP 1.0.
fn frame_1_0(flags: u8, body: &[u8]) -> Vec<u8> {
    let size = body.len() + 1;
    match u8::try_from(size) {
        Ok(size) if size < 255 => [&[size, flags], body].concat(),
        _ => [&[0xff], &(size as u64).to_be_bytes()[..], &[flags], body].concat(),
    }
}

#[test]
fn a_peer_of_2_0_is_heard_and_told_what_libzmq_tells() {
    let messages = [&frame(1, b"a"), &frame(0, &body(300))[..], &frame(0, b"b")].concat();
    let outcome = hear(&config(SocketType::Router), &[greeting_2_0(5, b"me"), messages].concat());
    let peer = outcome.peer.clone().expect("the handshake is done");
    assert_eq!((peer.socket_type, peer.version), (SocketType::Dealer, Version::V2_0));
    assert_eq!(peer.routing_id, "me");
    assert_eq!(outcome.sent, [SIGNATURE, b"\x03\x06\0\0"].concat());
    assert_eq!(outcome.messages(), [Message::from([b"a".to_vec(), body(300)]), "b".into()]);
}

#[test]
fn a_peer_of_1_0_is_heard_and_told_what_libzmq_tells() {
    let messages = [&frame_1_0(1, b"a"), &frame_1_0(0, &body(300))[..], &frame_1_0(0, b"b")].concat();
    for id in [&b""[..], b"me", &[7; 255]] {
        let ours = ConnectionConfig { routing_id: "us".into(), ..config(SocketType::Router) };
        let outcome = hear(&ours, &[&frame_1_0(0, id), &messages[..]].concat());
        let peer = outcome.peer.clone().expect("the handshake is done");
        assert_eq!((peer.version, &peer.routing_id[..]), (Version::V1_0, id));
        assert_eq!(outcome.sent, b"\xff\0\0\0\0\0\0\0\x03\x7fus");
        assert_eq!(outcome.messages(), [Message::from([b"a".to_vec(), body(300)]), "b".into()]);
    }
    // And if it shows a signature.
    let octets = [SIGNATURE, b"\0\x05", &frame_1_0(0, b"me"), &messages].concat();
    let outcome = hear(&config(SocketType::Router), &octets);
    assert_eq!(outcome.peer.as_ref().map(|peer| peer.version), Some(Version::V1_0));
    assert_eq!(outcome.sent, [SIGNATURE, b"\x03\x06\x01\0"].concat());
    assert_eq!(outcome.messages().len(), 2);
}

#[test]
fn both_are_sent_messages_in_their_own_frames() {
    for (first, framed) in [
        (greeting_2_0(7, b""), frame as fn(u8, &[u8]) -> Vec<u8>),
        (frame_1_0(0, b""), frame_1_0 as fn(u8, &[u8]) -> Vec<u8>),
    ] {
        let mut connection = Connection::new(&Arc::new(config(SocketType::Push)), &mut SystemEntropy, NOW);
        say(&mut connection, &first);
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
fn what_was_not_sent_to_them_is_given_back() {
    for first in [greeting_2_0(7, b""), frame_1_0(0, b"")] {
        let mut connection = Connection::new(&Arc::new(config(SocketType::Push)), &mut SystemEntropy, NOW);
        say(&mut connection, &first);
        drain(&mut connection);
        let messages = [Message::from("first"), Message::from([body(5000), body(3)]), Message::from("last")];
        for message in &messages {
            connection.give(message.clone().into());
        }
        connection.poll_transmit().expect("there is something to send").advance(3);
        assert_eq!(connection.reclaim(), messages[1..], "the first is begun");
    }
}

#[test]
fn subscriptions_are_messages_to_them() {
    for (first, expected) in
        [(greeting_2_0(1, b""), &b"\0\x04\x01abc\0\x04\0abc"[..]), (frame_1_0(0, b""), b"\x05\0\x01abc\x05\0\0abc")]
    {
        let mut connection = Connection::new(&Arc::new(config(SocketType::Sub)), &mut SystemEntropy, NOW);
        say(&mut connection, &first);
        drain(&mut connection);
        connection.give(Outbound::Subscription(Subscription::Subscribe("abc".into())));
        connection.give(Outbound::Subscription(Subscription::Cancel("abc".into())));
        assert_eq!(drain(&mut connection), expected);
    }
}

#[test]
fn a_subscriber_of_1_0_wants_everything_for_it_cannot_say_what() {
    let everything = Inbound::Subscription(Subscription::Subscribe("".into()));
    assert_eq!(hear(&config(SocketType::Pub), &frame_1_0(0, b"")).got, [everything]);
    assert_eq!(hear(&config(SocketType::Pub), &greeting_2_0(2, b"")).got, []);
    let subscribed = [greeting_2_0(2, b""), frame(0, b"\x01abc")].concat();
    assert_eq!(
        hear(&config(SocketType::Pub), &subscribed).got,
        [Inbound::Subscription(Subscription::Subscribe("abc".into()))]
    );
}

#[test]
fn what_is_no_zmtp_of_any_age_is_refused_by_its_second_octet() {
    for stranger in [&b"GE"[..], b"\x16\x03", b"SS", b"{\"", b"\0", b"\xff\0\0\0\0\0\0\0\0\0", b"\x05\x01"] {
        let outcome = hear(&config(SocketType::Pull), stranger);
        assert_eq!(outcome.sent, SIGNATURE, "we speak first, and say nothing more");
        assert_eq!(outcome.error(), ConnectionError::NotZmtp, "{}", stranger.escape_ascii());
    }
    assert_eq!(hear(&config(SocketType::Pull), b"G").error, None);
}

#[test]
fn old_peers_that_break_the_protocol_are_refused() {
    let incompatible = ConnectionError::Incompatible { ours: SocketType::Pull, theirs: SocketType::Pair };
    for (octets, expected) in [
        ([SIGNATURE, b"\x01\x00"].concat(), incompatible),
        ([SIGNATURE, b"\x01\x0b"].concat(), ConnectionError::UnknownSocketType),
        ([SIGNATURE, b"\x02"].concat(), ConnectionError::Version(2)),
        ([SIGNATURE, b"\x01\x08\x02\0\0\0\0\0\0\x01\0"].concat(), DecodeError::RoutingId.into()),
        (
            [SIGNATURE, b"\x01\x08\x01\0"].concat(),
            ConnectionError::Unexpected("a routing id is one frame, and no command"),
        ),
        ([greeting_2_0(8, b""), b"\x04\x05\x04PING".to_vec()].concat(), DecodeError::Flags(4).into()),
        ([frame_1_0(0, b""), b"\x05\x80".to_vec()].concat(), DecodeError::Flags(0x80).into()),
        ([frame_1_0(0, b""), b"\0".to_vec()].concat(), DecodeError::Size.into()),
        (frame_1_0(0, &[7; 256]), ConnectionError::NotZmtp),
    ] {
        assert_eq!(hear(&config(SocketType::Pull), &octets).error(), expected);
    }
    let small = ConnectionConfig { max_message_size: 100, ..config(SocketType::Pull) };
    let large = [frame_1_0(0, b""), b"\x66\0".to_vec()].concat();
    assert_eq!(hear(&small, &large).error(), ConnectionError::TooLarge { size: 101, limit: 100 });
}

#[test]
fn a_peer_of_2_0_that_does_not_finish_its_greeting_is_given_up() {
    for said in [&b""[..], SIGNATURE, b"\xff\0\0\0\0\0\0\0\x01\x7f\x01\x08\0", b"\x09\0half"] {
        let mut connection = Connection::new(&Arc::new(config(SocketType::Pull)), &mut SystemEntropy, NOW);
        say(&mut connection, said);
        let deadline = connection.poll_timeout().expect("it is waited for so long");
        assert_eq!(connection.handle_timeout(deadline), Err(ConnectionError::TimedOut(Timeout::Handshake)));
    }
}

/// Whether old peers are refused; the whole greeting is sent at once then.
fn refuses(config: &ConnectionConfig) -> bool {
    let old = hear(config, &greeting_2_0(8, b"")[..11]);
    let signature_alone = old.sent == [SIGNATURE, b"\x03\x07\0\0"].concat();
    assert_eq!(old.error == Some(ConnectionError::Version(1)), !signature_alone);
    assert_eq!(hear(config, b"\x01\0").error == Some(ConnectionError::NotZmtp), !signature_alone);
    !signature_alone
}

#[test]
fn nobody_evades_security_by_being_old() {
    let pull = config(SocketType::Pull);
    assert!(!refuses(&pull));
    assert!(refuses(&ConnectionConfig { allow_legacy_zmtp: false, ..pull.clone() }));
    assert!(refuses(&ConnectionConfig { domain: "global".into(), ..pull.clone() }));
    assert!(refuses(&ConnectionConfig { resource: "names".parse().ok(), ..pull.clone() }));
    assert!(refuses(&config(SocketType::Gather)));
    #[cfg(feature = "plain")]
    assert!(refuses(&ConnectionConfig { security: crate::security::Security::PlainServer, ..pull }));
}
