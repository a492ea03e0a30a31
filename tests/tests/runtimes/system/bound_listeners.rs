//! Tests of listeners that the application has opened.

use super::super::fixture::{PullSocket, PushSocket, RouterSocket, run, spawn};
use futures_util::future::join;
#[allow(unused_imports, reason = "blocking sockets have their own")]
use sansmq::mio::BindListener;
use sansmq::{BindError, Endpoint, Event, NetworkError};
use std::net::TcpListener;

#[test]
fn bound_listener_serves_earlier_connections() {
    run(|| async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let push = PushSocket::new();
        let mut monitor = push.monitor();
        push.connect(format!("tcp://{address}")).unwrap();
        push.send("early").await.unwrap();
        assert!(matches!(monitor.next().await, Some(Event::Connecting { .. })));
        assert!(
            matches!(monitor.next().await, Some(Event::Connected { .. })),
            "the system accepts before the socket does"
        );

        let pull = PullSocket::new();
        let bound = pull.bind_listener(listener).await.unwrap();
        assert_eq!(bound, Endpoint::from(address));
        assert_eq!(pull.recv().await.unwrap().body(), "early");
        pull.unbind(&bound).await.unwrap();
        TcpListener::bind(address).expect("the address is free");
    });
}

#[test]
#[cfg(unix)]
fn bound_unix_listener_keeps_its_file_after_unbind() {
    use std::os::unix::net::UnixListener;
    run(|| async {
        let dir = sansmq_tests::TempDir::new();
        let pull = PullSocket::new();
        let bound = pull.bind_listener(UnixListener::bind(dir.socket()).unwrap()).await.unwrap();
        assert_eq!(bound.to_string(), dir.endpoint());
        let push = PushSocket::new();
        push.connect(&bound).unwrap();
        push.send("through the file").await.unwrap();
        assert_eq!(pull.recv().await.unwrap().body(), "through the file");
        pull.unbind(&bound).await.unwrap();
        assert!(dir.socket().exists());
    });
}

#[test]
#[cfg(target_os = "linux")]
fn bind_listener_rejects_sockets_that_do_not_listen() {
    use std::net::UdpSocket;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    run(|| async {
        let router = RouterSocket::new();
        let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
        let endpoint = Endpoint::from(datagrams.local_addr().unwrap());
        let error = router.bind_listener(TcpListener::from(OwnedFd::from(datagrams))).await.unwrap_err();
        assert_eq!(error, BindError::Network { endpoint, error: NetworkError::NotListening });
        let (stream, _other) = UnixStream::pair().unwrap();
        let error = router.bind_listener(TcpListener::from(OwnedFd::from(stream))).await.unwrap_err();
        assert!(matches!(error, BindError::Listener(_)), "{error}");
        router.close().await;
        let late = router.bind_listener(TcpListener::bind("127.0.0.1:0").unwrap()).await;
        assert_eq!(late, Err(BindError::Closed));
    });
}

#[test]
fn close_during_bind_listener_ends_the_bind() {
    run(|| async {
        for _ in 0..20 {
            let pull = PullSocket::new();
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let binding = spawn({
                let pull = pull.clone();
                async move { pull.bind_listener(listener).await }
            });
            let (bound, ()) = join(binding, async {
                pull.close().await;
            })
            .await;
            assert!(bound == Ok(address.into()) || bound == Err(BindError::Closed), "{bound:?}");
            TcpListener::bind(address).expect("the address is free");
        }
    });
}
