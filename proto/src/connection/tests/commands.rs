//! Commands during traffic: subscriptions, PING and PONG, and what is not ours to understand.

use super::*;
use crate::wire::DecodeError;

fn subscribe(prefix: &'static str) -> Inbound {
    Inbound::Subscription(Subscription::Subscribe(prefix.into()))
}

fn cancel(prefix: &'static str) -> Inbound {
    Inbound::Subscription(Subscription::Cancel(prefix.into()))
}

#[test]
fn publishers_understand_subscriptions_in_both_encodings_of_both_versions() {
    for ours in [SocketType::Pub, SocketType::XPub] {
        for minor in [0, 1] {
            let said = [
                greeting(3, minor),
                ready("SUB"),
                command("SUBSCRIBE", b"a"),
                frame(0, b"\x01b"),
                command("CANCEL", b"a"),
                frame(0, b"\0b"),
                frame(0, b"\x01"),
                command("CANCEL", b""),
            ];
            let got = hear(&config(ours), &said.concat()).got;
            let expected = [subscribe("a"), subscribe("b"), cancel("a"), cancel("b"), subscribe(""), cancel("")];
            assert_eq!(got, expected);
        }
    }
}

#[test]
fn only_one_frame_of_01_or_00_is_a_subscription() {
    let said = [frame(0, b""), frame(0, b"\x02x"), frame(1, b"\x01a"), frame(0, b"b")].concat();
    let messages = hear(&config(SocketType::XPub), &after_ready("XSUB", &said)).messages();
    assert_eq!(messages, [Message::from(""), Message::from("\x02x"), Message::from(["\x01a", "b"])]);
}

#[test]
fn others_ignore_subscribe_commands_and_take_01_for_content() {
    for (ours, theirs) in [(SocketType::Pull, "PUSH"), (SocketType::Router, "DEALER"), (SocketType::Sub, "PUB")] {
        let said = [command("SUBSCRIBE", b"a"), command("CANCEL", b"a"), frame(0, b"\x01a")].concat();
        assert_eq!(hear(&config(ours), &after_ready(theirs, &said)).messages(), [Message::from("\x01a")]);
    }
}

#[test]
fn subscriptions_leave_as_commands_or_as_messages_by_version() {
    for (minor, expected) in [
        (1, [command("SUBSCRIBE", b"a"), frame(0, b"m"), command("CANCEL", b"a")]),
        (0, [frame(0, b"\x01a"), frame(0, b"m"), frame(0, b"\0a")]),
    ] {
        let mut connection = ready_with_version(&config(SocketType::XSub), "XPUB", minor);
        connection.give(Outbound::Subscription(Subscription::Subscribe("a".into())));
        connection.give(Message::from("m").into());
        connection.give(Outbound::Subscription(Subscription::Cancel("a".into())));
        assert_eq!(connection.unsent(), 1, "only the message is one");
        assert_eq!(drain(&mut connection), expected.concat());
    }
}

#[test]
fn a_subscription_of_255_octets_is_framed_rightly_for_3_0() {
    for len in [253, 254, 255, 256] {
        let mut connection = ready_with_version(&config(SocketType::XSub), "XPUB", 0);
        connection.give(Outbound::Subscription(Subscription::Subscribe(body(len).into())));
        assert_eq!(drain(&mut connection), frame(0, &[&[1], &body(len)[..]].concat()));
    }
}

#[test]
fn a_ping_is_answered_with_at_most_16_octets_of_its_context() {
    for (context, echoed) in [(0, 0), (1, 1), (16, 16), (17, 16), (300, 16)] {
        let said = command("PING", &[&[0, 0], &body(context)[..]].concat());
        let outcome = hear(&config(SocketType::Pull), &after_ready("PUSH", &said));
        assert_eq!(outcome.error, None);
        assert!(outcome.sent.ends_with(&command("PONG", &body(echoed))), "context of {context} octets");
    }
}

#[test]
fn a_short_ping_and_an_unreadable_command_end_the_connection() {
    for (said, expected) in [
        (command("PING", b""), DecodeError::CommandBody("PING")),
        (command("PING", b"\0"), DecodeError::CommandBody("PING")),
        (frame(4, b""), DecodeError::CommandName),
        (frame(4, b"\0abc"), DecodeError::CommandName),
        (frame(4, b"\x09PING"), DecodeError::CommandName),
    ] {
        let error = hear(&config(SocketType::Pull), &after_ready("PUSH", &said)).error();
        assert_eq!(error, ConnectionError::Malformed(expected));
    }
}

#[test]
fn unknown_commands_and_pongs_change_nothing() {
    let said = [
        command("JOIN", b"x"),
        command("ping", b""),
        command("PONG", b""),
        command("PONG", &[1; 300]),
        command("X", &[0; 300]),
        frame(0, b"m"),
    ];
    let outcome = hear(&config(SocketType::Pull), &after_ready("PUSH", &said.concat()));
    assert_eq!(outcome.sent, after_ready("PULL", b""));
    assert_eq!(outcome.messages(), [Message::from("m")]);
}

#[test]
fn commands_may_come_between_the_frames_of_a_message() {
    let said = [frame(1, b"a"), command("PING", b"\0\0x"), command("OTHER", b""), frame(0, b"b")].concat();
    let outcome = hear(&config(SocketType::Pull), &after_ready("PUSH", &said));
    assert!(outcome.sent.ends_with(&command("PONG", b"x")));
    assert_eq!(outcome.messages(), [Message::from(["a", "b"])]);
}

#[test]
fn pings_beyond_what_the_peer_reads_cost_no_memory() {
    let pings: Vec<u8> =
        (0..10_000_u16).flat_map(|n| command("PING", &[&[0, 0], &n.to_be_bytes()[..]].concat())).collect();
    let outcome = hear(&config(SocketType::Pull), &after_ready("PUSH", &pings));
    let latest: Vec<u8> = (10_000 - 16..10_000_u16).flat_map(|n| command("PONG", &n.to_be_bytes())).collect();
    assert_eq!(outcome.sent, after_ready("PULL", &latest));
}

#[test]
fn a_pong_never_lands_inside_a_frame() {
    let mut connection = ready_connection(&config(SocketType::Pair), "PAIR");
    connection.give(Message::from([body(3000), body(10)]).into());
    connection.poll_transmit().expect("a message is to be written").advance(100);
    say(&mut connection, &command("PING", b"\0\0x"));
    connection.give(Message::from("second").into());
    let expected = [frame(1, &body(3000)), frame(0, &body(10)), command("PONG", b"x"), frame(0, b"second")].concat();
    assert_eq!(drain(&mut connection), expected[100..]);
}
