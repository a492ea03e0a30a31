//! Tests of the limits on the memory that a peer holds: a hostile peer reaches a limit, and a well-behaved peer at the same
//! address goes on.

use super::super::fixture::{PushSocket, Socket, run, spawn};
use super::hostile_peers::raw_peer;
use super::{ANY, yield_now};
use sansmq::kind::Pull;
use sansmq::{Endpoint, Options};
use sansmq_tests::raw_peer::{MORE, frame, greeting_and_ready};
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
        let pull = Socket::with(Options::<Pull>::new().recv_hwm_bytes(1 << 20));
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
