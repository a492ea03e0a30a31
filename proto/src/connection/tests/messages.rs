//! Tests of received messages of all sizes, and of the limits on message size, number of frames, and stored input.

use super::*;
use crate::wire::DecodeError;

const SIZES: [usize; 9] = [0, 1, 255, 256, 2047, 2048, 65_535, 65_536, 1 << 20];

#[test]
fn messages_of_each_size_are_received() {
    for size in SIZES {
        let bytes = after_ready("PUSH", &[frame(0, &body(size)), frame(0, b"next")].concat());
        let messages = feed(&config(SocketType::Pull), &bytes).messages();
        assert_eq!(messages, [Message::from(body(size)), Message::from("next")]);
    }
}

#[test]
fn messages_of_each_size_are_framed_as_by_libzmq() {
    for size in SIZES {
        let mut connection = ready_connection(&config(SocketType::Push), "PULL");
        connection.give(Message::from(body(size)).into());
        connection.give(Message::from("next").into());
        assert_eq!(drain(&mut connection), [frame(0, &body(size)), frame(0, b"next")].concat(), "size {size}");
    }
}

#[test]
fn frame_size_is_short_up_to_255_and_long_from_256() {
    let mut connection = ready_connection(&config(SocketType::Push), "PULL");
    connection.give(Message::from(body(255)).into());
    assert_eq!(drain(&mut connection)[..2], [0, 255]);
    connection.give(Message::from([body(256), body(0)]).into());
    let bytes = drain(&mut connection);
    assert_eq!(bytes[..9], [3, 0, 0, 0, 0, 0, 0, 1, 0]);
    assert_eq!(bytes[9 + 256..], [0, 0]);
}

#[test]
fn large_body_in_shared_input_is_not_copied() {
    let mut connection = ready_connection(&config(SocketType::Pull), "PUSH");
    let input = Bytes::from([frame(0, b"small"), frame(0, &body(10_000))].concat());
    connection.handle_shared_input(&input, NOW).unwrap();
    let received: Vec<_> = core::iter::from_fn(|| connection.take()).collect();
    assert_eq!(received, [Inbound::Message("small".into()), Inbound::Message(body(10_000).into())]);
    let [Inbound::Message(small), Inbound::Message(large)] = &received[..] else { panic!("{received:?}") };
    let in_input = |message: &Message| input.as_ptr_range().contains(&message.body().as_ptr());
    assert_eq!([small, large].map(in_input), [false, true]);
}

#[test]
fn multipart_messages_stay_together() {
    for frames in [vec![1, 2, 3], vec![0, 0, 0], vec![0, 300, 0, 70_000, 1], vec![5; 200]] {
        let message = Message::from_frames(frames.iter().map(|&size| body(size))).unwrap();
        let last = frames.len() - 1;
        let bytes: Vec<u8> =
            frames.iter().enumerate().flat_map(|(at, &size)| frame(u8::from(at < last), &body(size))).collect();
        let messages = feed(&config(SocketType::Pull), &after_ready("PUSH", &bytes.repeat(2))).messages();
        assert_eq!(messages, [message.clone(), message.clone()]);

        let mut connection = ready_connection(&config(SocketType::Push), "PULL");
        connection.give(message.clone().into());
        connection.give(message.into());
        assert_eq!(drain(&mut connection), bytes.repeat(2));
    }
}

#[test]
fn long_frame_form_of_short_body_is_accepted() {
    let bytes = after_ready("PUSH", b"\x03\0\0\0\0\0\0\0\x01a\x02\0\0\0\0\0\0\0\0");
    assert_eq!(feed(&config(SocketType::Pull), &bytes).messages(), [Message::from(["a", ""])]);
}

fn limited(bytes: usize, frames: usize) -> ConnectionConfig {
    ConnectionConfig { max_message_size: bytes, max_frames: frames, ..config(SocketType::Pull) }
}

#[test]
fn too_large_message_is_rejected_at_its_frame_head() {
    let config = limited(300, 10);
    assert_eq!(feed(&config, &after_ready("PUSH", &frame(0, &body(300)))).messages().len(), 1);
    let head = b"\x02\0\0\0\0\0\0\x01\x2d";
    let error = feed(&config, &after_ready("PUSH", head)).error();
    assert_eq!(error, ConnectionError::TooLarge { size: 301, limit: 300 });
    assert_eq!(feed(&config, &after_ready("PUSH", &head[..8])).error, None);

    let huge = feed(&limited(usize::MAX, 10), &after_ready("PUSH", b"\x02\x80\0\0\0\0\0\0\0")).error();
    assert_eq!(huge, ConnectionError::Malformed(DecodeError::Size));
}

#[test]
fn size_limit_counts_all_frames_of_a_message() {
    let config = limited(10, 10);
    let fits = [frame(1, b"1234567"), frame(0, b"890")].concat().repeat(3);
    assert_eq!(feed(&config, &after_ready("PUSH", &fits)).messages().len(), 3);
    let error = feed(&config, &after_ready("PUSH", &[frame(1, b"1234567"), frame(0, b"8901")].concat())).error();
    assert_eq!(error, ConnectionError::TooLarge { size: 11, limit: 10 });
    let wraps = [&frame(1, b"1")[..], b"\x02\x7f\xff\xff\xff\xff\xff\xff\xff"].concat();
    let error = feed(&limited(usize::MAX, 10), &after_ready("PUSH", &[&frame(1, b"1")[..], b"\x80"].concat())).error();
    assert_eq!(error, ConnectionError::Malformed(DecodeError::Flags(0x80)));
    assert!(matches!(feed(&config, &after_ready("PUSH", &wraps)).error(), ConnectionError::TooLarge { .. }));
}

#[test]
fn number_of_frames_is_limited() {
    let frames =
        |count: usize| after_ready("PUSH", &[frame(1, b"").repeat(count - 1), frame(0, b"")].concat().repeat(2));
    assert_eq!(feed(&limited(100, 3), &frames(3)).messages().len(), 2);
    assert_eq!(feed(&limited(100, 3), &frames(4)).error(), ConnectionError::TooManyFrames { limit: 3 });
    assert_eq!(feed(&limited(100, 1), &frames(1)).messages().len(), 2);
}

#[test]
fn commands_have_their_own_size_limit() {
    let config = limited(10, 1);
    let largest = command("OTHER", &body((128 << 10) - 6));
    assert_eq!(feed(&config, &after_ready("PUSH", &largest)).error, None);
    let error = feed(&config, &after_ready("PUSH", &command("OTHER", &body((128 << 10) - 5)))).error();
    assert!(matches!(error, ConnectionError::TooLarge { limit: 131_072, .. }));
    let before = [&greeting(3, 1)[..], b"\x06\0\0\0\0\0\x02\0\x01"].concat();
    assert!(matches!(feed(&config, &before).error(), ConnectionError::TooLarge { limit: 131_072, .. }));
}

#[test]
fn invalid_flags_end_the_connection() {
    for flags in (0..=255_u8).filter(|flags| ![0, 1, 2, 3, 4, 6].contains(flags)) {
        let error = feed(&config(SocketType::Pull), &after_ready("PUSH", &[flags])).error();
        assert_eq!(error, ConnectionError::Malformed(DecodeError::Flags(flags)));
    }
}

#[test]
fn body_memory_grows_with_received_bytes() {
    const FIRST: usize = 16 << 10;
    let mut connection = ready_connection(&config(SocketType::Pull), "PUSH");
    deliver(&mut connection, b"\x02\0\0\0\0\x04\0\0\0"); // 64 MiB: exactly the limit
    let mut bytes = 0;
    while bytes < 4 << 20 {
        let space = connection.body_space().expect("a large body has a buffer").len();
        assert!(bytes + space <= (4 * bytes).max(FIRST), "{space} bytes of space after {bytes} received bytes");
        connection.body_space().unwrap().fill(7);
        connection.handle_filled(space, NOW).unwrap();
        bytes += space;
    }
    assert_eq!(connection.take(), None);
}

#[test]
fn body_space_is_offered_for_large_bodies_only() {
    let mut connection = Connection::new(&Arc::new(config(SocketType::Pull)), &mut SystemEntropy, NOW);
    assert!(connection.body_space().is_none());
    deliver(&mut connection, &after_ready("PUSH", b""));
    assert!(connection.body_space().is_none());
    connection.handle_filled(5, NOW).unwrap();
    let bytes = frame(0, &body(40_000));
    deliver(&mut connection, &bytes[..9]);
    assert_eq!(connection.body_space().unwrap().len(), 16 << 10);
    deliver(&mut connection, &bytes[9..4009]);
    assert_eq!(connection.body_space().unwrap().len(), (16 << 10) - 4000);
    deliver(&mut connection, &bytes[4009..30_000]);
    assert!(connection.body_space().is_none());
    deliver(&mut connection, &bytes[30_000..]);
    assert!(connection.body_space().is_none());
    assert_eq!(connection.take(), Some(Message::from(body(40_000)).into()));
}

#[test]
fn queued_input_stops_reading_at_the_limit() {
    // The limit counts bytes, and a fixed overhead for each message.
    for (bytes, most) in [(0, 64 << 10), (1000, 64), (70_000, 1)] {
        let mut connection = ready_connection(&config(SocketType::Pull), "PUSH");
        let mut count = 0;
        while connection.wants_input() {
            deliver(&mut connection, &frame(0, &body(bytes)));
            count += 1;
        }
        assert!(count <= most && count > most / 200, "{count} messages of {bytes} bytes");
        for _ in 1..count {
            connection.take();
        }
        assert!(connection.take().is_some());
        assert!(connection.wants_input(), "the inbox is empty");
    }
}

#[test]
fn many_heartbeats_do_not_count_as_read_ahead() {
    let mut connection = ready_connection(&config(SocketType::Pull), "PUSH");
    for _ in 0..10_000 {
        deliver(&mut connection, &command("PING", b"\0\0"));
    }
    deliver(&mut connection, &frame(0, b"the first message"));
    assert!(connection.wants_input());
}

#[test]
fn connection_keeps_body_memory_until_shrink() {
    let mut connection = ready_connection(&config(SocketType::Pull), "PUSH");
    for piece in frame(0, &body(200_000)).chunks(1000) {
        deliver(&mut connection, piece);
    }
    assert_eq!(connection.take(), Some(Message::from(body(200_000)).into()));
    assert!(connection.decoder.blocks.kept_bytes() >= 200_000);
    connection.shrink();
    assert_eq!(connection.decoder.blocks.kept_bytes(), 0);
}
