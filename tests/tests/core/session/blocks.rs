//! Tests of the memory blocks that hold large message bodies: a body stays in the block that it was read into, and a
//! free block is used again.

use super::{SessionFixture, TestStream, filled, pull_session};
use sansmq_proto::connection::{Inbound, Link};
use sansmq_proto::kind::Pull;
use sansmq_proto::{Connection, Instant, Options, SessionBuffers};
use sansmq_tests::raw_peer::{frame, greeting_and_ready};
use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;

#[test]
fn held_bodies_are_not_overwritten() {
    let mut stream = TestStream::default();
    let mut seat = SessionFixture::new(Options::<Pull>::new(), "PUSH", &mut stream);
    let sizes = [1024, 3000, 16_000, 20_000, 33_000, 70_000, 300_000, 1_000_000, 1 << 10, 40_000];
    let mut held = VecDeque::new();
    for round in 0..200_u8 {
        let size = sizes[usize::from(round) % sizes.len()] + usize::from(round);
        for _ in 0..3 {
            stream.input.extend(filled(round, size));
        }
        seat.settle(&mut stream);
        for _ in 0..3 {
            held.push_back((round, size, seat.socket.recv().unwrap()));
        }
        // Holds a varying number of messages.
        while held.len() > usize::from(round % 7) {
            let (expected, size, message) = held.pop_front().unwrap();
            assert_eq!(message.size(), size);
            assert!(message.body().iter().all(|&byte| byte == expected), "body of round {expected} was overwritten");
        }
    }
}

/// A block that no body uses any more is used again, also for a body of another size.
#[test]
fn blocks_of_large_bodies_are_reused() {
    let mut stream = TestStream::default();
    let mut seat = SessionFixture::new(Options::<Pull>::new(), "PUSH", &mut stream);
    for (max_blocks, size) in [(2, 4000), (1, 200_000), (1, 150_000)] {
        let mut addresses = BTreeSet::new();
        for byte in 0..20 {
            stream.input.extend(filled(byte, size));
            seat.settle(&mut stream);
            addresses.insert(seat.socket.recv().unwrap().body().as_ptr().addr());
        }
        assert!(addresses.len() <= max_blocks, "bodies of {size} bytes used {} blocks", addresses.len());
    }
}

/// A body that shares a memory block with other bodies keeps the whole block alive. Bodies share a block only if they fill
/// most of the block and the size limit allows large messages.
#[test]
fn small_messages_do_not_keep_large_blocks() {
    let body = filled(7, 1500);
    let large = 1 << 20;
    for (limit, input, shared) in [
        (large, body.repeat(20), true),
        (large, body.repeat(10), false),
        (large, [body.repeat(10), filled(7, 50).repeat(300)].concat(), false),
        (2048, body.repeat(20), false),
    ] {
        let mut session = pull_session(&Options::new().max_message_size(limit));
        let mut stream = TestStream::default();
        let mut buffers = SessionBuffers::new();
        let mut received = Vec::new();
        // Earlier messages, so that the last read is large.
        for bytes in [greeting_and_ready("PUSH"), frame(0, b"").repeat(32 << 10), input] {
            received.clear();
            stream.input.extend(bytes);
            let mut exchange = |link: &mut Connection| {
                while let Some(Inbound::Message(message)) = link.take() {
                    received.push(message);
                }
                Ok(())
            };
            while !stream.input.is_empty() {
                let _ = session.turn(&mut stream, &mut buffers, Instant::ORIGIN, &mut exchange).unwrap();
            }
        }
        let addresses = received.iter().map(|message| message.body().as_ptr().addr()).collect::<Vec<_>>();
        assert_eq!(
            addresses[1].wrapping_sub(addresses[0]) == 1500 + 9,
            shared,
            "{} messages of at most {limit} bytes",
            received.len()
        );
    }
}

/// Memory for a body is allocated while its bytes arrive, so the first bytes of the body may be moved once.
#[test]
fn most_bytes_of_large_bodies_are_not_moved() {
    for piece in [4 << 10, 64 << 10, 1 << 20] {
        for size in [400_000, 4_000_000] {
            let mut stream = TestStream { piece: Some(piece), ..TestStream::default() };
            let mut seat = SessionFixture::new(Options::<Pull>::new(), "PUSH", &mut stream);
            for round in 0..3 {
                stream.input.extend(filled(7, size));
                stream.read_to.clear();
                let body = loop {
                    let _ = seat.turn(&mut stream).unwrap();
                    if let Ok(message) = seat.socket.recv() {
                        break message;
                    }
                };
                let body = body.body().as_ptr_range();
                let body = body.start.addr()..body.end.addr();
                let overlap =
                    |range: &Range<usize>| range.end.min(body.end).saturating_sub(range.start.max(body.start));
                let stayed: usize = stream.read_to.iter().map(overlap).sum();
                // From the second message on, a block of the full size is free.
                let minimum = if round == 0 { size / 4 } else { size / 4 * 3 };
                assert!(stayed >= minimum, "{stayed} of {size} bytes in pieces of {piece}, round {round}");
            }
        }
    }
}
