//! Tests of several sockets that share a port, each with its own resource name (RFC 37).

use super::super::fixture::{
    DealerSocket, Monitor, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, Socket, run, spawn,
};
use super::super::suite::{ANY, yield_now};
use futures_util::future::join;
use sansmq::kind::{Dealer, Pull, Push, Rep, Router, Stream};
use sansmq::proto::address::Resource;
use sansmq::proto::connection::{LikelyReason, Timeout};
use sansmq::proto::socket::RejectReason;
use sansmq::proto::{ConnectionError, NetworkError};
use sansmq::{BindError, ConnectError, Context, Endpoint, Event, Options, UnbindError};
use sansmq_tests::raw_peer::{frame, greeting, greeting_and_ready, property, ready};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(50);

/// Connects a TCP stream that is not a socket of sansmq, and sends `bytes` on it.
fn raw_peer(endpoint: &Endpoint, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(endpoint.socket_addr().unwrap()).unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

fn with_resource(endpoint: &Endpoint, resource: &str) -> Endpoint {
    endpoint.clone().with_resource(Some(resource.parse().unwrap()))
}

fn without_resource(endpoint: &Endpoint) -> Endpoint {
    endpoint.clone().with_resource(None)
}

/// Binds a REP, a PULL and a ROUTER to one port, each with its own resource name. Returns these sockets and the
/// endpoint of the port without a resource name.
async fn shared_port() -> (RepSocket, PullSocket, RouterSocket, Endpoint) {
    let (rep, pull, router) = (RepSocket::new(), PullSocket::new(), RouterSocket::new());
    let first = rep.bind("tcp://127.0.0.1:*/rep").await.unwrap();
    assert!(!first.is_wildcard());
    assert_eq!(first.resource().map(Resource::as_str), Some("rep"));
    assert_eq!(pull.bind(with_resource(&first, "pull")).await.unwrap(), with_resource(&first, "pull"));
    assert_eq!(
        router.bind(with_resource(&first, "system/router")).await.unwrap(),
        with_resource(&first, "system/router")
    );
    (rep, pull, router, without_resource(&first))
}

/// Sends the message `text` from `push`, and asserts that `pull` receives it.
async fn assert_delivered(push: &Socket<Push>, pull: &Socket<Pull>, text: &str) {
    push.send(text).await.unwrap();
    assert_eq!(pull.recv().await.unwrap().body().to_text(), text);
}

async fn rejection(monitor: &mut Monitor) -> ConnectionError {
    let reason = monitor.find(|event| match event {
        Event::UnknownResource { reason, .. } => Some(reason),
        _ => None,
    });
    reason.await.unwrap()
}

async fn retried_failure(monitor: &mut Monitor) -> ConnectionError {
    let reason = monitor.find(|event| match event {
        Event::HandshakeFailed { reason, retry: Some(_), .. } => Some(reason),
        _ => None,
    });
    reason.await.unwrap()
}

/// Returns true if no listener uses the port of `endpoint`.
fn is_free(endpoint: &Endpoint) -> bool {
    TcpListener::bind(endpoint.socket_addr().unwrap()).is_ok()
}

#[test]
fn clients_reach_named_or_default_socket() {
    run(|| async {
        let (rep, pull, router, port) = shared_port().await;
        let default = PullSocket::new();
        assert_eq!(default.bind(&port).await.unwrap(), port);

        let (req, push, dealer, unnamed) =
            (ReqSocket::new(), PushSocket::new(), DealerSocket::new(), PushSocket::new());
        dealer.connect(with_resource(&port, "system/router")).unwrap();
        unnamed.connect(&port).unwrap();
        push.connect(with_resource(&port, "pull")).unwrap();
        req.connect(with_resource(&port, "rep")).unwrap();
        for number in 0..20 {
            let text = number.to_string();
            req.send(text.clone()).await.unwrap();
            let request = rep.recv().await.unwrap();
            rep.send(request).await.unwrap();
            assert_eq!(req.recv().await.unwrap().body().to_text(), text);
            assert_delivered(&push, &pull, &text).await;
            assert_delivered(&unnamed, &default, &text).await;
            dealer.send(text.clone()).await.unwrap();
            let request = router.recv().await.unwrap();
            router.send(request).await.unwrap();
            assert_eq!(dealer.recv().await.unwrap().body().to_text(), text);
        }
    });
}

#[test]
fn default_and_named_sockets_share_a_port() {
    run(|| async {
        let (default, named) = (PullSocket::new(), PullSocket::new());
        let port = default.bind(ANY).await.unwrap();
        let (early, late, by_resource) = (PushSocket::new(), PushSocket::new(), PushSocket::new());
        early.connect(&port).unwrap();
        assert_delivered(&early, &default, "unshared").await;
        named.bind(with_resource(&port, "named")).await.unwrap();
        late.connect(&port).unwrap();
        by_resource.connect(with_resource(&port, "named")).unwrap();
        assert_delivered(&by_resource, &named, "with resource").await;
        assert_delivered(&late, &default, "without resource").await;
        assert_delivered(&early, &default, "earlier connection").await;
    });
}

#[test]
fn concurrent_binds_share_one_listener() {
    run(|| async {
        let probe = TcpListener::bind("127.0.0.1:0").unwrap();
        let port: Endpoint = probe.local_addr().unwrap().into();
        drop(probe);
        let (pull_a, pull_b) = (PullSocket::new(), PullSocket::new());
        let (first, second) =
            join(pull_a.bind(with_resource(&port, "one")), pull_b.bind(with_resource(&port, "other"))).await;
        assert_eq!((first, second), (Ok(with_resource(&port, "one")), Ok(with_resource(&port, "other"))));
        let push = PushSocket::new();
        push.connect(with_resource(&port, "other")).unwrap();
        assert_delivered(&push, &pull_b, "to the second").await;
    });
}

#[test]
fn early_client_waits_for_resource_on_one_connection() {
    run(|| async {
        let (_rep, _pull, _router, port) = shared_port().await;
        let push = PushSocket::new();
        let mut monitor = push.monitor();
        push.connect(with_resource(&port, "late")).unwrap();
        push.send("early").await.unwrap();
        while !matches!(monitor.next().await, Some(Event::Connected { .. })) {}
        let unnamed = raw_peer(&port, &[greeting_and_ready("DEALER"), frame(0, b"hi")].concat());
        for _ in 0..20 {
            yield_now().await;
        }
        let (late, default) = (PullSocket::new(), RouterSocket::new());
        late.bind(with_resource(&port, "late")).await.unwrap();
        assert_eq!(late.recv().await.unwrap().body(), "early");
        assert!(matches!(monitor.next().await, Some(Event::Ready { .. })), "the first connection must be used");
        default.bind(&port).await.unwrap();
        assert_eq!(default.recv().await.unwrap().body(), "hi");
        drop(unnamed);
    });
}

#[test]
fn unknown_resource_is_rejected_after_timeout_and_retried() {
    run(|| async {
        let rep = Socket::with_options(Options::<Rep>::new().handshake_timeout(SHORT));
        let pull = PullSocket::new();
        let port = without_resource(&rep.bind("tcp://127.0.0.1:*/rep").await.unwrap());
        pull.bind(with_resource(&port, "pull")).await.unwrap();
        let mut monitors = [rep.monitor(), pull.monitor()];

        let options = || Options::<Dealer>::new().reconnect(SHORT, SHORT);
        let (to_unknown, unnamed) = (Socket::with_options(options()), Socket::with_options(options()));
        let mut monitor = to_unknown.monitor();
        to_unknown.connect(with_resource(&port, "unknown")).unwrap();
        for monitor in &mut monitors {
            let unknown = "unknown".parse().unwrap();
            assert_eq!(rejection(monitor).await, ConnectionError::NoSuchResource(Some(unknown)));
        }
        assert_eq!(
            retried_failure(&mut monitor).await,
            ConnectionError::ClosedBeforeReady(LikelyReason::UnknownResource),
            "the resource may be bound later (RFC 37)"
        );
        to_unknown.close().await;

        let mut monitor = unnamed.monitor();
        unnamed.connect(&port).unwrap();
        while rejection(&mut monitors[0]).await != ConnectionError::NoSuchResource(None) {}
        let no_reason = ConnectionError::ClosedBeforeReady(LikelyReason::SocketType);
        assert_eq!(retried_failure(&mut monitor).await, no_reason);
        let router = RouterSocket::new();
        router.bind(&port).await.unwrap();
        unnamed.send("delivered").await.unwrap();
        assert_eq!(router.recv().await.unwrap().body(), "delivered");
    });
}

#[test]
fn invalid_peers_at_shared_port_are_rejected_with_reason() {
    run(|| async {
        let rep = Socket::with_options(Options::<Rep>::new().handshake_timeout(SHORT));
        let mut monitor = rep.monitor();
        let port = without_resource(&rep.bind("tcp://127.0.0.1:*/rep").await.unwrap());
        let greeting = greeting("NULL");
        for bytes in [&[][..], &greeting, &greeting[..20]] {
            let mut silent = raw_peer(&port, bytes);
            assert_eq!(rejection(&mut monitor).await, ConnectionError::TimedOut(Timeout::Handshake));
            let mut received = Vec::new();
            silent.read_to_end(&mut received).unwrap();
            assert_eq!(received, greeting, "a rejected peer receives only the greeting");
        }
        let _http_client = raw_peer(&port, b"GET /rep HTTP/1.1\r\n\r\n");
        assert_eq!(rejection(&mut monitor).await, ConnectionError::NotZmtp);
        // One peer disconnects after half a READY, one after a READY that names an unknown resource.
        let request = ready("REQ", &property("Resource", b"unknown"));
        for bytes in [&request[..9], &request] {
            drop(raw_peer(&port, &[&greeting, bytes].concat()));
            let reason = rejection(&mut monitor).await;
            assert!(matches!(reason, ConnectionError::PeerClosed | ConnectionError::Network(_)), "{reason}");
        }

        let req = ReqSocket::new();
        req.connect(with_resource(&port, "rep")).unwrap();
        req.send("well-behaved").await.unwrap();
        assert_eq!(rep.recv().await.unwrap().body(), "well-behaved");
    });
}

#[test]
fn full_socket_at_shared_port_rejects_connection_once() {
    run(|| async {
        let options = Options::<Pull>::new().max_peers(1).handshake_timeout(Duration::from_secs(10));
        let full = Socket::with_options(options);
        let port = without_resource(&full.bind("tcp://127.0.0.1:*/full").await.unwrap());
        let other = PullSocket::new();
        other.bind(with_resource(&port, "other")).await.unwrap();
        let first = PushSocket::new();
        first.connect(with_resource(&port, "full")).unwrap();
        assert_delivered(&first, &full, "first peer").await;

        let mut monitors = [full.monitor(), other.monitor()];
        let request = ready("PUSH", &property("Resource", b"full"));
        let mut silent = raw_peer(&port, &[greeting("NULL"), request].concat());
        let closed = spawn(async move {
            yield_now().await;
            silent.set_nonblocking(true).unwrap();
            let mut buffer = [0; 1024];
            loop {
                match silent.read(&mut buffer) {
                    Ok(0) => return,
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => yield_now().await,
                    Err(_) => return,
                }
            }
        });
        closed.await;
        // The next connection shows that all events of the silent peer were emitted.
        let next = PushSocket::new();
        next.connect(with_resource(&port, "other")).unwrap();
        assert_delivered(&next, &other, "next peer").await;
        full.close().await;
        other.close().await;
        let mut reasons = Vec::new();
        for monitor in &mut monitors {
            while let Some(event) = monitor.next().await {
                match event {
                    Event::Rejected { reason, .. } => reasons.push(reason),
                    Event::UnknownResource { reason, .. } => panic!("{reason}"),
                    Event::Lagged(events) => panic!("{events} more events"),
                    _ => {}
                }
            }
        }
        assert_eq!(reasons, [RejectReason::MaxPeers]);
    });
}

#[test]
fn handshake_rate_limits_all_peers_of_shared_port() {
    run(|| async {
        let first = Socket::with_options(Options::<Pull>::new().max_handshake_rate(1));
        let port = without_resource(&first.bind("tcp://127.0.0.1:*/first").await.unwrap());
        let second = PullSocket::new();
        second.bind(with_resource(&port, "second")).await.unwrap();
        let mut monitor = first.monitor();
        let refused = monitor.find(|event| match event {
            Event::Rejected { reason, .. } => Some(reason),
            _ => None,
        });
        // The rate is 1 per second: a machine that takes a second for each connection would accept all of them.
        let _raw_peers: Vec<_> = (0..5).map(|_| raw_peer(&port, &greeting("NULL"))).collect();
        assert_eq!(refused.await, Some(RejectReason::MaxHandshakeRate));
        let push = PushSocket::new();
        push.connect(with_resource(&port, "second")).unwrap();
        assert_delivered(&push, &second, "accepted after a retry").await;
    });
}

#[test]
fn closing_shared_port_disconnects_pending_peers() {
    run(|| async {
        // Without a timeout only the close can end a pending connection.
        let rep = Socket::with_options(Options::<Rep>::new().handshake_timeout(None));
        let port = without_resource(&rep.bind("tcp://127.0.0.1:*/rep").await.unwrap());
        let mut raw_peers = Vec::new();
        for bytes in [greeting("NULL"), greeting_and_ready("DEALER")] {
            let mut stream = raw_peer(&port, &bytes);
            let greeted = smol::unblock(move || {
                stream.read_exact(&mut [0; 64]).unwrap();
                stream
            });
            raw_peers.push(greeted.await);
        }
        rep.close().await;
        for mut stream in raw_peers {
            let count = smol::unblock(move || stream.read(&mut [0; 9]).unwrap_or_default());
            assert_eq!(count.await, 0, "the connection must end, perhaps by a reset");
        }
    });
}

#[test]
fn named_socket_rejects_incompatible_socket_type() {
    run(|| async {
        let (rep, pull, _router, port) = shared_port().await;
        let mut monitor = pull.monitor();
        let dealer = DealerSocket::new();
        let mut dealer_monitor = dealer.monitor();
        dealer.connect(with_resource(&port, "pull")).unwrap();
        let failure = |event| match event {
            Event::HandshakeFailed { reason, retry, .. } => Some((reason, retry.is_some())),
            _ => None,
        };
        let (ours, theirs) = (pull_type(), dealer_type());
        let refused = monitor.find(failure).await.unwrap();
        assert_eq!(refused, (ConnectionError::Incompatible { ours, theirs }, false));
        // The PULL sends ERROR in place of the READY that would carry its socket type.
        let sent = ConnectionError::Refused("incompatible socket type".into());
        assert_eq!(dealer_monitor.find(failure).await.unwrap(), (sent, true));

        // A raw peer receives the reason in an ERROR command.
        let request = ready("DEALER", &property("Resource", b"pull"));
        let mut refused = raw_peer(&port, &[greeting("NULL"), request].concat());
        let received = spawn(smol::unblock(move || {
            let mut received = Vec::new();
            refused.read_to_end(&mut received).unwrap();
            received
        }));
        assert!(received.await.ends_with(b"\x05ERROR\x18incompatible socket type"));

        let req = ReqSocket::new();
        req.connect(with_resource(&port, "rep")).unwrap();
        req.send("unaffected").await.unwrap();
        rep.recv().await.unwrap();
    });
}

fn pull_type() -> sansmq::SocketType {
    Options::<Pull>::new().socket_type()
}

fn dealer_type() -> sansmq::SocketType {
    Options::<Dealer>::new().socket_type()
}

#[test]
fn unbind_of_one_resource_keeps_the_others() {
    run(|| async {
        let (rep, pull, router, port) = shared_port().await;
        let (push, dealer) = (PushSocket::new(), DealerSocket::new());
        push.connect(with_resource(&port, "pull")).unwrap();
        dealer.connect(with_resource(&port, "system/router")).unwrap();
        assert_delivered(&push, &pull, "before").await;
        // The REP opened the listener, the ROUTER joined it.
        rep.unbind(with_resource(&port, "rep")).await.unwrap();
        router.unbind(with_resource(&port, "system/router")).await.unwrap();
        assert!(matches!(rep.unbind(with_resource(&port, "rep")).await, Err(UnbindError::Unknown(_))));
        assert!(!is_free(&port));
        assert_delivered(&push, &pull, "same connection").await;
        let another = PushSocket::new();
        another.connect(with_resource(&port, "pull")).unwrap();
        assert_delivered(&another, &pull, "new connection").await;

        let successor = PullSocket::new();
        successor.bind(with_resource(&port, "rep")).await.unwrap();
        let third = PushSocket::new();
        third.connect(with_resource(&port, "rep")).unwrap();
        assert_delivered(&third, &successor, "at the reused resource").await;

        pull.unbind(with_resource(&port, "pull")).await.unwrap();
        assert!(!is_free(&port));
        successor.unbind(with_resource(&port, "rep")).await.unwrap();
        assert!(is_free(&port), "`unbind` of the last resource must close the listener before it returns");
        assert_eq!(rep.bind(with_resource(&port, "rep")).await.unwrap(), with_resource(&port, "rep"));
    });
}

#[test]
fn port_is_free_after_last_sharing_socket_closes() {
    run(|| async {
        let (rep, pull, router, port) = shared_port().await;
        let push = PushSocket::new();
        push.connect(with_resource(&port, "pull")).unwrap();
        assert_delivered(&push, &pull, "before").await;
        rep.close().await;
        assert_delivered(&push, &pull, "after").await;
        let (another, dealer) = (PushSocket::new(), DealerSocket::new());
        another.connect(with_resource(&port, "pull")).unwrap();
        assert_delivered(&another, &pull, "new connection").await;
        dealer.connect(with_resource(&port, "system/router")).unwrap();
        dealer.send("to the router").await.unwrap();
        assert_eq!(router.recv().await.unwrap().body(), "to the router");
        drop(router);
        assert!(!is_free(&port));
        pull.close().await;
        while !is_free(&port) {
            yield_now().await; // a dropped ROUTER is closed in the background
        }
    });
}

#[test]
fn bind_to_used_resource_or_unshared_port_fails() {
    run(|| async {
        let (_rep, _pull, _router, port) = shared_port().await;
        let pull_b = PullSocket::new();
        let in_use = |endpoint: Endpoint| BindError::Network { endpoint, error: NetworkError::AddressInUse };
        assert_eq!(pull_b.bind(with_resource(&port, "pull")).await, Err(in_use(with_resource(&port, "pull"))));
        pull_b.bind(&port).await.unwrap();
        assert_eq!(PullSocket::new().bind(&port).await, Err(in_use(port.clone())));

        // Sockets of different contexts do not share ports.
        let foreign = Socket::in_context(&Context::new(), Options::<Pull>::new());
        assert_eq!(foreign.bind(with_resource(&port, "foreign")).await, Err(in_use(with_resource(&port, "foreign"))));

        // Peers of a STREAM do not use ZMTP, so they cannot name a resource.
        let raw = Socket::with_options(Options::<Stream>::new());
        let alone = raw.bind(ANY).await.unwrap();
        assert_eq!(pull_b.bind(with_resource(&alone, "x")).await, Err(in_use(with_resource(&alone, "x"))));
        assert!(matches!(raw.bind(with_resource(&port, "raw")).await, Err(BindError::Transport(..))));
        assert!(matches!(raw.connect(with_resource(&port, "raw")), Err(ConnectError::Transport(..))));
    });
}

#[test]
fn socket_binds_several_resources_and_wildcard_ports() {
    run(|| async {
        let pull = PullSocket::new();
        let port = without_resource(&pull.bind("tcp://127.0.0.1:*/one").await.unwrap());
        pull.bind(with_resource(&port, "two")).await.unwrap();
        let other_port = pull.bind("tcp://127.0.0.1:*/one").await.unwrap();
        assert_ne!(without_resource(&other_port), port);
        // `*` and `0.0.0.0` are the same address.
        let Endpoint::Tcp { port: number, .. } = pull.bind("tcp://*:*/one").await.unwrap() else {
            panic!("not a TCP endpoint")
        };
        pull.bind(format!("tcp://*:{number}/two")).await.unwrap();
        pull.bind(format!("tcp://0.0.0.0:{number}/three")).await.unwrap();
        let three = format!("tcp://127.0.0.1:{number}/three").parse().unwrap();
        for endpoint in [with_resource(&port, "one"), with_resource(&port, "two"), other_port, three] {
            let push = PushSocket::new();
            push.connect(&endpoint).unwrap();
            assert_delivered(&push, &pull, "to any resource").await;
        }
    });
}

#[test]
fn joined_socket_delivers_queued_messages_on_close() {
    run(|| async {
        let (_rep, _pull, _router, port) = shared_port().await;
        let push = Socket::with_options(Options::<Push>::new().send_hwm(0));
        push.bind(with_resource(&port, "work")).await.unwrap();
        let worker = PullSocket::new();
        worker.connect(with_resource(&port, "work")).unwrap();
        for number in 0..500 {
            push.send(number.to_string()).await.unwrap();
        }
        let (closed, ()) = join(push.close(), async {
            for number in 0..500 {
                assert_eq!(worker.recv().await.unwrap().body().to_text(), number.to_string());
            }
        })
        .await;
        assert_eq!(closed.unsent, 0);
    });
}

#[test]
fn accepted_event_and_metadata_contain_the_resource() {
    run(|| async {
        let router = Socket::with_options(Options::<Router>::new());
        let mut monitor = router.monitor();
        let bound = router.bind("tcp://127.0.0.1:*/router").await.unwrap();
        assert_eq!(monitor.next().await, Some(Event::Listening { endpoint: bound.clone() }));
        let dealer = DealerSocket::new();
        dealer.connect(&bound).unwrap();
        let accepted = monitor.next().await;
        assert!(matches!(accepted, Some(Event::Accepted { endpoint, .. }) if endpoint == bound));
        let Some(Event::Ready { peer, .. }) = monitor.next().await else { panic!("expected Ready") };
        assert_eq!(peer.metadata.get("Resource").unwrap(), "router");
    });
}
