//! Tests with TCP streams that are not sockets of sansmq and send malformed or incomplete input, or input of an older
//! version of ZMTP.

use super::super::fixture::{self, DealerSocket, RouterSocket, Socket, run, spawn};
use super::{ANY, end_reason};
use futures_util::future::join;
use sansmq::kind::Router;
use sansmq::proto::ConnectionError;
use sansmq::{Endpoint, Message, Options, SendError};
use sansmq_tests::raw_peer::{COMMAND, command, frame, greeting, greeting_and_ready, head, property, ready};
use smol::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use std::time::Duration;

/// Connects a stream that is not a socket of sansmq to `endpoint`, and sends `bytes` on it. Returns the stream.
pub(super) async fn raw_peer(
    endpoint: &Endpoint,
    bytes: &[u8],
) -> impl AsyncRead + AsyncWrite + Send + Unpin + 'static {
    let mut stream = fixture::dial(endpoint).await.unwrap();
    // The socket may close the connection before all bytes are written.
    let _ = stream.write_all(bytes).await;
    stream
}

/// Sends `bytes` to a bound ROUTER, and returns the reason for which the ROUTER ends the connection. Asserts that a
/// second peer stays connected.
async fn end_reason_after(bytes: &[u8]) -> ConnectionError {
    let router = Socket::with_options(
        Options::<Router>::new().max_message_size(1000).handshake_timeout(Duration::from_millis(100)),
    );
    let endpoint = router.bind(ANY).await.unwrap();
    let mut monitor = router.monitor();
    let dealer = DealerSocket::new();
    dealer.connect(&endpoint).unwrap();
    dealer.send("before").await.unwrap();
    assert_eq!(router.recv().await.unwrap().body(), "before");

    let _stream = raw_peer(&endpoint, bytes).await;
    let reason = end_reason(&mut monitor).await.unwrap();

    dealer.send("after").await.unwrap();
    assert_eq!(router.recv().await.unwrap().body(), "after");
    reason
}

#[test]
fn malformed_input_ends_only_its_own_connection() {
    run(|| async {
        let after_handshake = |rest: &[u8]| [&greeting_and_ready("DEALER"), rest].concat();
        assert_eq!(end_reason_after(b"GET / HTTP/1.1\r\n\r\n").await, ConnectionError::NotZmtp);
        assert!(matches!(end_reason_after(b"").await, ConnectionError::TimedOut(_)));
        assert!(matches!(end_reason_after(&greeting("NULL")[..20]).await, ConnectionError::TimedOut(_)));
        let huge = after_handshake(&head(0, u64::MAX >> 1));
        assert!(matches!(end_reason_after(&huge).await, ConnectionError::TooLarge { .. }));
        assert!(matches!(end_reason_after(&after_handshake(b"\x80\x00")).await, ConnectionError::Malformed(_)));
        assert!(matches!(
            end_reason_after(&after_handshake(&frame(COMMAND, b""))).await,
            ConnectionError::Malformed(_)
        ));
        assert!(matches!(end_reason_after(&greeting_and_ready("PUB")).await, ConnectionError::Incompatible { .. }));
        assert!(matches!(end_reason_after(&greeting("PLAIN")).await, ConnectionError::MechanismMismatch { .. }));
    });
}

#[test]
fn mandatory_router_send_fails_when_peer_disconnects() {
    run(|| async {
        let router = Socket::with_options(Options::<Router>::new().mandatory(true).send_hwm(1));
        let endpoint = router.bind(ANY).await.unwrap();
        let ready = ready("DEALER", &property("Identity", b"abc"));
        let hello = [greeting("NULL"), ready, frame(0, b"hi")].concat();
        let mut peer = raw_peer(&endpoint, &hello).await;
        assert_eq!(router.recv().await.unwrap(), Message::from(["abc", "hi"]));
        let error = spawn(async move {
            loop {
                if let Err(error) = router.send(("abc", vec![b'x'; 100_000])).await {
                    return error;
                }
            }
        });
        // The router is blocked in `send`, or will be soon; the disconnect must end the wait in both cases.
        let disconnect = spawn(async move {
            peer.read_exact(&mut vec![0; 100_000]).await.unwrap();
            drop(peer);
        });
        assert!(matches!(join(error, disconnect).await.0, SendError::Unroutable(_)));
    });
}

#[test]
fn full_router_answers_heartbeats_and_detects_disconnect() {
    run(|| async {
        let router = Socket::with_options(Options::<Router>::new().recv_hwm(1));
        let endpoint = router.bind(ANY).await.unwrap();
        let mut monitor = router.monitor();
        let bytes = [greeting_and_ready("DEALER"), frame(0, b"hi").repeat(100), command("PING", b"\0\0here")].concat();
        let mut peer = raw_peer(&endpoint, &bytes).await;
        read_until(&mut peer, &command("PONG", b"here")).await;
        drop(peer);
        assert_eq!(end_reason(&mut monitor).await, Some(ConnectionError::PeerClosed));
        for _ in 0..100 {
            assert_eq!(router.recv().await.unwrap().body(), "hi");
        }
    });
}

#[test]
fn close_waits_for_end_of_stream_from_peer() {
    run(|| async {
        let router = RouterSocket::new();
        let endpoint = router.bind(ANY).await.unwrap();
        let mut peer = raw_peer(&endpoint, &[greeting_and_ready("DEALER"), frame(0, b"hi")].concat()).await;
        assert_eq!(router.recv().await.unwrap().body(), "hi");
        let writes = spawn(async move {
            while peer.read(&mut [0; 100]).await? > 0 {}
            // A reset in reply to the first write may be returned only by the second write.
            peer.write_all(&frame(0, b"still")).await?;
            peer.write_all(&frame(0, b"there")).await
        });
        router.close().await;
        writes.await.expect("the socket must read until the peer closes");
    });
}

/// Returns, first for ZMTP 2.0 and then for ZMTP 1.0, the bytes that a peer with this socket type code sends (handshake
/// and one message), and the bytes of the expected reply.
pub(crate) fn legacy_peers(code: u8) -> [(Vec<u8>, &'static [u8]); 2] {
    let zmtp2 = [b"\xff\0\0\0\0\0\0\0\x01\x7f\x01", &[code][..], b"\0\x03old\0\x05hello"].concat();
    [(zmtp2, b"\0\x04back"), (b"\x04\0old\x06\0hello".to_vec(), b"\x05\0back")]
}

#[test]
fn router_serves_accepted_legacy_peers() {
    run(|| async {
        for (sent, reply) in legacy_peers(5) {
            let router = RouterSocket::new();
            let endpoint = router.bind(ANY).await.unwrap();
            let mut peer = raw_peer(&endpoint, &sent).await;
            let request = router.recv().await.unwrap();
            assert_eq!(request, Message::from(["old", "hello"]));
            router.send(["old", "back"]).await.unwrap();
            read_until(&mut peer, reply).await;
        }
    });
}

/// Reads until the received bytes end with `last`.
pub(crate) async fn read_until(stream: &mut (impl AsyncRead + Unpin), last: &[u8]) {
    let (mut received, mut buffer) = (Vec::new(), [0; 64]);
    while !received.ends_with(last) {
        let count = stream.read(&mut buffer).await.unwrap();
        assert!(count > 0, "end of stream; received only {}", received.escape_ascii());
        received.extend_from_slice(&buffer[..count]);
    }
}
