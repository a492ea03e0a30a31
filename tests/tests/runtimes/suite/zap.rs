//! ZAP handlers: sockets that an application binds to `inproc://zeromq.zap.01`, as it would for libzmq.

use super::super::fixture::{RepSocket, ReqSocket, RouterSocket, Socket, run, spawn};
use super::security::{SOON, failure, outcome, refused, speak, user};
use super::{ANY, ending};
use sansmq::kind::{Dealer, Pair, Pull, Rep, Req, Router};
use sansmq::proto::wire::Metadata;
use sansmq::{
    AuthCredentials, AuthReply, AuthStatus, ConnectionError, Context, Envelope, Event, Frame, Message, Monitor,
    Options, Peer, Security, kind, zap,
};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// A server of PLAIN that has nobody of its own to ask.
fn server(context: &Context) -> RepSocket {
    Socket::in_context(context, Options::<Rep>::new().security(Security::PlainServer))
}

/// A socket for a handler, bound.
async fn handler<T: kind::Kind>(context: &Context, options: Options<T>) -> Socket<T> {
    let handler = Socket::in_context(context, options);
    handler.bind(zap::ENDPOINT).await.unwrap();
    handler
}

/// Lets in whose password is `secret`.
fn decide(request: &zap::Request) -> Message {
    assert_eq!((&*request.auth.domain, &*request.auth.address), ("", "127.0.0.1"));
    match &request.auth.credentials {
        AuthCredentials::Plain { username, password } if password == "secret" => request.reply(&AuthReply::Accept {
            user_id: Some(username.clone()),
            properties: Metadata::new().with("Group", "wheel").unwrap(),
        }),
        _ => request.reply(&AuthReply::refuse()),
    }
}

/// Answers the next question as `answer` has it.
async fn answer_once(handler: &RepSocket, answer: impl FnOnce(&zap::Request) -> Message) {
    let message = handler.recv().await.unwrap();
    handler.send(answer(&zap::Request::read(&message).unwrap())).await.unwrap();
}

/// The next question that a ROUTER receives, and the way back.
async fn question(handler: &RouterSocket) -> (Envelope, zap::Request) {
    let (envelope, message) = Envelope::parse(handler.recv().await.unwrap()).unwrap();
    (envelope, zap::Request::read(&message).unwrap())
}

/// Has a good peer let in and a bad one not.
async fn check(server: &RepSocket) {
    let endpoint = server.bind(ANY).await.unwrap();
    let mut doors = server.monitor();
    let ann = user("ann", "secret");
    ann.connect(&endpoint).unwrap();
    let peer = outcome(&mut doors).await.unwrap();
    assert_eq!(peer.user_id.as_deref(), Some(&b"ann"[..]));
    assert_eq!(peer.properties.get("Group").unwrap(), "wheel");
    speak(&ann, server).await;

    let bob = user("bob", "guess");
    let mut story = bob.monitor();
    bob.connect(&endpoint).unwrap();
    assert_eq!(outcome(&mut doors).await, Err(ConnectionError::Denied(AuthStatus::Denied)));
    assert_eq!(failure(&mut story).await, (refused("400"), false));
    speak(&ann, server).await;
}

#[test]
fn a_rep_decides_who_comes_in() {
    run(|| async {
        let context = Context::new();
        let handler = handler(&context, Options::<Rep>::new()).await;
        let _decides = spawn({
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
fn a_router_decides_who_comes_in() {
    run(|| async {
        let context = Context::new();
        let handler = handler(&context, Options::<Router>::new()).await;
        let _decides = spawn({
            let handler = handler.clone();
            async move {
                loop {
                    let (envelope, request) = question(&handler).await;
                    handler.send(envelope.seal(decide(&request))).await.unwrap();
                }
            }
        });
        check(&server(&context)).await;
    });
}

#[test]
fn by_null_a_handler_is_asked_for_a_domain_alone() {
    run(|| async {
        let context = Context::new();
        let handler = handler(&context, Options::<Rep>::new()).await;
        let open = Socket::in_context(&context, Options::<Rep>::new());
        let req = ReqSocket::new();
        req.connect(open.bind(ANY).await.unwrap()).unwrap();
        speak(&req, &open).await;
        assert!(handler.try_recv().is_err());

        let guarded = Socket::in_context(&context, Options::<Rep>::new().zap_domain("global").unwrap());
        let mut doors = guarded.monitor();
        let req = ReqSocket::new();
        req.connect(guarded.bind(ANY).await.unwrap()).unwrap();
        answer_once(&handler, |request| {
            assert_eq!((&*request.auth.domain, &request.auth.credentials), ("global", &AuthCredentials::Null));
            request.reply(&AuthReply::accept_as("somebody"))
        })
        .await;
        assert_eq!(outcome(&mut doors).await.unwrap().user_id.as_deref(), Some(&b"somebody"[..]));
        speak(&req, &guarded).await;
    });
}

#[test]
fn a_handler_that_comes_late_or_comes_again_is_found() {
    run(|| async {
        let context = Context::new();
        let server = server(&context);
        let endpoint = server.bind(ANY).await.unwrap();
        let ann = user("ann", "secret");
        let mut story = ann.monitor();
        ann.connect(&endpoint).unwrap();
        assert_eq!(failure(&mut story).await, (refused("500"), true));
        for _ in 0..3 {
            let handler = handler(&context, Options::<Rep>::new()).await;
            answer_once(&handler, decide).await;
            speak(&ann, &server).await;
            handler.close().await;
            let bob = user("bob", "secret");
            let mut story = bob.monitor();
            bob.connect(&endpoint).unwrap();
            assert_eq!(failure(&mut story).await, (refused("500"), true));
            bob.close().await;
            ann.disconnect(&endpoint).unwrap();
            ann.connect(&endpoint).unwrap();
        }
    });
}

/// What becomes of a peer about whom the handler says that.
async fn verdict_on(answer: impl FnOnce(&zap::Request) -> Message) -> Result<Arc<Peer>, ConnectionError> {
    let context = Context::new();
    let (handler, server) = (handler(&context, Options::<Rep>::new()).await, server(&context));
    let mut doors = server.monitor();
    let ann = user("ann", "secret");
    ann.connect(server.bind(ANY).await.unwrap()).unwrap();
    answer_once(&handler, answer).await;
    outcome(&mut doors).await
}

#[test]
fn a_reply_that_makes_no_sense_lets_nobody_in() {
    /// The reply to let the peer in, with one frame changed.
    fn with(at: usize, frame: &'static [u8]) -> impl FnOnce(&zap::Request) -> Message {
        move |request| {
            let frames = request.reply(&AuthReply::accept()).into_frames().into_iter().enumerate();
            Message::from_frames(frames.map(|(place, old)| if place == at { frame.into() } else { old })).unwrap()
        }
    }
    run(|| async {
        assert!(verdict_on(with(3, b"another text")).await.is_ok());
        let failed = Err(ConnectionError::Denied(AuthStatus::InternalError));
        assert_eq!(verdict_on(with(0, b"2.0")).await, failed);
        assert_eq!(verdict_on(with(1, b"another request")).await, failed);
        assert_eq!(verdict_on(with(2, b"250")).await, failed);
        assert_eq!(verdict_on(with(5, b"\x05Group\0\0\0\xffwheel")).await, failed);
        assert_eq!(verdict_on(|_| "what?".into()).await, failed);
        assert_eq!(
            verdict_on(|request| [Message::from(""), request.reply(&AuthReply::accept())].concatenated()).await,
            failed
        );
        for denial in [AuthStatus::TemporaryError, AuthStatus::Denied, AuthStatus::InternalError] {
            let said = verdict_on(|request| request.reply(&AuthReply::Refuse(denial))).await;
            assert_eq!(said, Err(ConnectionError::Denied(denial)));
        }
    });
}

trait Concatenated {
    fn concatenated(self) -> Message;
}

impl Concatenated for [Message; 2] {
    /// One message of the frames of two.
    fn concatenated(self) -> Message {
        Message::from_frames(self.into_iter().flatten()).unwrap()
    }
}

/// What becomes of a peer while a socket of that type is bound where a handler should be.
async fn verdict_with<T: kind::Kind>(options: Options<T>) -> Result<Arc<Peer>, ConnectionError> {
    let context = Context::new();
    let (_handler, server) = (handler(&context, options).await, server(&context));
    let mut doors = server.monitor();
    let ann = user("ann", "secret");
    ann.connect(server.bind(ANY).await.unwrap()).unwrap();
    outcome(&mut doors).await
}

#[test]
fn a_socket_that_cannot_be_a_handler_lets_nobody_in() {
    run(|| async {
        let failed = Err(ConnectionError::Denied(AuthStatus::InternalError));
        assert_eq!(verdict_with(Options::<Pull>::new()).await, failed);
        assert_eq!(verdict_with(Options::<Pair>::new()).await, failed);
        assert_eq!(verdict_with(Options::<Dealer>::new()).await, failed);
    });
}

#[test]
fn a_handler_that_goes_without_an_answer_lets_nobody_in() {
    run(|| async {
        let context = Context::new();
        let (handler, server) = (handler(&context, Options::<Router>::new()).await, server(&context));
        let mut doors = server.monitor();
        let ann = user("ann", "secret");
        ann.connect(server.bind(ANY).await.unwrap()).unwrap();
        question(&handler).await;
        handler.close().await;
        assert_eq!(outcome(&mut doors).await, Err(ConnectionError::Denied(AuthStatus::InternalError)));
    });
}

#[test]
fn a_handler_that_does_not_answer_means_try_again_later() {
    run(|| async {
        let context = Context::new();
        let _silent = handler(&context, Options::<Rep>::new()).await;
        let options = Options::<Rep>::new().security(Security::PlainServer);
        let server = Socket::in_context(&context, options.auth_timeout(Duration::from_millis(20)).unwrap());
        let ann = user("ann", "secret");
        let mut story = ann.monitor();
        ann.connect(server.bind(ANY).await.unwrap()).unwrap();
        assert_eq!(failure(&mut story).await, (refused("300"), true));
    });
}

/// The names that a context knows, and those looked for in it.
fn names(context: &Context) -> String {
    format!("{context:?}")
}

#[test]
fn a_peer_that_goes_takes_its_question_with_it() {
    run(|| async {
        let context = Context::new();
        let (handler, server) = (handler(&context, Options::<Router>::new()).await, server(&context));
        let (mut visitors, mut doors) = (handler.monitor(), server.monitor());
        let before = names(&context);
        let ann = user("ann", "secret");
        ann.connect(server.bind(ANY).await.unwrap()).unwrap();
        let (envelope, request) = question(&handler).await;
        ann.close().await;
        assert!(matches!(outcome(&mut doors).await, Err(ConnectionError::Eof | ConnectionError::Network(_))));
        assert_eq!(ending(&mut visitors).await, Some(ConnectionError::Eof));
        assert_eq!((handler.ready_peers(), names(&context)), (0, before));
        // A late answer is for nobody.
        handler.send(envelope.seal(decide(&request))).await.unwrap();
    });
}

/// The name and the user id of the next one who comes in.
async fn newcomer(monitor: &mut Monitor) -> (Frame, Frame) {
    let newcomer = monitor.find(|event| match event {
        Event::Ready { routing_id, peer, .. } => Some((routing_id, peer.user_id.clone().unwrap().into())),
        _ => None,
    });
    newcomer.await.unwrap()
}

#[test]
fn of_many_at_once_each_has_its_own_answer_in_whatever_order_they_come() {
    const MANY: usize = 100;
    run(|| async {
        let context = Context::new();
        let handler = handler(&context, Options::<Router>::new()).await;
        let server = Socket::in_context(&context, Options::<Router>::new().security(Security::PlainServer));
        let mut doors = server.monitor();
        let endpoint = server.bind(ANY).await.unwrap();
        let mut users = Vec::new();
        for number in 0..MANY {
            let login = Security::plain_client(format!("user {number}"), "secret").unwrap();
            let options = Options::<Req>::new().security(login).routing_id(format!("user {number}")).unwrap();
            let req = Socket::with(options.reconnect(SOON, SOON).unwrap());
            req.connect(&endpoint).unwrap();
            users.push(req);
        }
        let mut questions = Vec::new();
        for _ in 0..MANY {
            questions.push(question(&handler).await);
        }
        assert_eq!(questions.iter().map(|(_, request)| request.id.clone()).collect::<BTreeSet<_>>().len(), MANY);
        while let Some((envelope, request)) = questions.pop() {
            handler.send(envelope.seal(decide(&request))).await.unwrap();
        }
        for _ in 0..MANY {
            let (name, user_id) = newcomer(&mut doors).await;
            assert_eq!(name, user_id);
        }
    });
}

#[test]
fn sockets_that_share_a_port_share_the_handler() {
    run(|| async {
        let context = Context::new();
        let handler = handler(&context, Options::<Rep>::new()).await;
        let (one, two) = (server(&context), server(&context));
        let first = one.bind("tcp://127.0.0.1:*/one").await.unwrap();
        let second = two.bind(first.to_string().replace("/one", "/two")).await.unwrap();
        for (endpoint, server) in [(first, one), (second, two)] {
            let ann = user("ann", "secret");
            ann.connect(&endpoint).unwrap();
            answer_once(&handler, decide).await;
            speak(&ann, &server).await;
        }
    });
}
