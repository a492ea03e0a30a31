//! Calls of the system are what small messages cost most, and copies what large ones do; and commands cost others' turns.

use super::{Seat, Tape, pull_session};
use sansmq_proto::connection::Link;
use sansmq_proto::kind::Push;
use sansmq_proto::{Instant, Message, Options, SessionBuffers, Turn};
use sansmq_tests::raw_peer::{command, frame, greeting, opening, property, ready};

#[test]
fn a_thousand_small_messages_are_written_by_few_calls_and_a_large_one_is_not_copied() {
    let mut tape = Tape::default();
    let mut seat = Seat::new(Options::<Push>::new(), "PULL", &mut tape);
    tape.writes = 0;
    for _ in 0..1000 {
        seat.socket.send(vec![7; 64]).unwrap();
    }
    seat.settle(&mut tape);
    let large = Message::from(vec![7; 4096]);
    let place = large.body().as_ptr().addr();
    seat.socket.send(large).unwrap();
    seat.settle(&mut tape);
    assert_eq!(tape.output.len(), 1000 * 66 + 4096 + 9);
    assert!(tape.writes <= 3, "{} calls", tape.writes);
    assert!(tape.written_from.contains(&place), "it was copied");
}

/// Commands wait for no application, so nothing else keeps a flood of them from taking the others' turns.
#[test]
fn a_flood_of_commands_is_read_in_small_bites_until_there_are_fewer_of_them() {
    let (mut session, mut buffers) = (pull_session(&Options::new()), SessionBuffers::new());
    let mut tape = Tape::default();
    let mut eaten = |tape: &mut Tape| {
        let before = tape.input.len();
        let again = session.turn(tape, &mut buffers, Instant::ORIGIN, |link| {
            while link.take().is_some() {}
            Ok(())
        });
        (before - tape.input.len(), again == Ok(Turn::Again))
    };
    tape.input.extend(opening("PUSH"));
    eaten(&mut tape);
    tape.input.extend(command("PING", b"\0\0").repeat(20_000));
    let (first, again) = eaten(&mut tape);
    assert!(first <= 32 << 10 && again, "{first}");
    for _ in 0..20 {
        assert_eq!(eaten(&mut tape), (2 << 10, true));
    }
    tape.input.clear();
    tape.input.extend(frame(0, b"hello").repeat(100_000));
    let bites: Vec<_> = (0..4).map(|_| eaten(&mut tape).0).collect();
    assert!(bites.is_sorted() && bites[3] == 4 * (32 << 10), "{bites:?}");
}

/// However much it has to say of itself: others are waited for, and most who come say little.
#[test]
fn who_has_not_said_yet_who_it_is_is_read_in_small_bites() {
    let (mut session, mut buffers) = (pull_session(&Options::new()), SessionBuffers::new());
    let mut tape = Tape::default();
    tape.input.extend(greeting("NULL"));
    tape.input.extend(ready("PUSH", &property("X-Long", &vec![b'x'; 100_000])));
    let mut turn = |tape: &mut Tape| session.turn(tape, &mut buffers, Instant::ORIGIN, |_| Ok(()));
    while tape.input.len() > 2 << 10 {
        let before = tape.input.len();
        assert_eq!(turn(&mut tape), Ok(Turn::Again));
        // Less where a grant of memory ends.
        assert!(before - tape.input.len() <= 2 << 10);
    }
    while turn(&mut tape) == Ok(Turn::Again) {}
    assert!(session.connection().peer().is_some());
}
