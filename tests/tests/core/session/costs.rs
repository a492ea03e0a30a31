//! Limits on system calls for small messages, on copies of large messages, and on bytes read per turn.

use super::{Seat, Tape, pull_session};
use sansmq_proto::connection::Link;
use sansmq_proto::kind::Push;
use sansmq_proto::{Instant, Message, Options, SessionBuffers, Turn};
use sansmq_tests::raw_peer::{command, frame, greeting, opening, property, ready};

#[test]
fn small_messages_are_batched_and_large_bodies_not_copied() {
    let mut tape = Tape::default();
    let mut seat = Seat::new(Options::<Push>::new(), "PULL", &mut tape);
    tape.writes = 0;
    for _ in 0..1000 {
        seat.socket.send(vec![7; 64]).unwrap();
    }
    seat.settle(&mut tape);
    let large = Message::from(vec![7; 4096]);
    let address = large.body().as_ptr().addr();
    seat.socket.send(large).unwrap();
    seat.settle(&mut tape);
    assert_eq!(tape.output.len(), 1000 * 66 + 4096 + 9);
    assert!(tape.writes <= 3, "{} write calls", tape.writes);
    assert!(tape.written_from.contains(&address), "the large body was copied");
}

/// Commands are not queued for the application, so no high-water mark limits them. Small reads limit them instead.
#[test]
fn command_flood_is_read_in_small_chunks() {
    let (mut session, mut buffers) = (pull_session(&Options::new()), SessionBuffers::new());
    let mut tape = Tape::default();
    let mut consume = |tape: &mut Tape| {
        let before = tape.input.len();
        let turn = session.turn(tape, &mut buffers, Instant::ORIGIN, |link| {
            while link.take().is_some() {}
            Ok(())
        });
        (before - tape.input.len(), turn == Ok(Turn::Again))
    };
    tape.input.extend(opening("PUSH"));
    consume(&mut tape);
    tape.input.extend(command("PING", b"\0\0").repeat(20_000));
    let (first, runs_again) = consume(&mut tape);
    assert!(first <= 32 << 10 && runs_again, "{first}");
    for _ in 0..20 {
        assert_eq!(consume(&mut tape), (2 << 10, true));
    }
    tape.input.clear();
    tape.input.extend(frame(0, b"hello").repeat(100_000));
    let chunks: Vec<_> = (0..4).map(|_| consume(&mut tape).0).collect();
    assert!(chunks.is_sorted() && chunks[3] == 4 * (32 << 10), "{chunks:?}");
}

/// The limit also applies to a READY with large metadata, so that a handshake does not delay other connections.
#[test]
fn handshake_is_read_in_small_chunks() {
    let (mut session, mut buffers) = (pull_session(&Options::new()), SessionBuffers::new());
    let mut tape = Tape::default();
    tape.input.extend(greeting("NULL"));
    tape.input.extend(ready("PUSH", &property("X-Long", &vec![b'x'; 100_000])));
    let mut turn = |tape: &mut Tape| session.turn(tape, &mut buffers, Instant::ORIGIN, |_| Ok(()));
    while tape.input.len() > 2 << 10 {
        let before = tape.input.len();
        assert_eq!(turn(&mut tape), Ok(Turn::Again));
        // A read may be shorter at the end of a memory grant.
        assert!(before - tape.input.len() <= 2 << 10);
    }
    while turn(&mut tape) == Ok(Turn::Again) {}
    assert!(session.connection().peer().is_some());
}
