//! Tests of commands after the handshake: subscriptions, PING, PONG, and unknown commands.

use super::*;
use crate::wire::DecodeError;

fn subscribe(prefix: &'static str) -> Inbound {
    Inbound::Subscription(Subscription::Subscribe(prefix.into()))
}

fn cancel(prefix: &'static str) -> Inbound {
    Inbound::Subscription(Subscription::Cancel(prefix.into()))
}

#[test]
fn publisher_accepts_both_subscription_encodings() {
    for ours in [SocketType::Pub, SocketType::XPub] {
        for minor in [0, 1] {
            let input = [
                greeting(3, minor),
                ready("SUB"),
                command("SUBSCRIBE", b"a"),
                frame(0, b"\x01b"),
                command("CANCEL", b"a"),
                frame(0, b"\0b"),
                frame(0, b"\x01"),
                command("CANCEL", b""),
            ];
            let received = feed(&config(ours), &input.concat()).received;
            let expected = [subscribe("a"), subscribe("b"), cancel("a"), cancel("b"), subscribe(""), cancel("")];
            assert_eq!(received, expected);
        }
    }
}

#[test]
fn first_frame_decides_if_frames_are_subscriptions() {
    let with_change = [frame(1, b"\x01a"), frame(1, b"b"), frame(0, b"\0c")].concat();
    let without = [frame(0, b""), frame(0, b"\x02x"), frame(1, b"d"), frame(0, b"\x01e")].concat();
    let outcome = feed(&config(SocketType::XPub), &after_ready("XSUB", &[with_change, without].concat()));
    let messages = [Message::from("b"), Message::from(""), Message::from("\x02x"), Message::from(["d", "\x01e"])];
    let expected: Vec<_> = [subscribe("a"), cancel("c")].into_iter().chain(messages.map(Inbound::Message)).collect();
    assert_eq!(outcome.received, expected);
}

#[test]
fn other_types_ignore_subscribe_and_receive_01_message() {
    for (ours, theirs) in [(SocketType::Pull, "PUSH"), (SocketType::Router, "DEALER"), (SocketType::Sub, "PUB")] {
        let input = [command("SUBSCRIBE", b"a"), command("CANCEL", b"a"), frame(0, b"\x01a")].concat();
        assert_eq!(feed(&config(ours), &after_ready(theirs, &input)).messages(), [Message::from("\x01a")]);
    }
}

#[test]
fn subscriptions_are_sent_in_the_form_of_peer_version() {
    for (minor, expected) in [
        (1, [command("SUBSCRIBE", b"a"), frame(0, b"m"), command("CANCEL", b"a")]),
        (0, [frame(0, b"\x01a"), frame(0, b"m"), frame(0, b"\0a")]),
    ] {
        let mut connection = ready_with_version(&config(SocketType::XSub), "XPUB", minor);
        connection.give(Outbound::Subscription(Subscription::Subscribe("a".into())));
        connection.give(Message::from("m").into());
        connection.give(Outbound::Subscription(Subscription::Cancel("a".into())));
        assert_eq!(connection.unsent(), 1, "subscriptions are not counted");
        assert_eq!(drain(&mut connection), expected.concat());
    }
}

#[test]
fn subscription_around_255_bytes_is_framed_for_3_0() {
    for len in [253, 254, 255, 256] {
        let mut connection = ready_with_version(&config(SocketType::XSub), "XPUB", 0);
        connection.give(Outbound::Subscription(Subscription::Subscribe(body(len).into())));
        assert_eq!(drain(&mut connection), frame(0, &[&[1], &body(len)[..]].concat()));
    }
}

#[test]
fn pong_echoes_at_most_16_bytes_of_context() {
    for (context, echoed) in [(0, 0), (1, 1), (16, 16), (17, 16), (300, 16)] {
        let input = command("PING", &[&[0, 0], &body(context)[..]].concat());
        let outcome = feed(&config(SocketType::Pull), &after_ready("PUSH", &input));
        assert_eq!(outcome.error, None);
        assert!(outcome.sent.ends_with(&command("PONG", &body(echoed))), "context of {context} bytes");
    }
}

#[test]
fn short_ping_or_malformed_command_ends_connection() {
    for (input, expected) in [
        (command("PING", b""), DecodeError::CommandBody("PING")),
        (command("PING", b"\0"), DecodeError::CommandBody("PING")),
        (frame(4, b""), DecodeError::CommandName),
        (frame(4, b"\0abc"), DecodeError::CommandName),
        (frame(4, b"\x09PING"), DecodeError::CommandName),
    ] {
        let error = feed(&config(SocketType::Pull), &after_ready("PUSH", &input)).error();
        assert_eq!(error, ConnectionError::Malformed(expected));
    }
}

#[test]
fn unknown_commands_and_pongs_are_ignored() {
    let input = [
        command("JOIN", b"x"),
        command("ping", b""),
        command("PONG", b""),
        command("PONG", &[1; 300]),
        command("X", &[0; 300]),
        frame(0, b"m"),
    ];
    let outcome = feed(&config(SocketType::Pull), &after_ready("PUSH", &input.concat()));
    assert_eq!(outcome.sent, after_ready("PULL", b""));
    assert_eq!(outcome.messages(), [Message::from("m")]);
}

#[test]
fn commands_between_frames_of_a_message_are_accepted() {
    let input = [frame(1, b"a"), command("PING", b"\0\0x"), command("OTHER", b""), frame(0, b"b")].concat();
    let outcome = feed(&config(SocketType::Pull), &after_ready("PUSH", &input));
    assert!(outcome.sent.ends_with(&command("PONG", b"x")));
    assert_eq!(outcome.messages(), [Message::from(["a", "b"])]);
}

#[test]
fn only_latest_16_pings_are_answered_if_peer_does_not_read() {
    let pings: Vec<u8> =
        (0..10_000_u16).flat_map(|n| command("PING", &[&[0, 0], &n.to_be_bytes()[..]].concat())).collect();
    let outcome = feed(&config(SocketType::Pull), &after_ready("PUSH", &pings));
    let latest: Vec<u8> = (10_000 - 16..10_000_u16).flat_map(|n| command("PONG", &n.to_be_bytes())).collect();
    assert_eq!(outcome.sent, after_ready("PULL", &latest));
}

#[test]
fn pong_is_not_sent_inside_a_message() {
    let mut connection = ready_connection(&config(SocketType::Pair), "PAIR");
    connection.give(Message::from([body(3000), body(10)]).into());
    connection.poll_transmit().expect("there is output").advance(100);
    deliver(&mut connection, &command("PING", b"\0\0x"));
    connection.give(Message::from("second").into());
    let expected = [frame(1, &body(3000)), frame(0, &body(10)), command("PONG", b"x"), frame(0, b"second")].concat();
    assert_eq!(drain(&mut connection), expected[100..]);
}
