//! Several sockets at one port, each by a resource of its own.

use super::super::fixture::{
    DealerSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, Socket, run, spawn,
};
use super::super::suite::{ANY, yield_now};
use futures_util::future::join;
use sansmq::kind::{Dealer, Pull, Push, Rep, Router, Stream};
use sansmq::proto::address::Resource;
use sansmq::proto::connection::Timeout;
use sansmq::proto::socket::Refusal;
use sansmq::proto::{ConnectionError, NetworkError};
use sansmq::{BindError, ConnectError, Context, Endpoint, Event, Monitor, Options, UnbindError};
use sansmq_tests::raw_peer::{frame, greeting, opening, property, ready};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(50);

/// A peer that is not one of ours and says this.
fn stranger(endpoint: &Endpoint, octets: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(endpoint.socket_addr().unwrap()).unwrap();
    stream.write_all(octets).unwrap();
    stream
}

fn at(endpoint: &Endpoint, resource: &str) -> Endpoint {
    endpoint.clone().with_resource(Some(resource.parse().unwrap()))
}

fn plain(endpoint: &Endpoint) -> Endpoint {
    endpoint.clone().with_resource(None)
}

/// A REP, a PULL and a ROUTER at one port, each by its name.
async fn three() -> (RepSocket, PullSocket, RouterSocket, Endpoint) {
    let (rep, pull, router) = (RepSocket::new(), PullSocket::new(), RouterSocket::new());
    let first = rep.bind("tcp://127.0.0.1:*/rep").await.unwrap();
    assert!(!first.is_wildcard());
    assert_eq!(first.resource().map(Resource::as_str), Some("rep"));
    assert_eq!(pull.bind(at(&first, "pull")).await.unwrap(), at(&first, "pull"));
    assert_eq!(router.bind(at(&first, "system/router")).await.unwrap(), at(&first, "system/router"));
    (rep, pull, router, plain(&first))
}

/// Sends by this PUSH until the message arrives there, whoever else may have had others.
async fn arrives(push: &PushSocket, pull: &PullSocket, text: &str) {
    push.send(text).await.unwrap();
    assert_eq!(pull.recv().await.unwrap().body().to_text(), text);
}

async fn turned_away(monitor: &mut Monitor) -> ConnectionError {
    let reason = monitor.find(|event| match event {
        Event::UnknownResource { reason, .. } => Some(reason),
        _ => None,
    });
    reason.await.unwrap()
}

async fn dial_again(monitor: &mut Monitor) -> ConnectionError {
    let reason = monitor.find(|event| match event {
        Event::HandshakeFailed { reason, retry: Some(_), .. } => Some(reason),
        _ => None,
    });
    reason.await.unwrap()
}

/// Whether somebody listens there.
fn is_free(endpoint: &Endpoint) -> bool {
    TcpListener::bind(endpoint.socket_addr().unwrap()).is_ok()
}

#[test]
fn each_client_reaches_the_socket_it_names_and_the_default_if_it_names_none() {
    run(|| async {
        let (rep, pull, router, port) = three().await;
        let default = PullSocket::new();
        assert_eq!(default.bind(&port).await.unwrap(), port);

        let (req, push, dealer, nameless) =
            (ReqSocket::new(), PushSocket::new(), DealerSocket::new(), PushSocket::new());
        dealer.connect(at(&port, "system/router")).unwrap();
        nameless.connect(&port).unwrap();
        push.connect(at(&port, "pull")).unwrap();
        req.connect(at(&port, "rep")).unwrap();
        for number in 0..20 {
            let text = number.to_string();
            req.send(text.clone()).await.unwrap();
            let request = rep.recv().await.unwrap();
            rep.send(request).await.unwrap();
            assert_eq!(req.recv().await.unwrap().body().to_text(), text);
            arrives(&push, &pull, &text).await;
            arrives(&nameless, &default, &text).await;
            dealer.send(text.clone()).await.unwrap();
            let request = router.recv().await.unwrap();
            router.send(request).await.unwrap();
            assert_eq!(dealer.recv().await.unwrap().body().to_text(), text);
        }
    });
}

#[test]
fn a_plain_bind_and_one_with_a_resource_share_a_port_in_either_order() {
    run(|| async {
        let (default, named) = (PullSocket::new(), PullSocket::new());
        let port = default.bind(ANY).await.unwrap();
        let (early, late, asking) = (PushSocket::new(), PushSocket::new(), PushSocket::new());
        early.connect(&port).unwrap();
        arrives(&early, &default, "alone").await;
        named.bind(at(&port, "named")).await.unwrap();
        late.connect(&port).unwrap();
        asking.connect(at(&port, "named")).unwrap();
        arrives(&asking, &named, "by name").await;
        arrives(&late, &default, "by none").await;
        arrives(&early, &default, "as before").await;
    });
}

#[test]
fn sockets_that_bind_at_once_share_what_the_first_of_them_opens() {
    run(|| async {
        let probe = TcpListener::bind("127.0.0.1:0").unwrap();
        let port: Endpoint = probe.local_addr().unwrap().into();
        drop(probe);
        let (one, other) = (PullSocket::new(), PullSocket::new());
        let (first, second) = join(one.bind(at(&port, "one")), other.bind(at(&port, "other"))).await;
        assert_eq!((first, second), (Ok(at(&port, "one")), Ok(at(&port, "other"))));
        let push = PushSocket::new();
        push.connect(at(&port, "other")).unwrap();
        arrives(&push, &other, "to the other").await;
    });
}

#[test]
fn a_client_that_comes_before_its_service_waits_for_it_and_needs_no_second_connection() {
    run(|| async {
        let (_rep, _pull, _router, port) = three().await;
        let push = PushSocket::new();
        let mut story = push.monitor();
        push.connect(at(&port, "late")).unwrap();
        push.send("patience").await.unwrap();
        while !matches!(story.next().await, Some(Event::Connected { .. })) {}
        let nameless = stranger(&port, &[opening("DEALER"), frame(0, b"hi")].concat());
        for _ in 0..20 {
            yield_now().await;
        }
        let (late, default) = (PullSocket::new(), RouterSocket::new());
        late.bind(at(&port, "late")).await.unwrap();
        assert_eq!(late.recv().await.unwrap().body(), "patience");
        assert!(matches!(story.next().await, Some(Event::Ready { .. })), "it is the same connection");
        default.bind(&port).await.unwrap();
        assert_eq!(default.recv().await.unwrap().body(), "hi");
        drop(nameless);
    });
}

#[test]
fn who_asks_in_vain_is_turned_away_with_a_reason_when_its_time_is_over_and_comes_again() {
    run(|| async {
        let rep = Socket::with(Options::<Rep>::new().handshake_timeout(SHORT));
        let pull = PullSocket::new();
        let port = plain(&rep.bind("tcp://127.0.0.1:*/rep").await.unwrap());
        pull.bind(at(&port, "pull")).await.unwrap();
        let mut desks = [rep.monitor(), pull.monitor()];

        let quick = || Options::<Dealer>::new().reconnect(SHORT, SHORT).unwrap();
        let (lost, nameless) = (Socket::with(quick()), Socket::with(quick()));
        let mut story = lost.monitor();
        lost.connect(at(&port, "nowhere")).unwrap();
        for desk in &mut desks {
            let nowhere = "nowhere".parse().unwrap();
            assert_eq!(turned_away(desk).await, ConnectionError::NoSuchResource(Some(nowhere)));
        }
        assert_eq!(dial_again(&mut story).await, ConnectionError::Eof, "a resource may come later (RFC 37)");
        lost.close().await;

        let mut story = nameless.monitor();
        nameless.connect(&port).unwrap();
        while turned_away(&mut desks[0]).await != ConnectionError::NoSuchResource(None) {}
        assert_eq!(dial_again(&mut story).await, ConnectionError::Eof);
        let router = RouterSocket::new();
        router.bind(&port).await.unwrap();
        nameless.send("at last").await.unwrap();
        assert_eq!(router.recv().await.unwrap().body(), "at last");
    });
}

#[test]
fn strangers_at_a_shared_port_are_turned_away_with_the_reason_and_do_not_stay() {
    run(|| async {
        let rep = Socket::with(Options::<Rep>::new().handshake_timeout(SHORT));
        let mut desk = rep.monitor();
        let port = plain(&rep.bind("tcp://127.0.0.1:*/rep").await.unwrap());
        let greeting = greeting("NULL");
        for octets in [&[][..], &greeting, &greeting[..20]] {
            let mut silent = stranger(&port, octets);
            assert_eq!(turned_away(&mut desk).await, ConnectionError::TimedOut(Timeout::Handshake));
            let mut said = Vec::new();
            silent.read_to_end(&mut said).unwrap();
            assert_eq!(said, greeting, "it greets and says no more");
        }
        let _browser = stranger(&port, b"GET /rep HTTP/1.1\r\n\r\n");
        assert_eq!(turned_away(&mut desk).await, ConnectionError::NotZmtp);
        // One that says half of READY and goes, and one that wants what is not there and does not wait for it.
        let vain = ready("REQ", &property("Resource", b"nowhere"));
        for octets in [&vain[..9], &vain] {
            drop(stranger(&port, &[&greeting, octets].concat()));
            let reason = turned_away(&mut desk).await;
            assert!(matches!(reason, ConnectionError::Eof | ConnectionError::Network(_)), "{reason}");
        }

        let req = ReqSocket::new();
        req.connect(at(&port, "rep")).unwrap();
        req.send("well-behaved").await.unwrap();
        assert_eq!(rep.recv().await.unwrap().body(), "well-behaved");
    });
}

#[test]
fn the_rate_of_handshakes_holds_at_a_shared_port_whoever_they_are_for() {
    run(|| async {
        let first = Socket::with(Options::<Pull>::new().max_handshake_rate(1).unwrap());
        let port = plain(&first.bind("tcp://127.0.0.1:*/first").await.unwrap());
        let second = PullSocket::new();
        second.bind(at(&port, "second")).await.unwrap();
        let mut doors = first.monitor();
        let refused = doors.find(|event| match event {
            Event::Rejected { reason, .. } => Some(reason),
            _ => None,
        });
        // On a machine that takes a second for each they would all be let in.
        let _strangers: Vec<_> = (0..5).map(|_| stranger(&port, &greeting("NULL"))).collect();
        assert_eq!(refused.await, Some(Refusal::HandshakeRate));
        let push = PushSocket::new();
        push.connect(at(&port, "second")).unwrap();
        arrives(&push, &second, "who comes again is let in").await;
    });
}

#[test]
fn who_waits_at_a_port_that_is_closed_is_hung_up_on() {
    run(|| async {
        // Nothing else would end it.
        let rep = Socket::with(Options::<Rep>::new().handshake_timeout(None));
        let port = plain(&rep.bind("tcp://127.0.0.1:*/rep").await.unwrap());
        let mut strangers = Vec::new();
        for octets in [greeting("NULL"), opening("DEALER")] {
            let mut stream = stranger(&port, &octets);
            let greeted = smol::unblock(move || {
                stream.read_exact(&mut [0; 64]).unwrap();
                stream
            });
            strangers.push(greeted.await);
        }
        rep.close().await;
        for mut stream in strangers {
            let said = smol::unblock(move || stream.read(&mut [0; 9]).unwrap_or_default());
            assert_eq!(said.await, 0, "it may be reset, and it ends");
        }
    });
}

#[test]
fn a_socket_type_that_does_not_fit_is_refused_by_the_socket_it_named() {
    run(|| async {
        let (rep, pull, _router, port) = three().await;
        let mut story = pull.monitor();
        let dealer = DealerSocket::new();
        let mut monitor = dealer.monitor();
        dealer.connect(at(&port, "pull")).unwrap();
        let ending = |event| match event {
            Event::HandshakeFailed { reason, retry, .. } => Some((reason, retry)),
            _ => None,
        };
        let (ours, theirs) = (pull_type(), dealer_type());
        let refused = story.find(ending).await.unwrap();
        assert_eq!(refused, (ConnectionError::Incompatible { ours, theirs }, None));
        // An ERROR comes instead of the READY that would have said the type.
        let told = ConnectionError::Refused("incompatible socket type".into());
        assert_eq!(monitor.find(ending).await.unwrap(), (told, None));

        // And a peer that does not know what it did wrong is told.
        let request = ready("DEALER", &property("Resource", b"pull"));
        let mut refused = stranger(&port, &[greeting("NULL"), request].concat());
        let said = spawn(smol::unblock(move || {
            let mut said = Vec::new();
            refused.read_to_end(&mut said).unwrap();
            said
        }));
        assert!(said.await.ends_with(b"\x05ERROR\x18incompatible socket type"));

        let req = ReqSocket::new();
        req.connect(at(&port, "rep")).unwrap();
        req.send("others notice nothing").await.unwrap();
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
fn unbinding_one_of_three_leaves_the_others_and_the_name_free() {
    run(|| async {
        let (rep, pull, router, port) = three().await;
        let (push, dealer) = (PushSocket::new(), DealerSocket::new());
        push.connect(at(&port, "pull")).unwrap();
        dealer.connect(at(&port, "system/router")).unwrap();
        arrives(&push, &pull, "before").await;
        // The first, whose runtime listens; and one that joined.
        rep.unbind(at(&port, "rep")).await.unwrap();
        router.unbind(at(&port, "system/router")).await.unwrap();
        assert!(matches!(rep.unbind(at(&port, "rep")).await, Err(UnbindError::Unknown(_))));
        assert!(!is_free(&port));
        arrives(&push, &pull, "as if nothing had happened").await;
        let another = PushSocket::new();
        another.connect(at(&port, "pull")).unwrap();
        arrives(&another, &pull, "and more come").await;

        let successor = PullSocket::new();
        successor.bind(at(&port, "rep")).await.unwrap();
        let third = PushSocket::new();
        third.connect(at(&port, "rep")).unwrap();
        arrives(&third, &successor, "under the old name").await;

        pull.unbind(at(&port, "pull")).await.unwrap();
        assert!(!is_free(&port));
        successor.unbind(at(&port, "rep")).await.unwrap();
        assert!(is_free(&port), "with the last the listener is closed when `unbind` returns");
        assert_eq!(rep.bind(at(&port, "rep")).await.unwrap(), at(&port, "rep"));
    });
}

#[test]
fn closing_the_first_socket_leaves_the_others_listening_and_the_last_frees_the_port() {
    run(|| async {
        let (rep, pull, router, port) = three().await;
        let push = PushSocket::new();
        push.connect(at(&port, "pull")).unwrap();
        arrives(&push, &pull, "before").await;
        rep.close().await;
        arrives(&push, &pull, "after").await;
        let (another, dealer) = (PushSocket::new(), DealerSocket::new());
        another.connect(at(&port, "pull")).unwrap();
        arrives(&another, &pull, "and more come").await;
        dealer.connect(at(&port, "system/router")).unwrap();
        dealer.send("to the router").await.unwrap();
        assert_eq!(router.recv().await.unwrap().body(), "to the router");
        drop(router);
        assert!(!is_free(&port));
        pull.close().await;
        while !is_free(&port) {
            yield_now().await; // the router was dropped and not closed
        }
    });
}

#[test]
fn a_name_that_is_taken_and_a_port_that_cannot_be_shared_are_in_use() {
    run(|| async {
        let (_rep, _pull, _router, port) = three().await;
        let other = PullSocket::new();
        let in_use = |endpoint: Endpoint| BindError::Network { endpoint, error: NetworkError::AddressInUse };
        assert_eq!(other.bind(at(&port, "pull")).await, Err(in_use(at(&port, "pull"))));
        other.bind(&port).await.unwrap();
        assert_eq!(PullSocket::new().bind(&port).await, Err(in_use(port.clone())));

        // Sockets of another context are strangers.
        let foreign = Socket::in_context(&Context::new(), Options::<Pull>::new());
        assert_eq!(foreign.bind(at(&port, "foreign")).await, Err(in_use(at(&port, "foreign"))));

        // A STREAM's peers speak no ZMTP, so they cannot say whom they want.
        let raw = Socket::with(Options::<Stream>::new());
        let alone = raw.bind(ANY).await.unwrap();
        assert_eq!(other.bind(at(&alone, "x")).await, Err(in_use(at(&alone, "x"))));
        assert!(matches!(raw.bind(at(&port, "raw")).await, Err(BindError::Transport(..))));
        assert!(matches!(raw.connect(at(&port, "raw")), Err(ConnectError::Transport(..))));
    });
}

#[test]
fn one_socket_answers_to_several_names_and_wildcards_are_ports_of_their_own() {
    run(|| async {
        let pull = PullSocket::new();
        let port = plain(&pull.bind("tcp://127.0.0.1:*/one").await.unwrap());
        pull.bind(at(&port, "two")).await.unwrap();
        let elsewhere = pull.bind("tcp://127.0.0.1:*/one").await.unwrap();
        assert_ne!(plain(&elsewhere), port);
        // All interfaces, in three spellings.
        let Endpoint::Tcp { port: number, .. } = pull.bind("tcp://*:*/one").await.unwrap() else { panic!("it is tcp") };
        pull.bind(format!("tcp://*:{number}/two")).await.unwrap();
        pull.bind(format!("tcp://0.0.0.0:{number}/three")).await.unwrap();
        let three = format!("tcp://127.0.0.1:{number}/three").parse().unwrap();
        for endpoint in [at(&port, "one"), at(&port, "two"), elsewhere, three] {
            let push = PushSocket::new();
            push.connect(&endpoint).unwrap();
            arrives(&push, &pull, "to whichever name").await;
        }
    });
}

#[test]
fn a_socket_that_joined_delivers_what_is_queued_when_it_closes() {
    run(|| async {
        let (_rep, _pull, _router, port) = three().await;
        let push = Socket::with(Options::<Push>::new().send_hwm(0));
        push.bind(at(&port, "work")).await.unwrap();
        let worker = PullSocket::new();
        worker.connect(at(&port, "work")).unwrap();
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
fn the_story_of_a_received_connection_names_the_resource() {
    run(|| async {
        let router = Socket::with(Options::<Router>::new());
        let mut story = router.monitor();
        let bound = router.bind("tcp://127.0.0.1:*/router").await.unwrap();
        assert_eq!(story.next().await, Some(Event::Listening { endpoint: bound.clone() }));
        let dealer = DealerSocket::new();
        dealer.connect(&bound).unwrap();
        let accepted = story.next().await;
        assert!(matches!(accepted, Some(Event::Accepted { endpoint, .. }) if endpoint == bound));
        let Some(Event::Ready { peer, .. }) = story.next().await else { panic!("the handshake is done") };
        assert_eq!(peer.metadata.get("Resource").unwrap(), "router");
    });
}
