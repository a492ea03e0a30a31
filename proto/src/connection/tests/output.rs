//! What is written, in partial writes of every size; what is left when a connection ends.

use super::*;

/// Messages of small and large frames, and what they are on the wire.
fn traffic() -> (Vec<Message>, Vec<u8>) {
    let frames: [&[usize]; 6] = [&[5], &[0], &[3000], &[1, 2048, 0, 5000], &[2047, 10], &[4000, 4000]];
    let messages = frames.iter().map(|sizes| Message::from_frames(sizes.iter().map(|&size| body(size))).unwrap());
    let mut octets = Vec::new();
    for sizes in frames {
        for (at, &size) in sizes.iter().enumerate() {
            octets.extend_from_slice(&frame(u8::from(at + 1 < sizes.len()), &body(size)));
        }
    }
    (messages.collect(), octets)
}

fn loaded(messages: &[Message]) -> Connection {
    let mut connection = ready_connection(&config(SocketType::Push), "PULL");
    for message in messages {
        connection.give(message.clone().into());
    }
    connection
}

#[test]
fn partial_writes_of_every_size_add_up_to_the_same_octets() {
    let (messages, octets) = traffic();
    for step in (1..100).chain([2047, 2048, 2049, 4096, 10_000, usize::MAX]) {
        for slots in [1, 2, 3, 64] {
            let mut connection = loaded(&messages);
            let mut written = Vec::new();
            while let Some(out) = connection.poll_transmit() {
                let mut slices = vec![&[][..]; slots];
                let count = out.chunks(&mut slices);
                assert_eq!(out.chunks_vectored(&mut vec![std::io::IoSlice::new(&[]); slots]), count);
                assert!(count > 0);
                assert!(slices[..count].iter().all(|slice| !slice.is_empty()), "no slice is wasted");
                let lent: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.iter().copied()).take(step).collect();
                assert_eq!(out.chunk()[..1], lent[..1]);
                written.extend_from_slice(&lent);
                out.advance(lent.len());
            }
            assert!(written == octets, "writes of {step} octets, {slots} slices");
        }
    }
}

#[test]
fn a_message_counts_as_unsent_until_its_last_octet_is_written() {
    let (messages, octets) = traffic();
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
    for written in 1..=octets.len() {
        connection.poll_transmit().expect("there is more").advance(1);
        ends.retain(|&end| end > written);
        assert_eq!(connection.unsent(), ends.len(), "after {written} octets");
    }
    assert!(connection.poll_transmit().is_none());
}

#[test]
fn what_no_batch_has_taken_up_is_given_back_in_order() {
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
    assert_eq!(connection.unsent(), 1, "one message was cut in the middle");
}

#[test]
fn what_is_encoded_but_not_begun_is_given_back_too() {
    let (messages, octets) = traffic();
    for written in 0..octets.len() {
        let mut connection = loaded(&[]);
        // A PONG ahead of the batch and a PING behind it are nobody's messages.
        let ahead = command("PONG", b"context").len();
        say(&mut connection, &command("PING", b"\0\0context"));
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
        assert!(cut <= 1, "at most one message is cut in the middle");
        assert!(connection.reclaim() == unbegun, "{written} octets are written");
        assert_eq!(connection.unsent(), cut);
    }
}

#[test]
fn messages_are_encoded_where_they_stand_as_long_as_nothing_is_before_them() {
    let (messages, octets) = traffic();
    let mut connection = loaded(&[]);
    assert_eq!(connection.copy(messages[..1].iter()), 1);
    assert_eq!(connection.copy(messages[1..].iter()), messages.len() - 1);
    assert_eq!(connection.unsent(), messages.len());
    assert_eq!(drain(&mut connection), octets);

    connection.copy(messages.iter());
    connection.poll_transmit().expect("there is a batch").advance(1);
    assert_eq!(connection.copy(messages.iter()), 0, "the batch has begun to go out");
    assert_eq!(connection.reclaim(), messages[1..]);

    let mut connection = loaded(&messages);
    assert_eq!(connection.copy(messages.iter()), 0, "others wait already");
    drain(&mut connection);
    connection.copy(messages.iter());
    connection.outbox.push_ping(0);
    assert_eq!(connection.copy(messages.iter()), 0, "between two messages of a batch there is nothing");
    drain(&mut connection);

    let short = vec![Message::from(""); 1000];
    assert_eq!(connection.copy(short.iter()), 512, "short messages are bounded in number");
    assert!(!connection.has_room());
    drain(&mut connection);
    let long = vec![Message::from(body(1000)); 1000];
    assert_eq!(connection.copy(long.iter()), 65, "and long ones in octets");
    assert!(!connection.has_room());
}

#[test]
fn before_the_handshake_is_done_nothing_is_encoded() {
    let mut connection = Connection::new(&config(SocketType::Push).into(), &mut SeededEntropy::new(1), NOW);
    assert_eq!(connection.copy([Message::from("early")].iter()), 0);
}

#[test]
fn a_peer_that_does_not_read_is_pinged_once() {
    let mut connection = loaded(&[]);
    for _ in 0..1000 {
        connection.outbox.push_ping(7);
    }
    assert_eq!(drain(&mut connection), command("PING", b"\0\x07"));
    connection.outbox.push_ping(7);
    assert_eq!(drain(&mut connection), command("PING", b"\0\x07"));
}

#[test]
fn a_link_has_room_for_about_one_batch() {
    let mut connection = ready_connection(&config(SocketType::Push), "PULL");
    let mut given = 0;
    while connection.has_room() {
        connection.give(Message::from("").into());
        given += 1;
    }
    assert_eq!(given, (64 << 10) / size_of::<Outbound>() + 1, "empty messages are bounded too");
    assert_eq!(drain(&mut connection), frame(0, b"").repeat(given));
    assert!(connection.has_room());
    connection.give(Message::from(body(64 << 10)).into());
    assert!(!connection.has_room());
    drain(&mut connection);
    assert!(connection.has_room());
}

#[test]
fn a_link_is_finished_when_all_that_was_given_is_written() {
    let mut connection = Connection::new(&Arc::new(config(SocketType::Push)), &mut SystemEntropy, NOW);
    connection.give(Message::from("last").into());
    assert!(!connection.is_finished());
    connection.finish();
    drain(&mut connection);
    assert!(!connection.is_finished(), "the handshake is not done");
    say(&mut connection, &after_ready("PULL", b""));
    assert!(!connection.is_finished());
    assert!(drain(&mut connection).ends_with(&frame(0, b"last")));
    assert!(connection.is_finished());
}

#[test]
fn two_connections_understand_each_other_in_pieces_of_every_size() {
    let (messages, _) = traffic();
    for seed in 0..100 {
        let mut dice = SeededEntropy::new(seed);
        let ends = [SocketType::Pair; 2].map(|ours| Connection::new(&Arc::new(config(ours)), &mut SystemEntropy, NOW));
        let [mut left, mut right] = ends;
        let mut got = [Vec::new(), Vec::new()];
        for message in &messages {
            left.give(message.clone().into());
            right.give(message.clone().into());
        }
        for _ in 0..100_000 {
            let (from, to) = if dice.below(2) == 0 { (&mut left, &mut right) } else { (&mut right, &mut left) };
            let Some(out) = from.poll_transmit() else {
                continue;
            };
            let count = out.remaining().min(usize::try_from(1 + dice.below(1 << (seed % 14))).unwrap());
            let octets = out.copy_to_bytes(count);
            to.handle_input(&octets, NOW).unwrap();
        }
        for (end, got) in [left, right].iter_mut().zip(&mut got) {
            got.extend(core::iter::from_fn(|| end.take()));
            let expected: Vec<Inbound> = messages.iter().cloned().map(Inbound::from).collect();
            assert!(*got == expected, "seed {seed}");
        }
    }
}

#[test]
fn a_connection_that_has_seen_a_burst_keeps_little_of_it() {
    let mut connection = ready_connection(&config(SocketType::Pair), "PAIR");
    say(&mut connection, &vec![0; 64 << 10]);
    for _ in 0..1000 {
        connection.give(Message::from("").into());
    }
    drain(&mut connection);
    while connection.take().is_some() {}
    assert!(connection.inbox.capacity() > 30_000);
    connection.shrink();
    assert!(connection.inbox.capacity() < 100, "{} places are kept", connection.inbox.capacity());
    assert!(connection.outbox.places() < 100, "{} places are kept", connection.outbox.places());
}
