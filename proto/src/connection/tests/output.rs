//! Tests of output that is written in parts of all sizes, and of unsent messages that are taken back after the end of a
//! connection.

use super::*;

/// Returns messages with small and large frames, and the bytes that a connection must send for them.
fn traffic() -> (Vec<Message>, Vec<u8>) {
    let frames: [&[usize]; 6] = [&[5], &[0], &[3000], &[1, 2048, 0, 5000], &[2047, 10], &[4000, 4000]];
    let messages = frames.iter().map(|sizes| Message::from_frames(sizes.iter().map(|&size| body(size))).unwrap());
    let mut bytes = Vec::new();
    for sizes in frames {
        for (at, &size) in sizes.iter().enumerate() {
            bytes.extend_from_slice(&frame(u8::from(at + 1 < sizes.len()), &body(size)));
        }
    }
    (messages.collect(), bytes)
}

/// Creates a connection that is ready to send, with these messages in its queue.
fn loaded(messages: &[Message]) -> Connection {
    let mut connection = ready_connection(&config(SocketType::Push), "PULL");
    for message in messages {
        connection.give(message.clone().into());
    }
    connection
}

#[test]
fn partial_writes_of_any_size_produce_same_bytes() {
    let (messages, bytes) = traffic();
    for step in (1..100).chain([2047, 2048, 2049, 4096, 10_000, usize::MAX]) {
        for slots in [1, 2, 3, 64] {
            let mut connection = loaded(&messages);
            let mut written = Vec::new();
            while let Some(out) = connection.poll_transmit() {
                let mut slices = vec![&[][..]; slots];
                let count = out.chunks(&mut slices);
                assert_eq!(out.chunks_vectored(&mut vec![std::io::IoSlice::new(&[]); slots]), count);
                assert!(count > 0);
                assert!(slices[..count].iter().all(|slice| !slice.is_empty()), "no slice is empty");
                let front: Vec<u8> =
                    slices[..count].iter().flat_map(|slice| slice.iter().copied()).take(step).collect();
                assert_eq!(out.chunk()[..1], front[..1]);
                written.extend_from_slice(&front);
                out.advance(front.len());
            }
            assert!(written == bytes, "writes of {step} bytes, {slots} slices");
        }
    }
}

#[test]
fn message_is_unsent_until_its_last_byte_is_written() {
    let (messages, bytes) = traffic();
    let mut ends: Vec<usize> = messages
        .iter()
        .scan(0, |end, message| {
            *end +=
                message.frames().iter().map(|part| part.len() + if part.len() > 255 { 9 } else { 2 }).sum::<usize>();
            Some(*end)
        })
        .collect();
    let mut connection = loaded(&messages);
    assert_eq!(connection.unsent(), messages.len());
    for written in 1..=bytes.len() {
        connection.poll_transmit().expect("there is more output").advance(1);
        ends.retain(|&end| end > written);
        assert_eq!(connection.unsent(), ends.len(), "after {written} bytes");
    }
    assert!(connection.poll_transmit().is_none());
}

#[test]
fn reclaim_returns_queued_messages_in_order() {
    let (messages, _) = traffic();
    let mut untouched = loaded(&messages);
    assert_eq!(untouched.reclaim(), messages);
    assert_eq!(untouched.unsent(), 0);
    assert!(untouched.has_room());

    let big = Message::from(body(300_000));
    let mut connection = loaded(&[big, "second".into(), "third".into()]);
    connection.give(Outbound::Subscription(Subscription::Subscribe("x".into())));
    connection.poll_transmit().expect("there is a batch").advance(1);
    assert_eq!(connection.unsent(), 3);
    assert_eq!(connection.reclaim(), ["second".into(), "third".into()]);
    assert_eq!(connection.unsent(), 1, "one message is partly written");
}

#[test]
fn reclaim_returns_encoded_messages_without_written_bytes() {
    let (messages, bytes) = traffic();
    for written in 0..bytes.len() {
        let mut connection = loaded(&[]);
        // A PONG before the batch and a PING after it must not be returned as messages.
        let ahead = command("PONG", b"context").len();
        deliver(&mut connection, &command("PING", b"\0\0context"));
        for message in &messages {
            connection.give(message.clone().into());
        }
        connection.poll_transmit().expect("there is a batch").advance(ahead + written);
        connection.outbox.push_ping(0);
        let mut end = 0;
        let unbegun = messages.iter().filter(|message| {
            let start = end;
            end += message.iter().map(|part| part.len() + if part.len() > 255 { 9 } else { 2 }).sum::<usize>();
            start >= written
        });
        let unbegun: Vec<_> = unbegun.cloned().collect();
        let cut = connection.unsent() - unbegun.len();
        assert!(cut <= 1, "at most one message is partly written");
        assert!(connection.reclaim() == unbegun, "after {written} bytes");
        assert_eq!(connection.unsent(), cut);
    }
}

#[test]
fn copy_encodes_only_without_earlier_pending_output() {
    let (messages, bytes) = traffic();
    let mut connection = loaded(&[]);
    assert_eq!(connection.copy(messages[..1].iter()), 1);
    assert_eq!(connection.copy(messages[1..].iter()), messages.len() - 1);
    assert_eq!(connection.unsent(), messages.len());
    assert_eq!(drain(&mut connection), bytes);

    connection.copy(messages.iter());
    connection.poll_transmit().expect("there is a batch").advance(1);
    assert_eq!(connection.copy(messages.iter()), 0, "the batch is partly written");
    assert_eq!(connection.reclaim(), messages[1..]);

    let mut connection = loaded(&messages);
    assert_eq!(connection.copy(messages.iter()), 0, "other messages are queued");
    drain(&mut connection);
    connection.copy(messages.iter());
    connection.outbox.push_ping(0);
    assert_eq!(connection.copy(messages.iter()), 0, "a command must not be between two messages of a batch");
    drain(&mut connection);

    let short = vec![Message::from(""); 1000];
    assert_eq!(connection.copy(short.iter()), 512, "the number of short messages is limited");
    assert!(!connection.has_room());
    drain(&mut connection);
    let long = vec![Message::from(body(1000)); 1000];
    assert_eq!(connection.copy(long.iter()), 65, "the bytes of long messages are limited");
    assert!(!connection.has_room());
}

#[test]
fn copy_encodes_nothing_before_handshake_is_done() {
    let mut connection = Connection::new(&config(SocketType::Push).into(), &mut SeededEntropy::new(1), NOW);
    assert_eq!(connection.copy([Message::from("early")].iter()), 0);
}

#[test]
fn peer_that_does_not_read_gets_one_ping() {
    let mut connection = loaded(&[]);
    for _ in 0..1000 {
        connection.outbox.push_ping(7);
    }
    assert_eq!(drain(&mut connection), command("PING", b"\0\x07"));
    connection.outbox.push_ping(7);
    assert_eq!(drain(&mut connection), command("PING", b"\0\x07"));
}

#[test]
fn link_has_room_for_about_one_batch() {
    let mut connection = ready_connection(&config(SocketType::Push), "PULL");
    let mut given = 0;
    while connection.has_room() {
        connection.give(Message::from("").into());
        given += 1;
    }
    assert_eq!(given, (64 << 10) / size_of::<Outbound>() + 1, "empty messages count too");
    assert_eq!(drain(&mut connection), frame(0, b"").repeat(given));
    assert!(connection.has_room());
    connection.give(Message::from(body(64 << 10)).into());
    assert!(!connection.has_room());
    drain(&mut connection);
    assert!(connection.has_room());
}

#[test]
fn link_is_finished_after_all_items_are_written() {
    let mut connection = Connection::new(&Arc::new(config(SocketType::Push)), &mut SystemEntropy, NOW);
    connection.give(Message::from("last").into());
    assert!(!connection.is_finished());
    connection.finish();
    drain(&mut connection);
    assert!(!connection.is_finished(), "the handshake is not done");
    deliver(&mut connection, &after_ready("PULL", b""));
    assert!(!connection.is_finished());
    assert!(drain(&mut connection).ends_with(&frame(0, b"last")));
    assert!(connection.is_finished());
}

#[test]
fn connections_exchange_messages_in_pieces_of_any_size() {
    let (messages, _) = traffic();
    for seed in 0..100 {
        let mut entropy = SeededEntropy::new(seed);
        let ends = [SocketType::Pair; 2].map(|ours| Connection::new(&Arc::new(config(ours)), &mut SystemEntropy, NOW));
        let [mut left, mut right] = ends;
        let mut received = [Vec::new(), Vec::new()];
        for message in &messages {
            left.give(message.clone().into());
            right.give(message.clone().into());
        }
        for _ in 0..100_000 {
            let (from, to) = if entropy.below(2) == 0 { (&mut left, &mut right) } else { (&mut right, &mut left) };
            let Some(out) = from.poll_transmit() else {
                continue;
            };
            let count = out.remaining().min(usize::try_from(1 + entropy.below(1 << (seed % 14))).unwrap());
            let bytes = out.copy_to_bytes(count);
            to.handle_input(&bytes, NOW).unwrap();
        }
        for (end, received) in [left, right].iter_mut().zip(&mut received) {
            received.extend(core::iter::from_fn(|| end.take()));
            let expected: Vec<Inbound> = messages.iter().cloned().map(Inbound::from).collect();
            assert!(*received == expected, "seed {seed}");
        }
    }
}

#[test]
fn shrink_frees_memory_after_burst() {
    let mut connection = ready_connection(&config(SocketType::Pair), "PAIR");
    deliver(&mut connection, &vec![0; 64 << 10]);
    for _ in 0..1000 {
        connection.give(Message::from("").into());
    }
    drain(&mut connection);
    while connection.take().is_some() {}
    assert!(connection.inbox.messages.capacity() > 30_000);
    connection.shrink();
    assert!(connection.inbox.messages.capacity() < 100, "capacity of {}", connection.inbox.messages.capacity());
    assert!(connection.outbox.queue_capacity() < 100, "capacity of {}", connection.outbox.queue_capacity());
}
