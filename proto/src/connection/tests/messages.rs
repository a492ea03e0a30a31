//! Messages of every size, and the limits.

use super::*;
use crate::wire::DecodeError;

const SIZES: [usize; 9] = [0, 1, 255, 256, 2047, 2048, 65_535, 65_536, 1 << 20];

#[test]
fn messages_of_every_size_arrive() {
    for size in SIZES {
        let octets = after_ready("PUSH", &[frame(0, &body(size)), frame(0, b"next")].concat());
        let messages = hear(&config(SocketType::Pull), &octets).messages();
        assert_eq!(messages, [Message::from(body(size)), Message::from("next")]);
    }
}

#[test]
fn messages_of_every_size_leave_framed_as_libzmq_frames_them() {
    for size in SIZES {
        let mut connection = ready_connection(&config(SocketType::Push), "PULL");
        connection.give(Message::from(body(size)).into());
        connection.give(Message::from("next").into());
        assert_eq!(drain(&mut connection), [frame(0, &body(size)), frame(0, b"next")].concat(), "size {size}");
    }
}

#[test]
fn the_size_is_short_up_to_255_and_long_from_256() {
    let mut connection = ready_connection(&config(SocketType::Push), "PULL");
    connection.give(Message::from(body(255)).into());
    assert_eq!(drain(&mut connection)[..2], [0, 255]);
    connection.give(Message::from([body(256), body(0)]).into());
    let octets = drain(&mut connection);
    assert_eq!(octets[..9], [3, 0, 0, 0, 0, 0, 0, 1, 0]);
    assert_eq!(octets[9 + 256..], [0, 0]);
}

#[test]
fn messages_of_several_frames_stay_together() {
    for frames in [vec![1, 2, 3], vec![0, 0, 0], vec![0, 300, 0, 70_000, 1], vec![5; 200]] {
        let message = Message::from_frames(frames.iter().map(|&size| body(size))).unwrap();
        let last = frames.len() - 1;
        let octets: Vec<u8> =
            frames.iter().enumerate().flat_map(|(at, &size)| frame(u8::from(at < last), &body(size))).collect();
        let messages = hear(&config(SocketType::Pull), &after_ready("PUSH", &octets.repeat(2))).messages();
        assert_eq!(messages, [message.clone(), message.clone()]);

        let mut connection = ready_connection(&config(SocketType::Push), "PULL");
        connection.give(message.clone().into());
        connection.give(message.into());
        assert_eq!(drain(&mut connection), octets.repeat(2));
    }
}

#[test]
fn the_long_form_of_a_short_body_is_understood() {
    let octets = after_ready("PUSH", b"\x03\0\0\0\0\0\0\0\x01a\x02\0\0\0\0\0\0\0\0");
    assert_eq!(hear(&config(SocketType::Pull), &octets).messages(), [Message::from(["a", ""])]);
}

fn limited(octets: usize, frames: usize) -> ConnectionConfig {
    ConnectionConfig { max_message_size: octets, max_frames: frames, ..config(SocketType::Pull) }
}

#[test]
fn a_message_too_large_is_refused_when_its_head_is_here() {
    let config = limited(300, 10);
    assert_eq!(hear(&config, &after_ready("PUSH", &frame(0, &body(300)))).messages().len(), 1);
    let head = b"\x02\0\0\0\0\0\0\x01\x2d";
    let error = hear(&config, &after_ready("PUSH", head)).error();
    assert_eq!(error, ConnectionError::TooLarge { size: 301, limit: 300 });
    assert_eq!(hear(&config, &after_ready("PUSH", &head[..8])).error, None);

    let huge = hear(&limited(usize::MAX, 10), &after_ready("PUSH", b"\x02\x80\0\0\0\0\0\0\0")).error();
    assert_eq!(huge, ConnectionError::Malformed(DecodeError::Size));
}

#[test]
fn the_limit_counts_all_frames_of_a_message() {
    let config = limited(10, 10);
    let fits = [frame(1, b"1234567"), frame(0, b"890")].concat().repeat(3);
    assert_eq!(hear(&config, &after_ready("PUSH", &fits)).messages().len(), 3);
    let error = hear(&config, &after_ready("PUSH", &[frame(1, b"1234567"), frame(0, b"8901")].concat())).error();
    assert_eq!(error, ConnectionError::TooLarge { size: 11, limit: 10 });
    let wraps = [&frame(1, b"1")[..], b"\x02\x7f\xff\xff\xff\xff\xff\xff\xff"].concat();
    let error = hear(&limited(usize::MAX, 10), &after_ready("PUSH", &[&frame(1, b"1")[..], b"\x80"].concat())).error();
    assert_eq!(error, ConnectionError::Malformed(DecodeError::Flags(0x80)));
    assert!(matches!(hear(&config, &after_ready("PUSH", &wraps)).error(), ConnectionError::TooLarge { .. }));
}

#[test]
fn the_number_of_frames_is_limited() {
    let frames =
        |count: usize| after_ready("PUSH", &[frame(1, b"").repeat(count - 1), frame(0, b"")].concat().repeat(2));
    assert_eq!(hear(&limited(100, 3), &frames(3)).messages().len(), 2);
    assert_eq!(hear(&limited(100, 3), &frames(4)).error(), ConnectionError::TooManyFrames { limit: 3 });
    assert_eq!(hear(&limited(100, 1), &frames(1)).messages().len(), 2);
}

#[test]
fn commands_have_a_limit_of_their_own() {
    let config = limited(10, 1);
    let largest = command("OTHER", &body((128 << 10) - 6));
    assert_eq!(hear(&config, &after_ready("PUSH", &largest)).error, None);
    let error = hear(&config, &after_ready("PUSH", &command("OTHER", &body((128 << 10) - 5)))).error();
    assert!(matches!(error, ConnectionError::TooLarge { limit: 131_072, .. }));
    let before = [&greeting(3, 1)[..], b"\x06\0\0\0\0\0\x02\0\x01"].concat();
    assert!(matches!(hear(&config, &before).error(), ConnectionError::TooLarge { limit: 131_072, .. }));
}

#[test]
fn flags_outside_the_grammar_end_the_connection() {
    for flags in (0..=255_u8).filter(|flags| ![0, 1, 2, 3, 4, 6].contains(flags)) {
        let error = hear(&config(SocketType::Pull), &after_ready("PUSH", &[flags])).error();
        assert_eq!(error, ConnectionError::Malformed(DecodeError::Flags(flags)));
    }
}

#[test]
fn an_announcement_alone_gets_little_memory_and_the_rest_comes_as_octets_do() {
    const FIRST: usize = 16 << 10;
    let mut connection = ready_connection(&config(SocketType::Pull), "PUSH");
    say(&mut connection, b"\x02\0\0\0\0\x04\0\0\0"); // 64 MiB: just allowed
    let mut octets = 0;
    while octets < 4 << 20 {
        let space = connection.body_space().expect("a large body is read into place").len();
        assert!(octets + space <= (4 * octets).max(FIRST), "{space} octets of room after {octets} came");
        connection.body_space().unwrap().fill(7);
        connection.handle_filled(space, NOW).unwrap();
        octets += space;
    }
    assert_eq!(connection.take(), None);
}

#[test]
fn small_bodies_are_not_read_into_place_and_no_room_is_offered_elsewhere() {
    let mut connection = Connection::new(&Arc::new(config(SocketType::Pull)), &mut SystemEntropy, NOW);
    assert!(connection.body_space().is_none());
    say(&mut connection, &after_ready("PUSH", b""));
    assert!(connection.body_space().is_none());
    connection.handle_filled(5, NOW).unwrap();
    let octets = frame(0, &body(40_000));
    say(&mut connection, &octets[..9]);
    assert_eq!(connection.body_space().unwrap().len(), 16 << 10);
    say(&mut connection, &octets[9..4009]);
    assert_eq!(connection.body_space().unwrap().len(), (16 << 10) - 4000);
    say(&mut connection, &octets[4009..30_000]);
    assert!(connection.body_space().is_none());
    say(&mut connection, &octets[30_000..]);
    assert!(connection.body_space().is_none());
    assert_eq!(connection.take(), Some(Message::from(body(40_000)).into()));
}

#[test]
fn what_waits_to_be_taken_stops_the_reading_within_a_budget() {
    // Octets count, and so does what a message costs beside them.
    for (octets, most) in [(0, 64 << 10), (1000, 64), (70_000, 1)] {
        let mut connection = ready_connection(&config(SocketType::Pull), "PUSH");
        let mut count = 0;
        while connection.wants_input() {
            say(&mut connection, &frame(0, &body(octets)));
            count += 1;
        }
        assert!(count <= most && count > most / 200, "{count} of {octets} octets");
        for _ in 1..count {
            connection.take();
        }
        assert!(connection.take().is_some());
        assert!(connection.wants_input(), "nothing waits any more");
    }
}

#[test]
fn heartbeats_of_hours_are_no_reading_ahead() {
    let mut connection = ready_connection(&config(SocketType::Pull), "PUSH");
    for _ in 0..10_000 {
        say(&mut connection, &command("PING", b"\0\0"));
    }
    say(&mut connection, &frame(0, b"the first message"));
    assert!(connection.wants_input());
}

#[test]
fn a_connection_on_its_own_keeps_the_memory_of_large_bodies_until_it_shrinks() {
    let mut connection = ready_connection(&config(SocketType::Pull), "PUSH");
    for piece in frame(0, &body(200_000)).chunks(1000) {
        say(&mut connection, piece);
    }
    assert_eq!(connection.take(), Some(Message::from(body(200_000)).into()));
    assert!(connection.decoder.blocks.octets() >= 200_000);
    connection.shrink();
    assert_eq!(connection.decoder.blocks.octets(), 0);
}
