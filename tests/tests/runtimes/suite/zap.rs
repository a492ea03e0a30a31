//! Tests of ZAP handlers (RFC 27): sockets that an application binds to `inproc://zeromq.zap.01`, as with libzmq.

use super::super::fixture::{Monitor, RepSocket, ReqSocket, Socket, run, spawn};
use super::security::{SOON, curve, handshake_failure, no_reason, outcome, plain_client, refused, round_trip};
use super::{ANY, end_reason, free_endpoint};
use sansmq::kind::{Dealer, Pair, Pull, Rep, Req, Router};
use sansmq::proto::connection::CloseReason;
use sansmq::proto::wire::Metadata;
use sansmq::{
    AuthCredentials, AuthReply, AuthStatus, ConnectionError, Context, Endpoint, Envelope, Event, Frame, Message,
    Options, Peer, Security, kind, zap,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Creates a PLAIN server without an authenticator of its own, so that a ZAP handler in `context` authenticates its
/// peers.
fn server(context: &Context) -> RepSocket {
    RepSocket::in_context(context, Options::new().security(Security::PlainServer))
}

/// Creates a ZAP handler: a socket that is bound to the endpoint of ZAP handlers.
async fn handler<T: kind::Kind>(context: &Context, options: Options<T>) -> Socket<T> {
    let handler = Socket::in_context(context, options);
    handler.bind(zap::ENDPOINT).await.unwrap();
    handler
}

/// Returns the reply to a ZAP request: accepts peers with the password `secret`, and rejects all others.
fn decide(request: &zap::Request) -> Message {
    assert_eq!((&*request.auth.domain, &*request.auth.address), ("", "127.0.0.1"));
    match &request.auth.credentials {
        AuthCredentials::Plain { username, password } if password == "secret" => request.reply(&AuthReply::Accept {
            user_id: Some(username.clone()),
            properties: Metadata::new().with("Group", "wheel").unwrap(),
        }),
        _ => request.reply(&AuthReply::reject()),
    }
}

/// Receives a ZAP request and sends the reply that `answer` returns.
async fn answer_once(handler: &Socket<Rep>, answer: impl FnOnce(&zap::Request) -> Message) {
    let message = handler.recv().await.unwrap();
    handler.send(answer(&zap::Request::read(&message).unwrap())).await.unwrap();
}

/// Receives a ZAP request at a ROUTER. Returns the envelope, which the reply needs, and the request.
async fn recv_request(handler: &Socket<Router>) -> (Envelope, zap::Request) {
    let (envelope, message) = Envelope::parse(handler.recv().await.unwrap()).unwrap();
    (envelope, zap::Request::read(&message).unwrap())
}

/// Asserts that the server accepts a peer with the right password and rejects a peer with a wrong one.
async fn check(server: &Socket<Rep>) {
    let endpoint = server.bind(ANY).await.unwrap();
    let mut server_monitor = server.monitor();
    let ann = plain_client("ann", "secret");
    ann.connect(&endpoint).unwrap();
    let peer = outcome(&mut server_monitor).await.unwrap();
    assert_eq!(peer.user_id.as_deref(), Some(&b"ann"[..]));
    assert_eq!(peer.properties.get("Group").unwrap(), "wheel");
    round_trip(&ann, server).await;

    let bob = plain_client("bob", "guess");
    let mut monitor = bob.monitor();
    bob.connect(&endpoint).unwrap();
    assert_eq!(outcome(&mut server_monitor).await, Err(ConnectionError::Denied(AuthStatus::Denied)));
    assert_eq!(handshake_failure(&mut monitor).await, (refused("400"), true));
    round_trip(&ann, server).await;
}

#[test]
fn rep_handler_accepts_and_rejects_peers() {
    run(|| async {
        let context = Context::new();
        let handler = handler(&context, Options::<Rep>::new()).await;
        let _handler_task = spawn({
            let handler = handler.clone();
            async move {
                loop {
                    answer_once(&handler, decide).await;
                }
            }
        });
        check(&server(&context)).await;
    });
}

#[test]
fn router_handler_accepts_and_rejects_peers() {
    run(|| async {
        let context = Context::new();
        let handler = handler(&context, Options::<Router>::new()).await;
        let _handler_task = spawn({
            let handler = handler.clone();
            async move {
                loop {
                    let (envelope, request) = recv_request(&handler).await;
                    handler.send(envelope.seal(decide(&request))).await.unwrap();
                }
            }
        });
        check(&server(&context)).await;
    });
}

#[test]
fn null_peers_are_authenticated_only_with_domain() {
    run(|| async {
        let context = Context::new();
        let handler = handler(&context, Options::<Rep>::new()).await;
        let without_domain = Socket::in_context(&context, Options::<Rep>::new());
        let req = ReqSocket::new();
        req.connect(without_domain.bind(ANY).await.unwrap()).unwrap();
        round_trip(&req, &without_domain).await;
        assert!(handler.try_recv().is_err());

        let with_domain = Socket::in_context(&context, Options::<Rep>::new().zap_domain("global").unwrap());
        let mut server_monitor = with_domain.monitor();
        let req = ReqSocket::new();
        req.connect(with_domain.bind(ANY).await.unwrap()).unwrap();
        answer_once(&handler, |request| {
            assert_eq!((&*request.auth.domain, &request.auth.credentials), ("global", &AuthCredentials::Null));
            request.reply(&AuthReply::accept_as("client"))
        })
        .await;
        assert_eq!(outcome(&mut server_monitor).await.unwrap().user_id.as_deref(), Some(&b"client"[..]));
        round_trip(&req, &with_domain).await;
    });
}

#[test]
fn handler_bound_late_or_again_is_used() {
    run(|| async {
        let context = Context::new();
        let server = server(&context);
        let endpoint = server.bind(ANY).await.unwrap();
        let ann = plain_client("ann", "secret");
        let mut monitor = ann.monitor();
        ann.connect(&endpoint).unwrap();
        assert_eq!(handshake_failure(&mut monitor).await, (no_reason(), true));
        for _ in 0..3 {
            let handler = handler(&context, Options::<Rep>::new()).await;
            answer_once(&handler, decide).await;
            round_trip(&ann, &server).await;
            handler.close().await;
            let bob = plain_client("bob", "secret");
            let mut monitor = bob.monitor();
            bob.connect(&endpoint).unwrap();
            assert_eq!(handshake_failure(&mut monitor).await, (no_reason(), true));
            bob.close().await;
            ann.disconnect(&endpoint).unwrap();
            ann.connect(&endpoint).unwrap();
        }
    });
}

/// Checks that the socket `server` refuses a client with the settings `login` until a handler is bound in `context`, and
/// refuses the next client when this handler is closed.
async fn check_handler_is_needed(context: &Context, server: &Socket<Rep>, endpoint: &Endpoint, login: &Security) {
    let refused_client = async || {
        let options = Options::<Req>::new().security(login.clone()).reconnect(SOON, SOON);
        let client = ReqSocket::with_options(options);
        let mut monitor = client.monitor();
        client.connect(endpoint).unwrap();
        for _ in 0..2 {
            let (reason, is_retried) = handshake_failure(&mut monitor).await;
            let closed = ConnectionError::ClosedWithReason(CloseReason::AuthTemporaryError);
            assert!(is_retried && (reason == no_reason() || reason == closed), "{reason}");
        }
        client
    };
    let first = refused_client().await;
    let handler = handler(context, Options::<Rep>::new()).await;
    answer_once(&handler, |request| request.reply(&AuthReply::accept())).await;
    round_trip(&first, server).await;
    handler.close().await;
    let second = refused_client().await;
    round_trip(&first, server).await;
    second.close().await;
}

#[test]
fn clients_are_admitted_only_while_a_handler_is_bound() {
    run(|| async {
        let plain = (Security::plain_client("ann", "secret").unwrap(), Security::PlainServer);
        for (login, security) in [plain, curve()] {
            let context = Context::new();
            let server = || Socket::in_context(&context, Options::<Rep>::new().security(security.clone()));
            let alone = server();
            let endpoint = alone.bind(ANY).await.unwrap();
            check_handler_is_needed(&context, &alone, &endpoint, &login).await;

            let sharing = [server(), server()];
            let first = sharing[0].bind("tcp://127.0.0.1:*/one").await.unwrap();
            let second = sharing[1].bind(first.to_string().replace("/one", "/two")).await.unwrap();
            check_handler_is_needed(&context, &sharing[0], &first, &login).await;
            check_handler_is_needed(&context, &sharing[1], &second, &login).await;
        }
    });
}

#[test]
fn server_that_dials_needs_a_handler() {
    run(|| async {
        for (login, security) in [(Security::plain_client("ann", "secret").unwrap(), Security::PlainServer), curve()] {
            let context = Context::new();
            let req = ReqSocket::with_options(Options::<Req>::new().security(login));
            let options = Options::<Rep>::new().security(security).reconnect(SOON, SOON);
            let server = Socket::in_context(&context, options);
            let mut server_monitor = server.monitor();
            server.connect(req.bind(ANY).await.unwrap()).unwrap();
            for _ in 0..2 {
                assert_eq!(handshake_failure(&mut server_monitor).await, (ConnectionError::NoAuthenticator, true));
            }
            let handler = handler(&context, Options::<Rep>::new()).await;
            answer_once(&handler, |request| request.reply(&AuthReply::accept())).await;
            round_trip(&req, &server).await;
        }
    });
}

/// Returns the outcome of the handshake of a PLAIN client, when the ZAP handler replies with the message that `answer`
/// returns.
async fn outcome_of_reply(answer: impl FnOnce(&zap::Request) -> Message) -> Result<Arc<Peer>, ConnectionError> {
    let context = Context::new();
    let (handler, server) = (handler(&context, Options::<Rep>::new()).await, server(&context));
    let mut server_monitor = server.monitor();
    let ann = plain_client("ann", "secret");
    ann.connect(server.bind(ANY).await.unwrap()).unwrap();
    answer_once(&handler, answer).await;
    outcome(&mut server_monitor).await
}

#[test]
fn invalid_zap_reply_rejects_peer() {
    /// Returns a function that builds the reply to a ZAP request. The reply is one that accepts the peer, but with
    /// `frame` in place of its frame at the index `at`.
    fn with_frame(at: usize, frame: &'static [u8]) -> impl FnOnce(&zap::Request) -> Message {
        move |request| {
            let frames = request.reply(&AuthReply::accept()).into_frames().into_iter().enumerate();
            Message::from_frames(frames.map(|(index, old)| if index == at { frame.into() } else { old })).unwrap()
        }
    }
    run(|| async {
        assert!(outcome_of_reply(with_frame(3, b"another text")).await.is_ok());
        let failed = Err(ConnectionError::Denied(AuthStatus::InternalError));
        assert_eq!(outcome_of_reply(with_frame(0, b"2.0")).await, failed);
        assert_eq!(outcome_of_reply(with_frame(1, b"another request")).await, failed);
        assert_eq!(outcome_of_reply(with_frame(2, b"250")).await, failed);
        assert_eq!(outcome_of_reply(with_frame(5, b"\x05Group\0\0\0\xffwheel")).await, failed);
        assert_eq!(outcome_of_reply(|_| "no reply".into()).await, failed);
        assert_eq!(
            outcome_of_reply(|request| [Message::from(""), request.reply(&AuthReply::accept())].concatenated()).await,
            failed
        );
        for denial in [AuthStatus::TemporaryError, AuthStatus::Denied, AuthStatus::InternalError] {
            let result = outcome_of_reply(|request| request.reply(&AuthReply::Reject(denial))).await;
            assert_eq!(result, Err(ConnectionError::Denied(denial)));
        }
    });
}

trait Concatenated {
    fn concatenated(self) -> Message;
}

impl Concatenated for [Message; 2] {
    /// Returns one message: the frames of the first message, followed by the frames of the second.
    fn concatenated(self) -> Message {
        Message::from_frames(self.into_iter().flatten()).unwrap()
    }
}

/// Returns the outcome of the handshake of a PLAIN client, while a socket with `options` is bound to the endpoint of
/// ZAP handlers.
async fn outcome_with_handler<T: kind::Kind>(options: Options<T>) -> Result<Arc<Peer>, ConnectionError> {
    let context = Context::new();
    let (_handler, server) = (handler(&context, options).await, server(&context));
    let mut server_monitor = server.monitor();
    let ann = plain_client("ann", "secret");
    ann.connect(server.bind(ANY).await.unwrap()).unwrap();
    outcome(&mut server_monitor).await
}

#[test]
fn handler_of_wrong_socket_type_rejects_peer() {
    run(|| async {
        let failed = Err(ConnectionError::Denied(AuthStatus::InternalError));
        assert_eq!(outcome_with_handler(Options::<Pull>::new()).await, failed);
        assert_eq!(outcome_with_handler(Options::<Pair>::new()).await, failed);
        assert_eq!(outcome_with_handler(Options::<Dealer>::new()).await, failed);
    });
}

#[test]
fn handler_closed_before_reply_is_a_temporary_error() {
    run(|| async {
        let context = Context::new();
        let (handler, server) = (handler(&context, Options::<Router>::new()).await, server(&context));
        let mut server_monitor = server.monitor();
        let ann = plain_client("ann", "secret");
        ann.connect(server.bind(ANY).await.unwrap()).unwrap();
        recv_request(&handler).await;
        handler.close().await;
        assert_eq!(outcome(&mut server_monitor).await, Err(ConnectionError::Denied(AuthStatus::TemporaryError)));
    });
}

#[test]
fn silent_handler_causes_temporary_error() {
    run(|| async {
        let context = Context::new();
        let _silent = handler(&context, Options::<Rep>::new()).await;
        let options = Options::<Rep>::new().security(Security::PlainServer);
        let server = Socket::in_context(&context, options.auth_timeout(Duration::from_millis(20)));
        let ann = plain_client("ann", "secret");
        let mut monitor = ann.monitor();
        ann.connect(server.bind(ANY).await.unwrap()).unwrap();
        assert_eq!(handshake_failure(&mut monitor).await, (no_reason(), true));
    });
}

/// Returns the `inproc` names in a context as text: names that are bound, and names to which sockets wait to connect.
fn names(context: &Context) -> String {
    format!("{context:?}")
}

#[test]
fn disconnect_cancels_pending_zap_request() {
    run(|| async {
        let context = Context::new();
        let (handler, server) = (handler(&context, Options::<Router>::new()).await, server(&context));
        let (mut handler_monitor, mut server_monitor) = (handler.monitor(), server.monitor());
        let before = names(&context);
        let ann = plain_client("ann", "secret");
        ann.connect(server.bind(ANY).await.unwrap()).unwrap();
        let (envelope, request) = recv_request(&handler).await;
        ann.close().await;
        assert!(matches!(
            outcome(&mut server_monitor).await,
            Err(ConnectionError::PeerClosed | ConnectionError::Network(_))
        ));
        assert_eq!(end_reason(&mut handler_monitor).await, Some(ConnectionError::PeerClosed));
        assert_eq!((handler.ready_peers(), names(&context)), (0, before));
        // A late reply is dropped.
        handler.send(envelope.seal(decide(&request))).await.unwrap();
    });
}

/// Waits for a finished handshake; returns the routing id and the user id of the peer.
async fn next_ready(monitor: &mut Monitor) -> (Frame, Frame) {
    let ready = monitor.find(|event| match event {
        Event::Ready { routing_id, peer, .. } => Some((routing_id, peer.user_id.clone().unwrap().into())),
        _ => None,
    });
    ready.await.unwrap()
}

#[test]
fn concurrent_zap_replies_match_requests_in_any_order() {
    const MANY: usize = 100;
    run(|| async {
        let context = Context::new();
        let handler = handler(&context, Options::<Router>::new()).await;
        let server = Socket::in_context(&context, Options::<Router>::new().security(Security::PlainServer));
        let mut server_monitor = server.monitor();
        let endpoint = server.bind(ANY).await.unwrap();
        let mut users = Vec::new();
        for number in 0..MANY {
            let login = Security::plain_client(format!("user {number}"), "secret").unwrap();
            let options = Options::<Req>::new().security(login).routing_id(format!("user {number}")).unwrap();
            let req = Socket::with_options(options.reconnect(SOON, SOON));
            req.connect(&endpoint).unwrap();
            users.push(req);
        }
        let mut requests = Vec::new();
        for _ in 0..MANY {
            requests.push(recv_request(&handler).await);
        }
        assert_eq!(requests.iter().map(|(_, request)| request.id.clone()).collect::<BTreeSet<_>>().len(), MANY);
        while let Some((envelope, request)) = requests.pop() {
            handler.send(envelope.seal(decide(&request))).await.unwrap();
        }
        for _ in 0..MANY {
            let (routing_id, user_id) = next_ready(&mut server_monitor).await;
            assert_eq!(routing_id, user_id);
        }
    });
}

#[test]
fn sockets_sharing_a_port_share_the_handler() {
    run(|| async {
        let context = Context::new();
        let handler = handler(&context, Options::<Rep>::new()).await;
        let (one, two) = (server(&context), server(&context));
        let first = one.bind("tcp://127.0.0.1:*/one").await.unwrap();
        let second = two.bind(first.to_string().replace("/one", "/two")).await.unwrap();
        for (endpoint, server) in [(first, one), (second, two)] {
            let ann = plain_client("ann", "secret");
            ann.connect(&endpoint).unwrap();
            answer_once(&handler, decide).await;
            round_trip(&ann, &server).await;
        }
    });
}

#[test]
fn curve_server_with_any_key_admits_unknown_client() {
    run(|| async {
        let (login, security) = curve();
        let context = Context::new();
        let rep = Socket::in_context(&context, Options::<Rep>::new().security(security).any_key());
        let mut server_monitor = rep.monitor();
        let endpoint = rep.bind(ANY).await.unwrap();
        let req = Socket::with_options(Options::<Req>::new().security(login.clone()));
        req.connect(&endpoint).unwrap();
        round_trip(&req, &rep).await;
        // The option, and not a handler, decides: the request of the second client would get no answer.
        let handler = Socket::in_context(&context, Options::<Rep>::new());
        handler.bind(zap::ENDPOINT).await.unwrap();
        let req = Socket::with_options(Options::<Req>::new().security(login));
        req.connect(&endpoint).unwrap();
        round_trip(&req, &rep).await;
        rep.close().await;
        let warned = server_monitor.find(|event| matches!(event, Event::NoAuthenticator { .. }).then_some(()));
        assert_eq!(warned.await, None);
    });
}

#[test]
fn domain_that_is_not_enforced_admits_peers_until_a_handler_is_bound() {
    run(|| async {
        let (login, security) = curve();
        for (login, security) in [(Security::Null, Security::Null), (login, security)] {
            let context = Context::new();
            let options =
                Options::<Rep>::new().security(security).zap_domain("global").unwrap().enforce_zap_domain(false);
            let rep = Socket::in_context(&context, options);
            let mut server_monitor = rep.monitor();
            let endpoint = rep.bind(ANY).await.unwrap();
            let client = || {
                let req = Socket::with_options(Options::<Req>::new().security(login.clone()));
                req.connect(&endpoint).unwrap();
                req
            };
            round_trip(&client(), &rep).await;
            assert!(outcome(&mut server_monitor).await.is_ok());

            let handler = handler(&context, Options::<Rep>::new()).await;
            let _rejected = client();
            answer_once(&handler, |request| request.reply(&AuthReply::reject())).await;
            assert_eq!(outcome(&mut server_monitor).await, Err(ConnectionError::Denied(AuthStatus::Denied)));
        }

        let plain = Options::<Rep>::new().security(Security::PlainServer).enforce_zap_domain(false);
        let rep = Socket::in_context(&Context::new(), plain);
        let mut server_monitor = rep.monitor();
        let ann = plain_client("ann", "secret");
        ann.connect(rep.bind(ANY).await.unwrap()).unwrap();
        assert_eq!(outcome(&mut server_monitor).await, Err(ConnectionError::NoAuthenticator), "PLAIN needs a handler");
    });
}

#[test]
fn server_without_authenticator_emits_event_per_endpoint() {
    run(|| async {
        for security in [Security::PlainServer, curve().1] {
            let context = Context::new();
            let options = Options::<Rep>::new().security(security);
            let rep = RepSocket::in_context(&context, options);
            let mut monitor = rep.monitor();
            let bound = rep.bind(ANY).await.unwrap();
            let dialled: Endpoint = free_endpoint().await;
            rep.connect(&dialled).unwrap();
            rep.bind("inproc://no handshake").await.unwrap();
            rep.close().await;
            let mut endpoints = Vec::new();
            while let Some(event) = monitor.next().await {
                if let Event::NoAuthenticator { endpoint } = event {
                    endpoints.push(endpoint);
                }
            }
            assert_eq!(endpoints, [bound, dialled]);
        }
    });
}

/// Connections over `inproc` do not leave the process, and have no handshake.
#[test]
fn curve_server_without_authenticator_serves_inproc() {
    run(|| async {
        let (login, security) = curve();
        let context = Context::new();
        let rep = Socket::in_context(&context, Options::<Rep>::new().security(security));
        let req = Socket::in_context(&context, Options::<Req>::new().security(login));
        rep.bind("inproc://no handshake").await.unwrap();
        req.connect("inproc://no handshake").unwrap();
        round_trip(&req, &rep).await;
    });
}
