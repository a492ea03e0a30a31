//! Large bodies stay in the blocks they are read into, and those are read into again.

use super::{Seat, Tape, filled, pull_session};
use sansmq_proto::connection::{Inbound, Link};
use sansmq_proto::kind::Pull;
use sansmq_proto::{Connection, Instant, Options, SessionBuffers};
use sansmq_tests::raw_peer::opening;
use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;

#[test]
fn what_an_application_holds_is_not_written_over() {
    let mut tape = Tape::default();
    let mut seat = Seat::new(Options::<Pull>::new(), "PUSH", &mut tape);
    let sizes = [1024, 3000, 16_000, 20_000, 33_000, 70_000, 300_000, 1_000_000, 1 << 10, 40_000];
    let mut held = VecDeque::new();
    for round in 0..200_u8 {
        let size = sizes[usize::from(round) % sizes.len()] + usize::from(round);
        for _ in 0..3 {
            tape.input.extend(filled(round, size));
        }
        seat.settle(&mut tape);
        for _ in 0..3 {
            held.push_back((round, size, seat.socket.recv().unwrap()));
        }
        // Some are held for long, and some are not.
        while held.len() > usize::from(round % 7) {
            let (octet, size, message) = held.pop_front().unwrap();
            assert_eq!(message.size(), size);
            assert!(message.body().iter().all(|&it| it == octet), "of round {octet}");
        }
    }
}

/// A block that has come back is taken again, for another body too.
#[test]
fn the_memory_of_large_bodies_is_used_again() {
    let mut tape = Tape::default();
    let mut seat = Seat::new(Options::<Pull>::new(), "PUSH", &mut tape);
    for (most, size) in [(2, 4000), (1, 200_000), (1, 150_000)] {
        let mut places = BTreeSet::new();
        for octet in 0..20 {
            tape.input.extend(filled(octet, size));
            seat.settle(&mut tape);
            places.insert(seat.socket.recv().unwrap().body().as_ptr().addr());
        }
        assert!(places.len() <= most, "{size} octets have been in {} places", places.len());
    }
}

/// Who allows small messages only, or few, counts on a queue of them being small.
#[test]
fn small_messages_do_not_keep_large_blocks() {
    for (limit, together, shares) in [(1 << 20, 6, true), (1 << 20, 2, false), (2048, 6, false)] {
        let mut session = pull_session(&Options::new().max_message_size(limit));
        let mut tape = Tape::default();
        let mut buffers = SessionBuffers::new();
        let mut received = Vec::new();
        for octets in [opening("PUSH"), filled(7, 1500).repeat(together)] {
            tape.input.extend(octets);
            let exchange = |link: &mut Connection| {
                while let Some(Inbound::Message(message)) = link.take() {
                    received.push(message);
                }
                Ok(())
            };
            let _ = session.turn(&mut tape, &mut buffers, Instant::ORIGIN, exchange).unwrap();
        }
        let places = received.iter().map(|message| message.body().as_ptr().addr()).collect::<Vec<_>>();
        assert_eq!(places[1].wrapping_sub(places[0]) == 1500 + 9, shares, "{together} of up to {limit} octets");
    }
}

/// Memory is granted as octets come, so the first of them have to move when there are more.
#[test]
fn most_octets_of_a_large_message_stay_where_they_were_read() {
    for piece in [4 << 10, 64 << 10, 1 << 20] {
        for size in [400_000, 4_000_000] {
            let mut tape = Tape { piece: Some(piece), ..Tape::default() };
            let mut seat = Seat::new(Options::<Pull>::new(), "PUSH", &mut tape);
            for round in 0..3 {
                tape.input.extend(filled(7, size));
                tape.read_to.clear();
                let body = loop {
                    let _ = seat.turn(&mut tape).unwrap();
                    if let Ok(message) = seat.socket.recv() {
                        break message;
                    }
                };
                let body = body.body().as_ptr_range();
                let body = body.start.addr()..body.end.addr();
                let overlap =
                    |place: &Range<usize>| place.end.min(body.end).saturating_sub(place.start.max(body.start));
                let stayed: usize = tape.read_to.iter().map(overlap).sum();
                // From the second on there is a block that is large enough already.
                let least = if round == 0 { size / 4 } else { size / 4 * 3 };
                assert!(stayed >= least, "{stayed} of {size} in pieces of {piece}, round {round}");
            }
        }
    }
}
