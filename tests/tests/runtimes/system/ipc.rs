//! Unix domain sockets: their names, how they are had and given back, and who is at the other end.

use super::super::fixture::{
    DealerSocket, PairSocket, PullSocket, PushSocket, RepSocket, ReqSocket, RouterSocket, Socket, run,
};
use super::super::suite::{ANY, yield_now};
use futures_util::future::join;
use sansmq::kind::Push;
use sansmq::proto::address::{IpcName, ParseEndpointError};
use sansmq::proto::connection::Credentials;
use sansmq::proto::{ConnectionError, NetworkError};
use sansmq::{BindError, ConnectError, Endpoint, Event, Options, UnbindError};
use sansmq_tests::TempDir;
use sansmq_tests::raw_peer::{frame, opening};
use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

#[test]
fn every_kind_of_name_carries_messages_and_is_gone_after_close() {
    run(|| async {
        let place = TempDir::new();
        let mut names = vec![place.endpoint(), "ipc://*".into()];
        if cfg!(target_os = "linux") {
            names.push(place.abstract_endpoint());
        }
        for name in names {
            let rep = RepSocket::new();
            let endpoint = rep.bind(&name).await.unwrap();
            assert!(!endpoint.is_wildcard() && (endpoint.to_string() == name || name == "ipc://*"), "{endpoint}");
            let req = ReqSocket::new();
            req.connect(&endpoint).unwrap();
            for round in 0..100 {
                req.send(format!("request {round}")).await.unwrap();
                assert_eq!(rep.recv().await.unwrap().body().to_text(), format!("request {round}"));
                rep.send(format!("reply {round}")).await.unwrap();
                assert_eq!(req.recv().await.unwrap().body().to_text(), format!("reply {round}"));
            }
            let file = match &endpoint {
                Endpoint::Ipc(IpcName::Path(path)) => Some(Path::new(path)),
                _ => None,
            };
            assert!(file.is_none_or(Path::exists));
            rep.close().await;
            assert!(!file.is_some_and(Path::exists), "{endpoint}");
            if name == "ipc://*" {
                assert!(!file.unwrap().parent().unwrap().exists(), "{endpoint}");
            }
        }
    });
}

#[test]
fn a_file_that_a_killed_process_left_is_replaced() {
    run(|| async {
        let place = TempDir::new();
        drop(UnixListener::bind(place.socket()).unwrap());
        assert!(place.socket().exists(), "std does not remove it either");
        let pull = PullSocket::new();
        pull.bind(place.endpoint()).await.unwrap();
        let push = PushSocket::new();
        push.connect(place.endpoint()).unwrap();
        push.send("at the old name").await.unwrap();
        assert_eq!(pull.recv().await.unwrap().body(), "at the old name");
    });
}

#[test]
fn a_name_in_use_is_refused_by_name_and_its_owner_goes_on() {
    run(|| async {
        let place = TempDir::new();
        let pull = PullSocket::new();
        let endpoint = pull.bind(place.endpoint()).await.unwrap();
        let mut monitor = pull.monitor();
        let error = RouterSocket::new().bind(&endpoint).await.unwrap_err();
        assert!(error.to_string().contains(place.socket().to_str().unwrap()), "{error}");
        assert_eq!(error, BindError::Network { endpoint: endpoint.clone(), error: NetworkError::AddressInUse });

        let push = PushSocket::new();
        push.connect(&endpoint).unwrap();
        push.send("still here").await.unwrap();
        assert_eq!(pull.recv().await.unwrap().body(), "still here");
        pull.close().await;
        let mut accepted = 0;
        while let Some(event) = monitor.next().await {
            accepted += usize::from(matches!(event, Event::Accepted { .. }));
        }
        assert_eq!(accepted, 1, "who asked for the name in vain was no peer");
    });
}

#[test]
fn names_that_cannot_be_had_are_errors_that_say_why() {
    run(|| async {
        let place = TempDir::new();
        let router = RouterSocket::new();
        let long = format!("ipc://{}", place.directory().join("x".repeat(108)).display());
        let error = router.bind(&long).await.unwrap_err();
        assert!(matches!(error, BindError::Endpoint(ParseEndpointError::TooLong(_))), "{error}");
        let error = router.connect(&long).unwrap_err();
        assert!(matches!(error, ConnectError::Endpoint(ParseEndpointError::TooLong(_))), "{error}");
        let error = router.connect("ipc://*").unwrap_err();
        assert!(matches!(error, ConnectError::Wildcard(_)), "{error}");

        let nowhere: Endpoint =
            format!("ipc://{}", place.directory().join("nowhere/socket").display()).parse().unwrap();
        let error = router.bind(&nowhere).await.unwrap_err();
        assert_eq!(error, BindError::Network { endpoint: nowhere, error: NetworkError::NoSuchName });

        fs::write(place.socket(), "precious").unwrap();
        let error = router.bind(place.endpoint()).await.unwrap_err();
        assert!(matches!(error, BindError::Network { error: NetworkError::AddressInUse, .. }), "{error}");
        assert_eq!(fs::read_to_string(place.socket()).unwrap(), "precious");
    });
}

#[test]
fn connecting_before_anybody_binds_says_why_and_loses_nothing() {
    run(|| async {
        let place = TempDir::new();
        let push = Socket::with(
            Options::<Push>::new().reconnect(Duration::from_millis(10), Duration::from_millis(20)).unwrap(),
        );
        let mut monitor = push.monitor();
        push.connect(place.endpoint()).unwrap();
        for number in 0..10 {
            push.send(number.to_string()).await.unwrap();
        }
        for expected in [NetworkError::NoSuchName, NetworkError::Refused] {
            let failed = monitor.find(|event| match event {
                Event::ConnectFailed { error, retry: Some(_), .. } if error == expected => Some(()),
                _ => None,
            });
            failed.await.unwrap();
            if expected == NetworkError::NoSuchName {
                drop(UnixListener::bind(place.socket()).unwrap());
            }
        }
        let pull = PullSocket::new();
        pull.bind(place.endpoint()).await.unwrap();
        for number in 0..10 {
            assert_eq!(pull.recv().await.unwrap().body().to_text(), number.to_string());
        }
    });
}

#[test]
fn an_unbound_name_is_free_when_unbind_returns() {
    run(|| async {
        let place = TempDir::new();
        let pull = PullSocket::new();
        let endpoint = pull.bind(place.endpoint()).await.unwrap();
        for _ in 0..20 {
            pull.unbind(&endpoint).await.unwrap();
            assert!(!place.socket().exists());
            assert_eq!(pull.bind(&endpoint).await.unwrap(), endpoint);
        }
        let push = PushSocket::new();
        push.connect(&endpoint).unwrap();
        push.send("still bound").await.unwrap();
        assert_eq!(pull.recv().await.unwrap().body(), "still bound");
    });
}

#[test]
fn a_name_that_somebody_took_is_told_and_left_to_them() {
    run(|| async {
        let place = TempDir::new();
        let pull = PullSocket::new();
        let mut monitor = pull.monitor();
        let endpoint = pull.bind(place.endpoint()).await.unwrap();
        let lost = NetworkError::NameLost;
        fs::remove_file(place.socket()).unwrap();
        let error = pull.unbind(&endpoint).await.unwrap_err();
        assert_eq!(error, UnbindError::Network { endpoint: endpoint.clone(), error: lost });
        assert!(error.to_string().contains(place.socket().to_str().unwrap()), "{error}");

        pull.bind(&endpoint).await.unwrap();
        // As libzmq binds.
        fs::remove_file(place.socket()).unwrap();
        let thief = PullSocket::new();
        thief.bind(&endpoint).await.unwrap();
        pull.close().await;
        let push = PushSocket::new();
        push.connect(&endpoint).unwrap();
        push.send("to whoever has the name").await.unwrap();
        assert_eq!(thief.recv().await.unwrap().body(), "to whoever has the name");
        let mut told = 0;
        while let Some(event) = monitor.next().await {
            told += usize::from(event == Event::ListenerCloseFailed { endpoint: endpoint.clone(), error: lost });
        }
        assert_eq!(told, 2);
    });
}

#[test]
#[cfg(target_os = "linux")]
fn both_ends_know_whose_process_the_other_is() {
    run(|| async {
        let place = TempDir::new();
        let (router, dealer) = (RouterSocket::new(), DealerSocket::new());
        let mut stories = [router.monitor(), dealer.monitor()];
        let endpoint = router.bind(place.endpoint()).await.unwrap();
        dealer.connect(&endpoint).unwrap();
        let owner = fs::metadata(place.socket()).unwrap();
        let this = Credentials { pid: Some(std::process::id()), uid: owner.uid(), gid: owner.gid() };
        for story in &mut stories {
            let ready = story.find(|event| match event {
                Event::Accepted { from, .. } => {
                    assert_eq!(from, endpoint, "peers have no names of their own");
                    None
                }
                Event::Ready { peer, .. } => Some(peer.credentials),
                _ => None,
            });
            assert_eq!(ready.await, Some(Some(this)));
        }
    });
}

#[test]
fn large_messages_arrive_whole_in_both_directions_at_once() {
    run(|| async {
        let a = PairSocket::new();
        let endpoint = a.bind("ipc://*").await.unwrap();
        let b = PairSocket::new();
        b.connect(&endpoint).unwrap();
        let body = |seed: usize| -> Vec<u8> {
            (seed..seed + (1 << 20)).map(|i| u8::try_from(i * 31 % 251).unwrap()).collect()
        };
        let exchange = async |socket: &PairSocket, own: usize, other: usize| {
            for _ in 0..10 {
                socket.send([body(own), vec![], body(own + 1)]).await.unwrap();
                let frames = socket.recv().await.unwrap().into_array::<3>().unwrap();
                assert!(*frames[0] == body(other) && frames[1].is_empty() && *frames[2] == body(other + 1));
            }
        };
        join(exchange(&a, 1, 5), exchange(&b, 5, 1)).await;
        // One that is dropped might be closed only after the tests have ended, and leave its file.
        a.close().await;
    });
}

#[test]
fn a_peer_that_closes_is_noticed_and_dialled_again() {
    run(|| async {
        let place = TempDir::new();
        let dealer = DealerSocket::new();
        let mut story = dealer.monitor();
        let router = RouterSocket::new();
        dealer.connect(router.bind(place.endpoint()).await.unwrap()).unwrap();
        dealer.send("first").await.unwrap();
        assert_eq!(router.recv().await.unwrap().body(), "first");
        router.close().await;
        let reason = story.find(|event| match event {
            Event::Disconnected { reason, retry: Some(_), .. } => Some(reason),
            _ => None,
        });
        assert_eq!(reason.await, Some(ConnectionError::Eof));
        let router = RouterSocket::new();
        router.bind(place.endpoint()).await.unwrap();
        dealer.send("second").await.unwrap();
        assert_eq!(router.recv().await.unwrap().body(), "second");
    });
}

#[test]
fn a_closing_socket_ends_its_own_side_first_and_still_hears_the_other() {
    fn hears_the_end_and_speaks_on(mut stream: impl Read + Write) -> io::Result<()> {
        stream.write_all(&[opening("DEALER"), frame(0, b"hi")].concat())?;
        stream.read_to_end(&mut Vec::new())?;
        // If nobody hears it, the first write may be answered only at the second one.
        stream.write_all(&frame(0, b"still"))?;
        stream.write_all(&frame(0, b"there"))
    }
    run(|| async {
        let place = TempDir::new();
        for name in [place.endpoint(), ANY.into()] {
            let router = RouterSocket::new();
            let endpoint = router.bind(name).await.unwrap();
            let stranger = std::thread::spawn(move || match endpoint.to_string().split_once("://").unwrap() {
                ("tcp", address) => hears_the_end_and_speaks_on(TcpStream::connect(address).unwrap()),
                (_, path) => hears_the_end_and_speaks_on(UnixStream::connect(path).unwrap()),
            });
            assert_eq!(router.recv().await.unwrap().body(), "hi");
            router.close().await;
            while !stranger.is_finished() {
                yield_now().await;
            }
            stranger.join().unwrap().expect("the socket waits for the peer's end before it hangs up");
        }
    });
}
