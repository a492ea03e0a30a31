//! Tests of peers that a ROUTER, PAIR or CHANNEL refuses until another peer is gone: no message is lost.

use super::super::fixture::{DealerSocket, RouterSocket, Socket, run};
use super::hostile_peers::{raw_peer, read_until};
use super::inproc::unique_endpoint;
use super::security::SOON;
use super::{ANY, end_reason};
use sansmq::curve::KeyPair;
use sansmq::kind::{Channel, Dealer, Kind, Pair, Router, Zmtp};
use sansmq::proto::entropy::SeededEntropy;
use sansmq::{AuthReply, AuthRequest, AuthStatus, Context, Endpoint, Options, Security};
use sansmq_tests::raw_peer::{close_reason_property, command, frame, greeting, property, ready};
use smol::io::AsyncReadExt;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(super) const ID_TAKEN: &str = "the peer closed the connection: another of its peers has the same routing id as this side; it \
                        accepts this side when that peer is gone";
const PAIR_IN_USE: &str = "the peer closed the connection: it is a PAIR or CHANNEL with another peer; it accepts this \
                           side when that peer is gone";

/// Connects two clients to a server, which refuses the second until the first is gone. The second client has queued 20
/// messages. Checks that the server receives all of them, and that the event of the second client has this reason.
pub(super) async fn refuse_then_accept<S: Kind, C: Zmtp>(
    server: Options<S>,
    client: impl Fn() -> Options<C>,
    (endpoint, reason): (Endpoint, &str),
) {
    let context = Context::new();
    let server = Socket::in_context(&context, server).erase();
    let first = Socket::in_context(&context, client()).erase();
    let endpoint = server.bind(endpoint).await.unwrap();
    first.connect(&endpoint).unwrap();
    first.send("first").await.unwrap();
    assert_eq!(server.recv().await.unwrap().body(), "first");

    let second = Socket::in_context(&context, client().reconnect(SOON, SOON)).erase();
    let mut monitor = second.monitor();
    second.connect(&endpoint).unwrap();
    for number in 0..20 {
        second.send(format!("{number}")).await.unwrap();
    }
    for _ in 0..3 {
        assert_eq!(end_reason(&mut monitor).await.unwrap().to_string(), reason);
    }
    first.close().await;
    for number in 0..20 {
        assert_eq!(server.recv().await.unwrap().body().to_text(), format!("{number}"));
    }
    assert_eq!(second.stats().dropped.iter().count(), 0);
}

fn any() -> Endpoint {
    ANY.parse().unwrap()
}

pub(super) fn named() -> Options<Dealer> {
    Options::<Dealer>::new().routing_id("name").unwrap()
}

#[test]
fn client_with_taken_routing_id_loses_no_message() {
    run(|| async {
        refuse_then_accept(Options::<Router>::new(), named, (any(), ID_TAKEN)).await;
        refuse_then_accept(Options::<Router>::new(), named, (unique_endpoint(), ID_TAKEN)).await;
    });
}

#[test]
fn second_peer_of_a_pair_loses_no_message() {
    run(|| async {
        for endpoint in [any(), unique_endpoint()] {
            let case = (endpoint.clone(), PAIR_IN_USE);
            refuse_then_accept(Options::<Pair>::new(), Options::<Pair>::new, case.clone()).await;
        }
        for endpoint in [any(), unique_endpoint()] {
            let case = (endpoint, PAIR_IN_USE);
            refuse_then_accept(Options::<Channel>::new(), Options::<Channel>::new, case).await;
        }
    });
}

#[test]
fn secured_client_with_taken_id_loses_no_message() {
    run(|| async {
        let accept = |_: &AuthRequest| AuthReply::accept();
        let login = Security::plain_client("ann", "secret").unwrap();
        let server = Options::<Router>::new().security(Security::PlainServer).authenticate(accept);
        refuse_then_accept(server, || named().security(login.clone()), (any(), ID_TAKEN)).await;

        let mut entropy = SeededEntropy::new(1);
        let [server_keys, ann] = [(); 2].map(|()| KeyPair::generate(&mut entropy));
        let login = Security::curve_client(ann, *server_keys.public()).unwrap();
        let server = Options::<Router>::new().security(Security::curve_server(server_keys)).authenticate(accept);
        refuse_then_accept(server, || named().security(login.clone()), (any(), ID_TAKEN)).await;
    });
}

#[test]
fn curve_client_with_wrong_server_key_receives_likely_reason() {
    run(|| async {
        let mut entropy = SeededEntropy::new(1);
        let [server_keys, other, ann] = [(); 3].map(|()| KeyPair::generate(&mut entropy));
        let server = Options::<Router>::new().security(Security::curve_server(server_keys)).any_key();
        let router = Socket::with_options(server);
        let endpoint = router.bind(ANY).await.unwrap();
        let login = Security::curve_client(ann, *other.public()).unwrap();
        let dealer = Socket::with_options(Options::<Dealer>::new().security(login));
        let mut monitor = dealer.monitor();
        dealer.connect(endpoint).unwrap();
        let reason = end_reason(&mut monitor).await.unwrap().to_string();
        assert!(reason.contains("the server key in the options of this side is not its public key"), "{reason}");
    });
}

#[test]
fn curve_client_receives_temporary_denial_as_reason() {
    run(|| async {
        let mut entropy = SeededEntropy::new(1);
        let [server_keys, ann] = [(); 2].map(|()| KeyPair::generate(&mut entropy));
        let login = Security::curve_client(ann, *server_keys.public()).unwrap();
        let calls = AtomicUsize::new(0);
        let first_later = move |_: &AuthRequest| match calls.fetch_add(1, Ordering::SeqCst) {
            0 => AuthReply::Reject(AuthStatus::TemporaryError),
            _ => AuthReply::accept(),
        };
        let security = Security::curve_server(server_keys);
        let router = Socket::with_options(Options::<Router>::new().security(security).authenticate(first_later));
        let dealer = Socket::with_options(Options::<Dealer>::new().security(login).reconnect(SOON, SOON));
        let mut monitor = dealer.monitor();
        dealer.connect(router.bind(ANY).await.unwrap()).unwrap();
        dealer.send("hello").await.unwrap();
        let reason = end_reason(&mut monitor).await.unwrap().to_string();
        assert!(reason.contains("could not decide (status 300)"), "{reason}");
        assert_eq!(router.recv().await.unwrap().body(), "hello");
    });
}

/// A refused peer of another library receives neither READY nor a command that it does not know, so that it keeps its
/// messages. It is refused again and again without an effect on other peers.
#[test]
fn refused_raw_peer_receives_no_ready() {
    run(|| async {
        let router = RouterSocket::new();
        let endpoint = router.bind(ANY).await.unwrap();
        let identity = property("Identity", b"name");
        let hello = |more: &[u8]| [greeting("NULL"), ready("DEALER", &[&identity, more].concat())].concat();
        let mut owner = raw_peer(&endpoint, &[hello(b""), frame(0, b"hi")].concat()).await;
        assert_eq!(router.recv().await.unwrap().body(), "hi");
        let mut monitor = router.monitor();
        for _ in 0..3 {
            for (more, is_told) in
                [(vec![], false), (close_reason_property(), true), (property("Close-Reason", b"2"), false)]
            {
                let mut refused = raw_peer(&endpoint, &hello(&more)).await;
                let mut received = Vec::new();
                refused.read_to_end(&mut received).await.unwrap();
                let sent = received.escape_ascii().to_string();
                assert_eq!(received.ends_with(&command("CLOSE", b"\x10routing-id-taken")), is_told, "{sent}");
                assert!(!sent.contains("READY") && sent.contains("CLOSE") == is_told, "{sent}");
                drop(refused);
                let reason = end_reason(&mut monitor).await.unwrap().to_string();
                assert!(reason.contains("another peer already has this routing id"), "{reason}");
            }
        }
        router.send(["name", "still here"]).await.unwrap();
        read_until(&mut owner, b"still here").await;
        let dealer = DealerSocket::new();
        dealer.connect(&endpoint).unwrap();
        dealer.send("good peer").await.unwrap();
        assert_eq!(router.recv().await.unwrap().body(), "good peer");
    });
}
