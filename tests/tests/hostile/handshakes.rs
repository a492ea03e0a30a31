//! Those who come and do not get as far as a message, or do not mean to.

use crate::memory::Memory;
use crate::siege::{Heard, Siege, besiege};
use sansmq::kind::{Dealer, Router};
use sansmq::proto::wire::DecodeError;
use sansmq::proto::{Refusal, Timer};
use sansmq::{ConnectionError, Options};
use sansmq_tests::stranger::{COMMAND, LONG, come, command, frame, greeting, head, opening, property, say, vanish};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

fn router() -> Options<Router> {
    Options::new()
}

/// So many come, and say this.
fn crowd(to: SocketAddr, count: usize, octets: &[u8]) -> Vec<TcpStream> {
    (0..count).map(|_| say(to, octets).unwrap()).collect()
}

#[test]
fn a_handshake_of_one_octet_at_a_time_ends_when_its_time_is_over() {
    const SLOW: usize = 200;
    besiege(|place| {
        Box::pin(async {
            let mut siege = Siege::lay(place, router().handshake_timeout(Duration::from_secs(1))).await;
            let streams = siege.bear(|at| {
                let mut streams = crowd(at, SLOW, b"");
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
            let ends = siege.ends(SLOW).await;
            assert!(ends.iter().all(|end| *end == ConnectionError::TimedOut(Timer::Handshake)), "{ends:?}");
            assert_eq!(siege.strangers(), 0);
            siege.peace.grew_less_than(SLOW * (16 << 10));
            drop(streams);
            siege.lift().await;
        })
    });
}

#[test]
fn of_thousands_who_come_and_say_nothing_few_stay_and_honest_peers_come_in() {
    const SILENT: usize = 2000;
    const ALLOWED: usize = 100;
    besiege(|place| {
        Box::pin(async {
            let mut siege = Siege::lay(place, router().max_handshakes(2 * ALLOWED, ALLOWED).unwrap()).await;
            let streams = siege.bear(|at| crowd(at, SILENT, b"")).await;
            siege.welcome(place, Options::new()).await;
            let (stats, heard) = (siege.router.stats(), &siege.heard);
            assert!(siege.strangers() <= ALLOWED as u64 + 1, "{stats:?}");
            assert!(heard.refusals.iter().all(|why| *why == Refusal::HandshakesOfAddress));
            assert!(heard.ends.iter().all(|why| matches!(why, ConnectionError::Displaced | ConnectionError::Eof)));
            let told = |heard: &Heard| heard.refusals.len() + heard.ends.len() + heard.missed;
            let all = siege.until(|heard| told(heard) + ALLOWED >= SILENT).await;
            assert!(!all.refusals.is_empty());
            siege.peace.grew_less_than(1 << 20);
            // Those turned away are hung up on at once.
            drop(streams);
            siege.lift().await;
        })
    });
}

#[test]
fn who_says_no_more_than_how_much_will_come_is_given_no_more_than_that() {
    const MANY: usize = 500;
    besiege(|place| {
        Box::pin(async {
            let mut siege = Siege::lay(place, router()).await;
            let announced = [greeting("NULL"), head(COMMAND, 128 << 10)].concat();
            let streams = siege.bear(move |at| crowd(at, MANY, &announced)).await;
            while siege.strangers() < MANY as u64 {
                siege.bear(|_| ()).await;
            }
            // What was announced would be 64 MiB.
            siege.peace.grew_less_than(16 << 20);
            drop(streams);
            siege.lift().await;
        })
    });
}

/// A READY with these properties.
fn ready(properties: &[u8]) -> Vec<u8> {
    [greeting("NULL"), command("READY", properties)].concat()
}

/// So many properties, with values so long but for one.
fn many(count: usize, len: usize) -> Vec<u8> {
    let more = (1..count).flat_map(|number| property(&format!("X-{number:0251}"), &vec![b'x'; len]));
    [property("Socket-Type", b"DEALER"), more.collect()].concat()
}

/// As much as is allowed.
fn bomb_that_fits() -> Vec<u8> {
    ready(&many(128, 700))
}

fn bombs() -> [(Vec<u8>, ConnectionError); 6] {
    let dealer = property("Socket-Type", b"DEALER");
    let huge = [&dealer[..], b"\x03X-1\xff\xff\xff\xffx"].concat();
    let twice = [dealer.clone(), property("Identity", b"a"), property("identity", b"b")].concat();
    let named = [dealer.clone(), property("Identity", &[b'a'; 256])].concat();
    let malformed = ConnectionError::Malformed;
    let too_large = ConnectionError::TooLarge { size: (128 << 10) + 1, limit: 128 << 10 };
    [
        (ready(&many(129, 0)), malformed(DecodeError::Property)),
        (ready(&many(16_000, 0)[..(128 << 10) - 6]), malformed(DecodeError::Property)),
        (ready(&huge), malformed(DecodeError::Property)),
        (ready(&twice), malformed(DecodeError::DuplicateProperty)),
        (ready(&named), malformed(DecodeError::RoutingId)),
        ([greeting("NULL"), head(COMMAND, (128 << 10) + 1)].concat(), too_large),
    ]
}

#[test]
fn a_ready_that_is_a_bomb_ends_the_connection_or_is_kept_within_its_limit() {
    besiege(|place| {
        let (bombs, fits) = (bombs(), bomb_that_fits());
        Box::pin(async move {
            const EACH: usize = 20;
            let mut siege = Siege::lay(place, router()).await;
            for (bomb, reason) in bombs {
                let streams = siege.bear(move |at| crowd(at, EACH, &bomb)).await;
                let ends = siege.ends(EACH).await;
                assert!(ends.iter().all(|end| *end == reason), "{ends:?} and not {reason:?}");
                drop(streams);
            }
            let (size, peace) = (fits.len(), Memory::now());
            let streams = siege.bear(move |at| crowd(at, EACH, &fits)).await;
            while siege.router.stats().ready_peers < EACH + 1 {
                siege.bear(|_| ()).await;
            }
            // It is kept once, and read into memory that is given back.
            peace.grew_less_than(EACH * (size + size / 4) + (1 << 20));
            drop(streams);
            siege.lift().await;
        })
    });
}

#[test]
fn the_first_words_of_a_handshake_that_are_none_end_it() {
    let after = |octets: &[u8]| [&greeting("NULL")[..], octets].concat();
    let words = [
        after(&command("ERROR", b"\x03400")),
        after(&command("ERROR", b"\xff400")),
        after(&command("UNHEARD-OF", &[0; 1000])),
        after(&frame(0, b"a message")),
        after(&head(COMMAND, u64::MAX)),
        after(&head(COMMAND, 1 << 31)),
        after(&[COMMAND | LONG | 0x80]),
        vec![b'x'; 64],
    ];
    besiege(move |place| {
        let words = words.clone();
        Box::pin(async move {
            let mut siege = Siege::lay(place, router()).await;
            let count = words.len();
            let streams =
                siege.bear(move |at| words.iter().map(|octets| say(at, octets).unwrap()).collect::<Vec<_>>()).await;
            let ends = siege.ends(count).await;
            let theirs = |end: &&ConnectionError| end.fault() == sansmq::proto::Fault::Peer;
            assert_eq!(ends.iter().filter(theirs).count(), count, "{ends:?}");
            drop(streams);
            siege.lift().await;
        })
    });
}

#[test]
fn a_thousand_who_come_and_go_leave_nothing_behind_however_they_go() {
    const EACH: usize = 250;
    besiege(|place| {
        Box::pin(async {
            let mut siege = Siege::lay(place, router()).await;
            let whole = [opening("DEALER"), frame(0, b"hello")].concat();
            siege.bear(|at| (0..EACH).for_each(|_| drop(come(at).unwrap()))).await;
            siege.bear(|at| (0..EACH).for_each(|_| vanish(come(at).unwrap()).unwrap())).await;
            let said = whole.clone();
            siege.bear(move |at| (0..EACH).for_each(|_| vanish(say(at, &said).unwrap()).unwrap())).await;
            siege
                .bear(move |at| {
                    for _ in 0..EACH {
                        let mut stream = say(at, &whole).unwrap();
                        stream.read_exact(&mut [0; 64]).unwrap();
                    }
                })
                .await;
            siege.welcome(place, Options::<Dealer>::new()).await;
            siege.until(|heard| heard.ends.len() >= EACH).await;
            siege.peace.grew_less_than(2 << 20);
            siege.lift().await;
        })
    });
}
