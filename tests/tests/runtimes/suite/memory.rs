//! Tests of the limits on the memory that a peer holds: a hostile peer reaches a limit, and a well-behaved peer at the same
//! address goes on.

use super::super::fixture::{DealerSocket, PushSocket, Socket, run, spawn};
use super::hostile_peers::raw_peer;
use super::{ANY, yield_now};
use sansmq::kind::{Pull, Router};
use sansmq::{ConnectionError, Context, Endpoint, Event, Options};
use sansmq_tests::raw_peer::{MORE, frame, greeting, greeting_and_ready, property, ready};
use smol::io::AsyncReadExt;

/// Connects a stream that is not a socket of sansmq to `endpoint`, sends `bytes` as far as the socket reads them, and keeps
/// the stream open until the socket closes it.
async fn hold_open(endpoint: Endpoint, bytes: Vec<u8>) {
    let mut stream = raw_peer(&endpoint, &bytes).await;
    while stream.read(&mut [0; 64]).await.is_ok_and(|count| count > 0) {}
}

#[test]
fn messages_of_empty_frames_reach_the_byte_hwm() {
    const FRAMES: usize = 4096;
    run(|| async {
        let pull = Socket::with_options(Options::<Pull>::new().recv_hwm_bytes(1 << 20));
        let endpoint = pull.bind(ANY).await.unwrap();
        let message = [frame(MORE, b"").repeat(FRAMES - 1), frame(0, b"")].concat();
        let hostile = spawn(hold_open(endpoint.clone(), [greeting_and_ready("PUSH"), message.repeat(1000)].concat()));
        while pull.stats().recv_hwm_hits == 0 {
            yield_now().await;
        }
        // Each message holds 72 bytes per frame.
        assert_eq!(pull.stats().incoming.messages, 4);

        let honest = PushSocket::new();
        honest.connect(&endpoint).unwrap();
        honest.send("honest").await.unwrap();
        while pull.recv().await.unwrap().body() != "honest" {}
        drop(hostile);
    });
}

/// Each READY has the maximum size. Without a limit, 300 of them hold 42 MiB.
#[test]
fn large_handshakes_are_rejected_and_small_ones_go_on() {
    const PEERS: usize = 300;
    const LIMIT: usize = 1 << 20;
    run(|| async {
        let router = Socket::with_options(Options::<Router>::new().max_handshake_bytes(LIMIT));
        let endpoint = router.bind(ANY).await.unwrap();
        let mut monitor = router.monitor();
        let properties = (0..100).flat_map(|number| property(&format!("X-{number}"), &[7; 1000])).collect::<Vec<_>>();
        let hello = [greeting("NULL"), ready("DEALER", &properties)].concat();
        let hostile = (0..PEERS).map(|_| spawn(hold_open(endpoint.clone(), hello.clone()))).collect::<Vec<_>>();
        let mut rejected = 0;
        let (mut connected, mut events) = (0, 0);
        while connected + rejected < PEERS {
            match monitor.next().await.unwrap() {
                Event::Ready { .. } => connected += 1,
                Event::HandshakeFailed { reason, .. } => {
                    assert_eq!(reason, ConnectionError::HandshakeMemory { limit: LIMIT });
                    rejected += 1;
                }
                _ => events += 1,
            }
        }
        assert!(events > 0 && connected < LIMIT / 100_000 + 2, "{connected} peers hold 100 kB each");
        assert!(router.stats().handshake_bytes < 2 * LIMIT as u64);

        let honest = DealerSocket::new();
        honest.connect(&endpoint).unwrap();
        honest.send("honest").await.unwrap();
        assert_eq!(router.recv().await.unwrap().body(), "honest");
        drop(hostile);
    });
}

#[test]
fn memory_limit_of_a_context_stops_greedy_peers_only() {
    const LIMIT: usize = 4 << 20;
    const PEERS: usize = 4;
    run(|| async {
        let context = Context::with_memory_limit(LIMIT);
        let pull = Socket::in_context(&context, Options::<Pull>::new());
        let endpoint = pull.bind(ANY).await.unwrap();
        let bytes = [greeting_and_ready("PUSH"), frame(0, &[7; 10_000]).repeat(1000)].concat();
        let greedy = (0..PEERS).map(|_| spawn(hold_open(endpoint.clone(), bytes.clone()))).collect::<Vec<_>>();
        while pull.stats().recv_hwm_hits < PEERS as u64 {
            yield_now().await;
        }
        let held = pull.stats().held.total();
        assert!(held < (LIMIT + PEERS * (200 << 10)) as u64, "{held} bytes, without the limit 40 MB");
        assert!(context.memory_budget().unwrap().held_bytes() > LIMIT);

        let honest = PushSocket::new();
        honest.connect(&endpoint).unwrap();
        honest.send("honest").await.unwrap();
        while !pull.peer_stats().iter().any(|peer| peer.incoming.messages == 1) {
            yield_now().await;
        }
        let mut received = 0;
        while received < PEERS * 1000 + 1 {
            received += 1;
            if pull.recv().await.unwrap().body() == "honest" {
                assert!(received <= PEERS + 1, "{received} messages before that of the honest peer");
            }
        }
        drop(greedy);
    });
}
