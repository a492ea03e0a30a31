//! Tests of the work of a session (reads and writes of one connection): number of system calls for small messages,
//! copies of large messages, and bytes read per call of `Session::turn`.

use super::{SessionFixture, TestStream, pull_session};
use sansmq_proto::connection::Link;
use sansmq_proto::kind::Push;
use sansmq_proto::{Instant, Message, Options, SessionBuffers, Turn};
use sansmq_tests::raw_peer::{command, frame, greeting, greeting_and_ready, property, ready};

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

/// Commands are not queued for the application, so no high-water mark limits them. The session limits them by reading
/// in small chunks.
#[test]
fn command_flood_is_read_in_small_chunks() {
    let (mut session, mut buffers) = (pull_session(&Options::new()), SessionBuffers::new());
    let mut stream = TestStream::default();
    let mut consume = |stream: &mut TestStream| {
        let before = stream.input.len();
        let turn = session.turn(stream, &mut buffers, Instant::ORIGIN, |link| {
            while link.take().is_some() {}
            Ok(())
        });
        (before - stream.input.len(), turn == Ok(Turn::Again))
    };
    stream.input.extend(greeting_and_ready("PUSH"));
    consume(&mut stream);
    stream.input.extend(command("PING", b"\0\0").repeat(20_000));
    let (first, runs_again) = consume(&mut stream);
    assert!(first <= 32 << 10 && runs_again, "{first}");
    for _ in 0..20 {
        assert_eq!(consume(&mut stream), (2 << 10, true));
    }
    stream.input.clear();
    stream.input.extend(frame(0, b"hello").repeat(100_000));
    let chunks: Vec<_> = (0..4).map(|_| consume(&mut stream).0).collect();
    assert!(chunks.is_sorted() && chunks[3] == 4 * (32 << 10), "{chunks:?}");
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
        assert_eq!(turn(&mut stream), Ok(Turn::Again));
        // A read may be shorter at the end of a memory grant.
        assert!(before - stream.input.len() <= 2 << 10);
    }
    while turn(&mut stream) == Ok(Turn::Again) {}
    assert!(session.connection().peer().is_some());
}
