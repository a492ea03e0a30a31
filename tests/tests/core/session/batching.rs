//! Tests of the work of a session (reads and writes of one connection): number of system calls for small messages,
//! copies of large messages, and bytes read per call of `Session::turn`.

use super::{SessionFixture, TestStream, pull_session};
use sansmq_proto::connection::{Inbound, Link};
use sansmq_proto::entropy::SeededEntropy;
use sansmq_proto::kind::Push;
use sansmq_proto::{Instant, Message, Options, Session, SessionBuffers, Turn};
use sansmq_tests::raw_peer::{command, frame, greeting, greeting_and_ready, property, ready};

const NOW: Instant = Instant::ORIGIN;

#[test]
fn small_messages_are_batched_and_large_bodies_not_copied() {
    let mut stream = TestStream::default();
    let mut seat = SessionFixture::new(Options::<Push>::new(), "PULL", &mut stream);
    stream.writes = 0;
    for _ in 0..1000 {
        seat.socket.send(vec![7; 64]).unwrap();
    }
    seat.settle(&mut stream);
    let large = Message::from(vec![7; 4096]);
    let address = large.body().as_ptr().addr();
    seat.socket.send(large).unwrap();
    seat.settle(&mut stream);
    assert_eq!(stream.output.len(), 1000 * 66 + 4096 + 9);
    assert!(stream.writes <= 3, "{} write calls", stream.writes);
    assert!(stream.written_from.contains(&address), "the large body was copied");
}

/// First byte of the messages that a [`Flooded`] session drops.
const DROPPED: u8 = b'd';

/// Session of a PULL that has received the handshake of its peer.
struct Flooded {
    session: Session,
    buffers: SessionBuffers,
    stream: TestStream,
}

impl Flooded {
    fn new() -> Self {
        let stream = TestStream { input: greeting_and_ready("PUSH").into(), ..TestStream::default() };
        let mut flooded = Self { session: pull_session(&Options::new()), buffers: SessionBuffers::new(), stream };
        flooded.turn();
        flooded
    }

    /// Takes a turn. Returns the number of bytes that were read, and whether the turn ended with background work.
    fn turn(&mut self) -> (usize, bool) {
        let before = self.stream.input.len();
        let turn = self.session.turn(&mut self.stream, &mut self.buffers, NOW, |link| {
            while let Some(item) = link.take() {
                if let Inbound::Message(message) = item
                    && message.body().first() == Some(&DROPPED)
                {
                    link.discarded(1, message.body().len() as u64);
                }
            }
            Ok(())
        });
        (before - self.stream.input.len(), turn == Ok(Turn::Background))
    }
}

/// Commands are not queued for the application, so no high-water mark limits them. The session limits them by reading
/// in small chunks, of 32 commands if these are short.
#[test]
fn command_flood_is_read_in_small_chunks() {
    for ping in [command("PING", b"\0\0"), command("PING", b"\0\0sixteen bytes...")] {
        let mut flooded = Flooded::new();
        flooded.stream.input.extend(ping.repeat(20_000));
        let (first, runs_again) = flooded.turn();
        assert!(first <= 2 << 10 && runs_again, "{first}");
        for _ in 0..20 {
            let (read, runs_again) = flooded.turn();
            assert!(read.abs_diff(32 * ping.len()) <= ping.len() && runs_again, "{read}");
        }
    }
}

/// A peer that sends one command at a time, so that each read has little work, and then as many as it can.
#[test]
fn commands_one_by_one_do_not_permit_a_large_read() {
    let ping = command("PING", b"\0\0");
    let mut flooded = Flooded::new();
    for _ in 0..20 {
        flooded.stream.input.extend(&ping);
        flooded.turn();
    }
    flooded.stream.input.extend(ping.repeat(20_000));
    let (read, runs_again) = flooded.turn();
    assert!(read <= 2 << 10 && runs_again, "{read}");
}

/// The size of a read is determined by the read before, so input of alternating density can cause more work than 32 units,
/// but only if large reads of queued messages preceded it.
#[test]
fn work_of_a_turn_is_limited_for_mixed_input() {
    // Work, in the units of `Link::discarded`: 1, and 1 per 64 bytes.
    let work_of = |size: usize| 1 + size / 64;
    let kinds = |size: usize| {
        [
            (command("PING", b"\0\0"), 1),
            (command("UNKNOWN", &vec![7; size]), work_of(size)),
            (frame(0, &vec![DROPPED; 1 + size % 100]), work_of(size % 100)),
            (frame(0, &vec![0; 1 + size % 100]), 0),
        ]
    };
    for seed in 0..20 {
        let mut dice = SeededEntropy::new(seed);
        let mut below = |end: u64| usize::try_from(dice.next_u64() % end).unwrap();
        let mut flooded = Flooded::new();
        // Position of the end of each item in the stream, and its work.
        let mut items = Vec::new();
        let mut end = 0;
        while end < 1 << 20 {
            let (bytes, work) = kinds(below(5000))[below(4)].clone();
            for _ in 0..=below(1000) * usize::from(bytes.len() < 200) {
                end += bytes.len();
                items.push((end, work));
                flooded.stream.input.extend(&bytes);
            }
        }
        let (mut position, mut turns, mut queued_before) = (0, 0, 0);
        let mut items = items.into_iter().peekable();
        while position < end {
            let (read, _) = flooded.turn();
            assert!(read >= (256).min(end - position), "seed {seed}: a turn reads {read} bytes");
            position += read;
            turns += 1;
            let (mut work, mut queued, mut last) = (0, 0, position - read);
            while let Some((end, of_item)) = items.next_if(|(end, _)| *end <= position) {
                work += of_item;
                queued += if of_item == 0 { end - last } else { 0 };
                last = end;
            }
            // Each read is at most twice as long as a read before of queued messages, or as 2 KiB; dropped messages are
            // counted in the next read.
            let limit = (3 * (2 << 10) + 2 * (queued + queued_before)) / 9 + 100;
            assert!(work <= limit, "seed {seed}, turn {turns}: {work} units, {queued} bytes queued");
            queued_before = queued;
        }
        assert!(!flooded.turn().1, "seed {seed}: no work is left");
    }
}

#[test]
fn large_commands_are_read_in_small_chunks() {
    let mut flooded = Flooded::new();
    flooded.stream.input.extend(command("UNKNOWN", &vec![7; 100_000]).repeat(3));
    flooded.turn();
    while flooded.stream.input.len() > 4 << 10 {
        let (read, runs_again) = flooded.turn();
        assert!(read <= 4 << 10 && runs_again, "{read} bytes of a large command were read");
    }
    while !flooded.stream.input.is_empty() {
        flooded.turn();
    }
    flooded.stream.input.extend(frame(0, b"hello").repeat(100_000));
    let chunks: Vec<_> = (0..4).map(|_| flooded.turn().0).collect();
    assert!(chunks.is_sorted() && chunks[3] == 4 * (32 << 10), "reads of messages become large again: {chunks:?}");
}

/// A READY with large metadata is also read in small chunks, so that a handshake does not delay other connections.
#[test]
fn handshake_is_read_in_small_chunks() {
    let (mut session, mut buffers) = (pull_session(&Options::new()), SessionBuffers::new());
    let mut stream = TestStream::default();
    stream.input.extend(greeting("NULL"));
    stream.input.extend(ready("PUSH", &property("X-Long", &vec![b'x'; 100_000])));
    let mut turn = |stream: &mut TestStream| session.turn(stream, &mut buffers, Instant::ORIGIN, |_| Ok(()));
    while stream.input.len() > 2 << 10 {
        let before = stream.input.len();
        assert_eq!(turn(&mut stream), Ok(Turn::Background));
        // A read may be shorter at the end of a memory grant.
        assert!(before - stream.input.len() <= 2 << 10);
    }
    while matches!(turn(&mut stream), Ok(Turn::Again | Turn::Background)) {}
    assert!(session.connection().peer().is_some());
}
