//! Tests of sockets with a type that is known only at run time, and of options that change on a live socket.

use super::super::fixture::{DealerSocket, PullSocket, PushSocket, RouterSocket, Socket, run};
use super::ANY;
use futures_util::StreamExt;
use sansmq::proto::kind::{Pub, Sub};
use sansmq::proto::socket::JoinError;
use sansmq::{
    ConnectError, Error, Options, OptionsError, RecvError, SendError, SetOptionsError, SocketOption, SocketType,
    SubscribeError, UnbindError, WaitSubscribedError,
};

#[test]
fn dynamic_sockets_exchange_messages_with_options_by_name() {
    run(|| async {
        let options = |socket_type, option| Options::of(socket_type).set(option);
        let router = Socket::with_options(options(SocketType::Router, SocketOption::Mandatory(true)).unwrap());
        let endpoint = router.bind(ANY).await.unwrap();
        let dealer = Socket::with_options(options(SocketType::Dealer, SocketOption::RoutingId("ann".into())).unwrap());
        dealer.connect(&endpoint).unwrap();
        dealer.send("hello").await.unwrap();
        let [id, body] = router.recv().await.unwrap().into_array().unwrap();
        assert_eq!((&*id, &*body), (&b"ann"[..], &b"hello"[..]));
        assert!(matches!(router.send(["bob", "x"]).await, Err(SendError::Unroutable(_))));
        assert_eq!((router.socket_type(), dealer.socket_type()), (SocketType::Router, SocketType::Dealer));
    });
}

#[test]
fn calls_that_a_type_does_not_have_are_errors_that_name_it() {
    run(|| async {
        for socket_type in SocketType::ALL {
            let socket = Socket::with_options(Options::of(socket_type).linger(std::time::Duration::ZERO));
            let sent = socket.try_send("a");
            assert_eq!(matches!(sent, Err(SendError::Unsupported(..))), !socket_type.can_send(), "{socket_type}");
            let received = socket.try_recv();
            assert_eq!(
                matches!(received, Err(RecvError::Unsupported(_))),
                !socket_type.can_receive(),
                "{socket_type}: {received:?}"
            );
            let is = |types: &[SocketType]| types.contains(&socket_type);
            let error = socket.subscribe("topic").err();
            let subscribes = is(&[SocketType::Sub, SocketType::XSub]);
            // An XPUB subscribes for a peer, with the option `manual`.
            assert_eq!(matches!(error, Some(SubscribeError::Unsupported(_))), !subscribes, "{socket_type}: {error:?}");
            let error = socket.join("group").err();
            assert_eq!(matches!(error, Some(JoinError::Unsupported(_))), !is(&[SocketType::Dish]), "{socket_type}");
            let error = socket.connect_as("tcp://127.0.0.1:1", "id").err();
            let routes = is(&[SocketType::Router, SocketType::Stream]);
            assert_eq!(matches!(error, Some(ConnectError::Unsupported(..))), !routes, "{socket_type}: {error:?}");
            let error = socket.connect_peer("tcp://127.0.0.1:1").err();
            let connects = is(&[SocketType::Peer]);
            assert_eq!(matches!(error, Some(ConnectError::Unsupported(..))), !connects, "{socket_type}: {error:?}");
            let assigns = is(&[SocketType::Server, SocketType::Peer]);
            let error = socket.disconnect_peer("none").unwrap_err();
            assert_eq!(matches!(error, UnbindError::UnknownPeer(_)), assigns, "{socket_type}: {error}");
            let waited = socket.wait_subscribed("topic", 0).await.err();
            let unsupported = WaitSubscribedError::Unsupported(socket_type);
            assert_eq!(waited, (!socket_type.publishes()).then_some(unsupported), "{socket_type}");
            let expected = if assigns { "routing id" } else { socket_type.name() };
            assert!(Error::from(error).to_string().contains(expected));
        }
    });
}

/// A wait for a call that can only fail completes at once, so that the program gets the error.
#[test]
fn waits_complete_where_the_socket_type_lacks_the_call() {
    run(|| async {
        let of = |socket_type| Socket::with_options(Options::of(socket_type));
        for socket_type in SocketType::ALL {
            let socket = of(socket_type);
            if !socket_type.can_send() {
                assert!(socket.can_send(), "{socket_type}");
                socket.writable().await;
                assert!(matches!(socket.send("message").await, Err(SendError::Unsupported(..))));
            }
            if !socket_type.can_receive() {
                assert!(socket.can_recv(), "{socket_type}");
                socket.readable().await;
                let received: Vec<_> = socket.stream().collect().await;
                assert_eq!(received, [Err(RecvError::Unsupported(socket_type))], "the stream ends");
            }
        }
    });
}

#[test]
fn changed_send_hwm_wakes_a_waiting_send() {
    run(|| async {
        let push = PushSocket::with_options(Options::new().send_hwm(1).linger(std::time::Duration::ZERO));
        push.connect("tcp://127.0.0.1:1").unwrap();
        push.send("first").await.unwrap();
        assert!(!push.can_send());
        let second = async { push.send("second").await.unwrap() };
        let change = async { push.set_options(push.options().send_hwm(2)).unwrap() };
        futures_util::future::join(second, change).await;
    });
}

#[test]
fn inverted_matching_wakes_a_wait_for_subscribers() {
    run(|| async {
        let publisher = Socket::with_options(Options::<Pub>::new());
        let endpoint = publisher.bind(ANY).await.unwrap();
        let sub = Socket::with_options(Options::<Sub>::new());
        sub.connect(&endpoint).unwrap();
        sub.subscribe("a").unwrap();
        publisher.wait_subscribed("a", 1).await.unwrap();
        let change = async { publisher.set_options(publisher.options().invert_matching(true)).unwrap() };
        futures_util::future::join(publisher.wait_subscribed("b", 1), change).await.0.unwrap();
    });
}

#[test]
fn mandatory_turned_off_wakes_a_waiting_send() {
    run(|| async {
        let options = Options::new().mandatory(true).send_hwm(1).linger(std::time::Duration::ZERO);
        let router = RouterSocket::with_options(options);
        router.connect_as("tcp://127.0.0.1:1", "bob").unwrap();
        router.send(["bob", "first"]).await.unwrap();
        let second = async { router.send(["bob", "second"]).await.unwrap() };
        let change = async { router.set_options(router.options().mandatory(false)).unwrap() };
        futures_util::future::join(second, change).await;
    });
}

#[test]
fn options_changed_one_by_one_do_not_undo_each_other() {
    run(|| async {
        let router = RouterSocket::new();
        let options: [fn(usize) -> SocketOption; 2] = [SocketOption::SendHwm, SocketOption::RecvHwm];
        let threads = options.map(|option| {
            let router = router.clone();
            std::thread::spawn(move || {
                for messages in 1..=3000 {
                    let option = option(messages);
                    router.set_option(option.clone()).unwrap();
                    let found = router.options().get(option.name()).unwrap();
                    assert_eq!(found, Some(option), "the other thread has undone the change");
                }
            })
        });
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

/// A program that is configured by a file: the type of the socket, and names and values of options.
#[test]
fn socket_is_configured_and_changed_as_text() {
    run(|| async {
        let configured = |socket_type: &str, lines: &[(&str, &str)]| {
            let options = Options::of(socket_type.parse()?);
            let set = |options: Options<_>, (name, value): &(&str, &str)| {
                Ok::<_, Error>(options.set(SocketOption::parse(name, value)?)?)
            };
            lines.iter().try_fold(options, set).map(Socket::with_options)
        };
        let router = configured("router", &[("ZMQ_ROUTER_MANDATORY", "1"), ("linger", "2s")]).unwrap();
        let endpoint = router.bind(ANY).await.unwrap();
        let dealer = configured("DEALER", &[("identity", "ann"), ("reconnect", "10ms 1s")]).unwrap();
        dealer.connect(&endpoint).unwrap();
        dealer.send("hello").await.unwrap();
        assert_eq!(router.recv().await.unwrap().head(), "ann");
        assert!(matches!(router.send(["bob", "x"]).await, Err(SendError::Unroutable(_))));

        let value = |socket: &Socket, name| Some(socket.options().get(name).unwrap()?.to_string());
        assert_eq!(value(&router, "ZMQ_LINGER").as_deref(), Some("linger = 2s"));
        router.set_option(SocketOption::parse("SNDHWM", "7").unwrap()).unwrap();
        assert_eq!(value(&router, "send_hwm").as_deref(), Some("send_hwm = 7"));
        assert_eq!(value(&router, "relaxed"), None);
        let text = |result: Result<Socket, Error>| result.unwrap_err().to_string();
        assert!(text(configured("deeler", &[])).starts_with("`deeler` is not a socket type; write one of REQ, "));
        let error = text(configured("dealer", &[("sendhwm", "7")]));
        assert_eq!(error, "no option has the name `sendhwm`; the nearest name is `send_hwm`");
    });
}

#[test]
fn single_option_counts_or_is_refused_with_a_reason() {
    run(|| async {
        let router = Socket::with_options(Options::of(SocketType::Router));
        let endpoint = router.bind(ANY).await.unwrap();
        router.set_option(SocketOption::Mandatory(true)).unwrap();
        assert!(matches!(router.send(["bob", "x"]).await, Err(SendError::Unroutable(_))));
        let error = router.set_option(SocketOption::ZapDomain("global".into())).unwrap_err();
        assert_eq!(error, SetOptionsError::InUse("zap_domain"));
        let error = router.set_option(SocketOption::Relaxed(true)).unwrap_err().to_string();
        assert_eq!(error, "a ROUTER socket does not have the option `relaxed`; it exists for REQ");
        let error = router.set_option(SocketOption::RoutingId("".into())).unwrap_err();
        assert_eq!(error, SetOptionsError::Invalid(OptionsError::RoutingId(0)));

        let dealer = DealerSocket::new();
        dealer.set_option(SocketOption::RoutingId("ann".into())).unwrap();
        dealer.connect(&endpoint).unwrap();
        dealer.send("hello").await.unwrap();
        assert_eq!(router.recv().await.unwrap().head(), "ann");
        dealer.close().await;
        assert_eq!(dealer.set_option(SocketOption::SendHwm(1)), Err(SetOptionsError::Closed));
    });
}

#[test]
fn changed_options_count_and_security_is_refused_after_a_bind() {
    run(|| async {
        let router = RouterSocket::new();
        let endpoint = router.bind(ANY).await.unwrap();
        let dealer = DealerSocket::new();
        dealer.set_options(dealer.options().routing_id("ann").unwrap()).unwrap();
        dealer.connect(&endpoint).unwrap();
        dealer.send("x").await.unwrap();
        assert_eq!(router.recv().await.unwrap().head(), "ann");
        assert!(!router.can_recv() && router.can_send() && dealer.can_send());

        router.set_options(router.options().mandatory(true)).unwrap();
        assert!(matches!(router.send(["bob", "x"]).await, Err(SendError::Unroutable(_))));
        let login = sansmq::Security::PlainServer;
        let error = router.set_options(router.options().security(login)).unwrap_err();
        assert_eq!(error, SetOptionsError::InUse("security"));
        let pull = PullSocket::new();
        pull.close().await;
        assert_eq!(pull.set_options(Options::new()), Err(SetOptionsError::Closed));
    });
}
