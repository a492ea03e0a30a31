//! Who comes in, by NULL and PLAIN, where a function decides.

use super::super::fixture::{DealerSocket, RepSocket, ReqSocket, RouterSocket, Socket, run};
use super::hostile_peers::stranger;
use super::{ANY, yield_now};
use core::future::pending;
use sansmq::kind::{Dealer, Rep, Req, Router};
use sansmq::proto::wire::Metadata;
use sansmq::{
    AuthCredentials, AuthReply, AuthRequest, AuthStatus, Authenticator, ConnectionError, Context, Endpoint, Event,
    Monitor, Options, Peer, RecvError, Security,
};
use sansmq_tests::raw_peer::{command, greeting, opening};
use smol::io::AsyncReadExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// What became of the next peer: who it is, or why it was not let in.
pub(super) async fn outcome(monitor: &mut Monitor) -> Result<Arc<Peer>, ConnectionError> {
    let outcome = monitor.find(|event| match event {
        Event::Ready { peer, .. } => Some(Ok(peer)),
        Event::HandshakeFailed { reason, .. } => Some(Err(reason)),
        _ => None,
    });
    outcome.await.unwrap()
}

/// Why the next handshake failed, and whether it is tried again.
pub(super) async fn failure(monitor: &mut Monitor) -> (ConnectionError, bool) {
    let failure = monitor.find(|event| match event {
        Event::HandshakeFailed { reason, retry, .. } => Some((reason, retry.is_some())),
        _ => None,
    });
    failure.await.unwrap()
}

pub(super) fn refused(status: &'static str) -> ConnectionError {
    ConnectionError::Refused(status.into())
}

/// A REQ that shows this password, and comes again soon if it may.
pub(super) fn user(name: &str, password: &str) -> ReqSocket {
    let login = Security::plain_client(name.to_owned(), password.to_owned()).unwrap();
    Socket::with(Options::<Req>::new().security(login).reconnect(SOON, SOON).unwrap())
}

pub(super) const SOON: Duration = Duration::from_millis(5);

/// A question and its answer.
pub(super) async fn speak(req: &ReqSocket, rep: &RepSocket) {
    req.send("question").await.unwrap();
    assert_eq!(rep.recv().await.unwrap().body(), "question");
    rep.send("answer").await.unwrap();
    assert_eq!(req.recv().await.unwrap().body(), "answer");
}

/// Lets in whose password is `secret`, as a member of a group.
fn decide(request: &AuthRequest) -> AuthReply {
    match &request.credentials {
        AuthCredentials::Plain { username, password } if password == "secret" => AuthReply::Accept {
            user_id: Some(username.clone()),
            properties: Metadata::new().with("Group", "wheel").unwrap(),
        },
        _ => AuthReply::refuse(),
    }
}

#[test]
fn each_message_comes_with_who_sent_it_by_the_word_of_who_let_him_in() {
    run(|| async {
        let options =
            Options::<Router>::new().security(Security::PlainServer).authenticator(Authenticator::new(decide));
        let router = Socket::with(options);
        let endpoint = router.bind(ANY).await.unwrap();
        let users = ["ann", "bob"].map(|name| {
            let login = Security::plain_client(name, "secret").unwrap();
            // What a peer says of itself has no weight.
            let options = Options::<Dealer>::new().security(login).metadata("X-Group", "root").unwrap();
            let dealer = Socket::with(options);
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

/// The same, after a while.
async fn decide_later(request: AuthRequest) -> AuthReply {
    for _ in 0..3 {
        yield_now().await;
    }
    decide(&request)
}

#[test]
fn a_function_and_an_async_one_decide_by_user_and_password() {
    run(|| async {
        for authenticator in [Authenticator::new(decide), Authenticator::later(decide_later)] {
            let options = Options::<Rep>::new().security(Security::PlainServer).authenticator(authenticator);
            let rep = Socket::with(options);
            let endpoint = rep.bind(ANY).await.unwrap();
            let mut doors = rep.monitor();

            let ann = user("ann", "secret");
            ann.connect(&endpoint).unwrap();
            let peer = outcome(&mut doors).await.unwrap();
            assert_eq!(peer.user_id.as_deref(), Some(&b"ann"[..]));
            assert_eq!(peer.properties.get("Group").unwrap(), "wheel");
            speak(&ann, &rep).await;

            let bob = user("bob", "guess");
            let mut story = bob.monitor();
            bob.connect(&endpoint).unwrap();
            assert_eq!(outcome(&mut doors).await, Err(ConnectionError::Denied(AuthStatus::Denied)));
            assert_eq!(failure(&mut story).await, (refused("400"), false), "the same password will not do later");
            speak(&ann, &rep).await;
        }
    });
}

#[test]
fn whoever_decides_is_told_where_a_peer_comes_from_and_what_it_asks_to_join() {
    run(|| async {
        let options = Options::<Rep>::new().zap_domain("global").unwrap().authenticate(|request| {
            assert_eq!(request.credentials, AuthCredentials::Null);
            AuthReply::accept_as(format!("{} at {}", request.domain, request.address))
        });
        let rep = Socket::with(options);
        let mut doors = rep.monitor();
        for (place, user_id) in [(ANY, "global at 127.0.0.1"), ("tcp://[::1]:*", "global at ::1")] {
            let req = ReqSocket::new();
            req.connect(rep.bind(place).await.unwrap()).unwrap();
            assert_eq!(outcome(&mut doors).await.unwrap().user_id.as_deref(), Some(user_id.as_bytes()));
            speak(&req, &rep).await;
        }
    });
}

#[test]
fn a_temporary_refusal_is_tried_again_and_a_final_one_is_not() {
    run(|| async {
        for (denial, status, again) in [
            (AuthStatus::TemporaryError, "300", true),
            (AuthStatus::InternalError, "500", true),
            (AuthStatus::Denied, "400", false),
        ] {
            let asked = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&asked);
            let options =
                Options::<Rep>::new().security(Security::PlainServer).authenticate(move |request| {
                    match decide(request) {
                        AuthReply::Accept { .. } if count.fetch_add(1, Ordering::SeqCst) == 0 => {
                            AuthReply::Refuse(denial)
                        }
                        reply => reply,
                    }
                });
            let rep = Socket::with(options);
            let ann = user("ann", "secret");
            let mut story = ann.monitor();
            ann.connect(rep.bind(ANY).await.unwrap()).unwrap();
            assert_eq!(failure(&mut story).await, (refused(status), again));
            if again {
                speak(&ann, &rep).await;
            }
            assert_eq!(asked.load(Ordering::SeqCst), if again { 2 } else { 1 });
        }
    });
}

#[test]
fn a_refused_peer_is_hung_up_on_at_once_whatever_it_does() {
    run(|| async {
        let refuse = |_: &AuthRequest| AuthReply::refuse();
        let router = Socket::with(Options::<Router>::new().handshake_timeout(None).authenticate(refuse));
        let endpoint = router.bind(ANY).await.unwrap();
        let mut doors = router.monitor();
        for said in [greeting("NULL"), opening("DEALER")] {
            let mut peer = stranger(&endpoint, &said).await;
            assert_eq!(outcome(&mut doors).await, Err(ConnectionError::Denied(AuthStatus::Denied)));
            let mut heard = [0; 64 + 12];
            peer.read_exact(&mut heard).await.unwrap();
            assert_eq!(heard[64..], command("ERROR", b"\x03400"));
            // The end, or a reset if it was hung up on before it had said everything.
            assert_eq!(peer.read(&mut [0]).await.unwrap_or(0), 0);
        }
    });
}

#[test]
fn a_decision_that_does_not_come_means_try_again_later() {
    run(|| async {
        let never = Authenticator::later(|_| pending());
        let options = Options::<Rep>::new().security(Security::PlainServer).authenticator(never);
        let rep = Socket::with(options.auth_timeout(Duration::from_millis(20)).unwrap());
        let ann = user("ann", "secret");
        let (mut story, mut doors) = (ann.monitor(), rep.monitor());
        ann.connect(rep.bind(ANY).await.unwrap()).unwrap();
        assert_eq!(failure(&mut story).await, (refused("300"), true));
        assert_eq!(outcome(&mut doors).await, Err(ConnectionError::Denied(AuthStatus::TemporaryError)));
    });
}

#[test]
fn a_decision_that_nobody_waits_for_any_more_is_dropped_with_no_lock_held() {
    /// What an application's future may do when it is dropped.
    struct Looks(Arc<std::sync::OnceLock<RouterSocket>>);
    impl Drop for Looks {
        fn drop(&mut self) {
            if let Some(router) = self.0.get() {
                router.ready_peers();
            }
        }
    }
    run(|| async {
        let place = Arc::new(std::sync::OnceLock::new());
        let authenticator = Authenticator::later({
            let place = Arc::clone(&place);
            move |_| {
                let looks = Looks(Arc::clone(&place));
                async move {
                    let _looks = looks;
                    pending().await
                }
            }
        });
        let router = Socket::with(Options::<Router>::new().authenticator(authenticator));
        let endpoint = router.bind(ANY).await.unwrap();
        let mut doors = router.monitor();
        assert!(place.set(router.clone()).is_ok());
        drop(stranger(&endpoint, &greeting("NULL")).await);
        assert!(outcome(&mut doors).await.is_err());
        router.close().await;
    });
}

#[test]
fn with_nobody_to_ask_plain_and_a_domain_let_nobody_in_and_null_alone_everybody() {
    run(|| async {
        let context = Context::new();
        let options = || Options::<Rep>::new();
        let plain = Socket::in_context(&context, options().security(Security::PlainServer));
        let endpoint = plain.bind(ANY).await.unwrap();
        let ann = user("ann", "secret");
        let (mut story, mut doors) = (ann.monitor(), plain.monitor());
        ann.connect(&endpoint).unwrap();
        assert_eq!(failure(&mut story).await, (refused("500"), true));
        assert_eq!(outcome(&mut doors).await, Err(ConnectionError::Denied(AuthStatus::InternalError)));

        let domain = Socket::in_context(&context, options().zap_domain("global").unwrap());
        let mut doors = domain.monitor();
        let req = ReqSocket::new();
        req.connect(domain.bind(ANY).await.unwrap()).unwrap();
        assert_eq!(outcome(&mut doors).await, Err(ConnectionError::Denied(AuthStatus::InternalError)));

        let open = Socket::in_context(&context, options());
        let req = ReqSocket::new();
        req.connect(open.bind(ANY).await.unwrap()).unwrap();
        speak(&req, &open).await;
    });
}

#[test]
fn who_dials_asks_too_if_it_has_a_domain() {
    run(|| async {
        let router = RouterSocket::new();
        let endpoint: Endpoint = router.bind(ANY).await.unwrap();
        let options = Options::<Dealer>::new().zap_domain("global").unwrap();
        let dealer: DealerSocket = Socket::in_context(&Context::new(), options);
        let mut story = dealer.monitor();
        dealer.connect(endpoint).unwrap();
        assert_eq!(failure(&mut story).await, (ConnectionError::Denied(AuthStatus::InternalError), false));
    });
}
