//! Peers that are not ours, and mean no good or say little.

use super::super::fixture::{self, DealerSocket, RouterSocket, Socket, run, spawn};
use super::{ANY, ending};
use futures_util::future::join;
use sansmq::kind::Router;
use sansmq::proto::ConnectionError;
use sansmq::{Endpoint, Message, Options, SendError};
use sansmq_tests::raw_peer::{COMMAND, command, frame, greeting, head, opening, property, ready};
use smol::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use std::time::Duration;

/// A peer that is not one of ours and says this.
pub(super) async fn stranger(
    endpoint: &Endpoint,
    octets: &[u8],
) -> impl AsyncRead + AsyncWrite + Send + Unpin + 'static {
    let mut stream = fixture::dial(endpoint).await.unwrap();
    // It may be hung up on before it has said everything.
    let _ = stream.write_all(octets).await;
    stream
}

/// Sends octets to a bound ROUTER and returns why it hung up.
async fn reason_for(octets: &[u8]) -> ConnectionError {
    let router =
        Socket::with(Options::<Router>::new().max_message_size(1000).handshake_timeout(Duration::from_millis(100)));
    let endpoint = router.bind(ANY).await.unwrap();
    let mut monitor = router.monitor();
    // Somebody well-behaved is there before, and notices nothing.
    let dealer = DealerSocket::new();
    dealer.connect(&endpoint).unwrap();
    dealer.send("before").await.unwrap();
    assert_eq!(router.recv().await.unwrap().body(), "before");

    let _stream = stranger(&endpoint, octets).await;
    let reason = ending(&mut monitor).await.unwrap();

    dealer.send("after").await.unwrap();
    assert_eq!(router.recv().await.unwrap().body(), "after");
    reason
}

#[test]
fn bad_peers_lose_their_connection_with_a_reason_and_others_notice_nothing() {
    run(|| async {
        let shaken = |rest: &[u8]| [&opening("DEALER"), rest].concat();
        assert_eq!(reason_for(b"GET / HTTP/1.1\r\n\r\n").await, ConnectionError::NotZmtp);
        assert!(matches!(reason_for(b"").await, ConnectionError::TimedOut(_)));
        assert!(matches!(reason_for(&greeting("NULL")[..20]).await, ConnectionError::TimedOut(_)));
        let huge = shaken(&head(0, u64::MAX >> 1));
        assert!(matches!(reason_for(&huge).await, ConnectionError::TooLarge { .. }));
        assert!(matches!(reason_for(&shaken(b"\x80\x00")).await, ConnectionError::Malformed(_)));
        assert!(matches!(reason_for(&shaken(&frame(COMMAND, b""))).await, ConnectionError::Malformed(_)));
        assert!(matches!(reason_for(&opening("PUB")).await, ConnectionError::Incompatible { .. }));
        assert!(matches!(reason_for(&greeting("PLAIN")).await, ConnectionError::MechanismMismatch { .. }));
    });
}

#[test]
fn a_mandatory_router_that_waits_for_room_hears_that_the_peer_is_gone() {
    run(|| async {
        let router = Socket::with(Options::<Router>::new().mandatory(true).send_hwm(1));
        let endpoint = router.bind(ANY).await.unwrap();
        let named = ready("DEALER", &property("Identity", b"abc"));
        let hello = [greeting("NULL"), named, frame(0, b"hi")].concat();
        let mut deaf = stranger(&endpoint, &hello).await;
        assert_eq!(router.recv().await.unwrap(), Message::from(["abc", "hi"]));
        let error = spawn(async move {
            loop {
                if let Err(error) = router.send(("abc", vec![b'x'; 100_000])).await {
                    return error;
                }
            }
        });
        // The socket has said everything it can and waits, or will soon; in neither case may it wait for ever.
        let leaves = spawn(async move {
            deaf.read_exact(&mut vec![0; 100_000]).await.unwrap();
            drop(deaf);
        });
        assert!(matches!(join(error, leaves).await.0, SendError::Unroutable(_)));
    });
}

#[test]
fn while_nobody_receives_heartbeats_are_answered_and_a_peer_that_goes_is_noticed() {
    run(|| async {
        let router = Socket::with(Options::<Router>::new().recv_hwm(1));
        let endpoint = router.bind(ANY).await.unwrap();
        let mut monitor = router.monitor();
        let octets = [opening("DEALER"), frame(0, b"hi").repeat(100), command("PING", b"\0\0here")].concat();
        let mut peer = stranger(&endpoint, &octets).await;
        hears(&mut peer, &command("PONG", b"here")).await;
        drop(peer);
        assert_eq!(ending(&mut monitor).await, Some(ConnectionError::Eof));
        for _ in 0..100 {
            assert_eq!(router.recv().await.unwrap().body(), "hi");
        }
    });
}

#[test]
fn a_closing_socket_waits_for_its_peers_end_before_it_hangs_up() {
    run(|| async {
        let router = RouterSocket::new();
        let endpoint = router.bind(ANY).await.unwrap();
        let mut peer = stranger(&endpoint, &[opening("DEALER"), frame(0, b"hi")].concat()).await;
        assert_eq!(router.recv().await.unwrap().body(), "hi");
        let speaks_on = spawn(async move {
            while peer.read(&mut [0; 100]).await? > 0 {}
            // If nobody hears it, the first write may be answered only at the second one.
            peer.write_all(&frame(0, b"still")).await?;
            peer.write_all(&frame(0, b"there")).await
        });
        router.close().await;
        speaks_on.await.expect("somebody hears it");
    });
}

/// What a peer of ZMTP 2.0 says, with this octet for what it is, and a message; then the same of ZMTP 1.0.
pub(crate) fn elders(code: u8) -> [(Vec<u8>, &'static [u8]); 2] {
    let signed = [b"\xff\0\0\0\0\0\0\0\x01\x7f\x01", &[code][..], b"\0\x03old\0\x05hello"].concat();
    [(signed, b"\0\x04back"), (b"\x04\0old\x06\0hello".to_vec(), b"\x05\0back")]
}

#[test]
fn peers_of_before_zmtp_3_are_served() {
    run(|| async {
        for (said, answer) in elders(5) {
            let router = RouterSocket::new();
            let endpoint = router.bind(ANY).await.unwrap();
            let mut peer = stranger(&endpoint, &said).await;
            let request = router.recv().await.unwrap();
            assert_eq!(request, Message::from(["old", "hello"]));
            router.send(["old", "back"]).await.unwrap();
            hears(&mut peer, answer).await;
        }
    });
}

/// Reads until these octets have come.
pub(crate) async fn hears(stream: &mut (impl AsyncRead + Unpin), last: &[u8]) {
    let (mut heard, mut room) = (Vec::new(), [0; 64]);
    while !heard.ends_with(last) {
        let count = stream.read(&mut room).await.unwrap();
        assert!(count > 0, "all that came is {}", heard.escape_ascii());
        heard.extend_from_slice(&room[..count]);
    }
}
