//! Tests of failed dials: each is tried again, and messages that wait for the peer survive.

use super::super::fixture::{PushSocket, RepSocket, RouterSocket, Socket, run, spawn};
use super::stream::recv_notification;
use super::{ANY, end_reason};
use futures_util::future::join;
use sansmq::kind::{Dealer, Req, Router, Stream};
use sansmq::proto::security::curve::KeyPair;
use sansmq::proto::wire::MechanismName;
use sansmq::{
    ConnectError, ConnectionError, Endpoint, Event, Frame, NetworkError, Options, RecvError, Security, SendError,
    SocketType, WaitError,
};
use sansmq_tests::raw_peer::{COMMAND, command, greeting, greeting_and_ready, head};
use std::time::Duration;

const SOON: Duration = Duration::from_millis(5);
const LONG: Duration = Duration::from_secs(20);

/// Bytes of an impostor, whether they end the connection before its handshake is finished, and a check of the reason.
type Case = (Vec<u8>, bool, fn(&ConnectionError) -> bool);

/// Peer without ZMTP that answers each connection with the same bytes.
struct Impostor {
    stream: Socket<Stream>,
    endpoint: Endpoint,
}

impl Impostor {
    async fn bind() -> Self {
        let stream = Socket::with_options(Options::<Stream>::new());
        let endpoint = stream.bind(ANY).await.unwrap();
        Self { stream, endpoint }
    }

    /// Waits for the next connection and sends `bytes` on it, if there are any. Returns the routing id of the connection.
    async fn answer(&self, bytes: &[u8]) -> Frame {
        let id = recv_notification(&self.stream).await;
        if !bytes.is_empty() {
            self.stream.send((&id, bytes.to_vec())).await.unwrap();
        }
        id
    }

    /// Closes the peer, so that its endpoint is free.
    async fn close(self) -> Endpoint {
        self.stream.close().await;
        self.endpoint
    }
}

fn dealer(security: Security) -> Socket<Dealer> {
    let options = Options::<Dealer>::new().security(security).reconnect(SOON, SOON);
    Socket::with_options(options.reconnect_refused(SOON, SOON).max_message_size(1000))
}

/// Connects a DEALER to a peer that answers with `bytes`, and then to a good ROUTER at the same endpoint. Asserts that
/// the ROUTER receives the message that was queued before the failure, if `is_before_ready`, and a later message.
/// Returns the reason of the failure.
async fn end_reason_before_good_peer(
    client: Security,
    server: Security,
    bytes: &[u8],
    is_before_ready: bool,
) -> ConnectionError {
    let impostor = Impostor::bind().await;
    let dealer = dealer(client);
    let mut monitor = dealer.monitor();
    dealer.connect(&impostor.endpoint).unwrap();
    if is_before_ready {
        dealer.send("queued").await.unwrap();
    }
    impostor.answer(bytes).await;
    let reason = end_reason(&mut monitor).await.unwrap();
    let endpoint = impostor.close().await;

    let router = Socket::with_options(Options::<Router>::new().security(server).any_key());
    router.bind(&endpoint).await.unwrap();
    dealer.send("later").await.unwrap();
    if is_before_ready {
        assert_eq!(router.recv().await.unwrap().body(), "queued", "after {reason}");
    }
    assert_eq!(router.recv().await.unwrap().body(), "later", "after {reason}");
    reason
}

#[test]
fn dial_is_repeated_after_every_failure() {
    run(|| async {
        let before = |bytes: &[u8]| [&greeting("NULL"), bytes].concat();
        let after = |bytes: &[u8]| [&greeting_and_ready("ROUTER"), bytes].concat();
        let refused = |reason: &'static [u8]| ConnectionError::Refused(reason.into());
        let cases: [Case; 11] = [
            (before(&command("ERROR", b"\x03400")), true, |end| matches!(end, ConnectionError::Refused(_))),
            (before(&command("ERROR", b"\x07no room")), true, |end| matches!(end, ConnectionError::Refused(_))),
            (greeting_and_ready("PUB"), true, |end| matches!(end, ConnectionError::Incompatible { .. })),
            (greeting_and_ready("NONE"), true, |end| *end == ConnectionError::UnknownSocketType),
            (greeting("CURVE"), true, |end| matches!(end, ConnectionError::MechanismMismatch { .. })),
            (b"HTTP/1.1 502 Bad Gateway\r\n\r\n".to_vec(), true, |end| *end == ConnectionError::NotZmtp),
            (before(&head(COMMAND, 1 << 40)), true, |end| matches!(end, ConnectionError::TooLarge { .. })),
            (before(b"\x80\x00"), true, |end| matches!(end, ConnectionError::Malformed(_))),
            (after(&head(0, 1 << 40)), false, |end| matches!(end, ConnectionError::TooLarge { .. })),
            (after(b"\x80\x00"), false, |end| matches!(end, ConnectionError::Malformed(_))),
            (after(&command("ERROR", b"\x03400")), false, |end| matches!(end, ConnectionError::Refused(_))),
        ];
        for (bytes, is_before_ready, is_expected) in cases {
            let end = end_reason_before_good_peer(Security::Null, Security::Null, &bytes, is_before_ready).await;
            assert!(is_expected(&end), "{end:?} after {}", bytes.escape_ascii());
        }

        let server = KeyPair::random();
        let client = Security::curve_client(KeyPair::random(), *server.public()).unwrap();
        let forged = [greeting("CURVE"), command("ERROR", b"\x03400")].concat();
        let end = end_reason_before_good_peer(client, Security::curve_server(server), &forged, true).await;
        assert_eq!(end, refused(b"400"), "an impostor without the key sent the ERROR");
    });
}

/// libzmq closes without its mechanism if it expects another one; see `pyzmq/security.rs`.
#[test]
fn close_without_mechanism_names_the_likely_mistake() {
    run(|| async {
        let curve = || Security::curve_client(KeyPair::random(), *KeyPair::random().public()).unwrap();
        for (security, ours, sent, is_named) in [
            (Security::Null, MechanismName::NULL, 0, false),
            (Security::Null, MechanismName::NULL, 10, false),
            (Security::Null, MechanismName::NULL, 11, true),
            (curve(), MechanismName::CURVE, 0, true),
            (curve(), MechanismName::CURVE, 10, true),
        ] {
            let impostor = Impostor::bind().await;
            let dealer = dealer(security);
            let mut monitor = dealer.monitor();
            dealer.connect(&impostor.endpoint).unwrap();
            let id = impostor.answer(&greeting("NULL")[..sent]).await;
            let received = if is_named { 64 } else { 10 };
            let mut bytes = 0;
            while bytes < received {
                bytes += impostor.stream.recv().await.unwrap().body().len();
            }
            impostor.stream.send((&id, "")).await.unwrap();
            let reason = end_reason(&mut monitor).await.unwrap();
            let expected =
                if is_named { ConnectionError::ClosedInGreeting { ours } } else { ConnectionError::PeerClosed };
            assert_eq!(reason, expected, "after {sent} bytes");
        }
    });
}

#[test]
fn refused_connect_waits_for_peer_at_same_endpoint() {
    run(|| async {
        let dealer = dealer(Security::Null);
        let mut monitor = dealer.monitor();
        let endpoint = super::free_endpoint().await;
        dealer.connect(&endpoint).unwrap();
        dealer.send("queued").await.unwrap();
        let failed = monitor.find(|event| matches!(event, Event::ConnectFailed { .. }).then_some(())).await;
        assert_eq!(failed, Some(()));
        let router = RouterSocket::new();
        router.bind(&endpoint).await.unwrap();
        assert_eq!(router.recv().await.unwrap().body(), "queued");
    });
}

#[test]
fn connect_and_wait_returns_peer_or_typed_reason() {
    run(|| async {
        // A dial that fails for a reason that time can cure is repeated until the peer is there.
        let endpoint = super::free_endpoint().await;
        let (router, client) = (RouterSocket::new(), dealer(Security::Null));
        let bind_later = async {
            client.monitor().find(|event| matches!(event, Event::ConnectFailed { .. }).then_some(())).await.unwrap();
            router.bind(&endpoint).await.unwrap();
        };
        let (peer, ()) = join(client.connect_and_wait(&endpoint, LONG), bind_later).await;
        assert_eq!(peer.unwrap().socket_type, SocketType::Router);
        assert_eq!(client.wait_connected(1).await.unwrap()[0].socket_type, SocketType::Router);

        // Time cannot cure this one, so that the call returns at once.
        let push = PushSocket::new();
        let error = push.connect_and_wait(&endpoint, LONG).await.unwrap_err();
        assert!(matches!(&error, WaitError::Failed(dials) if dials.len() == 1), "{error}");
        let reason = error.reason().unwrap();
        assert!(matches!(reason, ConnectionError::Incompatible { .. } | ConnectionError::Refused(_)), "{reason}");
        assert!(!error.is_temporary());
        assert_eq!(push.wait_connected(1).await.unwrap_err(), error);

        let absent = super::free_endpoint().await;
        let error = client.connect_and_wait(&absent, 4 * SOON).await.unwrap_err();
        assert!(matches!(error, WaitError::TimedOut { after, .. } if after == 4 * SOON), "{error}");
        assert!(error.to_string().contains(&format!("within the time limit of {:?}", 4 * SOON)), "{error}");
        assert_eq!(error.reason(), Some(&ConnectionError::Network(NetworkError::Refused)));
        assert!(error.is_temporary());
        assert!(error.to_string().contains("connection refused"), "{error}");

        let once = Socket::with_options(Options::<Dealer>::new().no_reconnect());
        let error = once.connect_and_wait(&absent, LONG).await.unwrap_err();
        assert_eq!(error.reason(), Some(&ConnectionError::Network(NetworkError::Refused)));
        let error = client.connect_and_wait("tcp://*:1", LONG).await.unwrap_err();
        assert!(matches!(error, WaitError::Connect(ConnectError::Wildcard(_))), "{error}");
        client.close().await;
        assert_eq!(client.wait_connected(1).await, Err(WaitError::Closed));
    });
}

#[test]
fn unreachable_socket_fails_at_once_until_a_peer_is_ready() {
    run(|| async {
        let endpoint = super::free_endpoint().await;
        let options = Options::<Dealer>::new().reconnect(SOON, SOON).fail_unreachable(true);
        let dealer = Socket::with_options(options);
        let sends = spawn({
            let dealer = dealer.clone();
            async move { dealer.recv().await }
        });
        dealer.connect(&endpoint).unwrap();
        let error = sends.await.unwrap_err();
        assert!(matches!(&error, RecvError::Unreachable(dials) if dials[0].endpoint == endpoint), "{error}");
        let error = dealer.send("x").await.unwrap_err();
        assert!(error.to_string().contains("connection refused"), "{error}");
        assert!(matches!(error, SendError::Unreachable(..)));
        assert!(matches!(dealer.try_send("x").unwrap_err(), SendError::Unreachable(_, dials) if dials.len() == 1));

        let router = RouterSocket::new();
        router.bind(&endpoint).await.unwrap();
        dealer.wait_connected(1).await.unwrap();
        dealer.send("reachable").await.unwrap();
        let [id, body] = router.recv().await.unwrap().into_array().unwrap();
        assert_eq!(body, "reachable");
        router.send((id, "last")).await.unwrap();
        router.close().await;
        assert_eq!(dealer.recv().await.unwrap().body(), "last", "received before the error");
        assert!(matches!(dealer.recv().await, Err(RecvError::Unreachable(_))));
    });
}

#[test]
fn failing_dials_name_each_reason_until_the_peer_is_ready() {
    run(|| async {
        let impostor = Impostor::bind().await;
        let dealer = dealer(Security::Null);
        let mut monitor = dealer.monitor();
        dealer.connect(&impostor.endpoint).unwrap();
        assert!(dealer.failing_dials().is_empty());
        impostor.answer(&[greeting("NULL"), command("ERROR", b"\x03400")].concat()).await;
        end_reason(&mut monitor).await.unwrap();
        let failing = dealer.failing_dials();
        assert_eq!((&failing[0].endpoint, failing.len()), (&impostor.endpoint, 1));
        assert_eq!(*failing[0].reason, ConnectionError::Refused(b"400"[..].into()));
        assert!(!failing.is_temporary());
        assert!(
            failing.to_string().contains("the peer refused the connection: 400, the credentials are rejected"),
            "{failing}"
        );

        let router = RouterSocket::new();
        router.bind(impostor.close().await).await.unwrap();
        dealer.send("ready").await.unwrap();
        assert_eq!(router.recv().await.unwrap().body(), "ready");
        assert!(dealer.failing_dials().is_empty());
    });
}

#[test]
fn request_of_failing_dial_waits_and_lost_request_names_its_cause() {
    run(|| async {
        let impostor = Impostor::bind().await;
        let options = Options::<Req>::new().reconnect(SOON, SOON).reconnect_refused(SOON, SOON);
        let req = Socket::with_options(options);
        let mut monitor = req.monitor();
        req.connect(&impostor.endpoint).unwrap();
        req.send("request").await.unwrap();
        impostor.answer(&[greeting("NULL"), command("ERROR", b"\x03400")].concat()).await;
        end_reason(&mut monitor).await.unwrap();
        assert_eq!(req.try_recv(), Err(RecvError::Empty), "the request waits for the next handshake");
        let rep = RepSocket::new();
        rep.bind(impostor.close().await).await.unwrap();
        assert_eq!(rep.recv().await.unwrap().body(), "request");
        rep.close().await;
        let error = req.recv().await.unwrap_err();
        assert_eq!(error, RecvError::PeerLost { sent: true, cause: ConnectionError::PeerClosed.into() });
        assert!(error.to_string().ends_with("reason: the peer closed the connection"), "{error}");

        let impostor = Impostor::bind().await;
        let req = Socket::with_options(Options::<Req>::new().no_reconnect());
        req.connect(&impostor.endpoint).unwrap();
        req.send("request").await.unwrap();
        impostor.answer(&[greeting("NULL"), command("ERROR", b"\x03400")].concat()).await;
        let error = req.recv().await.unwrap_err();
        let cause = ConnectionError::Refused(b"400"[..].into()).into();
        assert_eq!(error, RecvError::PeerLost { sent: false, cause });
        assert!(error.to_string().starts_with("the request was not sent"), "{error}");
    });
}
