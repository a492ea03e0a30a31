//! Those who come and do not get as far as a message, or do not mean to.

use sansmq::proto::connection::{Fault, Timeout};
use sansmq::proto::socket::Refusal;
use sansmq::proto::wire::DecodeError;
use sansmq::{ConnectionError, Options};
use sansmq_tests::harness::{Observed, Target, connect_all, on_each_runtime};
use sansmq_tests::memory::Memory;
use sansmq_tests::raw_peer::{
    COMMAND, LONG, come, command, frame, greeting, head, opening, property, ready, say, vanish,
};
use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

/// What comes after a greeting, behind one.
fn greeted(octets: &[u8]) -> Vec<u8> {
    [&greeting("NULL"), octets].concat()
}

#[test]
fn a_handshake_of_one_octet_at_a_time_ends_when_its_time_is_over() {
    const SLOW: usize = 200;
    on_each_runtime(async |handle| {
        let mut target = Target::new(handle, Options::new().handshake_timeout(Duration::from_secs(1))).await;
        let streams = target.serve_during(|at| {
            let mut streams = connect_all(at, SLOW, b"");
            // Its greeting's last octet would never come.
            for octet in &greeting("NULL")[..63] {
                for stream in &mut streams {
                    let _ = stream.write_all(&[*octet]);
                }
                thread::sleep(Duration::from_millis(20));
            }
            streams
        });
        let streams = streams.await;
        target.expect_ends(SLOW, |end| *end == ConnectionError::TimedOut(Timeout::Handshake)).await;
        assert_eq!(target.hostile_peers(), 0);
        target.baseline.grew_less_than(SLOW * (16 << 10));
        drop(streams);
        target.finish().await;
    });
}

#[test]
fn of_thousands_who_come_and_say_nothing_few_stay_and_honest_peers_come_in() {
    const SILENT: usize = 2000;
    const ALLOWED: usize = 100;
    on_each_runtime(async |handle| {
        let mut target = Target::new(handle, Options::new().max_handshakes(2 * ALLOWED, ALLOWED).unwrap()).await;
        target.hold_open(SILENT, vec![]).await;
        target.serve_new_client(handle, Options::new()).await;
        let (stats, observed) = (target.router.stats(), &target.observed);
        assert!(target.hostile_peers() <= ALLOWED as u64 + 1, "{stats:?}");
        assert!(observed.refusals.iter().all(|why| *why == Refusal::HandshakesOfAddress));
        assert!(
            observed.ends.iter().all(|why| matches!(why, ConnectionError::HandshakeEvicted | ConnectionError::Eof))
        );
        let told = |observed: &Observed| observed.refusals.len() + observed.ends.len() + observed.missed;
        let all = target.serve_until(|observed| told(observed) + ALLOWED >= SILENT).await;
        assert!(!all.refusals.is_empty());
        target.baseline.grew_less_than(1 << 20);
        // Those turned away are hung up on at once.
        target.finish().await;
    });
}

#[test]
fn who_says_no_more_than_how_much_will_come_is_given_no_more_than_that() {
    const MANY: usize = 500;
    on_each_runtime(async |handle| {
        let mut target = Target::new(handle, Options::new()).await;
        target.hold_open(MANY, greeted(&head(COMMAND, 128 << 10))).await;
        while target.hostile_peers() < MANY as u64 {
            target.serve_during(|_| ()).await;
        }
        // What was announced would be 64 MiB.
        target.baseline.grew_less_than(16 << 20);
        target.finish().await;
    });
}

/// A DEALER's greeting, and its READY with these properties.
fn with(more: &[u8]) -> Vec<u8> {
    greeted(&ready("DEALER", more))
}

/// So many properties, with values so long.
fn many(count: usize, len: usize) -> Vec<u8> {
    (0..count).flat_map(|number| property(&format!("X-{number:0251}"), &vec![b'x'; len])).collect()
}

/// As much as is allowed, the socket type being a property too.
fn bomb_that_fits() -> Vec<u8> {
    with(&many(127, 700))
}

fn bombs() -> [(Vec<u8>, ConnectionError); 6] {
    let huge = b"\x03X-1\xff\xff\xff\xffx";
    let twice = [property("Identity", b"a"), property("identity", b"b")].concat();
    let named = property("Identity", &[b'a'; 256]);
    // As long as a command may be, beside its name and the socket type.
    let room = (128 << 10) - 6 - property("Socket-Type", b"DEALER").len();
    let malformed = ConnectionError::Malformed;
    let too_large = ConnectionError::TooLarge { size: (128 << 10) + 1, limit: 128 << 10 };
    [
        (with(&many(128, 0)), malformed(DecodeError::Property)),
        (with(&many(16_000, 0)[..room]), malformed(DecodeError::Property)),
        (with(huge), malformed(DecodeError::Property)),
        (with(&twice), malformed(DecodeError::DuplicateProperty)),
        (with(&named), malformed(DecodeError::RoutingId)),
        (greeted(&head(COMMAND, (128 << 10) + 1)), too_large),
    ]
}

#[test]
fn a_ready_that_is_a_bomb_ends_the_connection_or_is_kept_within_its_limit() {
    const EACH: usize = 20;
    const CROWD: usize = 200;
    /// A thread keeps up to 4 MiB to read the next large bodies into.
    const KEPT: usize = 4 * (4 << 20);
    on_each_runtime(async |handle| {
        let (bombs, fits) = (bombs(), bomb_that_fits());
        let mut target = Target::new(handle, Options::new()).await;
        for (bomb, reason) in bombs {
            target.expect_rejected(EACH, bomb, |end| *end == reason).await;
        }
        let (size, baseline) = (fits.len(), Memory::now());
        target.hold_open(CROWD, fits).await;
        while target.router.stats().ready_peers < CROWD + 1 {
            target.serve_during(|_| ()).await;
        }
        // It is kept once, and read into memory that is used again.
        baseline.grew_less_than(CROWD * (size + size / 8) + KEPT);
        target.finish().await;
    });
}

#[test]
fn the_first_words_of_a_handshake_that_are_none_end_it() {
    on_each_runtime(async |handle| {
        let mut target = Target::new(handle, Options::new()).await;
        for words in [
            greeted(&command("ERROR", b"\x03400")),
            greeted(&command("ERROR", b"\xff400")),
            greeted(&command("UNHEARD-OF", &[0; 1000])),
            greeted(&frame(0, b"a message")),
            greeted(&head(COMMAND, u64::MAX)),
            greeted(&head(COMMAND, 1 << 31)),
            greeted(&[COMMAND | LONG | 0x80]),
            vec![b'x'; 64],
        ] {
            target.expect_rejected(1, words, |end| end.fault() == Fault::Peer).await;
        }
        target.finish().await;
    });
}

#[test]
fn a_thousand_who_come_and_go_leave_nothing_behind_however_they_go() {
    const EACH: usize = 250;
    on_each_runtime(async |handle| {
        let mut target = Target::new(handle, Options::new()).await;
        let whole = [opening("DEALER"), frame(0, b"hello")].concat();
        target.serve_during(|at| (0..EACH).for_each(|_| drop(come(at).unwrap()))).await;
        target.serve_during(|at| (0..EACH).for_each(|_| vanish(come(at).unwrap()).unwrap())).await;
        let said = whole.clone();
        target.serve_during(move |at| (0..EACH).for_each(|_| vanish(say(at, &said).unwrap()).unwrap())).await;
        target
            .serve_during(move |at| {
                for _ in 0..EACH {
                    let mut stream = say(at, &whole).unwrap();
                    stream.read_exact(&mut [0; 64]).unwrap();
                }
            })
            .await;
        target.serve_new_client(handle, Options::new()).await;
        target.serve_until(|observed| observed.ends.len() >= EACH).await;
        target.baseline.grew_less_than(2 << 20);
        target.finish().await;
    });
}
