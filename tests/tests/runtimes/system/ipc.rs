//! Tests of the `ipc` transport: binding and releasing names of Unix domain sockets, and credentials of peers.

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
use sansmq_tests::raw_peer::{frame, greeting_and_ready};
use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

#[test]
fn each_kind_of_name_is_removed_on_close() {
    run(|| async {
        let dir = TempDir::new();
        let mut names = vec![dir.endpoint(), "ipc://*".into()];
        if cfg!(target_os = "linux") {
            names.push(dir.abstract_endpoint());
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
fn bind_replaces_stale_socket_file() {
    run(|| async {
        let dir = TempDir::new();
        drop(UnixListener::bind(dir.socket()).unwrap());
        assert!(dir.socket().exists(), "std leaves the file behind");
        let pull = PullSocket::new();
        pull.bind(dir.endpoint()).await.unwrap();
        let push = PushSocket::new();
        push.connect(dir.endpoint()).unwrap();
        push.send("at the reused name").await.unwrap();
        assert_eq!(pull.recv().await.unwrap().body(), "at the reused name");
    });
}

#[test]
fn bind_to_used_name_fails_and_owner_keeps_it() {
    run(|| async {
        let dir = TempDir::new();
        let pull = PullSocket::new();
        let endpoint = pull.bind(dir.endpoint()).await.unwrap();
        let mut monitor = pull.monitor();
        let error = RouterSocket::new().bind(&endpoint).await.unwrap_err();
        assert!(error.to_string().contains(dir.socket().to_str().unwrap()), "{error}");
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
        assert_eq!(accepted, 1, "the failed bind must not count as a peer");
    });
}

#[test]
fn invalid_names_return_errors_with_reasons() {
    run(|| async {
        let dir = TempDir::new();
        let router = RouterSocket::new();
        let long = format!("ipc://{}", dir.directory().join("x".repeat(108)).display());
        let error = router.bind(&long).await.unwrap_err();
        assert!(matches!(error, BindError::Endpoint(ParseEndpointError::TooLong(_))), "{error}");
        let error = router.connect(&long).unwrap_err();
        assert!(matches!(error, ConnectError::Endpoint(ParseEndpointError::TooLong(_))), "{error}");
        let error = router.connect("ipc://*").unwrap_err();
        assert!(matches!(error, ConnectError::Wildcard(_)), "{error}");
    });
}

#[test]
fn bind_names_the_fault_of_the_path_and_retries_work() {
    run(|| async {
        let dir = TempDir::new();
        let router = RouterSocket::new();
        let below =
            |path: &str| -> Endpoint { format!("ipc://{}", dir.directory().join(path).display()).parse().unwrap() };
        fs::write(dir.directory().join("file"), "precious").unwrap();
        for (endpoint, error, text) in [
            (
                below("absent/socket"),
                NetworkError::NoDirectory,
                "the directory of the socket file does not exist; create",
            ),
            (below("file/socket"), NetworkError::NotADirectory, "a part of the path is a file, not a directory"),
            (below("file"), NetworkError::NotASocket, "a file which is not a socket; remove the file"),
        ] {
            let failed = router.bind(&endpoint).await.unwrap_err();
            assert_eq!(failed, BindError::Network { endpoint: endpoint.clone(), error });
            assert!(failed.to_string().starts_with(&format!("cannot listen at {endpoint}: ")), "{failed}");
            assert!(failed.to_string().contains(text), "{failed}");
        }
        assert_eq!(fs::read_to_string(dir.directory().join("file")).unwrap(), "precious");

        fs::create_dir(dir.directory().join("absent")).unwrap();
        let endpoint = router.bind(below("absent/socket")).await.unwrap();
        let dealer = DealerSocket::new();
        dealer.connect(&endpoint).unwrap();
        dealer.send("after the directory was created").await.unwrap();
        assert_eq!(router.recv().await.unwrap().body(), "after the directory was created");
        // The directory can only be removed after the socket file in it.
        router.close().await;
    });
}

/// Root may create a file in each directory, but not in the file system of the kernel.
#[test]
#[cfg(target_os = "linux")]
fn bind_in_directory_without_permission_names_it() {
    run(|| async {
        let endpoint: Endpoint = "ipc:///sys/kernel/socket".parse().unwrap();
        let error = RouterSocket::new().bind(&endpoint).await.unwrap_err();
        assert_eq!(error, BindError::Network { endpoint, error: NetworkError::DirectoryNotWritable });
        assert!(
            error.to_string().contains("may not create a file in the directory; change the permissions"),
            "{error}"
        );
    });
}

#[test]
fn connect_before_bind_reports_reason_and_loses_nothing() {
    run(|| async {
        let dir = TempDir::new();
        let push = Socket::with_options(
            Options::<Push>::new().reconnect(Duration::from_millis(10), Duration::from_millis(20)),
        );
        let mut monitor = push.monitor();
        push.connect(dir.endpoint()).unwrap();
        for number in 0..10 {
            push.send(number.to_string()).await.unwrap();
        }
        for expected in [NetworkError::PathNotFound, NetworkError::Refused] {
            let failed = monitor.find(|event| match event {
                Event::ConnectFailed { error, retry: Some(_), .. } if error == expected => Some(()),
                _ => None,
            });
            failed.await.unwrap();
            if expected == NetworkError::PathNotFound {
                drop(UnixListener::bind(dir.socket()).unwrap());
            }
        }
        let pull = PullSocket::new();
        pull.bind(dir.endpoint()).await.unwrap();
        for number in 0..10 {
            assert_eq!(pull.recv().await.unwrap().body().to_text(), number.to_string());
        }
    });
}

#[test]
fn unbind_frees_name_before_it_returns() {
    run(|| async {
        let dir = TempDir::new();
        let pull = PullSocket::new();
        let endpoint = pull.bind(dir.endpoint()).await.unwrap();
        for _ in 0..20 {
            pull.unbind(&endpoint).await.unwrap();
            assert!(!dir.socket().exists());
            assert_eq!(pull.bind(&endpoint).await.unwrap(), endpoint);
        }
        let push = PushSocket::new();
        push.connect(&endpoint).unwrap();
        push.send("still bound").await.unwrap();
        assert_eq!(pull.recv().await.unwrap().body(), "still bound");
    });
}

#[test]
fn bind_waits_for_dropped_socket_at_the_same_path() {
    run(|| async {
        let dir = TempDir::new();
        for _ in 0..20 {
            let pull = PullSocket::new();
            pull.bind(dir.endpoint()).await.unwrap();
        }
    });
}

#[test]
fn unbind_reports_lost_name_and_keeps_foreign_file() {
    run(|| async {
        let dir = TempDir::new();
        let pull = PullSocket::new();
        let mut monitor = pull.monitor();
        let endpoint = pull.bind(dir.endpoint()).await.unwrap();
        let lost = NetworkError::PathReplaced;
        fs::remove_file(dir.socket()).unwrap();
        let error = pull.unbind(&endpoint).await.unwrap_err();
        assert_eq!(error, UnbindError::Network { endpoint: endpoint.clone(), error: lost });
        assert!(error.to_string().contains(dir.socket().to_str().unwrap()), "{error}");

        pull.bind(&endpoint).await.unwrap();
        // libzmq also unlinks the file before it binds.
        fs::remove_file(dir.socket()).unwrap();
        let second = PullSocket::new();
        second.bind(&endpoint).await.unwrap();
        pull.close().await;
        let push = PushSocket::new();
        push.connect(&endpoint).unwrap();
        push.send("to the second").await.unwrap();
        assert_eq!(second.recv().await.unwrap().body(), "to the second");
        let mut reported = 0;
        while let Some(event) = monitor.next().await {
            reported += usize::from(event == Event::ListenerCloseFailed { endpoint: endpoint.clone(), error: lost });
        }
        assert_eq!(reported, 2);
    });
}

#[test]
#[cfg(target_os = "linux")]
fn both_peers_report_process_credentials() {
    run(|| async {
        let dir = TempDir::new();
        let (router, dealer) = (RouterSocket::new(), DealerSocket::new());
        let mut monitors = [router.monitor(), dealer.monitor()];
        let endpoint = router.bind(dir.endpoint()).await.unwrap();
        dealer.connect(&endpoint).unwrap();
        let owner = fs::metadata(dir.socket()).unwrap();
        let expected = Credentials { pid: Some(std::process::id()), uid: owner.uid(), gid: owner.gid() };
        for monitor in &mut monitors {
            let ready = monitor.find(|event| match event {
                Event::Accepted { from, .. } => {
                    assert_eq!(from, endpoint, "a connecting peer has no name of its own");
                    None
                }
                Event::Ready { peer, .. } => Some(peer.credentials),
                _ => None,
            });
            assert_eq!(ready.await, Some(Some(expected)));
        }
    });
}

#[test]
fn large_messages_arrive_intact_in_both_directions() {
    run(|| async {
        let a = PairSocket::new();
        let endpoint = a.bind("ipc://*").await.unwrap();
        let b = PairSocket::new();
        b.connect(&endpoint).unwrap();
        let body = |seed: usize| -> Vec<u8> {
            (seed..seed + (1 << 20)).map(|i| u8::try_from(i * 31 % 251).unwrap()).collect()
        };
        let exchange = async |socket: &PairSocket, own: usize, peer: usize| {
            for _ in 0..10 {
                socket.send([body(own), vec![], body(own + 1)]).await.unwrap();
                let frames = socket.recv().await.unwrap().into_array::<3>().unwrap();
                assert!(*frames[0] == body(peer) && frames[1].is_empty() && *frames[2] == body(peer + 1));
            }
        };
        join(exchange(&a, 1, 5), exchange(&b, 5, 1)).await;
        // A dropped socket is closed in the background, perhaps after the test process has ended, and would leave its file.
        a.close().await;
    });
}

#[test]
fn dealer_reconnects_after_peer_closes() {
    run(|| async {
        let dir = TempDir::new();
        let dealer = DealerSocket::new();
        let mut monitor = dealer.monitor();
        let router = RouterSocket::new();
        dealer.connect(router.bind(dir.endpoint()).await.unwrap()).unwrap();
        dealer.send("first").await.unwrap();
        assert_eq!(router.recv().await.unwrap().body(), "first");
        router.close().await;
        let reason = monitor.find(|event| match event {
            Event::Disconnected { reason, retry: Some(_), .. } => Some(reason),
            _ => None,
        });
        assert_eq!(reason.await, Some(ConnectionError::PeerClosed));
        let router = RouterSocket::new();
        router.bind(dir.endpoint()).await.unwrap();
        dealer.send("second").await.unwrap();
        assert_eq!(router.recv().await.unwrap().body(), "second");
    });
}

#[test]
fn close_shuts_down_writing_and_reads_until_peer_closes() {
    fn write_after_end_of_stream(mut stream: impl Read + Write) -> io::Result<()> {
        stream.write_all(&[greeting_and_ready("DEALER"), frame(0, b"hi")].concat())?;
        stream.read_to_end(&mut Vec::new())?;
        // A reset in reply to the first write may be returned only by the second write.
        stream.write_all(&frame(0, b"still"))?;
        stream.write_all(&frame(0, b"there"))
    }
    run(|| async {
        let dir = TempDir::new();
        for name in [dir.endpoint(), ANY.into()] {
            let router = RouterSocket::new();
            let endpoint = router.bind(name).await.unwrap();
            let raw_peer = std::thread::spawn(move || match endpoint.to_string().split_once("://").unwrap() {
                ("tcp", address) => write_after_end_of_stream(TcpStream::connect(address).unwrap()),
                (_, path) => write_after_end_of_stream(UnixStream::connect(path).unwrap()),
            });
            assert_eq!(router.recv().await.unwrap().body(), "hi");
            router.close().await;
            while !raw_peer.is_finished() {
                yield_now().await;
            }
            raw_peer.join().unwrap().expect("the socket must read until the peer closes");
        }
    });
}
