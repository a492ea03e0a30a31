//! Tests of the authentication of NULL and PLAIN peers by a function of the application.

use super::super::fixture::{DealerSocket, Monitor, RepSocket, ReqSocket, RouterSocket, Socket, run};
use super::hostile_peers::raw_peer;
use super::{ANY, yield_now};
use core::future::pending;
use futures_util::future::join;
use sansmq::curve::KeyPair;
use sansmq::kind::{Dealer, Rep, Req, Router};
use sansmq::proto::connection::{CloseReason, LikelyReason};
use sansmq::proto::wire::Metadata;
use sansmq::{
    AuthCredentials, AuthReply, AuthRequest, AuthStatus, Authenticator, ConnectionError, Context, Endpoint, Event,
    Options, Peer, RecvError, Security,
};
use sansmq_tests::raw_peer::{command, greeting, greeting_and_ready};
use smol::io::AsyncReadExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Waits until a handshake has succeeded or failed. Returns the peer, or the reason of the failure.
pub(super) async fn outcome(monitor: &mut Monitor) -> Result<Arc<Peer>, ConnectionError> {
    let outcome = monitor.find(|event| match event {
        Event::Ready { peer, .. } => Some(Ok(peer)),
        Event::HandshakeFailed { reason, .. } => Some(Err(reason)),
        _ => None,
    });
    outcome.await.unwrap()
}

/// Waits for a failed handshake. Returns the reason, and true if the socket dials again.
pub(super) async fn handshake_failure(monitor: &mut Monitor) -> (ConnectionError, bool) {
    let failure = monitor.find(|event| match event {
        Event::HandshakeFailed { reason, retry, .. } => Some((reason, retry.is_some())),
        _ => None,
    });
    failure.await.unwrap()
}

pub(super) fn refused(status: &'static str) -> ConnectionError {
    ConnectionError::Refused(status.into())
}

/// Returns the error of a PLAIN client that was refused without a reason: the server cannot send one before it has
/// received the properties of the client.
pub(super) const fn no_reason() -> ConnectionError {
    ConnectionError::ClosedBeforeReady(LikelyReason::Credentials)
}

/// Creates a REQ that authenticates with PLAIN and reconnects after [`SOON`].
pub(super) fn plain_client(name: &str, password: &str) -> ReqSocket {
    let login = Security::plain_client(name.to_owned(), password.to_owned()).unwrap();
    let options = Options::new().security(login).reconnect(SOON, SOON);
    ReqSocket::with_options(options.reconnect_refused(SOON, SOON))
}

/// Returns the settings of a CURVE client and of its server.
pub(super) fn curve() -> (Security, Security) {
    let (server, client) = (KeyPair::random(), KeyPair::random());
    (Security::curve_client(client, *server.public()).unwrap(), Security::curve_server(server))
}

pub(super) const SOON: Duration = Duration::from_millis(5);

/// Exchanges one request and one reply.
pub(super) async fn round_trip(req: &Socket<Req>, rep: &Socket<Rep>) {
    req.send("request").await.unwrap();
    assert_eq!(rep.recv().await.unwrap().body(), "request");
    rep.send("reply").await.unwrap();
    assert_eq!(req.recv().await.unwrap().body(), "reply");
}

/// Authentication function: accepts peers with the password `secret`, with the user name as user id and `Group` as a
/// property. Rejects all other peers.
fn decide(request: &AuthRequest) -> AuthReply {
    match &request.credentials {
        AuthCredentials::Plain { username, password } if password == "secret" => AuthReply::Accept {
            user_id: Some(username.clone()),
            properties: Metadata::new().with("Group", "wheel").unwrap(),
        },
        _ => AuthReply::reject(),
    }
}

#[test]
fn recv_from_returns_peer_as_set_by_authenticator() {
    run(|| async {
        let options =
            Options::<Router>::new().security(Security::PlainServer).authenticator(Authenticator::new(decide));
        let router = Socket::with_options(options);
        let endpoint = router.bind(ANY).await.unwrap();
        let users = ["ann", "bob"].map(|name| {
            let login = Security::plain_client(name, "secret").unwrap();
            // Metadata of the peer must not become a property of the authenticator.
            let options = Options::<Dealer>::new().security(login).metadata("X-Group", "root").unwrap();
            let dealer = Socket::with_options(options);
            dealer.connect(&endpoint).unwrap();
            dealer
        });
        for round in 0..3 {
            for (dealer, name) in users.iter().zip(["ann", "bob"]) {
                dealer.send(format!("{name} {round}")).await.unwrap();
                let (message, peer) = router.recv_from().await.unwrap();
                assert_eq!(message.body(), format!("{name} {round}").as_bytes());
                assert_eq!(peer.user_id.as_deref(), Some(name.as_bytes()));
                assert_eq!(peer.properties.get("Group").unwrap(), "wheel");
                assert_eq!(peer.properties.get("X-Group"), None);
                assert_eq!(peer.metadata.get("X-Group").unwrap(), "root");
            }
        }
        assert_eq!(router.try_recv_from().unwrap_err(), RecvError::Empty);
    });
}

/// Authenticates like [`decide`], but only after a few polls.
async fn decide_later(request: AuthRequest) -> AuthReply {
    for _ in 0..3 {
        yield_now().await;
    }
    decide(&request)
}

#[test]
fn sync_and_async_authenticators_check_password() {
    run(|| async {
        for authenticator in [Authenticator::new(decide), Authenticator::from_async(decide_later)] {
            let options = Options::<Rep>::new().security(Security::PlainServer).authenticator(authenticator);
            let rep = Socket::with_options(options);
            let endpoint = rep.bind(ANY).await.unwrap();
            let mut server_monitor = rep.monitor();

            let ann = plain_client("ann", "secret");
            ann.connect(&endpoint).unwrap();
            let peer = outcome(&mut server_monitor).await.unwrap();
            assert_eq!(peer.user_id.as_deref(), Some(&b"ann"[..]));
            assert_eq!(peer.properties.get("Group").unwrap(), "wheel");
            round_trip(&ann, &rep).await;

            let bob = plain_client("bob", "guess");
            let mut client_monitor = bob.monitor();
            bob.connect(&endpoint).unwrap();
            assert_eq!(outcome(&mut server_monitor).await, Err(ConnectionError::Denied(AuthStatus::Denied)));
            assert_eq!(
                handshake_failure(&mut client_monitor).await,
                (refused("400"), true),
                "the authenticator may accept the password later"
            );
            round_trip(&ann, &rep).await;
        }
    });
}

#[test]
fn authenticator_receives_domain_and_peer_address() {
    run(|| async {
        let options = Options::<Rep>::new().zap_domain("global").unwrap().authenticate(|request| {
            assert_eq!(request.credentials, AuthCredentials::Null);
            AuthReply::accept_as(format!("{} at {}", request.domain, request.address))
        });
        let rep = Socket::with_options(options);
        let mut server_monitor = rep.monitor();
        for (address, user_id) in [(ANY, "global at 127.0.0.1"), ("tcp://[::1]:*", "global at ::1")] {
            let req = ReqSocket::new();
            req.connect(rep.bind(address).await.unwrap()).unwrap();
            assert_eq!(outcome(&mut server_monitor).await.unwrap().user_id.as_deref(), Some(user_id.as_bytes()));
            round_trip(&req, &rep).await;
        }
    });
}

#[test]
fn authenticator_receives_address_of_dialled_peer() {
    run(|| async {
        let options = Options::<Router>::new()
            .zap_domain("global")
            .unwrap()
            .authenticate(|request| AuthReply::accept_as(request.address.clone()));
        let router = Socket::with_options(options);
        let mut server_monitor = router.monitor();
        for (address, expected) in [(ANY, "127.0.0.1"), ("tcp://[::1]:*", "::1")] {
            let dealer = DealerSocket::new();
            router.connect(dealer.bind(address).await.unwrap()).unwrap();
            assert_eq!(outcome(&mut server_monitor).await.unwrap().user_id.as_deref(), Some(expected.as_bytes()));
        }
    });
}

#[test]
fn denied_client_retries_and_is_accepted_later() {
    run(|| async {
        for (denial, reason) in [
            (AuthStatus::TemporaryError, no_reason()),
            (AuthStatus::InternalError, refused("500")),
            (AuthStatus::Denied, refused("400")),
        ] {
            let calls = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&calls);
            let options =
                Options::<Rep>::new().security(Security::PlainServer).authenticate(move |request| {
                    match decide(request) {
                        AuthReply::Accept { .. } if count.fetch_add(1, Ordering::SeqCst) == 0 => {
                            AuthReply::Reject(denial)
                        }
                        reply => reply,
                    }
                });
            let rep = Socket::with_options(options);
            let ann = plain_client("ann", "secret");
            let mut client_monitor = ann.monitor();
            ann.connect(rep.bind(ANY).await.unwrap()).unwrap();
            assert_eq!(handshake_failure(&mut client_monitor).await, (reason, true));
            round_trip(&ann, &rep).await;
            assert_eq!(calls.load(Ordering::SeqCst), 2);
        }
    });
}

#[test]
fn denied_peer_receives_error_and_is_disconnected() {
    run(|| async {
        let refuse = |_: &AuthRequest| AuthReply::reject();
        let router = Socket::with_options(Options::<Router>::new().handshake_timeout(None).authenticate(refuse));
        let endpoint = router.bind(ANY).await.unwrap();
        let mut server_monitor = router.monitor();
        // Both at once: the router waits for a second for the end of the connection, so that the ERROR is not lost.
        let (greeting, hello) = (greeting("NULL"), greeting_and_ready("DEALER"));
        let peers = join(raw_peer(&endpoint, &greeting), raw_peer(&endpoint, &hello)).await;
        for mut peer in [peers.0, peers.1] {
            assert_eq!(outcome(&mut server_monitor).await, Err(ConnectionError::Denied(AuthStatus::Denied)));
            let mut received = [0; 64 + 12];
            peer.read_exact(&mut received).await.unwrap();
            assert_eq!(received[64..], command("ERROR", b"\x03400"));
            // End of stream, or a reset if the router closed before it had read everything.
            assert_eq!(peer.read(&mut [0]).await.unwrap_or(0), 0);
        }
    });
}

/// RFC 37: "An implementation SHOULD signal any other error, e.g. … temporarily refusing connections … by closing the
/// connection." After an ERROR, a libzmq client never connects again.
#[test]
fn temporarily_denied_peer_receives_no_error() {
    run(|| async {
        let calls = AtomicUsize::new(0);
        let first_later = move |_: &AuthRequest| match calls.fetch_add(1, Ordering::SeqCst) {
            0 => AuthReply::Reject(AuthStatus::TemporaryError),
            _ => AuthReply::accept(),
        };
        let rep = Socket::with_options(Options::<Rep>::new().security(Security::PlainServer).authenticate(first_later));
        let endpoint = rep.bind(ANY).await.unwrap();
        let mut server_monitor = rep.monitor();
        assert_plain_peer_is_closed_silently(&endpoint).await;
        assert_eq!(outcome(&mut server_monitor).await, Err(ConnectionError::Denied(AuthStatus::TemporaryError)));

        let ann = plain_client("ann", "secret");
        ann.connect(&endpoint).unwrap();
        round_trip(&ann, &rep).await;
    });
}

#[test]
fn auth_timeout_is_a_temporary_error() {
    run(|| async {
        let never = Authenticator::from_async(|_| pending());
        let options = Options::<Rep>::new().security(Security::PlainServer).authenticator(never);
        let rep = Socket::with_options(options.auth_timeout(Duration::from_millis(20)));
        let ann = plain_client("ann", "secret");
        let (mut client_monitor, mut server_monitor) = (ann.monitor(), rep.monitor());
        ann.connect(rep.bind(ANY).await.unwrap()).unwrap();
        assert_eq!(handshake_failure(&mut client_monitor).await, (no_reason(), true));
        assert_eq!(outcome(&mut server_monitor).await, Err(ConnectionError::Denied(AuthStatus::TemporaryError)));
    });
}

#[test]
fn without_authenticator_only_null_without_domain_accepts() {
    run(|| async {
        let context = Context::new();
        let options = || Options::<Rep>::new();
        let plain = Socket::in_context(&context, options().security(Security::PlainServer));
        let endpoint = plain.bind(ANY).await.unwrap();
        let ann = plain_client("ann", "secret");
        let (mut client_monitor, mut server_monitor) = (ann.monitor(), plain.monitor());
        ann.connect(&endpoint).unwrap();
        assert_eq!(handshake_failure(&mut client_monitor).await, (no_reason(), true));
        assert_eq!(outcome(&mut server_monitor).await, Err(ConnectionError::NoAuthenticator));

        let (login, security) = curve();
        let curve = Socket::in_context(&context, options().security(security));
        let client = Socket::with_options(Options::<Req>::new().security(login));
        let (mut client_monitor, mut server_monitor) = (client.monitor(), curve.monitor());
        client.connect(curve.bind(ANY).await.unwrap()).unwrap();
        let no_authenticator = ConnectionError::ClosedWithReason(CloseReason::AuthTemporaryError);
        assert_eq!(handshake_failure(&mut client_monitor).await, (no_authenticator, true));
        assert_eq!(outcome(&mut server_monitor).await, Err(ConnectionError::NoAuthenticator));

        let domain = Socket::in_context(&context, options().zap_domain("global").unwrap());
        let mut server_monitor = domain.monitor();
        let req = ReqSocket::new();
        req.connect(domain.bind(ANY).await.unwrap()).unwrap();
        assert_eq!(outcome(&mut server_monitor).await, Err(ConnectionError::NoAuthenticator));

        let open = Socket::in_context(&context, options());
        let req = ReqSocket::new();
        req.connect(open.bind(ANY).await.unwrap()).unwrap();
        round_trip(&req, &open).await;
    });
}

#[test]
fn connecting_socket_with_domain_needs_authenticator() {
    run(|| async {
        let router = RouterSocket::new();
        let endpoint: Endpoint = router.bind(ANY).await.unwrap();
        let options = Options::<Dealer>::new().zap_domain("global").unwrap();
        let dealer = DealerSocket::in_context(&Context::new(), options);
        let mut client_monitor = dealer.monitor();
        dealer.connect(endpoint).unwrap();
        assert_eq!(handshake_failure(&mut client_monitor).await, (ConnectionError::NoAuthenticator, true));
    });
}

/// Asserts that the server at `endpoint` sends its greeting to a client of PLAIN, and then only closes the connection.
async fn assert_plain_peer_is_closed_silently(endpoint: &Endpoint) {
    let hello = [greeting("PLAIN"), command("HELLO", b"\x03ann\x06secret")].concat();
    let mut peer = raw_peer(endpoint, &hello).await;
    let mut received = Vec::new();
    peer.read_to_end(&mut received).await.unwrap();
    assert_eq!(received[64..].escape_ascii().to_string(), "");
}

/// RFC 27 lets a handler be bound at any time, and RFC 37 makes ERROR final, so the server only closes the connection.
#[test]
fn peer_of_server_without_authenticator_receives_no_error() {
    run(|| async {
        let options = Options::<Rep>::new().security(Security::PlainServer);
        let rep = RepSocket::in_context(&Context::new(), options);
        let mut server_monitor = rep.monitor();
        let endpoint = rep.bind(ANY).await.unwrap();
        assert_plain_peer_is_closed_silently(&endpoint).await;
        assert_eq!(outcome(&mut server_monitor).await, Err(ConnectionError::NoAuthenticator));
    });
}

/// A PLAIN server has passwords to check, so `any_key` does not open it.
#[test]
fn plain_server_with_any_key_refuses_every_client() {
    run(|| async {
        let options = Options::<Rep>::new().security(Security::PlainServer).any_key();
        let rep = RepSocket::in_context(&Context::new(), options);
        let mut server_monitor = rep.monitor();
        let ann = plain_client("ann", "secret");
        ann.connect(rep.bind(ANY).await.unwrap()).unwrap();
        assert_eq!(outcome(&mut server_monitor).await, Err(ConnectionError::NoAuthenticator));
    });
}
