//! Tests with peers that are hostile during the handshake.

use sansmq::proto::connection::{Fault, Timeout};
use sansmq::proto::socket::RejectReason;
use sansmq::proto::wire::DecodeError;
use sansmq::{ConnectionError, Options};
use sansmq_tests::harness::{Observed, Target, connect_all, on_each_runtime};
use sansmq_tests::memory::Memory;
use sansmq_tests::raw_peer::{
    COMMAND, LONG, command, connect_and_send, connect_raw, frame, greeting, greeting_and_ready, head, property, ready,
    reset,
};
use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

/// Returns the greeting of a client with the NULL mechanism, followed by `bytes`.
fn greeting_and(bytes: &[u8]) -> Vec<u8> {
    [&greeting("NULL"), bytes].concat()
}

#[test]
fn slow_handshake_ends_at_timeout() {
    const SLOW: usize = 200;
    on_each_runtime(async |handle| {
        let mut target = Target::new(handle, Options::new().handshake_timeout(Duration::from_secs(1))).await;
        let streams = target.serve_during(|at| {
            let mut streams = connect_all(at, SLOW, b"");
            // The last byte of the greeting is never sent.
            for byte in &greeting("NULL")[..63] {
                for stream in &mut streams {
                    let _ = stream.write_all(&[*byte]);
                }
                thread::sleep(Duration::from_millis(20));
            }
            streams
        });
        let streams = streams.await;
        target.expect_ends(SLOW, |end| *end == ConnectionError::TimedOut(Timeout::Handshake)).await;
        assert_eq!(target.hostile_peers(), 0);
        target.baseline.assert_growth_below(SLOW * (16 << 10));
        drop(streams);
        target.finish().await;
    });
}

#[test]
fn silent_connections_are_limited_and_honest_peers_served() {
    const SILENT: usize = 2000;
    const ALLOWED: usize = 100;
    on_each_runtime(async |handle| {
        let mut target = Target::new(handle, Options::new().max_handshakes(2 * ALLOWED, ALLOWED)).await;
        target.hold_open(SILENT, vec![]).await;
        target.serve_new_client(handle, Options::new()).await;
        let (stats, observed) = (target.router.stats(), &target.observed);
        assert!(target.hostile_peers() <= ALLOWED as u64 + 1, "{stats:?}");
        assert!(observed.refusals.iter().all(|reason| *reason == RejectReason::MaxHandshakesPerAddress));
        assert!(
            observed
                .ends
                .iter()
                .all(|reason| matches!(reason, ConnectionError::HandshakeEvicted | ConnectionError::PeerClosed))
        );
        let reported = |observed: &Observed| observed.refusals.len() + observed.ends.len() + observed.missed;
        let observed = target.serve_until(|observed| reported(observed) + ALLOWED >= SILENT).await;
        assert!(!observed.refusals.is_empty());
        target.baseline.assert_growth_below(1 << 20);
        // Rejected connections are closed at once.
        target.finish().await;
    });
}

#[test]
fn announced_command_size_allocates_little() {
    const MANY: usize = 500;
    on_each_runtime(async |handle| {
        let mut target = Target::new(handle, Options::new()).await;
        target.hold_open(MANY, greeting_and(&head(COMMAND, 128 << 10))).await;
        while target.hostile_peers() < MANY as u64 {
            target.serve_during(|_| ()).await;
        }
        // The announced sizes add up to 64 MiB.
        target.baseline.assert_growth_below(16 << 20);
        target.finish().await;
    });
}

/// Returns the greeting and the READY of a DEALER. `more` contains further encoded properties of the READY.
fn handshake_with(more: &[u8]) -> Vec<u8> {
    greeting_and(&ready("DEALER", more))
}

/// Returns `count` encoded metadata properties with values of `len` bytes.
fn properties(count: usize, len: usize) -> Vec<u8> {
    (0..count).flat_map(|number| property(&format!("X-{number:0251}"), &vec![b'x'; len])).collect()
}

/// Returns the greeting and a READY with the maximum of 128 properties, including the socket type.
fn largest_valid_ready() -> Vec<u8> {
    handshake_with(&properties(127, 700))
}

fn invalid_readies() -> [(Vec<u8>, ConnectionError); 6] {
    let huge = b"\x03X-1\xff\xff\xff\xffx";
    let duplicate = [property("Identity", b"a"), property("identity", b"b")].concat();
    let long_id = property("Identity", &[b'a'; 256]);
    // The maximum size of a command, less its name and the socket type.
    let max_len = (128 << 10) - 6 - property("Socket-Type", b"DEALER").len();
    let malformed = ConnectionError::Malformed;
    let too_large = ConnectionError::TooLarge { size: (128 << 10) + 1, limit: 128 << 10 };
    [
        (handshake_with(&properties(128, 0)), malformed(DecodeError::Property)),
        (handshake_with(&properties(16_000, 0)[..max_len]), malformed(DecodeError::Property)),
        (handshake_with(huge), malformed(DecodeError::Property)),
        (handshake_with(&duplicate), malformed(DecodeError::DuplicateProperty)),
        (handshake_with(&long_id), malformed(DecodeError::RoutingId)),
        (greeting_and(&head(COMMAND, (128 << 10) + 1)), too_large),
    ]
}

#[test]
fn oversized_ready_is_rejected_and_largest_ready_stored_once() {
    const EACH: usize = 20;
    const MANY: usize = 100;
    /// Maximum total size of the read buffers that threads keep for large bodies, in bytes: 4 MiB for each of four
    /// threads.
    const KEPT: usize = 4 * (4 << 20);
    on_each_runtime(async |handle| {
        let (invalid, largest) = (invalid_readies(), largest_valid_ready());
        let mut target = Target::new(handle, Options::new()).await;
        for (ready, reason) in invalid {
            target.expect_rejected(EACH, ready, |end| *end == reason).await;
        }
        let (size, baseline) = (largest.len(), Memory::now());
        target.hold_open(MANY, largest).await;
        while target.router.stats().ready_peers < MANY + 1 {
            target.serve_during(|_| ()).await;
        }
        // The metadata is stored once; read buffers are reused.
        baseline.assert_growth_below(MANY * (size + size / 8) + KEPT);
        target.finish().await;
    });
}

#[test]
fn malformed_first_command_ends_the_connection() {
    on_each_runtime(async |handle| {
        let mut target = Target::new(handle, Options::new()).await;
        for sent in [
            greeting_and(&command("ERROR", b"\x03400")),
            greeting_and(&command("ERROR", b"\xff400")),
            greeting_and(&command("UNKNOWN", &[0; 1000])),
            greeting_and(&frame(0, b"a message")),
            greeting_and(&head(COMMAND, u64::MAX)),
            greeting_and(&head(COMMAND, 1 << 31)),
            greeting_and(&[COMMAND | LONG | 0x80]),
            vec![b'x'; 64],
        ] {
            target.expect_rejected(1, sent, |end| end.fault() == Fault::Peer).await;
        }
        target.finish().await;
    });
}

#[test]
fn short_lived_connections_leave_no_memory() {
    const EACH: usize = 250;
    on_each_runtime(async |handle| {
        let mut target = Target::new(handle, Options::new()).await;
        let whole = [greeting_and_ready("DEALER"), frame(0, b"hello")].concat();
        target.serve_during(|at| (0..EACH).for_each(|_| drop(connect_raw(at).unwrap()))).await;
        target.serve_during(|at| (0..EACH).for_each(|_| reset(connect_raw(at).unwrap()).unwrap())).await;
        let sent = whole.clone();
        target
            .serve_during(move |at| (0..EACH).for_each(|_| reset(connect_and_send(at, &sent).unwrap()).unwrap()))
            .await;
        target
            .serve_during(move |at| {
                for _ in 0..EACH {
                    let mut stream = connect_and_send(at, &whole).unwrap();
                    stream.read_exact(&mut [0; 64]).unwrap();
                }
            })
            .await;
        target.serve_new_client(handle, Options::new()).await;
        target.serve_until(|observed| observed.ends.len() >= EACH).await;
        target.baseline.assert_growth_below(2 << 20);
        target.finish().await;
    });
}
